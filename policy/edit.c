/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edit: changes of lists and objects as splices, and the new text made of them. */
#include "policy/edit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "policy/edit_int.h"
#include "policy/quote.h"
#include "xmpp/jid.h"

#define SPLICES_FIRST 16u
#define ADDED_FIRST   1024u

void edit_text_deinit(struct edit_text *t)
{
    if (t->bytes) {
        explicit_bzero(t->bytes, t->len);
    }
    pool_heap_free(t->bytes);
    *t = (struct edit_text){0};
}

void edit_init(struct edit *e, const struct json_doc *doc)
{
    *e = (struct edit){.doc = doc};
}

void edit_deinit(struct edit *e)
{
    if (e->added) {
        explicit_bzero(e->added, e->added_cap);
    }
    pool_heap_free(e->added);
    pool_heap_free(e->splices);
    *e = (struct edit){0};
}

int edit_refuse(struct edit *e, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(e->why, sizeof(e->why), fmt, args);
    va_end(args);
    return ERR_CONFIG;
}

/* --- splices --- */

void edit_replace(struct edit *e, size_t start, size_t end)
{
    ASSERT(start <= end && end <= e->doc->source.len);
    if (e->splice_count == e->splice_cap) {
        e->splice_cap = e->splice_cap ? e->splice_cap * 2 : SPLICES_FIRST;
        e->splices = pool_heap_grow(e->splices, e->splice_cap * sizeof(*e->splices));
    }
    e->splices[e->splice_count] = (struct edit_splice){
        .start = start, .end = end, .text_at = e->added_len, .seq = e->splice_count};
    e->splice_count++;
}

void edit_cut(struct edit *e, size_t start, size_t end)
{
    if (start < end) {
        edit_replace(e, start, end);
    }
}

void edit_put(struct edit *e, struct slice text)
{
    if (text.len == 0) {
        return;
    }
    if (e->added_cap - e->added_len < text.len) {
        /* Moved by hand: what the old block held must not stay behind in the heap. */
        size_t cap = (e->added_len + text.len) * 2 + ADDED_FIRST;
        char *bytes = pool_heap_zalloc(cap);

        if (e->added) {
            memcpy(bytes, e->added, e->added_len);
            explicit_bzero(e->added, e->added_len);
            pool_heap_free(e->added);
        }
        e->added = bytes;
        e->added_cap = cap;
    }
    memcpy(e->added + e->added_len, text.ptr, text.len);
    e->added_len += text.len;
    e->splices[e->splice_count - 1].text_len += text.len;
}

static int by_place(const void *a, const void *b)
{
    const struct edit_splice *x = a;
    const struct edit_splice *y = b;

    if (x->start != y->start) {
        return x->start < y->start ? -1 : 1;
    }
    if ((x->start == x->end) != (y->start == y->end)) {
        return x->start == x->end ? -1 : 1; /* added before what goes */
    }
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

int edit_finish(struct edit *e, struct edit_text *out)
{
    struct slice s = e->doc->source;
    size_t len = s.len;
    size_t at = 0;
    char *to;

    *out = (struct edit_text){0};
    if (e->splice_count) {
        qsort(e->splices, e->splice_count, sizeof(*e->splices), by_place);
    }
    for (uint32_t i = 0; i < e->splice_count; i++) {
        const struct edit_splice *splice = &e->splices[i];

        if (splice->start < at) {
            return edit_refuse(e, "two changes of one edit meet in the same place");
        }
        at = splice->end;
        len = len - (splice->end - splice->start) + splice->text_len;
    }
    if (len > JSON_BYTES_MAX) {
        return edit_refuse(e, "the file would have %zu bytes; at most %zu are read", len,
                           JSON_BYTES_MAX);
    }
    out->bytes = to = pool_heap_zalloc(len + 1);
    out->len = len;
    at = 0;
    for (uint32_t i = 0; i <= e->splice_count; i++) {
        const struct edit_splice *splice = i < e->splice_count ? &e->splices[i] : NULL;
        size_t stop = splice ? splice->start : s.len;

        memcpy(to, s.ptr + at, stop - at);
        to += stop - at;
        if (splice && splice->text_len) {
            memcpy(to, e->added + splice->text_at, splice->text_len);
            to += splice->text_len;
        }
        at = splice ? splice->end : s.len;
    }
    ASSERT((size_t)(to - out->bytes) == len);
    return 0;
}

/* --- lists and objects --- */

/* A value that ended in a line comment would comment out what follows it. */
static int check_value(struct edit *e, struct slice value)
{
    struct json_doc doc = {0};
    struct json_fault fault;
    int err = json_parse(&doc, value, JSON_DEPTH_MAX, &fault);

    if (err) {
        err = edit_refuse(e, "%s is no JSON: %s", quote(value).text, fault.text);
    } else if (doc.nodes[0].start != 0 || edit_value_end(&doc, 0) != value.len) {
        err = edit_refuse(e, "%s is not one JSON value alone", quote(value).text);
    }
    json_deinit(&doc);
    return err;
}

int edit_list(struct edit *e, uint32_t list, const struct edit_elements *elements)
{
    struct edit_items items;
    uint32_t at = 0;
    int err = 0;

    if (json_kind_of(e->doc, list) != JSON_LIST) {
        return edit_refuse(e, "a list, [...], is expected, not %s",
                           json_kind_text(json_kind_of(e->doc, list)));
    }
    for (uint32_t i = 0; i < elements->added_count && !err; i++) {
        err = check_value(e, elements->added[i]);
    }
    if (err) {
        return err;
    }
    edit_items_read(&items, e->doc, list);
    for (uint32_t i = 0; i < items.count && at < elements->removed_count; i++) {
        if (items.items[i].node == elements->removed[at]) {
            items.items[i].is_removed = true;
            at++;
        }
    }
    if (at < elements->removed_count) {
        err = edit_refuse(e, "what is to be removed is not in the list");
    } else {
        edit_place(e, &items, elements->added, elements->added_count);
    }
    edit_items_deinit(&items);
    return err;
}

/* The item with this key; count items: none. */
static int find_item(struct edit *e, const struct edit_items *items, struct slice key,
                     uint32_t *idx)
{
    *idx = items->count;
    for (uint32_t i = 0; i < items->count; i++) {
        if (!slice_eq(json_text(e->doc, items->items[i].node), key)) {
            continue;
        }
        if (*idx < items->count) {
            return edit_refuse(e, "the key %s stands there twice; remove one of them by hand",
                               quote(key).text);
        }
        *idx = i;
    }
    return 0;
}

static bool is_plain_key(struct slice key)
{
    for (size_t i = 0; i < key.len; i++) {
        if ((unsigned char)key.ptr[i] < 0x20 || key.ptr[i] == '"' || key.ptr[i] == '\\') {
            return false;
        }
    }
    return key.len > 0;
}

/* "key": value, in heap memory. */
static struct slice member_text(struct slice key, struct slice value)
{
    size_t len = key.len + value.len + 4;
    char *text = pool_heap_zalloc(len);

    text[0] = '"';
    memcpy(text + 1, key.ptr, key.len);
    memcpy(text + 1 + key.len, "\": ", 3);
    memcpy(text + 4 + key.len, value.ptr, value.len);
    return slice_make(text, len);
}

static int place_members(struct edit *e, struct edit_items *items,
                         const struct edit_member *members, uint32_t count)
{
    struct slice *added = pool_heap_zalloc((count + 1) * sizeof(*added));
    uint32_t added_count = 0;
    int err = 0;

    for (uint32_t i = 0; i < count && !err; i++) {
        uint32_t idx;

        err = find_item(e, items, members[i].key, &idx);
        if (err) {
            break;
        }
        if (idx < items->count && members[i].value.ptr) {
            const struct edit_item *item = &items->items[idx];

            edit_replace(e, e->doc->nodes[item->value].start, item->end);
            edit_put_value(e, members[i].value, edit_indent_of(e->doc->source, item->start), false);
        } else if (idx < items->count) {
            items->items[idx].is_removed = true;
        } else if (members[i].value.ptr) {
            added[added_count++] = member_text(members[i].key, members[i].value);
        }
    }
    if (!err) {
        edit_place(e, items, added, added_count);
    }
    for (uint32_t i = 0; i < added_count; i++) {
        explicit_bzero((char *)(uintptr_t)added[i].ptr, added[i].len);
        pool_heap_free((char *)(uintptr_t)added[i].ptr);
    }
    pool_heap_free(added);
    return err;
}

int edit_object(struct edit *e, uint32_t object, const struct edit_member *members, uint32_t count)
{
    struct edit_items items;
    int err = 0;

    if (json_kind_of(e->doc, object) != JSON_OBJECT) {
        return edit_refuse(e, "an object, {...}, is expected, not %s",
                           json_kind_text(json_kind_of(e->doc, object)));
    }
    for (uint32_t i = 0; i < count && !err; i++) {
        if (!is_plain_key(members[i].key)) {
            err = edit_refuse(e, "%s cannot be a key", quote(members[i].key).text);
        } else if (members[i].value.ptr) {
            err = check_value(e, members[i].value);
        }
    }
    if (err) {
        return err;
    }
    edit_items_read(&items, e->doc, object);
    err = place_members(e, &items, members, count);
    edit_items_deinit(&items);
    return err;
}

/* [ with an element per line ], in heap memory. */
static struct edit_text new_list(const struct edit_elements *elements)
{
    struct edit_text out = {0};
    char *to;

    out.len = 4;
    for (uint32_t i = 0; i < elements->added_count; i++) {
        out.len += elements->added[i].len * 5 + 8; /* moved in: 4 blanks a line */
    }
    out.bytes = to = pool_heap_zalloc(out.len);
    *to++ = '[';
    for (uint32_t i = 0; i < elements->added_count; i++) {
        struct slice value = elements->added[i];

        if (i) {
            *to++ = ',';
        }
        memcpy(to, "\n    ", 5);
        to += 5;
        for (size_t j = 0; j < value.len; j++) {
            *to++ = value.ptr[j];
            if (value.ptr[j] == '\n') {
                memcpy(to, "    ", 4);
                to += 4;
            }
        }
    }
    memcpy(to, "\n]", 2);
    out.len = (size_t)(to + 2 - out.bytes);
    return out;
}

int edit_root_list(struct edit *e, struct slice key, const struct edit_elements *elements)
{
    uint32_t list;
    struct edit_text text;
    int err = 0;

    if (json_kind_of(e->doc, 0) != JSON_OBJECT) {
        return edit_refuse(e, "the file is not an object, {...}");
    }
    list = edit_member(e->doc, 0, key);
    if (list != JSON_NONE && json_kind_of(e->doc, list) != JSON_LIST) {
        return edit_refuse(e, "%s must be a list, [...], not %s; mend the file by hand",
                           quote(key).text, json_kind_text(json_kind_of(e->doc, list)));
    }
    if (list != JSON_NONE) {
        return edit_list(e, list, elements);
    }
    if (elements->removed_count) {
        return edit_refuse(e, "what is to be removed is not in the list");
    }
    for (uint32_t i = 0; i < elements->added_count && !err; i++) {
        err = check_value(e, elements->added[i]);
    }
    if (err || elements->added_count == 0) {
        return err;
    }
    text = new_list(elements);
    err = edit_object(
        e, 0, &(struct edit_member){.key = key, .value = slice_make(text.bytes, text.len)}, 1);
    edit_text_deinit(&text);
    return err;
}

/* --- looking for places --- */

uint32_t edit_member(const struct json_doc *doc, uint32_t object, struct slice key)
{
    if (object == JSON_NONE || json_kind_of(doc, object) != JSON_OBJECT) {
        return JSON_NONE;
    }
    for (uint32_t at = object + 1; at < doc->nodes[object].next; at = doc->nodes[at + 1].next) {
        if (slice_eq(json_text(doc, at), key)) {
            return at + 1;
        }
    }
    return JSON_NONE;
}

/* Spellings of an ASCII name differ in case and the final dot; a million names are compared. */
static bool may_be_respelt(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] >= 0x80) {
            return true;
        }
    }
    return text.len > 0 && text.ptr[text.len - 1] == '.';
}

static bool is_domain(const struct json_doc *doc, uint32_t node, struct slice ascii)
{
    struct jid_ascii other;
    struct slice text;

    if (node == JSON_NONE || json_kind_of(doc, node) != JSON_TEXT) {
        return false;
    }
    text = json_text(doc, node);
    return slice_eq_nocase(text, ascii) ||
           (may_be_respelt(text) && jid_domain_to_ascii(text, &other) == 0 &&
            slice_eq(jid_ascii_slice(&other), ascii));
}

uint32_t edit_find_partner(const struct json_doc *doc, struct slice domain)
{
    uint32_t list = edit_member(doc, 0, SLICE_LIT("partners"));
    struct jid_ascii ascii;
    struct slice name = domain;

    if (list == JSON_NONE || json_kind_of(doc, list) != JSON_LIST) {
        return JSON_NONE;
    }
    if (jid_domain_to_ascii(domain, &ascii) == 0) {
        name = jid_ascii_slice(&ascii);
    }
    for (uint32_t at = list + 1; at < doc->nodes[list].next; at = doc->nodes[at].next) {
        uint32_t more = edit_member(doc, at, SLICE_LIT("additional_domains"));

        if (is_domain(doc, edit_member(doc, at, SLICE_LIT("domain")), name)) {
            return at;
        }
        if (more == JSON_NONE || json_kind_of(doc, more) != JSON_LIST) {
            continue;
        }
        for (uint32_t i = more + 1; i < doc->nodes[more].next; i = doc->nodes[i].next) {
            if (is_domain(doc, i, name)) {
                return at;
            }
        }
    }
    return JSON_NONE;
}
