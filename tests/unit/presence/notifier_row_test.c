/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notifier_row: restarts, damaged rows, hostile input, memory. */
#include "notifier_scene.h"
#include "presence/table.h"

TestSuite(notifier_row, .init = setup, .fini = teardown);

static uint32_t cseq_of(const struct said *s)
{
    return (uint32_t)strtoul(fixture_header(s, "CSeq").ptr, NULL, 10);
}

/* --- restart ---------------------------------------------------------------------------------- */

Test(notifier_row, restart_keeps_dialog_and_document)
{
    uint32_t before;

    begin_granted(&f, &phone, "3600");
    from_ann(&f, "", "desk", "<status>one</status>");
    before = cseq_of(fixture_request(&f));
    accept_all(&f);
    fixture_run(&f, 10 * 1000);
    (void)told(&f);
    fixture_crash(&f, false);
    cr_expect_str_eq(told(&f), "= granted/1");
    fixture_run(&f, 250);
    cr_expect_str_eq(told(&f), "probe = granted/1");
    from_ann(&f, "", "desk", "<status>one</status>"); /* as it was */
    cr_expect_str_eq(told(&f), "= granted/1");
    from_ann(&f, "", "desk", "<status>two</status>");
    cr_expect_str_eq(told(&f), "N:active+open = granted/1");
    cr_expect_gt(cseq_of(fixture_request(&f)), before);
    cr_expect(says(fixture_request(&f), "NOTIFY sip:bob@10.0.0.7:5060 SIP/2.0\r\n"));
    accept_all(&f);
    cr_expect_eq(subscribe(&f, &phone, "0"), 200); /* the phone noticed nothing */
    cr_expect_str_eq(told(&f), "200 N:terminated;reason=timeout+closed unavailable = granted/0");
}

/* The row was written, the NOTIFY waited for its time. */
Test(notifier_row, what_was_stored_but_not_told)
{
    begin_granted(&f, &phone, "3600");
    from_ann(&f, "", "desk", "<status>one</status>");
    accept_all(&f);
    from_ann(&f, "", "desk", "<status>two</status>");
    cr_expect_null(fixture_request(&f));
    while (!presence_flush(f.p)) {
        fixture_settle(&f);
    }
    fixture_crash(&f, false);
    fixture_run(&f, 250);
    from_ann(&f, "", "desk", "<status>two</status>");
    fixture_run(&f, 6000);
    cr_assert(fixture_request(&f));
    cr_expect(says(fixture_request(&f), "two"));
    accept_all(&f);
    (void)told(&f);
    fixture_run(&f, 600 * 1000);
    cr_expect_str_eq(told(&f), "= granted/1");
}

Test(notifier_row, expiry_is_of_the_wall_clock)
{
    begin_granted(&f, &phone, "3600");
    fixture_run(&f, 600 * 1000);
    accept_all(&f);
    fixture_crash(&f, false);
    f.now_ms += 1000ull * 1000; /* down for so long, as far as the clocks tell */
    wheel_run(&f.wheel, f.now_ms, UINT32_MAX);
    fixture_run(&f, 1900ull * 1000);
    accept_all(&f);
    cr_expect_eq(notifier_lasting(&contact_of(&f)->out), 1);
    fixture_run(&f, 200ull * 1000);
    cr_expect_eq(notifier_lasting(&contact_of(&f)->out), 0);
}

Test(notifier_row, expired_meanwhile)
{
    begin_granted(&f, &phone, "600");
    fixture_run(&f, 10 * 1000);
    (void)told(&f);
    f.start_unix_s += 3600;
    fixture_crash(&f, false);
    fixture_run(&f, 250);
    cr_expect_str_eq(told(&f), "N:terminated;reason=timeout+closed unavailable = granted/0");
}

Test(notifier_row, undecided_is_asked_again)
{
    begin_asking(&f, &phone, "3600");
    fixture_run(&f, 10 * 1000);
    (void)told(&f);
    fixture_crash(&f, false);
    fixture_run(&f, 250);
    cr_expect_str_eq(told(&f), "subscribe probe = asking/1");
    from_ann(&f, "subscribed", "", "");
    cr_expect_str_eq(told(&f), "N:active = granted/1");
}

Test(notifier_row, grant_that_was_not_durable)
{
    begin_asking(&f, &phone, "3600");
    fixture_run(&f, 10 * 1000);
    f.store = FIXTURE_STORE_HOLDS;
    from_ann(&f, "subscribed", "", "");
    f.store = FIXTURE_STORE_PROMPT;
    (void)told(&f);
    fixture_crash(&f, false);
    cr_expect_str_eq(told(&f), "= asking/1");
}

Test(notifier_row, authorisation_without_watchers_is_quiet)
{
    begin_granted(&f, &phone, "3600");
    cr_expect_eq(subscribe(&f, &phone, "0"), 200);
    accept_all(&f);
    fixture_run(&f, 10 * 1000);
    (void)told(&f);
    fixture_crash(&f, false);
    fixture_run(&f, 600 * 1000);
    cr_expect_str_eq(told(&f), "= granted/0");
}

Test(notifier_row, refusal_survives)
{
    begin_granted(&f, &phone, "3600");
    from_ann(&f, "unsubscribed", "", "");
    accept_all(&f);
    fixture_run(&f, 10 * 1000);
    fixture_crash(&f, false);
    phone = (struct device){.call_id = "b", .cseq = 1};
    cr_expect_eq(subscribe(&f, &phone, "3600"), 403);
    f.start_unix_s += NOTIFIER_REFUSED_S;
    fixture_crash(&f, false);
    fixture_run(&f, 6000);
    cr_expect_eq(subscribe(&f, &phone, "3600"), 200);
}

Test(notifier_row, who_was_leaving_is_told_of_at_the_next_occasion)
{
    begin_granted(&f, &phone, "3600");
    fixture_run(&f, 30 * 1000);
    from_ann(&f, "", "sofa", "");
    accept_all(&f);
    from_ann(&f, "unavailable", "sofa", ""); /* within the gap */
    fixture_store_done(&f, 0);
    fixture_run(&f, 4000);
    (void)presence_flush(f.p);
    fixture_settle(&f);
    fixture_crash(&f, false);
    cr_expect_str_eq(told(&f), "= granted/1");
    cr_expect_eq(subscribe(&f, &phone, "3600"), 200);
    fixture_run(&f, PRESENCE_DIRTY_MS);
    cr_assert(fixture_request(&f));
    cr_expect(says(fixture_request(&f), "<basic>open</basic>"));
}

Test(notifier_row, numbers_are_reserved_over_two_crashes)
{
    uint32_t last = 0;

    begin_granted(&f, &phone, "86400");
    for (int i = 0; i < 20; i++) {
        fixture_run(&f, 6000);
        for (int k = 0; k < 10; k++) {
            char status[64];

            (void)snprintf(status, sizeof(status), "<status>%d.%d</status>", i, k);
            from_ann(&f, "", "desk", status);
            if (fixture_request(&f)) {
                cr_expect_gt(cseq_of(fixture_request(&f)), last);
                last = cseq_of(fixture_request(&f));
                accept_all(&f);
            }
            fixture_run(&f, 5100);
        }
        fixture_crash(&f, i % 2);
    }
}

static void take_number(uint32_t *last)
{
    if (fixture_request(&f)) {
        cr_expect_gt(cseq_of(fixture_request(&f)), *last);
        *last = cseq_of(fixture_request(&f));
        accept_all(&f);
    }
}

Test(notifier_row, numbers_of_processes_that_live_for_a_moment)
{
    uint32_t last = 0;

    begin_granted(&f, &phone, "86400");
    fixture_run(&f, 6000);
    for (uint32_t i = 0; i < 20; i++) {
        fixture_crash(&f, false);
        for (int k = 0; k < 4; k++) {
            char status[64];

            (void)snprintf(status, sizeof(status), "<status>%u.%d</status>", i, k);
            from_ann(&f, "", "desk", status);
            take_number(&last);
            fixture_run(&f, i * 50u);
            take_number(&last);
        }
    }
    cr_expect_gt(last, 0);
}

Test(notifier_row, store_that_refuses_does_not_hold_a_loaded_dialog_for_ever)
{
    begin_granted(&f, &phone, "86400");
    fixture_run(&f, 6000);
    f.store = FIXTURE_STORE_FULL;
    fixture_crash(&f, false);
    (void)told(&f);
    fixture_run(&f, 250);
    from_ann(&f, "", "desk", "<status>two</status>");
    fixture_run(&f, 8000);
    cr_expect_null(fixture_request(&f));
    fixture_run(&f, 3000);
    cr_assert(fixture_request(&f));
    f.store = FIXTURE_STORE_PROMPT;
    fixture_run(&f, 10 * 1000);
}

/* A node comes up with many contacts: nobody is asked all at once. */
Test(notifier_row, resumption_is_paced)
{
    char from[64];
    char text[1024];
    uint32_t sent;

    for (int i = 0; i < 2000; i++) {
        (void)snprintf(from, sizeof(from), "u%d", i);
        (void)snprintf(text, sizeof(text),
                       "SUBSCRIBE sip:" ANN " SIP/2.0\nVia: SIP/2.0/TLS p;branch=z9hG4bK%d\n"
                       "Max-Forwards: 70\nFrom: <sip:%s@corp.example>;tag=1\nTo: <sip:" ANN
                       ">\nCall-ID: %s\nCSeq: 1 SUBSCRIBE\nContact: <sip:%s@10.0.0.7>\n"
                       "Event: presence\n\n",
                       i, from, from, from);
        cr_assert(fixture_subscribe(&f, text));
        accept_all(&f);
        fixture_forget(&f);
    }
    fixture_run(&f, 10 * 1000);
    fixture_crash(&f, false);
    fixture_forget(&f);
    fixture_run(&f, 1000);
    sent = (uint32_t)fixture_count(&f.stanzas);
    cr_expect_geq(sent, 1200); /* subscribe and probe of about half of them */
    cr_expect_leq(sent, 2800);
    fixture_run(&f, 1300);
    cr_expect_eq(fixture_count(&f.stanzas), 4000);
}

/* --- damage ----------------------------------------------------------------------------------- */

/* What the room's checksum would catch, too: the machine holds out without it. */
Test(notifier_row, any_bytes_as_a_row)
{
    struct buf dialogs;
    struct buf document;
    uint32_t seed = 1;

    begin_granted(&f, &phone, "3600");
    buf_init(&dialogs, 1u << 16);
    buf_init(&document, 1u << 16);
    notifier_pack(contact_of(&f), &dialogs, &document);
    cr_assert_gt(buf_len(&dialogs), 50);
    for (int i = 0; i < 3000; i++) {
        struct slice a = buf_slice(&dialogs);
        struct slice b = buf_slice(&document);
        char bytes[2][4096];

        memcpy(bytes[0], a.ptr, a.len);
        memcpy(bytes[1], b.ptr, b.len);
        for (int k = 0; k < 3; k++) {
            seed = seed * 1664525u + 1013904223u;
            bytes[0][(seed >> 8) % a.len] ^= (char)(1u << (seed & 7));
            bytes[1][(seed >> 8) % b.len] ^= (char)(1u << (seed & 7));
        }
        notifier_deinit(contact_of(&f));
        contact_of(&f)->out.dialogs = NULL;
        notifier_unpack(contact_of(&f), slice_make(bytes[0], seed % (a.len + 1)),
                        slice_make(bytes[1], seed % (b.len + 1)));
        notifier_loaded(contact_of(&f));
        fixture_run(&f, 8);
        accept_all(&f);
        fixture_forget(&f);
    }
    buf_deinit(&dialogs);
    buf_deinit(&document);
    contact_measure_now(contact_of(&f));
}

/* --- hostile -------------------------------------------------------------------------------- */

Test(notifier_row, document_without_end)
{
    char resource[64];
    char note[3000];

    begin_granted(&f, &phone, "3600");
    memset(note, 'x', sizeof(note));
    memcpy(note, "<status>", 8);
    (void)snprintf(note + sizeof(note) - 10, 10, "</status>");
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(resource, sizeof(resource), "r%d", i);
        from_ann(&f, "", resource, note);
        fixture_run(&f, 100);
        accept_all(&f);
        fixture_forget(&f);
    }
    cr_expect_leq(contact_of(&f)->out.document_len, PRESENCE_PACKED_BYTES_MAX);
    cr_expect_lt(presence_stats(f.p)->memory_bytes, 16384);
}

Test(notifier_row, stanzas_nobody_waits_for)
{
    static const char *const types[] = {"", "unavailable", "subscribed", "unsubscribed", "error"};

    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        from_ann(&f, types[i], "", "");
        from_ann(&f, types[i], "desk", "");
        cr_expect_str_eq(told(&f), "= gone/0", "%s", types[i]);
    }
}

/* The machine's part of a subscription; the room's bound is 600 bytes for all. */
Test(notifier_row, memory_of_one)
{
    struct contact_measure m = {0};

    begin_granted(&f, &phone, "3600");
    accept_all(&f);
    fixture_run(&f, 60 * 1000); /* the probe is over */
    notifier_measure(contact_of(&f), &m);
    cr_log_info("struct notifier %zu, struct contact %zu, blocks %zu bytes\n",
                sizeof(struct notifier), sizeof(struct contact), m.bytes);
    cr_expect_eq(m.dialogs, 1);
    cr_expect_leq(m.bytes + sizeof(struct notifier), 400);
}
