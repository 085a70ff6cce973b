/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_out: scripted servers against the initiating side: header, features, STARTTLS, EXTERNAL,
 * dialback, verify-only streams, several pairs, acks, keep-alive. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/err.h"
#include "rig.h"

#define FEATURES(inner) "<stream:features>" inner "</stream:features>"
#define STARTTLS        "<starttls " NS_TLS_X "/>"
#define STARTTLS_MUST   "<starttls " NS_TLS_X "><required/></starttls>"
#define EXTERNAL        "<mechanisms " NS_SASL_X "><mechanism>EXTERNAL</mechanism></mechanisms>"
#define DIALBACK        "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
#define PROCEED         "<proceed " NS_TLS_X "/>"
#define SUCCESS         "<success " NS_SASL_X "/>"
#define OLD_ANSWER      HEADER_START "id='sid1'>"
#define OUR_AUTH                                                                                   \
    "<auth xmlns=\"urn:ietf:params:xml:ns:xmpp-sasl\" mechanism=\"EXTERNAL\">"                     \
    "b3Vycy5leGFtcGxl</auth>" /* ours.example */
#define OUR_RESULT "<db:result from=\"ours.example\" to=\"their.example\">"
#define VALID      "<db:result from='their.example' to='ours.example' type='valid'/>"

static void start(struct rig *r, bool is_bytewise, uint32_t methods)
{
    rig_init(r, methods);
    r->is_bytewise = is_bytewise;
    r->certificates[0] = "their.example";
    rig_start_out(r, "ours.example", "their.example");
}

static void start_with(struct rig *r, bool is_bytewise, uint32_t methods,
                       struct stream_params params)
{
    rig_init(r, methods);
    r->is_bytewise = is_bytewise;
    r->certificates[0] = "their.example";
    params.role = STREAM_OUT;
    params.local = SLICE_LIT("ours.example");
    params.remote = SLICE_LIT("their.example");
    rig_start(r, &params);
}

/* Up to the second header over TLS. */
static void secure(struct rig *r)
{
    rig_feed(r, THEIR_ANSWER FEATURES(STARTTLS));
    EXPECT_OUT(r, "<starttls xmlns=\"urn:ietf:params:xml:ns:xmpp-tls\"/>");
    rig_feed(r, PROCEED);
    EXPECT(r, START_TLS);
    rig_secured(r, "");
}

static void ready_by_external(struct rig *r, const char *features)
{
    secure(r);
    rig_feed(r, THEIR_ANSWER FEATURES(EXTERNAL));
    EXPECT_OUT(r, "<?xml", OUR_AUTH);
    rig_feed(r, SUCCESS);
    EXPECT_OUT(r, "<?xml");
    rig_feed(r, THEIR_ANSWER);
    rig_feed(r, features);
    EXPECT(r, READY);
}

static void ready_by_dialback(struct rig *r, const char *features)
{
    rig_feed(r, THEIR_ANSWER);
    rig_feed(r, features);
    EXPECT_OUT(r, OUR_RESULT);
    rig_feed(r, VALID);
    EXPECT(r, READY);
}

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

static struct stream_verify request(const char *id)
{
    return (struct stream_verify){.local = SLICE_LIT("ours.example"),
                                  .remote = SLICE_LIT("their.example"),
                                  .stream_id = slice_from_cstr(id),
                                  .key = SLICE_LIT("the<key")};
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
