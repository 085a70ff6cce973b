/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rejudge: what a session keeps of its peer's chain, so that a reload that revokes certificates or
 * removes authorities reaches live connections. */
#include <stddef.h>
#include <time.h>

#include "base/check.h"
#include "base/pool.h"
#include "tls/tls_int.h"

size_t tls_proof_bytes(const struct chain_proof *proof)
{
    return offsetof(struct chain_proof, certs) + proof->count * sizeof(*proof->certs);
}

void tls_proof_keep(struct tls_session *s, const struct chain_proof *proof)
{
    pool_free(s->proof);
    s->proof = NULL;
    if (proof && proof->count <= CHAIN_PROOF_CERTS) {
        size_t bytes = tls_proof_bytes(proof);
        s->proof = pool_alloc(bytes); /* NULL: as if it could not be told */
        if (s->proof) {
            memcpy(s->proof, proof, bytes);
        }
    }
}

bool tls_session_rejudge(struct tls_session *s, const struct tls_context *now_in_force)
{
    ASSERT(s->magic == TLS_SESSION_MAGIC);
    struct chain_params params = {
        .trust = now_in_force ? now_in_force->trust : NULL,
        .crls = now_in_force ? now_in_force->crls : NULL,
        .known = now_in_force ? now_in_force->issuers : NULL,
        .now_unix_s = (int64_t)time(NULL),
    };
    if (s->peer.chain != TLS_CHAIN_OK ||
        (now_in_force && s->grounds_hash == now_in_force->grounds_hash)) {
        return true;
    }
    s->peer.chain = chain_rejudge(&params, s->proof);
    return s->peer.chain == TLS_CHAIN_OK;
}
