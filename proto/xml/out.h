/* SPDX-License-Identifier: GPL-2.0-or-later */
/* out: the writer's cursor into a buf: room is reserved in steps, so that the many small pieces of
 * an element cost no call each. Between begin and end nobody else may touch the buf. Out of room
 * or memory: the buf's failed is set, and later pieces are dropped.                             */
#ifndef FG_XML_OUT_H
#define FG_XML_OUT_H

#include "base/buf.h"

struct xml_out {
    struct buf *buf; /* borrowed until xml_out_end */
    char *at;
    char *end; /* == at when there is no more room */
};

void xml_out_begin(struct xml_out *o, struct buf *buf);
void xml_out_end(struct xml_out *o);
/* Out of line: room for len more. */
NODISCARD bool xml_out_grow(struct xml_out *o, size_t len);

/* Short pieces with overlapping words instead of a call of memcpy. */
static inline void xml_copy_short(char *to, const char *from, size_t len)
{
    if (len > 16) {
        memcpy(to, from, len);
    } else if (len >= 8) {
        uint64_t first;
        uint64_t last;

        memcpy(&first, from, 8);
        memcpy(&last, from + len - 8, 8);
        memcpy(to, &first, 8);
        memcpy(to + len - 8, &last, 8);
    } else if (len >= 4) {
        uint32_t first;
        uint32_t last;

        memcpy(&first, from, 4);
        memcpy(&last, from + len - 4, 4);
        memcpy(to, &first, 4);
        memcpy(to + len - 4, &last, 4);
    } else {
        for (size_t i = 0; i < len; i++) {
            to[i] = from[i];
        }
    }
}

static inline void xml_out_put(struct xml_out *o, struct slice s)
{
    if ((size_t)(o->end - o->at) >= s.len || xml_out_grow(o, s.len)) {
        xml_copy_short(o->at, s.ptr, s.len);
        o->at += s.len;
    }
}

static inline void xml_out_putc(struct xml_out *o, char c)
{
    if (o->end > o->at || xml_out_grow(o, 1)) {
        *o->at++ = c;
    }
}

#define xml_out_lit(o, text) xml_out_put((o), SLICE_LIT(text))

/* Character data; what stands between the double quotes of an attribute. */
void xml_out_text(struct xml_out *o, struct slice text);
void xml_out_value(struct xml_out *o, struct slice value);
/* How long that gets at most. */
size_t xml_out_value_bytes_max(struct slice value);

#endif
