/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conn_tls: a session on a connection whose handshake is done (conn_handshake.c): records in and
 * out. The session knows no socket: received bytes are handed to it, what it wants to say goes to
 * pending. */
#include "base/check.h"
#include "base/err.h"
#include "engine/conn_int.h"

/* The session has put an alert into pending, perhaps: it goes out, nothing else does. */
void conn_tls_fail(struct conn *c, int err)
{
    const struct tls_error *why = tls_session_error(c->session);

    c->is_tls_closed = true;
    conn_close_with(c, why->err ? why->err : err, why->text[0] ? why->text : err_text(err),
                    CONN_LINGER_MS);
}

/* Hands what was opened to the owner, where it was received, and keeps what he does not take. */
static void deliver(struct conn *c, char *plain, size_t len)
{
    size_t used = conn_can_deliver(c) ? conn_deliver(c, plain, len) : 0;

    if (used < len && c->state != CONN_ST_ENDING && c->state != CONN_ST_FLUSHING) {
        buf_append(&c->in_plain, plain + used, len - used);
        if (c->in_plain.failed) {
            conn_abort(c, ERR_NOMEM, "no memory to hold received bytes");
        }
    }
}

void conn_tls_deaf(struct conn *c, int err, const char *why)
{
    stat_add(&c->sh->stats.tls_rekey_ends, err == ERR_TLS_REKEY);
    c->is_deaf = true;
    c->is_tls_ended = true;
    c->end_err = err;
    c->end_why = why;
    conn_want_input(c);
    conn_mark_dirty(c);
}

/* Whole records only: the beginning of one stays with the caller. */
size_t conn_tls_received(struct conn *c, char *bytes, size_t len)
{
    size_t answered = buf_len(&c->pending);
    size_t used = 0;
    struct slice plain;
    int err;

    if (c->is_tls_ended) {
        return len;
    }
    if (!conn_can_deliver(c) || buf_len(&c->in_plain)) {
        return 0;
    }
    err = tls_session_open(c->session, bytes, len, &used, &plain, &c->pending);
    ASSERT(used <= len);
    if (buf_len(&c->pending) != answered || c->ktls.out == CONN_KERNEL_ON) {
        conn_mark_dirty(c); /* an answer goes out, perhaps as a control record */
    }
    if (plain.len) {
        deliver(c, bytes + (plain.ptr - bytes), plain.len);
    }
    if (err == ERR_CLOSED) {
        c->is_tls_ended = true;
        return len;
    }
    if (err == ERR_TLS_REKEY && c->state == CONN_ST_OPEN) {
        conn_tls_deaf(c, err, err_text(err));
        return len;
    }
    if (err && c->state == CONN_ST_OPEN) {
        conn_tls_fail(c, err);
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
    c->pending_plain += (uint32_t)len;
    c->taken_bytes += len;
    buf_consume(&c->out, len);
}
