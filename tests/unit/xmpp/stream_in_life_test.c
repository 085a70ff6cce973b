/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_in_life: the receiving side once it is open: stanzas, acks, timers, every way to end. */
#include <criterion/criterion.h>

#include "base/pool.h"
#include "stream_in.h"

SCRIPT(stream_in, stanza_errors_of_rfc6120_are_for_the_edge_to_answer)
{
    const struct {
        const char *stanza;
        enum stanza_condition condition;
        bool may_bounce;
    } cases[] = {
        {"<iq from='a@their.example' to='b@ours.example' type='get'><q xmlns='x'/></iq>",
         STANZA_CONDITION_BAD_REQUEST, true},
        {"<iq from='a@their.example' to='b@ours.example' type='get' id='1'/>",
         STANZA_CONDITION_BAD_REQUEST, true},
        {"<iq from='a@their.example' to='b@ours.example' type='set' id='1'><q xmlns='x'/>"
         "<q xmlns='x'/></iq>",
         STANZA_CONDITION_BAD_REQUEST, true},
        {"<iq from='a@their.example' to='b@ours.example' type='result' id='1'><q xmlns='x'/>"
         "<q xmlns='x'/></iq>",
         STANZA_CONDITION_BAD_REQUEST, false},
        {"<iq from='a@their.example' to='b@ours.example' id='1'><q xmlns='x'/></iq>",
         STANZA_CONDITION_BAD_REQUEST, true},
        {"<presence from='a@their.example' to='b@ours.example' type='odd'/>",
         STANZA_CONDITION_BAD_REQUEST, true},
        {"<message from='a@their.example' to='@ours.example'/>", STANZA_CONDITION_JID_MALFORMED,
         true},
        {"<message from='a@their.example' to='b@nowhere.example'/>",
         STANZA_CONDITION_ITEM_NOT_FOUND, true},
        {"<message from='a@their.example' to='b@nowhere.example' type='error'/>",
         STANZA_CONDITION_ITEM_NOT_FOUND, false},
        {"<message from='a@their.example' to='b@second.example'/>", STANZA_CONDITION_NOT_AUTHORIZED,
         true},
    };
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    r.locals[1] = "second.example";
    authenticate(&r);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct rig_event *e;

        rig_feed(&r, cases[i].stanza);
        e = EXPECT(&r, STANZA_BAD);
        cr_assert_eq(e->condition, cases[i].condition, "%zu: %s", i, e->text);
        cr_assert_eq(e->may_bounce, cases[i].may_bounce, "%zu", i);
    }
    EXPECT_TEXT(&r, "");
    cr_assert(stream_is_open(r.s));
    rig_free(&r);
}

SCRIPT(stream_in, lang_of_the_stream_is_inherited)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    rig_feed(&r, THEIR_HEADER AUTH("="));
    EXPECT(&r, PAIR_AUTHENTICATED);
    rig_feed(&r, HEADER_START "from='their.example' to='ours.example' version='1.0' xml:lang='fr'>"
                              "<message from='a@their.example' to='b@ours.example'/>");
    EXPECT(&r, STANZA);
    cr_assert(slice_eq_cstr(r.ev.stanza.lang, "fr"));
    rig_free(&r);
}

SCRIPT(stream_in, acks_count_what_was_taken)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    r.rules.acks = true;
    rig_feed(&r, THEIR_HEADER "<enable xmlns='urn:xmpp:sm:3'/>");
    EXPECT_OUT(&r, "<failed xmlns=\"urn:xmpp:sm:3\"><unexpected-request");
    EXPECT(&r, NOTE);
    rig_feed(&r, AUTH("="));
    EXPECT(&r, PAIR_AUTHENTICATED);
    rig_feed(&r, THEIR_HEADER);
    EXPECT_OUT(&r, "<sm xmlns=\"urn:xmpp:sm:3\"/>", "<sm xmlns=\"urn:xmpp:sm:2\"/>");
    rig_feed(&r, "<message from='a@their.example' to='b@ours.example'/>");
    EXPECT(&r, STANZA);
    rig_feed(&r, "<r xmlns='urn:xmpp:sm:2'/>");
    EXPECT(&r, NOTE);
    EXPECT_OUT(&r, "<failed xmlns=\"urn:xmpp:sm:2\">");
    rig_feed(&r, "<enable xmlns='urn:xmpp:sm:2' resume='true'/>");
    EXPECT_TEXT(&r, "<enabled xmlns=\"urn:xmpp:sm:2\"/>");
    rig_feed(&r, "<r xmlns='urn:xmpp:sm:2'/>");
    EXPECT_TEXT(&r, "<a xmlns=\"urn:xmpp:sm:2\" h=\"0\"/>");
    rig_feed(&r, "<message from='a@their.example' to='b@ours.example'/>"
                 "<presence from='a@their.example' to='b@nowhere.example'/>"
                 "<r xmlns='urn:xmpp:sm:2'/>");
    EXPECT(&r, STANZA);
    EXPECT(&r, STANZA_BAD);
    EXPECT_TEXT(&r, "<a xmlns=\"urn:xmpp:sm:2\" h=\"2\"/>");
    EXPECT(&r, MORE);
    rig_free(&r);
}

SCRIPT(stream_in, establishment_has_one_deadline_for_all_steps)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    cr_assert_eq(stream_deadline(r.s), 1000 + r.limits.establish_ms);
    rig_wait(&r, r.limits.establish_ms / 2);
    rig_feed(&r, THEIR_HEADER);
    EXPECT_OUT(&r, "<stream:features>");
    cr_assert_eq(stream_deadline(r.s), 1000 + r.limits.establish_ms);
    rig_wait(&r, r.limits.establish_ms / 2);
    cr_assert(EXPECT_FAILED(&r, SASL, CONNECTION_TIMEOUT)->failure.is_timeout);
    EXPECT_OUT(&r, "<connection-timeout", "</stream:stream>");
    rig_free(&r);

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, false);
    rig_wait(&r, r.limits.establish_ms);
    EXPECT_FAILED(&r, HEADER, CONNECTION_TIMEOUT);
    EXPECT_OUT(&r, "<stream:stream", "<connection-timeout");
    rig_free(&r);

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, false);
    rig_feed(&r, THEIR_HEADER "<starttls " NS_TLS_X "/>");
    EXPECT(&r, START_TLS);
    (void)rig_out(&r);
    rig_wait(&r, r.limits.establish_ms);
    EXPECT_FAILED(&r, TLS, NONE);
    EXPECT_TEXT(&r, ""); /* nothing in plain behind <proceed/> */
    rig_free(&r);
}

SCRIPT(stream_in, idle_streams_are_closed_in_order)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    r.rules.inactivity_ms = 600000;
    authenticate(&r);
    rig_wait(&r, 599999);
    rig_feed(&r, "<r xmlns='urn:xmpp:sm:3'/>");
    EXPECT(&r, NOTE);
    (void)rig_out(&r);
    rig_wait(&r, 300000);
    rig_feed(&r, " "); /* shows that somebody is there, not that the stream is of use */
    rig_wait(&r, 299999);
    EXPECT(&r, MORE);
    rig_wait(&r, 1);
    EXPECT(&r, NOTE);
    EXPECT_TEXT(&r, "</stream:stream>");
    /* What was on its way still counts. */
    rig_feed(&r, "<message from='a@their.example' to='b@ours.example'/></stream:stream>");
    EXPECT(&r, STANZA);
    EXPECT(&r, CLOSED);
    EXPECT_TEXT(&r, "");
    rig_free(&r);
}

/* A space and an element within a millisecond count as what they are, in either order. */
SCRIPT(stream_in, a_millisecond_may_hold_both)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    r.rules.inactivity_ms = 600000;
    r.rules.keepalive_ms = 100000;
    authenticate(&r);
    for (unsigned i = 0; i < 3; i++) {
        rig_wait(&r, 99999);
        rig_feed(&r, " ");
        cr_assert_eq(stream_deadline(r.s), r.now_ms + 100000);
        rig_feed(&r, "<message from='a@their.example' to='b@ours.example'/> ");
        EXPECT(&r, STANZA);
        rig_feed(&r, "<message from='a@their.example' to='b@ours.example'/>");
        EXPECT(&r, STANZA);
        r.rules.keepalive_ms = 0;
        cr_assert_null(stream_review(r.s, r.now_ms, &(struct stream_review){0}));
        cr_assert_eq(stream_deadline(r.s), r.now_ms + 600000);
        r.rules.keepalive_ms = 100000;
        cr_assert_null(stream_review(r.s, r.now_ms, &(struct stream_review){0}));
        cr_assert_eq(stream_deadline(r.s), r.now_ms + 100000);
    }
    rig_wait(&r, 99999);
    EXPECT(&r, MORE);
    rig_wait(&r, 1);
    EXPECT(&r, NOTE);
    rig_free(&r);
}

SCRIPT(stream_in, our_close_waits_a_bounded_time)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    authenticate(&r);
    stream_close(r.s, r.now_ms, STREAM_CONDITION_SYSTEM_SHUTDOWN, "restart <now>");
    EXPECT_OUT(&r, "<stream:error><system-shutdown", "restart &lt;now&gt;</text>",
               "</stream:error></stream:stream>");
    stream_close(r.s, r.now_ms, STREAM_CONDITION_NONE, "");
    EXPECT_TEXT(&r, "");
    rig_wait(&r, r.limits.close_ms - 1);
    EXPECT(&r, MORE);
    rig_wait(&r, 1);
    EXPECT(&r, CLOSED);
    rig_free(&r);

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    stream_close(r.s, r.now_ms, STREAM_CONDITION_SYSTEM_SHUTDOWN, "");
    EXPECT_OUT(&r, "<?xml", "<stream:stream", "<system-shutdown", "</stream:stream>");
    rig_free(&r);
}

SCRIPT(stream_in, a_lost_connection_tells_the_step)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, false);
    rig_feed(&r, THEIR_HEADER "<starttls " NS_TLS_X "/>");
    EXPECT(&r, START_TLS);
    rig_log(&r, stream_lost(r.s, "TLS: handshake failed", &r.ev));
    cr_assert(strstr(EXPECT_FAILED(&r, TLS, NONE)->text, "TLS: handshake failed"));
    rig_log(&r, stream_lost(r.s, "again", &r.ev));
    EXPECT(&r, MORE);
    rig_free(&r);

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    authenticate(&r);
    stream_close(r.s, r.now_ms, STREAM_CONDITION_NONE, "");
    rig_log(&r, stream_lost(r.s, "closed by the peer", &r.ev));
    EXPECT(&r, CLOSED);
    rig_free(&r);

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    rig_feed(&r, THEIR_HEADER "</stream:stream>");
    EXPECT_FAILED(&r, SASL, NONE);
    EXPECT_OUT(&r, "</stream:features></stream:stream>");
    rig_free(&r);
}

/* XEP-0220 2.3: the namespace in the header advertises dialback, as the feature does. */
SCRIPT(stream_in, the_header_advertises_dialback_where_it_is_taken)
{
    static const struct {
        uint32_t methods;
        bool in_plain;
        bool over_tls;
    } cases[] = {
        {STREAM_METHOD_EXTERNAL, false, false},
        {STREAM_METHOD_EXTERNAL | STREAM_METHOD_CERTIFICATE | STREAM_METHOD_DIALBACK_TLS, false,
         true},
        {STREAM_METHOD_DIALBACK_TLS, false, true},
        {STREAM_METHOD_DIALBACK_TLS | STREAM_METHOD_DIALBACK_PLAIN, true, true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig r;
        const char *out;

        start(&r, is_bytewise, cases[i].methods, false);
        rig_feed(&r, THEIR_HEADER);
        out = rig_out(&r);
        cr_assert_eq(strstr(out, "xmlns:db=") != NULL, cases[i].in_plain, "%zu: %s", i, out);
        cr_assert_eq(strstr(out, "<dialback ") != NULL, cases[i].in_plain, "%zu: %s", i, out);
        rig_feed(&r, "<starttls " NS_TLS_X "/>");
        EXPECT(&r, START_TLS);
        (void)rig_out(&r);
        rig_secured(&r, "");
        rig_feed(&r, THEIR_HEADER);
        out = rig_out(&r);
        cr_assert_eq(strstr(out, "xmlns:db=") != NULL, cases[i].over_tls, "%zu: %s", i, out);
        cr_assert_eq(strstr(out, "<dialback ") != NULL, cases[i].over_tls, "%zu: %s", i, out);
        rig_free(&r);
    }
}

/* A peer that looks at our features and leaves: the step is what the rules asked of it. */
SCRIPT(stream_in, who_leaves_is_told_by_what_was_lacking)
{
    static const struct {
        uint32_t methods;
        bool is_secured;
        bool is_certificate_good;
        const char *says;
        enum stream_step step;
    } cases[] = {
        {STREAM_METHOD_EXTERNAL, false, true, "", STREAM_STEP_STARTTLS},
        {STREAM_METHOD_DIALBACK_TLS, false, true, "", STREAM_STEP_STARTTLS},
        {STREAM_METHOD_DIALBACK_TLS, false, true, RESULT, STREAM_STEP_STARTTLS},
        {STREAM_METHOD_DIALBACK_PLAIN, false, true, "", STREAM_STEP_DIALBACK},
        {ALL_METHODS, false, true, "", STREAM_STEP_DIALBACK},
        {STREAM_METHOD_EXTERNAL, true, true, "", STREAM_STEP_SASL},
        {ALL_METHODS, true, true, "", STREAM_STEP_SASL},
        {ALL_METHODS, true, false, "", STREAM_STEP_DIALBACK},
        {STREAM_METHOD_DIALBACK_TLS, true, true, "", STREAM_STEP_DIALBACK},
        {STREAM_METHOD_EXTERNAL, true, true, RESULT, STREAM_STEP_DIALBACK},
        {STREAM_METHOD_DIALBACK_TLS, true, true, RESULT, STREAM_STEP_DIALBACK},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig r;
        uint32_t last;

        start(&r, is_bytewise, cases[i].methods, cases[i].is_secured);
        if (!cases[i].is_certificate_good) {
            r.certificates[0] = NULL;
        }
        rig_feed(&r, THEIR_HEADER);
        rig_feed(&r, cases[i].says);
        rig_feed(&r, "</stream:stream>");
        last = r.log_count - 1;
        cr_assert_eq(r.log[last].kind, STREAM_FAILED, "case %zu", i);
        cr_assert_eq(r.log[last].failure.step, cases[i].step, "case %zu: %s, %s", i,
                     stream_step_name(r.log[last].failure.step), r.log[last].text);
        cr_assert_eq(r.log[last].failure.condition, STREAM_CONDITION_NONE, "case %zu", i);
        rig_free(&r);
    }
}

/* As Prosody does when its key is refused: the error is the echo of our refusal. Without one it is
 * the peer's own. */
SCRIPT(stream_in, an_error_behind_a_refusal_belongs_to_the_refusal)
{
    static const char error[] = "<stream:error><not-authorized "
                                "xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>";
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, false);
    rig_feed(&r, THEIR_HEADER RESULT);
    EXPECT(&r, NOTE);
    rig_feed(&r, error);
    EXPECT_FAILED(&r, STARTTLS, NOT_AUTHORIZED);
    rig_free(&r);

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    rig_feed(&r, THEIR_HEADER RESULT);
    EXPECT(&r, NOTE);
    rig_feed(&r, error);
    EXPECT_FAILED(&r, DIALBACK, NOT_AUTHORIZED);
    rig_free(&r);

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, false);
    rig_feed(&r, THEIR_HEADER);
    rig_feed(&r, error);
    EXPECT_FAILED(&r, STREAM_ERROR, NOT_AUTHORIZED);
    rig_free(&r);

    /* As ejabberd without TLS. */
    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, false);
    rig_feed(&r, THEIR_HEADER "<stream:error><unsupported-feature "
                              "xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>");
    EXPECT_FAILED(&r, STARTTLS, UNSUPPORTED_FEATURE);
    rig_free(&r);
}

/* As when the node stops, or the partner is taken out, while TLS is being negotiated. */
SCRIPT(stream_in, a_close_during_the_handshake_ends_with_it)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, false);
    rig_feed(&r, THEIR_HEADER "<starttls " NS_TLS_X "/>");
    EXPECT(&r, START_TLS);
    (void)rig_out(&r);
    stream_close(r.s, r.now_ms, STREAM_CONDITION_SYSTEM_SHUTDOWN, "");
    EXPECT_TEXT(&r, ""); /* nothing in plain behind <proceed/> */
    rig_secured(&r, "ours.example");
    EXPECT(&r, CLOSED);
    rig_secured(&r, "ours.example");
    EXPECT(&r, MORE);
    EXPECT_TEXT(&r, "");
    rig_free(&r);
}

SCRIPT(stream_in, rules_that_change_end_the_stream_at_the_next_stanza)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    authenticate(&r);
    rig_feed(&r, "<message from='a@their.example' to='b@ours.example'/>");
    EXPECT(&r, STANZA);
    r.rules.methods = STREAM_METHOD_DIALBACK_PLAIN;
    rig_feed(&r, "<message from='a@their.example' to='b@ours.example'/>");
    EXPECT(&r, STANZA); /* same version: not asked */
    r.rules_version++;
    rig_feed(&r, "<message from='a@their.example' to='b@ours.example'/>");
    EXPECT_FAILED(&r, POLICY, POLICY_VIOLATION);
    rig_free(&r);

    /* And before the first one. */
    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    authenticate(&r);
    r.unknown = "their.example";
    rig_feed(&r, "<message from='a@their.example' to='b@ours.example'/>");
    EXPECT_FAILED(&r, POLICY, POLICY_VIOLATION);
    rig_free(&r);
}

Test(stream_in, memory_that_fails_is_an_ordinary_error)
{
    for (uint64_t nth = 1; nth < 60; nth++) {
        struct rig r;

        start(&r, false, STREAM_METHOD_EXTERNAL | STREAM_METHOD_DIALBACK_TLS, true);
        pool_fail_nth(nth);
        for (int i = 0; i < 3 && stream_deadline(r.s) != STREAM_NEVER; i++) {
            const char *const texts[] = {THEIR_HEADER AUTH("="), THEIR_HEADER,
                                         "<message from='a@their.example' to='b@ours.example'/>"};
            size_t used = 0;
            struct slice bytes = slice_from_cstr(texts[i]);

            while (bytes.len > 0 && stream_deadline(r.s) != STREAM_NEVER) {
                (void)stream_feed(r.s, r.now_ms, bytes, &used, &r.ev);
                bytes = slice_from(bytes, used);
            }
        }
        pool_fail_nth(0);
        buf_clear(&r.out); /* may have been what failed */
        rig_free(&r);
    }
}
