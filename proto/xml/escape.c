/* SPDX-License-Identifier: GPL-2.0-or-later */
/* escape: character data and attribute values out. */
#include "base/utf8.h"
#include "xml/out.h"
#include "xml/writer.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define OUT_STEP_BYTES 512u

enum { ESCAPE_TEXT = 1, ESCAPE_ATTR = 2 };
#define BOTH (ESCAPE_TEXT | ESCAPE_ATTR)

/* CR would come back as LF from text; tab, CR and LF as spaces from attributes. */
static const uint8_t escaped_in[256] = {
    ['&'] = BOTH,  ['<'] = BOTH,  ['>'] = BOTH,         ['"'] = BOTH,
    ['\''] = BOTH, ['\r'] = BOTH, ['\t'] = ESCAPE_ATTR, ['\n'] = ESCAPE_ATTR,
};

void xml_out_begin(struct xml_out *o, struct buf *buf)
{
    o->buf = buf;
    o->at = buf->data ? buf->data + buf->tail : NULL;
    o->end = o->at;
}

void xml_out_end(struct xml_out *o)
{
    if (o->at) {
        buf_commit(o->buf, (size_t)(o->at - (o->buf->data + o->buf->tail)));
    }
}

bool xml_out_grow(struct xml_out *o, size_t len)
{
    size_t room;
    size_t want = len < OUT_STEP_BYTES ? OUT_STEP_BYTES : len;

    xml_out_end(o);
    room = buf_room(o->buf);
    /* More than is left is asked for only when it is needed: that is what fails the buffer. */
    if (want > room) {
        want = len > room ? len : room;
    }
    o->at = buf_reserve(o->buf, want);
    if (!o->at) {
        xml_out_begin(o, o->buf);
        return false;
    }
    o->end = o->at + want;
    return true;
}

static void put_escape(struct xml_out *o, char c)
{
    switch (c) {
    case '&':
        xml_out_lit(o, "&amp;");
        break;
    case '<':
        xml_out_lit(o, "&lt;");
        break;
    case '>':
        xml_out_lit(o, "&gt;");
        break;
    case '"':
        xml_out_lit(o, "&quot;");
        break;
    case '\'':
        xml_out_lit(o, "&apos;");
        break;
    case '\t':
        xml_out_lit(o, "&#9;");
        break;
    case '\n':
        xml_out_lit(o, "&#10;");
        break;
    default:
        xml_out_lit(o, "&#13;");
        break;
    }
}

#if defined(__SSE2__)
/* A bit for each of 16 bytes that needs an escape there. */
static uint32_t escape_mask(__m128i bytes, uint8_t where)
{
    /* '<' and '>', '&' and '\'' differ in one bit each. */
    __m128i angle = _mm_cmpeq_epi8(_mm_or_si128(bytes, _mm_set1_epi8(2)), _mm_set1_epi8('>'));
    __m128i amp = _mm_cmpeq_epi8(_mm_or_si128(bytes, _mm_set1_epi8(1)), _mm_set1_epi8('\''));
    __m128i marks = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                 _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\r')));

    if (where == ESCAPE_ATTR) {
        /* Tab and LF, by way of 8..11: there are no other control characters in XML. */
        marks = _mm_or_si128(marks, _mm_cmpeq_epi8(_mm_and_si128(bytes, _mm_set1_epi8((char)0xfc)),
                                                   _mm_set1_epi8(8)));
    }
    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(angle, amp), marks));
}

static __m128i load(const char *s)
{
    return _mm_loadu_si128((const __m128i *)(const void *)s);
}

/* Whether 4 to 15 bytes are all plain: the first and the last of them, which may overlap. */
static bool is_short_plain(const char *s, size_t len, uint8_t where)
{
    __m128i first;
    __m128i last;

    if (len >= 8) {
        first = _mm_loadl_epi64((const __m128i *)(const void *)s);
        last = _mm_loadl_epi64((const __m128i *)(const void *)(s + len - 8));
        return escape_mask(_mm_unpacklo_epi64(first, last), where) == 0;
    }
    first = _mm_loadu_si32(s);
    last = _mm_loadu_si32(s + len - 4);
    return escape_mask(_mm_unpacklo_epi32(first, last), where) == 0;
}
#endif

/* How many bytes at s, of len, stand for themselves. */
static size_t plain_len(const char *s, size_t len, uint8_t where)
{
    size_t at = 0;

#if defined(__SSE2__)
    if (len >= 16) {
        uint32_t mask;

        for (; len - at >= 16; at += 16) {
            mask = escape_mask(load(s + at), where);
            if (mask) {
                return at + (size_t)__builtin_ctz(mask);
            }
        }
        /* The last 16 again, which begin with what has been looked at. */
        mask = escape_mask(load(s + len - 16), where);
        return mask ? len - 16 + (size_t)__builtin_ctz(mask) : len;
    }
    if (len >= 4 && is_short_plain(s, len, where)) {
        return len;
    }
#endif
    while (at < len && !(escaped_in[(unsigned char)s[at]] & where)) {
        at++;
    }
    return at;
}

static void put_escaped(struct xml_out *o, struct slice s, uint8_t where)
{
    while (s.len) {
        size_t plain = plain_len(s.ptr, s.len, where);

        xml_out_put(o, slice_to(s, plain));
        if (plain == s.len) {
            return;
        }
        put_escape(o, s.ptr[plain]);
        s = slice_from(s, plain + 1);
    }
}

void xml_out_text(struct xml_out *o, struct slice text)
{
    put_escaped(o, text, ESCAPE_TEXT);
}

void xml_out_value(struct xml_out *o, struct slice value)
{
    put_escaped(o, value, ESCAPE_ATTR);
}

size_t xml_out_value_bytes_max(struct slice value)
{
    size_t plain = plain_len(value.ptr, value.len, ESCAPE_ATTR);

    return plain + (value.len - plain) * (sizeof("&quot;") - 1);
}

void xml_write_text(struct buf *out, struct slice text)
{
    struct xml_out o;

    xml_out_begin(&o, out);
    xml_out_text(&o, text);
    xml_out_end(&o);
}

/* How many bytes from at on are printable ASCII, tab or LF: most texts are nothing else. */
static size_t ascii_run(struct slice text, size_t at)
{
    size_t from = at;

#if defined(__SSE2__)
    for (; text.len - at >= 16; at += 16) {
        __m128i bytes = load(text.ptr + at);
        __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
        __m128i fine = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t')),
                                    _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')));
        uint32_t mask = (uint32_t)_mm_movemask_epi8(_mm_andnot_si128(fine, low));

        if (mask) {
            return at - from + (size_t)__builtin_ctz(mask);
        }
    }
#endif
    while (at < text.len && (((unsigned char)text.ptr[at] >= 0x20 &&
                              (unsigned char)text.ptr[at] < 0x80) ||
                             text.ptr[at] == '\t' || text.ptr[at] == '\n')) {
        at++;
    }
    return at - from;
}

/* The character at *at, which is none of a run, or what it becomes. */
static void put_cleaned(struct xml_out *o, struct slice text, size_t *at)
{
    size_t from = *at;
    uint32_t c;

    if (text.ptr[from] == '\r') {
        (*at)++;
        if (*at == text.len || text.ptr[*at] != '\n') {
            xml_out_putc(o, '\n');
        }
    } else if (!utf8_next(text, at, &c)) {
        (*at)++;
        xml_out_lit(o, "\xef\xbf\xbd");
    } else if (utf8_is_xml_char(c)) {
        xml_out_text(o, slice_make(text.ptr + from, *at - from));
    }
}

void xml_write_text_clean(struct buf *out, struct slice text)
{
    struct xml_out o;
    size_t at = 0;

    xml_out_begin(&o, out);
    while (at < text.len) {
        size_t run = ascii_run(text, at);

        xml_out_text(&o, slice_make(text.ptr + at, run));
        at += run;
        if (at < text.len) {
            put_cleaned(&o, text, &at);
        }
    }
    xml_out_end(&o);
}

void xml_write_attr(struct buf *out, const char *name, struct slice value)
{
    struct xml_out o;

    xml_out_begin(&o, out);
    xml_out_putc(&o, ' ');
    xml_out_put(&o, slice_from_cstr(name));
    xml_out_lit(&o, "=\"");
    xml_out_value(&o, value);
    xml_out_putc(&o, '"');
    xml_out_end(&o);
}
