/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oracle: what OpenSSL says. Failures of OpenSSL abort the test. Apart from the other test code,
 * because its headers and base/err.h name the same things.                                     */
#ifndef FG_TEST_TLS_ORACLE_H
#define FG_TEST_TLS_ORACLE_H

#include "tls/aead.h"

/* out gets plain.len bytes and the tag. */
void oracle_seal(enum tls_cipher cipher, const unsigned char *key, const struct tls_aead_head *head,
                 struct slice plain, char *out);
/* hash_bytes 32 or 48 into out. */
void oracle_hmac(uint32_t hash_bytes, struct slice key, struct slice data, unsigned char *out);
/* HKDF-Expand-Label with an empty context. */
void oracle_expand(struct slice secret, const char *label, unsigned char *out, size_t len);

#endif
