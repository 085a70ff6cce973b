/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bound: how much one partner may leave undecided. A presence server says `pending` for users who
 * do not exist, so whoever asks for a million invented names would fill the table, the store and
 * the hop's pace; what was granted is not touched by these bounds, nor what the store brings back.
 * Requests of one user are counted in a slot of his address' keyed hash: two may share one, which
 * costs the other nothing as long as his neighbour behaves, and no memory per user. */
#include "base/err.h"
#include "base/hash.h"
#include "base/pool.h"
#include "presence/table.h"

#define SLOT_COUNT 65536u /* power of two */

int bound_init(struct presence *p)
{
    p->asked = pool_zalloc(SLOT_COUNT * sizeof(*p->asked));
    return p->asked ? 0 : ERR_NOMEM;
}

void bound_deinit(struct presence *p)
{
    pool_free(p->asked);
}

static uint32_t *slot_of(const struct presence *p, const struct presence_pair *pair)
{
    uint64_t hash = hash_bytes(pair->remote_user) ^ (hash_bytes(pair->remote_domain) << 1);

    return &p->asked[hash & (SLOT_COUNT - 1)];
}

void bound_count(const struct contact *c, int32_t by)
{
    struct presence_pair pair;

    if (c->direction == CONTACT_IN && c->state == CONTACT_ASKED) {
        pair = contact_pair(c);
        *slot_of(c->p, &pair) += (uint32_t)by;
    }
}

bool bound_may_ask(const struct presence *p, const struct presence_pair *pair,
                   const struct presence_rule *rule)
{
    const struct presence_domain *d = table_domain(p, pair->remote_domain);
    uint32_t user_max =
        rule->undecided_user_max ? rule->undecided_user_max : PRESENCE_UNDECIDED_USER;
    uint32_t domain_max =
        rule->undecided_domain_max ? rule->undecided_domain_max : PRESENCE_UNDECIDED_DOMAIN;
    const uint32_t *count;

    if (*slot_of(p, pair) >= user_max) {
        return false;
    }
    if (!d) {
        return true;
    }
    count = d->stats.contacts[CONTACT_IN];
    return count[CONTACT_NONE] + count[CONTACT_ASKED] + count[CONTACT_DENIED] < domain_max;
}
