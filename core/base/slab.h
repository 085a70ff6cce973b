/* SPDX-License-Identifier: GPL-2.0-or-later */
/* slab: very many small objects of a few sizes without a head each (a block of pool.h has 32 bytes
 * of its own). In return the caller says at the free how large the block was, and memory once taken
 * serves this slab until its end: for tables whose size is bounded otherwise.
 * Memory: pages from the pool of the calling thread. One thread. Under sanitizers every block is a
 * pool block of its own, so that misuse is seen.
 * A zeroed struct is a valid empty slab. */
#ifndef FG_BASE_SLAB_H
#define FG_BASE_SLAB_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define SLAB_BLOCK_BYTES_MAX 512u /* larger ones are pool blocks */
#define SLAB_GRAIN_BYTES     8u   /* their alignment, too */
#define SLAB_CLASS_COUNT     (SLAB_BLOCK_BYTES_MAX / SLAB_GRAIN_BYTES)

struct slab_free;
struct slab_page;

struct slab {
    struct slab_free *free_blocks[SLAB_CLASS_COUNT]; /* in pages */
    struct slab_page *pages;                         /* owned; the one being cut first */
    uint32_t page_used;                              /* bytes of it */
    uint64_t used_bytes;                             /* in blocks given out */
};

/* Not zeroed; NULL: no memory. size > 0. */
NODISCARD void *slab_alloc(struct slab *s, size_t size);
NODISCARD void *slab_zalloc(struct slab *s, size_t size);
/* size as at the allocation. NULL is accepted. */
void slab_free(struct slab *s, void *block, size_t size);
/* What a block of this size really takes. */
size_t slab_block_bytes(size_t size);
/* All blocks must have been freed. */
void slab_deinit(struct slab *s);

#endif
