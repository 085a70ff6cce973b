/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim_step: the simulated kernel goes on with one of the operations, in the way its faults want. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "sim_int.h"

/* What plain reading finds: bytes, or of a kernel's record its content. -EIO: a control record. */
static int readable(struct sock *s)
{
    int err;

    if (!s->tls.in) {
        return (int)buf_len(&s->rx);
    }
    if (s->tls.held_type == 0 && buf_len(&s->rx) && sim_fault(SIM_SPLIT_RECORD)) {
        return -EAGAIN; /* its end has not come yet */
    }
    err = sim_tls_open(&s->tls, &s->rx);
    if (err == 0 && s->tls.held_type && s->tls.held_type != RECORD_APPLICATION_DATA) {
        return -EIO;
    }
    return err ? err : (int)buf_len(&s->tls.held);
}

static void take(struct sock *s, char *bytes, size_t len)
{
    if (s->tls.in) {
        len = sim_tls_take(&s->tls, bytes, len);
        return;
    }
    memcpy(bytes, buf_slice(&s->rx).ptr, len);
    buf_consume(&s->rx, len);
}

/* The end of a receive without bytes, if it is there. */
static void step_recv_nothing(uint32_t i, const struct sock *s)
{
    if (s->is_reset) {
        sim_finish(i, -ECONNRESET);
    } else if (s->is_fin) {
        sim_finish(i, 0);
    }
}

static void step_recv(uint32_t i)
{
    struct op *op = &sim_ops[i];
    struct sock *s = &sim_socks[op->sock];
    struct sim_io *io = sim_of(op->io);
    struct io_event *ev;
    uint32_t buf_idx = 0;
    int there;
    size_t len;

    if (op->is_end_only) {
        if (s->is_fin || s->is_reset) {
            sim_finish(i, POLLRDHUP);
        }
        return;
    }
    there = s->is_reset ? 0 : readable(s);
    if (there <= 0) {
        if (there == 0) {
            step_recv_nothing(i, s);
        } else if (there != -EAGAIN) {
            sim_finish(i, there);
        }
        return;
    }
    len = (size_t)there;
    if (op->into) {
        len = len < op->len ? len : op->len;
        len = sim_fault(SIM_SHORT_RECV) ? 1 + sim_dice((uint32_t)len) : len;
        take(s, op->into, len);
        sim_finish(i, (int)len);
        return;
    }
    while (buf_idx < io->io.buf_count && io->used[buf_idx] == io->io.buf_bytes) {
        buf_idx++;
    }
    if (buf_idx == io->io.buf_count || sim_fault(SIM_NO_BUFFER)) {
        sim_finish(i, -ENOBUFS);
        return;
    }
    len = len < io->io.buf_bytes - io->used[buf_idx] ? len : io->io.buf_bytes - io->used[buf_idx];
    if (sim_fault(SIM_SHORT_RECV)) {
        len = 1 + sim_dice((uint32_t)len);
    }
    ev = sim_event_new(op->io, op->tag, (int)len, sim_fault(SIM_LAST_SHOT));
    ev->buf_idx = buf_idx;
    ev->bytes = io->memory + (size_t)buf_idx * io->io.buf_bytes + io->used[buf_idx];
    io->used[buf_idx] = io->is_shared ? io->used[buf_idx] + (uint32_t)len : io->io.buf_bytes;
    io->lent[buf_idx]++;
    io->io.bufs_lent++;
    take(s, ev->bytes, len);
    if (ev->is_last) {
        sim_end_op(i);
    }
}

static void step_send(uint32_t i)
{
    struct op *op = &sim_ops[i];
    struct sock *s = &sim_socks[op->sock];
    size_t len = op->len;
    size_t room;
    struct buf *wire;

    if (s->is_reset || s->peer < 0) {
        sim_finish(i, s->is_reset ? -ECONNRESET : -EPIPE);
        return;
    }
    ASSERT(!s->is_shut);
    wire = &sim_socks[s->peer].rx;
    room = buf_len(wire) < WINDOW_BYTES ? WINDOW_BYTES - buf_len(wire) : 0;
    if (room == 0) {
        return;
    }
    if (op->record) {
        sim_tls_seal(&s->tls, op->record->type, slice_make(op->bytes, len), true, wire);
        sim_finish(i, (int)len);
        return;
    }
    len = len < room ? len : room;
    if (sim_fault(SIM_SHORT_SEND)) {
        len = 1 + sim_dice((uint32_t)len);
    }
    if (s->tls.out) {
        sim_tls_seal(&s->tls, RECORD_APPLICATION_DATA, slice_make(op->bytes, len),
                     len == op->len, wire);
    } else {
        buf_append(wire, op->bytes, len);
    }
    sim_finish(i, (int)len);
}

static void step_connect(uint32_t i)
{
    struct op *op = &sim_ops[i];
    int accepted;

    for (int l = 0; l < SOCKS_MAX; l++) {
        struct sock *listener = &sim_socks[l];

        if (!listener->is_used || listener->port != op->port || listener->port == 0) {
            continue;
        }
        if (sim_fault(SIM_REFUSED) || listener->backlog_count == BACKLOG_MAX) {
            break;
        }
        accepted = sim_sock_new();
        ASSERT(accepted >= 0);
        sim_socks[accepted].peer = op->sock;
        sim_socks[op->sock].peer = accepted;
        listener->backlog[listener->backlog_count++] = accepted;
        sim_finish(i, 0);
        return;
    }
    sim_finish(i, -ECONNREFUSED);
}

static void step_accept(uint32_t i)
{
    struct op *op = &sim_ops[i];
    struct sock *listener = &sim_socks[op->sock];
    int taken;

    if (listener->backlog_count == 0) {
        return;
    }
    if (sim_fault(SIM_NO_ACCEPT)) {
        sim_finish(i, -EMFILE);
        return;
    }
    taken = listener->backlog[0];
    memmove(listener->backlog, listener->backlog + 1,
            --listener->backlog_count * sizeof(listener->backlog[0]));
    if (sim_fault(SIM_ABORTED)) {
        sim_break_pair(&sim_socks[taken]);
        sim_sock_free(&sim_socks[taken]);
        sim_finish(i, -ECONNABORTED);
        return;
    }
    (void)sim_event_new(op->io, op->tag, FD_BASE + taken, false);
}

static void step_cancel(uint32_t i)
{
    struct op cancel = sim_ops[i];
    uint32_t t = 0;

    while (t < sim_ops_count &&
           (sim_ops[t].io != cancel.io || sim_ops[t].tag.op != cancel.target.op ||
            sim_ops[t].tag.slot != cancel.target.slot ||
            sim_ops[t].tag.generation != cancel.target.generation)) {
        t++;
    }
    if (t == sim_ops_count) {
        sim_finish(i, -ENOENT);
    } else if (sim_fault(SIM_LATE_CANCEL)) {
        sim_finish(i, -EALREADY);
    } else if (sim_dice(2)) {
        sim_finish(i, 0);
        /* sim_end_op may have moved the target into this place. */
        sim_finish(t == sim_ops_count ? i : t, -ECANCELED);
    } else {
        (void)sim_event_new(sim_ops[t].io, sim_ops[t].tag, -ECANCELED, true);
        (void)sim_event_new(cancel.io, cancel.tag, 0, true);
        sim_end_op(t > i ? t : i);
        sim_end_op(t > i ? i : t);
    }
}

void sim_step(void)
{
    uint32_t i;

    sim_world.now_ms += sim_dice(3);
    if (sim_fault(SIM_TIME_JUMP)) {
        sim_world.now_ms += 200;
    }
    if (sim_ops_count == 0) {
        return;
    }
    i = sim_dice(sim_ops_count);
    switch (sim_ops[i].tag.op) {
    case IO_OP_RECV:
        if (sim_fault(SIM_RESET)) {
            sim_socks[sim_ops[i].sock].is_reset = true;
            sim_break_pair(&sim_socks[sim_ops[i].sock]);
        }
        step_recv(i);
        break;
    case IO_OP_SEND:
        step_send(i);
        break;
    case IO_OP_CONNECT:
        step_connect(i);
        break;
    case IO_OP_ACCEPT:
        step_accept(i);
        break;
    case IO_OP_CANCEL:
        step_cancel(i);
        break;
    case IO_OP_POLL:
    case IO_OP_BELL:
    case IO_OP_WOKEN:
    case IO_OP_NONE:
    case IO_OP_COUNT:
        UNREACHABLE("never started here");
    }
}
