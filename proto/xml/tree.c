/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree: building the flat arrays of one unit. */
#include "base/check.h"
#include "base/pool.h"
#include "xml/parser_int.h"

#define ARRAY_COUNT_MIN 16u

bool xml_array_grow(void **array, uint32_t *cap, uint32_t count, size_t elem_bytes,
                    const void *keep)
{
    size_t want = count < ARRAY_COUNT_MIN ? ARRAY_COUNT_MIN : (size_t)count * 2;
    void *grown;

    if (LIKELY(count < *cap)) {
        return true;
    }
    grown = pool_alloc(want * elem_bytes);
    if (!grown) {
        return false;
    }
    if (count) {
        memcpy(grown, *array, count * elem_bytes);
    }
    if (*array != keep) {
        pool_free(*array);
    }
    *array = grown;
    *cap = (uint32_t)(pool_block_bytes(grown) / elem_bytes);
    return true;
}

/* The first of the unit's nodes or attributes: room for some of both. */
static bool small_begin(struct xml_parser *p)
{
    p->small = pool_alloc(sizeof(*p->small));
    if (!p->small) {
        return false;
    }
    p->nodes = p->small->nodes;
    p->attrs = p->small->attrs;
    p->node_cap = XML_SMALL_COUNT;
    p->attr_cap = XML_SMALL_COUNT;
    p->tree.nodes = p->nodes;
    p->tree.attrs = p->attrs;
    return true;
}

struct xml_node *xml_tree_node(struct xml_parser *p)
{
    uint32_t idx = p->tree.node_count;
    void *nodes;

    if (UNLIKELY(!p->small) && !small_begin(p)) {
        return NULL;
    }
    nodes = p->nodes;
    if (!xml_array_grow(&nodes, &p->node_cap, idx, sizeof(*p->nodes), p->small->nodes)) {
        return NULL;
    }
    p->nodes = nodes;
    p->tree.nodes = nodes;
    if (p->last_sibling != XML_NO_NODE) {
        p->nodes[p->last_sibling].next_sibling = idx;
    } else if (p->open != XML_NO_NODE) {
        p->nodes[p->open].first_child = idx;
    }
    p->tree.node_count++;
    return &p->nodes[idx];
}

enum xml_step xml_tree_open(struct xml_parser *p, const struct xml_node *element)
{
    struct xml_node *node;

    if (p->depth >= p->limits.depth_max) {
        return xml_refuse(p, XML_WHY_TOO_BIG, "too deep");
    }
    if (p->element_count >= p->limits.elements_max) {
        return xml_refuse(p, XML_WHY_TOO_BIG, "too many elements");
    }
    node = xml_tree_node(p);
    if (!node) {
        return xml_refuse(p, XML_WHY_NOMEM, "out of memory");
    }
    *node = *element;
    node->parent = p->open;
    p->element_count++;
    p->depth++;
    p->open = p->tree.node_count - 1;
    p->last_sibling = XML_NO_NODE;
    return XML_STEP_OK;
}

void xml_tree_close(struct xml_parser *p)
{
    uint32_t decl_count = p->decl_count;

    while (decl_count > 0 && p->decls[decl_count - 1].depth >= p->depth) {
        decl_count--;
    }
    xml_ns_leave(p, decl_count);
    p->last_sibling = p->open;
    p->open = p->nodes[p->open].parent;
    p->depth--;
}

struct slice *xml_tree_last_text(struct xml_parser *p)
{
    struct xml_node *last;

    if (p->last_sibling == XML_NO_NODE) {
        return NULL;
    }
    last = &p->nodes[p->last_sibling];
    return last->kind == XML_NODE_TEXT ? &last->name : NULL;
}

/* Character data directly behind other character data (CDATA sections): one text node. */
static enum xml_step text_append(struct xml_parser *p, struct slice *last, struct slice text)
{
    char *start = xml_arena_extend(&p->arena, *last, text.len);

    if (!start) {
        return xml_refuse(p, XML_WHY_NOMEM, "out of memory");
    }
    memcpy(start + last->len, text.ptr, text.len);
    xml_arena_take(&p->arena, start == last->ptr ? text.len : last->len + text.len);
    *last = slice_make(start, last->len + text.len);
    return XML_STEP_OK;
}

enum xml_step xml_tree_text(struct xml_parser *p, struct slice text)
{
    struct slice *last = xml_tree_last_text(p);
    struct xml_node *node;

    if (slice_is_empty(text)) {
        return XML_STEP_OK;
    }
    if (UNLIKELY(last != NULL)) {
        return text_append(p, last, text);
    }
    node = xml_tree_node(p);
    if (!node) {
        return xml_refuse(p, XML_WHY_NOMEM, "out of memory");
    }
    *node = (struct xml_node){.kind = XML_NODE_TEXT,
                              .parent = p->open,
                              .first_child = XML_NO_NODE,
                              .next_sibling = XML_NO_NODE,
                              .name = text,
                              .attr_first = p->tree.attr_count,
                              .ns_at = XML_NO_NS_AT};
    p->last_sibling = p->tree.node_count - 1;
    return XML_STEP_OK;
}

struct xml_attr *xml_tree_attr(struct xml_parser *p)
{
    void *attrs;

    if (UNLIKELY(!p->small) && !small_begin(p)) {
        return NULL;
    }
    attrs = p->attrs;
    if (!xml_array_grow(&attrs, &p->attr_cap, p->tree.attr_count, sizeof(*p->attrs),
                        p->small->attrs)) {
        return NULL;
    }
    p->attrs = attrs;
    p->tree.attrs = attrs;
    return &p->attrs[p->tree.attr_count];
}

void xml_tree_clear(struct xml_parser *p)
{
    p->tree = (struct xml_tree){.nodes = p->nodes, .attrs = p->attrs};
    p->open = XML_NO_NODE;
    p->last_sibling = XML_NO_NODE;
    p->depth = 0;
    p->element_count = 0;
    xml_arena_clear(&p->arena);
}

void xml_tree_release(struct xml_parser *p)
{
    xml_arena_deinit(&p->arena);
    if (p->small) {
        if (p->nodes != p->small->nodes) {
            pool_free(p->nodes);
        }
        if (p->attrs != p->small->attrs) {
            pool_free(p->attrs);
        }
        pool_free(p->small);
    }
    if (p->decls) {
        pool_free(p->decls);
    }
    p->small = NULL;
    p->nodes = NULL;
    p->attrs = NULL;
    p->decls = NULL;
    p->node_cap = 0;
    p->attr_cap = 0;
    p->decl_cap = 0;
    p->tree.nodes = NULL;
    p->tree.attrs = NULL;
}

static void rebase(struct slice *s, uintptr_t from, size_t len, const char *to)
{
    uintptr_t at = (uintptr_t)s->ptr;

    if (at >= from && at - from < len) {
        s->ptr = to + (at - from);
    }
}

void xml_tree_rebase(struct xml_parser *p, const char *from, size_t len, const char *to)
{
    uintptr_t old = (uintptr_t)from;

    for (uint32_t i = 0; i < p->tree.node_count; i++) {
        rebase(&p->nodes[i].name, old, len, to);
        rebase(&p->nodes[i].prefix, old, len, to);
        rebase(&p->nodes[i].ns, old, len, to);
    }
    for (uint32_t i = 0; i < p->tree.attr_count; i++) {
        rebase(&p->attrs[i].name, old, len, to);
        rebase(&p->attrs[i].prefix, old, len, to);
        rebase(&p->attrs[i].ns, old, len, to);
        rebase(&p->attrs[i].value, old, len, to);
    }
    for (uint32_t i = 0; i < p->decl_count; i++) {
        rebase(&p->decls[i].prefix, old, len, to);
        rebase(&p->decls[i].ns, old, len, to);
    }
    rebase(&p->default_ns, old, len, to);
}
