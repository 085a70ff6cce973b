/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record_ends: one end that seals and two that open (a library each), for fuzz targets. */
#ifndef FG_FUZZ_RECORD_ENDS_H
#define FG_FUZZ_RECORD_ENDS_H

#include "base/check.h"
#include "base/err.h"
#include "tls/record.h"

struct record_ends {
    struct record_side from;
    struct record_side to[2];
};

/* choice: version, cipher and the library that seals. */
static inline void ends_init(struct record_ends *e, uint8_t choice)
{
    static const struct tls_aead_ops *const ops[2] = {&tls_aead_wolfcrypt, &tls_aead_mbedcrypto};
    struct tls_keys keys = {.cipher = (uint8_t)(choice / 4 % TLS_CIPHER_COUNT)};
    keys.version = choice & 2 ? TLS_VERSION_1_3 : TLS_VERSION_1_2;
    keys.secret_len = keys.cipher == TLS_CIPHER_AES_256_GCM ? 48 : 32;
    for (uint8_t i = 0; i < sizeof(keys.secret); i++) {
        keys.secret[i] = i;
        keys.key[i % sizeof(keys.key)] = (unsigned char)(i * 7);
        keys.iv[i % sizeof(keys.iv)] = (unsigned char)(i * 5);
    }
    record_side_init(&e->from, ops[choice & 1], &keys);
    record_side_init(&e->to[0], ops[0], &keys);
    record_side_init(&e->to[1], ops[1], &keys);
}

static inline void ends_deinit(struct record_ends *e)
{
    record_side_deinit(&e->from);
    record_side_deinit(&e->to[0]);
    record_side_deinit(&e->to[1]);
    ASSERT(record_expanded_count() == 0);
}

struct ends_result {
    int err;
    uint8_t type;
    uint8_t alert;
    struct slice plain; /* in the buffer of this end: good until the next record */
};

/* The record at the head of wire, opened by both libraries, which must agree. need 0: not whole. */
static inline struct ends_result ends_open(struct record_ends *e, struct slice wire, size_t *need)
{
    static char bytes[2][RECORD_HEADER_BYTES + RECORD_BODY_MAX];
    struct ends_result r[2];
    for (size_t i = 0; i < 2; i++) {
        r[i] = (struct ends_result){0};
        r[i].err = record_need(&e->to[i], wire, need, &r[i].alert);
        ASSERT(r[i].err == 0 || (r[i].alert != 0 && *need == 0));
        if (r[i].err != 0 || *need == 0 || *need > wire.len) {
            *need = r[i].err == 0 ? 0 : *need;
            continue;
        }
        ASSERT(*need <= sizeof(bytes[i]));
        memcpy(bytes[i], wire.ptr, *need);
        uint64_t seq = e->to[i].keys.seq;
        r[i].err = record_open(&e->to[i], bytes[i], *need, &r[i].type, &r[i].plain, &r[i].alert);
        if (r[i].err == 0) {
            ASSERT(e->to[i].keys.seq == seq + 1);
            ASSERT(r[i].type >= RECORD_CHANGE_CIPHER_SPEC);
            ASSERT(r[i].type <= RECORD_APPLICATION_DATA);
            ASSERT(r[i].plain.len <= RECORD_PLAIN_MAX);
            ASSERT(r[i].plain.ptr >= bytes[i] + RECORD_HEADER_BYTES);
            ASSERT(r[i].plain.ptr + r[i].plain.len <= bytes[i] + *need - TLS_TAG_BYTES);
        } else {
            ASSERT(r[i].err == ERR_TLS_RECORD && !r[i].plain.ptr && r[i].plain.len == 0);
        }
    }
    ASSERT(r[0].err == r[1].err && r[0].type == r[1].type && r[0].alert == r[1].alert);
    ASSERT(slice_eq(r[0].plain, r[1].plain));
    return r[0];
}

#endif
