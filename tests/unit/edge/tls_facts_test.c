/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Warnings of lists: when, how often, of which. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/log.h"
#include "edge/tls_facts.h"
#include "tls/revocation.h"

#define DAY_S 86400

static uint32_t warned_count;

static void sink(const struct log_ring *ring, const struct log_line *line, void *ctx)
{
    (void)ring;
    (void)ctx;
    cr_expect_eq(line->event, LOG_EVENT_crl_expires);
    cr_expect(strstr(line->text, "crl-ca.crl") != NULL, "%s", line->text);
    warned_count++;
}

static uint32_t warnings(struct log_ring *ring)
{
    warned_count = 0;
    (void)log_ring_drain(ring, sink, NULL);
    return warned_count;
}

static struct tls_context *context_of(const char *crl_path)
{
    struct tls_context_params params = {.trust_path = TLS_CERTS "/ca.leaf.crt",
                                        .crl_path = crl_path};
    struct tls_context *ctx;
    struct tls_error why;
    int err = tls_context_new(&ctx, tls_backend_find("wolfssl"), &params, &why);
    cr_assert_eq(err, 0, "%s", why.text);
    return ctx;
}

/* A list runs out while the daemon runs: nothing up to a day before, then each day. */
Test(edge_tls_facts, lists_that_run_out_are_named_each_day)
{
    struct log_ring ring;
    struct tls_context *ctx = context_of(TLS_CERTS "/crl-ca.crl");
    int64_t end = tls_context_crl_next_update_unix_s(ctx);
    log_ring_init(&ring, "control");
    log_ring_use(&ring);
    int64_t next = tls_facts_warn_of_lists(ctx, end - 20 * DAY_S);
    cr_expect_eq(warnings(&ring), 0);
    cr_expect_eq(next, end - DAY_S + 1);
    for (int day = 0; day < 3; day++) {
        int64_t now = next;
        next = tls_facts_warn_of_lists(ctx, now);
        cr_expect_eq(warnings(&ring), 1, "day %d", day);
        cr_expect_eq(next, now + DAY_S);
    }
    log_ring_use(NULL);
    log_ring_deinit(&ring);
    tls_context_unref(ctx);
}

Test(edge_tls_facts, without_lists_there_is_nothing_to_say)
{
    struct tls_context *ctx = context_of(NULL);
    cr_expect_eq(tls_facts_warn_of_lists(ctx, 0), INT64_MAX);
    cr_expect_eq(tls_facts_warn_of_lists(NULL, 0), INT64_MAX);
    tls_context_unref(ctx);
}
