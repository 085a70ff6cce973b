/* SPDX-License-Identifier: GPL-2.0-or-later */
/* batch: one commit for whatever is queued, and what to do when it fails. */
#include <stdio.h>

#include "base/err.h"
#include "store/store_int.h"

#define US_PER_NS     1000u
#define BUCKET_0_US   64u

static const char *const what_names[] = {
    [STORE_PUT_CONTACT] = "put_contact", [STORE_DROP_CONTACT] = "drop_contact",
    [STORE_PUT_REACH] = "put_reach",     [STORE_DROP_REACH] = "drop_reach",
    [STORE_PUT_FACT] = "put_fact",       [STORE_DROP_FACT] = "drop_fact",
};

static void take_from(struct store *s, uint32_t idx, uint32_t count_max, uint64_t *bytes)
{
    struct record *r;

    while (count_max-- > 0 && s->row_count < BATCH_ROWS_MAX && *bytes < BATCH_BYTES_MAX &&
           (r = queue_take(&s->queues[idx])) != NULL) {
        r->err = 0;
        r->shard_idx = idx;
        *bytes += r->bytes;
        s->rows[s->row_count++] = r;
    }
}

bool batch_gather(struct store *s)
{
    /* A fair share for everyone, then what is left over. */
    const uint32_t shares[] = {BATCH_ROWS_MAX / s->shard_count, BATCH_ROWS_MAX};
    uint64_t bytes = 0;

    s->row_count = 0;
    s->first_idx = (s->first_idx + 1) % s->shard_count;
    for (size_t pass = 0; pass < ARRAY_COUNT(shares); pass++) {
        for (uint32_t n = 0; n < s->shard_count; n++) {
            uint32_t idx = (s->first_idx + n) % s->shard_count;

            if (!s->untold[idx].is_waiting) {
                take_from(s, idx, shares[pass], &bytes);
            }
        }
    }
    return s->row_count != 0;
}

static void note_latency(struct store *s, uint64_t us)
{
    struct store_figures *f = &s->figures;
    uint64_t bound = BUCKET_0_US;
    uint32_t bucket = 0;

    while (bucket < STORE_LATENCY_BUCKETS - 1 && us >= bound) {
        bucket++;
        bound *= 2;
    }
    atomic_fetch_add_explicit(&f->commit_buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&f->commit_us_sum, us, memory_order_relaxed);
    atomic_store_explicit(&f->commit_us_last, us, memory_order_relaxed);
    if (us > atomic_load_explicit(&f->commit_us_max, memory_order_relaxed)) {
        atomic_store_explicit(&f->commit_us_max, us, memory_order_relaxed);
    }
}

static void note_commit(struct store *s, uint32_t rows, uint64_t began_ns)
{
    struct store_figures *f = &s->figures;

    atomic_fetch_add_explicit(&f->commits, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&f->rows, rows, memory_order_relaxed);
    atomic_store_explicit(&f->batch_rows_last, rows, memory_order_relaxed);
    if (rows > atomic_load_explicit(&f->batch_rows_max, memory_order_relaxed)) {
        atomic_store_explicit(&f->batch_rows_max, rows, memory_order_relaxed);
    }
    note_latency(s, (store_now_ns() - began_ns) / US_PER_NS);
}

static void refuse_row(struct store *s, struct record *r)
{
    struct store_item item;

    r->err = ERR_STORE_ITEM;
    record_read(r, &item);
    atomic_fetch_add_explicit(&s->figures.rows_refused, 1, memory_order_relaxed);
    if (item.what == STORE_PUT_FACT || item.what == STORE_DROP_FACT) {
        LOG_E(store_refused, "what=%s name=%s", what_names[item.what],
              log_quote(item.fact.name).text);
        return;
    }
    /* Contact and reach begin with their pair. */
    LOG_E(store_refused, "what=%s local=%s at=%s remote=%s at=%s", what_names[item.what],
          log_quote(item.reach.pair.local_user).text, log_quote(item.reach.pair.local_domain).text,
          log_quote(item.reach.pair.remote_user).text,
          log_quote(item.reach.pair.remote_domain).text);
}

/* One transaction of rows from..from+count-1. 0: done, refused rows are marked. ERR_STORE_ITEM:
 * some row is to blame. Else the database failed. Nothing of it stays unless 0. */
static int commit_part(struct store *s, uint32_t from, uint32_t count)
{
    uint64_t began_ns = store_now_ns();
    uint32_t good = 0;
    int err = s->backend->begin(s->self);

    for (uint32_t i = from; !err && i < from + count; i++) {
        struct store_item item;

        record_read(s->rows[i], &item);
        s->rows[i]->err = s->backend->apply(s->self, &item);
        if (s->rows[i]->err == 0) {
            good++;
        } else if (s->rows[i]->err != ERR_STORE_ITEM) {
            err = s->rows[i]->err;
        }
    }
    if (!err && good != 0) {
        err = s->backend->commit(s->self);
    }
    if (err || good == 0) {
        s->backend->rollback(s->self);
    }
    if (err) {
        return err;
    }
    for (uint32_t i = from; i < from + count; i++) {
        if (s->rows[i]->err) {
            refuse_row(s, s->rows[i]);
        }
    }
    if (good != 0) {
        note_commit(s, good, began_ns);
        health_good(s);
    }
    return 0;
}

void batch_commit(struct store *s)
{
    uint32_t size = s->row_count;
    uint32_t from = 0;

    while (from < s->row_count) {
        uint32_t count = size < s->row_count - from ? size : s->row_count - from;
        int err = commit_part(s, from, count);

        if (err == ERR_STORE_ITEM && count > 1) {
            /* Halves until the row is found; parts grow again behind it. */
            size = count / 2;
            continue;
        }
        if (err == ERR_STORE_ITEM) {
            refuse_row(s, s->rows[from]);
        } else if (err) {
            /* The rest would fail, too: whoever waits hears it now. */
            for (uint32_t i = from; i < s->row_count; i++) {
                s->rows[i]->err = err;
            }
            health_failed(s, err, s->row_count - from);
            return;
        }
        from += count;
        size = size < s->row_count / 2 ? size * 2 : s->row_count;
    }
}

void batch_probe(struct store *s)
{
    char value[24];
    struct store_item item = {.what = STORE_PUT_FACT};
    uint64_t began_ns = store_now_ns();
    int err;

    (void)snprintf(value, sizeof(value), "%lld", (long long)health_unix_s());
    item.fact = (struct store_fact){SLICE_LIT("store.probed"), slice_from_cstr(value)};
    err = s->backend->begin(s->self);
    err = err ? err : s->backend->apply(s->self, &item);
    err = err ? err : s->backend->commit(s->self);
    if (err) {
        s->backend->rollback(s->self);
        health_failed(s, err, 0);
        return;
    }
    note_commit(s, 0, began_ns);
    health_good(s);
}
