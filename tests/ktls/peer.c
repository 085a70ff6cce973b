/* SPDX-License-Identifier: GPL-2.0-or-later */
/* peer: OpenSSL as the other end. */
#include "peer.h"

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "machine.h"

#define READ_BYTES 20000

const struct peer_suite peer_suites[6] = {
    {true, "TLS_AES_128_GCM_SHA256"},
    {true, "TLS_AES_256_GCM_SHA384"},
    {true, "TLS_CHACHA20_POLY1305_SHA256"},
    {false, "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {false, "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {false, "ECDHE-ECDSA-CHACHA20-POLY1305"},
};

void peer_init(struct peer *p, int fd, bool is_server, const struct peer_suite *suite)
{
    int version = suite->is_tls13 ? TLS1_3_VERSION : TLS1_2_VERSION;

    *p = (struct peer){.fd = fd, .ctx = SSL_CTX_new(TLS_method())};
    cr_assert_not_null(p->ctx);
    cr_assert_eq(SSL_CTX_set_min_proto_version(p->ctx, version), 1);
    cr_assert_eq(SSL_CTX_set_max_proto_version(p->ctx, version), 1);
    cr_assert_eq(suite->is_tls13
                     ? SSL_CTX_set_ciphersuites(p->ctx, suite->name)
                     : SSL_CTX_set_cipher_list(p->ctx, suite->name),
                 1);
    if (is_server) {
        cr_assert_eq(SSL_CTX_use_certificate_chain_file(p->ctx, TLS_CERTS "/good.crt"), 1);
        cr_assert_eq(SSL_CTX_use_PrivateKey_file(p->ctx, TLS_CERTS "/good.key", SSL_FILETYPE_PEM),
                     1);
    }
    p->ssl = SSL_new(p->ctx);
    p->in = BIO_new(BIO_s_mem());
    p->out = BIO_new(BIO_s_mem());
    cr_assert(p->ssl && p->in && p->out);
    BIO_set_mem_eof_return(p->in, -1);
    SSL_set_bio(p->ssl, p->in, p->out);
    if (is_server) {
        SSL_set_accept_state(p->ssl);
    } else {
        SSL_set_connect_state(p->ssl);
    }
}

void peer_deinit(struct peer *p)
{
    client_close(p->fd);
    SSL_free(p->ssl);
    SSL_CTX_free(p->ctx);
}

char *peer_wire(struct peer *p, size_t *len)
{
    int there = (int)BIO_ctrl_pending(p->out);
    char *bytes = malloc((size_t)there + 1);

    cr_assert_not_null(bytes);
    cr_assert_eq(there ? BIO_read(p->out, bytes, there) : 0, there);
    *len = (size_t)there;
    return bytes;
}

void peer_send(struct peer *p)
{
    size_t len;
    char *bytes = peer_wire(p, &len);

    cr_assert(client_send(p->fd, bytes, len));
    free(bytes);
}

/* Waits for bytes; false at the end. */
static bool receive(struct peer *p)
{
    char bytes[READ_BYTES];
    ssize_t n = recv(p->fd, bytes, sizeof(bytes), 0);

    if (n > 0) {
        cr_assert_eq(BIO_write(p->in, bytes, (int)n), (int)n);
    }
    return n > 0;
}

void peer_handshake(struct peer *p)
{
    int done = SSL_do_handshake(p->ssl);

    while (done != 1) {
        cr_assert_eq(SSL_get_error(p->ssl, done), SSL_ERROR_WANT_READ);
        peer_send(p);
        cr_assert(receive(p), "ended in the handshake");
        done = SSL_do_handshake(p->ssl);
    }
}

void peer_seal(struct peer *p, const void *bytes, size_t len)
{
    cr_assert_eq(SSL_write(p->ssl, bytes, (int)len), (int)len);
}

void peer_close_notify(struct peer *p)
{
    (void)SSL_shutdown(p->ssl); /* 0: only one way so far */
}

void peer_ticket(struct peer *p)
{
    cr_assert_eq(SSL_new_session_ticket(p->ssl), 1);
}

void peer_renegotiate(struct peer *p)
{
    cr_assert_eq(SSL_renegotiate(p->ssl), 1);
    cr_assert_eq(SSL_do_handshake(p->ssl), -1);
}

void peer_key_update(struct peer *p, bool is_requested)
{
    cr_assert_eq(SSL_key_update(p->ssl, is_requested ? SSL_KEY_UPDATE_REQUESTED
                                                     : SSL_KEY_UPDATE_NOT_REQUESTED),
                 1);
}

void peer_read(struct peer *p, void *bytes, size_t len)
{
    char *at = bytes;

    while (len) {
        int n = SSL_read(p->ssl, at, (int)len);

        if (n > 0) {
            at += n;
            len -= (size_t)n;
            continue;
        }
        cr_assert_eq(SSL_get_error(p->ssl, n), SSL_ERROR_WANT_READ);
        cr_assert(receive(p), "ended with %zu bytes to come", len);
    }
}

int peer_read_end(struct peer *p)
{
    char bytes[READ_BYTES];

    for (;;) {
        int n = SSL_read(p->ssl, bytes, sizeof(bytes));
        int err = n > 0 ? SSL_ERROR_NONE : SSL_get_error(p->ssl, n);

        if (err == SSL_ERROR_ZERO_RETURN) {
            return 0;
        }
        if (err == SSL_ERROR_SSL) {
            return ERR_GET_REASON(ERR_peek_last_error()) - SSL_AD_REASON_OFFSET;
        }
        if (err == SSL_ERROR_WANT_READ && !receive(p)) {
            return 1;
        }
    }
}
