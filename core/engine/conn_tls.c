/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conn_tls: a session on a connection: the handshake, then records in and out. The session knows no
 * socket: received bytes are handed to it, what it wants to say goes to pending. */
#include "base/check.h"
#include "base/err.h"
#include "engine/conn_int.h"

static void handshake_late(struct wheel_timer *timer, void *ctx)
{
    struct conn *c = ctx;

    (void)timer;
    stat_add(&c->sh->stats.tls_failures, 1);
    conn_abort(c, ERR_TIMEOUT, "the TLS handshake took too long");
}

int conn_start_tls(struct conn *c, const struct conn_tls_params *params)
{
    struct tls_session_params session = params->session;
    int err;

    conn_check(c);
    if (c->state != CONN_ST_OPEN || c->session || c->is_input_ended) {
        return ERR_STATE;
    }
    if (!c->is_in_data && buf_len(&c->in_raw)) {
        return ERR_STATE; /* whose bytes those are cannot be told */
    }
    if (session.now_unix_s == 0) {
        session.now_unix_s = c->sh->now_unix_s;
    }
    err = tls_session_new(&c->session, params->ctx, &session);
    if (err) {
        return err;
    }
    /* What was written so far goes out as it is. */
    c->pending_plain += buf_len(&c->out);
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
    conn_want_input(c); /* a client speaks first */
    conn_mark_dirty(c);
    return 0;
}

/* The session has put an alert into pending, perhaps: it goes out, nothing else does. */
static void fail(struct conn *c, int err)
{
    const struct tls_error *why = tls_session_error(c->session);

    c->is_tls_closed = true;
    conn_close_with(c, why->err ? why->err : err, why->text[0] ? why->text : err_text(err),
                    CONN_LINGER_MS);
}

static void secured(struct conn *c)
{
    stat_add(&c->sh->stats.tls_handshakes, 1);
    wheel_disarm(&c->sh->wheel, &c->state_timer);
    c->is_secured = true;
    conn_set_state(c, CONN_ST_OPEN);
    if (c->ops && c->ops->secured) {
        c->ops->secured(c, c->owner);
    }
    conn_tell_writable(c);
}

/* Returns how many bytes the handshake used; the state says whether it is over. */
static size_t handshake(struct conn *c, char *bytes, size_t len)
{
    size_t at = 0;
    size_t used = 0;

    do {
        enum tls_step step =
            tls_session_handshake(c->session, slice_make(bytes + at, len - at), &used, &c->pending);

        ASSERT(used <= len - at);
        at += used;
        conn_mark_dirty(c);
        if (step == TLS_STEP_DONE) {
            secured(c);
        } else if (step == TLS_STEP_BAD) {
            stat_add(&c->sh->stats.tls_failures, 1);
            fail(c, ERR_TLS_HANDSHAKE);
        }
    } while (c->state == CONN_ST_HANDSHAKE && used && at < len);
    return at;
}

/* Hands the opened batch to the owner and keeps what he does not take. */
static void deliver_scratch(struct conn *c)
{
    struct buf *plain = &c->sh->scratch;
    size_t used = 0;

    if (conn_can_deliver(c)) {
        used = conn_deliver(c, plain->data + plain->head, buf_len(plain));
        buf_consume(plain, used);
    }
    if (buf_len(plain) && c->state != CONN_ST_ENDING && c->state != CONN_ST_FLUSHING) {
        buf_put(&c->in_plain, buf_slice(plain));
        if (c->in_plain.failed) {
            conn_abort(c, ERR_NOMEM, "no memory to hold received bytes");
        }
    }
    buf_clear(plain);
}

static size_t records(struct conn *c, char *bytes, size_t len)
{
    struct buf *plain = &c->sh->scratch;
    size_t at = 0;

    while (at < len && conn_can_deliver(c) && buf_len(&c->in_plain) == 0 && !c->is_tls_ended) {
        size_t take = len - at < CONN_OPEN_BYTES ? len - at : CONN_OPEN_BYTES;
        size_t answered = buf_len(&c->pending);
        size_t opened;
        size_t used = 0;
        int err =
            tls_session_open(c->session, slice_make(bytes + at, take), &used, plain, &c->pending);

        ASSERT(used <= take);
        at += used;
        opened = buf_len(plain);
        if (buf_len(&c->pending) != answered) {
            conn_mark_dirty(c);
        }
        if (opened) {
            deliver_scratch(c);
        }
        if (err == ERR_CLOSED) {
            c->is_tls_ended = true;
        } else if (err && (c->state == CONN_ST_OPEN)) {
            fail(c, err);
        } else if (err && c->state == CONN_ST_MOVING) {
            conn_end(c, err, err_text(err));
        }
        if (err || (used == 0 && opened == 0)) {
            break;
        }
    }
    return c->is_tls_ended ? len : at;
}

size_t conn_tls_received(struct conn *c, char *bytes, size_t len)
{
    size_t used = 0;

    if (c->state == CONN_ST_HANDSHAKE) {
        used = handshake(c, bytes, len);
    }
    if (c->is_secured && used < len) {
        used += records(c, bytes + used, len - used);
    }
    return used;
}

void conn_tls_seal(struct conn *c)
{
    size_t len = buf_len(&c->out) < CONN_SEAL_BYTES ? buf_len(&c->out) : CONN_SEAL_BYTES;
    int err = tls_session_seal(c->session, slice_to(buf_slice(&c->out), len), &c->pending);

    if (err) {
        conn_abort(c, err, "TLS: output could not be protected");
        return;
    }
    c->pending_plain += len;
    c->taken_bytes += len;
    buf_consume(&c->out, len);
}
