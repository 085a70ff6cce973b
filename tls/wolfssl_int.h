/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wolfssl_int: what wolfssl.c and wolfssl_ticket.c share. */
#ifndef FG_TLS_WOLFSSL_INT_H
#define FG_TLS_WOLFSSL_INT_H

#include "tls/tls_int.h"

#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

/* Server: tickets with our encryption, or none. */
bool wolfssl_set_tickets(WOLFSSL_CTX *ctx, bool is_on);
/* Client: an earlier session, if there is one. */
void wolfssl_offer(struct tls_session *s, WOLFSSL *ssl);
#ifdef HAVE_SECRET_CALLBACK
int wolfssl_on_secret(WOLFSSL *ssl, int id, const unsigned char *secret, int len, void *arg);
#endif
/* For the backend's table. */
bool wolfssl_is_resumed(struct tls_session *s);
void wolfssl_keep(struct tls_session *s);
int wolfssl_take_keys(struct tls_session *s, struct tls_keys keys[TLS_DIRECTION_COUNT]);

#endif
