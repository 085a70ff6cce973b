/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record_keys: from a traffic secret to keys, and to the next traffic secret. RFC 8446 7.1-7.3. */
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "tls/record.h"

#define LABEL_PREFIX "tls13 "
#define LABEL_BYTES_MAX 32u
/* Length, label with its length, empty context, and HKDF's counter. */
#define INFO_BYTES_MAX (2u + 1u + LABEL_BYTES_MAX + 1u + 1u)

/* One block of HKDF-Expand (RFC 5869) is all that TLS needs: no output is longer than its hash. */
int record_expand_label(const struct tls_aead_ops *ops, struct slice secret, const char *label,
                        unsigned char *out, size_t out_len)
{
    char info[INFO_BYTES_MAX];
    unsigned char block[TLS_SECRET_BYTES_MAX];
    size_t label_len = strlen(label);
    size_t prefix_len = strlen(LABEL_PREFIX);
    ASSERT(secret.len == 32 || secret.len == 48);
    ASSERT(out_len <= secret.len);
    ASSERT(prefix_len + label_len <= LABEL_BYTES_MAX);

    size_t at = 0;
    info[at++] = 0;
    info[at++] = (char)out_len;
    info[at++] = (char)(prefix_len + label_len);
    memcpy(info + at, LABEL_PREFIX, prefix_len);
    at += prefix_len;
    memcpy(info + at, label, label_len);
    at += label_len;
    info[at++] = 0;
    info[at++] = 1;
    int err = ops->hmac((uint32_t)secret.len, secret, slice_make(info, at), block);
    if (err == 0) {
        memcpy(out, block, out_len);
    }
    explicit_bzero(block, sizeof(block));
    return err;
}

static struct slice secret_of(const struct tls_keys *keys)
{
    return slice_make((const char *)keys->secret, keys->secret_len);
}

int record_keys_from_secret(const struct tls_aead_ops *ops, struct tls_keys *keys)
{
    ASSERT(keys->secret_len == (keys->cipher == TLS_CIPHER_AES_256_GCM ? 48 : 32));
    uint32_t key_bytes = tls_cipher_key_bytes((enum tls_cipher)keys->cipher);
    int err = record_expand_label(ops, secret_of(keys), "key", keys->key, key_bytes);
    if (err == 0) {
        err = record_expand_label(ops, secret_of(keys), "iv", keys->iv, sizeof(keys->iv));
    }
    keys->seq = 0;
    return err;
}

int record_update(struct record_side *side)
{
    if (side->keys.version != TLS_VERSION_1_3 || side->keys.secret_len == 0) {
        return ERR_UNSUPPORTED;
    }
    struct tls_keys next = side->keys;
    int err = record_expand_label(side->ops, secret_of(&side->keys), "traffic upd", next.secret,
                                  next.secret_len);
    if (err == 0) {
        err = record_keys_from_secret(side->ops, &next);
    }
    if (err == 0) {
        record_rest(side); /* the expanded key is of the old generation */
        side->keys = next;
        side->count = 0;
    }
    tls_keys_wipe(&next);
    return err;
}
