/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jout: writes one JSON document into a buf: commas, quotes and escapes are right whatever the
 * texts hold. Bytes that are no UTF-8 become U+FFFD; what would move a terminal's cursor or turn
 * its writing direction is written as \uXXXX.
 * key: of the member, NULL in a list (and for the document itself); borrowed for the call.
 * No errors: whether all of it fitted is asked of the buf at the end (buf.failed).
 * Threads: one at a time; no memory of its own. */
#ifndef FG_BASE_JOUT_H
#define FG_BASE_JOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"

#define JOUT_DEPTH_MAX 32u

struct jout {
    struct buf *out;    /* borrowed until the document ends */
    uint32_t depth;     /* open objects and lists */
    uint32_t lists;     /* bit i: level i is a list */
    bool is_indented;   /* members on lines of their own, for people; else all on one line */
    bool is_first;      /* nothing stands in the innermost object or list yet */
    bool has_key;       /* jout_key() came: the next value is its */
};

void jout_init(struct jout *j, struct buf *out, bool is_indented);
void jout_object(struct jout *j, const char *key);
void jout_list(struct jout *j, const char *key);
/* Ends the innermost object or list; the last one also ends the line. */
void jout_end(struct jout *j);

/* For a key that is data: the next value, written with key NULL, is its. */
void jout_key(struct jout *j, struct slice key);
void jout_text(struct jout *j, const char *key, struct slice text);
/* text NULL: null. */
void jout_cstr(struct jout *j, const char *key, const char *text);
/* For short texts: cut at 1023 bytes. */
void jout_printf(struct jout *j, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);
void jout_u64(struct jout *j, const char *key, uint64_t value);
void jout_i64(struct jout *j, const char *key, int64_t value);
void jout_bool(struct jout *j, const char *key, bool value);
void jout_null(struct jout *j, const char *key);
/* json: one value, as it is. */
void jout_raw(struct jout *j, const char *key, struct slice json);

/* Only the text with its quotes and escapes. */
void jout_quoted(struct buf *out, struct slice text);

#endif
