/* SPDX-License-Identifier: GPL-2.0-or-later */
/* peer: the other end of a connection of the engine: OpenSSL in memory over a blocking socket of
 * the test's own thread, so that records can be held back, cut and spoilt on their way. */
#ifndef FG_TEST_KTLS_PEER_H
#define FG_TEST_KTLS_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer_suite {
    bool is_tls13;
    const char *name;
};
extern const struct peer_suite peer_suites[6];

struct peer {
    int fd;
    /* OpenSSL's, by their tags: its headers and ours have names in common */
    struct ssl_ctx_st *ctx;
    struct ssl_st *ssl;
    struct bio_st *in;  /* what came off the wire */
    struct bio_st *out; /* what is to go onto it */
};

/* Around a connected socket, which it owns. */
void peer_init(struct peer *p, int fd, bool is_server, const struct peer_suite *suite);
void peer_deinit(struct peer *p);
void peer_handshake(struct peer *p);
/* Sealed, not sent. */
void peer_seal(struct peer *p, const void *bytes, size_t len);
/* Takes what is to be sent; free() it. */
char *peer_wire(struct peer *p, size_t *len);
/* Sends what is to be sent. */
void peer_send(struct peer *p);
/* To be sent: */
void peer_close_notify(struct peer *p);
void peer_ticket(struct peer *p);
/* TLS 1.2. */
void peer_renegotiate(struct peer *p);
void peer_key_update(struct peer *p, bool is_requested);
/* All of len bytes of data. */
void peer_read(struct peer *p, void *bytes, size_t len);
/* Reads until the end: 0 = close_notify, 1 = the transport's, else the alert that came. */
int peer_read_end(struct peer *p);

#endif
