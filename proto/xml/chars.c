/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chars: the table of ASCII classes and the decoding of single characters. */
#include "xml/chars.h"

#include "base/utf8.h"

#define START (XML_CLASS_NAME_START | XML_CLASS_NAME)
#define STOP  (XML_CLASS_TEXT_STOP | XML_CLASS_VALUE_STOP)
#define NOURI XML_CLASS_NO_URI

const uint8_t xml_class[256] = {
    [0 ... 0x08] = STOP | NOURI,
    ['\t'] = XML_CLASS_SPACE | XML_CLASS_VALUE_STOP | NOURI,
    ['\n'] = XML_CLASS_SPACE | XML_CLASS_VALUE_STOP | NOURI,
    [0x0b ... 0x0c] = STOP | NOURI,
    ['\r'] = XML_CLASS_SPACE | STOP | NOURI,
    [0x0e ... 0x1f] = STOP | NOURI,
    [' '] = XML_CLASS_SPACE | NOURI,
    ['"'] = XML_CLASS_VALUE_STOP | NOURI,
    ['&'] = STOP,
    ['\''] = XML_CLASS_VALUE_STOP,
    ['-' ... '.'] = XML_CLASS_NAME,
    ['0' ... '9'] = XML_CLASS_NAME,
    ['<'] = STOP | NOURI,
    ['>'] = STOP | NOURI,
    ['A' ... 'Z'] = START,
    ['\\'] = NOURI,
    ['^'] = NOURI,
    ['_'] = START,
    ['`'] = NOURI,
    ['a' ... 'z'] = START,
    ['{' ... '}'] = NOURI,
    [0x7f] = NOURI,
    [0x80 ... 0xff] = STOP,
};

size_t xml_wide_decode(const char *s, const char *end, uint32_t *code_point)
{
    size_t len = (size_t)(end - s);
    size_t at = 0;

    if (len > 4) {
        len = 4;
    }
    if (!utf8_next(slice_make(s, len), &at, code_point) || !utf8_is_xml_char(*code_point)) {
        return 0;
    }
    return at;
}

size_t xml_wide_skip(const char *s, const char *end)
{
    const char *start = s;
    size_t len;

    while (s < end && (unsigned char)*s >= 0x80 && (len = xml_wide_len(s, end)) != 0) {
        s += len;
    }
    return (size_t)(s - start);
}
