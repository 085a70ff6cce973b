/* SPDX-License-Identifier: GPL-2.0-or-later */
/* buf: growable byte queue. */
#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/pool.h"

#define BUF_CAP_MIN 512u

void buf_init(struct buf *b, size_t bytes_max)
{
    ASSERT(bytes_max <= POOL_BLOCK_BYTES_MAX);
    *b = (struct buf){.bytes_max = (uint32_t)bytes_max};
}

void buf_deinit(struct buf *b)
{
    pool_free(b->data);
    *b = (struct buf){.bytes_max = b->bytes_max};
}

void buf_deinit_wiped(struct buf *b)
{
    pool_free_wiped(b->data);
    *b = (struct buf){.bytes_max = b->bytes_max};
}

/* Growth and compaction, off the fast path. */
static bool make_room(struct buf *b, size_t len)
{
    size_t used = buf_len(b);
    size_t want;
    char *data;

    if (b->failed || len > b->bytes_max || used > b->bytes_max - len) {
        b->failed = true;
        return false;
    }
    /* Sliding pays only when at least as much is gone as is left to move. */
    if (b->head >= used && used + len <= b->cap) {
        memmove(b->data, b->data + b->head, used);
        b->head = 0;
        b->tail = (uint32_t)used;
        return true;
    }
    want = used + len < BUF_CAP_MIN ? BUF_CAP_MIN : used + len;
    if (want < (size_t)b->cap * 2 && (size_t)b->cap * 2 <= b->bytes_max) {
        want = (size_t)b->cap * 2;
    }
    data = pool_alloc(want);
    if (!data) {
        b->failed = true;
        return false;
    }
    if (used) {
        memcpy(data, b->data + b->head, used);
    }
    pool_free(b->data);
    b->data = data;
    b->cap = (uint32_t)pool_block_bytes(data);
    b->head = 0;
    b->tail = (uint32_t)used;
    return true;
}

char *buf_reserve(struct buf *b, size_t len)
{
    if (UNLIKELY(b->failed)) {
        return NULL;
    }
    if ((b->cap - b->tail < len || !b->data || buf_room(b) < len) && !make_room(b, len)) {
        return NULL;
    }
    return b->data + b->tail;
}

void buf_commit(struct buf *b, size_t len)
{
    ASSERT(len <= b->cap - b->tail);
    b->tail += (uint32_t)len;
}

void buf_append(struct buf *b, const void *bytes, size_t len)
{
    char *at;

    if (len == 0) {
        return;
    }
    at = buf_reserve(b, len);
    if (at) {
        memcpy(at, bytes, len);
        b->tail += (uint32_t)len;
    }
}

void buf_putc(struct buf *b, char c)
{
    buf_append(b, &c, 1);
}

void buf_put_cstr(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

void buf_put_u64(struct buf *b, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    buf_append(b, digits + at, sizeof(digits) - at);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list args)
{
    va_list again;
    int len;
    char *at;

    va_copy(again, args);
    len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (len < 0) {
        b->failed = true;
        return;
    }
    at = buf_reserve(b, (size_t)len + 1);
    if (at) {
        (void)vsnprintf(at, (size_t)len + 1, fmt, args);
        b->tail += (uint32_t)len;
    }
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    buf_vprintf(b, fmt, args);
    va_end(args);
}

void buf_consume(struct buf *b, size_t len)
{
    ASSERT(len <= buf_len(b));
    b->head += (uint32_t)len;
    if (b->head == b->tail) {
        b->head = 0;
        b->tail = 0;
    }
}

void buf_truncate(struct buf *b, size_t len)
{
    ASSERT(len <= buf_len(b));
    b->tail = b->head + (uint32_t)len;
    b->failed = false;
}

void buf_clear(struct buf *b)
{
    b->head = 0;
    b->tail = 0;
    b->failed = false;
}

void buf_release_if_empty(struct buf *b)
{
    if (buf_len(b) == 0 && b->data) {
        pool_free(b->data);
        b->data = NULL;
        b->cap = 0;
        b->head = 0;
        b->tail = 0;
    }
}

void buf_take(struct buf *to, struct buf *from)
{
    buf_deinit(to);
    *to = *from;
    *from = (struct buf){.bytes_max = from->bytes_max};
}
