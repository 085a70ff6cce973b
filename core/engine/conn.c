/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conn: life of a connection: making, owner, closing order, end. */
#include <errno.h>
#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "engine/conn_int.h"

static const struct {
    const char *name;
    uint32_t next; /* bits of allowed successors */
} states[CONN_ST_COUNT] = {
#define CONN_STATE(name, next) {#name, next},
    CONN_STATES(CONN_STATE)
#undef CONN_STATE
};

void conn_check(const struct conn *c)
{
    ASSERT(c && c->magic == CONN_MAGIC);
}

void conn_set_state(struct conn *c, enum conn_state next)
{
    if (UNLIKELY(!(states[c->state].next & (1u << next)))) {
        (void)fprintf(stderr, "conn: %s -> %s\n", states[c->state].name, states[next].name);
        UNREACHABLE("state change of a conn that its table does not allow");
    }
    c->state = next;
}

void conn_mark_dirty(struct conn *c)
{
    if (!list_is_linked(&c->dirty_link)) {
        list_push_back(&c->sh->dirty, &c->dirty_link);
    }
}

struct conn *conn_new(struct shard *sh, int fd, enum conn_state state, int *err)
{
    struct conn *c = pool_zalloc(sizeof(*c));

    if (!c) {
        *err = ERR_NOMEM;
        return NULL;
    }
    c->magic = CONN_MAGIC;
    c->state = state;
    c->fd = fd;
    c->sh = sh;
    c->why = "";
    buf_init(&c->out, CONN_OUT_BYTES_DEFAULT);
    c->crowded_bytes = CONN_OUT_BYTES_DEFAULT / 2;
    buf_init(&c->pending, POOL_BLOCK_BYTES_MAX);
    buf_init(&c->flying, POOL_BLOCK_BYTES_MAX);
    buf_init(&c->in_raw, POOL_BLOCK_BYTES_MAX);
    buf_init(&c->in_plain, POOL_BLOCK_BYTES_MAX);
    c->received_ms = sh->now_ms;
    *err = conn_slots_add(sh, c);
    if (*err) {
        c->magic = 0;
        pool_free(c);
        return NULL;
    }
    conn_mark_dirty(c);
    return c;
}

void conn_set_peer(struct conn *c, const struct sockaddr *addr, socklen_t len)
{
    ASSERT(len <= sizeof(c->peer));
    memcpy(&c->peer, addr, len);
    c->peer_len = len;
}

void conn_end(struct conn *c, int err, const char *why)
{
    if (c->state == CONN_ST_ENDING || c->state == CONN_ST_GONE) {
        return;
    }
    if (!c->is_over) {
        c->is_over = true;
        c->err = err;
        c->why = why;
    }
    wheel_disarm(&c->sh->wheel, &c->state_timer);
    wheel_disarm(&c->sh->wheel, &c->read_timer);
    list_remove(&c->input_link);
    handshake_over(c);
    conn_set_state(c, CONN_ST_ENDING);
    conn_mark_dirty(c);
}

static void linger_over(struct wheel_timer *timer, void *ctx)
{
    struct conn *c = ctx;

    (void)timer;
    if (c->state == CONN_ST_FLUSHING) {
        c->is_reset = true; /* it does not take what we have: the kernel need not keep it */
    }
    conn_end(c, c->err, c->why);
}

void conn_close_with(struct conn *c, int err, const char *why, uint32_t linger_ms)
{
    ASSERT(c->state == CONN_ST_OPEN || c->state == CONN_ST_HANDSHAKE);
    c->is_over = true;
    c->err = err;
    c->why = why;
    wheel_disarm(&c->sh->wheel, &c->read_timer);
    list_remove(&c->input_link);
    handshake_over(c);
    conn_set_state(c, CONN_ST_FLUSHING);
    shard_timer_arm(c->sh, &c->state_timer, linger_ms, linger_over, c);
    conn_mark_dirty(c);
}

void conn_close(struct conn *c, uint32_t linger_ms)
{
    conn_check(c);
    switch (c->state) {
    case CONN_ST_OPEN:
        conn_close_with(c, c->end_err, c->end_err ? c->end_why : "closed by us", linger_ms);
        break;
    case CONN_ST_HANDSHAKE: /* nothing written can go out any more */
        conn_close_with(c, 0, "closed by us during the TLS handshake", linger_ms);
        break;
    case CONN_ST_CONNECTING:
    case CONN_ST_FLUSHING:
    case CONN_ST_LINGERING:
    case CONN_ST_MOVING:
    case CONN_ST_ENDING:
    case CONN_ST_GONE:
    case CONN_ST_COUNT:
        break; /* on its way already */
    }
}

void conn_abort(struct conn *c, int err, const char *why)
{
    conn_check(c);
    c->is_reset = true;
    conn_end(c, err, why);
}

/* Asks for the end of one operation after the other. True when nothing is in flight. */
static bool drain(struct conn *c)
{
    static const struct {
        enum conn_op bit;
        enum io_op op;
    } ops[] = {
        {CONN_OP_RECV, IO_OP_RECV}, {CONN_OP_SEND, IO_OP_SEND}, {CONN_OP_CONNECT, IO_OP_CONNECT}};

    if (c->in_flight == 0) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_COUNT(ops) && !(c->in_flight & CONN_OP_CANCEL); i++) {
        if (!(c->in_flight & ops[i].bit)) {
            continue;
        }
        if (c->sh->io->vt->cancel(c->sh->io, (struct io_tag){ops[i].op, c->slot, c->generation},
                                  (struct io_tag){IO_OP_CANCEL, c->slot, c->generation})) {
            conn_mark_dirty(c); /* no room: next turn */
            return false;
        }
        c->in_flight |= CONN_OP_CANCEL;
    }
    return false;
}

/* Nobody will read it, and held input must not keep us from seeing the peer's end. */
static void drop_input(struct conn *c)
{
    buf_deinit(&c->in_raw);
    buf_deinit(&c->in_plain);
}

static void drive_flushing(struct conn *c)
{
    if (conn_send_next(c)) {
        return;
    }
    if (c->state != CONN_ST_FLUSHING) {
        return; /* ended while sending */
    }
    c->sh->io->vt->shutdown_send(c->sh->io, c->fd);
    c->is_fin_sent = true;
    if (c->is_input_ended) {
        conn_end(c, c->err, c->why);
        return;
    }
    conn_set_state(c, CONN_ST_LINGERING);
    conn_recv_keep(c);
}

void conn_drive(struct conn *c)
{
    switch (c->state) {
    case CONN_ST_CONNECTING:
        connect_start(c);
        break;
    case CONN_ST_OPEN:
        conn_ktls_drive(c);
        if (c->state != CONN_ST_OPEN) {
            break; /* it is dirty again */
        }
        (void)conn_send_next(c);
        conn_recv_keep(c);
        break;
    case CONN_ST_HANDSHAKE:
        (void)conn_send_next(c);
        conn_recv_keep(c);
        break;
    case CONN_ST_FLUSHING:
        drop_input(c);
        conn_recv_keep(c);
        drive_flushing(c);
        break;
    case CONN_ST_LINGERING:
        drop_input(c);
        conn_recv_keep(c);
        break;
    case CONN_ST_MOVING:
        if (drain(c)) {
            conn_depart(c);
        }
        break;
    case CONN_ST_ENDING:
        if (drain(c) && !list_is_linked(&c->ended_link)) {
            list_push_back(&c->sh->ended, &c->ended_link);
        }
        break;
    case CONN_ST_GONE:
    case CONN_ST_COUNT:
        UNREACHABLE("a conn that is gone is in no list");
    }
}

void conn_event(struct shard *sh, const struct io_event *ev)
{
    static const uint32_t bit_of[IO_OP_COUNT] = {[IO_OP_CONNECT] = CONN_OP_CONNECT,
                                                 [IO_OP_RECV] = CONN_OP_RECV,
                                                 [IO_OP_SEND] = CONN_OP_SEND,
                                                 [IO_OP_CANCEL] = CONN_OP_CANCEL};
    struct conn *c = conn_slots_find(sh, ev->tag.slot, ev->tag.generation);

    if (!c) {
        /* Cannot happen while slots wait for their operations; counted, because it would be
         * ours. */
        stat_add(&sh->stats.stale_events, 1);
        return;
    }
    conn_check(c);
    if (ev->is_last) {
        (void)CHECK(c->in_flight & bit_of[ev->tag.op]);
        c->in_flight &= ~bit_of[ev->tag.op];
        conn_mark_dirty(c);
    }
    if (ev->tag.op == IO_OP_RECV) {
        conn_received(c, ev);
    } else if (ev->tag.op == IO_OP_SEND) {
        conn_sent(c, ev);
    } else if (ev->tag.op == IO_OP_CONNECT) {
        connect_event(c, ev);
    }
}

/* Gives back everything; the memory of c itself stays for the callback. */
static void release(struct conn *c)
{
    struct shard *sh = c->sh;

    list_remove(&c->dirty_link);
    list_remove(&c->input_link);
    list_remove(&c->ended_link);
    if (c->fd >= 0) {
        sh->io->vt->close(sh->io, c->fd, c->is_reset);
        c->fd = -1;
    }
    if (c->ticket) {
        ticket_return(sh, c->ticket);
        c->ticket = NULL;
    }
    if (c->slot != UINT32_MAX) {
        conn_slots_remove(sh, c);
    }
}

static void reap(struct conn *c)
{
    size_t unsent = conn_unsent(c);
    size_t unacked = c->fd >= 0 ? c->sh->io->vt->unacked(c->sh->io, c->fd) : 0;

    if (unacked && c->is_fin_sent) {
        unacked--; /* our FIN has a sequence number, too */
    }
    unsent += unacked;
    release(c);
    conn_set_state(c, CONN_ST_GONE);
    if (c->connect_done) {
        connect_failed(c);
    } else if (c->ops && c->ops->closed) {
        c->ops->closed(c, c->owner, c->err, c->why, unsent);
    }
    ASSERT(!list_is_linked(&c->dirty_link));
    tls_session_free(c->session);
    conn_ktls_deinit(c);
    buf_deinit(&c->out);
    buf_deinit(&c->pending);
    buf_deinit(&c->flying);
    buf_deinit(&c->in_raw);
    buf_deinit(&c->in_plain);
    c->magic = 0;
    pool_free(c);
}

void conns_reap(struct shard *sh)
{
    struct list batch;
    struct list *link;

    list_init(&batch);
    list_splice(&batch, &sh->ended);
    while ((link = list_pop_front(&batch))) {
        reap(LIST_ENTRY(link, struct conn, ended_link));
    }
}

void conns_abort_all(struct shard *sh, int err, const char *why)
{
    for (uint32_t i = 0; i < sh->slot_count; i++) {
        if (sh->slots[i].conn) {
            conn_abort(sh->slots[i].conn, err, why);
        }
    }
}
