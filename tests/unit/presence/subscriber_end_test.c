/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_end: no dialog is left behind: Expires 0, its last NOTIFY, what was abandoned on the
 * way, and forks. */
#include "subscriber_help.h"

#include "base/err.h"

static struct scene s;

static void setup(void)
{
    scene_start(&s);
}

static void teardown(void)
{
    scene_stop(&s);
}

TestSuite(subscriber_end, .init = setup, .fini = teardown);

Test(subscriber_end, unsubscribe_to_the_last_notify)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    ann(&s, "unsubscribe");
    EXPECT_SAID(&s, "end = none/none");
    respond(&s, 200, "");
    EXPECT_SAID(&s, "unsubscribed = none/none");
    cr_expect_eq(notify(&s, "terminated;reason=timeout", ""), 200);
    fixture_run(&s.f, 6000); /* its row has gone, too */
    cr_expect_null(contact_of(&s));
    cr_expect_eq(notify(&s, "terminated;reason=timeout", ""), 481);
}

Test(subscriber_end, the_last_notify_comes_before_the_response)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    ann(&s, "unsubscribe");
    cr_expect_eq(notify(&s, "active;expires=100", PIDF_OPEN), 200); /* crossed it */
    cr_expect_eq(notify(&s, "terminated;reason=timeout", ""), 200);
    EXPECT_SAID(&s, "200 200 end = none/none");
    respond(&s, 200, "");
    EXPECT_SAID(&s, "unsubscribed = none/none");
    fixture_run(&s.f, 6000);
    cr_expect_null(contact_of(&s));
}

Test(subscriber_end, a_last_notify_that_never_comes)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    ann(&s, "unsubscribe");
    respond(&s, 200, "");
    cr_expect(contact_of(&s));
    fixture_run(&s.f, 41000);
    cr_expect_null(contact_of(&s));
}

Test(subscriber_end, a_pool_that_does_not_answer)
{
    uint32_t tries = 0;

    enter(&s, SUBSCRIBER_ACTIVE);
    ann(&s, "unsubscribe");
    for (uint32_t t = 0; t < 600; t++) {
        if (is_in_flight(&s)) {
            fixture_fail(&s.f, subscribe_in_flight(&s), SIP_OUTCOME_TIMEOUT);
            tries++;
        }
        fixture_run(&s.f, 1000);
    }
    cr_expect_eq(tries, SUBSCRIBER_END_TRIES_MAX);
    cr_expect_null(contact_of(&s));
    EXPECT_SAID(&s, "unsubscribed = none/none");
}

Test(subscriber_end, a_pool_that_cannot_be_written_to)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    s.f.request_err = ERR_FULL;
    ann(&s, "unsubscribe");
    EXPECT_SAID(&s, "unsubscribed = none/none");
    fixture_run(&s.f, 300000);
    cr_expect_null(contact_of(&s));
}

Test(subscriber_end, abandoned_before_the_2xx)
{
    enter(&s, SUBSCRIBER_TRYING);
    ann(&s, "unsubscribe");
    cr_expect_eq(notify(&s, "active;expires=3600", PIDF_OPEN), 481);
    EXPECT_SAID(&s, "481 = none/none");
    respond(&s, 200, "");
    EXPECT_SAID(&s, "end = none/none");
    respond(&s, 481, "");
    EXPECT_SAID(&s, "unsubscribed = none/none");
    cr_expect_null(contact_of(&s));
}

Test(subscriber_end, abandoned_and_ended_by_itself)
{
    enter(&s, SUBSCRIBER_TRYING);
    ann(&s, "unsubscribe");
    cr_expect_eq(notify(&s, "terminated;reason=noresource", ""), 200);
    respond(&s, 200, "");
    EXPECT_SAID(&s, "200 unsubscribed = none/none");
    cr_expect_null(contact_of(&s));
}

Test(subscriber_end, abandoned_during_a_refresh)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    while (!is_in_flight(&s)) {
        fixture_run(&s.f, 10000);
    }
    said(&s);
    ann(&s, "unsubscribe");
    EXPECT_SAID(&s, "= none/none");
    respond(&s, 200, "");
    EXPECT_SAID(&s, "end = none/none");
    respond(&s, 200, "");
    EXPECT_SAID(&s, "unsubscribed = none/none");
}

Test(subscriber_end, she_asks_again_at_once)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    ann(&s, "unsubscribe");
    ann(&s, "subscribe");
    EXPECT_SAID(&s, "end new = trying/asked");
    respond(&s, 200, "");
    EXPECT_SAID(&s, "= trying/asked"); /* no `unsubscribed` now: it would end the new one */
    respond_tagged(&s, 200, "n7", "");
    notify_as(&s, "n7", "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 subscribed available/a1 = active/granted");
}

/* It waited an hour for the partner's stream; RFC 6121 3.3.3: ignored. */
Test(subscriber_end, unsubscribe_of_before_undoes_nothing)
{
    ann(&s, "unsubscribe");
    ann(&s, "subscribe");
    EXPECT_SAID(&s, "new = trying/asked");
    ann(&s, "unsubscribe");
    respond(&s, 603, "");
    fixture_run(&s.f, (SUBSCRIBER_PAY_S + 2) * 1000);
    said(&s);
    ann(&s, "unsubscribe");
    EXPECT_SAID(&s, "= none/none");
}

/* The `unsubscribed` of her denial was lost, and waits until she is there; she has left herself. */
Test(subscriber_end, what_she_ends_herself_is_not_owed)
{
    struct presence_pair pair = fixture_pair(BOB, ANN);

    enter(&s, SUBSCRIBER_DENIED);
    presence_undelivered(s.f.p, &pair, STANZA_TYPE_UNSUBSCRIBED,
                         STANZA_CONDITION_REMOTE_SERVER_TIMEOUT);
    ann(&s, "unsubscribe");
    presence_partner_seen(s.f.p, SLICE_LIT("chat.example"), false);
    presence_partner_seen(s.f.p, SLICE_LIT("chat.example"), true);
    fixture_run(&s.f, 8000);
    EXPECT_SAID(&s, "= denied/denied");
}

/* An administrator has forgotten her while she was away: she hears of it when she is back. */
Test(subscriber_end, forgotten_while_away)
{
    struct presence_pair pair = fixture_pair(BOB, ANN);

    enter(&s, SUBSCRIBER_ACTIVE);
    presence_partner_seen(s.f.p, SLICE_LIT("chat.example"), false);
    fixture_run(&s.f, 1000);
    said(&s);
    presence_order(s.f.p, &pair, CONTACT_IN, PRESENCE_FORGET, 1);
    fixture_run(&s.f, 1000);
    respond(&s, 481, "");
    fixture_run(&s.f, 60000);
    said(&s);
    presence_partner_seen(s.f.p, SLICE_LIT("chat.example"), true);
    fixture_run(&s.f, 8000);
    EXPECT_SAID(&s, "unavailable unsubscribed = none/none");
    fixture_run(&s.f, 8000);
    cr_expect_null(contact_of(&s));
    cr_expect_null(fixture_row(&s.f, CONTACT_IN, BOB, ANN));
}

/* ... or never: her domain is gone. */
Test(subscriber_end, forgotten_and_never_back)
{
    struct presence_pair pair = fixture_pair(BOB, ANN);

    enter(&s, SUBSCRIBER_ACTIVE);
    presence_partner_seen(s.f.p, SLICE_LIT("chat.example"), false);
    fixture_run(&s.f, 1000);
    presence_order(s.f.p, &pair, CONTACT_IN, PRESENCE_FORGET, 1);
    fixture_run(&s.f, 1000);
    respond(&s, 481, "");
    fixture_run(&s.f, 29 * 86400000ull);
    cr_expect_not_null(contact_of(&s));
    fixture_run(&s.f, 2 * 86400000ull);
    cr_expect_null(contact_of(&s));
    cr_expect_null(fixture_row(&s.f, CONTACT_IN, BOB, ANN));
}

static void serve_refresh(void)
{
    respond(&s, 200, "");
    notify(&s, "active;expires=3600", PIDF_OPEN);
    said(&s);
}

/* Its NOTIFY went down with the connection: it says yes to the refresh, and ends the dialog when
 * that NOTIFY times out. */
Test(subscriber_end, notifier_that_gives_up_late_is_noticed)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    presence_hop_seen(s.f.p, SLICE_LIT("pool"), PRESENCE_HOP_LOST);
    presence_hop_seen(s.f.p, SLICE_LIT("pool"), PRESENCE_HOP_BACK);
    fixture_run(&s.f, 8000);
    EXPECT_SAID(&s, "refresh = active/granted");
    serve_refresh();
    fixture_run(&s.f, (SIP_TIMER_N_S - 8) * 1000);
    EXPECT_SAID(&s, "= active/granted");
    fixture_run(&s.f, 15000);
    EXPECT_SAID(&s, "refresh = active/granted");
    respond(&s, 481, "");
    EXPECT_SAID(&s, "new = trying/granted");
}

/* Once: a refresh that follows is as far away as ever. */
Test(subscriber_end, doubt_ends_with_the_second_refresh)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    fixture_crash(&s.f, false);
    fixture_run(&s.f, 12000);
    EXPECT_SAID(&s, "refresh = active/granted");
    serve_refresh();
    fixture_run(&s.f, 50000);
    EXPECT_SAID(&s, "refresh = active/granted");
    serve_refresh();
    fixture_run(&s.f, 2600000);
    EXPECT_SAID(&s, "= active/granted");
}

Test(subscriber_end, asking_and_leaving_in_a_loop)
{
    for (unsigned i = 0; i < 200; i++) {
        ann(&s, "subscribe");
        ann(&s, "unsubscribe");
    }
    cr_expect_leq(presence_stats(s.f.p)->subscribe_sent, SUBSCRIBER_ENDING_MAX);
    while (is_in_flight(&s)) {
        respond(&s, 603, "");
    }
    fixture_run(&s.f, (SUBSCRIBER_PAY_S + 2) * 1000);
    cr_expect_null(contact_of(&s));
}

Test(subscriber_end, all_forks_end)
{
    enter(&s, SUBSCRIBER_TRYING);
    respond_tagged(&s, 200, "f1", "");
    for (char tag[] = "f1"; tag[1] <= '9'; tag[1]++) {
        unsigned status = notify_as(&s, tag, "active;expires=3600", "");

        cr_expect_eq(status, tag[1] <= '8' ? 200 : 481, "%s: %u", tag, status);
    }
    said(&s);
    cr_expect_eq(subscriber_count(contact_of(&s), SUBSCRIBER_LIVE), SUBSCRIBER_LIVE_MAX);
    ann(&s, "unsubscribe");
    EXPECT_SAID(&s, "end end end end end end end end = none/none");
    while (is_in_flight(&s)) {
        respond(&s, 200, "");
    }
    fixture_run(&s.f, 40000);
    cr_expect_null(contact_of(&s));
}

Test(subscriber_end, a_fork_that_comes_too_late)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    fixture_run(&s.f, 40000);
    cr_expect_eq(notify_as(&s, "late", "active;expires=3600", PIDF_OPEN), 481);
}

Test(subscriber_end, forks_are_refreshed_and_lost_each_by_itself)
{
    enter(&s, SUBSCRIBER_TRYING);
    respond_tagged(&s, 200, "f1", "");
    notify_as(&s, "f1", "active;expires=3600", PIDF_OPEN);
    notify_as(&s, "f2", "active;expires=3600", PIDF_HEAD TUPLE("b2", "open") PIDF_TAIL);
    said(&s);
    for (uint32_t t = 0; t < 3600 && subscriber_count(contact_of(&s), SUBSCRIBER_LIVE) == 2; t++) {
        fixture_run(&s.f, 1000);
        if (is_in_flight(&s)) {
            respond_tagged(&s, 481, "f1", "");
        }
    }
    cr_expect_eq(state_of(&s), SUBSCRIBER_ACTIVE);
    cr_expect_eq(fixture_count(&s.f.stanzas), 1); /* what the lost one showed has left */
    fixture_forget(&s.f);
    notify_as(&s, "f2", "pending;expires=100", "");
    notify_as(&s, "f1", "pending;expires=100", "");
    cr_expect_eq(state_of(&s), SUBSCRIBER_PENDING);
}
