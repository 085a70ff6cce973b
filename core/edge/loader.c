/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loader: one thread for all loads, since what it gives away (pool blocks of certificates) finds
 * its way home to it. */
#include "edge/loader.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/pool.h"
#include "edge/debug.h"

struct loader {
    pthread_t thread;
    sem_t wanted; /* a load, or the thread's end */
    int fd;       /* eventfd: the load is done */
    bool is_busy;
    _Atomic bool is_stopping; /* control thread: release; pairs with the thread's acquire */
    _Atomic bool is_done;     /* the thread: release, behind result; pairs with acquire in take */
    /* The thread's from loader_start until is_done. */
    struct setup_params params;
    const struct setup *before; /* borrowed */
    struct loaded result;
};

static void load(struct loader *l)
{
    uint64_t one = 1;
    ssize_t written;

    if (setup_load(&l->result.setup, &l->params, &l->result.report) == 0) {
        l->result.partners = partner_diff(l->before->policy, l->result.setup->policy);
    }
    debug_pause_load(); /* what was written behind its back is for the next load */
    pool_trim();
    atomic_store_explicit(&l->is_done, true, memory_order_release);
    written = write(l->fd, &one, sizeof(one));
    ASSERT(written == (ssize_t)sizeof(one)); /* its count is 0 */
}

static void *run(void *arg)
{
    struct loader *l = arg;

    for (;;) {
        while (sem_wait(&l->wanted) != 0) {
        }
        if (atomic_load_explicit(&l->is_stopping, memory_order_acquire)) {
            return NULL;
        }
        load(l);
    }
}

int loader_new(struct loader **out)
{
    struct loader *l = pool_heap_zalloc(sizeof(*l));
    int err;

    *out = NULL;
    (void)sem_init(&l->wanted, 0, 0);
    l->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    err = l->fd < 0 ? errno : pthread_create(&l->thread, NULL, run, l);
    if (err != 0) {
        if (l->fd >= 0) {
            (void)close(l->fd);
        }
        (void)sem_destroy(&l->wanted);
        pool_heap_free(l);
        return -err;
    }
    *out = l;
    return 0;
}

void loader_start(struct loader *l, const struct setup_params *params, const struct setup *before)
{
    ASSERT(!l->is_busy);
    l->is_busy = true;
    l->params = *params;
    l->before = before;
    l->result = (struct loaded){0};
    (void)sem_post(&l->wanted);
}

bool loader_is_busy(const struct loader *l)
{
    return l->is_busy;
}

bool loader_take(struct loader *l, struct loaded *out)
{
    uint64_t count;

    if (read(l->fd, &count, sizeof(count)) != (ssize_t)sizeof(count)) {
        return false;
    }
    ASSERT(l->is_busy && atomic_load_explicit(&l->is_done, memory_order_acquire));
    atomic_store_explicit(&l->is_done, false, memory_order_relaxed);
    l->is_busy = false;
    *out = l->result;
    l->result = (struct loaded){0};
    return true;
}

int loader_fd(const struct loader *l)
{
    return l->fd;
}

void loader_free(struct loader *l)
{
    if (!l) {
        return;
    }
    atomic_store_explicit(&l->is_stopping, true, memory_order_release);
    (void)sem_post(&l->wanted);
    (void)pthread_join(l->thread, NULL);
    setup_free(l->result.setup);
    config_report_deinit(&l->result.report);
    (void)close(l->fd);
    (void)sem_destroy(&l->wanted);
    pool_heap_free(l);
}
