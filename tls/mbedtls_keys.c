/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mbedtls_keys: what the hand-over takes out of a session. */
#include "tls/mbedtls_int.h"

#include <mbedtls/ssl_internal.h>

#include "base/err.h"

/* The key block of TLS 1.2: both MAC keys (none here), both keys, both IVs, the client's first. */
int mbedtls_on_keys(void *arg, const unsigned char *master, const unsigned char *block,
                    size_t mac_bytes, size_t key_bytes, size_t iv_bytes,
                    const unsigned char client_random[32], const unsigned char server_random[32],
                    mbedtls_tls_prf_types prf)
{
    (void)master;
    (void)client_random;
    (void)server_random;
    (void)prf;
    struct tls_session *s = arg;
    struct mbed_session *m = s->shake->lib;
    m->is_resumed = m->ssl.handshake->resume != 0;
    s->shake->has_ems = m->ssl.handshake->extended_ms == MBEDTLS_SSL_EXTENDED_MS_ENABLED;
    if (m->is_resumed && !s->shake->has_ems) {
        return MBEDTLS_ERR_SSL_BAD_HS_CLIENT_HELLO; /* the first one had it: RFC 7627 5.3 */
    }
    if (mac_bytes != 0 || key_bytes > TLS_KEY_BYTES_MAX || iv_bytes > TLS_IV_BYTES) {
        return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    }
    for (uint32_t i = 0; i < TLS_DIRECTION_COUNT; i++) {
        bool is_clients = (i == TLS_OUT) == (s->role == TLS_ROLE_CLIENT);
        struct tls_keys *keys = &s->shake->keys[i];
        keys->version = TLS_VERSION_1_2;
        memcpy(keys->key, block + (is_clients ? 0 : key_bytes), key_bytes);
        memcpy(keys->iv, block + 2 * key_bytes + (is_clients ? 0 : iv_bytes), iv_bytes);
    }
    return 0;
}

static uint64_t read_counter(const unsigned char counter[8])
{
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++) {
        value = value << 8 | counter[i];
    }
    return value;
}

/* Each side has sent one record under the keys, its Finished. */
int mbedtls_take_keys(struct tls_session *s, struct tls_keys keys[TLS_DIRECTION_COUNT])
{
    const struct mbed_session *m = s->shake->lib;
    const struct tls_suite *suite = tls_suite_find((uint32_t)m->ssl.session->ciphersuite);
    if (!suite || s->shake->keys[TLS_IN].version == 0 ||
        mbedtls_ssl_get_bytes_avail(&m->ssl) != 0 || mbedtls_ssl_check_pending(&m->ssl) != 0 ||
        read_counter(m->ssl.in_ctr) != 1 || read_counter(m->ssl.cur_out_ctr) != 1) {
        return tls_note_error(s, ERR_TLS_HANDSHAKE,
                              "mbedTLS's state after the handshake is not as expected");
    }
    for (uint32_t i = 0; i < TLS_DIRECTION_COUNT; i++) {
        keys[i] = s->shake->keys[i];
        keys[i].cipher = suite->cipher;
        keys[i].seq = 1;
    }
    return 0;
}
