/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_store: the store's life: opened and read before the shards start, started once they run
 * and before anything is accepted, watched, stopped after them. Control thread. */
#ifndef FG_EDGE_CONTROL_STORE_H
#define FG_EDGE_CONTROL_STORE_H

#include "base/attr.h"
#include "edge/control_int.h"

/* Each: EX_OK, or the exit code and a line on stderr that names the path and the remedy. */
/* For --check, in a process that opens no store: would the next start be refused? */
NODISCARD int control_store_look(const struct snapshot *policy);
NODISCARD int control_store_open(struct control *ctl, const struct snapshot *policy,
                                 uint32_t shard_count);
NODISCARD int control_store_start(struct control *ctl);
/* Says so, at once and every minute, while it cannot be written. Called often. */
void control_store_watch(struct control *ctl);
/* With the shards still there to hear of it: all that was written becomes durable. */
void control_store_stop(struct control *ctl);
/* After the engine, and the logger, which reads its lines. */
void control_store_free(struct control *ctl);

#endif
