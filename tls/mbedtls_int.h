/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mbedtls_int: what the files of this backend share. */
#ifndef FG_TLS_MBEDTLS_INT_H
#define FG_TLS_MBEDTLS_INT_H

#include <mbedtls/ssl.h>

#include "tls/tls_int.h"

#define MBED_KEY_BITS_RSA_MIN 2048
#define MBED_KEY_BITS_EC_MIN  256

struct mbed_session {
    mbedtls_ssl_context ssl; /* first: on_sni gets from it to the rest */
    mbedtls_ssl_config config;
    struct tls_session *session; /* borrowed: our owner */
    bool is_resumed;
    const char *protocols[2];
};

/* Into an initialised crt; extensions are not looked at. */
bool mbedtls_parse(mbedtls_x509_crt *crt, struct slice der);
void mbedtls_judge_chain(struct tls_session *s, const mbedtls_x509_crt *crt);
/* Callback: the key block of a handshake. */
int mbedtls_on_keys(void *arg, const unsigned char *master, const unsigned char *block,
                    size_t mac_bytes, size_t key_bytes, size_t iv_bytes,
                    const unsigned char client_random[32], const unsigned char server_random[32],
                    mbedtls_tls_prf_types prf);
/* Callbacks of a server. */
int mbedtls_on_new_ticket(void *arg, const mbedtls_ssl_session *session, unsigned char *start,
                          const unsigned char *end, size_t *len, uint32_t *lifetime_s);
int mbedtls_on_ticket(void *arg, mbedtls_ssl_session *session, unsigned char *bytes, size_t len);
/* Client: an earlier session, if there is one. */
void mbedtls_offer(struct tls_session *s, struct mbed_session *m);
/* For the backend's table. */
bool mbedtls_is_resumed(struct tls_session *s);
void mbedtls_keep(struct tls_session *s);
int mbedtls_take_keys(struct tls_session *s, struct tls_keys keys[TLS_DIRECTION_COUNT]);

#endif
