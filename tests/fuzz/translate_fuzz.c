/* SPDX-License-Identifier: GPL-2.0-or-later */
/* translate_fuzz: whatever a SIP MESSAGE holds, the stanza made of it is one well-formed element
 * whose addresses and shape are what was announced. First line: content type; rest: body. */
#include <stdint.h>

#include "base/check.h"
#include "translate/message.h"
#include "xml/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_stanza(struct slice xml, const struct message_from_sip *r)
{
    static const char header[] = "<stream:stream xmlns='jabber:server' version='1.0' "
                                 "xmlns:stream='http://etherx.jabber.org/streams'>";
    struct xml_parser *p;
    struct stanza st;
    size_t used;

    ASSERT(xml_parser_new(&p, &xml_limits_authenticated) == 0);
    ASSERT(xml_parser_feed(p, header, sizeof(header) - 1, &used) == XML_STREAM_OPEN);
    ASSERT(xml_parser_feed(p, xml.ptr, xml.len, &used) == XML_ELEMENT && used == xml.len);
    ASSERT(stanza_view(&st, xml_parser_tree(p), SLICE_LIT("jabber:server"), SLICE_NONE) ==
           STANZA_OK);
    ASSERT(st.kind == STANZA_MESSAGE && jid_eq(&st.from, &r->from) && jid_eq(&st.to, &r->to));
    xml_parser_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice body = slice_make((const char *)data, size);
    struct message_from_sip_options options = {.now_unix_s = 1795176000};
    struct message_from_sip r;
    struct slice type;
    struct sip_msg m;
    struct sip_bad bad;
    struct buf wire, out;

    (void)slice_cut(&body, '\n', &type);
    buf_init(&wire, 1u << 20);
    buf_init(&out, 200000); /* what the parser takes */
    buf_put_lit(&wire, "MESSAGE sip:j@c.example SIP/2.0\r\nVia: SIP/2.0/TLS p;branch=z9hG4bK1\r\n"
                       "From: <sip:a@b.example>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: c<1>\r\n"
                       "CSeq: 1 MESSAGE\r\nSubject: <&\xff\r\nContent-Type: ");
    buf_put(&wire, type);
    buf_put_lit(&wire, "\r\n\r\n");
    buf_put(&wire, body);
    if (sip_msg_parse(&m, buf_slice(&wire), &bad) == 0) {
        message_from_sip(&r, &out, &m, &options);
        ASSERT((r.verdict == MESSAGE_SEND) == (buf_len(&out) > 0));
        if (r.verdict == MESSAGE_SEND) {
            check_stanza(buf_slice(&out), &r);
        }
    }
    buf_deinit(&wire);
    buf_deinit(&out);
    return 0;
}
