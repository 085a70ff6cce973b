/* SPDX-License-Identifier: GPL-2.0-or-later */
/* partner_diff: partner by partner. */
#include "policy/partner_diff.h"

#include "policy/users.h"

static bool same_domains(const struct partner *a, const struct partner *b)
{
    if (a->more_domain_count != b->more_domain_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->more_domain_count; i++) {
        if (!slice_eq(a->more_domains[i], b->more_domains[i])) {
            return false;
        }
    }
    return true;
}

static bool same_extra(const struct partner_extra *a, const struct partner_extra *b)
{
    if (!a || !b) {
        return a == b;
    }
    return a->stanza_rate_max == b->stanza_rate_max && a->stanza_burst == b->stanza_burst &&
           a->byte_rate_max == b->byte_rate_max && a->byte_burst == b->byte_burst &&
           a->stanza_bytes_max == b->stanza_bytes_max && slice_eq(a->maintenance, b->maintenance) &&
           users_eq(a->allowed_users, b->allowed_users) && users_eq(a->blocked, b->blocked);
}

/* Rows are constant data: the same row is the same address. */
static bool same_partner(const struct partner *a, const struct partner *b)
{
    return a->row == b->row && a->type == b->type && a->acks == b->acks &&
           a->tls_min == b->tls_min && a->keepalive == b->keepalive &&
           a->suffix_match == b->suffix_match && a->connection_limit == b->connection_limit &&
           a->proxy_port == b->proxy_port && slice_eq(a->proxy_host, b->proxy_host) &&
           slice_eq(a->description, b->description) && same_domains(a, b) &&
           same_extra(a->extra, b->extra);
}

struct partner_diff partner_diff(const struct snapshot *before, const struct snapshot *after)
{
    struct partner_diff diff = {0};
    uint32_t found = 0;

    for (uint32_t i = 0; i < after->partner_count; i++) {
        const struct partner *now = &after->partners[i];
        const struct partner *then = snapshot_partner(before, now->domain);

        if (!then || !slice_eq(then->domain, now->domain)) {
            diff.added++;
            continue;
        }
        found++;
        diff.changed += !same_partner(then, now);
    }
    diff.removed = before->partner_count - found;
    return diff;
}
