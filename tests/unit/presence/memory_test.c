/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory: what a subscription costs, all in: contact, dialogs, documents, names, table, and what
 * the allocator adds. Real machines, half of the contacts in each direction, all active; names,
 * tags, routes and notes are as long as they are in life. */
#include <criterion/criterion.h>
#include <malloc.h>
#include <stdio.h>
#include <time.h>

#include "base/pool.h"
#include "fixture.h"

#define BYTES_MAX 600u /* of the issue */
#ifdef FEDGATE_SANITIZED
#define CONTACTS 1000u /* an allocator that knows no figures */
#else
#define CONTACTS 100000u
#endif
#define TEXT_BYTES 4096u

static struct fixture f;
static char text[TEXT_BYTES];

/* Of Kamailio's make. */
#define TAG   "a6a1c5f60faecf035a1ae5b6e96e979a-8d1b"
#define ROUTE "Record-Route: <sip:pool01.corp.example:5061;transport=tls;lr>\n"

static void names(uint32_t i, char *local, char *remote, size_t bytes)
{
    (void)snprintf(local, bytes, "first.lastname%u@corp.example", i % 20000);
    (void)snprintf(remote, bytes, "some.body%u@partner%u.example", i, i % 100);
}

static void header(char *out, size_t bytes, const struct said *request, const char *name)
{
    slice_to_cstr_cut(fixture_header(request, name), out, bytes);
}

static void watch_ours(uint32_t i)
{
    char from[200];
    char to[200];
    char call_id[100];
    char body[1024];
    char local[64];
    char remote[64];
    int len;

    names(i, local, remote, sizeof(local));
    (void)snprintf(text, sizeof(text), "<presence type='subscribe' from='%s' to='%s'/>", remote,
                   local);
    cr_assert(fixture_from_partner(&f, text));
    cr_assert_not_null(fixture_request(&f));
    header(from, sizeof(from), fixture_request(&f), "From");
    header(to, sizeof(to), fixture_request(&f), "To");
    header(call_id, sizeof(call_id), fixture_request(&f), "Call-ID");
    fixture_respond(&f, fixture_request(&f), 200, TAG,
                    "Expires: 3600\r\nContact: <sip:10.20.30.40:5061;transport=tls>\r\n"
                    "Record-Route: <sip:pool01.corp.example:5061;transport=tls;lr>\r\n");
    len = snprintf(body, sizeof(body),
                   "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='pres:%s'>"
                   "<tuple id='ID-%08x'><status><basic>open</basic></status>"
                   "<note>In a meeting until three</note></tuple></presence>",
                   local, i);
    (void)snprintf(text, sizeof(text),
                   "NOTIFY sip:gw.corp.example SIP/2.0\n"
                   "Via: SIP/2.0/TLS pool01.corp.example;branch=z9hG4bK%u\n" ROUTE
                   "Max-Forwards: 70\nFrom: %s;tag=" TAG "\nTo: %s\n"
                   "Call-ID: %s\nCSeq: 1 NOTIFY\nEvent: presence\n"
                   "Contact: <sip:10.20.30.40:5061;transport=tls>\n"
                   "Subscription-State: active;expires=3600\n"
                   "Content-Type: application/pidf+xml\nContent-Length: %d\n\n%s",
                   i, to, from, call_id, len, body);
    cr_assert_gt(fixture_notify(&f, text), 0);
}

static void watch_theirs(uint32_t i)
{
    char local[64];
    char remote[64];

    names(i, local, remote, sizeof(local));
    (void)snprintf(text, sizeof(text),
                   "SUBSCRIBE sip:%s SIP/2.0\n"
                   "Via: SIP/2.0/TLS pool01.corp.example;branch=z9hG4bK%u\n" ROUTE
                   "Max-Forwards: 70\nFrom: <sip:%s>;tag=%08x\nTo: <sip:%s>\n"
                   "Call-ID: %08xa6a1c5f60faecf035a1a@10.20.30.40\nCSeq: 1 SUBSCRIBE\n"
                   "Event: presence\nAccept: application/pidf+xml\nExpires: 3600\n"
                   "Contact: <sip:%s:5061;transport=tls>\nContent-Length: 0\n\n",
                   remote, i, local, i, remote, i, "first@10.20.30.40");
    cr_assert_gt(fixture_subscribe(&f, text), 0);
    (void)snprintf(text, sizeof(text), "<presence type='subscribed' from='%s' to='%s'/>", remote,
                   local);
    cr_assert(fixture_from_partner(&f, text));
    (void)snprintf(text, sizeof(text),
                   "<presence from='%s/conversations.x7Qp' to='%s'><show>away</show>"
                   "<status>In a meeting until three</status><priority>5</priority></presence>",
                   remote, local);
    cr_assert(fixture_from_partner(&f, text));
}

static void say_yes(void)
{
    while (fixture_request(&f)) {
        fixture_respond(&f, fixture_request(&f), 200, "x", "Expires: 3600\r\n");
    }
}

static uint64_t used(void)
{
    pool_trim();
    return mallinfo2().uordblks;
}

static void fill(void)
{
    for (uint32_t i = 0; i < CONTACTS; i += 2) {
        watch_ours(i);
        watch_theirs(i + 1);
        say_yes();
        fixture_forget(&f);
    }
    /* Every NOTIFY that was held back goes out, every row becomes durable. */
    for (int i = 0; i < 60; i++) {
        fixture_run(&f, 1000);
        say_yes();
        fixture_forget(&f);
    }
}

static void expect_all(void)
{
    const struct presence_stats *s = presence_stats(f.p);

    cr_expect_eq(s->contacts[CONTACT_IN][CONTACT_GRANTED], CONTACTS / 2);
    cr_expect_eq(s->contacts[CONTACT_OUT][CONTACT_GRANTED], CONTACTS / 2);
    cr_expect_eq(s->dialogs[CONTACT_IN], CONTACTS / 2);
    cr_expect_eq(s->dialogs[CONTACT_OUT], CONTACTS / 2);
}

/* The bound of time is for what is quadratic; the figure is for people. */
Test(memory, less_than_600_bytes_a_subscription, .timeout = 400)
{
    uint64_t empty;
    uint64_t with_rows;
    uint64_t rows;
    uint64_t loaded;
    uint64_t grown;
    clock_t begin;
    double seconds;

    fixture_init(&f);
    fixture_start(&f);
    empty = used();
    fill();
    expect_all();
    cr_expect_eq(presence_stats(f.p)->dirty, 0);
    grown = used() - empty; /* the scripted store's rows included */
    begin = clock();
    fixture_crash(&f, false);
    seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    expect_all();
    cr_expect_lt(seconds, 10.0);
    fixture_settle(&f);
    with_rows = used();
    fixture_forget_rows(&f);
    loaded = used() - empty;
    rows = with_rows - used();
    grown -= rows;
    printf("%u contacts: %.1f bytes each counted, %.1f all in when grown, %.1f when loaded, which "
           "took %.2f s with the end of the ones before\n",
           CONTACTS, (double)presence_stats(f.p)->memory_bytes / CONTACTS, (double)grown / CONTACTS,
           (double)loaded / CONTACTS, seconds);
#ifndef FEDGATE_SANITIZED
    cr_expect_lt(grown / CONTACTS, BYTES_MAX);
    cr_expect_lt(loaded / CONTACTS, BYTES_MAX);
#endif
    fixture_deinit(&f);
}
