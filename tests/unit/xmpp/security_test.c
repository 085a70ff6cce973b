/* SPDX-License-Identifier: GPL-2.0-or-later */
/* security: attacks that other servers fell for, each by its number in the project's list of
 * security cases, against both sides of a stream. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "rig.h"

#define FEATURES(inner) "<stream:features>" inner "</stream:features>"
#define STARTTLS        "<starttls " NS_TLS_X "/>"
#define DIALBACK        "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
#define EXTERNAL        "<mechanisms " NS_SASL_X "><mechanism>EXTERNAL</mechanism></mechanisms>"
#define AUTH(text)      "<auth " NS_SASL_X " mechanism='EXTERNAL'>" text "</auth>"
#define MESSAGE         "<message from='a@their.example' to='b@ours.example'/>"
#define RESULT          "<db:result from='their.example' to='ours.example'>k</db:result>"

static void start_in(struct rig *r, bool is_bytewise, uint32_t methods, bool is_secured)
{
    rig_init(r, methods);
    r->is_bytewise = is_bytewise;
    r->certificates[0] = "their.example";
    rig_start_in(r, is_secured);
}

static void start_out(struct rig *r, bool is_bytewise, uint32_t methods)
{
    rig_init(r, methods);
    r->is_bytewise = is_bytewise;
    r->certificates[0] = "their.example";
    rig_start_out(r, "ours.example", "their.example");
}

/* Pair proved by dialback in plain. */
static void prove(struct rig *r)
{
    const struct rig_event *e;

    rig_feed(r, THEIR_HEADER RESULT);
    e = EXPECT(r, VERIFY_WANTED);
    rig_verify_result(r, "ours.example", "their.example", e->id, DIALBACK_VALID, 0);
    EXPECT(r, PAIR_AUTHENTICATED);
    (void)rig_out(r);
}

/* --- identity and dialback --- */

SCRIPT(security, SEC_01_result_for_a_pair_never_asked_for)
{
    struct rig r;

    start_out(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN);
    r.locals[1] = "second.example";
    rig_feed(&r, THEIR_ANSWER FEATURES(DIALBACK));
    (void)rig_out(&r);
    rig_feed(&r, "<db:result from='victim.example' to='ours.example' type='valid'/>"
                 "<db:result from='their.example' to='second.example' type='valid'/>"
                 "<db:result from='their.example' to='a@ours.example' type='valid'/>"
                 "<db:result from='their.example' to='ours.example'/>"
                 "<db:result from='their.example' to='ours.example' type='odd'/>");
    for (int i = 0; i < 5; i++) {
        EXPECT(&r, NOTE);
    }
    EXPECT(&r, MORE);
    cr_assert_eq(stream_pair_count(r.s), 0);
    cr_assert_not(stream_is_open(r.s));
    EXPECT_TEXT(&r, "");
    rig_feed(&r, "<db:result from='their.example' to='ours.example' type='valid'/>");
    EXPECT(&r, READY);
    /* The same again. */
    rig_feed(&r, "<db:result from='their.example' to='ours.example' type='invalid'/>");
    EXPECT(&r, NOTE);
    cr_assert_eq(stream_pair_count(r.s), 1);
    rig_free(&r);

    /* Before dialback has begun. */
    start_out(&r, is_bytewise, STREAM_METHOD_EXTERNAL);
    rig_feed(&r, THEIR_ANSWER "<db:result from='their.example' to='ours.example' type='valid'/>");
    EXPECT(&r, NOTE);
    cr_assert_not(stream_is_open(r.s));
    rig_free(&r);
}

SCRIPT(security, SEC_02_verify_answer_on_a_stream_that_never_asked)
{
    struct rig r;
    struct stream_verify v = {SLICE_LIT("ours.example"), SLICE_LIT("their.example"),
                              SLICE_LIT("in1"), SLICE_LIT("k")};

    start_out(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN);
    cr_assert_eq(stream_send_verify(r.s, r.now_ms, &v), 0);
    /* Right in every part, but the question has not left yet. */
    rig_feed(&r, THEIR_ANSWER
             "<db:verify from='their.example' to='ours.example' id='in1' type='valid'/>");
    EXPECT(&r, NOTE);
    rig_feed(&r, FEATURES(DIALBACK));
    rig_feed(&r, "<db:verify from='their.example' to='ours.example' id='in2' type='valid'/>"
                 "<db:verify from='other.example' to='ours.example' id='in1' type='valid'/>"
                 "<db:verify from='their.example' to='other.example' id='in1' type='valid'/>"
                 "<db:verify from='their.example' to='ours.example' type='valid'/>"
                 "<db:verify from='their.example' to='ours.example' id='in1'/>");
    for (int i = 0; i < 5; i++) {
        EXPECT(&r, NOTE);
    }
    rig_feed(&r, "<db:verify from='their.example' to='ours.example' id='in1' type='valid'/>"
                 "<db:verify from='their.example' to='ours.example' id='in1' type='valid'/>");
    EXPECT(&r, VERIFY_ANSWER);
    EXPECT(&r, NOTE);
    EXPECT(&r, MORE);
    rig_free(&r);
}

SCRIPT(security, SEC_03_answers_on_an_incoming_stream)
{
    struct rig r;

    start_in(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    rig_feed(&r, THEIR_HEADER RESULT);
    EXPECT(&r, VERIFY_WANTED);
    (void)rig_out(&r);
    rig_feed(&r, "<db:verify from='their.example' to='ours.example' id='x' type='valid'/>"
                 "<db:result from='their.example' to='ours.example' type='valid'/>");
    EXPECT(&r, NOTE);
    EXPECT(&r, NOTE);
    EXPECT_TEXT(&r, "");
    rig_feed(&r, MESSAGE);
    EXPECT_FAILED(&r, STANZA, NOT_AUTHORIZED);
    rig_free(&r);
}

SCRIPT(security, SEC_04_domains_that_merely_look_like_the_asked_one)
{
    const char *const names[] = {"nottheir.example", "their.example.evil", "heir.example",
                                 "x.their.example", "their.exampl"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct rig r;
        struct stream_verify v = {SLICE_LIT("ours.example"), SLICE_LIT("their.example"),
                                  SLICE_LIT("in1"), SLICE_LIT("k")};
        char text[300];

        start_out(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN);
        rig_feed(&r, THEIR_ANSWER FEATURES(DIALBACK));
        cr_assert_eq(stream_send_verify(r.s, r.now_ms, &v), 0);
        (void)snprintf(text, sizeof(text),
                       "<db:verify from='%s' to='ours.example' id='in1' type='valid'/>"
                       "<db:result from='%s' to='ours.example' type='valid'/>",
                       names[i], names[i]);
        rig_feed(&r, text);
        EXPECT(&r, NOTE);
        EXPECT(&r, NOTE);
        cr_assert_eq(stream_pair_count(r.s), 0);
        rig_free(&r);
    }
}

SCRIPT(security, SEC_08_verification_of_an_earlier_stream)
{
    struct rig r;
    char id[80];

    start_in(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    rig_feed(&r, THEIR_HEADER RESULT);
    (void)snprintf(id, sizeof(id), "%s", EXPECT(&r, VERIFY_WANTED)->id);
    rig_free(&r);

    /* The same pair, asked on a new stream: the late answer is about another id. */
    start_in(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    rig_feed(&r, THEIR_HEADER RESULT);
    cr_assert_str_neq(EXPECT(&r, VERIFY_WANTED)->id, id);
    rig_verify_result(&r, "ours.example", "their.example", id, DIALBACK_VALID, 0);
    EXPECT(&r, MORE);
    cr_assert_eq(stream_pair_count(r.s), 0);
    rig_free(&r);
}

SCRIPT(security, SEC_09_other_domain_than_the_certificate_under_external_only)
{
    struct rig r;

    start_in(&r, is_bytewise, STREAM_METHOD_EXTERNAL | STREAM_METHOD_CERTIFICATE, true);
    rig_feed(&r, THEIR_HEADER AUTH("="));
    EXPECT(&r, PAIR_AUTHENTICATED);
    rig_feed(&r, THEIR_HEADER);
    (void)rig_out(&r);
    rig_feed(&r, "<db:result from='victim.example' to='ours.example'>k</db:result>");
    EXPECT(&r, NOTE);
    EXPECT_OUT(&r, "to=\"victim.example\" type=\"error\"><error type=\"auth\"><not-authorized ");
    rig_feed(&r, "<message from='a@victim.example' to='b@ours.example'/>");
    EXPECT_FAILED(&r, STANZA, INVALID_FROM);
    rig_free(&r);

    /* A second name of the same certificate may be added. */
    start_in(&r, is_bytewise, STREAM_METHOD_EXTERNAL | STREAM_METHOD_CERTIFICATE, true);
    r.certificates[1] = "rooms.their.example";
    rig_feed(&r, THEIR_HEADER AUTH("="));
    EXPECT(&r, PAIR_AUTHENTICATED);
    rig_feed(&r, THEIR_HEADER "<db:result from='rooms.their.example' to='ours.example'/>");
    cr_assert_eq(EXPECT(&r, PAIR_AUTHENTICATED)->method, STREAM_METHOD_CERTIFICATE);
    rig_feed(&r, "<message from='rooms.their.example' to='b@ours.example'/>");
    EXPECT(&r, STANZA);
    rig_free(&r);

    /* EXTERNAL alone: no dialback of any kind. */
    start_in(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    rig_feed(&r, THEIR_HEADER RESULT);
    EXPECT(&r, NOTE);
    EXPECT_OUT(&r, "type=\"error\"", "<not-authorized ");
    rig_free(&r);
}

SCRIPT(security, SEC_11_stanzas_without_a_usable_from)
{
    const struct {
        const char *stanza;
        const char *condition;
    } cases[] = {
        {"<message to='b@ours.example'/>", "<improper-addressing "},
        {"<message from='' to='b@ours.example'/>", "<improper-addressing "},
        {"<message from='/r' to='b@ours.example'/>", "<improper-addressing "},
        {"<message from='@their.example' to='b@ours.example'/>", "<improper-addressing "},
        {"<message from='a@their.example'/>", "<improper-addressing "},
        {"<message from='a@their.example' to=''/>", "<improper-addressing "},
        {"<message from='a@their.example' from='a@their.example' to='b@ours.example'/>",
         "<not-well-formed "},
        {"<message from='a@other.example' to='b@ours.example'/>", "<invalid-from "},
        {"<message from='a@x.their.example' to='b@ours.example'/>", "<invalid-from "},
        {"<message from='a@their.example.' to=':'/>", NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig r;

        start_in(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
        prove(&r);
        rig_feed(&r, cases[i].stanza);
        if (cases[i].condition) {
            EXPECT(&r, FAILED);
            EXPECT_OUT(&r, "<stream:error>", cases[i].condition, "</stream:stream>");
        } else {
            EXPECT(&r, STANZA_BAD);
        }
        EXPECT(&r, MORE);
        rig_free(&r);
    }
}

SCRIPT(security, stanzas_of_a_pair_that_is_only_asked_for)
{
    struct rig r;

    start_in(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    r.locals[1] = "second.example";
    prove(&r);
    rig_feed(&r, "<db:result from='their.example' to='second.example'>k</db:result>");
    EXPECT(&r, VERIFY_WANTED);
    rig_feed(&r, "<message from='a@their.example' to='b@second.example'/>");
    cr_assert_eq(EXPECT(&r, STANZA_BAD)->condition, STANZA_CONDITION_NOT_AUTHORIZED);
    rig_feed(&r, "<db:result from='victim.example' to='ours.example'>k</db:result>");
    EXPECT(&r, VERIFY_WANTED);
    rig_feed(&r, "<message from='a@victim.example' to='b@ours.example'/>");
    EXPECT_FAILED(&r, STANZA, INVALID_FROM);
    rig_free(&r);
}

SCRIPT(security, SEC_12_stanzas_on_a_stream_that_we_opened)
{
    const char *const steps[] = {THEIR_ANSWER, THEIR_ANSWER FEATURES(STARTTLS)};
    struct rig r;

    for (size_t i = 0; i < 2; i++) {
        start_out(&r, is_bytewise, ALL_METHODS);
        rig_feed(&r, steps[i]);
        rig_feed(&r, MESSAGE);
        EXPECT_FAILED(&r, STANZA, NOT_AUTHORIZED);
        rig_free(&r);
    }
    /* During SASL, and when everything is proved. */
    start_out(&r, is_bytewise, STREAM_METHOD_EXTERNAL);
    rig_feed(&r, THEIR_ANSWER FEATURES(STARTTLS) "<proceed " NS_TLS_X "/>");
    EXPECT(&r, START_TLS);
    rig_secured(&r, "");
    rig_feed(&r, THEIR_ANSWER FEATURES(EXTERNAL) MESSAGE);
    EXPECT_FAILED(&r, STANZA, NOT_AUTHORIZED);
    rig_free(&r);

    start_out(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN);
    rig_feed(&r, THEIR_ANSWER FEATURES(DIALBACK));
    rig_feed(&r, "<db:result from='their.example' to='ours.example' type='valid'/>" MESSAGE);
    EXPECT(&r, READY);
    EXPECT_FAILED(&r, STANZA, NOT_AUTHORIZED);
    rig_free(&r);
}

SCRIPT(security, SEC_14_a_peer_that_says_it_is_us)
{
    struct rig r;

    start_in(&r, is_bytewise, ALL_METHODS, false);
    r.locals[1] = "second.example";
    rig_feed(&r, HEADER_START "from='second.example' to='ours.example' version='1.0'>");
    EXPECT_FAILED(&r, HEADER, UNDEFINED_CONDITION);
    rig_free(&r);

    start_in(&r, is_bytewise, ALL_METHODS, false);
    rig_feed(&r, HEADER_START "from='OURS.example' to='ours.example' version='1.0'>");
    EXPECT_FAILED(&r, HEADER, UNDEFINED_CONDITION);
    rig_free(&r);

    start_in(&r, is_bytewise, ALL_METHODS, false);
    rig_feed(&r, THEIR_HEADER "<db:result from='ours.example' to='ours.example'>k</db:result>");
    EXPECT_FAILED(&r, DIALBACK, UNDEFINED_CONDITION);
    rig_free(&r);
}

SCRIPT(security, SEC_16_verifications_are_capped)
{
    struct rig r;
    uint32_t asked = 0;

    start_in(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    prove(&r);
    for (uint32_t i = 0; i < 200; i++) {
        char text[200];
        const char *out;

        (void)snprintf(text, sizeof(text),
                       "<db:result from='v%u.example' to='ours.example'>k</db:result>", i);
        rig_feed(&r, text);
        out = rig_out(&r);
        if (r.log[r.log_read].kind == STREAM_VERIFY_WANTED) {
            EXPECT(&r, VERIFY_WANTED);
            asked++;
        } else {
            EXPECT(&r, NOTE);
            cr_assert(strstr(out, "<resource-constraint "), "%s", out);
        }
    }
    cr_assert_eq(asked, r.limits.verifies_max);
    rig_feed(&r, MESSAGE); /* the innocent pair lives */
    EXPECT(&r, STANZA);
    rig_free(&r);

    /* Before anything is proved the stream ends soon. */
    start_in(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    r.unknown = "v.example";
    rig_feed(&r, THEIR_HEADER);
    for (uint32_t i = 0; i < r.limits.early_elements_max; i++) {
        rig_feed(&r, "<db:result from='v.example' to='ours.example'>k</db:result>");
        EXPECT(&r, NOTE);
    }
    rig_feed(&r, "<db:result from='v.example' to='ours.example'>k</db:result>");
    EXPECT_FAILED(&r, DIALBACK, POLICY_VIOLATION);
    rig_free(&r);
}

SCRIPT(security, SEC_17_authorisation_identities)
{
    const struct {
        const char *plain; /* encoded by the test; NULL = raw is sent */
        size_t len;
        const char *raw;
        const char *failure; /* NULL = accepted */
    } cases[] = {
        {"victim.example", 14, NULL, "<invalid-authzid/>"},
        {"a@their.example", 15, NULL, "<invalid-authzid/>"},
        {"their.example/x", 15, NULL, "<invalid-authzid/>"},
        {"THEIR.Example", 13, NULL, NULL},
        {"their.example.", 14, NULL, NULL},
        {"their.example\0x", 15, NULL, "<invalid-authzid/>"},
        {"x.their.example", 15, NULL, "<invalid-authzid/>"},
        {"their", 5, NULL, "<invalid-authzid/>"},
        {NULL, 0, "=", NULL},
        {NULL, 0, "dGhlaXI", "<incorrect-encoding/>"},
        {NULL, 0, "?!", "<incorrect-encoding/>"},
        {NULL, 0, "====", "<incorrect-encoding/>"},
        {NULL, 0, "<x/>", "<malformed-request/>"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig r;
        struct buf text;

        start_in(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
        rig_feed(&r, THEIR_HEADER);
        buf_init(&text, 4096);
        buf_put_cstr(&text, "<auth " NS_SASL_X " mechanism='EXTERNAL'>");
        if (cases[i].plain) {
            base64_put(&text, slice_make(cases[i].plain, cases[i].len));
        } else {
            buf_put_cstr(&text, cases[i].raw);
        }
        buf_put_cstr(&text, "</auth>");
        rig_feed_slice(&r, buf_slice(&text));
        buf_deinit(&text);
        if (cases[i].failure) {
            EXPECT(&r, NOTE);
            EXPECT_OUT(&r, "<failure ", cases[i].failure);
        } else {
            EXPECT(&r, PAIR_AUTHENTICATED);
        }
        EXPECT(&r, MORE);
        rig_free(&r);
    }
}

SCRIPT(security, SEC_17_authorisation_identity_of_100_kib)
{
    const size_t len = 100 * 1024;
    char *text = malloc(len);
    struct rig r;

    cr_assert(text);
    memset(text, 'A', len);
    start_in(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    rig_feed(&r, THEIR_HEADER "<auth " NS_SASL_X " mechanism='EXTERNAL'>");
    rig_feed_slice(&r, slice_make(text, len));
    EXPECT_FAILED(&r, XML, POLICY_VIOLATION);
    EXPECT_OUT(&r, "<stanza-too-big xmlns=\"urn:xmpp:errors\"/>");
    rig_free(&r);

    /* Within what XML allows, above what a domain can be. */
    start_in(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    rig_feed(&r, THEIR_HEADER "<auth " NS_SASL_X " mechanism='EXTERNAL'>");
    rig_feed_slice(&r, slice_make(text, 4000));
    rig_feed(&r, "</auth>");
    EXPECT(&r, NOTE);
    EXPECT_OUT(&r, "<invalid-authzid/>");
    rig_free(&r);
    free(text);
}

SCRIPT(security, SEC_18_sasl_out_of_turn)
{
    const struct {
        const char *script;
        const char *failure;
    } cases[] = {
        {AUTH("") AUTH("="), "<malformed-request/>"},
        {"<response " NS_SASL_X ">=</response>", "<malformed-request/>"},
        {"<abort " NS_SASL_X "/>", "<malformed-request/>"},
        {AUTH("") "<abort " NS_SASL_X "/>", "<aborted/>"},
        {"<auth " NS_SASL_X " mechanism='PLAIN'>AGEAYg==</auth>", "<invalid-mechanism/>"},
        {"<auth " NS_SASL_X "/>", "<invalid-mechanism/>"},
        {AUTH("") "<response " NS_SASL_X "><x/></response>", "<malformed-request/>"},
    };
    struct rig r;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        start_in(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
        rig_feed(&r, THEIR_HEADER);
        rig_feed(&r, cases[i].script);
        EXPECT(&r, NOTE);
        EXPECT_OUT(&r, "<failure ", cases[i].failure);
        cr_assert_eq(stream_pair_count(r.s), 0);
        /* The right way is still open. */
        rig_feed(&r, AUTH("="));
        EXPECT(&r, PAIR_AUTHENTICATED);
        rig_free(&r);
    }
    /* After success. */
    start_in(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    rig_feed(&r, THEIR_HEADER AUTH("="));
    EXPECT(&r, PAIR_AUTHENTICATED);
    rig_feed(&r, THEIR_HEADER AUTH("="));
    EXPECT(&r, NOTE);
    EXPECT_OUT(&r, "<success", "<failure ");
    rig_feed(&r, AUTH("=") AUTH("="));
    EXPECT(&r, NOTE);
    EXPECT_FAILED(&r, SASL, POLICY_VIOLATION);
    rig_free(&r);
    /* No end of tries. */
    start_in(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    rig_feed(&r, THEIR_HEADER AUTH("!") AUTH("!"));
    EXPECT(&r, NOTE);
    EXPECT(&r, NOTE);
    rig_feed(&r, AUTH("!"));
    EXPECT_FAILED(&r, SASL, POLICY_VIOLATION);
    rig_free(&r);
}

SCRIPT(security, SEC_19_a_later_header_with_other_addresses)
{
    const char *const headers[] = {
        HEADER_START "from='other.example' to='ours.example' version='1.0'>",
        HEADER_START "from='their.example' to='second.example' version='1.0'>",
    };
    struct rig r;

    for (size_t i = 0; i < 2; i++) {
        start_in(&r, is_bytewise, ALL_METHODS, false);
        r.locals[1] = "second.example";
        r.certificates[1] = "other.example";
        rig_feed(&r, THEIR_HEADER STARTTLS);
        EXPECT(&r, START_TLS);
        rig_secured(&r, "");
        rig_feed(&r, headers[i]);
        EXPECT_FAILED(&r, HEADER, IMPROPER_ADDRESSING);
        rig_free(&r);

        start_in(&r, is_bytewise, ALL_METHODS, true);
        r.locals[1] = "second.example";
        rig_feed(&r, THEIR_HEADER AUTH("="));
        EXPECT(&r, PAIR_AUTHENTICATED);
        rig_feed(&r, headers[i]);
        EXPECT_FAILED(&r, HEADER, IMPROPER_ADDRESSING);
        rig_free(&r);
    }
    /* A from that only the plain header had identifies nobody over TLS. */
    start_in(&r, is_bytewise, STREAM_METHOD_EXTERNAL, false);
    rig_feed(&r, THEIR_HEADER STARTTLS);
    EXPECT(&r, START_TLS);
    rig_secured(&r, "");
    rig_feed(&r, HEADER_START "to='ours.example' version='1.0'>");
    EXPECT_FAILED(&r, HEADER, IMPROPER_ADDRESSING);
    rig_free(&r);
}

/* --- TLS --- */

SCRIPT(security, SEC_30_bytes_injected_behind_starttls)
{
    struct rig r;
    const char *const injected[] = {STARTTLS MESSAGE, STARTTLS " ", STARTTLS AUTH("=")};

    for (size_t i = 0; i < 3; i++) {
        start_in(&r, is_bytewise, ALL_METHODS, false);
        rig_feed(&r, THEIR_HEADER);
        rig_feed(&r, injected[i]);
        if (is_bytewise) {
            EXPECT(&r, START_TLS); /* the next byte shows it */
        }
        EXPECT_FAILED(&r, STARTTLS, POLICY_VIOLATION);
        EXPECT(&r, MORE);
        rig_free(&r);
    }
    start_out(&r, is_bytewise, STREAM_METHOD_EXTERNAL);
    rig_feed(&r, THEIR_ANSWER FEATURES(STARTTLS) "<proceed " NS_TLS_X "/>" THEIR_ANSWER);
    if (is_bytewise) {
        EXPECT(&r, START_TLS);
    }
    EXPECT_FAILED(&r, STARTTLS, POLICY_VIOLATION);
    rig_free(&r);
}

SCRIPT(security, SEC_30_nothing_of_the_plain_stream_survives_tls)
{
    struct rig r;

    /* A namespace declared before TLS is gone after it. */
    start_in(&r, is_bytewise, ALL_METHODS, false);
    rig_feed(&r, "<stream:stream xmlns='jabber:server' xmlns:q='jabber:server:dialback' "
                 "xmlns:stream='http://etherx.jabber.org/streams' from='their.example' "
                 "to='ours.example' version='1.0'>" STARTTLS);
    EXPECT(&r, START_TLS);
    rig_secured(&r, "");
    rig_feed(&r, THEIR_HEADER "<q:result from='their.example' to='ours.example'>k</q:result>");
    EXPECT_FAILED(&r, XML, NOT_WELL_FORMED);
    rig_free(&r);
}

SCRIPT(security, SEC_31_plain_peers_where_tls_is_required)
{
    const struct {
        const char *script;
        const char *answer;
    } cases[] = {
        {RESULT, "<policy-violation "},
        {AUTH("="), "<encryption-required/>"},
        {MESSAGE, "<not-authorized "},
        {"<iq from='their.example' to='ours.example' id='1' type='get'>"
         "<ping xmlns='urn:xmpp:ping'/></iq>",
         "<not-authorized "},
        {"<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>",
         "<unsupported-stanza-type "},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig r;

        start_in(&r, is_bytewise, STREAM_METHOD_EXTERNAL | STREAM_METHOD_DIALBACK_TLS, false);
        rig_feed(&r, THEIR_HEADER);
        (void)rig_out(&r);
        rig_feed(&r, cases[i].script);
        EXPECT_OUT(&r, cases[i].answer);
        for (uint32_t e = 0; e < r.log_count; e++) {
            cr_assert(r.log[e].kind == STREAM_NOTE || r.log[e].kind == STREAM_FAILED);
        }
        cr_assert_eq(stream_pair_count(r.s), 0);
        rig_free(&r);
    }
    /* Pre-1.0. */
    for (int i = 0; i < 2; i++) {
        struct rig r;

        start_in(&r, is_bytewise, STREAM_METHOD_EXTERNAL | STREAM_METHOD_DIALBACK_TLS, false);
        rig_feed(&r, i ? HEADER_START "from='their.example' to='ours.example'>" : HEADER_START ">");
        EXPECT_FAILED(&r, STARTTLS, POLICY_VIOLATION);
        rig_free(&r);
    }
}

SCRIPT(security, SEC_32_stripped_starttls_under_required_tls)
{
    struct rig r;

    start_out(&r, is_bytewise, STREAM_METHOD_EXTERNAL | STREAM_METHOD_DIALBACK_TLS);
    rig_feed(&r, THEIR_ANSWER FEATURES(EXTERNAL DIALBACK));
    EXPECT_OUT(&r, "<starttls ");
    rig_feed(&r, "<failure " NS_TLS_X "/>");
    EXPECT_FAILED(&r, STARTTLS, POLICY_VIOLATION);
    cr_assert_null(strstr(rig_out(&r), "db:result"));
    rig_free(&r);
}

SCRIPT(security, SEC_33_failure_to_starttls_under_optional_tls)
{
    struct rig r;

    start_out(&r, is_bytewise, ALL_METHODS);
    rig_feed(&r, THEIR_ANSWER FEATURES(STARTTLS DIALBACK));
    EXPECT_OUT(&r, "<starttls ");
    rig_feed(&r, "<failure " NS_TLS_X "/>");
    EXPECT_OUT(&r, "<db:result ");
    rig_feed(&r, "<db:result from='their.example' to='ours.example' type='valid'/>");
    cr_assert_eq(EXPECT(&r, READY)->method, STREAM_METHOD_DIALBACK_PLAIN);
    rig_free(&r);

    start_out(&r, is_bytewise, STREAM_METHOD_EXTERNAL | STREAM_METHOD_DIALBACK_TLS);
    rig_feed(&r, THEIR_ANSWER FEATURES(STARTTLS DIALBACK) "<failure " NS_TLS_X "/>");
    EXPECT_FAILED(&r, STARTTLS, POLICY_VIOLATION);
    rig_free(&r);
}

SCRIPT(security, SEC_34_an_old_header_under_required_tls)
{
    struct rig r;

    start_out(&r, is_bytewise, STREAM_METHOD_EXTERNAL | STREAM_METHOD_DIALBACK_TLS);
    rig_feed(&r, HEADER_START "id='1'>");
    EXPECT_FAILED(&r, STARTTLS, POLICY_VIOLATION);
    cr_assert_null(strstr(rig_out(&r), "db:result"));
    rig_free(&r);
}

/* --- XML --- */

SCRIPT(security, SEC_51_and_53_xml_that_smuggles)
{
    const char *const texts[] = {
        "<message from='a@their.example' to='b@ours.example'><body>\xc3</body></message>",
        "<message from='a@their.example' to='b@ours.example'><body>\xe0\x80</body></message>",
        "<message from='a@their.example' to='b@ours.example'><body>&#0;</body></message>",
        "<message from='a@their.example' to='b@ours.example'><body>\x01</body></message>",
        "<!-- x -->",
        "<?xml version='1.0'?>",
        "<message from='a@their.example' to='b@ours.example'><body>&e;</body></message>",
        "<a:message from='a@their.example' to='b@ours.example'/>",
        "<message from='a@their.example' to='b@ours.example'></presence>",
        "text",
    };
    struct rig r;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        start_in(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
        prove(&r);
        rig_feed(&r, texts[i]);
        cr_assert_eq(EXPECT(&r, FAILED)->failure.step, STREAM_STEP_XML, "%zu", i);
        EXPECT(&r, MORE);
        rig_free(&r);
    }
    start_in(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    prove(&r);
    rig_feed(&r, "<message from='a@their.example' to='b@ours.example'><body><![CDATA[</body>"
                 "</message><presence from='victim'/>]]></body></message>");
    cr_assert(strstr(EXPECT(&r, STANZA)->stanza, "</body></message><presence from='victim'/>"));
    EXPECT(&r, MORE);
    rig_free(&r);
}

SCRIPT(security, SEC_54_early_xml_is_small)
{
    struct buf text;
    struct rig r;

    buf_init(&text, 1 << 20);
    for (int kind = 0; kind < 3; kind++) {
        buf_clear(&text);
        buf_put_lit(&text, "<db:result ");
        for (int i = 0; i < 3000; i++) {
            if (kind == 0) {
                buf_printf(&text, "a%d='' ", i);
            } else if (kind == 1) {
                buf_printf(&text, "xmlns:a%d='x' ", i);
            }
        }
        buf_putc(&text, '>');
        for (int i = 0; i < 3000 && kind == 2; i++) {
            buf_put_lit(&text, "<a>");
        }
        start_in(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
        rig_feed(&r, THEIR_HEADER);
        rig_feed_slice(&r, buf_slice(&text));
        EXPECT_FAILED(&r, XML, POLICY_VIOLATION);
        rig_free(&r);
    }
    /* Many small elements of allowed kinds: bytes in total. */
    rig_init(&r, STREAM_METHOD_DIALBACK_PLAIN);
    r.is_bytewise = is_bytewise;
    r.limits.early_bytes_max = 2000;
    rig_start_in(&r, false);
    rig_feed(&r, THEIR_HEADER);
    for (int i = 0; i < 20 && stream_deadline(r.s) != STREAM_NEVER; i++) {
        rig_feed(&r, "<db:verify from='their.example' to='ours.example' id='1' type='valid'>"
                     "0123456789012345678901234567890123456789012345678901234567890123456789"
                     "</db:verify>");
    }
    cr_assert_eq(r.log[r.log_count - 1].failure.condition, STREAM_CONDITION_POLICY_VIOLATION);
    rig_free(&r);
    buf_deinit(&text);
}

SCRIPT(security, SEC_59_a_stanza_of_limit_and_limit_plus_one)
{
    const char *const open = "<message from='a@their.example' to='b@ours.example'><body>";
    const char *const close = "</body></message>";
    const size_t frame = strlen(open) + strlen(close);

    for (size_t extra = 0; extra < 3; extra++) {
        const size_t limit = 12000;
        struct buf text;
        struct rig r;

        rig_init(&r, STREAM_METHOD_DIALBACK_PLAIN);
        r.is_bytewise = is_bytewise;
        r.limits.stanza_bytes_max = (uint32_t)limit;
        rig_start_in(&r, false);
        prove(&r);
        buf_init(&text, limit + 10);
        buf_put_cstr(&text, open);
        for (size_t i = frame; i < limit - 1 + extra; i++) {
            buf_putc(&text, 'x');
        }
        buf_put_cstr(&text, close);
        cr_assert_eq(buf_len(&text), limit - 1 + extra);
        rig_feed_slice(&r, buf_slice(&text));
        if (extra < 2) {
            EXPECT(&r, STANZA);
        } else {
            EXPECT_FAILED(&r, XML, POLICY_VIOLATION);
        }
        EXPECT(&r, MORE);
        buf_deinit(&text);
        rig_free(&r);
    }
}

SCRIPT(security, SEC_61_elements_that_no_stream_carries)
{
    const struct {
        const char *element;
        const char *condition;
    } cases[] = {
        {"<message xmlns='jabber:client' from='a@their.example' to='b@ours.example'/>",
         "<invalid-namespace "},
        {"<message xmlns='' from='a@their.example' to='b@ours.example'/>",
         "<unsupported-stanza-type "},
        {"<thing from='a@their.example' to='b@ours.example'/>", "<unsupported-stanza-type "},
        {"<x xmlns='some:thing'/>", "<unsupported-stanza-type "},
        {"<stream:features/>", "<unsupported-stanza-type "},
        {"<bidi xmlns='urn:xmpp:bidi'/>", "<unsupported-stanza-type "},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig r;

        start_in(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
        prove(&r);
        rig_feed(&r, cases[i].element);
        EXPECT(&r, FAILED);
        EXPECT_OUT(&r, cases[i].condition);
        EXPECT(&r, MORE);
        rig_free(&r);
    }
}

/* --- resources --- */

SCRIPT(security, SEC_76_acks_that_do_not_add_up)
{
    const char *const bad[] = {"<a xmlns='urn:xmpp:sm:3' h='3'/>",
                               "<a xmlns='urn:xmpp:sm:3' h='4294967296'/>",
                               "<a xmlns='urn:xmpp:sm:3' h='-1'/>", "<a xmlns='urn:xmpp:sm:3'/>",
                               "<a xmlns='urn:xmpp:sm:3' h='2'/><a xmlns='urn:xmpp:sm:3' h='1'/>"};
    struct rig r;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        start_out(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN);
        r.rules.acks = true;
        rig_feed(&r, THEIR_ANSWER FEATURES(DIALBACK "<sm xmlns='urn:xmpp:sm:3'/>"));
        rig_feed(&r, "<db:result from='their.example' to='ours.example' type='valid'/>"
                     "<enabled xmlns='urn:xmpp:sm:3'/>");
        EXPECT(&r, READY);
        stream_sent(r.s, r.now_ms, 2);
        (void)rig_out(&r);
        rig_feed(&r, bad[i]);
        if (i == 4) {
            EXPECT(&r, ACKED);
        }
        EXPECT_FAILED(&r, ACKS, UNDEFINED_CONDITION);
        EXPECT_OUT(&r, "<undefined-condition ", "<handled-count-too-high xmlns=\"urn:xmpp:sm:3\"",
                   "send-count=\"2\"");
        rig_free(&r);
    }
    /* Incoming: enable twice, resume, an answer to nothing. */
    start_in(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    r.rules.acks = true;
    rig_feed(&r, THEIR_HEADER AUTH("="));
    EXPECT(&r, PAIR_AUTHENTICATED);
    rig_feed(&r, THEIR_HEADER "<enable xmlns='urn:xmpp:sm:3'/><enable xmlns='urn:xmpp:sm:3'/>");
    EXPECT(&r, NOTE);
    EXPECT_OUT(&r, "<enabled xmlns=\"urn:xmpp:sm:3\"/>", "<failed ", "<unexpected-request ");
    rig_feed(&r, "<resume xmlns='urn:xmpp:sm:3' h='1' previd='x'/>");
    EXPECT(&r, NOTE);
    EXPECT_OUT(&r, "<failed ", "<item-not-found ");
    rig_feed(&r, "<a xmlns='urn:xmpp:sm:3' h='1'/>");
    EXPECT_FAILED(&r, ACKS, UNDEFINED_CONDITION);
    rig_free(&r);
}

SCRIPT(security, SEC_77_stanzas_that_meet_our_close)
{
    struct rig r;

    start_in(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    prove(&r);
    stream_close(r.s, r.now_ms, STREAM_CONDITION_SYSTEM_SHUTDOWN, "");
    rig_feed(&r, MESSAGE RESULT MESSAGE "</stream:stream>");
    EXPECT(&r, STANZA);
    EXPECT(&r, STANZA);
    EXPECT(&r, CLOSED);
    rig_feed(&r, MESSAGE);
    EXPECT(&r, MORE);
    rig_free(&r);
}

SCRIPT(security, SEC_78_untrusted_text_is_escaped_and_cut)
{
    struct rig r;
    struct buf text;
    const struct rig_event *e;

    buf_init(&text, 20000);
    buf_put_lit(&text, THEIR_ANSWER "<stream:error><undefined-condition "
                                    "xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
                                    "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>\n&#9;");
    for (int i = 0; i < 5000; i++) {
        buf_putc(&text, 'x');
    }
    buf_put_lit(&text, "</text></stream:error>");
    start_out(&r, is_bytewise, ALL_METHODS);
    rig_feed_slice(&r, buf_slice(&text));
    e = EXPECT_FAILED(&r, STREAM_ERROR, UNDEFINED_CONDITION);
    cr_assert_null(strpbrk(e->text, "\n\t"));
    cr_assert_lt(strlen(e->text), 400);
    rig_free(&r);
    buf_deinit(&text);
}

SCRIPT(security, stanzas_to_foreign_domains_end_the_stream_at_last)
{
    struct rig r;

    start_in(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    prove(&r);
    for (uint32_t i = 0; i < 16; i++) {
        rig_feed(&r, "<message from='a@their.example' to='b@nowhere.example'/>");
        EXPECT(&r, STANZA_BAD);
    }
    rig_feed(&r, MESSAGE); /* a good one in between: no abuse */
    EXPECT(&r, STANZA);
    for (uint32_t i = 0; i < 16; i++) {
        rig_feed(&r, "<message from='a@their.example' to='b@nowhere.example'/>");
        EXPECT(&r, STANZA_BAD);
    }
    rig_feed(&r, "<message from='a@their.example' to='b@nowhere.example'/>");
    EXPECT_FAILED(&r, STANZA, HOST_UNKNOWN);
    rig_free(&r);
}
