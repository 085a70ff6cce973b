/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notifier_notify: documents, the grant, rate and coalescing, failures (RFC 6665 4.2.2, RFC 3856
 * 6.7 and 6.10, RFC 8048 6; vectors P-9 to P-11). */
#include "base/err.h"
#include "notifier_scene.h"

TestSuite(notifier_notify, .init = setup, .fini = teardown);

/* --- vectors ---------------------------------------------------------------------------------- */

Test(notifier_notify, p9_two_resources)
{
    struct said *s;

    begin_two_resources(&f, &phone);
    s = fixture_request(&f);
    cr_assert(s);
    cr_expect_eq(tuples(s, "open"), 2);
    cr_expect_eq(tuples(s, "closed"), 0);
    cr_expect(says(s, "priority=\"0.039\""));
    cr_expect(says(s, "priority=\"0.007\""));
    cr_expect(says(s, "<rpid:busy/>"));
    cr_expect(says(s, "<rpid:away/>"));
    cr_expect(slice_eq_cstr(fixture_header(s, "Content-Type"), "application/pidf+xml"));
    cr_expect(says(s, "entity=\"pres:" ANN "\""));
}

Test(notifier_notify, p9_for_one_tuple_readers)
{
    struct said *s;

    f.rules[CONTACT_OUT].is_lync = true;
    begin_two_resources(&f, &phone);
    s = fixture_request(&f);
    cr_assert(s);
    cr_expect_eq(tuples(s, "open"), 1);
    cr_expect(says(s, ">dnd</show>"));
    cr_expect(says(s, "rpid-status"));
}

Test(notifier_notify, p10_resource_that_leaves_is_told_once)
{
    begin_two_resources(&f, &phone);
    accept_all(&f);
    fixture_run(&f, 6000);
    from_ann(&f, "unavailable", "desk", "");
    cr_assert(fixture_request(&f));
    cr_expect_eq(tuples(fixture_request(&f), "open"), 1);
    cr_expect_eq(tuples(fixture_request(&f), "closed"), 1);
    accept_all(&f);
    fixture_run(&f, 6000);
    cr_expect_null(fixture_request(&f));
    from_ann(&f, "", "phone", "");
    cr_assert(fixture_request(&f));
    cr_expect_eq(tuples(fixture_request(&f), "open"), 1);
    cr_expect_eq(tuples(fixture_request(&f), "closed"), 0);
}

Test(notifier_notify, p11_refused)
{
    struct said *s;

    begin_granted(&f, &phone, "3600");
    from_ann(&f, "unsubscribed", "", "");
    s = fixture_request(&f);
    cr_assert(s);
    cr_expect(slice_eq_cstr(fixture_header(s, "Subscription-State"),
                            "terminated;reason=rejected"));
    cr_expect_eq(body_of(s).len, 0);
    cr_expect_eq(fixture_state(&f, CONTACT_OUT, BOB, ANN), CONTACT_DENIED);
}

Test(notifier_notify, all_gone_and_back)
{
    begin_granted(&f, &phone, "3600");
    from_ann(&f, "unavailable", "desk", "<status>bye</status>");
    cr_expect_eq(tuples(fixture_request(&f), "closed"), 1);
    cr_expect_eq(tuples(fixture_request(&f), "open"), 0);
    accept_all(&f);
    fixture_run(&f, 6000);
    from_ann(&f, "", "sofa", "");
    cr_expect_eq(tuples(fixture_request(&f), "open"), 1);
    cr_expect_eq(tuples(fixture_request(&f), "closed"), 0);
}

Test(notifier_notify, languages)
{
    begin_granted(&f, &phone, "3600");
    from_ann(&f, "", "desk", "<status xml:lang='de'>zu Tisch</status>");
    cr_expect(slice_eq_cstr(fixture_header(fixture_request(&f), "Content-Language"), "de"));
    cr_expect(says(fixture_request(&f), ">zu Tisch</note>"));
}

/* --- the grant -------------------------------------------------------------------------------- */

Test(notifier_notify, nothing_is_shown_before_the_grant_is_durable)
{
    f.store = FIXTURE_STORE_HOLDS;
    begin_asking(&f, &phone, "3600");
    from_ann(&f, "subscribed", "", "");
    from_ann(&f, "", "desk", "");
    fixture_run(&f, 1000);
    cr_expect_str_eq(told(&f), "= asking/1");
    cr_expect_eq(subscribe(&f, &phone, "3600"), 200);
    cr_expect_str_eq(told(&f), "200 N:pending = asking/1");
    accept_all(&f);
    fixture_store_done(&f, 0);
    cr_expect_str_eq(told(&f), "N:active+open = granted/1");
}

Test(notifier_notify, store_refuses_then_takes)
{
    f.store_err = ERR_STATE;
    begin_asking(&f, &phone, "3600");
    from_ann(&f, "subscribed", "", "");
    cr_expect_str_eq(told(&f), "= asking/1");
    fixture_run(&f, 60 * 1000);
    cr_expect_str_eq(told(&f), "= asking/1");
    cr_expect_lt(f.rows_taken, 20); /* with pauses */
    f.store_err = 0;
    fixture_run(&f, 120 * 1000);
    cr_expect_str_eq(told(&f), "N:active probe = granted/1");
    cr_expect_eq(fixture_state(&f, CONTACT_OUT, BOB, ANN), CONTACT_GRANTED);
}

Test(notifier_notify, store_never_takes)
{
    f.store = FIXTURE_STORE_FULL;
    begin_asking(&f, &phone, "3600");
    from_ann(&f, "subscribed", "", "");
    fixture_run(&f, 86400ull * 1000);
    accept_all(&f);
    fixture_run(&f, 1000);
    cr_expect(strstr(told(&f), "= asking/0"));
    cr_expect_eq(contact_of(&f)->out.grant_at, 0); /* it has an end */
    f.store = FIXTURE_STORE_PROMPT;
    fixture_run(&f, 1000);
    (void)told(&f);
    phone = (struct device){.call_id = "b", .cseq = 1};
    cr_expect_eq(subscribe(&f, &phone, "3600"), 200);
    cr_expect_str_eq(told(&f), "200 N:pending subscribe probe = asking/1");
    from_ann(&f, "subscribed", "", "");
    accept_all(&f);
    cr_expect(strstr(told(&f), "= granted/1"));
}

Test(notifier_notify, taken_back_while_the_store_writes)
{
    f.store = FIXTURE_STORE_HOLDS;
    begin_asking(&f, &phone, "3600");
    fixture_run(&f, 1000ull * NOTIFIER_DOUBT_S);
    from_ann(&f, "subscribed", "", "");
    from_ann(&f, "unsubscribed", "", "");
    cr_expect_str_eq(told(&f), "N:terminated;reason=rejected = refused/0");
    fixture_store_done(&f, 0);
    fixture_store_done(&f, 0);
    cr_expect_str_eq(told(&f), "= refused/0");
    cr_expect_eq(fixture_row(&f, CONTACT_OUT, BOB, ANN)->state, CONTACT_DENIED);
}

/* Prosody: acknowledges `subscribe` by `unavailable`, answers the probe by `unsubscribed`. */
Test(notifier_notify, server_that_answers_for_an_undecided_user)
{
    begin_asking(&f, &phone, "3600");
    from_ann(&f, "unavailable", "", "");
    cr_expect_str_eq(told(&f), "= asking/1");
    from_ann(&f, "unsubscribed", "", "");
    cr_expect_str_eq(told(&f), "subscribe = asking/1");
    from_ann(&f, "unavailable", "", "");
    cr_expect_str_eq(told(&f), "= asking/1");
    from_ann(&f, "unsubscribed", "", ""); /* herself */
    cr_expect_str_eq(told(&f), "N:terminated;reason=rejected = refused/0");
}

Test(notifier_notify, late_denial_is_one)
{
    begin_asking(&f, &phone, "3600");
    fixture_run(&f, 1000ull * NOTIFIER_DOUBT_S);
    from_ann(&f, "unsubscribed", "", "");
    cr_expect_str_eq(told(&f), "N:terminated;reason=rejected = refused/0");
}

Test(notifier_notify, errors)
{
    static const struct {
        const char *condition;
        const char *said;
    } cases[] = {
        {"item-not-found", "N:terminated;reason=noresource = none/0"},
        {"gone", "N:terminated;reason=noresource = none/0"},
        {"remote-server-timeout", "N:terminated;reason=probation;retry-after=600 = asking/0"},
        {"forbidden", "N:terminated;reason=probation;retry-after=600 = asking/0"},
        {"nonsense", "N:terminated;reason=probation;retry-after=600 = asking/0"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char xml[256];

        phone = (struct device){.call_id = cases[i].condition, .cseq = 1};
        begin_asking(&f, &phone, "3600");
        (void)snprintf(xml, sizeof(xml),
                       "<error type='cancel'><%s xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
                       "</error>",
                       cases[i].condition);
        from_ann(&f, "error", "", xml);
        cr_expect_str_eq(told(&f), cases[i].said, "%s", cases[i].condition);
        accept_all(&f);
    }
    from_ann(&f, "error", "", ""); /* without <error/> */
    cr_expect_str_eq(told(&f), "= asking/0");
}

/* What the subscriber of the other direction sent came back: no reason to stop. */
Test(notifier_notify, errors_of_others)
{
    begin_granted(&f, &phone, "3600");
    fixture_run(&f, 60 * 1000);
    from_ann(&f, "error", "",
             "<error type='cancel'><item-not-found "
             "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>");
    cr_expect_str_eq(told(&f), "= granted/1");
}

Test(notifier_notify, nobody_is_reached)
{
    struct presence_pair pair = fixture_pair(BOB, ANN);

    begin_asking(&f, &phone, "3600");
    presence_undelivered(f.p, &pair, STANZA_TYPE_PROBE, STANZA_CONDITION_REMOTE_SERVER_TIMEOUT);
    cr_expect_str_eq(told(&f), "= asking/1");
    presence_undelivered(f.p, &pair, STANZA_TYPE_SUBSCRIBE,
                         STANZA_CONDITION_REMOTE_SERVER_NOT_FOUND);
    cr_expect_str_eq(told(&f), "N:terminated;reason=probation;retry-after=600 = asking/0");
    accept_all(&f);
    phone = (struct device){.call_id = "again", .cseq = 1};
    cr_expect_eq(subscribe(&f, &phone, "3600"), 200);
    cr_expect_str_eq(told(&f), "200 N:pending subscribe probe = asking/1");
}

/* The stream ended before `subscribe` was acknowledged (XEP-0198), but its answer had come. */
Test(notifier_notify, an_answer_is_an_acknowledgement)
{
    struct presence_pair pair = fixture_pair(BOB, ANN);

    begin_asking(&f, &phone, "3600");
    from_ann(&f, "subscribed", "", "");
    accept_all(&f);
    (void)told(&f);
    presence_undelivered(f.p, &pair, STANZA_TYPE_SUBSCRIBE,
                         STANZA_CONDITION_REMOTE_SERVER_TIMEOUT);
    cr_expect_str_eq(told(&f), "= granted/1");
}

/* X_UNSUBSCRIBED x REFUSED: she said yes after her refusal, and thought better of it. */
Test(notifier_notify, taken_back_after_a_refusal)
{
    begin_asking(&f, &phone, "3600");
    fixture_run(&f, 1000ull * NOTIFIER_DOUBT_S);
    from_ann(&f, "unsubscribed", "", "");
    f.store = FIXTURE_STORE_HOLDS;
    from_ann(&f, "subscribed", "", "");
    cr_assert(contact_is_granting(contact_of(&f)));
    from_ann(&f, "unsubscribed", "", "");
    f.store = FIXTURE_STORE_PROMPT;
    fixture_store_done(&f, 0);
    fixture_run(&f, 10000);
    cr_expect_eq(contact_of(&f)->out.state, NOTIFIER_REFUSED);
    cr_expect_eq(fixture_state(&f, CONTACT_OUT, BOB, ANN), CONTACT_DENIED);
}

static void expect_a_second_try(const char *what)
{
    f.store_err = ERR_STATE;
    from_ann(&f, what, "", "");
    fixture_settle(&f);
    cr_expect_neq(fixture_state(&f, CONTACT_OUT, BOB, ANN), CONTACT_GRANTED);
    f.store_err = 0;
    fixture_run(&f, 2 * NOTIFIER_GRANT_RETRY_MS);
    cr_expect_eq(fixture_state(&f, CONTACT_OUT, BOB, ANN), CONTACT_GRANTED);
    cr_expect_eq(contact_of(&f)->out.state, NOTIFIER_GRANTED);
}

/* STORE_FAILED x NONE: somebody fetched the state, and she grants it all the same. */
Test(notifier_notify, store_refuses_a_grant_that_nobody_waits_for)
{
    cr_assert_eq(subscribe(&f, &phone, "0"), 200);
    expect_a_second_try("");
}

/* STORE_FAILED x REFUSED. */
Test(notifier_notify, store_refuses_a_grant_after_a_refusal)
{
    begin_asking(&f, &phone, "3600");
    fixture_run(&f, 1000ull * NOTIFIER_DOUBT_S);
    from_ann(&f, "unsubscribed", "", "");
    accept_all(&f);
    expect_a_second_try("subscribed");
}

/* --- rate ------------------------------------------------------------------------------------- */

struct pace {
    uint64_t sent_ms; /* the last one */
    uint32_t count;
    bool tells_last;
};

static void take_if_there(struct pace *pace)
{
    if (!fixture_request(&f)) {
        return;
    }
    cr_expect(pace->count == 0 || f.now_ms - pace->sent_ms >= NOTIFIER_GAP_MS);
    pace->sent_ms = f.now_ms;
    pace->count++;
    pace->tells_last = says(fixture_request(&f), "number 599");
    accept_all(&f);
}

Test(notifier_notify, first_change_at_once_then_every_five_seconds)
{
    struct pace pace = {0};
    char status[64];

    begin_granted(&f, &phone, "3600");
    for (int i = 0; i < 600; i++) { /* a minute */
        (void)snprintf(status, sizeof(status), "<status>number %d</status>", i);
        from_ann(&f, "", "desk", status);
        take_if_there(&pace);
        cr_expect(i > 0 || pace.count == 1, "the first one at once");
        fixture_run(&f, 100);
        take_if_there(&pace);
    }
    cr_expect_geq(pace.count, 12);
    cr_expect_leq(pace.count, 13);
    cr_expect_geq(presence_stats(f.p)->notify_coalesced, 500);
    fixture_run(&f, 6000);
    take_if_there(&pace);
    cr_expect(pace.tells_last);
    fixture_run(&f, 60 * 1000);
    cr_expect_null(fixture_request(&f));
}

Test(notifier_notify, repeated_presence_is_no_news)
{
    begin_granted(&f, &phone, "3600");
    for (int i = 0; i < 10; i++) {
        from_ann(&f, "", "desk", "<status>here</status>");
        fixture_run(&f, 6000);
    }
    cr_expect_str_eq(told(&f), "= granted/1");
}

Test(notifier_notify, one_in_flight)
{
    begin_granted(&f, &phone, "3600");
    from_ann(&f, "", "desk", "<status>one</status>");
    fixture_run(&f, 6000);
    from_ann(&f, "", "desk", "<status>two</status>");
    fixture_run(&f, 6000);
    from_ann(&f, "", "desk", "<status>three</status>");
    fixture_run(&f, 6000);
    cr_expect_eq(fixture_count(&f.requests), 1);
    fixture_respond(&f, fixture_request(&f), 200, "x", "");
    cr_expect_eq(fixture_count(&f.requests), 1);
    cr_expect(says(fixture_request(&f), "three"));
}

Test(notifier_notify, refresh_while_one_is_in_flight)
{
    begin_granted(&f, &phone, "3600");
    from_ann(&f, "", "desk", "<status>one</status>");
    cr_expect_eq(subscribe(&f, &phone, "1200"), 200);
    cr_expect_eq(fixture_count(&f.requests), 1);
    fixture_respond(&f, fixture_request(&f), 200, "x", "");
    cr_assert(fixture_request(&f), "at once, gap or not");
    cr_expect(says(fixture_request(&f), "active;expires=1200"));
}

/* --- failures --------------------------------------------------------------------------------- */

Test(notifier_notify, statuses_that_end_the_dialog)
{
    static const unsigned ending[] = {404, 405, 410, 416, 480, 481, 482,
                                      483, 484, 485, 489, 501, 604};

    for (unsigned status = 300; status < 700; status++) {
        bool does_end = false;

        for (size_t i = 0; i < ARRAY_COUNT(ending); i++) {
            does_end |= ending[i] == status;
        }
        phone = (struct device){.call_id = "p", .cseq = 1};
        cr_assert_eq(subscribe(&f, &phone, "3600"), 200);
        fixture_respond(&f, fixture_request(&f), status, "x", "");
        cr_expect_eq(notifier_lasting(&contact_of(&f)->out), does_end ? 0 : 1, "%u", status);
        if (!does_end) {
            cr_assert_eq(subscribe(&f, &phone, "0"), 200);
        }
        accept_all(&f);
        fixture_run(&f, 100);
        fixture_forget(&f);
    }
}

Test(notifier_notify, no_answer_ends_it)
{
    begin_granted(&f, &phone, "3600");
    from_ann(&f, "", "desk", "");
    fixture_fail(&f, fixture_request(&f), SIP_OUTCOME_TIMEOUT);
    cr_expect_str_eq(told(&f), "unavailable = granted/0");
}

Test(notifier_notify, lost_connection_does_not)
{
    begin_granted(&f, &phone, "3600");
    from_ann(&f, "", "desk", "<status>one</status>");
    fixture_fail(&f, fixture_request(&f), SIP_OUTCOME_LINK);
    cr_expect_str_eq(told(&f), "= granted/1");
    fixture_run(&f, 20 * 1000);
    cr_expect_str_eq(told(&f), "= granted/1");
    fixture_run(&f, 20 * 1000);
    cr_expect_str_eq(told(&f), "N:active+open = granted/1");
    cr_expect(says(fixture_request(&f), "one"));
}

Test(notifier_notify, next_change_does_not_wait_for_the_pause)
{
    begin_granted(&f, &phone, "3600");
    from_ann(&f, "", "desk", "<status>one</status>");
    fixture_respond(&f, fixture_request(&f), 503, "x", "Retry-After: 1\r\n");
    fixture_run(&f, 6000);
    (void)told(&f);
    from_ann(&f, "", "desk", "<status>two</status>");
    cr_expect_str_eq(told(&f), "N:active+open = granted/1");
}

Test(notifier_notify, pauses_grow_and_expiry_ends_them)
{
    uint32_t tries = 0;

    begin_granted(&f, &phone, "3600");
    from_ann(&f, "", "desk", "");
    for (int i = 0; i < 3700; i++) {
        if (fixture_request(&f)) {
            tries++;
            fixture_respond(&f, fixture_request(&f), 500, "x", "");
        }
        fixture_run(&f, 1000);
    }
    cr_expect_geq(tries, 8);
    cr_expect_leq(tries, 20);
    cr_expect_eq(contact_of(&f)->out.dialogs, NULL); /* the last NOTIFY was tried, not for ever */
}

Test(notifier_notify, next_hop_takes_nothing)
{
    f.request_err = ERR_FULL;
    cr_expect_eq(subscribe(&f, &phone, "3600"), 200);
    cr_expect_str_eq(told(&f), "200 subscribe probe = asking/1");
    f.request_err = 0;
    fixture_run(&f, 40 * 1000);
    cr_expect_str_eq(told(&f), "N:pending = asking/1");
    accept_all(&f);
    from_ann(&f, "subscribed", "", "");
    accept_all(&f);
    (void)told(&f);
    f.request_err = ERR_FULL;
    phone = (struct device){.call_id = "b", .cseq = 1};
    cr_expect_eq(subscribe(&f, &phone, "0"), 200);
    fixture_run(&f, 3600ull * 1000);
    f.request_err = 0;
    cr_expect_eq(fixture_count(&f.requests), 0);
}

Test(notifier_notify, answer_after_the_dialog_has_gone)
{
    struct device tablet = {.call_id = "phone", .cseq = 1};

    begin_granted(&f, &phone, "3600");
    from_ann(&f, "", "desk", "");
    cr_assert_eq(subscribe(&f, &tablet, "3600"), 200); /* the same Call-ID: the old one goes */
    accept_all(&f);
    cr_expect_str_eq(told(&f), "200 = granted/1");
}
