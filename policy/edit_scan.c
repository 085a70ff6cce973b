/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edit_scan: blanks, comments, strings and lines of a text that is JSON with comments. */
#include "base/check.h"
#include "policy/edit_int.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_space(char c)
{
    return is_blank(c) || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

size_t edit_scan_string(struct slice s, size_t at)
{
    DASSERT(at < s.len && s.ptr[at] == '"');
    at++;
    while (at < s.len && s.ptr[at] != '"') {
        at += s.ptr[at] == '\\' ? 2 : 1;
    }
    return at < s.len ? at + 1 : s.len;
}

size_t edit_scan_comment(struct slice s, size_t at)
{
    const char *end;
    size_t stop;

    if (at + 1 >= s.len || s.ptr[at] != '/' || (s.ptr[at + 1] != '/' && s.ptr[at + 1] != '*')) {
        return at;
    }
    if (s.ptr[at + 1] == '*') {
        end = memmem(s.ptr + at + 2, s.len - at - 2, "*/", 2);
        return end ? (size_t)(end - s.ptr) + 2 : s.len;
    }
    end = memchr(s.ptr + at, '\n', s.len - at);
    stop = end ? (size_t)(end - s.ptr) : s.len;
    return end && s.ptr[stop - 1] == '\r' ? stop - 1 : stop;
}

size_t edit_scan_gap(struct slice s, size_t at)
{
    while (at < s.len) {
        size_t behind = edit_scan_comment(s, at);

        if (behind > at) {
            at = behind;
        } else if (is_space(s.ptr[at])) {
            at++;
        } else {
            break;
        }
    }
    return at;
}

size_t edit_scan_blanks(struct slice s, size_t at)
{
    while (at < s.len && is_blank(s.ptr[at])) {
        at++;
    }
    return at;
}

bool edit_at_line_end(struct slice s, size_t at)
{
    return at >= s.len || s.ptr[at] == '\n' ||
           (s.ptr[at] == '\r' && (at + 1 >= s.len || s.ptr[at + 1] == '\n'));
}

size_t edit_line_start(struct slice s, size_t at)
{
    size_t first = slice_starts(s, SLICE_LIT("\xef\xbb\xbf")) ? 3 : 0;

    while (at > first && s.ptr[at - 1] != '\n') {
        at--;
    }
    return at;
}

size_t edit_line_after(struct slice s, size_t at)
{
    const char *end = at < s.len ? memchr(s.ptr + at, '\n', s.len - at) : NULL;

    return end ? (size_t)(end - s.ptr) + 1 : s.len;
}

bool edit_is_first_on_line(struct slice s, size_t at)
{
    return edit_scan_blanks(s, edit_line_start(s, at)) >= at;
}

bool edit_has_line_end(struct slice s, size_t from, size_t to)
{
    return to > from && memchr(s.ptr + from, '\n', to - from) != NULL;
}

size_t edit_scan_trailing(struct slice s, size_t at, size_t stop)
{
    size_t behind = at; /* the last comment so far */
    size_t now = at;

    for (;;) {
        size_t next;

        now = edit_scan_blanks(s, now);
        if (edit_at_line_end(s, now) || now == stop) {
            return behind;
        }
        next = edit_scan_comment(s, now);
        if (next == now) {
            return at; /* the comments belong to what follows */
        }
        behind = next;
        now = next;
    }
}

struct slice edit_indent_of(struct slice s, size_t at)
{
    size_t start = edit_line_start(s, at);

    return slice_make(s.ptr + start, edit_scan_blanks(s, start) - start);
}

size_t edit_value_end(const struct json_doc *doc, uint32_t node)
{
    struct slice s = doc->source;
    size_t at = doc->nodes[node].start;
    uint32_t depth = 0;

    if (json_kind_of(doc, node) == JSON_TEXT || json_kind_of(doc, node) == JSON_KEY) {
        return edit_scan_string(s, at);
    }
    if (json_kind_of(doc, node) != JSON_LIST && json_kind_of(doc, node) != JSON_OBJECT) {
        while (at < s.len && !is_space(s.ptr[at]) && !memchr(",]}/", s.ptr[at], 4)) {
            at++;
        }
        return at;
    }
    while (at < s.len) {
        char c = s.ptr[at];
        size_t behind = edit_scan_comment(s, at);

        if (behind > at) {
            at = behind;
            continue;
        }
        if (c == '"') {
            at = edit_scan_string(s, at);
            continue;
        }
        depth += c == '[' || c == '{';
        at++;
        if ((c == ']' || c == '}') && --depth == 0) {
            break;
        }
    }
    return at;
}
