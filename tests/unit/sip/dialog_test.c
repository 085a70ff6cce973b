/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dialog: creation by us, matching, order and the next request of subscriptions' dialogs, each rule
 * with its section (RFC 3261 12; RFC 6665 4.1.4, 4.4.1). */
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
