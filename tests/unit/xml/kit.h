/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kit: what the xml unit tests share. */
#ifndef FG_TEST_XML_KIT_H
#define FG_TEST_XML_KIT_H

#include <criterion/criterion.h>

#include "dump.h"
#include "gen.h"
#include "oracle.h"

#define HEADER                                                                                     \
    "<?xml version='1.0'?><stream:stream xmlns='jabber:server' "                                   \
    "xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' "           \
    "from='a.example' to='b.example' version='1.0'>"
#define CLOSE "</stream:stream>"

static inline bool kit_same(const struct dump_result *a, const struct dump_result *b)
{
    return dump_is_same(a, b) && a->canonical == b->canonical;
}

/* Feeds input whole, byte by byte and in random pieces; demands the same from all. The caller
 * deinits *r.                                                                                   */
static inline void kit_run(struct dump_result *r, struct slice input,
                           const struct xml_limits *limits)
{
    struct dump_result other;

    dump_ours(r, input, limits, DUMP_WHOLE, 0);
    for (uint64_t seed = 0; seed < 4; seed++) {
        dump_ours(&other, input, limits, seed ? DUMP_RANDOM : DUMP_BYTES, seed);
        cr_assert(kit_same(r, &other), "cuts %d change the result: %d %s / %d %s in %.*s",
                  (int)seed, (int)r->why, r->why_text, (int)other.why, other.why_text,
                  SLICE_FMT(input));
        dump_result_deinit(&other);
    }
}

/* As a whole document; the expected lines, or NULL for don't care. */
static inline void kit_expect_events(struct slice input, const char *lines)
{
    struct dump_result r;

    kit_run(&r, input, &xml_limits_authenticated);
    cr_assert_eq(r.why, XML_WHY_NONE, "refused: %s: %.*s", r.why_text, SLICE_FMT(input));
    if (lines) {
        cr_assert(slice_eq_cstr(buf_slice(&r.events), lines), "in %.*s\ngot:\n%.*s\nnot:\n%s",
                  SLICE_FMT(input), SLICE_FMT(buf_slice(&r.events)), lines);
    }
    dump_result_deinit(&r);
}

static inline void kit_expect_why(struct slice input, const struct xml_limits *limits,
                                  enum xml_why why)
{
    struct dump_result r;

    kit_run(&r, input, limits);
    cr_assert_eq(r.why, why, "why is %d (%s), not %d: %.*s", (int)r.why, r.why_text, (int)why,
                 SLICE_FMT(slice_to(input, 400)));
    dump_result_deinit(&r);
}

/* One stanza inside a stream, then the stream's end. */
static inline void kit_expect_stanza_why(struct slice stanza, enum xml_why why)
{
    struct buf doc;

    buf_init(&doc, (size_t)1 << 20);
    buf_put_lit(&doc, HEADER);
    buf_put(&doc, stanza);
    buf_put_lit(&doc, CLOSE);
    kit_expect_why(buf_slice(&doc), &xml_limits_authenticated, why);
    buf_deinit(&doc);
}

#endif
