/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fast_node: what the pass (fast_pass.h) has taken becomes nodes of the tree, and it is noted how
 * far the content is canonical. */
#ifndef FG_XML_FAST_NODE_H
#define FG_XML_FAST_NODE_H

#include "xml/fast_find.h"
#include "xml/parser_int.h"

#ifdef FAST_RUN

/* The window, and what a start tag has shown so far. */
struct fast_tag {
    const char *base;
    const char *end;
    uint32_t attr_from;
    uint32_t attr_stop; /* as many attributes fit, or are allowed */
    uint16_t ns_at;     /* as of struct xml_node */
    bool declares;      /* xmlns */
    bool is_odd;        /* the writer would write it differently */
    struct slice ns;    /* what no prefix means for the element */
    uint64_t seen;      /* bits of fast_mark() */
};

/* A node behind the last one, linked; NULL when the array is full and cannot grow. */
FAST_TARGET static inline struct xml_node *fast_node(struct xml_parser *p)
{
    uint32_t idx = p->tree.node_count;

    if (UNLIKELY(idx == p->node_cap)) {
        return xml_tree_node(p);
    }
    if (p->last_sibling != XML_NO_NODE) {
        p->nodes[p->last_sibling].next_sibling = idx;
    } else if (p->open != XML_NO_NODE) {
        p->nodes[p->open].first_child = idx;
    }
    p->tree.node_count = idx + 1;
    return &p->nodes[idx];
}

/* The tag is good: its element becomes a node. False: no memory or a limit. */
FAST_TARGET static inline bool fast_open(struct xml_parser *p, struct slice name,
                                         const struct fast_tag *tag, bool is_empty)
{
    struct xml_node *node;

    if (UNLIKELY(p->depth >= p->limits.depth_max || p->element_count >= p->limits.elements_max)) {
        return false;
    }
    if (tag->declares && !is_empty &&
        xml_ns_declare(p, SLICE_NONE, tag->ns, p->decl_count) != XML_STEP_OK) {
        return false;
    }
    node = fast_node(p);
    if (UNLIKELY(!node)) {
        return false;
    }
    node->kind = XML_NODE_ELEMENT;
    node->parent = p->open;
    node->first_child = XML_NO_NODE;
    node->next_sibling = XML_NO_NODE;
    node->name = name;
    node->prefix = SLICE_NONE;
    node->ns = tag->ns;
    node->attr_first = tag->attr_from;
    node->attr_count = (uint16_t)(p->tree.attr_count - tag->attr_from);
    node->ns_at = tag->ns_at;
    p->element_count++;
    if (is_empty) {
        p->last_sibling = p->tree.node_count - 1;
    } else {
        p->depth++;
        p->open = p->tree.node_count - 1;
        p->last_sibling = XML_NO_NODE;
    }
    return true;
}

/* Of the root, which begins the content, or within it. */
FAST_TARGET static inline void fast_note(struct xml_parser *p, const struct fast_tag *tag,
                                         size_t next)
{
    if (p->tree.node_count == 1) {
        p->content_at = next;
        p->content_end = next;
        p->is_canonical = true;
        p->is_root_canonical = true;
        p->content_ns_lens = 0;
    } else if (tag->declares) {
        p->is_canonical = p->is_canonical && !tag->is_odd;
        p->content_ns_lens |= (uint64_t)1 << (tag->ns.len < 63 ? tag->ns.len : 63);
    }
}

FAST_TARGET static inline bool fast_text_put(struct xml_parser *p, struct slice text)
{
    struct xml_node *node;

    /* Behind a CDATA section both are one text. */
    if (UNLIKELY(p->last_sibling != XML_NO_NODE &&
                 p->nodes[p->last_sibling].kind == XML_NODE_TEXT)) {
        return false;
    }
    node = fast_node(p);
    if (UNLIKELY(!node)) {
        return false;
    }
    node->kind = XML_NODE_TEXT;
    node->parent = p->open;
    node->first_child = XML_NO_NODE;
    node->next_sibling = XML_NO_NODE;
    node->name = text;
    node->prefix = SLICE_NONE;
    node->ns = SLICE_NONE;
    node->attr_first = p->tree.attr_count;
    node->attr_count = 0;
    node->ns_at = XML_NO_NS_AT;
    p->last_sibling = p->tree.node_count - 1;
    return true;
}

#endif
#endif
