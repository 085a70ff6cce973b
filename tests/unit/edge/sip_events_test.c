/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_events: who may send SUBSCRIBE and NOTIFY, and what reaches presence, here or elsewhere. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "base/pool.h"
#include "sip_events_play.h"

static struct events_result result;

static enum events_fate send(const struct events_way *way, const char *method, const char *from,
                             const char *to)
{
    bool is_notify = strcmp(method, "NOTIFY") == 0;
    int64_t used = pool_used_bytes();
    char text[3000];
    int len = snprintf(text, sizeof(text),
                       "%s sip:edge.corp.test SIP/2.0\r\n"
                       "Via: SIP/2.0/TCP 10.0.0.9;branch=z9hG4bKb1\r\nMax-Forwards: 70\r\n"
                       "From: %s;tag=f1\r\nTo: %s%s\r\nCall-ID: c1\r\nCSeq: 1 %s\r\n"
                       "Contact: <sip:ann@10.0.0.9>\r\nEvent: presence\r\n%s"
                       "Content-Length: 0\r\n\r\n",
                       method, from, to, is_notify ? ";tag=t1" : "", method,
                       is_notify ? "Subscription-State: active;expires=60\r\n" : "");

    events_play(way, slice_make(text, (size_t)len), &result);
    cr_expect_eq(pool_used_bytes(), used, "leaked");
    return result.fate;
}

#define ANN "<sip:Ann@CORP.test>"
#define BOB "<sip:bob@chat.test>"

static void expect_answer(const struct events_way *way, const char *method, unsigned status,
                          uint32_t retry_after_s)
{
    cr_expect_eq(send(way, method, ANN, BOB), EVENTS_ANSWERED, "%s", method);
    cr_expect_eq(result.status, status);
    cr_expect_eq(result.retry_after_s, retry_after_s);
}

static void expect_taken(const struct events_way *way, const char *method)
{
    cr_expect_eq(send(way, method, ANN, BOB), EVENTS_TAKEN, "%s: %u", method, result.status);
    cr_expect_str_eq(result.pair, "ann@corp.test bob@chat.test");
}

Test(sip_events, reach_presence_where_the_contact_lives)
{
    const struct events_way here = {0};
    const struct events_way there = {.is_elsewhere = true};

    expect_taken(&here, "SUBSCRIBE");
    expect_taken(&here, "NOTIFY");
    expect_taken(&there, "SUBSCRIBE");
    expect_taken(&there, "NOTIFY");
}

Test(sip_events, too_much_under_way)
{
    const struct events_way full = {.is_elsewhere = true, .is_full = true};

    expect_answer(&full, "SUBSCRIBE", 503, 5);
    expect_answer(&full, "NOTIFY", 503, 5);
}

/* What the presentity did last is worth having, now more than ever. */
Test(sip_events, when_it_stops)
{
    const struct events_way draining = {.is_draining = true};
    const struct events_way leaving = {.is_overdue = true};

    expect_answer(&draining, "SUBSCRIBE", 503, 30);
    expect_taken(&draining, "NOTIFY");
    expect_answer(&leaving, "SUBSCRIBE", 503, 1);
    expect_taken(&leaving, "NOTIFY");
}

Test(sip_events, of_another_next_hop)
{
    const struct events_way foreign = {.is_foreign = true, .is_forbidden = true};

    expect_answer(&foreign, "SUBSCRIBE", 403, 0);
    cr_expect_not(result.was_judged, "a spoofed one is not looked at further");
    expect_answer(&foreign, "NOTIFY", 403, 0);
}

/* NOTIFY belongs to a subscription of ours, which was judged. */
Test(sip_events, policy_is_asked_for_subscribe)
{
    const struct events_way forbidden = {.is_forbidden = true};

    cr_expect_eq(send(&forbidden, "SUBSCRIBE", ANN, BOB), EVENTS_FORBIDDEN);
    expect_taken(&forbidden, "NOTIFY");
}

Test(sip_events, addresses_that_are_nobody)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"<sip:corp.test>", BOB},           {ANN, "<sip:chat.test>"},
        {"<tel:+4912345>", BOB},            {ANN, "<tel:+4912345>"},
        {"<sip:a%00b@corp.test>", BOB},     {ANN, "<sip:b%2Fo%22b@chat..test>"},
        {"<https://corp.test/>", BOB},      {ANN, "<sip:bob@[::1]:>"},
        {"<sip:%C3%28@corp.test>", BOB},
    };
    const struct events_way ways[] = {{.is_elsewhere = false}, {.is_elsewhere = true}};

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        for (size_t w = 0; w < ARRAY_COUNT(ways); w++) {
            enum events_fate fate = send(&ways[w], "SUBSCRIBE", cases[i].from, cases[i].to);

            cr_expect(fate == EVENTS_NOTHING || fate == EVENTS_ANSWERED, "%zu: %s", i, result.pair);
            cr_expect(fate == EVENTS_NOTHING || (result.status >= 400 && result.status < 500),
                      "%zu: %u", i, result.status);
            cr_expect_not(result.was_judged);
        }
    }
}

/* Names are normalised once, the same on either shard. */
Test(sip_events, names_that_are_unusual)
{
    const struct events_way ways[] = {{.is_elsewhere = false}, {.is_elsewhere = true}};

    for (size_t w = 0; w < ARRAY_COUNT(ways); w++) {
        cr_expect_eq(send(&ways[w], "NOTIFY", "\"A. <b>\" <sip:%41nn;x=1@corp.test;maddr=1.2.3.4>",
                          "<sip:BOB@XN--BCHER-KVA.example>"),
                     EVENTS_TAKEN);
        cr_expect_not_null(strstr(result.pair, "bob@xn--bcher-kva.example"), "%s", result.pair);
    }
}
