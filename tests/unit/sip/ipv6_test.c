/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipv6: messages with IPv6 addresses, after the situations that RFC 5118 section 4 describes. */
#include "sip/write.h"
#include "sip_help.h"

#define REQUEST(uri, via, extra)                                                                   \
    "OPTIONS " uri " SIP/2.0\r\nVia: SIP/2.0/TCP " via "\r\nFrom: <sip:u@c.example>;tag=8\r\n"     \
    "To: <sip:u@c.example>\r\nCall-ID: ssd9\r\nCSeq: 1 OPTIONS\r\n" extra "l: 0\r\n\r\n"

static uint16_t check(struct sip_msg *m, const char *text)
{
    struct sip_check_policy policy = sip_help_policy();
    struct sip_verdict verdict;

    sip_help_parse(m, text);
    (void)sip_check_request(m, &policy, &verdict);
    return verdict.status;
}

/* 4.1: a reference in the Request-URI. */
Test(ipv6, reference_in_request_uri)
{
    struct sip_msg m;
    struct sip_uri u;

    cr_expect_eq(check(&m, REQUEST("sip:[2001:db8::10]", "[2001:db8::9:1];branch=z9hG4bKa", "")),
                 0);
    cr_assert_eq(sip_msg_uri(&m, &u), 0);
    EXPECT_SLICE(u.host.text, "2001:db8::10");
    cr_expect_eq(u.host.kind, SIP_HOST_IPV6);
    cr_expect_eq(u.host.port, 0);
}

/* 4.2: the same without brackets is no URI. */
Test(ipv6, address_without_brackets)
{
    struct sip_msg m;

    cr_expect_eq(check(&m, REQUEST("sip:2001:db8::10", "[2001:db8::9:1];branch=z9hG4bKa", "")),
                 400);
}

/* 4.3: a port within brackets belongs to the address, and behind them it is a port. */
Test(ipv6, ports)
{
    struct sip_msg m;
    struct sip_uri u;

    cr_expect_eq(check(&m, REQUEST("sip:[2001:db8::10:5070]", "h;branch=z9hG4bKa", "")), 0);
    cr_assert_eq(sip_msg_uri(&m, &u), 0);
    EXPECT_SLICE(u.host.text, "2001:db8::10:5070");
    cr_expect_eq(u.host.port, 0);
    cr_expect_eq(check(&m, REQUEST("sip:[2001:db8::10]:5070", "h;branch=z9hG4bKa", "")), 0);
    cr_assert_eq(sip_msg_uri(&m, &u), 0);
    EXPECT_SLICE(u.host.text, "2001:db8::10");
    cr_expect_eq(u.host.port, 5070);
}

/* 4.5: received with and without brackets; both are read, neither changes the message. */
Test(ipv6, received_with_and_without_brackets)
{
    static const char *const texts[] = {
        REQUEST("sip:u@c.example", "h;received=2001:db8::9:255;branch=z9hG4bKa", ""),
        REQUEST("sip:u@c.example", "h;received=[2001:db8::9:255];branch=z9hG4bKa", ""),
    };
    static const char *const want[] = {"2001:db8::9:255", "[2001:db8::9:255]"};

    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct sip_msg m;
        struct sip_via via;

        cr_expect_eq(check(&m, texts[i]), 0);
        cr_assert_eq(sip_msg_via_top(&m, &via), 0);
        EXPECT_SLICE(via.received, want[i]);
        EXPECT_SLICE(via.branch, "z9hG4bKa");
    }
}

/* 4.7: several addresses in one header, of both families. */
Test(ipv6, mixed_families)
{
    struct sip_msg m;
    struct sip_list list;
    struct slice value;
    struct sip_via via;

    cr_expect_eq(check(&m, REQUEST("sip:u@c.example",
                                   "[2001:db8::9:1]:6050;branch=z9hG4bKa\r\n"
                                   "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKb, SIP/2.0/TLS "
                                   "[::ffff:192.0.2.1] : 5061 ;branch=z9hG4bKc",
                                   "Contact: <sip:u@[2001:db8::9:1]>, <sip:u@192.0.2.1>\r\n")),
                 0);
    sip_list_init(&list, &m, SIP_HDR_VIA);
    cr_assert(sip_list_next(&list, &value));
    cr_assert(sip_list_next(&list, &value));
    cr_assert(sip_list_next(&list, &value));
    cr_assert_eq(sip_via_parse(value, &via), 0);
    EXPECT_SLICE(via.sent_by.text, "::ffff:192.0.2.1");
    cr_expect_eq(via.sent_by.port, 5061);
}

/* 4.9, 4.10: mapped and abbreviated forms are the same address. */
Test(ipv6, spellings_of_one_address)
{
    static const char *const same[] = {"[2001:db8::1]", "[2001:DB8:0:0:0:0:0:1]:5060",
                                       "[2001:0db8::0001]"};
    static const char *const bad[] = {"[2001:db8:::1]",     "[::1",           "[]",
                                      "[::ffff:300.1.1.1]", "[fe80::1%eth0]", "[1:2:3:4:5:6:7:8:9]",
                                      "[12345::]"};
    struct sip_host first;

    cr_assert_eq(sip_host_parse(slice_from_cstr(same[0]), &first), 0);
    for (size_t i = 0; i < ARRAY_COUNT(same); i++) {
        struct sip_host h;

        cr_assert_eq(sip_host_parse(slice_from_cstr(same[i]), &h), 0);
        cr_expect(sip_host_eq(&first, &h), "%s", same[i]);
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct sip_host h;

        cr_expect_neq(sip_host_parse(slice_from_cstr(bad[i]), &h), 0, "%s", bad[i]);
    }
}

Test(ipv6, response_marks_a_different_source)
{
    struct sip_msg m;
    struct sip_via via;
    struct sip_msg r;
    struct sip_bad bad;
    struct buf b;

    cr_expect_eq(check(&m, REQUEST("sip:u@c.example", "[2001:db8::9];rport;branch=z9hG4bKa", "")),
                 0);
    buf_init(&b, 4096);
    sip_write_response(&b, &m,
                       &(struct sip_response_params){
                           .status = 200, .received = SLICE_LIT("2001:db8::a"), .rport = 6000});
    sip_write_end_empty(&b);
    cr_assert_eq(sip_msg_parse(&r, buf_slice(&b), &bad), 0);
    cr_assert_eq(sip_msg_via_top(&r, &via), 0);
    EXPECT_SLICE(via.received, "2001:db8::a");
    cr_expect_eq(via.rport, 6000);
    EXPECT_SLICE(via.sent_by.text, "2001:db8::9");
    buf_deinit(&b);
}
