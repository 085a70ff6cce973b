/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_time: refreshes, back-off, what is kept and for how long, silence, pace. */
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

TestSuite(subscriber_time, .init = setup, .fini = teardown);

/* --- refresh ---------------------------------------------------------------------------------- */

Test(subscriber_time, refresh_in_time_and_in_the_dialog)
{
    struct said *r;
    uint32_t t;

    enter(&s, SUBSCRIBER_ACTIVE);
    t = until_subscribe(&s, 4000);
    cr_expect(t >= 2700 && t <= 3243, "after %u s", t);
    r = subscribe_in_flight(&s);
    cr_expect(slice_eq_cstr(fixture_header(r, "Call-ID"), s.call_id));
    cr_expect(slice_ends(fixture_header(r, "To"), SLICE_LIT(";tag=n1")));
    cr_expect(slice_eq_cstr(fixture_header(r, "CSeq"), "2 SUBSCRIBE"));
    cr_expect(slice_eq_cstr(fixture_header(r, "Event"), "presence"));
    cr_expect(slice_eq_cstr(fixture_header(r, "Accept"), "application/pidf+xml"));
    cr_expect(strstr(r->text, "SUBSCRIBE sip:bob@192.0.2.9:5061;transport=tls SIP/2.0") != NULL);
    live(&s, 4 * 86400 / 4, "active;expires=3600");
    cr_expect_eq(fixture_count(&s.f.stanzas), 0, "%s", said(&s));
    cr_expect_eq(state_of(&s), SUBSCRIBER_ACTIVE);
}

Test(subscriber_time, many_notifies_do_not_put_a_refresh_off)
{
    char state[64];
    uint32_t t = 0;

    enter(&s, SUBSCRIBER_ACTIVE);
    for (; t < 3600 && !is_in_flight(&s); t += 20) {
        fixture_run(&s.f, 20000);
        snprintf(state, sizeof(state), "active;expires=%u", 3600 - t - 20);
        notify(&s, state, PIDF_OPEN);
    }
    cr_expect(t <= 3260, "after %u s", t);
    cr_expect_eq(fixture_count(&s.f.stanzas), 0);
}

Test(subscriber_time, short_intervals_are_refreshed)
{
    enter(&s, SUBSCRIBER_TRYING);
    respond(&s, 200, "Expires: 20\r\nContact: <sip:bob@192.0.2.9>\r\n");
    notify(&s, "active;expires=20", PIDF_OPEN);
    said(&s);
    cr_expect(until_subscribe(&s, 25) <= 20);
    EXPECT_SAID(&s, "refresh = active/granted");
}

Test(subscriber_time, a_notifier_may_shorten_but_not_lengthen)
{
    struct subscriber_dialog *d;

    enter(&s, SUBSCRIBER_ACTIVE);
    d = contact_of(&s)->in.dialogs;
    notify(&s, "active;expires=4294967295", PIDF_OPEN);
    cr_expect_leq(d->expires_s, subscriber_now_s(contact_of(&s)) + 3600);
    notify(&s, "active;expires=600", PIDF_OPEN);
    cr_expect_eq(d->expires_s, subscriber_now_s(contact_of(&s)) + 600);
    said(&s);
    cr_expect(until_subscribe(&s, 600) <= 545);
}

Test(subscriber_time, expires_0_and_active_is_the_end_but_not_a_loop)
{
    enter(&s, SUBSCRIBER_TRYING);
    respond(&s, 200, "Expires: 0\r\nContact: <sip:bob@192.0.2.9>\r\n");
    for (uint32_t t = 0; t < 3600; t++) {
        fixture_run(&s.f, 1000);
        notify(&s, "active;expires=0", PIDF_OPEN);
        if (is_in_flight(&s)) {
            respond(&s, 200, "Expires: 0\r\nContact: <sip:bob@192.0.2.9>\r\n");
        }
    }
    cr_expect_leq(presence_stats(s.f.p)->subscribe_sent, 60);
}

/* --- failures --------------------------------------------------------------------------------- */

Test(subscriber_time, a_failed_refresh_keeps_the_dialog_until_it_expires)
{
    uint32_t tries = 0;
    uint32_t t = 0;

    enter(&s, SUBSCRIBER_ACTIVE);
    for (; t < 3700 && state_of(&s) == SUBSCRIBER_ACTIVE; t++) {
        fixture_run(&s.f, 1000);
        if (is_in_flight(&s)) {
            fixture_fail(&s.f, subscribe_in_flight(&s), SIP_OUTCOME_TIMEOUT);
            tries++;
        }
    }
    cr_expect(t >= 3600 && t <= 3603, "lost after %u s", t);
    cr_expect(tries >= 2 && tries <= 12, "%u tries", tries);
    EXPECT_SAID(&s, "unavailable/a1 = backoff/granted");
}

Test(subscriber_time, retry_after_of_a_refresh)
{
    uint32_t t;

    enter(&s, SUBSCRIBER_ACTIVE);
    until_subscribe(&s, 4000);
    respond(&s, 503, "Retry-After: 60\r\n");
    t = until_subscribe(&s, 1000);
    cr_expect(t >= 60, "after %u s", t);
}

Test(subscriber_time, back_off_doubles_up_to_an_hour)
{
    uint32_t want_s = 60;

    enter(&s, SUBSCRIBER_TRYING);
    for (int i = 0; i < 10; i++) {
        uint32_t t;

        respond(&s, 500, "");
        t = until_subscribe(&s, 5000);
        cr_expect(t + 2 >= want_s * 8 / 10 && t <= want_s * 12 / 10 + 3, "%u after %u s", i, t);
        want_s = want_s * 2 < 3600 ? want_s * 2 : 3600;
    }
    cr_expect_eq(fixture_count(&s.f.stanzas), 0); /* nothing to her all the time */
}

Test(subscriber_time, retry_after_counts_and_is_bounded)
{
    static const struct {
        const char *fields;
        uint32_t from_s;
        uint32_t to_s;
    } cases[] = {
        {"Retry-After: 500\r\n", 500, 555},
        {"Retry-After: 4294967295\r\n", 21600, 23765},
        {"Retry-After: 99999999999999999999999\r\n", 48, 23765},
        {"Retry-After: 1\r\n", 48, 75},
        {"Retry-After: -1\r\n", 48, 75},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        uint32_t t;

        teardown();
        setup();
        enter(&s, SUBSCRIBER_TRYING);
        respond(&s, 503, cases[i].fields);
        t = until_subscribe(&s, 30000);
        cr_expect(t >= cases[i].from_s && t <= cases[i].to_s, "%s%u s", cases[i].fields, t);
    }
}

Test(subscriber_time, challenges_wait_ten_minutes)
{
    uint32_t t;

    enter(&s, SUBSCRIBER_TRYING);
    respond(&s, 401, "WWW-Authenticate: Digest realm=\"x\", nonce=\"y\"\r\n");
    t = until_subscribe(&s, 1000);
    cr_expect(t >= 480 && t <= 723, "after %u s", t);
}

Test(subscriber_time, unknown_three_times_is_denied)
{
    uint32_t t;

    enter(&s, SUBSCRIBER_TRYING);
    respond(&s, 404, "");
    EXPECT_SAID(&s, "error:item-not-found = backoff/asked");
    t = until_subscribe(&s, 30000);
    cr_expect(t >= 17280 && t <= 25925, "after %u s", t);
    respond(&s, 410, "");
    EXPECT_SAID(&s, "= backoff/asked");
    until_subscribe(&s, 30000);
    respond(&s, 604, "");
    EXPECT_SAID(&s, "unsubscribed = denied/denied");
}

Test(subscriber_time, unknown_once_is_forgiven)
{
    enter(&s, SUBSCRIBER_TRYING);
    respond(&s, 404, "");
    until_subscribe(&s, 30000);
    respond(&s, 200, "");
    notify(&s, "active;expires=3600", PIDF_OPEN);
    said(&s);
    cr_expect_eq(contact_of(&s)->in.misses, 0);
}

Test(subscriber_time, a_denial_counts_for_a_day)
{
    enter(&s, SUBSCRIBER_DENIED);
    fixture_run(&s.f, 86390000);
    ann(&s, "subscribe");
    EXPECT_SAID(&s, "unsubscribed = denied/denied");
    fixture_run(&s.f, 20000);
    ann(&s, "probe");
    EXPECT_SAID(&s, "unsubscribed = denied/denied");
    ann(&s, "subscribe");
    EXPECT_SAID(&s, "new = trying/asked");
}

/* --- what is kept ----------------------------------------------------------------------------- */

Test(subscriber_time, a_lost_dialog_is_replaced_unseen)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    until_subscribe(&s, 4000);
    said(&s);
    respond(&s, 481, "");
    EXPECT_SAID(&s, "new = trying/granted");
    ann(&s, "probe"); /* the answer is on its way */
    EXPECT_SAID(&s, "= trying/granted");
    respond(&s, 200, "");
    notify(&s, "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 = active/granted");
}

Test(subscriber_time, a_lost_dialog_that_does_not_come_back_is_shown)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    until_subscribe(&s, 4000);
    said(&s);
    respond(&s, 481, "");
    respond(&s, 503, "");
    fixture_run(&s.f, 29000);
    EXPECT_SAID(&s, "= backoff/granted");
    ann(&s, "probe");
    EXPECT_SAID(&s, "available/a1 = backoff/granted");
    fixture_run(&s.f, 3000);
    EXPECT_SAID(&s, "unavailable/a1 = backoff/granted");
    ann(&s, "probe");
    EXPECT_SAID(&s, "unavailable/a1 unavailable = backoff/granted");
    until_subscribe(&s, 100);
    respond(&s, 200, "");
    notify(&s, "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 available/a1 = active/granted");
}

Test(subscriber_time, undecided_again_hides)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    until_subscribe(&s, 4000);
    said(&s);
    respond(&s, 481, "");
    respond(&s, 200, "");
    notify(&s, "pending;expires=3600", "");
    EXPECT_SAID(&s, "200 unavailable/a1 = pending/granted");
    ann(&s, "subscribe");
    notify(&s, "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 subscribed available/a1 = active/granted");
}

Test(subscriber_time, changes_alone_are_told)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    notify(&s, "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 = active/granted");
    notify(&s, "active;expires=3600", PIDF_CLOSED);
    EXPECT_SAID(&s, "200 unavailable/a1 = active/granted");
    notify(&s, "active;expires=3600", PIDF_CLOSED);
    EXPECT_SAID(&s, "200 = active/granted");
    notify(&s, "active;expires=3600", "");
    EXPECT_SAID(&s, "200 = active/granted");
    notify(&s, "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 available/a1 = active/granted");
}

/* --- Lync ------------------------------------------------------------------------------------- */

Test(subscriber_time, lync_grants_by_its_2xx)
{
    s.f.rules[CONTACT_IN].is_lync = true;
    s.f.rules[CONTACT_IN].expires_s = 0;
    ann(&s, "subscribe");
    cr_expect(slice_eq_cstr(fixture_header(subscribe_in_flight(&s), "Expires"), "28800"));
    respond(&s, 200, "Expires: 28800\r\nContact: <sip:pool.corp.example>\r\n");
    EXPECT_SAID(&s, "subscribed = active/granted");
    fixture_run(&s.f, 8000);
    EXPECT_SAID(&s, "unavailable = active/granted");
    /* Silence is no denial, nor a reason to ask again. */
    cr_expect(until_subscribe(&s, 28800) > 20000);
    EXPECT_SAID(&s, "refresh = active/granted");
    respond(&s, 200, "Expires: 28800\r\nContact: <sip:pool.corp.example>\r\n");
    notify(&s, "active;expires=28000", PIDF_OPEN);
    EXPECT_SAID(&s, "200 available/a1 = active/granted");
}

Test(subscriber_time, lync_that_notifies_at_once)
{
    s.f.rules[CONTACT_IN].is_lync = true;
    ann(&s, "subscribe");
    respond(&s, 200, "");
    notify(&s, "active;expires=3600", PIDF_OPEN);
    fixture_run(&s.f, 8000);
    EXPECT_SAID(&s, "200 subscribed available/a1 = active/granted");
}

/* --- pace ------------------------------------------------------------------------------------- */

static void probe_of(unsigned n)
{
    char xml[160];

    snprintf(xml, sizeof(xml), "<presence type='probe' from='user%u@chat.example' to='" BOB "'/>",
             n);
    cr_assert(fixture_from_partner(&s.f, xml));
}

Test(subscriber_time, a_morning_is_paced)
{
    const struct presence_stats *stats = presence_stats(s.f.p);

    s.f.rules[CONTACT_IN].subscribe_rate_max = 20;
    for (unsigned i = 0; i < 400; i++) {
        probe_of(i % 200);
    }
    for (unsigned t = 1; t <= 12; t++) {
        fixture_run(&s.f, 1000);
        cr_expect_leq(stats->subscribe_sent, 20 * t + 20, "%" PRIu64 " after %u s",
                      stats->subscribe_sent, t);
    }
    cr_expect_eq(stats->subscribe_sent, 200);
    cr_expect_eq(stats->waiting, 0);
    while (is_in_flight(&s)) {
        respond(&s, 603, "");
    }
    said(&s);
}

Test(subscriber_time, who_no_longer_waits_leaves_the_queue)
{
    s.f.rules[CONTACT_IN].subscribe_rate_max = 1;
    probe_of(1);
    ann(&s, "subscribe");
    cr_expect_eq(presence_stats(s.f.p)->waiting, 1);
    ann(&s, "unsubscribe");
    cr_expect_eq(presence_stats(s.f.p)->waiting, 0);
    respond(&s, 603, "");
    fixture_run(&s.f, 5000);
    cr_expect_eq(presence_stats(s.f.p)->subscribe_sent, 1);
}
