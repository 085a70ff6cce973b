/* SPDX-License-Identifier: GPL-2.0-or-later */
/* slab: pages cut into blocks one behind the other; what is freed waits in the list of its size. */
#include "base/slab.h"

#include <stdbool.h>
#include <string.h>

#include "base/check.h"
#include "base/pool.h"

#define SLAB_PAGE_BYTES 32768u

struct slab_free {
    struct slab_free *next;
};

struct slab_page {
    struct slab_page *next;
    uint64_t blocks[]; /* aligned as they are */
};

#define PAGE_ROOM (SLAB_PAGE_BYTES - (uint32_t)sizeof(struct slab_page))

static size_t class_of(size_t size)
{
    return (size - 1) / SLAB_GRAIN_BYTES;
}

static bool is_of_pool(size_t size)
{
#ifdef FEDGATE_SANITIZED
    (void)size;
    return true;
#else
    return size > SLAB_BLOCK_BYTES_MAX;
#endif
}

size_t slab_block_bytes(size_t size)
{
    return (class_of(size) + 1) * SLAB_GRAIN_BYTES;
}

/* The rest of the page before is cut into no more blocks: half a block of waste on average. */
static bool add_page(struct slab *s)
{
    struct slab_page *page = pool_alloc(SLAB_PAGE_BYTES);

    if (!page) {
        return false;
    }
    page->next = s->pages;
    s->pages = page;
    s->page_used = 0;
    return true;
}

static void *cut(struct slab *s, size_t bytes)
{
    void *block;

    if ((!s->pages || s->page_used + bytes > PAGE_ROOM) && !add_page(s)) {
        return NULL;
    }
    block = (char *)s->pages->blocks + s->page_used;
    s->page_used += (uint32_t)bytes;
    return block;
}

void *slab_alloc(struct slab *s, size_t size)
{
    size_t bytes = slab_block_bytes(size);
    struct slab_free **list;
    void *block;

    ASSERT(size > 0);
    if (is_of_pool(size)) {
        block = pool_alloc(size);
    } else {
        list = &s->free_blocks[class_of(size)];
        block = *list;
        if (block) {
            *list = (*list)->next;
        } else {
            block = cut(s, bytes);
        }
    }
    s->used_bytes += block ? bytes : 0;
    return block;
}

void *slab_zalloc(struct slab *s, size_t size)
{
    void *block = slab_alloc(s, size);

    if (block) {
        memset(block, 0, size);
    }
    return block;
}

void slab_free(struct slab *s, void *block, size_t size)
{
    struct slab_free *freed = block;
    size_t bytes;

    if (!block) {
        return;
    }
    bytes = slab_block_bytes(size);
    ASSERT(s->used_bytes >= bytes);
    s->used_bytes -= bytes;
    if (is_of_pool(size)) {
        DASSERT(pool_block_bytes(block) >= size);
        pool_free(block);
        return;
    }
    freed->next = s->free_blocks[class_of(size)];
    s->free_blocks[class_of(size)] = freed;
}

void slab_deinit(struct slab *s)
{
    struct slab_page *page;

    ASSERT(s->used_bytes == 0);
    while ((page = s->pages) != NULL) {
        s->pages = page->next;
        pool_free(page);
    }
    *s = (struct slab){0};
}
