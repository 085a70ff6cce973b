/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fast_pass: the body of fast.h, included once by each fast_*.c behind its own
 *   FAST_TARGET        attributes of every function here
 *   FAST_RUN           the name of the pass
 *   FAST_BYTES         how many bytes the next two look at; undefined = byte by byte, no masks
 *   fast_value_mask(s) a bit for each byte at s that has XML_CLASS_VALUE_STOP
 *   fast_text_mask(s)  the same for XML_CLASS_TEXT_STOP
 *   FAST_NAME_BYTES    the same for names
 *   fast_name_mask(s)  a bit for each byte that has not XML_CLASS_NAME
 *   FAST_WIDE_END(s, base, end)  may be undefined: the end of a text beyond ASCII, or NULL       */
#ifndef FG_XML_FAST_PASS_H
#define FG_XML_FAST_PASS_H

#include "base/attr.h"
#include "xml/chars.h"
#include "xml/fast.h"
#include "xml/out.h"
#include "xml/parser_int.h"

#ifdef FAST_RUN

/* The first byte from s on that has a bit, or end. Where fewer bytes are left than are looked at at
 * once, the last ones of the window are looked at again, without those before s.                */
#define FAST_FIND(mask_of, bytes)                                                                  \
    for (; end - s >= (bytes); s += (bytes)) {                                                     \
        uint32_t mask = mask_of(s);                                                                \
                                                                                                   \
        if (mask) {                                                                                \
            return s + __builtin_ctz(mask);                                                        \
        }                                                                                          \
    }                                                                                              \
    if (s < end && end - low >= (bytes)) {                                                         \
        uint32_t mask = mask_of(end - (bytes)) >> ((bytes) - (end - s));                           \
                                                                                                   \
        return mask ? s + __builtin_ctz(mask) : end;                                               \
    }

FAST_TARGET static inline const char *fast_name_end(const char *s, const char *low, const char *end)
{
#ifdef FAST_BYTES
    FAST_FIND(fast_name_mask, FAST_NAME_BYTES)
#endif
    (void)low;
    while (s < end && xml_class[(unsigned char)*s] & XML_CLASS_NAME) {
        s++;
    }
    return s;
}

FAST_TARGET static inline const char *fast_value_end(const char *s, const char *low,
                                                     const char *end)
{
#ifdef FAST_BYTES
    FAST_FIND(fast_value_mask, FAST_BYTES)
#endif
    (void)low;
    while (s < end && !(xml_class[(unsigned char)*s] & XML_CLASS_VALUE_STOP)) {
        s++;
    }
    return s;
}

FAST_TARGET static inline const char *fast_text_end(const char *s, const char *low, const char *end)
{
#ifdef FAST_BYTES
    FAST_FIND(fast_text_mask, FAST_BYTES)
#endif
    (void)low;
    while (s < end && !(xml_class[(unsigned char)*s] & XML_CLASS_TEXT_STOP)) {
        s++;
    }
    return s;
}

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

FAST_TARGET static inline bool fast_starts_name(char c)
{
    return (xml_class[(unsigned char)c] & XML_CLASS_NAME_START) != 0;
}

/* Equal names have equal marks, and most others of one tag do not: the second character, or what
 * stands behind a name of one.                                                                  */
FAST_TARGET static inline uint64_t fast_mark(const char *name)
{
    return (uint64_t)1 << ((unsigned char)name[1] & 63);
}

/* Beyond ASCII, up to what stops a value or a text whatever is beside it; NULL = malformed. */
FAST_TARGET static NOINLINE const char *fast_wide_value(const char *s, const struct fast_tag *tag)
{
    while (s < tag->end && (unsigned char)*s >= 0x80) {
        size_t len = xml_wide_skip(s, tag->end);

        if (len == 0) {
            return NULL;
        }
        s = fast_value_end(s + len, tag->base, tag->end);
    }
    return s;
}

FAST_TARGET static NOINLINE const char *fast_wide_text(const char *s, const char *base,
                                                       const char *end)
{
#ifdef FAST_WIDE_END
    const char *stop = s < end && (unsigned char)*s >= 0x80 ? FAST_WIDE_END(s, base, end) : NULL;

    if (stop) {
        return stop;
    }
#endif
    while (s < end && (unsigned char)*s >= 0x80) {
        size_t len = xml_wide_skip(s, end);

        if (len == 0) {
            return NULL;
        }
        s = fast_text_end(s + len, base, end);
    }
    return s;
}

/* at: the first byte of a value that stops it. The one that ends it, or NULL. */
FAST_TARGET static inline const char *fast_value_judge(const char *at, char quote,
                                                       const struct fast_tag *tag)
{
    if (UNLIKELY(at == tag->end || *at != quote)) {
        at = fast_wide_value(at, tag);
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
                 slice_eq(ns, SLICE_LIT(XML_NS_XML)) || slice_eq(ns, SLICE_LIT(XML_NS_XMLNS)))) {
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

/* s at '&': how long the reference is, 0 = none of the five. */
FAST_TARGET static inline size_t fast_reference(const char *s, const char *end, char *c)
{
    size_t len = (size_t)(end - s);

    if (len >= 6 && s[1] == 'a' && memcmp(s, "&apos;", 6) == 0) {
        *c = '\'';
        return 6;
    }
    if (len >= 6 && s[1] == 'q' && memcmp(s, "&quot;", 6) == 0) {
        *c = '"';
        return 6;
    }
    if (len >= 5 && s[1] == 'a' && memcmp(s, "&amp;", 5) == 0) {
        *c = '&';
        return 5;
    }
    if (len >= 4 && (memcmp(s, "&lt;", 4) == 0 || memcmp(s, "&gt;", 4) == 0)) {
        *c = s[1] == 'l' ? '<' : '>';
        return 4;
    }
    return 0;
}

/* Text with references: from start on, the first '&' at s. Behind it (at '<'), or NULL. */
FAST_TARGET static NOINLINE const char *fast_folded(struct xml_parser *p, const char *base,
                                                    const char *start, const char *s,
                                                    const char *end)
{
    const char *stop = memchr(s, '<', (size_t)(end - s));
    char *room = stop ? xml_arena_room(&p->arena, (size_t)(stop - start)) : NULL;
    char *to = room;

    if (!room) {
        return NULL;
    }
    for (;;) {
        xml_copy_short(to, start, (size_t)(s - start));
        to += s - start;
        if (s == stop) {
            break;
        }
        if (*s == '&') {
            size_t len = fast_reference(s, stop, to);

            if (len == 0) {
                return NULL;
            }
            to++;
            s += len;
        }
        start = s;
        s = fast_text_end(s, base, end);
        if ((unsigned char)*s >= 0x80) {
            s = fast_wide_text(s, base, end);
        }
        if (!s || (*s != '&' && *s != '<')) {
            return NULL;
        }
    }
    if (!fast_text_put(p, slice_make(room, (size_t)(to - room)))) {
        return NULL;
    }
    xml_arena_take(&p->arena, (size_t)(to - room));
    return stop;
}

FAST_TARGET static inline const char *fast_text(struct xml_parser *p, const char *base,
                                                const char *start, const char *end)
{
    const char *s = fast_text_end(start, base, end);

    if (UNLIKELY(s == end || *s != '<')) {
        s = fast_wide_text(s, base, end);
        if (!s || s == end || *s != '<') {
            return s && s < end && *s == '&' ? fast_folded(p, base, start, s, end) : NULL;
        }
    }
    return fast_text_put(p, slice_make(start, (size_t)(s - start))) ? s : NULL;
}

FAST_TARGET bool FAST_RUN(struct xml_parser *p, const char *base, const char **at,
                          const char *end)
{
    const char *s = *at;

    while (end - s >= 2) {
        const char *next;

        if (*s != '<') {
            next = fast_text(p, base, s, end);
        } else if (s[1] == '/') {
            next = fast_end_tag(p, base, s, end);
        } else {
            next = fast_start_tag(p, base, s, end);
        }
        if (UNLIKELY(!next)) {
            break;
        }
        s = next;
        if (p->depth == 0) {
            *at = s;
            return true;
        }
    }
    *at = s;
    return false;
}

#endif
#endif
