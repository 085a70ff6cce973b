/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cycle: mode setup. Streams come, authenticate and close in order, l->parallel at a time, domain
 * after domain; no stanza is sent, no session is resumed.                                        */
#include <stdio.h>

#include "load.h"

#define TURN_MS 100

static unsigned started;
static unsigned ended;

void cycle_ready(struct load *l, struct conn *c)
{
    wire_printf(l, c, "</stream:stream>");
    c->step = STEP_CLOSING;
}

void cycle_ended(struct load *l, struct conn *c)
{
    l->closed += c->step == STEP_ENDED;
    ended++;
}

/* Tells where everybody stands, and ends the program. */
__attribute__((noreturn)) static void stalled(const struct load *l)
{
    for (unsigned i = 0; i < l->conn_count; i++) {
        const struct conn *c = l->conns[i];
        (void)fprintf(stderr, "role %d, stream %u: step %d, TLS %s, %zu bytes in, %zu out\n",
                      (int)c->role, c->stream, (int)c->step,
                      c->ssl ? SSL_state_string_long(c->ssl) : "none", c->in_len,
                      c->out_len - c->out_at);
    }
    die("%u streams are over, then nothing moved for %.0f s", ended, l->stall_s);
}

void cycle(struct load *l, unsigned count)
{
    unsigned until = started + count;
    double last = now_s();
    unsigned seen = ended;
    while (ended < until) {
        while (started < until && started - ended < l->parallel) {
            struct conn *c = wire_dial(l, ROLE_DIALLED, &l->target);
            c->stream = started++ % l->streams;
        }
        wire_turn(l, TURN_MS);
        if (ended != seen) {
            seen = ended;
            last = now_s();
        } else if (now_s() - last > l->stall_s) {
            stalled(l);
        }
    }
}
