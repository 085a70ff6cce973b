/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shard_api: the small calls of shard.h and shard_int.h. */
#include "base/check.h"
#include "engine/shard_state.h"

uint32_t shard_idx(const struct shard *sh)
{
    return sh->idx;
}

uint32_t shard_count(const struct shard *sh)
{
    return sh->engine->shard_count;
}

void *shard_app(const struct shard *sh)
{
    return sh->app;
}

uint64_t shard_now_ms(const struct shard *sh)
{
    return sh->now_ms;
}

int64_t shard_now_unix_s(const struct shard *sh)
{
    return sh->now_unix_s;
}

const void *shard_snapshot(const struct shard *sh)
{
    return sh->snapshot;
}

void shard_set_busy_poll(struct shard *sh, uint32_t us)
{
    sh->io->spin_us = us;
}

void shard_timer_arm(struct shard *sh, struct wheel_timer *t, uint64_t delay_ms,
                     wheel_fire_fn *fire, void *ctx)
{
    wheel_arm(&sh->wheel, t, sh->now_ms + delay_ms, fire, ctx);
}

struct wheel *shard_wheel(struct shard *sh)
{
    return &sh->wheel;
}

void shard_timer_disarm(struct shard *sh, struct wheel_timer *t)
{
    wheel_disarm(&sh->wheel, t);
}

void *shard_slot_get(const struct shard *sh, enum shard_slot slot)
{
    return sh->objects[slot].object;
}

void shard_slot_set(struct shard *sh, enum shard_slot slot, void *object,
                    void (*stop)(struct shard *sh, void *object))
{
    sh->objects[slot].object = object;
    sh->objects[slot].stop = stop;
}

const char *const *shard_dns_servers(const struct shard *sh)
{
    return sh->engine->params.dns_servers;
}

uint64_t shard_random(struct shard *sh)
{
    uint64_t x = sh->random_state; /* xorshift64, never zero */

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    sh->random_state = x;
    return x;
}

struct engine_stats *shard_stats(struct shard *sh)
{
    return &sh->stats;
}
