/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xml_document_fuzz: any bytes as a whole document. expat must agree but for what we refuse on
 * purpose.                                                                                      */
#include <stdio.h>
#include <stdlib.h>

#include "oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool is_true, const char *what)
{
    if (!is_true) {
        (void)fprintf(stderr, "xml_document_fuzz: %s\n", what);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice doc = slice_make((const char *)data, size);
    const struct xml_limits *limits = &xml_limits_authenticated;
    const struct xml_tree *t;
    struct oracle_result expat;
    struct xml_parser *p;
    struct buf lines;

    demand(xml_parser_new(&p, limits) == 0, "no memory");
    (void)xml_document_encoding(doc);
    t = xml_parser_document(p, doc);
    oracle_run_document(&expat, doc, limits);
    if (t) {
        buf_init(&lines, 1u << 20);
        dump_tree(&lines, t, 0, false);
        demand(expat.is_accepted && !expat.extra, "taken, expat refuses");
        demand(slice_eq(buf_slice(&lines), buf_slice(&expat.events)), "other events");
        buf_deinit(&lines);
    } else {
        demand(!expat.is_accepted || expat.extra, "refused, expat accepts");
    }
    oracle_result_deinit(&expat);
    xml_parser_free(p);
    return 0;
}
