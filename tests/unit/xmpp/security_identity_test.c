/* SPDX-License-Identifier: GPL-2.0-or-later */
/* security_identity: who a peer says it is: dialback, certificates, addresses (security.h). */
#include <criterion/criterion.h>
#include <stdio.h>

#include "security.h"

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
