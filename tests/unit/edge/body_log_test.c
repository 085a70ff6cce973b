/* SPDX-License-Identifier: GPL-2.0-or-later */
/* body_log: message texts are shown as they are, but for what a log cannot hold. */
#include <criterion/criterion.h>
#include <string.h>

#include "edge/body_log.h"

static char out[BODY_LOG_PART_BYTES];

Test(body_log, plain_and_foreign_texts_are_shown_as_they_are)
{
    static const char text[] = "Grüße, 你好 \xf0\x9f\x98\x80";

    cr_assert_eq(body_log_clean(slice_from_cstr(text), out), strlen(text));
    cr_assert_str_eq(out, text);
    cr_assert_eq(body_log_clean(SLICE_NONE, out), 0);
    cr_assert_str_eq(out, "");
}

Test(body_log, what_would_act_is_escaped)
{
    body_log_clean(SLICE_LIT("a\nb\x1b[31m \"c\\ \xe2\x80\xae" "d \xff"), out);
    cr_assert_str_eq(out, "a\\x0ab\\x1b[31m \\\"c\\\\ \\xe2\\x80\\xaed \\xff");
}

/* Whatever comes, the parts put together are the text, and no part is longer than a line. */
Test(body_log, parts_cover_the_text)
{
    unsigned seed = 4711;
    char text[1500];
    size_t at = 0;
    int parts = 0;

    for (size_t i = 0; i < sizeof(text); i++) {
        seed = seed * 1103515245 + 12345;
        text[i] = (char)(seed >> 16);
    }
    while (at < sizeof(text)) {
        size_t used = body_log_clean(slice_make(text + at, sizeof(text) - at), out);

        cr_assert_gt(used, 0);
        cr_assert_lt(strlen(out), BODY_LOG_PART_BYTES);
        for (const char *p = out; *p; p++) {
            cr_assert((unsigned char)*p >= 0x20 && *p != 0x7f);
        }
        at += used;
        parts++;
    }
    cr_assert_eq(at, sizeof(text));
    cr_assert_lt(parts, 40);
    memset(text, 'x', sizeof(text));
    cr_assert_eq(body_log_clean(slice_make(text, sizeof(text)), out), BODY_LOG_PART_BYTES - 1);
}
