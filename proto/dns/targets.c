/* SPDX-License-Identifier: GPL-2.0-or-later */
/* targets: selection sort by priority with RFC 2782's weighted draw inside each; sets are small. */
#include "dns/targets.h"

static bool is_duplicate(const struct dns_targets *t, const struct dns_srv *srv,
                         uint8_t service_idx)
{
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->at[i].port == srv->port && t->at[i].service_idx == service_idx &&
            slice_eq(dns_name_slice(&t->at[i].name), dns_name_slice(&srv->target))) {
            return true;
        }
    }
    return false;
}

/* Where a record goes: the end, or in place of the worst one when full; DNS_TARGETS_MAX =
 * nowhere. */
static uint32_t slot_for(struct dns_targets *t, uint16_t priority)
{
    uint32_t worst = 0;

    if (t->count < DNS_TARGETS_MAX) {
        return t->count++;
    }
    for (uint32_t i = 1; i < t->count; i++) {
        worst = t->at[i].priority > t->at[worst].priority ? i : worst;
    }
    return t->at[worst].priority > priority ? worst : DNS_TARGETS_MAX;
}

static void collect(struct dns_targets *t, const struct dns_answer *set, uint8_t service_idx)
{
    bool has_root = false;
    bool has_other = false;

    for (uint32_t i = 0; i < set->count; i++) {
        const struct dns_srv *srv = &set->srv[i];
        if (srv->target.len == 0) {
            has_root = true;
            continue;
        }
        has_other = true;
        if (srv->port == 0 || is_duplicate(t, srv, service_idx)) {
            continue;
        }
        uint32_t slot = slot_for(t, srv->priority);
        if (slot < DNS_TARGETS_MAX) {
            t->at[slot] = (struct dns_target){.name = srv->target, .port = srv->port,
                                              .priority = srv->priority, .weight = srv->weight,
                                              .service_idx = service_idx};
        }
    }
    t->is_refused[service_idx] = has_root && !has_other;
}

static void swap(struct dns_target *a, struct dns_target *b)
{
    struct dns_target t = *a;

    *a = *b;
    *b = t;
}

/* RFC 2782: of those of the least priority from `from` on, one drawn by weight. A weight of 0 has a
 * small chance: each counts 1 of what would else be multiplied by 256 (so it is also drawn evenly
 * when all are 0). */
static uint32_t draw(const struct dns_targets *t, uint32_t from, dns_random_fn *next_random,
                     void *ctx)
{
    uint16_t priority = UINT16_MAX;
    uint64_t sum = 0;

    for (uint32_t i = from; i < t->count; i++) {
        priority = t->at[i].priority < priority ? t->at[i].priority : priority;
    }
    for (uint32_t i = from; i < t->count; i++) {
        if (t->at[i].priority == priority) {
            sum += (uint64_t)t->at[i].weight * 256 + (t->at[i].weight == 0);
        }
    }
    uint64_t point = next_random(ctx) % sum;
    for (uint32_t i = from; i < t->count; i++) {
        if (t->at[i].priority != priority) {
            continue;
        }
        uint64_t share = (uint64_t)t->at[i].weight * 256 + (t->at[i].weight == 0);
        if (point < share) {
            return i;
        }
        point -= share;
    }
    return from;
}

void dns_targets_merge(struct dns_targets *out, const struct dns_answer *const *sets,
                       uint32_t set_count, dns_random_fn *next_random, void *random_ctx)
{
    out->count = 0;
    for (uint32_t i = 0; i < DNS_SERVICES_MAX; i++) {
        out->is_refused[i] = false;
        if (i < set_count && sets[i] && sets[i]->err == 0 && sets[i]->type == DNS_TYPE_SRV) {
            collect(out, sets[i], (uint8_t)i);
        }
    }
    for (uint32_t i = 0; i + 1 < out->count; i++) {
        swap(&out->at[i], &out->at[draw(out, i, next_random, random_ctx)]);
    }
}

static bool has_addr(const struct dns_addr *addrs, uint32_t count, const struct dns_addr *addr)
{
    for (uint32_t i = 0; i < count; i++) {
        if (addrs[i].is_v6 == addr->is_v6 &&
            memcmp(addrs[i].bytes, addr->bytes, sizeof(addr->bytes)) == 0) {
            return true;
        }
    }
    return false;
}

uint32_t dns_addrs_interleave(struct dns_addr out[DNS_RACE_ADDRS_MAX], const struct dns_answer *v6,
                              const struct dns_answer *v4)
{
    const struct dns_answer *sets[2] = {v6, v4};
    uint32_t count = 0;

    for (uint32_t i = 0; i < DNS_ADDR_MAX; i++) {
        for (uint32_t family = 0; family < 2; family++) {
            const struct dns_answer *set = sets[family];
            if (set == NULL || set->err != 0 || set->type == DNS_TYPE_SRV || i >= set->count ||
                count == DNS_RACE_ADDRS_MAX || has_addr(out, count, &set->addr[i])) {
                continue;
            }
            out[count++] = set->addr[i];
        }
    }
    return count;
}
