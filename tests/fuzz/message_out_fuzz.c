/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message_out_fuzz: whatever stanza comes, the SIP MESSAGE made of it is one that our own parser
 * reads with exactly the parts that were meant, so no value can become a header field. */
#include <stdint.h>

#include "base/check.h"
#include "sip/write.h"
#include "translate/message.h"
#include "xml/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_request(const struct message_to_sip *out)
{
    struct sip_request_params p = {
        .method = SIP_METHOD_MESSAGE, .uri = out->uri, .transport = SLICE_LIT("TLS"),
        .sent_by = SLICE_LIT("f.example"), .branch = SLICE_LIT("z9hG4bK1"), .max_forwards = 70,
        .from_uri = out->from_uri, .from_tag = SLICE_LIT("t"), .to_uri = out->uri,
        .call_id = out->call_id.len ? out->call_id : SLICE_LIT("c"), .cseq = 1};
    struct sip_msg m;
    struct sip_bad bad;
    struct slice call_id;
    struct buf wire;

    buf_init(&wire, 1u << 20);
    sip_write_request(&wire, &p);
    sip_write_header(&wire, SIP_HDR_SUBJECT, out->subject);
    sip_write_header(&wire, SIP_HDR_CONTENT_LANGUAGE, out->language);
    sip_write_end(&wire, MESSAGE_CONTENT_TYPE, out->body);
    ASSERT(!wire.failed && sip_msg_parse(&m, buf_slice(&wire), &bad) == 0);
    ASSERT(m.field_count == 10 && slice_eq(m.body, out->body) && slice_eq(m.uri, out->uri));
    ASSERT(sip_msg_call_id(&m, &call_id) == 0 && slice_eq(call_id, p.call_id));
    buf_deinit(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char header[] = "<stream:stream xmlns='jabber:server' version='1.0' "
                                 "xmlns:stream='http://etherx.jabber.org/streams'>";
    struct message_to_sip_options options = {.with_gruu = true, .pass_headlines = true};
    struct message_to_sip out;
    struct xml_parser *p;
    struct stanza st;
    size_t used;

    ASSERT(xml_parser_new(&p, &xml_limits_authenticated) == 0);
    ASSERT(xml_parser_feed(p, header, sizeof(header) - 1, &used) == XML_STREAM_OPEN);
    if (xml_parser_feed(p, (const char *)data, size, &used) == XML_ELEMENT &&
        stanza_view(&st, xml_parser_tree(p), SLICE_LIT("jabber:server"), SLICE_NONE) == STANZA_OK &&
        st.kind == STANZA_MESSAGE) {
        message_to_sip(&out, &st, &options);
        if (out.verdict == MESSAGE_SEND) {
            check_request(&out);
        }
        message_to_sip_deinit(&out);
    }
    xml_parser_free(p);
    return 0;
}
