/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hear: which machine hears what, and calls that come back. */
#include "table_scene.h"

TestSuite(hear, .init = setup, .fini = teardown);

static uint64_t notify(const char *local)
{
    char text[512];

    (void)snprintf(text, sizeof(text),
                   "NOTIFY sip:gw.corp.example SIP/2.0\n"
                   "Via: SIP/2.0/TLS a.example;branch=z9hG4bK2\nMax-Forwards: 70\n"
                   "From: <sip:%s>;tag=1\nTo: <sip:ann@chat.example>;tag=2\n"
                   "Call-ID: c1\nCSeq: 1 NOTIFY\nEvent: presence\n"
                   "Subscription-State: active\nContent-Length: 0\n\n",
                   local);
    return fixture_notify(&f, text);
}

/* --- who hears what --------------------------------------------------------------------------- */

Test(hear, nobody_is_made_for_what_nobody_asked)
{
    static const char *const types[] = {"", "unavailable", "subscribed", "unsubscribed"};

    fixture_start(&f);
    puppet.act = work;
    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        stanza(types[i], BOB, ANN);
    }
    cr_expect(fixture_from_partner(&f, "<presence type='error' from='" ANN "' to='" BOB "'/>"));
    cr_expect_eq(puppet.count[PUPPET_STANZA], 0);
    cr_expect_eq(fixture_count(&f.stanzas), 0);
    stanza("unsubscribe", BOB, ANN);
    cr_expect_eq(fixture_count(&f.stanzas), 0);
    expect_answer(subscribe(BOB, ";tag=x"), 481);
    expect_answer(notify(BOB), 481);
    cr_expect_eq(presence_stats(f.p)->notify_stray, 1);
    cr_expect_eq(puppet.live, 0);
}

Test(hear, presence_is_heard_by_both_machines)
{
    struct presence_pair pair = fixture_pair(BOB, ANN);
    struct contact *in;
    struct contact *out;

    fixture_start(&f);
    cr_assert_eq(contact_get(f.p, CONTACT_IN, &pair, &in), 0);
    cr_assert_eq(contact_get(f.p, CONTACT_OUT, &pair, &out), 0);
    puppet_set(in, 1);
    puppet_set(out, 1);
    stanza("", BOB, ANN);
    stanza("unavailable", BOB, ANN);
    cr_expect_eq(puppet.count[PUPPET_STANZA], 4);
    stanza("subscribed", BOB, ANN);
    stanza("probe", BOB, ANN);
    cr_expect_eq(puppet.count[PUPPET_STANZA], 6);
    cr_expect_eq(in->remote->stats.stanza_received, 2);
    expect_answer(notify(BOB), 200);
    cr_expect_eq(in->remote->stats.notify_received, 1);
    expect_answer(subscribe(BOB, ""), 200);
    presence_undelivered(f.p, &pair, STANZA_TYPE_SUBSCRIBE, STANZA_CONDITION_GONE);
    presence_undelivered(f.p, &pair, STANZA_TYPE_SUBSCRIBED, STANZA_CONDITION_GONE);
    cr_expect_eq(puppet.count[PUPPET_UNDELIVERED], 2);
}

Test(hear, who_may_not_watch_is_answered_as_a_stranger)
{
    fixture_start(&f);
    f.rules[CONTACT_IN].is_allowed = false;
    f.rules[CONTACT_OUT].is_allowed = false;
    stanza("subscribe", BOB, ANN);
    expect_stanza("<presence from='bob@corp.example' to='ann@chat.example' type='unsubscribed'/>");
    stanza("probe", BOB, "ann@chat.example/phone");
    expect_stanza(
        "<presence from='bob@corp.example' to='ann@chat.example/phone' type='unavailable'/>");
    expect_answer(subscribe(BOB, ""), 403);
    cr_expect_eq(puppet.live, 0);
    cr_expect_eq(puppet.count[PUPPET_STANZA], 0);
}

/* sip.md 4.6: what we ourselves represent is no news. */
Test(hear, echo_of_our_own_domain_is_not_taken)
{
    fixture_start(&f);
    stanza("subscribe", BOB, "eve@corp.example");
    expect_stanza("<presence from='bob@corp.example' to='eve@corp.example' type='unsubscribed'/>");
    stanza("", BOB, "eve@corp.example");
    expect_answer(fixture_subscribe(&f, "SUBSCRIBE sip:bob@corp.example SIP/2.0\n"
                                        "Via: SIP/2.0/TLS a.example;branch=z9hG4bK1\n"
                                        "From: <sip:eve@corp.example>;tag=1\n"
                                        "To: <sip:bob@corp.example>\n"
                                        "Call-ID: c1\nCSeq: 1 SUBSCRIBE\n\n"),
                  482);
    cr_expect_eq(puppet.live, 0);
}

/* --- calls ------------------------------------------------------------------------------------ */

static struct presence_call *call;
static int dialog;

static void request(struct contact *c, enum puppet_event event, int64_t arg)
{
    struct sip_request_params params = {
        .method = SIP_METHOD_SUBSCRIBE,
        .uri = SLICE_LIT("sip:bob@corp.example"),
        .max_forwards = 70,
        .from_uri = SLICE_LIT("sip:ann@chat.example"),
        .from_tag = SLICE_LIT("1"),
        .to_uri = SLICE_LIT("sip:bob@corp.example"),
        .call_id = SLICE_LIT("c"),
        .cseq = 1,
    };

    (void)arg;
    if (event == PUPPET_STANZA) {
        call = contact_request(c, &params, SLICE_NONE, SLICE_NONE, SLICE_NONE, &dialog, 7);
    }
}

static void request_and_stay(struct contact *c, enum puppet_event event, int64_t arg)
{
    request(c, event, arg);
    puppet_set(c, event != PUPPET_RESPONSE);
    if (event == PUPPET_RESPONSE) {
        contact_forget_dialog(c, &dialog);
        cr_expect_null(call->dialog);
    }
}

Test(hear, call_comes_back_once)
{
    fixture_start(&f);
    puppet.act = request_and_stay;
    stanza("subscribe", BOB, ANN);
    cr_assert_not_null(call);
    cr_expect_eq(call->kind, 7);
    fixture_respond(&f, fixture_request(&f), 404, "x", "");
    cr_expect_eq(puppet.arg[PUPPET_RESPONSE], 404);
    cr_expect_eq(puppet.live, 0);
    cr_expect_eq(presence_stats(f.p)->subscribe_sent, 1);
    cr_expect_eq(presence_stats(f.p)->subscribe_failed, 1);
}

Test(hear, call_outlives_its_contact)
{
    fixture_start(&f);
    puppet.act = request;
    stanza("subscribe", BOB, ANN);
    cr_assert_not_null(call);
    cr_expect_eq(puppet.live, 0);
    cr_expect_null(call->contact);
    cr_expect_null(call->dialog);
    fixture_fail(&f, fixture_request(&f), SIP_OUTCOME_TIMEOUT);
    cr_expect_eq(puppet.count[PUPPET_RESPONSE], 0);
}

Test(hear, request_that_is_not_taken_leaves_no_call)
{
    fixture_start(&f);
    puppet.act = request;
    f.request_err = ERR_FULL;
    stanza("subscribe", BOB, ANN);
    cr_expect_null(call);
    cr_expect(list_is_empty(&f.p->calls));
    cr_expect_eq(presence_stats(f.p)->subscribe_sent, 0);
}

Test(hear, end_with_calls_and_rows_on_their_way)
{
    fixture_start(&f);
    f.store = FIXTURE_STORE_HOLDS;
    puppet.act = request_and_stay;
    stanza("subscribe", BOB, ANN);
    puppet.act = work;
    stanza("subscribe", BOB, ANN);
    fixture_run(&f, PRESENCE_DIRTY_MS + 100);
    cr_expect(!list_is_empty(&f.on_way));
}
