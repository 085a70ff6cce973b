/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log: rings, loss counting, levels, and quoting of untrusted bytes. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/log.h"

static char last[LOG_TEXT_BYTES];

static void keep(const struct log_ring *ring, const struct log_line *line, void *ctx)
{
    (void)ring;
    memcpy(last, line->text, line->len + 1);
    ++*(uint32_t *)ctx;
}

Test(log, lines_pass_through_and_a_full_ring_counts_its_losses)
{
    static struct log_ring ring;
    uint32_t seen = 0;

    log_ring_init(&ring, "test");
    LOG_I(started, "nobody listens %d", 0);
    log_ring_use(&ring);
    LOG_I(started, "version=%s", "1");
    LOG_D(started, "below the level %d", 1);
    cr_assert_eq(log_ring_drain(&ring, keep, &seen), 1);
    cr_assert_str_eq(last, "version=1");
    for (uint32_t i = 0; i < LOG_RING_LINES + 5; i++) {
        LOG_I(started, "n=%u", i);
    }
    cr_assert_eq(atomic_load_explicit(&ring.lost_count, memory_order_relaxed), 5);
    seen = 0;
    cr_assert_eq(log_ring_drain(&ring, keep, &seen), LOG_RING_LINES);
    cr_assert_eq(seen, LOG_RING_LINES);
    LOG_I(started, "%0600d", 1);
    (void)log_ring_drain(&ring, keep, &seen);
    cr_assert_eq(strlen(last), LOG_TEXT_BYTES - 1, "a long line is cut");
    log_ring_use(NULL);
    log_ring_deinit(&ring);
}

/* SEC-78 of the reference: line feeds, terminal escapes, quotes, a megabyte. */
Test(log, quoting_cannot_be_escaped_from)
{
    static char big[1 << 20];
    struct log_quoted q = log_quote(SLICE_LIT("a\nb\x1b[31m\"\\\xc3\xbc"));

    cr_assert_str_eq(q.text, "\"a\\x0ab\\x1b[31m\\\"\\\\\\xc3\\xbc\"");
    memset(big, '\n', sizeof(big));
    q = log_quote(slice_make(big, sizeof(big)));
    cr_assert_lt(strlen(q.text), LOG_QUOTE_BYTES);
    cr_assert_str_eq(q.text + strlen(q.text) - 4, "...\"");
    cr_assert_null(strchr(q.text, '\n'));
}
