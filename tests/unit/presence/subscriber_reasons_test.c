/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_reasons: why a notifier ends a subscription (RFC 6665 4.1.3), and what follows: what
 * the watcher is told and when, and when SUBSCRIBE is sent again. */
#include "subscriber_help.h"

#include <stdio.h>

#define NEVER 0u

static const struct reason {
    const char *state; /* Subscription-State */
    const char *at_once;
    const char *after_keep; /* what is said 32 s later besides SUBSCRIBEs */
    uint32_t not_before_s;  /* SUBSCRIBE again, in seconds; NEVER = not in three days */
    uint32_t not_after_s;
} reasons[] = {
    {"terminated;reason=deactivated", "200 = backoff/granted", "", 1, 7},
    {"terminated;reason=probation", "200 = backoff/granted", "unavailable/a1 ", 480, 722},
    {"terminated;reason=probation;retry-after=1000", "200 = backoff/granted", "unavailable/a1 ",
     1000, 1105},
    {"terminated;reason=probation;retry-after=4294967295", "200 = backoff/granted",
     "unavailable/a1 ", 21600, 23800},
    {"terminated;reason=rejected", "200 unavailable/a1 unsubscribed = denied/denied", "", NEVER, 0},
    {"terminated;reason=rejected;retry-after=5", "200 unavailable/a1 unsubscribed = denied/denied",
     "", NEVER, 0},
    {"terminated;reason=giveup", "200 = backoff/granted", "unavailable/a1 ", 2880, 4325},
    {"terminated;reason=giveup;retry-after=100", "200 = backoff/granted", "unavailable/a1 ", 100,
     113},
    {"terminated;reason=noresource", "200 unavailable/a1 unsubscribed = denied/denied", "", NEVER,
     0},
    {"terminated;reason=invariant", "200 = backoff/granted", "", NEVER, 0},
    {"terminated;reason=invariant;retry-after=60", "200 = backoff/granted", "", NEVER, 0},
    {"terminated", "200 = backoff/granted", "unavailable/a1 ", 48, 75},
    {"terminated;retry-after=300", "200 = backoff/granted", "unavailable/a1 ", 300, 335},
    {"terminated;reason=something-new", "200 = backoff/granted", "unavailable/a1 ", 48, 75},
};

/* Lets a second pass after the other until SUBSCRIBE is out or so many have gone. */
static uint32_t wait_for_subscribe(struct scene *s, uint32_t from_s, uint32_t until_s)
{
    uint32_t t = from_s;

    while (t < until_s && !is_in_flight(s)) {
        uint32_t step_s = until_s - t > 40000 ? 600 : 1;

        fixture_run(&s->f, step_s * 1000);
        t += step_s;
    }
    return t;
}

static void check(struct scene *s, const struct reason *r)
{
    uint32_t sent_s;
    char kept[128];

    enter(s, SUBSCRIBER_ACTIVE);
    notify(s, r->state, "");
    cr_expect_str_eq(said(s), r->at_once, "%s: %s", r->state, s->said);
    sent_s = wait_for_subscribe(s, 0, 33);
    snprintf(kept, sizeof(kept), "%s%s", sent_s < 33 ? "new " : "", r->after_keep);
    said(s);
    cr_expect_eq(strncmp(s->said, kept, strlen(kept)), 0, "%s after 33 s: %s", r->state, s->said);
    if (sent_s >= 33) {
        sent_s = wait_for_subscribe(s, 33, r->not_after_s == 0 ? 3 * 86400 : r->not_after_s + 10);
    }
    if (r->not_before_s == NEVER) {
        cr_expect(!is_in_flight(s), "%s: SUBSCRIBE after %u s", r->state, sent_s);
        return;
    }
    cr_expect(sent_s >= r->not_before_s && sent_s <= r->not_after_s, "%s: SUBSCRIBE after %u s",
              r->state, sent_s);
}

Test(subscriber_reasons, each_of_them)
{
    for (size_t i = 0; i < ARRAY_COUNT(reasons); i++) {
        struct scene *s = calloc(1, sizeof(*s));

        scene_start(s);
        check(s, &reasons[i]);
        scene_stop(s);
        free(s);
    }
}

Test(subscriber_reasons, timeout)
{
    struct scene s;

    scene_start(&s); /* not while refreshing: somebody else let it run out */
    enter(&s, SUBSCRIBER_ACTIVE);
    notify(&s, "terminated;reason=timeout", "");
    EXPECT_SAID(&s, "200 new unavailable/a1 = trying/granted");
    scene_stop(&s);

    scene_start(&s); /* while a refresh is out: a matter of milliseconds, she need not know */
    enter(&s, SUBSCRIBER_ACTIVE);
    while (!is_in_flight(&s)) {
        fixture_run(&s.f, 10000);
    }
    said(&s);
    fixture_request(&s.f)->handle = 1;
    notify(&s, "terminated;reason=timeout", "");
    cr_expect_eq(state_of(&s), SUBSCRIBER_TRYING);
    expect_silence(&s);
    scene_stop(&s);
}

Test(subscriber_reasons, undecided_watchers_hear_nothing)
{
    for (size_t i = 0; i < ARRAY_COUNT(reasons); i++) {
        struct scene *s = calloc(1, sizeof(*s));
        bool is_denied = strstr(reasons[i].at_once, "denied") != NULL;

        scene_start(s);
        enter(s, SUBSCRIBER_PENDING);
        notify(s, reasons[i].state, "");
        fixture_run(&s->f, 40000);
        cr_expect_eq(fixture_count(&s->f.stanzas), is_denied, "%s: %s", reasons[i].state, said(s));
        scene_stop(s);
        free(s);
    }
}

Test(subscriber_reasons, a_notifier_that_ends_everything_is_asked_ever_less)
{
    struct scene s;

    scene_start(&s);
    enter(&s, SUBSCRIBER_ACTIVE);
    notify(&s, "terminated;reason=deactivated", "");
    for (uint32_t t = 0; t < 600; t++) {
        fixture_run(&s.f, 1000);
        if (is_in_flight(&s)) {
            respond(&s, 200, "");
            notify(&s, "active;expires=3600", PIDF_OPEN);
            notify(&s, "terminated;reason=deactivated", "");
        }
    }
    cr_expect_leq(presence_stats(s.f.p)->subscribe_sent, 18);
    scene_stop(&s);
}
