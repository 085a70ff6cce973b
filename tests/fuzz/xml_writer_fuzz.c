/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xml_writer_fuzz: what the parser takes is written anew; both parsers must read the same back.
 * Any bytes come out of the cleaning writer as text that both take.                              */
#include <stdlib.h>

#include "canon.h"
#include "oracle.h"
#include "base/pool.h"
#include "xml/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_lines(struct slice doc, const struct buf *lines)
{
    if (!oracle_both_take(doc, lines)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct xml_write_params params = {.ns_default = {"jabber:server", 13}};
    struct slice doc = slice_make((const char *)data, size);
    struct xml_parser *p;
    int err = xml_parser_new(&p, &xml_limits_unauthenticated);
    enum xml_event event = err ? XML_BAD : XML_STREAM_OPEN;
    struct buf lines, out;

    buf_init(&lines, POOL_BLOCK_BYTES_MAX);
    buf_init(&out, POOL_BLOCK_BYTES_MAX);
    buf_put_lit(&lines, "(jabber:server||s\n");
    buf_put_lit(&out, "<s xmlns='jabber:server'>");
    while (event == XML_STREAM_OPEN || event == XML_ELEMENT) {
        size_t used;

        event = xml_parser_feed(p, doc.ptr, doc.len, &used);
        doc = slice_from(doc, used);
        if (event == XML_ELEMENT) {
            if (canon_fault_any(xml_parser_tree(p))) {
                abort();
            }
            dump_tree(&lines, xml_parser_tree(p), 0, false);
            xml_write_tree(&out, xml_parser_tree(p), 0, &params);
        }
    }
    buf_put_lit(&lines, ")\n");
    buf_put_lit(&out, "</s>");
    expect_lines(buf_slice(&out), &lines);
    buf_clear(&out);
    buf_put_lit(&out, "<s><t>");
    xml_write_text_clean(&out, slice_make((const char *)data, size));
    buf_put_lit(&out, "</t></s>");
    expect_lines(buf_slice(&out), NULL);
    xml_parser_free(p);
    buf_deinit(&lines);
    buf_deinit(&out);
    return 0;
}
