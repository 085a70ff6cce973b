/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conn_out: sending. Three buffers in a row: out (the owner's plaintext), pending (bytes for the
 * wire: records, or plaintext written before TLS began), flying (what the kernel reads now). At
 * most one send per socket is in flight: two could interleave. */
#include <errno.h>

#include "base/check.h"
#include "base/err.h"
#include "engine/conn_int.h"

struct buf *conn_out(struct conn *c)
{
    conn_check(c);
    return &c->out;
}

void conn_flush(struct conn *c)
{
    conn_check(c);
    if (c->state != CONN_ST_GONE) {
        conn_mark_dirty(c);
    }
}

static size_t waiting(const struct conn *c)
{
    return buf_len(&c->out) + buf_len(&c->pending) + buf_len(&c->flying);
}

bool conn_out_is_crowded(const struct conn *c)
{
    conn_check(c);
    return waiting(c) > c->crowded_bytes;
}

void conn_set_out_max(struct conn *c, size_t bytes_max)
{
    conn_check(c);
    ASSERT(bytes_max <= CONN_OUT_BYTES_MAX);
    c->out.bytes_max = (uint32_t)(bytes_max > buf_len(&c->out) ? bytes_max : buf_len(&c->out));
    c->crowded_bytes = c->out.bytes_max / 2;
}

void conn_set_crowded(struct conn *c, size_t bytes)
{
    conn_check(c);
    ASSERT(bytes <= c->out.bytes_max);
    c->crowded_bytes = (uint32_t)bytes;
}

uint64_t conn_bytes_written(const struct conn *c)
{
    conn_check(c);
    return c->taken_bytes + buf_len(&c->out);
}

uint64_t conn_bytes_sent(const struct conn *c)
{
    conn_check(c);
    return c->sent_bytes;
}

size_t conn_unsent(const struct conn *c)
{
    return (size_t)(c->taken_bytes + buf_len(&c->out) - c->sent_bytes);
}

/* Chooses what goes next into flying. */
static void load(struct conn *c)
{
    bool is_kernel = c->ktls.out == CONN_KERNEL_ON;

    ASSERT(!is_kernel || buf_len(&c->pending) == 0);
    if (buf_len(&c->pending) == 0 && c->is_secured) {
        if (c->is_tls_closed) {
            return; /* nothing may follow an alert */
        }
        if (buf_len(&c->out) && !is_kernel) {
            conn_tls_seal(c);
        } else if (buf_len(&c->out) == 0 && c->state == CONN_ST_FLUSHING) {
            c->is_tls_closed = true;
            tls_session_close(c->session, &c->pending);
        }
    }
    c->is_flying_records = c->is_secured && !is_kernel;
    c->record_left = 0;
    if (buf_len(&c->pending)) {
        buf_take(&c->flying, &c->pending);
        c->flying_plain = c->pending_plain;
        c->pending_plain = 0;
    } else if ((!c->is_tls_begun || is_kernel) && buf_len(&c->out)) {
        c->taken_bytes += buf_len(&c->out);
        c->flying_plain = (uint32_t)buf_len(&c->out);
        buf_take(&c->flying, &c->out);
    }
}

bool conn_send_next(struct conn *c)
{
    struct io *io = c->sh->io;

    if (UNLIKELY(c->out.failed)) {
        conn_abort(c, ERR_LIMIT, "more output than the connection's bound");
        return false;
    }
    if (c->in_flight & CONN_OP_SEND) {
        return true;
    }
    if (buf_len(&c->flying) == 0) {
        if (c->ktls.out == CONN_KERNEL_ON && conn_ktls_send_note(c)) {
            return true;
        }
        if (c->state == CONN_ST_ENDING) {
            return false;
        }
        load(c);
        if (UNLIKELY(c->pending.failed)) {
            conn_abort(c, ERR_NOMEM, "no memory for output");
            return false;
        }
        if (buf_len(&c->flying) == 0) {
            buf_release_if_empty(&c->flying);
            buf_release_if_empty(&c->out);
            /* close_notify, perhaps */
            return c->ktls.out == CONN_KERNEL_ON && conn_ktls_send_note(c);
        }
    }
    if (io->vt->send(io, c->fd, c->flying.data + c->flying.head, buf_len(&c->flying),
                     (struct io_tag){IO_OP_SEND, c->slot, c->generation})) {
        conn_mark_dirty(c);
        return true;
    }
    c->in_flight |= CONN_OP_SEND;
    stat_add(&c->sh->stats.sends, 1);
    return true;
}

/* Of the records in flying len bytes more are out: the plaintext of those that are whole now. A
 * part of a record is of no use to the peer, but what it can open it must not get again
 * (conn_bytes_sent). An alert or new keys among them may count as some bytes of plaintext. */
static size_t records_out(struct conn *c, size_t len)
{
    struct slice rest = buf_slice(&c->flying);
    size_t plain = 0;

    while (len > 0) {
        size_t part;

        if (c->record_left == 0) {
            c->record_left = (uint16_t)tls_session_record_bytes(c->session, rest);
            c->record_plain = (uint16_t)tls_session_record_plain(c->session, rest);
            ASSERT(c->record_left > 0); /* ours */
        }
        part = len < c->record_left ? len : c->record_left;
        c->record_left -= (uint16_t)part;
        plain += c->record_left == 0 ? c->record_plain : 0;
        rest = slice_from(rest, part);
        len -= part;
    }
    return plain;
}

static void count_sent(struct conn *c, size_t len)
{
    size_t plain = c->flying_plain;

    stat_add(&c->sh->stats.bytes_out, len);
    if (len < buf_len(&c->flying)) {
        if (c->is_flying_records) {
            plain = records_out(c, len);
        } else if (c->session && c->ktls.out != CONN_KERNEL_ON) {
            plain = 0; /* what was written before the handshake, and the first of its bytes */
        } else {
            plain = len;
        }
        plain = plain < c->flying_plain ? plain : c->flying_plain;
    }
    buf_consume(&c->flying, len);
    c->sent_bytes += plain;
    c->flying_plain -= (uint32_t)plain;
}

void conn_tell_writable(struct conn *c)
{
    if (!c->is_writable_due || c->state != CONN_ST_OPEN || !c->ops) {
        return; /* on a journey or in a handshake: told afterwards */
    }
    c->is_writable_due = false;
    if (c->ops->writable) {
        c->ops->writable(c, c->owner);
    }
}

void conn_sent(struct conn *c, const struct io_event *ev)
{
    bool was_crowded = conn_out_is_crowded(c);

    if (conn_ktls_note_sent(c, ev)) {
        return;
    }
    if (ev->result > 0) {
        (void)conn_ktls_count(c, TLS_OUT, (size_t)ev->result);
        count_sent(c, (size_t)ev->result);
    } else if (ev->result != -ECANCELED && ev->result != -EINTR && ev->result != -EAGAIN &&
               c->state != CONN_ST_MOVING) {
        conn_end(c, ev->result ? ev->result : -EPIPE, err_text(ev->result ? ev->result : -EPIPE));
        return;
    }
    if (was_crowded && !conn_out_is_crowded(c)) {
        c->is_writable_due = true;
        conn_tell_writable(c);
    }
}
