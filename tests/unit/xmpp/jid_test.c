/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of proto/xmpp/jid: RFC 7622 section 3.5, normal forms, hostile addresses, limits. */
#include <stdio.h>

#include <criterion/criterion.h>

#include "base/err.h"
#include "xmpp/jid.h"

static void expect(const char *text, const char *local, const char *domain, const char *resource)
{
    struct jid_storage mem, mem2;
    struct jid j, again;
    struct buf out;

    cr_assert_eq(jid_parse(&mem, slice_from_cstr(text), &j), 0, "'%s' refused", text);
    cr_assert(slice_eq_cstr(j.local, local), "'%s': local '%.*s'", text, SLICE_FMT(j.local));
    cr_assert(slice_eq_cstr(j.domain, domain), "'%s': domain '%.*s'", text, SLICE_FMT(j.domain));
    cr_assert(slice_eq_cstr(j.resource, resource), "'%s': resource '%.*s'", text,
              SLICE_FMT(j.resource));
    buf_init(&out, JID_BYTES_MAX);
    jid_write(&out, &j);
    cr_assert_eq(buf_len(&out), jid_len(&j));
    cr_assert_eq(jid_parse(&mem2, buf_slice(&out), &again), 0);
    cr_assert(jid_eq(&j, &again), "'%s' is not stable", text);
    buf_deinit(&out);
}

static void expect_bad_slice(struct slice text)
{
    struct jid_storage mem;
    struct jid j;

    cr_assert_eq(jid_parse(&mem, text, &j), ERR_JID, "'%.*s' accepted", SLICE_FMT(text));
}

static void expect_bad(const char *text)
{
    expect_bad_slice(slice_from_cstr(text));
}

Test(jid, rfc7622_examples)
{
    expect("juliet@example.com", "juliet", "example.com", "");
    expect("juliet@example.com/foo", "juliet", "example.com", "foo");
    expect("juliet@example.com/foo bar", "juliet", "example.com", "foo bar");
    expect("juliet@example.com/foo@bar", "juliet", "example.com", "foo@bar");
    expect("foo\\20bar@example.com", "foo\\20bar", "example.com", "");
    expect("fussball@example.com", "fussball", "example.com", "");
    expect("fu\u00dfball@example.com", "fu\u00dfball", "example.com", "");
    expect("\u03c0@example.com", "\u03c0", "example.com", "");
    expect("\u03a3@example.com/foo", "\u03c3", "example.com", "foo");
    expect("\u03c3@example.com/foo", "\u03c3", "example.com", "foo");
    expect("\u03c2@example.com/foo", "\u03c2", "example.com", "foo");
    expect("king@example.com/\u265a", "king", "example.com", "\u265a");
    expect("example.com", "", "example.com", "");
    expect("example.com/foobar", "", "example.com", "foobar");
    expect("a.example.com/b@example.net", "", "a.example.com", "b@example.net");
}

Test(jid, rfc7622_not_jids)
{
    /* Table 2 of section 3.5. */
    expect_bad("\"juliet\"@example.com");
    expect_bad("foo bar@example.com");
    expect_bad("@example.com/");
    expect_bad("@example.com");
    expect_bad("juliet@");
    expect_bad("/foobar");
    /* Its last two rows are legal in the stringprep tables that servers run: U+2163 is folded, the
     * symbol stays. Refusing them here would cut off addresses that exist. */
    expect("henry\u2163@example.com", "henryiv", "example.com", "");
    expect("\u265a@example.com", "\u265a", "example.com", "");
}

Test(jid, folds_case_and_width)
{
    expect("JULIET@EXAMPLE.Com/Balcony", "juliet", "example.com", "Balcony");
    expect("\uff21lice@\uff45xample.com", "alice", "example.com", "");
    expect("\u212bngstrom@example.com", "\u00e5ngstrom", "example.com", "");
    expect("e\u0301@example.com/e\u0301", "\u00e9", "example.com", "\u00e9");
    expect("GR\u00dcSSE@example.com", "gr\u00fcsse", "example.com", "");
    expect("a\u00adb@example.com", "ab", "example.com", ""); /* soft hyphen maps to nothing */
}

Test(jid, domain_forms_meet)
{
    static const char *const forms[] = {
        "b\u00fccher.example", "B\u00dcCHER.Example", "xn--bcher-kva.example",
        "XN--BCHER-KVA.EXAMPLE.", "bu\u0308cher.example", "b\u00fccher\u00ad.example"};
    struct jid_ascii ascii;

    for (size_t i = 0; i < ARRAY_COUNT(forms); i++) {
        expect(forms[i], "", "b\u00fccher.example", "");
        cr_assert_eq(jid_domain_to_ascii(slice_from_cstr(forms[i]), &ascii), 0);
        cr_assert_str_eq(ascii.text, "xn--bcher-kva.example");
        cr_assert_eq(ascii.len, strlen(ascii.text));
    }
    /* IDNA2008: not the same as strasse.example and sigma with a medial form. */
    cr_assert_eq(jid_domain_to_ascii(slice_from_cstr("stra\u00dfe.example"), &ascii), 0);
    cr_assert_str_eq(ascii.text, "xn--strae-oqa.example");
    expect("xn--strae-oqa.example", "", "stra\u00dfe.example", "");
    cr_assert_eq(jid_domain_to_ascii(slice_from_cstr("\u65e5\u672c.jp"), &ascii), 0);
    cr_assert_str_eq(ascii.text, "xn--wgv71a.jp");
}

/* Some in turns, and more than a thread remembers: each time what it was the first time. */
Test(jid, remembered_domains_stay_what_they_are)
{
    static char names[100][64];
    static struct jid_ascii first[100];
    struct jid_ascii again;
    char address[80];

    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < ARRAY_COUNT(first); i++) {
            (void)snprintf(names[i], sizeof(names[i]), "b\u00fccher%u.example", i);
            (void)snprintf(address, sizeof(address), "ann@B\u00dcCHER%u.Example.", i);
            for (uint32_t turn = 0; turn < 2; turn++) {
                expect(address, "ann", names[i], "");
                cr_assert_eq(jid_domain_to_ascii(slice_from_cstr(names[i]), &again), 0);
                first[i] = round + turn == 0 ? again : first[i];
                cr_assert(slice_eq(jid_ascii_slice(&again), jid_ascii_slice(&first[i])));
                cr_assert_eq(again.len, strlen(again.text));
                expect(again.text, "", names[i], "");
            }
        }
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(first); i++) {
        for (uint32_t k = 0; k < i; k++) {
            cr_assert_str_neq(first[i].text, first[k].text);
        }
    }
    for (uint32_t turn = 0; turn < 3; turn++) {
        expect_bad("b\u00fccher1..example");
        expect_bad("xn--bcher-kvb\u00fc.example");
        cr_assert_eq(jid_domain_to_ascii(SLICE_LIT("\uff11\uff19\uff12.0.2.7"), &again), 0);
        cr_assert_str_eq(again.text, "192.0.2.7");
    }
}

/* The shortcut for normalised addresses says what jid_domain_to_ascii() says, and copies only what
 * is not ASCII. */
Test(jid, ascii_form_of_an_address)
{
    static const char *const forms[] = {
        "A@Corp.example./x", "b\u00fccher.example", "xn--bcher-kva.example", "[2001:DB8::0:1]",
        "a@192.0.2.7",       "\uff11\uff19\uff12.0.2.7", "x", "\u65e5\u672c.jp"};
    struct jid_storage mem;
    struct jid_ascii converted, expected;
    struct jid j;

    for (size_t i = 0; i < ARRAY_COUNT(forms); i++) {
        cr_assert_eq(jid_parse(&mem, slice_from_cstr(forms[i]), &j), 0);
        cr_assert_eq(jid_domain_to_ascii(j.domain, &expected), 0);
        struct slice ascii = jid_domain_ascii(&j, &converted);
        cr_assert(slice_eq(ascii, jid_ascii_slice(&expected)), "%s", forms[i]);
        bool is_alias = slice_eq(ascii, j.domain);
        cr_assert(ascii.ptr == (is_alias ? j.domain.ptr : converted.text));
    }
    j.domain = SLICE_LIT("b\u00fc..cher");
    cr_assert_eq(jid_domain_ascii(&j, &converted).len, 0);
}

Test(jid, domain_trailing_dot)
{
    expect("juliet@example.com./x", "juliet", "example.com", "x");
    expect_bad("juliet@example.com..");
    expect_bad(".");
    expect_bad("juliet@.");
}

Test(jid, domain_ip_literals)
{
    struct jid_storage mem;
    struct jid j;

    expect("[2001:DB8:0::0001]", "", "[2001:db8::1]", "");
    cr_assert_eq(jid_parse(&mem, SLICE_LIT("a@192.0.2.7/x"), &j), 0);
    cr_assert(j.domain_is_ip && slice_eq_cstr(j.domain, "192.0.2.7"));
    cr_assert_eq(jid_parse(&mem, SLICE_LIT("[::1]"), &j), 0);
    cr_assert(j.domain_is_ip);
    cr_assert_eq(jid_parse(&mem, SLICE_LIT("192.0.2.7.example"), &j), 0);
    cr_assert_not(j.domain_is_ip);
    expect_bad("[2001:db8::1");
    expect_bad("[fe80::1%eth0]");
    expect_bad("[192.0.2.7]");
    expect_bad("[]");
    expect_bad("2001:db8::1");
    expect_bad("192.0.2.777");
    expect_bad("192.0.2");
    expect_bad("1.2.3.4.5");
    expect_bad("4294967295");
    /* Full-width digits are digits. */
    cr_assert_eq(jid_parse(&mem, SLICE_LIT("a@\uff11\uff19\uff12.0.2.7"), &j), 0);
    cr_assert(j.domain_is_ip && slice_eq_cstr(j.domain, "192.0.2.7"));
}

Test(jid, hostile_domains)
{
    static const char *const bad[] = {
        "", " ", "exam ple.com", "example..com", ".example.com", "-a.example", "a-.example",
        "a_b.example", "user@a@b.example", "=", "a/", "example.com:5269", "ex*mple.com",
        "xn--.example", "xn--a.example", "xn--bcher-KVA-.example", "xn--\u00fc.example",
        "\uff58\uff4e--bcher-kva.example", /* becomes an A-label only by folding */
        "a\u3002example", "a\u2100b.example" /* folds to a/c */, "a\uff0fb.example",
        "a\uff20b.example", "a\u200db.example", "a\u200eb.example", "\u00ad.example",
        "exa\u202emple.com", "\xff.example", "a\xc0\xaf.example", "a\xed\xa0\x80.example"};

    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        expect_bad(bad[i]);
    }
    /* An A-label of an upper-case or undone spelling would be a second name of the same domain. */
    expect_bad("xn--Bcher-hsa.example.xn--n3h\u00fc"); /* no separators hidden */
    expect_bad("xn--strasse-.example");
    expect_bad("xn--xn--bbcAeB-xbehn0xatleHaMM"); /* decodes to something that looks encoded */
    expect_bad_slice(SLICE_LIT("corp.example\0.evil.example"));
    expect_bad_slice(SLICE_LIT("a\0b@corp.example"));
    expect_bad_slice(SLICE_LIT("a@corp.example/x\0y"));
}

Test(jid, hostile_locals)
{
    static const char bad[] = "\"&'/:<> \t\n\r\x01\x7f";

    for (size_t i = 0; i + 1 < sizeof(bad); i++) {
        char text[] = "a?b@corp.example";
        text[1] = bad[i];
        if (bad[i] != '/') {
            expect_bad(text);
        }
    }
    expect_bad("a\u00a0b@corp.example");  /* no-break space */
    expect_bad("a\uff02b@corp.example");  /* full-width quotation mark folds to the forbidden one */
    expect_bad("a\uff20b@corp.example");  /* full-width @ */
    expect_bad("a\u202eb@corp.example");  /* direction override */
    expect_bad("\u0627a@corp.example");   /* Arabic and Latin in one local part */
    expect_bad("\xf0\x28\x8c\x28@corp.example");
    expect_bad("\u00ad@corp.example");    /* empty after mapping */
    expect("a\\40b@corp.example", "a\\40b", "corp.example", "");
    expect("a;b=c?d%40$!#@corp.example", "a;b=c?d%40$!#", "corp.example", "");
}

Test(jid, limits)
{
    static char text[8192];
    char *at = text;

    memset(at, 'a', 1023);
    memcpy(at + 1023, "@corp.example/", 14);
    memset(at + 1037, 'r', 1023);
    struct jid_storage mem;
    struct jid j;
    cr_assert_eq(jid_parse(&mem, slice_make(text, 1037 + 1023), &j), 0);
    cr_assert(j.local.len == 1023 && j.resource.len == 1023);
    text[1037 + 1023] = 'r';
    expect_bad_slice(slice_make(text, 1037 + 1024));
    expect_bad_slice(slice_make(text + 1024, 3 * 1023 + 10));
    memset(at, 'a', 1024);
    memcpy(at + 1024, "@corp.example", 13);
    expect_bad_slice(slice_make(text, 1037));

    /* 700 times U+212B is 2100 bytes, and 1400 after normalisation: over; 500 times is in. */
    for (int i = 0; i < 700; i++) {
        memcpy(text + 3 * i, "\u212b", 3);
    }
    memcpy(text + 1500, "@corp.example", 13);
    cr_assert_eq(jid_parse(&mem, slice_make(text, 1513), &j), 0);
    cr_assert_eq(j.local.len, 1000);
    for (int i = 0; i < 700; i++) {
        memcpy(text + 3 * i, "\u212b", 3);
    }
    memcpy(text + 2100, "@corp.example", 13);
    expect_bad_slice(slice_make(text, 2113));
    /* One character that becomes eighteen. */
    for (int i = 0; i < 700; i++) {
        memcpy(text + 3 * i, "\ufdfa", 3);
    }
    expect_bad_slice(slice_make(text, 2113));
}

Test(jid, domain_limits)
{
    char text[300];

    for (size_t i = 0; i < 299; i++) {
        text[i] = i % 10 == 9 ? '.' : 'a';
    }
    cr_assert_null(jid_domain_fault(slice_make(text, 253)));
    cr_assert_not_null(jid_domain_fault(slice_make(text, 254)));
    memset(text, 'b', 64);
    memcpy(text + 64, ".example", 8);
    cr_assert_not_null(jid_domain_fault(slice_make(text, 72)));
    cr_assert_null(jid_domain_fault(slice_make(text + 1, 71)));
    /* 60 times U+00FC does not fit an A-label. */
    for (int i = 0; i < 60; i++) {
        memcpy(text + 2 * i, "\u00fc", 2);
    }
    cr_assert_not_null(jid_domain_fault(slice_make(text, 120)));
}

Test(jid, domain_fault_says_why)
{
    cr_assert_null(jid_domain_fault(SLICE_LIT("fabrikam.com")));
    cr_assert_str_eq(jid_domain_fault(SLICE_LIT("192.0.2.1")),
                     "is an IP address: a domain name is needed");
    cr_assert_str_eq(jid_domain_fault(SLICE_LIT("a..b")), "has an empty label");
    cr_assert_str_eq(jid_domain_fault(SLICE_LIT("")), "is empty");
    cr_assert_str_eq(jid_domain_fault(SLICE_LIT("a@b")),
                     "holds a character that is not allowed in a domain name");
}

Test(jid, make_from_parts)
{
    struct jid_storage mem;
    struct jid j;

    cr_assert_eq(jid_make(&mem, SLICE_LIT("Al"), SLICE_LIT("Corp.example"), SLICE_LIT("R/1"), &j),
                 0);
    cr_assert(slice_eq_cstr(j.local, "al") && slice_eq_cstr(j.resource, "R/1"));
    cr_assert(jid_is_full(&j) && !jid_is_domain(&j));
    /* Separators cannot be smuggled into a part. */
    cr_assert_eq(jid_make(&mem, SLICE_LIT("a@b"), SLICE_LIT("c.d"), SLICE_NONE, &j), ERR_JID);
    cr_assert_eq(jid_make(&mem, SLICE_LIT("a"), SLICE_LIT("c.d/e"), SLICE_NONE, &j), ERR_JID);
    cr_assert_eq(jid_make(&mem, SLICE_LIT("a"), SLICE_NONE, SLICE_NONE, &j), ERR_JID);
    cr_assert_eq(jid_make(&mem, SLICE_NONE, SLICE_LIT("c.d"), SLICE_NONE, &j), 0);
    cr_assert(jid_is_domain(&j));
}

Test(jid, compare_copy_and_write)
{
    struct jid_storage m1, m2, m3;
    struct jid a, b, c;
    struct buf out;

    cr_assert_eq(jid_parse(&m1, SLICE_LIT("a@x.example/1"), &a), 0);
    cr_assert_eq(jid_parse(&m2, SLICE_LIT("A@X.example/2"), &b), 0);
    cr_assert(jid_eq_bare(&a, &b) && !jid_eq(&a, &b) && jid_eq_domain(&a, &b));
    jid_copy(&m3, &a, &c);
    memset(&m1, 0, sizeof(m1));
    cr_assert(slice_eq_cstr(c.local, "a") && slice_eq_cstr(c.resource, "1"));
    buf_init(&out, 100);
    jid_write_bare(&out, &c);
    cr_assert(slice_eq_cstr(buf_slice(&out), "a@x.example"));
    cr_assert_eq(jid_len_bare(&c), 11);
    buf_deinit(&out);
}
