/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim_io: a kernel in memory. */
#include "sim_io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/pool.h"

#define SOCKS_MAX 512
#define OPS_MAX 2048
#define EVENTS_MAX 8192
#define BACKLOG_MAX 64
#define FD_BASE 100000 /* not to be mistaken for a real one */
#define WINDOW_BYTES 20000u

struct sock {
    bool is_used;
    bool is_fin;   /* the peer sends no more */
    bool is_reset; /* broken */
    bool is_shut;  /* we send no more */
    int peer;      /* -1 = gone */
    uint16_t port; /* listeners */
    int backlog[BACKLOG_MAX];
    uint32_t backlog_count;
    struct buf rx;
};

struct op {
    bool is_used;
    struct io_tag tag;
    struct io *io;
    int sock;
    const char *bytes; /* send: the engine's, until the event */
    size_t len;
    uint16_t port;
    struct io_tag target;
};

struct sim_io {
    struct io io;
    struct io_event *events; /* ring */
    uint32_t head, tail;
    char *memory;
    uint8_t *is_lent;
};

struct sim_world sim_world;
static struct sock socks[SOCKS_MAX];
static struct op ops[OPS_MAX];
static uint32_t ops_count; /* ops[0..ops_count) are used */

uint32_t sim_dice(uint32_t below)
{
    sim_world.dice = sim_world.dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(sim_world.dice >> 33) % below;
}

static bool fault(enum sim_fault which)
{
    uint32_t knob = sim_world.knobs[which];

    if (knob == 0 || sim_dice(knob) != 0) {
        return false;
    }
    sim_world.happened[which]++;
    return true;
}

static struct sim_io *sim_of(struct io *io)
{
    return CONTAINER_OF(io, struct sim_io, io);
}

static struct sock *sock_of(int fd)
{
    ASSERT(fd >= FD_BASE && fd < FD_BASE + SOCKS_MAX);
    ASSERT(socks[fd - FD_BASE].is_used);
    return &socks[fd - FD_BASE];
}

static int sock_new(void)
{
    for (int i = 0; i < SOCKS_MAX; i++) {
        if (!socks[i].is_used) {
            socks[i] = (struct sock){.is_used = true, .peer = -1};
            buf_init(&socks[i].rx, WINDOW_BYTES);
            return i;
        }
    }
    return -1;
}

uint32_t sim_sockets_open(void)
{
    uint32_t count = 0;

    for (int i = 0; i < SOCKS_MAX; i++) {
        count += socks[i].is_used;
    }
    return count;
}

void sim_reset(uint64_t seed)
{
    for (int i = 0; i < SOCKS_MAX; i++) {
        if (socks[i].is_used) {
            buf_deinit(&socks[i].rx);
        }
        socks[i] = (struct sock){0};
    }
    ops_count = 0;
    sim_world = (struct sim_world){.dice = seed * 0x9e3779b97f4a7c15u + 1, .now_ms = 1000000};
}

int sim_listen(uint16_t port)
{
    int i = sock_new();

    ASSERT(i >= 0);
    socks[i].port = port;
    return FD_BASE + i;
}

static int start(struct io *io, struct op op)
{
    if (fault(SIM_BUSY) || ops_count == OPS_MAX) {
        return -EBUSY;
    }
    op.io = io;
    op.is_used = true;
    for (uint32_t i = 0; i < ops_count; i++) { /* unique among those in flight */
        ASSERT(ops[i].io != io || ops[i].tag.op != op.tag.op || ops[i].tag.slot != op.tag.slot ||
               ops[i].tag.generation != op.tag.generation || op.tag.generation == 0);
    }
    ops[ops_count++] = op;
    return 0;
}

static void end_op(uint32_t i)
{
    ops[i] = ops[--ops_count];
}

static struct io_event *event_new(struct io *io, struct io_tag tag, int result, bool is_last)
{
    struct sim_io *s = sim_of(io);
    struct io_event *ev = &s->events[s->tail++ % EVENTS_MAX];

    ASSERT(s->tail - s->head <= EVENTS_MAX);
    *ev = (struct io_event){
        .tag = tag, .result = result, .is_last = is_last, .buf_idx = IO_NO_BUF};
    return ev;
}

/* Ends the operation with this result. */
static void finish(uint32_t i, int result)
{
    (void)event_new(ops[i].io, ops[i].tag, result, true);
    end_op(i);
}

static int vt_enable(struct io *io)
{
    (void)io;
    return 0;
}

static void vt_destroy(struct io *io)
{
    struct sim_io *s = sim_of(io);

    pool_heap_free(s->events);
    pool_heap_free(s->memory);
    pool_heap_free(s->is_lent);
    pool_heap_free(s);
}

static int vt_accept(struct io *io, int fd, struct io_tag tag)
{
    return start(io, (struct op){.tag = tag, .sock = (int)(sock_of(fd) - socks)});
}

static int vt_connect(struct io *io, int fd, const struct sockaddr *addr, socklen_t len,
                      struct io_tag tag)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)addr;

    ASSERT(len == sizeof(*in));
    return start(io, (struct op){.tag = tag,
                                 .sock = (int)(sock_of(fd) - socks),
                                 .port = ntohs(in->sin_port)});
}

static int vt_recv(struct io *io, int fd, struct io_tag tag)
{
    return start(io, (struct op){.tag = tag, .sock = (int)(sock_of(fd) - socks)});
}

static int vt_send(struct io *io, int fd, const char *bytes, size_t len, struct io_tag tag)
{
    ASSERT(len > 0);
    return start(io, (struct op){.tag = tag,
                                 .sock = (int)(sock_of(fd) - socks),
                                 .bytes = bytes,
                                 .len = len});
}

static int vt_poll(struct io *io, int fd, uint32_t mask, struct io_tag tag)
{
    (void)io;
    (void)fd;
    (void)mask;
    (void)tag;
    return 0; /* only the alarms are polled here, and nobody sets them */
}

static int vt_cancel(struct io *io, struct io_tag target, struct io_tag tag)
{
    return start(io, (struct op){.tag = tag, .target = target});
}

static int vt_bell(struct io *io, struct io *other, struct io_tag tag)
{
    (void)io;
    (void)other;
    (void)tag;
    return 0; /* nobody sleeps */
}

static int vt_wait(struct io *io, uint64_t timeout_ms)
{
    (void)io;
    ASSERT(timeout_ms == 0);
    return 0;
}

static uint32_t vt_reap(struct io *io, struct io_event *events, uint32_t events_max)
{
    struct sim_io *s = sim_of(io);
    uint32_t count = 0;

    while (count < events_max && s->head != s->tail) {
        events[count++] = s->events[s->head++ % EVENTS_MAX];
    }
    return count;
}

static void vt_buf_return(struct io *io, uint32_t buf_idx)
{
    struct sim_io *s = sim_of(io);

    ASSERT(buf_idx < io->buf_count && s->is_lent[buf_idx]);
    s->is_lent[buf_idx] = 0;
    memset(s->memory + (size_t)buf_idx * io->buf_bytes, 0xdd, io->buf_bytes);
    io->bufs_lent--;
}

static int vt_socket(struct io *io, int family)
{
    int i;

    (void)io;
    (void)family;
    if (fault(SIM_NO_SOCKET)) {
        return -EMFILE;
    }
    i = sock_new();
    return i < 0 ? -EMFILE : FD_BASE + i;
}

static int vt_accepted(struct io *io, int fd, struct sockaddr_storage *peer, socklen_t *len)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};

    (void)io;
    if (sock_of(fd)->is_reset) {
        return -ENOTCONN;
    }
    memcpy(peer, &in, sizeof(in));
    *len = sizeof(in);
    return 0;
}

static void vt_shutdown_send(struct io *io, int fd)
{
    struct sock *s = sock_of(fd);

    (void)io;
    s->is_shut = true;
    if (s->peer >= 0) {
        socks[s->peer].is_fin = true;
    }
}

static void break_pair(struct sock *s)
{
    if (s->peer >= 0) {
        socks[s->peer].is_reset = true;
        buf_clear(&socks[s->peer].rx);
        socks[s->peer].peer = -1;
        s->peer = -1;
    }
}

static void vt_close(struct io *io, int fd, bool is_reset)
{
    struct sock *s = sock_of(fd);

    (void)io;
    for (uint32_t i = 0; i < ops_count; i++) {
        /* Only an accept may be in flight on what is closed. */
        ASSERT(ops[i].sock != (int)(s - socks) || ops[i].tag.op == IO_OP_ACCEPT ||
               ops[i].tag.op == IO_OP_CANCEL);
    }
    for (uint32_t i = 0; i < s->backlog_count; i++) {
        break_pair(&socks[s->backlog[i]]);
        buf_deinit(&socks[s->backlog[i]].rx);
        socks[s->backlog[i]].is_used = false;
    }
    if (is_reset || buf_len(&s->rx)) {
        break_pair(s);
    } else if (s->peer >= 0) {
        socks[s->peer].is_fin = true;
        socks[s->peer].peer = -1;
    }
    buf_deinit(&s->rx);
    s->is_used = false;
}

static void vt_shutdown_listen(struct io *io, int fd)
{
    (void)io;
    for (uint32_t i = 0; i < ops_count; i++) {
        if (ops[i].tag.op == IO_OP_ACCEPT && ops[i].sock == (int)(sock_of(fd) - socks)) {
            finish(i, -EINVAL);
            return;
        }
    }
}

static size_t vt_unacked(struct io *io, int fd)
{
    (void)io;
    (void)sock_of(fd);
    return 0;
}

static uint64_t vt_now_ms(struct io *io)
{
    (void)io;
    return sim_world.now_ms;
}

static int64_t vt_now_unix_s(struct io *io)
{
    (void)io;
    return 1800000000 + (int64_t)(sim_world.now_ms / 1000);
}

static const struct io_vtable vtable = {
    .enable = vt_enable,
    .destroy = vt_destroy,
    .accept = vt_accept,
    .connect = vt_connect,
    .recv = vt_recv,
    .send = vt_send,
    .poll = vt_poll,
    .cancel = vt_cancel,
    .bell = vt_bell,
    .wait = vt_wait,
    .reap = vt_reap,
    .buf_return = vt_buf_return,
    .socket = vt_socket,
    .accepted = vt_accepted,
    .shutdown_send = vt_shutdown_send,
    .shutdown_listen = vt_shutdown_listen,
    .close = vt_close,
    .unacked = vt_unacked,
    .now_ms = vt_now_ms,
    .now_unix_s = vt_now_unix_s,
};

static int sim_create(struct io **out, const struct io_params *params, char *why,
                      size_t why_bytes)
{
    struct sim_io *s = pool_heap_zalloc(sizeof(*s));

    (void)why;
    (void)why_bytes;
    s->io.vt = &vtable;
    s->io.buf_count = params->buf_count;
    s->io.buf_bytes = params->buf_bytes;
    s->events = pool_heap_zalloc(EVENTS_MAX * sizeof(s->events[0]));
    s->memory = pool_heap_zalloc((size_t)params->buf_count * params->buf_bytes);
    s->is_lent = pool_heap_zalloc(params->buf_count);
    *out = &s->io;
    return 0;
}

const struct io_backend sim_backend = {.name = "sim", .create = sim_create};

static void step_recv(uint32_t i)
{
    struct op *op = &ops[i];
    struct sock *s = &socks[op->sock];
    struct sim_io *io = sim_of(op->io);
    struct io_event *ev;
    uint32_t buf_idx = 0;
    size_t len = buf_len(&s->rx);

    if (s->is_reset) {
        finish(i, -ECONNRESET);
        return;
    }
    if (len == 0) {
        if (s->is_fin) {
            finish(i, 0);
        }
        return;
    }
    while (buf_idx < io->io.buf_count && io->is_lent[buf_idx]) {
        buf_idx++;
    }
    if (buf_idx == io->io.buf_count || fault(SIM_NO_BUFFER)) {
        finish(i, -ENOBUFS);
        return;
    }
    len = len < io->io.buf_bytes ? len : io->io.buf_bytes;
    if (fault(SIM_SHORT_RECV)) {
        len = 1 + sim_dice((uint32_t)len);
    }
    ev = event_new(op->io, op->tag, (int)len, fault(SIM_LAST_SHOT));
    ev->buf_idx = buf_idx;
    ev->bytes = io->memory + (size_t)buf_idx * io->io.buf_bytes;
    io->is_lent[buf_idx] = 1;
    io->io.bufs_lent++;
    memcpy(ev->bytes, buf_slice(&s->rx).ptr, len);
    buf_consume(&s->rx, len);
    if (ev->is_last) {
        end_op(i);
    }
}

static void step_send(uint32_t i)
{
    struct op *op = &ops[i];
    struct sock *s = &socks[op->sock];
    size_t len = op->len;
    size_t room;

    if (s->is_reset || s->peer < 0) {
        finish(i, s->is_reset ? -ECONNRESET : -EPIPE);
        return;
    }
    ASSERT(!s->is_shut);
    room = buf_room(&socks[s->peer].rx);
    len = len < room ? len : room;
    if (len == 0) {
        return;
    }
    if (fault(SIM_SHORT_SEND)) {
        len = 1 + sim_dice((uint32_t)len);
    }
    buf_append(&socks[s->peer].rx, op->bytes, len);
    finish(i, (int)len);
}

static void step_connect(uint32_t i)
{
    struct op *op = &ops[i];
    int accepted;

    for (int l = 0; l < SOCKS_MAX; l++) {
        struct sock *listener = &socks[l];

        if (!listener->is_used || listener->port != op->port || listener->port == 0) {
            continue;
        }
        if (fault(SIM_REFUSED) || listener->backlog_count == BACKLOG_MAX) {
            break;
        }
        accepted = sock_new();
        ASSERT(accepted >= 0);
        socks[accepted].peer = op->sock;
        socks[op->sock].peer = accepted;
        listener->backlog[listener->backlog_count++] = accepted;
        finish(i, 0);
        return;
    }
    finish(i, -ECONNREFUSED);
}

static void step_accept(uint32_t i)
{
    struct op *op = &ops[i];
    struct sock *listener = &socks[op->sock];
    int taken;

    if (listener->backlog_count == 0) {
        return;
    }
    if (fault(SIM_NO_ACCEPT)) {
        finish(i, -EMFILE);
        return;
    }
    taken = listener->backlog[0];
    memmove(listener->backlog, listener->backlog + 1,
            --listener->backlog_count * sizeof(listener->backlog[0]));
    if (fault(SIM_ABORTED)) {
        break_pair(&socks[taken]);
        buf_deinit(&socks[taken].rx);
        socks[taken].is_used = false;
        finish(i, -ECONNABORTED);
        return;
    }
    (void)event_new(op->io, op->tag, FD_BASE + taken, false);
}

static void step_cancel(uint32_t i)
{
    struct op cancel = ops[i];
    uint32_t t = 0;

    while (t < ops_count &&
           (ops[t].io != cancel.io || ops[t].tag.op != cancel.target.op ||
            ops[t].tag.slot != cancel.target.slot ||
            ops[t].tag.generation != cancel.target.generation)) {
        t++;
    }
    if (t == ops_count) {
        finish(i, -ENOENT);
    } else if (fault(SIM_LATE_CANCEL)) {
        finish(i, -EALREADY);
    } else if (sim_dice(2)) {
        finish(i, 0);
        /* end_op may have moved the target into this place. */
        finish(t == ops_count ? i : t, -ECANCELED);
    } else {
        (void)event_new(ops[t].io, ops[t].tag, -ECANCELED, true);
        (void)event_new(cancel.io, cancel.tag, 0, true);
        end_op(t > i ? t : i);
        end_op(t > i ? i : t);
    }
}

void sim_step(void)
{
    uint32_t i;

    sim_world.now_ms += sim_dice(3);
    if (fault(SIM_TIME_JUMP)) {
        sim_world.now_ms += 200;
    }
    if (ops_count == 0) {
        return;
    }
    i = sim_dice(ops_count);
    switch (ops[i].tag.op) {
    case IO_OP_RECV:
        if (fault(SIM_RESET)) {
            socks[ops[i].sock].is_reset = true;
            break_pair(&socks[ops[i].sock]);
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
