/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arena: memory of one snapshot: allocated piece by piece, freed as a whole. Addresses are stable.
 * Plain heap, aborts without memory (start-up and control plane). One thread until it is shared
 * read-only.                                                                                     */
#ifndef FG_POLICY_ARENA_H
#define FG_POLICY_ARENA_H

#include <stddef.h>

#include "base/attr.h"
#include "base/slice.h"

struct arena;

struct arena *arena_new(void);
/* NULL is accepted. */
void arena_free(struct arena *a);
/* Zeroed, aligned for any object. size 0 gives NULL. */
void *arena_zalloc(struct arena *a, size_t size);
/* NUL-terminated copy. */
char *arena_strdup(struct arena *a, struct slice text);
/* The copy as a slice; empty stays {NULL, 0}. */
struct slice arena_slice(struct arena *a, struct slice text);
size_t arena_bytes(const struct arena *a);

#endif
