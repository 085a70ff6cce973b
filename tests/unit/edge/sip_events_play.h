/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_events_play: a SUBSCRIBE or NOTIFY, or any bytes, through the way in of core/edge: checks and
 * server transaction (real), sip_events.c and presence_sip.c (real), on this shard or by mail from
 * another one; what judges and what answers are stubs that say what a test wants. Aborts if a
 * request is answered twice or not at all, or reaches presence changed. One at a time. */
#ifndef FG_TEST_SIP_EVENTS_PLAY_H
#define FG_TEST_SIP_EVENTS_PLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct events_way {
    bool is_draining;
    bool is_overdue;   /* the connection leaves, and never comes to an end */
    bool is_foreign;   /* the domain is not of this next hop */
    bool is_forbidden; /* by policy */
    bool is_elsewhere; /* the contact lives on another shard */
    bool is_full;      /* whose mails wait already */
};

enum events_fate {
    EVENTS_NOTHING,   /* no message, or one of which the transactions took care */
    EVENTS_ANSWERED,  /* by sip_events.c: status, retry_after_s */
    EVENTS_FORBIDDEN, /* by the policy's word */
    EVENTS_TAKEN,     /* presence has it: pair */
};

struct events_result {
    enum events_fate fate;
    bool was_judged;
    unsigned status;
    uint32_t retry_after_s;
    char pair[8200]; /* "ann@corp.test bob@chat.test" */
};

void events_play(const struct events_way *way, struct slice bytes, struct events_result *out);

#endif
