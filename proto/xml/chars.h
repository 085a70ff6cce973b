/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chars: character classes of XML 1.0 for the parser and writer of this room. Any thread. */
#ifndef FG_XML_CHARS_H
#define FG_XML_CHARS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "base/slice.h"

#define XML_NS_XML   "http://www.w3.org/XML/1998/namespace"
#define XML_NS_XMLNS "http://www.w3.org/2000/xmlns/"

/* Bits of xml_class[]. Those of names and space only ASCII has. */
enum {
    XML_CLASS_NAME_START = 1, /* without ':' */
    XML_CLASS_NAME = 2,       /* without ':' */
    XML_CLASS_SPACE = 4,
    XML_CLASS_TEXT_STOP = 8,   /* < > &, control characters but tab and LF, above 0x7f */
    XML_CLASS_VALUE_STOP = 16, /* < > & " ', control characters, above 0x7f */
    XML_CLASS_NO_URI = 32,     /* ASCII that no URI contains (RFC 3986 section 2) */
};
extern const uint8_t xml_class[256];

static inline bool xml_is_space(char c)
{
    return (xml_class[(unsigned char)c] & XML_CLASS_SPACE) != 0;
}

/* Name characters above U+007F (see names.c for which edition). */
bool xml_is_wide_name_start(uint32_t code_point);
bool xml_is_wide_name(uint32_t code_point);

/* Length of the well-formed UTF-8 sequence at s of an XML character above U+007F, or 0 when there
 * is none before end.                                                                           */
size_t xml_wide_decode(const char *s, const char *end, uint32_t *code_point);
/* The same without the code point. */
static inline size_t xml_wide_len(const char *s, const char *end)
{
    const unsigned char *u = (const unsigned char *)s;
    uint32_t code_point;

    /* Two bytes, and three where every continuation is a character: most scripts of the world. */
    if (end - s >= 2 && u[0] >= 0xc2 && u[0] <= 0xdf) {
        return (u[1] & 0xc0) == 0x80 ? 2 : 0;
    }
    if (end - s >= 3 && u[0] >= 0xe1 && u[0] <= 0xec) {
        return (u[1] & 0xc0) == 0x80 && (u[2] & 0xc0) == 0x80 ? 3 : 0;
    }
    return xml_wide_decode(s, end, &code_point);
}
/* How many bytes from s on are such characters. */
size_t xml_wide_skip(const char *s, const char *end);

/* slice_eq for texts of some 8 to 32 bytes, addresses and namespace names: without a call. */
static inline bool xml_is_same(struct slice a, struct slice b)
{
    uint64_t x[4];
    uint64_t y[4];

    if (a.len != b.len) {
        return false;
    }
    if (a.len < 8 || a.len > 32) {
        return slice_eq(a, b);
    }
    memcpy(x, a.ptr, 8);
    memcpy(y, b.ptr, 8);
    memcpy(x + 1, a.ptr + a.len - 8, 8);
    memcpy(y + 1, b.ptr + b.len - 8, 8);
    if (a.len <= 16) {
        return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
    }
    memcpy(x + 2, a.ptr + 8, 8);
    memcpy(y + 2, b.ptr + 8, 8);
    memcpy(x + 3, a.ptr + a.len - 16, 8);
    memcpy(y + 3, b.ptr + b.len - 16, 8);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3])) == 0;
}

#endif
