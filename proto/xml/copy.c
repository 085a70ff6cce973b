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

/* Whether the content goes out as it came. */
static inline bool copies_content(const struct xml_tree *t, uint32_t node,
                                  const struct xml_write_params *params)
{
    uint32_t len_bit = params->ns_to.len < 63 ? (uint32_t)params->ns_to.len : 63;

    if (!t->content_is_canonical || node != 0) {
        return false;
    }
    if (LIKELY(params->without.len == 0 &&
               (params->ns_from.len == 0 || (t->content_ns_lens >> len_bit & 1) == 0))) {
        return true;
    }
    return !has_left_out(t, params);
}

/* Whether its tags do, too, but for values that params replaces or adds and for a declaration: its
 * namespace must need none. */
static inline bool copies_root(const struct xml_tree *t, const struct xml_write_params *params)
{
    struct slice ns = t->nodes[0].ns;

    if (params->ns_from.len != 0 && xml_is_same(ns, params->ns_from)) {
        ns = params->ns_to;
    }
    return t->root_is_canonical && xml_is_same(ns, params->ns_default);
}

/* What of params the root's start tag does not say by itself. */
static inline void find_changes(struct xml_write_plan *plan)
{
    const struct xml_write_params *params = plan->params;
    const struct slice lang = SLICE_LIT("lang");
    uint32_t count = plan->t->nodes[0].attr_count;

    plan->adds_from = params->from.ptr != NULL;
    plan->adds_to = params->to.ptr != NULL;
    plan->adds_lang = params->lang.ptr != NULL;
    plan->undeclares = plan->t->nodes[0].ns_at != XML_NO_NS_AT;
    for (uint32_t i = 0; i < count; i++) {
        const struct xml_attr *attr = &plan->t->attrs[i];

        if (attr->ns.len != 0) {
            /* xml is the only prefix of canonical tags. */
            plan->adds_lang = plan->adds_lang && !slice_eq(attr->name, lang);
        } else if (plan->adds_from && slice_eq(attr->name, SLICE_LIT("from"))) {
            plan->adds_from = false;
            plan->from = xml_is_same(attr->value, params->from) ? NULL : attr;
        } else if (plan->adds_to && slice_eq(attr->name, SLICE_LIT("to"))) {
            plan->adds_to = false;
            plan->to = xml_is_same(attr->value, params->to) ? NULL : attr;
        }
    }
}

static bool has_changes(const struct xml_write_plan *plan)
{
    return plan->from || plan->to || plan->undeclares || plan->adds_from || plan->adds_to ||
           plan->adds_lang;
}

void xml_write_plan(struct xml_write_plan *plan, const struct xml_tree *t, uint32_t node,
                    const struct xml_write_params *params)
{
    plan->t = t;
    plan->params = params;
    plan->node = node;
    plan->copied = XML_WRITE_NODES;
    plan->from = NULL;
    plan->to = NULL;
    if (node < t->node_count && copies_content(t, node, params)) {
        plan->copied = XML_WRITE_CONTENT;
        if (copies_root(t, params)) {
            plan->copied = XML_WRITE_ELEMENT;
            find_changes(plan);
        }
    }
}

static size_t bytes_of_changes(const struct xml_write_plan *plan)
{
    const struct xml_write_params *params = plan->params;
    size_t bytes = 0;

    if (plan->from || plan->adds_from) {
        bytes += sizeof(" from=\"\"") - 1 + xml_out_value_bytes_max(params->from);
    }
    if (plan->to || plan->adds_to) {
        bytes += sizeof(" to=\"\"") - 1 + xml_out_value_bytes_max(params->to);
    }
    if (plan->adds_lang) {
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

size_t xml_write_plan_bytes_max(const struct xml_write_plan *plan)
{
    if (plan->copied == XML_WRITE_NODES) {
        return 0;
    }
    if (plan->copied == XML_WRITE_CONTENT) {
        return bytes_anew(plan->t, plan->params);
    }
    return plan->t->wire_bytes + (UNLIKELY(has_changes(plan)) ? bytes_of_changes(plan) : 0);
}

/* Of the root's start tag: what goes, and what comes in its place. */
struct edit {
    const char *from;
    const char *end;
    struct slice value;
};

static void edit_put(struct edit *edits, uint32_t *count, struct edit edit)
{
    uint32_t i = (*count)++;

    for (; i > 0 && edits[i - 1].from > edit.from; i--) {
        edits[i] = edits[i - 1];
    }
    edits[i] = edit;
}

/* Another value for attr; quotes stay. */
static void edit_value(struct edit *edits, uint32_t *count, const struct xml_attr *attr,
                       struct slice value)
{
    if (attr) {
        const char *from = attr->value.ptr;

        edit_put(edits, count, (struct edit){from, from + attr->value.len, value});
    }
}

/* Copies from *at on, with what changes in it in its order. */
static void put_edited(struct xml_out *o, const char **at, const struct xml_write_plan *plan)
{
    struct slice ns = plan->t->nodes[0].ns; /* where it is declared, if it is to be cut out */
    struct edit edits[3];
    uint32_t count = 0;

    edit_value(edits, &count, plan->from, plan->params->from);
    edit_value(edits, &count, plan->to, plan->params->to);
    if (plan->undeclares) {
        const char *from = ns.ptr - (sizeof(" xmlns='") - 1);

        edit_put(edits, &count, (struct edit){from, ns.ptr + ns.len + 1, SLICE_NONE});
    }
    for (uint32_t i = 0; i < count; i++) {
        xml_out_put(o, slice_make(*at, (size_t)(edits[i].from - *at)));
        xml_out_value(o, edits[i].value);
        *at = edits[i].end;
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

    if (root->ns_at == root->attr_count) {
        return root->ns.ptr + root->ns.len + 1;
    }
    return last ? last->value.ptr + last->value.len + 1 : root->name.ptr + root->name.len;
}

static NOINLINE void copy_changing(struct buf *out, const struct xml_write_plan *plan)
{
    const struct xml_write_params *params = plan->params;
    const struct xml_tree *t = plan->t;
    const char *at = t->nodes[0].name.ptr - 1;
    const char *end = at + t->wire_bytes;
    struct xml_out o;

    xml_out_begin(&o, out);
    put_edited(&o, &at, plan);
    if (plan->adds_from || plan->adds_to || plan->adds_lang) {
        const char *behind = attrs_end(t);

        xml_out_put(&o, slice_make(at, (size_t)(behind - at)));
        at = behind;
    }
    if (plan->adds_from) {
        add(&o, SLICE_LIT(" from=\""), params->from);
    }
    if (plan->adds_to) {
        add(&o, SLICE_LIT(" to=\""), params->to);
    }
    if (plan->adds_lang) {
        add(&o, SLICE_LIT(" xml:lang=\""), params->lang);
    }
    xml_out_put(&o, slice_make(at, (size_t)(end - at)));
    xml_out_end(&o);
}

void xml_copy_element(struct buf *out, const struct xml_write_plan *plan)
{
    if (UNLIKELY(has_changes(plan))) {
        copy_changing(out, plan);
    } else {
        buf_append(out, plan->t->nodes[0].name.ptr - 1, plan->t->wire_bytes);
    }
}
