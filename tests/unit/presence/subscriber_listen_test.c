/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_listen: watchers who come, go and are cut off, and what did not reach them. */
#include "subscriber_help.h"

#include <inttypes.h>
#include <stdio.h>

static struct scene s;

static void setup(void)
{
    scene_start(&s);
}

static void teardown(void)
{
    scene_stop(&s);
}

TestSuite(subscriber_listen, .init = setup, .fini = teardown);

Test(subscriber_listen, unavailable_of_whom_nobody_watches_is_no_word_of_presence)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    ann(&s, "unavailable"); /* an acknowledgement of bob's own `subscribe`, say */
    fixture_run(&s.f, 200000);
    EXPECT_SAID(&s, "= active/granted");
}

Test(subscriber_listen, a_watcher_who_comes_back_within_his_grace)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    watch_back(&s);
    ann(&s, "unavailable");
    fixture_run(&s.f, 119000);
    ann(&s, "probe");
    fixture_run(&s.f, 119000);
    EXPECT_SAID(&s, "available/a1 = active/granted");
    ann(&s, "unavailable");
    ann(&s, NULL);
    fixture_run(&s.f, 200000);
    EXPECT_SAID(&s, "= active/granted");
}

Test(subscriber_listen, a_dormant_watcher_logs_in)
{
    enter(&s, SUBSCRIBER_DORMANT);
    ann(&s, "probe");
    ann(&s, "probe");
    EXPECT_SAID(&s, "new = trying/granted");
    respond(&s, 200, "");
    notify(&s, "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 available/a1 = active/granted"); /* `subscribed` is not repeated */
}

Test(subscriber_listen, a_probe_alone_that_nobody_repeats_is_forgotten)
{
    ann(&s, "probe");
    respond(&s, 503, "");
    for (uint32_t t = 0; t < SUBSCRIBER_IDLE_S + 100; t += 100) {
        fixture_run(&s.f, 100000);
        if (is_in_flight(&s)) {
            respond(&s, 503, "");
        }
    }
    cr_expect_null(contact_of(&s));
}

Test(subscriber_listen, the_undecided_are_not_given_up)
{
    enter(&s, SUBSCRIBER_PENDING);
    live(&s, 3 * 86400, "pending;expires=3600");
    cr_expect_eq(state_of(&s), SUBSCRIBER_PENDING);
    cr_expect_eq(fixture_count(&s.f.stanzas), 0);
}

Test(subscriber_listen, a_partner_that_was_cut_off_is_resumed)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    presence_partner_seen(s.f.p, SLICE_LIT("chat.example"), false);
    fixture_run(&s.f, 100);
    live(&s, 3700, "active;expires=3600");
    said(&s);
    cr_expect_eq(state_of(&s), SUBSCRIBER_DORMANT);
    cr_expect_eq(subscriber_count(contact_of(&s), SUBSCRIBER_LIVE), 0);
    presence_partner_seen(s.f.p, SLICE_LIT("chat.example"), true);
    fixture_run(&s.f, 8000);
    EXPECT_SAID(&s, "new = trying/granted");
    respond(&s, 200, "");
    notify(&s, "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 available/a1 = active/granted");
}

Test(subscriber_listen, who_left_while_the_partner_was_away)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    notify(&s, "active;expires=3600", PIDF_HEAD TUPLE("a1", "open") TUPLE("b2", "open") PIDF_TAIL);
    fixture_run(&s.f, 60000);
    said(&s);
    notify(&s, "active;expires=3600", PIDF_HEAD TUPLE("a1", "open") PIDF_TAIL);
    EXPECT_SAID(&s, "200 unavailable/b2 = active/granted"); /* into a stream that is dead */
    fixture_run(&s.f, 60000);
    presence_partner_seen(s.f.p, SLICE_LIT("chat.example"), false);
    fixture_run(&s.f, 100);
    notify(&s, "active;expires=3400", PIDF_HEAD TUPLE("a1", "open") TUPLE("c3", "open") PIDF_TAIL);
    fixture_run(&s.f, 60000);
    said(&s);
    presence_partner_seen(s.f.p, SLICE_LIT("chat.example"), true);
    fixture_run(&s.f, 8000);
    said(&s);
    cr_expect(strstr(s.said, "unavailable/b2"), "%s", s.said);
    live(&s, 7200, "active;expires=3600");
    presence_partner_seen(s.f.p, SLICE_LIT("chat.example"), false);
    fixture_run(&s.f, 100);
    said(&s);
    presence_partner_seen(s.f.p, SLICE_LIT("chat.example"), true);
    fixture_run(&s.f, 8000);
    EXPECT_SAID(&s, "available/a1 = active/granted"); /* long told, no more to be said */
}

Test(subscriber_listen, who_left_while_the_partner_was_cut_off)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    presence_partner_seen(s.f.p, SLICE_LIT("chat.example"), false);
    fixture_run(&s.f, 100);
    live(&s, 3700, "active;expires=3600");
    presence_partner_seen(s.f.p, SLICE_LIT("chat.example"), true);
    fixture_run(&s.f, 8000);
    said(&s);
    respond(&s, 200, "");
    notify(&s, "active;expires=3600", PIDF_CLOSED);
    EXPECT_SAID(&s, "200 unavailable/a1 unavailable = active/granted");
}

static void lose(enum stanza_type type)
{
    struct presence_pair pair = fixture_pair(BOB, ANN);

    presence_undelivered(s.f.p, &pair, type, STANZA_CONDITION_REMOTE_SERVER_TIMEOUT);
    fixture_settle(&s.f);
}

Test(subscriber_listen, what_did_not_arrive_is_said_again)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    notify(&s, "active;expires=3600", PIDF_HEAD TUPLE("a1", "open") TUPLE("b2", "open") PIDF_TAIL);
    notify(&s, "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 200 available/b2 unavailable/b2 = active/granted");
    lose(STANZA_TYPE_UNAVAILABLE);
    EXPECT_SAID(&s, "= active/granted");
    fixture_run(&s.f, 13000);
    EXPECT_SAID(&s, "unavailable/b2 available/a1 = active/granted");
    lose(STANZA_TYPE_SUBSCRIBED);
    fixture_run(&s.f, 25000);
    cr_expect(strstr(said(&s), "subscribed"), "%s", s.said);
    fixture_run(&s.f, 60000);
    EXPECT_SAID(&s, "= active/granted");
}

Test(subscriber_listen, refusal_that_did_not_arrive_is_said_again)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    (void)said(&s);
    presence_partner_seen(s.f.p, SLICE_LIT("chat.example"), false);
    fixture_run(&s.f, 1000);
    notify(&s, "terminated;reason=rejected", "");
    fixture_run(&s.f, 1000);
    cr_expect(strstr(said(&s), "unsubscribed"), "%s", s.said);
    lose(STANZA_TYPE_UNSUBSCRIBED);
    fixture_run(&s.f, 60000);
    EXPECT_SAID(&s, "= denied/denied");
    presence_partner_seen(s.f.p, SLICE_LIT("chat.example"), true);
    fixture_run(&s.f, 1000);
    EXPECT_SAID(&s, "unavailable unsubscribed = denied/denied");
    presence_partner_seen(s.f.p, SLICE_LIT("chat.example"), false);
    presence_partner_seen(s.f.p, SLICE_LIT("chat.example"), true);
    fixture_run(&s.f, 60000);
    EXPECT_SAID(&s, "= denied/denied");
}

Test(subscriber_listen, refusal_that_he_asks_for_himself)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    notify(&s, "terminated;reason=rejected", "");
    fixture_run(&s.f, 1000);
    lose(STANZA_TYPE_UNSUBSCRIBED);
    (void)said(&s);
    ann(&s, "probe");
    EXPECT_SAID(&s, "unsubscribed = denied/denied");
}

Test(subscriber_listen, an_end_that_did_not_arrive_is_said_again)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    until_subscribe(&s, 4000);
    respond(&s, 481, "");
    respond(&s, 503, "");
    fixture_run(&s.f, 33000);
    said(&s);
    lose(STANZA_TYPE_UNAVAILABLE);
    fixture_run(&s.f, 12000);
    said(&s);
    cr_expect(strstr(s.said, "unavailable/a1"), "%s", s.said);
}

Test(subscriber_listen, a_partner_who_never_takes_anything)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    lose(STANZA_TYPE_AVAILABLE);
    for (uint32_t t = 0; t < 7200; t += 10) {
        live(&s, 10, "active;expires=3600");
        if (fixture_count(&s.f.stanzas) > 0) {
            said(&s);
            lose(STANZA_TYPE_AVAILABLE);
        }
    }
    cr_expect_leq(presence_stats(s.f.p)->stanza_out, 30);
}
