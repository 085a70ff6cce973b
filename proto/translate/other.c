/* SPDX-License-Identifier: GPL-2.0-or-later */
/* other: iq for SIP users, and presence of strangers, who learn nothing. */
#include "translate/message.h"
#include "xml/writer.h"

static void write_presence(struct buf *out, const struct stanza *st, const char *type)
{
    struct buf jid;

    buf_init(&jid, JID_BYTES_MAX);
    buf_put_lit(out, "<presence");
    jid_write_bare(&jid, &st->to);
    xml_write_attr(out, "from", buf_slice(&jid));
    buf_clear(&jid);
    /* Subscriptions are between bare addresses (RFC 6121 3.1); a probe's answer goes to the
     * asker. */
    if (st->type == STANZA_TYPE_PROBE) {
        jid_write(&jid, &st->from);
    } else {
        jid_write_bare(&jid, &st->from);
    }
    xml_write_attr(out, "to", buf_slice(&jid));
    xml_write_attr(out, "type", slice_from_cstr(type));
    if (st->id.len > 0) {
        xml_write_attr(out, "id", st->id);
    }
    buf_put_lit(out, "/>");
    out->failed |= jid.failed;
    buf_deinit(&jid);
}

static enum message_other answer_presence(struct buf *out, const struct stanza *st)
{
    /* `unsubscribe` ends nothing here, and its user's server has ended it already: RFC 6121 3.3.3
     * ignores it. A word back would undo a `subscribe` that is right behind it. */
    if (st->type == STANZA_TYPE_SUBSCRIBE) {
        write_presence(out, st, "unsubscribed");
        return MESSAGE_OTHER_ANSWERED;
    }
    if (st->type == STANZA_TYPE_PROBE) {
        write_presence(out, st, "unavailable");
        return MESSAGE_OTHER_ANSWERED;
    }
    return MESSAGE_OTHER_CONSUMED;
}

enum message_other message_answer_other(struct buf *out, const struct stanza *st)
{
    struct stanza_error error = {.condition = STANZA_CONDITION_SERVICE_UNAVAILABLE};

    if (st->kind == STANZA_PRESENCE) {
        return answer_presence(out, st);
    }
    if (st->kind == STANZA_IQ && (st->type == STANZA_TYPE_GET || st->type == STANZA_TYPE_SET)) {
        stanza_write_error(out, st, &error);
        return MESSAGE_OTHER_ANSWERED;
    }
    return MESSAGE_OTHER_CONSUMED;
}
