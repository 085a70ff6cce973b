/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log: per-thread rings of formatted lines. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/pool.h"

static _Thread_local struct log_ring *thread_ring; /* borrowed until the thread ends */
static _Atomic int level_max = LOG_LEVEL_INFO;     /* control writes, all read, relaxed */

void log_ring_init(struct log_ring *ring, const char *name)
{
    *ring = (struct log_ring){.name = name};
    ring->lines = pool_heap_zalloc(LOG_RING_LINES * sizeof(*ring->lines));
}

void log_ring_deinit(struct log_ring *ring)
{
    pool_heap_free(ring->lines);
    ring->lines = NULL;
}

void log_ring_use(struct log_ring *ring)
{
    thread_ring = ring;
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&level_max, (int)level, memory_order_relaxed);
}

bool log_is_on(enum log_level level)
{
    return thread_ring && (int)level <= atomic_load_explicit(&level_max, memory_order_relaxed);
}

const char *log_event_name(enum log_event event)
{
    static const char *const names[] = {
#define LOG_EVENT(name) #name,
#include "base/log.def"
#undef LOG_EVENT
    };

    return event < LOG_EVENT_COUNT ? names[event] : "?";
}

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};

    return level < ARRAY_COUNT(names) ? names[level] : "?";
}

/* The next free line of the ring, or NULL (and counted) when the reader is behind. */
static struct log_line *next_line(struct log_ring *ring, uint32_t tail)
{
    if (tail - ring->head_cached >= LOG_RING_LINES) {
        ring->head_cached = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (tail - ring->head_cached >= LOG_RING_LINES) {
            atomic_fetch_add_explicit(&ring->lost_count, 1, memory_order_relaxed);
            return NULL;
        }
    }
    return &ring->lines[tail & (LOG_RING_LINES - 1)];
}

void log_write(enum log_level level, enum log_event event, const char *fmt, ...)
{
    struct log_ring *ring = thread_ring;
    uint32_t tail;
    struct log_line *line;
    struct timespec now;
    va_list args;
    int len;

    if (!ring || !ring->lines) {
        return;
    }
    tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    line = next_line(ring, tail);
    if (!line) {
        return;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    line->mono_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    line->event = (uint16_t)event;
    line->level = (uint8_t)level;
    va_start(args, fmt);
    len = vsnprintf(line->text, sizeof(line->text), fmt, args);
    va_end(args);
    line->len = len < 0 ? 0 : (uint32_t)len;
    if (line->len >= sizeof(line->text)) {
        line->len = sizeof(line->text) - 1;
    }
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
}

uint32_t log_ring_drain(struct log_ring *ring, log_sink_fn *sink, void *ctx)
{
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    uint32_t count = tail - head;

    ASSERT(count <= LOG_RING_LINES);
    while (head != tail) {
        sink(ring, &ring->lines[head & (LOG_RING_LINES - 1)], ctx);
        head++;
        atomic_store_explicit(&ring->head, head, memory_order_release);
    }
    return count;
}

struct log_quoted log_quote(struct slice s)
{
    static const char hex[] = "0123456789abcdef";
    struct log_quoted out;
    size_t at = 0;

    out.text[at++] = '"';
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (at + 4 + sizeof("...\"") > sizeof(out.text)) {
            memcpy(out.text + at, "...", 3);
            at += 3;
            break;
        }
        if (c == '"' || c == '\\') {
            out.text[at++] = '\\';
            out.text[at++] = (char)c;
        } else if (c < 0x20 || c >= 0x7f) {
            out.text[at++] = '\\';
            out.text[at++] = 'x';
            out.text[at++] = hex[c >> 4];
            out.text[at++] = hex[c & 15];
        } else {
            out.text[at++] = (char)c;
        }
    }
    out.text[at++] = '"';
    out.text[at] = 0;
    return out;
}
