/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parser_int: the parser's inside, shared by the files of this room only.
 *
 * Words: a unit is what ends in one event (XML declaration, stream header, first-level element,
 * stream end tag); a token is a tag, a run of text up to the next '<', or a CDATA section. The
 * window is the memory that holds the unit's bytes so far: the caller's bytes, or the assembly
 * buffer once a unit is cut by the end of a feed.
 *
 * A token is judged only when all of it is in the window. Until then one scan for its end goes on
 * where it stopped (token.c), so that each byte is looked at a bounded number of times however the
 * input is cut, and results do not depend on the cuts.                                          */
#ifndef FG_XML_PARSER_INT_H
#define FG_XML_PARSER_INT_H

#include "xml/arena.h"
#include "xml/parser.h"
#include "xml/scan.h"

#define XML_DECLARATION_BYTES_MAX 256u

enum xml_place {
    XML_PLACE_START,  /* nothing seen: an XML declaration may come */
    XML_PLACE_PROLOG, /* the stream header must come */
    XML_PLACE_STREAM, /* inside the stream */
    XML_PLACE_CLOSED, /* after its end tag */
    XML_PLACE_BAD,
};

enum xml_step {
    XML_STEP_OK,   /* token taken */
    XML_STEP_DONE, /* token taken, and the unit ends with it */
    XML_STEP_MORE, /* the token is not complete in the window */
    XML_STEP_BAD,  /* why and why_text are set */
};

enum xml_token {
    XML_TOKEN_NONE, /* at the start of a token or at its first bytes: too few to tell */
    XML_TOKEN_TAG,
    XML_TOKEN_TEXT,
    XML_TOKEN_CDATA,
    XML_TOKEN_DECLARATION,
};

struct xml_ns_decl {
    struct slice prefix; /* empty = default namespace; window, arena or the stream's scope */
    struct slice ns;     /* empty = none */
    uint32_t depth;      /* of the declaring element */
};

/* What the stream header leaves behind it. */
struct xml_scope {
    struct slice root; /* its name as written */
    uint32_t decl_count;
    struct xml_ns_decl decls[]; /* behind them: the bytes of all these names */
};

/* Nodes and attributes of an ordinary stanza, in one block of the pool. */
#define XML_SMALL_COUNT 16u
struct xml_small {
    struct xml_node nodes[XML_SMALL_COUNT];
    struct xml_attr attrs[XML_SMALL_COUNT];
};

struct xml_parser {
    uint32_t magic;
    enum xml_place place;
    enum xml_why why;
    const char *why_text;          /* static */
    struct xml_limits limits;      /* of the unit in progress */
    struct xml_limits limits_next; /* of the next one */
    bool in_unit;
    bool close_pending; /* the stream header was an empty-element tag */
    bool is_document;   /* of documents only: comments and instructions are let through */
    uint32_t space_bytes;

    /* Unit in progress, or the last complete one until the next feed. */
    size_t token_at;       /* offset in the window of the first token not yet taken */
    enum xml_token token;  /* kind of the incomplete token at token_at */
    size_t scan_at;        /* offset in the window where the scan for its end goes on */
    char scan_quote;       /* quote that a tag's scan is inside of, or 0 */
    uint32_t depth;        /* of the open element; 0 = none open */
    uint32_t open;         /* open element, index into nodes */
    uint32_t last_sibling; /* last child so far of the open element, or XML_NO_NODE */
    uint32_t element_count;
    /* Of the root's content; see xml.h. Offsets in the window. */
    size_t content_at;
    size_t content_end;
    uint64_t content_ns_lens;
    bool is_canonical;
    bool is_root_canonical;

    struct xml_tree tree;   /* nodes and attrs below, with counts */
    struct xml_node *nodes; /* in small, or owned once there are more */
    struct xml_attr *attrs; /* the same */
    struct xml_small *small; /* owned */
    uint32_t node_cap;
    uint32_t attr_cap;

    struct xml_ns_decl *decls; /* owned; of the unit, innermost last */
    uint32_t decl_count;
    uint32_t decl_cap;
    struct xml_scope *scope; /* owned; NULL before the stream header is complete */
    struct slice default_ns; /* what decls and scope say for no prefix */

    const struct xml_scan *scan; /* static */
    struct xml_arena arena;      /* values that differ from the bytes as received */
    char *assembly;              /* owned, NULL while no unit is cut */
    uint32_t assembly_len;
    uint32_t assembly_cap;
};

bool xml_limits_are_sane(const struct xml_limits *l);

/* Sets why, returns XML_STEP_BAD. */
COLD enum xml_step xml_refuse(struct xml_parser *p, enum xml_why why, const char *text);
#define XML_MALFORMED(p, text) xml_refuse((p), XML_WHY_NOT_WELL_FORMED, (text))

#define XML_TEXT_END_TAG "end tag does not match"

/* token.c: goes on from p->scan_at to the end of the token of kind p->token that starts at
 * p->token_at; false when it does not end in the window.                                       */
bool xml_token_is_complete(struct xml_parser *p, const char *base, const char *end);
void xml_token_begin(struct xml_parser *p, enum xml_token kind, size_t at);

/* declaration.c: from "<?xml" to "?>". Slices borrow from it. XML_WHY_NONE, or why and *text. */
struct xml_declaration {
    struct slice encoding;   /* empty = not said */
    struct slice standalone; /* empty = not said, or "yes" or "no" */
};
enum xml_why xml_read_declaration(struct slice declaration, struct xml_declaration *out,
                                  const char **text);

/* run.c: takes tokens from p->token_at on until the unit or the window ends. */
enum xml_step xml_run_tokens(struct xml_parser *p, const char *base, const char *end);

/* document.c: comments and processing instructions at cur, which is a '<'. */
bool xml_is_misc(const char *cur, const char *end);
enum xml_step xml_take_misc(struct xml_parser *p, const char *cur, const char *end,
                            const char **next);

/* tag.c, text.c, declaration.c: take the token at cur. On OK and DONE *next is behind it. On MORE
 * nothing has changed but arena space.                                                          */
enum xml_step xml_take_start_tag(struct xml_parser *p, const char *cur, const char *end,
                                 const char **next);
enum xml_step xml_take_end_tag(struct xml_parser *p, const char *cur, const char *end,
                               const char **next);
enum xml_step xml_take_text(struct xml_parser *p, const char *cur, const char *end,
                            const char **next);
enum xml_step xml_take_cdata(struct xml_parser *p, const char *cur, const char *end,
                             const char **next);
enum xml_step xml_take_declaration(struct xml_parser *p, const char *cur, const char *end,
                                   const char **next);

/* fold.c: the value behind raw bytes. Checks every character; out has room for raw.len bytes. */
enum xml_fold { XML_FOLD_TEXT, XML_FOLD_ATTR, XML_FOLD_CDATA };
enum xml_step xml_fold(struct xml_parser *p, enum xml_fold how, struct slice raw, char *out,
                       size_t *out_len);

/* ns.c */
enum xml_step xml_ns_declare(struct xml_parser *p, struct slice prefix, struct slice ns,
                             uint32_t own_from);
enum xml_step xml_ns_resolve(struct xml_parser *p, struct slice prefix, struct slice *ns);
void xml_ns_leave(struct xml_parser *p, uint32_t decl_count);
enum xml_step xml_ns_keep_stream(struct xml_parser *p, struct slice root);

/* tree.c */
enum xml_step xml_tree_open(struct xml_parser *p, const struct xml_node *element);
void xml_tree_close(struct xml_parser *p);
enum xml_step xml_tree_text(struct xml_parser *p, struct slice text);
/* The text node that further character data of the open element belongs to, or NULL. */
struct slice *xml_tree_last_text(struct xml_parser *p);
/* A slot behind the last attribute; tree.attr_count is the caller's to raise. NULL: no memory. */
struct xml_attr *xml_tree_attr(struct xml_parser *p);
/* A node behind the last one, linked to it and to its parent, not filled. NULL: no memory. */
struct xml_node *xml_tree_node(struct xml_parser *p);
void xml_tree_clear(struct xml_parser *p);
/* Gives back the memory of the last unit, which is dropped. */
void xml_tree_release(struct xml_parser *p);
/* Everything that points into len bytes at from points into the copy at to from now on. */
void xml_tree_rebase(struct xml_parser *p, const char *from, size_t len, const char *to);
/* Makes room for one more of elem_bytes in *array, which is not freed when it is keep; false when
 * there is no memory. */
bool xml_array_grow(void **array, uint32_t *cap, uint32_t count, size_t elem_bytes,
                    const void *keep);

#endif
