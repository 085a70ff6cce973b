/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dialog: creation, matching, order and the next request of subscriptions' dialogs, each rule with
 * its section (RFC 3261 12; RFC 6665 4.1.4, 4.4.1).                                              */
#include "dialog_help.h"

#include "base/err.h"
#include "base/pool.h"

/* 8.1.1, 8.1.3.5: the first request has no To tag and no Route; a second one (after 423) keeps
 * Call-ID and tag and counts the CSeq.                                                          */
Test(dialog, first_request)
{
    struct sip_dialog *d = new_uac();
    struct next_help n;

    cr_expect_eq(sip_dialog_cseq(d), 0);
    cr_assert_eq(next_of(d, &n), 0);
    EXPECT_SLICE(n.p.uri, "sip:bob@corp.example");
    EXPECT_SLICE(n.p.from_uri, "sip:ann@chat.example");
    EXPECT_SLICE(n.p.to_uri, "sip:bob@corp.example");
    EXPECT_SLICE(n.p.call_id, OUR_CALL_ID);
    EXPECT_SLICE(n.p.from_tag, OUR_TAG);
    EXPECT_SLICE(n.p.to_tag, "");
    cr_expect_eq(n.p.route_count, 0);
    cr_expect_eq(n.p.cseq, 1);
    cr_assert_eq(next_of(d, &n), 0);
    EXPECT_SLICE(n.p.call_id, OUR_CALL_ID);
    cr_expect_eq(n.p.cseq, 2);
    cr_expect(sip_dialog_is_uac(d));
    cr_expect_not(sip_dialog_is_established(d));
    cr_expect_eq(sip_dialog_target(d).len, 0);
    sip_dialog_free(d);
    sip_dialog_free(NULL);
}

/* P-15; 6665 4.1.2.4: NOTIFY before the 2xx makes the dialog, the 2xx changes nothing any more. */
Test(dialog, notify_before_2xx)
{
    struct sip_dialog *d = new_uac();
    struct next_help n;

    cr_assert_eq(next_of(d, &n), 0);
    cr_expect_eq(match_of(d, dialog_msg((struct dialog_text){0})), SIP_DIALOG_NASCENT);
    cr_assert_eq(sip_dialog_establish(
                     &d, dialog_msg((struct dialog_text){
                             .more = "Record-Route: <sip:p1.corp.example;lr>\r\n" CONTACT_LINE})),
                 0);
    cr_expect(sip_dialog_is_established(d));
    EXPECT_SLICE(sip_dialog_remote_tag(d), "b1");
    cr_assert_eq(
        sip_dialog_establish(&d, dialog_answer("b1", "Contact: <sip:other@10.1.1.9>\r\n"
                                                     "Record-Route: <sip:p9.corp.example;lr>\r\n")),
        0);
    cr_expect_eq(sip_dialog_establish(&d, dialog_msg((struct dialog_text){0})), ERR_STATE);
    cr_assert_eq(next_of(d, &n), 0);
    cr_expect_eq(n.p.cseq, 2);
    EXPECT_SLICE(n.p.uri, "sip:bob@10.1.1.7:5061;transport=tls");
    EXPECT_SLICE(n.p.to_tag, "b1");
    cr_assert_eq(n.p.route_count, 1);
    EXPECT_SLICE(n.p.route[0], "<sip:p1.corp.example;lr>");
    sip_dialog_free(d);
}

/* 6665 4.4.1: the route set is the NOTIFY's, not the 2xx's; until then the 2xx's will do, reversed
 * (3261 12.1.2), whereas a NOTIFY's, whose UAS we are, is in order (12.1.1).                    */
Test(dialog, answer_is_tentative)
{
    struct sip_dialog *d = new_uac();
    struct next_help n;

    cr_assert_eq(next_of(d, &n), 0);
    cr_assert_eq(sip_dialog_establish(&d, dialog_answer("b7", "Contact: <sip:bob@10.1.1.9>\r\n"
                                                              "Record-Route: <sip:p1;lr>\r\n"
                                                              "Record-Route: <sip:p2;lr>\r\n")),
                 0);
    cr_expect_not(sip_dialog_is_established(d));
    cr_assert_eq(next_of(d, &n), 0, "to unsubscribe with");
    EXPECT_SLICE(n.p.uri, "sip:bob@10.1.1.9");
    EXPECT_SLICE(n.p.to_tag, "b7");
    cr_assert_eq(n.p.route_count, 2);
    EXPECT_SLICE(n.p.route[0], "<sip:p2;lr>");
    EXPECT_SLICE(n.p.route[1], "<sip:p1;lr>");
    /* The NOTIFY may even come from another fork than the 2xx (6665 4.1.4). */
    cr_expect_eq(match_of(d, dialog_msg((struct dialog_text){0})), SIP_DIALOG_NASCENT);
    cr_assert_eq(sip_dialog_establish(
                     &d, dialog_msg((struct dialog_text){
                             .more = CONTACT_LINE "Record-Route: <sip:p3;lr>, <sip:p4;lr>\r\n"})),
                 0);
    cr_assert_eq(next_of(d, &n), 0);
    EXPECT_SLICE(n.p.uri, "sip:bob@10.1.1.7:5061;transport=tls");
    EXPECT_SLICE(n.p.to_tag, "b1");
    cr_assert_eq(n.p.route_count, 2);
    EXPECT_SLICE(n.p.route[0], "<sip:p3;lr>");
    EXPECT_SLICE(n.p.route[1], "<sip:p4;lr>");
    cr_expect_eq(n.p.cseq, 3);
    sip_dialog_free(d);
}

/* A 2xx that cannot be used is no reason to lose the subscription: the NOTIFY decides. */
Test(dialog, answer_that_is_of_no_use)
{
    static const char *const bad[] = {
        "",                                          /* no Contact */
        "Contact: *\r\n",                            /* no URI */
        "Contact: <tel:+15551234>\r\n",              /* no SIP URI */
        CONTACT_LINE "Record-Route: <http://p>\r\n", /* no SIP URI */
        CONTACT_LINE "Record-Route: sip:p;lr\r\n",   /* no brackets: whose lr is it? */
    };
    struct sip_dialog *d = new_uac();
    struct next_help n;

    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        cr_expect_eq(sip_dialog_establish(&d, dialog_answer("b7", bad[i])), 0);
        cr_assert_eq(next_of(d, &n), 0);
        cr_expect_eq(n.p.to_tag.len, 0, "%s", bad[i]);
        cr_expect_eq(n.p.route_count, 0);
        EXPECT_SLICE(n.p.uri, "sip:bob@corp.example");
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        int err = sip_dialog_establish(&d, dialog_msg((struct dialog_text){.more = bad[i]}));

        cr_expect(err == ERR_SIP_SYNTAX || err == ERR_SIP_URI, "%s: %d", bad[i], err);
        cr_expect_eq(sip_dialog_status(err), 400);
        cr_expect_not(sip_dialog_is_established(d));
    }
    sip_dialog_free(d);
}

/* 12.2.2: Call-ID and both tags, byte for byte; without To tag a request is out of any dialog. */
Test(dialog, matching)
{
    struct sip_dialog *d = new_established(NULL);
    static const struct {
        struct dialog_text text;
        enum sip_dialog_match match;
    } cases[] = {
        {{0}, SIP_DIALOG_OURS},
        {{.to = "<sip:who@ever.example>;tag=" OUR_TAG}, SIP_DIALOG_OURS},
        {{.call_id = OUR_CALL_ID "0"}, SIP_DIALOG_OTHER},
        {{.call_id = "3848276298220188511A5B7C9D0E1F23"}, SIP_DIALOG_OTHER},
        {{.to = "<sip:ann@chat.example>"}, SIP_DIALOG_OTHER},
        {{.to = "<sip:ann@chat.example>;tag=1928301774abcdee"}, SIP_DIALOG_OTHER},
        {{.to = "<sip:ann@chat.example>;tag=1928301774ABCDEF"}, SIP_DIALOG_OTHER},
        {{.from = "<sip:bob@corp.example>;tag=b2"}, SIP_DIALOG_FORK},
        {{.from = "<sip:bob@corp.example>;tag=B1"}, SIP_DIALOG_FORK},
        {{.from = "<sip:bob@corp.example>"}, SIP_DIALOG_FORK},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        cr_expect_eq(match_of(d, dialog_msg(cases[i].text)), cases[i].match, "case %zu", i);
    }
    cr_expect_eq(match_of(d, dialog_answer("b1", NULL)), SIP_DIALOG_OURS);
    cr_expect_eq(match_of(d, dialog_answer("b2", NULL)), SIP_DIALOG_FORK);
    sip_dialog_free(d);
}

/* P-18; 6665 4.1.4: each fork is a dialog of its own, with its own target, route set and order. */
Test(dialog, forks)
{
    struct dialog_text second = {.from = "<sip:bob@corp.example>;tag=b2",
                                 .cseq = "900 NOTIFY",
                                 .more = "Contact: <sip:bob@10.1.1.8>\r\n"
                                         "Record-Route: <sip:p8;lr>\r\n"};
    struct sip_dialog *a = new_uac();
    struct sip_dialog *b;
    struct next_help n;

    cr_assert_eq(next_of(a, &n), 0);
    cr_assert_eq(sip_dialog_establish(&a, dialog_msg((struct dialog_text){0})), 0);
    cr_assert_eq(match_of(a, dialog_msg(second)), SIP_DIALOG_FORK);
    cr_assert_eq(sip_dialog_fork(a, dialog_msg(second), &b), 0);
    cr_expect(sip_dialog_is_established(b));
    cr_expect_eq(match_of(a, dialog_msg((struct dialog_text){0})), SIP_DIALOG_OURS);
    cr_expect_eq(match_of(b, dialog_msg((struct dialog_text){0})), SIP_DIALOG_FORK);
    cr_expect_eq(match_of(a, dialog_msg(second)), SIP_DIALOG_FORK);
    cr_expect_eq(match_of(b, dialog_msg(second)), SIP_DIALOG_OURS);
    cr_expect_eq(sip_dialog_take_cseq(b, 900), SIP_ORDER_REPEATED);
    cr_expect_eq(sip_dialog_take_cseq(a, 2), SIP_ORDER_NEW);
    cr_assert_eq(next_of(b, &n), 0);
    cr_expect_eq(n.p.cseq, 2, "its own count, from the SUBSCRIBE's on");
    EXPECT_SLICE(n.p.uri, "sip:bob@10.1.1.8");
    EXPECT_SLICE(n.p.to_tag, "b2");
    EXPECT_SLICE(n.p.call_id, OUR_CALL_ID);
    EXPECT_SLICE(n.p.from_tag, OUR_TAG);
    cr_assert_eq(n.p.route_count, 1);
    cr_assert_eq(next_of(a, &n), 0);
    cr_expect_eq(n.p.cseq, 2);
    cr_expect_eq(n.p.route_count, 0);
    second.more = "";
    cr_expect_eq(sip_dialog_fork(a, dialog_msg(second), &b), ERR_SIP_SYNTAX);
    cr_expect_null(b);
    sip_dialog_free(a);
}

/* 12.2.2: lower than the last is out of order, a gap is not; 8.1.1.5: up to 2^31-1. */
Test(dialog, order_of_requests)
{
    struct sip_dialog *d = new_established(NULL);

    cr_expect_eq(sip_dialog_take_cseq(d, 1), SIP_ORDER_REPEATED);
    cr_expect_eq(sip_dialog_take_cseq(d, 0), SIP_ORDER_LOWER);
    cr_expect_eq(sip_dialog_take_cseq(d, 2), SIP_ORDER_NEW);
    cr_expect_eq(sip_dialog_take_cseq(d, 1), SIP_ORDER_LOWER);
    cr_expect_eq(sip_dialog_take_cseq(d, 2), SIP_ORDER_REPEATED);
    cr_expect_eq(sip_dialog_take_cseq(d, 100), SIP_ORDER_NEW);
    cr_expect_eq(sip_dialog_take_cseq(d, 0x7FFFFFFE), SIP_ORDER_NEW);
    cr_expect_eq(sip_dialog_take_cseq(d, 0x7FFFFFFF), SIP_ORDER_NEW);
    cr_expect_eq(sip_dialog_take_cseq(d, 0x7FFFFFFF), SIP_ORDER_REPEATED);
    cr_expect_eq(sip_dialog_take_cseq(d, 1), SIP_ORDER_LOWER, "it does not wrap");
    sip_dialog_free(d);
}

/* 8.1.1.5, 12.2.1.1: our CSeq stays below 2^31 and never wraps. */
Test(dialog, own_cseq_is_used_up)
{
    struct sip_dialog *d =
        sip_dialog_new_uac(dialogs_in(), SLICE_LIT(OUR_CALL_ID), SLICE_LIT(OUR_TAG), 0x7FFFFFFE);
    struct sip_dialog *fork;
    struct next_help n;

    cr_assert_eq(next_of(d, &n), 0);
    cr_expect_eq(n.p.cseq, 0x7FFFFFFE);
    cr_assert_eq(next_of(d, &n), 0);
    cr_expect_eq(n.p.cseq, 0x7FFFFFFF);
    cr_expect_eq(next_of(d, &n), ERR_LIMIT);
    cr_expect_eq(next_of(d, &n), ERR_LIMIT);
    cr_expect_eq(sip_dialog_cseq(d), 0x7FFFFFFF);
    cr_assert_eq(sip_dialog_establish(&d, dialog_msg((struct dialog_text){0})), 0);
    cr_expect_eq(
        sip_dialog_fork(d, dialog_msg((struct dialog_text){.from = "<sip:b@c>;tag=b2"}), &fork),
        ERR_LIMIT);
    sip_dialog_free(d);
}

/* 12.2.1.1, its own example. */
Test(dialog, strict_router)
{
    struct sip_dialog *d =
        new_established("Contact: <sip:user@remoteua>\r\n"
                        "Record-Route: <sip:proxy1>,<sip:proxy2>,<sip:proxy3;lr>,<sip:proxy4>\r\n");
    struct next_help n;

    cr_assert_eq(next_of(d, &n), 0);
    EXPECT_SLICE(n.p.uri, "sip:proxy1");
    cr_assert_eq(n.p.route_count, 4);
    EXPECT_SLICE(n.p.route[0], "<sip:proxy2>");
    EXPECT_SLICE(n.p.route[1], "<sip:proxy3;lr>");
    EXPECT_SLICE(n.p.route[2], "<sip:proxy4>");
    EXPECT_SLICE(n.p.route[3], "<sip:user@remoteua>");
    EXPECT_SLICE(sip_dialog_target(d), "sip:user@remoteua");
    sip_dialog_free(d);
}

/* 12.2.1.1, 19.1.1: what may not stand in a Request-URI is stripped: from a strict router, from the
 * target; a loose router keeps its URI as it is, and parameters behind the brackets stay.       */
Test(dialog, request_uri_is_stripped)
{
    struct sip_dialog *d = new_established("Contact: <sip:u@r:5061;method=NOTIFY?Subject=x>\r\n"
                                           "Record-Route: <sip:p1;a=1;method=X;b?H=y>;x=\"1\r\n"
                                           " 2\"\r\n");
    struct next_help n;

    cr_assert_eq(next_of(d, &n), 0);
    EXPECT_SLICE(n.p.uri, "sip:p1;a=1;b");
    cr_assert_eq(n.p.route_count, 1);
    EXPECT_SLICE(n.p.route[0], "<sip:u@r:5061>");
    sip_dialog_free(d);

    d = new_established("Contact: <sip:u@r;gr=abc;method=NOTIFY;opaque=user:epid:x;gruu>\r\n"
                        "Record-Route: \"Proxy, 1\" <sip:p1;lr;x=y> ; ftag=\"a\r\n"
                        " b\" , <sip:p2;lr=on>;q=1\r\n");
    cr_assert_eq(next_of(d, &n), 0);
    EXPECT_SLICE(n.p.uri, "sip:u@r;gr=abc;opaque=user:epid:x;gruu");
    cr_assert_eq(n.p.route_count, 2);
    EXPECT_SLICE(n.p.route[0], "<sip:p1;lr;x=y>; ftag=\"a b\"");
    EXPECT_SLICE(n.p.route[1], "<sip:p2;lr=on>;q=1");
    sip_dialog_free(d);
}

/* 12.2.1.2, 12.2.2: a target refresh changes the target, never the route set. */
Test(dialog, target_refresh)
{
    struct sip_dialog *d = new_established(CONTACT_LINE "Record-Route: <sip:p1;lr>\r\n");
    struct sip_dialog *before = d;
    struct next_help n;
    bool changed = true;

    cr_assert_eq(sip_dialog_retarget(&d, dialog_msg((struct dialog_text){0}), &changed), 0);
    cr_expect_not(changed);
    cr_expect_eq(d, before);
    cr_assert_eq(sip_dialog_retarget(&d, dialog_msg((struct dialog_text){.more = ""}), NULL), 0);
    EXPECT_SLICE(sip_dialog_target(d), "sip:bob@10.1.1.7:5061;transport=tls");
    cr_assert_eq(
        sip_dialog_retarget(&d,
                            dialog_answer("b1", "Contact: \"B\" <sip:bob@10.2.2.2;ob>;expires=5\r\n"
                                                "Record-Route: <sip:p9;lr>\r\n"),
                            &changed),
        0);
    cr_expect(changed);
    cr_assert_eq(next_of(d, &n), 0);
    EXPECT_SLICE(n.p.uri, "sip:bob@10.2.2.2;ob");
    cr_assert_eq(n.p.route_count, 1);
    EXPECT_SLICE(n.p.route[0], "<sip:p1;lr>");
    cr_expect_eq(sip_dialog_take_cseq(d, 1), SIP_ORDER_REPEATED, "numbers are kept");
    cr_expect_eq(
        sip_dialog_retarget(
            &d, dialog_msg((struct dialog_text){.more = "Contact: <mailto:b@c>\r\n"}), &changed),
        ERR_SIP_URI);
    cr_expect_not(changed);
    EXPECT_SLICE(sip_dialog_target(d), "sip:bob@10.2.2.2;ob");
    sip_dialog_free(d);
}

static int new_uas(struct dialog_text t, struct sip_dialog **d)
{
    t.start = "SUBSCRIBE sip:ann@chat.example SIP/2.0";
    t.to = t.to ? t.to : "<sip:ann@chat.example>";
    t.cseq = t.cseq ? t.cseq : "17 SUBSCRIBE";
    return sip_dialog_new_uas(dialogs_in(), dialog_msg(t),
                              &(struct sip_dialog_uas){
                                  .local_tag = SLICE_LIT(OUR_TAG),
                                  .cseq = 5,
                                  .plain_local = SLICE_LIT("sip:ann@chat.example"),
                                  .plain_remote = SLICE_LIT("sip:bob@corp.example"),
                              },
                              d);
}

/* 12.1.1: route set in order, remote CSeq, target, tags and URIs of the SUBSCRIBE. */
Test(dialog, uas)
{
    struct sip_dialog *d;
    struct next_help n;

    cr_assert_eq(
        new_uas((struct dialog_text){.more = CONTACT_LINE "Record-Route: <sip:p1;lr>\r\n"
                                                          "Record-Route: <sip:p2;lr>,<sip:p3>\r\n"},
                &d),
        0);
    cr_expect(sip_dialog_is_established(d));
    cr_expect_not(sip_dialog_is_uac(d));
    cr_expect_eq(sip_dialog_event_id(d).len, 0);
    n.p = (struct sip_request_params){.from_uri = SLICE_LIT("sip:ann@chat.example"),
                                      .to_uri = SLICE_LIT("sip:bob@corp.example")};
    cr_assert_eq(sip_dialog_next(d, &n.routes, &n.p), 0);
    cr_expect_eq(n.p.cseq, 5);
    EXPECT_SLICE(n.p.from_uri, "sip:ann@chat.example");
    EXPECT_SLICE(n.p.to_uri, "sip:bob@corp.example");
    EXPECT_SLICE(n.p.from_tag, OUR_TAG);
    EXPECT_SLICE(n.p.to_tag, "b1");
    cr_assert_eq(n.p.route_count, 3);
    EXPECT_SLICE(n.p.route[0], "<sip:p1;lr>");
    EXPECT_SLICE(n.p.route[1], "<sip:p2;lr>");
    EXPECT_SLICE(n.p.route[2], "<sip:p3>");
    cr_expect_eq(sip_dialog_take_cseq(d, 17), SIP_ORDER_REPEATED);
    cr_expect_eq(sip_dialog_take_cseq(d, 16), SIP_ORDER_LOWER);
    cr_expect_eq(match_of(d, dialog_msg((struct dialog_text){0})), SIP_DIALOG_OURS);
    cr_expect_eq(match_of(d, dialog_msg((struct dialog_text){.from = "<sip:b@c>;tag=b2"})),
                 SIP_DIALOG_OTHER, "who answers a SUBSCRIBE knows no forks");
    sip_dialog_free(d);
}

/* 12.2.1.1: From and To repeat the SUBSCRIBE's URIs, whatever they look like. */
Test(dialog, uas_keeps_uris_that_are_not_plain)
{
    struct sip_dialog *d;
    struct next_help n = {.p = {.from_uri = SLICE_LIT("sip:ann@chat.example"),
                                .to_uri = SLICE_LIT("sip:bob@corp.example")}};

    cr_assert_eq(
        new_uas((struct dialog_text){.from = "Bob <sip:Bob@Corp.Example;user=phone>;epid=1;tag=b1",
                                     .to = "<pres:ann@chat.example>"},
                &d),
        0);
    cr_assert_eq(sip_dialog_next(d, &n.routes, &n.p), 0);
    EXPECT_SLICE(n.p.from_uri, "pres:ann@chat.example");
    EXPECT_SLICE(n.p.to_uri, "sip:Bob@Corp.Example;user=phone");
    sip_dialog_free(d);
}

/* 12.1.1: a UAS must be prepared for a request without From tag (RFC 2543). */
Test(dialog, uas_without_remote_tag)
{
    struct sip_dialog *d;
    struct next_help n;

    cr_assert_eq(new_uas((struct dialog_text){.from = "<sip:bob@corp.example>"}, &d), 0);
    cr_assert_eq(next_of(d, &n), 0);
    cr_expect_eq(n.p.to_tag.len, 0);
    cr_expect_eq(match_of(d, dialog_msg((struct dialog_text){.from = "<sip:bob@corp.example>"})),
                 SIP_DIALOG_OURS);
    cr_expect_eq(match_of(d, dialog_msg((struct dialog_text){0})), SIP_DIALOG_OTHER);
    sip_dialog_free(d);
}

/* 12.1.1: all Record-Route values go back, in order and unchanged. */
Test(dialog, uas_answer)
{
    struct buf out;

    buf_init(&out, 4096);
    sip_dialog_answer_put(&out, dialog_msg((struct dialog_text){
                                    .more = "Record-Route: \"P\" <sip:p1;lr>;a=b, <sip:p2>\r\n"
                                            "Record-Route: <sip:p3;lr\r\n"
                                            " >\r\n"}));
    EXPECT_SLICE(buf_slice(&out), "Record-Route: \"P\" <sip:p1;lr>;a=b\r\n"
                                  "Record-Route: <sip:p2>\r\n"
                                  "Record-Route: <sip:p3;lr >\r\n");
    buf_deinit(&out);
}

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
