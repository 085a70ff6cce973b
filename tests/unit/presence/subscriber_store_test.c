/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_store: nothing is granted that is not durable; what is durable is there after a start,
 * dialogs included. */
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

TestSuite(subscriber_store, .init = setup, .fini = teardown);

static void show_himself(void)
{
    enter(&s, SUBSCRIBER_TRYING);
    respond(&s, 200, "");
    notify(&s, "active;expires=3600", PIDF_OPEN);
}

Test(subscriber_store, nothing_is_said_before_it_is_durable)
{
    s.f.store = FIXTURE_STORE_HOLDS;
    show_himself();
    EXPECT_SAID(&s, "200 = active/asked");
    ann(&s, "probe");
    ann(&s, "subscribe");
    notify(&s, "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 = active/asked");
    fixture_store_done(&s.f, 0);
    EXPECT_SAID(&s, "subscribed available/a1 = active/granted");
}

Test(subscriber_store, refused)
{
    s.f.store_err = ERR_FULL;
    show_himself();
    EXPECT_SAID(&s, "200 end error:resource-constraint = none/none");
    s.f.store_err = 0;
    respond(&s, 200, "");
    notify(&s, "terminated;reason=timeout", "");
    fixture_run(&s.f, 70000);
    EXPECT_SAID(&s, "200 = none/none");
    cr_expect_eq(s.f.granted_rows, 0);
    ann(&s, "subscribe"); /* asked again it may go well */
    respond(&s, 200, "");
    notify(&s, "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 subscribed available/a1 = active/granted");
}

Test(subscriber_store, takes_nothing)
{
    s.f.store = FIXTURE_STORE_FULL;
    show_himself();
    EXPECT_SAID(&s, "200 = active/asked");
    fixture_run(&s.f, 15000);
    EXPECT_SAID(&s, "end error:resource-constraint = none/none");
}

Test(subscriber_store, the_error_says_wait)
{
    s.f.store_err = ERR_FULL;
    show_himself();
    expect_stanza(&s, "type=\"error\"", "<error type=\"wait\">", "<resource-constraint", NULL);
}

Test(subscriber_store, taken_away_while_it_is_written)
{
    s.f.store = FIXTURE_STORE_HOLDS;
    show_himself();
    notify(&s, "terminated;reason=rejected", "");
    fixture_store_done(&s.f, 0);
    fixture_store_done(&s.f, 0);
    EXPECT_SAID(&s, "200 200 unsubscribed = denied/denied");
    teardown();
    setup();
    s.f.store = FIXTURE_STORE_HOLDS;
    show_himself();
    ann(&s, "unsubscribe");
    fixture_store_done(&s.f, 0);
    respond(&s, 200, "");
    fixture_store_done(&s.f, 0);
    EXPECT_SAID(&s, "200 unsubscribed = none/none");
}

/* --- restarts --------------------------------------------------------------------------------- */

Test(subscriber_store, a_start_refreshes_in_the_dialog)
{
    struct said *r;

    enter(&s, SUBSCRIBER_ACTIVE);
    fixture_run(&s.f, 6000);
    fixture_crash(&s.f, false);
    EXPECT_SAID(&s, "= active/granted");
    ann(&s, "probe");
    EXPECT_SAID(&s, "available/a1 = active/granted");
    notify(&s, "active;expires=3500", PIDF_CLOSED); /* the pool noticed nothing */
    EXPECT_SAID(&s, "200 unavailable/a1 = active/granted");
    fixture_run(&s.f, 12000);
    EXPECT_SAID(&s, "refresh = active/granted");
    r = subscribe_in_flight(&s);
    cr_expect(slice_eq_cstr(fixture_header(r, "Call-ID"), s.call_id));
    cr_expect(slice_ends(fixture_header(r, "To"), SLICE_LIT(";tag=n1")));
    respond(&s, 200, "");
    notify(&s, "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 available/a1 = active/granted");
}

static uint32_t cseq_in_flight(void)
{
    struct slice value = fixture_header(subscribe_in_flight(&s), "CSeq");
    uint64_t number = 0;
    struct slice head;

    slice_cut(&value, ' ', &head);
    cr_assert(slice_parse_u64(head, &number));
    return (uint32_t)number;
}

Test(subscriber_store, cseq_grows_whatever_happens)
{
    uint32_t last = 1;

    enter(&s, SUBSCRIBER_ACTIVE);
    fixture_run(&s.f, 6000);
    for (int i = 0; i < 6; i++) {
        fixture_crash(&s.f, i % 2 == 0);
        fixture_run(&s.f, 12000);
        cr_expect_gt(cseq_in_flight(), last);
        last = cseq_in_flight();
        if (i % 3 != 0) {
            respond(&s, 200, "");
            notify(&s, "active;expires=3600", PIDF_OPEN);
        }
    }
}

Test(subscriber_store, no_number_is_used_twice_however_soon_it_dies_again)
{
    uint32_t last;

    enter(&s, SUBSCRIBER_ACTIVE);
    fixture_run(&s.f, 6000);
    fixture_crash(&s.f, false);
    ann(&s, "unsubscribe"); /* in the first second of the second life */
    for (int t = 0; t < 20 && !is_in_flight(&s); t++) {
        fixture_run(&s.f, 1000);
    }
    last = cseq_in_flight();
    fixture_crash(&s.f, false);
    for (int t = 0; t < 20 && !is_in_flight(&s); t++) {
        fixture_run(&s.f, 1000);
    }
    cr_expect_gt(cseq_in_flight(), last);
}

Test(subscriber_store, everything_is_told_after_a_start)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    fixture_run(&s.f, 6000);
    fixture_crash(&s.f, false);
    fixture_run(&s.f, 12000);
    respond(&s, 200, "");
    /* The same document as before: what was told last before the crash is not known. */
    notify(&s, "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 available/a1 = active/granted");
}

Test(subscriber_store, the_pool_forgot_us)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    fixture_run(&s.f, 6000);
    fixture_crash(&s.f, false);
    fixture_run(&s.f, 12000);
    said(&s);
    respond(&s, 481, "");
    EXPECT_SAID(&s, "new = trying/granted");
    respond(&s, 200, "");
    notify(&s, "active;expires=3600",
           PIDF_HEAD TUPLE("a1", "closed") TUPLE("b2", "open") TUPLE("c3", "open") PIDF_TAIL);
    EXPECT_SAID(&s, "200 unavailable/a1 available/b2 available/c3 = active/granted");
}

Test(subscriber_store, expired_while_away)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    fixture_run(&s.f, 6000);
    s.f.start_unix_s += 7200; /* the clock of the world went on */
    fixture_crash(&s.f, false);
    EXPECT_SAID(&s, "new = trying/granted");
    respond(&s, 200, "");
    notify(&s, "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 available/a1 = active/granted");
}

Test(subscriber_store, an_end_that_was_cut_short_is_made_good)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    ann(&s, "unsubscribe");
    fixture_run(&s.f, 6000);
    fixture_crash(&s.f, false);
    EXPECT_SAID(&s, "= none/none"); /* not before its CSeq is safe */
    fixture_run(&s.f, 12000);
    EXPECT_SAID(&s, "end = none/none");
    respond(&s, 481, "");
    EXPECT_SAID(&s, "unsubscribed = none/none");
    fixture_run(&s.f, 6000);
    cr_expect_null(fixture_row(&s.f, CONTACT_IN, BOB, ANN));
}

Test(subscriber_store, denials_survive)
{
    enter(&s, SUBSCRIBER_DENIED);
    fixture_run(&s.f, 6000);
    fixture_crash(&s.f, false);
    ann(&s, "subscribe");
    ann(&s, "probe");
    EXPECT_SAID(&s, "unsubscribed unsubscribed = denied/denied");
}

/* She might stop listening, and after a crash she would watch again. */
Test(subscriber_store, an_end_is_durable_before_it_is_acknowledged)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    fixture_run(&s.f, 6000);
    said(&s);
    s.f.store = FIXTURE_STORE_HOLDS;
    ann(&s, "unsubscribe");
    respond(&s, 481, "");
    fixture_run(&s.f, (SUBSCRIBER_PAY_S + 3) * 1000);
    EXPECT_SAID(&s, "= none/none");
    s.f.store = FIXTURE_STORE_PROMPT;
    fixture_run(&s.f, 1000);
    EXPECT_SAID(&s, "unsubscribed = none/none");
}

/* A store that hangs holds nobody up for ever. */
Test(subscriber_store, an_end_does_not_wait_for_a_store_that_hangs)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    fixture_run(&s.f, 6000);
    said(&s);
    s.f.store = FIXTURE_STORE_HOLDS;
    ann(&s, "unsubscribe");
    respond(&s, 481, "");
    fixture_run(&s.f, (SUBSCRIBER_PAY_S + SUBSCRIBER_WRITE_S + 3) * 1000);
    EXPECT_SAID(&s, "unsubscribed = none/none");
}

/* After a restart, too: what counts is when it was said. */
Test(subscriber_store, denials_are_forgotten_in_the_end)
{
    const uint64_t day_ms = 86400000;

    enter(&s, SUBSCRIBER_DENIED);
    fixture_run(&s.f, 20 * day_ms);
    fixture_crash(&s.f, false);
    fixture_run(&s.f, 9 * day_ms);
    EXPECT_SAID(&s, "= denied/denied");
    fixture_run(&s.f, 2 * day_ms);
    EXPECT_SAID(&s, "= none/none");
    cr_expect_null(contact_of(&s));
    cr_expect_null(fixture_row(&s.f, CONTACT_IN, BOB, ANN));
    cr_expect_eq(presence_stats(s.f.p)->lapsed, 1);
}

Test(subscriber_store, what_nobody_decides_is_forgotten_in_the_end)
{
    enter(&s, SUBSCRIBER_PENDING);
    live(&s, 89 * 86400, "pending;expires=3600");
    cr_expect_eq(state_of(&s), SUBSCRIBER_PENDING);
    live(&s, 2 * 86400, "pending;expires=3600");
    cr_expect_eq(presence_stats(s.f.p)->lapsed, 1);
    cr_expect_null(contact_of(&s), "with its dialog");
    cr_expect_null(fixture_row(&s.f, CONTACT_IN, BOB, ANN));
    said(&s);
    ann(&s, "subscribe");
    EXPECT_SAID(&s, "new = trying/asked");
}

Test(subscriber_store, the_grant_s_own_row_is_enough)
{
    enter(&s, SUBSCRIBER_ACTIVE); /* and the process dies before the next sweep */
    fixture_crash(&s.f, false);
    fixture_run(&s.f, 12000);
    EXPECT_SAID(&s, "refresh = active/granted");
}

static void damage(char *bytes, size_t len, size_t at, int how)
{
    if (len > 0) {
        bytes[at % len] = (char)(bytes[at % len] ^ how);
    }
}

Test(subscriber_store, damaged_rows)
{
    struct presence_pair pair = fixture_pair(BOB, ANN);
    struct buf dialogs;
    struct buf document;

    buf_init(&dialogs, 65536);
    buf_init(&document, 65536);
    enter(&s, SUBSCRIBER_ACTIVE);
    subscriber_pack(contact_of(&s), &dialogs, &document);
    subscriber_stored(contact_of(&s));
    for (size_t at = 0; at < buf_len(&dialogs); at++) {
        for (int bit = 0; bit < 8; bit++) {
            struct contact *c = contact_find(s.f.p, CONTACT_IN, &pair);

            damage(dialogs.data + dialogs.head, buf_len(&dialogs), at, 1 << bit);
            damage(document.data + document.head, buf_len(&document), at, 1 << bit);
            subscriber_deinit(c);
            subscriber_init(c);
            subscriber_unpack(c, slice_to(buf_slice(&dialogs), buf_len(&dialogs) - at % 3),
                              buf_slice(&document));
            subscriber_loaded(c);
            damage(dialogs.data + dialogs.head, buf_len(&dialogs), at, 1 << bit);
            damage(document.data + document.head, buf_len(&document), at, 1 << bit);
            cr_expect_lt(c->in.state, SUBSCRIBER_STATE_COUNT);
        }
    }
    buf_deinit(&dialogs);
    buf_deinit(&document);
    contact_pace_cancel(contact_of(&s));
}
