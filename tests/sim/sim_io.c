/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim_io: a kernel in memory. */
#include "sim_io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/pool.h"
#include "sim_int.h"

struct sim_world sim_world;
struct sock sim_socks[SOCKS_MAX];
struct op sim_ops[OPS_MAX];
uint32_t sim_ops_count; /* sim_ops[0..sim_ops_count) are used */

uint32_t sim_dice(uint32_t below)
{
    sim_world.dice = sim_world.dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(sim_world.dice >> 33) % below;
}

bool sim_fault(enum sim_fault which)
{
    uint32_t knob = sim_world.knobs[which];

    if (knob == 0 || sim_dice(knob) != 0) {
        return false;
    }
    sim_world.happened[which]++;
    return true;
}

struct sim_io *sim_of(struct io *io)
{
    return CONTAINER_OF(io, struct sim_io, io);
}

static struct sock *sock_of(int fd)
{
    ASSERT(fd >= FD_BASE && fd < FD_BASE + SOCKS_MAX);
    ASSERT(sim_socks[fd - FD_BASE].is_used);
    return &sim_socks[fd - FD_BASE];
}

int sim_sock_new(void)
{
    for (int i = 0; i < SOCKS_MAX; i++) {
        if (!sim_socks[i].is_used) {
            sim_socks[i] = (struct sock){.is_used = true, .peer = -1};
            buf_init(&sim_socks[i].rx, RX_BYTES_MAX);
            sim_tls_init(&sim_socks[i].tls);
            return i;
        }
    }
    return -1;
}

void sim_sock_free(struct sock *s)
{
    buf_deinit(&s->rx);
    sim_tls_deinit(&s->tls);
    s->is_used = false;
}

uint32_t sim_sockets_open(void)
{
    uint32_t count = 0;

    for (int i = 0; i < SOCKS_MAX; i++) {
        count += sim_socks[i].is_used;
    }
    return count;
}

void sim_reset(uint64_t seed)
{
    for (int i = 0; i < SOCKS_MAX; i++) {
        if (sim_socks[i].is_used) {
            sim_sock_free(&sim_socks[i]);
        }
        sim_socks[i] = (struct sock){0};
    }
    sim_ops_count = 0;
    sim_world = (struct sim_world){.dice = seed * 0x9e3779b97f4a7c15u + 1, .now_ms = 1000000};
}

int sim_listen(uint16_t port)
{
    int i = sim_sock_new();

    ASSERT(i >= 0);
    sim_socks[i].port = port;
    return FD_BASE + i;
}

static int start(struct io *io, struct op op)
{
    if (sim_fault(SIM_BUSY) || sim_ops_count == OPS_MAX) {
        return -EBUSY;
    }
    op.io = io;
    op.is_used = true;
    for (uint32_t i = 0; i < sim_ops_count; i++) { /* unique among those in flight */
        const struct io_tag *other = &sim_ops[i].tag;

        ASSERT(sim_ops[i].io != io || other->op != op.tag.op || other->slot != op.tag.slot ||
               other->generation != op.tag.generation || op.tag.generation == 0);
    }
    sim_ops[sim_ops_count++] = op;
    return 0;
}

void sim_end_op(uint32_t i)
{
    sim_ops[i] = sim_ops[--sim_ops_count];
}

struct io_event *sim_event_new(struct io *io, struct io_tag tag, int result, bool is_last)
{
    struct sim_io *s = sim_of(io);
    struct io_event *ev = &s->events[s->tail++ % EVENTS_MAX];

    ASSERT(s->tail - s->head <= EVENTS_MAX);
    *ev = (struct io_event){
        .tag = tag, .result = result, .is_last = is_last, .buf_idx = IO_NO_BUF};
    return ev;
}

/* Ends the operation with this result. */
void sim_finish(uint32_t i, int result)
{
    (void)sim_event_new(sim_ops[i].io, sim_ops[i].tag, result, true);
    sim_end_op(i);
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
    pool_heap_free(s->used);
    pool_heap_free(s->lent);
    pool_heap_free(s);
}

static int vt_accept(struct io *io, int fd, struct io_tag tag)
{
    return start(io, (struct op){.tag = tag, .sock = (int)(sock_of(fd) - sim_socks)});
}

static int vt_connect(struct io *io, int fd, const struct sockaddr *addr, socklen_t len,
                      struct io_tag tag)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)addr;

    ASSERT(len == sizeof(*in));
    return start(io, (struct op){.tag = tag,
                                 .sock = (int)(sock_of(fd) - sim_socks),
                                 .port = ntohs(in->sin_port)});
}

static int vt_recv(struct io *io, int fd, struct io_tag tag)
{
    return start(io, (struct op){.tag = tag, .sock = (int)(sock_of(fd) - sim_socks)});
}

static int vt_send(struct io *io, int fd, const char *bytes, size_t len, struct io_tag tag)
{
    ASSERT(len > 0);
    return start(io, (struct op){.tag = tag,
                                 .sock = (int)(sock_of(fd) - sim_socks),
                                 .bytes = bytes,
                                 .len = len});
}

static int vt_recv_once(struct io *io, int fd, char *bytes, size_t len, struct io_tag tag)
{
    ASSERT(tag.op == IO_OP_RECV && len > 0 && !sock_of(fd)->tls.in);
    return start(io, (struct op){.tag = tag,
                                 .sock = (int)(sock_of(fd) - sim_socks),
                                 .into = bytes,
                                 .len = len});
}

static int vt_recv_end(struct io *io, int fd, struct io_tag tag)
{
    ASSERT(tag.op == IO_OP_RECV);
    return start(io, (struct op){.tag = tag,
                                 .sock = (int)(sock_of(fd) - sim_socks),
                                 .is_end_only = true});
}

static int vt_send_record(struct io *io, int fd, struct io_record *record, struct io_tag tag)
{
    ASSERT(tag.op == IO_OP_SEND && sock_of(fd)->tls.out);
    return start(io, (struct op){.tag = tag,
                                 .sock = (int)(sock_of(fd) - sim_socks),
                                 .bytes = record->bytes,
                                 .len = record->len,
                                 .record = record});
}

static bool has_op(const struct sock *s, enum io_op op)
{
    for (uint32_t i = 0; i < sim_ops_count; i++) {
        if (sim_ops[i].tag.op == op && sim_ops[i].sock == (int)(s - sim_socks)) {
            return true;
        }
    }
    return false;
}

static int vt_ktls_attach(struct io *io, int fd)
{
    (void)io;
    ASSERT(!has_op(sock_of(fd), IO_OP_SEND));
    return sim_fault(SIM_NO_ULP) ? -ENOENT : sim_tls_attach(&sock_of(fd)->tls);
}

static int vt_ktls_set(struct io *io, int fd, bool is_out, const struct ktls_keys *keys)
{
    struct sock *s = sock_of(fd);
    bool is_first = !(is_out ? s->tls.out : s->tls.in);

    (void)io;
    ASSERT(!has_op(s, is_out ? IO_OP_SEND : IO_OP_RECV));
    if (!is_first && !sim_world.can_rekey) {
        return -EBUSY;
    }
    if (sim_fault(!is_first ? SIM_NO_NEW_KEYS : is_out ? SIM_NO_KEYS_OUT : SIM_NO_KEYS_IN)) {
        return -ENOMEM;
    }
    return sim_tls_set(&s->tls, is_out, keys);
}

static int vt_ktls_recv(struct io *io, int fd, uint8_t *type, char *bytes, size_t len)
{
    struct sim_tls *tls = &sock_of(fd)->tls;

    (void)io;
    ASSERT(tls->in && !has_op(sock_of(fd), IO_OP_RECV));
    *type = tls->held_type;
    return *type ? (int)sim_tls_take(tls, bytes, len) : -EAGAIN;
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

static bool vt_spin(struct io *io, uint64_t timeout_ms, io_news_fn *news, void *ctx)
{
    (void)io;
    (void)timeout_ms;
    (void)news;
    (void)ctx;
    return false; /* nobody sleeps */
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

    ASSERT(buf_idx < io->buf_count && s->lent[buf_idx] > 0);
    io->bufs_lent--;
    if (--s->lent[buf_idx] == 0) {
        memset(s->memory + (size_t)buf_idx * io->buf_bytes, 0xdd, s->used[buf_idx]);
        s->used[buf_idx] = s->used[buf_idx] < io->buf_bytes ? s->used[buf_idx] : 0;
    }
}

static int vt_socket(struct io *io, int family)
{
    int i;

    (void)io;
    (void)family;
    if (sim_fault(SIM_NO_SOCKET)) {
        return -EMFILE;
    }
    i = sim_sock_new();
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
        sim_socks[s->peer].is_fin = true;
    }
}

void sim_break_pair(struct sock *s)
{
    if (s->peer >= 0) {
        sim_socks[s->peer].is_reset = true;
        buf_clear(&sim_socks[s->peer].rx);
        sim_socks[s->peer].peer = -1;
        s->peer = -1;
    }
}

static void vt_close(struct io *io, int fd, bool is_reset)
{
    struct sock *s = sock_of(fd);

    (void)io;
    for (uint32_t i = 0; i < sim_ops_count; i++) {
        /* Only an accept may be in flight on what is closed. */
        ASSERT(sim_ops[i].sock != (int)(s - sim_socks) || sim_ops[i].tag.op == IO_OP_ACCEPT ||
               sim_ops[i].tag.op == IO_OP_CANCEL);
    }
    for (uint32_t i = 0; i < s->backlog_count; i++) {
        sim_break_pair(&sim_socks[s->backlog[i]]);
        sim_sock_free(&sim_socks[s->backlog[i]]);
    }
    if (is_reset || buf_len(&s->rx) || s->tls.held_type) {
        sim_break_pair(s);
    } else if (s->peer >= 0) {
        sim_socks[s->peer].is_fin = true;
        sim_socks[s->peer].peer = -1;
    }
    sim_sock_free(s);
}

static void vt_shutdown_listen(struct io *io, int fd)
{
    const struct sock *listener = sock_of(fd);

    (void)io;
    for (uint32_t i = 0; i < sim_ops_count; i++) {
        if (sim_ops[i].tag.op == IO_OP_ACCEPT && &sim_socks[sim_ops[i].sock] == listener) {
            sim_finish(i, -EINVAL);
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
    .recv_once = vt_recv_once,
    .recv_end = vt_recv_end,
    .send = vt_send,
    .send_record = vt_send_record,
    .poll = vt_poll,
    .cancel = vt_cancel,
    .bell = vt_bell,
    .spin = vt_spin,
    .wait = vt_wait,
    .reap = vt_reap,
    .buf_return = vt_buf_return,
    .socket = vt_socket,
    .accepted = vt_accepted,
    .shutdown_send = vt_shutdown_send,
    .shutdown_listen = vt_shutdown_listen,
    .close = vt_close,
    .unacked = vt_unacked,
    .ktls_attach = vt_ktls_attach,
    .ktls_set = vt_ktls_set,
    .ktls_recv = vt_ktls_recv,
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
    s->used = pool_heap_zalloc(params->buf_count * sizeof(s->used[0]));
    s->lent = pool_heap_zalloc(params->buf_count * sizeof(s->lent[0]));
    s->is_shared = sim_world.shares_bufs;
    *out = &s->io;
    return 0;
}

const struct io_backend sim_backend = {.name = "sim", .create = sim_create};
