/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lines: the connections of a party, whatever is spoken on them: those that it dials, by number,
 * and those that come in; and what every kind of party does with them alike: begin, dial, accept,
 * write, hold, close. A kind's object begins with struct lines; functions that take `void *party`
 * stand in its party_kind (party.h) as they are.
 * One shard. Memory: heap of the shard's start and end; wires from the pool (wire.h).            */
#ifndef FG_LOAD_LINES_H
#define FG_LOAD_LINES_H

#include "base/list.h"
#include "load/party.h"
#include "load/wire.h"

struct lines {
    struct stage *stage; /* borrowed */
    enum side side;
    struct reader_forms forms; /* of the stanzas that are written and demanded */
    uint32_t count;            /* lines that are dialled, all shards together */
    struct wire **dialled;     /* owned array, by line; NULL = not dialled now */
    struct list accepted;      /* wires */
};

/* A party object of so many bytes, zeroed but for its lines. */
void *lines_new(struct stage *st, enum side side, uint32_t count, size_t bytes);
/* Frees it; its wires are gone. */
void lines_free(void *party);

/* how: its ops, to, is_direct, domain and role; the rest is filled in. */
void lines_dial(struct lines *l, uint32_t line, struct wire_params how);
void lines_accept(struct lines *l, struct conn *c, struct wire_params how);
/* The wire's `gone`: it leaves the lines; text: the run fails with it; else a dialled one is
 * told to the stage. */
void lines_gone(struct wire *w, const char *text);
/* The wire on which a flow is sent; NULL = there is none now. */
struct wire *lines_of_flow(const struct lines *l, uint32_t flow);

/* --- for party_kind --- */
uint32_t lines_none(const struct plan *plan, enum side side);
const struct sockaddr_in *lines_nowhere(const struct plan *plan, enum side side);
void lines_refuse(void *party, struct conn *c); /* nobody is expected to dial this side */
/* Says </stream:stream>, awaits the other's; ends the connection at once. */
void lines_close_stream(void *party, uint32_t line);
void lines_close(void *party, uint32_t line);
bool lines_write(void *party, const struct schedule_order *order);
/* Those that were said to be receiving (wire->is_receiving). */
void lines_hold(void *party, bool is_held, bool first_only);

#endif
