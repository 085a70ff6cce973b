/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stanza: any element as a stanza; the error answer to it is a stanza again, of type error, to whom
 * it came from. */
#include <string.h>

#include "base/check.h"
#include "xml/parser.h"
#include "xmpp/stanza.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char header[] =
    "<s:s xmlns='jabber:server' xmlns:s='http://etherx.jabber.org/streams'>";

static const struct xml_tree *parse(struct xml_parser **p, struct slice bytes)
{
    size_t used = 0;

    if (xml_parser_new(p, &xml_limits_authenticated) ||
        xml_parser_feed(*p, header, strlen(header), &used) != XML_STREAM_OPEN ||
        xml_parser_feed(*p, bytes.ptr, bytes.len, &used) != XML_ELEMENT) {
        return NULL;
    }
    return xml_parser_tree(*p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct stanza st, back;
    struct stanza_error e = {.condition = STANZA_CONDITION_FORBIDDEN,
                             .text = slice_make((const char *)data, size)};
    struct stanza_error read;
    struct xml_parser *p = NULL, *q = NULL;
    const struct xml_tree *t = parse(&p, slice_make((const char *)data, size));
    struct buf out;

    buf_init(&out, 1 << 22);
    if (t) {
        enum stanza_fault fault = stanza_view(&st, t, SLICE_LIT("jabber:server"), SLICE_NONE);

        if (fault == STANZA_OK || stanza_fault_condition(fault) != STANZA_CONDITION_NONE) {
            (void)!stanza_read_error(&st, &read);
            stanza_write_error(&out, &st, &e);
        }
        if (buf_len(&out) > 0 && fault != STANZA_FAULT_TO && buf_len(&out) < 200000) {
            t = parse(&q, buf_slice(&out));
            ASSERT(t);
            fault = stanza_view(&back, t, SLICE_LIT("jabber:server"), SLICE_NONE);
            ASSERT(fault == STANZA_OK || fault == STANZA_FAULT_IQ_ID);
            ASSERT(back.type == STANZA_TYPE_ERROR && !stanza_may_bounce(&back));
            ASSERT(jid_eq(&back.to, &st.from) && jid_eq(&back.from, &st.to));
            ASSERT(stanza_read_error(&back, &read));
            ASSERT(read.condition == STANZA_CONDITION_FORBIDDEN);
        }
    }
    buf_deinit(&out);
    xml_parser_free(p);
    xml_parser_free(q);
    return 0;
}
