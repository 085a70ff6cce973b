/* SPDX-License-Identifier: GPL-2.0-or-later */
/* security_tls: SASL out of turn, headers behind it, TLS that is cut out (security.h). */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/base64.h"
#include "security.h"

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
