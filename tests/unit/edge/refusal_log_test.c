/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refusal_log: nobody's refusals hide another's, and what is not written is told. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "edge/refusal_log.h"

#define MINUTE_MS 60000u

static struct list held;
static struct refusal_log loud;
static struct refusal_log quiet;
static struct log_ring ring;
static char lines[4096];

static void begin(void)
{
    list_init(&held);
    refusal_log_init(&loud, &held, SLICE_LIT("loud.test"));
    refusal_log_init(&quiet, &held, SLICE_LIT("quiet.test"));
    log_ring_init(&ring, "test");
    log_ring_use(&ring);
}

static void end(void)
{
    log_ring_use(NULL);
    log_ring_deinit(&ring);
}

TestSuite(refusal_log, .init = begin, .fini = end);

static void on_line(const struct log_ring *from, const struct log_line *line, void *ctx)
{
    size_t at = strlen(lines);

    (void)from;
    (void)ctx;
    cr_assert_eq(line->event, LOG_EVENT_stanza_refused);
    (void)snprintf(lines + at, sizeof(lines) - at, "%.*s\n", (int)line->len, line->text);
}

static const char *written(void)
{
    lines[0] = 0;
    (void)log_ring_drain(&ring, on_line, NULL);
    return lines;
}

/* How many of count at that time are written; *told grows by what they tell. */
static unsigned refuse(struct refusal_log *l, enum policy_reason reason, unsigned count,
                       uint64_t now_ms, uint64_t *told)
{
    unsigned passed = 0;

    for (unsigned i = 0; i < count; i++) {
        uint64_t withheld = 0;

        if (refusal_log_take(l, POLICY_TO_LOCAL, reason, now_ms, &withheld)) {
            passed++;
            *told += withheld;
        }
    }
    return passed;
}

Test(refusal_log, each_has_its_own)
{
    uint64_t told = 0;
    uint64_t withheld = 0;

    cr_assert_eq(refuse(&loud, POLICY_NOT_REACHABLE, 20000, 1000, &told), REFUSAL_LINES_BURST);
    cr_assert_eq(refuse(&quiet, POLICY_NOT_REACHABLE, 5, 1000, &told), 5);
    cr_assert_eq(refuse(&loud, POLICY_ACCESS_DENIED, 5, 1000, &told), 5);
    cr_assert(refusal_log_take(&loud, POLICY_TO_PARTNER, POLICY_NOT_REACHABLE, 1000, &withheld));
    cr_assert_eq(withheld, 0);
    cr_assert_eq(told, 0);
    /* However much was withheld, it goes on after that. */
    cr_assert_eq(refuse(&loud, POLICY_NOT_REACHABLE, 100, 2000, &told), REFUSAL_LINES_PER_S);
    cr_assert_eq(told, 20000 - REFUSAL_LINES_BURST);
    cr_assert_str_empty(written());
}

Test(refusal_log, is_told_when_nothing_follows)
{
    uint64_t told = 0;

    (void)refuse(&loud, POLICY_NOT_REACHABLE, REFUSAL_LINES_BURST + 7, MINUTE_MS, &told);
    (void)refuse(&loud, POLICY_ACCESS_DENIED, REFUSAL_LINES_BURST + 8, MINUTE_MS + 1, &told);
    refusal_log_tick(&held, MINUTE_MS + REFUSAL_QUIET_MS - 1);
    cr_assert_str_empty(written());
    refusal_log_tick(&held, MINUTE_MS + REFUSAL_QUIET_MS);
    cr_assert_str_eq(written(), "partner=\"loud.test\" reason=not-reachable dir=in withheld=7\n");
    refusal_log_tick(&held, MINUTE_MS + REFUSAL_QUIET_MS + 1);
    cr_assert_str_eq(written(), "partner=\"loud.test\" reason=access-denied dir=in withheld=8\n");
    cr_assert(list_is_empty(&held));
    cr_assert_eq(told, 0);
}

Test(refusal_log, is_told_at_the_end)
{
    uint64_t told = 0;

    (void)refuse(&loud, POLICY_NOT_REACHABLE, REFUSAL_LINES_BURST + 1, 1000, &told);
    (void)refuse(&quiet, POLICY_NOT_REACHABLE, REFUSAL_LINES_BURST + 2, 1000, &told);
    refusal_log_flush(&loud);
    cr_assert_str_eq(written(), "partner=\"loud.test\" reason=not-reachable dir=in withheld=1\n");
    cr_assert(list_first(&held) == &quiet.held_by);
    refusal_log_flush(&loud);
    cr_assert_str_empty(written());
}

/* Whatever comes when: all of it is written or told. */
Test(refusal_log, nothing_is_lost)
{
    uint64_t now_ms = MINUTE_MS;
    uint64_t told = 0;
    uint64_t refused = 0;
    uint64_t passed = 0;
    unsigned seed = 4711;

    for (int i = 0; i < 2000; i++) {
        unsigned count;

        seed = seed * 1103515245 + 12345;
        count = (seed >> 16) % 50;
        now_ms += (seed >> 8) % 3000;
        refused += count;
        passed += refuse(&loud, POLICY_NOT_REACHABLE, count, now_ms, &told);
        refusal_log_tick(&held, now_ms);
        if (i == 1999) {
            refusal_log_flush(&loud);
        }
        if (written()[0]) {
            told += strtoull(strstr(lines, "withheld=") + strlen("withheld="), NULL, 10);
        }
    }
    cr_assert_eq(passed + told, refused);
}
