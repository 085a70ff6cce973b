/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edit_int: what edit*.c share: walking a text that json_parse took, and the list of splices. */
#ifndef FG_POLICY_EDIT_INT_H
#define FG_POLICY_EDIT_INT_H

#include "policy/edit.h"
#include "policy/json.h"

/* --- edit_scan.c: offsets in the source; at never passes the end --- */

/* Behind the string whose opening quote is at. */
size_t edit_scan_string(struct slice s, size_t at);
/* Behind the comment that begins at; at itself when none does. A line comment ends before its
 * line end (and before the CR of it). */
size_t edit_scan_comment(struct slice s, size_t at);
/* First byte that is neither blank nor comment. */
size_t edit_scan_gap(struct slice s, size_t at);
/* Blanks of one line. */
size_t edit_scan_blanks(struct slice s, size_t at);
/* Whether a line end (LF, CR LF) or the end of the text is at. */
bool edit_at_line_end(struct slice s, size_t at);
/* First byte of at's line; behind a byte order mark. */
size_t edit_line_start(struct slice s, size_t at);
/* Behind the LF of at's line. */
size_t edit_line_after(struct slice s, size_t at);
/* Whether only blanks stand between the line's start and at. */
bool edit_is_first_on_line(struct slice s, size_t at);
bool edit_has_line_end(struct slice s, size_t from, size_t to);
/* Behind the comments that stand on at's line, when nothing else follows on it (stop: a closing
 * bracket that may follow); else at. */
size_t edit_scan_trailing(struct slice s, size_t at, size_t stop);
/* The blanks that begin at's line. */
struct slice edit_indent_of(struct slice s, size_t at);

/* --- edit.c --- */

/* Bytes start..end go. */
void edit_cut(struct edit *e, size_t start, size_t end);
/* Begins a splice at start..end whose text edit_put adds to. */
void edit_replace(struct edit *e, size_t start, size_t end);
void edit_put(struct edit *e, struct slice text);
PRINTF_LIKE(2, 3)
int edit_refuse(struct edit *e, const char *fmt, ...);

/* --- edit_items.c --- */

/* An element, or a member (start: its key). */
struct edit_item {
    size_t start;
    size_t end;
    size_t comma;  /* behind it; SIZE_MAX for the last */
    uint32_t node; /* element or KEY */
    uint32_t value;
    bool is_removed;
    bool comma_stays;
    bool comma_is_cut;
};

struct edit_items {
    uint32_t node; /* the list or object */
    size_t open;   /* offset of [ or { */
    size_t close;
    struct edit_item *items; /* owned */
    uint32_t count;
};

void edit_items_read(struct edit_items *items, const struct json_doc *doc, uint32_t node);
void edit_items_deinit(struct edit_items *items);

/* --- edit_place.c --- */

/* Splices that take the removed items away and add those of added (JSON; with keys in an object:
 * "key": value) behind the last that stays. */
void edit_place(struct edit *e, struct edit_items *items, const struct slice *added,
                uint32_t added_count);
/* Puts value with its further lines moved in by indent; flat: in one line, when it has no
 * comments. */
void edit_put_value(struct edit *e, struct slice value, struct slice indent, bool flat);

#endif
