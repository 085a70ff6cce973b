/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io: the seam to the kernel. Operations are started with a tag, their completions come back as
 * events with the same tag. The product runs on io_uring (io_uring_backend); a simulator brings a
 * backend of its own with virtual time. Knows descriptors and bytes, no connections.
 *
 * Threads: create/destroy by the control thread, everything else by the one thread that called
 *   enable. bell() names another thread's io, that is what it is for.
 * Ownership: memory named by an operation (address, bytes to send) belongs to the kernel until its
 *   last event. A received event's buffer belongs to the caller until buf_return.
 * Errors: operations return 0 or a negative code; -EBUSY = no room now, reap events and try again.
 *   Results in events are -errno as the kernel gave them. */
#ifndef FG_IO_IO_H
#define FG_IO_IO_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/attr.h"

enum io_op {
    IO_OP_NONE,
    IO_OP_ACCEPT,  /* multishot; result = descriptor */
    IO_OP_CONNECT, /* result 0 */
    IO_OP_RECV,    /* multishot; result = length, 0 = end, -EIO = a control record (ktls.h) */
    IO_OP_SEND,    /* result = length taken, may be short */
    IO_OP_POLL,    /* one shot; result = poll(2) mask */
    IO_OP_CANCEL,  /* result 0, -ENOENT or -EALREADY: all normal */
    IO_OP_BELL,    /* our ring of another io's bell is done */
    IO_OP_WOKEN,   /* somebody rang ours */
    IO_OP_COUNT
};

#define IO_SLOT_BITS 24u
#define IO_SLOT_MAX ((1u << IO_SLOT_BITS) - 1)

/* Who started an operation. A slot is used again with another generation, so that a late event is
 * recognised. op, slot and generation together are unique among the operations in flight. */
struct io_tag {
    enum io_op op;
    uint32_t slot;
    uint32_t generation;
};

#define IO_NO_BUF UINT32_MAX

struct io_event {
    struct io_tag tag;
    int32_t result;
    bool is_last;     /* the operation is over; false: more events of it will come */
    /* IO_NO_BUF, or to be given back by buf_return once for each event that names it, whatever the
     * result: several events may have got stretches of one buffer. */
    uint32_t buf_idx;
    char *bytes; /* result bytes of the buffer, this event's alone; NULL without one */
};

#define IO_FOREVER UINT64_MAX

struct io_params {
    uint32_t sq_entries; /* 0 = default */
    uint32_t cq_entries; /* 0 = default */
    uint32_t buf_count;  /* power of two, <= 32768; 0 = default */
    uint32_t buf_bytes;  /* 0 = default */
    /* After a reap of several small events, wait takes so long at most to collect more of them,
     * once all that was started has gone out: fewer turns, so much later. 0 = returns at once. */
    uint32_t linger_us;
    bool is_plain;       /* nothing beyond what every kernel has that we run on (tests) */
};

#define IO_RECORD_BYTES_MAX 8u

/* A record of another type than application data for the kernel to protect and send. The caller
 * fills type, len and bytes; memory as with bytes to send. */
struct io_record {
    uint8_t type;
    uint8_t len;
    char bytes[IO_RECORD_BYTES_MAX];
    /* the backend's */
    struct msghdr head;
    struct iovec part;
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(uint8_t))];
};

struct io;
struct ktls_keys;

/* Whether there is news that does not come as an event (mail in memory). Cheap: asked again and
 * again. */
typedef bool io_news_fn(void *ctx);

struct io_vtable {
    /* The thread's own start: this thread becomes the only user. */
    int (*enable)(struct io *io);
    void (*destroy)(struct io *io);

    int (*accept)(struct io *io, int fd, struct io_tag tag);
    int (*connect)(struct io *io, int fd, const struct sockaddr *addr, socklen_t len,
                   struct io_tag tag);
    /* Ends with -ENOBUFS when the buffers are used up: start it again once one was returned. */
    int (*recv)(struct io *io, int fd, struct io_tag tag);
    /* Once, len bytes at most, into the caller's memory: for what must not be read beyond. The
     * tag's operation is IO_OP_RECV; never beside another receive on the descriptor. */
    int (*recv_once)(struct io *io, int fd, char *bytes, size_t len, struct io_tag tag);
    /* Reads nothing, waits for the peer's end: for input that cannot be read any more. Result: 0.
     * The tag's operation as above. */
    int (*recv_end)(struct io *io, int fd, struct io_tag tag);
    int (*send)(struct io *io, int fd, const char *bytes, size_t len, struct io_tag tag);
    /* The tag's operation is IO_OP_SEND; result = record->len: it is not cut. */
    int (*send_record)(struct io *io, int fd, struct io_record *record, struct io_tag tag);
    int (*poll)(struct io *io, int fd, uint32_t mask, struct io_tag tag);
    /* tag.op is IO_OP_CANCEL; both operations get their own last event, in any order. */
    int (*cancel)(struct io *io, struct io_tag target, struct io_tag tag);
    /* Wakes other's owner from wait. */
    int (*bell)(struct io *io, struct io *other, struct io_tag tag);

    /* Before wait: looks for what is about to come, in memory, so that it need not wake a sleeper.
     * Hands over what was started, then looks for spin_us, timeout_ms at most. True: there is an
     * event, or news said so; wait(0) and reap; spurious truth is normal. False at once, with
     * nothing handed over, unless it is likely to pay: the last waits ended soon, each with little
     * (crowds and bulk gather while one sleeps, see linger_us), and spins that took their time in
     * vain have not used up their share of the core, 1/128. */
    bool (*spin)(struct io *io, uint64_t timeout_ms, io_news_fn *news, void *ctx);
    /* Hands started operations to the kernel and waits for an event, timeout_ms at most
     * (0 = does not wait). Spurious returns are normal. See linger_us. */
    int (*wait)(struct io *io, uint64_t timeout_ms);
    uint32_t (*reap)(struct io *io, struct io_event *events, uint32_t events_max);
    void (*buf_return)(struct io *io, uint32_t buf_idx);

    /* Descriptors. socket: a TCP socket for connect, options set. */
    int (*socket)(struct io *io, int family);
    int (*accepted)(struct io *io, int fd, struct sockaddr_storage *peer, socklen_t *len);
    void (*shutdown_send)(struct io *io, int fd);
    /* A listener's address is free at once, even while an accept is still in flight. */
    void (*shutdown_listen)(struct io *io, int fd);
    /* Nothing may be in flight on it. is_reset: what is unsent is dropped, the peer sees RST. */
    void (*close)(struct io *io, int fd, bool is_reset);
    /* Bytes the kernel holds that the peer has not acknowledged. */
    size_t (*unacked)(struct io *io, int fd);

    /* ktls.h: protection by the kernel; at once. */
    int (*ktls_attach)(struct io *io, int fd);
    int (*ktls_set)(struct io *io, int fd, bool is_out, const struct ktls_keys *keys);
    int (*ktls_recv)(struct io *io, int fd, uint8_t *type, char *bytes, size_t len);

    uint64_t (*now_ms)(struct io *io);   /* monotonic */
    int64_t (*now_unix_s)(struct io *io); /* wall clock */
};

/* What every backend's object starts with. */
struct io {
    const struct io_vtable *vt; /* borrowed for ever */
    uint32_t buf_count;
    uint32_t buf_bytes;
    uint32_t bufs_lent;         /* stretches handed out in events and not returned */
    uint64_t overflow_count;    /* turns in which the completion queue had overflowed */
    uint32_t spin_us;           /* its thread may set it at any time; 0 = spin does nothing */
    uint64_t spins_found;       /* those that looked for something and found it */
    uint64_t spins_missed;      /* and those that took their time in vain */
};

struct io_backend {
    const char *name; /* for logs */
    /* why gets one line for people on failure. */
    int (*create)(struct io **out, const struct io_params *params, char *why, size_t why_bytes);
};

/* Linux io_uring, kernel 6.1 or later. */
extern const struct io_backend io_uring_backend;

/* A listening TCP socket: SO_REUSEADDR, IPv6 without IPv4. Descriptor or -errno. Any thread. */
NODISCARD int io_listen_open(const struct sockaddr *addr, socklen_t len, uint32_t backlog);
void io_fd_close(int fd);

/* A counter descriptor by which threads without an io wake one: poll it for POLLIN. */
NODISCARD int io_alarm_open(void);
void io_alarm_set(int fd);
void io_alarm_clear(int fd);

/* Whether all buffers are accounted for; walks them: for debug checks and tests. */
bool io_uring_bufs_ok(struct io *io);

#endif
