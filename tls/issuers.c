/* SPDX-License-Identifier: GPL-2.0-or-later */
/* issuers: see issuers.h. */
#include "tls/issuers.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/pool.h"

struct issuer {
    char *der; /* owned; cert borrows it */
    uint64_t subject_hash;
    struct cert cert;
};

struct issuers {
    _Atomic uint32_t refs; /* last unref: acq_rel, so that its free sees all uses */
    pthread_mutex_t lock;  /* of count and all; what all points to never changes */
    uint32_t count;
    struct issuer *all[ISSUERS_MAX]; /* owned */
};

struct issuers *issuers_new(void)
{
    struct issuers *table = pool_heap_zalloc(sizeof(*table));
    atomic_init(&table->refs, 1);
    (void)pthread_mutex_init(&table->lock, NULL);
    return table;
}

struct issuers *issuers_ref(struct issuers *table)
{
    uint32_t before = atomic_fetch_add_explicit(&table->refs, 1, memory_order_relaxed);
    ASSERT(before > 0 && before < UINT32_MAX);
    return table;
}

void issuers_unref(struct issuers *table)
{
    if (!table || atomic_fetch_sub_explicit(&table->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (uint32_t i = 0; i < table->count; i++) {
        pool_heap_free(table->all[i]->der);
        pool_heap_free(table->all[i]);
    }
    (void)pthread_mutex_destroy(&table->lock);
    pool_heap_free(table);
}

static struct issuer *copy_of(const struct cert *cert, uint64_t subject_hash)
{
    struct issuer *one = pool_heap_zalloc(sizeof(*one));
    one->der = pool_heap_strdup(cert->der.ptr, cert->der.len);
    one->subject_hash = subject_hash;
    int err = cert_parse(&one->cert, slice_make(one->der, cert->der.len));
    ASSERT(err == 0);
    return one;
}

bool issuers_add(struct issuers *table, const struct cert *cert)
{
    uint64_t subject_hash = hash_bytes(cert->subject);
    bool is_there = false;
    if (cert->der.len > ISSUERS_CERT_BYTES_MAX) {
        return false;
    }
    (void)pthread_mutex_lock(&table->lock);
    for (uint32_t i = 0; i < table->count && !is_there; i++) {
        is_there = table->all[i]->subject_hash == subject_hash &&
                   slice_eq(table->all[i]->cert.der, cert->der);
    }
    if (!is_there && table->count < ISSUERS_MAX) {
        table->all[table->count++] = copy_of(cert, subject_hash);
        is_there = true;
    }
    (void)pthread_mutex_unlock(&table->lock);
    return is_there;
}

const struct cert *issuers_next(struct issuers *table, uint64_t subject_hash, uint32_t *idx)
{
    const struct cert *found = NULL;
    (void)pthread_mutex_lock(&table->lock);
    while (*idx < table->count && !found) {
        const struct issuer *one = table->all[*idx];
        found = one->subject_hash == subject_hash ? &one->cert : NULL;
        *idx += 1;
    }
    (void)pthread_mutex_unlock(&table->lock);
    return found;
}
