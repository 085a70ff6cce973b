/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drain: the orderly stop of one shard: no new connections, what is queued goes out or is answered,
 * streams and connections are closed properly, all within the configured bound. */
#ifndef FG_EDGE_DRAIN_H
#define FG_EDGE_DRAIN_H

#include "edge/edge.h"

void drain_start(struct edge *e);
/* Goes on with it; called by the tick. */
void drain_tick(struct edge *e);

#endif
