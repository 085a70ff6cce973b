/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loop: two gateways that take each other for everything: what one says to its partner the other
 * hears as its partner's, and what one says to its next hop the other hears as its own. Nothing
 * keeps going round: subscriptions are one per pair, whatever asks for them (sip.md 4.6). */
#include <criterion/criterion.h>
#include <stdio.h>

#include "fixture.h"

#define BOB          "bob@corp.example"
#define ANN          "ann@chat.example"
#define MESSAGES_MAX 400u /* an hour; refreshes and probes among them */

static struct fixture gateways[2]; /* of corp.example, of chat.example */
static uint32_t messages;

static void setup(void)
{
    messages = 0;
    for (int i = 0; i < 2; i++) {
        fixture_init(&gateways[i]);
        sip_ids_init_seeded(&gateways[i].ids, (uint64_t)i + 10);
        fixture_start(&gateways[i]);
    }
}

static void teardown(void)
{
    fixture_deinit(&gateways[0]);
    fixture_deinit(&gateways[1]);
}

TestSuite(loop, .init = setup, .fini = teardown);

/* Header lines of an answer, without status line and length. */
static void fields_of(const struct said *answer, char *out, size_t bytes)
{
    const char *from = strstr(answer->text, "\r\n");
    const char *to = strstr(answer->text, "Content-Length:");

    cr_assert(from && to && to > from);
    slice_to_cstr_cut(slice_make(from + 2, (size_t)(to - from) - 2), out, bytes);
}

static bool relay_request(struct fixture *from, struct fixture *to)
{
    struct said *r = fixture_request(from);
    struct said *answer;
    char fields[1024];

    if (!r) {
        return false;
    }
    messages++;
    cr_assert_gt((r->method == SIP_METHOD_NOTIFY ? fixture_notify : fixture_subscribe)(to, r->text),
                 0);
    answer = LIST_ENTRY(to->answers.prev, struct said, link);
    cr_assert_eq(answer->handle, to->txn);
    fields_of(answer, fields, sizeof(fields));
    fixture_respond(from, r, answer->status, to->txn_tag.text, fields);
    return true;
}

static bool relay_stanza(struct fixture *from, struct fixture *to)
{
    struct said *s = fixture_take_stanza(from);

    if (!s) {
        return false;
    }
    messages++;
    cr_assert(fixture_from_partner(to, s->text), "%s", s->text);
    return true;
}

static void relay_all(void)
{
    bool is_busy = true;

    while (is_busy && messages < MESSAGES_MAX) {
        is_busy = false;
        for (int i = 0; i < 2; i++) {
            is_busy |= relay_request(&gateways[i], &gateways[1 - i]);
            is_busy |= relay_stanza(&gateways[i], &gateways[1 - i]);
        }
    }
}

static void live(uint32_t seconds)
{
    for (uint32_t i = 0; i < seconds; i++) {
        relay_all();
        fixture_run(&gateways[0], 1000);
        fixture_run(&gateways[1], 1000);
    }
}

static void expect_rest(void)
{
    live(3600);
    printf("%u messages in an hour\n", messages);
    cr_expect_gt(messages, 3, "it went round once");
    cr_expect_lt(messages, MESSAGES_MAX);
    for (int i = 0; i < 2; i++) {
        const struct presence_stats *s = presence_stats(gateways[i].p);

        cr_expect_leq(s->dialogs[CONTACT_IN], 2);
        cr_expect_leq(s->dialogs[CONTACT_OUT], 2);
    }
}

Test(loop, stanza_that_starts_it, .timeout = 120)
{
    cr_assert(fixture_from_partner(&gateways[0],
                                   "<presence type='subscribe' from='" ANN "' to='" BOB "'/>"));
    expect_rest();
}

Test(loop, request_that_starts_it, .timeout = 120)
{
    cr_assert_gt(fixture_subscribe(&gateways[0],
                                   "SUBSCRIBE sip:" ANN " SIP/2.0\n"
                                   "Via: SIP/2.0/TLS a.example;branch=z9hG4bK1\nMax-Forwards: 70\n"
                                   "From: <sip:" BOB ">;tag=1\nTo: <sip:" ANN ">\n"
                                   "Call-ID: c1\nCSeq: 1 SUBSCRIBE\nEvent: presence\n"
                                   "Contact: <sip:bob@a.example>\nContent-Length: 0\n\n"),
                 0);
    expect_rest();
}
