/* SPDX-License-Identifier: GPL-2.0-or-later */
/* out_table: aligned columns. A character counts as one cell of the terminal. */
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/pool.h"
#include "ctl/out.h"

#define CELLS_FIRST    64u
#define COLUMNS_MAX    16u
#define CELL_BYTES     1024u
#define CELL_BYTES_MAX ((size_t)64 << 10)
#define GAP            2u

void out_table_init(struct out_table *t, const char *const *heads, uint32_t column_count)
{
    ASSERT(column_count > 0 && column_count <= COLUMNS_MAX);
    *t = (struct out_table){.heads = heads, .column_count = column_count};
}

void out_table_deinit(struct out_table *t)
{
    pool_heap_free(t->cells);
    pool_heap_free(t->ends);
}

void out_cell(struct out_table *t, struct slice text)
{
    struct buf clean;

    if (t->cell_count == t->cell_cap) {
        t->cell_cap = t->cell_cap ? t->cell_cap * 2 : CELLS_FIRST;
        t->ends = pool_heap_grow(t->ends, t->cell_cap * sizeof(*t->ends));
    }
    buf_init(&clean, CELL_BYTES_MAX);
    out_put_clean(&clean, text);
    text = buf_slice(&clean);
    if (t->bytes + text.len > t->bytes_cap) {
        t->bytes_cap = 2 * (t->bytes + text.len);
        t->cells = pool_heap_grow(t->cells, t->bytes_cap);
    }
    if (text.len > 0) {
        memcpy(t->cells + t->bytes, text.ptr, text.len);
    }
    t->bytes += text.len;
    t->ends[t->cell_count++] = t->bytes;
    buf_deinit(&clean);
}

void out_cell_printf(struct out_table *t, const char *fmt, ...)
{
    char text[CELL_BYTES];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    out_cell(t, slice_from_cstr(text));
}

/* Code points: the text is clean, so each is one character. */
static uint32_t width_of(struct slice text)
{
    uint32_t width = 0;

    for (size_t i = 0; i < text.len; i++) {
        width += ((unsigned char)text.ptr[i] & 0xc0u) != 0x80u;
    }
    return width;
}

static struct slice cell_at(const struct out_table *t, size_t idx)
{
    size_t from = idx ? t->ends[idx - 1] : 0;

    return slice_make(t->cells + from, t->ends[idx] - from);
}

static struct slice head_of(const struct out_table *t, uint32_t column)
{
    return slice_from_cstr(t->heads[column] + (t->heads[column][0] == '>'));
}

static void pad(struct buf *out, uint32_t count)
{
    while (count-- > 0) {
        buf_putc(out, ' ');
    }
}

static void put(const struct out_table *t, struct buf *out, uint32_t column, struct slice text,
                uint32_t width)
{
    uint32_t left = width - width_of(text);
    bool is_last = column + 1 == t->column_count;

    if (t->heads[column][0] == '>') {
        pad(out, left);
        buf_put(out, text);
    } else {
        buf_put(out, text);
        pad(out, is_last ? 0 : left);
    }
    if (is_last) {
        buf_putc(out, '\n');
    } else {
        pad(out, GAP);
    }
}

void out_table_write(const struct out_table *t, struct out *o)
{
    uint32_t widths[COLUMNS_MAX];

    ASSERT(t->cell_count % t->column_count == 0);
    for (uint32_t c = 0; c < t->column_count; c++) {
        widths[c] = width_of(head_of(t, c));
    }
    for (size_t i = 0; i < t->cell_count; i++) {
        uint32_t width = width_of(cell_at(t, i));
        uint32_t *widest = &widths[i % t->column_count];

        *widest = width > *widest ? width : *widest;
    }
    for (uint32_t c = 0; c < t->column_count; c++) {
        put(t, &o->text, c, head_of(t, c), widths[c]);
    }
    for (size_t i = 0; i < t->cell_count; i++) {
        uint32_t c = (uint32_t)(i % t->column_count);

        put(t, &o->text, c, cell_at(t, i), widths[c]);
        out_spill(o);
    }
}
