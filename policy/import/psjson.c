/* SPDX-License-Identifier: GPL-2.0-or-later */
/* psjson: what ConvertTo-Json writes. Documents of the configuration's reader turned into the
 * common table. */
#include <stdlib.h>

#include "base/ascii.h"
#include "base/err.h"
#include "base/pool.h"
#include "import/tree.h"
#include "policy/json.h"
#include "policy/quote.h"

#define DEPTH_MAX 16u /* -Depth 5 of an array of objects, and to spare */

static enum import_value value_of(enum json_kind kind)
{
    switch (kind) {
    case JSON_FALSE:
    case JSON_TRUE:
        return IMPORT_BOOL;
    case JSON_NUMBER:
        return IMPORT_NUMBER;
    case JSON_TEXT:
        return IMPORT_TEXT;
    case JSON_LIST:
        return IMPORT_LIST;
    case JSON_OBJECT:
        return IMPORT_OBJECT;
    case JSON_NULL:
    case JSON_KEY:
    default:
        return IMPORT_NIL;
    }
}

static struct slice text_of(const struct json_doc *doc, uint32_t node)
{
    switch (json_kind_of(doc, node)) {
    case JSON_FALSE:
        return SLICE_LIT("false");
    case JSON_TRUE:
        return SLICE_LIT("true");
    case JSON_NUMBER:
    case JSON_TEXT:
        return json_text(doc, node);
    case JSON_NULL:
    case JSON_LIST:
    case JSON_OBJECT:
    case JSON_KEY:
    default:
        return SLICE_NONE;
    }
}

/* Nodes stand in document order, so a stack of open containers is all that is needed. */
static int convert(struct import_tree *t, const struct json_doc *doc, struct import_fault *fault)
{
    struct {
        uint32_t node; /* of the tree */
        uint32_t end;  /* in the document */
    } open[DEPTH_MAX + 2];
    uint32_t depth = 0;
    struct slice key = SLICE_NONE;

    for (uint32_t i = 0; i < doc->count; i++) {
        struct slice text = text_of(doc, i);
        uint32_t node;

        while (depth && i >= open[depth - 1].end) {
            depth--;
        }
        if (json_kind_of(doc, i) == JSON_KEY) {
            key = json_text(doc, i);
            continue;
        }
        node = import_add(t, depth ? open[depth - 1].node : IMPORT_NONE,
                          value_of(json_kind_of(doc, i)), doc->nodes[i].start);
        if (node == IMPORT_NONE) {
            return import_refuse(fault, doc->nodes[i].start,
                                 "has more than %u values; export the lists one by one",
                                 IMPORT_NODES_MAX);
        }
        t->nodes[node].name_at = import_keep(t, key);
        t->nodes[node].name_len = (uint32_t)key.len;
        t->nodes[node].text_at = import_keep(t, text);
        t->nodes[node].text_len = (uint32_t)text.len;
        key = SLICE_NONE;
        if (t->nodes[node].value == IMPORT_LIST || t->nodes[node].value == IMPORT_OBJECT) {
            open[depth].node = node;
            open[depth].end = doc->nodes[i].next;
            depth++;
        }
    }
    return 0;
}

/* --- members ---------------------------------------------------------------------------------- */

struct member {
    struct slice name; /* of the document */
    uint32_t offset;
};

struct members {
    struct member *items; /* owned */
    uint32_t count;
    uint32_t cap;
};

static int by_name(const void *a, const void *b)
{
    const struct member *x = a;
    const struct member *y = b;
    size_t len = x->name.len < y->name.len ? x->name.len : y->name.len;

    for (size_t i = 0; i < len; i++) {
        unsigned char of_x = (unsigned char)ascii_lower(x->name.ptr[i]);
        unsigned char of_y = (unsigned char)ascii_lower(y->name.ptr[i]);

        if (of_x != of_y) {
            return of_x < of_y ? -1 : 1;
        }
    }
    if (x->name.len != y->name.len) {
        return x->name.len < y->name.len ? -1 : 1;
    }
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void collect(struct members *m, const struct json_doc *doc, uint32_t object)
{
    m->count = 0;
    for (uint32_t key = object + 1; key < doc->nodes[object].next;
         key = doc->nodes[key + 1].next) {
        if (m->count == m->cap) {
            m->cap = m->cap ? m->cap * 2 : 64;
            m->items = pool_heap_grow(m->items, m->cap * sizeof(*m->items));
        }
        m->items[m->count++] = (struct member){json_text(doc, key), doc->nodes[key].start};
    }
    if (m->count > 1) {
        qsort(m->items, m->count, sizeof(*m->items), by_name);
    }
}

/* Which of the two counts would be a guess: readers of JSON differ in that. PowerShell finds
 * properties without regard to case and writes none twice. */
static int refuse_twice(const struct json_doc *doc, struct import_fault *fault)
{
    struct members m = {0};
    int err = 0;

    for (uint32_t node = 0; node < doc->count && !err; node++) {
        if (json_kind_of(doc, node) != JSON_OBJECT) {
            continue;
        }
        collect(&m, doc, node);
        for (uint32_t i = 1; i < m.count && !err; i++) {
            if (slice_eq_nocase(m.items[i - 1].name, m.items[i].name)) {
                err = import_refuse(fault, m.items[i].offset,
                                    "the member %s stands there twice; export it again, or remove "
                                    "one of the two",
                                    quote(m.items[i].name).text);
            }
        }
    }
    pool_heap_free(m.items);
    return err;
}

int import_read_json(struct import_tree *t, struct slice text, struct import_fault *fault)
{
    struct json_doc doc = {0};
    struct json_fault why;
    int err = json_parse(&doc, text, DEPTH_MAX, &why);

    if (err) {
        err = import_refuse(fault, why.offset,
                            "%s%s%s; a file that was cut off or edited: export it again", why.path,
                            why.path[0] ? ": " : "", why.text);
    } else {
        err = refuse_twice(&doc, fault);
    }
    if (!err) {
        err = convert(t, &doc, fault);
    }
    json_deinit(&doc);
    return err;
}

int import_read(struct import_tree *t, struct slice text, struct import_fault *fault)
{
    enum import_format format;
    int err = import_format_of(text, &format, fault);

    if (err) {
        return err;
    }
    return format == IMPORT_FORMAT_CLIXML ? import_read_clixml(t, text, fault)
                                          : import_read_json(t, text, fault);
}
