/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_in_sasl: SASL EXTERNAL of a peer server (RFC 6120 6, XEP-0178, xmpp.md 2.5). The identity
 * is the from of the stream header; an authorisation identity may only repeat it. */
#include "base/base64.h"
#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
#include "xmpp/stream_int.h"

/* What a domain of JID_PART_BYTES_MAX needs as base64. */
#define AUTHZID_CHARS_MAX ((JID_PART_BYTES_MAX + 2u) / 3u * 4u)

static bool has_dialback(const struct stream *s)
{
    uint32_t methods = s->is_secured ? STREAM_METHOD_CERTIFICATE | STREAM_METHOD_DIALBACK_TLS
                                     : STREAM_METHOD_DIALBACK_PLAIN;

    return (s->rules.methods & methods) != 0;
}

static enum stream_event_kind refuse(struct stream *s, enum sasl_condition condition,
                                     struct stream_event *ev)
{
    const char *name = sasl_condition_name(condition);

    buf_put_lit(s->out, "<failure xmlns=\"" NS_SASL "\"><");
    buf_put_cstr(s->out, name);
    buf_put_lit(s->out, "/></failure>");
    if (s->state == STREAM_STATE_IN_SASL) {
        stream_set_state(s, STREAM_STATE_IN_FEATURES);
    }
    s->sasl_attempts++;
    if (s->sasl_attempts >= s->limits.sasl_attempts_max) {
        return stream_fail(s, ev, STREAM_STEP_SASL, STREAM_CONDITION_POLICY_VIOLATION,
                           "%u failed attempts of SASL, the last with %s", s->sasl_attempts, name);
    }
    if (condition == SASL_CONDITION_NOT_AUTHORIZED && s->proved_count == 0 && !has_dialback(s)) {
        return stream_fail(s, ev, STREAM_STEP_SASL, STREAM_CONDITION_NOT_AUTHORIZED,
                           "the certificate does not authenticate the stream's from, and nothing "
                           "else may: %s",
                           s->host->certificate_fault(s->ctx, s->remote));
    }
    return stream_note(ev, STREAM_STEP_SASL, "EXTERNAL refused with %s", name);
}

/* authzid: base64 text, "=" or empty. */
static enum sasl_condition judge_authzid(struct stream *s, struct slice text)
{
    struct jid_storage mem;
    struct jid jid;
    struct buf plain;
    enum sasl_condition condition = SASL_CONDITION_NONE;

    if (slice_is_empty(text) || slice_eq(text, SLICE_LIT("="))) {
        return SASL_CONDITION_NONE;
    }
    if (text.len > AUTHZID_CHARS_MAX) {
        return SASL_CONDITION_INVALID_AUTHZID;
    }
    buf_init(&plain, JID_PART_BYTES_MAX + 2u);
    if (!base64_decode(&plain, text)) {
        condition = SASL_CONDITION_INCORRECT_ENCODING;
    } else if (jid_parse(&mem, buf_slice(&plain), &jid) || !jid_is_domain(&jid) ||
               !slice_eq(jid.domain, s->remote)) {
        condition = SASL_CONDITION_INVALID_AUTHZID;
    }
    buf_deinit(&plain);
    return condition;
}

static enum stream_event_kind finish(struct stream *s, struct slice text, struct stream_event *ev)
{
    enum sasl_condition condition = judge_authzid(s, text);
    const struct stream_refusal *refusal;
    struct pair *p;

    if (condition != SASL_CONDITION_NONE) {
        return refuse(s, condition, ev);
    }
    /* Certificate and rules again, now that it counts. */
    refusal = stream_ask_rules(s);
    if (refusal || (s->rules.methods & STREAM_METHOD_EXTERNAL) == 0 ||
        !s->host->certificate_ok(s->ctx, s->remote)) {
        return refuse(s, SASL_CONDITION_NOT_AUTHORIZED, ev);
    }
    pair_remove_asked(s);
    p = pair_add(s, s->local, s->remote);
    if (!p) {
        return refuse(s, SASL_CONDITION_TEMPORARY_AUTH_FAILURE, ev);
    }
    pair_prove(s, p, STREAM_METHOD_EXTERNAL);
    buf_put_lit(s->out, "<success xmlns=\"" NS_SASL "\"/>");
    s->is_sasl_done = true;
    stream_restart(s);
    stream_opened(s);
    stream_set_state(s, STREAM_STATE_IN_OPENING);
    ev->local = p->local;
    ev->remote = p->remote;
    ev->method = p->method;
    return STREAM_PAIR_AUTHENTICATED;
}

static enum stream_event_kind on_auth(struct stream *s, const struct xml_tree *t,
                                      struct stream_event *ev)
{
    struct slice mechanism = xml_attr_value(t, 0, SLICE_LIT("mechanism"));

    if (s->state == STREAM_STATE_IN_SASL) {
        return refuse(s, SASL_CONDITION_MALFORMED_REQUEST, ev);
    }
    if (!s->is_secured) {
        return refuse(s, SASL_CONDITION_ENCRYPTION_REQUIRED, ev);
    }
    if (!slice_eq(mechanism, SLICE_LIT("EXTERNAL"))) {
        return refuse(s, SASL_CONDITION_INVALID_MECHANISM, ev);
    }
    if (s->state != STREAM_STATE_IN_FEATURES || !s->is_external_offered) {
        return refuse(s, SASL_CONDITION_NOT_AUTHORIZED, ev);
    }
    if (t->nodes[0].first_child == XML_NO_NODE) {
        buf_put_lit(s->out, "<challenge xmlns=\"" NS_SASL "\"/>");
        stream_set_state(s, STREAM_STATE_IN_SASL);
        return STREAM_MORE;
    }
    if (xml_child(t, 0, SLICE_NONE, SLICE_NONE) != XML_NO_NODE) {
        return refuse(s, SASL_CONDITION_MALFORMED_REQUEST, ev);
    }
    return finish(s, xml_text(t, 0), ev);
}

enum stream_event_kind stream_in_sasl(struct stream *s, const struct xml_tree *t,
                                      struct stream_event *ev)
{
    struct slice name = t->nodes[0].name;

    if (slice_eq(name, SLICE_LIT("auth"))) {
        return on_auth(s, t, ev);
    }
    if (slice_eq(name, SLICE_LIT("response")) && s->state == STREAM_STATE_IN_SASL) {
        if (xml_child(t, 0, SLICE_NONE, SLICE_NONE) != XML_NO_NODE) {
            return refuse(s, SASL_CONDITION_MALFORMED_REQUEST, ev);
        }
        return finish(s, xml_text(t, 0), ev);
    }
    if (slice_eq(name, SLICE_LIT("abort")) && s->state == STREAM_STATE_IN_SASL) {
        return refuse(s, SASL_CONDITION_ABORTED, ev);
    }
    return refuse(s, SASL_CONDITION_MALFORMED_REQUEST, ev);
}
