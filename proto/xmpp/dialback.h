/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dialback: keys of Server Dialback (XEP-0185) and its elements (XEP-0220). The state of a dialback
 * is in stream.h; nothing here decides.
 * Domains are the normalised forms of jid.h on every side. Any thread; a struct dialback_secret is
 * read-only after init.                                                                          */
#ifndef FG_XMPP_DIALBACK_H
#define FG_XMPP_DIALBACK_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/slice.h"
#include "xmpp/error.h"

/* Longer stream ids are refused: nobody makes them. */
#define DIALBACK_ID_BYTES_MAX 1024u
#define DIALBACK_KEY_CHARS (2u * CRYPTO_SHA256_BYTES)

struct dialback_secret {
    char hex[DIALBACK_KEY_CHARS]; /* of SHA-256(secret): the HMAC key is this text (XEP-0185) */
};
struct dialback_key {
    char hex[DIALBACK_KEY_CHARS];
};

/* From the configured secret (all edges of an organisation share it); or at random for one process
 * (SEC-06).                                                                                      */
void dialback_secret_init(struct dialback_secret *s, const struct crypto *crypto,
                          struct slice secret);
void dialback_secret_random(struct dialback_secret *s, const struct crypto *crypto);

/* What a key is bound to. */
struct dialback_bond {
    struct slice receiving;   /* domain of the server that gets the db:result */
    struct slice originating; /* domain that wants to send */
    struct slice stream_id;   /* given by the receiving server */
};
/* False when a part is over JID_PART_BYTES_MAX or DIALBACK_ID_BYTES_MAX. */
NODISCARD bool dialback_key_make(struct dialback_key *out, const struct crypto *crypto,
                                 const struct dialback_secret *secret,
                                 const struct dialback_bond *bond);
/* Constant time in the key (SEC-07). key may have white space around it. */
bool dialback_key_is_valid(const struct crypto *crypto, const struct dialback_secret *secret,
                           const struct dialback_bond *bond, struct slice key);

enum dialback_verdict {
    DIALBACK_VALID,
    DIALBACK_INVALID,
    DIALBACK_ERROR, /* with a condition: says nothing about the key */
};
const char *dialback_verdict_name(enum dialback_verdict v);

/* <db:result from= to=>key</db:result>, <db:verify from= to= id=>key</db:verify>: id.ptr NULL makes
 * a result. */
struct dialback_address {
    struct slice from;
    struct slice to;
    struct slice id; /* db:verify only; ptr NULL = db:result */
    bool declares;   /* xmlns:db on the element itself: our stream header has none */
};
void dialback_write_request(struct buf *out, const struct dialback_address *a, struct slice key);
/* The answer; condition only with DIALBACK_ERROR. */
void dialback_write_answer(struct buf *out, const struct dialback_address *a,
                           enum dialback_verdict v, enum stanza_condition condition);

#endif
