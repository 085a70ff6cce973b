/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loop: the store's thread: when to commit, when to sleep and how deep. */
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "store/store_int.h"

#define NS_PER_S    1000000000u
#define NS_PER_MS   1000000u
#define RETELL_MS   5   /* a shard's mailbox was full */
#define UNTIDY_NS   (10 * (uint64_t)NS_PER_S)
#define PROBE_NS    (10 * (uint64_t)NS_PER_S)
#define TROUBLED_MS 1000 /* while failing: wakes so often for the log and for the probe */

uint64_t store_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

void store_ring(int fd)
{
    const uint64_t one = 1;

    /* Fails only when the counter is full, which wakes as well. */
    if (write(fd, &one, sizeof(one)) < 0) {
        return;
    }
}

/* Of the queues that may go into a batch. */
struct pending {
    bool any;
    bool pressing; /* an urgent one, or a queue that fills up */
};

static struct pending look(const struct store *s)
{
    struct pending p = {false, false};

    for (uint32_t i = 0; i < s->shard_count; i++) {
        const struct queue *q = &s->queues[i];

        if (s->untold[i].is_waiting || !queue_has_untaken(q)) {
            continue;
        }
        p.any = true;
        p.pressing = p.pressing || queue_has_urgent(q) || queue_is_half_full(q);
    }
    return p;
}

static bool is_failing(const struct store *s)
{
    return atomic_load_explicit(&s->err, memory_order_relaxed) != 0;
}

static bool is_stopping(const struct store *s)
{
    return atomic_load_explicit(&s->is_stopping, memory_order_acquire) != 0;
}

static bool is_due(struct store *s, uint64_t now_ns)
{
    struct pending p = look(s);

    if (!p.any) {
        s->lazy_since_ns = 0;
        return false;
    }
    if (s->lazy_since_ns == 0) {
        s->lazy_since_ns = now_ns;
    }
    return p.pressing || is_stopping(s) || now_ns - s->lazy_since_ns >= s->lazy_ns;
}

static void sleep_until_due(struct store *s, int timeout_ms)
{
    enum sleep_depth depth = s->lazy_since_ns ? SLEEP_LAZY : SLEEP_DEEP;
    struct pollfd fd = {.fd = s->wake_fd, .events = POLLIN};
    struct pending p;
    uint64_t count;

    (void)atomic_exchange_explicit(&s->sleep, depth, memory_order_acq_rel);
    p = look(s);
    if (depth == SLEEP_DEEP ? !p.any : !p.pressing) {
        (void)poll(&fd, 1, timeout_ms);
    }
    (void)atomic_exchange_explicit(&s->sleep, SLEEP_NOT, memory_order_acq_rel);
    if (read(s->wake_fd, &count, sizeof(count)) < 0) {
        return; /* nobody rang: the time is over */
    }
}

static int nap_ms(const struct store *s, uint64_t now_ns, bool all_told)
{
    int nap = is_failing(s) ? TROUBLED_MS : -1;

    if (s->lazy_since_ns) {
        uint64_t waited_ns = now_ns - s->lazy_since_ns;
        uint64_t left_ns = waited_ns < s->lazy_ns ? s->lazy_ns - waited_ns : 0;
        int left = (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS);

        nap = nap < 0 || left < nap ? left : nap;
    }
    if (!all_told) {
        nap = nap < 0 || RETELL_MS < nap ? RETELL_MS : nap;
    }
    return nap;
}

static void set_figure(_Atomic uint64_t *figure, uint64_t value)
{
    atomic_store_explicit(figure, value, memory_order_relaxed);
}

static void tidy(struct store *s)
{
    uint64_t began_ns = store_now_ns();
    uint64_t us;
    bool did = false;
    int err = 0;

    /* Items are durable without it: its failure refuses nothing, but it must not go unnoticed. */
    if (began_ns >= s->tidy_after_ns) {
        err = s->backend->tidy(s->self, !look(s).any, &did);
    }
    if (err) {
        s->tidy_after_ns = began_ns + UNTIDY_NS;
        LOG_W(store_untidy, "cause=%s: the log beside the database grows", err_text(err));
    }
    if (did) {
        us = (store_now_ns() - began_ns) / 1000;
        atomic_fetch_add_explicit(&s->figures.checkpoints, 1, memory_order_relaxed);
        if (us > atomic_load_explicit(&s->figures.checkpoint_us_max, memory_order_relaxed)) {
            set_figure(&s->figures.checkpoint_us_max, us);
        }
    }
    set_figure(&s->figures.file_bytes, s->backend->bytes(s->self));
}

/* Seen from outside: a disk that does not answer holds the thread without an error. */
static void set_busy(struct store *s, uint64_t since_ns)
{
    set_figure(&s->busy_since_ns, since_ns);
}

/* True: there may be more to do at once. */
static bool turn(struct store *s, uint64_t now_ns, bool *all_told)
{
    *all_told = tell_all(s);
    if (is_due(s, now_ns) && batch_gather(s)) {
        set_busy(s, now_ns);
        batch_commit(s);
        set_busy(s, 0);
        s->lazy_since_ns = 0;
        *all_told = tell_all(s);
        set_busy(s, store_now_ns());
        tidy(s);
        set_busy(s, 0);
        return true;
    }
    if (is_failing(s) && now_ns - s->probed_ns >= PROBE_NS) {
        s->probed_ns = now_ns;
        set_busy(s, now_ns);
        batch_probe(s);
        set_busy(s, 0);
    }
    health_turn(s, now_ns);
    return false;
}

void *store_thread(void *arg)
{
    struct store *s = arg;
    bool all_told;

    log_ring_use(&s->log);
    set_figure(&s->figures.file_bytes, s->backend->bytes(s->self));
    for (;;) {
        uint64_t now_ns = store_now_ns();

        if (turn(s, now_ns, &all_told)) {
            continue;
        }
        if (is_stopping(s)) {
            if (all_told && !look(s).any) {
                break;
            }
            s->is_mute = now_ns >= atomic_load_explicit(&s->stop_before_ns, memory_order_relaxed);
        }
        sleep_until_due(s, nap_ms(s, now_ns, all_told));
    }
    s->backend->close(s->self, !is_failing(s));
    s->self = NULL;
    log_ring_use(NULL);
    store_ring(s->end_fd);
    return NULL;
}
