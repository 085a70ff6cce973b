/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crl_int: a list as it is kept. Private to crl.c and crl_load.c. */
#ifndef FG_TLS_CRL_INT_H
#define FG_TLS_CRL_INT_H

#include <pthread.h>

#include "tls/crl.h"

#define CRL_SIGNERS_MAX 4u /* certificates of one issuer: renewed, cross-signed */

struct crl_signer {
    unsigned char certificate[CRYPTO_SHA256_BYTES]; /* its SHA-256 */
    bool has_signed;
};

struct crl {
    char *kept;               /* owned; the slices here, and the signature's, are in it */
    unsigned char *serials;   /* owned; entry_count of serial_bytes each, ascending */
    struct slice issuer;
    uint64_t issuer_hash; /* the order of the store */
    struct slice authority_key_id;
    struct slice number; /* magnitude, without leading zeros */
    struct slice scope;
    struct slice points;
    int64_t this_update_unix_s;
    int64_t next_update_unix_s;
    uint32_t entry_count;
    uint32_t serial_bytes;
    uint32_t path_idx; /* index into store->paths */
    bool only_users;
    bool only_cas;
    bool is_newest;
    struct signature signature;
    uint32_t signer_count; /* these two under the store's lock */
    struct crl_signer signers[CRL_SIGNERS_MAX];
};

struct crl_store {
    const struct signature_ops *signature;
    const struct crypto *crypto;
    struct crl *lists; /* owned */
    uint32_t count;
    char **paths; /* owned, and each */
    uint32_t path_count;
    pthread_mutex_t lock; /* of the lists' signers */
};

/* False when the digest could not be made. */
NODISCARD bool crl_fill(struct crl *out, const struct crl_view *v,
                        const struct signature_ops *signature);
void crl_drop(struct crl *list);
/* Brings the lists into the order that crl_check wants, without doubles. */
void crl_store_sort(struct crl_store *store);

#endif
