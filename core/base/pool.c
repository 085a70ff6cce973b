/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pool: size-class free lists per thread; blocks that go home to another one in parcels. */
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

/* Blocks on their way home. Lies in the first of them; the others are named, not linked: their
 * lines are in the other core's cache, and the owner can ask for all of them at once. */
struct pool_parcel {
    struct pool_parcel *next; /* in the account; owned by whoever takes them all */
    uint32_t count;
    uint32_t count_max;
    struct pool_head *blocks[]; /* owned, count */
};
#define PARCEL_BLOCKS_MAX 62u
/* Opened at a time: some 500 blocks, which may all have to go back to the system. */
#define PARCELS_PER_TAKE 8u

/* Under AddressSanitizer nothing is gathered: whoever touches a freed block is seen at once. */
#if defined(FEDGATE_SANITIZED) && !defined(__SANITIZE_THREAD__)
#define POOL_FREES_AT_ONCE 1
#endif

STATIC_ASSERT(sizeof(struct pool_parcel) <= POOL_GRAIN_BYTES, "any block holds an empty one");

/* What other threads have freed of a thread's blocks. Outlives the thread: blocks may, too. Threads
 * beyond the last share it. */
struct pool_account {
    /* Sent and not opened yet. Added to before the parcel is pushed: never below zero. */
    alignas(64) _Atomic int64_t freed_elsewhere_bytes;
    /* A stack. Who frees: compare-exchange with release; owner: exchange of all with acquire. */
    _Atomic(struct pool_parcel *) returned;
};
#define POOL_ACCOUNTS_MAX 256u

/* What this thread has freed of another one's blocks and not sent yet. */
struct pool_way {
    struct pool_parcel *parcel; /* owned; NULL = nothing */
    int64_t bytes;
};

static struct pool_account accounts[POOL_ACCOUNTS_MAX];
static _Atomic uint32_t account_count;

struct pool {
    struct pool_account *account; /* NULL before the first allocation */
    struct pool_head *free_blocks[POOL_CLASS_COUNT]; /* owned */
    uint32_t free_count[POOL_CLASS_COUNT];
    struct pool_parcel *arrived; /* owned; taken out of the account, not opened yet */
    int64_t used_bytes; /* with those in parcels that are not opened */
    uint64_t budget_bytes;
    uint64_t fail_in; /* tests: countdown to a failure, 0 = off */
    bool is_gathering;
    uint64_t open_ways[POOL_ACCOUNTS_MAX / 64]; /* bits: ways with a parcel */
    struct pool_way ways[POOL_ACCOUNTS_MAX];    /* by account */
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

/* To the free lists, or to the system when they hold enough. */
static void keep(struct pool_head *head)
{
#ifndef FEDGATE_SANITIZED
    size_t bytes = class_bytes(head->class_idx);

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

static void parcel_send(uint32_t idx)
{
    struct pool_way *way = &pool.ways[idx];
    struct pool_account *home = &accounts[idx];
    struct pool_parcel *parcel = way->parcel;

    (void)atomic_fetch_add_explicit(&home->freed_elsewhere_bytes, way->bytes,
                                    memory_order_relaxed);
    way->parcel = NULL;
    pool.open_ways[idx / 64] &= ~((uint64_t)1 << idx % 64);
    parcel->next = atomic_load_explicit(&home->returned, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&home->returned, &parcel->next, parcel,
                                                  memory_order_release, memory_order_relaxed)) {
    }
}

#ifdef POOL_FREES_AT_ONCE
static void free_foreign(struct pool_head *head, size_t bytes)
{
    (void)atomic_fetch_add_explicit(&head->account->freed_elsewhere_bytes, (int64_t)bytes,
                                    memory_order_relaxed);
    free(head);
}
#else
static void free_foreign(struct pool_head *head, size_t bytes)
{
    uint32_t idx = (uint32_t)(head->account - accounts);
    struct pool_way *way = &pool.ways[idx];
    struct pool_parcel *parcel = way->parcel;
    size_t room;

    if (parcel) {
        parcel->blocks[parcel->count++] = head;
        way->bytes += (int64_t)bytes;
    } else {
        room = (bytes - sizeof(*parcel)) / sizeof(parcel->blocks[0]);
        parcel = (struct pool_parcel *)(void *)(head + 1);
        *parcel = (struct pool_parcel){
            .count_max = (uint32_t)(room < PARCEL_BLOCKS_MAX ? room : PARCEL_BLOCKS_MAX)};
        way->parcel = parcel;
        way->bytes = (int64_t)bytes;
        pool.open_ways[idx / 64] |= (uint64_t)1 << idx % 64;
    }
    if (parcel->count == parcel->count_max || !pool.is_gathering) {
        parcel_send(idx);
    }
}
#endif

static void settle(int64_t bytes)
{
    pool.used_bytes -= bytes;
    (void)atomic_fetch_sub_explicit(&pool.account->freed_elsewhere_bytes, bytes,
                                    memory_order_relaxed);
}

static void parcel_open(struct pool_parcel *parcel)
{
    struct pool_head *first = (struct pool_head *)(void *)parcel - 1;
    size_t bytes = class_bytes(first->class_idx);

    for (uint32_t i = 0; i < parcel->count; i++) {
        PREFETCH(parcel->blocks[i]);
    }
    for (uint32_t i = 0; i < parcel->count; i++) {
        DASSERT(parcel->blocks[i]->magic == POOL_MAGIC_FREE);
        bytes += class_bytes(parcel->blocks[i]->class_idx);
        keep(parcel->blocks[i]);
    }
    keep(first);
    settle((int64_t)bytes);
}

static bool has_parcels(void)
{
    return pool.arrived || (pool.account && atomic_load_explicit(&pool.account->returned,
                                                                 memory_order_relaxed));
}

/* Opens one of those that came home; false = there is none. */
NOINLINE static bool take_one(void)
{
    struct pool_parcel *parcel;

#ifdef POOL_FREES_AT_ONCE
    if (pool.account) { /* one of those that share it gets all: what they hold together is true */
        pool.used_bytes -= atomic_exchange_explicit(&pool.account->freed_elsewhere_bytes, 0,
                                                    memory_order_relaxed);
    }
#endif
    if (!has_parcels()) {
        return false;
    }
    if (!pool.arrived) {
        pool.arrived =
            atomic_exchange_explicit(&pool.account->returned, NULL, memory_order_acquire);
    }
    parcel = pool.arrived;
    if (parcel) { /* another thread of a shared account may have been faster */
        pool.arrived = parcel->next;
        parcel_open(parcel);
    }
    return true;
}

static bool fits_budget(size_t bytes)
{
    return pool.used_bytes + (int64_t)bytes <= (int64_t)pool.budget_bytes;
}

/* Parcels are opened only as far as it decides. */
static bool is_within_budget(size_t bytes)
{
    while (UNLIKELY(!fits_budget(bytes))) {
        if (!take_one()) {
            return fits_budget(bytes);
        }
    }
    return true;
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
    if (UNLIKELY(!head)) {
        (void)take_one();
        head = pool.free_blocks[class_idx];
    }
    if (head) {
        pool.free_blocks[class_idx] = head->next;
        pool.free_count[class_idx]--;
        PREFETCH(head->next); /* it may have come from another core: asked for one block ahead */
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
    head->magic = POOL_MAGIC_FREE;
    if (LIKELY(head->account == pool.account)) {
        pool.used_bytes -= (int64_t)bytes;
        keep(head);
    } else {
        free_foreign(head, bytes);
    }
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

void pool_gather(bool is_gathering)
{
    pool.is_gathering = is_gathering;
    pool_send_home();
}

void pool_send_home(void)
{
    for (uint32_t word = 0; word < POOL_ACCOUNTS_MAX / 64; word++) {
        while (pool.open_ways[word]) {
            parcel_send(word * 64 + (uint32_t)__builtin_ctzll(pool.open_ways[word]));
        }
    }
}

bool pool_take_home(void)
{
    for (uint32_t i = 0; i < PARCELS_PER_TAKE && take_one(); i++) {
    }
    return has_parcels();
}

int64_t pool_held_bytes(void)
{
    return pool.used_bytes;
}

void pool_trim(void)
{
    pool_send_home();
    while (take_one()) {
    }
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
