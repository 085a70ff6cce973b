/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree: the table of values. */
#include "import/tree.h"

#include "base/check.h"
#include "base/pool.h"

void import_tree_init(struct import_tree *t)
{
    *t = (struct import_tree){.first = IMPORT_NONE, .last = IMPORT_NONE};
}

void import_tree_deinit(struct import_tree *t)
{
    if (t->texts) {
        explicit_bzero(t->texts, t->texts_cap);
    }
    for (uint32_t i = 1; i < t->type_count; i++) {
        pool_heap_free((void *)(uintptr_t)t->types[i].ptr);
    }
    pool_heap_free(t->types);
    pool_heap_free(t->texts);
    pool_heap_free(t->nodes);
    import_tree_init(t);
}

uint32_t import_add(struct import_tree *t, uint32_t parent, enum import_value value,
                    uint32_t offset)
{
    uint32_t node = t->count;
    uint32_t *last;

    if (node == IMPORT_NODES_MAX) {
        return IMPORT_NONE;
    }
    if (t->count == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 256;
        t->nodes = pool_heap_grow(t->nodes, t->cap * sizeof(*t->nodes));
    }
    t->count++;
    t->nodes[node] = (struct import_node){.next = IMPORT_NONE,
                                          .first = IMPORT_NONE,
                                          .last = IMPORT_NONE,
                                          .offset = offset,
                                          .value = (uint8_t)value};
    last = parent == IMPORT_NONE ? &t->last : &t->nodes[parent].last;
    if (*last != IMPORT_NONE) {
        t->nodes[*last].next = node;
    } else if (parent == IMPORT_NONE) {
        t->first = node;
    } else {
        t->nodes[parent].first = node;
    }
    *last = node;
    return node;
}

uint32_t import_keep(struct import_tree *t, struct slice text)
{
    size_t at = t->texts_len;

    ASSERT(text.len <= IMPORT_BYTES_MAX && at <= (size_t)UINT32_MAX - IMPORT_BYTES_MAX);
    if (t->texts_cap - at < text.len) {
        size_t cap = t->texts_cap ? t->texts_cap * 2 : 4096;
        char *moved = pool_heap_zalloc(cap > at + text.len ? cap : at + text.len);

        t->texts_cap = cap > at + text.len ? cap : at + text.len;
        if (t->texts) {
            memcpy(moved, t->texts, at);
            explicit_bzero(t->texts, at);
        }
        pool_heap_free(t->texts);
        t->texts = moved;
    }
    if (text.len) {
        memcpy(t->texts + at, text.ptr, text.len);
    }
    t->texts_len += text.len;
    return (uint32_t)at;
}

uint32_t import_resolve(const struct import_tree *t, uint32_t node)
{
    return node != IMPORT_NONE && t->nodes[node].value == IMPORT_REF ? t->nodes[node].last : node;
}

struct slice import_name(const struct import_tree *t, uint32_t node)
{
    const struct import_node *n = &t->nodes[node];

    return n->name_len ? slice_make(t->texts + n->name_at, n->name_len) : SLICE_NONE;
}

struct slice import_text_of(const struct import_tree *t, uint32_t node)
{
    const struct import_node *n = &t->nodes[node];

    return n->text_len ? slice_make(t->texts + n->text_at, n->text_len) : SLICE_NONE;
}

struct slice import_type(const struct import_tree *t, uint32_t node)
{
    uint16_t type = t->nodes[node].type;

    return type ? t->types[type] : SLICE_NONE;
}

uint32_t import_next_child(const struct import_tree *t, uint32_t parent, uint32_t previous)
{
    if (previous != IMPORT_NONE) {
        return t->nodes[previous].next;
    }
    return t->nodes[parent].value == IMPORT_REF ? IMPORT_NONE : t->nodes[parent].first;
}

uint32_t import_child_count(const struct import_tree *t, uint32_t parent)
{
    uint32_t child = IMPORT_NONE;
    uint32_t count = 0;

    while ((child = import_next_child(t, parent, child)) != IMPORT_NONE) {
        count++;
    }
    return count;
}

uint32_t import_member(const struct import_tree *t, uint32_t object, const char *name)
{
    struct slice wanted = slice_from_cstr(name);
    uint32_t found = IMPORT_NONE;
    uint32_t child = IMPORT_NONE;

    object = import_resolve(t, object);
    if (t->nodes[object].value != IMPORT_OBJECT) {
        return IMPORT_NONE;
    }
    while ((child = import_next_child(t, object, child)) != IMPORT_NONE) {
        if (slice_eq_nocase(import_name(t, child), wanted) &&
            (found == IMPORT_NONE || t->nodes[child].is_extended)) {
            found = child;
        }
    }
    return import_resolve(t, found);
}

uint32_t import_wrapped_list(const struct import_tree *t, uint32_t node)
{
    uint32_t value;

    if (t->nodes[node].value != IMPORT_OBJECT || import_type(t, node).len) {
        return IMPORT_NONE;
    }
    value = import_member(t, node, "value");
    return value != IMPORT_NONE && t->nodes[value].value == IMPORT_LIST &&
                   import_member(t, node, "Count") != IMPORT_NONE
               ? value
               : IMPORT_NONE;
}

/* The list that a top-level value is; IMPORT_NONE: it is a record. */
static uint32_t top_list(const struct import_tree *t, uint32_t top)
{
    top = import_resolve(t, top);
    return t->nodes[top].value == IMPORT_LIST ? top : import_wrapped_list(t, top);
}

bool import_next_record(const struct import_tree *t, struct import_cursor *c, uint32_t *record)
{
    for (;;) {
        uint32_t list;

        if (c->item != IMPORT_NONE) {
            *record = import_resolve(t, c->item);
            c->item = t->nodes[c->item].next;
            return true;
        }
        c->top = c->is_begun ? t->nodes[c->top].next : t->first;
        c->is_begun = true;
        if (c->top == IMPORT_NONE) {
            c->is_begun = false;
            return false;
        }
        list = top_list(t, c->top);
        if (list == IMPORT_NONE) {
            *record = import_resolve(t, c->top);
            return true;
        }
        c->item = t->nodes[list].first;
    }
}
