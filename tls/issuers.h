/* SPDX-License-Identifier: GPL-2.0-or-later */
/* issuers: the intermediate authorities that good chains were signed by. Peers show them, nobody
 * keeps them: but a list that comes later is signed by one of them, and says nothing about live
 * connections until that signature was checked. One table goes from context to context.
 * Bounded; nothing leaves it before it is freed. Any thread. */
#ifndef FG_TLS_ISSUERS_H
#define FG_TLS_ISSUERS_H

#include <stdbool.h>
#include <stdint.h>

#include "tls/cert.h"

#define ISSUERS_MAX            1024u
#define ISSUERS_CERT_BYTES_MAX 4096u

struct issuers;

struct issuers *issuers_new(void);
struct issuers *issuers_ref(struct issuers *table);
void issuers_unref(struct issuers *table);
/* Copies what it keeps. False: the table is full, or the certificate is too large. */
bool issuers_add(struct issuers *table, const struct cert *cert);
/* The next one from *idx on whose subject's name has this hash_bytes, NULL at the end; it lives as
 * long as the table. */
const struct cert *issuers_next(struct issuers *table, uint64_t subject_hash, uint32_t *idx);

#endif
