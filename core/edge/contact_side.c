/* SPDX-License-Identifier: GPL-2.0-or-later */
/* contact_side: what administrators ask and order, on the shard where the contacts live. */
#include "base/check.h"
#include "base/err.h"
#include "edge/presence_side_int.h"
#include "edge/reach.h"

/* --- asking --- */

/* Domains as people write them. */
static void put_address(struct jout *j, const char *key, struct slice user, struct slice domain)
{
    struct jid_storage mem;
    struct jid jid;
    struct buf text;

    buf_init(&text, JID_BYTES_MAX);
    if (jid_make(&mem, user, domain, SLICE_NONE, &jid) == 0) {
        jid_write(&text, &jid);
    }
    jout_text(j, key, buf_slice(&text));
    buf_deinit(&text);
}

static void put_time(struct jout *j, const char *key, int64_t unix_s)
{
    if (unix_s != 0) {
        jout_i64(j, key, unix_s);
    } else {
        jout_null(j, key);
    }
}

static void put_text(struct jout *j, const char *key, struct slice text)
{
    if (text.len != 0) {
        jout_text(j, key, text);
    } else {
        jout_null(j, key);
    }
}

static void put_contact(void *ctx, const struct presence_contact_view *c)
{
    struct contacts_ask *ask = ctx;
    struct jout *j = ask->out;

    ask->limit--;
    jout_object(j, NULL);
    put_address(j, "local", c->pair.local_user, c->pair.local_domain);
    put_address(j, "remote", c->pair.remote_user, c->pair.remote_domain);
    jout_cstr(j, "direction", contact_direction_name(c->direction));
    jout_cstr(j, "state", contact_state_name(c->state));
    jout_cstr(j, "asked_by", contact_asker_name(c->asker));
    put_time(j, "asked_unix_s", c->asked_unix_s);
    put_time(j, "changed_unix_s", c->changed_unix_s);
    jout_cstr(j, "machine", c->machine);
    jout_u64(j, "dialogs", c->dialog_count);
    put_time(j, "expires_unix_s", c->expires_unix_s);
    jout_cstr(j, "show", c->show);
    put_text(j, "note", c->note);
    put_text(j, "last_error", c->last_error);
    jout_end(j);
}

void presence_side_take_contacts(struct presence_side *ps, const struct mail_contacts *m)
{
    struct contacts_ask *ask = m->ask;

    ask->is_end = !presence_walk(ps->core, &ask->filter, &ask->cursor, ask->limit, put_contact,
                                 ask);
    (void)sem_post(m->done);
}

/* --- ordering --- */

/* Which of the two directions an order's cookie is for stands in its lowest bit. */
STATIC_ASSERT(CONTACT_DIRECTIONS == 2 && _Alignof(struct contact_order) >= 2, "one bit");

static uint64_t cookie_of(const struct contact_order *o, enum contact_direction direction)
{
    return (uint64_t)(uintptr_t)o | (uint64_t)direction;
}

/* What it means for the way of an unverified partner's user to ours. */
static void note_reach(struct edge *e, const struct contact_order *o,
                       enum contact_direction direction)
{
    const struct partner *p = snapshot_partner(edge_policy(e), o->pair.remote_domain);
    const struct reach_pair pair = {o->pair.local_user, o->pair.local_domain, o->pair.remote_user,
                                    o->pair.remote_domain};
    bool is_in = direction == CONTACT_IN;

    if (!p || p->type != PARTNER_TYPE_PUBLIC_UNVERIFIED) {
        return;
    }
    if (o->what == PRESENCE_ALLOW) {
        reach_note(e, is_in ? REACH_CONSENTED : REACH_ADDED, &pair);
    } else {
        reach_note(e, is_in ? REACH_WITHDRAWN : REACH_REMOVED, &pair);
    }
}

void presence_side_admin_done(void *ctx, uint64_t cookie, int err)
{
    struct presence_side *ps = ctx;
    enum contact_direction direction = (enum contact_direction)(cookie & 1);
    struct contact_order *o = (void *)(uintptr_t)(cookie & ~UINT64_C(1));

    if (err == 0 || o->what != PRESENCE_ALLOW) {
        note_reach(ps->e, o, direction);
    }
    if (err == ERR_NOT_FOUND) {
        o->missing++;
    } else {
        o->err = o->err ? o->err : err;
    }
    if (--o->pending == 0) {
        if (o->missing == (uint32_t)__builtin_popcount(o->directions)) {
            o->err = ERR_NOT_FOUND;
        }
        atomic_store_explicit(&o->result, o->err, memory_order_release);
        list_remove(&o->link);
        (void)sem_post(&o->done);
        contact_order_unref(o);
    }
}

void presence_side_take_order(struct presence_side *ps, const struct mail_contact_order *m)
{
    struct contact_order *o = m->order;
    uint32_t directions = o->directions;

    list_push_back(&ps->orders, &o->link);
    o->pending = (uint32_t)__builtin_popcount(directions);
    /* With the last one it may be gone. */
    for (int d = 0; directions != 0; d++) {
        if (directions & (1u << d)) {
            directions &= ~(1u << d);
            presence_order(ps->core, &o->pair, (enum contact_direction)d, o->what,
                           cookie_of(o, (enum contact_direction)d));
        }
    }
}

void presence_side_orders_free(struct presence_side *ps)
{
    struct list *link;

    while ((link = list_pop_front(&ps->orders))) {
        contact_order_unref(LIST_ENTRY(link, struct contact_order, link));
    }
}
