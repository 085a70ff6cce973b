/* SPDX-License-Identifier: GPL-2.0-or-later */
/* buf: a growable byte queue with an upper bound: bytes are appended at the tail and consumed at
 * the head. Also the writer of the tree: appending past the bound or without memory sets `failed`,
 * which sticks and makes later appends no-ops, so that the caller tests once at the end.
 * Memory: pool of the calling thread, none while empty after buf_release_if_empty().
 * A zeroed struct with bytes_max set is a valid empty buffer. Owner: whoever embeds it.         */
#ifndef FG_BASE_BUF_H
#define FG_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"

struct buf {
    char *data;         /* owned, NULL while empty */
    uint32_t head;      /* first unread byte */
    uint32_t tail;      /* one after the last byte */
    uint32_t cap;       /* bytes at data */
    uint32_t bytes_max; /* bound of tail - head */
    bool failed;        /* sticky: an append did not fit */
};

void buf_init(struct buf *b, size_t bytes_max);
void buf_deinit(struct buf *b);
/* As deinit, with the content overwritten. */
void buf_deinit_wiped(struct buf *b);

static inline size_t buf_len(const struct buf *b)
{
    return b->tail - b->head;
}

static inline struct slice buf_slice(const struct buf *b)
{
    return slice_make(b->data ? b->data + b->head : NULL, buf_len(b));
}

/* How much may still be appended. */
static inline size_t buf_room(const struct buf *b)
{
    return b->bytes_max - buf_len(b);
}

/* Space for at least len bytes at the tail, to be filled and then committed (len or less).
 * NULL (and failed set) when over the bound or out of memory. Moves the data: slices go stale. */
NODISCARD char *buf_reserve(struct buf *b, size_t len);
void buf_commit(struct buf *b, size_t len);

void buf_append(struct buf *b, const void *bytes, size_t len);
void buf_putc(struct buf *b, char c);
static inline void buf_put(struct buf *b, struct slice s)
{
    buf_append(b, s.ptr, s.len);
}
#define buf_put_lit(b, text) buf_append((b), "" text, sizeof(text) - 1)
void buf_put_cstr(struct buf *b, const char *text);
void buf_put_u64(struct buf *b, uint64_t value);
/* For rare, short texts; not on the way of a stanza. */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list args) PRINTF_LIKE(2, 0);

/* Drops len bytes (<= buf_len) at the head. */
void buf_consume(struct buf *b, size_t len);
/* Drops the bytes after the first len and clears `failed`: undo of a half-written element. */
void buf_truncate(struct buf *b, size_t len);
/* Empties; keeps the memory, clears `failed`. */
void buf_clear(struct buf *b);
/* Gives the memory back if there is nothing in it. */
void buf_release_if_empty(struct buf *b);
/* *to (released first) becomes *from; *from becomes empty with the same bound. */
void buf_take(struct buf *to, struct buf *from);

#endif
