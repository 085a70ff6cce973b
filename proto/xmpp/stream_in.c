/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_in: the receiving side of a stream: header, features by state (xmpp.md 2.3), STARTTLS and
 * the way of each first-level element. */
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

/* Whether the rules leave dialback to the connection as it stands, with TLS or without. */
static bool has_dialback(const struct stream *s)
{
    return has(s, s->is_secured ? METHODS_DIALBACK_TLS : (uint32_t)STREAM_METHOD_DIALBACK_PLAIN);
}

static bool is_authenticated(const struct stream *s)
{
    return s->is_sasl_done;
}

/* --- what we write --- */

/* A fresh unpredictable id for each XML stream. An id that memory failed us for stays empty: then
 * nothing can be proved by dialback, and the next allocation ends the stream.                    */
static void make_id(struct stream *s)
{
    unsigned char bytes[STREAM_ID_CHARS / 2];
    char text[STREAM_ID_CHARS];
    static const char digits[] = "0123456789abcdef";

    s->crypto->random(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    (void)!stream_keep(&s->id, slice_make(text, sizeof(text)));
}

void stream_in_put_header(struct stream *s, const struct stream_header *h)
{
    make_id(s);
    buf_put_lit(s->out, "<?xml version=\"1.0\"?><stream:stream xmlns=\"" NS_SERVER
                        "\" xmlns:stream=\"" NS_STREAMS "\"");
    /* The declaration is an advertisement (XEP-0220 2.3): only where dialback would be taken. */
    s->is_db_declared = has_dialback(s);
    if (s->is_db_declared) {
        buf_put_lit(s->out, " xmlns:db=\"" NS_DIALBACK "\"");
    }
    xml_write_attr(s->out, "id", s->id);
    if (!slice_is_empty(s->local)) {
        xml_write_attr(s->out, "from", s->local);
    }
    if (!slice_is_empty(s->remote)) {
        xml_write_attr(s->out, "to", s->remote);
    }
    if (!h || h->is_version_1) {
        buf_put_lit(s->out, " version=\"1.0\"");
    }
    buf_put_lit(s->out, " xml:lang=\"en\">");
    s->is_header_written = true;
}

static void put_dialback_feature(struct stream *s)
{
    buf_put_lit(s->out, "<dialback xmlns=\"" NS_DIALBACK_FEATURE "\"><errors/></dialback>");
}

static void put_limits_feature(struct stream *s)
{
    uint32_t bytes_max = s->limits.stanza_bytes_max;
    uint32_t idle_ms = s->rules.inactivity_ms;

    /* Silence is what the peer is told of; spaces are enough to break it. */
    if (s->rules.keepalive_ms && (idle_ms == 0 || s->rules.keepalive_ms < idle_ms)) {
        idle_ms = s->rules.keepalive_ms;
    }
    if (s->rules.stanza_bytes_max && s->rules.stanza_bytes_max < bytes_max) {
        bytes_max = s->rules.stanza_bytes_max;
    }
    buf_put_lit(s->out, "<limits xmlns=\"" NS_LIMITS "\"><max-bytes>");
    buf_put_u64(s->out, bytes_max);
    buf_put_lit(s->out, "</max-bytes>");
    if (idle_ms) {
        buf_put_lit(s->out, "<idle-seconds>");
        buf_put_u64(s->out, idle_ms / 1000);
        buf_put_lit(s->out, "</idle-seconds>");
    }
    buf_put_lit(s->out, "</limits>");
}

static void put_features_plain(struct stream *s)
{
    buf_put_lit(s->out, "<stream:features>");
    if (has(s, METHODS_TLS)) {
        s->is_starttls_offered = true;
        if (has(s, STREAM_METHOD_DIALBACK_PLAIN)) {
            buf_put_lit(s->out, "<starttls xmlns=\"" NS_TLS "\"/>");
        } else {
            buf_put_lit(s->out, "<starttls xmlns=\"" NS_TLS "\"><required/></starttls>");
        }
    }
    if (has(s, STREAM_METHOD_DIALBACK_PLAIN)) {
        put_dialback_feature(s);
        put_limits_feature(s);
    }
    buf_put_lit(s->out, "</stream:features>");
}

/* What is left to a peer that has TLS but is not authenticated; nothing = close. */
static enum stream_event_kind put_features_secured(struct stream *s, struct stream_event *ev)
{
    bool is_named = !slice_is_empty(s->remote);
    bool is_proved = is_named && s->host->certificate_ok(s->ctx, s->remote);
    bool can_external = is_proved && has(s, STREAM_METHOD_EXTERNAL);
    bool can_dialback = has(s, STREAM_METHOD_DIALBACK_TLS) ||
                        (has(s, STREAM_METHOD_CERTIFICATE) && (is_proved || !is_named));

    if (!can_external && !can_dialback && !has(s, METHODS_TLS)) {
        return stream_fail(s, ev, STREAM_STEP_POLICY, STREAM_CONDITION_POLICY_VIOLATION,
                           "TLS is not agreed for these domains (tls: not supported)");
    }
    if (!can_external && !can_dialback && !is_named) {
        return stream_fail(s, ev, STREAM_STEP_HEADER, STREAM_CONDITION_IMPROPER_ADDRESSING,
                           "the stream header has no from, so no certificate can be checked");
    }
    if (!can_external && !can_dialback) {
        return stream_fail(s, ev, STREAM_STEP_CERTIFICATE, STREAM_CONDITION_NOT_AUTHORIZED,
                           "the rules for these domains demand a valid certificate, and yours is "
                           "not: %s",
                           s->host->certificate_fault(s->ctx, s->remote));
    }
    buf_put_lit(s->out, "<stream:features>");
    if (can_external) {
        s->is_external_offered = true;
        buf_put_lit(s->out, "<mechanisms xmlns=\"" NS_SASL
                            "\"><mechanism>EXTERNAL</mechanism></mechanisms>");
    }
    if (can_dialback) {
        put_dialback_feature(s);
    }
    put_limits_feature(s);
    buf_put_lit(s->out, "</stream:features>");
    return STREAM_MORE;
}

static void put_features_authenticated(struct stream *s)
{
    buf_put_lit(s->out, "<stream:features>");
    put_limits_feature(s);
    if (s->rules.acks) {
        s->is_acks_offered = true;
        buf_put_lit(s->out, "<sm xmlns=\"" NS_SM3 "\"/><sm xmlns=\"" NS_SM2 "\"/>");
    }
    if (has(s, STREAM_METHOD_CERTIFICATE | STREAM_METHOD_DIALBACK_TLS)) {
        put_dialback_feature(s);
    }
    buf_put_lit(s->out, "</stream:features>");
}

/* --- header --- */

enum stream_event_kind stream_in_sni(struct stream *s, struct slice sni, struct stream_event *ev)
{
    /* Only a name that is a domain of ours says which one was meant: clients that follow SRV
     * records may ask for the target's host name. */
    struct jid_storage mem;
    struct jid jid;

    if (slice_is_empty(sni) || slice_is_empty(s->local) || jid_parse(&mem, sni, &jid)) {
        return STREAM_MORE;
    }
    if (s->host->is_local(s->ctx, jid.domain) && !slice_eq(jid.domain, s->local)) {
        return stream_fail(s, ev, STREAM_STEP_TLS, STREAM_CONDITION_HOST_UNKNOWN,
                           "the TLS server name %s is another domain than the stream's",
                           log_quote(sni).text);
    }
    return STREAM_MORE;
}

/* The addresses of a later header must be those of the first (xmpp.md 2.1). Writes nothing. */
static enum stream_event_kind take_addresses(struct stream *s, const struct stream_header *h,
                                             struct stream_event *ev)
{
    if (!slice_is_empty(h->to) && !s->host->is_local(s->ctx, h->to)) {
        return stream_fail(s, ev, STREAM_STEP_HEADER, STREAM_CONDITION_HOST_UNKNOWN,
                           "the domain %s is not served here", log_quote(h->to).text);
    }
    if (slice_is_empty(h->to) && h->is_version_1) {
        return stream_fail(s, ev, STREAM_STEP_HEADER, STREAM_CONDITION_IMPROPER_ADDRESSING,
                           "the stream header has no to");
    }
    if ((!slice_is_empty(s->local) && !slice_eq(s->local, h->to)) ||
        (!slice_is_empty(s->remote) && !slice_is_empty(h->from) && !slice_eq(s->remote, h->from))) {
        return stream_fail(s, ev, STREAM_STEP_HEADER, STREAM_CONDITION_IMPROPER_ADDRESSING,
                           "from or to is another than in the first stream header");
    }
    if (!slice_is_empty(h->from) && s->host->is_local(s->ctx, h->from)) {
        return stream_fail(s, ev, STREAM_STEP_HEADER, STREAM_CONDITION_UNDEFINED_CONDITION,
                           "from names the domain %s, which is served here: a loop, or forged",
                           log_quote(h->from).text);
    }
    /* Without from this time, the earlier one (perhaps of an unencrypted header) counts no more,
     * unless SASL has proved it. */
    if (!s->is_sasl_done && !stream_keep(&s->remote, h->from)) {
        return stream_nomem(s, ev);
    }
    if (!stream_keep(&s->local, h->to) || !stream_keep(&s->lang, h->lang)) {
        return stream_nomem(s, ev);
    }
    return STREAM_MORE;
}

enum stream_event_kind stream_in_header(struct stream *s, const struct xml_tree *t,
                                        struct stream_event *ev)
{
    const struct stream_refusal *refusal;
    enum stream_condition bad;
    const char *text = "";
    struct stream_header h;
    enum stream_event_kind kind;

    if (s->state != STREAM_STATE_IN_OPENING) {
        return stream_fail(s, ev, STREAM_STEP_HEADER, STREAM_CONDITION_BAD_FORMAT,
                           "a stream header inside the stream");
    }
    bad = stream_read_header(&h, t, xml_parser_default_ns(s->parser), &text);
    if (bad != STREAM_CONDITION_NONE) {
        return stream_fail(s, ev, STREAM_STEP_HEADER, bad, "%s", text);
    }
    s->is_version_1 = h.is_version_1;
    kind = take_addresses(s, &h, ev);
    if (kind != STREAM_MORE) {
        return kind;
    }
    refusal = stream_ask_rules(s);
    if (refusal) {
        return stream_fail(s, ev, STREAM_STEP_POLICY, refusal->condition, "%s", refusal->text);
    }
    if (!h.is_version_1 && !has_dialback(s)) {
        return stream_fail(s, ev, s->is_secured ? STREAM_STEP_SASL : STREAM_STEP_STARTTLS,
                           STREAM_CONDITION_POLICY_VIOLATION,
                           "a stream without version can only use dialback, and the rules for "
                           "these domains do not allow that %s TLS",
                           s->is_secured ? "over" : "without");
    }
    stream_in_put_header(s, &h);
    if (slice_is_empty(s->id)) {
        return stream_nomem(s, ev);
    }
    if (is_authenticated(s)) {
        if (h.is_version_1) {
            put_features_authenticated(s);
        }
        stream_set_state(s, STREAM_STATE_IN_OPEN);
        return STREAM_MORE;
    }
    stream_set_state(s, STREAM_STATE_IN_FEATURES);
    if (!h.is_version_1) {
        return STREAM_MORE;
    }
    if (s->is_secured) {
        return put_features_secured(s, ev);
    }
    put_features_plain(s);
    return STREAM_MORE;
}

enum stream_step stream_in_lacks(const struct stream *s, const char **what)
{
    if (!s->is_secured && !has(s, STREAM_METHOD_DIALBACK_PLAIN)) {
        *what = "TLS, which the rules for these domains demand";
        return STREAM_STEP_STARTTLS;
    }
    if (s->is_dialback_refused || s->asked_count > 0 || !s->is_external_offered) {
        *what = s->asked_count > 0 ? "the answer of its authoritative server"
                                   : "dialback, the way that is left";
        return STREAM_STEP_DIALBACK;
    }
    *what = "SASL EXTERNAL";
    return STREAM_STEP_SASL;
}

/* --- elements --- */

static enum stream_event_kind on_starttls(struct stream *s, const struct xml_tree *t, bool is_last,
                                          struct stream_event *ev)
{
    if (!slice_eq(t->nodes[0].name, SLICE_LIT("starttls")) || !s->is_starttls_offered ||
        s->is_secured || s->state != STREAM_STATE_IN_FEATURES) {
        /* RFC 6120 5.4.2.2: failure, then both ends close. */
        buf_put_lit(s->out, "<failure xmlns=\"" NS_TLS "\"/>");
        return stream_fail(s, ev, STREAM_STEP_STARTTLS, STREAM_CONDITION_NONE,
                           "%s was not offered in this state", log_quote(t->nodes[0].name).text);
    }
    if (!is_last) {
        return stream_fail(s, ev, STREAM_STEP_STARTTLS, STREAM_CONDITION_POLICY_VIOLATION,
                           "unencrypted bytes behind starttls");
    }
    pair_remove_asked(s);
    buf_put_lit(s->out, "<proceed xmlns=\"" NS_TLS "\"/>");
    stream_set_state(s, STREAM_STATE_IN_SECURING);
    return STREAM_START_TLS;
}

enum stream_event_kind stream_in_element(struct stream *s, const struct xml_tree *t, bool is_last,
                                         struct stream_event *ev)
{
    struct slice ns = t->nodes[0].ns;

    if (s->state == STREAM_STATE_CLOSING &&
        (s->proved_count == 0 || !slice_eq(ns, SLICE_LIT(NS_SERVER)))) {
        return STREAM_MORE;
    }
    if (slice_eq(ns, SLICE_LIT(NS_SERVER))) {
        return stream_in_stanza(s, t, ev);
    }
    if (slice_eq(ns, SLICE_LIT(NS_SM3)) || slice_eq(ns, SLICE_LIT(NS_SM2))) {
        return stream_in_acks(s, t, ev);
    }
    if (slice_eq(ns, SLICE_LIT(NS_DIALBACK))) {
        return stream_in_dialback(s, t, ev);
    }
    if (slice_eq(ns, SLICE_LIT(NS_TLS))) {
        return on_starttls(s, t, is_last, ev);
    }
    if (slice_eq(ns, SLICE_LIT(NS_SASL))) {
        return stream_in_sasl(s, t, ev);
    }
    if (slice_eq(ns, SLICE_LIT(NS_CLIENT))) {
        return stream_fail(s, ev, STREAM_STEP_STANZA, STREAM_CONDITION_INVALID_NAMESPACE,
                           "an element of " NS_CLIENT " on a server-to-server stream");
    }
    return stream_fail(s, ev, STREAM_STEP_STANZA, STREAM_CONDITION_UNSUPPORTED_STANZA_TYPE,
                       "element %s is nothing a stream carries", log_quote(t->nodes[0].name).text);
}
