/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff: splices widened to lines, lines that are alike taken off, near ones put into one hunk. */
#include "ctl/diff.h"

#include <string.h>

#include "base/check.h"
#include "base/pool.h"
#include "policy/json.h"
#include "policy/schema.h"

#define CONTEXT_LINES    3u
#define LINE_BYTES_SHOWN 500u
#define BYTES_BEFORE     100u

/* Lines old_at..old_end of the old text became now_at..now_end; all are starts of lines. */
struct block {
    size_t old_at;
    size_t old_end;
    size_t now_at;
    size_t now_end;
};

struct span {
    size_t at;
    size_t end;
};

/* Where the secrets stand in a text. */
struct secrets {
    struct span *spans; /* owned */
    uint32_t count;
    uint32_t next; /* lines are asked for in order */
};

struct differ {
    struct slice old;
    struct slice now;
    struct block *blocks; /* owned */
    uint32_t count;
    struct secrets old_secrets;
    struct secrets now_secrets;
    struct buf *out;
    size_t counted_at; /* offset in old whose line number is known */
    uint32_t line;
    int64_t shift; /* lines of now minus lines of old, before the hunk */
};

/* --- secrets --- */

static bool is_secret_key(struct slice name)
{
    for (uint32_t i = 0; i < KEY_COUNT; i++) {
        const struct schema_key *key = schema_key_at((enum schema_key_idx)i);

        if ((key->flags & SCHEMA_SECRET) && slice_eq_cstr(name, key->name)) {
            return true;
        }
    }
    return false;
}

static void find_secrets(struct secrets *s, const struct json_doc *doc)
{
    uint32_t cap = 0;

    for (uint32_t i = 0; i + 1 < doc->count; i++) {
        if (json_kind_of(doc, i) != JSON_KEY || !is_secret_key(json_text(doc, i))) {
            continue;
        }
        if (s->count == cap) {
            cap = cap ? cap * 2 : 8;
            s->spans = pool_heap_grow(s->spans, cap * sizeof(*s->spans));
        }
        s->spans[s->count++] = (struct span){doc->nodes[i + 1].start, edit_value_end(doc, i + 1)};
    }
}

static void find_new_secrets(struct secrets *s, struct slice now)
{
    struct json_doc doc = {0};
    struct json_fault fault;

    if (json_parse(&doc, now, JSON_DEPTH_MAX, &fault) == 0) {
        find_secrets(s, &doc);
    } else {
        s->spans = pool_heap_zalloc(sizeof(*s->spans));
        s->spans[s->count++] = (struct span){0, now.len}; /* whatever it is */
    }
    json_deinit(&doc);
}

/* --- lines --- */

static size_t line_start(struct slice s, size_t at)
{
    while (at > 0 && s.ptr[at - 1] != '\n') {
        at--;
    }
    return at;
}

static size_t line_after(struct slice s, size_t at)
{
    const char *end = at < s.len ? memchr(s.ptr + at, '\n', s.len - at) : NULL;

    return end ? (size_t)(end - s.ptr) + 1 : s.len;
}

static bool is_line_start(struct slice s, size_t at)
{
    return at == 0 || s.ptr[at - 1] == '\n';
}

static size_t lines_before(struct slice s, size_t at, uint32_t count)
{
    for (; count && at; count--) {
        at = line_start(s, at - 1);
    }
    return at;
}

static size_t lines_behind(struct slice s, size_t at, uint32_t count)
{
    for (; count && at < s.len; count--) {
        at = line_after(s, at);
    }
    return at;
}

static uint32_t count_lines(struct slice s, size_t from, size_t to)
{
    uint32_t count = 0;

    for (; from < to; from = line_after(s, from)) {
        count++;
    }
    return count;
}

/* --- blocks --- */

static void make_blocks(struct differ *d, const struct edit *e)
{
    size_t delta = 0; /* may wrap: now = old + delta */

    d->blocks = pool_heap_zalloc((e->splice_count + 1) * sizeof(*d->blocks));
    for (uint32_t i = 0; i < e->splice_count; i++) {
        const struct edit_splice *splice = &e->splices[i];
        struct block *last = d->count ? &d->blocks[d->count - 1] : NULL;
        struct block b = {.old_at = line_start(d->old, splice->start)};

        b.now_at = b.old_at + delta;
        delta = delta - (splice->end - splice->start) + splice->text_len;
        b.old_end = splice->end;
        if (!is_line_start(d->old, splice->end) || !is_line_start(d->now, splice->end + delta)) {
            b.old_end = line_after(d->old, splice->end);
        }
        b.now_end = b.old_end + delta;
        if (last && b.old_at <= last->old_end) {
            last->old_end = b.old_end > last->old_end ? b.old_end : last->old_end;
            last->now_end = last->old_end + delta;
        } else {
            d->blocks[d->count++] = b;
        }
    }
}

static bool is_same_line(struct slice a, size_t a_at, size_t a_end, struct slice b, size_t b_at,
                         size_t b_end)
{
    return slice_eq(slice_make(a.ptr + a_at, a_end - a_at), slice_make(b.ptr + b_at, b_end - b_at));
}

/* Takes off what is alike at both ends; false: nothing is left. */
static bool trim(const struct differ *d, struct block *b)
{
    while (b->old_at < b->old_end && b->now_at < b->now_end) {
        size_t old_end = line_after(d->old, b->old_at);
        size_t now_end = line_after(d->now, b->now_at);

        if (!is_same_line(d->old, b->old_at, old_end, d->now, b->now_at, now_end)) {
            break;
        }
        b->old_at = old_end;
        b->now_at = now_end;
    }
    while (b->old_at < b->old_end && b->now_at < b->now_end) {
        size_t old_at = line_start(d->old, b->old_end - 1);
        size_t now_at = line_start(d->now, b->now_end - 1);

        if (!is_same_line(d->old, old_at, b->old_end, d->now, now_at, b->now_end)) {
            break;
        }
        b->old_end = old_at;
        b->now_end = now_at;
    }
    return b->old_at < b->old_end || b->now_at < b->now_end;
}

/* --- writing --- */

/* One line without its end, secrets covered; of a very long one (a file without line ends) only
 * what stands around its byte number shown. */
static void put_line(struct buf *out, struct slice s, struct span line, size_t shown,
                     struct secrets *secrets)
{
    bool is_cut;

    while (line.end > line.at && (s.ptr[line.end - 1] == '\n' || s.ptr[line.end - 1] == '\r')) {
        line.end--;
    }
    if (line.end - line.at > LINE_BYTES_SHOWN && shown > BYTES_BEFORE) {
        line.at += shown - BYTES_BEFORE;
        buf_put_lit(out, "...");
    }
    is_cut = line.end > line.at + LINE_BYTES_SHOWN;
    line.end = is_cut ? line.at + LINE_BYTES_SHOWN : line.end;
    while (secrets->next < secrets->count && secrets->spans[secrets->next].end <= line.at) {
        secrets->next++;
    }
    for (uint32_t i = secrets->next; i < secrets->count && secrets->spans[i].at < line.end; i++) {
        if (secrets->spans[i].at >= line.at) {
            out_put_clean(out, slice_make(s.ptr + line.at, secrets->spans[i].at - line.at));
            buf_put_lit(out, "\"...\"");
        }
        line.at = secrets->spans[i].end < line.end ? secrets->spans[i].end : line.end;
    }
    out_put_clean(out, slice_make(s.ptr + line.at, line.end - line.at));
    buf_put_cstr(out, is_cut ? "...\n" : "\n");
}

static void put_lines(struct buf *out, char mark, struct slice s, struct span span, size_t shown,
                      struct secrets *secrets)
{
    while (span.at < span.end) {
        size_t after = line_after(s, span.at);

        buf_putc(out, mark);
        put_line(out, s, (struct span){span.at, after}, shown, secrets);
        if (after == s.len && s.ptr[after - 1] != '\n') {
            buf_put_lit(out, "\\ No newline at end of file\n");
        }
        span.at = after;
    }
}

/* Where the first lines of the two begin to differ. */
static size_t first_difference(const struct differ *d, const struct block *b)
{
    size_t old_end = line_after(d->old, b->old_at);
    size_t now_end = line_after(d->now, b->now_at);
    size_t at = 0;

    if (b->old_at == b->old_end || b->now_at == b->now_end) {
        return 0;
    }
    while (b->old_at + at < old_end && b->now_at + at < now_end &&
           d->old.ptr[b->old_at + at] == d->now.ptr[b->now_at + at]) {
        at++;
    }
    return at;
}

/* "12,3", or as diff(1) has it when there is no line: the one before. */
static void put_range(struct buf *out, char mark, int64_t line, uint32_t count)
{
    buf_printf(out, "%c%lld,%u", mark, (long long)(count ? line : line - 1), (unsigned)count);
}

static void put_hunk(struct differ *d, const struct block *first, const struct block *last)
{
    size_t from = lines_before(d->old, first->old_at, CONTEXT_LINES);
    size_t to = lines_behind(d->old, last->old_end, CONTEXT_LINES);
    uint32_t old_count = count_lines(d->old, from, to);
    size_t now_from = first->now_at - (first->old_at - from);
    size_t now_to = last->now_end + (to - last->old_end);
    uint32_t now_count = count_lines(d->now, now_from, now_to);
    size_t at = from;

    d->line += count_lines(d->old, d->counted_at, from);
    d->counted_at = from;
    buf_put_lit(d->out, "@@ ");
    put_range(d->out, '-', d->line, old_count);
    buf_putc(d->out, ' ');
    put_range(d->out, '+', d->line + d->shift, now_count);
    buf_put_lit(d->out, " @@\n");
    for (const struct block *b = first; b <= last; b++) {
        size_t shown = first_difference(d, b);

        put_lines(d->out, ' ', d->old, (struct span){at, b->old_at}, 0, &d->old_secrets);
        put_lines(d->out, '-', d->old, (struct span){b->old_at, b->old_end}, shown,
                  &d->old_secrets);
        put_lines(d->out, '+', d->now, (struct span){b->now_at, b->now_end}, shown,
                  &d->now_secrets);
        at = b->old_end;
    }
    put_lines(d->out, ' ', d->old, (struct span){at, to}, 0, &d->old_secrets);
    d->shift += (int64_t)now_count - old_count;
}

void diff_write(const struct edit *e, struct slice now, const char *file, struct buf *out,
                struct out *o)
{
    struct differ d = {.old = e->doc->source, .now = now, .out = out, .line = 1};
    uint32_t kept = 0;

    make_blocks(&d, e);
    for (uint32_t i = 0; i < d.count; i++) {
        if (trim(&d, &d.blocks[i])) {
            d.blocks[kept++] = d.blocks[i];
        }
    }
    find_secrets(&d.old_secrets, e->doc);
    find_new_secrets(&d.now_secrets, now);
    if (kept) {
        buf_put_lit(out, "--- ");
        out_put_clean(out, slice_from_cstr(file));
        buf_put_lit(out, "\n+++ ");
        out_put_clean(out, slice_from_cstr(file));
        buf_put_lit(out, " (new)\n");
    }
    for (uint32_t first = 0, last; first < kept; first = last + 1) {
        last = first;
        while (last + 1 < kept && lines_behind(d.old, d.blocks[last].old_end, 2 * CONTEXT_LINES) >=
                                      d.blocks[last + 1].old_at) {
            last++;
        }
        put_hunk(&d, &d.blocks[first], &d.blocks[last]);
        if (o) {
            out_spill(o);
        }
    }
    pool_heap_free(d.blocks);
    pool_heap_free(d.old_secrets.spans);
    pool_heap_free(d.now_secrets.spans);
}
