/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hello: what the peer's ClientHello or ServerHello says about forward secrecy of a session to be
 * continued. wolfSSL 5.5 takes psk_ke (RFC 8446 4.2.9: no Diffie-Hellman) and cannot be told not
 * to, so we read along: both messages travel in the clear. */
#ifndef FG_TLS_HELLO_H
#define FG_TLS_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* One that is longer is not read: then nothing is continued. */
#define HELLO_BYTES_MAX 16384u

struct hello {
    struct buf body;
    unsigned char header[4];
    uint8_t header_have;
    bool is_from_server;
    bool is_over;       /* other messages have come */
    bool is_whole;      /* the last one was read, and is well formed */
    bool has_psk;       /* pre_shared_key */
    bool has_key_share;
    bool has_dhe_mode;  /* ClientHello: psk_dhe_ke is among psk_key_exchange_modes */
};

void hello_init(struct hello *h, bool is_from_server);
void hello_deinit(struct hello *h);
/* Content of handshake records in the clear, in any pieces. After a HelloRetryRequest the second
 * one counts. */
void hello_feed(struct hello *h, const unsigned char *bytes, size_t len);
/* A session of TLS 1.3 may go on by it; true of every ClientHello that offers none. */
bool hello_is_forward_secret(const struct hello *h);

#endif
