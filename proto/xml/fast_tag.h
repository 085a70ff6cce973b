/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fast_tag: start tags and end tags, for the pass (fast_pass.h). */
#ifndef FG_XML_FAST_TAG_H
#define FG_XML_FAST_TAG_H

#include "xml/fast_attr.h"

#ifdef FAST_RUN

/* s at '<'; behind '>', or NULL: then nothing has changed. */
FAST_TARGET static inline const char *fast_start_tag(struct xml_parser *p, const char *base,
                                                     const char *s, const char *end)
{
    struct fast_tag tag UNINITIALIZED; /* filled below */
    uint32_t decl_from = p->decl_count;
    struct slice name = {.ptr = s + 1};
    bool is_empty;

    if (UNLIKELY(!fast_starts_name(*name.ptr))) {
        return NULL;
    }
    tag.base = base;
    tag.end = end;
    tag.attr_from = p->tree.attr_count;
    tag.ns_at = XML_NO_NS_AT;
    tag.declares = false;
    tag.is_odd = false;
    tag.ns = p->default_ns;
    tag.seen = 0;
    s = fast_name_end(name.ptr, base, end);
    name.len = (size_t)(s - name.ptr);
    if (UNLIKELY(name.len > p->limits.name_bytes_max)) {
        return NULL;
    }
    fast_attr_bound(p, &tag);
    while (s < end && *s == ' ') {
        const char *behind = fast_attr(p, s + 1, &tag);

        if (UNLIKELY(!behind)) {
            if (end - s >= 3 && s[1] == '/') {
                s++; /* a space before "/>" */
                break;
            }
            p->tree.attr_count = tag.attr_from;
            return NULL;
        }
        s = behind;
    }
    is_empty = end - s >= 2 && *s == '/';
    s += is_empty;
    if (UNLIKELY(s >= end || *s != '>' || !fast_open(p, name, &tag, is_empty))) {
        p->tree.attr_count = tag.attr_from;
        xml_ns_leave(p, decl_from);
        return NULL;
    }
    fast_note(p, &tag, (size_t)(s + 1 - base));
    return s + 1;
}

/* Whether the name of an open element stands at s. It stands in the same window, further left. */
FAST_TARGET static inline bool fast_is_name(const char *s, const char *end, struct slice name)
{
    uint64_t here;
    uint64_t there;

    if (UNLIKELY(name.len > 8 || end - s < 8)) {
        return memcmp(s, name.ptr, name.len) == 0;
    }
    memcpy(&here, s, 8);
    memcpy(&there, name.ptr, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (here ^ there) << (64 - 8 * name.len) == 0;
#else
    return (here ^ there) >> (64 - 8 * name.len) == 0;
#endif
}

/* s at "</". */
FAST_TARGET static inline const char *fast_end_tag(struct xml_parser *p, const char *base,
                                                   const char *s, const char *end)
{
    const struct xml_node *node;
    const char *name = s + 2;
    size_t len;

    if (UNLIKELY(p->open == XML_NO_NODE)) {
        return NULL;
    }
    node = &p->nodes[p->open];
    len = node->name.len;
    if (UNLIKELY((size_t)(end - name) <= len || node->prefix.len != 0 || name[len] != '>' ||
                 !fast_is_name(name, end, node->name))) {
        return NULL;
    }
    if (p->depth == 1) {
        p->content_end = (size_t)(s - base);
    }
    if (UNLIKELY(node->first_child == XML_NO_NODE)) {
        /* The writer makes an empty-element tag of it. */
        p->is_root_canonical = false;
        p->is_canonical = p->is_canonical && p->depth == 1;
    }
    if (UNLIKELY(p->decl_count != 0)) {
        xml_tree_close(p);
    } else {
        p->last_sibling = p->open;
        p->open = node->parent;
        p->depth--;
    }
    return name + len + 1;
}

#endif
#endif
