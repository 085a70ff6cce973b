/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_later: cells that say nothing at once: what they change shows later only. */
#include "subscriber_help.h"

static struct scene s;

static void setup(void)
{
    scene_start(&s);
}

static void teardown(void)
{
    scene_stop(&s);
}

TestSuite(subscriber_later, .init = setup, .fini = teardown);

/* SUBSCRIBE x TRYING: a request behind a probe is one. */
Test(subscriber_later, a_request_behind_a_probe)
{
    ann(&s, "probe");
    EXPECT_SAID(&s, "new = trying/none");
    ann(&s, "subscribe");
    EXPECT_SAID(&s, "= trying/asked");
}

/* SUBSCRIBE x BACKOFF: heard once a minute. */
Test(subscriber_later, who_asks_again_need_not_wait_for_the_back_off)
{
    ann(&s, "subscribe");
    for (int i = 0; i < 4; i++) {
        until_subscribe(&s, 1000);
        respond(&s, 500, "");
    }
    said(&s);
    fixture_run(&s.f, 30000);
    ann(&s, "subscribe");
    EXPECT_SAID(&s, "= backoff/asked");
    fixture_run(&s.f, 35000);
    ann(&s, "subscribe");
    EXPECT_SAID(&s, "new = trying/asked");
}

/* PROBE x PENDING: who probes is not too quiet. */
Test(subscriber_later, a_probe_while_undecided_counts)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    notify(&s, "pending;expires=3600", "");
    live(&s, SUBSCRIBER_IDLE_S - 3600, "pending;expires=3600");
    ann(&s, "probe");
    live(&s, 7200, "pending;expires=3600");
    cr_expect_eq(state_of(&s), SUBSCRIBER_PENDING);
    live(&s, SUBSCRIBER_IDLE_S, "pending;expires=3600");
    cr_expect_eq(state_of(&s), SUBSCRIBER_DORMANT);
}

/* AVAILABLE x DORMANT: he shows himself before his server's stream is known to be back. */
Test(subscriber_later, a_watcher_who_was_cut_off_shows_himself)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    presence_partner_seen(s.f.p, SLICE_LIT("chat.example"), false);
    fixture_run(&s.f, 100);
    live(&s, 3700, "active;expires=3600");
    said(&s);
    ann(&s, NULL);
    EXPECT_SAID(&s, "new = trying/granted");
}

/* AVAILABLE x ACTIVE: who shows himself again stays, whatever becomes of his presence later. */
Test(subscriber_later, a_watcher_who_left_and_is_back_stays)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    watch_back(&s);
    ann(&s, "unavailable");
    fixture_run(&s.f, 60000);
    ann(&s, NULL);
    ann(&s, "unsubscribed"); /* bob sees her no more, so nothing else shows that she is there */
    fixture_run(&s.f, 120000);
    cr_expect_eq(state_of(&s), SUBSCRIBER_ACTIVE);
}

/* PROBE x TRYING: who probes while a new dialog is made is not too quiet either. */
Test(subscriber_later, a_probe_while_a_dialog_is_made_counts)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    live(&s, SUBSCRIBER_IDLE_S - 7200, "active;expires=3600");
    until_subscribe(&s, 4000);
    respond(&s, 481, "");
    cr_assert_eq(state_of(&s), SUBSCRIBER_TRYING);
    ann(&s, "probe");
    respond(&s, 200, "");
    notify(&s, "active;expires=3600", PIDF_OPEN);
    live(&s, 14400, "active;expires=3600");
    cr_expect_eq(state_of(&s), SUBSCRIBER_ACTIVE);
    live(&s, SUBSCRIBER_IDLE_S, "active;expires=3600");
    cr_expect_eq(state_of(&s), SUBSCRIBER_DORMANT);
}

static void refuse_a_refresh(enum subscriber_state state, const char *notified, unsigned status)
{
    uint32_t t;

    enter(&s, state);
    until_subscribe(&s, 4000);
    respond(&s, status, "");
    said(&s);
    fixture_run(&s.f, SIP_TIMER_N_S * 1000 + 5000);
    cr_expect_eq(state_of(&s), state, "the dialog is good until it expires");
    t = until_subscribe(&s, 1000);
    cr_expect_lt(t, 1000, "%u s: it is tried once more before", t);
    EXPECT_SAID(&s, state == SUBSCRIBER_ACTIVE ? "refresh = active/granted"
                                               : "refresh = pending/asked");
    respond(&s, 200, "");
    notify(&s, notified, "");
    cr_expect_eq(state_of(&s), state);
}

/* CHALLENGED, FAILED x PENDING, ACTIVE. */
Test(subscriber_later, a_challenged_refresh_while_active)
{
    refuse_a_refresh(SUBSCRIBER_ACTIVE, "active;expires=3600", 407);
}

Test(subscriber_later, a_challenged_refresh_while_pending)
{
    refuse_a_refresh(SUBSCRIBER_PENDING, "pending;expires=3600", 401);
}

Test(subscriber_later, a_failed_refresh_while_pending)
{
    refuse_a_refresh(SUBSCRIBER_PENDING, "pending;expires=3600", 500);
}
