/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scan_test: the vector versions do what the byte loop does, at every length and alignment, for
 * every byte; and whole documents come out the same whichever is used.                          */
#include "kit.h"

#include <stdlib.h>

#include "xml/scan.h"

#define BYTES 96u

static const struct xml_scan *variants[3]; /* without the general one */
static size_t variant_count;

static void list_variants(void)
{
    variant_count = 0;
    variants[variant_count++] = &xml_scan_scalar;
#if defined(__x86_64__)
    variants[variant_count++] = &xml_scan_sse2;
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2")) {
        variants[variant_count++] = &xml_scan_avx2;
    }
#endif
}

TestSuite(scan, .init = list_variants);

static void expect_equal(const char *s, const char *end)
{
    const char *text = xml_scan_scalar.text(s, end);
    const char *value = xml_scan_scalar.value(s, end, '"');

    for (size_t v = 1; v < variant_count; v++) {
        cr_assert_eq(variants[v]->text(s, end), text, "%s text", variants[v]->name);
        cr_assert_eq(variants[v]->value(s, end, '"'), value, "%s value", variants[v]->name);
    }
}

Test(scan, every_byte_at_every_place)
{
    char *bytes = malloc(BYTES);

    cr_assert_not_null(bytes);
    memset(bytes, 'x', BYTES);
    for (unsigned c = 0; c < 256; c++) {
        for (size_t at = 0; at < BYTES; at++) {
            bytes[at] = (char)c;
            for (size_t from = 0; from <= at; from += at > 40 ? 7 : 1) {
                expect_equal(bytes + from, bytes + BYTES);
                expect_equal(bytes + from, bytes + at);
            }
            bytes[at] = 'x';
        }
    }
    free(bytes);
}

Test(scan, stops_where_it_must)
{
    for (size_t v = 0; v < variant_count; v++) {
        static const char text_stops[] = "<&]\r\x01\x1f\x80\xff\x0b";
        static const char text_goes[] = "\t\n >\"'\x7f!";
        static const char value_stops[] = "<&'\r\n\t\x01\x1f\x80\xff";
        static const char value_goes[] = " >\"]\x7f!";
        char bytes[64];

        memset(bytes, 'x', sizeof(bytes));
        for (size_t i = 0; i < sizeof(text_stops) - 1; i++) {
            bytes[37] = text_stops[i];
            cr_assert_eq(variants[v]->text(bytes, bytes + 64) - bytes, 37);
        }
        for (size_t i = 0; i < sizeof(text_goes) - 1; i++) {
            bytes[37] = text_goes[i];
            cr_assert_eq(variants[v]->text(bytes, bytes + 64) - bytes, 64);
        }
        for (size_t i = 0; i < sizeof(value_stops) - 1; i++) {
            bytes[37] = value_stops[i];
            cr_assert_eq(variants[v]->value(bytes, bytes + 64, '\'') - bytes, 37);
        }
        for (size_t i = 0; i < sizeof(value_goes) - 1; i++) {
            bytes[37] = value_goes[i];
            cr_assert_eq(variants[v]->value(bytes, bytes + 64, '\'') - bytes, 64);
        }
        bytes[37] = 0;
        cr_assert_eq(variants[v]->text(bytes, bytes + 64) - bytes, 37);
        cr_assert_eq(variants[v]->value(bytes, bytes + 64, '\'') - bytes, 37);
    }
}

Test(scan, documents_come_out_the_same)
{
    for (uint64_t seed = 0; seed < 1500; seed++) {
        struct dump_result results[3];
        struct buf doc;

        buf_init(&doc, (size_t)1 << 20);
        gen_wild(&doc, seed);
        for (size_t v = 0; v < variant_count; v++) {
            xml_scan_use(variants[v]);
            dump_ours(&results[v], buf_slice(&doc), &xml_limits_authenticated, DUMP_WHOLE, 0);
            cr_assert(kit_same(&results[0], &results[v]), "%s", variants[v]->name);
        }
        xml_scan_use(NULL);
        for (size_t v = 0; v < variant_count; v++) {
            dump_result_deinit(&results[v]);
        }
        buf_deinit(&doc);
    }
}

Test(scan, choice)
{
    xml_scan_use(&xml_scan_scalar);
    cr_assert_eq(xml_scan_best(), &xml_scan_scalar);
    xml_scan_use(NULL);
    cr_assert_eq(xml_scan_best(), variants[variant_count - 1], "the widest that the machine has");
}
