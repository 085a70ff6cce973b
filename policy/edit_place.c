/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edit_place: where in the layout of a person the removed items end and the new ones begin.
 *   removed  with its comma, the comments directly above (each on lines of its own, no empty line
 *            between) and those behind it on its line; whole lines when nothing else stands there
 *   added    behind the last item that stays and the comments on its line: on a line of its own
 *            with that item's indent, when that item begins its line; else in the same line      */
#include "base/check.h"
#include "policy/edit_int.h"

/* --- taking away --- */

/* First byte of the comments that belong to an item, looking from boundary (behind the comma or
 * the bracket before it) on. */
static size_t leading_start(struct slice s, size_t boundary, size_t start)
{
    size_t first = SIZE_MAX; /* comment of the block that stands directly above */
    size_t any = SIZE_MAX;   /* first comment at all */
    uint32_t line_ends = 0;  /* since the last comment */
    bool is_fresh = false;   /* a line end was seen */

    for (size_t at = boundary; at < start;) {
        size_t behind = edit_scan_comment(s, at);

        if (behind == at) {
            line_ends += s.ptr[at] == '\n';
            is_fresh = is_fresh || s.ptr[at] == '\n';
            at++;
            continue;
        }
        if (line_ends > 1) {
            first = SIZE_MAX;
        }
        any = any == SIZE_MAX ? at : any;
        if (is_fresh && first == SIZE_MAX) {
            first = at;
        }
        line_ends = 0;
        at = behind;
    }
    if (!is_fresh) {
        return any == SIZE_MAX ? start : any; /* all in one line: before the item, so the item's */
    }
    return first == SIZE_MAX || line_ends > 1 ? start : first;
}

struct piece {
    size_t start;
    size_t end;
};

/* Whole lines, when nothing else stands on them; else the blanks that the piece leaves behind. */
static struct piece widen(struct slice s, struct piece p)
{
    size_t behind = edit_scan_blanks(s, p.end);
    size_t line = edit_line_start(s, p.start);
    size_t before = p.start;

    if (edit_is_first_on_line(s, p.start)) {
        if (edit_at_line_end(s, behind)) {
            return (struct piece){line, edit_line_after(s, behind)};
        }
        return (struct piece){p.start, behind};
    }
    while (before > line && (s.ptr[before - 1] == ' ' || s.ptr[before - 1] == '\t')) {
        before--;
    }
    if (edit_at_line_end(s, behind)) {
        return (struct piece){before, p.end};
    }
    if (memchr("]}", s.ptr[behind], 2) && before > 0 && s.ptr[before - 1] == ',') {
        p.start = before; /* a comma that stays is followed by what is added */
    }
    return (struct piece){p.start, behind};
}

/* A comma alone: its line when it has one of its own. */
static struct piece widen_comma(struct slice s, size_t comma)
{
    struct piece p = {comma, comma + 1};

    return edit_is_first_on_line(s, comma) && edit_at_line_end(s, edit_scan_blanks(s, comma + 1))
               ? widen(s, p)
               : p;
}

struct cutter {
    struct edit *e;
    struct slice source;
    size_t done; /* nothing before it may be cut any more */
};

static void cut(struct cutter *c, struct piece p)
{
    size_t start = p.start > c->done ? p.start : c->done;

    if (p.end > start) {
        edit_cut(c->e, start, p.end);
        c->done = p.end;
    }
}

/* Between two neighbours that stay one comma stays: the one behind the first, or, where commas
 * begin the lines, the one before the second. Behind the last: its own, when something is added. */
static void choose_commas(struct slice s, struct edit_items *items, bool is_added)
{
    struct edit_item *last = NULL;

    for (uint32_t i = 0; i < items->count; i++) {
        struct edit_item *item = &items->items[i];

        if (item->is_removed) {
            continue;
        }
        if (last && edit_has_line_end(s, last->end, last->comma)) {
            item[-1].comma_stays = true;
        } else if (last) {
            last->comma_stays = true;
        }
        last = item;
    }
    if (last && is_added) {
        last->comma_stays = true;
    }
}

/* The removed item at idx, what belongs to it, and the commas beside it that go. */
static void cut_item(struct cutter *c, struct edit_items *items, uint32_t idx)
{
    struct slice s = c->source;
    struct edit_item *item = &items->items[idx];
    struct edit_item *before = idx ? item - 1 : NULL;
    size_t boundary = before ? before->comma + 1 : items->open + 1;
    struct piece p = {leading_start(s, boundary, item->start), item->end};

    if (item->comma != SIZE_MAX && !item->comma_stays &&
        !edit_has_line_end(s, item->end, item->comma)) {
        p.end = item->comma + 1;
        item->comma_is_cut = true;
    }
    if (!item->comma_stays) {
        p.end = edit_scan_trailing(s, p.end, items->close);
    }
    if (before && !before->comma_stays && !before->comma_is_cut) {
        if (edit_scan_blanks(s, before->comma + 1) >= p.start) {
            p.start = before->comma;
        } else {
            cut(c, widen_comma(s, before->comma));
        }
        before->comma_is_cut = true;
    }
    cut(c, widen(s, p));
}

static void take_away(struct edit *e, struct edit_items *items)
{
    struct cutter c = {.e = e, .source = e->doc->source};

    for (uint32_t i = 0; i < items->count; i++) {
        struct edit_item *item = &items->items[i];

        if (!item->is_removed) {
            continue;
        }
        cut_item(&c, items, i);
        if (item->comma != SIZE_MAX && !item->comma_stays && !item->comma_is_cut &&
            !items->items[i + 1].is_removed) {
            cut(&c, widen_comma(c.source, item->comma));
        }
    }
}

/* --- adding --- */

static struct slice line_end_of(struct slice s)
{
    ptrdiff_t at = slice_find(s, '\n');

    return at > 0 && s.ptr[at - 1] == '\r' ? SLICE_LIT("\r\n") : SLICE_LIT("\n");
}

/* What one level is moved in by: as the first member of the file is. */
static struct slice indent_unit(const struct json_doc *doc)
{
    struct slice s = doc->source;

    if (doc->count > 1 && edit_is_first_on_line(s, doc->nodes[1].start) &&
        edit_has_line_end(s, doc->nodes[0].start, doc->nodes[1].start)) {
        struct slice indent = edit_indent_of(s, doc->nodes[1].start);
        struct slice root = edit_indent_of(s, doc->nodes[0].start);

        if (indent.len > root.len) {
            return slice_from(indent, root.len);
        }
    }
    return SLICE_LIT("    ");
}

static bool has_comment(struct slice value)
{
    for (size_t at = 0; at < value.len;) {
        if (value.ptr[at] == '"') {
            at = edit_scan_string(value, at);
        } else if (value.ptr[at] == '/') {
            return true;
        } else {
            at++;
        }
    }
    return false;
}

/* Line ends and what follows them become one blank, none inside of a bracket. */
static void put_flat(struct edit *e, struct slice value)
{
    size_t from = 0;

    for (size_t at = 0; at < value.len;) {
        size_t behind = at;

        if (value.ptr[at] == '"') {
            at = edit_scan_string(value, at);
            continue;
        }
        if (value.ptr[at] != '\n' && value.ptr[at] != '\r') {
            at++;
            continue;
        }
        behind = edit_scan_gap(value, at);
        edit_put(e, slice_make(value.ptr + from, at - from));
        if (at > 0 && !memchr("[{", value.ptr[at - 1], 2) && behind < value.len &&
            !memchr("]}", value.ptr[behind], 2)) {
            edit_put(e, SLICE_LIT(" "));
        }
        at = behind;
        from = behind;
    }
    edit_put(e, slice_from(value, from));
}

void edit_put_value(struct edit *e, struct slice value, struct slice indent, bool flat)
{
    struct slice line_end = line_end_of(e->doc->source);
    struct slice line;
    bool more = true;

    if (flat && !has_comment(value)) {
        put_flat(e, value);
        return;
    }
    for (uint32_t i = 0; more; i++) {
        more = slice_cut(&value, '\n', &line);
        if (line.len && line.ptr[line.len - 1] == '\r' && more) {
            line.len--;
        }
        if (i) {
            edit_put(e, line_end);
            edit_put(e, line.len ? indent : SLICE_NONE);
        }
        edit_put(e, line);
    }
}

struct adder {
    struct edit *e;
    const struct slice *added;
    uint32_t count;
};

/* All of them, each on a line of its own that ends before the next one's begins. */
static void put_lines(const struct adder *a, struct slice indent)
{
    struct slice line_end = line_end_of(a->e->doc->source);

    for (uint32_t i = 0; i < a->count; i++) {
        if (i) {
            edit_put(a->e, SLICE_LIT(","));
            edit_put(a->e, line_end);
        }
        edit_put(a->e, indent);
        edit_put_value(a->e, a->added[i], indent, false);
    }
}

static void put_inline(const struct adder *a, struct slice indent, bool flat)
{
    for (uint32_t i = 0; i < a->count; i++) {
        edit_put(a->e, i ? SLICE_LIT(", ") : SLICE_NONE);
        edit_put_value(a->e, a->added[i], indent, flat);
    }
}

/* Behind an item that stays. */
static void add_behind(const struct adder *a, const struct edit_items *items,
                       const struct edit_item *last)
{
    struct slice s = a->e->doc->source;
    struct slice indent = edit_indent_of(s, last->start);
    bool has_comma = last->comma != SIZE_MAX;
    size_t end = has_comma ? last->comma + 1 : last->end;
    size_t behind = edit_scan_trailing(s, end, items->close);

    if (edit_is_first_on_line(s, last->start)) {
        if (!has_comma) {
            edit_replace(a->e, end, end);
            edit_put(a->e, SLICE_LIT(","));
        }
        edit_replace(a->e, behind, behind);
        edit_put(a->e, line_end_of(s));
        put_lines(a, indent);
        return;
    }
    if (edit_at_line_end(s, edit_scan_blanks(s, behind)) || edit_has_line_end(s, end, behind)) {
        behind = end; /* a comment to the end of the line would swallow it */
    }
    edit_replace(a->e, behind, behind);
    edit_put(a->e, has_comma ? SLICE_LIT(" ") : SLICE_LIT(", "));
    put_inline(a, indent, !edit_has_line_end(s, last->start, last->end));
}

/* Into a list or object where nothing stays. */
static void add_alone(const struct adder *a, const struct edit_items *items)
{
    const struct json_doc *doc = a->e->doc;
    struct slice s = doc->source;
    struct slice unit = indent_unit(doc);
    struct slice outer = edit_indent_of(s, items->open);
    size_t close = items->close;
    char memory[256];
    struct slice indent = outer;
    bool is_first = edit_is_first_on_line(s, close) && edit_line_start(s, close) > items->open;
    bool is_long = false;

    if (outer.len + unit.len <= sizeof(memory)) {
        memcpy(memory, outer.ptr, outer.len);
        memcpy(memory + outer.len, unit.ptr, unit.len);
        indent = slice_make(memory, outer.len + unit.len);
    }
    for (uint32_t i = 0; i < a->count; i++) {
        is_long = is_long || edit_has_line_end(a->added[i], 0, a->added[i].len);
    }
    if (is_first) {
        size_t line = edit_line_start(s, close);

        edit_replace(a->e, line, line);
        put_lines(a, indent);
        edit_put(a->e, line_end_of(s));
    } else if (is_long && edit_has_line_end(s, doc->nodes[0].start, s.len)) {
        edit_replace(a->e, close, close);
        edit_put(a->e, line_end_of(s));
        put_lines(a, indent);
        edit_put(a->e, line_end_of(s));
        edit_put(a->e, outer);
    } else {
        edit_replace(a->e, close, close);
        put_inline(a, outer, true);
    }
}

void edit_place(struct edit *e, struct edit_items *items, const struct slice *added,
                uint32_t added_count)
{
    struct adder a = {.e = e, .added = added, .count = added_count};
    const struct edit_item *last = NULL;
    bool some_removed = false;

    for (uint32_t i = 0; i < items->count; i++) {
        last = items->items[i].is_removed ? last : &items->items[i];
        some_removed = some_removed || items->items[i].is_removed;
    }
    if (some_removed) {
        choose_commas(e->doc->source, items, added_count > 0);
        take_away(e, items);
    }
    if (added_count && last) {
        add_behind(&a, items, last);
    } else if (added_count) {
        add_alone(&a, items);
    }
}
