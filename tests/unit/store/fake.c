/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake: a database in memory that fails on command. */
#include "fake.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"

#define PENDING_MAX 4096u

struct fake fake;

static uint32_t pending[PENDING_MAX]; /* of the transaction */
static uint32_t pending_count;
static bool is_within;
static uint32_t sequence;

void fake_reset(void)
{
    memset(&fake, 0, sizeof(fake));
    is_within = false;
    pending_count = 0;
    sequence = 1;
}

void fake_fail(enum fake_call call, int err, uint32_t count)
{
    atomic_store_explicit(&fake.fail_err[call], err, memory_order_release);
    atomic_store_explicit(&fake.fail_count[call], count, memory_order_release);
}

uint32_t fake_committed(uint32_t number)
{
    uint32_t count = atomic_load_explicit(&fake.row_count, memory_order_acquire);
    uint32_t found = 0;

    for (uint32_t i = 0; i < count; i++) {
        found += fake.rows[i] == number;
    }
    return found;
}

static int command(enum fake_call call)
{
    if (atomic_load_explicit(&fake.fail_count[call], memory_order_acquire) == 0) {
        return 0;
    }
    (void)atomic_fetch_sub_explicit(&fake.fail_count[call], 1, memory_order_acq_rel);
    (void)atomic_fetch_add_explicit(&fake.failed, 1, memory_order_acq_rel);
    return atomic_load_explicit(&fake.fail_err[call], memory_order_acquire);
}

static int fake_open(void **self, const struct store_params *params, char *why, size_t why_bytes)
{
    (void)params;
    (void)why;
    (void)why_bytes;
    *self = &fake;
    atomic_store_explicit(&fake.is_open, 1, memory_order_release);
    return 0;
}

static int fake_load(void *self, const struct store_reader *reader,
                     struct store_load_report *report, char *why, size_t why_bytes)
{
    (void)self;
    (void)reader;
    (void)report;
    (void)why;
    (void)why_bytes;
    return 0;
}

static int fake_begin(void *self)
{
    int err = command(FAKE_BEGIN);

    (void)self;
    if (!err) {
        is_within = true;
        pending_count = 0;
    }
    return err;
}

static uint32_t number_of(const struct store_item *item)
{
    struct slice user;
    uint64_t n = 0;

    if (item->what == STORE_PUT_FACT || item->what == STORE_DROP_FACT) {
        return 0;
    }
    user = item->reach.pair.local_user; /* contact and reach begin alike */
    return slice_parse_u64(slice_from(user, 1), &n) ? (uint32_t)n : 0;
}

static bool is_poisoned(_Atomic uint32_t *every, uint32_t number)
{
    uint32_t n = atomic_load_explicit(every, memory_order_acquire);

    return n != 0 && number % n == 0;
}

static int fake_apply(void *self, const struct store_item *item)
{
    uint32_t number = number_of(item);
    int err = command(FAKE_APPLY);

    (void)self;
    if (!err && is_poisoned(&fake.poison_apply, number)) {
        err = ERR_STORE_ITEM;
    }
    if (!err) {
        pending[pending_count++ % PENDING_MAX] = number;
    }
    return is_within ? err : ERR_STATE;
}

static void pass_the_gate(void)
{
    const struct timespec nap = {.tv_nsec = 100000};

    (void)atomic_fetch_add_explicit(&fake.waiting, 1, memory_order_acq_rel);
    while (atomic_load_explicit(&fake.is_closed, memory_order_acquire)) {
        (void)nanosleep(&nap, NULL);
    }
    (void)atomic_fetch_sub_explicit(&fake.waiting, 1, memory_order_acq_rel);
}

static int fake_commit(void *self)
{
    uint32_t rows = atomic_load_explicit(&fake.row_count, memory_order_relaxed);
    uint32_t commits = atomic_load_explicit(&fake.commit_count, memory_order_relaxed);
    uint32_t one_in = atomic_load_explicit(&fake.fail_one_in, memory_order_acquire);
    int err;

    (void)self;
    pass_the_gate();
    err = command(FAKE_COMMIT);
    sequence = sequence * 1664525u + 1013904223u;
    if (!err && one_in != 0 && (sequence >> 16) % one_in == 0) {
        (void)atomic_fetch_add_explicit(&fake.failed, 1, memory_order_acq_rel);
        err = ERR_STORE_IO;
    }
    for (uint32_t i = 0; !err && i < pending_count; i++) {
        err = is_poisoned(&fake.poison_commit, pending[i]) ? ERR_STORE_ITEM : 0;
    }
    if (err) {
        return err;
    }
    memcpy(fake.rows + rows, pending, pending_count * sizeof(*pending));
    fake.commits[commits] = pending_count;
    atomic_store_explicit(&fake.row_count, rows + pending_count, memory_order_release);
    atomic_store_explicit(&fake.commit_count, commits + 1, memory_order_release);
    is_within = false;
    return 0;
}

static void fake_rollback(void *self)
{
    (void)self;
    is_within = false;
    pending_count = 0;
    (void)atomic_fetch_add_explicit(&fake.rollbacks, 1, memory_order_acq_rel);
}

static int fake_tidy(void *self, bool is_idle, bool *did)
{
    (void)self;
    (void)is_idle;
    *did = true;
    return command(FAKE_TIDY);
}

static uint64_t fake_bytes(void *self)
{
    (void)self;
    return 4711;
}

static void fake_explain(const char *target, int err, char *text, size_t text_bytes)
{
    (void)snprintf(text, text_bytes, "%s: %s: do something", target, err_name(err));
}

static void fake_close(void *self, bool is_clean)
{
    (void)self;
    atomic_store_explicit(&fake.was_closed_clean, is_clean, memory_order_release);
    atomic_store_explicit(&fake.is_open, 0, memory_order_release);
}

const struct store_backend fake_backend = {
    .name = "fake",
    .open = fake_open,
    .load = fake_load,
    .begin = fake_begin,
    .apply = fake_apply,
    .commit = fake_commit,
    .rollback = fake_rollback,
    .tidy = fake_tidy,
    .bytes = fake_bytes,
    .explain = fake_explain,
    .close = fake_close,
};
