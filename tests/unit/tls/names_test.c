/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of certificates and the rules for matching them. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
#include "der_file.h"
#include "tls/names.h"

static void load(struct tls_names *names, const char *file)
{
    struct der_file f;
    der_file_load(&f, file, "leaf.crt");
    cr_assert_eq(tls_names_parse(names, f.certs[0]), 0);
    der_file_free(&f);
}

/* A name by hand, for the matching rules. */
struct one {
    struct tls_name entry;
    char text[250];
};

static struct tls_names one(struct one *mem, enum tls_name_kind kind, struct slice text)
{
    mem->entry = (struct tls_name){.len = (uint16_t)text.len, .kind = (uint16_t)kind};
    cr_assert_leq(text.len, sizeof(mem->text));
    memcpy(mem->text, text.ptr, text.len);
    return (struct tls_names){
        .entries = &mem->entry, .count = 1, .bytes_used = (uint16_t)text.len};
}

static bool one_xmpp(enum tls_name_kind kind, struct slice name, const char *domain)
{
    struct one mem;
    struct tls_names n = one(&mem, kind, name);
    return tls_names_match_xmpp(&n, slice_from_cstr(domain));
}

static bool one_sip(enum tls_name_kind kind, struct slice name, const char *domain)
{
    struct one mem;
    struct tls_names n = one(&mem, kind, name);
    return tls_names_match_sip(&n, slice_from_cstr(domain));
}

Test(tls_names, reads_every_kind)
{
    struct tls_names n;
    load(&n, "names");
    static const struct {
        enum tls_name_kind kind;
        const char *text;
    } expected[] = {
        {TLS_NAME_DNS, "a.test"},
        {TLS_NAME_DNS, "*.a.test"},
        {TLS_NAME_SRV, "_xmpp-server.srv.test"},
        {TLS_NAME_SRV, "_xmpp-client.client.test"},
        {TLS_NAME_XMPP, "xmpp.test"},
        {TLS_NAME_URI, "sip:sip.test"},
        {TLS_NAME_URI, "https://web.test"},
    };
    cr_assert_eq(n.count, ARRAY_COUNT(expected));
    for (uint32_t i = 0; i < n.count; i++) {
        enum tls_name_kind kind;
        struct slice text = tls_names_get(&n, i, &kind);
        cr_expect_eq(kind, expected[i].kind, "%u", i);
        cr_expect(slice_eq_cstr(text, expected[i].text), "%.*s", SLICE_FMT(text));
    }
    enum tls_name_kind kind;
    cr_expect(slice_is_empty(tls_names_get(&n, n.count, &kind)));
    cr_expect(!n.is_cut);
    cr_expect(tls_names_match_xmpp(&n, SLICE_LIT("srv.test")));
    cr_expect(!tls_names_match_xmpp(&n, SLICE_LIT("client.test")));
    cr_expect(tls_names_match_xmpp(&n, SLICE_LIT("xmpp.test")));
    cr_expect(!tls_names_match_xmpp(&n, SLICE_LIT("web.test")));
    cr_expect(!tls_names_match_xmpp(&n, SLICE_LIT("sip.test")));
    cr_expect(tls_names_match_sip(&n, SLICE_LIT("sip.test")));
    cr_expect(!tls_names_match_sip(&n, SLICE_LIT("a.test")), "a sip URI hides dNSNames");
    struct tls_names copy;
    cr_assert_eq(tls_names_copy(&copy, &n), 0);
    tls_names_deinit(&n);
    cr_expect_eq(n.count, 0);
    cr_expect_eq(copy.count, ARRAY_COUNT(expected));
    cr_expect(tls_names_match_xmpp(&copy, SLICE_LIT("srv.test")));
    cr_expect(copy.has_server_auth);
    tls_names_deinit(&copy);
}

Test(tls_names, purposes)
{
    static const struct {
        const char *file;
        bool server;
        bool client;
    } cases[] = {
        {"good", true, true},    {"serveronly", true, false}, {"clientonly", false, true},
        {"noeku", true, true},   {"anyeku", true, true},      {"emaileku", false, false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct tls_names n;
        load(&n, cases[i].file);
        cr_expect_eq(n.has_server_auth, cases[i].server, "%s", cases[i].file);
        cr_expect_eq(n.has_client_auth, cases[i].client, "%s", cases[i].file);
        tls_names_deinit(&n);
    }
}

Test(tls_names, common_name_names_nobody)
{
    struct tls_names n;
    load(&n, "cnonly");
    cr_expect_eq(n.count, 0);
    cr_expect(!tls_names_match_xmpp(&n, SLICE_LIT("fabrikam.test")));
    cr_expect(!tls_names_match_sip(&n, SLICE_LIT("fabrikam.test")));
}

Test(tls_names, wildcard_is_one_whole_left_label)
{
    static const struct {
        const char *name;
        const char *domain;
        bool matches;
    } cases[] = {
        {"a.test", "a.test", true},         {"A.TeSt", "a.test", true},
        {"a.test.", "a.test", true},        {"a.test", "b.a.test", false},
        {"b.a.test", "a.test", false},      {"*.a.test", "b.a.test", true},
        {"*.A.test", "b.a.test", true},     {"*.a.test", "a.test", false},
        {"*.a.test", "c.b.a.test", false},  {"*.a.test", ".a.test", false},
        {"b*.a.test", "bb.a.test", false},  {"*b.a.test", "bb.a.test", false},
        {"b.*.test", "b.a.test", false},    {"*.*.test", "b.a.test", false},
        {"*", "test", false},               {"*.test", "a.test", false},
        {"*.test.", "a.test", false},       {"*.a.test", "*.a.test", false},
        {"*.", "a", false},                 {"*.a.test", "", false},
        {"xa.test", "a.test", false},       {"a.test", "xa.test", false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct slice name = slice_from_cstr(cases[i].name);
        cr_expect_eq(one_xmpp(TLS_NAME_DNS, name, cases[i].domain), cases[i].matches, "%s for %s",
                     cases[i].name, cases[i].domain);
    }
}

Test(tls_names, srv_and_xmpp_names_are_exact)
{
    cr_expect(one_xmpp(TLS_NAME_SRV, SLICE_LIT("_xmpp-server.a.test"), "a.test"));
    cr_expect(one_xmpp(TLS_NAME_SRV, SLICE_LIT("_XMPP-Server.A.test"), "a.test"));
    cr_expect(!one_xmpp(TLS_NAME_SRV, SLICE_LIT("_xmpp-client.a.test"), "a.test"));
    cr_expect(!one_xmpp(TLS_NAME_SRV, SLICE_LIT("_xmpp-server.*.test"), "a.test"));
    cr_expect(!one_xmpp(TLS_NAME_SRV, SLICE_LIT("_xmpp-server."), ""));
    cr_expect(!one_xmpp(TLS_NAME_SRV, SLICE_LIT("a.test"), "a.test"));
    cr_expect(one_xmpp(TLS_NAME_XMPP, SLICE_LIT("A.test"), "a.test"));
    cr_expect(!one_xmpp(TLS_NAME_XMPP, SLICE_LIT("*.test"), "a.test"));
    cr_expect(!one_xmpp(TLS_NAME_XMPP, SLICE_LIT("user@a.test"), "a.test"));
    cr_expect(!one_xmpp(TLS_NAME_URI, SLICE_LIT("sip:a.test"), "a.test"));
    /* U-labels are compared as the bytes they are: lower-case bytes in, the same bytes out. */
    cr_expect(one_xmpp(TLS_NAME_XMPP, SLICE_LIT("b\xc3\xbc" "cher.test"), "b\xc3\xbc" "cher.test"));
    cr_expect(!one_xmpp(TLS_NAME_XMPP, SLICE_LIT("b\xc3\xbc" "cher.test"), "xn--bcher-kva.test"));
}

Test(tls_names, sip_domains_by_rfc_5922)
{
    static const struct {
        const char *uri;
        const char *domain;
        bool matches;
    } cases[] = {
        {"sip:a.test", "a.test", true},        {"SIP:A.test", "a.test", true},
        {"sip:a.test:5061", "a.test", true},   {"sip:a.test;transport=tls", "a.test", true},
        {"sip:a.test?x=y", "a.test", true},    {"sips:a.test", "a.test", false},
        {"sip:alice@a.test", "a.test", false}, {"sip:b.a.test", "a.test", false},
        {"sip:a.test", "b.a.test", false},     {"sip:*.a.test", "b.a.test", false},
        {"sip:", "", false},                   {"http://a.test", "a.test", false},
        {"sip:a.test@evil.test", "a.test", false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct slice uri = slice_from_cstr(cases[i].uri);
        cr_expect_eq(one_sip(TLS_NAME_URI, uri, cases[i].domain), cases[i].matches, "%s for %s",
                     cases[i].uri, cases[i].domain);
    }
    cr_expect(one_sip(TLS_NAME_DNS, SLICE_LIT("a.test"), "a.test"));
    cr_expect(!one_sip(TLS_NAME_DNS, SLICE_LIT("*.a.test"), "b.a.test"));
    cr_expect(!one_sip(TLS_NAME_XMPP, SLICE_LIT("a.test"), "a.test"));
    /* A URI with a user part is no domain identity, so dNSName is still looked at (7.1). */
    struct tls_names n;
    load(&n, "sipuser");
    cr_expect(tls_names_match_sip(&n, SLICE_LIT("pool.test")));
    cr_expect(!tls_names_match_sip(&n, SLICE_LIT("user.test")));
    tls_names_deinit(&n);
}

/* Replaces the bytes `from` by as many bytes `to` in a copy of the certificate. */
static int parse_patched(struct tls_names *n, const char *file, const char *from, const char *to,
                         size_t len)
{
    struct der_file f;
    der_file_load(&f, file, "leaf.crt");
    char *at = memmem(f.bytes[0], f.certs[0].len, from, len);
    cr_assert_not_null(at);
    memcpy(at, to, len);
    int err = tls_names_parse(n, f.certs[0]);
    der_file_free(&f);
    return err;
}

Test(tls_names, embedded_nul_never_matches)
{
    struct tls_names n;
    cr_assert_eq(parse_patched(&n, "cnonly", "fabrikam.test", "fabrikam.test", 13), 0);
    tls_names_deinit(&n);
    cr_assert_eq(parse_patched(&n, "second", "contoso.test", "a.test\0.evil", 12), 0);
    cr_expect(!tls_names_match_xmpp(&n, SLICE_LIT("a.test")));
    cr_expect(!tls_names_match_xmpp(&n, slice_make("a.test\0.evil", 12)));
    cr_expect(tls_names_match_xmpp(&n, SLICE_LIT("x.wild.test")), "the others still count");
    tls_names_deinit(&n);
}

Test(tls_names, wrong_string_type_is_refused)
{
    /* IA5String where XmppAddr needs UTF8String, and the reverse for SRVName. */
    struct tls_names n;
    cr_expect_eq(parse_patched(&n, "names", "\x0c\x09xmpp.test", "\x16\x09xmpp.test", 11),
                 ERR_BAD_INPUT);
    cr_expect_eq(parse_patched(&n, "names", "\x16\x15_xmpp-server", "\x0c\x15_xmpp-server", 14),
                 ERR_BAD_INPUT);
}

Test(tls_names, many_names_are_cut_and_flagged)
{
    struct tls_names n;
    load(&n, "many");
    cr_expect_eq(n.count, TLS_NAMES_MAX);
    cr_expect(n.is_cut);
    cr_expect(tls_names_match_xmpp(&n, SLICE_LIT("n1.test")));
    cr_expect(!tls_names_match_xmpp(&n, SLICE_LIT("n70.test")));
    tls_names_deinit(&n);
    load(&n, "long");
    cr_expect(n.is_cut);
    cr_expect_leq(n.bytes_used, TLS_NAMES_BYTES);
    cr_expect_lt(n.count, TLS_NAMES_MAX);
    tls_names_deinit(&n);
}

Test(tls_names, broken_certificates_are_errors)
{
    struct tls_names n;
    struct der_file f;
    der_file_load(&f, "names", "leaf.crt");
    struct slice whole = f.certs[0];
    for (size_t len = 0; len < whole.len; len++) {
        /* A copy of just that length, so that the sanitizer sees any step over the end. */
        char *cut = pool_heap_strdup(whole.ptr, len);
        cr_expect_eq(tls_names_parse(&n, slice_make(cut, len)), ERR_BAD_INPUT, "%zu", len);
        cr_expect_eq(n.count, 0);
        pool_heap_free(cut);
    }
    uint32_t refused = 0;
    for (size_t i = 0; i < whole.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            f.bytes[0][i] = (char)(f.bytes[0][i] ^ (char)(1u << bit));
            refused += tls_names_parse(&n, whole) != 0;
            tls_names_deinit(&n);
            f.bytes[0][i] = (char)(f.bytes[0][i] ^ (char)(1u << bit));
        }
    }
    cr_expect_gt(refused, 500, "%u", refused);
    cr_expect_eq(tls_names_parse(&n, whole), 0);
    tls_names_deinit(&n);
    char *longer = pool_heap_zalloc(whole.len + 1);
    memcpy(longer, whole.ptr, whole.len);
    cr_expect_eq(tls_names_parse(&n, slice_make(longer, whole.len + 1)), ERR_BAD_INPUT);
    pool_heap_free(longer);
    der_file_free(&f);
}

Test(tls_names, without_memory_it_is_an_error)
{
    struct tls_names n;
    struct der_file f;
    der_file_load(&f, "names", "leaf.crt");
    pool_fail_nth(1);
    cr_expect_eq(tls_names_parse(&n, f.certs[0]), ERR_NOMEM);
    pool_fail_nth(0);
    cr_expect_eq(n.count, 0);
    cr_expect_null(n.entries);
    der_file_free(&f);
}
