/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arena: list of pool blocks, the newest being filled. */
#include "xml/arena.h"

#include "base/check.h"
#include "base/pool.h"

#define ARENA_CHUNK_BYTES 1024u

struct xml_arena_chunk {
    struct xml_arena_chunk *next; /* owned */
    uint32_t used;
    uint32_t cap; /* bytes in data */
    char data[];
};

char *xml_arena_room(struct xml_arena *a, size_t len)
{
    struct xml_arena_chunk *chunk = a->chunks;
    size_t want;

    if (chunk && chunk->cap - chunk->used >= len) {
        return chunk->data + chunk->used;
    }
    want = sizeof(*chunk) + len;
    chunk = pool_alloc(want < ARENA_CHUNK_BYTES ? ARENA_CHUNK_BYTES : want);
    if (!chunk) {
        return NULL;
    }
    chunk->next = a->chunks;
    chunk->used = 0;
    chunk->cap = (uint32_t)(pool_block_bytes(chunk) - sizeof(*chunk));
    a->chunks = chunk;
    return chunk->data;
}

void xml_arena_take(struct xml_arena *a, size_t len)
{
    ASSERT(a->chunks && len <= a->chunks->cap - a->chunks->used);
    a->chunks->used += (uint32_t)len;
}

char *xml_arena_extend(struct xml_arena *a, struct slice s, size_t more)
{
    struct xml_arena_chunk *chunk = a->chunks;
    char *copy;

    if (s.len == 0) {
        return xml_arena_room(a, more);
    }
    if (chunk && s.ptr + s.len == chunk->data + chunk->used && s.ptr >= chunk->data &&
        chunk->cap - chunk->used >= more) {
        return chunk->data + (s.ptr - chunk->data);
    }
    copy = xml_arena_room(a, 2 * (s.len + more));
    if (copy) {
        memcpy(copy, s.ptr, s.len);
    }
    return copy;
}

void xml_arena_clear(struct xml_arena *a)
{
    struct xml_arena_chunk *chunk = a->chunks;

    if (!chunk) {
        return;
    }
    if (!chunk->next && chunk->cap <= ARENA_CHUNK_BYTES) {
        chunk->used = 0;
        return;
    }
    xml_arena_deinit(a);
}

void xml_arena_deinit(struct xml_arena *a)
{
    while (a->chunks) {
        struct xml_arena_chunk *next = a->chunks->next;

        pool_free(a->chunks);
        a->chunks = next;
    }
}
