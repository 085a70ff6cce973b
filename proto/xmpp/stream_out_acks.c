/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_out_acks: acknowledgements on the streams that we open (XEP-0198, no resumption), and the
 * accounting of what the edge sent. */
#include "base/check.h"
#include "base/log.h"
#include "xml/writer.h"
#include "xmpp/stream_int.h"

static void put_element(struct stream *s, const char *name)
{
    buf_putc(s->out, '<');
    buf_put_cstr(s->out, name);
    xml_write_attr(s->out, "xmlns", slice_from_cstr(acks_ns(&s->acks)));
    buf_put_lit(s->out, "/>");
}

void stream_out_enable_acks(struct stream *s)
{
    if (!s->rules.acks || s->peer.sm_version == 0) {
        return;
    }
    acks_start(&s->acks, s->peer.sm_version, ACKS_ASKED);
    put_element(s, "enable");
    s->ack_by_ms = s->now_ms + s->limits.ack_ms;
}

/* One <r/> is out at a time: its answer covers what was sent meanwhile only in part, then the next
 * follows if one is wanted. */
static void request(struct stream *s)
{
    if (s->acks.state != ACKS_ON || !s->acks.is_wanted || s->acks.is_requested ||
        acks_unacked(&s->acks) == 0) {
        return;
    }
    s->acks.is_wanted = false;
    s->acks.is_requested = true;
    s->acks.asked = s->acks.sent;
    put_element(s, "r");
    s->ack_by_ms = s->now_ms + s->limits.ack_ms;
}

void stream_sent(struct stream *s, uint64_t now_ms, uint32_t stanza_count)
{
    stream_enter(s, now_ms);
    if (s->state != STREAM_STATE_OUT_OPEN) {
        return;
    }
    s->acks.sent += stanza_count;
    stream_touch(s);
}

void stream_ask(struct stream *s, uint64_t now_ms)
{
    stream_enter(s, now_ms);
    if (s->state != STREAM_STATE_OUT_OPEN) {
        return;
    }
    s->acks.is_wanted = acks_unacked(&s->acks) != 0;
    request(s);
}

uint32_t stream_peer_offers(const struct stream *s)
{
    const struct peer_features *f = &s->peer;
    uint32_t bits = f->starttls ? STREAM_OFFER_STARTTLS : 0u;

    bits |= f->starttls_required ? STREAM_OFFER_STARTTLS_REQUIRED : 0u;
    bits |= f->external ? STREAM_OFFER_EXTERNAL : 0u;
    bits |= f->dialback || s->is_peer_db ? STREAM_OFFER_DIALBACK : 0u;
    bits |= f->dialback_errors ? STREAM_OFFER_DIALBACK_ERRORS : 0u;
    return bits | (f->sm_version ? STREAM_OFFER_ACKS : 0u);
}

uint32_t stream_peer_bytes_max(const struct stream *s)
{
    return s->peer.bytes_max;
}

enum stream_event_kind stream_acks_too_high(struct stream *s, struct stream_event *ev, uint64_t h)
{
    char app[128];
    struct stream_end how = {
        .step = STREAM_STEP_ACKS, .condition = STREAM_CONDITION_UNDEFINED_CONDITION, .app = app};
    struct buf text;

    buf_init(&text, sizeof(app) - 1);
    buf_put_lit(&text, "<handled-count-too-high");
    xml_write_attr(&text, "xmlns", slice_from_cstr(acks_ns(&s->acks)));
    buf_put_lit(&text, " h=\"");
    buf_put_u64(&text, h);
    buf_put_lit(&text, "\" send-count=\"");
    buf_put_u64(&text, s->acks.sent);
    buf_put_lit(&text, "\"/>");
    if (!slice_to_cstr(buf_slice(&text), app, sizeof(app))) {
        how.app = NULL;
    }
    buf_deinit(&text);
    return stream_end(s, ev, &how, "the peer acknowledges %llu stanzas, %u were sent",
                      (unsigned long long)h, s->acks.sent);
}

static enum stream_event_kind on_answer(struct stream *s, const struct xml_tree *t,
                                        struct stream_event *ev)
{
    uint64_t h = 0;
    uint32_t newly = 0;

    if (!slice_parse_u64(xml_attr_value(t, 0, SLICE_LIT("h")), &h) || h > UINT32_MAX ||
        !acks_take(&s->acks, (uint32_t)h, &newly)) {
        return stream_acks_too_high(s, ev, h);
    }
    s->ack_by_ms = STREAM_NEVER;
    if (s->state == STREAM_STATE_OUT_OPEN) {
        /* An answer may come before all that was asked for is handled. */
        s->acks.is_wanted = s->acks.is_wanted || acks_unanswered(&s->acks);
        request(s);
    }
    ev->acked_count = newly;
    return newly > 0 ? STREAM_ACKED : STREAM_MORE;
}

enum stream_event_kind stream_out_acks(struct stream *s, const struct xml_tree *t,
                                       struct stream_event *ev)
{
    struct slice name = t->nodes[0].name;

    if (slice_eq(name, SLICE_LIT("enabled")) && s->acks.state == ACKS_ASKED) {
        acks_set_state(&s->acks, ACKS_ON);
        s->ack_by_ms = STREAM_NEVER;
        request(s);
        return STREAM_MORE;
    }
    if (slice_eq(name, SLICE_LIT("failed")) && s->acks.state == ACKS_ASKED) {
        acks_start(&s->acks, s->acks.version, ACKS_OFF);
        s->ack_by_ms = STREAM_NEVER;
        return STREAM_ACKS_REFUSED;
    }
    if (s->acks.state != ACKS_ON) {
        return stream_note(ev, STREAM_STEP_ACKS, "%s without acknowledgements agreed",
                           log_quote(name).text);
    }
    if (slice_eq(name, SLICE_LIT("a"))) {
        return on_answer(s, t, ev);
    }
    if (slice_eq(name, SLICE_LIT("r"))) {
        buf_put_lit(s->out, "<a");
        xml_write_attr(s->out, "xmlns", slice_from_cstr(acks_ns(&s->acks)));
        buf_put_lit(s->out, " h=\"0\"/>");
        return STREAM_MORE;
    }
    return stream_note(ev, STREAM_STEP_ACKS, "unknown element %s", log_quote(name).text);
}
