/* SPDX-License-Identifier: GPL-2.0-or-later */
/* utf8: scalar validation with an eight-bytes-at-a-time path for ASCII. */
#include "base/utf8.h"

static bool is_continuation(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

bool utf8_next(struct slice s, size_t *at, uint32_t *code_point)
{
    size_t left = *at < s.len ? s.len - *at : 0;
    const unsigned char *p;
    uint32_t c;
    size_t len;

    if (left == 0) {
        return false;
    }
    p = (const unsigned char *)s.ptr + *at; /* after the test: an empty slice may be NULL */
    c = p[0];
    if (c < 0x80) {
        len = 1;
    } else if (c >= 0xc2 && c <= 0xdf && left >= 2 && is_continuation(p[1])) {
        c = (c & 0x1f) << 6 | (p[1] & 0x3fu);
        len = 2;
    } else if ((c & 0xf0) == 0xe0 && left >= 3 && is_continuation(p[1]) && is_continuation(p[2])) {
        c = (c & 0x0f) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
        if (c < 0x800 || (c >= 0xd800 && c <= 0xdfff)) {
            return false;
        }
        len = 3;
    } else if (c >= 0xf0 && c <= 0xf4 && left >= 4 && is_continuation(p[1]) &&
               is_continuation(p[2]) && is_continuation(p[3])) {
        c = (c & 0x07) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
        if (c < 0x10000 || c > 0x10ffff) {
            return false;
        }
        len = 4;
    } else {
        return false;
    }
    *code_point = c;
    *at += len;
    return true;
}

bool utf8_is_valid(struct slice s)
{
    size_t at = 0;
    uint32_t code_point;

    while (at < s.len) {
        uint64_t word;

        if (s.len - at >= 8) {
            memcpy(&word, s.ptr + at, 8);
            if ((word & 0x8080808080808080u) == 0) {
                at += 8;
                continue;
            }
        }
        if (!utf8_next(s, &at, &code_point)) {
            return false;
        }
    }
    return true;
}

bool utf8_is_ascii(struct slice s)
{
    uint64_t all = 0;
    uint64_t word;
    size_t at = 0;

    for (; s.len - at >= sizeof(word); at += sizeof(word)) {
        memcpy(&word, s.ptr + at, sizeof(word));
        all |= word;
    }
    if (s.len >= sizeof(word)) {
        memcpy(&word, s.ptr + s.len - sizeof(word), sizeof(word)); /* overlaps, no loop */
        all |= word;
    } else {
        for (; at < s.len; at++) {
            all |= (unsigned char)s.ptr[at];
        }
    }
    return (all & UINT64_C(0x8080808080808080)) == 0;
}

size_t utf8_put(char out[4], uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        if (c >= 0xd800 && c <= 0xdfff) {
            return 0;
        }
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    if (c <= 0x10ffff) {
        out[0] = (char)(0xf0 | c >> 18);
        out[1] = (char)(0x80 | (c >> 12 & 0x3f));
        out[2] = (char)(0x80 | (c >> 6 & 0x3f));
        out[3] = (char)(0x80 | (c & 0x3f));
        return 4;
    }
    return 0;
}

size_t utf8_cut(struct slice s, size_t len_max)
{
    if (len_max >= s.len) {
        return s.len;
    }
    while (len_max > 0 && is_continuation((unsigned char)s.ptr[len_max])) {
        len_max--;
    }
    return len_max;
}

bool utf8_is_xml_char(uint32_t c)
{
    return c == 0x9 || c == 0xa || c == 0xd || (c >= 0x20 && c <= 0xd7ff) ||
           (c >= 0xe000 && c <= 0xfffd) || (c >= 0x10000 && c <= 0x10ffff);
}

bool utf8_is_harmless(uint32_t c)
{
    if (c < 0x20 || (c >= 0x7f && c < 0xa0)) {
        return false; /* C0, DEL, C1 */
    }
    if ((c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e)) {
        return false; /* invisible, line separators, direction overrides */
    }
    return !(c >= 0x2060 && c <= 0x206f) && c != 0xfeff && c != 0xad;
}
