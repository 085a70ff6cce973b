/* SPDX-License-Identifier: GPL-2.0-or-later */
/* txn_server: RFC 3261 17.2, 9.2, 8.2.2.2 and RFC 4320 on a reliable transport, in virtual time. */
#include "txn_help.h"

TestSuite(txn_server, .init = w_open, .fini = w_close);

static int owner;

struct req {
    const char *method;
    const char *branch; /* NULL = none (RFC 2543) */
    const char *call_id;
    const char *to_tag;
    const char *extra;
    const char *host; /* sent-by, NULL = pool.corp.example */
    unsigned cseq;
    int link;
};

static struct sip_server_result receive(struct req r)
{
    struct sip_server_result result;
    struct sip_msg m;
    struct buf b;

    buf_init(&b, 65536);
    buf_printf(&b,
               "%s sip:bob@corp.example SIP/2.0\r\n"
               "Via: SIP/2.0/TLS %s:5061%s%s\r\n"
               "From: <sip:ann@chat.example>;tag=1\r\nTo: <sip:bob@corp.example>%s%s\r\n"
               "Call-ID: %s\r\nCSeq: %u %s\r\nMax-Forwards: 70\r\n%sContent-Length: 0\r\n\r\n",
               r.method, r.host ? r.host : "pool.corp.example", r.branch ? ";branch=" : "",
               r.branch ? r.branch : "", r.to_tag ? ";tag=" : "", r.to_tag ? r.to_tag : "",
               r.call_id ? r.call_id : "cid", r.cseq ? r.cseq : 1, r.method,
               r.extra ? r.extra : "");
    buf_putc(&b, '\0');
    sip_help_parse(&m, buf_slice(&b).ptr);
    result = sip_server_receive(w.txns, &w.link[r.link], &m, &w.policy, w.now_ms);
    buf_deinit(&b);
    return result;
}

static struct sip_txn_ref receive_new(struct req r)
{
    struct sip_server_result result = receive(r);

    cr_assert_eq(result.in, SIP_SERVER_NEW, "%s %u", result.why, result.status);
    cr_assert(sip_server_is_open(w.txns, result.ref));
    return result.ref;
}

static int respond(struct sip_txn_ref ref, unsigned status)
{
    return sip_server_respond(w.txns, ref, &(struct sip_answer){.status = status}, w.now_ms);
}

#define MSG(b) ((struct req){.method = "MESSAGE", .branch = (b)})
#define INV(b) ((struct req){.method = "INVITE", .branch = (b)})

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

Test(txn_server, repetition_is_absorbed_while_open)
{
    struct sip_txn_ref ref = receive_new(MSG("z9hG4bKa"));
    struct req again = MSG("z9hG4bKa");

    cr_expect_eq(receive(again).in, SIP_SERVER_ABSORBED);
    again.link = 1;
    cr_expect_eq(receive(again).in, SIP_SERVER_ABSORBED);
    cr_expect_eq(w_take(1, NULL), 0);
    cr_expect_eq(respond(ref, 202), 0);
    cr_expect_eq(w_stats()->server_repeated, 2);
}

Test(txn_server, merged_request_is_482_for_32_s)
{
    struct sip_txn_ref ref = receive_new(MSG("z9hG4bKa"));
    struct req other_way = MSG("z9hG4bKb");
    struct sip_server_result result;

    other_way.link = 1;
    result = receive(other_way);
    cr_expect_eq(result.in, SIP_SERVER_REFUSED);
    cr_expect_eq(result.status, 482);
    cr_expect_eq(w_take(1, NULL), 482);
    cr_expect_eq(respond(ref, 202), 0);
    w_pass(SIP_MERGE_MS - 100);
    cr_expect_eq(receive(other_way).status, 482, "also after the first was answered");
    other_way.cseq = 2;
    cr_expect_eq(receive(other_way).in, SIP_SERVER_NEW, "another CSeq is another request");
    w_pass(200);
    other_way = MSG("z9hG4bKc");
    cr_expect_eq(receive(other_way).in, SIP_SERVER_NEW, "forgotten");
    cr_expect_eq(w_stats()->server_merged, 2);
}

Test(txn_server, refused_request_may_come_again)
{
    cr_expect_eq(respond(receive_new(MSG("z9hG4bKa")), 503), 0);
    cr_expect_eq(respond(receive_new(MSG("z9hG4bKb")), 200), 0);
    cr_expect_eq(receive(MSG("z9hG4bKc")).status, 482);
}

Test(txn_server, request_in_a_dialog_is_never_merged)
{
    struct req r = MSG("z9hG4bKa");

    r.to_tag = "d";
    cr_expect_eq(respond(receive_new(r), 481), 0);
    r.branch = "z9hG4bKb";
    (void)receive_new(r);
    r.branch = "z9hG4bKc";
    (void)receive_new(r);
}

Test(txn_server, same_branch_other_sent_by_or_method)
{
    struct sip_txn_ref ref = receive_new(MSG("z9hG4bKa"));
    struct sip_server_result result;
    struct req other = MSG("z9hG4bKa");

    other.host = "other.corp.example";
    other.call_id = "other";
    cr_expect_eq(respond(receive_new(other), 200), 0);
    cr_expect_eq(w_take(0, NULL), 200);
    result = receive((struct req){.method = "OPTIONS", .branch = "z9hG4bKa", .call_id = "o"});
    cr_expect_eq(result.status, 400);
    cr_expect_eq(w_take(0, NULL), 400);
    cr_expect_eq(respond(ref, 200), 0);
    cr_expect_eq(w_take(0, NULL), 200);
}

/* RFC 2543 peers: no branch, or the cookie and nothing behind it. */
Test(txn_server, without_a_cookie)
{
    static const char *const branches[] = {NULL, "old", "z9hG4bK"};

    for (unsigned i = 0; i < ARRAY_COUNT(branches); i++) {
        struct req r = {.method = "INVITE", .branch = branches[i], .cseq = 10 + i};
        struct sip_txn_ref ref = receive_new(r);

        cr_expect_eq(receive(r).in, SIP_SERVER_ABSORBED);
        cr_expect_eq(respond(ref, 488), 0);
        r.method = "ACK";
        r.to_tag = "gained";
        cr_expect_eq(receive(r).in, SIP_SERVER_ABSORBED);
        cr_expect_eq(w_stats()->ack_matched, i + 1);
        cr_expect_eq(w_stats()->server_now, 0);
        buf_clear(&w.out[0]);
        r = (struct req){.method = "MESSAGE", .branch = branches[i], .cseq = 20 + i};
        ref = receive_new(r);
        r.cseq = 30 + i;
        cr_expect_eq(respond(receive_new(r), 200), 0);
        cr_expect_eq(respond(ref, 200), 0);
        buf_clear(&w.out[0]);
    }
}

Test(txn_server, checks_are_answered_without_state)
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

Test(txn_server, stateless_to_tags_are_equal_for_a_repetition)
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

Test(txn_server, malformed_ack_is_dropped)
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

Test(txn_server, answer_bad)
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

Test(txn_server, link_down_before_the_response)
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

Test(txn_server, link_down_then_patience_ends)
{
    (void)receive_new(MSG("z9hG4bKa"));
    sip_link_down(&w.link[0], ERR_CLOSED);
    w_pass(SIP_ANSWER_MS + 10);
    cr_expect_eq(w.ended_count, 1);
    cr_expect_eq(w_stats()->server_now, 0);
    cr_expect_eq(w_stats()->trying_sent, 0);
}

Test(txn_server, blocked_output_counts_as_gone)
{
    struct sip_txn_ref ref = receive_new(MSG("z9hG4bKa"));

    w.out_blocked = true;
    w_pass(SIP_TRYING_MS + 10);
    cr_expect_eq(w_stats()->trying_sent, 0);
    cr_expect_eq(receive((struct req){.method = "FOO", .branch = "z9hG4bKb"}).status, 501);
    cr_expect_eq(respond(ref, 202), ERR_CLOSED);
}

/* A buffer at its bound never holds half a message. */
Test(txn_server, full_output)
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

Test(txn_server, no_memory_is_503)
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

Test(txn_server, refs_that_name_nothing)
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
Test(txn_server, conservation)
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

Test(txn_server, many_at_once_are_each_found_by_their_key)
{
    static struct sip_txn_ref refs[1500];
    char branch[32];
    char call_id[32];

    for (unsigned n = 0; n < 2 * ARRAY_COUNT(refs); n++) {
        unsigned i = n % ARRAY_COUNT(refs);
        struct req r = {.method = "MESSAGE", .branch = branch, .call_id = call_id};

        (void)snprintf(branch, sizeof(branch), "z9hG4bK%u", i);
        (void)snprintf(call_id, sizeof(call_id), "c%u", i);
        if (n < ARRAY_COUNT(refs)) {
            refs[i] = receive_new(r);
        } else {
            cr_assert_eq(receive(r).in, SIP_SERVER_ABSORBED, "all are open: a repetition");
        }
    }
    for (unsigned n = 0; n < ARRAY_COUNT(refs); n++) {
        unsigned i = n * 1201 % ARRAY_COUNT(refs);

        cr_assert_eq(respond(refs[i], 202), 0);
        cr_assert_eq(w_take(0, NULL), 202);
        cr_assert_not(sip_server_is_open(w.txns, refs[i]));
    }
    cr_expect_eq(w_stats()->server_now, 0);
}

/* Parts that are hashed one by one because they are long: every byte of them counts. */
Test(txn_server, long_keys_tell_apart)
{
    char branch[900] = "z9hG4bK";
    char call_id[900];
    struct req r = {.method = "MESSAGE", .branch = branch, .call_id = call_id};

    memset(branch + 7, 'b', sizeof(branch) - 8);
    branch[sizeof(branch) - 1] = '\0';
    memset(call_id, 'c', sizeof(call_id) - 1);
    call_id[sizeof(call_id) - 1] = '\0';
    (void)receive_new(r);
    cr_expect_eq(receive(r).in, SIP_SERVER_ABSORBED);
    branch[sizeof(branch) - 2] = 'x';
    cr_expect_eq(receive(r).status, 482, "another transaction, the same request");
    call_id[0] = 'x';
    (void)receive_new(r);
}

Test(txn_server, decoded_values_are_handed_on)
{
    struct sip_server_result result;
    struct sip_msg m;

    sip_help_parse(&m, "MESSAGE sip:bob@corp.example;gr=x SIP/2.0\r\n"
                       "Via: SIP/2.0/TLS h.example:5061;branch=z9hG4bKk, SIP/2.0/TCP i.example\r\n"
                       "From: \"A\" <sip:ann@chat.example>;tag=ft\r\nTo: <sip:b@c.example>\r\n"
                       "Call-ID: cid\r\nCSeq: 9 MESSAGE\r\nContent-Length: 0\r\n\r\n");
    result = sip_server_receive(w.txns, &w.link[0], &m, &w.policy, w.now_ms);
    cr_assert_eq(result.in, SIP_SERVER_NEW);
    EXPECT_SLICE(result.keys->uri.text, "sip:bob@corp.example;gr=x");
    EXPECT_SLICE(result.keys->via.sent_by.text, "h.example");
    EXPECT_SLICE(result.keys->from.uri.user, "ann");
    EXPECT_SLICE(result.keys->from.tag, "ft");
    EXPECT_SLICE(result.keys->to.uri.host.text, "c.example");
    EXPECT_SLICE(result.keys->call_id, "cid");
    cr_expect_eq(result.keys->cseq.number, 9);
    cr_expect_eq(result.keys->via_count, 2);
    result = sip_server_receive(w.txns, &w.link[0], &m, &w.policy, w.now_ms);
    cr_expect_eq(result.in, SIP_SERVER_ABSORBED);
    cr_expect_null(result.keys);
}
