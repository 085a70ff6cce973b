/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pool: size-class free lists per thread. */
#include "base/pool.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* Classes: 16, 32, 48 ... 128 bytes, then eight to each doubling: 144 ... 256, 288 ... 8 MiB. A
 * block is at most an eighth larger than what was asked for. */
#define POOL_GRAIN_BYTES     16u
#define POOL_SMALL_COUNT     8u /* classes up to POOL_SMALL_BYTES */
#define POOL_SMALL_SHIFT     7u
#define POOL_SMALL_BYTES     ((size_t)1 << POOL_SMALL_SHIFT)
#define POOL_CLASS_SHIFT_MAX 23u /* POOL_BLOCK_BYTES_MAX */
#define POOL_CLASS_COUNT     (POOL_SMALL_COUNT + 8 * (POOL_CLASS_SHIFT_MAX - POOL_SMALL_SHIFT))
/* Free blocks kept per class, in bytes; what is above that goes back to the system. More of the
 * small ones: stanzas in custody come and go by the thousand. */
#define POOL_KEEP_BYTES       ((size_t)256 << 10)
#define POOL_KEEP_SMALL_BYTES ((size_t)1 << 20)
#define POOL_SMALL_MAX        1024u
#define POOL_MAGIC_LIVE 0x4c495645u
#define POOL_MAGIC_FREE 0x46524545u

/* Stands before every block; 16 bytes keep the block aligned for anything. */
struct pool_head {
    uint32_t magic;
    uint32_t class_idx;
    union {
        struct pool_head *next;       /* free: list, owned by the thread that holds it */
        struct pool_account *account; /* given out: of the thread that did so */
    };
};

STATIC_ASSERT(sizeof(struct pool_head) == 16, "blocks stay 16-byte aligned");

/* What other threads have freed of a thread's blocks. Outlives the thread: blocks may, too. Threads
 * beyond the last share it. */
struct pool_account {
    alignas(64) _Atomic int64_t freed_elsewhere_bytes;
};
#define POOL_ACCOUNTS_MAX 256u

static struct pool_account accounts[POOL_ACCOUNTS_MAX];
static _Atomic uint32_t account_count;

struct pool {
    struct pool_account *account; /* NULL before the first allocation */
    struct pool_head *free_blocks[POOL_CLASS_COUNT]; /* owned */
    uint32_t free_count[POOL_CLASS_COUNT];
    int64_t used_bytes;
    uint64_t budget_bytes;
    uint64_t fail_in; /* tests: countdown to a failure, 0 = off */
};

static _Thread_local struct pool pool;

static size_t class_bytes(uint32_t class_idx)
{
    uint32_t above = class_idx - POOL_SMALL_COUNT;

    if (class_idx < POOL_SMALL_COUNT) {
        return (class_idx + 1) * (size_t)POOL_GRAIN_BYTES;
    }
    return (size_t)(9 + above % 8) << (POOL_SMALL_SHIFT - 3 + above / 8);
}

static uint32_t class_for(size_t size)
{
    size_t last = size ? size - 1 : 0;
    uint32_t shift;

    if (size <= POOL_SMALL_BYTES) {
        return (uint32_t)(last / POOL_GRAIN_BYTES);
    }
    /* The doubling that size is in, and which eighth of it: the three bits below the highest. */
    shift = 63u - (uint32_t)__builtin_clzll((unsigned long long)last);
    return POOL_SMALL_COUNT + 8 * (shift - POOL_SMALL_SHIFT) +
           (uint32_t)((last >> (shift - 3)) & 7u);
}

static struct pool_head *head_of(const void *block)
{
    struct pool_head *head = (struct pool_head *)((uintptr_t)block - sizeof(struct pool_head));

    ASSERT(head->magic == POOL_MAGIC_LIVE);
    return head;
}

static struct pool_account *account_new(void)
{
    uint32_t idx = atomic_fetch_add_explicit(&account_count, 1, memory_order_relaxed);

    return &accounts[idx < POOL_ACCOUNTS_MAX ? idx : POOL_ACCOUNTS_MAX - 1];
}

/* Only where it decides: the line belongs to whoever frees our blocks. */
static bool is_within_budget(size_t bytes)
{
    if (pool.used_bytes + (int64_t)bytes <= (int64_t)pool.budget_bytes) {
        return true;
    }
    pool.used_bytes -= atomic_exchange_explicit(&pool.account->freed_elsewhere_bytes, 0,
                                                memory_order_relaxed);
    return pool.used_bytes + (int64_t)bytes <= (int64_t)pool.budget_bytes;
}

static bool may_allocate(size_t bytes)
{
    if (UNLIKELY(pool.fail_in != 0) && --pool.fail_in == 0) {
        return false;
    }
    if (UNLIKELY(!pool.account)) {
        pool.account = account_new();
    }
    return pool.budget_bytes == 0 || is_within_budget(bytes);
}

void *pool_alloc(size_t size)
{
    struct pool_head *head;
    uint32_t class_idx;
    size_t bytes;

    if (size > POOL_BLOCK_BYTES_MAX) {
        return NULL;
    }
    class_idx = class_for(size);
    bytes = class_bytes(class_idx);
    if (!may_allocate(bytes)) {
        return NULL;
    }
    head = pool.free_blocks[class_idx];
    if (head) {
        pool.free_blocks[class_idx] = head->next;
        pool.free_count[class_idx]--;
    } else {
        head = malloc(sizeof(*head) + bytes);
        if (!head) {
            return NULL;
        }
        head->class_idx = class_idx;
    }
    head->magic = POOL_MAGIC_LIVE;
    head->account = pool.account;
    pool.used_bytes += (int64_t)bytes;
    return head + 1;
}

void *pool_zalloc(size_t size)
{
    void *block = pool_alloc(size);

    if (block) {
        memset(block, 0, size);
    }
    return block;
}

void pool_free(void *block)
{
    struct pool_head *head;
    size_t bytes;

    if (!block) {
        return;
    }
    head = head_of(block);
    bytes = class_bytes(head->class_idx);
    if (head->account == pool.account) {
        pool.used_bytes -= (int64_t)bytes;
    } else {
        (void)atomic_fetch_add_explicit(&head->account->freed_elsewhere_bytes, (int64_t)bytes,
                                        memory_order_relaxed);
    }
    head->magic = POOL_MAGIC_FREE;
#ifndef FEDGATE_SANITIZED
    if ((pool.free_count[head->class_idx] + 1) * bytes <=
        (bytes <= POOL_SMALL_MAX ? POOL_KEEP_SMALL_BYTES : POOL_KEEP_BYTES)) {
        head->next = pool.free_blocks[head->class_idx];
        pool.free_blocks[head->class_idx] = head;
        pool.free_count[head->class_idx]++;
        return;
    }
#endif
    free(head);
}

void pool_free_wiped(void *block)
{
    if (block) {
        explicit_bzero(block, pool_block_bytes(block));
        pool_free(block);
    }
}

size_t pool_block_bytes(const void *block)
{
    return class_bytes(head_of(block)->class_idx);
}

void pool_set_budget(uint64_t bytes_max)
{
    pool.budget_bytes = bytes_max;
}

int64_t pool_used_bytes(void)
{
    return pool.account ? pool.used_bytes - atomic_load_explicit(
                                                &pool.account->freed_elsewhere_bytes,
                                                memory_order_relaxed)
                        : 0;
}

void pool_trim(void)
{
    for (uint32_t i = 0; i < POOL_CLASS_COUNT; i++) {
        while (pool.free_blocks[i]) {
            struct pool_head *head = pool.free_blocks[i];

            pool.free_blocks[i] = head->next;
            free(head);
        }
        pool.free_count[i] = 0;
    }
}

void pool_fail_nth(uint64_t n)
{
    pool.fail_in = n;
}

static void *heap_or_abort(void *block, size_t size)
{
    if (!block) {
        (void)fprintf(stderr, "fedgate: out of memory (%zu bytes wanted)\n", size);
        abort();
    }
    return block;
}

void *pool_heap_zalloc(size_t size)
{
    return heap_or_abort(calloc(1, size ? size : 1), size);
}

void *pool_heap_grow(void *block, size_t size)
{
    return heap_or_abort(realloc(block, size ? size : 1), size);
}

char *pool_heap_strdup(const char *text, size_t len)
{
    char *copy = pool_heap_zalloc(len + 1);

    if (len) {
        memcpy(copy, text, len);
    }
    return copy;
}

void pool_heap_free(void *block)
{
    free(block);
}
