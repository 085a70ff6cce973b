/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arena: a list of chunks; texts are packed without alignment, objects aligned. */
#include "policy/arena.h"

#include <stdalign.h>
#include <stdint.h>

#include "base/check.h"
#include "base/pool.h"

#define ARENA_CHUNK_BYTES ((size_t)64 << 10)

struct arena_chunk {
    struct arena_chunk *older; /* owned */
    size_t bytes;              /* behind this head */
    alignas(max_align_t) char data[];
};

struct arena {
    struct arena_chunk *newest; /* owned; the one being filled */
    size_t used;                /* of newest */
    size_t total_bytes;
};

struct arena *arena_new(void)
{
    return pool_heap_zalloc(sizeof(struct arena));
}

void arena_free(struct arena *a)
{
    if (!a) {
        return;
    }
    while (a->newest) {
        struct arena_chunk *older = a->newest->older;

        pool_heap_free(a->newest);
        a->newest = older;
    }
    pool_heap_free(a);
}

static struct arena_chunk *new_chunk(struct arena *a, size_t bytes)
{
    struct arena_chunk *chunk = pool_heap_zalloc(sizeof(*chunk) + bytes);

    chunk->bytes = bytes;
    a->total_bytes += sizeof(*chunk) + bytes;
    return chunk;
}

static char *take(struct arena *a, size_t size, size_t align)
{
    size_t at = (a->used + align - 1) & ~(align - 1);
    struct arena_chunk *chunk;

    if (a->newest && at <= a->newest->bytes && size <= a->newest->bytes - at) {
        a->used = at + size;
        return a->newest->data + at;
    }
    if (size > ARENA_CHUNK_BYTES / 4 && a->newest) {
        /* A large one gets a chunk of its own, behind the one being filled. */
        chunk = new_chunk(a, size);
        chunk->older = a->newest->older;
        a->newest->older = chunk;
        return chunk->data;
    }
    chunk = new_chunk(a, size > ARENA_CHUNK_BYTES ? size : ARENA_CHUNK_BYTES);
    chunk->older = a->newest;
    a->newest = chunk;
    a->used = size;
    return chunk->data;
}

void *arena_zalloc(struct arena *a, size_t size)
{
    return size ? take(a, size, alignof(max_align_t)) : NULL;
}

char *arena_strdup(struct arena *a, struct slice text)
{
    char *copy = take(a, text.len + 1, 1);

    if (text.len) {
        memcpy(copy, text.ptr, text.len);
    }
    return copy;
}

struct slice arena_slice(struct arena *a, struct slice text)
{
    char *copy;

    if (text.len == 0) {
        return SLICE_NONE;
    }
    copy = take(a, text.len, 1);
    memcpy(copy, text.ptr, text.len);
    return slice_make(copy, text.len);
}

size_t arena_bytes(const struct arena *a)
{
    return a->total_bytes;
}
