/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jid_plain: addresses that are recognised without a copy are those that the general way returns as
 * they are; everything else takes the general way. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "jid_oracle.h"

static bool check_by(const struct jid_plain *means, struct slice text)
{
    jid_plain_use(means);
    bool is_plain = jid_oracle_check(text);
    jid_plain_use(NULL);
    return is_plain;
}

/* By all means of this machine, which must agree, and in memory of its own size: a byte read behind
 * the text is seen. */
static bool check(const char *text, size_t len)
{
    char *exact = calloc(1, len ? len : 1);
    struct slice address = slice_make(exact, len);

    cr_assert_not_null(exact);
    memcpy(exact, text, len);
    bool is_plain = check_by(&jid_plain_scalar, address);
    cr_assert_eq(check_by(jid_plain_best(), address), is_plain);
#if defined(__x86_64__)
    cr_assert_eq(check_by(&jid_plain_sse2, address), is_plain);
#endif
    free(exact);
    return is_plain;
}

static bool check_text(const char *text)
{
    return check(text, strlen(text));
}

Test(jid_plain, ordinary_addresses_are_plain)
{
    static const char *const plain[] = {
        "romeo@montague.example/Orchard 7",
        "montague.example",
        "x",
        "a.b",
        "r@x/y",
        "a@b@c/d@e/f" + 4, /* c/d@e/f */
        "conference.example.org/a@b/c//",
        "a.very-long.name-of-a.room_with%40.signs@conference.im.example/n",
        "a1.2b.example",
        "1.2.3.example",
        "a@192.0.2.7.example7a",
        "a@b1",
        "a@b.c1",
    };
    char text[JID_PLAIN_BYTES_MAX + JID_PART_BYTES_MAX + 2];

    for (size_t i = 0; i < ARRAY_COUNT(plain); i++) {
        cr_assert(check_text(plain[i]), "%s", plain[i]);
    }
    /* Resources of every length, behind local parts and domains of every length that is seen. */
    memset(text, 'r', sizeof(text));
    for (size_t bare = 1; bare < JID_PLAIN_BYTES_MAX; bare++) {
        memset(text, 'd', bare);
        cr_assert(check(text, bare));
        text[bare] = '/';
        for (size_t len = 1; len <= JID_PART_BYTES_MAX; len += len < 70 ? 1 : 317) {
            cr_assert(check(text, bare + 1 + len));
        }
        cr_assert_not(check(text, bare + 1));
        cr_assert_not(check(text, bare + 2 + JID_PART_BYTES_MAX));
        text[bare / 2] = '@';
        cr_assert_eq(check(text, bare), bare / 2 > 0 && bare / 2 + 1 < bare);
    }
}

Test(jid_plain, the_rest_takes_the_general_way)
{
    static const char *const other[] = {
        "", "/", "@", "@/", "a@", "@b.c", "a/", "a@b/", "a@b@c/d@e/f", "A@b.c", "a@B.c",
        "a@b.c.", "a@.b", "a@b..c", "a@b.c..", ".", "..", "-", "a@-b.c", "a@b-.c", "a@b.-c",
        "a@b.c-", "a@xn--bcher-kva.example", "a@b.xn--bcher-kva", "a@ab--c.example", "xn--",
        "a@192.0.2.7", "192.0.2.777", "7", "a.7", "a@7/r", "[2001:db8::1]", "a@[::1]/r",
        "a@[192.0.2.7]", "b\u00fccher.example", "a@b.c/\u2603", "\u00e9@b.c", "a b@c.d", "a\"@c.d",
        "a&@c.d", "a'@c.d", "a:b@c.d", "a<@c.d", "a>@c.d", "a@c_d.e", "a@c%d.e", "a@b.c/\x7f",
        "a@b.c/x\ty", "a\x7f@b.c", "a@b.c\x7f", "a@b c", "a@b.c:5269",
    };

    for (size_t i = 0; i < ARRAY_COUNT(other); i++) {
        cr_assert_not(check_text(other[i]), "%s", other[i]);
    }
    cr_assert_not(check("a\0b@c.d", 7));
    cr_assert_not(check("a@b.c\0", 6));
    cr_assert_not(check("a@b.c/\0", 7));
}

/* Every byte at every place of some addresses, at the ends and borders of blocks, too. */
Test(jid_plain, every_byte_everywhere)
{
    static const char *const addresses[] = {
        "a@b.c/d",
        "juliet@im.capulet.example/balcony",
        "ab.cd-ef.xn1-g",
        "0123456789abcdef@0123456789abcde.0123456789abcdef.example/0123456789abcdef",
        "conference.a-very-long-name-of-a-server-behind-a-hill.example/r@s/t",
        "u@1.2.3.4x",
    };
    char text[128];

    for (size_t i = 0; i < ARRAY_COUNT(addresses); i++) {
        size_t len = strlen(addresses[i]);
        memcpy(text, addresses[i], len);
        for (size_t at = 0; at < len; at++) {
            for (unsigned c = 0; c <= UINT8_MAX; c++) {
                text[at] = (char)c;
                (void)check(text, len);
            }
            text[at] = addresses[i][at];
        }
        for (size_t cut = 0; cut < len; cut++) {
            (void)check(text, cut);
            (void)check(text + cut, len - cut);
        }
    }
}

/* Words over the characters that mean something, all up to a length. */
Test(jid_plain, all_short_words)
{
    static const char letters[] = "a7.-@/X";
    size_t plain_count = 0;
    char text[6];

    for (size_t len = 0; len <= sizeof(text); len++) {
        size_t words = 1;
        for (size_t i = 0; i < len; i++) {
            words *= sizeof(letters) - 1;
        }
        for (size_t word = 0; word < words; word++) {
            size_t rest = word;
            for (size_t i = 0; i < len; i++) {
                text[i] = letters[rest % (sizeof(letters) - 1)];
                rest /= sizeof(letters) - 1;
            }
            plain_count += check(text, len);
        }
    }
    cr_assert_gt(plain_count, 1000);
}

Test(jid_plain, long_parts)
{
    char text[3 * 1024 + 64];

    for (size_t len = 1; len <= 1030; len += len < 80 || len > 1015 ? 1 : 41) {
        for (unsigned shape = 0; shape < 4; shape++) {
            memset(text, 'a', sizeof(text));
            memcpy(text + (shape == 0 ? len : 3), "@", 1);
            memcpy(text + (shape == 1 ? 4 + len : len + 10), shape == 3 ? "\x80" : "/", 1);
            (void)check(text, len + 12);
            (void)check(text, len);
        }
    }
    /* A domain of labels that are just short enough, and one that is not. */
    for (size_t label = 60; label <= 66; label++) {
        memset(text, 'a', 200);
        text[label] = '.';
        (void)check(text, label);
        (void)check(text, label + 30);
        text[label] = '/';
        (void)check(text, label + 30);
    }
}

/* Bytes at random, and addresses of which one byte is. */
Test(jid_plain, random_bytes)
{
    char text[100];
    uint32_t seed = 7;

    for (unsigned round = 0; round < 20000; round++) {
        size_t len = 1 + round % sizeof(text);

        for (size_t i = 0; i < len; i++) {
            seed = seed * 1103515245u + 12345u;
            text[i] = (char)(round % 2 ? seed >> 16 : 'a' + (seed >> 16) % 26);
        }
        text[(seed >> 8) % len] = round % 3 ? '@' : '.';
        text[(seed >> 12) % len] = round % 5 ? '/' : (char)(seed >> 20);
        (void)check(text, len);
    }
}

Test(jid_plain, means_are_told_apart)
{
    cr_assert_str_eq(jid_plain_scalar.name, "scalar");
    jid_plain_use(&jid_plain_scalar);
    cr_assert_eq(jid_plain_best(), &jid_plain_scalar);
    jid_plain_use(NULL);
#if defined(__x86_64__)
    cr_assert_eq(jid_plain_best() == &jid_plain_avx2,
                 __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"));
    cr_assert(jid_plain_best() == &jid_plain_avx2 || jid_plain_best() == &jid_plain_sse2);
#endif
}
