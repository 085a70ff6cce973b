/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admission: who may shake hands now. Bounds the TLS handshakes in progress, in all and per remote
 * address, and hands out their steps (each computes for up to milliseconds) one by one, so that a
 * storm of reconnections cannot stall the streams that are up. Knows no connection: entries are
 * parts of them. Private to core/engine; one per shard, its thread only.
 *
 * Incoming and outgoing handshakes have a share each: neither can use up the other's places.
 * Addresses with somebody waiting are served in turn and those at their bound are passed over, so
 * one noisy address keeps nobody else out. Who is in progress for long while others wait for its
 * place is named by admission_overdue: places cannot be held by saying nothing.
 * Bounded by the connections of the shard; addresses without an entry are forgotten. */
#ifndef FG_ENGINE_ADMISSION_H
#define FG_ENGINE_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/list.h"
#include "base/map.h"

#define ADMISSION_ADDRESS_BYTES 16u
/* A place is safe for so long; four round trips of half a second fit. */
#define ADMISSION_LEASE_MS 5000u

enum admission_side { ADMISSION_IN, ADMISSION_OUT, ADMISSION_SIDE_COUNT };
enum admission_state { ADMISSION_NONE, ADMISSION_WAITING, ADMISSION_RUNNING };

/* One handshake; zeroed = none. */
struct admission_entry {
    enum admission_state state;
    enum admission_side side;
    struct list link; /* WAITING: in its address's queue; RUNNING: in its share's, oldest first */
    struct list step_link;             /* in admission.steps: has something to compute */
    struct admission_address *address; /* shared with the entries of the same address */
    uint64_t running_since_ms;
    bool has_waited;
};

struct admission_share {
    struct list running;   /* struct admission_entry.link */
    struct list turnstile; /* struct admission_address.link: may send somebody in, next first */
    uint32_t running_count;
    uint32_t waiting_count;
};

struct admission {
    uint32_t share_max;   /* in progress per share; 0 = no bound */
    uint32_t address_max; /* and of these per address; 0 = no bound */
    struct map addresses; /* struct admission_address, owned */
    struct admission_share shares[ADMISSION_SIDE_COUNT];
    struct list steps; /* struct admission_entry.step_link, first come first */
};

void admission_init(struct admission *a, uint32_t share_max, uint32_t address_max);
/* All entries have left. */
void admission_deinit(struct admission *a);

/* entry is RUNNING or WAITING afterwards. ERR_NOMEM. */
NODISCARD int admission_enter(struct admission *a, struct admission_entry *entry,
                              enum admission_side side,
                              const char address[ADMISSION_ADDRESS_BYTES], uint64_t now_ms);
/* Makes the next waiting entry RUNNING; NULL = nobody may go on now. */
struct admission_entry *admission_next(struct admission *a, uint64_t now_ms);
/* The handshake is over, or given up. Harmless when there is none. */
void admission_leave(struct admission *a, struct admission_entry *entry);

/* A running entry has a step to compute; once in the queue it stays where it is. */
void admission_want_step(struct admission *a, struct admission_entry *entry);
/* The step that is due first; NULL = none. */
struct admission_entry *admission_take_step(struct admission *a);
/* Whether admission_next or admission_take_step has something to give. */
bool admission_is_busy(const struct admission *a);

/* The oldest running entry that has had its time while others wait for its place; NULL = none. */
struct admission_entry *admission_overdue(const struct admission *a, uint64_t now_ms);
uint32_t admission_running_count(const struct admission *a);
uint32_t admission_waiting_count(const struct admission *a);

#endif
