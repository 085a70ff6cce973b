/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_out: the initiating side of a stream up to authentication: header, features, STARTTLS,
 * SASL EXTERNAL, and which of the ways the rules leave open is tried next (xmpp.md 2.1 to 2.5). */
#include "base/base64.h"
#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
#include "xml/writer.h"
#include "xmpp/stream_int.h"

#define METHODS_TLS                                                                                \
    (STREAM_METHOD_EXTERNAL | STREAM_METHOD_CERTIFICATE | STREAM_METHOD_DIALBACK_TLS)
#define METHODS_DIALBACK_TLS (STREAM_METHOD_CERTIFICATE | STREAM_METHOD_DIALBACK_TLS)

static bool has(const struct stream *s, uint32_t methods)
{
    return (s->rules.methods & methods) != 0;
}

/* Sending a db:result as things stand: over TLS a peer may settle it by our certificate, which we
 * cannot see; CERTIFICATE alone is for further domains on a stream that EXTERNAL opened. */
static bool may_dialback(const struct stream *s)
{
    return has(s, s->is_secured ? STREAM_METHOD_DIALBACK_TLS : STREAM_METHOD_DIALBACK_PLAIN);
}

/* XEP-0220 2.3: the namespace in the peer's header, or the feature. Headers without version are of
 * servers that knew nothing else. */
static bool peer_knows_dialback(const struct stream *s)
{
    return s->is_peer_db || s->peer.dialback || !s->is_version_1;
}

void stream_out_put_header(struct stream *s)
{
    buf_put_lit(s->out, "<?xml version=\"1.0\"?><stream:stream xmlns=\"" NS_SERVER
                        "\" xmlns:stream=\"" NS_STREAMS "\"");
    /* An advertisement (XEP-0220 2.3) for as long as this header stands. */
    s->is_db_declared = has(s, s->is_secured ? METHODS_DIALBACK_TLS
                                             : (uint32_t)STREAM_METHOD_DIALBACK_PLAIN);
    if (s->is_db_declared) {
        buf_put_lit(s->out, " xmlns:db=\"" NS_DIALBACK "\"");
    }
    if (!slice_is_empty(s->local)) {
        xml_write_attr(s->out, "from", s->local);
    }
    xml_write_attr(s->out, "to", s->remote);
    buf_put_lit(s->out, " version=\"1.0\" xml:lang=\"en\">");
    s->is_header_written = true;
}

static enum stream_event_kind refused(struct stream *s, const struct stream_refusal *refusal,
                                      struct stream_event *ev)
{
    return stream_fail(s, ev, STREAM_STEP_POLICY, STREAM_CONDITION_POLICY_VIOLATION,
                       "our rules changed: %s", refusal->text);
}

static enum stream_event_kind bad_certificate(struct stream *s, struct stream_event *ev)
{
    return stream_fail(s, ev, STREAM_STEP_CERTIFICATE, STREAM_CONDITION_POLICY_VIOLATION,
                       "the certificate of %s is not acceptable (%s), and the rules allow nothing "
                       "without it; the partner must renew it, or allow dialback",
                       log_quote(s->remote).text, s->host->certificate_fault(s->ctx, s->remote));
}

enum stream_event_kind stream_out_secured(struct stream *s, struct stream_event *ev)
{
    const struct stream_refusal *refusal = stream_ask_rules(s);

    stream_out_put_header(s);
    if (refusal) {
        return refused(s, refusal, ev);
    }
    if (!has(s, STREAM_METHOD_DIALBACK_TLS) && !s->host->certificate_ok(s->ctx, s->remote)) {
        return bad_certificate(s, ev);
    }
    return STREAM_MORE;
}

/* --- the peer's header --- */

static enum stream_event_kind begin_dialback(struct stream *s, struct stream_event *ev)
{
    if (s->is_verify_only) {
        stream_set_state(s, STREAM_STATE_OUT_VERIFYING);
        stream_out_flush_verifies(s);
        return STREAM_MORE;
    }
    return stream_out_start_dialback(s, ev);
}

static enum stream_event_kind old_version(struct stream *s, struct stream_event *ev)
{
    if (s->is_sasl_done) {
        return stream_out_ready(s, pair_find(s, s->local, s->remote), ev);
    }
    if (!may_dialback(s)) {
        /* A peer of before 1.0, or someone who wants us to speak in plain (SEC-34). */
        (void)stream_fail(s, ev, s->is_secured ? STREAM_STEP_SASL : STREAM_STEP_STARTTLS,
                          STREAM_CONDITION_POLICY_VIOLATION,
                          "the answer has no version, which leaves dialback%s only, and the rules "
                          "for these domains do not allow that",
                          s->is_secured ? "" : " without TLS");
        return stream_mismatch(ev);
    }
    return begin_dialback(s, ev);
}

enum stream_event_kind stream_out_header(struct stream *s, const struct xml_tree *t,
                                         struct stream_event *ev)
{
    enum stream_condition bad;
    const char *text = "";
    struct stream_header h;

    if (s->state != STREAM_STATE_OUT_OPENING) {
        return stream_fail(s, ev, STREAM_STEP_HEADER, STREAM_CONDITION_BAD_FORMAT,
                           "a stream header inside the stream");
    }
    bad = stream_read_header(&h, t, xml_parser_default_ns(s->parser), &text);
    if (bad != STREAM_CONDITION_NONE) {
        return stream_fail(s, ev, STREAM_STEP_HEADER, bad, "%s", text);
    }
    if (h.id.len > DIALBACK_ID_BYTES_MAX) {
        return stream_fail(s, ev, STREAM_STEP_HEADER, STREAM_CONDITION_POLICY_VIOLATION,
                           "the stream id is too long");
    }
    /* Judged when the next element is there: it may be the error that explains the answer. */
    s->is_from_wrong = !slice_is_empty(h.from) && !slice_eq(h.from, s->remote);
    s->is_version_1 = h.is_version_1;
    s->is_peer_db = xml_parser_declares(s->parser, SLICE_LIT(NS_DIALBACK));
    if (!stream_keep(&s->id, h.id) || !stream_keep(&s->lang, h.lang)) {
        return stream_nomem(s, ev);
    }
    if (h.is_version_1) {
        stream_set_state(s, STREAM_STATE_OUT_FEATURES);
        return STREAM_MORE;
    }
    if (s->is_from_wrong) {
        return stream_fail(s, ev, STREAM_STEP_HEADER, STREAM_CONDITION_INVALID_FROM,
                           "the answer comes from %s", log_quote(h.from).text);
    }
    return old_version(s, ev);
}

/* --- features --- */

/* A number in <limits/> (XEP-0478); 0 = not said, or nothing a uint32_t holds. */
static uint32_t read_limit(const struct xml_tree *t, const char *name)
{
    uint32_t n = xml_child(t, 0, SLICE_LIT("limits"), SLICE_LIT(NS_LIMITS));
    uint64_t value = 0;

    if (n != XML_NO_NODE) {
        n = xml_child(t, n, slice_from_cstr(name), SLICE_LIT(NS_LIMITS));
    }
    if (n == XML_NO_NODE || !slice_parse_u64(slice_trim(xml_text(t, n)), &value)) {
        return 0;
    }
    return value <= UINT32_MAX ? (uint32_t)value : 0;
}

static void read_features(struct stream *s, const struct xml_tree *t)
{
    struct peer_features *f = &s->peer;
    uint32_t n;

    *f = (struct peer_features){0};
    n = xml_child(t, 0, SLICE_LIT("starttls"), SLICE_LIT(NS_TLS));
    f->starttls = n != XML_NO_NODE;
    f->starttls_required =
        f->starttls && xml_child(t, n, SLICE_LIT("required"), SLICE_NONE) != XML_NO_NODE;
    n = xml_child(t, 0, SLICE_LIT("mechanisms"), SLICE_LIT(NS_SASL));
    for (uint32_t m = n == XML_NO_NODE ? n : xml_child(t, n, SLICE_LIT("mechanism"), SLICE_NONE);
         m != XML_NO_NODE; m = xml_next_child(t, n, m, SLICE_LIT("mechanism"), SLICE_NONE)) {
        f->external |= slice_eq(slice_trim(xml_text(t, m)), SLICE_LIT("EXTERNAL"));
    }
    n = xml_child(t, 0, SLICE_LIT("dialback"), SLICE_LIT(NS_DIALBACK_FEATURE));
    f->dialback = n != XML_NO_NODE;
    f->dialback_errors =
        f->dialback && xml_child(t, n, SLICE_LIT("errors"), SLICE_NONE) != XML_NO_NODE;
    if (xml_child(t, 0, SLICE_LIT("sm"), SLICE_LIT(NS_SM3)) != XML_NO_NODE) {
        f->sm_version = 3;
    } else if (xml_child(t, 0, SLICE_LIT("sm"), SLICE_LIT(NS_SM2)) != XML_NO_NODE) {
        f->sm_version = 2;
    }
    f->bytes_max = read_limit(t, "max-bytes");
    f->idle_s = read_limit(t, "idle-seconds");
}

/* The stream stays without TLS: what may be done then. */
static enum stream_event_kind go_on_plain(struct stream *s, struct stream_event *ev)
{
    if (s->peer.starttls_required) {
        (void)stream_fail(s, ev, STREAM_STEP_STARTTLS, STREAM_CONDITION_POLICY_VIOLATION,
                          s->avoid_tls ? "the peer demands TLS, in which an earlier try failed"
                                       : "the peer demands TLS, which our rules do not use here");
        return s->avoid_tls ? STREAM_FAILED : stream_mismatch(ev);
    }
    if (!has(s, STREAM_METHOD_DIALBACK_PLAIN)) {
        (void)stream_fail(s, ev, STREAM_STEP_STARTTLS, STREAM_CONDITION_POLICY_VIOLATION,
                          "the peer refuses TLS, and our rules demand it");
        return stream_mismatch(ev);
    }
    if (!s->is_verify_only && !peer_knows_dialback(s)) {
        return stream_fail(s, ev, STREAM_STEP_DIALBACK, STREAM_CONDITION_POLICY_VIOLATION,
                           "the peer does not offer dialback, and without TLS our rules leave "
                           "nothing else");
    }
    return begin_dialback(s, ev);
}

static enum stream_event_kind features_plain(struct stream *s, struct stream_event *ev)
{
    bool must_tls = !has(s, STREAM_METHOD_DIALBACK_PLAIN);
    bool may_tls = has(s, METHODS_TLS) && (must_tls || !s->avoid_tls);

    /* Where TLS is required its absence from the features may be forged (RFC 7590 3.1): try. */
    if (may_tls && !s->is_starttls_refused && (s->peer.starttls || must_tls)) {
        buf_put_lit(s->out, "<starttls xmlns=\"" NS_TLS "\"/>");
        stream_set_state(s, STREAM_STATE_OUT_STARTTLS);
        return STREAM_MORE;
    }
    return go_on_plain(s, ev);
}

static void put_authzid(struct stream *s)
{
    base64_put(s->out, s->local);
}

static enum stream_event_kind features_secured(struct stream *s, struct stream_event *ev)
{
    bool is_certificate_ok = s->host->certificate_ok(s->ctx, s->remote);

    if (!has(s, METHODS_TLS)) {
        return stream_fail(s, ev, STREAM_STEP_POLICY, STREAM_CONDITION_POLICY_VIOLATION,
                           "TLS is not agreed for these domains (tls: not supported)");
    }
    if (s->is_verify_only) {
        return may_dialback(s) || is_certificate_ok ? begin_dialback(s, ev)
                                                    : bad_certificate(s, ev);
    }
    if (has(s, STREAM_METHOD_EXTERNAL) && is_certificate_ok && s->peer.external) {
        buf_put_lit(s->out, "<auth xmlns=\"" NS_SASL "\" mechanism=\"EXTERNAL\">");
        put_authzid(s);
        buf_put_lit(s->out, "</auth>");
        stream_set_state(s, STREAM_STATE_OUT_SASL);
        return STREAM_MORE;
    }
    if (may_dialback(s) && peer_knows_dialback(s)) {
        return begin_dialback(s, ev);
    }
    if (has(s, STREAM_METHOD_EXTERNAL) && !is_certificate_ok) {
        return bad_certificate(s, ev);
    }
    if (may_dialback(s)) {
        return stream_fail(s, ev, STREAM_STEP_DIALBACK, STREAM_CONDITION_POLICY_VIOLATION,
                           "the peer offers %s",
                           has(s, STREAM_METHOD_EXTERNAL)
                               ? "neither SASL EXTERNAL nor dialback"
                               : "no dialback, and our rules allow nothing else");
    }
    return stream_fail(s, ev, STREAM_STEP_SASL, STREAM_CONDITION_POLICY_VIOLATION,
                       "the peer does not offer SASL EXTERNAL (does it accept our certificate?), "
                       "and our rules allow nothing else");
}

static enum stream_event_kind on_features(struct stream *s, const struct xml_tree *t,
                                          struct stream_event *ev)
{
    const struct stream_refusal *refusal;

    if (s->state != STREAM_STATE_OUT_FEATURES) {
        return stream_note(ev, STREAM_STEP_FEATURES, "features out of turn ignored");
    }
    if (s->is_from_wrong) {
        return stream_fail(s, ev, STREAM_STEP_HEADER, STREAM_CONDITION_INVALID_FROM,
                           "the answer comes from another domain than %s",
                           log_quote(s->remote).text);
    }
    if (slice_is_empty(s->id)) {
        return stream_fail(s, ev, STREAM_STEP_HEADER, STREAM_CONDITION_BAD_FORMAT,
                           "the answer has no stream id");
    }
    read_features(s, t);
    refusal = stream_ask_rules(s);
    if (refusal) {
        return refused(s, refusal, ev);
    }
    if (s->is_sasl_done) {
        return stream_out_ready(s, pair_find(s, s->local, s->remote), ev);
    }
    return s->is_secured ? features_secured(s, ev) : features_plain(s, ev);
}

/* --- answers --- */

static enum stream_event_kind on_tls(struct stream *s, const struct xml_tree *t, bool is_last,
                                     struct stream_event *ev)
{
    struct slice name = t->nodes[0].name;

    if (s->state != STREAM_STATE_OUT_STARTTLS) {
        return stream_note(ev, STREAM_STEP_STARTTLS, "%s out of turn ignored",
                           log_quote(name).text);
    }
    if (slice_eq(name, SLICE_LIT("proceed"))) {
        if (!is_last) {
            return stream_fail(s, ev, STREAM_STEP_STARTTLS, STREAM_CONDITION_POLICY_VIOLATION,
                               "unencrypted bytes behind proceed");
        }
        stream_set_state(s, STREAM_STATE_OUT_SECURING);
        return STREAM_START_TLS;
    }
    s->is_starttls_refused = true;
    s->peer.starttls_required = false;
    return go_on_plain(s, ev);
}

static enum stream_event_kind sasl_failed(struct stream *s, const struct xml_tree *t,
                                          struct stream_event *ev)
{
    struct slice text = SLICE_NONE;
    uint32_t n;

    s->sasl_failure = SASL_CONDITION_NOT_AUTHORIZED;
    for (n = xml_child(t, 0, SLICE_NONE, SLICE_NONE); n != XML_NO_NODE;
         n = xml_next_child(t, 0, n, SLICE_NONE, SLICE_NONE)) {
        if (slice_eq(t->nodes[n].name, SLICE_LIT("text"))) {
            text = xml_text(t, n);
        } else if (sasl_condition_find(t->nodes[n].name) != SASL_CONDITION_NONE) {
            s->sasl_failure = sasl_condition_find(t->nodes[n].name);
        }
    }
    if (may_dialback(s) && peer_knows_dialback(s)) {
        return stream_out_start_dialback(s, ev);
    }
    return stream_fail(s, ev, STREAM_STEP_SASL, STREAM_CONDITION_NONE,
                       "the peer refused our certificate (SASL EXTERNAL: %s, %s), and our rules "
                       "allow nothing else",
                       sasl_condition_name(s->sasl_failure), log_quote(text).text);
}

static enum stream_event_kind on_sasl(struct stream *s, const struct xml_tree *t,
                                      struct stream_event *ev)
{
    struct slice name = t->nodes[0].name;
    struct pair *p;

    if (s->state != STREAM_STATE_OUT_SASL) {
        return stream_note(ev, STREAM_STEP_SASL, "%s out of turn ignored", log_quote(name).text);
    }
    if (slice_eq(name, SLICE_LIT("challenge")) && !s->is_response_sent) {
        s->is_response_sent = true;
        buf_put_lit(s->out, "<response xmlns=\"" NS_SASL "\">");
        put_authzid(s);
        buf_put_lit(s->out, "</response>");
        return STREAM_MORE;
    }
    if (slice_eq(name, SLICE_LIT("failure"))) {
        return sasl_failed(s, t, ev);
    }
    if (!slice_eq(name, SLICE_LIT("success"))) {
        return stream_fail(s, ev, STREAM_STEP_SASL, STREAM_CONDITION_UNDEFINED_CONDITION,
                           "unexpected %s from the peer", log_quote(name).text);
    }
    p = pair_add(s, s->local, s->remote);
    if (!p) {
        return stream_nomem(s, ev);
    }
    pair_prove(s, p, STREAM_METHOD_EXTERNAL);
    s->is_sasl_done = true;
    stream_restart(s);
    stream_set_state(s, STREAM_STATE_OUT_OPENING);
    stream_out_put_header(s);
    return STREAM_MORE;
}

enum stream_event_kind stream_out_element(struct stream *s, const struct xml_tree *t, bool is_last,
                                          struct stream_event *ev)
{
    struct slice ns = t->nodes[0].ns;

    if (s->state == STREAM_STATE_CLOSING) {
        /* Late answers (acknowledgements above all) still count. */
        return slice_eq(ns, SLICE_LIT(NS_SM3)) || slice_eq(ns, SLICE_LIT(NS_SM2))
                   ? stream_out_acks(s, t, ev)
                   : STREAM_MORE;
    }
    if (xml_is(t, 0, SLICE_LIT("features"), SLICE_LIT(NS_STREAMS))) {
        return on_features(s, t, ev);
    }
    if (slice_eq(ns, SLICE_LIT(NS_SM3)) || slice_eq(ns, SLICE_LIT(NS_SM2))) {
        return stream_out_acks(s, t, ev);
    }
    if (slice_eq(ns, SLICE_LIT(NS_DIALBACK))) {
        return stream_out_dialback(s, t, ev);
    }
    if (slice_eq(ns, SLICE_LIT(NS_TLS))) {
        return on_tls(s, t, is_last, ev);
    }
    if (slice_eq(ns, SLICE_LIT(NS_SASL))) {
        return on_sasl(s, t, ev);
    }
    if (slice_eq(ns, SLICE_LIT(NS_SERVER)) || slice_eq(ns, SLICE_LIT(NS_CLIENT))) {
        /* Streams are one-way: nobody authenticated itself towards us here (SEC-12). */
        return stream_fail(s, ev, STREAM_STEP_STANZA, STREAM_CONDITION_NOT_AUTHORIZED,
                           "the peer sent %s on the stream that we opened",
                           log_quote(t->nodes[0].name).text);
    }
    return stream_note(ev, stream_step_of(s), "unknown element %s ignored",
                       log_quote(t->nodes[0].name).text);
}
