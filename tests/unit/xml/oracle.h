/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oracle: the same input through expat, and the judgement whether the two parsers agree. */
#ifndef FG_TEST_XML_ORACLE_H
#define FG_TEST_XML_ORACLE_H

#include "dump.h"

/* What our parser refuses on purpose although expat takes it. */
enum oracle_extra {
    ORACLE_COMMENT = 1 << 0,
    ORACLE_PI = 1 << 1,
    ORACLE_DTD = 1 << 2,
    ORACLE_ENCODING = 1 << 3,    /* BOM, UTF-16, encoding or version declared otherwise */
    ORACLE_STANDALONE = 1 << 4,  /* standalone='no' */
    ORACLE_STREAM_TEXT = 1 << 5, /* text, references or CDATA between first-level elements */
    ORACLE_LIMIT = 1 << 6,       /* counted here, not believed */
    ORACLE_STREAM_NS = 1 << 7,   /* a namespace name of the stream header is no URI */
};

struct oracle_result {
    struct buf events; /* owned: oracle_result_deinit */
    bool is_accepted;  /* a complete, well-formed document */
    const char *error; /* expat's, static; "" = none */
    unsigned extra;    /* enum oracle_extra bits */
};

void oracle_run(struct oracle_result *r, struct slice input, const struct xml_limits *limits);
/* The same for xml_parser_document: comments, instructions and standalone='no' are let through. */
void oracle_run_document(struct oracle_result *r, struct slice input,
                         const struct xml_limits *limits);
void oracle_result_deinit(struct oracle_result *r);

/* NULL when the two agree, else what is wrong. */
const char *oracle_disagreement(const struct dump_result *ours, const struct oracle_result *expat);
/* Whether both take doc as a whole, and (unless NULL) see exactly these lines. True, too, for a doc
 * over the authenticated limits: there is nothing to compare then.                               */
bool oracle_both_take(struct slice doc, const struct buf *lines);

#endif
