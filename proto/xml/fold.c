/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fold: from bytes as written to the value they stand for: references, line ends, white space of
 * attributes (XML 1.0 sections 2.11, 3.3.3, 4.1). The fast paths take what needs none of this; the
 * rest comes here, and every fault of character data is found here.                             */
#include "base/ascii.h"
#include "base/utf8.h"
#include "xml/chars.h"
#include "xml/parser_int.h"

/* The value of &#...; or &#x...; between '#' and ';'. False when it is no XML character. */
static bool number_decode(struct slice digits, uint32_t *code_point)
{
    uint32_t base = 10;
    uint32_t value = 0;

    if (digits.len && digits.ptr[0] == 'x') {
        base = 16;
        digits = slice_from(digits, 1);
    }
    if (digits.len == 0) {
        return false;
    }
    for (size_t i = 0; i < digits.len; i++) {
        int digit = ascii_hex_value(digits.ptr[i]);

        if (digit < 0 || (uint32_t)digit >= base) {
            return false;
        }
        value = value * base + (uint32_t)digit;
        if (value > 0x10ffff) {
            return false;
        }
    }
    *code_point = value;
    return utf8_is_xml_char(value);
}

static char entity_decode(struct slice name)
{
    static const struct {
        struct slice name;
        char c;
    } known[] = {
        {{"lt", 2}, '<'},   {{"gt", 2}, '>'},    {{"amp", 3}, '&'},
        {{"quot", 4}, '"'}, {{"apos", 4}, '\''},
    };

    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        if (slice_eq(known[i].name, name)) {
            return known[i].c;
        }
    }
    return 0;
}

/* Whether what stands between '&' and ';' is spelled like an entity name at all. */
static bool is_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t class = xml_class[(unsigned char)s.ptr[i]];

        if ((unsigned char)s.ptr[i] < 0x80 && !(class & XML_CLASS_NAME)) {
            return false;
        }
    }
    return s.len != 0 && !ascii_is_digit(s.ptr[0]) && s.ptr[0] != '-' && s.ptr[0] != '.';
}

/* *at stands behind '&'; moves it behind ';'. */
static enum xml_step take_reference(struct xml_parser *p, struct slice raw, size_t *at, char **out)
{
    const char *from = raw.ptr + *at;
    const char *semicolon = *at < raw.len ? memchr(from, ';', raw.len - *at) : NULL;
    struct slice name;
    uint32_t code_point;
    char c;

    if (!semicolon) {
        return XML_MALFORMED(p, "'&' without ';'");
    }
    name = slice_make(from, (size_t)(semicolon - from));
    *at += name.len + 1;
    if (name.len && name.ptr[0] == '#') {
        if (!number_decode(slice_from(name, 1), &code_point)) {
            return XML_MALFORMED(p, "character reference to no XML character");
        }
        *out += utf8_put(*out, code_point);
        return XML_STEP_OK;
    }
    c = entity_decode(name);
    if (!c) {
        return is_name(name) ? xml_refuse(p, XML_WHY_RESTRICTED, "entity reference")
                             : XML_MALFORMED(p, "malformed reference");
    }
    *(*out)++ = c;
    return XML_STEP_OK;
}

/* One byte of ASCII that the scan stopped at; false = not allowed here. */
static bool take_ascii(enum xml_fold how, struct slice raw, size_t *at, char **out)
{
    char c = raw.ptr[*at];

    (*at)++;
    if (c == '\r') {
        if (*at < raw.len && raw.ptr[*at] == '\n') {
            (*at)++;
        }
        c = '\n';
    } else if ((unsigned char)c < 0x20 && c != '\t' && c != '\n') {
        return false;
    }
    if (how == XML_FOLD_ATTR && (c == '\t' || c == '\n')) {
        c = ' ';
    }
    if (c == '<' && how != XML_FOLD_CDATA) {
        return false;
    }
    if (c == ']' && how == XML_FOLD_TEXT && raw.len - *at >= 2 && raw.ptr[*at] == ']' &&
        raw.ptr[*at + 1] == '>') {
        return false;
    }
    *(*out)++ = c;
    return true;
}

enum xml_step xml_fold(struct xml_parser *p, enum xml_fold how, struct slice raw, char *out,
                       size_t *out_len)
{
    const char *end = raw.ptr + raw.len;
    char *to = out;
    size_t at = 0;

    while (at < raw.len) {
        const char *from = raw.ptr + at;
        const char *stop =
            how == XML_FOLD_ATTR ? p->scan->value(from, end, '<') : p->scan->text(from, end);
        size_t len = (size_t)(stop - from);

        memcpy(to, from, len);
        to += len;
        at += len;
        if (stop == end) {
            break;
        }
        if ((unsigned char)*stop >= 0x80) {
            len = xml_wide_skip(stop, end);
            if (len == 0) {
                return XML_MALFORMED(p, "not UTF-8 or no XML character");
            }
            memcpy(to, stop, len);
            to += len;
            at += len;
        } else if (*stop == '&' && how != XML_FOLD_CDATA) {
            at++;
            if (take_reference(p, raw, &at, &to) == XML_STEP_BAD) {
                return XML_STEP_BAD;
            }
        } else if (!take_ascii(how, raw, &at, &to)) {
            return XML_MALFORMED(p, "character not allowed here");
        }
    }
    *out_len = (size_t)(to - out);
    return XML_STEP_OK;
}
