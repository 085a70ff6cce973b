/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arena: bytes that stay where they are until all are dropped together: the unescaped values of
 * one stanza. Memory: pool. A zeroed struct is an empty arena. One thread.                      */
#ifndef FG_XML_ARENA_H
#define FG_XML_ARENA_H

#include <stdint.h>

#include "base/slice.h"

struct xml_arena_chunk;

struct xml_arena {
    struct xml_arena_chunk *chunks; /* owned; the one being filled first */
};

/* Room for len bytes at the end of what is used; NULL without memory. Nothing is taken yet: fill,
 * then xml_arena_take what was filled.                                                          */
NODISCARD char *xml_arena_room(struct xml_arena *a, size_t len);
void xml_arena_take(struct xml_arena *a, size_t len);
/* Room for more bytes directly behind s: in place when s was taken last, else behind a copy made
 * with as much room again, so that growing step by step stays linear. Returns where the copy of
 * s starts; then xml_arena_take s.len (only if it moved) plus what was added.                   */
NODISCARD char *xml_arena_extend(struct xml_arena *a, struct slice s, size_t more);
/* Drops everything, keeps one small chunk. */
void xml_arena_clear(struct xml_arena *a);
void xml_arena_deinit(struct xml_arena *a);

#endif
