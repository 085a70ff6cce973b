/* SPDX-License-Identifier: GPL-2.0-or-later */
/* html: one pass over tags and text. */
#include "translate/html.h"

#include "base/ascii.h"
#include "base/attr.h"
#include "base/utf8.h"

#define REFERENCE_BYTES_MAX 12u

struct rendering {
    struct buf *out;       /* borrowed */
    size_t start;          /* length of out at the beginning */
    bool space_pending;    /* white space seen since the last character */
    unsigned line_pending; /* line ends to put before the next character */
};

static void put_pending(struct rendering *r)
{
    if (buf_len(r->out) > r->start) {
        for (unsigned i = 0; i < r->line_pending; i++) {
            buf_putc(r->out, '\n');
        }
        if (r->line_pending == 0 && r->space_pending) {
            buf_putc(r->out, ' ');
        }
    }
    r->line_pending = 0;
    r->space_pending = false;
}

static void put_text(struct rendering *r, struct slice bytes)
{
    put_pending(r);
    buf_put(r->out, bytes);
}

static bool tag_is(struct slice name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_eq_nocase(name, slice_from_cstr(names[i]))) {
            return true;
        }
    }
    return false;
}

/* Behind the '>' that ends the tag at `at`; quotes hide '>'. Unterminated: the end. */
static size_t tag_end(struct slice html, size_t at)
{
    char quote = 0;

    for (; at < html.len; at++) {
        char c = html.ptr[at];
        if (quote) {
            quote = c == quote ? 0 : quote;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '>') {
            return at + 1;
        }
    }
    return html.len;
}

/* Position of the end tag of script, style, ... at or behind `at`. */
static size_t raw_end(struct slice html, size_t at, struct slice name)
{
    for (; at + 2 + name.len <= html.len; at++) {
        if (html.ptr[at] == '<' && html.ptr[at + 1] == '/' &&
            slice_eq_nocase(slice_make(html.ptr + at + 2, name.len), name)) {
            return at;
        }
    }
    return html.len;
}

static size_t skip_comment(struct slice html, size_t at)
{
    for (at += 4; at + 3 <= html.len; at++) {
        if (memcmp(html.ptr + at, "-->", 3) == 0) {
            return at + 3;
        }
    }
    return html.len;
}

/* A tag, comment or declaration starts at `at`; returns where text goes on. */
static size_t take_tag(struct rendering *r, struct slice html, size_t at)
{
    static const char *const hidden[] = {"script", "style", "head", "title", "template"};
    static const char *const blocks[] = {"p",  "div", "li", "tr", "h1", "h2", "h3", "h4",
                                         "h5", "h6",  "ul", "ol", "table", "blockquote", "pre"};

    if (slice_starts(slice_from(html, at), SLICE_LIT("<!--"))) {
        return skip_comment(html, at);
    }
    bool is_end = at + 1 < html.len && html.ptr[at + 1] == '/';
    size_t first = at + 1 + is_end;
    size_t last = first;
    while (last < html.len && ascii_is_alnum(html.ptr[last])) {
        last++;
    }
    struct slice name = slice_make(html.ptr + first, last - first);
    size_t end = tag_end(html, last);

    if (slice_eq_nocase(name, SLICE_LIT("br"))) {
        r->line_pending += r->line_pending < 2;
    } else if (tag_is(name, blocks, ARRAY_COUNT(blocks)) && r->line_pending == 0) {
        r->line_pending = 1;
    } else if (!is_end && tag_is(name, hidden, ARRAY_COUNT(hidden))) {
        return raw_end(html, end, name);
    }
    return end;
}

static uint32_t named_reference(struct slice name)
{
    static const struct {
        const char *name;
        uint32_t point;
    } names[] = {{"amp", '&'},      {"lt", '<'},        {"gt", '>'},       {"quot", '"'},
                 {"apos", '\''},    {"nbsp", 0xA0},     {"euro", 0x20AC},  {"copy", 0xA9},
                 {"auml", 0xE4},    {"ouml", 0xF6},     {"uuml", 0xFC},    {"szlig", 0xDF},
                 {"Auml", 0xC4},    {"Ouml", 0xD6},     {"Uuml", 0xDC},    {"eacute", 0xE9},
                 {"hellip", 0x2026}, {"ndash", 0x2013}, {"mdash", 0x2014}, {"laquo", 0xAB},
                 {"raquo", 0xBB},   {"bdquo", 0x201E},  {"ldquo", 0x201C}, {"rdquo", 0x201D},
                 {"lsquo", 0x2018}, {"rsquo", 0x2019}};

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (slice_eq_cstr(name, names[i].name)) {
            return names[i].point;
        }
    }
    return 0;
}

static uint32_t numeric_reference(struct slice digits)
{
    bool is_hex = digits.len > 0 && (digits.ptr[0] == 'x' || digits.ptr[0] == 'X');
    uint32_t value = 0;

    digits = slice_from(digits, is_hex);
    for (size_t i = 0; i < digits.len; i++) {
        int digit = ascii_hex_value(digits.ptr[i]);
        if (digit < 0 || (!is_hex && digit > 9) || value > 0x10FFFF) {
            return 0;
        }
        value = value * (is_hex ? 16 : 10) + (uint32_t)digit;
    }
    return value;
}

/* "&...;" at `at`; returns where text goes on. What is no reference stays as it is. */
static size_t take_reference(struct rendering *r, struct slice html, size_t at)
{
    struct slice rest = slice_to(slice_from(html, at + 1), REFERENCE_BYTES_MAX);
    ptrdiff_t end = slice_find(rest, ';');
    char bytes[4];
    size_t len = 0;

    if (end > 0) {
        struct slice name = slice_to(rest, (size_t)end);
        uint32_t c = name.ptr[0] == '#' ? numeric_reference(slice_from(name, 1))
                                        : named_reference(name);
        len = c != 0 ? utf8_put(bytes, c) : 0;
    }
    if (len == 0) {
        put_text(r, SLICE_LIT("&"));
        return at + 1;
    }
    put_text(r, slice_make(bytes, len));
    return at + 2 + (size_t)end;
}

void html_to_text(struct buf *out, struct slice html)
{
    struct rendering r = {.out = out, .start = buf_len(out)};
    size_t at = 0;

    while (at < html.len && !out->failed) {
        char c = html.ptr[at];
        bool opens = c == '<' && at + 1 < html.len &&
                     (ascii_is_alpha(html.ptr[at + 1]) || html.ptr[at + 1] == '/' ||
                      html.ptr[at + 1] == '!' || html.ptr[at + 1] == '?');
        if (opens) {
            at = take_tag(&r, html, at);
        } else if (c == '&') {
            at = take_reference(&r, html, at);
        } else if (ascii_is_space(c)) {
            r.space_pending = true;
            at++;
        } else {
            put_text(&r, slice_make(html.ptr + at, 1));
            at++;
        }
    }
}
