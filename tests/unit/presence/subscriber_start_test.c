/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_start: many dialogs after a start, at a pace that takes longer than some of them last:
 * who expires first is refreshed first, and nobody is told that somebody left who did not. */
#include <stdio.h>
#include <stdlib.h>

#include "subscriber_help.h"

#define WATCHERS 40u

static struct fixture f;

static void setup(void)
{
    fixture_init(&f);
    fixture_start(&f);
}

static void teardown(void)
{
    fixture_deinit(&f);
}

TestSuite(subscriber_start, .init = setup, .fini = teardown);

static void copy(char *out, size_t bytes, const struct said *request, const char *name)
{
    slice_to_cstr_cut(fixture_header(request, name), out, bytes);
}

/* Yes to the oldest SUBSCRIBE, and the document with it. Returns the watcher's number. */
static uint32_t serve(uint32_t expires_s)
{
    static uint32_t cseq;
    struct said *r = fixture_request(&f);
    char text[2048];
    char from[200];
    char to[200];
    char call_id[100];
    char fields[100];

    cr_assert_not_null(r);
    cseq++;
    copy(from, sizeof(from), r, "From");
    copy(to, sizeof(to), r, "To");
    copy(call_id, sizeof(call_id), r, "Call-ID");
    (void)snprintf(fields, sizeof(fields),
                   "Expires: %u\r\nContact: <sip:10.0.0.1:5061;transport=tls>\r\n", expires_s);
    fixture_respond(&f, r, 200, "n1", fields);
    (void)snprintf(text, sizeof(text),
                   "NOTIFY sip:gw.corp.example SIP/2.0\n"
                   "Via: SIP/2.0/TLS pool.corp.example;branch=z9hG4bK%u\n"
                   "Max-Forwards: 70\nFrom: %s%s\nTo: %s\nCall-ID: %s\nCSeq: %u NOTIFY\n"
                   "Event: presence\nContact: <sip:10.0.0.1:5061;transport=tls>\n"
                   "Subscription-State: active;expires=%u\n"
                   "Content-Type: application/pidf+xml\nContent-Length: %zu\n\n%s",
                   cseq, to, strstr(to, ";tag=") ? "" : ";tag=n1", from, call_id, cseq, expires_s,
                   strlen(PIDF_OPEN), PIDF_OPEN);
    cr_assert_gt(fixture_notify(&f, text), 0);
    return (uint32_t)strtoul(strstr(from, "sip:w") + 5, NULL, 10);
}

/* Number n expires so much after n - 1. They ask in another order. */
static void watch(uint32_t shortest_s, uint32_t apart_s)
{
    char xml[160];

    for (uint32_t i = 0; i < WATCHERS; i++) {
        uint32_t n = i * 17 % WATCHERS;

        (void)snprintf(xml, sizeof(xml),
                       "<presence type='subscribe' from='w%u@chat.example' to='" BOB "'/>", n);
        cr_assert(fixture_from_partner(&f, xml));
        cr_expect_eq(serve(shortest_s + n * apart_s), n);
    }
    fixture_run(&f, 6000);
    fixture_forget(&f);
}

static void expect_nobody_left(void)
{
    struct said *s;

    while ((s = fixture_take_stanza(&f)) != NULL) {
        cr_assert_neq(s->type, STANZA_TYPE_UNAVAILABLE, "%s", s->text);
    }
}

Test(subscriber_start, who_expires_first_goes_first)
{
    uint32_t order[WATCHERS];
    uint32_t count = 0;

    watch(9, 1); /* one every second, from 3 s after the start on: before its turn */
    f.rules[CONTACT_IN].subscribe_rate_max = 1;
    fixture_crash(&f, true);
    for (uint32_t t = 0; t < 60 && count < WATCHERS; t++) {
        fixture_run(&f, 1000);
        while (fixture_request(&f) && count < WATCHERS) {
            order[count++] = serve(3600);
        }
    }
    cr_expect_eq(count, WATCHERS, "%u within a minute", count);
    expect_nobody_left();
    /* The first ones went while others had not come to wait yet: their times are spread. */
    for (uint32_t i = 12; i < count; i++) {
        cr_expect_lt(order[i - 1], order[i], "%u before %u", order[i - 1], order[i]);
    }
}

/* All at once, and only one a second may be asked. */
Test(subscriber_start, who_waits_for_his_turn_does_not_expire)
{
    uint32_t count = 0;

    watch(12, 0);
    f.rules[CONTACT_IN].subscribe_rate_max = 1;
    fixture_crash(&f, true);
    for (uint32_t t = 0; t < 60; t++) {
        fixture_run(&f, 1000);
        while (fixture_request(&f)) {
            (void)serve(3600);
            count++;
        }
    }
    cr_expect_geq(count, WATCHERS, "%u", count); /* some a second time: those in doubt */
    expect_nobody_left();
}

/* The times after a start are later than the end of some. */
Test(subscriber_start, who_would_expire_before_his_time_is_refreshed_at_once)
{
    watch(9, 1);
    fixture_crash(&f, true);
    fixture_run(&f, 1500);
    cr_expect_not_null(fixture_request(&f));
    for (uint32_t t = 0; t < 20; t++) {
        while (fixture_request(&f)) {
            (void)serve(3600);
        }
        fixture_run(&f, 1000);
    }
    expect_nobody_left();
}
