/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fast_text: texts with the five references, for the pass (fast_pass.h). */
#ifndef FG_XML_FAST_TEXT_H
#define FG_XML_FAST_TEXT_H

#include "xml/fast_node.h"
#include "xml/out.h"

#ifdef FAST_RUN

/* s at '&': how long the reference is, 0 = none of the five. */
FAST_TARGET static inline size_t fast_reference(const char *s, const char *end, char *c)
{
    size_t len = (size_t)(end - s);

    if (len >= 6 && s[1] == 'a' && memcmp(s, "&apos;", 6) == 0) {
        *c = '\'';
        return 6;
    }
    if (len >= 6 && s[1] == 'q' && memcmp(s, "&quot;", 6) == 0) {
        *c = '"';
        return 6;
    }
    if (len >= 5 && s[1] == 'a' && memcmp(s, "&amp;", 5) == 0) {
        *c = '&';
        return 5;
    }
    if (len >= 4 && (memcmp(s, "&lt;", 4) == 0 || memcmp(s, "&gt;", 4) == 0)) {
        *c = s[1] == 'l' ? '<' : '>';
        return 4;
    }
    return 0;
}

/* Text with references: from start on, the first '&' at s. Behind it (at '<'), or NULL. */
FAST_TARGET static NOINLINE const char *fast_folded(struct xml_parser *p, const char *base,
                                                    const char *start, const char *s,
                                                    const char *end)
{
    const char *stop = memchr(s, '<', (size_t)(end - s));
    char *room = stop ? xml_arena_room(&p->arena, (size_t)(stop - start)) : NULL;
    char *to = room;

    if (!room) {
        return NULL;
    }
    for (;;) {
        xml_copy_short(to, start, (size_t)(s - start));
        to += s - start;
        if (s == stop) {
            break;
        }
        if (*s == '&') {
            size_t len = fast_reference(s, stop, to);

            if (len == 0) {
                return NULL;
            }
            to++;
            s += len;
        }
        start = s;
        s = fast_text_end(s, base, end);
        if ((unsigned char)*s >= 0x80) {
            s = fast_wide_text(s, base, end);
        }
        if (!s || (*s != '&' && *s != '<')) {
            return NULL;
        }
    }
    if (!fast_text_put(p, slice_make(room, (size_t)(to - room)))) {
        return NULL;
    }
    xml_arena_take(&p->arena, (size_t)(to - room));
    return stop;
}

FAST_TARGET static inline const char *fast_text(struct xml_parser *p, const char *base,
                                                const char *start, const char *end)
{
    const char *s = fast_text_end(start, base, end);

    if (UNLIKELY(s == end || *s != '<')) {
        s = fast_wide_text(s, base, end);
        if (!s || s == end || *s != '<') {
            return s && s < end && *s == '&' ? fast_folded(p, base, start, s, end) : NULL;
        }
    }
    return fast_text_put(p, slice_make(start, (size_t)(s - start))) ? s : NULL;
}

#endif
#endif
