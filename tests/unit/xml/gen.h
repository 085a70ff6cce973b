/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gen: documents of XMPP shape from a seed: valid ones, and ones with faults put in. */
#ifndef FG_TEST_XML_GEN_H
#define FG_TEST_XML_GEN_H

#include "base/buf.h"

/* Well-formed by construction, nothing restricted: both parsers must take it. */
void gen_valid(struct buf *out, uint64_t seed);
/* Grammar with wrong turns: most come out malformed, restricted or of odd encoding. */
void gen_wild(struct buf *out, uint64_t seed);
/* Changes some bytes of doc: flips, cuts, repeats, inserts from a list of telling tokens. */
void gen_mutate(struct buf *out, struct slice doc, uint64_t seed);

#endif
