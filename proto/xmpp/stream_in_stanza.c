/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_in_stanza: stanzas that arrive: addresses against proved pairs and rules (xmpp.md 2.8),
 * and acknowledging them (XEP-0198). */
#include "base/check.h"
#include "base/log.h"
#include "xml/writer.h"
#include "xmpp/stream_int.h"

static enum stream_event_kind bad_stanza(struct stream_event *ev, enum stanza_condition condition,
                                         const char *text)
{
    stream_explain(ev, STREAM_STEP_STANZA, "%s", text);
    ev->condition = condition;
    return STREAM_STANZA_BAD;
}

/* The pair was proved when other rules held: are they still met? */
static bool is_still_allowed(struct stream *s, struct pair *p)
{
    uint64_t version = s->host->rules_version(s->ctx);
    struct stream_rules rules = {0};

    if (p->rules_version == version || p->is_refused) {
        return !p->is_refused;
    }
    p->rules_version = version;
    p->is_refused = s->host->rules(s->ctx, STREAM_IN, p->local, p->remote, &rules) ||
                    (rules.methods & p->method) == 0;
    return !p->is_refused;
}

/* Other pairs of the stream do not suffer for one that is no longer agreed, within bounds; nor does
 * the closing of a stream for what was on its way. */
static enum stream_event_kind not_allowed(struct stream *s, const struct pair *p,
                                          struct stream_event *ev)
{
    bool is_needed = s->state == STREAM_STATE_CLOSING || pair_is_any_left(s);

    s->bad_to_count++;
    if (!is_needed || s->bad_to_count > STREAM_BAD_TO_MAX) {
        return stream_fail(s, ev, STREAM_STEP_POLICY, STREAM_CONDITION_POLICY_VIOLATION,
                           "the rules for these domains no longer allow %s",
                           stream_method_name(p->method));
    }
    s->acks.received++;
    return bad_stanza(ev, STANZA_CONDITION_POLICY_VIOLATION,
                      "the rules for these domains no longer allow this");
}

/* from is proved, but not towards this to. */
static enum stream_event_kind wrong_to(struct stream *s, struct stream_event *ev)
{
    s->bad_to_count++;
    if (s->bad_to_count > STREAM_BAD_TO_MAX) {
        return stream_fail(s, ev, STREAM_STEP_STANZA, STREAM_CONDITION_HOST_UNKNOWN,
                           "more than %u stanzas to domains that this stream is not for",
                           STREAM_BAD_TO_MAX);
    }
    if (s->host->is_local(s->ctx, ev->stanza.to.domain)) {
        return bad_stanza(ev, STANZA_CONDITION_NOT_AUTHORIZED,
                          "the stream is not authenticated for this pair of domains");
    }
    return bad_stanza(ev, STANZA_CONDITION_ITEM_NOT_FOUND, "the domain is not served here");
}

static enum stream_event_kind bad_address(struct stream *s, enum stanza_fault fault,
                                          struct stream_event *ev)
{
    if (fault == STANZA_FAULT_NOMEM) {
        return stream_nomem(s, ev);
    }
    if (fault == STANZA_FAULT_KIND) {
        return stream_fail(s, ev, STREAM_STEP_STANZA, STREAM_CONDITION_UNSUPPORTED_STANZA_TYPE,
                           "%s", stanza_fault_text(fault));
    }
    return stream_fail(s, ev, STREAM_STEP_STANZA, STREAM_CONDITION_IMPROPER_ADDRESSING, "%s",
                       stanza_fault_text(fault));
}

enum stream_event_kind stream_in_stanza(struct stream *s, const struct xml_tree *t,
                                        struct stream_event *ev)
{
    struct stanza *st = &ev->stanza;
    enum stanza_fault fault;
    struct pair *p;

    if (s->proved_count == 0) {
        return stream_fail(s, ev, STREAM_STEP_STANZA, STREAM_CONDITION_NOT_AUTHORIZED,
                           "element %s before any domain was authenticated",
                           log_quote(t->nodes[0].name).text);
    }
    fault = stanza_view(st, t, SLICE_LIT(NS_SERVER), s->lang);
    if (fault != STANZA_OK && stanza_fault_condition(fault) == STANZA_CONDITION_NONE) {
        return bad_address(s, fault, ev);
    }
    p = fault == STANZA_FAULT_TO ? pair_find_remote(s, st->from.domain)
                                 : pair_find(s, st->to.domain, st->from.domain);
    if (!p || !p->is_proved) {
        if (!pair_find_remote(s, st->from.domain)) {
            return stream_fail(s, ev, STREAM_STEP_STANZA, STREAM_CONDITION_INVALID_FROM,
                               "a stanza from %s, which is not authenticated on this stream",
                               log_quote(st->from.domain).text);
        }
        s->acks.received++;
        return wrong_to(s, ev);
    }
    s->pair_last = p;
    if (!is_still_allowed(s, p)) {
        return not_allowed(s, p, ev);
    }
    s->acks.received++;
    if (fault == STANZA_FAULT_TO) {
        st->to.domain = p->local;
    }
    if (fault != STANZA_OK) {
        return bad_stanza(ev, stanza_fault_condition(fault), stanza_fault_text(fault));
    }
    s->bad_to_count = 0;
    return STREAM_STANZA;
}

/* --- XEP-0198 --- */

static enum stream_event_kind acks_refuse(struct stream *s, const struct xml_tree *t,
                                          enum stanza_condition condition, struct stream_event *ev)
{
    buf_put_lit(s->out, "<failed");
    xml_write_attr(s->out, "xmlns", t->nodes[0].ns);
    buf_put_lit(s->out, "><");
    buf_put_cstr(s->out, stanza_condition_name(condition));
    buf_put_lit(s->out, " xmlns=\"" NS_STANZA_ERRORS "\"/></failed>");
    return stream_note(ev, STREAM_STEP_ACKS, "%s refused: %s", log_quote(t->nodes[0].name).text,
                       stanza_condition_name(condition));
}

enum stream_event_kind stream_in_acks(struct stream *s, const struct xml_tree *t,
                                      struct stream_event *ev)
{
    struct slice name = t->nodes[0].name;
    uint8_t version = slice_eq(t->nodes[0].ns, SLICE_LIT(NS_SM2)) ? 2 : 3;
    uint64_t h = 0;

    if (slice_eq(name, SLICE_LIT("enable"))) {
        if (s->state != STREAM_STATE_IN_OPEN || !s->is_acks_offered || s->acks.state != ACKS_OFF) {
            return acks_refuse(s, t, STANZA_CONDITION_UNEXPECTED_REQUEST, ev);
        }
        /* Never resumable, also when that was asked for. */
        acks_start(&s->acks, version, ACKS_ON);
        buf_put_lit(s->out, "<enabled");
        xml_write_attr(s->out, "xmlns", t->nodes[0].ns);
        buf_put_lit(s->out, "/>");
        return STREAM_MORE;
    }
    if (slice_eq(name, SLICE_LIT("resume"))) {
        return acks_refuse(s, t, STANZA_CONDITION_ITEM_NOT_FOUND, ev);
    }
    if (s->acks.state != ACKS_ON) {
        return acks_refuse(s, t, STANZA_CONDITION_UNEXPECTED_REQUEST, ev);
    }
    if (slice_eq(name, SLICE_LIT("r"))) {
        buf_put_lit(s->out, "<a");
        xml_write_attr(s->out, "xmlns", t->nodes[0].ns);
        buf_put_lit(s->out, " h=\"");
        buf_put_u64(s->out, s->acks.received);
        buf_put_lit(s->out, "\"/>");
        return STREAM_MORE;
    }
    if (slice_eq(name, SLICE_LIT("a"))) {
        /* We send no stanzas on this stream. */
        if (!slice_parse_u64(xml_attr_value(t, 0, SLICE_LIT("h")), &h) || h > 0) {
            return stream_acks_too_high(s, ev, h);
        }
        return STREAM_MORE;
    }
    return stream_note(ev, STREAM_STEP_ACKS, "unknown element %s", log_quote(name).text);
}
