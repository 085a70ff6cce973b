/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim_tls: kernel TLS in memory. */
#include "sim_tls.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "tls/aead.h"

#define HELD_BYTES_MAX 100000u

void sim_tls_init(struct sim_tls *t)
{
    *t = (struct sim_tls){0};
    buf_init(&t->held, HELD_BYTES_MAX);
    buf_init(&t->cut, HELD_BYTES_MAX);
}

static void side_free(struct record_side *side)
{
    if (side) {
        record_side_deinit(side);
        pool_heap_free(side);
    }
}

void sim_tls_deinit(struct sim_tls *t)
{
    side_free(t->in);
    side_free(t->out);
    buf_deinit(&t->held);
    buf_deinit(&t->cut);
    sim_tls_init(t);
}

int sim_tls_attach(struct sim_tls *t)
{
    ASSERT(!t->is_attached);
    t->is_attached = true;
    return 0;
}

int sim_tls_set(struct sim_tls *t, bool is_out, const struct ktls_keys *keys)
{
    static const enum tls_cipher ciphers[KTLS_CIPHER_COUNT] = {
        [KTLS_AES_128_GCM] = TLS_CIPHER_AES_128_GCM,
        [KTLS_AES_256_GCM] = TLS_CIPHER_AES_256_GCM,
        [KTLS_CHACHA20_POLY1305] = TLS_CIPHER_CHACHA20_POLY1305};
    struct record_side **side = is_out ? &t->out : &t->in;
    struct tls_keys k = {.version = keys->is_tls13 ? TLS_VERSION_1_3 : TLS_VERSION_1_2,
                         .cipher = (uint8_t)ciphers[keys->cipher],
                         .seq = keys->seq};

    ASSERT(t->is_attached && buf_len(is_out ? &t->cut : &t->held) == 0);
    memcpy(k.key, keys->key, tls_cipher_key_bytes(ciphers[keys->cipher]));
    memcpy(k.iv, keys->iv, TLS_IV_BYTES);
    side_free(*side);
    *side = pool_heap_zalloc(sizeof(**side));
    record_side_init(*side, &tls_aead_wolfcrypt, &k);
    tls_keys_wipe(&k);
    return 0;
}

/* Memory that is made to fail for the engine does not fail for its kernel: once more. Nor does the
 * kernel know of limits per key. */
static void seal(struct record_side *side, uint8_t type, struct slice plain, struct buf *wire)
{
    uint64_t gcm_hard = record_limits.gcm_hard;
    int err;

    record_limits.gcm_hard = UINT64_MAX;
    err = record_seal(side, type, plain, RECORD_PLAIN_MAX, wire);
    for (uint32_t i = 0; i < 3 && err == ERR_NOMEM; i++) {
        wire->failed = false;
        err = record_seal(side, type, plain, RECORD_PLAIN_MAX, wire);
    }
    record_limits.gcm_hard = gcm_hard;
    ASSERT(err == 0);
}

void sim_tls_seal(struct sim_tls *t, uint8_t type, struct slice plain, bool is_last,
                  struct buf *wire)
{
    ASSERT(t->out);
    if (type != RECORD_APPLICATION_DATA) {
        ASSERT(buf_len(&t->cut) == 0); /* nothing may come between the parts of a record */
    }
    if (!is_last) {
        do {
            t->cut.failed = false;
            buf_put(&t->cut, plain);
        } while (t->cut.failed);
        return;
    }
    if (buf_len(&t->cut)) {
        do {
            t->cut.failed = false;
            buf_put(&t->cut, plain);
        } while (t->cut.failed);
        plain = buf_slice(&t->cut);
    }
    seal(t->out, type, plain, wire);
    buf_clear(&t->cut);
}

int sim_tls_open(struct sim_tls *t, struct buf *wire)
{
    struct slice plain = SLICE_NONE;
    size_t need = 0;
    uint8_t alert = 0;
    int err = 0;

    while (t->held_type == 0 && t->error == 0) {
        char *head = wire->data + wire->head;

        err = record_need(t->in, buf_slice(wire), &need, &alert);
        if (err == 0 && (need == 0 || need > buf_len(wire))) {
            return 0;
        }
        for (uint32_t i = 0; i < 3 && err == 0; i++) {
            err = record_open(t->in, head, need, &t->held_type, &plain, &alert);
            if (err != ERR_NOMEM) {
                break;
            }
        }
        if (err) {
            t->held_type = 0;
            t->error = -EBADMSG;
            break;
        }
        do {
            t->held.failed = false;
            buf_put(&t->held, plain);
        } while (t->held.failed);
        buf_consume(wire, need);
        if (plain.len == 0 && t->held_type == RECORD_APPLICATION_DATA) {
            t->held_type = 0; /* nothing to read */
        }
    }
    return t->error;
}

size_t sim_tls_take(struct sim_tls *t, char *bytes, size_t len)
{
    len = len < buf_len(&t->held) ? len : buf_len(&t->held);
    if (len) {
        memcpy(bytes, buf_slice(&t->held).ptr, len);
        buf_consume(&t->held, len);
    }
    if (buf_len(&t->held) == 0) {
        t->held_type = 0;
        buf_release_if_empty(&t->held);
    }
    return len;
}
