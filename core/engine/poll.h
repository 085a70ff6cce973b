/* SPDX-License-Identifier: GPL-2.0-or-later */
/* poll: readiness of descriptors that somebody else reads and writes: c-ares' sockets, a timer
 * descriptor where the wheel's ticks are too coarse. Not for what carries load: connections are
 * conn.h's.
 * All calls on the shard's own thread; no callback comes from inside the call that asked for it. */
#ifndef FG_ENGINE_POLL_H
#define FG_ENGINE_POLL_H

#include <stdint.h>

#include "base/attr.h"

struct shard;

#define SHARD_POLLS_MAX 256u

/* poll_mask: POLLIN | POLLOUT of poll(2). Level-triggered: armed again after each call of ready
 * until it is removed. Adding a descriptor that is there already replaces mask, callback and ctx.
 * ready may add, change and remove any descriptor, its own included. revents may hold POLLERR and
 * POLLHUP. ERR_LIMIT when SHARD_POLLS_MAX are there. */
typedef void shard_poll_fn(struct shard *sh, int fd, uint32_t revents, void *ctx);
NODISCARD int shard_poll_add(struct shard *sh, int fd, uint32_t poll_mask, shard_poll_fn *ready,
                             void *ctx);
/* ready is called no more for it; the descriptor may be closed right after. Harmless when
 * absent. */
void shard_poll_remove(struct shard *sh, int fd);

#endif
