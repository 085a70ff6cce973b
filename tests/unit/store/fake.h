/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake: a database in memory that fails on command. One at a time per process. It keeps what was
 * committed, in order; what fails leaves no trace. Commands may come from any thread. */
#ifndef FG_TEST_STORE_FAKE_H
#define FG_TEST_STORE_FAKE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/backend.h"

#define FAKE_ROWS_MAX    400000u
#define FAKE_COMMITS_MAX 100000u

enum fake_call { FAKE_BEGIN, FAKE_APPLY, FAKE_COMMIT, FAKE_TIDY, FAKE_CALLS };

struct fake {
    /* Commands. The next fail_count[call] calls return fail_err[call]. */
    _Atomic int fail_err[FAKE_CALLS];
    _Atomic uint32_t fail_count[FAKE_CALLS];
    _Atomic uint32_t failed; /* how many did */
    /* Rows whose number (the digits of the local user) is a multiple of it are refused: by apply,
     * or by commit, which does not say which one it was. 0 = none. */
    _Atomic uint32_t poison_apply;
    _Atomic uint32_t poison_commit;
    _Atomic uint32_t fail_one_in; /* commits, by a fixed sequence; 0 = none */
    /* Commit waits while closed. */
    _Atomic uint32_t is_closed;
    _Atomic uint32_t waiting; /* commits at the gate */
    /* What was committed. Written by the store's thread; counts published last. */
    uint32_t rows[FAKE_ROWS_MAX]; /* numbers */
    uint32_t commits[FAKE_COMMITS_MAX]; /* rows of each */
    _Atomic uint32_t row_count;
    _Atomic uint32_t commit_count;
    _Atomic uint32_t rollbacks;
    _Atomic uint32_t is_open;
    _Atomic uint32_t was_closed_clean;
};
extern struct fake fake;
extern const struct store_backend fake_backend;

void fake_reset(void);
void fake_fail(enum fake_call call, int err, uint32_t count);
/* How often the row with this number was committed. */
uint32_t fake_committed(uint32_t number);

#endif
