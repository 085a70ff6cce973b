/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_in: scripted peers against the receiving side: headers, features by state, STARTTLS, SASL
 * EXTERNAL, refusals. XMPP facts: RFC 6120 4 to 6. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "stream_in.h"

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
