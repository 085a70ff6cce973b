/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream: life, states, header and XML of a stream, the parts that both roles share. */
#include "xmpp/stream.h"

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "xmpp/jid.h"
#include "xmpp/stream_int.h"

#define STREAM_CHECK(s) ASSERT((s)->magic == STREAM_MAGIC)

const struct stream_refusal stream_refusal_unknown_local = {STREAM_CONDITION_HOST_UNKNOWN,
                                                            STANZA_CONDITION_ITEM_NOT_FOUND,
                                                            "this domain is not served here"};
const struct stream_refusal stream_refusal_unknown_partner = {
    STREAM_CONDITION_POLICY_VIOLATION, STANZA_CONDITION_NOT_AUTHORIZED,
    "no federation is agreed for these domains"};
const struct stream_refusal stream_refusal_maintenance = {
    STREAM_CONDITION_RESOURCE_CONSTRAINT, STANZA_CONDITION_REMOTE_SERVER_TIMEOUT,
    "federation for these domains is suspended for maintenance; try again later"};
const struct stream_refusal stream_refusal_limit = {
    STREAM_CONDITION_RESOURCE_CONSTRAINT, STANZA_CONDITION_RESOURCE_CONSTRAINT,
    "too many streams; close some or try again later"};

const struct stream_limits stream_limits_default = {
    .establish_ms = 60000,
    .dialback_ms = 30000,
    .ack_ms = 30000,
    .close_ms = 5000,
    .sasl_attempts_max = 3,
    .pairs_max = 64,
    .verifies_max = 16,
    .early_elements_max = 64,
    .early_bytes_max = 65536,
    .stanza_bytes_max = 262144,
};

enum {
#define S(name)                         (1u << STREAM_STATE_##name)
#define ENDS                            (S(CLOSING) | S(DEAD))
#define X(name, wait, step, text, next) STREAM_NEXT_##name = (next),
    STREAM_STATES(X)
#undef X
};

static const struct {
    const char *name;
    enum stream_wait wait;
    enum stream_step step;
    const char *waits_for;
    uint32_t next; /* bits of allowed successors */
} states[] = {
#define X(name, wait, step, text, next)                                                            \
    [STREAM_STATE_##name] = {#name, STREAM_WAIT_##wait, STREAM_STEP_##step, text,                  \
                             (uint32_t)STREAM_NEXT_##name},
    STREAM_STATES(X)
#undef X
};
STATIC_ASSERT(STREAM_STATE_COUNT <= 31, "successors fit a bit set");

const char *stream_waits_for(const struct stream *s)
{
    const char *what = states[s->state].waits_for;

    if (s->state == STREAM_STATE_IN_FEATURES) {
        (void)stream_in_lacks(s, &what);
    }
    return what;
}

enum stream_step stream_step_of(const struct stream *s)
{
    const char *what;

    return s->state == STREAM_STATE_IN_FEATURES ? stream_in_lacks(s, &what)
                                                : states[s->state].step;
}

const char *stream_state_name(const struct stream *s)
{
    STREAM_CHECK(s);
    return states[s->state].name;
}

uint32_t stream_state_successors(uint32_t state, const char **name)
{
    ASSERT(state < STREAM_STATE_COUNT);
    *name = states[state].name;
    return states[state].next;
}

/* --- life --- */

bool stream_keep(struct slice *to, struct slice text)
{
    char *copy = NULL;

    if (text.len > 0) {
        copy = pool_alloc(text.len);
        if (!copy) {
            return false;
        }
        memcpy(copy, text.ptr, text.len);
    }
    pool_free((void *)(uintptr_t)to->ptr);
    *to = slice_make(copy, text.len);
    return true;
}

static void drop(struct slice *kept)
{
    pool_free((void *)(uintptr_t)kept->ptr);
    *kept = SLICE_NONE;
}

/* Whatever spelling the caller has: the peer's answers are compared with the normal form. */
static int keep_domain(struct slice *to, struct slice domain)
{
    struct jid_storage mem;
    struct jid jid;
    int err = jid_parse(&mem, domain, &jid);

    if (err) {
        return err;
    }
    if (!jid_is_domain(&jid)) {
        return ERR_JID;
    }
    return stream_keep(to, jid.domain) ? 0 : ERR_NOMEM;
}

static int start(struct stream *s, const struct stream_params *params)
{
    int err = xml_parser_new(&s->parser, &xml_limits_unauthenticated);

    if (err) {
        return err;
    }
    if (s->role == STREAM_IN) {
        return 0;
    }
    err = slice_is_empty(params->local) ? 0 : keep_domain(&s->local, params->local);
    err = err ? err : keep_domain(&s->remote, params->remote);
    if (err) {
        return err;
    }
    if (stream_ask_rules(s)) {
        return ERR_STATE;
    }
    stream_out_put_header(s);
    return 0;
}

int stream_new(struct stream **out, uint64_t now_ms, const struct stream_params *params)
{
    struct stream *s = pool_zalloc(sizeof(*s));
    int err;

    *out = NULL;
    if (!s) {
        return ERR_NOMEM;
    }
    s->magic = STREAM_MAGIC;
    s->role = params->role;
    s->host = params->host;
    s->ctx = params->ctx;
    s->crypto = params->crypto;
    s->out = params->out;
    s->limits = params->limits ? *params->limits : stream_limits_default;
    s->is_secured = params->is_secured;
    s->is_verify_only = params->is_verify_only;
    s->avoid_tls = params->avoid_tls;
    s->now_ms = now_ms;
    s->establish_by_ms = now_ms + s->limits.establish_ms;
    s->idle_by_ms = STREAM_NEVER;
    s->keepalive_by_ms = STREAM_NEVER;
    s->ack_by_ms = STREAM_NEVER;
    list_init(&s->pairs);
    list_init(&s->verifies);
    stream_set_state(s, s->role == STREAM_IN ? STREAM_STATE_IN_OPENING : STREAM_STATE_OUT_OPENING);
    err = start(s, params);
    if (err) {
        stream_free(s);
        return err;
    }
    *out = s;
    return 0;
}

void stream_free(struct stream *s)
{
    struct list *link;

    if (!s) {
        return;
    }
    STREAM_CHECK(s);
    while ((link = list_first(&s->pairs))) {
        pair_remove(s, LIST_ENTRY(link, struct pair, link));
    }
    while ((link = list_first(&s->verifies))) {
        verify_remove(s, LIST_ENTRY(link, struct verify, link));
    }
    pool_free(s->retired);
    drop(&s->local);
    drop(&s->remote);
    drop(&s->id);
    drop(&s->lang);
    xml_parser_free(s->parser);
    s->magic = 0;
    pool_free(s);
}

void stream_set_out(struct stream *s, struct buf *out)
{
    STREAM_CHECK(s);
    s->out = out;
}

void stream_set_state(struct stream *s, enum stream_state next)
{
    /* The first state has no predecessor: both opening states are entered from zeroed memory. */
    ASSERT(s->trail_at == 0 || (states[s->state].next & (1u << next)) != 0);
    s->state = next;
    s->trail[s->trail_at % STREAM_TRAIL] = (uint8_t)next;
    s->trail_at = (uint8_t)(s->trail_at + 1 == UINT8_MAX ? 1 : s->trail_at + 1);
    switch (states[next].wait) {
    case STREAM_WAIT_ESTABLISH:
        s->state_by_ms = s->establish_by_ms;
        break;
    case STREAM_WAIT_ACTIVITY:
        s->state_by_ms = STREAM_NEVER;
        stream_touch(s);
        break;
    case STREAM_WAIT_CLOSE:
        s->state_by_ms = s->now_ms + s->limits.close_ms;
        break;
    case STREAM_WAIT_NONE:
        s->state_by_ms = STREAM_NEVER;
        break;
    }
    if (states[next].wait != STREAM_WAIT_ACTIVITY) {
        s->idle_by_ms = STREAM_NEVER;
        s->keepalive_by_ms = STREAM_NEVER;
        s->ack_by_ms = STREAM_NEVER;
    }
}

void stream_touch(struct stream *s)
{
    s->active_ms = s->now_ms;
    s->heard_ms = s->now_ms;
    stream_arm_activity(s);
}

void stream_arm_activity(struct stream *s)
{
    s->idle_by_ms = s->rules.inactivity_ms ? s->active_ms + s->rules.inactivity_ms : STREAM_NEVER;
    s->keepalive_by_ms = STREAM_NEVER;
    if (s->rules.keepalive_ms &&
        (s->state == STREAM_STATE_OUT_OPEN || s->state == STREAM_STATE_IN_OPEN)) {
        stream_arm_keepalive(s);
    }
}

void stream_arm_keepalive(struct stream *s)
{
    uint64_t wait_ms = s->rules.keepalive_ms;

    if (s->role == STREAM_IN) {
        s->keepalive_by_ms = s->heard_ms + wait_ms;
        return;
    }
    /* A peer that closes earlier says so (XEP-0478); half of it, so that one space may be late. */
    if (s->peer.idle_s && (uint64_t)s->peer.idle_s * 500 < wait_ms) {
        wait_ms = (uint64_t)s->peer.idle_s * 500;
    }
    s->keepalive_by_ms = s->now_ms + wait_ms;
}

const struct stream_refusal *stream_ask_rules(struct stream *s)
{
    const struct stream_refusal *why =
        s->host->rules(s->ctx, s->role, s->local, s->remote, &s->rules);

    if (!why && s->rules.methods == 0) {
        return &stream_refusal_unknown_partner;
    }
    return why;
}

void stream_restart(struct stream *s)
{
    xml_parser_reset(s->parser);
    pair_remove_asked(s);
    drop(&s->id);
    drop(&s->lang);
    s->is_header_written = false;
    s->is_external_offered = false;
    s->is_starttls_offered = false;
    s->is_dialback_refused = false;
    s->is_peer_db = false;
    s->is_from_wrong = false;
    s->peer = (struct peer_features){0};
}

void stream_opened(struct stream *s)
{
    struct xml_limits limits = xml_limits_authenticated;

    limits.stanza_bytes_max = s->limits.stanza_bytes_max;
    xml_parser_set_limits(s->parser, &limits);
}

bool stream_is_securing(const struct stream *s)
{
    return s->state == STREAM_STATE_IN_SECURING || s->state == STREAM_STATE_OUT_SECURING;
}

enum stream_event_kind stream_mismatch(struct stream_event *ev)
{
    ev->failure.is_mismatch = true;
    return STREAM_FAILED;
}

bool stream_is_tls_forced(const struct stream *s)
{
    return s->state == STREAM_STATE_OUT_STARTTLS && !s->peer.starttls;
}

bool stream_is_served(const struct stream *s)
{
    return s->role == STREAM_IN && s->verify_answer_count > 0 && s->pair_count == 0;
}

/* --- what the edge asks --- */

const struct acks *stream_acks(const struct stream *s)
{
    return &s->acks;
}

bool stream_is_secured(const struct stream *s)
{
    return s->is_secured;
}

bool stream_is_open(const struct stream *s)
{
    return states[s->state].wait == STREAM_WAIT_ACTIVITY;
}

uint32_t stream_pair_count(const struct stream *s)
{
    return s->proved_count;
}

uint32_t stream_asked_count(const struct stream *s)
{
    return s->asked_count;
}

struct slice stream_id(const struct stream *s)
{
    return s->id;
}

struct slice stream_local(const struct stream *s)
{
    return s->local;
}

struct slice stream_remote(const struct stream *s)
{
    return s->remote;
}
