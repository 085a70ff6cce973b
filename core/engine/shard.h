/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shard: what code running on a shard may use of it. One thread, one ring, one loop; all calls on
 * the shard's own thread. */
#ifndef FG_ENGINE_SHARD_H
#define FG_ENGINE_SHARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/list.h"
#include "base/wheel.h"

struct shard;
struct engine;

uint32_t shard_idx(const struct shard *sh);
uint32_t shard_count(const struct shard *sh);
/* What app->shard_start put into *shard_app. */
void *shard_app(const struct shard *sh);
/* Monotonic milliseconds, constant within a turn. */
uint64_t shard_now_ms(const struct shard *sh);
/* Wall clock, seconds since 1970; for certificates and stamps only. */
int64_t shard_now_unix_s(const struct shard *sh);
/* The current snapshot: valid until the end of this turn; never kept across turns. */
const void *shard_snapshot(const struct shard *sh);

/* From now on the shard looks for what is about to come for so long before it sleeps (struct
 * io_vtable, spin), and spares a waking; 0 (the default) = it sleeps at once. */
void shard_set_busy_poll(struct shard *sh, uint32_t us);

void shard_timer_arm(struct shard *sh, struct wheel_timer *t, uint64_t delay_ms,
                     wheel_fire_fn *fire, void *ctx);
void shard_timer_disarm(struct shard *sh, struct wheel_timer *t);
/* The shard's wheel (time: shard_now_ms), for protocol objects that arm their own timers. */
struct wheel *shard_wheel(struct shard *sh);

/* Mail between shards: a block of memory that changes its owner. Per ordered pair of shards first
 * in, first out. Embed as first member of a message struct allocated with pool_alloc. */
struct mail {
    struct list link;
    uint32_t kind;     /* the application's; below 0xffffff00 */
    uint32_t from_idx; /* filled in; shard_count() = posted by a thread that is no shard */
};
/* pool_free for a message without anything else to free. */
void mail_free(struct mail *m);

/* Takes the mail over, or ERR_FULL (the mail stays the caller's): the pair's ring and its reserve
 * are full; the caller stops reading its source (conn_pause) and is told by shard_wait_mail().
 * To the own shard: delivered at the next turn. */
NODISCARD int shard_post(struct shard *sh, uint32_t to_idx, struct mail *m);
/* The same for answers and returns, bounded by what was asked before: never refused. */
void shard_post_reply(struct shard *sh, uint32_t to_idx, struct mail *m);
/* Whether posting to to_idx would stop soon: at least half of the room is used. */
bool shard_mail_is_crowded(const struct shard *sh, uint32_t to_idx);

/* Calls room once, as soon as the ring towards to_idx is at most half full. */
struct shard_mail_wait {
    struct list link;
    uint32_t to_idx;
    void (*room)(struct shard_mail_wait *w, void *ctx);
    void *ctx;
};
void shard_wait_mail(struct shard *sh, struct shard_mail_wait *w, uint32_t to_idx,
                     void (*room)(struct shard_mail_wait *w, void *ctx), void *ctx);
void shard_wait_mail_cancel(struct shard_mail_wait *w);

#endif
