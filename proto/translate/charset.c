/* SPDX-License-Identifier: GPL-2.0-or-later */
/* charset: the few character sets that SIP clients send, to UTF-8. Broken input becomes U+FFFD. */
#include "base/err.h"
#include "base/utf8.h"
#include "translate/body.h"

#define REPLACEMENT 0xFFFDu

static void put_point(struct buf *out, uint32_t c)
{
    char bytes[4];
    size_t len = utf8_put(bytes, c);

    if (len == 0) {
        len = utf8_put(bytes, REPLACEMENT);
    }
    buf_append(out, bytes, len);
}

static void from_latin1(struct buf *out, struct slice in)
{
    for (size_t i = 0; i < in.len && !out->failed; i++) {
        put_point(out, (unsigned char)in.ptr[i]);
    }
}

static uint32_t unit_at(struct slice in, size_t at, bool is_little)
{
    uint32_t first = (unsigned char)in.ptr[at];
    uint32_t second = (unsigned char)in.ptr[at + 1];

    return is_little ? second << 8 | first : first << 8 | second;
}

static void from_utf16(struct buf *out, struct slice in, bool is_little)
{
    size_t at = 0;

    while (at + 2 <= in.len && !out->failed) {
        uint32_t unit = unit_at(in, at, is_little);
        at += 2;
        if (unit >= 0xD800 && unit < 0xDC00 && at + 2 <= in.len) {
            uint32_t low = unit_at(in, at, is_little);
            if (low >= 0xDC00 && low < 0xE000) {
                unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                at += 2;
            }
        }
        put_point(out, unit); /* a lone surrogate is no character: replaced */
    }
    if (at < in.len) {
        put_point(out, REPLACEMENT);
    }
}

static bool is_one_of(struct slice charset, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_eq_nocase(charset, slice_from_cstr(names[i]))) {
            return true;
        }
    }
    return false;
}

int body_to_utf8(struct buf *out, struct slice charset, struct slice bytes)
{
    static const char *const ascii[] = {"utf-8", "utf8", "us-ascii", "ascii"};
    static const char *const latin1[] = {"iso-8859-1", "iso8859-1", "latin1"};

    if (charset.len == 0 || is_one_of(charset, ascii, ARRAY_COUNT(ascii))) {
        /* Bytes above 127 in "us-ascii" are UTF-8 in practice. */
        bytes = slice_starts(bytes, SLICE_LIT("\xEF\xBB\xBF")) ? slice_from(bytes, 3) : bytes;
        buf_put(out, bytes);
        return 0;
    }
    if (is_one_of(charset, latin1, ARRAY_COUNT(latin1))) {
        from_latin1(out, bytes);
        return 0;
    }
    bool is_little = slice_eq_nocase(charset, SLICE_LIT("utf-16le"));
    if (is_little || slice_eq_nocase(charset, SLICE_LIT("utf-16be"))) {
        from_utf16(out, bytes, is_little);
        return 0;
    }
    if (slice_eq_nocase(charset, SLICE_LIT("utf-16"))) {
        is_little = slice_starts(bytes, SLICE_LIT("\xFF\xFE"));
        bool has_mark = is_little || slice_starts(bytes, SLICE_LIT("\xFE\xFF"));
        from_utf16(out, slice_from(bytes, has_mark ? 2 : 0), is_little);
        return 0;
    }
    return ERR_UNSUPPORTED;
}
