/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store: its life, writing, figures. */
#include "store/store.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"
#include "base/pool.h"
#include "store/store_int.h"

#define NS_PER_MS  1000000u
#define NS_PER_S   1000000000u
#define CACHE_LINE 64u
#define HANG_NS    (10 * (uint64_t)NS_PER_S) /* a commit that takes longer: the disk hangs */

static bool is_postgresql(const char *target)
{
    struct slice t = slice_from_cstr(target);

    return slice_starts(t, SLICE_LIT("postgresql://")) || slice_starts(t, SLICE_LIT("postgres://"));
}

/* Structs with cache lines of their own. block: to be freed. */
static void *aligned(size_t bytes, void **block)
{
    uintptr_t at = (uintptr_t)(*block = pool_heap_zalloc(bytes + CACHE_LINE));

    return (void *)((at + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1));
}

static void discard(struct store *s)
{
    void *block = s->block;

    for (uint32_t i = 0; i < s->shard_count; i++) {
        queue_deinit(&s->queues[i]);
    }
    if (s->wake_fd >= 0) {
        (void)close(s->wake_fd);
    }
    if (s->end_fd >= 0) {
        (void)close(s->end_fd);
    }
    log_ring_deinit(&s->log);
    pool_heap_free(s->queues_block);
    pool_heap_free(s->untold);
    pool_heap_free(s->rows);
    pool_heap_free(s->target);
    s->magic = 0;
    pool_heap_free(block);
}

static struct store *make(const struct store_params *params)
{
    void *block;
    struct store *s = aligned(sizeof(*s), &block);

    s->block = block;
    s->magic = STORE_MAGIC;
    s->shard_count = params->shard_count;
    s->lazy_ns = (uint64_t)(params->lazy_ms ? params->lazy_ms : STORE_LAZY_MS) * NS_PER_MS;
    s->backend = params->backend ? params->backend : &store_lite;
    s->done = params->done;
    s->done_ctx = params->done_ctx;
    s->target = pool_heap_strdup(params->target, strlen(params->target));
    s->rows = pool_heap_zalloc(BATCH_ROWS_MAX * sizeof(struct record *));
    s->untold = pool_heap_zalloc(s->shard_count * sizeof(struct untold));
    s->queues = aligned(s->shard_count * sizeof(struct queue), &s->queues_block);
    for (uint32_t i = 0; i < s->shard_count; i++) {
        queue_init(&s->queues[i], params->queue_bytes ? params->queue_bytes : STORE_QUEUE_BYTES);
    }
    log_ring_init(&s->log, "store");
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return s;
}

static int refuse_postgresql(char *why, size_t why_bytes)
{
    /* The target may hold a password: it is not repeated. */
    (void)snprintf(why, why_bytes,
                   "store: PostgreSQL comes with a later version: write \"sqlite:FILE\"");
    return ERR_UNSUPPORTED;
}

int store_look(const char *target, char *why, size_t why_bytes)
{
    return is_postgresql(target) ? refuse_postgresql(why, why_bytes)
                                 : store_lite.look(target, why, why_bytes);
}

int store_open(struct store **out, const struct store_params *params, char *why, size_t why_bytes)
{
    struct store *s;
    int err;

    ASSERT(params->shard_count >= 1 && params->shard_count <= STORE_SHARDS_MAX && params->done);
    if (!params->backend && is_postgresql(params->target)) {
        return refuse_postgresql(why, why_bytes);
    }
    s = make(params);
    if (s->wake_fd < 0 || s->end_fd < 0) {
        (void)snprintf(why, why_bytes, "store: no eventfd: raise LimitNOFILE");
        discard(s);
        return ERR_STORE_OPEN;
    }
    err = s->backend->open(&s->self, params, why, why_bytes);
    if (err) {
        discard(s);
        return err;
    }
    s->was_lost = s->backend->was_lost && s->backend->was_lost(s->self);
    *out = s;
    return 0;
}

int store_load(struct store *s, const struct store_reader *reader, struct store_load_report *report,
               char *why, size_t why_bytes)
{
    store_check(s);
    ASSERT(!s->is_started && !s->is_loaded);
    *report = (struct store_load_report){0};
    s->is_loaded = true;
    return s->backend->load(s->self, reader, report, why, why_bytes);
}

int store_start(struct store *s, char *why, size_t why_bytes)
{
    sigset_t all;
    sigset_t before;
    int err;

    store_check(s);
    ASSERT(!s->is_started);
    /* Signals are the control thread's. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&s->thread, NULL, store_thread, s);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err) {
        (void)snprintf(why, why_bytes, "store: no thread: %s", err_text(-err));
        return -err;
    }
    (void)pthread_setname_np(s->thread, "store");
    s->is_started = true;
    return 0;
}

/* Who pushes wakes the thread if it sleeps too deep for that. The look at its depth is a
 * modification on purpose: so it comes either before the thread's own, which then sees what was
 * pushed, or after it and sees the depth. */
static void wake_for(struct store *s, bool is_pressing)
{
    uint32_t depth = atomic_fetch_or_explicit(&s->sleep, 0, memory_order_acq_rel);

    if (depth == SLEEP_DEEP || (depth == SLEEP_LAZY && is_pressing)) {
        if (atomic_exchange_explicit(&s->sleep, SLEEP_NOT, memory_order_acq_rel) != SLEEP_NOT) {
            store_ring(s->wake_fd);
        }
    }
}

int store_write(struct store *s, uint32_t shard_idx, const struct store_item *item,
                uint64_t *ticket)
{
    struct queue *q;
    int err = record_check(item);

    store_check(s);
    ASSERT(shard_idx < s->shard_count);
    if (err) {
        return err;
    }
    if (atomic_load_explicit(&s->is_stopping, memory_order_acquire)) {
        return ERR_SHUTDOWN;
    }
    q = &s->queues[shard_idx];
    if (!queue_push(q, item, ticket)) {
        return ERR_FULL;
    }
    wake_for(s, item->is_urgent || queue_is_half_full(q));
    return 0;
}

struct log_ring *store_log(struct store *s)
{
    return &s->log;
}

/* For how long the thread has been in the database. */
static uint64_t busy_ns(const struct store *s)
{
    uint64_t since_ns = atomic_load_explicit(&s->busy_since_ns, memory_order_relaxed);
    uint64_t now_ns = store_now_ns();

    return since_ns != 0 && now_ns > since_ns ? now_ns - since_ns : 0;
}

bool store_is_failing(const struct store *s)
{
    return atomic_load_explicit(&s->err, memory_order_acquire) != 0 || busy_ns(s) >= HANG_NS;
}

void store_health_read(const struct store *s, struct store_health *out)
{
    store_check(s);
    *out = (struct store_health){.err = atomic_load_explicit(&s->err, memory_order_acquire)};
    if (out->err) {
        out->failing_unix_s = atomic_load_explicit(&s->failing_unix_s, memory_order_relaxed);
    } else if (busy_ns(s) >= HANG_NS) {
        out->err = ERR_TIMEOUT;
        out->failing_unix_s = health_unix_s() - (int64_t)(busy_ns(s) / NS_PER_S);
    }
    if (out->err) {
        s->backend->explain(s->target, out->err, out->text, sizeof(out->text));
    }
}

#define READ(name) out->name = atomic_load_explicit(&s->figures.name, memory_order_relaxed)

void store_stats_read(const struct store *s, struct store_stats *out)
{
    store_check(s);
    *out = (struct store_stats){0};
    for (uint32_t i = 0; i < s->shard_count; i++) {
        const struct queue *q = &s->queues[i];

        out->queue_items += queue_items(q);
        out->queue_bytes += queue_bytes(q);
        out->queue_full += atomic_load_explicit(&q->full_count, memory_order_relaxed);
    }
    READ(commits);
    READ(rows);
    READ(failures);
    READ(rows_refused);
    READ(batch_rows_last);
    READ(batch_rows_max);
    READ(commit_us_last);
    READ(commit_us_max);
    READ(commit_us_sum);
    READ(checkpoints);
    READ(checkpoint_us_max);
    READ(file_bytes);
    out->was_lost = s->was_lost;
    for (uint32_t i = 0; i < STORE_LATENCY_BUCKETS; i++) {
        READ(commit_buckets[i]);
    }
}

int store_stop(struct store *s, uint32_t timeout_ms)
{
    struct pollfd end = {.fd = s->end_fd, .events = POLLIN};
    uint64_t time_ns = (uint64_t)timeout_ms * NS_PER_MS;
    uint64_t began_ns = store_now_ns();

    store_check(s);
    if (!s->is_started || s->is_joined) {
        atomic_store_explicit(&s->is_stopping, 1, memory_order_release);
        return 0;
    }
    /* The last quarter is for the disk, whatever the shards still do not take. */
    atomic_store_explicit(&s->stop_before_ns, began_ns + time_ns / 4 * 3,
                          memory_order_relaxed);
    atomic_store_explicit(&s->is_stopping, 1, memory_order_release);
    store_ring(s->wake_fd);
    while (poll(&end, 1, (int)timeout_ms) <= 0) { /* a signal ends it early, too */
        if (store_now_ns() - began_ns >= time_ns) {
            return ERR_TIMEOUT;
        }
    }
    (void)pthread_join(s->thread, NULL);
    s->is_joined = true;
    return 0;
}

void store_free(struct store *s)
{
    if (!s) {
        return;
    }
    store_check(s);
    if (s->is_started && !s->is_joined) {
        return; /* the thread hangs in the disk and uses all of it */
    }
    if (s->self) {
        s->backend->close(s->self, true);
    }
    discard(s);
}
