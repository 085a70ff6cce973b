/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xml_fuzz: any bytes as a stream. Whole, in single bytes and in random pieces must come out the
 * same; so must the scalar and vector scans; and expat must agree but for what we refuse on
 * purpose. The last byte chooses limits and the cuts.                                          */
#include <stdio.h>
#include <stdlib.h>

#include "oracle.h"
#include "xml/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool is_true, const char *what)
{
    if (!is_true) {
        (void)fprintf(stderr, "xml_fuzz: %s\n", what);
        abort();
    }
}

static void compare(const struct dump_result *a, struct slice doc, const struct xml_limits *limits,
                    enum dump_cuts cuts, uint64_t seed)
{
    struct dump_result b;

    dump_ours(&b, doc, limits, cuts, seed);
    demand(a->why == b.why && strcmp(a->why_text, b.why_text) == 0, "another verdict");
    demand(a->is_closed == b.is_closed, "another end");
    demand(slice_eq(buf_slice(&a->events), buf_slice(&b.events)), "other events");
    dump_result_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice doc = slice_make((const char *)data, size);
    uint8_t choice = size ? data[size - 1] : 0;
    const struct xml_limits *limits =
        choice & 1 ? &xml_limits_authenticated : &xml_limits_unauthenticated;
    struct dump_result whole;
    struct oracle_result expat;
    const char *wrong;

    dump_ours(&whole, doc, limits, DUMP_WHOLE, 0);
    compare(&whole, doc, limits, DUMP_BYTES, 0);
    compare(&whole, doc, limits, DUMP_RANDOM, choice);
    xml_scan_use(&xml_scan_scalar);
    compare(&whole, doc, limits, DUMP_WHOLE, 0);
#if defined(__x86_64__)
    xml_scan_use(&xml_scan_sse2);
    compare(&whole, doc, limits, DUMP_WHOLE, 0);
#endif
    xml_scan_use(NULL);
    oracle_run(&expat, doc, limits);
    wrong = oracle_disagreement(&whole, &expat);
    demand(!wrong, wrong ? wrong : "");
    dump_result_deinit(&whole);
    oracle_result_deinit(&expat);
    return 0;
}
