/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record_bench: the record engine, as the session uses it: sealed into a buffer, opened where it
 * was received.                                                                                */
#include <stdlib.h>

#include "base/pool.h"
#include "bench.h"
#include "tls/record.h"

struct bench_pair {
    struct record_side from;
    struct record_side to;
    struct buf out;
    struct window window;
    char in[BENCH_TEXT_MAX + 512];
};

static struct bench_pair *make(const struct tls_aead_ops *ops)
{
    struct bench_pair *p = pool_heap_zalloc(sizeof(*p));
    struct tls_keys keys = {.version = TLS_VERSION_1_3, .cipher = TLS_CIPHER_AES_128_GCM};
    for (uint8_t i = 0; i < 16; i++) {
        keys.key[i] = i;
    }
    record_side_init(&p->from, ops, &keys);
    record_side_init(&p->to, ops, &keys);
    buf_init(&p->out, 1u << 16);
    /* The limit of RFC 8446 5.5 is not what is measured; a connection would change keys. */
    record_limits.gcm_hard = UINT64_MAX;
    return p;
}

static struct bench_pair *make_wolfcrypt(void)
{
    return make(&tls_aead_wolfcrypt);
}

static struct bench_pair *make_mbedcrypto(void)
{
    return make(&tls_aead_mbedcrypto);
}

static struct slice pass(struct bench_pair *p, struct slice text)
{
    struct slice plain = SLICE_NONE;
    size_t need;
    uint8_t type;
    uint8_t alert;
    if (record_seal(&p->from, RECORD_APPLICATION_DATA, text, RECORD_PLAIN_MAX, &p->out) != 0 ||
        !window_put(&p->window, buf_slice(&p->out).ptr, buf_len(&p->out))) {
        return SLICE_NONE;
    }
    buf_clear(&p->out);
    size_t len = window_take(&p->window, p->in, sizeof(p->in));
    if (record_need(&p->to, slice_make(p->in, len), &need, &alert) != 0 || need != len ||
        record_open(&p->to, p->in, len, &type, &plain, &alert) != 0) {
        return SLICE_NONE;
    }
    return plain;
}

static void drop(struct bench_pair *p)
{
    record_side_deinit(&p->from);
    record_side_deinit(&p->to);
    buf_deinit(&p->out);
    pool_heap_free(p);
}

const struct contestant bench_ours_wolfcrypt = {"fedgate, wolfcrypt", make_wolfcrypt, pass, drop};
const struct contestant bench_ours_mbedcrypto = {"fedgate, mbedcrypto", make_mbedcrypto, pass,
                                                 drop};
