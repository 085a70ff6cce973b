/* SPDX-License-Identifier: GPL-2.0-or-later */
/* writer: a tree into the context of another stream. Keeps the declarations that its own output
 * has in scope, and adds one wherever a name would mean something else without it.              */
#include "xml/writer.h"

#include "base/attr.h"
#include "xml/chars.h"
#include "xml/copy.h"
#include "xml/out.h"

/* Declarations of the output in scope at a time. A parsed tree needs few more than its source had
 * in scope (at most 128: the parser's ceiling); more than this fails the buffer.                */
#define SCOPE_COUNT_MAX 192u

struct binding {
    struct slice prefix; /* empty = default */
    struct slice ns;
    uint32_t node; /* the element that declares it */
};

struct writing {
    struct xml_out out;
    const struct xml_tree *t;
    const struct xml_write_params *params;
    uint32_t depth; /* open elements */
    uint32_t moved; /* how many of them, from the root on without a gap, move to ns_to */
    uint32_t count;
    struct binding scope[SCOPE_COUNT_MAX]; /* the first is the stream's default */
};

static bool is_in_scope(const struct writing *w, struct slice prefix, struct slice ns)
{
    for (uint32_t i = w->count; i > 0; i--) {
        if (slice_eq(w->scope[i - 1].prefix, prefix)) {
            return slice_eq(w->scope[i - 1].ns, ns);
        }
    }
    return false;
}

/* Whether the element being opened has bound prefix to something already. */
static bool is_taken(const struct writing *w, struct slice prefix, uint32_t node)
{
    for (uint32_t i = w->count; i > 0 && w->scope[i - 1].node == node; i--) {
        if (slice_eq(w->scope[i - 1].prefix, prefix)) {
            return true;
        }
    }
    return false;
}

/* Whether a declaration has to be written; it is in scope from now on. */
static bool bind(struct writing *w, struct slice prefix, struct slice ns, uint32_t node)
{
    if (is_in_scope(w, prefix, ns)) {
        return false;
    }
    /* Two meanings of one prefix on one element cannot be written; no parsed tree has them. */
    if (w->count == SCOPE_COUNT_MAX || is_taken(w, prefix, node)) {
        w->out.buf->failed = true;
        return false;
    }
    w->scope[w->count++] = (struct binding){prefix, ns, node};
    return true;
}

static void put_default(struct writing *w, struct slice ns)
{
    xml_out_lit(&w->out, " xmlns=\"");
    xml_out_value(&w->out, ns);
    xml_out_putc(&w->out, '"');
}

static void declare_prefix(struct writing *w, struct slice prefix, struct slice ns, uint32_t node)
{
    if (bind(w, prefix, ns, node)) {
        xml_out_lit(&w->out, " xmlns:");
        xml_out_put(&w->out, prefix);
        xml_out_lit(&w->out, "=\"");
        xml_out_value(&w->out, ns);
        xml_out_putc(&w->out, '"');
    }
}

static void put_name(struct writing *w, struct slice prefix, struct slice name)
{
    if (prefix.len) {
        xml_out_put(&w->out, prefix);
        xml_out_putc(&w->out, ':');
    }
    xml_out_put(&w->out, name);
}

static void put_attr(struct writing *w, struct slice prefix, struct slice name, struct slice value)
{
    xml_out_putc(&w->out, ' ');
    put_name(w, prefix, name);
    xml_out_lit(&w->out, "=\"");
    xml_out_value(&w->out, value);
    xml_out_putc(&w->out, '"');
}

/* Of the root: what the caller replaces or adds. ns_at: in front of which one ns is declared. */
static void put_root_attrs(struct writing *w, const struct xml_node *n, uint32_t ns_at,
                           struct slice ns)
{
    struct slice from = w->params->from;
    struct slice to = w->params->to;
    struct slice lang = w->params->lang;

    for (uint32_t i = 0; i < n->attr_count; i++) {
        const struct xml_attr *a = &w->t->attrs[n->attr_first + i];
        struct slice value = a->value;

        if (a->ns.len == 0 && from.ptr && slice_eq(a->name, SLICE_LIT("from"))) {
            value = from;
            from = SLICE_NONE;
        } else if (a->ns.len == 0 && to.ptr && slice_eq(a->name, SLICE_LIT("to"))) {
            value = to;
            to = SLICE_NONE;
        } else if (lang.ptr && slice_eq(a->name, SLICE_LIT("lang")) &&
                   slice_eq(a->ns, SLICE_LIT(XML_NS_XML))) {
            lang = SLICE_NONE;
        }
        if (i == ns_at) {
            put_default(w, ns);
        }
        put_attr(w, a->prefix, a->name, value);
    }
    if (ns_at == n->attr_count) {
        put_default(w, ns);
    }
    if (from.ptr) {
        put_attr(w, SLICE_NONE, SLICE_LIT("from"), from);
    }
    if (to.ptr) {
        put_attr(w, SLICE_NONE, SLICE_LIT("to"), to);
    }
    if (lang.ptr) {
        put_attr(w, SLICE_LIT("xml"), SLICE_LIT("lang"), lang);
    }
}

static void declare_for_attrs(struct writing *w, const struct xml_node *n, uint32_t node)
{
    for (uint32_t i = 0; i < n->attr_count; i++) {
        const struct xml_attr *a = &w->t->attrs[n->attr_first + i];

        if (a->ns.len == 0 || slice_eq(a->ns, SLICE_LIT(XML_NS_XML))) {
            continue;
        }
        if (a->prefix.len == 0) {
            w->out.buf->failed = true; /* no attribute is in a namespace without a prefix */
            return;
        }
        declare_prefix(w, a->prefix, a->ns, node);
    }
}

/* The same for all other elements. */
static void put_attrs(struct writing *w, const struct xml_node *n, uint32_t ns_at, struct slice ns)
{
    for (uint32_t i = 0; i < n->attr_count; i++) {
        const struct xml_attr *a = &w->t->attrs[n->attr_first + i];

        if (i == ns_at) {
            put_default(w, ns);
        }
        put_attr(w, a->prefix, a->name, a->value);
    }
    if (ns_at == n->attr_count) {
        put_default(w, ns);
    }
}

static void open_element(struct writing *w, uint32_t node)
{
    const struct xml_node *n = &w->t->nodes[node];
    const struct xml_write_params *params = w->params;
    struct slice prefix = n->prefix;
    struct slice ns = n->ns;
    uint32_t ns_at = XML_NO_NS_AT;

    if (w->moved == w->depth && params->ns_from.len && slice_eq(ns, params->ns_from)) {
        w->moved++;
        prefix = SLICE_NONE;
        ns = params->ns_to;
    }
    xml_out_putc(&w->out, '<');
    put_name(w, prefix, n->name);
    if (prefix.len == 0 && bind(w, SLICE_NONE, ns, node)) {
        /* First where the source had none, because other elements around it declared it. */
        ns_at = n->ns_at <= n->attr_count ? n->ns_at : 0;
    } else if (prefix.len != 0 && !slice_eq(prefix, SLICE_LIT("xml"))) {
        declare_prefix(w, prefix, ns, node);
    }
    declare_for_attrs(w, n, node);
    if (w->depth == 0) {
        put_root_attrs(w, n, ns_at, ns);
    } else {
        put_attrs(w, n, ns_at, ns);
    }
    w->depth++;
    if (n->first_child != XML_NO_NODE) {
        xml_out_putc(&w->out, '>');
    }
}

static void close_element(struct writing *w, uint32_t node)
{
    const struct xml_node *n = &w->t->nodes[node];
    bool is_moved = w->moved == w->depth;

    if (n->first_child == XML_NO_NODE) {
        xml_out_lit(&w->out, "/>");
    } else {
        xml_out_lit(&w->out, "</");
        put_name(w, is_moved ? SLICE_NONE : n->prefix, n->name);
        xml_out_putc(&w->out, '>');
    }
    while (w->count > 1 && w->scope[w->count - 1].node == node) {
        w->count--;
    }
    if (is_moved) {
        w->moved--;
    }
    w->depth--;
}

static bool is_left_out(const struct writing *w, uint32_t node, uint32_t root)
{
    const struct xml_node *n = &w->t->nodes[node];
    const struct xml_write_params *params = w->params;

    if (node == root) {
        return false;
    }
    if (n->parent == root && params->without.len && slice_eq(n->name, params->without)) {
        return true;
    }
    /* It would turn into what its neighbours become. */
    return params->ns_from.len && w->moved == w->depth && slice_eq(n->ns, params->ns_to) &&
           !slice_eq(params->ns_to, params->ns_from);
}

/* Writes node up to its first child, and closes what ends with it; returns the node that comes
 * next, or XML_NO_NODE when root is closed.                                                     */
static uint32_t write_node(struct writing *w, uint32_t node, uint32_t root)
{
    const struct xml_node *nodes = w->t->nodes;

    if (nodes[node].kind == XML_NODE_TEXT) {
        xml_out_text(&w->out, nodes[node].name);
    } else if (!is_left_out(w, node, root)) {
        open_element(w, node);
        if (nodes[node].first_child != XML_NO_NODE) {
            return nodes[node].first_child;
        }
        close_element(w, node);
    }
    while (node != root && nodes[node].next_sibling == XML_NO_NODE) {
        node = nodes[node].parent;
        close_element(w, node);
    }
    return node == root ? XML_NO_NODE : nodes[node].next_sibling;
}

static void write_nodes(struct writing *w, uint32_t root)
{
    uint32_t at = root;

    for (uint32_t i = 0; i < w->t->node_count && at != XML_NO_NODE; i++) {
        at = write_node(w, at, root);
    }
}

static void write_content(struct writing *w)
{
    open_element(w, 0);
    xml_out_put(&w->out, w->t->content);
    close_element(w, 0);
}

/* A large frame, which copying a whole element does without. */
static NOINLINE void write_anew(struct buf *out, const struct xml_write_plan *plan)
{
    struct writing w UNINITIALIZED;

    xml_out_begin(&w.out, out);
    w.t = plan->t;
    w.params = plan->params;
    w.depth = 0;
    w.moved = 0;
    w.count = 1;
    w.scope[0] = (struct binding){SLICE_NONE, plan->params->ns_default, XML_NO_NODE};
    if (plan->copied == XML_WRITE_CONTENT) {
        write_content(&w);
    } else {
        write_nodes(&w, plan->node);
    }
    xml_out_end(&w.out);
}

void xml_write_planned(struct buf *out, const struct xml_write_plan *plan)
{
    if (plan->node >= plan->t->node_count) {
        out->failed = true;
    } else if (LIKELY(plan->copied == XML_WRITE_ELEMENT)) {
        xml_copy_element(out, plan);
    } else {
        write_anew(out, plan);
    }
}

void xml_write_tree(struct buf *out, const struct xml_tree *t, uint32_t node,
                    const struct xml_write_params *params)
{
    struct xml_write_plan plan UNINITIALIZED; /* filled as far as it is read */

    xml_write_plan(&plan, t, node, params);
    xml_write_planned(out, &plan);
}
