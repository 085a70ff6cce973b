/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fast_pass: the body of fast.h, included once by each fast_*.c: one text for all instruction sets,
 * so that they cannot differ. Its parts, in reading order: fast_find.h, fast_node.h, fast_attr.h,
 * fast_tag.h, fast_text.h, and the loop here. Each fast_*.c defines before that
 *   FAST_TARGET        attributes of every function here
 *   FAST_RUN           the name of the pass
 *   FAST_BYTES         how many bytes the next two look at; undefined = byte by byte, no masks
 *   fast_value_mask(s) a bit for each byte at s that has XML_CLASS_VALUE_STOP
 *   fast_text_mask(s)  the same for XML_CLASS_TEXT_STOP
 *   FAST_NAME_BYTES    the same for names
 *   fast_name_mask(s)  a bit for each byte that has not XML_CLASS_NAME
 *   FAST_WIDE_END(s, base, end)  may be undefined: the end of a text beyond ASCII, or NULL       */
#ifndef FG_XML_FAST_PASS_H
#define FG_XML_FAST_PASS_H

#include "xml/fast.h"
#include "xml/fast_tag.h"
#include "xml/fast_text.h"

#ifdef FAST_RUN

FAST_TARGET bool FAST_RUN(struct xml_parser *p, const char *base, const char **at,
                          const char *end)
{
    const char *s = *at;

    while (end - s >= 2) {
        const char *next;

        if (*s != '<') {
            next = fast_text(p, base, s, end);
        } else if (s[1] == '/') {
            next = fast_end_tag(p, base, s, end);
        } else {
            next = fast_start_tag(p, base, s, end);
        }
        if (UNLIKELY(!next)) {
            break;
        }
        s = next;
        if (p->depth == 0) {
            *at = s;
            return true;
        }
    }
    *at = s;
    return false;
}

#endif
#endif
