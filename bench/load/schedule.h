/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schedule: which flow sends how many stanzas now, and when it was meant to. One per shard, for the
 * flows that are sent there. Knows books and time, no connection.
 *
 *   BULK  batches of one write each; per flow at most window stanzas in flight
 *   FAN   one stanza a write; per flow at most window (1) in flight
 *   ONE   one stanza in flight in all, flow after flow
 *   OPEN  at a given rate, evenly, flow after flow, whatever has arrived: the intended times go on
 *         while a flow has no room in the books, and count into the latency
 *
 * FAN with rest_ns, for what changes now and then: a flow rests so long after each stanza, whatever
 * arrived; at the start flows begin one after the other, spread over that time.
 *
 * Closed kinds look only at flows that were said to be ready (schedule_ready): after a start, an
 * arrival, a connection that is writable again.
 * One thread. Time: monotonic ns. Memory: heap of the control thread.                            */
#ifndef FG_LOAD_SCHEDULE_H
#define FG_LOAD_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "load/books.h"

enum schedule_kind { SCHEDULE_BULK, SCHEDULE_FAN, SCHEDULE_ONE, SCHEDULE_OPEN };

#define SCHEDULE_NEVER UINT64_MAX

struct schedule_params {
    enum schedule_kind kind;
    uint32_t flow_first; /* flows flow_first, + flow_step, ... below the books' flow_count */
    uint32_t flow_step;
    uint32_t batch;  /* stanzas of a write; BULK; the window where that is less */
    uint32_t window; /* in flight per flow; BULK, FAN */
    double rate;     /* stanzas per second of this schedule; OPEN */
    uint64_t rest_ns; /* between two of a flow; FAN; 0 = none */
};

struct schedule;

struct schedule *schedule_new(struct books *books, const struct schedule_params *params);
void schedule_free(struct schedule *s);

/* Lets flows from `from` up to below `until` (numbers as the books have them) send `quota` stanzas
 * more, together; all are ready. OPEN: the first is due at now_ns. */
void schedule_start(struct schedule *s, uint64_t now_ns, uint64_t quota, uint32_t from,
                    uint32_t until);
/* Sends nothing more, whatever is left. */
void schedule_stop(struct schedule *s);
/* Something of the flow has arrived, or it can be written again. */
void schedule_ready(struct schedule *s, uint32_t flow);

struct schedule_order {
    uint32_t flow;
    uint32_t count;       /* at least 1; numbers are taken with books_send() */
    uint64_t intended_ns; /* of the first; the closed kinds: now */
};
/* The next order; the caller writes it whole, takes its numbers, and asks again. False: nothing to
 * send at this time. */
bool schedule_next(struct schedule *s, uint64_t now_ns, struct schedule_order *out);
/* The order just given cannot be written: it is given again when the flow is ready. */
void schedule_put_back(struct schedule *s, const struct schedule_order *order);
/* When the next is meant to be sent, or a flow has rested; SCHEDULE_NEVER = when something arrives.
 */
uint64_t schedule_due_ns(const struct schedule *s);
/* Stanzas of the quota not yet ordered. */
uint64_t schedule_left(const struct schedule *s);

#endif
