/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fast_attr: attributes and the default namespace's declaration, for the pass (fast_pass.h). */
#ifndef FG_XML_FAST_ATTR_H
#define FG_XML_FAST_ATTR_H

#include "xml/fast_node.h"

#ifdef FAST_RUN

/* Equal names have equal marks, and most others of one tag do not: the second character, or what
 * stands behind a name of one.                                                                  */
FAST_TARGET static inline uint64_t fast_mark(const char *name)
{
    return (uint64_t)1 << ((unsigned char)name[1] & 63);
}

/* at: the first byte of a value that stops it. The one that ends it, or NULL. */
FAST_TARGET static inline const char *fast_value_judge(const char *at, char quote,
                                                       const struct fast_tag *tag)
{
    if (UNLIKELY(at == tag->end || *at != quote)) {
        at = fast_wide_value(at, tag->base, tag->end);
        return at && at < tag->end && *at == quote ? at : NULL;
    }
    return at;
}

/* Whether another attribute of the element has this name. */
FAST_TARGET static NOINLINE bool fast_is_twice(const struct xml_parser *p, uint32_t from,
                                               const struct xml_attr *attr)
{
    for (uint32_t i = from; i < p->tree.attr_count; i++) {
        if (slice_eq(p->attrs[i].name, attr->name) && slice_eq(p->attrs[i].ns, attr->ns)) {
            return true;
        }
    }
    return false;
}

/* How far attributes may go without another look. */
FAST_TARGET static inline void fast_attr_bound(const struct xml_parser *p, struct fast_tag *tag)
{
    uint32_t allowed = tag->attr_from + p->limits.attrs_max - tag->declares;

    tag->attr_stop = allowed < p->attr_cap ? allowed : p->attr_cap;
}

/* Room for another attribute; false = none is allowed, or no memory. */
FAST_TARGET static NOINLINE bool fast_attr_room(struct xml_parser *p, struct fast_tag *tag)
{
    if (p->tree.attr_count - tag->attr_from + tag->declares >= p->limits.attrs_max ||
        !xml_tree_attr(p)) {
        return false;
    }
    fast_attr_bound(p, tag);
    return true;
}

/* Puts an attribute behind the others. is_xml: its prefix is xml. */
FAST_TARGET static inline bool fast_attr_put(struct xml_parser *p, struct fast_tag *tag,
                                             struct slice name, bool is_xml, struct slice value)
{
    uint64_t mark = fast_mark(name.ptr);
    struct xml_attr *attr;

    if (UNLIKELY(p->tree.attr_count >= tag->attr_stop) && !fast_attr_room(p, tag)) {
        return false;
    }
    attr = &p->attrs[p->tree.attr_count];
    attr->name = name;
    attr->prefix = is_xml ? slice_make(name.ptr - 4, 3) : SLICE_NONE;
    attr->ns = is_xml ? SLICE_LIT(XML_NS_XML) : SLICE_NONE;
    attr->value = value;
    if (UNLIKELY((tag->seen & mark) != 0) && fast_is_twice(p, tag->attr_from, attr)) {
        return false;
    }
    tag->seen |= mark;
    p->tree.attr_count++;
    return true;
}

FAST_TARGET static inline bool fast_declare(struct xml_parser *p, struct fast_tag *tag,
                                            struct slice ns)
{
    uint32_t in_scope = p->decl_count + (p->scope ? p->scope->decl_count : 0);
    uint32_t attr_count = p->tree.attr_count - tag->attr_from;

    if (UNLIKELY(tag->declares || ns.len > p->limits.ns_bytes_max ||
                 in_scope >= p->limits.ns_decls_max || attr_count >= p->limits.attrs_max ||
                 slice_eq(ns, SLICE_LIT(XML_NS_XML)) || slice_eq(ns, SLICE_LIT(XML_NS_XMLNS)) ||
                 fast_uri_end(ns.ptr, tag->base, ns.ptr + ns.len) != ns.ptr + ns.len)) {
        return false;
    }
    /* The writer declares only what is not in scope. */
    tag->is_odd = slice_eq(ns, tag->ns);
    tag->declares = true;
    tag->ns_at = (uint16_t)attr_count;
    tag->ns = ns;
    fast_attr_bound(p, tag);
    return true;
}

/* s at the first letter of a name; behind the value, or NULL. Anywhere in the window. */
FAST_TARGET static NOINLINE const char *fast_attr_far(struct xml_parser *p, const char *s,
                                                      struct fast_tag *tag)
{
    const char *end = tag->end;
    struct slice name = {.ptr = s};
    bool is_xml = false;
    const char *value;

    if (s == end || !fast_starts_name(*s)) {
        return NULL;
    }
    s = fast_name_end(s, tag->base, end);
    if (s - name.ptr == 3 && s < end && *s == ':' && memcmp(name.ptr, "xml", 3) == 0) {
        name.ptr = s + 1;
        if (name.ptr == end || !fast_starts_name(*name.ptr)) {
            return NULL;
        }
        s = fast_name_end(name.ptr, tag->base, end);
        is_xml = true;
    }
    name.len = (size_t)(s - name.ptr);
    if (end - s < 3 || *s != '=' || (s[1] != '"' && s[1] != '\'') ||
        name.len > p->limits.name_bytes_max) {
        return NULL;
    }
    value = s + 2;
    s = fast_value_judge(fast_value_end(value, tag->base, end), s[1], tag);
    if (!s) {
        return NULL;
    }
    if (!is_xml && slice_eq(name, SLICE_LIT("xmlns"))) {
        return fast_declare(p, tag, slice_make(value, (size_t)(s - value))) ? s + 1 : NULL;
    }
    return fast_attr_put(p, tag, name, is_xml, slice_make(value, (size_t)(s - value))) ? s + 1
                                                                                        : NULL;
}

#ifdef FAST_BYTES
/* With at least so many bytes behind s most attributes need no other look at the window's end. */
#define FAST_NEAR_BYTES (FAST_NAME_BYTES + 2 + FAST_BYTES)

FAST_TARGET static inline const char *fast_attr_near(struct xml_parser *p, const char *s,
                                                     struct fast_tag *tag)
{
    const char *start = s;
    uint32_t mask = fast_name_mask(s);
    struct slice name = {.ptr = s};
    bool is_xml = false;
    const char *value;

    if (UNLIKELY(mask == 0)) {
        return fast_attr_far(p, start, tag);
    }
    if (UNLIKELY(!fast_starts_name(*s))) {
        return NULL;
    }
    s += __builtin_ctz(mask);
    if (*s == ':' && memcmp(start, "xml:", 4) == 0 && fast_starts_name(start[4])) {
        mask &= mask - 1;
        if (UNLIKELY(mask == 0)) {
            return fast_attr_far(p, start, tag);
        }
        name.ptr += 4;
        s = start + __builtin_ctz(mask);
        is_xml = true;
    }
    name.len = (size_t)(s - name.ptr);
    if (UNLIKELY(*s != '=' || (s[1] != '"' && s[1] != '\'') ||
                 name.len > p->limits.name_bytes_max)) {
        return NULL;
    }
    value = s + 2;
    mask = fast_value_mask(value);
    s = mask ? value + __builtin_ctz(mask)
             : fast_value_end(value + FAST_BYTES, tag->base, tag->end);
    s = fast_value_judge(s, value[-1], tag);
    if (UNLIKELY(!s)) {
        return NULL;
    }
    if (name.len == 5 && *name.ptr == 'x' && !is_xml && memcmp(name.ptr, "xmlns", 5) == 0) {
        return fast_declare(p, tag, slice_make(value, (size_t)(s - value))) ? s + 1 : NULL;
    }
    return fast_attr_put(p, tag, name, is_xml, slice_make(value, (size_t)(s - value))) ? s + 1
                                                                                        : NULL;
}
#endif

/* s behind a space; behind the attribute, or NULL. */
FAST_TARGET static inline const char *fast_attr(struct xml_parser *p, const char *s,
                                                struct fast_tag *tag)
{
#ifdef FAST_BYTES
    if (LIKELY(tag->end - s >= FAST_NEAR_BYTES)) {
        return fast_attr_near(p, s, tag);
    }
#endif
    return fast_attr_far(p, s, tag);
}

#endif
#endif
