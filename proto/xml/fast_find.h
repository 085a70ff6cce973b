/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fast_find: where names, values and texts end: the part of the pass (fast_pass.h) that an
 * instruction set speeds up, by way of the masks that the including file defines. */
#ifndef FG_XML_FAST_FIND_H
#define FG_XML_FAST_FIND_H

#include "base/attr.h"
#include "xml/chars.h"

#ifdef FAST_RUN

/* The first byte from s on that has a bit, or end. Where fewer bytes are left than are looked at at
 * once, the last ones of the window are looked at again, without those before s.                */
#define FAST_FIND(mask_of, bytes)                                                                  \
    for (; end - s >= (bytes); s += (bytes)) {                                                     \
        uint32_t mask = mask_of(s);                                                                \
                                                                                                   \
        if (mask) {                                                                                \
            return s + __builtin_ctz(mask);                                                        \
        }                                                                                          \
    }                                                                                              \
    if (s < end && end - low >= (bytes)) {                                                         \
        uint32_t mask = mask_of(end - (bytes)) >> ((bytes) - (end - s));                           \
                                                                                                   \
        return mask ? s + __builtin_ctz(mask) : end;                                               \
    }

FAST_TARGET static inline const char *fast_name_end(const char *s, const char *low, const char *end)
{
#ifdef FAST_BYTES
    FAST_FIND(fast_name_mask, FAST_NAME_BYTES)
#endif
    (void)low;
    while (s < end && xml_class[(unsigned char)*s] & XML_CLASS_NAME) {
        s++;
    }
    return s;
}

FAST_TARGET static inline const char *fast_value_end(const char *s, const char *low,
                                                     const char *end)
{
#ifdef FAST_BYTES
    FAST_FIND(fast_value_mask, FAST_BYTES)
#endif
    (void)low;
    while (s < end && !(xml_class[(unsigned char)*s] & XML_CLASS_VALUE_STOP)) {
        s++;
    }
    return s;
}

FAST_TARGET static inline const char *fast_text_end(const char *s, const char *low, const char *end)
{
#ifdef FAST_BYTES
    FAST_FIND(fast_text_mask, FAST_BYTES)
#endif
    (void)low;
    while (s < end && !(xml_class[(unsigned char)*s] & XML_CLASS_TEXT_STOP)) {
        s++;
    }
    return s;
}

/* Of a value that the pass takes: up to what no URI has. */
FAST_TARGET static inline const char *fast_uri_end(const char *s, const char *low, const char *end)
{
#ifdef FAST_BYTES
    FAST_FIND(fast_no_uri_mask, FAST_BYTES)
#endif
    (void)low;
    while (s < end && !(xml_class[(unsigned char)*s] & XML_CLASS_NO_URI)) {
        s++;
    }
    return s;
}

FAST_TARGET static inline bool fast_starts_name(char c)
{
    return (xml_class[(unsigned char)c] & XML_CLASS_NAME_START) != 0;
}

/* Beyond ASCII, up to what stops a value or a text whatever is beside it; NULL = malformed. */
FAST_TARGET static NOINLINE const char *fast_wide_value(const char *s, const char *base,
                                                        const char *end)
{
    while (s < end && (unsigned char)*s >= 0x80) {
        size_t len = xml_wide_skip(s, end);

        if (len == 0) {
            return NULL;
        }
        s = fast_value_end(s + len, base, end);
    }
    return s;
}

FAST_TARGET static NOINLINE const char *fast_wide_text(const char *s, const char *base,
                                                       const char *end)
{
#ifdef FAST_WIDE_END
    const char *stop = s < end && (unsigned char)*s >= 0x80 ? FAST_WIDE_END(s, base, end) : NULL;

    if (stop) {
        return stop;
    }
#endif
    while (s < end && (unsigned char)*s >= 0x80) {
        size_t len = xml_wide_skip(s, end);

        if (len == 0) {
            return NULL;
        }
        s = fast_text_end(s + len, base, end);
    }
    return s;
}

#endif
#endif
