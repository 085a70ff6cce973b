/* SPDX-License-Identifier: GPL-2.0-or-later */
/* leg_component: a component (XEP-0114) that is the inside of one of our domains. Its connection
 * lives on the domain's home shard. */
#ifndef FG_EDGE_LEG_COMPONENT_H
#define FG_EDGE_LEG_COMPONENT_H

#include "edge/edge.h"

void leg_component_accept(struct edge *e, struct conn *c);
/* Takes the block; home shard of its local domain only. w: way_of its pair, just asked. */
void component_deliver(struct edge *e, struct way *w, struct block *b);
#define COMPONENT_GATE_BYTES 270u
struct slice component_gate(struct slice domain, char mem[COMPONENT_GATE_BYTES]);

void legs_component_tick(struct edge *e);
void legs_component_review(struct edge *e);
/* Closes all; returns how many are open. */
uint32_t legs_component_drain(struct edge *e);

struct edge_report;
void legs_component_report(struct edge *e, struct edge_report *out);

#endif
