/* SPDX-License-Identifier: GPL-2.0-or-later */
/* txn_server: which transaction a request belongs to (RFC 3261 17.2.3), and requests that come
 * twice (8.2.2.2). */
#include "txn_server_help.h"

TestSuite(txn_server_match, .init = w_open, .fini = w_close);

Test(txn_server_match, repetition_is_absorbed_while_open)
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

Test(txn_server_match, merged_request_is_482_for_32_s)
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

Test(txn_server_match, refused_request_may_come_again)
{
    cr_expect_eq(respond(receive_new(MSG("z9hG4bKa")), 503), 0);
    cr_expect_eq(respond(receive_new(MSG("z9hG4bKb")), 200), 0);
    cr_expect_eq(receive(MSG("z9hG4bKc")).status, 482);
}

Test(txn_server_match, request_in_a_dialog_is_never_merged)
{
    struct req r = MSG("z9hG4bKa");

    r.to_tag = "d";
    cr_expect_eq(respond(receive_new(r), 481), 0);
    r.branch = "z9hG4bKb";
    (void)receive_new(r);
    r.branch = "z9hG4bKc";
    (void)receive_new(r);
}

Test(txn_server_match, same_branch_other_sent_by_or_method)
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
Test(txn_server_match, without_a_cookie)
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

Test(txn_server_match, many_at_once_are_each_found_by_their_key)
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
Test(txn_server_match, long_keys_tell_apart)
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

Test(txn_server_match, decoded_values_are_handed_on)
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
