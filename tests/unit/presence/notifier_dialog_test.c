/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notifier_dialog: SUBSCRIBE of all sorts, what it is answered, how dialogs begin, last and end
 * (RFC 6665 4.2.1). */
#include "base/err.h"
#include "notifier_scene.h"

TestSuite(notifier_dialog, .init = setup, .fini = teardown);

#define PIDF "Accept: application/pidf+xml\n"
#define EVENT "Event: presence\n"

/* --- what is refused -------------------------------------------------------------------------- */

Test(notifier_dialog, refusals)
{
    static const struct {
        const char *lines;
        unsigned status;
        const char *field; /* to be in the answer */
    } cases[] = {
        {"Event: presence.winfo\n" PIDF, 489, "Allow-Events: presence\r\n"},
        {"Event: vnd-microsoft-roaming-self\n", 489, "Allow-Events: presence\r\n"},
        {"Event: dialog\n", 489, "Allow-Events: presence\r\n"},
        {"Expires: 3600\n", 489, "Allow-Events"},
        {EVENT "Accept: application/msrtc-event-categories+xml\n", 406,
         "Accept: application/pidf+xml\r\n"},
        {EVENT "Accept: application/pidf+xml;q=0\n", 406, "Accept:"},
        {EVENT "Content-Type: application/adrl+xml\nContent-Length: 4\n\n<a/>", 420,
         "Unsupported: adhoclist"},
        {EVENT PIDF "Expires: 59\n", 423, "Min-Expires: 60\r\n"},
        {EVENT PIDF "Expires: 1\n", 423, "Min-Expires: 60\r\n"},
        {EVENT PIDF "Expires: soon\n", 400, ""},
        {EVENT PIDF "Contact: *\n", 400, ""},
        {EVENT PIDF "Contact: <sip:a@b>, <sip:c@d>\n", 400, ""},
        {EVENT PIDF "Contact: <mailto:bob@corp.example>\n", 400, ""},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct said *answer;
        unsigned status = subscribe_raw(&f, &phone, cases[i].lines, &answer);

        cr_expect_eq(status, cases[i].status, "%s: %u", cases[i].lines, status);
        cr_expect(strstr(answer->text, cases[i].field), "%s: %s", cases[i].lines, answer->text);
        cr_expect_str_eq(told(&f) + 4, "= gone/0"); /* and nothing is kept */
    }
}

Test(notifier_dialog, no_policy_no_contact)
{
    f.rules[CONTACT_OUT].is_allowed = false;
    cr_expect_eq(subscribe(&f, &phone, "3600"), 403);
    cr_expect_str_eq(told(&f), "403 = gone/0");
    f.rules[CONTACT_OUT].is_allowed = true;
    begin_granted(&f, &phone, "3600");
    f.rules[CONTACT_OUT].is_allowed = false;
    cr_expect_eq(subscribe(&f, &phone, "3600"), 403);
}

Test(notifier_dialog, what_microsoft_clients_ask_for_is_not_echoed)
{
    struct said *answer;

    cr_expect_eq(subscribe_raw(&f, &phone,
                               EVENT "Accept: application/msrtc-event-categories+xml, "
                                     "text/xml+msrtc.pidf, application/pidf+xml\n"
                                     "Supported: ms-benotify, ms-piggyback-first-notify\n"
                                     "Supported: com.microsoft.autoextend, eventlist\n"
                                     "Proxy-Require: ms-benotify\n",
                               &answer),
                 200);
    cr_expect(!strstr(answer->text, "ms-"));
    cr_expect(!strstr(answer->text, "Supported"));
    cr_expect(!strstr(answer->text, "Content-Type")); /* no first NOTIFY in it */
    cr_expect_str_eq(told(&f), "200 N:pending subscribe probe = asking/1");
}

/* --- what is granted -------------------------------------------------------------------------- */

Test(notifier_dialog, answer_of_the_first)
{
    struct said *answer;
    struct said *notify;

    cr_expect_eq(subscribe_raw(&f, &phone,
                               EVENT PIDF "Expires: 600\n"
                                          "Record-Route: <sip:edge.corp.example;lr>\n"
                                          "Record-Route: <sip:pool.corp.example;lr>\n",
                               &answer),
                 200); /* never 202 */
    cr_expect(strstr(answer->text, "Record-Route: <sip:edge.corp.example;lr>\r\n"
                                   "Record-Route: <sip:pool.corp.example;lr>\r\n"));
    cr_expect(strstr(answer->text, "Contact: <sip:gw.corp.example:5061;transport=tls>\r\n"));
    cr_expect(strstr(answer->text, "Expires: 600\r\n"));
    cr_expect(strstr(answer->text, "Allow-Events: presence\r\n"));
    notify = fixture_request(&f);
    cr_assert(notify);
    cr_expect_eq(strncmp(notify->text, "NOTIFY sip:bob@10.0.0.7:5060 SIP/2.0\r\n", 38), 0);
    cr_expect(says(notify, "Route: <sip:edge.corp.example;lr>\r\n"));
    cr_expect(slice_eq_cstr(fixture_header(notify, "Subscription-State"), "pending;expires=600"));
    cr_expect(slice_eq_cstr(fixture_header(notify, "Event"), "presence"));
    cr_expect(slice_eq_cstr(fixture_header(notify, "Contact"),
                            "<sip:gw.corp.example:5061;transport=tls>"));
    cr_expect(slice_starts(fixture_header(notify, "From"), SLICE_LIT("<sip:" ANN ">;tag=")));
    cr_expect(slice_eq_cstr(fixture_header(notify, "To"), "<sip:" BOB ">;tag=f-phone"));
    cr_expect(slice_eq_cstr(fixture_header(notify, "CSeq"), "1 NOTIFY"));
    cr_expect_eq(body_of(notify).len, 0);
}

Test(notifier_dialog, expires)
{
    static const struct {
        const char *asked; /* line */
        uint32_t bound_s;
        const char *granted;
    } cases[] = {
        {"", 7200, "Expires: 3600\r\n"}, /* RFC 3856 6.4 */
        {"", 600, "Expires: 600\r\n"},
        {"Expires: 60\n", 3600, "Expires: 60\r\n"},
        {"Expires: 3599\n", 3600, "Expires: 3599\r\n"},
        {"Expires: 3601\n", 3600, "Expires: 3600\r\n"},
        {"Expires: 4294967295\n", 28800, "Expires: 28800\r\n"},
        {"Expires: 4294967296\n", 3600, "Expires: 3600\r\n"},
        {"Expires: 99999999999999999999\n", 3600, "Expires: 3600\r\n"},
        {"Expires: 100000\n", UINT32_MAX, "Expires: 86400\r\n"}, /* whatever is configured */
        {"Expires: 3600\n", 0, "Expires: 60\r\n"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct device d = {.call_id = "x", .cseq = 1};
        char lines[256];
        struct said *answer;

        (void)snprintf(lines, sizeof(lines), EVENT PIDF "%s", cases[i].asked);
        f.rules[CONTACT_OUT].expires_s = cases[i].bound_s;
        cr_expect_eq(subscribe_raw(&f, &d, lines, &answer), 200, "%s", lines);
        cr_expect(strstr(answer->text, cases[i].granted), "%s: %s", lines, answer->text);
        accept_all(&f);
    }
}

Test(notifier_dialog, event_id_comes_back)
{
    cr_expect_eq(subscribe_raw(&f, &phone, "Event: presence;id=a7\n" PIDF, NULL), 200);
    cr_expect(slice_eq_cstr(fixture_header(fixture_request(&f), "Event"), "presence;id=a7"));
}

Test(notifier_dialog, addresses_as_the_watcher_wrote_them)
{
    struct said *notify;

    cr_assert(fixture_subscribe(&f, "SUBSCRIBE sip:ann@chat.example SIP/2.0\n"
                                    "Via: SIP/2.0/TLS p;branch=z9hG4bKa\nMax-Forwards: 70\n"
                                    "From: Bob <sip:bob@corp.example;user=x>;tag=1\n"
                                    "To: <pres:ann@chat.example>\nCall-ID: c\nCSeq: 1 SUBSCRIBE\n"
                                    "Contact: <sip:bob@10.0.0.7>\n" EVENT "\n"));
    notify = fixture_request(&f);
    cr_assert(notify);
    cr_expect(says(notify, "From: <pres:ann@chat.example>;tag="));
    cr_expect(says(notify, "To: <sip:bob@corp.example;user=x>;tag=1\r\n"));
}

/* --- in the dialog ---------------------------------------------------------------------------- */

Test(notifier_dialog, refresh_moves_expiry_and_target)
{
    struct said *answer;

    begin_granted(&f, &phone, "60");
    cr_expect_eq(subscribe_raw(&f, &phone,
                               EVENT PIDF "Expires: 1800\nContact: <sip:bob@10.0.0.9:5060>\n",
                               &answer),
                 200);
    cr_expect(strstr(answer->text, "Expires: 1800\r\n"));
    cr_expect(strstr(answer->text, "Contact: <sip:gw.corp.example"));
    cr_expect(!strstr(answer->text, "Record-Route"));
    cr_expect(says(fixture_request(&f), "NOTIFY sip:bob@10.0.0.9:5060 SIP/2.0\r\n"));
    cr_expect(says(fixture_request(&f), "Subscription-State: active;expires=1800\r\n"));
    accept_all(&f);
    fixture_run(&f, 1000 * 1000);
    accept_all(&f);
    (void)told(&f);
    fixture_run(&f, 799 * 1000);
    cr_expect_str_eq(told(&f), "= granted/1");
    fixture_run(&f, 2000);
    cr_expect_str_eq(told(&f), "N:terminated;reason=timeout+closed unavailable = granted/0");
}

Test(notifier_dialog, refresh_asks_nobody)
{
    begin_granted(&f, &phone, "3600");
    for (int i = 0; i < 10; i++) {
        fixture_run(&f, 1000 * 1000);
        accept_all(&f);
        (void)told(&f);
        cr_expect_eq(subscribe(&f, &phone, "3600"), 200);
        cr_expect_str_eq(told(&f), "200 N:active+open = granted/1");
    }
}

Test(notifier_dialog, refresh_too_brief)
{
    begin_granted(&f, &phone, "3600");
    cr_expect_eq(subscribe(&f, &phone, "30"), 423);
    cr_expect_str_eq(told(&f), "423 = granted/1"); /* and lasts as before */
}

Test(notifier_dialog, numbers_that_go_back_or_stay)
{
    struct said *answer;

    begin_granted(&f, &phone, "3600");
    cr_expect_eq(subscribe(&f, &phone, "1800"), 200);
    accept_all(&f);
    (void)told(&f);
    phone.cseq = 1;
    cr_expect_eq(subscribe(&f, &phone, "0"), 500);
    cr_expect_str_eq(told(&f), "500 = granted/1");
    cr_expect_eq(subscribe_raw(&f, &phone, EVENT PIDF "Expires: 1800\n", &answer), 200);
    cr_expect(strstr(answer->text, "Expires: 1800\r\n"));
    cr_expect(strstr(answer->text, "Contact:"));
    cr_expect_str_eq(told(&f), "200 = granted/1"); /* no further NOTIFY */
    phone.cseq = 9;
    cr_expect_eq(subscribe(&f, &phone, "0"), 200);
    phone.cseq = 9;
    (void)told(&f);
    cr_expect_eq(subscribe_raw(&f, &phone, EVENT PIDF "Expires: 0\n", &answer), 200);
    cr_expect(strstr(answer->text, "Expires: 0\r\n"));
    cr_expect_str_eq(told(&f), "200 = granted/0");
}

Test(notifier_dialog, unknown_dialog)
{
    struct device stray = {.call_id = "phone", .cseq = 5, .to_tag = "nonsense"};
    struct device other = {.call_id = "other", .cseq = 5};

    cr_expect_eq(subscribe(&f, &stray, "3600"), 481);
    begin_granted(&f, &phone, "3600");
    cr_expect_eq(subscribe(&f, &stray, "3600"), 481);
    (void)snprintf(other.to_tag, sizeof(other.to_tag), "%s", phone.to_tag);
    cr_expect_eq(subscribe(&f, &other, "3600"), 481);
    cr_expect_str_eq(told(&f), "481 481 481 = granted/1" + 4);
}

Test(notifier_dialog, over_is_over)
{
    begin_granted(&f, &phone, "3600");
    cr_expect_eq(subscribe(&f, &phone, "0"), 200);
    cr_expect_eq(subscribe(&f, &phone, "3600"), 481); /* its last NOTIFY is on the way */
    accept_all(&f);
    cr_expect_eq(subscribe(&f, &phone, "3600"), 481);
    (void)told(&f);
    phone = (struct device){.call_id = "phone2", .cseq = 1};
    cr_expect_eq(subscribe(&f, &phone, "3600"), 200); /* the next log-in prompts nobody */
    cr_expect_str_eq(told(&f), "200 N:active+open probe = granted/1");
}

Test(notifier_dialog, second_subscription_in_it)
{
    begin_granted(&f, &phone, "3600");
    cr_expect_eq(subscribe_raw(&f, &phone, "Event: presence;id=2\n" PIDF, NULL), 403);
    cr_expect_eq(subscribe(&f, &phone, "3600"), 200);
}

Test(notifier_dialog, target_of_the_answer_to_notify)
{
    begin_granted(&f, &phone, "3600");
    from_ann(&f, "", "desk", "<show>away</show>");
    fixture_respond(&f, fixture_request(&f), 200, "x", "Contact: <sip:bob@10.0.0.77>\r\n");
    fixture_run(&f, 6000);
    from_ann(&f, "", "desk", "");
    cr_assert(fixture_request(&f));
    cr_expect(says(fixture_request(&f), "NOTIFY sip:bob@10.0.0.77 SIP/2.0\r\n"));
}

/* --- several ---------------------------------------------------------------------------------- */

Test(notifier_dialog, devices)
{
    struct device tablet = {.call_id = "tablet", .cseq = 1};

    begin_granted(&f, &phone, "3600");
    cr_expect_eq(subscribe(&f, &tablet, "3600"), 200);
    cr_expect_str_eq(told(&f), "200 N:active+open = granted/2");
    accept_all(&f);
    fixture_run(&f, 6000);
    from_ann(&f, "", "desk", "<show>dnd</show>");
    cr_expect_str_eq(told(&f), "N:active+open N:active+open = granted/2");
    accept_all(&f);
    cr_expect_eq(subscribe(&f, &phone, "0"), 200);
    cr_expect_str_eq(told(&f), "200 N:terminated;reason=timeout+closed = granted/1");
    accept_all(&f);
    cr_expect_eq(subscribe(&f, &tablet, "0"), 200);
    cr_expect_str_eq(told(&f), "200 N:terminated;reason=timeout+closed unavailable = granted/0");
}

Test(notifier_dialog, too_many_devices)
{
    struct device many[NOTIFIER_DIALOGS_MAX + 3];
    char names[ARRAY_COUNT(many)][8];

    for (size_t i = 0; i < ARRAY_COUNT(many); i++) {
        (void)snprintf(names[i], sizeof(names[i]), "d%zu", i);
        many[i] = (struct device){.call_id = names[i], .cseq = 1};
        cr_expect_eq(subscribe(&f, &many[i], "3600"), 200);
        if (i == 1) { /* one that does not answer */
            while (fixture_request(&f)) {
                fixture_fail(&f, fixture_request(&f), SIP_OUTCOME_LINK);
            }
        } else if (i < NOTIFIER_DIALOGS_MAX) {
            accept_all(&f);
        }
    }
    cr_expect_eq(notifier_lasting(&contact_of(&f)->out), NOTIFIER_DIALOGS_MAX);
    (void)told(&f);
    accept_all(&f);
    cr_expect_eq(subscribe(&f, &many[1], "3600"), 481, "who does not answer goes first");
    cr_expect_eq(subscribe(&f, &many[0], "3600"), 481, "then the oldest");
    cr_expect_eq(subscribe(&f, &many[2], "3600"), 481);
    cr_expect_eq(subscribe(&f, &many[3], "3600"), 200);
    cr_expect_eq(subscribe(&f, &many[ARRAY_COUNT(many) - 1], "3600"), 200);
}

Test(notifier_dialog, who_goes_is_told_when_to_come_back)
{
    struct device d = {.call_id = "d", .cseq = 1};
    char id[16];

    for (uint32_t i = 0; i <= NOTIFIER_DIALOGS_MAX; i++) {
        accept_all(&f);
        (void)told(&f);
        (void)snprintf(id, sizeof(id), "d%u", i);
        d = (struct device){.call_id = id, .cseq = 1};
        cr_expect_eq(subscribe(&f, &d, "3600"), 200);
    }
    cr_expect_str_eq(told(&f),
                     "200 N:pending N:terminated;reason=probation;retry-after=600 = asking/8");
}

Test(notifier_dialog, floods_are_bounded)
{
    struct device d;
    char id[16];

    begin_granted(&f, &phone, "3600");
    for (uint32_t i = 0; i < 1000; i++) { /* nobody answers the NOTIFYs */
        (void)snprintf(id, sizeof(id), "f%u", i);
        d = (struct device){.call_id = id, .cseq = 1};
        cr_expect_eq(subscribe(&f, &d, i % 2 ? "0" : "3600"), 200);
        (void)told(&f);
    }
    uint32_t count = 0;
    for (const struct notifier_dialog *n = contact_of(&f)->out.dialogs; n; n = n->next) {
        count++;
    }
    cr_expect_leq(count, NOTIFIER_DIALOGS_MAX + NOTIFIER_ENDING_MAX + 1);
}

Test(notifier_dialog, no_room)
{
    struct said *answer;

    presence_counters(f.p)->dialogs[CONTACT_OUT] = NOTIFIER_DIALOGS_ALL_MAX;
    cr_expect_eq(subscribe_raw(&f, &phone, EVENT PIDF, &answer), 500); /* not 503 */
    cr_expect(strstr(answer->text, "Retry-After: 60\r\n"));
    cr_expect_str_eq(told(&f), "500 = gone/0");
    presence_counters(f.p)->dialogs[CONTACT_OUT] = 0;
}

Test(notifier_dialog, begins_again_with_the_same_call_id)
{
    begin_granted(&f, &phone, "3600");
    phone.to_tag[0] = '\0'; /* it never saw an answer */
    cr_expect_eq(subscribe(&f, &phone, "3600"), 200);
    cr_expect_str_eq(told(&f), "200 N:active+open = granted/1");
}

/* --- asking ----------------------------------------------------------------------------------- */

Test(notifier_dialog, asks_again_for_a_new_watcher_but_not_at_once)
{
    begin_asking(&f, &phone, "3600");
    cr_expect_eq(subscribe(&f, &phone, "0"), 200);
    accept_all(&f);
    cr_expect_str_eq(told(&f), "200 unavailable = asking/0");
    phone = (struct device){.call_id = "b", .cseq = 1};
    cr_expect_eq(subscribe(&f, &phone, "3600"), 200);
    cr_expect_str_eq(told(&f), "200 N:pending = asking/1");
    accept_all(&f);
    cr_expect_eq(subscribe(&f, &phone, "0"), 200);
    accept_all(&f);
    fixture_run(&f, 61000);
    (void)told(&f);
    phone = (struct device){.call_id = "c", .cseq = 1};
    cr_expect_eq(subscribe(&f, &phone, "3600"), 200);
    cr_expect_str_eq(told(&f), "200 N:pending subscribe probe = asking/1");
}

Test(notifier_dialog, nobody_answers)
{
    begin_asking(&f, &phone, "600");
    fixture_run(&f, 301 * 1000);
    cr_expect_str_eq(told(&f), "= asking/1");
    fixture_run(&f, 300 * 1000);
    cr_expect_str_eq(told(&f), "N:terminated;reason=giveup unavailable = asking/0");
    cr_expect_eq(fixture_state(&f, CONTACT_OUT, BOB, ANN), CONTACT_ASKED);
    accept_all(&f);
    from_ann(&f, "subscribed", "", ""); /* days later */
    cr_expect_str_eq(told(&f), "= granted/0");
}

Test(notifier_dialog, request_is_forgotten_in_the_end)
{
    begin_asking(&f, &phone, "600");
    fixture_run(&f, 1000ull * (NOTIFIER_ASKED_S - 100));
    accept_all(&f);
    cr_expect_eq(fixture_state(&f, CONTACT_OUT, BOB, ANN), CONTACT_ASKED);
    fixture_run(&f, 1000ull * 200);
    cr_expect_str_eq(told(&f), "unavailable = gone/0");
    cr_expect_null(fixture_row(&f, CONTACT_OUT, BOB, ANN));
}

Test(notifier_dialog, refusal_is_remembered_for_a_day)
{
    begin_granted(&f, &phone, "3600");
    from_ann(&f, "unsubscribed", "", "");
    accept_all(&f);
    fixture_run(&f, 1000ull * (NOTIFIER_REFUSED_S - 10));
    phone = (struct device){.call_id = "b", .cseq = 1};
    cr_expect_eq(subscribe(&f, &phone, "3600"), 403);
    fixture_run(&f, 20 * 1000);
    cr_expect_eq(subscribe(&f, &phone, "3600"), 200);
    cr_expect_eq(fixture_state(&f, CONTACT_OUT, BOB, ANN), CONTACT_ASKED);
}

Test(notifier_dialog, blocked_for_ever)
{
    struct presence_pair pair = fixture_pair(BOB, ANN);

    begin_granted(&f, &phone, "3600");
    presence_order(f.p, &pair, CONTACT_OUT, PRESENCE_BLOCK, 1);
    fixture_settle(&f);
    accept_all(&f);
    from_ann(&f, "subscribed", "", "");
    from_ann(&f, "", "desk", "");
    fixture_run(&f, 2000ull * NOTIFIER_REFUSED_S);
    phone = (struct device){.call_id = "b", .cseq = 1};
    cr_expect_eq(subscribe(&f, &phone, "3600"), 403);
    cr_expect_eq(fixture_state(&f, CONTACT_OUT, BOB, ANN), CONTACT_BLOCKED);
    presence_order(f.p, &pair, CONTACT_OUT, PRESENCE_ALLOW, 2);
    fixture_settle(&f);
    (void)told(&f);
    cr_expect_eq(subscribe(&f, &phone, "3600"), 200);
    cr_expect_str_eq(told(&f), "200 N:pending subscribe probe = asking/1");
}

/* --- fetch ------------------------------------------------------------------------------------ */

Test(notifier_dialog, fetch_by_a_stranger)
{
    cr_expect_eq(subscribe(&f, &phone, "0"), 200);
    cr_expect(says(fixture_request(&f), "Subscription-State: terminated;reason=timeout\r\n"));
    cr_expect_str_eq(told(&f), "200 N:terminated;reason=timeout probe = none/0");
    accept_all(&f);
    from_ann(&f, "unsubscribed", "", "");
    cr_expect_str_eq(told(&f), "= gone/0");
    cr_expect_null(fixture_row(&f, CONTACT_OUT, BOB, ANN));
}

Test(notifier_dialog, fetch_finds_what_was_granted)
{
    cr_expect_eq(subscribe(&f, &phone, "0"), 200);
    accept_all(&f);
    (void)told(&f);
    from_ann(&f, "", "desk", "");
    cr_expect_str_eq(told(&f), "= granted/0");
    phone = (struct device){.call_id = "b", .cseq = 1};
    cr_expect_eq(subscribe(&f, &phone, "0"), 200);
    cr_expect_str_eq(told(&f), "200 N:terminated;reason=timeout+open = granted/0");
    accept_all(&f);
    fixture_run(&f, 61000);
    (void)told(&f);
    phone = (struct device){.call_id = "c", .cseq = 1};
    cr_expect_eq(subscribe(&f, &phone, "0"), 200);
    cr_expect_str_eq(told(&f), "200 N:terminated;reason=timeout+open probe = granted/0");
}

Test(notifier_dialog, polling_is_no_flood_of_probes)
{
    struct device d;
    char id[16];
    size_t probes = 0;

    for (uint32_t i = 0; i < 120; i++) {
        (void)snprintf(id, sizeof(id), "p%u", i);
        d = (struct device){.call_id = id, .cseq = 1};
        cr_expect_eq(subscribe(&f, &d, "0"), 200);
        accept_all(&f);
        probes += strstr(told(&f), "probe") != NULL;
        fixture_run(&f, 1000);
    }
    cr_expect_geq(probes, 2);
    cr_expect_leq(probes, 3);
}
