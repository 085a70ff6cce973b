/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_in: scripted peers against the receiving side: headers, features by state, STARTTLS, SASL
 * EXTERNAL, closing, timers. XMPP facts: RFC 6120 4 to 6. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/pool.h"
#include "rig.h"

#define REQUIRED       "<starttls xmlns=\"urn:ietf:params:xml:ns:xmpp-tls\"><required/></starttls>"
#define EXTERNAL_OFFER "<mechanism>EXTERNAL</mechanism>"
#define AUTH(text)     "<auth " NS_SASL_X " mechanism='EXTERNAL'>" text "</auth>"
#define OUR_AUTHZID    "dGhlaXIuZXhhbXBsZQ==" /* their.example */
#define RESULT         "<db:result from='their.example' to='ours.example'>key</db:result>"

static void start(struct rig *r, bool is_bytewise, uint32_t methods, bool is_secured)
{
    rig_init(r, methods);
    r->is_bytewise = is_bytewise;
    r->certificates[0] = "their.example";
    rig_start_in(r, is_secured);
}

/* A stream that EXTERNAL authenticated, its last header and features read. */
static void authenticate(struct rig *r)
{
    rig_feed(r, THEIR_HEADER AUTH(OUR_AUTHZID));
    EXPECT(r, PAIR_AUTHENTICATED);
    rig_feed(r, THEIR_HEADER);
    (void)rig_out(r);
}

static void expect_header_error(const char *header, bool is_bytewise, const char *condition)
{
    struct rig r;

    start(&r, is_bytewise, ALL_METHODS, false);
    rig_feed(&r, header);
    EXPECT(&r, FAILED);
    EXPECT_OUT(&r, "<?xml version=\"1.0\"?><stream:stream ", "id=\"", "<stream:error>", condition,
               "</stream:error></stream:stream>");
    EXPECT(&r, MORE);
    rig_feed(&r, "<message from='a@their.example' to='b@ours.example'/>");
    EXPECT(&r, MORE);
    EXPECT_TEXT(&r, "");
    rig_free(&r);
}

SCRIPT(stream_in, header_errors_come_after_our_own_header)
{
    const struct {
        const char *header;
        const char *condition;
    } cases[] = {
        {HEADER_START "from='their.example' to='other.example' version='1.0'>", "<host-unknown"},
        {HEADER_START "from='their.example' version='1.0'>", "<improper-addressing"},
        {HEADER_START "from='their.example' to='a@ours.example' version='1.0'>",
         "<improper-addressing"},
        {HEADER_START "from='a@their.example' to='ours.example' version='1.0'>", "<invalid-from"},
        {HEADER_START "from='their..example' to='ours.example' version='1.0'>", "<invalid-from"},
        {HEADER_START "from='their.example' to='ours.example' version='2.0'>",
         "<unsupported-version"},
        {HEADER_START "from='their.example' to='ours.example' version='x'>",
         "<unsupported-version"},
        {HEADER_START "from='their.example' to='ours.example' version='1.'>",
         "<unsupported-version"},
        {"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
         "from='their.example' to='ours.example' version='1.0'>",
         "<invalid-namespace"},
        {"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/other' "
         "from='their.example' to='ours.example' version='1.0'>",
         "<invalid-namespace"},
        {"<stream:flow xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
         "from='their.example' to='ours.example' version='1.0'>",
         "<bad-format"},
        {"<!DOCTYPE x><stream:stream>", "<restricted-xml"},
        {"<?xml version='1.0' encoding='ISO-8859-1'?><stream:stream>", "<unsupported-encoding"},
        {"GET / HTTP/1.1\r\n\r\n", "<not-well-formed"},
        {"<stream:stream", NULL},
    };

    for (size_t i = 0; cases[i].condition; i++) {
        expect_header_error(cases[i].header, is_bytewise, cases[i].condition);
    }
}

SCRIPT(stream_in, any_prefix_is_read_and_ours_are_literal)
{
    struct rig r;

    start(&r, is_bytewise, ALL_METHODS, false);
    rig_feed(&r, "<s:stream xmlns='jabber:server' xmlns:s='http://etherx.jabber.org/streams' "
                 "from='their.example' to='ours.example' version='1.0'>");
    EXPECT_OUT(&r,
               "<stream:stream xmlns=\"jabber:server\" "
               "xmlns:stream=\"http://etherx.jabber.org/streams\" "
               "xmlns:db=\"jabber:server:dialback\"",
               "from=\"ours.example\" to=\"their.example\" version=\"1.0\"", "<stream:features>");
    rig_feed(&r, "<s:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
                 "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>go away</text></s:error>");
    cr_assert(strstr(EXPECT_FAILED(&r, STREAM_ERROR, POLICY_VIOLATION)->text, "go away"));
    EXPECT_TEXT(&r, "</stream:stream>");
    rig_free(&r);
}

SCRIPT(stream_in, features_without_tls_follow_the_methods)
{
    const struct {
        uint32_t methods;
        const char *starttls;
        bool has_dialback;
    } cases[] = {
        {STREAM_METHOD_EXTERNAL, REQUIRED, false},
        {STREAM_METHOD_EXTERNAL | STREAM_METHOD_DIALBACK_TLS, REQUIRED, false},
        {STREAM_METHOD_DIALBACK_TLS, REQUIRED, false},
        {ALL_METHODS, "<starttls xmlns=\"urn:ietf:params:xml:ns:xmpp-tls\"/>", true},
        {STREAM_METHOD_DIALBACK_PLAIN, NULL, true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig r;
        const char *out;

        start(&r, is_bytewise, cases[i].methods, false);
        rig_feed(&r, THEIR_HEADER);
        out = rig_out(&r);
        cr_assert(strstr(out, "<stream:features>"));
        cr_assert_eq(strstr(out, "starttls") != NULL, cases[i].starttls != NULL, "%zu", i);
        cr_assert(!cases[i].starttls || strstr(out, cases[i].starttls), "%zu: %s", i, out);
        cr_assert_eq(strstr(out, "urn:xmpp:features:dialback") != NULL, cases[i].has_dialback);
        cr_assert_null(strstr(out, "mechanism"));
        cr_assert_null(strstr(out, "urn:xmpp:sm"));
        EXPECT(&r, MORE);
        rig_free(&r);
    }
}

SCRIPT(stream_in, features_with_tls_follow_methods_and_certificate)
{
    const struct {
        uint32_t methods;
        bool is_valid;
        bool has_external;
        bool has_dialback;
        bool is_refused;
    } cases[] = {
        {STREAM_METHOD_EXTERNAL, true, true, false, false},
        {STREAM_METHOD_EXTERNAL, false, false, false, true},
        {STREAM_METHOD_EXTERNAL | STREAM_METHOD_CERTIFICATE, true, true, true, false},
        {STREAM_METHOD_EXTERNAL | STREAM_METHOD_CERTIFICATE, false, false, false, true},
        {STREAM_METHOD_EXTERNAL | STREAM_METHOD_DIALBACK_TLS, true, true, true, false},
        {STREAM_METHOD_EXTERNAL | STREAM_METHOD_DIALBACK_TLS, false, false, true, false},
        {STREAM_METHOD_DIALBACK_TLS, true, false, true, false},
        {STREAM_METHOD_DIALBACK_TLS, false, false, true, false},
        {STREAM_METHOD_DIALBACK_PLAIN, true, false, false, true},
        {ALL_METHODS, false, false, true, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig r;
        const char *out;

        start(&r, is_bytewise, cases[i].methods, true);
        r.certificates[0] = cases[i].is_valid ? "their.example" : "another.example";
        rig_feed(&r, THEIR_HEADER);
        out = rig_out(&r);
        if (cases[i].is_refused) {
            EXPECT(&r, FAILED);
            cr_assert(strstr(out, "<stream:error>"), "%zu: %s", i, out);
        } else {
            cr_assert_eq(strstr(out, EXTERNAL_OFFER) != NULL, cases[i].has_external, "%zu", i);
            cr_assert_eq(strstr(out, "<dialback xmlns=\"urn:xmpp:features:dialback\"><errors/>") !=
                             NULL,
                         cases[i].has_dialback, "%zu", i);
            cr_assert(strstr(out, "<max-bytes>262144</max-bytes>"));
        }
        cr_assert_null(strstr(out, "starttls"));
        EXPECT(&r, MORE);
        rig_free(&r);
    }
}

SCRIPT(stream_in, starttls_then_external_then_stanzas)
{
    struct rig r;
    const struct rig_event *e;
    char first_id[80];

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, false);
    rig_feed(&r, THEIR_HEADER);
    EXPECT_OUT(&r, "<stream:features>", REQUIRED);
    (void)snprintf(first_id, sizeof(first_id), "%.*s", SLICE_FMT(stream_id(r.s)));
    cr_assert_eq(strlen(first_id), 32);
    rig_feed(&r, "<starttls " NS_TLS_X "/>");
    EXPECT(&r, START_TLS);
    EXPECT_TEXT(&r, "<proceed xmlns=\"urn:ietf:params:xml:ns:xmpp-tls\"/>");
    rig_secured(&r, "ours.example");
    EXPECT(&r, MORE);
    rig_feed(&r, THEIR_HEADER);
    EXPECT_OUT(&r, "<?xml", "<stream:features>", EXTERNAL_OFFER);
    cr_assert_not(slice_eq_cstr(stream_id(r.s), first_id), "the id stayed");
    rig_feed(&r, AUTH(OUR_AUTHZID));
    e = EXPECT(&r, PAIR_AUTHENTICATED);
    cr_assert_str_eq(e->local, "ours.example");
    cr_assert_str_eq(e->remote, "their.example");
    cr_assert_eq(e->method, STREAM_METHOD_EXTERNAL);
    EXPECT_TEXT(&r, "<success xmlns=\"urn:ietf:params:xml:ns:xmpp-sasl\"/>");
    rig_feed(&r, THEIR_HEADER);
    cr_assert(stream_is_open(r.s));
    cr_assert_null(strstr(rig_out(&r), "mechanism"));
    rig_feed(&r, "<message from='a@their.example/x' to='b@ours.example' id='1'>"
                 "<body>hi</body></message> \n"
                 "<presence from='A@Their.example' to='B@OURS.example'/>");
    cr_assert_str_eq(EXPECT(&r, STANZA)->stanza, "message a@their.example/x b@ours.example 1 hi");
    cr_assert_str_eq(EXPECT(&r, STANZA)->stanza, "presence a@their.example b@ours.example  ");
    rig_feed(&r, "</stream:stream>");
    EXPECT(&r, PEER_CLOSED);
    EXPECT_TEXT(&r, "</stream:stream>");
    EXPECT(&r, MORE);
    rig_free(&r);
}

SCRIPT(stream_in, starttls_where_it_is_not_offered_fails)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    rig_feed(&r, THEIR_HEADER "<starttls " NS_TLS_X "/>");
    EXPECT_FAILED(&r, STARTTLS, NONE);
    EXPECT_OUT(&r, "<failure xmlns=\"urn:ietf:params:xml:ns:xmpp-tls\"/></stream:stream>");
    rig_free(&r);

    start(&r, is_bytewise, ALL_METHODS, true);
    rig_feed(&r, THEIR_HEADER "<starttls " NS_TLS_X "/>");
    EXPECT_FAILED(&r, STARTTLS, NONE);
    rig_free(&r);
}

SCRIPT(stream_in, external_accepts_every_way_to_say_nothing_else)
{
    const char *const scripts[] = {
        AUTH("="),
        AUTH(OUR_AUTHZID),
        AUTH("") "<response " NS_SASL_X "/>",
        AUTH("") "<response " NS_SASL_X ">=</response>",
        AUTH("") "<response " NS_SASL_X ">" OUR_AUTHZID "</response>",
        AUTH("VEhFSVIuZXhhbXBsZS4="), /* THEIR.example. */
    };

    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        struct rig r;

        start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
        rig_feed(&r, THEIR_HEADER);
        rig_feed(&r, scripts[i]);
        EXPECT(&r, PAIR_AUTHENTICATED);
        EXPECT(&r, MORE);
        EXPECT_OUT(&r, "<success");
        rig_free(&r);
    }
}

SCRIPT(stream_in, certificate_and_rules_are_asked_again_at_auth)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    rig_feed(&r, THEIR_HEADER);
    EXPECT_OUT(&r, EXTERNAL_OFFER);
    r.certificates[0] = NULL;
    rig_feed(&r, AUTH(OUR_AUTHZID));
    EXPECT_FAILED(&r, SASL, NOT_AUTHORIZED);
    EXPECT_OUT(&r,
               "<failure xmlns=\"urn:ietf:params:xml:ns:xmpp-sasl\"><not-authorized/></failure>",
               "<stream:error><not-authorized");
    rig_free(&r);

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    rig_feed(&r, THEIR_HEADER);
    r.unknown = "their.example";
    rig_feed(&r, AUTH(OUR_AUTHZID));
    EXPECT_OUT(&r, "<not-authorized/></failure>");
    EXPECT(&r, FAILED);
    cr_assert_eq(stream_pair_count(r.s), 0);
    rig_free(&r);
}

SCRIPT(stream_in, after_failed_external_dialback_is_still_open)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL | STREAM_METHOD_DIALBACK_TLS, true);
    rig_feed(&r, THEIR_HEADER);
    r.certificates[0] = NULL;
    rig_feed(&r, AUTH(OUR_AUTHZID));
    EXPECT(&r, NOTE);
    rig_feed(&r, "<db:result from='their.example' to='ours.example'>key</db:result>");
    EXPECT(&r, VERIFY_WANTED);
    rig_free(&r);
}

SCRIPT(stream_in, unknown_partner_and_unknown_local_are_refused)
{
    struct rig r;

    start(&r, is_bytewise, ALL_METHODS, false);
    r.unknown = "their.example";
    rig_feed(&r, THEIR_HEADER);
    EXPECT_FAILED(&r, POLICY, POLICY_VIOLATION);
    EXPECT_OUT(&r, "id=", "<stream:error><policy-violation", "</stream:stream>");
    rig_free(&r);

    start(&r, is_bytewise, ALL_METHODS, false);
    r.unknown = "their.example";
    r.refusal = &stream_refusal_limit;
    rig_feed(&r, THEIR_HEADER);
    EXPECT_FAILED(&r, POLICY, RESOURCE_CONSTRAINT);
    rig_free(&r);
}

SCRIPT(stream_in, sni_of_another_domain_of_ours_is_refused)
{
    struct rig r;

    start(&r, is_bytewise, ALL_METHODS, false);
    r.locals[1] = "second.example";
    rig_feed(&r, THEIR_HEADER "<starttls " NS_TLS_X "/>");
    EXPECT(&r, START_TLS);
    (void)rig_out(&r);
    rig_secured(&r, "second.example");
    EXPECT_FAILED(&r, TLS, HOST_UNKNOWN);
    EXPECT_OUT(&r, "<stream:stream", "<host-unknown");
    rig_free(&r);

    start(&r, is_bytewise, ALL_METHODS, false);
    rig_feed(&r, THEIR_HEADER "<starttls " NS_TLS_X "/>");
    EXPECT(&r, START_TLS);
    rig_secured(&r, "xmpp1.hosting.example");
    EXPECT(&r, MORE);
    rig_free(&r);
}

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
