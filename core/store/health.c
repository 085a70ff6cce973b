/* SPDX-License-Identifier: GPL-2.0-or-later */
/* health: whether the database can be written, and the log of it: at the first failure, when its
 * cause changes, once a minute, and when it is over. */
#include <time.h>

#include "base/err.h"
#include "store/store_int.h"

#define AGAIN_NS ((uint64_t)60 * 1000000000u)

int64_t health_unix_s(void)
{
    return (int64_t)time(NULL);
}

static int current(const struct store *s)
{
    return atomic_load_explicit(&s->err, memory_order_relaxed);
}

static void say(struct store *s)
{
    int64_t since = atomic_load_explicit(&s->failing_unix_s, memory_order_relaxed);
    char text[400];

    s->backend->explain(s->target, current(s), text, sizeof(text));
    LOG_E(store_failing, "for_s=%lld %s", (long long)(health_unix_s() - since), text);
    s->told_ns = store_now_ns();
}

void health_failed(struct store *s, int err, uint32_t rows)
{
    int before = current(s);

    atomic_fetch_add_explicit(&s->figures.failures, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->figures.rows_refused, rows, memory_order_relaxed);
    if (before == 0) {
        s->probed_ns = store_now_ns();
        atomic_store_explicit(&s->failing_unix_s, health_unix_s(), memory_order_relaxed);
    }
    atomic_store_explicit(&s->err, err, memory_order_release);
    if (before != err) {
        say(s);
    }
}

void health_good(struct store *s)
{
    int64_t since = atomic_load_explicit(&s->failing_unix_s, memory_order_relaxed);

    if (current(s) == 0) {
        return;
    }
    atomic_store_explicit(&s->err, 0, memory_order_release);
    LOG_W(store_recovered, "after_s=%lld refused_rows=%llu", (long long)(health_unix_s() - since),
          (unsigned long long)atomic_load_explicit(&s->figures.rows_refused,
                                                   memory_order_relaxed));
}

void health_turn(struct store *s, uint64_t now_ns)
{
    if (current(s) != 0 && now_ns - s->told_ns >= AGAIN_NS) {
        say(s);
    }
}
