/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conn_handshake: a connection becomes TLS. It is let in by the shard's admission, its bytes are
 * held until it has its step, and steps are run a few per turn: each may compute for a millisecond,
 * which everybody else on the shard waits for. An incoming one asks for a place with its first
 * record complete: who says nothing, or says it slowly, takes nobody's. Then nothing is read until
 * it has the place, and no session exists. */
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "engine/conn_int.h"
#include "tls/record.h"

/* One: the input of live streams is served between any two. */
#define HANDSHAKE_STEPS_PER_TURN 1u
#define OVERDUE_LOOK_MS          500u
#define ERRNO_COUNT              4096 /* errors above -4096 are the kernel's */

/* What the session will be made of once there is a place. */
struct handshake_start {
    struct tls_context *ctx; /* shared (ref) */
    struct tls_session_params session; /* its slices lie in bytes */
    char bytes[];
};

static void count_failure(struct conn *c, int err)
{
    struct engine_stats *stats = &c->sh->stats;

    if (err == 0 || err == ERR_SHUTDOWN) {
        return; /* our own wish */
    }
    stat_add(&stats->tls_failures, 1);
    if (err == ERR_TIMEOUT) {
        stat_add(&stats->tls_failed_timeout, 1);
    } else if (err == ERR_TLS_ALERT) {
        stat_add(&stats->tls_failed_alert, 1);
    } else if (err > -ERRNO_COUNT || (err == ERR_TLS_HANDSHAKE && c->is_input_ended)) {
        stat_add(&stats->tls_failed_closed, 1);
    } else {
        stat_add(&stats->tls_failed_protocol, 1);
    }
}

static void handshake_late(struct wheel_timer *timer, void *ctx)
{
    struct conn *c = ctx;

    (void)timer;
    if (handshake_is_waiting(c)) {
        stat_add(&c->sh->stats.handshakes_refused, 1);
        conn_abort(c, ERR_TIMEOUT, "too many TLS handshakes: its turn did not come in time");
        return;
    }
    conn_abort(c, ERR_TIMEOUT, "the TLS handshake took too long");
}

static void start_free(struct conn *c)
{
    if (c->start) {
        tls_context_unref(c->start->ctx);
        pool_free(c->start);
        c->start = NULL;
    }
}

static struct slice keep(char **at, struct slice text)
{
    struct slice kept = slice_make(*at, text.len);

    if (text.len) {
        memcpy(*at, text.ptr, text.len);
        *at += text.len;
    }
    return kept;
}

static int start_keep(struct conn *c, const struct conn_tls_params *params)
{
    const struct tls_session_params *session = &params->session;
    struct handshake_start *start = pool_alloc(
        sizeof(*start) + session->sni.len + session->alpn.len + session->credential_domain.len);
    char *at;

    if (!start) {
        return ERR_NOMEM;
    }
    at = start->bytes;
    start->ctx = tls_context_ref(params->ctx);
    start->session = *session;
    start->session.sni = keep(&at, session->sni);
    start->session.alpn = keep(&at, session->alpn);
    start->session.credential_domain = keep(&at, session->credential_domain);
    c->start = start;
    return 0;
}

static int session_make(struct conn *c, struct tls_context *ctx,
                        const struct tls_session_params *params)
{
    struct tls_session_params session = *params;

    if (session.now_unix_s == 0) {
        session.now_unix_s = c->sh->now_unix_s;
    }
    return tls_session_new(&c->session, ctx, &session);
}

static int enter(struct conn *c, enum admission_side side)
{
    char address[ADMISSION_ADDRESS_BYTES];
    int err;

    acceptor_address_key(&c->peer.any, address);
    err = admission_enter(&c->sh->admission, &c->admission, side, address, c->sh->now_ms);
    if (err == 0 && handshake_is_waiting(c)) {
        stat_add(&c->sh->stats.handshakes_waited, 1);
        conn_mark_dirty(c); /* receiving stops */
    }
    return err;
}

/* A client speaks first, so it needs its place at once. */
static int begin(struct conn *c, const struct conn_tls_params *params)
{
    int err = start_keep(c, params);

    if (err == 0 && params->session.role == TLS_ROLE_CLIENT) {
        err = enter(c, ADMISSION_OUT);
        admission_want_step(&c->sh->admission, &c->admission);
    }
    if (err) {
        handshake_over(c);
    }
    return err;
}

int conn_start_tls(struct conn *c, const struct conn_tls_params *params)
{
    int err;

    conn_check(c);
    if (c->state != CONN_ST_OPEN || c->is_tls_begun || c->is_input_ended) {
        return ERR_STATE;
    }
    if (!c->is_in_data && buf_len(&c->in_raw)) {
        return ERR_STATE; /* whose bytes those are cannot be told */
    }
    err = begin(c, params);
    if (err) {
        return err;
    }
    c->is_tls_begun = true;
    conn_ktls_begin(c, params->ktls);
    /* What was written so far goes out as it is. */
    c->pending_plain += (uint32_t)buf_len(&c->out);
    c->taken_bytes += buf_len(&c->out);
    if (buf_len(&c->pending) == 0) {
        buf_take(&c->pending, &c->out);
        c->pending.bytes_max = (uint32_t)POOL_BLOCK_BYTES_MAX;
    } else {
        buf_put(&c->pending, buf_slice(&c->out));
        buf_clear(&c->out);
    }
    conn_set_state(c, CONN_ST_HANDSHAKE);
    if (params->handshake_timeout_ms) {
        shard_timer_arm(c->sh, &c->state_timer, params->handshake_timeout_ms, handshake_late, c);
    }
    conn_want_input(c); /* perhaps the first bytes are here */
    conn_mark_dirty(c);
    return 0;
}

bool handshake_is_waiting(const struct conn *c)
{
    return c->admission.state == ADMISSION_WAITING;
}

/* There is nothing to say to the peer. */
static void give_up(struct conn *c, int err, const char *why)
{
    conn_end(c, err, why);
}

/* Also true when these bytes will never be a record: the library then has the right alert. */
static bool has_first_record(const struct conn *c)
{
    size_t len = buf_len(&c->in_raw);
    const unsigned char *head;
    size_t body;

    if (len < RECORD_HEADER_BYTES) {
        return false;
    }
    head = (const unsigned char *)c->in_raw.data + c->in_raw.head;
    body = (size_t)head[3] << 8 | head[4];
    return head[0] != RECORD_HANDSHAKE || head[1] != 3 || body > RECORD_PLAIN_MAX ||
           len - RECORD_HEADER_BYTES >= body;
}

void handshake_input(struct conn *c)
{
    int err = 0;

    if (c->admission.state == ADMISSION_NONE) {
        if (!has_first_record(c)) {
            if (c->is_input_ended) {
                give_up(c, ERR_TLS_HANDSHAKE, "peer closed during the TLS handshake");
            }
            return;
        }
        err = enter(c, ADMISSION_IN);
    }
    if (err) {
        give_up(c, err, err_text(err));
        return;
    }
    admission_want_step(&c->sh->admission, &c->admission);
}

void handshake_over(struct conn *c)
{
    if (c->state == CONN_ST_HANDSHAKE && c->is_over) {
        count_failure(c, c->err);
    }
    admission_leave(&c->sh->admission, &c->admission);
    start_free(c);
}

static void count_success(struct conn *c)
{
    struct engine_stats *stats = &c->sh->stats;
    bool is_resumed = tls_session_peer(c->session)->is_resumed;

    stat_add(&stats->tls_handshakes, 1);
    if (c->admission.side == ADMISSION_IN) {
        stat_add(is_resumed ? &stats->tls_resumed_in : &stats->tls_full_in, 1);
    } else {
        stat_add(is_resumed ? &stats->tls_resumed_out : &stats->tls_full_out, 1);
    }
}

static void secured(struct conn *c)
{
    count_success(c);
    wheel_disarm(&c->sh->wheel, &c->state_timer);
    handshake_over(c);
    c->is_secured = true;
    conn_set_state(c, CONN_ST_OPEN);
    if (c->ops && c->ops->secured) {
        c->ops->secured(c, c->owner);
    }
    conn_tell_writable(c);
}

/* Hands over what was received; the state says whether the handshake is over. */
static void advance(struct conn *c)
{
    size_t len = buf_len(&c->in_raw);
    size_t used = 0;
    struct slice in = slice_make(len ? c->in_raw.data + c->in_raw.head : NULL, len);
    enum tls_step step = tls_session_handshake(c->session, in, &used, &c->pending);

    ASSERT(used <= len);
    buf_consume(&c->in_raw, used);
    buf_release_if_empty(&c->in_raw);
    conn_mark_dirty(c);
    if (step == TLS_STEP_DONE) {
        secured(c);
        if (buf_len(&c->in_raw) || c->is_input_ended) {
            conn_want_input(c); /* the first records came right behind */
        }
    } else if (step == TLS_STEP_BAD) {
        conn_tls_fail(c, ERR_TLS_HANDSHAKE);
    } else if (used && buf_len(&c->in_raw)) {
        admission_want_step(&c->sh->admission, &c->admission);
    } else if (c->is_input_ended) {
        give_up(c, ERR_TLS_HANDSHAKE, "peer closed during the TLS handshake");
    }
}

static void step_run(struct conn *c)
{
    int err = 0;

    ASSERT(c->state == CONN_ST_HANDSHAKE);
    stat_add(&c->sh->stats.handshake_steps, 1);
    /* Whoever has hung up while it waited needs no answer that costs us a signature. */
    if (c->start && c->admission.has_waited && c->is_input_ended) {
        give_up(c, ERR_TLS_HANDSHAKE, "peer closed while its TLS handshake waited");
        return;
    }
    if (c->start) {
        err = session_make(c, c->start->ctx, &c->start->session);
        start_free(c);
    }
    if (err) {
        give_up(c, err, err_text(err));
        return;
    }
    advance(c);
}

static void let_in(struct shard *sh)
{
    struct admission_entry *entry;

    while ((entry = admission_next(&sh->admission, sh->now_ms))) {
        struct conn *c = CONTAINER_OF(entry, struct conn, admission);

        c->received_ms = sh->now_ms; /* the silence was ours */
        admission_want_step(&sh->admission, entry);
        conn_mark_dirty(c); /* receiving goes on */
    }
}

static void look_for_overdue(struct wheel_timer *timer, void *ctx)
{
    struct shard *sh = ctx;
    struct admission_entry *entry;

    while ((entry = admission_overdue(&sh->admission, sh->now_ms))) {
        struct conn *c = CONTAINER_OF(entry, struct conn, admission);

        stat_add(&sh->stats.handshakes_overdue, 1);
        conn_abort(c, ERR_TIMEOUT, "the TLS handshake was slow while others waited");
        let_in(sh); /* whose place that was; the next one's is another */
    }
    if (admission_waiting_count(&sh->admission)) {
        shard_timer_arm(sh, timer, OVERDUE_LOOK_MS, look_for_overdue, sh);
    }
}

void handshakes_run(struct shard *sh)
{
    struct admission_entry *entry;

    let_in(sh);
    for (uint32_t i = 0; i < HANDSHAKE_STEPS_PER_TURN; i++) {
        entry = admission_take_step(&sh->admission);
        if (!entry) {
            break;
        }
        step_run(CONTAINER_OF(entry, struct conn, admission));
    }
    if (admission_waiting_count(&sh->admission) && !wheel_timer_is_armed(&sh->overdue_timer)) {
        shard_timer_arm(sh, &sh->overdue_timer, OVERDUE_LOOK_MS, look_for_overdue, sh);
    }
}
