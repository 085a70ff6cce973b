/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_vectors: the worked examples of presence, XMPP watcher and SIP presentity (P-1...) */
#include "subscriber_help.h"

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

TestSuite(subscriber_vectors, .init = setup, .fini = teardown);

Test(subscriber_vectors, p1_first_active_with_body)
{
    ann(&s, "subscribe");
    respond(&s, 200, "");
    cr_expect_eq(notify(&s, "active;expires=3500",
                        PIDF_HEAD "<tuple id='ID-a1'><status><basic>open</basic></status>"
                                  "<contact priority='0.8'>sip:bob@corp.example</contact>"
                                  "<note xml:lang='en'>At desk</note></tuple>" PIDF_TAIL),
                 200);
    expect_stanza(&s, "<presence", "from=\"" BOB "\"", "to=\"" ANN "\"", "type=\"subscribed\"/>",
                  NULL);
    expect_stanza(&s, "from=\"" BOB "/a1\"", "to=\"" ANN "\"",
                  "<status xml:lang=\"en\">At desk</status>", "<priority>102</priority>", NULL);
    expect_silence(&s);
}

Test(subscriber_vectors, p2_active_without_body)
{
    ann(&s, "subscribe");
    respond(&s, 200, "");
    notify(&s, "active;expires=3600", "");
    EXPECT_SAID(&s, "200 subscribed unavailable = active/granted");
}

Test(subscriber_vectors, p3_pending_is_silent)
{
    ann(&s, "subscribe");
    respond(&s, 200, "");
    notify(&s, "pending;expires=3600", "");
    EXPECT_SAID(&s, "200 = pending/asked");
}

Test(subscriber_vectors, p5_closed_and_never_seen)
{
    enter(&s, SUBSCRIBER_PENDING);
    notify(&s, "active;expires=3600",
           PIDF_HEAD TUPLE("a1", "open") TUPLE("b2", "closed") PIDF_TAIL);
    EXPECT_SAID(&s, "200 subscribed available/a1 = active/granted");
}

Test(subscriber_vectors, p6_tuple_ids_that_change)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    notify(&s, "active;expires=3600", PIDF_HEAD TUPLE("b7", "open") PIDF_TAIL);
    EXPECT_SAID(&s, "200 = active/granted");
    notify(&s, "active;expires=3600", PIDF_HEAD TUPLE("c9", "open") PIDF_TAIL);
    EXPECT_SAID(&s, "200 = active/granted");
}

Test(subscriber_vectors, p7_about_somebody_else)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    cr_expect_eq(notify(&s, "active;expires=3600",
                        "<presence xmlns='urn:ietf:params:xml:ns:pidf' "
                        "entity='pres:mallory@corp.example'>" TUPLE("m", "open") PIDF_TAIL),
                 200);
    EXPECT_SAID(&s, "200 = active/granted");
    cr_expect_eq(presence_stats(s.f.p)->document_refused, 1);
}

Test(subscriber_vectors, p7_on_the_first_word_grants_and_shows_nothing)
{
    enter(&s, SUBSCRIBER_TRYING);
    notify(&s, "active;expires=3600",
           "<presence xmlns='urn:ietf:params:xml:ns:pidf' "
           "entity='pres:mallory@corp.example'>" TUPLE("m", "open") PIDF_TAIL);
    EXPECT_SAID(&s, "200 subscribed unavailable = active/granted");
}

Test(subscriber_vectors, p13_deactivated_and_rejected)
{
    char old_call_id[64];

    enter(&s, SUBSCRIBER_ACTIVE);
    snprintf(old_call_id, sizeof(old_call_id), "%s", s.call_id);
    notify(&s, "terminated;reason=deactivated", "");
    fixture_run(&s.f, 7000);
    EXPECT_SAID(&s, "200 new = trying/granted");
    cr_expect_str_neq(s.call_id, old_call_id);
    respond(&s, 200, "");
    notify(&s, "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 = active/granted");
    notify(&s, "terminated;reason=rejected", "");
    EXPECT_SAID(&s, "200 unavailable/a1 unsubscribed = denied/denied");
}

Test(subscriber_vectors, p14_interval_too_brief)
{
    struct said *r;

    enter(&s, SUBSCRIBER_TRYING);
    respond(&s, 423, "Min-Expires: 7200\r\n");
    EXPECT_SAID(&s, "new = trying/asked");
    r = subscribe_in_flight(&s);
    cr_expect(slice_eq_cstr(fixture_header(r, "Expires"), "7200"));
    cr_expect(slice_eq_cstr(fixture_header(r, "CSeq"), "2 SUBSCRIBE"));
}

Test(subscriber_vectors, p14_does_not_go_on_for_ever)
{
    char fields[64];
    unsigned count = 0;

    enter(&s, SUBSCRIBER_TRYING);
    while (is_in_flight(&s) && count < 20) {
        snprintf(fields, sizeof(fields), "Min-Expires: %u\r\n", 3601 + count++);
        respond(&s, 423, fields);
    }
    cr_expect_eq(count, 1 + SUBSCRIBER_LONGER_MAX);
    cr_expect_eq(state_of(&s), SUBSCRIBER_BACKOFF);
}

Test(subscriber_vectors, p14_useless_and_absurd)
{
    static const char *const fields[] = {"", "Min-Expires: 10\r\n", "Min-Expires: 4294967295\r\n",
                                         "Min-Expires: x\r\n"};

    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        teardown();
        setup();
        enter(&s, SUBSCRIBER_TRYING);
        respond(&s, 423, fields[i]);
        EXPECT_SAID(&s, "= backoff/asked");
    }
}

Test(subscriber_vectors, p15_notify_before_the_2xx)
{
    enter(&s, SUBSCRIBER_TRYING);
    notify(&s, "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 subscribed available/a1 = active/granted");
    respond(&s, 200, "");
    EXPECT_SAID(&s, "= active/granted");
    cr_expect_eq(contact_of(&s)->in.dialogs->asked_s, 3600);
    cr_expect_null(contact_of(&s)->in.dialogs->next);
}

Test(subscriber_vectors, p17_silence_after_the_2xx)
{
    enter(&s, SUBSCRIBER_TRYING);
    respond(&s, 200, "");
    fixture_run(&s.f, 31000);
    EXPECT_SAID(&s, "= trying/asked");
    fixture_run(&s.f, 3000);
    EXPECT_SAID(&s, "end = backoff/asked"); /* what the notifier holds ends; she sees nothing */
    respond(&s, 481, "");
    fixture_run(&s.f, 75000);
    EXPECT_SAID(&s, "new = trying/asked");
    respond(&s, 200, "");
    notify(&s, "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 subscribed available/a1 = active/granted");
}

Test(subscriber_vectors, p18_forks_are_merged)
{
    enter(&s, SUBSCRIBER_TRYING);
    notify_as(&s, "n1", "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 subscribed available/a1 = active/granted");
    respond_tagged(&s, 200, "n2", ""); /* the 2xx is the other one's */
    s.cseq = 0;
    notify_as(&s, "n2", "active;expires=3600", PIDF_HEAD TUPLE("b2", "open") PIDF_TAIL);
    EXPECT_SAID(&s, "200 available/b2 = active/granted");
    cr_expect_eq(subscriber_count(contact_of(&s), SUBSCRIBER_LIVE), 2);
    ann(&s, "probe");
    EXPECT_SAID(&s, "available/a1 available/b2 = active/granted");
    notify_as(&s, "n2", "terminated;reason=rejected", "");
    EXPECT_SAID(&s, "200 unavailable/b2 = active/granted");
    ann(&s, "unsubscribe");
    EXPECT_SAID(&s, "end = none/none");
}

Test(subscriber_vectors, p18_a_fork_that_rejects_first_is_not_the_last_word)
{
    enter(&s, SUBSCRIBER_TRYING);
    notify_as(&s, "n1", "terminated;reason=rejected", "");
    EXPECT_SAID(&s, "200 = trying/asked");
    notify_as(&s, "n2", "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 subscribed available/a1 = active/granted");
    respond_tagged(&s, 200, "n1", "");
    EXPECT_SAID(&s, "= active/granted");
}

Test(subscriber_vectors, p18_rejected_by_the_one_that_answered)
{
    enter(&s, SUBSCRIBER_TRYING);
    notify_as(&s, "n1", "terminated;reason=rejected", "");
    said(&s);
    respond_tagged(&s, 200, "n1", "");
    EXPECT_SAID(&s, "unsubscribed = denied/denied");
    teardown();
    setup();
    enter(&s, SUBSCRIBER_TRYING);
    respond_tagged(&s, 200, "n2", "");
    notify_as(&s, "n1", "terminated;reason=rejected", "");
    EXPECT_SAID(&s, "200 = trying/asked"); /* n2 has not spoken yet */
    notify_as(&s, "n2", "terminated;reason=noresource", "");
    EXPECT_SAID(&s, "200 unsubscribed = denied/denied");
}

/* RFC 3261 16.7: a 2xx is the better answer. */
Test(subscriber_vectors, p18_a_fork_that_said_yes_and_no_more)
{
    enter(&s, SUBSCRIBER_TRYING);
    notify_as(&s, "n1", "terminated;reason=rejected", "");
    respond_tagged(&s, 200, "n2", "");
    EXPECT_SAID(&s, "200 = trying/asked");
    fixture_run(&s.f, 35000);
    EXPECT_SAID(&s, "= backoff/asked"); /* its NOTIFY was lost, perhaps */
    fixture_run(&s.f, 75000);
    EXPECT_SAID(&s, "new = trying/asked");
    respond(&s, 200, "");
    notify(&s, "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 subscribed available/a1 = active/granted");
}

Test(subscriber_vectors, p18_rejected_by_all)
{
    enter(&s, SUBSCRIBER_TRYING);
    notify_as(&s, "n1", "terminated;reason=rejected", "");
    respond_tagged(&s, 200, "n2", "");
    notify_as(&s, "n2", "terminated;reason=rejected", "");
    EXPECT_SAID(&s, "200 200 unsubscribed = denied/denied");
}

/* The other way round: its NOTIFY overtakes its 2xx. */
Test(subscriber_vectors, p18_rejected_by_all_before_the_response)
{
    enter(&s, SUBSCRIBER_TRYING);
    notify_as(&s, "n1", "terminated;reason=rejected", "");
    notify_as(&s, "n2", "terminated;reason=rejected", "");
    EXPECT_SAID(&s, "200 200 = trying/asked");
    respond_tagged(&s, 200, "n2", "");
    EXPECT_SAID(&s, "unsubscribed = denied/denied");
}

/* The fork that said yes has not spoken, whatever a third one says. */
Test(subscriber_vectors, p18_rejected_by_two_of_three)
{
    enter(&s, SUBSCRIBER_TRYING);
    notify_as(&s, "n1", "terminated;reason=rejected", "");
    notify_as(&s, "n3", "terminated;reason=rejected", "");
    respond_tagged(&s, 200, "n2", "");
    notify_as(&s, "n3", "terminated;reason=rejected", "");
    EXPECT_SAID(&s, "200 200 200 = trying/asked");
    notify_as(&s, "n2", "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 subscribed available/a1 = active/granted");
}

/* A place that only moves does not refuse, though another one did. */
Test(subscriber_vectors, p18_rejected_by_one_and_ended_by_another)
{
    enter(&s, SUBSCRIBER_TRYING);
    notify_as(&s, "n1", "terminated;reason=rejected", "");
    notify_as(&s, "n2", "terminated;reason=probation", "");
    respond_tagged(&s, 200, "n2", "");
    EXPECT_SAID(&s, "200 200 = trying/asked");
    notify_as(&s, "n2", "terminated;reason=probation", "");
    EXPECT_SAID(&s, "200 = backoff/asked");
}

Test(subscriber_vectors, p19_probes)
{
    uint64_t sent;

    for (unsigned i = 0; i < 1000; i++) {
        ann(&s, "probe");
    }
    EXPECT_SAID(&s, "new = trying/none");
    respond(&s, 200, "");
    notify(&s, "active;expires=3600", PIDF_OPEN);
    EXPECT_SAID(&s, "200 subscribed available/a1 = active/granted");
    sent = presence_stats(s.f.p)->subscribe_sent;
    cr_expect_eq(sent, 1);
    for (unsigned i = 0; i < 1000; i++) {
        ann(&s, "probe");
    }
    cr_expect_eq(fixture_count(&s.f.stanzas), 1000);
    cr_expect_eq(presence_stats(s.f.p)->subscribe_sent, sent);
    cr_expect_eq(presence_stats(s.f.p)->probe_cached, 1000);
}

Test(subscriber_vectors, p19_who_asks_is_answered)
{
    enter(&s, SUBSCRIBER_ACTIVE);
    cr_assert(
        fixture_from_partner(&s.f, "<presence type='probe' from='" ANN "/chamber' to='" BOB "'/>"));
    expect_stanza(&s, "from=\"" BOB "/a1\"", "to=\"" ANN "/chamber\"", NULL);
    /* Of one resource no more than that it is there (RFC 6121 4.3.2). */
    cr_assert(
        fixture_from_partner(&s.f, "<presence type='probe' from='" ANN "' to='" BOB "/a1'/>"));
    expect_stanza(&s, "from=\"" BOB "/a1\"", "to=\"" ANN "\"></presence>", NULL);
    cr_assert(
        fixture_from_partner(&s.f, "<presence type='probe' from='" ANN "' to='" BOB "/zz'/>"));
    expect_stanza(&s, "from=\"" BOB "/zz\"", "type=\"unavailable\"", NULL);
    expect_silence(&s);
}

Test(subscriber_vectors, p21_hostile_documents)
{
    static const char head[] = PIDF_HEAD;
    size_t size = (1u << 20) + 4096;
    char *body = malloc(size);

    cr_assert(body);
    enter(&s, SUBSCRIBER_ACTIVE);
    cr_expect_eq(notify(&s, "active;expires=3600", "<!DOCTYPE x [<!ENTITY a 'b'>]>" PIDF_OPEN),
                 200);
    snprintf(body, size, "%s<note>", head);
    memset(body + strlen(body), 'x', 200000);
    snprintf(body + sizeof(head) + 200000, 100, "</note>" PIDF_TAIL);
    cr_expect_eq(notify(&s, "active;expires=3600", body), 200);
    body[0] = 0;
    for (int i = 0; i < 200; i++) {
        snprintf(body + strlen(body), 256, "%s<a>", i == 0 ? head : "");
    }
    cr_expect_eq(notify(&s, "active;expires=3600", body), 200);
    cr_expect_eq(notify(&s, "active;expires=3600", "\xff\xfe<presence"), 200);
    EXPECT_SAID(&s, "200 200 200 200 = active/granted");
    cr_expect_eq(presence_stats(s.f.p)->document_refused, 4);
    free(body);
}
