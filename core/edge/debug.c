/* SPDX-License-Identifier: GPL-2.0-or-later */
/* debug: hooks of tests. */
#include "edge/debug.h"

#ifdef FEDGATE_DASSERT

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tls/record.h"

static unsigned long load_ms;

void debug_from_environment(void)
{
    const char *pause = getenv("FEDGATE_TEST_LOAD_MS");
    const char *limits = getenv("FEDGATE_TEST_RECORD_LIMITS");
    char *rest;

    if (pause) {
        load_ms = strtoul(pause, NULL, 10);
        (void)fprintf(stderr, "fedgate: debug build: a load takes %lu ms longer\n", load_ms);
    }
    if (limits) {
        record_limits.gcm_soft = strtoull(limits, &rest, 10);
        record_limits.gcm_hard = strtoull(rest, NULL, 10);
        (void)fprintf(stderr, "fedgate: debug build: a key is for %lu to %lu records\n",
                      record_limits.gcm_soft, record_limits.gcm_hard);
    }
}

void debug_pause_load(void)
{
    struct timespec pause = {.tv_sec = (time_t)(load_ms / 1000),
                             .tv_nsec = (long)(load_ms % 1000) * 1000000L};

    (void)nanosleep(&pause, NULL);
}

bool debug_is_plain_io(void)
{
    bool is_plain = getenv("FEDGATE_TEST_PLAIN_IO") != NULL;

    if (is_plain) {
        (void)fprintf(stderr, "fedgate: debug build: receives as on Linux 6.1\n");
    }
    return is_plain;
}

#else

void debug_from_environment(void)
{
}

void debug_pause_load(void)
{
}

bool debug_is_plain_io(void)
{
    return false;
}

#endif
