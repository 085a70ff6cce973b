/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bound: how much one partner may leave undecided. A presence server says `pending` for users who
 * do not exist, or 404, so whoever asks for a million invented names, or probes them, would fill
 * the table, the store and the hop's pace. What counts for the domain counts for its user: else one
 * could take the share of all. What was granted is not touched by these bounds, nor what the store
 * brings back.
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

static bool is_counted(const struct contact *c)
{
    switch ((enum contact_state)c->state) {
    case CONTACT_NONE: /* probed */
    case CONTACT_ASKED:
    case CONTACT_DENIED:
        return c->direction == CONTACT_IN;
    case CONTACT_GRANTED:
    case CONTACT_BLOCKED:
    case CONTACT_STATE_COUNT:
        break;
    }
    return false;
}

void bound_count(const struct contact *c, int32_t by)
{
    struct presence_pair pair;

    if (is_counted(c)) {
        pair = contact_pair(c);
        *slot_of(c->p, &pair) += (uint32_t)by;
    }
}

bool bound_may_ask(const struct presence *p, const struct contact *c,
                   const struct presence_pair *pair, const struct presence_rule *rule)
{
    uint32_t own = c && is_counted(c);
    const struct presence_domain *d = table_domain(p, pair->remote_domain);
    uint32_t user_max =
        rule->undecided_user_max ? rule->undecided_user_max : PRESENCE_UNDECIDED_USER;
    uint32_t domain_max =
        rule->undecided_domain_max ? rule->undecided_domain_max : PRESENCE_UNDECIDED_DOMAIN;
    const uint32_t *count;

    if (*slot_of(p, pair) - own >= user_max) {
        return false;
    }
    if (!d) {
        return true;
    }
    count = d->stats.contacts[CONTACT_IN];
    return count[CONTACT_NONE] + count[CONTACT_ASKED] + count[CONTACT_DENIED] - own < domain_max;
}
