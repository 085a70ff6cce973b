/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xml_fuzz: any bytes as a stream. Whole, in single bytes and in random pieces must come out the
 * same; so must each scan; and expat must agree but for what we refuse on purpose. The last byte
 * chooses limits and the cuts.                                                                   */
#include <stdio.h>
#include <stdlib.h>

#include "oracle.h"
#include "xml/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#if defined(__x86_64__)
static const struct xml_scan *const scans[] = {&xml_scan_general, &xml_scan_scalar, &xml_scan_sse2};
#else
static const struct xml_scan *const scans[] = {&xml_scan_general, &xml_scan_scalar};
#endif

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
    demand(dump_is_same(a, &b), "another verdict or other events");
    demand(a->canonical == b.canonical || xml_scan_best() == &xml_scan_general, "not canonical");
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

    dump_ours(&whole, doc, limits, DUMP_WHOLE, 0);
    compare(&whole, doc, limits, DUMP_BYTES, 0);
    compare(&whole, doc, limits, DUMP_RANDOM, choice);
    for (size_t i = 0; i < ARRAY_COUNT(scans); i++) {
        xml_scan_use(scans[i]);
        compare(&whole, doc, limits, DUMP_WHOLE, 0);
    }
    xml_scan_use(NULL);
    oracle_run(&expat, doc, limits);
    demand(!oracle_disagreement(&whole, &expat), "expat disagrees");
    dump_result_deinit(&whole);
    oracle_result_deinit(&expat);
    return 0;
}
