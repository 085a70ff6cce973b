/* SPDX-License-Identifier: GPL-2.0-or-later */
/* review: live streams when the rules change: which pairs go, which stay, and timers by the rules
 * in force. */
#include <criterion/criterion.h>

#include "rig.h"

#define AUTH "<auth " NS_SASL_X " mechanism='EXTERNAL'>dGhlaXIuZXhhbXBsZQ==</auth>"
#define RESULT(from) "<db:result from='" from "' to='ours.example'>key</db:result>"
#define MESSAGE(from) "<message from='a@" from "' to='b@ours.example'><body>x</body></message>"

static const struct stream_refusal gone = {STREAM_CONDITION_POLICY_VIOLATION,
                                           STANZA_CONDITION_NOT_AUTHORIZED, "gone"};
static const struct stream_refusal lost = {STREAM_CONDITION_NOT_AUTHORIZED,
                                           STANZA_CONDITION_NOT_AUTHORIZED, "lost"};

static const struct stream_refusal *review(struct rig *r, uint32_t lost_methods)
{
    return stream_review(r->s, r->now_ms,
                         &(struct stream_review){.lost_methods = lost_methods, .lost = &lost});
}

/* Authenticated by EXTERNAL for their.example and, by its certificate, for sub.example. */
static void two_pairs(struct rig *r, bool is_bytewise)
{
    rig_init(r, STREAM_METHOD_EXTERNAL | STREAM_METHOD_CERTIFICATE);
    r->is_bytewise = is_bytewise;
    r->certificates[0] = "their.example";
    r->certificates[1] = "sub.example";
    r->refusal = &gone;
    rig_start_in(r, true);
    rig_feed(r, THEIR_HEADER AUTH);
    EXPECT(r, PAIR_AUTHENTICATED);
    rig_feed(r, THEIR_HEADER RESULT("sub.example"));
    EXPECT(r, PAIR_AUTHENTICATED);
    (void)rig_out(r);
    r->rules_version++;
}

SCRIPT(review, a_refused_pair_goes_and_the_others_stay)
{
    struct rig r;

    two_pairs(&r, is_bytewise);
    r.unknown = "sub.example";
    cr_assert_null(review(&r, 0));
    EXPECT_TEXT(&r, "");
    rig_feed(&r, MESSAGE("sub.example") MESSAGE("their.example"));
    cr_assert_eq(EXPECT(&r, STANZA_BAD)->condition, STANZA_CONDITION_POLICY_VIOLATION);
    EXPECT(&r, STANZA);
    /* Asked for again it is judged as new. */
    rig_feed(&r, RESULT("sub.example"));
    EXPECT(&r, NOTE);
    EXPECT_OUT(&r, "type=\"error\"");
    rig_feed(&r, MESSAGE("their.example"));
    EXPECT(&r, STANZA);
    rig_free(&r);
}

SCRIPT(review, a_pair_allowed_again_carries_again)
{
    struct rig r;

    two_pairs(&r, is_bytewise);
    r.unknown = "sub.example";
    cr_assert_null(review(&r, 0));
    r.unknown = NULL;
    r.rules_version++;
    /* Not before the review, which alone knows of lost proofs. */
    rig_feed(&r, MESSAGE("sub.example"));
    EXPECT(&r, STANZA_BAD);
    cr_assert_null(review(&r, 0));
    rig_feed(&r, MESSAGE("sub.example"));
    EXPECT(&r, STANZA);
    rig_free(&r);
}

SCRIPT(review, a_stanza_that_comes_before_the_review_meets_the_new_rules)
{
    struct rig r;

    two_pairs(&r, is_bytewise);
    r.unknown = "sub.example";
    rig_feed(&r, MESSAGE("sub.example") MESSAGE("their.example"));
    EXPECT(&r, STANZA_BAD);
    EXPECT(&r, STANZA);
    rig_free(&r);
}

SCRIPT(review, stanzas_of_a_refused_pair_are_bounded)
{
    struct rig r;

    two_pairs(&r, is_bytewise);
    r.unknown = "sub.example";
    cr_assert_null(review(&r, 0));
    for (int i = 0; i < 16; i++) {
        rig_feed(&r, MESSAGE("sub.example"));
        EXPECT(&r, STANZA_BAD);
    }
    rig_feed(&r, MESSAGE("sub.example"));
    EXPECT_FAILED(&r, POLICY, POLICY_VIOLATION);
    rig_free(&r);
}

SCRIPT(review, nothing_left_is_told_with_its_reason)
{
    struct rig r;

    two_pairs(&r, is_bytewise);
    cr_assert_eq(review(&r, STREAM_METHOD_EXTERNAL | STREAM_METHOD_CERTIFICATE), &lost);
    r.rules.methods = STREAM_METHOD_DIALBACK_TLS;
    cr_assert_eq(review(&r, 0), &stream_refusal_method);
    r.rules.methods = STREAM_METHOD_CERTIFICATE;
    cr_assert_null(review(&r, 0), "sub.example is proved by that");
    r.unknown = "sub.example";
    cr_assert_not_null(review(&r, 0));
    stream_close(r.s, r.now_ms, gone.condition, gone.text);
    (void)rig_out(&r);
    cr_assert_null(review(&r, 0), "closing already");
    rig_feed(&r, MESSAGE("their.example") "</stream:stream>");
    EXPECT(&r, STANZA_BAD); /* was on its way: answered, and the close is still one in order */
    EXPECT(&r, CLOSED);
    rig_free(&r);
}

SCRIPT(review, a_header_that_named_somebody_is_enough)
{
    struct rig r;

    rig_init(&r, ALL_METHODS);
    r.is_bytewise = is_bytewise;
    r.refusal = &gone;
    rig_start_in(&r, true);
    cr_assert_null(review(&r, 0), "nobody yet");
    rig_feed(&r, THEIR_HEADER);
    cr_assert_null(review(&r, 0));
    r.unknown = "their.example";
    cr_assert_eq(review(&r, 0), &gone);
    rig_free(&r);
}

SCRIPT(review, an_incoming_stream_needs_keep_alives)
{
    struct rig r;

    two_pairs(&r, is_bytewise);
    r.rules.keepalive_ms = 300000;
    r.rules.inactivity_ms = 600000;
    cr_assert_null(review(&r, 0));
    rig_wait(&r, 299999);
    rig_feed(&r, " ");
    rig_wait(&r, 299999);
    EXPECT_TEXT(&r, "");
    stream_not_listening(r.s, r.now_ms);
    rig_wait(&r, 299999);
    EXPECT(&r, MORE);
    rig_wait(&r, 1);
    EXPECT(&r, NOTE);
    EXPECT_TEXT(&r, "</stream:stream>");
    rig_feed(&r, MESSAGE("their.example") "</stream:stream>");
    EXPECT(&r, STANZA);
    EXPECT(&r, CLOSED);
    rig_free(&r);
}

SCRIPT(review, the_peer_is_told_what_is_agreed_with_it)
{
    struct rig r;

    rig_init(&r, STREAM_METHOD_EXTERNAL);
    r.is_bytewise = is_bytewise;
    r.certificates[0] = "their.example";
    r.rules.keepalive_ms = 300000;
    r.rules.inactivity_ms = 600000;
    r.rules.stanza_bytes_max = 20000;
    rig_start_in(&r, true);
    rig_feed(&r, THEIR_HEADER);
    EXPECT_OUT(&r, "<max-bytes>20000</max-bytes><idle-seconds>300</idle-seconds>");
    rig_free(&r);
}

SCRIPT(review, timers_follow_rules_and_are_not_put_off)
{
    struct rig r;

    two_pairs(&r, is_bytewise);
    rig_wait(&r, 5000);
    r.rules.inactivity_ms = 8000;
    cr_assert_null(review(&r, 0));
    rig_wait(&r, 2999);
    cr_assert_null(review(&r, 0), "a review is no activity");
    EXPECT(&r, MORE);
    rig_wait(&r, 1);
    EXPECT(&r, NOTE);
    rig_free(&r);
}
