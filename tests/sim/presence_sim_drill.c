/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The drill: one thing at a time happens to a world that is right, and a little later it must be
 * right again: what long quiet would heal anyhow (the next refresh, the next login) is not waited
 * for.                                                                                           */
#include <stdio.h>

#include "presence_sim.h"

#define SOON_S    12u  /* a change: NOTIFY's distance and some (RFC 3856 6.10) */
#define MENDED_S  150u /* after a fault is over */
#define STORED_S  30u  /* documents are written lazily */
#define REPLACE_S 120u /* of a second one */

/* Two NOTIFYs at once, which overtake each other, and one stanza from each. */
static void change_all(struct sim *s)
{
    for (uint32_t i = 0; i < SIM_USERS; i++) {
        pool_publish(s, i, 0);
        pool_publish(s, i, 1);
        partner_show(s, i, sim_random(s, SIM_RESOURCES), true);
    }
}

/* Everybody who may watches everybody. */
static void set_up(struct sim *s)
{
    for (uint32_t i = 0; i < SIM_USERS * SIM_USERS; i++) {
        struct sim_pair *p = &s->pairs[i];

        pool_decide(s, p, POLICY_ALLOW);
        if (p->out == ROSTER_NONE) {
            partner_subscribe(s, p);
        }
        for (uint32_t k = 0; k < SIM_DEVICES; k++) {
            p->devices[k].wants = true;
            p->devices[k].is_refused = false;
        }
    }
    sim_run(s, 30 * 60);
    for (uint32_t i = 0; i < SIM_USERS * SIM_USERS; i++) {
        if (s->pairs[i].in == ROSTER_PENDING) {
            partner_approve(s, &s->pairs[i]);
        }
    }
    sim_run(s, 2 * 3600);
}

static void off_and_on(struct sim *s)
{
    for (uint32_t i = 0; i < SIM_USERS * SIM_USERS; i++) {
        s->pairs[i].devices[0].wants = false;
    }
    sim_run(s, SOON_S);
    change_all(s);
    for (uint32_t i = 0; i < SIM_USERS * SIM_USERS; i++) {
        s->pairs[i].devices[0].wants = !s->pairs[i].devices[0].is_refused;
    }
    sim_run(s, 2 * SOON_S);
    check_now(s, "devices went and came");
}

static void crash_twice(struct sim *s)
{
    uint64_t stale = s->sums.stale;

    change_all(s);
    sim_run(s, STORED_S);
    sim_crash(s);
    change_all(s);
    sim_run(s, REPLACE_S);
    sim_run(s, MENDED_S);
    check_now(s, "the gateway died");
    change_all(s);
    sim_run(s, STORED_S + sim_random(s, 10));
    sim_crash(s);
    sim_run(s, REPLACE_S + MENDED_S);
    check_now(s, "the gateway died again");
    if (s->sums.stale != stale) {
        sim_fail(s, "a CSeq went back");
    }
}

void drill(struct sim *s)
{
    set_up(s);
    check_now(s, "all is set up");
    change_all(s);
    sim_run(s, SOON_S);
    check_now(s, "all changed");
    sim_break_stream(s, 10 * SIM_S);
    change_all(s);
    sim_run(s, 10 + MENDED_S);
    check_now(s, "the stream was away");
    sim_break_hop(s, 10 * SIM_S);
    change_all(s);
    sim_run(s, 10 + MENDED_S);
    check_now(s, "the next hop was away");
    s->keeps_subs = false;
    pool_restart(s);
    sim_break_hop(s, 10 * SIM_S);
    change_all(s);
    sim_run(s, 10 + MENDED_S);
    check_now(s, "the pool started again");
    partner_restart(s);
    sim_break_stream(s, 10 * SIM_S);
    sim_run(s, 10 * 60);
    check_now(s, "the partner started again");
    off_and_on(s);
    crash_twice(s);
}
