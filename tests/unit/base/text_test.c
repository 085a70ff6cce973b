/* SPDX-License-Identifier: GPL-2.0-or-later */
/* slices, UTF-8, base64, hash, errors: the small text tools of the ground floor. */
#include <criterion/criterion.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/slice.h"
#include "base/utf8.h"

Test(slice, cut_find_trim)
{
    struct slice rest = SLICE_LIT("a@b@c");
    struct slice head;

    cr_assert(slice_cut(&rest, '@', &head));
    cr_assert(slice_eq_cstr(head, "a"));
    cr_assert(slice_eq_cstr(rest, "b@c"));
    cr_assert_eq(slice_find_last(rest, '@'), 1);
    cr_assert_eq(slice_find(rest, 'x'), -1);
    cr_assert_not(slice_cut(&rest, '/', &head));
    cr_assert(slice_eq_cstr(head, "b@c"));
    cr_assert(slice_is_empty(rest));
    cr_assert(slice_eq_cstr(slice_trim(SLICE_LIT(" \t x y\r\n")), "x y"));
    cr_assert(slice_is_empty(slice_trim(SLICE_LIT("  "))));
    cr_assert_eq(slice_find(SLICE_NONE, 'a'), -1);
}

Test(slice, compare)
{
    cr_assert(slice_eq_nocase(SLICE_LIT("Content-Length"), SLICE_LIT("cONTENT-lENGTH")));
    cr_assert_not(slice_eq_nocase(SLICE_LIT("a["), SLICE_LIT("a{")));
    cr_assert(slice_starts(SLICE_LIT("abc"), SLICE_LIT("ab")));
    cr_assert_not(slice_starts(SLICE_LIT("a"), SLICE_LIT("ab")));
    cr_assert(slice_ends(SLICE_LIT("a.example"), SLICE_LIT(".example")));
    cr_assert(slice_eq(SLICE_NONE, SLICE_LIT("")));
    cr_assert(slice_eq_secret(SLICE_LIT("key"), SLICE_LIT("key")));
    cr_assert_not(slice_eq_secret(SLICE_LIT("key"), SLICE_LIT("kex")));
    cr_assert_not(slice_eq_secret(SLICE_LIT("key"), SLICE_LIT("keys")));
}

Test(slice, numbers)
{
    uint64_t value = 7;

    cr_assert(slice_parse_u64(SLICE_LIT("18446744073709551615"), &value));
    cr_assert_eq(value, UINT64_MAX);
    cr_assert_not(slice_parse_u64(SLICE_LIT("18446744073709551616"), &value));
    cr_assert_not(slice_parse_u64(SLICE_LIT("99999999999999999999"), &value));
    cr_assert_not(slice_parse_u64(SLICE_LIT(""), &value));
    cr_assert_not(slice_parse_u64(SLICE_LIT("-1"), &value));
    cr_assert_not(slice_parse_u64(SLICE_LIT(" 1"), &value));
    cr_assert_not(slice_parse_u64(SLICE_LIT("0x1"), &value));
}

Test(slice, to_cstr_refuses_nul_and_overflow)
{
    char out[4];

    cr_assert(slice_to_cstr(SLICE_LIT("abc"), out, sizeof(out)));
    cr_assert_str_eq(out, "abc");
    cr_assert_not(slice_to_cstr(SLICE_LIT("abcd"), out, sizeof(out)));
    cr_assert_str_eq(out, "");
    cr_assert_not(slice_to_cstr(SLICE_LIT("a\0b"), out, sizeof(out)));
}

Test(utf8, accepts_and_refuses)
{
    static const struct {
        const char *text;
        size_t len;
        bool good;
    } rows[] = {
        {"plain ascii text", 16, true},
        {"\xc3\xbc", 2, true},
        {"\xe2\x82\xac", 3, true},
        {"\xf0\x9f\x98\x80", 4, true},
        {"\xf4\x8f\xbf\xbf", 4, true},
        {"\xc0\xaf", 2, false},             /* overlong '/' */
        {"\xc1\xbf", 2, false},             /* overlong */
        {"\xe0\x80\xaf", 3, false},         /* overlong */
        {"\xf0\x80\x80\xaf", 4, false},     /* overlong */
        {"\xed\xa0\x80", 3, false},         /* surrogate */
        {"\xf4\x90\x80\x80", 4, false},     /* above U+10FFFF */
        {"\xf5\x80\x80\x80", 4, false},     /* above U+10FFFF */
        {"\x80", 1, false},                 /* lone continuation */
        {"\xc3", 1, false},                 /* cut */
        {"\xe2\x82", 2, false},             /* cut */
        {"\xe2<a", 3, false},               /* swallows a '<' */
        {"12345678\xff", 9, false},
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        cr_expect_eq(utf8_is_valid(slice_make(rows[i].text, rows[i].len)), rows[i].good, "row %zu",
                     i);
    }
}

Test(utf8, every_scalar_value_round_trips)
{
    for (uint32_t c = 0; c <= 0x110000; c++) {
        char bytes[4];
        size_t len = utf8_put(bytes, c);
        size_t at = 0;
        uint32_t back = 0;
        bool is_scalar = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);

        cr_assert_eq(len != 0, is_scalar);
        if (is_scalar) {
            cr_assert(utf8_next(slice_make(bytes, len), &at, &back));
            cr_assert_eq(back, c);
            cr_assert_eq(at, len);
        }
    }
}

Test(utf8, ascii_only)
{
    cr_assert(utf8_is_ascii(SLICE_LIT("")));
    cr_assert(utf8_is_ascii(SLICE_LIT("fabrikam.test\x7f")));
    cr_assert_not(utf8_is_ascii(SLICE_LIT("b\xc3\xbc")));
    for (size_t len = 1; len <= 40; len++) {
        for (size_t at = 0; at < len; at++) {
            char text[40];

            memset(text, 0x7f, sizeof(text));
            cr_assert(utf8_is_ascii(slice_make(text, len)));
            text[at] = (char)0x80;
            cr_assert_not(utf8_is_ascii(slice_make(text, len)), "%zu of %zu", at, len);
        }
    }
}

Test(utf8, cut_keeps_characters_whole)
{
    struct slice s = SLICE_LIT("a\xe2\x82\xac");

    cr_assert_eq(utf8_cut(s, 1), 1);
    cr_assert_eq(utf8_cut(s, 2), 1);
    cr_assert_eq(utf8_cut(s, 3), 1);
    cr_assert_eq(utf8_cut(s, 4), 4);
    cr_assert_eq(utf8_cut(s, 99), 4);
}

Test(base64, rfc4648_vectors)
{
    static const char *const rows[][2] = {
        {"", ""},         {"f", "Zg=="},         {"fo", "Zm8="},        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
    };
    struct buf out;

    buf_init(&out, 1024);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        base64_put(&out, slice_from_cstr(rows[i][0]));
        cr_assert(slice_eq_cstr(buf_slice(&out), rows[i][1]));
        buf_clear(&out);
        cr_assert(base64_decode(&out, slice_from_cstr(rows[i][1])));
        cr_assert(slice_eq_cstr(buf_slice(&out), rows[i][0]));
        buf_clear(&out);
    }
    buf_deinit(&out);
}

Test(base64, refuses_malformed_and_appends_nothing)
{
    static const char *const bad[] = {"Z",    "Zg",   "Zg=",  "Zh==",     "Zm9=", "====",
                                      "Zg==Zg==", "Zm9v\n", "Z*==", "=Zg=", "Zg=a"};
    struct buf out;

    buf_init(&out, 1024);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        cr_expect_not(base64_decode(&out, slice_from_cstr(bad[i])), "%s", bad[i]);
        cr_expect_eq(buf_len(&out), 0);
    }
    buf_deinit(&out);
}

Test(hash, siphash_reference_vector)
{
    /* Key 00..0f, message 00..0e: the vector of the SipHash paper, appendix A. */
    struct hash_key key = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
    char message[15];

    for (size_t i = 0; i < sizeof(message); i++) {
        message[i] = (char)i;
    }
    cr_assert_eq(hash_bytes_keyed(key, slice_make(message, sizeof(message))),
                 0xa129ca6149be45e5u);
}

Test(err, names_texts_classes)
{
    cr_assert_str_eq(err_name(ERR_TIMEOUT), "ERR_TIMEOUT");
    cr_assert_str_eq(err_name(0), "OK");
    cr_assert_str_eq(err_name(-111), "ECONNREFUSED");
    cr_assert_str_eq(err_name(12345), "ERR_UNKNOWN");
    cr_assert_eq(err_class_of(ERR_XML), ERR_CLASS_STREAM);
    cr_assert_eq(err_class_of(-111), ERR_CLASS_CONN);
    cr_assert_str_eq(err_text(-111), "Connection refused");
}
