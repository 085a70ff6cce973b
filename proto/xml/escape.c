/* SPDX-License-Identifier: GPL-2.0-or-later */
/* escape: character data and attribute values out. */
#include "xml/escape.h"

#include "base/utf8.h"
#include "xml/writer.h"

enum { ESCAPE_TEXT = 1, ESCAPE_ATTR = 2 };
#define BOTH (ESCAPE_TEXT | ESCAPE_ATTR)

/* CR would come back as LF from text; tab, CR and LF as spaces from attributes. */
static const uint8_t escaped_in[256] = {
    ['&'] = BOTH,  ['<'] = BOTH,  ['>'] = BOTH,         ['"'] = BOTH,
    ['\''] = BOTH, ['\r'] = BOTH, ['\t'] = ESCAPE_ATTR, ['\n'] = ESCAPE_ATTR,
};

static void put_escape(struct buf *out, char c)
{
    switch (c) {
    case '&':
        buf_put_lit(out, "&amp;");
        break;
    case '<':
        buf_put_lit(out, "&lt;");
        break;
    case '>':
        buf_put_lit(out, "&gt;");
        break;
    case '"':
        buf_put_lit(out, "&quot;");
        break;
    case '\'':
        buf_put_lit(out, "&apos;");
        break;
    case '\t':
        buf_put_lit(out, "&#9;");
        break;
    case '\n':
        buf_put_lit(out, "&#10;");
        break;
    default:
        buf_put_lit(out, "&#13;");
        break;
    }
}

static void put_escaped(struct buf *out, struct slice s, uint8_t where)
{
    size_t from = 0;

    for (size_t at = 0; at < s.len; at++) {
        if (escaped_in[(unsigned char)s.ptr[at]] & where) {
            buf_append(out, s.ptr + from, at - from);
            put_escape(out, s.ptr[at]);
            from = at + 1;
        }
    }
    if (from < s.len) {
        buf_append(out, s.ptr + from, s.len - from);
    }
}

void xml_write_text(struct buf *out, struct slice text)
{
    put_escaped(out, text, ESCAPE_TEXT);
}

void xml_write_text_clean(struct buf *out, struct slice text)
{
    size_t at = 0;

    while (at < text.len) {
        size_t from = at;
        uint32_t c;

        if (text.ptr[at] == '\r') {
            at++;
            if (at == text.len || text.ptr[at] != '\n') {
                buf_putc(out, '\n');
            }
        } else if (!utf8_next(text, &at, &c)) {
            at++;
            buf_put_lit(out, "\xef\xbf\xbd");
        } else if (utf8_is_xml_char(c)) {
            xml_write_text(out, slice_make(text.ptr + from, at - from));
        }
    }
}

void xml_escape_attr(struct buf *out, struct slice value)
{
    put_escaped(out, value, ESCAPE_ATTR);
}

void xml_write_attr(struct buf *out, const char *name, struct slice value)
{
    buf_putc(out, ' ');
    buf_put_cstr(out, name);
    buf_put_lit(out, "=\"");
    xml_escape_attr(out, value);
    buf_putc(out, '"');
}
