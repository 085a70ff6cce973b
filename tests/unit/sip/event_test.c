/* SPDX-License-Identifier: GPL-2.0-or-later */
/* event: the values of Event, Subscription-State, Expires, Accept and their like, each rule with
 * its section of RFC 6665 or RFC 3261.                                                           */
#include "sip/event.h"
#include "dialog_help.h"

#include "base/err.h"

static struct sip_event event_of(const char *text)
{
    struct sip_event event;

    cr_assert_eq(sip_event_parse(slice_from_cstr(text), &event), 0, "%s", text);
    return event;
}

/* 8.2.1, its own examples; 8.4. */
Test(event, event)
{
    struct sip_event a = event_of("foo; id=1234");
    struct sip_event b = event_of("foo; param=abcd; id=1234");
    struct sip_event c = event_of("foo");
    struct sip_event d = event_of("Foo; id=1234");
    struct sip_event e = event_of(" presence.winfo ;\r\n ID=a.b ;x=\"id=3;\"");

    cr_expect(sip_event_eq(&a, &b));
    cr_expect_not(sip_event_eq(&a, &c));
    cr_expect_not(sip_event_eq(&a, &d));
    EXPECT_SLICE(e.package, "presence.winfo");
    EXPECT_SLICE(e.id, "a.b");
    EXPECT_SLICE(event_of("vnd-microsoft-roaming-contacts").package,
                 "vnd-microsoft-roaming-contacts");
}

Test(event, event_malformed)
{
    static const char *const bad[] = {
        "",
        " ",
        ";id=1",
        "presence,dialog",
        "presence dialog",
        "pre/",
        "a.",
        ".a",
        "a..b",
        "presence;",
        "a;id",
        "a;id=",
        "a;id=\"1\"",
        "a;id=1;id=2",
        "a;id=1;ID=1",
        "a;;b",
        "a;=b",
    };
    struct sip_event event;

    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        cr_expect_eq(sip_event_parse(slice_from_cstr(bad[i]), &event), ERR_SIP_SYNTAX, "%s",
                     bad[i]);
    }
    cr_expect_eq(sip_msg_event(dialog_msg((struct dialog_text){0}), &event), ERR_NOT_FOUND);
}

Test(event, event_written)
{
    struct sip_event event = event_of("presence;x=y;id=7");
    struct buf b;

    buf_init(&b, 200);
    sip_write_event(&b, &event);
    event.id = SLICE_NONE;
    sip_write_event(&b, &event);
    EXPECT_SLICE(buf_slice(&b), "Event: presence;id=7\r\nEvent: presence\r\n");
    buf_deinit(&b);
}

/* 4.1.3, 8.4: each state, each reason, and which parameter says something with which. */
Test(event, subscription_state)
{
    static const struct {
        const char *text;
        enum sip_sub_state state;
        enum sip_sub_reason reason;
        int64_t expires, retry; /* -1 = none */
    } cases[] = {
        {"active;expires=3500", SIP_SUB_ACTIVE, SIP_REASON_NONE, 3500, -1},
        {"Active ; Expires = 0", SIP_SUB_ACTIVE, SIP_REASON_NONE, 0, -1},
        {"active", SIP_SUB_ACTIVE, SIP_REASON_NONE, -1, -1},
        {"active;reason=rejected;retry-after=9;expires=4", SIP_SUB_ACTIVE, SIP_REASON_NONE, 4, -1},
        {"pending;expires=4294967295", SIP_SUB_PENDING, SIP_REASON_NONE, 4294967295, -1},
        {"pending;expires=4294967296", SIP_SUB_PENDING, SIP_REASON_NONE, 4294967295, -1},
        {"pending;expires=99999999999999999999999999", SIP_SUB_PENDING, SIP_REASON_NONE, 4294967295,
         -1},
        {"terminated", SIP_SUB_TERMINATED, SIP_REASON_NONE, -1, -1},
        {"terminated;retry-after=5", SIP_SUB_TERMINATED, SIP_REASON_NONE, -1, 5},
        {"terminated;expires=7", SIP_SUB_TERMINATED, SIP_REASON_NONE, -1, -1},
        {"terminated;reason=deactivated;retry-after=5", SIP_SUB_TERMINATED, SIP_REASON_DEACTIVATED,
         -1, -1},
        {"terminated;reason=probation;retry-after=600", SIP_SUB_TERMINATED, SIP_REASON_PROBATION,
         -1, 600},
        {"terminated;retry-after=600;reason=Probation", SIP_SUB_TERMINATED, SIP_REASON_PROBATION,
         -1, 600},
        {"terminated;reason=rejected;retry-after=5", SIP_SUB_TERMINATED, SIP_REASON_REJECTED, -1,
         -1},
        {"terminated;reason=timeout;retry-after=5", SIP_SUB_TERMINATED, SIP_REASON_TIMEOUT, -1, -1},
        {"terminated;reason=giveup;retry-after=5", SIP_SUB_TERMINATED, SIP_REASON_GIVEUP, -1, 5},
        {"terminated;reason=noresource;retry-after=5", SIP_SUB_TERMINATED, SIP_REASON_NORESOURCE,
         -1, -1},
        {"terminated;reason=invariant;retry-after=31536000", SIP_SUB_TERMINATED,
         SIP_REASON_INVARIANT, -1, -1},
        {"terminated;reason=expired;retry-after=6", SIP_SUB_TERMINATED, SIP_REASON_UNKNOWN, -1, 6},
        {"terminated;x=\";reason=rejected\"", SIP_SUB_TERMINATED, SIP_REASON_NONE, -1, -1},
        {"waiting;expires=5", SIP_SUB_UNKNOWN, SIP_REASON_NONE, 5, -1},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct sip_subscription_state s;

        cr_assert_eq(sip_subscription_state_parse(slice_from_cstr(cases[i].text), &s), 0, "%s",
                     cases[i].text);
        cr_expect_eq(s.state, cases[i].state, "%s", cases[i].text);
        cr_expect_eq(s.reason, cases[i].reason, "%s", cases[i].text);
        cr_expect_eq(s.has_expires ? (int64_t)s.expires_s : -1, cases[i].expires, "%s",
                     cases[i].text);
        cr_expect_eq(s.has_retry_after ? (int64_t)s.retry_after_s : -1, cases[i].retry, "%s",
                     cases[i].text);
    }
}

Test(event, subscription_state_malformed)
{
    static const char *const bad[] = {
        "",
        ";expires=3",
        "active expires=3",
        "active;expires",
        "active;expires=",
        "active;expires=-1",
        "active;expires=1.5",
        "active;expires=3600 s",
        "active;expires=\"3\"",
        "active;expires=3;expires=3",
        "terminated;reason",
        "terminated;reason=a;reason=b",
        "terminated;reason=\"timeout\"",
        "terminated;retry-after=soon",
        "terminated;retry-after=1;retry-after=1",
        "active,terminated",
        "active;",
    };
    struct sip_subscription_state s;

    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        cr_expect_eq(sip_subscription_state_parse(slice_from_cstr(bad[i]), &s), ERR_SIP_SYNTAX,
                     "%s", bad[i]);
    }
}

/* 4.2.2: expires with active and pending; reason and retry-after with terminated only. */
Test(event, subscription_state_written)
{
    struct buf b;

    buf_init(&b, 1000);
    for (unsigned reason = SIP_REASON_NONE; reason < SIP_REASON_COUNT; reason++) {
        struct sip_subscription_state s = {.state = SIP_SUB_TERMINATED,
                                           .reason = (enum sip_sub_reason)reason,
                                           .has_expires = true,
                                           .expires_s = 4};
        struct sip_subscription_state back;
        struct slice value;

        buf_clear(&b);
        sip_write_subscription_state(&b, &s);
        cr_assert(slice_starts(buf_slice(&b), SLICE_LIT("Subscription-State: terminated")));
        value = slice_trim(slice_from(buf_slice(&b), sizeof("Subscription-State:")));
        cr_assert_eq(sip_subscription_state_parse(value, &back), 0);
        cr_expect_eq(back.reason, reason == SIP_REASON_UNKNOWN ? SIP_REASON_NONE : s.reason);
        cr_expect_not(back.has_expires);
    }
    buf_clear(&b);
    sip_write_subscription_state(&b,
                                 &(struct sip_subscription_state){.state = SIP_SUB_TERMINATED,
                                                                  .reason = SIP_REASON_PROBATION,
                                                                  .has_retry_after = true,
                                                                  .retry_after_s = 600});
    sip_write_subscription_state(&b, &(struct sip_subscription_state){.state = SIP_SUB_PENDING,
                                                                      .reason = SIP_REASON_GIVEUP,
                                                                      .has_retry_after = true,
                                                                      .expires_s = UINT32_MAX});
    sip_write_subscription_state(
        &b, &(struct sip_subscription_state){.state = SIP_SUB_ACTIVE, .expires_s = 0});
    EXPECT_SLICE(buf_slice(&b),
                 "Subscription-State: terminated;reason=probation;retry-after=600\r\n"
                 "Subscription-State: pending;expires=4294967295\r\n"
                 "Subscription-State: active;expires=0\r\n");
    EXPECT_SLICE(sip_sub_state_name(SIP_SUB_UNKNOWN), "unknown");
    EXPECT_SLICE(sip_sub_reason_name(SIP_REASON_NONE), "none");
    buf_deinit(&b);
}

static const struct sip_msg *with(const char *line)
{
    static char more[1 << 16];

    (void)snprintf(more, sizeof(more), "%s\r\n", line);
    return dialog_msg((struct dialog_text){.more = more});
}

/* 3261 20.19: delta-seconds of any length; 4.2.1.1: a 2xx shortens, never lengthens. */
Test(event, expires)
{
    static const struct {
        const char *line;
        int64_t request; /* -1 = malformed; default 3600 */
        uint32_t answer; /* asked: 1000 */
    } cases[] = {
        {"Expires: 0", 0, 0},
        {"Expires: 1", 1, 1},
        {"Expires: 000999", 999, 999},
        {"Expires: 1000", 1000, 1000},
        {"Expires: 1001", 1001, 1000},
        {"Expires: 4294967295", 4294967295, 1000},
        {"Expires: 4294967296", 4294967295, 1000},
        {"Expires: 18446744073709551616", 4294967295, 1000},
        {"Expires: 99999999999999999999999999999999999999999999", 4294967295, 1000},
        {"Expires: -1", -1, 1000},
        {"Expires: 3600;x", -1, 1000},
        {"Expires: 36 00", -1, 1000},
        {"Expires: 99999999999999999999999999999999999999999999x", -1, 1000},
        {"Expires:", -1, 1000},
        {"Expires: Thu, 01 Dec 1994 16:00:00 GMT", -1, 1000},
        {"X: y", 3600, 1000},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const struct sip_msg *m = with(cases[i].line);
        uint32_t got = 7;
        bool is_good = sip_msg_expires(m, 3600, &got);

        cr_expect_eq(is_good ? (int64_t)got : -1, cases[i].request, "%s", cases[i].line);
        cr_expect_eq(sip_answer_expires(m, 1000), cases[i].answer, "%s", cases[i].line);
    }
}

/* P-14. Only a value that changes what we ask for can be followed. */
Test(event, min_expires)
{
    cr_expect_eq(sip_answer_min_expires(with("Min-Expires: 7200"), 3600, 86400), 7200);
    cr_expect_eq(sip_answer_min_expires(with("Min-Expires: 86400"), 3600, 86400), 86400);
    cr_expect_eq(sip_answer_min_expires(with("Min-Expires: 86401"), 3600, 86400), 0);
    cr_expect_eq(sip_answer_min_expires(with("Min-Expires: 3600"), 3600, 86400), 0);
    cr_expect_eq(sip_answer_min_expires(with("Min-Expires: 0"), 3600, 86400), 0);
    cr_expect_eq(sip_answer_min_expires(with("Min-Expires: 1h"), 3600, 86400), 0);
    cr_expect_eq(sip_answer_min_expires(with("X: y"), 3600, 86400), 0);
    cr_expect_eq(sip_answer_min_expires(with("Min-Expires: 9999999999999"), 3600, UINT32_MAX),
                 UINT32_MAX);
}

Test(event, retry_after)
{
    cr_expect_eq(sip_answer_retry_after(with("Retry-After: 120"), 3600), 120);
    cr_expect_eq(sip_answer_retry_after(with("Retry-After: 18000;duration=3600"), 3600), 3600);
    cr_expect_eq(sip_answer_retry_after(with("Retry-After: 120 (I'm in a meeting)"), 3600), 120);
    cr_expect_eq(sip_answer_retry_after(with("Retry-After: 99999999999999"), 3600), 3600);
    cr_expect_eq(sip_answer_retry_after(with("Retry-After: later"), 3600), 0);
    cr_expect_eq(sip_answer_retry_after(with("X: y"), 3600), 0);
}

/* 4.1.2.2, 4.2.2: the list, and nothing else. */
Test(event, statuses_that_end)
{
    static const unsigned ends[] = {404, 405, 410, 416, 480, 481, 482,
                                    483, 484, 485, 489, 501, 604};
    size_t next = 0;

    for (unsigned status = 100; status < 700; status++) {
        bool is_listed = next < ARRAY_COUNT(ends) && ends[next] == status;

        next += is_listed;
        cr_expect_eq(sip_status_ends_subscription(status), is_listed, "%u", status);
    }
    cr_expect_eq(next, ARRAY_COUNT(ends));
}

/* 3261 20.1 with RFC 2616 14.1. */
Test(event, accept)
{
    static const struct {
        const char *line;
        enum sip_accept accept; /* application/pidf+xml */
    } cases[] = {
        {"X: y", SIP_ACCEPT_ABSENT},
        {"Accept:", SIP_ACCEPT_NO},
        {"Accept: application/pidf+xml", SIP_ACCEPT_YES},
        {"Accept: Application/PIDF+XML", SIP_ACCEPT_YES},
        {"Accept: application/pidf+xml;q=0.001", SIP_ACCEPT_YES},
        {"Accept: application/pidf+xml;q=0", SIP_ACCEPT_NO},
        {"Accept: application/pidf+xml;q=0.000", SIP_ACCEPT_NO},
        {"Accept: application/pidf+xml;q=1.000", SIP_ACCEPT_YES},
        {"Accept: application / pidf+xml ; charset=\"UTF-8\" ; q=0.5", SIP_ACCEPT_YES},
        {"Accept: application/*", SIP_ACCEPT_YES},
        {"Accept: */*", SIP_ACCEPT_YES},
        {"Accept: */*;q=0", SIP_ACCEPT_NO},
        {"Accept: text/*", SIP_ACCEPT_NO},
        {"Accept: */pidf+xml", SIP_ACCEPT_NO},
        {"Accept: application/pidf", SIP_ACCEPT_NO},
        {"Accept: application/pidf+xml-diff", SIP_ACCEPT_NO},
        /* The most specific range decides, wherever it stands. */
        {"Accept: */*, application/pidf+xml;q=0", SIP_ACCEPT_NO},
        {"Accept: application/pidf+xml;q=0, */*", SIP_ACCEPT_NO},
        {"Accept: application/*;q=0, */*", SIP_ACCEPT_NO},
        {"Accept: */*;q=0, application/*", SIP_ACCEPT_YES},
        {"Accept: application/*;q=0, application/pidf+xml;q=0.2", SIP_ACCEPT_YES},
        {"Accept: application/pidf+xml;q=0, application/pidf+xml", SIP_ACCEPT_YES},
        {"Accept: application/pidf+xml, application/pidf+xml;q=0", SIP_ACCEPT_YES},
        /* The order of Microsoft's watchers (sip.md 3.5). */
        {"Accept: application/msrtc-event-categories+xml, text/xml+msrtc.pidf, "
         "application/pidf+xml, application/rlmi+xml, multipart/related",
         SIP_ACCEPT_YES},
        {"Accept: text/plain\r\nAccept: application/pidf+xml", SIP_ACCEPT_YES},
        {"Accept: , application/pidf+xml ,", SIP_ACCEPT_YES},
        {"Accept: application/pidf+xml;q=2", SIP_ACCEPT_BAD},
        {"Accept: application/pidf+xml;q=0.1234", SIP_ACCEPT_BAD},
        {"Accept: application/pidf+xml;q=1.001", SIP_ACCEPT_BAD},
        {"Accept: application/pidf+xml;q=.5", SIP_ACCEPT_BAD},
        {"Accept: application/pidf+xml;q=0x1", SIP_ACCEPT_BAD},
        {"Accept: application/pidf+xml;q=\"0\"", SIP_ACCEPT_BAD},
        {"Accept: application/pidf+xml;q", SIP_ACCEPT_BAD},
        {"Accept: application", SIP_ACCEPT_BAD},
        {"Accept: application/pidf+xml, text", SIP_ACCEPT_BAD},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        cr_expect_eq(
            sip_msg_accepts(with(cases[i].line), SLICE_LIT("application"), SLICE_LIT("pidf+xml")),
            cases[i].accept, "%s", cases[i].line);
    }
}

/* A list without end is not walked. */
Test(event, accept_bound)
{
    static char line[1 << 12];
    size_t at = (size_t)snprintf(line, sizeof(line), "Accept: a/b");

    for (unsigned i = 0; i < SIP_LIST_VALUES_MAX; i++) {
        at += (size_t)snprintf(line + at, sizeof(line) - at, ",a/b");
    }
    cr_expect_eq(sip_msg_accepts(with(line), SLICE_LIT("a"), SLICE_LIT("b")), SIP_ACCEPT_BAD);
}
