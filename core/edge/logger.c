/* SPDX-License-Identifier: GPL-2.0-or-later */
/* logger: drain, merge, cut, write. */
#include "edge/logger.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/pool.h"

#define NS_PER_S  1000000000u
#define NS_PER_MS 1000000u
/* A pipe that poll() calls writable takes this much without blocking. */
#define WRITE_BYTES 4096u
#define FILE_MODE   0640

/* One line on its way from ring to output. */
struct entry {
    uint64_t mono_ns;
    uint32_t seq; /* order of draining */
    uint32_t text_at;
    uint32_t text_len;
    uint16_t event;
    uint8_t level;
    const char *ring; /* borrowed from the ring */
};

/* Of one event. */
struct bucket {
    uint64_t tokens; /* lines times NS_PER_S */
    uint64_t filled_ns;
    uint64_t suppressed;
    uint64_t suppressed_ns; /* the last one's time */
    const char *ring;       /* and its ring and level */
    uint8_t level;
};

struct bytes {
    char *data; /* owned */
    size_t len;
    size_t cap;
};

struct logger {
    int fd;
    bool owns_fd;
    bool is_mid_line; /* the output was cut off inside a line */
    struct log_ring *rings[LOGGER_RINGS_MAX];
    uint64_t lost_seen[LOGGER_RINGS_MAX];
    uint32_t ring_count;
    struct bucket buckets[LOG_EVENT_COUNT];
    struct entry *entries; /* owned; empty between turns */
    uint32_t entry_count;
    uint32_t entry_cap;
    struct bytes texts; /* of entries */
    struct bytes out;   /* formatted lines of this turn */
    uint64_t unwritten; /* lines that the output did not take, not yet reported */
    uint64_t noted;     /* of those, reported by a line of this turn */
    uint64_t mono_ns;   /* this turn's clocks */
    uint64_t unix_ns;
};

static char *bytes_room(struct bytes *b, size_t len)
{
    if (b->len + len > b->cap) {
        b->cap = (b->len + len) * 2;
        b->data = pool_heap_grow(b->data, b->cap);
    }
    return b->data + b->len;
}

/* A pipe that nobody reads is an error at once: the control thread must not wait for a reader. */
static int open_output(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                  FILE_MODE);

    return fd < 0 ? -errno : fd;
}

int logger_new(struct logger **out, const char *path)
{
    int fd = path ? open_output(path) : STDERR_FILENO;
    struct logger *l;

    *out = NULL;
    if (fd < 0) {
        return fd;
    }
    l = pool_heap_zalloc(sizeof(*l));
    l->fd = fd;
    l->owns_fd = path != NULL;
    for (uint32_t i = 0; i < LOG_EVENT_COUNT; i++) {
        l->buckets[i].tokens = (uint64_t)LOGGER_BURST * NS_PER_S;
    }
    *out = l;
    return 0;
}

void logger_add(struct logger *l, struct log_ring *ring)
{
    ASSERT(l->ring_count < LOGGER_RINGS_MAX);
    l->rings[l->ring_count++] = ring;
}

int logger_reopen(struct logger *l, const char *path)
{
    int fd = path ? open_output(path) : STDERR_FILENO;

    if (fd < 0) {
        return fd;
    }
    if (l->owns_fd) {
        (void)close(l->fd);
    }
    l->fd = fd;
    l->owns_fd = path != NULL;
    l->is_mid_line = false;
    return 0;
}

/* --- collecting --- */

static struct entry *add_entry(struct logger *l, const char *text, uint32_t len)
{
    struct entry *e;

    if (l->entry_count == l->entry_cap) {
        l->entry_cap = l->entry_cap ? l->entry_cap * 2 : 256;
        l->entries = pool_heap_grow(l->entries, l->entry_cap * sizeof(*l->entries));
    }
    e = &l->entries[l->entry_count];
    *e = (struct entry){.seq = l->entry_count, .text_at = (uint32_t)l->texts.len, .text_len = len};
    memcpy(bytes_room(&l->texts, len ? len : 1), text, len);
    l->texts.len += len;
    l->entry_count++;
    return e;
}

static void on_line(const struct log_ring *ring, const struct log_line *line, void *ctx)
{
    struct logger *l = ctx;
    struct entry *e = add_entry(l, line->text, line->len);

    e->mono_ns = line->mono_ns ? line->mono_ns : l->mono_ns;
    e->event = line->event < LOG_EVENT_COUNT ? line->event : 0;
    e->level = line->level;
    e->ring = ring->name;
}

PRINTF_LIKE(4, 5)
static void add_note(struct logger *l, const char *ring, enum log_event event, const char *fmt, ...)
{
    char text[128];
    struct entry *e;
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    e = add_entry(l, text, len > 0 ? (uint32_t)len : 0);
    e->mono_ns = l->mono_ns;
    e->event = (uint16_t)event;
    e->level = LOG_LEVEL_WARN;
    e->ring = ring;
}

static void note_lost(struct logger *l, uint32_t ring_idx)
{
    struct log_ring *ring = l->rings[ring_idx];
    uint64_t lost = atomic_load_explicit(&ring->lost_count, memory_order_relaxed);

    if (lost != l->lost_seen[ring_idx]) {
        add_note(l, ring->name, LOG_EVENT_log_lost, "count=%llu cause=\"ring full\"",
                 (unsigned long long)(lost - l->lost_seen[ring_idx]));
        l->lost_seen[ring_idx] = lost;
    }
}

static int by_time(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;

    if (x->mono_ns != y->mono_ns) {
        return x->mono_ns < y->mono_ns ? -1 : 1;
    }
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* --- cutting --- */

static bool may_pass(struct logger *l, const struct entry *e)
{
    struct bucket *b = &l->buckets[e->event];
    uint64_t full = (uint64_t)LOGGER_BURST * NS_PER_S;
    uint64_t elapsed = e->mono_ns > b->filled_ns ? e->mono_ns - b->filled_ns : 0;

    /* Message texts are logged on demand only: then all of them are wanted. */
    if (e->level == LOG_LEVEL_DEBUG || e->event == LOG_EVENT_message_body) {
        return true;
    }
    if (elapsed > full / LOGGER_LINES_PER_S) {
        elapsed = full / LOGGER_LINES_PER_S; /* enough to fill it; keeps the product small */
    }
    b->tokens += elapsed * LOGGER_LINES_PER_S;
    b->tokens = b->tokens < full ? b->tokens : full;
    b->filled_ns = e->mono_ns;
    if (b->tokens >= NS_PER_S) {
        b->tokens -= NS_PER_S;
        return true;
    }
    b->suppressed++;
    b->suppressed_ns = e->mono_ns;
    b->ring = e->ring;
    b->level = e->level;
    return false;
}

/* --- writing --- */

/* "2026-11-21T12:00:00.123Z" */
static size_t put_time(const struct logger *l, uint64_t mono_ns, char *out, size_t out_bytes)
{
    uint64_t unix_ms = (l->unix_ns - l->mono_ns + mono_ns) / NS_PER_MS;
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm;
    size_t len;
    int more;

    (void)gmtime_r(&seconds, &tm);
    len = strftime(out, out_bytes, "%Y-%m-%dT%H:%M:%S", &tm);
    more = snprintf(out + len, out_bytes - len, ".%03uZ", (unsigned)(unix_ms % 1000));
    return len + (more > 0 ? (size_t)more : 0);
}

/* What is written may hold nothing that a terminal or a line-wise reader would act on: callers
 * quote (log_quote), this is the last line of defence. */
static void put_text(struct bytes *out, const char *text, size_t len)
{
    char *to = bytes_room(out, len + 1);

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        to[i] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    out->len += len;
}

static void put_line(struct logger *l, const struct entry *e, uint64_t suppressed)
{
    struct bytes *out = &l->out;
    char head[192];
    char tail[40];
    size_t at = put_time(l, e->mono_ns, head, sizeof(head));
    int len = snprintf(head + at, sizeof(head) - at, " %s %.32s %.64s",
                       log_level_name((enum log_level)e->level), e->ring,
                       log_event_name((enum log_event)e->event));

    at += len > 0 ? (size_t)len : 0;
    put_text(out, head, at);
    if (e->text_len) {
        put_text(out, " ", 1);
        put_text(out, l->texts.data + e->text_at, e->text_len);
    }
    if (suppressed) {
        len = snprintf(tail, sizeof(tail), " suppressed=%llu", (unsigned long long)suppressed);
        put_text(out, tail, (size_t)len);
    }
    *bytes_room(out, 1) = '\n';
    out->len++;
}

static void put_entries(struct logger *l)
{
    if (l->entry_count == 0) {
        return; /* nothing was ever allocated, and qsort takes no null pointer */
    }
    qsort(l->entries, l->entry_count, sizeof(*l->entries), by_time);
    for (uint32_t i = 0; i < l->entry_count; i++) {
        const struct entry *e = &l->entries[i];
        struct bucket *b = &l->buckets[e->event];

        if (may_pass(l, e)) {
            uint64_t suppressed = e->level == LOG_LEVEL_DEBUG ? 0 : b->suppressed;

            put_line(l, e, suppressed);
            b->suppressed -= suppressed;
        }
    }
    l->entry_count = 0;
    l->texts.len = 0;
}

/* Events that stopped while lines of them were held back. */
static void put_pending(struct logger *l, uint64_t quiet_ns)
{
    for (uint32_t i = 0; i < LOG_EVENT_COUNT; i++) {
        struct bucket *b = &l->buckets[i];

        if (b->suppressed && l->mono_ns >= b->suppressed_ns + quiet_ns) {
            struct entry e = {
                .mono_ns = l->mono_ns, .event = (uint16_t)i, .level = b->level, .ring = b->ring};

            put_line(l, &e, b->suppressed);
            b->suppressed = 0;
        }
    }
}

static uint64_t count_lines(const char *data, size_t len)
{
    uint64_t count = 0;

    for (size_t i = 0; i < len; i++) {
        count += data[i] == '\n';
    }
    return count;
}

/* As much as goes out within the time. */
static size_t write_some(struct logger *l, const char *data, size_t len)
{
    int waited_ms = 0;
    size_t done = 0;

    while (done < len) {
        struct pollfd p = {.fd = l->fd, .events = POLLOUT};
        size_t chunk = len - done < WRITE_BYTES ? len - done : WRITE_BYTES;
        ssize_t written;

        if (poll(&p, 1, 10) == 0) {
            waited_ms += 10;
            if (waited_ms >= LOGGER_WRITE_MS_MAX) {
                break;
            }
            continue;
        }
        written = write(l->fd, data + done, chunk);
        if (written < 0) {
            waited_ms++; /* a bound for EINTR and EAGAIN */
            if ((errno != EINTR && errno != EAGAIN) || waited_ms >= LOGGER_WRITE_MS_MAX) {
                break;
            }
            continue;
        }
        done += (size_t)written;
    }
    return done;
}

/* Counts the lines from offset on. Notes stand last: one about earlier losses is among them, its
 * count is taken back and the note itself is no loss. */
static void not_written(struct logger *l, size_t offset)
{
    l->unwritten += count_lines(l->out.data + offset, l->out.len - offset);
    if (l->noted) {
        l->unwritten += l->noted - 1;
    }
    l->out.len = 0;
}

static void write_out(struct logger *l)
{
    const char *data = l->out.data;
    size_t len = l->out.len;
    size_t done;

    if (len == 0) {
        return;
    }
    if (l->is_mid_line) {
        if (write_some(l, "\n", 1) == 1) {
            l->is_mid_line = false;
        } else {
            not_written(l, 0);
            return;
        }
    }
    done = write_some(l, data, len);
    if (done < len) {
        l->is_mid_line = done > 0 && data[done - 1] != '\n';
        not_written(l, done);
    }
    l->out.len = 0;
}

static uint32_t turn(struct logger *l, uint64_t quiet_ns)
{
    uint32_t read = 0;

    for (uint32_t i = 0; i < l->ring_count; i++) {
        read += log_ring_drain(l->rings[i], on_line, l);
        note_lost(l, i);
    }
    l->noted = 0;
    if (l->unwritten && (read || quiet_ns == 0)) {
        add_note(l, "logger", LOG_EVENT_log_lost, "count=%llu cause=\"output stuck\"",
                 (unsigned long long)l->unwritten);
        l->noted = l->unwritten;
        l->unwritten = 0;
    }
    put_entries(l);
    put_pending(l, quiet_ns);
    write_out(l);
    return read;
}

uint32_t logger_turn_at(struct logger *l, uint64_t mono_ns, uint64_t unix_ns)
{
    l->mono_ns = mono_ns;
    l->unix_ns = unix_ns;
    return turn(l, (uint64_t)LOGGER_QUIET_S * NS_PER_S);
}

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint32_t logger_turn(struct logger *l)
{
    return l ? logger_turn_at(l, now_ns(CLOCK_MONOTONIC), now_ns(CLOCK_REALTIME)) : 0;
}

void logger_free(struct logger *l)
{
    if (!l) {
        return;
    }
    l->mono_ns = now_ns(CLOCK_MONOTONIC);
    l->unix_ns = now_ns(CLOCK_REALTIME);
    (void)turn(l, 0);
    if (l->owns_fd) {
        (void)close(l->fd);
    }
    pool_heap_free(l->entries);
    pool_heap_free(l->texts.data);
    pool_heap_free(l->out.data);
    pool_heap_free(l);
}
