/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crew: the shards of a run: the engine with the stages on it, and commands to them. Control
 * thread.                                                                                        */
#ifndef FG_LOAD_CREW_H
#define FG_LOAD_CREW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "load/run.h"
#include "load/stage.h"

/* What a shard is to do, and with what; see the functions at the end of stage.h. */
struct crew_command {
    void (*act)(struct stage *st, const struct crew_command *command);
    enum side side;
    struct stage_opening opening;
    struct stage_watching watching;
    struct schedule_params schedule;
    uint64_t quota;
    uint32_t from;
    uint32_t until;
    uint32_t line;
    uint32_t away_ms;
    bool is_held;
    struct apart *apart;       /* borrowed until it is done */
    struct histogram *latency; /* borrowed until it is done */
    struct histogram *lag;     /* the same */
};

/* Starts the engine; listens where the parties want it. 0, or an error and why. */
NODISCARD int crew_start(struct run *run, char *why, size_t why_bytes);
void crew_stop(struct run *run);
/* Has it carried out on each shard (fill: may change it for that shard; NULL = the same for all),
 * and waits until all have. */
void crew_command(struct run *run, const struct crew_command *command,
                  void (*fill)(struct run *run, uint32_t shard, struct crew_command *command));
/* On one shard, without waiting. */
void crew_command_one(struct run *run, uint32_t shard, const struct crew_command *command);
/* Until all that was asked for is done. */
void crew_wait(struct run *run);

void crew_open(struct stage *st, const struct crew_command *command);
void crew_watch(struct stage *st, const struct crew_command *command);
void crew_forget(struct stage *st, const struct crew_command *command);
void crew_begin(struct stage *st, const struct crew_command *command);
void crew_halt(struct stage *st, const struct crew_command *command); /* sends nothing more */
void crew_leave(struct stage *st, const struct crew_command *command);
void crew_gather(struct stage *st, const struct crew_command *command);
void crew_hold(struct stage *st, const struct crew_command *command);
void crew_rest(struct stage *st, const struct crew_command *command); /* apart.h */

#endif
