/* SPDX-License-Identifier: GPL-2.0-or-later */
/* txn_client: RFC 3261 17.1.2 on a reliable transport: states x events, one outcome each. */
#include "txn_help.h"

TestSuite(txn_client, .init = w_open, .fini = w_close);

static int owner;

static struct sip_txn_ref start_on(int link, const char *branch)
{
    struct sip_txn_ref ref;

    cr_assert_eq(sip_client_start(w.txns,
                                  &(struct sip_client_params){
                                      .link = &w.link[link],
                                      .method = SIP_METHOD_MESSAGE,
                                      .branch = slice_from_cstr(branch),
                                      .owner = &owner,
                                      .now_ms = w.now_ms,
                                  },
                                  &ref),
                 0);
    return ref;
}

static enum sip_client_in receive(const char *branch, unsigned status, const char *method)
{
    struct sip_msg m;
    struct buf b;
    enum sip_client_in in;

    buf_init(&b, 4096);
    buf_printf(&b,
               "SIP/2.0 %u x\r\nVia: SIP/2.0/TLS edge1.corp.example;branch=%s\r\n"
               "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: c\r\n"
               "CSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
               status, branch, method);
    buf_putc(&b, '\0');
    sip_help_parse(&m, buf_slice(&b).ptr);
    in = sip_client_receive(w.txns, &m);
    buf_deinit(&b);
    return in;
}

static void expect_done(unsigned count, enum sip_outcome outcome, unsigned status)
{
    cr_expect_eq(w.done_count, count);
    cr_expect_eq(w.done.outcome, outcome);
    cr_expect_eq(w.done.status, status);
    cr_expect_eq(w.done_owner, &owner);
    cr_expect_eq(w_stats()->client_now, 0);
}

Test(txn_client, final_response_ends_it)
{
    static const unsigned finals[] = {200, 202, 302, 404, 503, 603};

    for (unsigned i = 0; i < ARRAY_COUNT(finals); i++) {
        (void)start_on(0, "z9hG4bKa");
        cr_expect_eq(receive("z9hG4bKa", finals[i], "MESSAGE"), SIP_CLIENT_DONE);
        expect_done(i + 1, SIP_OUTCOME_FINAL, finals[i]);
        cr_expect_eq(receive("z9hG4bKa", finals[i], "MESSAGE"), SIP_CLIENT_STRAY, "a repetition");
    }
    w_pass(40000);
    cr_expect_eq(w.done_count, ARRAY_COUNT(finals), "no timer is left");
}

Test(txn_client, provisional_changes_nothing)
{
    (void)start_on(0, "z9hG4bKa");
    w_pass(31000);
    cr_expect_eq(receive("z9hG4bKa", 100, "MESSAGE"), SIP_CLIENT_PROVISIONAL);
    cr_expect_eq(receive("z9hG4bKa", 183, "MESSAGE"), SIP_CLIENT_PROVISIONAL);
    w_pass(999);
    cr_expect_eq(w.done_count, 0);
    w_pass(10);
    expect_done(1, SIP_OUTCOME_TIMEOUT, 408); /* timer F runs from the request, 17.1.2.2 */
}

Test(txn_client, timer_f)
{
    (void)start_on(0, "z9hG4bKa");
    w_pass(SIP_TIMER_F_MS - 1);
    cr_expect_eq(w.done_count, 0);
    w_pass(9);
    expect_done(1, SIP_OUTCOME_TIMEOUT, 408);
    cr_expect_null(w.done.response);
    cr_expect_eq(receive("z9hG4bKa", 200, "MESSAGE"), SIP_CLIENT_STRAY, "too late");
    cr_expect_eq(w_stats()->client_timeout, 1);
}

Test(txn_client, own_timeout)
{
    struct sip_txn_ref ref;

    cr_assert_eq(sip_client_start(w.txns,
                                  &(struct sip_client_params){.link = &w.link[0],
                                                              .method = SIP_METHOD_OPTIONS,
                                                              .branch = SLICE_LIT("z9hG4bKo"),
                                                              .owner = &owner,
                                                              .timeout_ms = 5000,
                                                              .now_ms = w.now_ms},
                                  &ref),
                 0);
    w_pass(4999);
    cr_expect_eq(w.done_count, 0);
    w_pass(10);
    expect_done(1, SIP_OUTCOME_TIMEOUT, 408);
    cr_expect_eq(w.done.ref.slot, ref.slot);
    cr_expect_eq(w.done.ref.generation, ref.generation);
}

Test(txn_client, link_down_ends_all_of_that_link)
{
    (void)start_on(0, "z9hG4bKa");
    (void)start_on(0, "z9hG4bKb");
    (void)start_on(1, "z9hG4bKc");
    sip_link_down(&w.link[0], ERR_CLOSED);
    cr_expect_eq(w.done_count, 2);
    cr_expect_eq(w.done.outcome, SIP_OUTCOME_LINK);
    cr_expect_eq(w.done.status, 503);
    cr_expect_eq(w.done.err, ERR_CLOSED);
    sip_link_down(&w.link[0], ERR_CLOSED);
    cr_expect_eq(w.done_count, 2);
    cr_expect_eq(receive("z9hG4bKc", 200, "MESSAGE"), SIP_CLIENT_DONE);
    expect_done(3, SIP_OUTCOME_FINAL, 200);
}

/* The answer may come by another connection than the request went (RFC 3261 18.2.2). */
Test(txn_client, match_needs_branch_and_method)
{
    (void)start_on(0, "z9hG4bKa");
    cr_expect_eq(receive("z9hG4bKb", 200, "MESSAGE"), SIP_CLIENT_STRAY);
    cr_expect_eq(receive("z9hG4bKa", 200, "OPTIONS"), SIP_CLIENT_STRAY);
    cr_expect_eq(receive("z9hG4bKA", 200, "MESSAGE"), SIP_CLIENT_STRAY);
    cr_expect_eq(w.done_count, 0);
    cr_expect_eq(receive("z9hG4bKa", 200, "MESSAGE"), SIP_CLIENT_DONE);
    cr_expect_eq(w_stats()->client_stray, 3);
}

Test(txn_client, malformed_responses_are_stray)
{
    static const char *const texts[] = {
        "SIP/2.0 200 OK\r\nl: 0\r\n\r\n",
        "SIP/2.0 200 OK\r\nVia: x\r\nCSeq: 1 MESSAGE\r\nl: 0\r\n\r\n",
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS a\r\nCSeq: 1 MESSAGE\r\nl: 0\r\n\r\n",
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS a;branch=z9hG4bKa\r\nl: 0\r\n\r\n",
        "SIP/2.0 2000 OK\r\nVia: SIP/2.0/TLS a;branch=z9hG4bKa\r\nCSeq: 1 MESSAGE\r\nl: 0\r\n\r\n",
        SIP_HELP_MESSAGE,
    };

    (void)start_on(0, "z9hG4bKa");
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct sip_msg m;

        sip_help_parse(&m, texts[i]);
        cr_expect_eq(sip_client_receive(w.txns, &m), SIP_CLIENT_STRAY, "%s", texts[i]);
    }
    cr_expect_eq(w.done_count, 0);
}

Test(txn_client, forget)
{
    struct sip_txn_ref ref = start_on(0, "z9hG4bKa");

    sip_client_forget(w.txns, ref);
    sip_client_forget(w.txns, ref);
    sip_client_forget(w.txns, (struct sip_txn_ref){0});
    cr_expect_eq(receive("z9hG4bKa", 200, "MESSAGE"), SIP_CLIENT_STRAY);
    w_pass(40000);
    cr_expect_eq(w.done_count, 0);
}

Test(txn_client, refused_starts)
{
    static const enum sip_method bad[] = {SIP_METHOD_INVITE, SIP_METHOD_ACK, SIP_METHOD_CANCEL};
    struct sip_client_params p = {
        .link = &w.link[0],
        .method = SIP_METHOD_MESSAGE,
        .branch = SLICE_LIT("z9hG4bKa"),
        .owner = &owner,
        .now_ms = w.now_ms,
    };
    struct sip_txn_ref ref;

    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        p.method = bad[i];
        cr_expect_eq(sip_client_start(w.txns, &p, &ref), ERR_UNSUPPORTED);
        cr_expect_eq(ref.generation, 0);
    }
    p.method = SIP_METHOD_MESSAGE;
    cr_expect_eq(sip_client_start(w.txns, &p, &ref), 0);
    cr_expect_eq(sip_client_start(w.txns, &p, &ref), ERR_STATE, "branch in use");
    p.branch = SLICE_LIT("z9hG4bKb");
    pool_fail_nth(1);
    cr_expect_eq(sip_client_start(w.txns, &p, &ref), ERR_NOMEM);
    sip_link_down(&w.link[0], ERR_CLOSED);
    cr_expect_eq(sip_client_start(w.txns, &p, &ref), ERR_CLOSED);
    cr_expect_eq(w.done_count, 1);
}

/* The owner starts the next attempt from inside the outcome of the last one. */
static unsigned restarts;

static void restart(void *who, const struct sip_client_done *done)
{
    struct sip_txn_ref ref;
    struct sip_id branch = sip_ids_branch(&w.ids);
    int err = sip_client_start(w.txns,
                               &(struct sip_client_params){.link = &w.link[1],
                                                           .method = SIP_METHOD_MESSAGE,
                                                           .branch = sip_id_slice(&branch),
                                                           .owner = who,
                                                           .now_ms = w.now_ms},
                               &ref);

    restarts++;
    cr_expect_eq(done->outcome, SIP_OUTCOME_LINK);
    cr_expect_eq(err, w.link[1].is_up ? 0 : ERR_CLOSED);
}

Test(txn_client, owner_may_start_another_inside_the_callback)
{
    static struct sip_txn_ops ops;

    sip_txns_free(w.txns);
    ops = w_ops;
    ops.client_done = restart;
    cr_assert_eq(
        sip_txns_new(&w.txns,
                     &(struct sip_txns_params){.ops = &ops, .wheel = &w.wheel, .ids = &w.ids}),
        0);
    sip_link_init(&w.link[0], w.txns, &w.out[0], SLICE_NONE, 0);
    sip_link_init(&w.link[1], w.txns, &w.out[1], SLICE_NONE, 0);
    for (int i = 0; i < 5; i++) {
        char branch[] = "z9hG4bK0";

        branch[7] = (char)('0' + i);
        (void)start_on(0, branch);
    }
    sip_link_down(&w.link[0], ERR_CLOSED);
    cr_expect_eq(restarts, 5);
    cr_expect_eq(w_stats()->client_now, 5);
    sip_link_down(&w.link[1], ERR_CLOSED);
    cr_expect_eq(restarts, 10);
    cr_expect_eq(w_stats()->client_now, 0);
}

Test(txn_client_limit, table_is_bounded)
{
    struct sip_txn_ref first;
    struct sip_txn_ref ref;
    struct sip_client_params p = {.method = SIP_METHOD_MESSAGE, .owner = &owner};

    w_open_limited(100, 0, 0);
    p.link = &w.link[0];
    p.now_ms = w.now_ms;
    for (int i = 0; i < 101; i++) {
        struct sip_id branch = sip_ids_branch(&w.ids);

        p.branch = sip_id_slice(&branch);
        cr_expect_eq(sip_client_start(w.txns, &p, &ref), i < 100 ? 0 : ERR_FULL);
        first = i == 0 ? ref : first;
    }
    sip_client_forget(w.txns, first);
    p.branch = SLICE_LIT("z9hG4bKx");
    cr_expect_eq(sip_client_start(w.txns, &p, &ref), 0);
    cr_expect_eq(ref.slot, first.slot);
    cr_expect_neq(ref.generation, first.generation);
    sip_client_forget(w.txns, first);
    cr_expect_eq(w_stats()->client_now, 100, "a stale ref ends nothing");
    w_close();
}

/* Many at once, ended at random: outcomes and starts balance. */
Test(txn_client, conservation)
{
    enum { COUNT = 5000 };
    static struct sip_id branches[COUNT];
    uint64_t random = 99;

    for (int i = 0; i < COUNT; i++) {
        branches[i] = sip_ids_branch(&w.ids);
        (void)start_on(i % 2, branches[i].text);
        random = random * 6364136223846793005u + 1442695040888963407u;
        if (random >> 62 == 0) {
            (void)receive(branches[(random >> 20) % (unsigned)(i + 1)].text, 200, "MESSAGE");
        }
        if (i % 10 == 0) {
            w_pass(100);
        }
    }
    sip_link_down(&w.link[0], ERR_CLOSED);
    w_pass(SIP_TIMER_F_MS + 100);
    cr_expect_eq(w_stats()->client_started, COUNT);
    cr_expect_eq(w.done_count, COUNT);
    cr_expect_eq(w_stats()->client_final + w_stats()->client_timeout + w_stats()->client_link,
                 COUNT);
    cr_expect_gt(w_stats()->client_final, 100);
    cr_expect_gt(w_stats()->client_timeout, 100);
    cr_expect_gt(w_stats()->client_link, 10);
}

/* The table grows meanwhile; branches that end alike share a chain. */
Test(txn_client, many_at_once_are_each_found_by_their_branch)
{
    static int owners[2000];
    struct sip_txn_ref ref;
    char branch[64];

    for (unsigned i = 0; i < ARRAY_COUNT(owners); i++) {
        (void)snprintf(branch, sizeof(branch), "z9hG4bK%u%s", i, i % 2 ? "-the-same-end" : "");
        cr_assert_eq(sip_client_start(w.txns,
                                      &(struct sip_client_params){
                                          .link = &w.link[i % 2],
                                          .method = SIP_METHOD_MESSAGE,
                                          .branch = slice_from_cstr(branch),
                                          .owner = &owners[i],
                                          .now_ms = w.now_ms,
                                      },
                                      &ref),
                     0);
    }
    for (unsigned n = 0; n < ARRAY_COUNT(owners); n++) {
        unsigned i = n * 1201 % ARRAY_COUNT(owners); /* every one once, in another order */

        (void)snprintf(branch, sizeof(branch), "z9hG4bK%u%s", i, i % 2 ? "-the-same-end" : "");
        cr_assert_eq(receive(branch, 202, "MESSAGE"), SIP_CLIENT_DONE);
        cr_assert_eq(w.done_owner, &owners[i]);
        cr_assert_eq(receive(branch, 202, "MESSAGE"), SIP_CLIENT_STRAY);
    }
    cr_expect_eq(w_stats()->client_now, 0);
}
