/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io_uring_spin: looking for completions in memory for a while, before the thread sleeps for them;
 * only where it has paid lately. With DEFER_TASKRUN a completion that is due does not lie in the
 * queue yet: the kernel raises IORING_SQ_TASKRUN, and the next call that asks for events makes it
 * one. */
#include <time.h>

#include "io/io_uring_int.h"

/* Between two looks at the clock: about a microsecond. */
#define LOOKS_PER_CLOCK 32u

bool uring_is_lone(uint32_t news_count, uint64_t bytes)
{
    return news_count < URING_CROWD_EVENTS_MIN && bytes <= URING_LONE_BYTES_MAX;
}

void uring_spin_waited(struct uring *u, uint64_t ns)
{
    /* A sleeper is woken about as late as it takes to be answered: twice the time. */
    if (ns > (uint64_t)u->io.spin_us * 2000) {
        u->quick_count = 0;
    }
}

void uring_spin_reaped(struct uring *u, uint32_t news_count, uint64_t bytes)
{
    if (news_count > 0) {
        u->quick_count = uring_is_lone(news_count, bytes) ? u->quick_count + 1 : 0;
    }
}

bool uring_spin_may(struct uring_spin_budget *b, uint64_t now_ns, uint64_t spin_ns)
{
    uint64_t earned_ns = (now_ns - b->seen_ns) / URING_SPIN_SHARE;

    /* What is less than one stays for the next time. */
    b->seen_ns += earned_ns * URING_SPIN_SHARE;
    b->credit_ns += earned_ns;
    if (b->credit_ns > URING_SPIN_CREDIT_MAX_NS) {
        b->credit_ns = URING_SPIN_CREDIT_MAX_NS;
    }
    return b->credit_ns >= spin_ns;
}

void uring_spin_missed(struct uring_spin_budget *b, uint64_t spin_ns)
{
    b->credit_ns -= spin_ns < b->credit_ns ? spin_ns : b->credit_ns;
}

uint64_t uring_now_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* What remains of spin_us when a timer is due before its end. */
static uint64_t bounded_ns(uint32_t spin_us, uint64_t timeout_ms)
{
    uint64_t spin_ns = (uint64_t)spin_us * 1000;

    return timeout_ms > spin_ns / 1000000 ? spin_ns : timeout_ms * 1000000;
}

static bool look(struct uring *u, uint64_t spin_ns, io_news_fn *news, void *ctx)
{
    uint64_t begin_ns = uring_now_ns();

    do {
        for (uint32_t i = 0; i < LOOKS_PER_CLOCK; i++) {
            if (uring_has_work(u) || io_uring_cq_ready(&u->ring) || news(ctx)) {
                return true;
            }
            CPU_RELAX();
        }
    } while (uring_now_ns() - begin_ns < spin_ns);
    return false;
}

bool uring_spin(struct io *io, uint64_t timeout_ms, io_news_fn *news, void *ctx)
{
    struct uring *u = (struct uring *)(void *)io;
    uint64_t spin_ns = bounded_ns(io->spin_us, timeout_ms);

    if (spin_ns == 0 || u->quick_count < URING_QUICK_MIN ||
        !uring_spin_may(&u->spin_budget, uring_now_ns(), spin_ns)) {
        return false;
    }
    if (io_uring_sq_ready(&u->ring) > 0) {
        if (io_uring_submit(&u->ring) < 0) {
            return false; /* the kernel has no room: wait() goes on as it always does */
        }
        if (io_uring_cq_ready(&u->ring)) {
            return true; /* done while it was handed over: nothing was looked for */
        }
    }
    if (look(u, spin_ns, news, ctx)) {
        io->spins_found++;
        return true;
    }
    io->spins_missed++;
    u->quick_count = 0;
    uring_spin_missed(&u->spin_budget, spin_ns);
    return false;
}
