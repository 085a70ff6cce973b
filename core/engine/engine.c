/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine: making, stopping and watching the shards, from the control thread. */
#include "engine/engine.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "engine/conn_int.h"
#include "engine/shard_state.h"

#define CONN_MAX_DEFAULT 16384u
#define LINE_BYTES       64u
/* Connections are aborted; a shard that has not let go of them by then is stuck. */
#define STOP_MS_MAX 5000u

static void nap(void)
{
    struct timespec ts = {.tv_nsec = 200000};

    (void)nanosleep(&ts, NULL);
}

static void *aligned(size_t bytes, void **block)
{
    *block = pool_heap_zalloc(bytes + LINE_BYTES);
    return (void *)(((uintptr_t)*block + LINE_BYTES - 1) & ~(uintptr_t)(LINE_BYTES - 1));
}

static uint32_t usable_cores(cpu_set_t *set)
{
    CPU_ZERO(set);
    if (sched_getaffinity(0, sizeof(*set), set) != 0) {
        return 1;
    }
    return (uint32_t)CPU_COUNT(set);
}

static void pin(struct shard *sh)
{
    cpu_set_t usable;
    cpu_set_t one;
    uint32_t wanted = sh->idx % usable_cores(&usable);

    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &usable) && wanted-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            /* A container may forbid it: the kernel's own placement does as well. */
            (void)pthread_setaffinity_np(sh->thread, sizeof(one), &one);
            return;
        }
    }
}

static int start_thread(struct shard *sh, char *why, size_t why_bytes)
{
    int err = pthread_create(&sh->thread, NULL, shard_thread, sh);

    if (err) {
        (void)snprintf(why, why_bytes, "shard %u: no thread: %s", sh->idx, err_text(-err));
        return -err;
    }
    sh->is_thread_started = true;
    if (sh->engine->params.pin) {
        pin(sh);
    }
    while (!atomic_load_explicit(&sh->is_ready, memory_order_acquire)) {
        nap();
    }
    if (sh->start_err && why_bytes && !why[0]) {
        (void)snprintf(why, why_bytes, "shard %u: %s", sh->idx, err_text(sh->start_err));
    }
    return sh->start_err;
}

static void check_params(const struct engine_params *p)
{
    ASSERT(p->app && p->app->shard_start && p->app->shard_stop && p->app->accepted);
    ASSERT(p->app->mail);
    ASSERT(p->shard_count <= ENGINE_SHARDS_MAX);
}

/* The caller's list belongs to its first snapshot, and a resolver may start after that is gone. */
static char **copy_texts(const char *const *texts)
{
    size_t count = 0;
    char **copy;

    if (!texts) {
        return NULL;
    }
    while (texts[count]) {
        count++;
    }
    copy = pool_heap_zalloc((count + 1) * sizeof(*copy));
    for (size_t i = 0; i < count; i++) {
        copy[i] = pool_heap_strdup(texts[i], strlen(texts[i]));
    }
    return copy;
}

static void free_texts(char **texts)
{
    for (size_t i = 0; texts && texts[i]; i++) {
        pool_heap_free(texts[i]);
    }
    pool_heap_free(texts);
}

int engine_build(struct engine **out, const struct engine_params *params, char *why,
                 size_t why_bytes)
{
    struct engine *e = pool_heap_zalloc(sizeof(*e));
    int err = 0;

    check_params(params);
    if (why_bytes) {
        why[0] = '\0';
    }
    e->params = *params;
    e->params.conn_max = params->conn_max ? params->conn_max : CONN_MAX_DEFAULT;
    e->shard_count = params->shard_count ? params->shard_count : engine_default_shards();
    (void)pthread_mutex_init(&e->post_lock, NULL);
    e->dns_servers = copy_texts(params->dns_servers);
    e->params.dns_servers = (const char *const *)e->dns_servers;
    e->snapshot_owned = params->snapshot;
    atomic_store_explicit(&e->snapshot, params->snapshot, memory_order_seq_cst);
    atomic_store_explicit(&e->generation, 1, memory_order_seq_cst);
    e->shards = aligned(e->shard_count * sizeof(struct shard), &e->shards_block);
    e->boxes = aligned((size_t)e->shard_count * (e->shard_count + 1) * sizeof(struct mailbox),
                       &e->boxes_block);
    for (uint32_t i = 0; i < e->shard_count && !err; i++) {
        err = shard_init(&e->shards[i], e, i, why, why_bytes);
        if (getrandom(&e->shards[i].random_state, sizeof(uint64_t), 0) != sizeof(uint64_t) ||
            e->shards[i].random_state == 0) {
            e->shards[i].random_state = 0x9e3779b97f4a7c15u + i;
        }
    }
    if (err && why_bytes && !why[0]) {
        (void)snprintf(why, why_bytes, "the shards cannot be set up: %s", err_text(err));
    }
    *out = e;
    return err;
}

int engine_new(struct engine **out, const struct engine_params *params, char *why, size_t why_bytes)
{
    struct engine *e;
    int err = engine_build(&e, params, why, why_bytes);

    for (uint32_t i = 0; i < e->shard_count && !err; i++) {
        err = start_thread(&e->shards[i], why, why_bytes);
    }
    if (err) {
        e->snapshot_owned = NULL; /* stays the caller's */
        engine_free(e);
        return err;
    }
    *out = e;
    return 0;
}

static void notify_all(struct engine *e)
{
    for (uint32_t i = 0; i < e->shard_count; i++) {
        if (e->shards[i].is_thread_started) {
            shard_notify(&e->shards[i], NULL);
        }
    }
}

/* Boxes first: a shard that takes mail out says that it is not drained before it does so. */
static bool is_drained(struct engine *e)
{
    for (uint32_t i = 0; i < e->shard_count; i++) {
        for (uint32_t from = 0; from <= e->shard_count; from++) {
            if (e->shards[i].is_thread_started && e->shards[i].start_err == 0 &&
                !mailbox_is_empty(engine_box(e, i, from))) {
                return false;
            }
        }
    }
    for (uint32_t i = 0; i < e->shard_count; i++) {
        if (e->shards[i].is_thread_started && e->shards[i].start_err == 0 &&
            !atomic_load_explicit(&e->shards[i].is_drained, memory_order_acquire)) {
            return false;
        }
    }
    return true;
}

static void stop_phase(struct engine *e, uint32_t phase)
{
    atomic_store_explicit(&e->stop_phase, phase, memory_order_release);
    notify_all(e);
}

static void discard_mail(struct engine *e)
{
    struct mail *m;

    for (uint32_t i = 0; i < e->shard_count * (e->shard_count + 1); i++) {
        while (mailbox_pop(&e->boxes[i], &m, 1)) {
            mail_discard(m);
        }
    }
}

void engine_free(struct engine *e)
{
    struct timespec began;
    struct timespec now;

    if (!e) {
        return;
    }
    stop_phase(e, 1);
    (void)clock_gettime(CLOCK_MONOTONIC, &began);
    do {
        nap();
        notify_all(e);
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    } while (!(is_drained(e) && is_drained(e)) &&
             (now.tv_sec - began.tv_sec) * 1000 < (long)STOP_MS_MAX);
    stop_phase(e, 2);
    for (uint32_t i = 0; i < e->shard_count; i++) {
        if (e->shards[i].is_thread_started) {
            (void)pthread_join(e->shards[i].thread, NULL);
        }
    }
    discard_mail(e);
    for (uint32_t i = 0; i < e->shard_count; i++) {
        shard_deinit(&e->shards[i]);
    }
    if (e->params.snapshot_free && e->snapshot_owned) {
        e->params.snapshot_free(e->snapshot_owned);
    }
    (void)pthread_mutex_destroy(&e->post_lock);
    free_texts(e->dns_servers);
    pool_heap_free(e->shards_block);
    pool_heap_free(e->boxes_block);
    pool_heap_free(e);
}

uint32_t engine_default_shards(void)
{
    cpu_set_t set;
    uint32_t count = usable_cores(&set);

    return count < ENGINE_SHARDS_MAX ? count : ENGINE_SHARDS_MAX;
}

uint32_t engine_shard_count(const struct engine *e)
{
    return e->shard_count;
}

int engine_post(struct engine *e, uint32_t shard_idx, struct mail *m)
{
    bool is_taken;

    ASSERT(shard_idx < e->shard_count);
    m->from_idx = e->shard_count;
    m->link = (struct list){NULL, NULL};
    (void)pthread_mutex_lock(&e->post_lock);
    is_taken = mailbox_push(engine_box(e, shard_idx, e->shard_count), m);
    (void)pthread_mutex_unlock(&e->post_lock);
    if (is_taken) {
        shard_notify(&e->shards[shard_idx], NULL);
    }
    return is_taken ? 0 : ERR_FULL;
}

void engine_publish(struct engine *e, void *snapshot)
{
    void *old = e->snapshot_owned;
    uint64_t generation;

    e->snapshot_owned = snapshot;
    atomic_store_explicit(&e->snapshot, snapshot, memory_order_seq_cst);
    generation = atomic_fetch_add_explicit(&e->generation, 1, memory_order_seq_cst) + 1;
    notify_all(e);
    for (uint32_t i = 0; i < e->shard_count; i++) {
        while (atomic_load_explicit(&e->shards[i].seen_generation, memory_order_seq_cst) <
               generation) {
            nap();
        }
    }
    if (e->params.snapshot_free && old) {
        e->params.snapshot_free(old);
    }
}

void engine_stats_read(const struct engine *e, uint32_t shard_idx, struct engine_stats *out)
{
    const uint64_t *from = (const uint64_t *)(const void *)&e->shards[shard_idx].stats;
    uint64_t *to = (uint64_t *)(void *)out;

    STATIC_ASSERT(sizeof(*out) % sizeof(uint64_t) == 0, "counters only");
    ASSERT(shard_idx < e->shard_count);
    for (size_t i = 0; i < sizeof(*out) / sizeof(uint64_t); i++) {
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    }
}

struct log_ring *engine_log(struct engine *e, uint32_t shard_idx)
{
    ASSERT(shard_idx < e->shard_count);
    return &e->shards[shard_idx].log;
}
