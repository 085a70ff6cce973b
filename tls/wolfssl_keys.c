/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wolfssl_keys: what the hand-over takes out of a session. */
#include "tls/wolfssl_int.h"

#include "base/err.h"

#ifdef HAVE_SECRET_CALLBACK
int wolfssl_on_secret(WOLFSSL *ssl, int id, const unsigned char *secret, int len, void *arg)
{
    (void)ssl;
    struct tls_session *s = arg;
    enum tls_role owner = id == CLIENT_TRAFFIC_SECRET ? TLS_ROLE_CLIENT : TLS_ROLE_SERVER;
    struct tls_keys *keys = &s->shake->keys[owner == s->role ? TLS_OUT : TLS_IN];
    if (id != CLIENT_TRAFFIC_SECRET && id != SERVER_TRAFFIC_SECRET) {
        return 0;
    }
    if (len < 0 || (size_t)len > sizeof(keys->secret)) {
        return BAD_FUNC_ARG;
    }
    memcpy(keys->secret, secret, (size_t)len);
    keys->secret_len = (uint8_t)len;
    return 0;
}
#endif

int wolfssl_take_keys(struct tls_session *s, struct tls_keys keys[TLS_DIRECTION_COUNT])
{
    WOLFSSL *ssl = s->shake->lib;
    const struct tls_suite *suite =
        tls_suite_find((uint32_t)wolfSSL_get_current_cipher_suite(ssl));
    int key_bytes = wolfSSL_GetKeySize(ssl);
    int iv_bytes = wolfSSL_GetIVSize(ssl);
    if (!suite || wolfSSL_pending(ssl) != 0 || iv_bytes < (int)TLS_SALT_BYTES ||
        iv_bytes > (int)TLS_IV_BYTES ||
        key_bytes != (int)tls_cipher_key_bytes((enum tls_cipher)suite->cipher)) {
        return tls_note_error(s, ERR_TLS_HANDSHAKE,
                              "wolfSSL's state after the handshake is not as expected");
    }
    for (uint32_t i = 0; i < TLS_DIRECTION_COUNT; i++) {
        bool is_clients = (i == TLS_OUT) == (s->role == TLS_ROLE_CLIENT);
        const unsigned char *key =
            is_clients ? wolfSSL_GetClientWriteKey(ssl) : wolfSSL_GetServerWriteKey(ssl);
        const unsigned char *iv =
            is_clients ? wolfSSL_GetClientWriteIV(ssl) : wolfSSL_GetServerWriteIV(ssl);
        word64 seq = 0;
        int got = i == TLS_OUT ? wolfSSL_GetSequenceNumber(ssl, &seq)
                               : wolfSSL_GetPeerSequenceNumber(ssl, &seq);
        if (!key || !iv || got < 0) {
            return tls_note_error(s, ERR_TLS_HANDSHAKE, "wolfSSL does not give out its keys");
        }
        keys[i] = s->shake->keys[i]; /* the secret */
        keys[i].version = wolfSSL_version(ssl) == TLS1_3_VERSION ? TLS_VERSION_1_3
                                                                 : TLS_VERSION_1_2;
        keys[i].cipher = suite->cipher;
        keys[i].seq = seq;
        memcpy(keys[i].key, key, (size_t)key_bytes);
        memcpy(keys[i].iv, iv, (size_t)iv_bytes);
    }
    return 0;
}
