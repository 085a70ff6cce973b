/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_out: scripted servers against the initiating side: header, features, STARTTLS, EXTERNAL,
 * dialback, errors in between. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "stream_out.h"

SCRIPT(stream_out, header_is_literal)
{
    struct rig r;

    start(&r, is_bytewise, ALL_METHODS);
    EXPECT_TEXT(&r, "<?xml version=\"1.0\"?><stream:stream xmlns=\"jabber:server\" "
                    "xmlns:stream=\"http://etherx.jabber.org/streams\" "
                    "xmlns:db=\"jabber:server:dialback\" from=\"ours.example\" "
                    "to=\"their.example\" version=\"1.0\" xml:lang=\"en\">");
    rig_free(&r);
    /* xmlns:db is an advertisement: not where dialback may not be used. */
    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL);
    cr_assert_null(strstr(rig_out(&r), "xmlns:db"));
    rig_free(&r);
    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL | STREAM_METHOD_DIALBACK_TLS);
    cr_assert_null(strstr(rig_out(&r), "xmlns:db"));
    rig_feed(&r, THEIR_ANSWER FEATURES(STARTTLS) PROCEED);
    EXPECT(&r, START_TLS);
    (void)rig_out(&r);
    rig_secured(&r, "");
    EXPECT_OUT(&r, "xmlns:db=\"jabber:server:dialback\"");
    rig_free(&r);
}

SCRIPT(stream_out, starttls_and_external)
{
    struct rig r;
    const struct rig_event *e;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL);
    (void)rig_out(&r);
    rig_feed(&r, THEIR_ANSWER FEATURES(STARTTLS_MUST));
    EXPECT_TEXT(&r, "<starttls xmlns=\"urn:ietf:params:xml:ns:xmpp-tls\"/>");
    rig_feed(&r, PROCEED);
    EXPECT(&r, START_TLS);
    EXPECT_TEXT(&r, "");
    rig_secured(&r, "");
    EXPECT_OUT(&r, "<?xml", "from=\"ours.example\" to=\"their.example\"");
    rig_feed(&r, THEIR_ANSWER FEATURES(EXTERNAL));
    EXPECT_TEXT(&r, OUR_AUTH);
    rig_feed(&r, SUCCESS);
    EXPECT_OUT(&r, "<?xml", "from=\"ours.example\"");
    cr_assert_not(stream_is_open(r.s));
    rig_feed(&r, THEIR_ANSWER FEATURES("<limits xmlns='urn:xmpp:stream-limits:0'>"
                                       "<max-bytes>65536</max-bytes></limits>"));
    e = EXPECT(&r, READY);
    cr_assert_str_eq(e->remote, "their.example");
    cr_assert_eq(e->method, STREAM_METHOD_EXTERNAL);
    cr_assert_eq(stream_peer_bytes_max(r.s), 65536);
    cr_assert(stream_pair_is_ready(r.s, SLICE_LIT("ours.example"), SLICE_LIT("their.example")));
    EXPECT_TEXT(&r, "");
    rig_free(&r);
}

SCRIPT(stream_out, domains_of_any_spelling_are_one)
{
    struct rig r;
    const struct rig_event *e;

    rig_init(&r, STREAM_METHOD_DIALBACK_PLAIN);
    r.is_bytewise = is_bytewise;
    rig_start_out(&r, "OURS.example", "xn--bcher-kva.example.");
    EXPECT_OUT(&r, "from=\"ours.example\" to=\"b\xc3\xbc"
                   "cher.example\"");
    rig_feed(
        &r, HEADER_START
        "from='xn--bcher-kva.EXAMPLE' to='ours.example' id='1' version='1.0'>" FEATURES(DIALBACK));
    EXPECT_OUT(&r, "<db:result ");
    rig_feed(&r, "<db:result from='B\xc3\x9c"
                 "CHER.example' to='ours.example' type='valid'/>");
    e = EXPECT(&r, READY);
    cr_assert_str_eq(e->remote, "b\xc3\xbc"
                                "cher.example");
    rig_free(&r);
}

SCRIPT(stream_out, direct_tls_skips_starttls)
{
    struct rig r;

    start_with(&r, is_bytewise, STREAM_METHOD_EXTERNAL, (struct stream_params){.is_secured = true});
    (void)rig_out(&r);
    rig_feed(&r, THEIR_ANSWER FEATURES(STARTTLS EXTERNAL));
    EXPECT_TEXT(&r, OUR_AUTH);
    rig_free(&r);
}

SCRIPT(stream_out, a_challenge_is_answered_once)
{
    struct rig r;

    start_with(&r, is_bytewise, STREAM_METHOD_EXTERNAL, (struct stream_params){.is_secured = true});
    rig_feed(&r, THEIR_ANSWER FEATURES(EXTERNAL) "<challenge " NS_SASL_X "/>");
    EXPECT_OUT(&r, "<response xmlns=\"urn:ietf:params:xml:ns:xmpp-sasl\">b3Vycy5leGFtcGxl</");
    rig_feed(&r, "<challenge " NS_SASL_X "/>");
    EXPECT_FAILED(&r, SASL, UNDEFINED_CONDITION);
    rig_free(&r);
}

SCRIPT(stream_out, failed_external_falls_back_to_dialback_on_the_same_stream)
{
    struct rig r;
    const struct rig_event *e;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL | STREAM_METHOD_DIALBACK_TLS);
    secure(&r);
    rig_feed(&r, THEIR_ANSWER FEATURES(EXTERNAL DIALBACK));
    EXPECT_OUT(&r, OUR_AUTH);
    rig_feed(&r, "<failure " NS_SASL_X "><invalid-authzid/></failure>");
    EXPECT_OUT(&r, OUR_RESULT);
    rig_feed(&r, VALID);
    e = EXPECT(&r, READY);
    cr_assert_eq(e->method, STREAM_METHOD_DIALBACK_TLS);
    rig_free(&r);

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL);
    secure(&r);
    rig_feed(&r, THEIR_ANSWER FEATURES(EXTERNAL DIALBACK));
    rig_feed(&r, "<failure " NS_SASL_X "><not-authorized/><text>bad purpose</text></failure>");
    cr_assert(strstr(EXPECT_FAILED(&r, SASL, NONE)->text, "bad purpose"));
    EXPECT_OUT(&r, "</stream:stream>");
    rig_free(&r);
}

SCRIPT(stream_out, dialback_key_is_of_the_latest_stream)
{
    struct rig r;
    struct dialback_key key;
    struct dialback_bond bond = {.receiving = SLICE_LIT("their.example"),
                                 .originating = SLICE_LIT("ours.example"),
                                 .stream_id = SLICE_LIT("second")};
    char text[200];

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_TLS);
    secure(&r);
    rig_feed(
        &r, HEADER_START
        "from='their.example' to='ours.example' id='second' version='1.0'>" FEATURES(DIALBACK));
    cr_assert(dialback_key_make(&key, rig_crypto(), &r.secret, &bond));
    (void)snprintf(text, sizeof(text), OUR_RESULT "%.*s</db:result>", (int)sizeof(key.hex),
                   key.hex);
    EXPECT_OUT(&r, text);
    rig_free(&r);
}

SCRIPT(stream_out, tcp_dialback_with_an_old_server)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN);
    rig_feed(&r, OLD_ANSWER);
    EXPECT_OUT(&r, OUR_RESULT);
    rig_feed(&r, VALID);
    cr_assert_eq(EXPECT(&r, READY)->method, STREAM_METHOD_DIALBACK_PLAIN);
    rig_free(&r);
}

SCRIPT(stream_out, optional_tls_is_used_when_offered_and_only_then)
{
    struct rig r;

    start(&r, is_bytewise, ALL_METHODS);
    rig_feed(&r, THEIR_ANSWER FEATURES(STARTTLS));
    EXPECT_OUT(&r, "<starttls");
    rig_free(&r);

    start(&r, is_bytewise, ALL_METHODS);
    rig_feed(&r, THEIR_ANSWER FEATURES(EXTERNAL DIALBACK));
    EXPECT_OUT(&r, OUR_RESULT);
    rig_free(&r);

    start_with(&r, is_bytewise, ALL_METHODS, (struct stream_params){.avoid_tls = true});
    rig_feed(&r, THEIR_ANSWER FEATURES(STARTTLS DIALBACK));
    EXPECT_OUT(&r, OUR_RESULT);
    rig_free(&r);

    /* avoid_tls does not weaken a demand. */
    start_with(&r, is_bytewise, STREAM_METHOD_EXTERNAL, (struct stream_params){.avoid_tls = true});
    rig_feed(&r, THEIR_ANSWER FEATURES(STARTTLS));
    EXPECT_OUT(&r, "<starttls");
    rig_free(&r);

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN);
    rig_feed(&r, THEIR_ANSWER FEATURES(STARTTLS_MUST DIALBACK));
    EXPECT_FAILED(&r, STARTTLS, POLICY_VIOLATION);
    rig_free(&r);
}

SCRIPT(stream_out, bad_certificate_stops_or_leads_to_dialback)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL);
    r.certificates[0] = "another.example";
    rig_feed(&r, THEIR_ANSWER FEATURES(STARTTLS) PROCEED);
    EXPECT(&r, START_TLS);
    (void)rig_out(&r);
    rig_secured(&r, "");
    cr_assert(strstr(EXPECT_FAILED(&r, CERTIFICATE, POLICY_VIOLATION)->text, "expired"));
    rig_free(&r);

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL | STREAM_METHOD_DIALBACK_TLS);
    r.certificates[0] = "another.example";
    secure(&r);
    rig_feed(&r, THEIR_ANSWER FEATURES(EXTERNAL DIALBACK));
    EXPECT_OUT(&r, OUR_RESULT);
    rig_free(&r);
}

SCRIPT(stream_out, no_external_offered_and_nothing_else_allowed)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL);
    secure(&r);
    rig_feed(&r, THEIR_ANSWER FEATURES("<mechanisms " NS_SASL_X "/>" DIALBACK));
    EXPECT_FAILED(&r, SASL, POLICY_VIOLATION);
    EXPECT_OUT(&r, "<stream:error><policy-violation");
    rig_free(&r);
}

/* XEP-0220 2.3: who declares neither namespace nor feature is not sent a key it would not know. */
SCRIPT(stream_out, dialback_is_for_peers_that_advertise_it)
{
    static const char answer[] =
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
        "from='their.example' to='ours.example' id='sid1' version='1.0'>";
    struct rig r;
    const char *out;

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN);
    rig_feed(&r, answer);
    rig_feed(&r, FEATURES(""));
    EXPECT_FAILED(&r, DIALBACK, POLICY_VIOLATION);
    out = rig_out(&r);
    cr_assert_null(strstr(out, "<db:"), "%s", out);
    rig_free(&r);

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN);
    rig_feed(&r, answer);
    rig_feed(&r, FEATURES(DIALBACK));
    EXPECT_OUT(&r, OUR_RESULT);
    rig_free(&r);

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN);
    rig_feed(&r, THEIR_ANSWER FEATURES("")); /* the namespace alone */
    EXPECT_OUT(&r, OUR_RESULT);
    rig_free(&r);

    /* The header that counts is the one inside TLS. */
    start(&r, is_bytewise, ALL_METHODS);
    secure(&r);
    rig_feed(&r, answer);
    rig_feed(&r, FEATURES(""));
    EXPECT_FAILED(&r, DIALBACK, POLICY_VIOLATION);
    rig_free(&r);

    /* Nor is it what is left when EXTERNAL fails, or when the certificate is bad. */
    start(&r, is_bytewise, ALL_METHODS);
    secure(&r);
    rig_feed(&r, answer);
    rig_feed(&r, FEATURES(EXTERNAL));
    EXPECT_OUT(&r, OUR_AUTH);
    rig_feed(&r, "<failure " NS_SASL_X "><not-authorized/></failure>");
    EXPECT_FAILED(&r, SASL, NONE);
    rig_free(&r);

    start(&r, is_bytewise, ALL_METHODS);
    r.certificates[0] = "another.example";
    secure(&r);
    rig_feed(&r, answer);
    rig_feed(&r, FEATURES(EXTERNAL));
    EXPECT_FAILED(&r, CERTIFICATE, POLICY_VIOLATION);
    rig_free(&r);
}

/* TLS that is demanded is tried where it is not offered (RFC 7590); servers that know none of it
 * answer in their own ways, and all mean the same. */
SCRIPT(stream_out, tls_that_is_forced_and_not_had_fails_there)
{
    static const char *const answers[] = {
        "<failure " NS_TLS_X "/></stream:stream>",
        "<stream:error><unsupported-stanza-type xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
        "</stream:error></stream:stream>",
        "</stream:stream>",
    };

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct rig r;

        start(&r, is_bytewise, STREAM_METHOD_EXTERNAL | STREAM_METHOD_DIALBACK_TLS);
        rig_feed(&r, THEIR_ANSWER FEATURES(DIALBACK));
        EXPECT_OUT(&r, "<starttls ");
        rig_feed(&r, answers[i]);
        cr_assert(EXPECT_FAILED(&r, STARTTLS, POLICY_VIOLATION)->failure.is_mismatch);
        rig_free(&r);
    }
}

SCRIPT(stream_out, unknown_features_and_prefixes_are_tolerated)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL);
    rig_feed(&r, "<x:stream xmlns='jabber:server' xmlns:x='http://etherx.jabber.org/streams' "
                 "id='1' from='their.example' version='1.0'>"
                 "<x:features><bidi xmlns='urn:xmpp:features:bidi'/><odd xmlns='x:y'><z/></odd>"
                 "<t:starttls xmlns:t='urn:ietf:params:xml:ns:xmpp-tls'/></x:features>");
    EXPECT_OUT(&r, "<starttls");
    rig_free(&r);
}

SCRIPT(stream_out, errors_of_the_peer_are_reported_with_condition_and_text)
{
    struct rig r;

    start(&r, is_bytewise, ALL_METHODS);
    rig_feed(&r, HEADER_START
             "id='1' from='hosting.example' version='1.0'>"
             "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
             "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>no \x1b such</text>"
             "</stream:error></stream:stream>");
    EXPECT(&r, FAILED); /* the escape character is not XML */
    rig_free(&r);

    start(&r, is_bytewise, ALL_METHODS);
    rig_feed(&r, HEADER_START
             "id='1' from='hosting.example' version='1.0'>"
             "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
             "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>not\nhere</text>"
             "</stream:error></stream:stream>");
    cr_assert(strstr(EXPECT_FAILED(&r, STREAM_ERROR, HOST_UNKNOWN)->text, "not\\x0ahere"));
    rig_free(&r);
}

SCRIPT(stream_out, answers_from_another_domain_or_without_id_are_refused)
{
    struct rig r;

    start(&r, is_bytewise, ALL_METHODS);
    rig_feed(&r, HEADER_START "id='1' from='another.example' version='1.0'>" FEATURES(DIALBACK));
    EXPECT_FAILED(&r, HEADER, INVALID_FROM);
    rig_free(&r);

    start(&r, is_bytewise, ALL_METHODS);
    rig_feed(&r, HEADER_START "from='their.example' version='1.0'>" FEATURES(DIALBACK));
    EXPECT_FAILED(&r, HEADER, BAD_FORMAT);
    rig_free(&r);

    start(&r, is_bytewise, ALL_METHODS);
    (void)rig_out(&r);
    rig_feed(&r, HEADER_START "from='their.example' version='1.0'>" FEATURES(STARTTLS));
    EXPECT_FAILED(&r, HEADER, BAD_FORMAT);
    cr_assert_null(strstr(rig_out(&r), "<starttls"));
    rig_free(&r);

    start(&r, is_bytewise, ALL_METHODS);
    rig_feed(&r, HEADER_START "from='another.example'>");
    EXPECT_FAILED(&r, HEADER, INVALID_FROM);
    rig_free(&r);

    start(&r, is_bytewise, ALL_METHODS);
    rig_feed(&r, HEADER_START ">");
    EXPECT_FAILED(&r, HEADER, BAD_FORMAT);
    rig_free(&r);

    start(&r, is_bytewise, ALL_METHODS);
    rig_feed(&r, HEADER_START "id='1' from='their.example' version='3.0'>");
    EXPECT_FAILED(&r, HEADER, UNSUPPORTED_VERSION);
    rig_free(&r);
}
