/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chain: is there a path from a leaf to something we trust (RFC 5280 section 6, without policies;
 * revocation by lists, crl.h)? Done here and not in the TLS libraries, because
 *   - wolfSSL 5.5.4 adds every intermediate it has verified to the shared certificate manager (a
 *     lock and growth per handshake, and one partner's intermediates serve another), and looks
 *     only at the direct issuer's name constraints;
 *   - mbedTLS 2.28 knows no name constraints at all;
 *   - the answer has to be the same for both, with a class that policy and people can act upon.
 * Signatures are the library's work (chain_signed_by_fn). Trust stores are immutable: any thread.
 */
#ifndef FG_TLS_CHAIN_H
#define FG_TLS_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"
#include "tls/crl.h"
#include "tls/tls.h"

#define CHAIN_CERTS_MAX      10u  /* what a peer may show */
/* Checks for one peer, before it has proved anything: names are free, signatures are not. The
 * longest path in use has 4; the rest is for authorities with several certificates of one name. */
#define CHAIN_SIGNATURES_MAX 8u
#define CHAIN_TRUST_MAX      4096u

/* Whether child is signed with the key in issuer, with a digest and a key that are not too weak. */
typedef bool chain_signed_by_fn(struct slice child_der, struct slice issuer_der);

struct chain_cache;
struct chain_trust;
struct issuers;

/* Takes every certificate of a PEM text; unusable ones are skipped and counted. NULL when none is
 * left. Control thread.                                                                         */
struct chain_trust *chain_trust_new(struct slice pem, uint32_t *skipped_count);
void chain_trust_free(struct chain_trust *trust);
uint32_t chain_trust_count(const struct chain_trust *trust);

#define CHAIN_PROOF_CERTS 3u

/* What a good verdict rests upon, short enough to be kept with a connection. */
struct chain_proof {
    uint64_t anchor_hash;
    uint32_t count; /* of certificates below the anchor; UINT32_MAX = more than fit */
    struct crl_trace certs[CHAIN_PROOF_CERTS];
};

struct chain_params {
    const struct chain_trust *trust; /* NULL = trust nobody */
    chain_signed_by_fn *signed_by;
    int64_t now_unix_s;
    bool peer_is_server; /* needs serverAuth; a client needs clientAuth or serverAuth */
    bool crl_required;   /* an issuer without list: its certificates are TLS_CHAIN_CRL_STALE */
    struct crl_store *crls;    /* borrowed; NULL = revocation is not looked at */
    struct issuers *known;     /* borrowed: gets the intermediates of good paths; NULL = not kept */
    struct chain_cache *cache; /* borrowed; NULL = judge anew each time */
    struct chain_proof *proof; /* filled with a good verdict; NULL = not wanted */
    /* The same: when the first certificate or list that it rests upon runs out. */
    int64_t *until_unix_s;
};

/* chain: as shown by the peer, leaf first; the rest in any order. */
enum tls_chain chain_judge(const struct chain_params *params, const struct slice *chain,
                           uint32_t count);

/* Whether it still holds where other anchors and lists are in force: OK; REVOKED; UNKNOWN_CA: its
 * anchor is gone, or it is NULL or too long to tell (connecting again will). A list that none of
 * the anchors and of params->known has signed says nothing here: who was let in is put out for what
 * is known, not for what is not. */
enum tls_chain chain_rejudge(const struct chain_params *params, const struct chain_proof *proof);
/* Checks the newest lists' signatures, as far as their issuers are anchors or known, so that others
 * are not taken for the newest, and connections that are judged later need not wait for it. */
void chain_settle_lists(const struct chain_params *params);
/* Differs when anchors or lists do. */
uint64_t chain_grounds_hash(const struct chain_trust *trust, const struct crl_store *crls);

#endif
