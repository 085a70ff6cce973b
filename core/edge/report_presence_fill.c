/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report_presence_fill: copies one shard's contacts' figures, by partner. A partner's contacts are
 * not on its home shard: entries are added where there are none, and summed by name later. */
#include <stdio.h>

#include "base/map.h"
#include "base/pool.h"
#include "edge/presence_side.h"
#include "edge/report.h"
#include "edge/report_presence.h"

struct filling {
    struct edge *e;
    struct edge_report *out;
    struct map by_name; /* -> index in out->partners, and one */
    uint32_t cap;
};

static struct report_partner *partner_of(struct filling *f, struct slice primary)
{
    uintptr_t place = (uintptr_t)map_get(&f->by_name, primary);
    struct report_partner *p;

    if (place != 0) {
        return &f->out->partners[place - 1];
    }
    if (f->out->partner_count == f->cap) {
        f->cap = 2 * f->cap + 1;
        f->out->partners =
            pool_heap_grow(f->out->partners, f->cap * sizeof(*f->out->partners));
    }
    p = &f->out->partners[f->out->partner_count++];
    *p = (struct report_partner){0};
    slice_to_cstr_cut(primary, p->domain, sizeof(p->domain));
    (void)map_add(&f->by_name, primary, (void *)(uintptr_t)f->out->partner_count);
    return p;
}

static void on_domain(void *ctx, const struct presence_domain_stats *s)
{
    struct filling *f = ctx;
    const struct partner *p = snapshot_partner(edge_policy(f->e), s->remote_domain);
    struct report_contacts c = {.notify_received = s->notify_received,
                                .stanza_received = s->stanza_received};

    if (!p) {
        return; /* no more: in the sums only */
    }
    memcpy(c.contacts, s->contacts, sizeof(c.contacts));
    memcpy(c.dialogs, s->dialogs, sizeof(c.dialogs));
    report_contacts_add(&partner_of(f, p->domain)->contacts, &c);
}

void report_presence_fill(struct edge *e, struct edge_report *out)
{
    struct filling f = {.e = e, .out = out, .cap = out->partner_count};
    const struct presence *core = presence_side_core(e->presence);

    out->presence = *presence_stats(core);
    for (uint32_t i = 0; i < out->partner_count; i++) {
        const struct partner *p =
            snapshot_partner(edge_policy(e), slice_from_cstr(out->partners[i].domain));

        if (p) { /* its own text: the array may move */
            (void)map_add(&f.by_name, p->domain, (void *)(uintptr_t)(i + 1));
        }
    }
    presence_walk_domains(core, on_domain, &f);
    map_deinit(&f.by_name);
}
