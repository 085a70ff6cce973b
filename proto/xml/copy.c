/* SPDX-License-Identifier: GPL-2.0-or-later */
/* copy: when the bytes of an element are what the writer would write, and copying them. */
#include "xml/copy.h"

#include "base/attr.h"
#include "xml/chars.h"
#include "xml/out.h"

/* Whether a child of the root, or a descendant by way of elements that move, would be left out. */
static bool has_left_out(const struct xml_tree *t, const struct xml_write_params *params)
{
    const struct xml_node *nodes = t->nodes;

    for (uint32_t i = 1; i < t->node_count; i++) {
        const struct xml_node *n = &nodes[i];

        if (n->kind == XML_NODE_ELEMENT &&
            ((params->without.len && n->parent == 0 && slice_eq(n->name, params->without)) ||
             (params->ns_from.len && slice_eq(n->ns, params->ns_to) &&
              slice_eq(nodes[n->parent].ns, params->ns_from)))) {
            return true;
        }
    }
    return false;
}

bool xml_copies_content(const struct xml_tree *t, uint32_t node,
                        const struct xml_write_params *params)
{
    uint32_t len_bit = params->ns_to.len < 63 ? (uint32_t)params->ns_to.len : 63;
    bool may_leave_out = params->without.len != 0 ||
                         (params->ns_from.len != 0 && (t->content_ns_lens >> len_bit & 1) != 0);

    return t->content_is_canonical && node == 0 && (!may_leave_out || !has_left_out(t, params));
}

/* Its namespace must need no declaration. */
bool xml_copies_root(const struct xml_tree *t, const struct xml_write_params *params)
{
    struct slice ns = t->nodes[0].ns;

    if (params->ns_from.len != 0 && slice_eq(ns, params->ns_from)) {
        ns = params->ns_to;
    }
    return t->root_is_canonical && slice_eq(ns, params->ns_default);
}

/* What of params the root's start tag does not say by itself. */
struct changes {
    const struct xml_attr *from; /* to be replaced by that of params */
    const struct xml_attr *to;
    bool adds_from;
    bool adds_to;
    bool adds_lang;
};

static void change(struct slice wanted, const struct xml_attr *attr, bool *adds,
                   const struct xml_attr **replaces)
{
    /* A second one, in a namespace of its own, is another attribute. */
    if (*adds) {
        *adds = false;
        *replaces = slice_eq(attr->value, wanted) ? NULL : attr;
    }
}

static void find_changes(const struct xml_tree *t, const struct xml_write_params *params,
                         struct changes *out)
{
    uint32_t count = t->nodes[0].attr_count;

    *out = (struct changes){.adds_from = params->from.ptr != NULL,
                            .adds_to = params->to.ptr != NULL,
                            .adds_lang = params->lang.ptr != NULL};
    for (uint32_t i = 0; i < count; i++) {
        const struct xml_attr *attr = &t->attrs[i];

        if (attr->ns.len != 0) {
            /* xml is the only prefix of canonical tags. */
            out->adds_lang = out->adds_lang && !slice_eq(attr->name, SLICE_LIT("lang"));
        } else if (slice_eq(attr->name, SLICE_LIT("from"))) {
            change(params->from, attr, &out->adds_from, &out->from);
        } else if (slice_eq(attr->name, SLICE_LIT("to"))) {
            change(params->to, attr, &out->adds_to, &out->to);
        }
    }
}

static size_t bytes_of_changes(const struct changes *c, const struct xml_write_params *params)
{
    size_t bytes = 0;

    if (c->from || c->adds_from) {
        bytes += sizeof(" from=\"\"") - 1 + xml_out_value_bytes_max(params->from);
    }
    if (c->to || c->adds_to) {
        bytes += sizeof(" to=\"\"") - 1 + xml_out_value_bytes_max(params->to);
    }
    if (c->adds_lang) {
        bytes += sizeof(" xml:lang=\"\"") - 1 + xml_out_value_bytes_max(params->lang);
    }
    return bytes;
}

/* The root's tags anew around the content. */
static size_t bytes_anew(const struct xml_tree *t, const struct xml_write_params *params)
{
    const struct xml_node *n = &t->nodes[0];
    size_t bytes = sizeof("<></> xmlns=\"\" from=\"\" to=\"\" xml:lang=\"\"") - 1;

    bytes += 2 * n->name.len + t->content.len;
    bytes += xml_out_value_bytes_max(params->ns_to) + xml_out_value_bytes_max(n->ns);
    bytes += xml_out_value_bytes_max(params->from) + xml_out_value_bytes_max(params->to) +
             xml_out_value_bytes_max(params->lang);
    for (uint32_t i = 0; i < n->attr_count; i++) {
        const struct xml_attr *a = &t->attrs[i];

        bytes += sizeof(" :=\"\"") - 1 + a->prefix.len + a->name.len;
        bytes += xml_out_value_bytes_max(a->value);
        if (a->ns.len != 0) {
            bytes += sizeof(" xmlns:=\"\"") - 1 + a->prefix.len + xml_out_value_bytes_max(a->ns);
        }
    }
    return bytes;
}

size_t xml_write_tree_bytes_max(const struct xml_tree *t, uint32_t node,
                                const struct xml_write_params *params)
{
    struct changes c;

    if (node >= t->node_count || !xml_copies_content(t, node, params)) {
        return 0;
    }
    if (!xml_copies_root(t, params)) {
        return bytes_anew(t, params);
    }
    find_changes(t, params, &c);
    return t->wire_bytes + bytes_of_changes(&c, params);
}

/* Copies from *at up to the value of attr and puts another one in its place; quotes stay. */
static void replace(struct xml_out *o, const char **at, const struct xml_attr *attr,
                    struct slice value)
{
    if (attr) {
        xml_out_put(o, slice_make(*at, (size_t)(attr->value.ptr - *at)));
        xml_out_value(o, value);
        *at = attr->value.ptr + attr->value.len;
    }
}

static void add(struct xml_out *o, struct slice intro, struct slice value)
{
    xml_out_put(o, intro);
    xml_out_value(o, value);
    xml_out_putc(o, '"');
}

/* Where the attributes of the root's start tag end. */
static const char *attrs_end(const struct xml_tree *t)
{
    const struct xml_node *root = &t->nodes[0];
    const struct xml_attr *last = root->attr_count ? &t->attrs[root->attr_count - 1] : NULL;

    return last ? last->value.ptr + last->value.len + 1 : root->name.ptr + root->name.len;
}

void xml_copy_tree(struct buf *out, const struct xml_tree *t,
                   const struct xml_write_params *params)
{
    const char *at = t->nodes[0].name.ptr - 1;
    const char *end = at + t->wire_bytes;
    struct changes c;
    struct xml_out o;

    find_changes(t, params, &c);
    xml_out_begin(&o, out);
    if (UNLIKELY(c.from && c.to && c.to->value.ptr < c.from->value.ptr)) {
        replace(&o, &at, c.to, params->to);
        c.to = NULL;
    }
    replace(&o, &at, c.from, params->from);
    replace(&o, &at, c.to, params->to);
    if (c.adds_from || c.adds_to || c.adds_lang) {
        const char *behind = attrs_end(t);

        xml_out_put(&o, slice_make(at, (size_t)(behind - at)));
        at = behind;
    }
    if (c.adds_from) {
        add(&o, SLICE_LIT(" from=\""), params->from);
    }
    if (c.adds_to) {
        add(&o, SLICE_LIT(" to=\""), params->to);
    }
    if (c.adds_lang) {
        add(&o, SLICE_LIT(" xml:lang=\""), params->lang);
    }
    xml_out_put(&o, slice_make(at, (size_t)(end - at)));
    xml_out_end(&o);
}
