/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_out_pairs: the initiating side's pairs: refused ones, several on a stream, streams that
 * only verify. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/err.h"
#include "stream_out.h"

SCRIPT(stream_out, dialback_answers_refuse_the_pair_only)
{
    const struct {
        const char *answer;
        enum dialback_verdict verdict;
        enum stanza_condition condition;
    } cases[] = {
        {"<db:result from='their.example' to='ours.example' type='invalid'/>", DIALBACK_INVALID,
         STANZA_CONDITION_NONE},
        {"<db:result from='their.example' to='ours.example' type='error'><error type='cancel'>"
         "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:result>",
         DIALBACK_ERROR, STANZA_CONDITION_ITEM_NOT_FOUND},
        {"<db:result from='their.example' to='ours.example' type='error'/>", DIALBACK_ERROR,
         STANZA_CONDITION_UNDEFINED_CONDITION},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig r;
        const struct rig_event *e;

        start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN);
        rig_feed(&r, THEIR_ANSWER FEATURES(DIALBACK));
        rig_feed(&r, cases[i].answer);
        e = EXPECT(&r, PAIR_REFUSED);
        cr_assert_str_eq(e->local, "ours.example");
        cr_assert_eq(e->verdict, cases[i].verdict);
        cr_assert_eq(e->condition, cases[i].condition);
        cr_assert_not(stream_is_open(r.s));
        EXPECT(&r, MORE);
        rig_free(&r);
    }
}

SCRIPT(stream_out, dialback_without_an_answer_ends_in_time)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN);
    rig_feed(&r, THEIR_ANSWER FEATURES(DIALBACK));
    rig_wait(&r, r.limits.dialback_ms - 1);
    EXPECT(&r, MORE);
    rig_wait(&r, 1);
    cr_assert(EXPECT(&r, PAIR_REFUSED)->failure.is_timeout);
    /* Too late. */
    rig_feed(&r, VALID);
    EXPECT(&r, NOTE);
    rig_wait(&r, r.limits.establish_ms);
    EXPECT_FAILED(&r, DIALBACK, CONNECTION_TIMEOUT);
    rig_free(&r);
}

SCRIPT(stream_out, several_pairs_share_a_stream_when_allowed)
{
    struct rig r;
    struct slice ours = SLICE_LIT("ours.example");
    struct slice second = SLICE_LIT("second.example");
    struct slice their = SLICE_LIT("their.example");
    struct slice rooms = SLICE_LIT("rooms.their.example");

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN);
    r.locals[1] = "second.example";
    cr_assert_eq(stream_add_pair(r.s, r.now_ms, second, their), ERR_STATE);
    r.rules.multiplex = true;
    cr_assert_eq(stream_add_pair(r.s, r.now_ms, second, their), ERR_STATE);
    ready_by_dialback(&r, FEATURES(DIALBACK));
    r.rules.multiplex = false;
    cr_assert_eq(stream_add_pair(r.s, r.now_ms, second, their), ERR_STATE);
    r.rules.multiplex = true;
    cr_assert_eq(stream_add_pair(r.s, r.now_ms, second, their), 0);
    EXPECT_OUT(&r, "<db:result from=\"second.example\" to=\"their.example\">");
    cr_assert_eq(stream_add_pair(r.s, r.now_ms, ours, rooms), 0);
    EXPECT_OUT(&r, "<db:result from=\"ours.example\" to=\"rooms.their.example\">");
    rig_feed(&r, "<db:result from='rooms.their.example' to='ours.example' type='error'/>"
                 "<db:result from='their.example' to='second.example' type='valid'/>");
    cr_assert_str_eq(EXPECT(&r, PAIR_REFUSED)->remote, "rooms.their.example");
    cr_assert_str_eq(EXPECT(&r, READY)->local, "second.example");
    cr_assert(stream_pair_is_ready(r.s, second, their));
    cr_assert_not(stream_pair_is_ready(r.s, ours, rooms));
    cr_assert_eq(stream_pair_count(r.s), 2);
    rig_free(&r);
}

SCRIPT(stream_out, a_target_on_an_external_stream_must_be_in_the_certificate)
{
    struct slice ours = SLICE_LIT("ours.example");
    struct slice rooms = SLICE_LIT("rooms.their.example");
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL | STREAM_METHOD_CERTIFICATE);
    r.rules.multiplex = true;
    ready_by_external(&r, FEATURES(DIALBACK));
    cr_assert_eq(stream_add_pair(r.s, r.now_ms, ours, rooms), ERR_STATE);
    r.certificates[1] = "rooms.their.example";
    cr_assert_eq(stream_add_pair(r.s, r.now_ms, ours, rooms), 0);
    EXPECT_OUT(&r, "<db:result from=\"ours.example\" to=\"rooms.their.example\">");
    r.rules.methods = STREAM_METHOD_EXTERNAL;
    cr_assert_eq(stream_add_pair(r.s, r.now_ms, SLICE_LIT("second.example"), rooms), ERR_STATE);
    rig_free(&r);
}

SCRIPT(stream_out, target_multiplexing_needs_dialback_errors)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN);
    r.rules.multiplex = true;
    ready_by_dialback(&r, FEATURES("<dialback xmlns='urn:xmpp:features:dialback'/>"));
    cr_assert_eq(
        stream_add_pair(r.s, r.now_ms, SLICE_LIT("ours.example"), SLICE_LIT("rooms.their.example")),
        ERR_STATE);
    rig_free(&r);
}

SCRIPT(stream_out, pairs_are_limited)
{
    struct rig r;

    rig_init(&r, STREAM_METHOD_DIALBACK_PLAIN);
    r.is_bytewise = is_bytewise;
    r.limits.pairs_max = 2;
    r.rules.multiplex = true;
    r.locals[1] = "b.example";
    r.locals[2] = "c.example";
    rig_start_out(&r, "ours.example", "their.example");
    ready_by_dialback(&r, FEATURES(DIALBACK));
    cr_assert_eq(stream_add_pair(r.s, r.now_ms, SLICE_LIT("b.example"), SLICE_LIT("their.example")),
                 0);
    cr_assert_eq(stream_add_pair(r.s, r.now_ms, SLICE_LIT("c.example"), SLICE_LIT("their.example")),
                 ERR_LIMIT);
    rig_free(&r);
}

SCRIPT(stream_out, verify_only_streams_ask_without_authentication)
{
    struct rig r;
    struct stream_verify v = request("in1");
    const struct rig_event *e;

    start_with(&r, is_bytewise, STREAM_METHOD_EXTERNAL | STREAM_METHOD_DIALBACK_TLS,
               (struct stream_params){.is_verify_only = true});
    cr_assert_eq(stream_send_verify(r.s, r.now_ms, &v), 0);
    cr_assert_eq(stream_send_verify(r.s, r.now_ms, &v), ERR_STATE, "the same twice");
    cr_assert_null(strstr(rig_out(&r), "verify"));
    secure(&r);
    rig_feed(&r, THEIR_ANSWER FEATURES(EXTERNAL DIALBACK));
    EXPECT_OUT(&r, "<db:verify from=\"ours.example\" to=\"their.example\" id=\"in1\">the&lt;key<");
    cr_assert(stream_is_open(r.s));
    v = request("in2");
    cr_assert_eq(stream_send_verify(r.s, r.now_ms, &v), 0);
    EXPECT_OUT(&r, "<db:verify", "id=\"in2\"");
    rig_feed(&r, "<db:verify from='their.example' to='ours.example' id='in2' type='invalid'/>"
                 "<db:verify from='their.example' to='ours.example' id='in1' type='valid'/>");
    e = EXPECT(&r, VERIFY_ANSWER);
    cr_assert_str_eq(e->id, "in2");
    cr_assert_eq(e->verdict, DIALBACK_INVALID);
    e = EXPECT(&r, VERIFY_ANSWER);
    cr_assert_str_eq(e->id, "in1");
    cr_assert_eq(e->verdict, DIALBACK_VALID);
    rig_free(&r);
}

SCRIPT(stream_out, verify_flows_before_the_stream_is_authenticated)
{
    struct rig r;
    struct stream_verify v = request("in1");

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN);
    cr_assert_eq(stream_send_verify(r.s, r.now_ms, &v), 0);
    rig_feed(&r, THEIR_ANSWER FEATURES(DIALBACK));
    EXPECT_OUT(&r, OUR_RESULT, "<db:verify", "id=\"in1\"");
    rig_feed(&r, "<db:verify from='their.example' to='ours.example' id='in1' type='error'>"
                 "<error><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
                 "</db:verify>");
    cr_assert_eq(EXPECT(&r, VERIFY_ANSWER)->condition, STANZA_CONDITION_ITEM_NOT_FOUND);
    rig_feed(&r, VALID);
    EXPECT(&r, READY);
    rig_free(&r);
}

SCRIPT(stream_out, verify_without_an_answer_ends_in_time)
{
    struct rig r;
    struct stream_verify v = request("in1");
    const struct rig_event *e;

    start_with(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN,
               (struct stream_params){.is_verify_only = true});
    cr_assert_eq(stream_send_verify(r.s, r.now_ms, &v), 0);
    rig_feed(&r, THEIR_ANSWER FEATURES(DIALBACK));
    rig_wait(&r, r.limits.dialback_ms);
    e = EXPECT(&r, VERIFY_ANSWER);
    cr_assert_eq(e->verdict, DIALBACK_ERROR);
    cr_assert_eq(e->condition, STANZA_CONDITION_REMOTE_SERVER_TIMEOUT);
    cr_assert_str_eq(e->id, "in1");
    rig_free(&r);
}

SCRIPT(stream_out, verify_for_a_domain_of_another_server_is_refused)
{
    struct rig r;
    struct stream_verify v = request("in1");

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN);
    v.remote = SLICE_LIT("another.example");
    cr_assert_eq(stream_send_verify(r.s, r.now_ms, &v), ERR_STATE);
    v = request("");
    cr_assert_eq(stream_send_verify(r.s, r.now_ms, &v), ERR_STATE);
    for (uint32_t i = 0; i < r.limits.verifies_max; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "id%u", i);
        v = request(id);
        cr_assert_eq(stream_send_verify(r.s, r.now_ms, &v), 0);
    }
    v = request("one more");
    cr_assert_eq(stream_send_verify(r.s, r.now_ms, &v), ERR_LIMIT);
    rig_free(&r);
}
