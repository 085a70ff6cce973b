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

struct uring {
    struct io io; /* first */
    struct io_uring ring;
    struct io_uring_buf_ring *buf_ring; /* owned, mapped */
    size_t buf_ring_bytes;
    char *buf_memory; /* owned, mapped; buf_count * buf_bytes */
    uint8_t *is_lent; /* owned; per buffer: in the caller's hands */
    bool has_ring;
};

extern const struct io_vtable uring_vtable;

/* The bare registration call: the shared liburing 2.3 of Debian declares io_uring_enable_rings and
 * io_uring_register_restrictions but does not export them. */
int uring_register(struct uring *u, unsigned opcode, const void *arg, unsigned count);

/* What a failed io_uring_setup means; pure. err: -errno; sysctl_value: content of
 * kernel.io_uring_disabled, -1 = no such file (before 6.6). Fills why, returns the code. */
int uring_explain(int err, int sysctl_value, const char *kernel_release, uint64_t memlock_bytes,
                  char *why, size_t why_bytes);

#endif
