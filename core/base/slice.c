/* SPDX-License-Identifier: GPL-2.0-or-later */
/* slice: the operations that are not one line. */
#include "base/slice.h"

#include "base/ascii.h"

bool slice_eq_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool slice_starts(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_eq(slice_to(s, prefix.len), prefix);
}

bool slice_ends(struct slice s, struct slice suffix)
{
    return s.len >= suffix.len && slice_eq(slice_from(s, s.len - suffix.len), suffix);
}

ptrdiff_t slice_find(struct slice s, char c)
{
    const char *at = s.len ? memchr(s.ptr, c, s.len) : NULL;

    return at ? at - s.ptr : -1;
}

ptrdiff_t slice_find_last(struct slice s, char c)
{
    const char *at = s.len ? memrchr(s.ptr, c, s.len) : NULL;

    return at ? at - s.ptr : -1;
}

struct slice slice_trim(struct slice s)
{
    while (s.len && ascii_is_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len && ascii_is_space(s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

bool slice_cut(struct slice *s, char c, struct slice *head)
{
    ptrdiff_t at = slice_find(*s, c);

    if (at < 0) {
        *head = *s;
        *s = slice_from(*s, s->len);
        return false;
    }
    *head = slice_to(*s, (size_t)at);
    *s = slice_from(*s, (size_t)at + 1);
    return true;
}

bool slice_parse_u64(struct slice s, uint64_t *out)
{
    uint64_t value = 0;

    if (s.len == 0) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (!ascii_is_digit(s.ptr[i])) {
            return false;
        }
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(s.ptr[i] - '0'), &value)) {
            return false;
        }
    }
    *out = value;
    return true;
}

bool slice_to_cstr(struct slice s, char *out, size_t out_bytes)
{
    if (s.len >= out_bytes || (s.len && memchr(s.ptr, 0, s.len))) {
        out[0] = 0;
        return false;
    }
    if (s.len) {
        memcpy(out, s.ptr, s.len);
    }
    out[s.len] = 0;
    return true;
}

void slice_to_cstr_cut(struct slice s, char *out, size_t out_bytes)
{
    size_t len = s.len < out_bytes ? s.len : out_bytes - 1;

    if (len) {
        memcpy(out, s.ptr, len);
    }
    out[len] = 0;
}

bool slice_eq_secret(struct slice a, struct slice b)
{
    unsigned char diff = 0;

    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        diff |= (unsigned char)(a.ptr[i] ^ b.ptr[i]);
    }
    return diff == 0;
}
