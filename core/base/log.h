/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log: one line per event, "event key=value ...", with stable event names (log.def).
 * A thread formats into its own bounded ring (log_ring); the control thread drains the rings and
 * writes them out with a time stamp. A full ring loses lines and counts them; nothing waits.
 * Bodies, keys and SASL data are never logged; untrusted bytes go through log_quote().
 * Threads: LOG_x by the ring's thread; log_ring_drain by one other thread.                     */
#ifndef FG_BASE_LOG_H
#define FG_BASE_LOG_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"

enum log_event {
#define LOG_EVENT(name) LOG_EVENT_##name,
#include "base/log.def"
#undef LOG_EVENT
    LOG_EVENT_COUNT
};

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

#define LOG_TEXT_BYTES 488u
#define LOG_RING_LINES 1024u /* power of two */

struct log_line {
    uint64_t mono_ns; /* CLOCK_MONOTONIC; 0 = stamp when drained */
    uint16_t event;   /* enum log_event */
    uint8_t level;    /* enum log_level */
    uint32_t len;     /* of text, no NUL counted */
    char text[LOG_TEXT_BYTES];
};

struct log_ring {
    alignas(64) _Atomic uint32_t tail; /* writer: release; pairs with the drain's acquire */
    uint32_t head_cached;              /* writer's last view of head */
    _Atomic uint64_t lost_count;       /* writer, relaxed; read by anyone */
    alignas(64) _Atomic uint32_t head; /* drainer: release after copying, pairs with writer */
    struct log_line *lines;            /* owned, LOG_RING_LINES; NULL = drop everything */
    const char *name;                  /* borrowed for ever: "shard0", "control" */
};

/* Heap memory; call before the writer thread starts. */
void log_ring_init(struct log_ring *ring, const char *name);
void log_ring_deinit(struct log_ring *ring);
/* Makes ring the calling thread's; NULL = lines go nowhere (tests, fuzzers: the default). */
void log_ring_use(struct log_ring *ring);

typedef void log_sink_fn(const struct log_ring *ring, const struct log_line *line, void *ctx);
/* Hands every line that is ready to sink; returns how many. */
uint32_t log_ring_drain(struct log_ring *ring, log_sink_fn *sink, void *ctx);

/* Lines above this level are not formatted. Process-wide; any thread. */
void log_set_level(enum log_level level);
bool log_is_on(enum log_level level);
const char *log_event_name(enum log_event event);
const char *log_level_name(enum log_level level);

void log_write(enum log_level level, enum log_event event, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define LOG_AT(level, event, ...)                                  \
    (log_is_on(level) ? log_write(level, LOG_EVENT_##event, __VA_ARGS__) : (void)0)
#define LOG_E(event, ...) LOG_AT(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define LOG_W(event, ...) LOG_AT(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define LOG_I(event, ...) LOG_AT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define LOG_D(event, ...) LOG_AT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)

#define LOG_QUOTE_BYTES 160u
struct log_quoted {
    char text[LOG_QUOTE_BYTES];
};
/* Untrusted bytes as "..." with escapes (\xNN for control and non-ASCII bytes, \" and \\), cut
 * with an ellipsis when long. Use: LOG_I(x, "from=%s", log_quote(jid).text).                  */
struct log_quoted log_quote(struct slice untrusted);

#endif
