/* SPDX-License-Identifier: GPL-2.0-or-later */
/* slice: borrowed bytes, pointer and length, not NUL-terminated. Whoever hands one out says until
 * when it is valid. {NULL, 0} is the empty and the absent slice. Any thread; no ownership.      */
#ifndef FG_BASE_SLICE_H
#define FG_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"

struct slice {
    const char *ptr; /* borrowed */
    size_t len;
};

#define SLICE_NONE ((struct slice){NULL, 0})
/* From a string literal or a char array holding a constant text. */
#define SLICE_LIT(text) ((struct slice){"" text, sizeof(text) - 1})
/* For "%.*s". Lengths above INT_MAX do not occur: every input is bounded far below. */
#define SLICE_FMT(s) (int)(s).len, (s).ptr ? (s).ptr : ""

static inline struct slice slice_make(const char *ptr, size_t len)
{
    return (struct slice){ptr, len};
}

static inline struct slice slice_from_cstr(const char *text)
{
    return (struct slice){text, text ? strlen(text) : 0};
}

static inline bool slice_is_empty(struct slice s)
{
    return s.len == 0;
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_eq_cstr(struct slice a, const char *text)
{
    return slice_eq(a, slice_from_cstr(text));
}

/* From offset (clamped) to the end. */
static inline struct slice slice_from(struct slice s, size_t offset)
{
    if (offset >= s.len) {
        return (struct slice){s.ptr ? s.ptr + s.len : NULL, 0};
    }
    return (struct slice){s.ptr + offset, s.len - offset};
}

/* The first len bytes (clamped). */
static inline struct slice slice_to(struct slice s, size_t len)
{
    return (struct slice){s.ptr, len < s.len ? len : s.len};
}

/* ASCII case-insensitive. */
bool slice_eq_nocase(struct slice a, struct slice b);
bool slice_starts(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);
/* Index of the first byte c, or -1. */
ptrdiff_t slice_find(struct slice s, char c);
/* Index of the last byte c, or -1. */
ptrdiff_t slice_find_last(struct slice s, char c);
/* Without leading and trailing space, tab, CR, LF. */
struct slice slice_trim(struct slice s);
/* Cuts at the first c: *head gets what stands before it and s what follows; without c, all of s
 * goes to *head and false is returned.                                                        */
bool slice_cut(struct slice *s, char c, struct slice *head);
/* Unsigned decimal, the whole slice, no sign, no spaces. False on anything else or overflow. */
NODISCARD bool slice_parse_u64(struct slice s, uint64_t *out);
/* Copies as a NUL-terminated string; false (and an empty string) if it does not fit or holds
 * NUL. */
NODISCARD bool slice_to_cstr(struct slice s, char *out, size_t out_bytes);
/* The same for names whose bound is known and for people: cut when too long. */
void slice_to_cstr_cut(struct slice s, char *out, size_t out_bytes);
/* Compares in time that depends on the lengths only: for keys and secrets. */
bool slice_eq_secret(struct slice a, struct slice b);

#endif
