/* SPDX-License-Identifier: GPL-2.0-or-later */
/* acks: counters of stream management without resumption (XEP-0198): how many stanzas went out and
 * were acknowledged, how many came in. The bytes of unacknowledged stanzas are the edge's.
 * Counters wrap at 2^32. One thread. Memory: none.                                               */
#ifndef FG_XMPP_ACKS_H
#define FG_XMPP_ACKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

enum acks_state {
    ACKS_OFF,   /* not negotiated, or refused */
    ACKS_ASKED, /* <enable/> written, counting, no answer yet */
    ACKS_ON,
};

struct acks {
    enum acks_state state;
    uint8_t version;   /* 2 or 3: urn:xmpp:sm:N */
    bool is_requested; /* an <r/> of ours is unanswered */
    bool is_wanted;    /* an <r/> is to follow as soon as it may */
    uint32_t sent;     /* since <enable/> */
    uint32_t asked;    /* of those, what an <r/> of ours stands behind */
    uint32_t acked;    /* last h of the peer */
    uint32_t received; /* since <enable/>: our h */
};

void acks_start(struct acks *a, uint8_t version, enum acks_state state);
/* OFF -> ASKED -> ON, or back to OFF; counters stay. */
void acks_set_state(struct acks *a, enum acks_state next);
static inline uint32_t acks_unacked(const struct acks *a)
{
    return a->sent - a->acked;
}
/* Whether some of what was asked for is not acknowledged: an h may be beyond the last question. */
static inline bool acks_unanswered(const struct acks *a)
{
    return a->sent - a->asked < acks_unacked(a);
}
/* The peer's h. False when it counts more than was sent; *newly = stanzas it adds, else. */
NODISCARD bool acks_take(struct acks *a, uint32_t h, uint32_t *newly);
/* "urn:xmpp:sm:3" */
const char *acks_ns(const struct acks *a);

#endif
