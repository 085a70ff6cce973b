/* SPDX-License-Identifier: GPL-2.0-or-later */
/* writer: XML out. Double quotes, '>' escaped, no CDATA, no declaration unless asked: what every
 * peer's framer understands. Canonical content of a stanza keeps its own quotes. Input slices must
 * be valid UTF-8 of XML characters; whatever came through the parser is; other sources use
 * xml_write_text_clean.
 * Appends to a buf (sticky failure there). No ownership. Any thread.                            */
#ifndef FG_XML_WRITER_H
#define FG_XML_WRITER_H

#include "base/buf.h"
#include "xml/xml.h"

/* Character data, escaped: & < > " '. */
void xml_write_text(struct buf *out, struct slice text);
/* Text from a foreign protocol: illegal characters dropped, malformed UTF-8 replaced by U+FFFD,
 * CR LF and CR become LF.                                                                       */
void xml_write_text_clean(struct buf *out, struct slice text);
/* ` name="value"`, value escaped including tab, CR, LF. */
void xml_write_attr(struct buf *out, const char *name, struct slice value);

/* How a tree is put into another stream. Elements of namespace ns_from move to ns_to and are
 * written unprefixed while that is the default namespace (only where the root itself is in ns_from;
 * content that descends from an element of another namespace keeps its own, e.g. jabber:client
 * inside a forwarded message, xmpp.md 2.2). What is in ns_to already beside elements that move is
 * left out: where it came from it meant nothing, and behind the rules that looked at it there it
 * would count. Prefixes are declared where first needed. */
struct xml_write_params {
    struct slice ns_default; /* default namespace of the target stream: needs no declaration */
    struct slice ns_from;    /* empty = move nothing */
    struct slice ns_to;
    /* Replaces the value of these attributes of the root, or adds them; ptr NULL = leave. */
    struct slice from;
    struct slice to;
    /* Added to the root when it has none; ptr NULL = none. */
    struct slice lang;
    /* Children of the root with this name, in any namespace, are left out; empty = none. */
    struct slice without;
};

/* The element and its descendants. parse(write(tree)) equals tree but for the changes asked.
 *
 * Attributes keep their order, and a declaration of the default namespace its place among them, as
 * long as it is needed: a peer's serialiser puts xmlns anywhere, and keeping the place is what lets
 * its bytes be the writer's. It means the same anywhere: a tag is judged when it is complete, and
 * attributes have no default namespace. Prefixes are declared in front of all attributes.
 *
 * Canonical content (struct xml_tree) is copied as received instead of being made from the nodes,
 * and so are a canonical root's tags but for what params changes in them. They are by definition
 * the same bytes but for quotes and for a space before "/>": attribute values may stand in single
 * quotes, text may hold both kinds as they are, and one space may end an empty-element tag. That is
 * as safe: a value holds neither kind unescaped, so it ends at the same place for every reader;
 * quotes mean nothing in text, and that space nothing in a tag. Bytes that were not parsed, or that
 * params would change, are never copied. */
void xml_write_tree(struct buf *out, const struct xml_tree *t, uint32_t node,
                    const struct xml_write_params *params);
/* The same in two steps, for who wants to know the size before there is memory: the plan first (it
 * borrows t and params), then any number of times what was planned. */
struct xml_write_plan {
    const struct xml_tree *t;
    const struct xml_write_params *params;
    uint32_t node;
    /* The writer's own. */
    enum { XML_WRITE_NODES, XML_WRITE_CONTENT, XML_WRITE_ELEMENT } copied;
    const struct xml_attr *from; /* of a copied root: to be replaced; NULL = none */
    const struct xml_attr *to;
    bool undeclares; /* the same: its xmlns goes */
    bool adds_from;
    bool adds_to;
    bool adds_lang;
};

void xml_write_plan(struct xml_write_plan *plan, const struct xml_tree *t, uint32_t node,
                    const struct xml_write_params *params);
/* How many bytes it takes at most, near to what it takes: a buf over memory of that size (data, cap
 * and bytes_max set by hand) does not grow. 0: only writing tells. */
size_t xml_write_plan_bytes_max(const struct xml_write_plan *plan);
void xml_write_planned(struct buf *out, const struct xml_write_plan *plan);

#endif
