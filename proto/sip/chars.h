/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chars: character classes of RFC 3261 25.1 as one table; private to the room. */
#ifndef FG_SIP_CHARS_H
#define FG_SIP_CHARS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ascii.h"
#include "base/slice.h"

/* Bit order as in names_gen.py. */
enum sip_char {
    SIP_CHAR_TOKEN = 1 << 0,
    SIP_CHAR_USER = 1 << 1,     /* unreserved / user-unreserved */
    SIP_CHAR_PASSWORD = 1 << 2, /* of password */
    SIP_CHAR_PARAM = 1 << 3,    /* unreserved / param-unreserved */
    SIP_CHAR_HEADER = 1 << 4,   /* unreserved / hnv-unreserved */
    SIP_CHAR_HOST = 1 << 5,     /* letters, digits, '-', '.' */
    SIP_CHAR_WORD = 1 << 6,     /* word of Call-ID */
    SIP_CHAR_URIC = 1 << 7,     /* reserved / unreserved */
    SIP_CHAR_VALUE = 1 << 8,    /* unquoted parameter value, wider than the grammar's */
    SIP_CHAR_LWS = 1 << 9,      /* space, tab, and the CR LF of a fold */
    SIP_CHAR_SCHEME = 1 << 10,
    SIP_CHAR_LABEL = 1 << 11,   /* of a host name: letters, digits, '-' */
};

extern const uint16_t sip_chars[256];

static inline bool sip_char_is(char c, unsigned classes)
{
    return (sip_chars[(unsigned char)c] & classes) != 0;
}

/* What the four characters at at have in common. */
static inline unsigned sip_chars_common4(struct slice s, size_t at)
{
    const unsigned char *p = (const unsigned char *)s.ptr + at;

    return (unsigned)(sip_chars[p[0]] & sip_chars[p[1]] & sip_chars[p[2]] & sip_chars[p[3]]);
}

/* Bytes from at on that are of the class: one class, so that four can be looked at together. */
static inline size_t sip_span(struct slice s, size_t at, enum sip_char class)
{
    size_t end = at;

    while (end + 4 <= s.len && (sip_chars_common4(s, end) & (unsigned)class) != 0) {
        end += 4;
    }
    while (end < s.len && sip_char_is(s.ptr[end], (unsigned)class)) {
        end++;
    }
    return end - at;
}

/* The same; *common gets the classes that all of these bytes have. */
static inline size_t sip_span_common(struct slice s, size_t at, enum sip_char class,
                                     unsigned *common)
{
    unsigned all = UINT16_MAX;
    unsigned four;
    size_t end = at;

    while (end + 4 <= s.len && ((four = sip_chars_common4(s, end)) & (unsigned)class) != 0) {
        all &= four;
        end += 4;
    }
    while (end < s.len && sip_char_is(s.ptr[end], (unsigned)class)) {
        all &= sip_chars[(unsigned char)s.ptr[end++]];
    }
    *common = all;
    return end - at;
}

static inline bool sip_all_are(struct slice s, unsigned classes)
{
    return s.len > 0 && sip_span(s, 0, classes) == s.len;
}

/* There is none, mostly, or one space. */
static inline size_t sip_skip_lws(struct slice s, size_t at)
{
    while (at < s.len && sip_char_is(s.ptr[at], SIP_CHAR_LWS)) {
        at++;
    }
    return at;
}

static inline struct slice sip_sub(struct slice s, size_t from, size_t to)
{
    return slice_make(s.ptr ? s.ptr + from : NULL, to - from);
}

/* s[at] is a quote: *end is set behind the closing one. False when it is not closed or holds a
 * control character that is not escaped.                                                        */
bool sip_quoted_end(struct slice s, size_t at, size_t *end);
/* Like sip_all_are with %HH allowed and checked; true for the empty slice. */
bool sip_escaped_are(struct slice s, enum sip_char class);
/* Like sip_span with %HH allowed: ends before an escape that is broken, too. */
size_t sip_escaped_span(struct slice s, size_t at, enum sip_char class);
/* Equal without case to a name in lower case, which is a literal. */
#define sip_is_name(s, lower) sip_is_word((s), "" lower, sizeof(lower) - 1)
static inline bool sip_is_word(struct slice s, const char *lower, size_t len)
{
    if (s.len != len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (ascii_lower(s.ptr[i]) != lower[i]) {
            return false;
        }
    }
    return true;
}

/* Checked walk over ";"-separated parameters: start with at = count = 0 on text that is not empty.
 * NEXT hands one out; END = all were well-formed; BAD = broken, or more than SIP_PARAMS_MAX.     */
enum sip_walk { SIP_WALK_NEXT, SIP_WALK_END, SIP_WALK_BAD };
struct sip_param_walk {
    struct slice params;
    size_t at;
    unsigned count;
    unsigned classes; /* that all characters of the value have; 0 = none, quoted, no value */
};
enum sip_walk sip_param_walk(struct sip_param_walk *w, struct slice *name, struct slice *value);

#endif
