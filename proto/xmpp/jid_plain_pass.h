/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jid_plain_pass: the grammar of a plain address over sets of bits, a bit for each byte: a few
 * operations, and no branch that depends on a single byte. Inlined into each of the ways to find
 * the sets (jid_plain.c, jid_plain_x86.c), so that it is compiled for the same machine.
 * Threads: any. */
#ifndef FG_XMPP_JID_PLAIN_PASS_H
#define FG_XMPP_JID_PLAIN_PASS_H

#include <stdint.h>

#include "base/ascii.h"
#include "xmpp/jid_plain.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* The first byte is bit 0; bits behind the text mean nothing. */
struct jid_marks {
    uint64_t at;
    uint64_t slash;
    uint64_t dot;
    uint64_t dash;
    uint64_t not_local;    /* not allowed in a local part, or not as it stands */
    uint64_t not_domain;   /* no letter in lower case, digit, '-' or '.' */
    uint64_t not_resource; /* not allowed in a resource, or no ASCII */
};

/* Control characters, and what is not ASCII. */
static ALWAYS_INLINE bool jid_pass_is_other(char c)
{
    return (unsigned char)c < ' ' || (unsigned char)c >= 0x7f;
}

/* Bits below n; n < 64. */
static ALWAYS_INLINE uint64_t jid_pass_below(size_t n)
{
    return (UINT64_C(1) << n) - 1;
}

/* RFC 1123 2.1: that would be an IPv4 address or nothing. */
static inline bool jid_pass_is_last_label_numeric(const char *text, size_t first, size_t end)
{
    while (end > first && ascii_is_digit(text[end - 1])) {
        end--;
    }
    return end == first || text[end - 1] == '.';
}

/* Bytes first to end (not included, below 64): no label is too long there. */
static ALWAYS_INLINE bool jid_pass_is_domain(const struct jid_marks *m, const char *text,
                                             size_t first, size_t end)
{
    if (first >= end) {
        return false;
    }
    uint64_t range = jid_pass_below(end) & ~jid_pass_below(first);
    uint64_t dots = m->dot & range;
    uint64_t dashes = m->dash & range;
    uint64_t firsts = (dots << 1) | (UINT64_C(1) << first);
    uint64_t lasts = (dots >> 1) | (UINT64_C(1) << (end - 1));
    /* Empty labels, the final dot, '-' at either end of a label; then "xn--" and its like. */
    uint64_t misplaced = (firsts | lasts) & (dots | dashes);
    uint64_t look_like_ace = (firsts << 2) & dashes & (dashes >> 1);

    if (((m->not_domain & range) | misplaced | look_like_ace) != 0) {
        return false;
    }
    return !ascii_is_digit(text[end - 1]) || !jid_pass_is_last_label_numeric(text, first, end);
}

/* What of a resource lies behind the bits. */
static inline bool jid_pass_is_resource(struct slice s)
{
    unsigned bad = 0;

    for (size_t i = 0; i < s.len; i++) {
        bad |= (unsigned)jid_pass_is_other(s.ptr[i]);
    }
    return bad == 0;
}

/* m: of the first JID_PLAIN_BYTES_MAX bytes of text, or all of them; slash: where the first '/'
 * stands, below that. */
static ALWAYS_INLINE bool jid_pass_resource(const struct jid_marks *m, struct slice text,
                                            size_t slash, struct slice *out)
{
    uint64_t behind = ~jid_pass_below(slash);

    *out = slice_make(text.ptr + slash + 1, text.len - slash - 1);
    if (out->len == 0 || out->len > JID_PART_BYTES_MAX) {
        return false;
    }
    if (text.len < JID_PLAIN_BYTES_MAX) {
        return (m->not_resource & behind & jid_pass_below(text.len)) == 0;
    }
    return (m->not_resource & behind) == 0 &&
           jid_pass_is_resource(slice_from(text, JID_PLAIN_BYTES_MAX));
}

static ALWAYS_INLINE bool jid_pass_split(const struct jid_marks *m, struct slice text,
                                         struct jid *out)
{
    size_t bare = m->slash ? (size_t)__builtin_ctzll(m->slash) : text.len;

    if (bare >= JID_PLAIN_BYTES_MAX) {
        return false;
    }
    uint64_t ats = m->at & jid_pass_below(bare);
    size_t local = ats ? (size_t)__builtin_ctzll(ats) : 0;
    size_t first = ats ? local + 1 : 0;
    if (local == 0 && ats != 0) {
        return false;
    }
    if ((m->not_local & jid_pass_below(local)) != 0 ||
        !jid_pass_is_domain(m, text.ptr, first, bare)) {
        return false;
    }
    out->resource = SLICE_NONE;
    if (bare < text.len && !jid_pass_resource(m, text, bare, &out->resource)) {
        return false;
    }
    out->local = slice_make(local > 0 ? text.ptr : NULL, local);
    out->domain = slice_make(text.ptr + first, bare - first);
    out->domain_is_ip = false;
    return true;
}

#endif
