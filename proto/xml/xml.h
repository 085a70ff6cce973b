/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xml: what a parsed first-level element (a stanza, a negotiation element, a stream header) looks
 * like to its readers. Produced by xml/parser.h, written out by xml/writer.h.
 *
 * An element tree is two flat arrays: nodes in document order and attributes. Node 0 is the root.
 * All slices point into memory of the parser and are valid until its next feed, unless a copy was
 * made. Names are namespace-resolved; text and attribute values are unescaped (no entities, CDATA
 * folded into text, line ends normalised).
 * One thread; read-only for everyone but the parser.                                             */
#ifndef FG_XML_XML_H
#define FG_XML_XML_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define XML_NO_NODE UINT32_MAX
#define XML_NO_NS_AT UINT16_MAX

enum xml_node_kind { XML_NODE_ELEMENT, XML_NODE_TEXT };

struct xml_attr {
    struct slice name;   /* local name */
    struct slice prefix; /* empty = none */
    struct slice ns;     /* empty = no namespace; for xml:lang the XML namespace */
    struct slice value;  /* unescaped */
};

struct xml_node {
    enum xml_node_kind kind;
    uint32_t parent;       /* index, XML_NO_NODE for the root */
    uint32_t first_child;  /* index or XML_NO_NODE */
    uint32_t next_sibling; /* index or XML_NO_NODE */
    struct slice name;     /* element: local name; text: the text, unescaped */
    struct slice prefix;   /* element: as written, empty = default namespace */
    struct slice ns;       /* element: namespace name, empty = none */
    uint32_t attr_first;   /* element: index into attrs; xmlns declarations are not listed */
    uint16_t attr_count;
    /* Element: how many of its attributes stood in front of its declaration of the default
     * namespace, where the writer puts it, too; XML_NO_NS_AT when it declares none.             */
    uint16_t ns_at;
};

struct xml_tree {
    const struct xml_node *nodes;
    const struct xml_attr *attrs;
    uint32_t node_count;
    uint32_t attr_count;
    size_t wire_bytes; /* from '<' to '>', as received: what size limits count */
    /* What stands between the root's start tag and its end tag, as received: text and elements,
     * references and all. Empty for <x/> and for a stream header. Borrowed as the names are.     */
    struct slice content;
    /* These bytes are what xml_write_tree writes for the root's children, but for the kind of
     * quotes and a space before "/>": see writer.h. False says nothing: it may only be unknown.
     * Set by the parser only. */
    bool content_is_canonical;
    /* Of canonical content: bit n is set when an element in it declares a default namespace whose
     * name has n bytes, bit 63 for 63 and more. What has no bit is not in there.                 */
    uint64_t content_ns_lens;
    /* With canonical content: the root's tags, too, stand there as the writer would write them, in
     * wire_bytes bytes from nodes[0].name.ptr - 1 on, but for a declaration of its namespace
     * (ns_at) where that is the default anyway. All its values stand there as they are. */
    bool root_is_canonical;
    /* A namespace name declared in it has ASCII that no URI has (RFC 3986 section 2; Namespaces in
     * XML 2.2 demands a URI reference, XML parsers do not look). Forward it to nobody: parsers that
     * put namespace and local name into one string, with '}', LF, a space or '|' between them,
     * refuse it as not well-formed, and with it the stream (expat since 2.4.5).                  */
    bool has_bad_ns;
};

/* Child elements of parent in order: start with previous = XML_NO_NODE. Text nodes are skipped.
 * Empty name or ns = any.                                                                      */
uint32_t xml_next_child(const struct xml_tree *t, uint32_t parent, uint32_t previous,
                        struct slice name, struct slice ns);
/* The first such child, or XML_NO_NODE. */
static inline uint32_t xml_child(const struct xml_tree *t, uint32_t parent, struct slice name,
                                 struct slice ns)
{
    return xml_next_child(t, parent, XML_NO_NODE, name, ns);
}
static inline bool xml_is(const struct xml_tree *t, uint32_t node, struct slice name,
                          struct slice ns)
{
    return node < t->node_count && t->nodes[node].kind == XML_NODE_ELEMENT &&
           slice_eq(t->nodes[node].name, name) && slice_eq(t->nodes[node].ns, ns);
}
/* Attribute without namespace; NULL when absent (an empty value is not absence). Inline: with a
 * constant name its comparison is one of words. */
static inline const struct xml_attr *xml_attr(const struct xml_tree *t, uint32_t node,
                                              struct slice name)
{
    const struct xml_node *n;

    if (node >= t->node_count || t->nodes[node].kind != XML_NODE_ELEMENT) {
        return NULL;
    }
    n = &t->nodes[node];
    for (uint32_t i = n->attr_first; i < n->attr_first + n->attr_count; i++) {
        if (slice_eq(t->attrs[i].name, name) && t->attrs[i].ns.len == 0) {
            return &t->attrs[i];
        }
    }
    return NULL;
}
/* xml:lang of the node itself; NULL when absent. */
const struct xml_attr *xml_lang(const struct xml_tree *t, uint32_t node);
/* Value or the empty slice. */
static inline struct slice xml_attr_value(const struct xml_tree *t, uint32_t node,
                                          struct slice name)
{
    const struct xml_attr *attr = xml_attr(t, node, name);

    return attr ? attr->value : SLICE_NONE;
}
/* The element's character data if it has at most one text child and no element child (what the
 * parser guarantees for <body>text &amp; more</body>: one text node); empty slice otherwise.    */
struct slice xml_text(const struct xml_tree *t, uint32_t node);

#endif
