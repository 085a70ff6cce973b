/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xml: reading a tree. */
#include "xml/xml.h"

#include "xml/chars.h"

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

const struct xml_attr *xml_lang(const struct xml_tree *t, uint32_t node)
{
    const struct xml_node *n;

    if (node >= t->node_count || t->nodes[node].kind != XML_NODE_ELEMENT) {
        return NULL;
    }
    n = &t->nodes[node];
    for (uint32_t i = n->attr_first; i < n->attr_first + n->attr_count; i++) {
        if (t->attrs[i].ns.len != 0 && slice_eq(t->attrs[i].name, SLICE_LIT("lang")) &&
            slice_eq(t->attrs[i].ns, SLICE_LIT(XML_NS_XML))) {
            return &t->attrs[i];
        }
    }
    return NULL;
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
