/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff_test: against expat over a generated corpus, and over every cut of sample documents. */
#include "kit.h"

#include <stdio.h>

#define SEEDS         20000u
#define DOC_BYTES_MAX ((size_t)1 << 20)

enum shape { SHAPE_VALID, SHAPE_WILD, SHAPE_VALID_MUTATED, SHAPE_WILD_MUTATED };

struct tally {
    unsigned accepted;
    unsigned refused;
    unsigned by_extra[8]; /* documents that expat takes and we refuse on purpose, by reason */
};

static void make(struct buf *doc, enum shape shape, uint64_t seed)
{
    struct buf base;

    buf_init(&base, DOC_BYTES_MAX);
    if (shape == SHAPE_VALID || shape == SHAPE_VALID_MUTATED) {
        gen_valid(&base, seed);
    } else {
        gen_wild(&base, seed);
    }
    buf_clear(doc);
    if (shape == SHAPE_VALID_MUTATED || shape == SHAPE_WILD_MUTATED) {
        gen_mutate(doc, buf_slice(&base), seed);
    } else {
        buf_put(doc, buf_slice(&base));
    }
    buf_deinit(&base);
}

static void compare(struct tally *tally, struct slice doc, const struct xml_limits *limits,
                    enum shape shape, uint64_t seed)
{
    struct dump_result ours;
    struct oracle_result expat;
    const char *wrong;

    kit_run(&ours, doc, limits);
    oracle_run(&expat, doc, limits);
    wrong = oracle_disagreement(&ours, &expat);
    cr_assert_null(wrong, "seed %llu shape %d: %s (ours: %s; expat: %s)\n%.*s",
                   (unsigned long long)seed, (int)shape, wrong, ours.why_text, expat.error,
                   SLICE_FMT(doc));
    if (shape == SHAPE_VALID && limits == &xml_limits_authenticated) {
        cr_assert(ours.is_closed && ours.why == XML_WHY_NONE, "seed %llu: valid one refused: %s",
                  (unsigned long long)seed, ours.why_text);
    }
    if (ours.is_closed && ours.why == XML_WHY_NONE) {
        tally->accepted++;
    } else {
        tally->refused++;
    }
    for (size_t i = 0; i < ARRAY_COUNT(tally->by_extra); i++) {
        tally->by_extra[i] += (expat.extra >> i) & 1u;
    }
    dump_result_deinit(&ours);
    oracle_result_deinit(&expat);
}

Test(diff, generated_corpus, .timeout = 110)
{
    struct tally tally = {0};
    struct buf doc;

    buf_init(&doc, DOC_BYTES_MAX);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        enum shape shape = (enum shape)(seed % 4);

        make(&doc, shape, seed);
        compare(&tally, buf_slice(&doc),
                seed % 16 < 12 ? &xml_limits_authenticated : &xml_limits_unauthenticated, shape,
                seed);
    }
    buf_deinit(&doc);
    /* The corpus must really visit both sides, and every deliberate refusal. */
    cr_assert_gt(tally.accepted, SEEDS / 4);
    cr_assert_gt(tally.refused, SEEDS / 4);
    for (size_t i = 0; i < ARRAY_COUNT(tally.by_extra); i++) {
        cr_assert_gt(tally.by_extra[i], 0, "reason %zu never came up", i);
    }
}

/* Each document cut in two at every position, at its exact memory borders. */
Test(diff, every_cut_gives_the_same)
{
    for (uint64_t seed = 0; seed < 24; seed++) {
        struct dump_result whole;
        struct buf doc;

        buf_init(&doc, DOC_BYTES_MAX);
        make(&doc, (enum shape)(seed % 4), seed * 7 + 1);
        dump_ours(&whole, buf_slice(&doc), &xml_limits_authenticated, DUMP_WHOLE, 0);
        for (size_t cut = 1; cut < buf_len(&doc); cut++) {
            struct dump_result halves;

            dump_ours(&halves, buf_slice(&doc), &xml_limits_authenticated, DUMP_HALVES, cut);
            cr_assert(kit_same(&whole, &halves), "seed %d cut %zu", (int)seed, cut);
            dump_result_deinit(&halves);
        }
        dump_result_deinit(&whole);
        buf_deinit(&doc);
    }
}

static unsigned taken_by(const char *doc, bool by_expat)
{
    struct slice input = slice_from_cstr(doc);
    bool is_taken;

    if (by_expat) {
        struct oracle_result r;

        oracle_run(&r, input, &xml_limits_authenticated);
        is_taken = r.is_accepted;
        oracle_result_deinit(&r);
    } else {
        struct dump_result r;

        dump_ours(&r, input, &xml_limits_authenticated, DUMP_WHOLE, 0);
        is_taken = r.why == XML_WHY_NONE && r.is_closed;
        dump_result_deinit(&r);
    }
    return is_taken;
}

static size_t put_utf8(char *out, uint32_t c)
{
    size_t len = 0;

    if (c < 0x80) {
        out[len++] = (char)c;
    } else if (c < 0x800) {
        out[len++] = (char)(0xc0 | c >> 6);
    } else if (c < 0x10000) {
        out[len++] = (char)(0xe0 | c >> 12);
        out[len++] = (char)(0x80 | (c >> 6 & 0x3f));
    } else {
        out[len++] = (char)(0xf0 | c >> 18);
        out[len++] = (char)(0x80 | (c >> 12 & 0x3f));
        out[len++] = (char)(0x80 | (c >> 6 & 0x3f));
    }
    if (c >= 0x80) {
        out[len++] = (char)(0x80 | (c & 0x3f));
    }
    out[len] = 0;
    return len;
}

/* Every code point (surrogates included) as first and as later character of a name, in text, in
 * a value, and as a reference: both parsers take the same set.                                  */
Test(diff, every_code_point, .timeout = 110)
{
    static const char *const frames[][2] = {
        {"<", "/>"},
        {"<a", "/>"},
        {"<r><x>", "</x></r>"},
        {"<r b='", "'/>"},
    };

    for (uint32_t c = 1; c < 0x110100; c += c < 0x11000 || (c & 0xffff) >= 0xfff0 ? 1 : 61) {
        char utf8[8];
        char doc[64];

        (void)put_utf8(utf8, c);
        for (size_t i = 0; i < ARRAY_COUNT(frames); i++) {
            /* '<' and '&' need more context; the corpus has them. */
            (void)snprintf(doc, sizeof(doc), "%s%s%s", frames[i][0], utf8, frames[i][1]);
            cr_assert_eq(taken_by(doc, false), taken_by(doc, true), "U+%04X in %s", c, doc);
        }
        (void)snprintf(doc, sizeof(doc), "<r b='&#%u;'/>", c);
        cr_assert_eq(taken_by(doc, false), taken_by(doc, true), "U+%04X in %s", c, doc);
    }
}
