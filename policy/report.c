/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report: collecting problems, finding their lines, printing them. */
#include <stdio.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "base/pool.h"
#include "policy/config.h"
#include "policy/load.h"
#include "policy/quote.h"

/* The last warning that is kept gives way: why a file is refused must not be missing because it
 * was also warned of much. */
static struct load_problem *place_of_warning(struct load *l)
{
    uint32_t idx = l->problem_count;

    while (!l->problems[idx - 1].problem.is_warning) {
        idx--;
    }
    pool_heap_free(l->problems[idx - 1].problem.path);
    pool_heap_free(l->problems[idx - 1].problem.text);
    l->kept_warnings--;
    return &l->problems[idx - 1];
}

static struct load_problem *new_place(struct load *l)
{
    if (l->problem_count == CONFIG_PROBLEMS_MAX) {
        return place_of_warning(l);
    }
    if (l->problem_count == l->problem_cap) {
        l->problem_cap = l->problem_cap ? l->problem_cap * 2 : 16;
        l->problems = pool_heap_grow(l->problems, l->problem_cap * sizeof(*l->problems));
    }
    return &l->problems[l->problem_count++];
}

void load_problem_at(struct load *l, bool is_warning, uint32_t offset, const char *path,
                     const char *text)
{
    uint32_t seq = l->error_count + l->warning_count;

    if (is_warning) {
        l->warning_count++;
    } else {
        l->error_count++;
    }
    if (load_is_full(l, is_warning)) {
        return;
    }
    l->kept_warnings += is_warning;
    *new_place(l) = (struct load_problem){
        .problem = {.is_warning = is_warning,
                    .path = pool_heap_strdup(path, strlen(path)),
                    .text = pool_heap_strdup(text, strlen(text))},
        .offset = offset,
        .seq = seq,
    };
}

bool load_is_plain_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!ascii_is_alnum(c) && c != '_' && c != '-') {
            return false;
        }
    }
    return name.len > 0 && name.len <= 64;
}

void load_path(char out[LOAD_PATH_BYTES], const struct load_where *where, const char *key,
               int32_t element)
{
    char base[LOAD_PATH_BYTES + 8];
    char last[16] = "";
    bool is_root = where->section[0] == 0;

    switch (where->kind) {
    case LOAD_AT_IDX:
        (void)snprintf(base, sizeof(base), "%s[%u]", where->section, (unsigned)where->idx);
        break;
    case LOAD_AT_NAME:
        if (load_is_plain_name(where->name)) {
            (void)snprintf(base, sizeof(base), "%s.%.*s", where->section, SLICE_FMT(where->name));
        } else {
            (void)snprintf(base, sizeof(base), "%s.%.120s", where->section,
                           quote(where->name).text);
        }
        break;
    case LOAD_AT_SECTION:
    default:
        (void)snprintf(base, sizeof(base), "%s", where->section);
        break;
    }
    if (element >= 0) {
        (void)snprintf(last, sizeof(last), "[%u]", (unsigned)element);
    }
    /* A cut path still names the place; line and column are exact. */
    (void)snprintf(out, LOAD_PATH_BYTES, "%.100s%s%.64s%s", base, is_root || !key ? "" : ".",
                   key ? key : "", last);
}

static int by_place(const void *a, const void *b)
{
    const struct load_problem *x = a;
    const struct load_problem *y = b;

    if (x->offset != y->offset) {
        return x->offset < y->offset ? -1 : 1;
    }
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* Moves line and column on from offset from to offset to; a column is a character. */
static void count_lines(struct slice source, size_t from, size_t to, uint32_t *line,
                        uint32_t *column)
{
    for (size_t i = from; i < to && i < source.len; i++) {
        if (source.ptr[i] == '\n') {
            (*line)++;
            *column = 1;
        } else if (((unsigned char)source.ptr[i] & 0xc0u) != 0x80u) {
            (*column)++;
        }
    }
}

void load_report(struct load *l, struct config_report *report)
{
    struct slice source = l->doc.source;
    size_t at = slice_starts(source, SLICE_LIT("\xef\xbb\xbf")) ? 3 : 0;
    uint32_t line = 1;
    uint32_t column = 1;

    report->file = pool_heap_strdup(l->file, strlen(l->file));
    report->error_count = l->error_count;
    report->warning_count = l->warning_count;
    if (l->problem_count == 0) {
        return;
    }
    qsort(l->problems, l->problem_count, sizeof(*l->problems), by_place);
    report->problems = pool_heap_zalloc(l->problem_count * sizeof(*report->problems));
    for (uint32_t i = 0; i < l->problem_count; i++) {
        struct load_problem *p = &l->problems[i];

        if (p->offset != JSON_NONE) {
            count_lines(source, at, p->offset, &line, &column);
            at = p->offset > at ? p->offset : at;
            p->problem.line = line;
            p->problem.column = column;
        }
        report->problems[i] = p->problem;
    }
    report->count = l->problem_count;
    pool_heap_free(l->problems);
    l->problems = NULL;
    l->problem_count = 0;
}

void config_report_deinit(struct config_report *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        pool_heap_free(r->problems[i].path);
        pool_heap_free(r->problems[i].text);
    }
    pool_heap_free(r->problems);
    pool_heap_free(r->file);
    *r = (struct config_report){0};
}

void config_report_write(const struct config_report *r, struct buf *out)
{
    uint32_t left_out = r->error_count + r->warning_count - r->count;

    for (uint32_t i = 0; i < r->count; i++) {
        const struct config_problem *p = &r->problems[i];

        buf_put_cstr(out, r->file);
        if (p->line) {
            buf_printf(out, ":%u:%u", (unsigned)p->line, (unsigned)p->column);
        }
        buf_put_lit(out, ": ");
        if (p->path[0]) {
            buf_put_cstr(out, p->path);
            buf_put_lit(out, ": ");
        }
        if (p->is_warning) {
            buf_put_lit(out, "warning: ");
        }
        buf_put_cstr(out, p->text);
        buf_putc(out, '\n');
    }
    if (left_out) {
        buf_put_cstr(out, r->file);
        buf_printf(out, ": %u more problems are not shown\n", (unsigned)left_out);
    }
}

void config_report_print(const struct config_report *r)
{
    struct buf text;

    buf_init(&text, POOL_BLOCK_BYTES_MAX);
    config_report_write(r, &text);
    if (buf_len(&text) > 0) {
        (void)fwrite(buf_slice(&text).ptr, 1, buf_len(&text), stderr);
    }
    buf_deinit(&text);
}
