/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admin: orders of administrators, done when durable. `block` and `forget` take away and count at
 * once; `allow` gives and counts with its row, as every grant. */
#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "presence/table.h"

#define ORDERS_OF_ONE_MAX 64u

struct order {
    struct list link;        /* in presence.orders */
    struct contact *contact; /* borrowed: stays while orders wait */
    uint64_t cookie;
    uint8_t what;   /* enum presence_order */
    bool is_in_row; /* the row on its way was written after it */
};

static int order_add(struct contact *c, enum presence_order what, uint64_t cookie)
{
    struct presence *p = c->p;
    struct order *o;

    if (p->order_count >= PRESENCE_ORDERS_MAX || c->orders >= ORDERS_OF_ONE_MAX) {
        return ERR_FULL;
    }
    o = pool_zalloc(sizeof(*o));
    if (!o) {
        return ERR_NOMEM;
    }
    o->contact = c;
    o->cookie = cookie;
    o->what = (uint8_t)what;
    list_push_back(&p->orders, &o->link);
    p->order_count++;
    c->orders++;
    return 0;
}

static void order_done(struct presence *p, struct order *o, int err)
{
    uint64_t cookie = o->cookie;

    list_remove(&o->link);
    p->order_count--;
    o->contact->orders--;
    pool_free(o);
    p->ops->admin_done(p->ctx, cookie, err);
}

enum which { ORDERS_IN_ROW, ORDERS_NOT_IN_ROW, ORDERS_ALLOW };

static bool is_meant(const struct order *o, enum which which)
{
    switch (which) {
    case ORDERS_IN_ROW:
        return o->is_in_row;
    case ORDERS_NOT_IN_ROW:
        return !o->is_in_row;
    case ORDERS_ALLOW:
        return o->what == PRESENCE_ALLOW;
    }
    UNREACHABLE("which");
}

static void orders_done(struct contact *c, enum which which, int err)
{
    struct presence *p = c->p;
    struct list *link = p->orders.next;

    while (c->orders > 0 && link != &p->orders) {
        struct order *o = LIST_ENTRY(link, struct order, link);

        link = link->next;
        if (o->contact == c && is_meant(o, which)) {
            order_done(p, o, err);
        }
    }
}

void admin_in_row(struct contact *c)
{
    if (c->orders == 0) {
        return;
    }
    for (struct list *link = c->p->orders.next; link != &c->p->orders; link = link->next) {
        struct order *o = LIST_ENTRY(link, struct order, link);

        o->is_in_row |= o->contact == c;
    }
}

static void tell_machine(struct contact *c, enum presence_order what)
{
    if (c->direction == CONTACT_IN) {
        subscriber_order(c, what);
    } else {
        notifier_order(c, what);
    }
}

void admin_row_done(struct contact *c, bool is_allowed, int err)
{
    if (is_allowed && !err) {
        tell_machine(c, PRESENCE_ALLOW);
    }
    orders_done(c, ORDERS_IN_ROW, err);
}

void admin_give_up(struct contact *c, int err)
{
    orders_done(c, ORDERS_NOT_IN_ROW, err);
}

/* Whoever takes away after an order to allow that still waits has the last word. */
static void withdraw_allow(struct contact *c)
{
    c->wants &= (uint8_t)~CONTACT_WANTS_ALLOW;
    if (c->is_on_way) {
        c->row->wants &= (uint8_t)~CONTACT_WANTS_ALLOW;
    }
    orders_done(c, ORDERS_ALLOW, ERR_STATE);
}

static bool is_allowed_already(const struct contact *c)
{
    if (c->direction == CONTACT_IN) {
        return c->state == CONTACT_GRANTED;
    }
    return c->state != CONTACT_BLOCKED && c->state != CONTACT_DENIED;
}

static void take_away(struct contact *c, enum presence_order what)
{
    withdraw_allow(c);
    contact_set_state(c, what == PRESENCE_BLOCK ? CONTACT_BLOCKED : CONTACT_NONE, CONTACT_BY_ADMIN);
    tell_machine(c, what);
}

static void carry_out(struct contact *c, enum presence_order what, uint64_t cookie)
{
    bool was_blocked = c->state == CONTACT_BLOCKED;
    bool is_done =
        what == PRESENCE_ALLOW ? is_allowed_already(c) : what == PRESENCE_BLOCK && was_blocked;
    int err;

    /* What memory says is durable, unless a row of it is still to be written. */
    if (is_done && !c->is_on_way && c->dirt == CONTACT_CLEAN && !c->wants) {
        c->p->ops->admin_done(c->p->ctx, cookie, 0);
        return;
    }
    if (what != PRESENCE_ALLOW) {
        take_away(c, what);
    }
    err = order_add(c, what, cookie);
    if (err) {
        c->p->ops->admin_done(c->p->ctx, cookie, err);
        return;
    }
    if (what == PRESENCE_ALLOW && !is_done) {
        c->wants |= CONTACT_WANTS_ALLOW;
    }
    contact_make_urgent(c);
}

void presence_order(struct presence *p, const struct presence_pair *pair,
                    enum contact_direction direction, enum presence_order what, uint64_t cookie)
{
    struct contact *c;
    int err = 0;

    presence_check(p);
    if (what == PRESENCE_FORGET) {
        c = contact_find(p, direction, pair);
        err = c ? 0 : ERR_NOT_FOUND;
    } else {
        err = contact_get(p, direction, pair, &c);
    }
    if (err) {
        p->ops->admin_done(p->ctx, cookie, err);
        return;
    }
    carry_out(c, what, cookie);
    contact_settle(c);
}

void admin_deinit(struct presence *p)
{
    struct list *link;

    while ((link = list_pop_front(&p->orders)) != NULL) {
        struct order *o = LIST_ENTRY(link, struct order, link);

        o->contact->orders--;
        pool_free(o);
    }
    p->order_count = 0;
}
