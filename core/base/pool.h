/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pool: memory for everything that lives on a shard. Size classes, eight to each doubling; one set
 * of free lists per thread, so neither locks nor a pool argument are needed; a budget per thread.
 * Threads: each call works on the calling thread's pool. A block may be freed on another thread
 *   than the one that allocated it (mail; a connection moves between shards): its memory then goes
 *   home to the thread that allocated it, and its bytes leave that one's budget when it takes it.
 * Not for: snapshots and start-up tables (plain heap of the control thread: pool_heap_*).
 * Under sanitizers every block is a heap block of its own, so that misuse is seen.             */
#ifndef FG_BASE_POOL_H
#define FG_BASE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* Largest block: a stanza at its limit with its growth. */
#define POOL_BLOCK_BYTES_MAX ((size_t)8 << 20)

/* At least size bytes, not zeroed. NULL when the thread's budget or the machine's memory is used
 * up, or size is above POOL_BLOCK_BYTES_MAX: an ordinary error, the caller sheds load.          */
NODISCARD void *pool_alloc(size_t size);
/* The same, zeroed. */
NODISCARD void *pool_zalloc(size_t size);
/* NULL is accepted. */
void pool_free(void *block);
/* For secrets: overwritten before it is free. */
void pool_free_wiped(void *block);
/* What a block really holds (its class), >= the size asked for. */
size_t pool_block_bytes(const void *block);

/* Bytes this thread may hold at a time; 0 = no bound (the default). */
void pool_set_budget(uint64_t bytes_max);
/* Bytes in blocks given out by this thread and not freed, by whomever. */
int64_t pool_used_bytes(void);
/* The same with those that others freed and this thread has not taken home yet: what counts
 * against the budget. */
int64_t pool_held_bytes(void);
/* From now on this thread gathers what it frees of other threads' blocks and sends it home by the
 * handful; what is left it sends with pool_send_home(), which it calls before each wait. Else (the
 * default) each block goes home by itself. */
void pool_gather(bool is_gathering);
void pool_send_home(void);
/* Takes what came home: some 500 blocks at most; true = there is more. An allocation that finds no
 * free block takes a little, too, one beyond the budget as much as it needs. */
bool pool_take_home(void);
/* Gives the calling thread's free lists back to the system; sends home what is others'. */
void pool_trim(void);

/* Makes the n-th allocation of this thread from now fail, once; 0 = off. For tests. */
void pool_fail_nth(uint64_t n);

/* Start-up and control-plane memory: aborts the process with a message when there is none. */
NODISCARD void *pool_heap_zalloc(size_t size);
NODISCARD void *pool_heap_grow(void *block, size_t size);
char *pool_heap_strdup(const char *text, size_t len);
void pool_heap_free(void *block);

#endif
