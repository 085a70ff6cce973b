/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_hostile: NOTIFYs that are wrong, out of order, of nobody; each is answered, none does
 * harm. */
#include "subscriber_help.h"

#include "base/pool.h"

#define LINES(state) "Event: presence\r\nSubscription-State: " state "\r\n"
#define PIDF_LINE    "Content-Type: application/pidf+xml\r\n"

static struct scene s;

static void setup(void)
{
    scene_start(&s);
}

static void teardown(void)
{
    scene_stop(&s);
}

TestSuite(subscriber_hostile, .init = setup, .fini = teardown);

Test(subscriber_hostile, wrong_dialogs)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    fixture_run(&s.f, 40000); /* no more forks */
    cr_expect_eq(notify_raw(&s, "", "n1", 50, LINES("active") PIDF_LINE, PIDF_OPEN), 481);
    cr_expect_eq(notify_raw(&s, "wrong", "n1", 50, LINES("active") PIDF_LINE, PIDF_OPEN), 481);
    cr_expect_eq(notify_raw(&s, s.local_tag, "wrong", 50, LINES("terminated;reason=rejected"), ""),
                 481);
    s.call_id[0] ^= 1;
    cr_expect_eq(notify_raw(&s, s.local_tag, "n1", 50, LINES("active"), ""), 481);
    EXPECT_SAID(&s, "481 481 481 481 = active/granted");
    cr_expect_eq(presence_stats(s.f.p)->notify_stray, 4);
}

Test(subscriber_hostile, cseq_back_and_again)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    cr_expect_eq(notify_raw(&s, s.local_tag, "n1", 10, LINES("active") PIDF_LINE, PIDF_CLOSED),
                 200);
    EXPECT_SAID(&s, "200 unavailable/a1 = active/granted");
    cr_expect_eq(notify_raw(&s, s.local_tag, "n1", 9, LINES("active") PIDF_LINE, PIDF_OPEN), 500);
    cr_expect_eq(notify_raw(&s, s.local_tag, "n1", 10, LINES("active") PIDF_LINE, PIDF_OPEN), 200);
    cr_expect_eq(notify_raw(&s, s.local_tag, "n1", 9, LINES("terminated;reason=rejected"), ""),
                 500);
    EXPECT_SAID(&s, "500 200 500 = active/granted");
}

Test(subscriber_hostile, wrong_headers)
{
    static const struct {
        const char *lines;
        unsigned status;
    } cases[] = {
        {"Event: presence\r\n", 400},
        {"Subscription-State: active\r\n", 400},
        {"Event: dialog\r\nSubscription-State: active\r\n", 489},
        {"Event: presence.winfo\r\nSubscription-State: active\r\n", 489},
        {"Event: presence;id=7\r\nSubscription-State: terminated;reason=rejected\r\n", 481},
        {LINES("active;expires=x"), 400},
        {LINES("active;expires=1;expires=2"), 400},
        {LINES(""), 400},
        {LINES("flying;expires=100"), 200}, /* grants nothing, hides */
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        unsigned status;

        teardown();
        setup();
        enter(&s, SUBSCRIBER_PENDING);
        status = notify_raw(&s, s.local_tag, "n1", 50, cases[i].lines, "");
        cr_expect_eq(status, cases[i].status, "%s: %u", cases[i].lines, status);
        cr_expect_eq(fixture_count(&s.f.stanzas), 0);
        cr_expect_eq(state_of(&s), SUBSCRIBER_PENDING);
    }
}

Test(subscriber_hostile, bodies_of_no_use)
{
    static const struct {
        const char *lines;
        unsigned status; /* 400 leaves the dialog as it is, too (RFC 6665 4.2.2) */
    } cases[] = {
        {LINES("active") "Content-Type: text/html\r\n", 200},
        {LINES("active") PIDF_LINE "Content-Encoding: gzip\r\n", 200},
        {LINES("active") "Content-Type: ,,,\r\n", 400},
        {LINES("active"), 400},
    };

    enter(&s, SUBSCRIBER_ACTIVE);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        unsigned status =
            notify_raw(&s, s.local_tag, "n1", 50 + (uint32_t)i, cases[i].lines, "<x/>");

        cr_expect_eq(status, cases[i].status, "%s: %u", cases[i].lines, status);
    }
    cr_expect_eq(fixture_count(&s.f.stanzas), 0);
    cr_expect_eq(state_of(&s), SUBSCRIBER_ACTIVE);
    cr_expect_eq(presence_stats(s.f.p)->document_refused, 2);
}

Test(subscriber_hostile, a_resource_name_is_told_only_to_who_may_know)
{
    s.f.store = FIXTURE_STORE_HOLDS;
    enter(&s, SUBSCRIBER_PENDING);
    notify(&s, "active;expires=3600", PIDF_OPEN);
    notify(&s, "pending;expires=3600", "");
    notify(&s, "active;expires=3600", PIDF_OPEN);
    notify(&s, "terminated;reason=rejected", "");
    EXPECT_SAID(&s, "200 200 200 200 unsubscribed = denied/denied");
}

Test(subscriber_hostile, notes_only_where_allowed)
{
    static const char *const body = PIDF_HEAD
        "<tuple "
        "id='ID-a1'><status><basic>open</basic></status><note>secret</note></tuple>" PIDF_TAIL;

    s.f.rules[CONTACT_IN].with_notes = false;
    enter(&s, SUBSCRIBER_ACTIVE);
    notify(&s, "active;expires=3600", body);
    for (const struct list *l = s.f.stanzas.next; l != &s.f.stanzas; l = l->next) {
        const struct said *one = (const struct said *)(const void *)l;

        cr_expect(!strstr(one->text, "secret"));
    }
    said(&s);
    s.f.rules[CONTACT_IN].with_notes = true; /* and a reload allows them, or no longer */
    while (presence_review(s.f.p, true)) {
    }
    fixture_run(&s.f, 8000);
    expect_stanza(&s, "secret", NULL);
    s.f.rules[CONTACT_IN].with_notes = false;
    while (presence_review(s.f.p, true)) {
    }
    fixture_run(&s.f, 8000);
    expect_stanza(&s, BOB "/a1", NULL);
    expect_silence(&s);
}

Test(subscriber_hostile, targets_that_are_none)
{
    enter(&s, SUBSCRIBER_TRYING);
    respond(&s, 200, "Expires: 3600\r\nContact: <http://x>\r\n");
    cr_expect_eq(state_of(&s), SUBSCRIBER_TRYING);
    notify(&s, "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 subscribed available/a1 = active/granted");
}

/* The first two blocks: the dialog's. Those that follow are the fixture's as well. */
Test(subscriber_hostile, no_memory_for_a_dialog)
{
    teardown();
    setup();
    enter(&s, SUBSCRIBER_BACKOFF);
    pool_fail_nth(1); /* the only allocation: a plain address needs none */
    subscriber_step(contact_of(&s), SUBSCRIBER_ON_RETRY, NULL);
    subscriber_settle(contact_of(&s));
    pool_fail_nth(0);
    EXPECT_SAID(&s, "= backoff/asked");
    fixture_run(&s.f, 200000);
    EXPECT_SAID(&s, "new = trying/asked");
}
