/* SPDX-License-Identifier: GPL-2.0-or-later */
/* event_view: whole SUBSCRIBE and NOTIFY requests and the status of what is wrong with them. */
#include "sip/event.h"
#include "dialog_help.h"

static const struct slice packages[] = {SLICE_LIT("presence")};
static const struct slice types[] = {SLICE_LIT("application/pidf+xml"), SLICE_LIT("text/x-other")};
static const struct sip_event_policy event_policy = {
    .packages = packages,
    .package_count = ARRAY_COUNT(packages),
    .types = types,
    .type_count = ARRAY_COUNT(types),
    .expires_min_s = 60,
    .expires_max_s = 7200,
};

#define EVENT_LINE "Event: presence\r\n"
#define STATE_LINE "Subscription-State: active;expires=60\r\n"

static const struct sip_msg *subscribe(const char *more)
{
    return dialog_msg((struct dialog_text){.start = "SUBSCRIBE sip:ann@chat.example SIP/2.0",
                                           .to = "<sip:ann@chat.example>",
                                           .cseq = "4 SUBSCRIBE",
                                           .more = more});
}

/* The status of the refusal with its header fields, as text; "0" when there is none. */
static const char *verdict_text(const struct sip_verdict *v)
{
    static char text[400];
    struct buf b;

    buf_init(&b, 300);
    sip_event_verdict_put(&b, &event_policy, v);
    cr_expect_neq(v->why, NULL);
    (void)snprintf(text, sizeof(text), "%u %.*s", v->status, SLICE_FMT(slice_trim(buf_slice(&b))));
    buf_deinit(&b);
    return text;
}

Test(event_view, subscribe)
{
    struct sip_subscribe_view view;
    struct sip_verdict v;

    cr_assert(sip_subscribe_read(
        subscribe(CONTACT_LINE "o: presence;id=a1\r\nExpires: 600\r\nSupported: eventlist\r\n"
                               "Accept: application/pidf+xml\r\n"),
        &event_policy, &view, &v));
    cr_expect_eq(v.status, 0);
    EXPECT_SLICE(view.key.call_id, OUR_CALL_ID);
    EXPECT_SLICE(view.key.local_tag, "");
    EXPECT_SLICE(view.key.remote_tag, "b1");
    EXPECT_SLICE(view.uri.text, "sip:ann@chat.example");
    EXPECT_SLICE(view.from.uri.text, "sip:bob@corp.example");
    EXPECT_SLICE(view.to.uri.text, "sip:ann@chat.example");
    EXPECT_SLICE(view.contact.uri.text, "sip:bob@10.1.1.7:5061;transport=tls");
    EXPECT_SLICE(view.event.id, "a1");
    cr_expect_eq(view.cseq, 4);
    cr_expect_eq(view.expires_s, 600);
    cr_expect(view.supports_eventlist);
    cr_expect_eq(view.type_idx, 0);
}

/* What the notifier grants: 3856 6.4 without Expires; never more than asked for (4.2.1.1). */
Test(event_view, subscribe_expires)
{
    static const struct {
        const char *line;
        uint32_t granted;
    } cases[] = {
        {"", 3600},
        {"Expires: 0\r\n", 0},
        {"Expires: 60\r\n", 60},
        {"Expires: 7200\r\n", 7200},
        {"Expires: 7201\r\n", 7200},
        {"Expires: 4294967295\r\n", 7200},
        {"Expires: 4294967296\r\n", 7200},
    };
    struct sip_event_policy wide = event_policy;
    struct sip_subscribe_view view;
    struct sip_verdict v;
    char more[300];

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        (void)snprintf(more, sizeof(more), CONTACT_LINE EVENT_LINE "%s", cases[i].line);
        cr_assert(sip_subscribe_read(subscribe(more), &event_policy, &view, &v), "%s", more);
        cr_expect_eq(view.expires_s, cases[i].granted, "%s", more);
    }
    /* 423 is for less than an hour: a peer that asks for one has done its part. */
    wide.expires_min_s = 28800;
    cr_expect(sip_subscribe_read(subscribe(CONTACT_LINE EVENT_LINE "Expires: 3600\r\n"), &wide,
                                 &view, &v));
    cr_expect_not(sip_subscribe_read(subscribe(CONTACT_LINE EVENT_LINE "Expires: 3599\r\n"), &wide,
                                     &view, &v));
    cr_expect_eq(v.status, 423);
    wide.expires_max_s = 0;
    wide.expires_default_s = 28800;
    cr_expect(sip_subscribe_read(subscribe(CONTACT_LINE EVENT_LINE), &wide, &view, &v));
    cr_expect_eq(view.expires_s, 28800);
    cr_expect(sip_subscribe_read(subscribe(CONTACT_LINE EVENT_LINE "Expires: 4294967296\r\n"),
                                 &wide, &view, &v));
    cr_expect_eq(view.expires_s, UINT32_MAX);
}

Test(event_view, subscribe_refused)
{
    static const char long_id[] =
        "Event: presence;id=01234567890123456789012345678901234567890123456789012345678901234\r\n";
    static const struct {
        const char *more;
        const char *verdict;
    } cases[] = {
        {EVENT_LINE, "400 "}, /* 3261 12.1.1: Contact */
        {"Contact: *\r\n" EVENT_LINE, "400 "},
        {"Contact: <sip:a@b>, <sip:c@d>\r\n" EVENT_LINE, "400 "},
        {CONTACT_LINE CONTACT_LINE EVENT_LINE, "400 "},
        {"Contact: <tel:+1555>\r\n" EVENT_LINE, "400 "},
        {CONTACT_LINE, "489 Allow-Events: presence"}, /* 4.2.3 */
        {CONTACT_LINE "Event: presence.winfo\r\n", "489 Allow-Events: presence"},
        {CONTACT_LINE "Event: Presence\r\n", "489 Allow-Events: presence"}, /* 8.2.1 */
        {CONTACT_LINE "Event: vnd-microsoft-roaming-self\r\n", "489 Allow-Events: presence"},
        {CONTACT_LINE "Event: presence;id\r\n", "400 "},
        {CONTACT_LINE EVENT_LINE "Accept: text/plain\r\n",
         "406 Accept: application/pidf+xml, text/x-other"},
        {CONTACT_LINE EVENT_LINE "Accept:\r\n", "406 Accept: application/pidf+xml, text/x-other"},
        {CONTACT_LINE EVENT_LINE "Accept: application/pidf+xml;q=9\r\n", "400 "},
        {CONTACT_LINE EVENT_LINE "Expires: soon\r\n", "400 "},
        {CONTACT_LINE EVENT_LINE "Expires: -1\r\n", "400 "},
        {CONTACT_LINE EVENT_LINE "Expires: 1\r\n", "423 Min-Expires: 60"}, /* 4.2.1.1 */
        {CONTACT_LINE EVENT_LINE "Expires: 59\r\n", "423 Min-Expires: 60"},
    };
    struct sip_subscribe_view view;
    struct sip_verdict v;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const char *got;

        cr_expect_not(sip_subscribe_read(subscribe(cases[i].more), &event_policy, &view, &v), "%s",
                      cases[i].more);
        got = verdict_text(&v);
        cr_expect_str_eq(got, cases[i].verdict, "%s gives %s (%s)", cases[i].more, got, v.why);
    }
    {
        char more[400];

        (void)snprintf(more, sizeof(more), CONTACT_LINE "%s", long_id);
        cr_expect_not(sip_subscribe_read(subscribe(more), &event_policy, &view, &v));
        cr_expect_eq(v.status, 400);
    }
}

/* In a dialog the target may be left out: it stays (3261 12.2.2). */
Test(event_view, subscribe_in_a_dialog)
{
    struct sip_subscribe_view view;
    struct sip_verdict v;

    cr_assert(sip_subscribe_read(
        dialog_msg((struct dialog_text){.start = "SUBSCRIBE sip:ann@edge.example SIP/2.0",
                                        .cseq = "5 SUBSCRIBE",
                                        .more = EVENT_LINE "Expires: 0\r\n"}),
        &event_policy, &view, &v));
    EXPECT_SLICE(view.key.local_tag, OUR_TAG);
    cr_expect_eq(view.expires_s, 0);
    cr_expect_eq(view.contact.uri.text.len, 0);
}

/* The second type that is served will do, too. */
Test(event_view, subscribe_type)
{
    struct sip_subscribe_view view;
    struct sip_verdict v;

    cr_assert(sip_subscribe_read(subscribe(CONTACT_LINE EVENT_LINE "Accept: text/x-other\r\n"),
                                 &event_policy, &view, &v));
    cr_expect_eq(view.type_idx, 1);
    cr_assert(sip_subscribe_read(
        subscribe(CONTACT_LINE EVENT_LINE "Accept: text/x-other, application/*;q=0.1\r\n"),
        &event_policy, &view, &v));
    cr_expect_eq(view.type_idx, 0);
}

Test(event_view, notify)
{
    static const char text[] =
        "NOTIFY sip:ann@edge.chat.example SIP/2.0\r\n"
        "Via: SIP/2.0/TLS pres.corp.example:5061;branch=z9hG4bK1\r\n"
        "From: <sip:bob@corp.example>;tag=b1\r\nTo: <sip:ann@chat.example>;tag=" OUR_TAG "\r\n"
        "Call-ID: " OUR_CALL_ID "\r\nCSeq: 9 NOTIFY\r\n" EVENT_LINE STATE_LINE
        "Content-Type: application/pidf+xml;charset=UTF-8\r\nContent-Length: 4\r\n\r\n<a/>";
    struct sip_notify_view view;
    struct sip_verdict v;
    struct sip_msg m;

    sip_help_parse(&m, text);
    cr_assert(sip_notify_read(&m, &event_policy, &view, &v));
    EXPECT_SLICE(view.key.local_tag, OUR_TAG);
    EXPECT_SLICE(view.key.remote_tag, "b1");
    EXPECT_SLICE(view.event.package, "presence");
    cr_expect_eq(view.state.state, SIP_SUB_ACTIVE);
    cr_expect_eq(view.state.expires_s, 60);
    cr_expect_eq(view.cseq, 9);
    cr_expect_eq(view.contact.uri.text.len, 0);
    EXPECT_SLICE(view.type.subtype, "pidf+xml");
    EXPECT_SLICE(view.body, "<a/>");
}

/* No Content-Type is needed without a body; a NOTIFY without To tag is the caller's to refuse. */
Test(event_view, notify_without_body)
{
    struct sip_notify_view view;
    struct sip_verdict v;

    cr_assert(
        sip_notify_read(dialog_msg((struct dialog_text){.to = "<sip:ann@chat.example>",
                                                        .more = CONTACT_LINE EVENT_LINE
                                                        "Subscription-State: terminated\r\n"}),
                        &event_policy, &view, &v));
    cr_expect_eq(view.key.local_tag.len, 0);
    cr_expect_eq(view.body.len, 0);
    cr_expect_eq(view.type.type.len, 0);
    cr_expect_eq(view.state.state, SIP_SUB_TERMINATED);
}

Test(event_view, notify_refused)
{
    static const struct {
        const char *more;
        const char *verdict;
    } cases[] = {
        {CONTACT_LINE EVENT_LINE, "400 "}, /* 4.1.3: Subscription-State is a must */
        {CONTACT_LINE EVENT_LINE "Subscription-State: active;expires=x\r\n", "400 "},
        {CONTACT_LINE STATE_LINE, "400 "}, /* not 489, which would end it */
        {CONTACT_LINE STATE_LINE "Event: dialog\r\n", "489 Allow-Events: presence"},
        {CONTACT_LINE STATE_LINE "Event: presence;\r\n", "400 "},
        {"Contact: *\r\n" EVENT_LINE STATE_LINE, "400 "},
        {"Contact: <im:a@b>\r\n" EVENT_LINE STATE_LINE, "400 "},
    };
    struct sip_notify_view view;
    struct sip_verdict v;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const char *got;

        cr_expect_not(sip_notify_read(dialog_msg((struct dialog_text){.more = cases[i].more}),
                                      &event_policy, &view, &v),
                      "%s", cases[i].more);
        got = verdict_text(&v);
        cr_expect_str_eq(got, cases[i].verdict, "%s gives %s (%s)", cases[i].more, got, v.why);
    }
}

/* What no dialog could hold is refused before anybody makes one. */
Test(event_view, names_that_are_too_long)
{
    static char tag[400];
    static char call_id[400];
    struct sip_notify_view notify;
    struct sip_subscribe_view view;
    struct sip_verdict v;

    (void)snprintf(tag, sizeof(tag), "<sip:bob@corp.example>;tag=%0129d", 1);
    (void)snprintf(call_id, sizeof(call_id), "%0256d", 1);
    cr_expect_not(sip_notify_read(
        dialog_msg((struct dialog_text){.from = tag, .more = EVENT_LINE STATE_LINE}), &event_policy,
        &notify, &v));
    cr_expect_eq(v.status, 400);
    cr_expect_not(sip_subscribe_read(
        dialog_msg((struct dialog_text){.call_id = call_id, .more = CONTACT_LINE EVENT_LINE}),
        &event_policy, &view, &v));
    cr_expect_eq(v.status, 400);
}
