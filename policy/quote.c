/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quote: what is printable stays, the rest becomes \u{XX}. */
#include "policy/quote.h"

#include <stdio.h>

#include "base/utf8.h"

struct quoted quote(struct slice s)
{
    struct quoted out;
    size_t at = 0;
    size_t from = 0;
    size_t to = 0;
    uint32_t c;

    out.text[at++] = '"';
    for (uint32_t i = 0; utf8_next(s, &to, &c); i++) {
        if (i == QUOTE_CHARS_MAX) {
            memcpy(out.text + at, "...", 3);
            at += 3;
            break;
        }
        if (c == '"' || c == '\\') {
            out.text[at++] = '\\';
            out.text[at++] = (char)c;
        } else if (utf8_is_harmless(c)) {
            memcpy(out.text + at, s.ptr + from, to - from);
            at += to - from;
        } else {
            int len = snprintf(out.text + at, sizeof(out.text) - at, "\\u{%x}", (unsigned)c);

            at += len > 0 ? (size_t)len : 0;
        }
        from = to;
    }
    out.text[at++] = '"';
    out.text[at] = 0;
    return out;
}
