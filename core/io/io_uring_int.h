/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io_uring_int: the io_uring backend's object, shared by its two files (set-up, operations).
 * The only room that knows liburing.                                                             */
#ifndef FG_IO_IO_URING_INT_H
#define FG_IO_IO_URING_INT_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "io/io.h"

#define URING_SQ_ENTRIES 1024u
#define URING_CQ_ENTRIES 8192u
#define URING_BUF_COUNT_MAX 32768u /* the kernel's */
#define URING_BUF_GROUP 0
/* A buffer for each receive: as large as a record, or nearly. */
#define URING_WHOLE_BUF_COUNT 512u
#define URING_WHOLE_BUF_BYTES (16u << 10)
/* A buffer for as many receives as fit: few, so that all of them stay in the cache. */
#define URING_SHARED_BUF_COUNT 8u
#define URING_SHARED_BUF_BYTES (64u << 10)

/* Linux 6.12, in the field that liburing 2.3 calls pad (IOU_PBUF_RING_INC): a buffer is consumed
 * piece by piece. */
#define URING_BUF_RING_SHARED 2u

/* See uring_is_crowd, uring_is_lone. */
#define URING_CROWD_EVENTS_MIN 4u
#define URING_CROWD_BYTES_MAX ((uint64_t)16 << 10)
#define URING_LONE_BYTES_MAX ((uint64_t)4 << 10)

/* Before it spins so many waits in a row must have been such that it would have paid. */
#define URING_QUICK_MIN 8u
/* Spinning in vain takes 1/128 of a core at most, and so much in a row. */
#define URING_SPIN_SHARE 128u
#define URING_SPIN_CREDIT_MAX_NS ((uint64_t)4000000)

struct uring_spin_budget {
    uint64_t credit_ns;
    uint64_t seen_ns; /* up to when time has been turned into credit */
};

/* A receive buffer. It is given to the kernel again when all of it was used and nothing is lent. */
struct uring_buf {
    uint32_t used_bytes; /* by the kernel; where the next stretch begins */
    uint32_t lent_count; /* stretches in the caller's hands */
};

struct uring {
    struct io io; /* first */
    struct io_uring ring;
    struct io_uring_buf_ring *buf_ring; /* owned, mapped */
    size_t buf_ring_bytes;
    char *buf_memory; /* owned, mapped; buf_count * buf_bytes */
    struct uring_buf *bufs; /* owned; buf_count */
    uint32_t linger_us;     /* see struct io_params */
    uint64_t last_bytes;    /* input of the last reap */
    uint32_t last_events;   /* of the last reap */
    uint32_t quick_count;   /* waits in a row that ended soon, with little: spin's condition */
    struct uring_spin_budget spin_budget;
    bool is_shared;         /* a buffer serves several receives */
    bool has_ring;
};

extern const struct io_vtable uring_vtable;

/* The bare registration call: the shared liburing 2.3 of Debian declares io_uring_enable_rings and
 * io_uring_register_restrictions but does not export them. */
int uring_register(struct uring *u, unsigned opcode, const void *arg, unsigned count);

/* Whether buffers may be shared on this kernel (uname -r); pure. The flag alone does not tell:
 * before 6.16 the completions of different receives could be posted in another order than that in
 * which they had taken their bytes, and a stretch's place follows from the order. */
bool uring_may_share(const char *kernel_release);

/* Whether what was reaped makes it worth to wait a moment for more of it; pure. When several small
 * things came together, more are on their way: fewer and larger turns then, and what a turn costs
 * whatever it does (waking, entering the kernel, a send to the component) is shared by more
 * stanzas. What comes alone is never delayed; input in large pieces fills turns by itself. */
bool uring_is_crowd(uint32_t events, uint64_t bytes);

/* Whether what was reaped makes it worth to look for the next before sleeping; pure. news: events
 * other than the ends of our own sends. One who waits for an answer to each of his stanzas shows as
 * single small events; where several come together, each sleep gathers more of them. */
bool uring_is_lone(uint32_t news_count, uint64_t bytes);

/* They keep quick_count: after a wait that was no lingering; after each reap. */
void uring_spin_waited(struct uring *u, uint64_t ns);
void uring_spin_reaped(struct uring *u, uint32_t news_count, uint64_t bytes);
uint64_t uring_now_ns(void);

/* Whether spin_ns may be lost now; a spin that finds costs no credit, so who finds goes on. Pure:
 * now_ns is any clock that does not go back. */
bool uring_spin_may(struct uring_spin_budget *b, uint64_t now_ns, uint64_t spin_ns);
void uring_spin_missed(struct uring_spin_budget *b, uint64_t spin_ns);

/* io_uring_spin.c: struct io_vtable's. */
bool uring_spin(struct io *io, uint64_t timeout_ms, io_news_fn *news, void *ctx);

/* Whether the kernel has something to do that makes completions, on our next call. Without a
 * system call; may be stale, once. */
static inline bool uring_has_work(const struct uring *u)
{
    return (IO_URING_READ_ONCE(*u->ring.sq.kflags) &
            (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

/* What a failed io_uring_setup means; pure. err: -errno; sysctl_value: content of
 * kernel.io_uring_disabled, -1 = no such file (before 6.6). Fills why, returns the code. */
int uring_explain(int err, int sysctl_value, const char *kernel_release, uint64_t memlock_bytes,
                  char *why, size_t why_bytes);

#endif
