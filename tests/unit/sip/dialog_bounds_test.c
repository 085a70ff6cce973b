/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dialog: what is too long, no memory, what dialogs share, and what one costs. */
#include "dialog_help.h"

#include "base/err.h"
#include "base/pool.h"

static char *repeat(const char *piece, unsigned count, const char *head, const char *tail)
{
    static char text[1 << 17];
    size_t at = (size_t)snprintf(text, sizeof(text), "%s", head);

    for (unsigned i = 0; i < count; i++) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s", piece);
        cr_assert_lt(at, sizeof(text));
    }
    (void)snprintf(text + at, sizeof(text) - at, "%s", tail);
    return text;
}

/* Whatever a peer sends, a dialog has an upper bound, and the refusal is a 4xx. */
Test(dialog, bounds)
{
    struct sip_dialog *d = new_uac();
    struct sip_dialog *uas;
    static const struct {
        const char *head, *piece, *tail;
        unsigned fits, too_many;
    } more[] = {
        {CONTACT_LINE, "Record-Route: <sip:p;lr>\r\n", "", 10, 11},
        {CONTACT_LINE, "Record-Route: <sip:p;lr>\r\n", "", 1, 100},
        {CONTACT_LINE "Record-Route: <sip:p;lr;x=", "aaaaaaaaaa", ">\r\n", 152, 153},
        {CONTACT_LINE "Record-Route: <sip:p;lr>;x=", "aaaaaaaaaa", "\r\n", 152, 2000},
        {"Contact: <sip:", "aaaaaaaaaa", "@h>\r\n", 50, 51},
        {"Contact: <sip:", "aaaaaaaaaa", "@h>\r\n", 1, 2000},
    };

    for (size_t i = 0; i < ARRAY_COUNT(more); i++) {
        struct dialog_text t = {0};

        t.more = repeat(more[i].piece, more[i].too_many, more[i].head, more[i].tail);
        cr_expect_eq(sip_dialog_establish(&d, dialog_msg(t)), ERR_LIMIT, "case %zu", i);
        cr_expect_not(sip_dialog_is_established(d));
        cr_expect_eq(new_uas(t, &uas), ERR_LIMIT);
        cr_expect_null(uas);
        t.more = repeat(more[i].piece, more[i].fits, more[i].head, more[i].tail);
        cr_assert_eq(new_uas(t, &uas), 0, "case %zu", i);
        cr_expect_lt(sip_dialog_bytes(uas), 4096);
        sip_dialog_free(uas);
    }
    cr_expect_eq(sip_dialog_status(ERR_LIMIT), 400);
    cr_expect_eq(sip_dialog_status(ERR_NOMEM), 500);
    cr_expect_eq(
        new_uas((struct dialog_text){.call_id = repeat("aaaaaaaaaaaaaaaa", 16, "", "")}, &uas),
        ERR_LIMIT, "256");
    cr_expect_eq(
        new_uas((struct dialog_text){.from = repeat("a", 129, "<sip:bob@corp.example>;tag=", "")},
                &uas),
        ERR_LIMIT);
    cr_expect_eq(
        new_uas((struct dialog_text){.from = repeat("a", 520, "<sip:", "@corp.example>;tag=1")},
                &uas),
        ERR_LIMIT);
    sip_dialog_free(d);
}

/* Without memory nothing is lost: the old dialog stays as it was. */
Test(dialog, no_memory)
{
    struct sip_dialog *d = new_uac();
    struct sip_dialogs *fresh;
    struct sip_dialog *other;
    int64_t used;

    pool_fail_nth(1);
    cr_expect_null(sip_dialogs_new());
    fresh = sip_dialogs_new();
    pool_fail_nth(1);
    cr_expect_null(sip_dialog_new_uac(fresh, SLICE_LIT("a"), SLICE_LIT("b"), 1));
    sip_dialogs_free(fresh);
    for (uint64_t nth = 1; nth < 4; nth++) {
        pool_fail_nth(nth);
        cr_expect_eq(
            sip_dialog_establish(&d, dialog_msg((struct dialog_text){
                                         .more = CONTACT_LINE "Record-Route: <sip:p;lr>\r\n"})),
            ERR_NOMEM, "%u", (unsigned)nth);
        cr_expect_not(sip_dialog_is_established(d));
        pool_fail_nth(nth);
        cr_expect_eq(
            new_uas((struct dialog_text){.more = CONTACT_LINE "Record-Route: <sip:p;lr>\r\n"},
                    &other),
            ERR_NOMEM);
    }
    pool_fail_nth(0);
    cr_assert_eq(sip_dialog_establish(&d, dialog_msg((struct dialog_text){0})), 0);
    used = pool_used_bytes();
    for (uint64_t nth = 1; nth < 3; nth++) {
        pool_fail_nth(nth);
        cr_expect_eq(
            sip_dialog_retarget(
                &d, dialog_msg((struct dialog_text){.more = "Contact: <sip:other@h>\r\n"}), NULL),
            ERR_NOMEM);
        pool_fail_nth(nth);
        cr_expect_eq(sip_dialog_fork(
                         d, dialog_msg((struct dialog_text){.from = "<sip:b@c>;tag=b2"}), &other),
                     ERR_NOMEM);
    }
    pool_fail_nth(0);
    EXPECT_SLICE(sip_dialog_target(d), "sip:bob@10.1.1.7:5061;transport=tls");
    cr_expect_eq(pool_used_bytes(), used);
    sip_dialog_free(d);
}

/* What many dialogs have in common is there once, and goes with the last of them. */
Test(dialog, shared_parts)
{
    static const char more[] = CONTACT_LINE "Record-Route: <sip:p1.corp.example;lr>\r\n";
    struct sip_dialogs *in = sip_dialogs_new();
    struct sip_dialog *d[100];
    struct next_help n;
    size_t empty = sip_dialogs_bytes(in);
    size_t one = 0;

    for (size_t i = 0; i < ARRAY_COUNT(d); i++) {
        d[i] = sip_dialog_new_uac(in, SLICE_LIT(OUR_CALL_ID), SLICE_LIT(OUR_TAG), 1);
        cr_assert_eq(sip_dialog_establish(&d[i], dialog_msg((struct dialog_text){.more = more})),
                     0);
        one = one ? one : sip_dialogs_bytes(in);
    }
    cr_expect_gt(one, empty);
    cr_expect_eq(sip_dialogs_bytes(in), one);
    cr_assert_eq(
        sip_dialog_retarget(
            &d[5], dialog_msg((struct dialog_text){.more = "Contact: <sip:x@y>\r\n"}), NULL),
        0);
    cr_expect_gt(sip_dialogs_bytes(in), one);
    EXPECT_SLICE(sip_dialog_target(d[5]), "sip:x@y");
    EXPECT_SLICE(sip_dialog_target(d[6]), "sip:bob@10.1.1.7:5061;transport=tls");
    sip_dialog_free(d[5]);
    cr_expect_eq(sip_dialogs_bytes(in), one);
    cr_assert_eq(next_of(d[6], &n), 0);
    cr_assert_eq(n.p.route_count, 1);
    EXPECT_SLICE(n.p.route[0], "<sip:p1.corp.example;lr>");
    for (size_t i = 0; i < ARRAY_COUNT(d); i++) {
        if (i != 5) {
            sip_dialog_free(d[i]);
        }
    }
    cr_expect_lt(sip_dialogs_bytes(in), one);
    sip_dialogs_free(in);
}

/* The budget of 600 bytes a subscription leaves this much to the dialog: a presence server's
 * answer through one and through two proxies. Routes and target are shared by many. */
Test(dialog, bytes)
{
    struct dialog_text t = {.from =
                                "<sip:bob@corp.example>;tag=a6a1c5f60faecf035a1ae5b6e96e979a-5c49",
                            .more = "Contact: <sip:10.20.30.40:5061;transport=tls>\r\n"
                                    "Record-Route: <sip:10.20.30.40:5061;transport=tls;lr>\r\n"};
    struct sip_dialog *d = new_uac();
    size_t one;

    cr_assert_eq(sip_dialog_establish(&d, dialog_msg(t)), 0);
    one = sip_dialog_bytes(d);
    sip_dialog_free(d);
    t.more = "Contact: <sip:bob@10.20.30.40:5061;transport=tls;gr=urn:uuid:"
             "f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\r\n"
             "Record-Route: <sip:edge.corp.example:5061;transport=tls;lr>\r\n"
             "Record-Route: <sip:10.20.30.40:5061;transport=tls;lr;r2=on>\r\n";
    d = new_uac();
    cr_assert_eq(sip_dialog_establish(&d, dialog_msg(t)), 0);
    cr_log_info("one Route value %zu bytes, two and a GRUU %zu", one, sip_dialog_bytes(d));
    cr_expect_leq(one, 128);
    cr_expect_leq(sip_dialog_bytes(d), 128);
    sip_dialog_free(d);
}
