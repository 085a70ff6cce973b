/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a hello says about forward secrecy, whole and mangled. */
#include <criterion/criterion.h>
#include <string.h>

#include "tls/hello.h"

#define VERSION_RANDOM "\x03\x03" "0123456789abcdef0123456789abcdef"
#define CLIENT         VERSION_RANDOM "\x02id" "\0\x02\x13\x01" "\x01\0"
#define SERVER         VERSION_RANDOM "\0" "\x13\x01\0"
#define SHARE          "\0\x33\0\x02\0\0"
#define DHE_ONLY       "\0\x2d\0\x02\x01\x01"
#define BOTH_MODES     "\0\x2d\0\x03\x02\0\x01"
#define KE_ONLY        "\0\x2d\0\x02\x01\0"
#define PSK            "\0\x29\0\x01x"
#define OTHER          "\x12\x34\0\0"

#define CASE(is_from_server, start, extensions, is_good) \
    {is_from_server, start, sizeof(start) - 1, extensions, sizeof(extensions) - 1, is_good}

static const struct {
    bool is_from_server;
    const char *start;
    size_t start_len;
    const char *extensions;
    size_t extensions_len;
    bool is_good;
} cases[] = {
    CASE(false, CLIENT, "", true), /* TLS 1.2 */
    CASE(false, CLIENT, OTHER SHARE KE_ONLY, true),
    CASE(false, CLIENT, SHARE DHE_ONLY PSK, true),
    CASE(false, CLIENT, OTHER BOTH_MODES SHARE PSK, true),
    CASE(false, CLIENT, SHARE KE_ONLY PSK, false),
    CASE(false, CLIENT, SHARE PSK, false),
    CASE(false, CLIENT, DHE_ONLY PSK, false),
    CASE(false, CLIENT, BOTH_MODES OTHER PSK, false),
    CASE(false, CLIENT, SHARE "\0\x2d\0\x02\x05\x01" PSK, false), /* longer than it is */
    CASE(false, CLIENT, SHARE DHE_ONLY "\0\x29\0\x09x", false),
    CASE(true, SERVER, OTHER SHARE, true),
    CASE(true, SERVER, SHARE PSK, true),
    CASE(true, SERVER, PSK, false),
    CASE(true, SERVER, "", false),
};

static void feed(struct hello *h, size_t i, size_t step, unsigned char type)
{
    unsigned char bytes[256] = {type};
    size_t len = 4 + cases[i].start_len;
    memcpy(bytes + 4, cases[i].start, cases[i].start_len);
    if (cases[i].extensions_len > 0) {
        bytes[len + 1] = (unsigned char)cases[i].extensions_len;
        memcpy(bytes + len + 2, cases[i].extensions, cases[i].extensions_len);
        len += 2 + cases[i].extensions_len;
    }
    bytes[3] = (unsigned char)(len - 4);
    for (size_t at = 0; at < len; at += step) {
        cr_expect(!h->is_whole);
        hello_feed(h, bytes + at, len - at < step ? len - at : step);
    }
}

Test(tls_hello, tells_whether_diffie_hellman_takes_part)
{
    static const size_t steps[] = {1, 3, 7, 256};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t j = 0; j < 4; j++) {
            struct hello h;
            hello_init(&h, cases[i].is_from_server);
            cr_expect(!hello_is_forward_secret(&h));
            feed(&h, i, steps[j], cases[i].is_from_server ? 2 : 1);
            cr_expect_eq(hello_is_forward_secret(&h), cases[i].is_good, "case %zu", i);
            hello_deinit(&h);
        }
    }
}

Test(tls_hello, the_second_one_counts_and_nothing_behind_it)
{
    struct hello h;
    hello_init(&h, false);
    feed(&h, 2, 256, 1);
    cr_expect(hello_is_forward_secret(&h));
    h.is_whole = false; /* for feed */
    feed(&h, 4, 256, 1);
    cr_expect(!hello_is_forward_secret(&h), "after a HelloRetryRequest");
    hello_feed(&h, (const unsigned char *)"\x0b\0\0\1x", 5);
    cr_expect(h.is_over);
    h.is_whole = false;
    feed(&h, 2, 256, 1);
    cr_expect(!hello_is_forward_secret(&h));
    hello_deinit(&h);
}

Test(tls_hello, too_long_a_one_is_not_kept)
{
    struct hello h;
    hello_init(&h, true);
    hello_feed(&h, (const unsigned char *)"\2\0\x40\1abc", 7);
    cr_expect(h.is_over && buf_len(&h.body) == 0 && !hello_is_forward_secret(&h));
    hello_deinit(&h);
}
