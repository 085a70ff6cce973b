/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record_kit: see the header. */
#include "record_kit.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"

#define HEX_SLOTS 16u
#define HEX_BYTES_MAX 1024u

uint64_t kit_random(uint64_t *state, uint64_t n)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (*state >> 33) % n;
}

void kit_fill(void *out, size_t len, uint64_t seed)
{
    unsigned char *bytes = out;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (unsigned char)kit_random(&seed, 256);
    }
}

void kit_init(struct kit *k, uint32_t idx)
{
    static const struct tls_aead_ops *const libraries[2] = {&tls_aead_wolfcrypt,
                                                            &tls_aead_mbedcrypto};
    cr_assert_lt(idx, KIT_CASES);
    enum tls_cipher cipher = (enum tls_cipher)(idx / 2 % TLS_CIPHER_COUNT);
    struct tls_keys keys = {.cipher = (uint8_t)cipher};
    keys.version = idx / 6 == 0 ? TLS_VERSION_1_2 : TLS_VERSION_1_3;
    kit_fill(keys.key, sizeof(keys.key), idx / 2);
    kit_fill(keys.iv, sizeof(keys.iv), idx / 2 + 100);
    kit_fill(keys.secret, sizeof(keys.secret), idx / 2 + 200);
    keys.secret_len = cipher == TLS_CIPHER_AES_256_GCM ? 48 : 32;
    k->name = idx % 2 == 0 ? "wolfcrypt" : "mbedcrypto";
    record_side_init(&k->from, libraries[idx % 2], &keys);
    record_side_init(&k->to, libraries[idx % 2], &keys);
    buf_init(&k->wire, (size_t)4 << 20);
    tls_keys_wipe(&keys);
}

void kit_cross(struct kit *k)
{
    struct tls_keys keys = k->to.keys;
    const struct tls_aead_ops *ops = k->to.ops;
    record_side_deinit(&k->to);
    record_side_init(&k->to, ops == &tls_aead_wolfcrypt ? &tls_aead_mbedcrypto
                                                        : &tls_aead_wolfcrypt, &keys);
}

void kit_deinit(struct kit *k)
{
    record_side_deinit(&k->from);
    record_side_deinit(&k->to);
    buf_deinit(&k->wire);
    cr_assert_eq(record_expanded_count(), 0);
    cr_assert_eq(pool_used_bytes(), 0);
}

void kit_set_seq(struct kit *k, uint64_t seq)
{
    k->from.keys.seq = seq;
    k->to.keys.seq = seq;
}

void kit_seal(struct kit *k, uint8_t type, struct slice plain)
{
    cr_assert_eq(record_seal(&k->from, type, plain, RECORD_PLAIN_MAX, &k->wire), 0);
}

void kit_seal_inner(struct kit *k, struct slice inner)
{
    size_t body = inner.len + TLS_TAG_BYTES;
    char *to = buf_reserve(&k->wire, RECORD_HEADER_BYTES + body);
    struct tls_aead *aead =
        k->from.ops->create((enum tls_cipher)k->from.keys.cipher, k->from.keys.key);
    cr_assert(to && aead);
    char header[RECORD_HEADER_BYTES] = {23, 3, 3, (char)(body >> 8), (char)body};
    memcpy(to, header, sizeof(header));
    struct tls_aead_head head = {.ad = slice_make(header, sizeof(header))};
    memcpy(head.nonce, k->from.keys.iv, TLS_NONCE_BYTES);
    for (size_t i = 0; i < 8; i++) {
        head.nonce[4 + i] ^= (unsigned char)(k->from.keys.seq >> (56 - 8 * i));
    }
    cr_assert_eq(k->from.ops->seal(aead, &head, inner, SLICE_NONE, to + RECORD_HEADER_BYTES), 0);
    buf_commit(&k->wire, RECORD_HEADER_BYTES + body);
    k->from.ops->destroy(aead);
    k->from.keys.seq++;
}

int kit_open(struct kit *k, struct slice bytes, uint8_t *type, struct slice *plain, uint8_t *alert)
{
    static char copy[1u << 17];
    size_t need;
    *type = 0;
    *alert = 255;
    *plain = SLICE_NONE;
    int err = record_need(&k->to, bytes, &need, alert);
    if (err != 0) {
        return err;
    }
    cr_assert(need > 0 && need <= bytes.len && need <= sizeof(copy));
    memcpy(copy, bytes.ptr, need);
    return record_open(&k->to, copy, need, type, plain, alert);
}

static unsigned nibble(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c | 32) - 'a' + 10;
}

struct slice kit_hex(const char *text)
{
    static char slots[HEX_SLOTS][HEX_BYTES_MAX];
    static size_t next;
    char *out = slots[next++ % HEX_SLOTS];
    size_t digits = 0;
    for (; *text; text++) {
        if (*text == ' ' || *text == '\n') {
            continue;
        }
        cr_assert_lt(digits / 2, HEX_BYTES_MAX);
        if (digits % 2 == 0) {
            out[digits / 2] = 0;
        }
        out[digits / 2] = (char)((unsigned)(unsigned char)out[digits / 2] << 4 | nibble(*text));
        digits++;
    }
    cr_assert_eq(digits % 2, 0);
    return slice_make(out, digits / 2);
}
