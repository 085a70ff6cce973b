/* SPDX-License-Identifier: GPL-2.0-or-later */
/* txn_server: defective requests, lost connections, full output, limits, stale refs; and that every
 * request is counted once. */
#include "txn_server_help.h"

TestSuite(txn_server_fault, .init = w_open, .fini = w_close);

static int owner;

Test(txn_server_fault, checks_are_answered_without_state)
{
    struct req r = {.method = "FOO", .branch = "z9hG4bKa"};
    struct sip_server_result result = receive(r);
    struct sip_msg m;

    cr_expect_eq(result.in, SIP_SERVER_REFUSED);
    cr_expect_eq(result.status, 501);
    cr_expect_eq(w_take(0, &m), 501);
    cr_expect(sip_msg_has(&m, SIP_HDR_ALLOW));
    cr_expect_eq(w_stats()->server_now, 0);
    cr_expect_eq(w_stats()->merge_now, 0);
    r.method = "BYE";
    cr_expect_eq(receive(r).status, 405);
    cr_expect_eq(w_take(0, NULL), 405);
}

Test(txn_server_fault, stateless_to_tags_are_equal_for_a_repetition)
{
    struct req r = {.method = "FOO", .branch = "z9hG4bKa"};
    struct sip_msg m;
    struct sip_addr to;
    char tag[32];

    (void)receive(r);
    (void)w_take(0, &m);
    cr_assert_eq(sip_msg_addr(&m, SIP_HDR_TO, &to), 0);
    cr_assert(slice_to_cstr(to.tag, tag, sizeof(tag)));
    (void)receive(r);
    (void)w_take(0, &m);
    cr_assert_eq(sip_msg_addr(&m, SIP_HDR_TO, &to), 0);
    EXPECT_SLICE(to.tag, tag);
}

Test(txn_server_fault, malformed_ack_is_dropped)
{
    struct sip_msg m;
    struct sip_server_result result;

    sip_help_parse(&m, "ACK  sip:a SIP/2.0\r\nVia: SIP/2.0/TLS a\r\nl: 0\r\n\r\n");
    result = sip_server_receive(w.txns, &w.link[0], &m, &w.policy, w.now_ms);
    cr_expect_eq(result.in, SIP_SERVER_DROPPED);
    sip_help_parse(&m, "SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS a\r\nl: 0\r\n\r\n");
    result = sip_server_receive(w.txns, &w.link[0], &m, &w.policy, w.now_ms);
    cr_expect_eq(result.in, SIP_SERVER_DROPPED);
    cr_expect_eq(w_take(0, NULL), 0);
    cr_expect_eq(w_stats()->server_dropped, 2);
}

Test(txn_server_fault, answer_bad)
{
    struct sip_bad bad;
    struct sip_msg m;

    cr_assert_neq(sip_msg_parse(&m,
                                SLICE_LIT("OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TLS a\r\n"
                                          "l: x\r\n\r\n"),
                                &bad),
                  0);
    sip_server_answer_bad(w.txns, &w.link[0], &m, &bad);
    cr_expect_eq(w_take(0, NULL), 400);
    bad.status = 0;
    sip_server_answer_bad(w.txns, &w.link[0], &m, &bad);
    cr_expect_eq(w_take(0, NULL), 0);
}

Test(txn_server_fault, link_down_before_the_response)
{
    struct sip_txn_ref a = receive_new(MSG("z9hG4bKa"));
    struct sip_txn_ref b =
        receive_new((struct req){.method = "MESSAGE", .branch = "z9hG4bKb", .call_id = "b"});

    cr_expect(sip_server_has_link(w.txns, a));
    sip_link_down(&w.link[0], ERR_CLOSED);
    cr_expect_not(sip_server_has_link(w.txns, a));
    cr_expect(sip_server_is_open(w.txns, a));
    cr_expect_eq(respond(a, 202), ERR_CLOSED);
    cr_expect_not(sip_server_is_open(w.txns, a));
    /* RFC 3261 18.2.2: another connection to the same peer. */
    cr_expect_eq(sip_server_set_link(w.txns, b, &w.link[0]), ERR_CLOSED);
    cr_expect_eq(sip_server_set_link(w.txns, b, &w.link[1]), 0);
    cr_expect_eq(respond(b, 202), 0);
    cr_expect_eq(w_take(1, NULL), 202);
    cr_expect_eq(sip_server_set_link(w.txns, b, &w.link[1]), ERR_STALE);
    cr_expect_eq(receive(MSG("z9hG4bKc")).in, SIP_SERVER_DROPPED);
    cr_expect_eq(w_stats()->server_link_lost, 1);
}

Test(txn_server_fault, link_down_then_patience_ends)
{
    (void)receive_new(MSG("z9hG4bKa"));
    sip_link_down(&w.link[0], ERR_CLOSED);
    w_pass(SIP_ANSWER_MS + 10);
    cr_expect_eq(w.ended_count, 1);
    cr_expect_eq(w_stats()->server_now, 0);
    cr_expect_eq(w_stats()->trying_sent, 0);
}

Test(txn_server_fault, blocked_output_counts_as_gone)
{
    struct sip_txn_ref ref = receive_new(MSG("z9hG4bKa"));

    w.out_blocked = true;
    w_pass(SIP_TRYING_MS + 10);
    cr_expect_eq(w_stats()->trying_sent, 0);
    cr_expect_eq(receive((struct req){.method = "FOO", .branch = "z9hG4bKb"}).status, 501);
    cr_expect_eq(respond(ref, 202), ERR_CLOSED);
}

/* A buffer at its bound never holds half a message. */
Test(txn_server_fault, full_output)
{
    struct sip_txn_ref ref = receive_new(MSG("z9hG4bKa"));

    w.out[0].bytes_max = 100;
    buf_put_lit(&w.out[0], "x");
    sip_server_trying(w.txns, ref);
    cr_expect(w.out[0].failed);
    cr_expect_eq(buf_len(&w.out[0]), 1);
    w.out[0].failed = false;
    cr_expect_eq(receive((struct req){.method = "FOO", .branch = "z9hG4bKb"}).status, 501);
    cr_expect_eq(buf_len(&w.out[0]), 1);
    w.out[0].failed = false;
    cr_expect_eq(respond(ref, 202), ERR_LIMIT);
    cr_expect_eq(buf_len(&w.out[0]), 1);
    cr_expect(w.out[0].failed);
    cr_expect_not(sip_server_is_open(w.txns, ref));
    cr_expect_eq(w.flushed, 0);
}

Test(txn_server_limit, overload_is_503_with_retry_after)
{
    struct sip_txn_ref refs[3];
    struct sip_msg m;
    uint32_t retry;

    w_open_limited(0, 3, 0);
    for (unsigned i = 0; i < 3; i++) {
        char branch[] = "z9hG4bK0";

        branch[7] = (char)('0' + i);
        refs[i] = receive_new((struct req){.method = "MESSAGE", .branch = branch, .cseq = i + 1});
    }
    cr_expect_eq(receive((struct req){.method = "MESSAGE", .branch = "z9hG4bK9", .cseq = 9}).status,
                 503);
    cr_expect_eq(w_take(0, &m), 503);
    cr_expect_eq(sip_msg_u32(&m, SIP_HDR_RETRY_AFTER, &retry), 0);
    cr_expect_eq(retry, SIP_OVERLOAD_RETRY_S);
    cr_expect_eq(respond(refs[1], 200), 0);
    (void)receive_new((struct req){.method = "MESSAGE", .branch = "z9hG4bK9", .cseq = 9});
    cr_expect_eq(w_stats()->server_overload, 1);
    w_close();
}

Test(txn_server_fault, no_memory_is_503)
{
    (void)receive_new((struct req){.method = "MESSAGE", .branch = "z9hG4bKb", .call_id = "b"});
    buf_clear(&w.out[0]);
    buf_put_lit(&w.out[0], "SIP/2.0 299 x\r\nl: 0\r\n\r\n"); /* so that its block is there */
    pool_fail_nth(2); /* the first is the test's own text, the second the transaction */
    struct sip_server_result result = receive(MSG("z9hG4bKa"));

    cr_expect_eq(result.status, 503, "%d %s", result.in, result.why);
    cr_expect_eq(w_take(0, NULL), 299);
    cr_expect_eq(w_take(0, NULL), 503);
    (void)receive_new(MSG("z9hG4bKa"));
}

Test(txn_server_fault, refs_that_name_nothing)
{
    const struct sip_txn_ref none = {0};
    const struct sip_txn_ref wild = {.slot = 4000000, .generation = 1};

    cr_expect_eq(respond(none, 200), ERR_STALE);
    cr_expect_eq(respond(wild, 200), ERR_STALE);
    cr_expect_not(sip_server_is_open(w.txns, none));
    cr_expect_not(sip_server_has_link(w.txns, wild));
    sip_server_trying(w.txns, wild);
    sip_server_set_owner(w.txns, none, &owner);
    sip_txns_free(NULL);
}

/* Random requests, answers, cancels, closes: every new transaction ends in exactly one way. */
Test(txn_server_fault, conservation)
{
    enum { COUNT = 4000 };
    static struct sip_txn_ref refs[COUNT];
    static bool is_open[COUNT];
    uint64_t random = 5;
    unsigned opened = 0;
    unsigned closed = 0;

    for (unsigned i = 0; i < COUNT; i++) {
        char branch[32];
        unsigned pick;

        random = random * 6364136223846793005u + 1442695040888963407u;
        pick = (unsigned)(random >> 40) % (i + 1);
        (void)snprintf(branch, sizeof(branch), "z9hG4bK%u", i);
        refs[i] = receive_new((struct req){.method = random >> 63 ? "MESSAGE" : "INVITE",
                                           .branch = branch,
                                           .cseq = i + 1,
                                           .link = (int)(i % 2)});
        is_open[i] = true;
        opened++;
        if (is_open[pick] && sip_server_is_open(w.txns, refs[pick])) {
            cr_assert_eq(respond(refs[pick], random >> 62 & 1 ? 200 : 404), 0);
            is_open[pick] = false;
            closed++;
        }
        (void)snprintf(branch, sizeof(branch), "z9hG4bK%u", (unsigned)(random >> 20) % (i + 1));
        (void)receive((struct req){.method = i % 3 ? "ACK" : "CANCEL", .branch = branch});
        w_pass(16);
        buf_clear(&w.out[0]);
        buf_clear(&w.out[1]);
    }
    w_pass(SIP_ANSWER_INVITE_MS + SIP_TIMER_H_MS + 100);
    cr_expect_eq(w_stats()->server_new, opened);
    cr_expect_eq(w_stats()->server_answered, opened);
    cr_expect_eq(w_stats()->server_now, 0);
    cr_expect_gt(closed, 100);
    cr_expect_gt(w_stats()->server_unanswered, 100);
    cr_expect_gt(w_stats()->cancel_matched, 10);
    cr_expect_gt(w_stats()->ack_matched, 10);
}
