/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chars: the table of ASCII classes and the decoding of single characters. */
#include "xml/chars.h"

#include "base/utf8.h"

#define START (XML_CLASS_NAME_START | XML_CLASS_NAME)

const uint8_t xml_class[256] = {
    ['\t'] = XML_CLASS_SPACE,       ['\n'] = XML_CLASS_SPACE, ['\r'] = XML_CLASS_SPACE,
    [' '] = XML_CLASS_SPACE,        ['-'] = XML_CLASS_NAME,   ['.'] = XML_CLASS_NAME,
    ['0' ... '9'] = XML_CLASS_NAME, ['A' ... 'Z'] = START,    ['_'] = START,
    ['a' ... 'z'] = START,
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
