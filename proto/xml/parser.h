/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parser: strict streaming parser for the XML of XMPP streams (RFC 6120 section 11; XML 1.0,
 * Namespaces in XML 1.0, restricted). Fed bytes as they arrive, cut anywhere, in time linear in
 * their number; yields the stream header, each complete first-level element, and the stream's end.
 *
 * Refused: comments, processing instructions, DTD, entities other than the five and numeric
 * references (XML_WHY_RESTRICTED); anything not well-formed or not namespace-well-formed; bytes
 * that are not UTF-8 or not XML 1.0 characters; everything over a limit. After XML_BAD the parser
 * accepts nothing but reset.
 *
 * Memory: pool; one stanza of limits.stanza_bytes_max plus node and attribute arrays at most.
 * Owner: whoever embeds it. One thread. Never allocates per node.                               */
#ifndef FG_XML_PARSER_H
#define FG_XML_PARSER_H

#include "base/attr.h"
#include "base/buf.h"
#include "xml/xml.h"

/* Limits may be set up to these, for what the parser's and the writer's own structures bear. */
#define XML_STANZA_BYTES_CEILING (1u << 20)
#define XML_ELEMENTS_CEILING 32768u /* with a text beside each, nodes fit into one pool block */
#define XML_NS_DECLS_CEILING 128u   /* the writer's scope */
#define XML_ATTRS_CEILING 256u      /* the duplicate check compares each with each */

struct xml_limits {
    uint32_t stanza_bytes_max;  /* '<' to '>' of one first-level element, and the stream header */
    uint32_t depth_max;         /* the first-level element is depth 1 */
    uint32_t elements_max;      /* per first-level element */
    uint32_t attrs_max;         /* per element, xmlns declarations included */
    uint32_t name_bytes_max;    /* element, attribute and prefix names */
    uint32_t ns_decls_max;      /* declarations in scope at a time */
    uint32_t ns_bytes_max;      /* one namespace name */
    uint32_t whitespace_bytes_max; /* between two first-level elements */
};

/* Before authentication (xmpp.md 2.9) and after it. */
extern const struct xml_limits xml_limits_unauthenticated; /* 10000 bytes, depth 8, 32, 16 ... */
extern const struct xml_limits xml_limits_authenticated;   /* 262144 bytes, depth 64, ... */

enum xml_event {
    XML_MORE,          /* all bytes consumed; nothing complete yet */
    XML_STREAM_OPEN,   /* the stream header: tree holds its root (one node) */
    XML_ELEMENT,       /* a complete first-level element */
    XML_STREAM_CLOSE,  /* </stream:stream> */
    XML_BAD,           /* see why */
};

enum xml_why {
    XML_WHY_NONE,
    XML_WHY_NOT_WELL_FORMED,
    XML_WHY_RESTRICTED,           /* comment, PI, DTD, entity: stream error restricted-xml */
    XML_WHY_UNSUPPORTED_ENCODING, /* not UTF-8 by BOM or declaration, XML version not 1.0 */
    XML_WHY_TOO_BIG,              /* a limit of struct xml_limits: policy-violation */
    XML_WHY_NOMEM,
};

struct xml_parser; /* opaque */

/* ERR_LIMIT: a limit is 0 where one is needed, or above its ceiling. ERR_NOMEM. */
NODISCARD int xml_parser_new(struct xml_parser **out, const struct xml_limits *limits);
void xml_parser_free(struct xml_parser *p);
/* New stream on the same connection: drops namespaces, partial input, everything but limits. */
void xml_parser_reset(struct xml_parser *p);
/* Takes effect from the next first-level element on. limits is copied and must be such as
 * xml_parser_new takes: asserted.                                                               */
void xml_parser_set_limits(struct xml_parser *p, const struct xml_limits *limits);

/* Consumes bytes up to and including the next event; *consumed says how many. The caller calls
 * again with the rest until XML_MORE. The tree of xml_parser_tree() is valid until the next call
 * of feed, rest, reset or free on this parser, and may point into bytes: keep them until then.  */
enum xml_event xml_parser_feed(struct xml_parser *p, const char *bytes, size_t len,
                               size_t *consumed);
/* Instead of feeding: all of bytes is one document of another protocol, in UTF-8. It may have a
 * byte order mark, an XML declaration (whatever encoding that names: the caller has converted it),
 * comments and processing instructions; a DTD and entities are refused as in streams. The tree, or
 * NULL and why. A parser is for documents or for a stream, not both (asserted); between documents
 * it keeps its memory. The tree is valid until the next call on this parser and points into bytes.
 * Limits: stanza_bytes_max is for the document, the others as in streams.                       */
NODISCARD const struct xml_tree *xml_parser_document(struct xml_parser *p, struct slice bytes);
/* The encoding that a document declares (ASCII-compatible ones); empty = none. */
struct slice xml_document_encoding(struct slice bytes);

/* The caller has no more bytes and is done with the last event's tree: memory that an idle stream
 * does not need goes back to the pool. Harmless inside a unit.                                  */
void xml_parser_rest(struct xml_parser *p);
const struct xml_tree *xml_parser_tree(const struct xml_parser *p);
/* After XML_BAD. */
enum xml_why xml_parser_why(const struct xml_parser *p);
/* Static text for the log, never NULL. */
const char *xml_parser_why_text(const struct xml_parser *p);
/* At an event: what the stream header declared as default namespace (the content namespace);
 * empty = none. Valid until the next call of feed, reset or free.                               */
struct slice xml_parser_default_ns(const struct xml_parser *p);
/* At an event: whether the stream header bound a prefix to this namespace. */
bool xml_parser_declares(const struct xml_parser *p, struct slice ns);
/* Whether input stands inside an element (a keep-alive space may not be answered for etc.). */
bool xml_parser_is_inside(const struct xml_parser *p);

#endif
