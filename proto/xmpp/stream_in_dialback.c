/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_in_dialback: dialback elements that a peer sends us: db:result (we are the receiving
 * server) and db:verify (we are the authoritative one). XEP-0220 2.2, XEP-0344, xmpp.md 2.6. */
#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
#include "xmpp/stream_int.h"

#define METHODS_DIALBACK                                                                           \
    (STREAM_METHOD_CERTIFICATE | STREAM_METHOD_DIALBACK_TLS | STREAM_METHOD_DIALBACK_PLAIN)

/* One db element, addresses normalised. */
struct request {
    struct jid_storage from_mem;
    struct jid_storage to_mem;
    struct slice from; /* the remote domain */
    struct slice to;   /* a domain of ours, it says */
    struct slice id;   /* db:verify */
    struct slice key;
};

static void answer(struct stream *s, const struct request *r, enum dialback_verdict verdict,
                   enum stanza_condition condition)
{
    /* Swapped: what was asked of us is answered by us. */
    struct dialback_address a = {
        .from = r->to, .to = r->from, .id = r->id, .declares = !s->is_db_declared};

    dialback_write_answer(s->out, &a, verdict, condition);
}

static enum stream_event_kind refuse(struct stream *s, const struct request *r,
                                     enum stanza_condition condition, struct stream_event *ev)
{
    answer(s, r, DIALBACK_ERROR, condition);
    s->is_dialback_refused = true;
    return stream_note(ev, STREAM_STEP_DIALBACK, "dialback from %s answered with %s",
                       log_quote(r->from).text, stanza_condition_name(condition));
}

static enum stream_event_kind proved(struct stream *s, struct pair *p, enum stream_method method,
                                     struct stream_event *ev)
{
    struct dialback_address a = {
        .from = p->local, .to = p->remote, .declares = !s->is_db_declared};

    pair_prove(s, p, method);
    dialback_write_answer(s->out, &a, DIALBACK_VALID, STANZA_CONDITION_NONE);
    if (slice_is_empty(s->remote)) {
        /* A header without from: the first proved pair names the stream. */
        if (!stream_keep(&s->remote, p->remote) ||
            (slice_is_empty(s->local) && !stream_keep(&s->local, p->local))) {
            return stream_nomem(s, ev);
        }
        if (stream_ask_rules(s)) {
            s->rules = (struct stream_rules){.methods = (uint32_t)method};
        }
    }
    if (s->state != STREAM_STATE_IN_OPEN) {
        stream_opened(s);
        stream_set_state(s, STREAM_STATE_IN_OPEN);
    }
    ev->local = p->local;
    ev->remote = p->remote;
    ev->method = method;
    return STREAM_PAIR_AUTHENTICATED;
}

/* How a db:result of this pair can be settled here: a method, or NONE and the error to answer. */
static enum stream_method choose(struct stream *s, const struct request *r,
                                 enum stanza_condition *error)
{
    struct stream_rules rules = {0};
    const struct stream_refusal *refusal =
        s->host->rules(s->ctx, STREAM_IN, r->to, r->from, &rules);

    *error = STANZA_CONDITION_NOT_AUTHORIZED;
    if (refusal) {
        *error = refusal->dialback;
        return STREAM_METHOD_NONE;
    }
    if (!s->is_secured) {
        *error = STANZA_CONDITION_POLICY_VIOLATION;
        return (rules.methods & STREAM_METHOD_DIALBACK_PLAIN) ? STREAM_METHOD_DIALBACK_PLAIN
                                                              : STREAM_METHOD_NONE;
    }
    if ((rules.methods & STREAM_METHOD_CERTIFICATE) && s->host->certificate_ok(s->ctx, r->from)) {
        return STREAM_METHOD_CERTIFICATE;
    }
    if (rules.methods & STREAM_METHOD_DIALBACK_TLS) {
        return STREAM_METHOD_DIALBACK_TLS;
    }
    if (rules.methods == STREAM_METHOD_DIALBACK_PLAIN) {
        *error = STANZA_CONDITION_POLICY_VIOLATION;
    }
    return STREAM_METHOD_NONE;
}

static enum stream_event_kind ask(struct stream *s, const struct request *r,
                                  enum stream_method method, struct stream_event *ev)
{
    struct pair *p;

    if (s->pair_count >= s->limits.pairs_max || s->asked_count >= s->limits.verifies_max) {
        return refuse(s, r, STANZA_CONDITION_RESOURCE_CONSTRAINT, ev);
    }
    p = pair_add(s, r->to, r->from);
    if (!p) {
        return refuse(s, r, STANZA_CONDITION_RESOURCE_CONSTRAINT, ev);
    }
    p->method = method;
    if (method == STREAM_METHOD_CERTIFICATE) {
        return proved(s, p, method, ev);
    }
    ev->local = p->local;
    ev->remote = p->remote;
    ev->stream_id = s->id;
    ev->key = r->key;
    return STREAM_VERIFY_WANTED;
}

static enum stream_event_kind on_result(struct stream *s, const struct request *r,
                                        struct stream_event *ev)
{
    enum stanza_condition error = STANZA_CONDITION_NONE;
    enum stream_method method;
    struct pair *p;

    if (!s->host->is_local(s->ctx, r->to)) {
        /* Not fatal: the stream may serve other pairs (XEP-0220 2.2.1). */
        return refuse(s, r, STANZA_CONDITION_ITEM_NOT_FOUND, ev);
    }
    if (s->host->is_local(s->ctx, r->from)) {
        return stream_fail(s, ev, STREAM_STEP_DIALBACK, STREAM_CONDITION_UNDEFINED_CONDITION,
                           "dialback for %s, which is served here: a loop, or forged",
                           log_quote(r->from).text);
    }
    p = pair_find(s, r->to, r->from);
    if (p && p->is_refused) {
        pair_remove(s, p); /* an earlier proof is worth nothing: as if it were asked for first */
        p = NULL;
    }
    if (p && p->is_proved) {
        answer(s, r, DIALBACK_VALID, STANZA_CONDITION_NONE);
        return STREAM_MORE;
    }
    if (p) {
        return stream_note(ev, STREAM_STEP_DIALBACK, "dialback for %s is being verified already",
                           log_quote(r->from).text);
    }
    method = choose(s, r, &error);
    if (method == STREAM_METHOD_NONE) {
        return refuse(s, r, error, ev);
    }
    if (slice_is_empty(r->key) && method != STREAM_METHOD_CERTIFICATE) {
        return refuse(s, r, STANZA_CONDITION_NOT_ACCEPTABLE, ev);
    }
    return ask(s, r, method, ev);
}

/* We are the authority for r->to: did we make this key? */
static enum stream_event_kind on_verify(struct stream *s, const struct request *r,
                                        struct stream_event *ev)
{
    struct dialback_bond bond = {.receiving = r->from, .originating = r->to, .stream_id = r->id};
    struct stream_rules rules = {0};
    const struct stream_refusal *refusal;
    bool is_valid;

    if (!s->host->is_local(s->ctx, r->to)) {
        return refuse(s, r, STANZA_CONDITION_ITEM_NOT_FOUND, ev);
    }
    refusal = s->host->rules(s->ctx, STREAM_IN, r->to, r->from, &rules);
    if (refusal) {
        return refuse(s, r, refusal->dialback, ev);
    }
    if (!s->is_secured && !(rules.methods & STREAM_METHOD_DIALBACK_PLAIN)) {
        return refuse(s, r, STANZA_CONDITION_POLICY_VIOLATION, ev);
    }
    /* Where dialback is not agreed we never sent a key. */
    is_valid =
        (rules.methods & METHODS_DIALBACK) != 0 &&
        dialback_key_is_valid(s->crypto, s->host->dialback_secret(s->ctx, r->to), &bond, r->key);
    answer(s, r, is_valid ? DIALBACK_VALID : DIALBACK_INVALID, STANZA_CONDITION_NONE);
    s->verify_answer_count++;
    if (!is_valid) {
        return stream_note(ev, STREAM_STEP_DIALBACK, "%s asked about a key that is not ours",
                           log_quote(r->from).text);
    }
    return STREAM_MORE;
}

enum stream_event_kind stream_in_dialback(struct stream *s, const struct xml_tree *t,
                                          struct stream_event *ev)
{
    bool is_verify = slice_eq(t->nodes[0].name, SLICE_LIT("verify"));
    struct request r;
    int from;
    int to;

    if (!is_verify && !slice_eq(t->nodes[0].name, SLICE_LIT("result"))) {
        return stream_note(ev, STREAM_STEP_DIALBACK, "unknown dialback element %s",
                           log_quote(t->nodes[0].name).text);
    }
    if (xml_attr(t, 0, SLICE_LIT("type"))) {
        /* An answer to something we cannot have asked on this stream (SEC-01, SEC-03). */
        return stream_note(ev, STREAM_STEP_DIALBACK, "unsolicited dialback answer dropped");
    }
    from = stream_read_domain(&r.from_mem, t, "from", &r.from);
    to = stream_read_domain(&r.to_mem, t, "to", &r.to);
    if (from == ERR_NOMEM || to == ERR_NOMEM) {
        return stream_nomem(s, ev);
    }
    if (from != 1 || to != 1) {
        return stream_fail(s, ev, STREAM_STEP_DIALBACK, STREAM_CONDITION_IMPROPER_ADDRESSING,
                           "a dialback element whose from or to is not a domain");
    }
    r.key = slice_trim(xml_text(t, 0));
    r.id = SLICE_NONE;
    if (!is_verify) {
        return on_result(s, &r, ev);
    }
    r.id = xml_attr_value(t, 0, SLICE_LIT("id"));
    if (slice_is_empty(r.id) || r.id.len > DIALBACK_ID_BYTES_MAX) {
        return stream_fail(s, ev, STREAM_STEP_DIALBACK, STREAM_CONDITION_BAD_FORMAT,
                           "a db:verify without a usable id");
    }
    return on_verify(s, &r, ev);
}

/* --- the answer of the authoritative server --- */

/* The pair's request ends in an error; other pairs live on. */
static enum stream_event_kind give_up(struct stream *s, struct pair *p,
                                      enum stanza_condition condition, struct stream_event *ev)
{
    struct dialback_address a = {.from = p->local, .to = p->remote, .declares = !s->is_db_declared};

    dialback_write_answer(s->out, &a, DIALBACK_ERROR, condition);
    s->is_dialback_refused = true;
    stream_explain(ev, STREAM_STEP_DIALBACK, "dialback from %s ended with %s",
                   log_quote(p->remote).text, stanza_condition_name(condition));
    pair_remove(s, p);
    return STREAM_NOTE;
}

enum stream_event_kind stream_in_pair_timeout(struct stream *s, struct pair *p,
                                              struct stream_event *ev)
{
    enum stream_event_kind kind = give_up(s, p, STANZA_CONDITION_REMOTE_SERVER_TIMEOUT, ev);

    ev->failure.is_timeout = true;
    return kind;
}

static enum stream_event_kind invalid(struct stream *s, struct pair *p, struct stream_event *ev)
{
    struct dialback_address a = {
        .from = p->local, .to = p->remote, .declares = !s->is_db_declared};

    if (s->proved_count > 0) {
        /* Others may not suffer from a forged or mistaken one (XEP-0220 2.2.1). */
        return give_up(s, p, STANZA_CONDITION_FORBIDDEN, ev);
    }
    dialback_write_answer(s->out, &a, DIALBACK_INVALID, STANZA_CONDITION_NONE);
    return stream_fail(s, ev, STREAM_STEP_DIALBACK, STREAM_CONDITION_NONE,
                       "the server of %s says that the dialback key is not its own",
                       log_quote(p->remote).text);
}

static bool is_still_agreed(struct stream *s, const struct pair *p)
{
    struct stream_rules rules = {0};

    return !s->host->rules(s->ctx, STREAM_IN, p->local, p->remote, &rules) &&
           (rules.methods & p->method) != 0;
}

enum stream_event_kind stream_verify_result(struct stream *s, uint64_t now_ms,
                                            const struct stream_verify *v,
                                            enum dialback_verdict verdict,
                                            enum stanza_condition condition,
                                            struct stream_event *ev)
{
    struct pair *p;

    stream_enter(s, now_ms);
    if (s->role != STREAM_IN || s->state == STREAM_STATE_CLOSING || s->state == STREAM_STATE_DEAD ||
        !slice_eq(v->stream_id, s->id)) {
        return STREAM_MORE;
    }
    p = pair_find(s, v->local, v->remote);
    if (!p || p->is_proved) {
        return STREAM_MORE;
    }
    switch (verdict) {
    case DIALBACK_VALID:
        if (!is_still_agreed(s, p)) {
            return give_up(s, p, STANZA_CONDITION_POLICY_VIOLATION, ev);
        }
        return proved(s, p, p->method, ev);
    case DIALBACK_INVALID:
        return invalid(s, p, ev);
    case DIALBACK_ERROR:
        if (condition == STANZA_CONDITION_NONE) {
            condition = STANZA_CONDITION_REMOTE_CONNECTION_FAILED;
        }
        return give_up(s, p, condition, ev);
    }
    UNREACHABLE("dialback verdict");
}
