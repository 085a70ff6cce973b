/* SPDX-License-Identifier: GPL-2.0-or-later */
/* map: hash table from byte keys to values, open addressing, robust against chosen keys (hash.h).
 * The value's object owns the key bytes; the map borrows both until the entry is removed.
 * Memory: heap (tables grow rarely). One thread, or read-only by many.
 * A zeroed struct is a valid empty map.                                                       */
#ifndef FG_BASE_MAP_H
#define FG_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"

struct map_slot {
    struct slice key; /* borrowed from the value's object */
    void *value;      /* borrowed; NULL = free slot */
    uint64_t hash;
};

struct map {
    struct map_slot *slots; /* owned */
    size_t slot_count;      /* power of two, or 0 */
    size_t count;
};

void map_deinit(struct map *m);
/* The value, or NULL when absent. */
void *map_get(const struct map *m, struct slice key);
/* Adds; returns the value that was there before under this key (then nothing changes), or NULL. */
void *map_add(struct map *m, struct slice key, void *value);
/* Removes; returns the value, or NULL when absent. */
void *map_remove(struct map *m, struct slice key);
/* Walk: start with *cursor = 0; NULL at the end. Adding or removing ends the walk's validity. */
void *map_next(const struct map *m, size_t *cursor);

#endif
