/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crl: the store of lists: the row of serial numbers, the choice of lists, signatures. See crl.h;
 * files are crl_load.c's. */
#include <stdlib.h>

#include "base/check.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/pool.h"
#include "tls/crl_int.h"
#include "tls/der.h"

static int compare_serials(const void *a, const void *b, void *width)
{
    return memcmp(a, b, *(const uint32_t *)width);
}

/* Sorted once; most lists are not when they come. */
static void fill_serials(struct crl *list, struct slice entries)
{
    struct slice serial;
    uint32_t width = list->serial_bytes;
    bool is_sorted = true;
    list->serials = pool_heap_zalloc((size_t)list->entry_count * width + 1);
    unsigned char *at = list->serials;
    for (uint32_t i = 0; i < list->entry_count && crl_next_entry(&entries, &serial); i++) {
        bool fits = crl_serial_pad(serial, at, width);
        ASSERT(fits);
        is_sorted = is_sorted && (i == 0 || memcmp(at - width, at, width) <= 0);
        at += width;
    }
    ASSERT(at == list->serials + (size_t)list->entry_count * width);
    if (!is_sorted) {
        qsort_r(list->serials, list->entry_count, width, compare_serials, &list->serial_bytes);
    }
}

static void keep(struct crl *list, struct slice *to, struct slice from, size_t *used)
{
    if (from.len > 0) {
        memcpy(list->kept + *used, from.ptr, from.len);
        *to = slice_make(list->kept + *used, from.len);
        *used += from.len;
    }
}

bool crl_fill(struct crl *out, const struct crl_view *v, const struct signature_ops *signature)
{
    size_t used = 0;
    *out = (struct crl){
        .this_update_unix_s = v->this_update_unix_s,
        .next_update_unix_s = v->next_update_unix_s,
        .entry_count = v->entry_count,
        .serial_bytes = v->serial_bytes,
        .only_users = v->only_users,
        .only_cas = v->only_cas,
        .signature = v->signature,
    };
    if (!signature->digest(v->signature.kind, v->tbs, out->signature.digest)) {
        return false;
    }
    struct slice number = v->number;
    while (number.len > 1 && number.ptr[0] == 0) {
        number = slice_from(number, 1);
    }
    out->kept = pool_heap_zalloc(v->issuer.len + v->authority_key_id.len + number.len +
                                 v->scope.len + v->points.len + v->signature.bytes.len + 1);
    keep(out, &out->issuer, v->issuer, &used);
    out->issuer_hash = hash_bytes(out->issuer);
    keep(out, &out->authority_key_id, v->authority_key_id, &used);
    keep(out, &out->number, number, &used);
    keep(out, &out->scope, v->scope, &used);
    keep(out, &out->points, v->points, &used);
    keep(out, &out->signature.bytes, v->signature.bytes, &used);
    fill_serials(out, v->entries);
    return true;
}

void crl_drop(struct crl *list)
{
    pool_heap_free(list->kept);
    pool_heap_free(list->serials);
    *list = (struct crl){0};
}

static int compare_slices(struct slice a, struct slice b)
{
    if (a.len != b.len) {
        return a.len < b.len ? -1 : 1;
    }
    return a.len == 0 ? 0 : memcmp(a.ptr, b.ptr, a.len);
}

static bool same_scope(const struct crl *a, const struct crl *b)
{
    return slice_eq(a->issuer, b->issuer) && slice_eq(a->authority_key_id, b->authority_key_id) &&
           slice_eq(a->scope, b->scope);
}

/* Issuer, key, scope; of the same ones the newest first. */
static int compare_lists(const void *left, const void *right)
{
    const struct crl *a = left;
    const struct crl *b = right;
    int order = (a->issuer_hash > b->issuer_hash) - (a->issuer_hash < b->issuer_hash);
    order = order ? order : compare_slices(a->issuer, b->issuer);
    order = order ? order : compare_slices(a->authority_key_id, b->authority_key_id);
    order = order ? order : compare_slices(a->scope, b->scope);
    if (order == 0 && a->number.len > 0 && b->number.len > 0) {
        order = compare_slices(b->number, a->number);
    }
    if (order == 0 && a->this_update_unix_s != b->this_update_unix_s) {
        order = a->this_update_unix_s > b->this_update_unix_s ? -1 : 1;
    }
    return order ? order : memcmp(a->signature.digest, b->signature.digest,
                                  SIGNATURE_DIGEST_BYTES_MAX);
}

void crl_store_sort(struct crl_store *store)
{
    uint32_t kept = 0;
    if (store->count == 0) {
        return;
    }
    qsort(store->lists, store->count, sizeof(*store->lists), compare_lists);
    for (uint32_t i = 0; i < store->count; i++) {
        struct crl *list = &store->lists[i];
        struct crl *before = kept ? &store->lists[kept - 1] : NULL;
        if (before && compare_lists(before, list) == 0 &&
            slice_eq(before->signature.bytes, list->signature.bytes)) {
            crl_drop(list); /* the same file under two names, as c_rehash makes them */
            continue;
        }
        list->is_newest = !before || !same_scope(before, list);
        store->lists[kept++] = *list;
    }
    store->count = kept;
}

/* --- questions --- */

/* The first list of an issuer whose name has this hash, or where it would be. */
static uint32_t first_of(const struct crl_store *store, uint64_t issuer_hash)
{
    uint32_t low = 0;
    uint32_t high = store->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (store->lists[middle].issuer_hash < issuer_hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool has_name(struct slice names, struct slice name)
{
    struct der list = der_make(names);
    struct der_item item;
    while (der_next(&list, &item)) {
        if (slice_eq(item.whole, name)) {
            return true;
        }
    }
    return false;
}

/* Whether one of the list's names is one of the certificate's distribution points (RFC 5280 6.3.3
 * (b) (2) (i)). */
static bool points_meet(struct slice list_names, struct slice crl_points)
{
    struct der value = der_make(crl_points);
    struct der points = der_open(&value, DER_SEQUENCE);
    while (!der_at_end(&points)) {
        struct der point = der_open(&points, DER_SEQUENCE);
        struct der_item name;
        if (!der_take(&point, DER_CONTEXT_SEQ(0), &name)) {
            continue;
        }
        struct der choice = der_make(name.content);
        struct der names = der_open(&choice, DER_CONTEXT_SEQ(0));
        struct der_item one;
        while (der_next(&names, &one)) {
            if (has_name(list_names, one.whole)) {
                return true;
            }
        }
    }
    return false;
}

static bool is_about(const struct crl *list, const struct cert *cert, const struct cert *issuer)
{
    if ((list->only_users && cert->is_ca) || (list->only_cas && !cert->is_ca)) {
        return false;
    }
    if (!slice_is_empty(list->authority_key_id) && !slice_is_empty(issuer->subject_key_id) &&
        !slice_eq(list->authority_key_id, issuer->subject_key_id)) {
        return false; /* of another key of the same name: a CA that changed its key has two */
    }
    return slice_is_empty(list->points) || points_meet(list->points, cert->crl_points);
}

/* Verified once per issuer's certificate, not once per handshake. */
static bool is_signed_by(struct crl_store *store, struct crl *list, const struct cert *issuer)
{
    struct crl_signer signer = {{0}, false};
    bool is_known = false;
    if ((issuer->key_usage & CERT_KU_CRL_SIGN) == 0) {
        return false;
    }
    store->crypto->sha256(issuer->der, signer.certificate);
    (void)pthread_mutex_lock(&store->lock);
    for (uint32_t i = 0; i < list->signer_count && !is_known; i++) {
        is_known = memcmp(list->signers[i].certificate, signer.certificate,
                          sizeof(signer.certificate)) == 0;
        signer.has_signed = is_known && list->signers[i].has_signed;
    }
    (void)pthread_mutex_unlock(&store->lock);
    if (is_known) {
        return signer.has_signed;
    }
    signer.has_signed = store->signature->verify(&list->signature, issuer->der);
    (void)pthread_mutex_lock(&store->lock);
    if (list->signer_count < CRL_SIGNERS_MAX) {
        list->signers[list->signer_count++] = signer; /* perhaps twice, by two threads */
    }
    (void)pthread_mutex_unlock(&store->lock);
    return signer.has_signed;
}

static bool lists_serial(const struct crl *list, struct slice serial)
{
    unsigned char key[CRL_SERIAL_BYTES_MAX];
    size_t low = 0;
    size_t high = list->entry_count;
    if (!crl_serial_pad(serial, key, list->serial_bytes)) {
        return false; /* longer than any in the list */
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(list->serials + middle * list->serial_bytes, key, list->serial_bytes);
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

enum crl_verdict crl_check(struct crl_store *store, const struct cert *cert,
                           const struct cert *issuer, int64_t now_unix_s, int64_t *until_unix_s)
{
    const struct crl *decided = NULL;
    enum crl_verdict verdict = CRL_NONE;
    uint64_t hash = hash_bytes(cert->issuer);
    for (uint32_t i = first_of(store, hash);
         i < store->count && store->lists[i].issuer_hash == hash; i++) {
        struct crl *list = &store->lists[i];
        if (!slice_eq(list->issuer, cert->issuer)) {
            continue;
        }
        if (!is_about(list, cert, issuer) || (decided && same_scope(decided, list))) {
            continue;
        }
        if (now_unix_s < list->this_update_unix_s || now_unix_s > list->next_update_unix_s ||
            !is_signed_by(store, list, issuer)) {
            verdict = verdict == CRL_NONE ? CRL_STALE : verdict;
            continue;
        }
        if (lists_serial(list, cert->serial)) {
            return CRL_REVOKED;
        }
        decided = list;
        verdict = CRL_GOOD;
        if (list->next_update_unix_s < *until_unix_s) {
            *until_unix_s = list->next_update_unix_s;
        }
    }
    return verdict;
}

static bool is_signed_by_any(struct crl_store *store, struct crl *list,
                             const struct crl_issuers *issuers)
{
    bool is_signed = false;
    for (uint32_t i = 0; i < issuers->count && !is_signed; i++) {
        is_signed = slice_eq(list->issuer, issuers->certs[i]->subject) &&
                    is_signed_by(store, list, issuers->certs[i]);
    }
    return is_signed;
}

bool crl_names(struct crl_store *store, const struct crl_trace *trace,
               const struct crl_issuers *issuers, int64_t now_unix_s)
{
    const struct crl *decided = NULL;
    struct slice serial = slice_make((const char *)trace->serial, trace->serial_len);
    for (uint32_t i = first_of(store, trace->issuer_hash);
         i < store->count && store->lists[i].issuer_hash == trace->issuer_hash; i++) {
        struct crl *list = &store->lists[i];
        bool is_of_key = slice_is_empty(list->authority_key_id) || trace->key_hash == 0 ||
                         hash_bytes(list->authority_key_id) == trace->key_hash;
        if (!is_of_key || now_unix_s < list->this_update_unix_s ||
            (decided && same_scope(decided, list)) || !is_signed_by_any(store, list, issuers)) {
            continue;
        }
        if (lists_serial(list, serial)) {
            return true;
        }
        decided = list;
    }
    return false;
}

uint64_t crl_store_issuer_hash(const struct crl_store *store, uint32_t idx)
{
    ASSERT(idx < store->count);
    return store->lists[idx].issuer_hash;
}

uint32_t crl_store_settle(struct crl_store *store, uint32_t idx, const struct crl_issuers *issuers)
{
    uint32_t newest = UINT32_MAX;
    uint32_t end = idx;
    for (; end < store->count && same_scope(&store->lists[idx], &store->lists[end]); end++) {
        struct crl *list = &store->lists[end];
        list->is_newest = false;
        if (newest == UINT32_MAX && is_signed_by_any(store, list, issuers)) {
            newest = end;
        }
    }
    store->lists[newest == UINT32_MAX ? idx : newest].is_newest = true;
    return end;
}

bool crl_trace_make(struct crl_trace *out, const struct cert *cert, const struct cert *issuer)
{
    *out = (struct crl_trace){.issuer_hash = hash_bytes(cert->issuer)};
    if (!slice_is_empty(issuer->subject_key_id)) {
        out->key_hash = hash_bytes(issuer->subject_key_id);
    }
    if (cert->serial.len > sizeof(out->serial)) {
        return false;
    }
    memcpy(out->serial, cert->serial.ptr, cert->serial.len);
    out->serial_len = (uint8_t)cert->serial.len;
    return true;
}

uint64_t crl_store_hash(const struct crl_store *store)
{
    uint64_t hash = crl_store_count(store);
    for (uint32_t i = 0; i < crl_store_count(store); i++) {
        const struct crl *list = &store->lists[i];
        uint64_t pair[2] = {hash, hash_bytes(slice_make((const char *)list->signature.digest,
                                                        SIGNATURE_DIGEST_BYTES_MAX))};
        hash = hash_bytes(slice_make((const char *)pair, sizeof(pair)));
    }
    return hash;
}

uint32_t crl_store_count(const struct crl_store *store)
{
    return store ? store->count : 0;
}

bool crl_store_info(const struct crl_store *store, uint32_t idx, struct tls_crl_info *out)
{
    if (idx >= crl_store_count(store)) {
        return false;
    }
    const struct crl *list = &store->lists[idx];
    *out = (struct tls_crl_info){
        .path = store->paths[list->path_idx],
        .this_update_unix_s = list->this_update_unix_s,
        .next_update_unix_s = list->next_update_unix_s,
        .entry_count = list->entry_count,
        .is_newest = list->is_newest,
    };
    cert_name_text(list->issuer, out->issuer, sizeof(out->issuer));
    return true;
}

void crl_store_free(struct crl_store *store)
{
    if (!store) {
        return;
    }
    for (uint32_t i = 0; i < store->count; i++) {
        crl_drop(&store->lists[i]);
    }
    for (uint32_t i = 0; i < store->path_count; i++) {
        pool_heap_free(store->paths[i]);
    }
    pool_heap_free(store->paths);
    pool_heap_free(store->lists);
    (void)pthread_mutex_destroy(&store->lock);
    pool_heap_free(store);
}
