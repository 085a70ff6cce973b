/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_rows: rows in arrays, their texts in big blocks. */
#include "edge/store_rows.h"

#include <string.h>

#include "base/pool.h"

#define TEXT_BYTES ((size_t)1 << 20)
#define FIRST_CAP  1024u

struct store_rows_text {
    struct store_rows_text *next; /* owned */
    size_t used;
    size_t cap;
    char bytes[];
};

static struct slice keep(struct store_rows *rows, struct slice s)
{
    struct store_rows_text *t = rows->texts;
    char *at;

    if (s.len == 0) {
        return SLICE_NONE;
    }
    if (!t || t->cap - t->used < s.len) {
        size_t cap = s.len > TEXT_BYTES ? s.len : TEXT_BYTES;

        t = pool_heap_zalloc(sizeof(*t) + cap);
        t->cap = cap;
        t->next = rows->texts;
        rows->texts = t;
    }
    at = t->bytes + t->used;
    memcpy(at, s.ptr, s.len);
    t->used += s.len;
    return slice_make(at, s.len);
}

static struct store_pair keep_pair(struct store_rows *rows, const struct store_pair *p)
{
    return (struct store_pair){keep(rows, p->local_user), keep(rows, p->local_domain),
                               keep(rows, p->remote_user), keep(rows, p->remote_domain)};
}

/* Room for one more. */
static void *grow(void *items, size_t count, size_t *cap, size_t item_bytes)
{
    if (count < *cap) {
        return items;
    }
    *cap = *cap ? 2 * *cap : FIRST_CAP;
    return pool_heap_grow(items, *cap * item_bytes);
}

static int on_contact(void *ctx, const struct store_contact *row)
{
    struct store_rows *rows = ctx;
    struct store_contact *c;

    rows->contacts =
        grow(rows->contacts, rows->contact_count, &rows->contact_cap, sizeof(*rows->contacts));
    c = &rows->contacts[rows->contact_count++];
    *c = *row;
    c->pair = keep_pair(rows, &row->pair);
    c->dialogs = keep(rows, row->dialogs);
    c->document = keep(rows, row->document);
    return 0;
}

static int on_reach(void *ctx, const struct store_reach *row)
{
    struct store_rows *rows = ctx;
    struct store_reach *r;

    rows->reach = grow(rows->reach, rows->reach_count, &rows->reach_cap, sizeof(*rows->reach));
    r = &rows->reach[rows->reach_count++];
    *r = *row;
    r->pair = keep_pair(rows, &row->pair);
    return 0;
}

struct store_reader store_rows_reader(struct store_rows *rows)
{
    return (struct store_reader){.contact = on_contact, .reach = on_reach, .ctx = rows};
}

void store_rows_deinit(struct store_rows *rows)
{
    struct store_rows_text *t;

    while ((t = rows->texts)) {
        rows->texts = t->next;
        pool_heap_free(t);
    }
    pool_heap_free(rows->contacts);
    pool_heap_free(rows->reach);
    *rows = (struct store_rows){0};
}
