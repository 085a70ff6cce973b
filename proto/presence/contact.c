/* SPDX-License-Identifier: GPL-2.0-or-later */
/* contact: names and addresses of one contact, and its settling after every event. */
#include "presence/contact.h"

#include "base/check.h"
#include "presence/table.h"
#include "translate/address.h"

struct presence_pair contact_pair(const struct contact *c)
{
    return (struct presence_pair){
        .local_user = slice_make(c->users, c->local_user_len),
        .local_domain = presence_domain_ascii(c->local),
        .remote_user = slice_make(c->users + c->local_user_len, c->remote_user_len),
        .remote_domain = presence_domain_ascii(c->remote),
    };
}

void contact_jid(const struct contact *c, bool is_local, struct jid *out)
{
    struct presence_pair pair = contact_pair(c);

    *out = (struct jid){
        .local = is_local ? pair.local_user : pair.remote_user,
        .domain = presence_domain_unicode(is_local ? c->local : c->remote),
    };
}

void contact_put_jid(const struct contact *c, bool is_local, struct buf *out)
{
    struct jid jid;

    contact_jid(c, is_local, &jid);
    jid_write_bare(out, &jid);
}

int contact_put_uri(const struct contact *c, bool is_local, struct buf *out)
{
    struct jid jid;

    contact_jid(c, is_local, &jid);
    return address_to_uri(out, &jid, false);
}

void contact_rule(const struct contact *c, struct presence_rule *out)
{
    struct presence_pair pair = contact_pair(c);

    *out = (struct presence_rule){0};
    c->p->ops->rule(c->p->ctx, &pair, c->direction, out);
}

void contact_put_own(const struct contact *c, struct buf *out)
{
    struct presence_pair pair = contact_pair(c);

    c->p->ops->own_contact(c->p->ctx, &pair, out);
}

uint64_t contact_now_ms(const struct contact *c)
{
    return c->p->ops->now_ms(c->p->ctx);
}

int64_t contact_now_unix_s(const struct contact *c)
{
    return c->p->ops->now_unix_s(c->p->ctx);
}

/* Rows hold 64 bits; memory is good until 2106. 0 means never. */
uint32_t contact_now_u32(const struct contact *c)
{
    int64_t now = contact_now_unix_s(c);

    return now < 1 ? 1 : now > UINT32_MAX ? UINT32_MAX : (uint32_t)now;
}

void *contact_alloc(struct contact *c, size_t size)
{
    return slab_zalloc(&c->p->slab, size);
}

void contact_free_bytes(struct contact *c, void *block, size_t size)
{
    slab_free(&c->p->slab, block, size);
}

void contact_measure_now(struct contact *c)
{
    struct presence_stats *stats = &c->p->stats;
    struct contact_measure m = {0};
    uint32_t dialogs;
    size_t grains;

    if (c->direction == CONTACT_IN) {
        subscriber_measure(c, &m);
    } else {
        notifier_measure(c, &m);
    }
    grains = (m.bytes + CONTACT_GRAIN_BYTES - 1) / CONTACT_GRAIN_BYTES;
    grains = grains < UINT16_MAX ? grains : UINT16_MAX;
    dialogs = m.dialogs < UINT8_MAX ? m.dialogs : UINT8_MAX;
    stats->memory_bytes += (uint64_t)(grains - c->measured_grains) * CONTACT_GRAIN_BYTES;
    stats->dialogs[c->direction] += dialogs - c->measured_dialogs;
    c->remote->stats.dialogs[c->direction] += dialogs - c->measured_dialogs;
    c->measured_grains = (uint16_t)grains;
    c->measured_dialogs = (uint8_t)dialogs;
}

bool contact_is_at_rest(const struct contact *c)
{
    if (c->state != CONTACT_NONE || c->wants || c->orders > 0) {
        return false;
    }
    return c->direction == CONTACT_IN ? subscriber_is_at_rest(c) : notifier_is_at_rest(c);
}

void contact_settle(struct contact *c)
{
    contact_measure_now(c);
    if (c->dirt == CONTACT_URGENT && !c->is_on_way) {
        contact_write(c);
    }
    if (c->is_on_way || !contact_is_at_rest(c)) {
        return;
    }
    if (c->has_row) {
        contact_touch(c); /* the row goes first: contact_write sees the rest */
        return;
    }
    contact_free(c);
}
