/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_out_dialback: dialback on the streams that we open: db:result (we are the initiating
 * server) and db:verify (we are the receiving one and ask the authority). XEP-0220 2.1. Answers
 * count only if they match a request of ours on this very stream (SEC-01, SEC-02, SEC-04). */
#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
#include "xmpp/stream_int.h"

/* False: there is no key (host.dialback_key). */
static bool put_result_request(struct stream *s, const struct pair *p)
{
    struct dialback_bond bond = {
        .receiving = p->remote, .originating = p->local, .stream_id = s->id};
    struct dialback_address a = {
        .from = p->local, .to = p->remote, .declares = !s->is_db_declared};
    struct dialback_key key;
    bool is_made = s->host->dialback_key
                       ? s->host->dialback_key(s->ctx, &bond, &key)
                       : dialback_key_make(&key, s->crypto,
                                           s->host->dialback_secret(s->ctx, p->local), &bond);

    /* Domains come from jid.h, the id's length was checked with the header. */
    if (s->host->dialback_key ? is_made : CHECK(is_made)) {
        dialback_write_request(s->out, &a, slice_make(key.hex, sizeof(key.hex)));
    }
    return is_made;
}

enum stream_event_kind stream_out_start_dialback(struct stream *s, struct stream_event *ev)
{
    struct pair *p;

    if (slice_is_empty(s->id)) {
        return stream_fail(s, ev, STREAM_STEP_HEADER, STREAM_CONDITION_BAD_FORMAT,
                           "the answer has no stream id, which dialback needs");
    }
    p = pair_add(s, s->local, s->remote);
    if (!p) {
        return stream_nomem(s, ev);
    }
    p->method = s->is_secured ? STREAM_METHOD_DIALBACK_TLS : STREAM_METHOD_DIALBACK_PLAIN;
    if (!put_result_request(s, p)) {
        return stream_fail(s, ev, STREAM_STEP_RESOURCES, STREAM_CONDITION_NONE,
                           "there is no key for our dialback");
    }
    stream_set_state(s, STREAM_STATE_OUT_DIALBACK);
    stream_out_flush_verifies(s);
    return STREAM_MORE;
}

enum stream_event_kind stream_out_ready(struct stream *s, struct pair *p, struct stream_event *ev)
{
    if (s->state != STREAM_STATE_OUT_OPEN) {
        stream_opened(s);
        stream_set_state(s, STREAM_STATE_OUT_OPEN);
        stream_out_flush_verifies(s);
        stream_out_enable_acks(s);
    }
    ev->local = p->local;
    ev->remote = p->remote;
    ev->method = p->method;
    return STREAM_READY;
}

/* May this pair be asked for on the stream as it stands? */
static bool is_pair_possible(struct stream *s, struct slice local, struct slice remote,
                             enum stream_method *method)
{
    struct stream_rules rules = {0};
    uint32_t over_tls = STREAM_METHOD_DIALBACK_TLS | STREAM_METHOD_CERTIFICATE;

    if (s->host->rules(s->ctx, STREAM_OUT, local, remote, &rules) || !rules.multiplex) {
        return false;
    }
    *method = s->is_secured ? STREAM_METHOD_DIALBACK_TLS : STREAM_METHOD_DIALBACK_PLAIN;
    if ((rules.methods & (s->is_secured ? over_tls : (uint32_t)STREAM_METHOD_DIALBACK_PLAIN)) ==
        0) {
        return false;
    }
    /* A new target domain is on a server that did not prove it to us, and may kill the stream if it
     * does not know dialback errors (XEP-0220 2.6). */
    if (!slice_eq(remote, s->remote) && !s->peer.dialback_errors) {
        return false;
    }
    if ((rules.methods & STREAM_METHOD_DIALBACK_TLS) == 0 && s->is_secured &&
        !s->host->certificate_ok(s->ctx, remote)) {
        return false;
    }
    return s->peer.dialback || !s->is_version_1;
}

int stream_add_pair(struct stream *s, uint64_t now_ms, struct slice local, struct slice remote)
{
    enum stream_method method = STREAM_METHOD_NONE;
    struct pair *p;

    stream_enter(s, now_ms);
    if (s->state != STREAM_STATE_OUT_DIALBACK && s->state != STREAM_STATE_OUT_OPEN) {
        return ERR_STATE;
    }
    if (pair_find(s, local, remote)) {
        return 0;
    }
    if (s->pair_count >= s->limits.pairs_max || s->asked_count >= s->limits.verifies_max) {
        return ERR_LIMIT;
    }
    if (!is_pair_possible(s, local, remote, &method)) {
        return ERR_STATE;
    }
    p = pair_add(s, local, remote);
    if (!p) {
        return ERR_NOMEM;
    }
    p->method = method;
    if (!put_result_request(s, p)) {
        pair_remove(s, p);
        return ERR_STATE;
    }
    return 0;
}

bool stream_pair_is_ready(const struct stream *s, struct slice local, struct slice remote)
{
    const struct pair *p = pair_find(s, local, remote);

    return s->state == STREAM_STATE_OUT_OPEN && p && p->is_proved;
}

/* --- db:verify --- */

void stream_out_flush_verifies(struct stream *s)
{
    if (s->state != STREAM_STATE_OUT_DIALBACK && s->state != STREAM_STATE_OUT_VERIFYING &&
        s->state != STREAM_STATE_OUT_OPEN) {
        return;
    }
    for (struct list *l = s->verifies.next; l != &s->verifies; l = l->next) {
        struct verify *v = LIST_ENTRY(l, struct verify, link);
        struct dialback_address a = {
            .from = v->local, .to = v->remote, .id = v->id, .declares = !s->is_db_declared};

        if (!v->is_sent) {
            v->is_sent = true;
            dialback_write_request(s->out, &a, v->key);
        }
    }
}

int stream_send_verify(struct stream *s, uint64_t now_ms, const struct stream_verify *v)
{
    stream_enter(s, now_ms);
    if (s->role != STREAM_OUT || s->state == STREAM_STATE_CLOSING ||
        s->state == STREAM_STATE_DEAD) {
        return ERR_STATE;
    }
    if (!slice_eq(v->remote, s->remote) && !pair_find_remote(s, v->remote)) {
        return ERR_STATE;
    }
    if (slice_is_empty(v->stream_id) || verify_find(s, v)) {
        return ERR_STATE;
    }
    if (s->verify_count >= s->limits.verifies_max) {
        return ERR_LIMIT;
    }
    if (!verify_add(s, v)) {
        return ERR_NOMEM;
    }
    stream_out_flush_verifies(s);
    return 0;
}

static enum stream_event_kind answered(struct stream *s, struct verify *v, struct stream_event *ev)
{
    ev->local = v->local;
    ev->remote = v->remote;
    ev->stream_id = v->id;
    verify_remove(s, v);
    stream_touch(s);
    return STREAM_VERIFY_ANSWER;
}

enum stream_event_kind stream_out_verify_timeout(struct stream *s, struct verify *v,
                                                 struct stream_event *ev)
{
    ev->verdict = DIALBACK_ERROR;
    ev->condition = STANZA_CONDITION_REMOTE_SERVER_TIMEOUT;
    return answered(s, v, ev);
}

/* --- answers --- */

static bool read_verdict(const struct xml_tree *t, struct stream_event *ev)
{
    struct slice type = xml_attr_value(t, 0, SLICE_LIT("type"));
    uint32_t error;

    ev->condition = STANZA_CONDITION_NONE;
    if (slice_eq(type, SLICE_LIT("valid"))) {
        ev->verdict = DIALBACK_VALID;
        return true;
    }
    if (slice_eq(type, SLICE_LIT("invalid"))) {
        ev->verdict = DIALBACK_INVALID;
        return true;
    }
    if (!slice_eq(type, SLICE_LIT("error"))) {
        return false;
    }
    ev->verdict = DIALBACK_ERROR;
    ev->condition = STANZA_CONDITION_UNDEFINED_CONDITION;
    error = xml_child(t, 0, SLICE_LIT("error"), SLICE_NONE);
    for (uint32_t n = error == XML_NO_NODE
                          ? error
                          : xml_child(t, error, SLICE_NONE, SLICE_LIT(NS_STANZA_ERRORS));
         n != XML_NO_NODE;
         n = xml_next_child(t, error, n, SLICE_NONE, SLICE_LIT(NS_STANZA_ERRORS))) {
        if (stanza_condition_find(t->nodes[n].name) != STANZA_CONDITION_NONE) {
            ev->condition = stanza_condition_find(t->nodes[n].name);
        }
    }
    return true;
}

static enum stream_event_kind pair_refused(struct stream *s, struct pair *p,
                                           struct stream_event *ev)
{
    const char *sasl = s->sasl_failure ? sasl_condition_name(s->sasl_failure) : "not tried";

    stream_explain(ev, STREAM_STEP_DIALBACK,
                   "the peer answered our dialback with %s (%s); SASL EXTERNAL: %s",
                   dialback_verdict_name(ev->verdict), stanza_condition_name(ev->condition), sasl);
    ev->local = p->local;
    ev->remote = p->remote;
    pair_remove(s, p);
    return STREAM_PAIR_REFUSED;
}

enum stream_event_kind stream_out_pair_timeout(struct stream *s, struct pair *p,
                                               struct stream_event *ev)
{
    enum stream_event_kind kind;

    ev->verdict = DIALBACK_ERROR;
    ev->condition = STANZA_CONDITION_REMOTE_SERVER_TIMEOUT;
    kind = pair_refused(s, p, ev);
    stream_explain(ev, STREAM_STEP_DIALBACK, "no answer to our dialback within %u ms",
                   s->limits.dialback_ms);
    ev->failure.is_timeout = true;
    return kind;
}

static enum stream_event_kind unsolicited(struct slice from, struct stream_event *ev)
{
    return stream_note(ev, STREAM_STEP_DIALBACK, "unsolicited dialback answer from %s dropped",
                       log_quote(from).text);
}

static enum stream_event_kind on_result(struct stream *s, struct slice from, struct slice to,
                                        struct stream_event *ev)
{
    struct pair *p = pair_find(s, to, from);

    if (!p || p->is_proved) {
        return unsolicited(from, ev);
    }
    if (ev->verdict != DIALBACK_VALID) {
        return pair_refused(s, p, ev);
    }
    pair_prove(s, p, p->method);
    return stream_out_ready(s, p, ev);
}

enum stream_event_kind stream_out_dialback(struct stream *s, const struct xml_tree *t,
                                           struct stream_event *ev)
{
    bool is_verify = slice_eq(t->nodes[0].name, SLICE_LIT("verify"));
    struct jid_storage from_mem;
    struct jid_storage to_mem;
    struct stream_verify key = {0};
    struct verify *v;

    if (!is_verify && !slice_eq(t->nodes[0].name, SLICE_LIT("result"))) {
        return stream_note(ev, STREAM_STEP_DIALBACK, "unknown dialback element %s",
                           log_quote(t->nodes[0].name).text);
    }
    if (stream_read_domain(&from_mem, t, "from", &key.remote) != 1 ||
        stream_read_domain(&to_mem, t, "to", &key.local) != 1 || !read_verdict(t, ev)) {
        return stream_note(ev, STREAM_STEP_DIALBACK,
                           "a dialback answer without addresses or type dropped");
    }
    if (!is_verify) {
        return on_result(s, key.remote, key.local, ev);
    }
    key.stream_id = xml_attr_value(t, 0, SLICE_LIT("id"));
    v = verify_find(s, &key);
    if (!v || !v->is_sent) {
        return unsolicited(key.remote, ev);
    }
    return answered(s, v, ev);
}
