/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chars: the table and the two scanners that need more than one character. */
#include "sip/chars.h"

const uint16_t sip_chars[256] = {
#include "sip/chars_table.def"
};

bool sip_quoted_end(struct slice s, size_t at, size_t *end)
{
    for (size_t i = at + 1; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c == '"') {
            *end = i + 1;
            return true;
        }
        if (c == '\\') {
            /* quoted-pair: any ASCII character but CR and LF, NUL included. */
            i++;
            if (i >= s.len || (unsigned char)s.ptr[i] > 0x7F || s.ptr[i] == '\r' ||
                s.ptr[i] == '\n') {
                return false;
            }
        } else if ((c < 0x20 && !sip_char_is((char)c, SIP_CHAR_LWS)) || c == 0x7F) {
            return false;
        }
    }
    return false;
}

size_t sip_escaped_span(struct slice s, size_t at, enum sip_char class)
{
    size_t i = at;

    for (;;) {
        i += sip_span(s, i, class);
        if (i >= s.len || s.ptr[i] != '%' || s.len - i < 3 || ascii_hex_value(s.ptr[i + 1]) < 0 ||
            ascii_hex_value(s.ptr[i + 2]) < 0) {
            return i - at;
        }
        i += 3;
    }
}

bool sip_escaped_are(struct slice s, enum sip_char class)
{
    return sip_escaped_span(s, 0, class) == s.len;
}
