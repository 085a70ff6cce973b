/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of proto/dns/answer: responses built byte by byte, good and hostile. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "dns/answer.h"

static void put_u16(struct buf *b, unsigned v)
{
    buf_putc(b, (char)(v >> 8));
    buf_putc(b, (char)v);
}

static void put_u32(struct buf *b, uint32_t v)
{
    put_u16(b, v >> 16);
    put_u16(b, v & 0xffff);
}

static void put_name(struct buf *b, const char *name)
{
    struct slice rest = slice_from_cstr(name), label;
    bool more = rest.len > 0;

    while (more) {
        more = slice_cut(&rest, '.', &label);
        buf_putc(b, (char)label.len);
        buf_put(b, label);
    }
    buf_putc(b, 0);
}

static void put_head(struct buf *b, unsigned rcode, unsigned answers, unsigned authorities,
                     const char *name, unsigned type)
{
    buf_init(b, 1u << 20);
    put_u16(b, 1);
    put_u16(b, 0x8180 | rcode);
    put_u16(b, 1);
    put_u16(b, answers);
    put_u16(b, authorities);
    put_u16(b, 0);
    put_name(b, name);
    put_u16(b, type);
    put_u16(b, 1);
}

static void put_rr(struct buf *b, const char *owner, unsigned type, uint32_t ttl_s, unsigned len)
{
    put_name(b, owner);
    put_u16(b, type);
    put_u16(b, 1);
    put_u32(b, ttl_s);
    put_u16(b, len);
}

static void put_a(struct buf *b, const char *owner, uint32_t ttl_s, uint32_t addr)
{
    put_rr(b, owner, 1, ttl_s, 4);
    put_u32(b, addr);
}

static void put_alias(struct buf *b, const char *owner, uint32_t ttl_s, const char *target)
{
    put_rr(b, owner, 5, ttl_s, (unsigned)strlen(target) + 2);
    put_name(b, target);
}

static void put_srv(struct buf *b, const char *owner, unsigned priority, unsigned port,
                    const char *target)
{
    put_rr(b, owner, 33, 300, 6 + (unsigned)strlen(target) + (target[0] ? 2 : 1));
    put_u16(b, priority);
    put_u16(b, 1);
    put_u16(b, port);
    put_name(b, target);
}

static int parse(struct dns_answer *a, struct buf *b, const char *name, enum dns_type type)
{
    int err = dns_answer_parse(a, buf_slice(b), slice_from_cstr(name), type);

    cr_assert_eq(err, a->err);
    buf_deinit(b);
    return err;
}

Test(dns_answer, addresses_and_least_ttl)
{
    struct dns_answer a;
    struct buf b;

    put_head(&b, 0, 3, 0, "h.example", 1);
    put_a(&b, "H.Example", 300, 0xC0000201);
    put_a(&b, "h.example", 60, 0xC0000202);
    put_a(&b, "other.example", 1, 0xC0000203);
    cr_assert_eq(parse(&a, &b, "h.EXAMPLE", DNS_TYPE_A), 0);
    cr_assert(a.count == 2 && a.ttl_s == 60 && !a.is_cut);
    cr_assert(!a.addr[1].is_v6 && memcmp(a.addr[1].bytes, "\xC0\0\2\2", 4) == 0);
}

Test(dns_answer, ipv6)
{
    struct dns_answer a;
    struct buf b;

    put_head(&b, 0, 1, 0, "h.example", 28);
    put_rr(&b, "h.example", 28, 9, 16);
    buf_append(&b, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
    cr_assert_eq(parse(&a, &b, "h.example", DNS_TYPE_AAAA), 0);
    cr_assert(a.count == 1 && a.addr[0].is_v6 && a.addr[0].bytes[15] == 1);
}

Test(dns_answer, follows_aliases_in_any_order)
{
    struct dns_answer a;
    struct buf b;

    put_head(&b, 0, 3, 0, "a.example", 1);
    put_a(&b, "c.example", 300, 1);
    put_alias(&b, "b.example", 200, "c.example");
    put_alias(&b, "a.example", 100, "b.example");
    cr_assert_eq(parse(&a, &b, "a.example", DNS_TYPE_A), 0);
    cr_assert(a.count == 1 && a.ttl_s == 100);
    /* Aliases in a ring, and one too many. */
    put_head(&b, 0, 2, 0, "a.example", 1);
    put_alias(&b, "a.example", 1, "b.example");
    put_alias(&b, "b.example", 1, "a.example");
    cr_assert_eq(parse(&a, &b, "a.example", DNS_TYPE_A), ERR_DNS_BAD);
}

Test(dns_answer, srv_with_compressed_target)
{
    struct dns_answer a;
    struct buf b;

    put_head(&b, 0, 2, 0, "_x._tcp.example", 33);
    put_srv(&b, "_x._tcp.example", 10, 5269, "Host.Example");
    put_rr(&b, "_x._tcp.example", 33, 300, 6 + 4);
    put_u16(&b, 20);
    put_u16(&b, 0);
    put_u16(&b, 5270);
    buf_append(&b, "\1h\xC0\x14", 4); /* 20 = "example" in the question */
    cr_assert_eq(parse(&a, &b, "_x._tcp.example", DNS_TYPE_SRV), 0);
    cr_assert_eq(a.count, 2);
    cr_assert_str_eq(a.srv[0].target.text, "host.example");
    cr_assert_str_eq(a.srv[1].target.text, "h.example");
    cr_assert(a.srv[1].port == 5270 && a.srv[1].priority == 20);
}

Test(dns_answer, srv_root_target)
{
    struct dns_answer a;
    struct buf b;

    put_head(&b, 0, 1, 0, "_x._tcp.example", 33);
    put_srv(&b, "_x._tcp.example", 0, 0, "");
    cr_assert_eq(parse(&a, &b, "_x._tcp.example", DNS_TYPE_SRV), 0);
    cr_assert(a.count == 1 && a.srv[0].target.len == 0);
}

Test(dns_answer, thousand_srv_records)
{
    struct dns_answer a;
    struct buf b;
    char name[30];

    put_head(&b, 0, 1000, 0, "_x._tcp.example", 33);
    for (unsigned i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof(name), "h%u", i);
        put_srv(&b, "_x._tcp.example", 1000 - i, 5269, name);
    }
    cr_assert_eq(parse(&a, &b, "_x._tcp.example", DNS_TYPE_SRV), 0);
    cr_assert(a.count == DNS_SRV_MAX && a.is_cut);
    for (uint32_t i = 0; i < a.count; i++) {
        cr_assert(a.srv[i].priority <= DNS_SRV_MAX, "%u", a.srv[i].priority);
    }
    put_head(&b, 0, 100, 0, "h", 1);
    for (unsigned i = 0; i < 100; i++) {
        put_a(&b, "h", 1, i);
    }
    cr_assert_eq(parse(&a, &b, "h", DNS_TYPE_A), 0);
    cr_assert(a.count == DNS_ADDR_MAX && a.is_cut);
}

Test(dns_answer, negative)
{
    struct dns_answer a;
    struct buf b;

    put_head(&b, 3, 0, 0, "h.example", 1);
    cr_assert_eq(parse(&a, &b, "h.example", DNS_TYPE_A), ERR_DNS_NXDOMAIN);
    cr_assert_eq(a.ttl_s, 0);
    put_head(&b, 0, 0, 1, "h.example", 1);
    put_rr(&b, "example", 6, 900, 1 + 1 + 20);
    put_name(&b, "");
    put_name(&b, "");
    for (int i = 0; i < 4; i++) {
        put_u32(&b, 7200);
    }
    put_u32(&b, 20);
    cr_assert_eq(parse(&a, &b, "h.example", DNS_TYPE_A), ERR_DNS_NODATA);
    cr_assert_eq(a.ttl_s, 20);
    put_head(&b, 2, 0, 0, "h.example", 1);
    cr_assert_eq(parse(&a, &b, "h.example", DNS_TYPE_A), ERR_DNS_SERVFAIL);
    put_head(&b, 5, 0, 0, "h.example", 1);
    cr_assert_eq(parse(&a, &b, "h.example", DNS_TYPE_A), ERR_DNS_SERVFAIL);
    /* An alias to nothing. */
    put_head(&b, 3, 1, 0, "a.example", 1);
    put_alias(&b, "a.example", 1, "b.example");
    cr_assert_eq(parse(&a, &b, "a.example", DNS_TYPE_A), ERR_DNS_NXDOMAIN);
}

static void expect_bad(const char *bytes, size_t len)
{
    struct dns_answer a;

    cr_assert_eq(dns_answer_parse(&a, slice_make(bytes, len), SLICE_LIT("h"), DNS_TYPE_A),
                 ERR_DNS_BAD);
    cr_assert_eq(a.count, 0);
}

#define HEAD(answers) "\0\1\x81\x80\0\1\0" answers "\0\0\0\0"
#define QUESTION "\1h\0\0\1\0\1"

Test(dns_answer, malformed)
{
    expect_bad("", 0);
    expect_bad(HEAD("\0"), 11);
    expect_bad("\0\1\1\0\0\0\0\0\0\0\0\0", 12); /* a query */
    expect_bad(HEAD("\0") "\1h", 14);            /* question cut */
    expect_bad(HEAD("\1") QUESTION, 19);         /* fewer records than said */
    /* Pointer to itself, forwards, a reserved label type. */
    expect_bad(HEAD("\1") QUESTION "\xC0\x13\0\1\0\1\0\0\0\0\0\0", 31);
    expect_bad(HEAD("\1") QUESTION "\xC0\x1F\0\1\0\1\0\0\0\0\0\0", 31);
    expect_bad(HEAD("\1") QUESTION "\x80\x0C\0\1\0\1\0\0\0\0\0\0", 31);
    /* Data longer than the message; an address of 3 bytes. */
    expect_bad(HEAD("\1") QUESTION "\xC0\x0C\0\1\0\1\0\0\0\1\0\4abc", 34);
    expect_bad(HEAD("\1") QUESTION "\xC0\x0C\0\1\0\1\0\0\0\1\0\3abc", 34);
}

/* A name of more than 253 bytes; bytes that no host name has. */
Test(dns_answer, hostile_names)
{
    struct dns_answer a;
    struct buf b;

    put_head(&b, 0, 1, 0, "s", 33);
    put_rr(&b, "s", 33, 1, 6 + 5 * 64 + 1);
    put_u32(&b, 0);
    put_u16(&b, 1);
    for (int i = 0; i < 5; i++) {
        buf_putc(&b, 63);
        for (int k = 0; k < 63; k++) {
            buf_putc(&b, 'x');
        }
    }
    buf_putc(&b, 0);
    cr_assert_eq(parse(&a, &b, "s", DNS_TYPE_SRV), ERR_DNS_BAD);
    put_head(&b, 0, 1, 0, "s", 33);
    put_rr(&b, "s", 33, 1, 6 + 6);
    put_u32(&b, 0);
    put_u16(&b, 1);
    buf_append(&b, "\4a.\0\n\0", 6);
    cr_assert_eq(parse(&a, &b, "s", DNS_TYPE_SRV), 0);
    cr_assert_str_eq(a.srv[0].target.text, "a???");
}
