/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notifier_reach: probes, and a domain that is not there (RFC 8048 6). */
#include "base/err.h"
#include "notifier_scene.h"

TestSuite(notifier_reach, .init = setup, .fini = teardown);

static void seen(bool is_reachable)
{
    presence_partner_seen(f.p, SLICE_LIT("chat.example"), is_reachable);
    fixture_run(&f, 250);
}

/* --- probes ----------------------------------------------------------------------------------- */

Test(notifier_reach, probe_finds_who_has_gone)
{
    begin_two_resources(&f, &phone);
    accept_all(&f);
    seen(false);
    seen(true);
    cr_expect_str_eq(told(&f), "probe = granted/1");
    fixture_run(&f, 30 * 1000);
    from_ann(&f, "", "phone", "<show>away</show><priority>5</priority>");
    fixture_run(&f, 4000);
    cr_expect_str_eq(told(&f), "= granted/1");
    fixture_run(&f, 2000);
    cr_assert(fixture_request(&f));
    cr_expect_eq(tuples(fixture_request(&f), "open"), 1);
    cr_expect_eq(tuples(fixture_request(&f), "closed"), 1);
}

/* Logs in again with another resource after his server was killed: nobody says that the one of
 * before has gone. */
Test(notifier_reach, new_resource_after_an_outage)
{
    begin_granted(&f, &phone, "3600");
    fixture_crash(&f, true);
    seen(false);
    seen(true);
    accept_all(&f);
    from_ann(&f, "", "desk2", "");
    accept_all(&f);
    fixture_run(&f, 6000);
    cr_assert(fixture_request(&f));
    cr_expect_eq(tuples(fixture_request(&f), "open"), 1);
    cr_expect_eq(tuples(fixture_request(&f), "closed"), 1);
    accept_all(&f);
    fixture_run(&f, 6000);
    from_ann(&f, "", "desk2", "<show>away</show>");
    cr_expect_eq(tuples(fixture_request(&f), "open"), 1);
    cr_expect_eq(tuples(fixture_request(&f), "closed"), 0);
}

Test(notifier_reach, silence_after_a_probe)
{
    begin_granted(&f, &phone, "3600");
    fixture_run(&f, 60 * 1000);
    cr_expect_str_eq(told(&f), "= granted/1"); /* desk spoke after the first probe */
    seen(false);
    seen(true);
    (void)told(&f);
    fixture_run(&f, 61 * 1000);
    cr_expect_str_eq(told(&f), "N:active+closed = granted/1");
}

Test(notifier_reach, granted_and_nobody_there)
{
    begin_asking(&f, &phone, "3600");
    from_ann(&f, "subscribed", "", "");
    cr_expect_str_eq(told(&f), "N:active = granted/1"); /* not known */
    accept_all(&f);
    fixture_run(&f, 61 * 1000);
    cr_expect_str_eq(told(&f), "N:active+closed = granted/1"); /* known */
}

Test(notifier_reach, undelivered_probe_says_nothing)
{
    struct presence_pair pair = fixture_pair(BOB, ANN);

    begin_granted(&f, &phone, "3600");
    presence_undelivered(f.p, &pair, STANZA_TYPE_PROBE, STANZA_CONDITION_REMOTE_SERVER_TIMEOUT);
    fixture_run(&f, 120 * 1000);
    cr_expect_str_eq(told(&f), "= granted/1");
}

/* --- the stream ------------------------------------------------------------------------------- */

Test(notifier_reach, domain_unreachable)
{
    begin_granted(&f, &phone, "36000");
    fixture_run(&f, 60 * 1000);
    (void)told(&f);
    seen(false);
    fixture_run(&f, 299 * 1000);
    accept_all(&f);
    cr_expect(!strstr(told(&f), "N:"));
    fixture_run(&f, 40 * 1000);
    cr_assert(fixture_request(&f));
    cr_expect_eq(tuples(fixture_request(&f), "closed"), 1);
    cr_expect(says(fixture_request(&f), ">gateway: domain unreachable</note>"));
    accept_all(&f);
    (void)told(&f);
    cr_expect_eq(subscribe(&f, &phone, "3600"), 200); /* and whoever asks is told so */
    cr_expect(says(fixture_request(&f), "gateway: domain unreachable"));
    accept_all(&f);
    fixture_run(&f, 10 * 1000);
    (void)told(&f);
    seen(true);
    cr_expect_str_eq(told(&f), "probe = granted/1");
    from_ann(&f, "", "sofa", "");
    cr_assert(fixture_request(&f));
    cr_expect_eq(tuples(fixture_request(&f), "open"), 1); /* desk is not believed any more */
    cr_expect_eq(tuples(fixture_request(&f), "closed"), 0);
    cr_expect(!says(fixture_request(&f), "unreachable"));
}

/* One that was down before the first stream is not reported by partner_seen. */
Test(notifier_reach, domain_that_no_probe_reaches)
{
    struct presence_pair pair = fixture_pair(BOB, ANN);
    bool is_told = false;

    begin_granted(&f, &phone, "36000");
    fixture_run(&f, 60 * 1000);
    cr_expect_eq(subscribe(&f, &phone, "0"), 200);
    accept_all(&f);
    (void)told(&f);
    phone = (struct device){.call_id = "later", .cseq = 1};
    cr_expect_eq(subscribe(&f, &phone, "36000"), 200);
    accept_all(&f);
    for (int i = 0; i < 12 && !is_told; i++) {
        if (strstr(told(&f), "probe")) {
            presence_undelivered(f.p, &pair, STANZA_TYPE_PROBE,
                                 STANZA_CONDITION_REMOTE_SERVER_TIMEOUT);
        }
        is_told = fixture_request(&f) && says(fixture_request(&f), "domain unreachable");
        cr_expect(!is_told || i >= 5, "not before five minutes");
        accept_all(&f);
        fixture_run(&f, 60 * 1000);
    }
    cr_expect(is_told);
    from_ann(&f, "", "desk", "");
    accept_all(&f);
    fixture_run(&f, 6000);
    cr_expect(strstr(told(&f), "= granted/1"));
    cr_expect(!contact_of(&f)->out.is_lost);
}

/* What stood in the way, a maintenance, may be over. */
Test(notifier_reach, new_rules_are_a_reason_to_try_again)
{
    struct presence_pair pair = fixture_pair(BOB, ANN);

    begin_granted(&f, &phone, "36000");
    (void)presence_review(f.p, true);
    fixture_run(&f, 250);
    cr_expect_str_eq(told(&f), "= granted/1");
    presence_undelivered(f.p, &pair, STANZA_TYPE_PROBE, STANZA_CONDITION_POLICY_VIOLATION);
    fixture_run(&f, 1000);
    cr_expect_str_eq(told(&f), "= granted/1");
    (void)presence_review(f.p, true);
    fixture_run(&f, 250);
    cr_expect_str_eq(told(&f), "probe = granted/1");
}

Test(notifier_reach, granted_but_nothing_shown)
{
    begin_asking(&f, &phone, "3600");
    fixture_run(&f, 61 * 1000);
    (void)told(&f);
    from_ann(&f, "subscribed", "", "");
    cr_expect_str_eq(told(&f), "N:active = granted/1");
    fixture_run(&f, 6000);
    cr_expect_str_eq(told(&f), "probe = granted/1");
}

Test(notifier_reach, domain_back_and_nobody_there)
{
    begin_granted(&f, &phone, "36000");
    seen(false);
    fixture_run(&f, 340 * 1000);
    accept_all(&f);
    seen(true);
    fixture_run(&f, 61 * 1000);
    cr_assert(fixture_request(&f));
    cr_expect_eq(tuples(fixture_request(&f), "closed"), 1);
    cr_expect(!says(fixture_request(&f), "unreachable"));
}

Test(notifier_reach, short_outage_is_not_told)
{
    begin_granted(&f, &phone, "36000");
    seen(false);
    fixture_run(&f, 100 * 1000);
    (void)told(&f);
    seen(true);
    cr_expect_str_eq(told(&f), "probe = granted/1");
    from_ann(&f, "", "desk", "<status>here</status>");
    fixture_run(&f, 600 * 1000);
    cr_expect_str_eq(told(&f), "= granted/1");
}

/* A stream that nobody uses does not come back by itself. */
Test(notifier_reach, tries_to_reach_the_domain_while_it_is_away)
{
    size_t probes = 0;

    begin_granted(&f, &phone, "36000");
    seen(false);
    (void)told(&f);
    for (int i = 0; i < 60; i++) {
        fixture_run(&f, 60 * 1000);
        accept_all(&f);
        probes += strstr(told(&f), "probe") != NULL;
    }
    cr_expect_geq(probes, 5);
    cr_expect_leq(probes, 40);
}

/* --- watchers and watched --------------------------------------------------------------------- */

static bool grant_in(void)
{
    struct presence_pair pair = fixture_pair(BOB, ANN);

    presence_order(f.p, &pair, CONTACT_IN, PRESENCE_ALLOW, 3);
    fixture_settle(&f);
    return fixture_state(&f, CONTACT_IN, BOB, ANN) == CONTACT_GRANTED;
}

/* `unavailable` from bob's bare address would tell ann, who watches him, that he is gone. */
Test(notifier_reach, log_off_of_a_watcher_who_is_watched)
{
    begin_granted(&f, &phone, "3600");
    cr_assert(grant_in());
    accept_all(&f);
    (void)told(&f);
    cr_expect_eq(subscribe(&f, &phone, "0"), 200);
    cr_expect_str_eq(told(&f), "200 N:terminated;reason=timeout+closed = granted/0");
}
