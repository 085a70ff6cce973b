/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check: what happens when an assertion fails. */
#include "base/check.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static _Atomic uint64_t failed_count; /* any thread adds, any thread reads, relaxed: a counter */

void check_abort(const char *what, const char *file, int line)
{
    (void)fprintf(stderr, "fedgate: assertion failed: %s (%s:%d)\n", what, file, line);
    abort();
}

void check_count(const char *what, const char *file, int line)
{
    uint64_t before = atomic_fetch_add_explicit(&failed_count, 1, memory_order_relaxed);

    /* The first few name the place; a loop of them must not flood the log. */
    if (before < 16) {
        (void)fprintf(stderr, "fedgate: check failed: %s (%s:%d)\n", what, file, line);
    }
}

uint64_t check_failed_count(void)
{
    return atomic_load_explicit(&failed_count, memory_order_relaxed);
}
