/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dump: what a parser saw, as text that two parsers can be compared by. One line per start tag,
 * text run and end tag; bytes that would confuse the lines are escaped. Shared by the unit tests
 * and fuzz targets of the xml room.                                                             */
#ifndef FG_TEST_XML_DUMP_H
#define FG_TEST_XML_DUMP_H

#include "base/buf.h"
#include "xml/parser.h"

/* How the input is handed over. */
enum dump_cuts {
    DUMP_WHOLE,
    DUMP_BYTES,  /* one byte per call */
    DUMP_RANDOM, /* pieces of 1..40 bytes, from a seed */
    DUMP_HALVES, /* the first piece has seed bytes, the second the rest */
};

struct dump_result {
    struct buf events;    /* owned: dump_result_deinit */
    enum xml_why why;     /* NONE = everything was taken */
    const char *why_text; /* static */
    size_t event_count;   /* stream open, elements, stream close */
    bool is_closed;       /* the stream's end was seen */
    /* Of the bytes of all contents, where namespaces are declared, whether their names are URIs. */
    uint64_t contents;
    uint64_t canonical;   /* of what is said about them */
};

/* Feeds all of input to a new parser. Each piece is handed over as a heap copy of exactly its
 * size, freed after the next one, so that AddressSanitizer sees reads outside of it.            */
void dump_ours(struct dump_result *r, struct slice input, const struct xml_limits *limits,
               enum dump_cuts cuts, uint64_t seed);
void dump_result_deinit(struct dump_result *r);
/* Whether both saw the same and came to the same verdict; canonical is not compared. */
bool dump_is_same(const struct dump_result *a, const struct dump_result *b);

/* The lines of one element. */
void dump_tree(struct buf *out, const struct xml_tree *t, uint32_t root, bool is_open_only);
void dump_start(struct buf *out, struct slice prefix, struct slice ns, struct slice name);
void dump_attr(struct buf *out, struct slice prefix, struct slice ns, struct slice name,
               struct slice value);
void dump_text(struct buf *out, struct slice text);
void dump_end(struct buf *out);

#endif
