/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domains: Get-CsAllowedDomain and Get-CsBlockedDomain: the lists of SIP federation. */
#include "import/plan_int.h"
#include "policy/quote.h"

static const char *const taken[] = {"Identity", "Domain", "Comment", NULL};

static void keep(struct import_record *r, struct import_domains *domains)
{
    struct jid_ascii key;
    struct slice name;
    struct import_domain *d;

    if (!import_take_domain(r, &name, &key)) {
        return;
    }
    if (map_get(&domains->known, jid_ascii_slice(&key))) {
        import_note(r, IMPORT_IGNORES, "was exported twice");
        return;
    }
    domains->list = import_grow(domains->list, &domains->count, &domains->cap, sizeof(*d));
    d = &domains->list[domains->count - 1];
    d->key = arena_slice(r->plan->arena, jid_ascii_slice(&key));
    d->name = arena_slice(r->plan->arena, name);
    d->place = r->place;
    (void)map_add(&domains->known, d->key, (void *)(uintptr_t)domains->count);
}

void import_allowed_domain(struct import_record *r)
{
    r->object = "allowed SIP domain";
    keep(r, &r->plan->allowed);
    import_leave_others(r, taken);
}

void import_blocked_domain(struct import_record *r)
{
    r->object = "blocked domain";
    keep(r, &r->plan->blocked);
    if (!r->is_refused) {
        import_mapped(r->plan, SLICE_LIT("Domain"), "blocked[]");
    }
    import_leave_others(r, taken);
}
