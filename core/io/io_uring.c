/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io_uring: operations and completions of the io_uring backend, on the shard's thread. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/pool.h"
#include "io/io_uring_int.h"
#include "io/ktls.h"
#include "io/sock.h"

/* A full submission queue is handed to the kernel; it takes all of it but under memory pressure. */
#define SUBMIT_TRIES 4u

/* See gather. */
#define GATHER_ROUND_EVENTS 16u
#define GATHER_EVENTS_MAX 256u
#define GATHER_BYTES_MAX ((uint64_t)64 << 10)

/* See uring_is_crowd. */
#define LINGER_EVENTS 64u

static struct uring *uring_of(struct io *io)
{
    return CONTAINER_OF(io, struct uring, io);
}

static uint64_t pack(struct io_tag tag)
{
    ASSERT(tag.slot <= IO_SLOT_MAX);
    return (uint64_t)tag.op << 56 | (uint64_t)tag.slot << 32 | tag.generation;
}

static struct io_tag unpack(uint64_t data)
{
    return (struct io_tag){(enum io_op)(data >> 56), (uint32_t)(data >> 32) & IO_SLOT_MAX,
                           (uint32_t)data};
}

static int uring_enable(struct io *io)
{
    return uring_register(uring_of(io), IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

static void uring_destroy(struct io *io)
{
    struct uring *u = uring_of(io);

    if (u->has_ring) {
        io_uring_queue_exit(&u->ring);
    }
    if (u->buf_ring) {
        (void)munmap(u->buf_ring, u->buf_ring_bytes);
    }
    if (u->buf_memory) {
        (void)munmap(u->buf_memory, (size_t)io->buf_count * io->buf_bytes);
    }
    pool_heap_free(u->bufs);
    pool_heap_free(u);
}

static struct io_uring_sqe *sqe_get(struct uring *u)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

    for (uint32_t i = 0; !sqe && i < SUBMIT_TRIES; i++) {
        (void)io_uring_submit(&u->ring); /* refused: the queue stays full, and we say -EBUSY */
        sqe = io_uring_get_sqe(&u->ring);
    }
    return sqe;
}

static int start(struct io_uring_sqe *sqe, struct io_tag tag)
{
    io_uring_sqe_set_data64(sqe, pack(tag));
    return 0;
}

static int uring_accept(struct io *io, int fd, struct io_tag tag)
{
    struct io_uring_sqe *sqe = sqe_get(uring_of(io));

    if (!sqe) {
        return -EBUSY;
    }
    /* Not SOCK_NONBLOCK: operations on such descriptors answer EAGAIN instead of waiting. */
    io_uring_prep_multishot_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
    return start(sqe, tag);
}

static int uring_connect(struct io *io, int fd, const struct sockaddr *addr, socklen_t len,
                         struct io_tag tag)
{
    struct io_uring_sqe *sqe = sqe_get(uring_of(io));

    if (!sqe) {
        return -EBUSY;
    }
    io_uring_prep_connect(sqe, fd, addr, len);
    return start(sqe, tag);
}

static int uring_recv(struct io *io, int fd, struct io_tag tag)
{
    struct io_uring_sqe *sqe = sqe_get(uring_of(io));

    if (!sqe) {
        return -EBUSY;
    }
    /* Length 0: the buffer decides; anything else is refused before about 6.17. */
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = URING_BUF_GROUP;
    return start(sqe, tag);
}

static int uring_send(struct io *io, int fd, const char *bytes, size_t len, struct io_tag tag)
{
    struct io_uring_sqe *sqe = sqe_get(uring_of(io));

    if (!sqe) {
        return -EBUSY;
    }
    io_uring_prep_send(sqe, fd, bytes, len, MSG_NOSIGNAL);
    return start(sqe, tag);
}

static int uring_recv_once(struct io *io, int fd, char *bytes, size_t len, struct io_tag tag)
{
    struct io_uring_sqe *sqe = sqe_get(uring_of(io));

    ASSERT(tag.op == IO_OP_RECV && len > 0);
    if (!sqe) {
        return -EBUSY;
    }
    io_uring_prep_recv(sqe, fd, bytes, len, 0);
    return start(sqe, tag);
}

static int uring_recv_end(struct io *io, int fd, struct io_tag tag)
{
    struct io_uring_sqe *sqe = sqe_get(uring_of(io));

    ASSERT(tag.op == IO_OP_RECV);
    if (!sqe) {
        return -EBUSY;
    }
    io_uring_prep_poll_add(sqe, fd, POLLRDHUP); /* with POLLHUP and POLLERR */
    return start(sqe, tag);
}

static int uring_send_record(struct io *io, int fd, struct io_record *record, struct io_tag tag)
{
    struct io_uring_sqe *sqe = sqe_get(uring_of(io));

    ASSERT(tag.op == IO_OP_SEND);
    if (!sqe) {
        return -EBUSY;
    }
    ktls_clear_error(fd);
    ktls_record_fill(record);
    io_uring_prep_sendmsg(sqe, fd, &record->head, MSG_NOSIGNAL);
    return start(sqe, tag);
}

static int uring_poll(struct io *io, int fd, uint32_t mask, struct io_tag tag)
{
    struct io_uring_sqe *sqe = sqe_get(uring_of(io));

    if (!sqe) {
        return -EBUSY;
    }
    io_uring_prep_poll_add(sqe, fd, mask);
    return start(sqe, tag);
}

static int uring_cancel(struct io *io, struct io_tag target, struct io_tag tag)
{
    struct io_uring_sqe *sqe = sqe_get(uring_of(io));

    if (!sqe) {
        return -EBUSY;
    }
    io_uring_prep_cancel64(sqe, pack(target), 0);
    return start(sqe, tag);
}

static int uring_bell(struct io *io, struct io *other, struct io_tag tag)
{
    struct io_uring_sqe *sqe = sqe_get(uring_of(io));

    if (!sqe) {
        return -EBUSY;
    }
    io_uring_prep_msg_ring(sqe, uring_of(other)->ring.ring_fd, 0,
                           pack((struct io_tag){.op = IO_OP_WOKEN}), 0);
    return start(sqe, tag);
}

/* A call runs the work of some 20 completions (since Linux 6.13). Where it left some, together they
 * share a turn, its sends above all. Input in large pieces is left for the next turn: it fills one
 * by itself. */
static void gather(struct uring *u)
{
    uint32_t ready = io_uring_cq_ready(&u->ring);
    uint32_t seen = 0;
    uint64_t bytes = 0;

    while (ready - seen >= GATHER_ROUND_EVENTS && ready < GATHER_EVENTS_MAX && uring_has_work(u)) {
        for (; seen < ready; seen++) {
            const struct io_uring_cqe *cqe =
                &u->ring.cq.cqes[(*u->ring.cq.khead + seen) & *u->ring.cq.kring_mask];

            bytes += cqe->res > 0 && (cqe->flags & IORING_CQE_F_BUFFER) ? (uint64_t)cqe->res : 0;
        }
        if (bytes > GATHER_BYTES_MAX || io_uring_get_events(&u->ring) < 0) {
            return;
        }
        ready = io_uring_cq_ready(&u->ring);
    }
}

bool uring_is_crowd(uint32_t events, uint64_t bytes)
{
    return events >= URING_CROWD_EVENTS_MIN && bytes <= URING_CROWD_BYTES_MAX;
}

/* Until there is an event. */
static int sleep_for(struct uring *u, uint64_t timeout_ms)
{
    uint64_t begin_ns = u->io.spin_us ? uring_now_ns() : 0;
    struct io_uring_cqe *cqe = NULL;
    struct __kernel_timespec ts;
    int err;

    if (timeout_ms == IO_FOREVER) {
        err = io_uring_submit_and_wait(&u->ring, 1);
    } else {
        ts.tv_sec = (long long)(timeout_ms / 1000);
        ts.tv_nsec = (long long)(timeout_ms % 1000) * 1000000;
        err = io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, &ts, NULL);
    }
    if (u->io.spin_us) {
        uring_spin_waited(u, uring_now_ns() - begin_ns);
    }
    return err;
}

/* What was started goes out before. Nothing came: a spurious return, and the next wait is a whole
 * one. */
static int linger(struct uring *u)
{
    struct __kernel_timespec ts = {.tv_sec = u->linger_us / 1000000,
                                   .tv_nsec = (long long)(u->linger_us % 1000000) * 1000};
    struct io_uring_cqe *cqe = NULL;

    return io_uring_submit_and_wait_timeout(&u->ring, &cqe, LINGER_EVENTS, &ts, NULL);
}

static int uring_wait(struct io *io, uint64_t timeout_ms)
{
    struct uring *u = uring_of(io);
    int err;

    if (timeout_ms == 0 && io_uring_cq_ready(&u->ring) && !uring_has_work(u) &&
        io_uring_sq_ready(&u->ring) == 0) {
        return 0; /* what there is lies in memory: nothing to call the kernel for */
    }
    if (timeout_ms == 0) {
        /* Deferred completion work runs only on entering with "get events". */
        err = io_uring_submit_and_get_events(&u->ring);
    } else if (u->linger_us && uring_is_crowd(u->last_events, u->last_bytes)) {
        err = linger(u);
    } else {
        err = sleep_for(u, timeout_ms);
    }
    gather(u);
    if (UNLIKELY(io_uring_cq_has_overflow(&u->ring))) {
        io->overflow_count++;
    }
    /* EBUSY, EAGAIN: reap and come again; the rest of the queue is kept. */
    if (err >= 0 || err == -ETIME || err == -EINTR || err == -EBUSY || err == -EAGAIN) {
        return 0;
    }
    return err;
}

/* Gives the event its stretch. Where a shared buffer goes on is counted here and not taken from the
 * flags: at the end of input the kernel names a buffer that it has not used, and says nothing of
 * its being used further. */
static void lend(struct uring *u, uint32_t buf_idx, struct io_event *ev)
{
    struct uring_buf *buf;
    uint32_t taken = u->io.buf_bytes;

    ASSERT(buf_idx < u->io.buf_count);
    buf = &u->bufs[buf_idx];
    if (u->is_shared) {
        if (ev->result <= 0) {
            return;
        }
        taken = (uint32_t)ev->result;
    }
    ASSERT(taken <= u->io.buf_bytes - buf->used_bytes);
    ev->buf_idx = buf_idx;
    ev->bytes = u->buf_memory + (size_t)buf_idx * u->io.buf_bytes + buf->used_bytes;
    buf->used_bytes += taken;
    buf->lent_count++;
    u->io.bufs_lent++;
}

static void event_fill(struct uring *u, const struct io_uring_cqe *cqe, struct io_event *ev)
{
    ev->tag = unpack(cqe->user_data);
    ev->result = cqe->res;
    ev->is_last = !(cqe->flags & IORING_CQE_F_MORE);
    ev->buf_idx = IO_NO_BUF;
    ev->bytes = NULL;
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        lend(u, cqe->flags >> IORING_CQE_BUFFER_SHIFT, ev);
    }
}

static uint32_t uring_reap(struct io *io, struct io_event *events, uint32_t events_max)
{
    struct uring *u = uring_of(io);
    struct io_uring_cqe *cqe;
    uint32_t news_count = 0;
    uint32_t count = 0;
    unsigned head;

    u->last_bytes = 0;
    io_uring_for_each_cqe(&u->ring, head, cqe)
    {
        if (count == events_max) {
            break;
        }
        event_fill(u, cqe, &events[count]);
        u->last_bytes += events[count].bytes ? (uint32_t)events[count].result : 0;
        news_count += events[count].tag.op != IO_OP_SEND;
        count++;
    }
    u->last_events = count;
    uring_spin_reaped(u, news_count, u->last_bytes);
    io_uring_cq_advance(&u->ring, count);
    return count;
}

static void uring_buf_return(struct io *io, uint32_t buf_idx)
{
    struct uring *u = uring_of(io);
    struct uring_buf *buf;

    ASSERT(buf_idx < io->buf_count);
    buf = &u->bufs[buf_idx];
    ASSERT(buf->lent_count > 0);
    buf->lent_count--;
    io->bufs_lent--;
    if (buf->lent_count > 0 || buf->used_bytes < io->buf_bytes) {
        return;
    }
    buf->used_bytes = 0;
    io_uring_buf_ring_add(u->buf_ring, u->buf_memory + (size_t)buf_idx * io->buf_bytes,
                          io->buf_bytes, (uint16_t)buf_idx, io_uring_buf_ring_mask(io->buf_count),
                          0);
    io_uring_buf_ring_advance(u->buf_ring, 1);
}

bool io_uring_bufs_ok(struct io *io)
{
    const struct uring *u = uring_of(io);
    uint32_t lent = 0;

    if (io->vt != &uring_vtable) {
        return true;
    }
    for (uint32_t i = 0; i < io->buf_count; i++) {
        lent += u->bufs[i].lent_count;
    }
    return lent == io->bufs_lent;
}

static int uring_ktls_attach(struct io *io, int fd)
{
    (void)io;
    return ktls_attach(fd);
}

static int uring_ktls_set(struct io *io, int fd, bool is_out, const struct ktls_keys *keys)
{
    (void)io;
    return is_out ? ktls_set_out(fd, keys) : ktls_set_in(fd, keys);
}

static int uring_ktls_recv(struct io *io, int fd, uint8_t *type, char *bytes, size_t len)
{
    (void)io;
    return ktls_recv(fd, type, bytes, len);
}

static uint64_t uring_now_ms(struct io *io)
{
    struct timespec ts;

    (void)io;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int64_t uring_now_unix_s(struct io *io)
{
    (void)io;
    return (int64_t)time(NULL);
}

const struct io_vtable uring_vtable = {
    .enable = uring_enable,
    .destroy = uring_destroy,
    .accept = uring_accept,
    .connect = uring_connect,
    .recv = uring_recv,
    .recv_once = uring_recv_once,
    .recv_end = uring_recv_end,
    .send = uring_send,
    .send_record = uring_send_record,
    .poll = uring_poll,
    .cancel = uring_cancel,
    .bell = uring_bell,
    .spin = uring_spin,
    .wait = uring_wait,
    .reap = uring_reap,
    .buf_return = uring_buf_return,
    .socket = sock_open,
    .accepted = sock_accepted,
    .shutdown_send = sock_shutdown_send,
    .shutdown_listen = sock_shutdown_listen,
    .close = sock_close,
    .unacked = sock_unacked,
    .ktls_attach = uring_ktls_attach,
    .ktls_set = uring_ktls_set,
    .ktls_recv = uring_ktls_recv,
    .now_ms = uring_now_ms,
    .now_unix_s = uring_now_unix_s,
};
