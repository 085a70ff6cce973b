/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dialog: those that others began (RFC 3261 12.1.1). */
#include "dialog_help.h"

#include "base/err.h"
#include "base/pool.h"

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
