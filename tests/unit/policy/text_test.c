/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text_test: suggestions, quoting, the arena. */
#include <stdint.h>

#include <criterion/criterion.h>

#include "policy/arena.h"
#include "policy/quote.h"
#include "policy/suggest.h"

static uint32_t distance(const char *a, const char *b)
{
    return suggest_distance(slice_from_cstr(a), slice_from_cstr(b));
}

Test(suggest, distance_counts_edits)
{
    cr_expect_eq(distance("", ""), 0);
    cr_expect_eq(distance("", "abc"), 3);
    cr_expect_eq(distance("abc", ""), 3);
    cr_expect_eq(distance("kitten", "sitting"), 3);
    cr_expect_eq(distance("name", "nmae"), 1);
    cr_expect_eq(distance("NAME", "name"), 0);
    cr_expect_eq(distance("ca", "abc"), 3);
}

Test(suggest, long_words_are_not_compared)
{
    char word[SUGGEST_BYTES_MAX + 2];

    memset(word, 'a', sizeof(word));
    word[SUGGEST_BYTES_MAX + 1] = 0;
    cr_expect_eq(distance(word, word), SUGGEST_BYTES_MAX);
    word[SUGGEST_BYTES_MAX] = 0;
    cr_expect_eq(distance(word, word), 0);
}

static const char *best_of(const char *word, const char *const *names)
{
    struct suggest s = {.word = slice_from_cstr(word)};

    for (uint32_t i = 0; names[i]; i++) {
        suggest_consider(&s, names[i]);
    }
    return s.best ? s.best : "";
}

Test(suggest, keeps_the_closest_and_only_close_ones)
{
    static const char *const names[] = {"name", "domains", "description", "key", NULL};

    cr_expect_str_eq(best_of("nmae", names), "name");
    cr_expect_str_eq(best_of("domain", names), "domains");
    cr_expect_str_eq(best_of("descripton", names), "description");
    cr_expect_str_eq(best_of("keys", names), "key");
    cr_expect_str_eq(best_of("colour", names), "");
    cr_expect_str_eq(best_of("xyz", names), "");
}

static const char *quoted(const char *text)
{
    static struct quoted q;

    q = quote(slice_from_cstr(text));
    return q.text;
}

Test(quote, keeps_text_and_disarms_the_rest)
{
    cr_expect_str_eq(quoted("b\xc3\xbc"
                            "cher.example"),
                     "\"b\xc3\xbc"
                     "cher.example\"");
    cr_expect_str_eq(quoted("a\"b\\c"), "\"a\\\"b\\\\c\"");
    cr_expect_str_eq(quoted("\x1b[31m\n"), "\"\\u{1b}[31m\\u{a}\"");
    cr_expect_str_eq(quoted("\xc2\x9b"), "\"\\u{9b}\"");
    cr_expect_str_eq(quoted("\xe2\x80\xae"), "\"\\u{202e}\"");
    cr_expect_str_eq(quoted(""), "\"\"");
}

Test(quote, cuts_at_its_limit)
{
    char text[4 * 200 + 1] = "";

    for (uint32_t i = 0; i < 200; i++) {
        memcpy(text + 4 * i, "\xf3\xa0\x80\x81", 4); /* U+E0001, as long as escapes get */
    }
    cr_expect_lt(strlen(quoted(text)), QUOTE_BYTES);
    memset(text, 'a', 61);
    text[61] = 0;
    cr_expect_eq(strlen(quoted(text)), 60 + 3 + 2);
}

Test(arena, packs_aligns_and_keeps_addresses)
{
    struct arena *a = arena_new();
    char *first = arena_strdup(a, SLICE_LIT("first"));
    void *object = arena_zalloc(a, 40);
    struct slice copy = arena_slice(a, SLICE_LIT("copy"));
    unsigned char *large = arena_zalloc(a, 1 << 20);

    cr_expect_eq((uintptr_t)object % 16, 0);
    for (uint32_t i = 0; i < 10000; i++) {
        memset(arena_zalloc(a, 37), 0xff, 37);
    }
    for (uint32_t i = 0; i < (1 << 20); i++) {
        cr_assert_eq(large[i], 0);
    }
    cr_expect_str_eq(first, "first");
    cr_expect(slice_eq_cstr(copy, "copy"));
    cr_expect_null(arena_zalloc(a, 0));
    cr_expect_null(arena_slice(a, SLICE_NONE).ptr);
    cr_expect_str_eq(arena_strdup(a, SLICE_NONE), "");
    cr_expect_gt(arena_bytes(a), (1u << 20) + 10000u * 37u);
    arena_free(a);
    arena_free(NULL);
}
