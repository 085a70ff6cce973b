/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conn_in: receiving. A received buffer goes straight to the owner (plain) or through the session
 * (TLS); what cannot be used now is held: records in in_raw, plaintext in in_plain. Receiving is
 * cancelled while the owner pauses or too much is held: TCP then slows the peer down.
 *
 * Who waits for whom: a turn's input is shared equally (share_of). Beyond its bound, large pieces
 * of those who bring much wait in one line (is_much), which has half a turn in any case and serves
 * nobody twice before another: else 64 TLS streams make turns of 1 MiB. Turns are short while
 * somebody who is not loud sends (count_input): what he sent waits for the end of one turn and goes
 * out with the end of the next. Always would cost those who send much 10 %. Acknowledgements are
 * little, too, and come all the time: only their owner knows that nobody waits for them
 * (conn_set_patient). Tried instead: the size of a piece, or a memory of turns; both took
 * acknowledgements and the ends of buffers for somebody. */
#include <errno.h>

#include "base/check.h"
#include "base/err.h"
#include "engine/conn_int.h"
#include "tls/record.h"

#define WHOLE_RECORD_BYTES ((size_t)RECORD_HEADER_BYTES + RECORD_BODY_MAX)

bool conn_can_deliver(const struct conn *c)
{
    return c->state == CONN_ST_OPEN && !c->is_paused && c->ops;
}

void conn_want_input(struct conn *c)
{
    if (c->state != CONN_ST_ENDING && c->state != CONN_ST_GONE && !list_is_linked(&c->input_link)) {
        list_push_back(&c->sh->input, &c->input_link);
    }
}

/* What a connection may have processed in this turn: those that had input in the last one share the
 * turn's work equally, so that nobody waits for somebody who sends more. Who was not among them
 * gets half of what is left, and each at least a little. */
static size_t share_of(struct shard *sh)
{
    size_t most = sh->input_bytes_max;
    size_t left = sh->input_bytes < most ? most - sh->input_bytes : 0;
    size_t share = sh->input_count <= sh->input_count_last ? most / sh->input_count_last : left / 2;

    return share > CONN_SHARE_BYTES_MIN ? share : CONN_SHARE_BYTES_MIN;
}

static size_t share_left(struct conn *c)
{
    if (c->share_turn != (uint32_t)c->sh->turn) {
        c->share_turn = (uint32_t)c->sh->turn;
        c->sh->input_count++;
        c->share_left = (uint32_t)share_of(c->sh);
    }
    return c->share_left;
}

/* Whether c brings more than that many bytes in CONN_WINDOW_MS. */
static bool brings(const struct conn *c, uint32_t bytes)
{
    return c->window_bytes > bytes || c->window_bytes_last > bytes;
}

/* Counts what c brings; while it is not loud, and waited for, turns are short. */
static void count_input(struct conn *c, size_t len)
{
    uint32_t since_ms = (uint32_t)c->sh->now_ms - c->window_ms;

    if (since_ms >= CONN_WINDOW_MS) {
        c->window_bytes_last = since_ms < 2 * CONN_WINDOW_MS ? c->window_bytes : 0;
        c->window_ms = (uint32_t)c->sh->now_ms;
        c->window_bytes = 0;
    }
    if (c->window_bytes <= CONN_LOUD_BYTES) {
        c->window_bytes += (uint32_t)len; /* len: a buffer at most */
    }
    if (c->state == CONN_ST_OPEN && !c->is_patient && !brings(c, CONN_LOUD_BYTES)) {
        c->sh->short_until_ms = c->sh->now_ms + SHARD_SHORT_MS;
        c->sh->input_bytes_max = SHARD_INPUT_BYTES_SHORT; /* this turn, too: it goes out sooner */
    }
}

/* A large piece of somebody who brings much: one after the other, else many of them would make a
 * turn as long as they are many. */
static bool is_much(const struct conn *c, size_t len)
{
    return len >= CONN_SHARE_BYTES_MIN && brings(c, CONN_MUCH_BYTES);
}

/* It is not served beyond the turn's bound, nor twice before all who wait had something. */
static bool must_wait(const struct conn *c, size_t len)
{
    return c->state == CONN_ST_OPEN &&
           (c->is_in_line ||
            (c->sh->input_bytes >= c->sh->input_bytes_max && is_much(c, len)));
}

void conn_recv_keep(struct conn *c)
{
    struct io *io = c->sh->io;
    struct io_tag tag = {IO_OP_RECV, c->slot, c->generation};
    bool is_wanted = !c->is_input_ended;

    if (c->state == CONN_ST_OPEN && (c->is_paused || buf_len(&c->in_plain) > CONN_HELD_BYTES)) {
        is_wanted = false;
    }
    if (handshake_is_waiting(c)) {
        is_wanted = false;
    }
    if (buf_len(&c->in_raw) > CONN_HELD_BYTES || conn_ktls_is_border_due(c)) {
        is_wanted = false;
    }
    if (c->ktls.fetch) {
        return; /* a record's rest: bounded, and wanted in any case */
    }
    if (is_wanted && !(c->in_flight & CONN_OP_RECV)) {
        if (c->is_deaf ? io->vt->recv_end(io, c->fd, tag) : io->vt->recv(io, c->fd, tag)) {
            conn_mark_dirty(c);
            return;
        }
        c->in_flight |= CONN_OP_RECV;
    } else if (!is_wanted && (c->in_flight & CONN_OP_RECV) && !(c->in_flight & CONN_OP_CANCEL)) {
        if (io->vt->cancel(io, tag, (struct io_tag){IO_OP_CANCEL, c->slot, c->generation})) {
            conn_mark_dirty(c);
            return;
        }
        c->in_flight |= CONN_OP_CANCEL;
    }
}

size_t conn_deliver(struct conn *c, char *bytes, size_t len)
{
    size_t used;

    ASSERT(!c->is_in_data);
    c->is_in_data = true;
    used = c->ops->data(c, c->owner, bytes, len);
    c->is_in_data = false;
    ASSERT(used <= len);
    if (c->state == CONN_ST_HANDSHAKE && used < len) {
        /* Plaintext behind the request for TLS must not become part of the secured stream. */
        conn_end(c, ERR_BAD_INPUT, "plaintext behind the start of TLS");
        return len;
    }
    /* Nobody would ever ask for the rest again. */
    ASSERT(used == len || c->is_paused || c->state != CONN_ST_OPEN);
    return used;
}

/* One stretch of input; returns how much of it was used up: less than len means "not now". */
static size_t process(struct conn *c, char *bytes, size_t len)
{
    size_t room;
    size_t used;

    if (c->state == CONN_ST_FLUSHING || c->state == CONN_ST_LINGERING ||
        c->state == CONN_ST_ENDING) {
        return len; /* nobody listens any more */
    }
    if (c->state == CONN_ST_HANDSHAKE) {
        return 0; /* held until it has its step: handshake_input */
    }
    room = len ? share_left(c) : 0;
    if (len && room == 0) {
        return 0;
    }
    if (c->is_secured && c->ktls.in != CONN_KERNEL_ON) {
        /* One whole record at least: if the share cut it, it would look like one whose rest is not
         * here. */
        room = room > WHOLE_RECORD_BYTES ? room : WHOLE_RECORD_BYTES;
        used = conn_tls_received(c, bytes, len < room ? len : room);
    } else if (len && conn_can_deliver(c)) {
        used = conn_deliver(c, bytes, len < room ? len : room);
    } else {
        used = 0;
    }
    if (used) {
        /* A record may be more. */
        c->share_left -= used < c->share_left ? (uint32_t)used : c->share_left;
        DASSERT(c->share_left <= SHARD_INPUT_BYTES);
        c->sh->input_bytes += used;
    }
    return used;
}

static void tell_end(struct conn *c)
{
    c->is_end_told = true;
    if (c->ops->peer_ended && c->ops->peer_ended(c, c->owner)) {
        return;
    }
    if (c->state == CONN_ST_OPEN) {
        conn_close_with(c, c->end_err ? c->end_err : ERR_CLOSED,
                        c->end_err ? c->end_why : "closed by the peer", CONN_LINGER_MS);
    }
}

/* The end of input counts once everything before it was used. is_stuck: in_raw holds the beginning
 * of a record whose rest will not come. */
static void check_end(struct conn *c, bool is_stuck)
{
    if (!conn_can_deliver(c) || c->is_end_told || buf_len(&c->in_plain)) {
        return;
    }
    if (c->is_secured && c->ktls.in == CONN_KERNEL_ON && buf_len(&c->in_raw)) {
        return; /* plaintext */
    }
    if (c->is_secured) {
        if (c->is_tls_ended) {
            tell_end(c);
        } else if (c->is_input_ended && (is_stuck || buf_len(&c->in_raw) == 0)) {
            conn_end(c, ERR_TLS_TRUNCATED, err_text(ERR_TLS_TRUNCATED));
        }
    } else if (c->is_input_ended && buf_len(&c->in_raw) == 0) {
        tell_end(c);
    }
}

/* Held plaintext first, then held raw input. */
void conn_input(struct conn *c)
{
    size_t len = buf_len(&c->in_plain);
    size_t used;
    bool is_stuck = false;

    c->is_in_line = false;
    if (c->state == CONN_ST_HANDSHAKE) {
        handshake_input(c);
        return;
    }
    if (len && conn_can_deliver(c)) {
        used = conn_deliver(c, c->in_plain.data + c->in_plain.head, len);
        buf_consume(&c->in_plain, used);
        buf_release_if_empty(&c->in_plain);
        conn_mark_dirty(c);
    }
    if (buf_len(&c->in_plain) == 0) {
        len = buf_len(&c->in_raw);
        used = process(c, len ? c->in_raw.data + c->in_raw.head : NULL, len);
        buf_consume(&c->in_raw, used);
        buf_release_if_empty(&c->in_raw);
        conn_mark_dirty(c);
        is_stuck = len && used == 0 && share_left(c) != 0;
        if (buf_len(&c->in_raw) && !is_stuck) {
            conn_want_input(c);
        }
    }
    check_end(c, is_stuck);
}

static void hold(struct conn *c, const char *bytes, size_t len)
{
    buf_append(&c->in_raw, bytes, len);
    if (c->in_raw.failed) {
        conn_abort(c, ERR_NOMEM, "no memory to hold received bytes");
        return;
    }
    conn_mark_dirty(c);
}

/* Of a record that was cut, only what is missing is copied to its beginning in in_raw: what comes
 * behind it is opened where it was received. Returns how many bytes were used up: 0 when something
 * else than the wire keeps in_raw waiting. */
static size_t complete(struct conn *c, const char *bytes, size_t len)
{
    size_t have = buf_len(&c->in_raw);
    size_t used = 0;
    size_t need;

    if (!c->is_secured || c->ktls.in == CONN_KERNEL_ON) {
        return 0;
    }
    conn_mark_dirty(c);
    while (used < len && have > 0 && conn_can_deliver(c)) {
        need = tls_session_record_bytes(c->session, buf_slice(&c->in_raw));
        need = need > 0 ? need : RECORD_HEADER_BYTES;
        if (need <= have) {
            break; /* whole and still here: it waits for something else */
        }
        need = need - have < len - used ? need - have : len - used;
        buf_append(&c->in_raw, bytes + used, need);
        if (c->in_raw.failed) {
            conn_abort(c, ERR_NOMEM, "no memory to hold received bytes");
            return len;
        }
        used += need;
        have = process(c, c->in_raw.data + c->in_raw.head, buf_len(&c->in_raw));
        buf_consume(&c->in_raw, have);
        have = buf_len(&c->in_raw);
    }
    buf_release_if_empty(&c->in_raw);
    return used;
}

static void received(struct conn *c, char *bytes, size_t len)
{
    size_t used = 0;
    bool is_later;

    stat_add(&c->sh->stats.bytes_in, len);
    count_input(c, len);
    c->received_ms = c->sh->now_ms;
    if (c->is_tls_ended && c->ktls.in == CONN_KERNEL_ON) {
        return; /* behind close_notify: held input before it may still be waiting */
    }
    if (!conn_ktls_count(c, TLS_IN, len)) {
        return;
    }
    is_later = must_wait(c, len);
    if (!is_later && buf_len(&c->in_raw) && buf_len(&c->in_plain) == 0) {
        used = complete(c, bytes, len);
    }
    if (!is_later && used < len && buf_len(&c->in_raw) == 0 && buf_len(&c->in_plain) == 0) {
        used += process(c, bytes + used, len - used);
    }
    if (used < len && c->state != CONN_ST_ENDING) {
        hold(c, bytes + used, len - used);
    }
    if (c->state == CONN_ST_OPEN || c->state == CONN_ST_HANDSHAKE) {
        if (used && c->sh->has_line && is_much(c, len)) {
            c->is_in_line = true;
        }
        if (buf_len(&c->in_raw) || c->is_in_line) {
            conn_want_input(c);
        }
        if (c->is_tls_ended) {
            check_end(c, false);
        }
    }
}

/* result: 0 or -errno. */
static void ended(struct conn *c, int result)
{
    c->is_input_ended = true;
    if (result < 0 && c->state != CONN_ST_MOVING) {
        conn_end(c, result, err_text(result));
    } else if (c->state == CONN_ST_LINGERING) {
        conn_end(c, c->err, c->why);
    } else if (c->state == CONN_ST_OPEN || c->state == CONN_ST_HANDSHAKE) {
        conn_want_input(c);
    }
}

void conn_received(struct conn *c, const struct io_event *ev)
{
    char *fetched = c->ktls.fetch;

    c->ktls.fetch = NULL;
    if (ev->result == -ENOBUFS) {
        /* Re-armed by conn_drive: buffers are back then. Who is loud took them, and would again. */
        stat_add(&c->sh->stats.recv_no_buffer, 1);
        if (!brings(c, CONN_LOUD_BYTES)) {
            list_remove(&c->dirty_link);
            list_push_front(&c->sh->dirty, &c->dirty_link);
        }
    } else if (c->is_deaf && ev->result > 0) {
        ended(c, 0); /* of recv_end */
    } else if (ev->result > 0) {
        received(c, fetched ? fetched : ev->bytes, (size_t)ev->result);
    } else if (ev->result != -ECANCELED && ev->result != -EINTR &&
               !conn_ktls_received(c, ev->result)) {
        ended(c, ev->result);
    }
    pool_free(fetched);
}
