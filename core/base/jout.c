/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jout: a JSON document, piece by piece. */
#include "base/jout.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/utf8.h"

#define PRINTF_BYTES 1024u
#define SURROGATE_BASE 0x10000u

void jout_init(struct jout *j, struct buf *out, bool is_indented)
{
    *j = (struct jout){.out = out, .is_indented = is_indented, .is_first = true};
}

static void new_line(struct jout *j)
{
    buf_putc(j->out, '\n');
    for (uint32_t i = 0; i < j->depth; i++) {
        buf_put_lit(j->out, "  ");
    }
}

/* What stands before a value: comma, line, key. */
static void lead(struct jout *j, const char *key)
{
    if (j->has_key) {
        ASSERT(!key);
        j->has_key = false;
        return;
    }
    if (j->depth > 0) {
        ASSERT((key == NULL) == (((j->lists >> (j->depth - 1)) & 1u) != 0));
        if (!j->is_first) {
            buf_put_cstr(j->out, j->is_indented ? "," : ", ");
        }
        if (j->is_indented) {
            new_line(j);
        }
    }
    j->is_first = false;
    if (key) {
        jout_quoted(j->out, slice_from_cstr(key));
        buf_put_lit(j->out, ": ");
    }
}

static void open_level(struct jout *j, const char *key, bool is_list)
{
    lead(j, key);
    ASSERT(j->depth < JOUT_DEPTH_MAX);
    buf_putc(j->out, is_list ? '[' : '{');
    j->lists &= ~(1u << j->depth);
    j->lists |= (uint32_t)is_list << j->depth;
    j->depth++;
    j->is_first = true;
}

void jout_object(struct jout *j, const char *key)
{
    open_level(j, key, false);
}

void jout_list(struct jout *j, const char *key)
{
    open_level(j, key, true);
}

void jout_end(struct jout *j)
{
    ASSERT(j->depth > 0 && !j->has_key);
    j->depth--;
    if (j->is_indented && !j->is_first) {
        new_line(j);
    }
    buf_putc(j->out, (j->lists >> j->depth) & 1u ? ']' : '}');
    j->is_first = false;
    if (j->depth == 0) {
        buf_putc(j->out, '\n');
    }
}

void jout_key(struct jout *j, struct slice key)
{
    ASSERT(j->depth > 0 && !((j->lists >> (j->depth - 1)) & 1u) && !j->has_key);
    if (!j->is_first) {
        buf_put_cstr(j->out, j->is_indented ? "," : ", ");
    }
    if (j->is_indented) {
        new_line(j);
    }
    j->is_first = false;
    jout_quoted(j->out, key);
    buf_put_lit(j->out, ": ");
    j->has_key = true;
}

void jout_text(struct jout *j, const char *key, struct slice text)
{
    lead(j, key);
    jout_quoted(j->out, text);
}

void jout_cstr(struct jout *j, const char *key, const char *text)
{
    if (text) {
        jout_text(j, key, slice_from_cstr(text));
    } else {
        jout_null(j, key);
    }
}

void jout_printf(struct jout *j, const char *key, const char *fmt, ...)
{
    char text[PRINTF_BYTES];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    jout_cstr(j, key, text);
}

void jout_u64(struct jout *j, const char *key, uint64_t value)
{
    lead(j, key);
    buf_put_u64(j->out, value);
}

void jout_i64(struct jout *j, const char *key, int64_t value)
{
    lead(j, key);
    if (value < 0) {
        buf_putc(j->out, '-');
    }
    buf_put_u64(j->out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void jout_bool(struct jout *j, const char *key, bool value)
{
    lead(j, key);
    buf_put_cstr(j->out, value ? "true" : "false");
}

void jout_null(struct jout *j, const char *key)
{
    lead(j, key);
    buf_put_lit(j->out, "null");
}

void jout_raw(struct jout *j, const char *key, struct slice json)
{
    lead(j, key);
    buf_put(j->out, json);
}

static void put_escaped(struct buf *out, uint32_t c)
{
    if (c < SURROGATE_BASE) {
        buf_printf(out, "\\u%04x", (unsigned)c);
    } else {
        buf_printf(out, "\\u%04x\\u%04x", (unsigned)(0xd800u + ((c - SURROGATE_BASE) >> 10)),
                   (unsigned)(0xdc00u + (c & 0x3ffu)));
    }
}

void jout_quoted(struct buf *out, struct slice text)
{
    size_t at = 0;

    buf_putc(out, '"');
    while (at < text.len) {
        size_t from = at;
        uint32_t c;

        if (!utf8_next(text, &at, &c)) {
            at = from + 1;
            buf_put_lit(out, "\xef\xbf\xbd");
        } else if (c == '"' || c == '\\') {
            buf_putc(out, '\\');
            buf_putc(out, (char)c);
        } else if (c == '\n') {
            buf_put_lit(out, "\\n");
        } else if (utf8_is_harmless(c)) {
            buf_append(out, text.ptr + from, at - from);
        } else {
            put_escaped(out, c);
        }
    }
    buf_putc(out, '"');
}
