/* SPDX-License-Identifier: GPL-2.0-or-later */
/* aead and record on several threads at once: the first keys of a process, each thread's list of
 * expanded keys, sides that move. Nothing of one thread may be seen by another.              */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#include "base/pool.h"
#include "oracle.h"
#include "record_kit.h"

#define TEXT_BYTES 600u

static void *first_keys(void *arg)
{
    const struct tls_aead_ops *ops =
        (uintptr_t)arg % 2 == 0 ? &tls_aead_wolfcrypt : &tls_aead_mbedcrypto;
    for (uint32_t i = 0; i < 100; i++) {
        char text[TEXT_BYTES + TLS_TAG_BYTES];
        char want[TEXT_BYTES + TLS_TAG_BYTES];
        unsigned char key[TLS_KEY_BYTES_MAX];
        enum tls_cipher cipher = (enum tls_cipher)(i % TLS_CIPHER_COUNT);
        struct tls_aead_head head = {.ad = SLICE_LIT("ad")};
        kit_fill(key, sizeof(key), i);
        kit_fill(text, sizeof(text), i);
        oracle_seal(cipher, key, &head, slice_make(text, TEXT_BYTES), want);
        struct tls_aead *aead = ops->create(cipher, key);
        cr_assert_not_null(aead);
        struct slice tail = slice_make(text + TEXT_BYTES - 1, 1);
        cr_assert_eq(ops->seal(aead, &head, slice_make(text, TEXT_BYTES - 1), tail, text), 0);
        cr_assert_eq(memcmp(text, want, sizeof(want)), 0);
        ops->destroy(aead);
    }
    pool_trim();
    return NULL;
}

/* More sides than a thread keeps expanded. */
static void *many_sides(void *arg)
{
    const uint32_t count = RECORD_EXPANDED_MAX / 2 + 20;
    uint64_t state = (uintptr_t)arg;
    struct kit *kits = pool_heap_zalloc(count * sizeof(*kits));
    for (uint32_t i = 0; i < count; i++) {
        kit_init(&kits[i], i % KIT_CASES);
    }
    for (uint32_t i = 0; i < 3000; i++) {
        struct kit *k = &kits[kit_random(&state, count)];
        char bytes[128];
        uint8_t type;
        uint8_t alert;
        struct slice plain;
        kit_seal(k, RECORD_APPLICATION_DATA, SLICE_LIT("text"));
        size_t len = buf_len(&k->wire);
        memcpy(bytes, buf_slice(&k->wire).ptr, len);
        buf_clear(&k->wire);
        cr_assert_eq(record_open(&k->to, bytes, len, &type, &plain, &alert), 0);
        cr_assert(slice_eq_cstr(plain, "text"));
        cr_assert_leq(record_expanded_count(), RECORD_EXPANDED_MAX);
    }
    cr_assert_eq(record_expanded_count(), RECORD_EXPANDED_MAX);
    for (uint32_t i = 0; i < count; i++) {
        record_side_deinit(&kits[i].from);
        record_side_deinit(&kits[i].to);
        buf_deinit(&kits[i].wire);
    }
    cr_assert_eq(record_expanded_count(), 0);
    cr_assert_eq(pool_used_bytes(), 0);
    pool_heap_free(kits);
    pool_trim();
    return NULL;
}

static void on_threads(void *work(void *))
{
    pthread_t threads[4];
    for (uintptr_t i = 0; i < ARRAY_COUNT(threads); i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, work, (void *)i), 0);
    }
    for (uintptr_t i = 0; i < ARRAY_COUNT(threads); i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    }
}

Test(aead_threads, first_keys_of_a_process)
{
    on_threads(first_keys);
}

Test(aead_threads, each_thread_has_its_own_list)
{
    on_threads(many_sides);
}

/* A side that rests goes to another thread. */
static void *go_on(void *arg)
{
    struct kit *k = arg;
    uint8_t type;
    uint8_t alert;
    struct slice plain;
    for (int i = 0; i < 10; i++) {
        kit_seal(k, RECORD_APPLICATION_DATA, SLICE_LIT("moved"));
        cr_assert_eq(kit_open(k, buf_slice(&k->wire), &type, &plain, &alert), 0);
        cr_assert(slice_eq_cstr(plain, "moved"));
        buf_clear(&k->wire);
    }
    record_rest(&k->from);
    record_rest(&k->to);
    buf_release_if_empty(&k->wire);
    pool_trim();
    return NULL;
}

Test(aead_threads, sides_move)
{
    struct kit k;
    for (uint32_t i = 0; i < KIT_CASES; i++) {
        pthread_t thread;
        kit_init(&k, i);
        go_on(&k);
        cr_assert_eq(pthread_create(&thread, NULL, go_on, &k), 0);
        cr_assert_eq(pthread_join(thread, NULL), 0);
        go_on(&k);
        cr_assert_eq(k.from.keys.seq, 30);
        kit_deinit(&k);
    }
}
