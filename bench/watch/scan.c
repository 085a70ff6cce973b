/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scan: tags, depth, nothing else. */
#include <string.h>

#include "load.h"

/* Ends an element when its depth is back at the stream's. */
static bool element_ends(struct scan *s, const char *lt, const char *gt)
{
    if (lt[1] == '/') {
        s->depth--;
    } else if (gt[-1] != '/') {
        s->depth++;
    }
    return s->depth <= 1;
}

enum scan_kind scan_next(struct scan *s, const char *in, size_t len, const char **from,
                         size_t *bytes)
{
    while (s->at < len) {
        const char *lt = memchr(in + s->at, '<', len - s->at);
        if (!lt) {
            s->at = len;
            return SCAN_MORE;
        }
        s->at = (size_t)(lt - in);
        const char *gt = memchr(lt, '>', len - s->at);
        if (!gt) {
            return SCAN_MORE;
        }
        if (s->depth <= 1) {
            s->begin = s->at;
        }
        s->at = (size_t)(gt - in) + 1;
        if (lt[1] == '?') {
            continue;
        }
        bool header = s->depth == 0;
        if (!element_ends(s, lt, gt)) {
            continue;
        }
        *from = in + s->begin;
        *bytes = s->at - s->begin;
        return header ? SCAN_HEADER : s->depth == 0 ? SCAN_END : SCAN_ELEMENT;
    }
    return SCAN_MORE;
}
