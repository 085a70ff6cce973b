/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_out_life: the initiating side once it is open: acks, keep-alive, closing. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/err.h"
#include "stream_out.h"

SCRIPT(stream_out, acks_are_counted)
{
    const char *const ns[] = {"urn:xmpp:sm:3", "urn:xmpp:sm:2"};

    for (int i = 0; i < 2; i++) {
        struct rig r;
        char text[400];

        rig_init(&r, STREAM_METHOD_EXTERNAL);
        r.is_bytewise = is_bytewise;
        r.certificates[0] = "their.example";
        r.rules.acks = true;
        rig_start_out(&r, "ours.example", "their.example");
        (void)snprintf(text, sizeof(text), FEATURES("<sm xmlns='%s'/>"), ns[i]);
        ready_by_external(&r, text);
        (void)snprintf(text, sizeof(text), "<enable xmlns=\"%s\"/>", ns[i]);
        EXPECT_TEXT(&r, text);
        stream_sent(r.s, r.now_ms, 2); /* before the answer: counts */
        stream_ask(r.s, r.now_ms);
        EXPECT_TEXT(&r, "");
        (void)snprintf(text, sizeof(text), "<enabled xmlns='%s'/>", ns[i]);
        rig_feed(&r, text);
        (void)snprintf(text, sizeof(text), "<r xmlns=\"%s\"/>", ns[i]);
        EXPECT_TEXT(&r, text);
        stream_sent(r.s, r.now_ms, 1); /* one request at a time */
        stream_ask(r.s, r.now_ms);
        EXPECT_TEXT(&r, "");
        (void)snprintf(text, sizeof(text), "<a xmlns='%s' h='2'/>", ns[i]);
        rig_feed(&r, text);
        cr_assert_eq(EXPECT(&r, ACKED)->acked_count, 2);
        EXPECT_OUT(&r, "<r ");
        (void)snprintf(text, sizeof(text), "<r xmlns='%s'/><a xmlns='%s' h='3'/>", ns[i], ns[i]);
        rig_feed(&r, text);
        cr_assert_eq(EXPECT(&r, ACKED)->acked_count, 1);
        (void)snprintf(text, sizeof(text), "<a xmlns=\"%s\" h=\"0\"/>", ns[i]);
        EXPECT_TEXT(&r, text);
        rig_wait(&r, r.limits.ack_ms * 2);
        EXPECT(&r, MORE);
        stream_sent(r.s, r.now_ms, 1);
        rig_wait(&r, r.limits.ack_ms);
        EXPECT(&r, MORE); /* nobody asked */
        stream_ask(r.s, r.now_ms);
        rig_wait(&r, r.limits.ack_ms);
        EXPECT_FAILED(&r, ACKS, CONNECTION_TIMEOUT);
        rig_free(&r);
    }
}

SCRIPT(stream_out, acks_are_asked_for_when_wanted)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL);
    r.rules.acks = true;
    ready_by_external(&r, FEATURES("<sm xmlns='urn:xmpp:sm:3'/>"));
    rig_feed(&r, "<enabled xmlns='urn:xmpp:sm:3'/>");
    (void)rig_out(&r);
    stream_ask(r.s, r.now_ms); /* about nothing */
    stream_sent(r.s, r.now_ms, 3);
    EXPECT_TEXT(&r, "");
    stream_ask(r.s, r.now_ms);
    EXPECT_TEXT(&r, "<r xmlns=\"urn:xmpp:sm:3\"/>");
    stream_sent(r.s, r.now_ms, 2);
    /* Less than asked for: asked again. */
    rig_feed(&r, "<a xmlns='urn:xmpp:sm:3' h='1'/>");
    cr_assert_eq(EXPECT(&r, ACKED)->acked_count, 1);
    EXPECT_TEXT(&r, "<r xmlns=\"urn:xmpp:sm:3\"/>");
    stream_sent(r.s, r.now_ms, 2);
    /* All that was asked for: what came behind it waits until somebody asks. */
    rig_feed(&r, "<a xmlns='urn:xmpp:sm:3' h='5'/>");
    cr_assert_eq(EXPECT(&r, ACKED)->acked_count, 4);
    EXPECT_TEXT(&r, "");
    rig_feed(&r, "<a xmlns='urn:xmpp:sm:3' h='6'/>");
    cr_assert_eq(EXPECT(&r, ACKED)->acked_count, 1);
    EXPECT_TEXT(&r, "");
    rig_wait(&r, r.limits.ack_ms * 2);
    EXPECT(&r, MORE);
    stream_ask(r.s, r.now_ms);
    EXPECT_TEXT(&r, "<r xmlns=\"urn:xmpp:sm:3\"/>");
    rig_feed(&r, "<a xmlns='urn:xmpp:sm:3' h='7'/>");
    cr_assert_eq(EXPECT(&r, ACKED)->acked_count, 1);
    EXPECT_TEXT(&r, "");
    rig_free(&r);
}

SCRIPT(stream_out, acks_refused_or_unwanted)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL);
    r.rules.acks = true;
    ready_by_external(&r, FEATURES("<sm xmlns='urn:xmpp:sm:3'/>"));
    rig_feed(&r, "<failed xmlns='urn:xmpp:sm:3'/>");
    EXPECT(&r, ACKS_REFUSED);
    cr_assert_eq(stream_acks(r.s)->state, ACKS_OFF);
    rig_free(&r);

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL);
    ready_by_external(&r, FEATURES("<sm xmlns='urn:xmpp:sm:3'/>"));
    EXPECT_TEXT(&r, "");
    rig_feed(&r, "<a xmlns='urn:xmpp:sm:3' h='0'/>");
    EXPECT(&r, NOTE);
    rig_free(&r);
}

SCRIPT(stream_out, keep_alive_is_a_space_when_nothing_was_sent)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL);
    r.rules.keepalive_ms = 300000;
    (void)rig_out(&r);
    rig_feed(&r, THEIR_ANSWER FEATURES(STARTTLS));
    EXPECT_OUT(&r, "<starttls");
    rig_wait(&r, 30000);
    EXPECT_TEXT(&r, ""); /* none inside negotiation */
    rig_free(&r);

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL);
    r.rules.keepalive_ms = 300000;
    ready_by_external(&r, FEATURES(""));
    rig_wait(&r, 299999);
    EXPECT_TEXT(&r, "");
    rig_wait(&r, 1);
    EXPECT_TEXT(&r, " ");
    rig_wait(&r, 200000);
    stream_sent(r.s, r.now_ms, 1);
    rig_wait(&r, 200000);
    EXPECT_TEXT(&r, "");
    rig_wait(&r, 699999);
    EXPECT_TEXT(&r, "  ");
    EXPECT(&r, MORE);
    rig_free(&r);
}

SCRIPT(stream_out, keep_alive_comes_before_the_peer_would_close)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL);
    r.rules.keepalive_ms = 300000;
    ready_by_external(&r, FEATURES("<limits xmlns='urn:xmpp:stream-limits:0'><idle-seconds> 60 "
                                   "</idle-seconds><max-bytes>99999999999</max-bytes></limits>"));
    cr_assert_eq(stream_peer_bytes_max(r.s), 0, "not a number that can be");
    rig_wait(&r, 30000);
    EXPECT_TEXT(&r, " ");
    rig_wait(&r, 30000);
    EXPECT_TEXT(&r, " ");
    rig_free(&r);
}

SCRIPT(stream_out, nothing_in_plain_behind_proceed)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL);
    rig_feed(&r, THEIR_ANSWER FEATURES(STARTTLS) PROCEED);
    EXPECT(&r, START_TLS);
    (void)rig_out(&r);
    stream_close(r.s, r.now_ms, STREAM_CONDITION_SYSTEM_SHUTDOWN, "");
    EXPECT_TEXT(&r, "");
    rig_wait(&r, r.limits.close_ms);
    EXPECT(&r, CLOSED);
    rig_free(&r);

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL);
    rig_feed(&r, THEIR_ANSWER FEATURES(STARTTLS) PROCEED);
    EXPECT(&r, START_TLS);
    (void)rig_out(&r);
    rig_feed(&r, "x");
    EXPECT_FAILED(&r, STARTTLS, POLICY_VIOLATION);
    EXPECT_TEXT(&r, "");
    rig_free(&r);
}

SCRIPT(stream_out, verify_where_the_header_did_not_declare_dialback)
{
    struct rig r;
    struct stream_verify v = request("in1");

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL);
    cr_assert_eq(stream_send_verify(r.s, r.now_ms, &v), 0);
    ready_by_external(&r, FEATURES(DIALBACK));
    EXPECT_OUT(&r, "<db:verify xmlns:db=\"jabber:server:dialback\" from=");
    rig_free(&r);
}

SCRIPT(stream_out, unused_streams_are_closed)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL);
    r.rules.inactivity_ms = 600000;
    ready_by_external(&r, FEATURES(""));
    rig_wait(&r, 500000);
    stream_sent(r.s, r.now_ms, 1);
    rig_wait(&r, 599999);
    EXPECT(&r, MORE);
    rig_wait(&r, 1);
    EXPECT(&r, IDLE);
    EXPECT_TEXT(&r, "</stream:stream>");
    rig_feed(&r, "</stream:stream>");
    EXPECT(&r, CLOSED);
    rig_free(&r);
}

Test(stream_out, a_pair_without_methods_opens_nothing)
{
    struct rig r;
    struct stream_params params = {.role = STREAM_OUT,
                                   .local = SLICE_LIT("ours.example"),
                                   .remote = SLICE_LIT("their.example")};
    struct stream *s;

    rig_init(&r, ALL_METHODS);
    rig_start(&r, &params); /* fills host and all that */
    r.rules.methods = 0;
    cr_assert_eq(stream_new(&s, 0, &params), ERR_STATE);
    r.rules.methods = ALL_METHODS;
    r.unknown = "their.example";
    cr_assert_eq(stream_new(&s, 0, &params), ERR_STATE);
    params.local = SLICE_LIT("another.example");
    cr_assert_eq(stream_new(&s, 0, &params), ERR_STATE);
    EXPECT_OUT(&r, "xml:lang=\"en\">"); /* the first stream's header */
    EXPECT_TEXT(&r, "");
    rig_free(&r);
}
