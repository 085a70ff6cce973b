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

size_t conn_tls_received(struct conn *c, char *bytes, size_t len)
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
            conn_tls_fail(c, err);
        } else if (err && c->state == CONN_ST_MOVING) {
            conn_end(c, err, err_text(err));
        }
        if (err || (used == 0 && opened == 0)) {
            break;
        }
    }
    return c->is_tls_ended ? len : at;
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
