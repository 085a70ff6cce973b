/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table: contacts by name, domains once, bounds, gauges of states. Chained buckets by the top bits
 * of the hash, each chain in order of the hash: walking goes in that order, whatever is added,
 * removed or grown meanwhile, and a contact pays one pointer and its hash for it. */
#include "presence/table.h"

#include "base/check.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/pool.h"

#define BUCKET_BITS_MIN 6u
#define BUCKET_BITS_MAX 20u /* 8 MiB of pointers: the largest block, and growth bounded in time */
#define NAME_BYTES_MAX  (2 * (JID_PART_BYTES_MAX + JID_ASCII_BYTES_MAX) + 8)

static bool pair_is_bounded(const struct presence_pair *pair)
{
    return pair->local_user.len <= JID_PART_BYTES_MAX && pair->local_user.len > 0 &&
           pair->remote_user.len <= JID_PART_BYTES_MAX && pair->remote_user.len > 0 &&
           pair->local_domain.len <= JID_ASCII_BYTES_MAX && pair->local_domain.len > 0 &&
           pair->remote_domain.len <= JID_ASCII_BYTES_MAX && pair->remote_domain.len > 0;
}

static size_t put_part(char *name, size_t at, struct slice part)
{
    memcpy(name + at, part.ptr, part.len);
    name[at + part.len] = '\0'; /* in no address: so no two names run together */
    return at + part.len + 1;
}

static uint64_t hash_of(enum contact_direction direction, const struct presence_pair *pair)
{
    char name[NAME_BYTES_MAX] UNINITIALIZED;
    size_t len = 1;

    name[0] = (char)direction;
    len = put_part(name, len, pair->local_domain);
    len = put_part(name, len, pair->remote_domain);
    len = put_part(name, len, pair->local_user);
    len = put_part(name, len, pair->remote_user);
    return hash_bytes(slice_make(name, len));
}

static struct contact **bucket_of(const struct presence *p, uint64_t hash)
{
    return &p->buckets[hash >> (64 - p->bucket_bits)];
}

/* Where a contact of this hash stands or would be put. */
static struct contact **place_of(const struct presence *p, uint64_t hash)
{
    struct contact **at = bucket_of(p, hash);

    while (*at && (*at)->hash < hash) {
        at = &(*at)->next;
    }
    return at;
}

static bool has_name(const struct contact *c, enum contact_direction direction,
                     const struct presence_pair *pair)
{
    struct presence_pair own = contact_pair(c);

    return c->direction == direction && slice_eq(own.local_user, pair->local_user) &&
           slice_eq(own.remote_user, pair->remote_user) &&
           slice_eq(own.local_domain, pair->local_domain) &&
           slice_eq(own.remote_domain, pair->remote_domain);
}

struct contact *contact_find(const struct presence *p, enum contact_direction direction,
                             const struct presence_pair *pair)
{
    struct contact *c;
    uint64_t hash;

    if (!pair_is_bounded(pair)) {
        return NULL;
    }
    hash = hash_of(direction, pair);
    for (c = *place_of(p, hash); c && c->hash == hash; c = c->next) {
        if (has_name(c, direction, pair)) {
            return c;
        }
    }
    return NULL;
}

struct contact *table_next(const struct presence *p, uint64_t hash)
{
    size_t count = (size_t)1 << p->bucket_bits;
    struct contact *c = *place_of(p, hash);

    for (size_t at = (hash >> (64 - p->bucket_bits)) + 1; !c && at < count; at++) {
        c = p->buckets[at];
    }
    return c;
}

/* Twice as many buckets: every chain falls into two neighbours, in order. Without memory chains
 * get longer, that is all. */
static void grow(struct presence *p)
{
    size_t count = (size_t)1 << p->bucket_bits;
    struct contact **bigger;

    if (p->count < count || p->bucket_bits == BUCKET_BITS_MAX) {
        return;
    }
    bigger = pool_zalloc(2 * count * sizeof(struct contact *));
    if (!bigger) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct contact **at = &p->buckets[i];

        bigger[2 * i] = *at;
        while (*at && (((*at)->hash >> (63 - p->bucket_bits)) & 1u) == 0) {
            at = &(*at)->next;
        }
        bigger[2 * i + 1] = *at;
        if (at == &p->buckets[i]) {
            bigger[2 * i] = NULL;
        } else {
            *at = NULL;
        }
    }
    p->stats.memory_bytes += pool_block_bytes(bigger) - pool_block_bytes(p->buckets);
    pool_free(p->buckets);
    p->buckets = bigger;
    p->bucket_bits++;
}

/* --- domains ---------------------------------------------------------------------------------- */

struct slice presence_domain_ascii(const struct presence_domain *d)
{
    return slice_make(d->names, d->ascii_len);
}

struct slice presence_domain_unicode(const struct presence_domain *d)
{
    return slice_make(d->names + d->ascii_len, d->unicode_len);
}

struct presence_domain *table_domain(const struct presence *p, struct slice ascii)
{
    return map_get(&p->domains, ascii);
}

static int domain_new(struct presence *p, struct slice ascii, struct presence_domain **out)
{
    struct jid_storage mem UNINITIALIZED;
    struct jid_ascii check;
    struct presence_domain *d;
    struct jid jid;

    if (jid_domain_to_ascii(ascii, &check) || !slice_eq(jid_ascii_slice(&check), ascii) ||
        jid_make(&mem, SLICE_NONE, ascii, SLICE_NONE, &jid) || jid.domain_is_ip) {
        return ERR_BAD_INPUT;
    }
    d = pool_zalloc(sizeof(*d) + ascii.len + jid.domain.len);
    if (!d) {
        return ERR_NOMEM;
    }
    list_init(&d->contacts);
    d->ascii_len = (uint16_t)ascii.len;
    d->unicode_len = (uint16_t)jid.domain.len;
    memcpy(d->names, ascii.ptr, ascii.len);
    memcpy(d->names + ascii.len, jid.domain.ptr, jid.domain.len);
    d->stats.remote_domain = presence_domain_ascii(d);
    map_add(&p->domains, presence_domain_ascii(d), d);
    p->stats.memory_bytes += pool_block_bytes(d);
    *out = d;
    return 0;
}

static int domain_take(struct presence *p, struct slice ascii, struct presence_domain **out)
{
    int err = 0;

    *out = table_domain(p, ascii);
    if (!*out) {
        err = domain_new(p, ascii, out);
    }
    if (!err) {
        (*out)->users++;
    }
    return err;
}

static void domain_drop(struct presence *p, struct presence_domain *d)
{
    ASSERT(d->users > 0);
    d->users--;
    if (d->users == 0) {
        ASSERT(!d->lanes);
        map_remove(&p->domains, presence_domain_ascii(d));
        p->stats.memory_bytes -= pool_block_bytes(d);
        pool_free(d);
    }
}

/* --- contacts --------------------------------------------------------------------------------- */

static void count_state(struct contact *c, int32_t by)
{
    c->p->stats.contacts[c->direction][c->state] += (uint32_t)by;
    c->remote->stats.contacts[c->direction][c->state] += (uint32_t)by;
    bound_count(c, by);
}

void contact_raw_set_state(struct contact *c, enum contact_state state)
{
    count_state(c, -1);
    c->state = (uint8_t)state;
    count_state(c, 1);
}

static void contact_init(struct contact *c, enum contact_direction direction,
                         const struct presence_pair *pair)
{
    c->direction = (uint8_t)direction;
    c->hash = hash_of(direction, pair);
    c->local_user_len = (uint16_t)pair->local_user.len;
    c->remote_user_len = (uint16_t)pair->remote_user.len;
    memcpy(c->users, pair->local_user.ptr, pair->local_user.len);
    memcpy(c->users + pair->local_user.len, pair->remote_user.ptr, pair->remote_user.len);
    list_push_back(&c->remote->contacts, &c->of_remote);
    c->remote->remotes++;
    if (direction == CONTACT_IN) {
        subscriber_init(c);
    } else {
        notifier_init(c);
    }
}

static size_t contact_bytes(const struct contact *c)
{
    return sizeof(*c) + c->local_user_len + c->remote_user_len;
}

static void insert(struct presence *p, struct contact *c)
{
    struct contact **at;

    grow(p);
    at = place_of(p, c->hash);
    c->next = *at;
    *at = c;
    p->count++;
    p->stats.memory_bytes += slab_block_bytes(contact_bytes(c));
    count_state(c, 1);
}

static size_t bytes_of(const struct presence_pair *pair)
{
    return sizeof(struct contact) + pair->local_user.len + pair->remote_user.len;
}

static int contact_new(struct presence *p, enum contact_direction direction,
                       const struct presence_pair *pair, struct contact **out)
{
    struct contact *c;
    int err;

    if (!pair_is_bounded(pair)) {
        return ERR_BAD_INPUT;
    }
    if (p->count >= p->contacts_max) {
        return ERR_FULL;
    }
    c = slab_zalloc(&p->slab, bytes_of(pair));
    if (!c) {
        return ERR_NOMEM;
    }
    c->p = p;
    err = domain_take(p, pair->local_domain, &c->local);
    if (err) {
        goto fail;
    }
    err = domain_take(p, pair->remote_domain, &c->remote);
    if (!err && c->remote->remotes >= p->domain_max) {
        domain_drop(p, c->remote);
        err = ERR_FULL;
    }
    if (err) {
        domain_drop(p, c->local);
        goto fail;
    }
    contact_init(c, direction, pair);
    insert(p, c);
    *out = c;
    return 0;
fail:
    slab_free(&p->slab, c, bytes_of(pair));
    return err;
}

int contact_get(struct presence *p, enum contact_direction direction,
                const struct presence_pair *pair, struct contact **out)
{
    int err = 0;

    *out = contact_find(p, direction, pair);
    if (!*out) {
        err = contact_new(p, direction, pair, out);
        p->stats.refused_full += err == ERR_FULL || err == ERR_NOMEM;
    }
    return err;
}

void contact_free(struct contact *c)
{
    struct presence *p = c->p;
    struct contact **at = place_of(p, c->hash);

    ASSERT(!c->is_on_way);
    ASSERT(c->orders == 0);
    while (*at != c) {
        at = &(*at)->next;
    }
    *at = c->next;
    p->count--;
    send_detach(c);
    if (c->direction == CONTACT_IN) {
        subscriber_deinit(c);
        contact_pace_cancel(c);
    } else {
        notifier_deinit(c);
    }
    contact_forget_dirt(c); /* after the machine, which may have said something at last */
    wheel_disarm(p->wheel, &c->timer);
    p->stats.memory_bytes -=
        (uint64_t)c->measured_grains * CONTACT_GRAIN_BYTES + slab_block_bytes(contact_bytes(c));
    p->stats.dialogs[c->direction] -= c->measured_dialogs;
    c->remote->stats.dialogs[c->direction] -= c->measured_dialogs;
    count_state(c, -1);
    list_remove(&c->of_remote);
    c->remote->remotes--;
    if (c->remote->remotes == 0) { /* ours it may still be */
        review_forget(c->remote);
    }
    domain_drop(p, c->remote);
    domain_drop(p, c->local);
    slab_free(&p->slab, c, contact_bytes(c));
}

int table_init(struct presence *p)
{
    p->bucket_bits = BUCKET_BITS_MIN;
    p->buckets = pool_zalloc(((size_t)1 << BUCKET_BITS_MIN) * sizeof(struct contact *));
    if (!p->buckets) {
        return ERR_NOMEM;
    }
    p->stats.memory_bytes += pool_block_bytes(p->buckets);
    return 0;
}

void table_deinit(struct presence *p)
{
    if (!p->buckets) {
        return;
    }
    for (size_t i = 0; i < (size_t)1 << p->bucket_bits; i++) {
        while (p->buckets[i]) {
            contact_free(p->buckets[i]);
        }
    }
    ASSERT(p->count == 0);
    ASSERT(p->domains.count == 0);
    map_deinit(&p->domains);
    p->stats.memory_bytes -= pool_block_bytes(p->buckets);
    pool_free(p->buckets);
    p->buckets = NULL;
    slab_deinit(&p->slab);
}
