/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tag: start tags with their attributes and declarations, and end tags. A start tag is lexed
 * completely, then its names are resolved; only then does it enter the tree.                     */
#include "base/check.h"
#include "xml/chars.h"
#include "xml/parser_int.h"

STATIC_ASSERT(XML_ATTRS_CEILING < XML_NO_NS_AT, "attributes of an element are counted in 16 bits");

struct qname {
    struct slice prefix;
    struct slice local;
};

/* Goes on with a name at s that has been ASCII so far. NULL when it is malformed. */
static const char *lex_wide_ncname(const char *start, const char *s, const char *end)
{
    while (s < end) {
        uint32_t code_point;
        size_t len;

        if (xml_class[(unsigned char)*s] & XML_CLASS_NAME) {
            s++;
            continue;
        }
        if ((unsigned char)*s < 0x80) {
            break;
        }
        len = xml_wide_decode(s, end, &code_point);
        if (len == 0 ||
            !(s == start ? xml_is_wide_name_start(code_point) : xml_is_wide_name(code_point))) {
            return NULL;
        }
        s += len;
    }
    return s;
}

/* The name characters from s on; end of the name, or NULL when s starts none. */
static inline const char *lex_ncname(const char *s, const char *end)
{
    const char *start = s;

    if (UNLIKELY(s == end)) {
        return s;
    }
    if (!(xml_class[(unsigned char)*s] & XML_CLASS_NAME_START)) {
        return (unsigned char)*s < 0x80 ? NULL : lex_wide_ncname(start, s, end);
    }
    do {
        s++;
    } while (s < end && (xml_class[(unsigned char)*s] & XML_CLASS_NAME));
    if (UNLIKELY(s < end && (unsigned char)*s >= 0x80)) {
        return lex_wide_ncname(start, s, end);
    }
    return s;
}

/* OK leaves *at on the byte behind the name, which is in the window. */
static inline enum xml_step lex_qname(struct xml_parser *p, const char **at, const char *end,
                                      struct qname *name)
{
    const char *start = *at;
    const char *s = lex_ncname(start, end);

    name->prefix = SLICE_NONE;
    if (s && s < end && *s == ':') {
        name->prefix = slice_make(start, (size_t)(s - start));
        start = s + 1;
        s = lex_ncname(start, end);
    }
    if (!s) {
        return XML_MALFORMED(p, "malformed name");
    }
    if (s == end) {
        return XML_STEP_MORE;
    }
    name->local = slice_make(start, (size_t)(s - start));
    if (name->local.len > p->limits.name_bytes_max || name->prefix.len > p->limits.name_bytes_max) {
        return xml_refuse(p, XML_WHY_TOO_BIG, "name too long");
    }
    *at = s;
    return XML_STEP_OK;
}

static const char *skip_space(const char *s, const char *end)
{
    while (s < end && xml_is_space(*s)) {
        s++;
    }
    return s;
}

/* What is not plain: references, white space to normalise, faults. */
static enum xml_step lex_value_folded(struct xml_parser *p, const char *start, const char *close,
                                      struct slice *value)
{
    size_t raw_len = (size_t)(close - start);
    char *out = xml_arena_room(&p->arena, raw_len);
    enum xml_step step;
    size_t len;

    if (!out) {
        return xml_refuse(p, XML_WHY_NOMEM, "out of memory");
    }
    step = xml_fold(p, XML_FOLD_ATTR, slice_make(start, raw_len), out, &len);
    if (step == XML_STEP_OK) {
        xml_arena_take(&p->arena, len);
        *value = slice_make(out, len);
    }
    return step;
}

/* *at stands behind '='. OK leaves it behind the closing quote. */
static enum xml_step lex_value(struct xml_parser *p, const char **at, const char *end,
                               struct slice *value)
{
    const char *s = skip_space(*at, end);
    const char *start;
    char quote;

    if (s == end) {
        return XML_STEP_MORE;
    }
    quote = *s;
    if (quote != '"' && quote != '\'') {
        return XML_MALFORMED(p, "attribute value without quotes");
    }
    start = ++s;
    s = p->scan->value(s, end, quote);
    while (s < end && (unsigned char)*s >= 0x80) {
        size_t wide = xml_wide_skip(s, end);

        if (wide == 0) {
            break;
        }
        s = p->scan->value(s + wide, end, quote);
    }
    if (s < end && *s == quote) {
        *value = slice_make(start, (size_t)(s - start));
        *at = s + 1;
        return XML_STEP_OK;
    }
    s = s < end ? memchr(s, quote, (size_t)(end - s)) : NULL;
    /* A '<' ends the tag, broken: nothing behind it may count, it may not have come yet. */
    if (!s || memchr(start, '<', (size_t)(s - start))) {
        return XML_STEP_MORE;
    }
    *at = s + 1;
    return lex_value_folded(p, start, s, value);
}

/* What the fast pass found to be a URI does not come here. */
static enum xml_step declare(struct xml_parser *p, struct slice prefix, struct slice ns,
                             uint32_t own_from)
{
    for (size_t i = 0; i < ns.len; i++) {
        if (xml_class[(unsigned char)ns.ptr[i]] & XML_CLASS_NO_URI) {
            p->tree.has_bad_ns = true;
        }
    }
    return xml_ns_declare(p, prefix, ns, own_from);
}

/* name="value" into the attributes or the declarations. */
static enum xml_step lex_attr(struct xml_parser *p, const char **at, const char *end,
                              uint32_t decl_from, struct xml_node *node)
{
    struct xml_attr *attr;
    struct qname name;
    struct slice value;
    enum xml_step step = lex_qname(p, at, end, &name);
    const char *s;

    if (step != XML_STEP_OK) {
        return step;
    }
    s = skip_space(*at, end);
    if (s == end) {
        return XML_STEP_MORE;
    }
    if (*s != '=') {
        return XML_MALFORMED(p, "attribute without value");
    }
    *at = s + 1;
    step = lex_value(p, at, end, &value);
    if (step != XML_STEP_OK) {
        return step;
    }
    if (slice_is_empty(name.prefix) && slice_eq(name.local, SLICE_LIT("xmlns"))) {
        node->ns_at = (uint16_t)(p->tree.attr_count - node->attr_first);
        return declare(p, SLICE_NONE, value, decl_from);
    }
    if (slice_eq(name.prefix, SLICE_LIT("xmlns"))) {
        return declare(p, name.local, value, decl_from);
    }
    attr = xml_tree_attr(p);
    if (!attr) {
        return xml_refuse(p, XML_WHY_NOMEM, "out of memory");
    }
    *attr = (struct xml_attr){.name = name.local, .prefix = name.prefix, .value = value};
    p->tree.attr_count++;
    return XML_STEP_OK;
}

/* From behind the element's name to behind '>'. */
static enum xml_step lex_attrs(struct xml_parser *p, const char **at, const char *end,
                               uint32_t decl_from, struct xml_node *node)
{
    const char *s = *at;

    for (;;) {
        const char *before = s;
        enum xml_step step;

        s = skip_space(s, end);
        if (s == end) {
            return XML_STEP_MORE;
        }
        if (*s == '>' || *s == '/') {
            *at = s;
            return XML_STEP_OK;
        }
        if (s == before) {
            return XML_MALFORMED(p, "no space before an attribute");
        }
        if (p->tree.attr_count - node->attr_first + p->decl_count - decl_from >=
            p->limits.attrs_max) {
            return xml_refuse(p, XML_WHY_TOO_BIG, "too many attributes");
        }
        step = lex_attr(p, &s, end, decl_from, node);
        if (step != XML_STEP_OK) {
            return step;
        }
    }
}

/* Prefixes of attributes, and no attribute twice (Namespaces 6.3). At most attrs_max of them. */
static enum xml_step resolve_attrs(struct xml_parser *p, uint32_t attr_from)
{
    for (uint32_t i = attr_from; i < p->tree.attr_count; i++) {
        struct xml_attr *attr = &p->attrs[i];

        if (attr->prefix.len && xml_ns_resolve(p, attr->prefix, &attr->ns) != XML_STEP_OK) {
            return XML_STEP_BAD;
        }
        for (uint32_t j = attr_from; j < i; j++) {
            const struct xml_attr *other = &p->attrs[j];

            if (UNLIKELY(other->name.len == attr->name.len &&
                         other->name.ptr[0] == attr->name.ptr[0] &&
                         memcmp(other->name.ptr, attr->name.ptr, attr->name.len) == 0 &&
                         slice_eq(other->ns, attr->ns))) {
                return XML_MALFORMED(p, "attribute twice");
            }
        }
    }
    return XML_STEP_OK;
}

static enum xml_step start_tag(struct xml_parser *p, const char *s, const char *end,
                               const char **next)
{
    uint32_t attr_from = p->tree.attr_count;
    uint32_t decl_from = p->decl_count;
    struct xml_node node = {.kind = XML_NODE_ELEMENT,
                            .first_child = XML_NO_NODE,
                            .next_sibling = XML_NO_NODE,
                            .attr_first = attr_from,
                            .ns_at = XML_NO_NS_AT};
    struct qname name;
    enum xml_step step = lex_qname(p, &s, end, &name);
    bool is_empty;

    if (step == XML_STEP_OK) {
        step = lex_attrs(p, &s, end, decl_from, &node);
    }
    if (step != XML_STEP_OK) {
        return step;
    }
    is_empty = *s == '/';
    if (is_empty && ++s == end) {
        return XML_STEP_MORE;
    }
    if (*s != '>') {
        return XML_MALFORMED(p, "'/' inside a tag");
    }
    node.name = name.local;
    node.prefix = name.prefix;
    node.ns = p->default_ns;
    node.attr_count = (uint16_t)(p->tree.attr_count - attr_from);
    if (name.prefix.len) {
        step = xml_ns_resolve(p, name.prefix, &node.ns);
    }
    if (step == XML_STEP_OK) {
        step = resolve_attrs(p, attr_from);
    }
    if (step == XML_STEP_OK) {
        step = xml_tree_open(p, &node);
    }
    if (step == XML_STEP_OK && is_empty) {
        if (p->place == XML_PLACE_STREAM) {
            xml_tree_close(p);
        } else {
            p->close_pending = true;
        }
    }
    *next = s + 1;
    return step;
}

enum xml_step xml_take_start_tag(struct xml_parser *p, const char *cur, const char *end,
                                 const char **next)
{
    uint32_t attr_from = p->tree.attr_count;
    uint32_t decl_from = p->decl_count;
    enum xml_step step = start_tag(p, cur + 1, end, next);

    if (UNLIKELY(step != XML_STEP_OK)) {
        p->tree.attr_count = attr_from;
        xml_ns_leave(p, decl_from);
    }
    return step;
}

enum xml_step xml_take_end_tag(struct xml_parser *p, const char *cur, const char *end,
                               const char **next)
{
    const char *s = cur + 2;
    struct slice name = p->scope ? p->scope->root : SLICE_NONE;

    if (p->open != XML_NO_NODE) {
        const struct xml_node *node = &p->nodes[p->open];

        /* As written: prefix, colon and local name stand side by side in the window. */
        name = node->name;
        if (node->prefix.len) {
            name = slice_make(node->prefix.ptr, node->prefix.len + 1 + node->name.len);
        }
    }
    if ((size_t)(end - s) <= name.len) {
        return XML_STEP_MORE;
    }
    if (memcmp(s, name.ptr, name.len) != 0) {
        return XML_MALFORMED(p, XML_TEXT_END_TAG);
    }
    s = skip_space(s + name.len, end);
    if (s == end) {
        return XML_STEP_MORE;
    }
    if (*s != '>') {
        return XML_MALFORMED(p, XML_TEXT_END_TAG);
    }
    if (p->open != XML_NO_NODE) {
        xml_tree_close(p);
    }
    *next = s + 1;
    return XML_STEP_OK;
}
