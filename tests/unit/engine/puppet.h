/* SPDX-License-Identifier: GPL-2.0-or-later */
/* puppet: an owner of one accepted connection that is told what to do by the test. */
#ifndef FG_TEST_ENGINE_PUPPET_H
#define FG_TEST_ENGINE_PUPPET_H

#include "machine.h"

struct puppet {
    struct conn *c; /* valid on the shard until closed */
    struct conn_ref ref;
    _Atomic uint64_t got; /* bytes used so far, checked against the pattern */
    uint64_t seed;
    uint64_t state;      /* dice */
    bool is_picky;       /* uses a part, pauses, resumes by timer */
    bool keeps_open;     /* answer of peer_ended */
    bool closes_in_data; /* conn_close from inside ops.data */
    bool takes_nothing;  /* pauses from inside ops.data */
    uint32_t turn_data_max;
    _Atomic uint32_t pauses, peer_ends, writables, closeds;
    _Atomic bool is_there, is_wrong;
    _Atomic int err;
    _Atomic uint64_t unsent;
    char why[128];
    struct wheel_timer timer;
    _Atomic uint64_t produced;
    uint64_t to_produce;
};

extern struct puppet puppet;

/* Starts the machine and connects; returns the client's end. Set puppet before. */
int puppet_open(struct machine *m, const struct engine_params *params);
/* Closes that; everything else must be in order. */
void puppet_end(struct machine *m, int fd);
/* Writes the pattern until the output is crowded. On the shard. */
void puppet_produce(struct conn *c, struct puppet *p);
/* For machine_run. */
void puppet_pause(struct shard *sh, void *ctx);
void puppet_continue(struct shard *sh, void *ctx);

#endif
