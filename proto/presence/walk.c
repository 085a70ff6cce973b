/* SPDX-License-Identifier: GPL-2.0-or-later */
/* walk: what people and monitoring see of the table. */
#include "presence/table.h"

static bool fits(const struct contact *c, const struct presence_filter *f)
{
    struct presence_pair pair = contact_pair(c);

    return (f->directions == 0 || (f->directions & (1u << c->direction))) &&
           (f->states == 0 || (f->states & (1u << c->state))) &&
           (f->local_domain.len == 0 || slice_eq(f->local_domain, pair.local_domain)) &&
           (f->remote_domain.len == 0 || slice_eq(f->remote_domain, pair.remote_domain)) &&
           (f->local_user.len == 0 || slice_eq(f->local_user, pair.local_user)) &&
           (f->remote_user.len == 0 || slice_eq(f->remote_user, pair.remote_user));
}

static void show(const struct contact *c, struct presence_contact_view *view)
{
    *view = (struct presence_contact_view){
        .pair = contact_pair(c),
        .direction = c->direction,
        .state = c->state,
        .asker = c->asker,
        .asked_unix_s = c->asked_unix_s,
        .changed_unix_s = c->changed_unix_s,
        .machine = "none",
        .show = "unknown",
    };
    if (c->direction == CONTACT_IN) {
        subscriber_view(c, view);
    } else {
        notifier_view(c, view);
    }
}

/* A domain that no contact names saves the walk. */
static bool can_fit_any(const struct presence *p, const struct presence_filter *f)
{
    return (f->local_domain.len == 0 || table_domain(p, f->local_domain)) &&
           (f->remote_domain.len == 0 || table_domain(p, f->remote_domain));
}

bool presence_walk(const struct presence *p, const struct presence_filter *filter, uint64_t *cursor,
                   uint32_t count, void (*fn)(void *ctx, const struct presence_contact_view *view),
                   void *ctx)
{
    struct presence_contact_view view;

    presence_check(p);
    if (!can_fit_any(p, filter)) {
        return false;
    }
    for (uint32_t i = 0; i < PRESENCE_WALK_MAX && count > 0; i++) {
        const struct contact *c = table_next(p, *cursor);

        if (!c) {
            return false;
        }
        if (fits(c, filter)) {
            show(c, &view);
            fn(ctx, &view);
            count--;
        }
        if (c->hash == UINT64_MAX) {
            return false;
        }
        *cursor = c->hash + 1;
    }
    return table_next(p, *cursor) != NULL;
}

bool presence_look(const struct presence *p, const struct presence_pair *pair,
                   enum contact_direction direction, enum contact_state *state,
                   enum contact_asker *asker)
{
    const struct contact *c = contact_find(p, direction, pair);

    *state = c ? c->state : CONTACT_NONE;
    *asker = c ? c->asker : CONTACT_BY_PARTNER;
    return c != NULL;
}

void presence_walk_domains(const struct presence *p,
                           void (*fn)(void *ctx, const struct presence_domain_stats *s), void *ctx)
{
    const struct presence_domain *d;
    size_t cursor = 0;

    presence_check(p);
    while ((d = map_next(&p->domains, &cursor)) != NULL) {
        if (d->remotes > 0) {
            fn(ctx, &d->stats);
        }
    }
}

const struct presence_stats *presence_stats(const struct presence *p)
{
    presence_check(p);
    return &p->stats;
}
