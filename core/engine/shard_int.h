/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shard_int: what the other files of this room (resolver, dialler) build on: outgoing connections,
 * a place for per-shard objects, counters (readiness of foreign descriptors: poll.h).
 * Private to core/engine. All calls on the shard's own thread; no callback comes from inside the
 * call that asked for it. */
#ifndef FG_ENGINE_SHARD_INT_H
#define FG_ENGINE_SHARD_INT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attr.h"
#include "engine/conn.h"
#include "engine/engine.h"
#include "engine/poll.h"
#include "engine/shard.h"

/* Opens a TCP connection. done is called exactly once unless cancelled, always later:
 *   err 0: c is connected (plain) and the callee's: it sets an owner at once, or conn_abort()s it
 *   else: c is NULL; -errno of connect(2) or ERR_TIMEOUT.
 * timeout_ms 0 = the kernel's own. Returns an error, and never calls done, when there is no slot
 * (ERR_FULL), no descriptor (-errno) or the engine stops (ERR_SHUTDOWN).
 * *out names the attempt for shard_connect_cancel. */
typedef void shard_connect_fn(struct shard *sh, void *ctx, struct conn *c, int err);
struct shard_connect_params {
    const struct sockaddr *addr; /* copied */
    socklen_t addr_len;
    uint32_t timeout_ms;
    shard_connect_fn *done;
    void *ctx; /* borrowed until done or cancel */
};
NODISCARD int shard_connect(struct shard *sh, const struct shard_connect_params *params,
                            struct conn_ref *out);
/* Gives the attempt up; done is not called any more. Harmless when it is over. */
void shard_connect_cancel(struct shard *sh, struct conn_ref attempt);

/* Objects that exist once per shard. stop is called on the shard's thread when it ends, after all
 * connections are gone and after app->shard_stop. Slots are NULL at start: made at first use. */
enum shard_slot { SHARD_SLOT_RESOLVER, SHARD_SLOT_DIAL, SHARD_SLOT_COUNT };
void *shard_slot_get(const struct shard *sh, enum shard_slot slot);
void shard_slot_set(struct shard *sh, enum shard_slot slot, void *object,
                    void (*stop)(struct shard *sh, void *object));
/* engine_params.dns_servers; NULL = the system's. Valid while the engine lives. */
const char *const *shard_dns_servers(const struct shard *sh);
/* Pseudo-random, per shard, not for secrets: SRV weights, jitter. */
uint64_t shard_random(struct shard *sh);

/* Counters are written by the shard only and read by the control thread at any time. */
struct engine_stats *shard_stats(struct shard *sh);
static inline void stat_add(uint64_t *counter, uint64_t n)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}
static inline void stat_sub(uint64_t *gauge, uint64_t n)
{
    __atomic_store_n(gauge, __atomic_load_n(gauge, __ATOMIC_RELAXED) - n, __ATOMIC_RELAXED);
}

#endif
