/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record: no record and no key at rest costs an allocation of the libraries. malloc of the whole
 * program is counted, the libraries' too; sanitizers bring their own: not built there.          */
#include <criterion/criterion.h>

#include "record_kit.h"

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

static _Thread_local uint64_t allocations;

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    allocations++;
    return __libc_realloc(block, size);
}

/* No assertion of Criterion here: they may allocate. */
static bool one_record(struct kit *k, char *bytes, size_t len)
{
    static const char text[RECORD_PLAIN_MAX];
    uint8_t type;
    uint8_t alert;
    struct slice plain;
    if (record_seal(&k->from, RECORD_APPLICATION_DATA, slice_make(text, len), RECORD_PLAIN_MAX,
                    &k->wire) != 0) {
        return false;
    }
    size_t wire_len = buf_len(&k->wire);
    memcpy(bytes, buf_slice(&k->wire).ptr, wire_len);
    buf_clear(&k->wire);
    return record_open(&k->to, bytes, wire_len, &type, &plain, &alert) == 0;
}

Test(record_heap, records_allocate_nothing)
{
    static char bytes[RECORD_HEADER_BYTES + RECORD_BODY_MAX];
    struct kit k;
    for (uint32_t i = 0; i < KIT_CASES; i++) {
        kit_init(&k, i);
        bool is_good = one_record(&k, bytes, RECORD_PLAIN_MAX); /* keys and buffer */
        uint64_t before = allocations;
        cr_assert_gt(before, 0); /* they are counted */
        for (size_t len = 0; len < 100; len++) {
            is_good = is_good && one_record(&k, bytes, len * 165);
        }
        uint64_t after = allocations;
        cr_assert(is_good);
        cr_assert_eq(after - before, 0, "%s, case %u: %lu", k.name, i,
                     (unsigned long)(after - before));
        kit_deinit(&k);
    }
}

/* wolfCrypt's keys live in the pool, which has a block of this size after the first. */
Test(record_heap, an_expanded_key_of_wolfcrypt_is_in_the_pool)
{
    static char bytes[RECORD_HEADER_BYTES + RECORD_BODY_MAX];
    struct kit k;
    for (uint32_t i = 0; i < KIT_CASES; i += 2) {
        kit_init(&k, i);
        bool is_good = one_record(&k, bytes, 10);
        record_rest(&k.from);
        record_rest(&k.to);
        uint64_t before = allocations;
        is_good = is_good && one_record(&k, bytes, 10);
        uint64_t after = allocations;
        cr_assert(is_good);
        cr_assert_eq(after, before);
        kit_deinit(&k);
    }
}
