/* SPDX-License-Identifier: GPL-2.0-or-later */
/* address_test: addresses, ranges, hosts, SIP URIs as the configuration writes them. */
#include "policy/address.h"

#include <arpa/inet.h>

#include <criterion/criterion.h>

static const char *socket_fault(const char *text)
{
    struct sockaddr_storage addr;
    socklen_t len;

    return address_parse(slice_from_cstr(text), &addr, &len);
}

Test(address, sockets_of_both_families)
{
    struct sockaddr_storage addr;
    const struct sockaddr_in *in4 = (const struct sockaddr_in *)&addr;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&addr;
    socklen_t len;

    cr_assert_null(address_parse(SLICE_LIT("192.0.2.7:5269"), &addr, &len));
    cr_expect_eq(len, sizeof(*in4));
    cr_expect_eq(in4->sin_family, AF_INET);
    cr_expect_eq(ntohs(in4->sin_port), 5269);
    cr_expect_eq(ntohl(in4->sin_addr.s_addr), 0xc0000207);
    cr_assert_null(address_parse(SLICE_LIT("[2001:db8::1]:65535"), &addr, &len));
    cr_expect_eq(len, sizeof(*in6));
    cr_expect_eq(in6->sin6_family, AF_INET6);
    cr_expect_eq(ntohs(in6->sin6_port), 65535);
    cr_expect_eq(in6->sin6_addr.s6_addr[15], 1);
}

Test(address, malformed_sockets_are_refused)
{
    static const char *const bad[] = {
        "",
        "5269",
        ":5269",
        "1.2.3.4",
        "1.2.3.4:",
        "1.2.3.4:0",
        "1.2.3.4:65536",
        "1.2.3.4:-1",
        "1.2.3.4:+1",
        "1.2.3.4: 1",
        "1.2.3:1",
        "::1:5269",
        "[::1]",
        "[::1]5269",
        "[::1]:",
        "[::1",
        "[1.2.3.4]:5269",
        "[fe80::1%lo]:1",
        "localhost:5269",
        "*:5269",
        "1.2.3.4:5269x",
        "[]:1",
    };

    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        cr_expect_not_null(socket_fault(bad[i]), "%s", bad[i]);
    }
}

static bool is_loopback(const char *text)
{
    struct sockaddr_storage addr;
    socklen_t len;

    cr_assert_null(address_parse(slice_from_cstr(text), &addr, &len));
    return address_is_loopback(&addr);
}

Test(address, loopback)
{
    cr_expect(is_loopback("127.0.0.1:1"));
    cr_expect(is_loopback("127.255.0.9:1"));
    cr_expect(is_loopback("[::1]:1"));
    cr_expect(is_loopback("[::ffff:127.0.0.1]:1"));
    cr_expect_not(is_loopback("128.0.0.1:1"));
    cr_expect_not(is_loopback("0.0.0.0:1"));
    cr_expect_not(is_loopback("[::]:1"));
    cr_expect_not(is_loopback("[::2]:1"));
}

static bool trusts(const char *range_text, const char *addr_text)
{
    struct address_range range;
    struct next_hop hop = {.trusted_ranges = &range, .trusted_range_count = 1};
    struct sockaddr_storage addr;
    socklen_t len;
    const char *fault = address_range_parse(slice_from_cstr(range_text), &range);

    cr_assert_null(fault, "%s %s", range_text, fault);
    cr_assert_null(address_parse(slice_from_cstr(addr_text), &addr, &len));
    return next_hop_trusts_address(&hop, (const struct sockaddr *)&addr);
}

Test(address, ranges_hold_exactly_their_addresses)
{
    cr_expect(trusts("192.0.2.10", "192.0.2.10:9"));
    cr_expect_not(trusts("192.0.2.10", "192.0.2.11:9"));
    cr_expect(trusts("192.0.2.8/29", "192.0.2.15:9"));
    cr_expect_not(trusts("192.0.2.8/29", "192.0.2.16:9"));
    cr_expect_not(trusts("192.0.2.8/29", "192.0.2.7:9"));
    cr_expect(trusts("192.0.2.8/29", "[::ffff:192.0.2.9]:9"));
    cr_expect(trusts("0.0.0.0/0", "203.0.113.1:9"));
    cr_expect_not(trusts("0.0.0.0/0", "[2001:db8::1]:9"));
    cr_expect(trusts("2001:db8::/33", "[2001:db8:7fff::1]:9"));
    cr_expect_not(trusts("2001:db8::/33", "[2001:db8:8000::1]:9"));
    cr_expect(trusts("::/0", "10.0.0.1:9"));
    cr_expect(trusts("::1", "[::1]:9"));
}

Test(address, other_families_are_not_trusted)
{
    struct address_range range;
    struct next_hop hop = {.trusted_ranges = &range, .trusted_range_count = 1};
    struct sockaddr addr = {.sa_family = AF_UNIX};

    cr_assert_null(address_range_parse(SLICE_LIT("::/0"), &range));
    cr_expect_not(next_hop_trusts_address(&hop, &addr));
}

Test(address, malformed_ranges_are_refused)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "192.0.2.0/33",
                                      "192.0.2.0/",
                                      "192.0.2.1/24",
                                      "2001:db8::/129",
                                      "2001:db8::1/64",
                                      "192.0.2.0/-1",
                                      "192.0.2/24",
                                      "[::1]",
                                      "::1/128/1"};
    struct address_range range;

    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        cr_expect_not_null(address_range_parse(slice_from_cstr(bad[i]), &range), "%s", bad[i]);
    }
}

Test(address, hosts)
{
    struct address_host host;

    cr_assert_null(address_host_parse(SLICE_LIT("Pool.Corp.Example"), &host));
    cr_expect_str_eq(host.host.text, "pool.corp.example");
    cr_expect_eq(host.port, 0);
    cr_expect_not(host.is_address);
    cr_assert_null(address_host_parse(SLICE_LIT("pool.corp.example:5061"), &host));
    cr_expect_eq(host.port, 5061);
    cr_assert_null(address_host_parse(SLICE_LIT("[2001:db8::1]:5061"), &host));
    cr_expect_str_eq(host.host.text, "2001:db8::1");
    cr_expect(host.is_address);
    cr_assert_null(address_host_parse(SLICE_LIT("192.0.2.1"), &host));
    cr_expect(host.is_address);
    cr_assert_null(address_host_parse(SLICE_LIT("b\xc3\xbc"
                                                "cher.example"),
                                      &host));
    cr_expect_str_eq(host.host.text, "xn--bcher-kva.example");
}

Test(address, malformed_hosts_are_refused)
{
    static const char *const bad[] = {"",         ":5061", "a b",  "a:b:1",      "host:0",
                                      "[host]:1", "::1",   "[::1", "-x.example", "a..b"};
    struct address_host host;

    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        cr_expect_not_null(address_host_parse(slice_from_cstr(bad[i]), &host), "%s", bad[i]);
    }
}

Test(address, sip_uris)
{
    struct address_sip sip;

    cr_assert_null(address_sip_parse(SLICE_LIT("sip:pool.corp.example;transport=tls"), &sip));
    cr_expect(sip.is_tls);
    cr_expect_str_eq(sip.target.host.text, "pool.corp.example");
    cr_assert_null(address_sip_parse(SLICE_LIT("SIP:192.0.2.1:5060;Transport=TCP"), &sip));
    cr_expect_not(sip.is_tls);
    cr_expect_eq(sip.target.port, 5060);
    cr_assert_null(address_sip_parse(SLICE_LIT("sip:[2001:db8::1]:5061;transport=tls"), &sip));
    cr_expect(sip.target.is_address);
}

Test(address, other_sip_uris_are_refused)
{
    static const char *const bad[] = {"",
                                      "pool.corp.example",
                                      "sips:pool.corp.example",
                                      "sip:",
                                      "sip:;transport=tls",
                                      "sip:pool.corp.example",
                                      "sip:pool.corp.example;transport=udp",
                                      "sip:pool.corp.example;transport=ws",
                                      "sip:pool.corp.example;lr",
                                      "sip:pool.corp.example;transport=tls;lr",
                                      "sip:user@pool.corp.example;transport=tls",
                                      "sip:pool.corp.example;transport=tls?x=y",
                                      "tel:+123"};
    struct address_sip sip;

    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        cr_expect_not_null(address_sip_parse(slice_from_cstr(bad[i]), &sip), "%s", bad[i]);
    }
}
