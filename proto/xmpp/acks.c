/* SPDX-License-Identifier: GPL-2.0-or-later */
/* acks: counters of XEP-0198; arithmetic modulo 2^32. */
#include "xmpp/acks.h"

#include "base/check.h"
#include "xmpp/ns.h"

void acks_start(struct acks *a, uint8_t version, enum acks_state state)
{
    *a = (struct acks){.state = state, .version = version};
}

void acks_set_state(struct acks *a, enum acks_state next)
{
    ASSERT(a->state == ACKS_ASKED);
    ASSERT(next != ACKS_ASKED);
    a->state = next;
}

bool acks_take(struct acks *a, uint32_t h, uint32_t *newly)
{
    uint32_t added = h - a->acked;

    *newly = 0;
    /* A smaller h than before is a huge difference here: refused as well. */
    if (added > acks_unacked(a)) {
        return false;
    }
    a->acked = h;
    a->is_requested = false;
    *newly = added;
    return true;
}

const char *acks_ns(const struct acks *a)
{
    return a->version == 2 ? NS_SM2 : NS_SM3;
}
