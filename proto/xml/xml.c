/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xml: reading a tree. */
#include "xml/xml.h"

#include "xml/chars.h"

bool xml_is(const struct xml_tree *t, uint32_t node, struct slice name, struct slice ns)
{
    const struct xml_node *n;

    if (node >= t->node_count) {
        return false;
    }
    n = &t->nodes[node];
    return n->kind == XML_NODE_ELEMENT && slice_eq(n->name, name) && slice_eq(n->ns, ns);
}

uint32_t xml_next_child(const struct xml_tree *t, uint32_t parent, uint32_t previous,
                        struct slice name, struct slice ns)
{
    uint32_t at;

    if (parent >= t->node_count) {
        return XML_NO_NODE;
    }
    at = previous == XML_NO_NODE ? t->nodes[parent].first_child : t->nodes[previous].next_sibling;
    while (at != XML_NO_NODE) {
        const struct xml_node *n = &t->nodes[at];

        if (n->kind == XML_NODE_ELEMENT && (name.len == 0 || slice_eq(n->name, name)) &&
            (ns.len == 0 || slice_eq(n->ns, ns))) {
            return at;
        }
        at = n->next_sibling;
    }
    return XML_NO_NODE;
}

static const struct xml_attr *attr_find(const struct xml_tree *t, uint32_t node, struct slice name,
                                        struct slice ns)
{
    const struct xml_node *n;

    if (node >= t->node_count || t->nodes[node].kind != XML_NODE_ELEMENT) {
        return NULL;
    }
    n = &t->nodes[node];
    for (uint32_t i = 0; i < n->attr_count; i++) {
        const struct xml_attr *attr = &t->attrs[n->attr_first + i];

        if (slice_eq(attr->name, name) && slice_eq(attr->ns, ns)) {
            return attr;
        }
    }
    return NULL;
}

const struct xml_attr *xml_attr(const struct xml_tree *t, uint32_t node, struct slice name)
{
    return attr_find(t, node, name, SLICE_NONE);
}

const struct xml_attr *xml_lang(const struct xml_tree *t, uint32_t node)
{
    return attr_find(t, node, SLICE_LIT("lang"), SLICE_LIT(XML_NS_XML));
}

struct slice xml_attr_value(const struct xml_tree *t, uint32_t node, struct slice name)
{
    const struct xml_attr *attr = xml_attr(t, node, name);

    return attr ? attr->value : SLICE_NONE;
}

struct slice xml_text(const struct xml_tree *t, uint32_t node)
{
    const struct xml_node *child;
    uint32_t first;

    if (node >= t->node_count || t->nodes[node].kind != XML_NODE_ELEMENT) {
        return SLICE_NONE;
    }
    first = t->nodes[node].first_child;
    if (first == XML_NO_NODE) {
        return SLICE_NONE;
    }
    child = &t->nodes[first];
    if (child->kind != XML_NODE_TEXT || child->next_sibling != XML_NO_NODE) {
        return SLICE_NONE;
    }
    return child->name;
}
