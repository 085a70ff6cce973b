/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_int: struct store and what its files share: store.c (life, writing), loop.c (the thread),
 * batch.c (commits), tell.c (acknowledgements), health.c (state and log of it). */
#ifndef FG_STORE_STORE_INT_H
#define FG_STORE_STORE_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/check.h"
#include "base/log.h"
#include "store/backend.h"
#include "store/queue.h"

#define STORE_MAGIC 0x53544f52u

/* Of one commit. The first bounds how long a grant waits behind what was queued before it. */
#define BATCH_ROWS_MAX  1024u
#define BATCH_BYTES_MAX ((uint64_t)8 << 20)

/* How the store's thread sleeps, and so who has to wake it. Exchanged or read-modified with acq_rel
 * on both sides, after the push and before the last look at the queues: one sees the other. */
enum sleep_depth {
    SLEEP_NOT,
    SLEEP_LAZY, /* until the lazy ones are due: an urgent one or a filling queue wakes */
    SLEEP_DEEP, /* anything wakes */
};

/* One acknowledgement that was refused, or is just being given. */
struct untold {
    bool is_waiting;
    struct store_done done;
};

struct store_figures { /* written by the store's thread, relaxed; read by anyone */
    _Atomic uint64_t commits, rows, failures, rows_refused;
    _Atomic uint64_t batch_rows_last, batch_rows_max;
    _Atomic uint64_t commit_us_last, commit_us_max, commit_us_sum;
    _Atomic uint64_t commit_buckets[STORE_LATENCY_BUCKETS];
    _Atomic uint64_t checkpoints, checkpoint_us_max;
    _Atomic uint64_t file_bytes;
};

struct store {
    uint32_t magic;
    /* constant from store_open on */
    uint32_t shard_count;
    uint64_t lazy_ns;
    const struct store_backend *backend; /* borrowed */
    char *target;                        /* owned, heap */
    void *self;                          /* owned; the backend's; NULL when closed */
    store_done_fn *done;
    void *done_ctx;
    int wake_fd; /* eventfd: there is work */
    int end_fd;  /* eventfd: the thread ends */
    /* control thread */
    pthread_t thread;
    bool is_loaded;
    bool was_lost; /* store_stats; constant after store_open */
    bool is_started;
    bool is_joined;
    /* shared: control writes (release), shards and the store's thread read */
    _Atomic uint32_t is_stopping;
    _Atomic uint64_t stop_before_ns; /* monotonic; set before is_stopping */
    alignas(64) _Atomic uint32_t sleep; /* enum sleep_depth */
    /* shared: the store's thread writes (release), anyone reads. err last, so that who sees it sees
     * the time. */
    _Atomic int64_t failing_unix_s;
    _Atomic int err;
    _Atomic uint64_t busy_since_ns; /* in the database, monotonic; 0 = not; relaxed */
    /* store's thread */
    struct log_ring log;
    uint64_t lazy_since_ns;  /* the oldest that waits; 0 = none */
    uint64_t told_ns;        /* last log line about a failure */
    uint64_t probed_ns;      /* last attempt without items while failing */
    uint64_t tidy_after_ns;  /* it failed: not before */
    bool is_mute;            /* the end: nobody takes acknowledgements any more */
    uint32_t first_idx;      /* whose turn it is to be first in a batch */
    uint32_t row_count;
    struct record **rows;    /* owned, BATCH_ROWS_MAX; of the batch; borrowed from the queues */
    struct untold *untold;   /* owned, per shard */
    struct store_figures figures;
    struct queue *queues; /* owned, per shard, aligned inside queues_block */
    void *queues_block;   /* owned */
    void *block;          /* owned; this struct lies in it */
};

static inline void store_check(const struct store *s)
{
    ASSERT(s && s->magic == STORE_MAGIC);
}

/* loop.c. The thread's function; arg: struct store. */
void *store_thread(void *arg);
uint64_t store_now_ns(void); /* CLOCK_MONOTONIC */
/* An eventfd; any thread. */
void store_ring(int fd);

/* batch.c */
/* Takes what is queued, in turns, as far as a batch goes; shards with an untold range wait. Returns
 * whether there was anything. */
bool batch_gather(struct store *s);
/* Commits it, as a whole or, where rows are to blame, in parts; each row has its err after it. */
void batch_commit(struct store *s);
/* While failing: a transaction of the store's own, to see whether it works again. */
void batch_probe(struct store *s);

/* tell.c */
/* Tells what became of rows that are taken; false: some shard could not take it now. */
bool tell_all(struct store *s);

/* health.c; the store's thread */
void health_failed(struct store *s, int err, uint32_t rows);
void health_good(struct store *s);
/* Says it again once a minute. */
void health_turn(struct store *s, uint64_t now_ns);
int64_t health_unix_s(void);

#endif
