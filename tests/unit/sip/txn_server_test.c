/* SPDX-License-Identifier: GPL-2.0-or-later */
/* txn_server: the life of a transaction: answers, 100, timers, ACK and CANCEL (RFC 3261 17.2, 9.2;
 * RFC 4320) on a reliable transport, in virtual time. What belongs to which:
 * txn_server_match_test.c; what goes wrong: txn_server_fault_test.c. */
#include "txn_server_help.h"

TestSuite(txn_server, .init = w_open, .fini = w_close);

static int owner;

Test(txn_server, message_is_answered_once)
{
    struct sip_txn_ref ref = receive_new(MSG("z9hG4bKa"));
    struct sip_msg m;
    struct sip_addr to;

    cr_expect_eq(sip_server_respond(w.txns, ref,
                                    &(struct sip_answer){
                                        .status = 202,
                                        .reason = SLICE_LIT("Taken"),
                                        .fields = SLICE_LIT("Server: x\r\n"),
                                        .content_type = SLICE_LIT("text/plain"),
                                        .body = SLICE_LIT("b"),
                                    },
                                    w.now_ms),
                 0);
    cr_expect_eq(w_take(0, &m), 202);
    EXPECT_SLICE(m.reason, "Taken");
    EXPECT_SLICE(sip_msg_value(&m, SIP_HDR_SERVER), "x");
    EXPECT_SLICE(sip_msg_value(&m, SIP_HDR_VIA),
                 "SIP/2.0/TLS pool.corp.example:5061;branch=z9hG4bKa;received=192.0.2.9");
    EXPECT_SLICE(sip_msg_value(&m, SIP_HDR_CSEQ), "1 MESSAGE");
    EXPECT_SLICE(m.body, "b");
    cr_assert_eq(sip_msg_addr(&m, SIP_HDR_TO, &to), 0);
    cr_expect_eq(to.tag.len, 16);
    cr_expect_eq(respond(ref, 200), ERR_STALE);
    cr_expect_not(sip_server_is_open(w.txns, ref));
    cr_expect_eq(w_take(0, NULL), 0);
    cr_expect_eq(w.flushed, 1);
    w_pass(200000);
    cr_expect_eq(w.ended_count, 0);
    cr_expect_eq(w_take(0, NULL), 0);
}

Test(txn_server, to_tag_is_told_and_kept)
{
    struct sip_txn_ref ref = receive_new(MSG("z9hG4bKa"));
    char tag[32];
    struct sip_msg m;
    struct sip_addr to;

    cr_assert(slice_to_cstr(sip_server_to_tag(w.txns, ref), tag, sizeof(tag)));
    sip_server_trying(w.txns, ref);
    cr_expect_eq(w_take(0, &m), 100);
    cr_expect_eq(respond(ref, 404), 0);
    cr_expect_eq(w_take(0, &m), 404);
    cr_assert_eq(sip_msg_addr(&m, SIP_HDR_TO, &to), 0);
    EXPECT_SLICE(to.tag, tag);
    cr_expect(slice_is_empty(sip_server_to_tag(w.txns, ref)));
}

/* RFC 4320 4.1: 100 not before timer E would reach T2, and then for sure. */
Test(txn_server, trying_for_message_after_3_5_s)
{
    struct req r = MSG("z9hG4bKa");
    struct sip_txn_ref ref;
    struct sip_msg m;

    r.extra = "Timestamp: 7.5\r\n";
    ref = receive_new(r);
    w_pass(SIP_TRYING_MS - 1);
    cr_expect_eq(w_take(0, NULL), 0);
    w_pass(10);
    cr_expect_eq(w_take(0, &m), 100);
    EXPECT_SLICE(m.reason, "Trying");
    EXPECT_SLICE(sip_msg_value(&m, SIP_HDR_TIMESTAMP), "7.5");
    sip_server_trying(w.txns, ref);
    cr_expect_eq(w_take(0, NULL), 0, "once");
    cr_expect_eq(respond(ref, 200), 0);
    cr_expect_eq(w_take(0, &m), 200);
    cr_expect_not(sip_msg_has(&m, SIP_HDR_TIMESTAMP));
}

Test(txn_server, trying_for_invite_after_200_ms)
{
    struct sip_txn_ref ref = receive_new(INV("z9hG4bKa"));

    w_pass(SIP_TRYING_INVITE_MS - 1);
    cr_expect_eq(w_take(0, NULL), 0);
    w_pass(10);
    cr_expect_eq(w_take(0, NULL), 100);
    cr_expect_eq(respond(ref, 200), 0);
    cr_expect_eq(w_take(0, NULL), 200);
    cr_expect_eq(w_stats()->server_now, 0, "2xx ends it (17.2.1)");
}

Test(txn_server, unanswered_message_gets_504)
{
    struct sip_txn_ref ref = receive_new(MSG("z9hG4bKa"));

    sip_server_set_owner(w.txns, ref, &owner);
    w_pass(SIP_ANSWER_MS - 1);
    cr_expect_eq(w_take(0, NULL), 100);
    cr_expect_eq(w.ended_count, 0);
    w_pass(10);
    cr_expect_eq(w_take(0, NULL), 504);
    cr_expect_eq(w.ended_count, 1);
    cr_expect_eq(w.ended_why, SIP_SERVER_END_UNANSWERED);
    cr_expect_eq(w.ended_owner, &owner);
    cr_expect_eq(w.ended_ref.slot, ref.slot);
    cr_expect_eq(respond(ref, 200), ERR_STALE);
    cr_expect_eq(w_take(0, NULL), 0);
}

Test(txn_server, statuses_not_allowed)
{
    struct sip_txn_ref ref = receive_new(MSG("z9hG4bKa"));
    struct sip_txn_ref invite =
        receive_new((struct req){.method = "INVITE", .branch = "z9hG4bKb", .call_id = "other"});

    cr_expect_eq(respond(ref, 100), ERR_STATE);
    cr_expect_eq(respond(ref, 199), ERR_STATE);
    cr_expect_eq(respond(ref, 700), ERR_STATE);
    cr_expect_eq(respond(ref, 408), ERR_STATE);
    cr_expect(sip_server_is_open(w.txns, ref));
    cr_expect_eq(respond(ref, 200), 0);
    cr_expect_eq(respond(invite, 408), 0);
}

Test(txn_server, invite_refused_waits_for_ack)
{
    struct sip_txn_ref ref = receive_new(INV("z9hG4bKa"));

    sip_server_set_owner(w.txns, ref, &owner);
    cr_expect_eq(respond(ref, 488), 0);
    cr_expect_eq(w_take(0, NULL), 488);
    cr_expect_eq(respond(ref, 200), ERR_STALE);
    cr_expect_eq(w_stats()->server_now, 1);
    w_pass(20000);
    cr_expect_eq(w_take(0, NULL), 0, "no repetition on TCP");
    cr_expect_eq(receive(INV("z9hG4bKa")).in, SIP_SERVER_ABSORBED);
    cr_expect_eq(receive((struct req){.method = "ACK", .branch = "z9hG4bKa", .to_tag = "x"}).in,
                 SIP_SERVER_ABSORBED);
    cr_expect_eq(w_stats()->ack_matched, 1);
    cr_expect_eq(w_stats()->server_now, 0);
    w_pass(40000);
    cr_expect_eq(w.ended_count, 0);
    cr_expect_eq(w_take(0, NULL), 0);
}

Test(txn_server, invite_without_ack_ends_by_timer_h)
{
    struct sip_txn_ref ref = receive_new(INV("z9hG4bKa"));

    sip_server_set_owner(w.txns, ref, &owner);
    cr_expect_eq(respond(ref, 486), 0);
    w_pass(SIP_TIMER_H_MS - 1);
    cr_expect_eq(w.ended_count, 0);
    w_pass(10);
    cr_expect_eq(w.ended_count, 1);
    cr_expect_eq(w.ended_why, SIP_SERVER_END_NO_ACK);
    cr_expect_null(w.ended_owner, "the owner was let go with the response");
    cr_expect_eq(w_stats()->server_now, 0);
}

Test(txn_server, invite_unanswered)
{
    (void)receive_new(INV("z9hG4bKa"));
    w_pass(SIP_ANSWER_INVITE_MS + 10);
    cr_expect_eq(w_take(0, NULL), 100);
    cr_expect_eq(w_take(0, NULL), 504);
    cr_expect_eq(w.ended_why, SIP_SERVER_END_UNANSWERED);
    w_pass(SIP_TIMER_H_MS + 10);
    cr_expect_eq(w.ended_why, SIP_SERVER_END_NO_ACK);
    cr_expect_eq(w_stats()->server_now, 0);
}

Test(txn_server, stray_ack_is_ignored)
{
    cr_expect_eq(receive((struct req){.method = "ACK", .branch = "z9hG4bKx"}).in,
                 SIP_SERVER_ABSORBED);
    (void)receive_new(INV("z9hG4bKa"));
    cr_expect_eq(receive((struct req){.method = "ACK", .branch = "z9hG4bKa"}).in,
                 SIP_SERVER_ABSORBED);
    cr_expect_eq(w_stats()->ack_stray, 2);
    cr_expect_eq(w_stats()->server_now, 1, "an ACK before the response ends nothing");
    cr_expect_eq(w_take(0, NULL), 0);
}

Test(txn_server, cancel_of_an_invite)
{
    struct sip_txn_ref ref = receive_new(INV("z9hG4bKa"));
    struct sip_msg m;
    struct sip_addr to;
    char tag[32];

    sip_server_set_owner(w.txns, ref, &owner);
    cr_assert(slice_to_cstr(sip_server_to_tag(w.txns, ref), tag, sizeof(tag)));
    cr_expect_eq(receive((struct req){.method = "CANCEL", .branch = "z9hG4bKa"}).in,
                 SIP_SERVER_ABSORBED);
    cr_expect_eq(w_take(0, &m), 200);
    EXPECT_SLICE(sip_msg_value(&m, SIP_HDR_CSEQ), "1 CANCEL");
    cr_assert_eq(sip_msg_addr(&m, SIP_HDR_TO, &to), 0);
    EXPECT_SLICE(to.tag, tag);
    cr_expect_eq(w_take(0, &m), 487);
    EXPECT_SLICE(sip_msg_value(&m, SIP_HDR_CSEQ), "1 INVITE");
    cr_expect_eq(w.ended_count, 1);
    cr_expect_eq(w.ended_why, SIP_SERVER_END_CANCELLED);
    cr_expect_eq(w.ended_owner, &owner);
    cr_expect_eq(respond(ref, 200), ERR_STALE);
    cr_expect_eq(receive((struct req){.method = "CANCEL", .branch = "z9hG4bKa"}).in,
                 SIP_SERVER_ABSORBED);
    cr_expect_eq(w_take(0, NULL), 200, "again, without effect");
    cr_expect_eq(w_take(0, NULL), 0);
    cr_expect_eq(receive((struct req){.method = "ACK", .branch = "z9hG4bKa"}).in,
                 SIP_SERVER_ABSORBED);
    cr_expect_eq(w_stats()->server_now, 0);
}

Test(txn_server, cancel_of_a_message_has_no_effect)
{
    struct sip_txn_ref ref = receive_new(MSG("z9hG4bKa"));

    cr_expect_eq(receive((struct req){.method = "CANCEL", .branch = "z9hG4bKa"}).in,
                 SIP_SERVER_ABSORBED);
    cr_expect_eq(w_take(0, NULL), 200);
    cr_expect(sip_server_is_open(w.txns, ref));
    cr_expect_eq(respond(ref, 202), 0);
    cr_expect_eq(w_take(0, NULL), 202);
}

Test(txn_server, cancel_of_nothing)
{
    cr_expect_eq(receive((struct req){.method = "CANCEL", .branch = "z9hG4bKa"}).in,
                 SIP_SERVER_ABSORBED);
    cr_expect_eq(w_take(0, NULL), 481);
    cr_expect_eq(w_stats()->cancel_stray, 1);
}
