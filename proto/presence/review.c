/* SPDX-License-Identifier: GPL-2.0-or-later */
/* review: works that touch many contacts: resumption after a start, judgement after a reload, news
 * of a partner's stream. The last two go in slices. */
#include "base/check.h"
#include "base/pool.h"
#include "presence/table.h"

/* News of a next hop's connection on their way through the table. */
struct hop_news {
    struct list link; /* in presence.hop_news */
    uint64_t at;      /* hash of the next contact */
    bool is_last;
    bool is_reachable;
    size_t name_len;
    char name[];
};

static void arm_seen(struct presence *p);

/* The next one after *at in order of the hash, which stays right whatever comes or goes. */
static struct contact *step(struct presence *p, uint64_t *at, bool *is_last)
{
    struct contact *c = *is_last ? NULL : table_next(p, *at);

    if (c) {
        *is_last = c->hash == UINT64_MAX;
        *at = c->hash + 1;
    }
    return c;
}

void presence_loaded(struct presence *p)
{
    bool is_last = false;
    uint64_t at = 0;
    struct contact *c;

    presence_check(p);
    while ((c = step(p, &at, &is_last)) != NULL) {
        if (c->direction == CONTACT_IN) {
            subscriber_loaded(c);
        } else {
            notifier_loaded(c);
        }
        contact_settle(c);
    }
    /* Machines have touched contacts with dialogs, whose CSeq goes on when its next reserve is
     * durable: a process that lives for a second must not begin where the last one did. */
    authorise_hurry(p);
}

bool presence_review(struct presence *p, bool from_start)
{
    bool is_last = false;

    presence_check(p);
    if (from_start) {
        pace_review(p);
        p->review_at = 0;
    }
    for (uint32_t i = 0; i < PRESENCE_SLICE; i++) {
        struct contact *c = step(p, &p->review_at, &is_last);

        if (!c) {
            return false;
        }
        if (c->direction == CONTACT_IN) {
            subscriber_review(c);
        } else {
            notifier_review(c);
        }
        contact_settle(c);
    }
    return !is_last;
}

/* --- streams ---------------------------------------------------------------------------------- */

static void tell_one(struct contact *c, bool is_reachable)
{
    if (c->direction == CONTACT_IN) {
        subscriber_partner_seen(c, is_reachable);
    } else {
        notifier_partner_seen(c, is_reachable);
    }
}

/* In turns: told contacts go to the end of the list. One that is made meanwhile may be told, one
 * that goes may cost somebody a second telling: both do no harm. */
static void tell_next(struct presence_domain *d)
{
    struct contact *c = LIST_ENTRY(d->contacts.next, struct contact, of_remote);
    bool was_cut = d->was_cut && !d->is_unreachable;

    ASSERT(!list_is_empty(&d->contacts)); /* review_forget else */
    list_remove(&c->of_remote);
    list_push_back(&d->contacts, &c->of_remote);
    d->seen_left--;
    if (d->seen_left == 0) {
        list_remove(&d->seen);
        d->was_cut = false;
    }
    if (was_cut) {
        tell_one(c, false);
    }
    tell_one(c, !d->is_unreachable);
    contact_settle(c); /* d may be gone with it */
}

/* False: all have heard of it, or one slice has. */
static bool tell_next_of_hop(struct presence *p, struct hop_news *news)
{
    struct contact *c = step(p, &news->at, &news->is_last);
    struct presence_rule rule;

    if (!c) {
        return false;
    }
    if (c->direction != CONTACT_IN) {
        return true;
    }
    contact_rule(c, &rule);
    if (slice_eq(rule.hop, slice_make(news->name, news->name_len))) {
        subscriber_hop_seen(c, news->is_reachable);
        contact_settle(c);
    }
    return true;
}

static void tell_of_hop(struct presence *p, struct hop_news *news)
{
    for (uint32_t i = 0; i < PRESENCE_SLICE; i++) {
        if (!tell_next_of_hop(p, news)) {
            list_remove(&news->link);
            pool_heap_free(news);
            return;
        }
    }
}

static void seen_due(struct wheel_timer *timer, void *ctx)
{
    struct presence *p = ctx;
    struct list *link;

    (void)timer;
    for (uint32_t i = 0; i < PRESENCE_SLICE && (link = list_first(&p->seen)) != NULL; i++) {
        tell_next(LIST_ENTRY(link, struct presence_domain, seen));
    }
    link = list_first(&p->hop_news);
    if (link) {
        tell_of_hop(p, LIST_ENTRY(link, struct hop_news, link));
    }
    arm_seen(p);
}

static void arm_seen(struct presence *p)
{
    bool has_work = !list_is_empty(&p->seen) || !list_is_empty(&p->hop_news);

    if (has_work && !wheel_timer_is_armed(&p->seen_timer)) {
        wheel_arm(p->wheel, &p->seen_timer, p->ops->now_ms(p->ctx) + PRESENCE_SLICE_MS, seen_due,
                  p);
    }
}

static void tell_all(struct presence *p, struct presence_domain *d)
{
    d->seen_left = d->remotes;
    list_remove(&d->seen);
    list_push_back(&p->seen, &d->seen);
    arm_seen(p);
}

void presence_partner_seen(struct presence *p, struct slice remote_domain, bool is_reachable)
{
    struct presence_domain *d;

    presence_check(p);
    d = table_domain(p, remote_domain);
    if (!d || d->remotes == 0 || d->is_unreachable == !is_reachable) {
        return;
    }
    d->is_unreachable = !is_reachable;
    d->unreachable_ms = p->ops->now_ms(p->ctx);
    d->was_cut = false;
    tell_all(p, d);
}

static void tell_cut(struct presence_domain *d)
{
    d->cut_ms = d->p->ops->now_ms(d->p->ctx);
    d->was_cut = true;
    tell_all(d->p, d);
}

/* It broke again too soon after the last time, and what that lost is not told yet. */
static void cut_due(struct wheel_timer *timer, void *ctx)
{
    struct presence_domain *d = ctx;

    (void)timer;
    if (!d->is_unreachable) {
        tell_cut(d);
    }
}

void presence_partner_cut(struct presence *p, struct slice remote_domain)
{
    uint64_t now_ms = p->ops->now_ms(p->ctx);
    struct presence_domain *d;

    presence_check(p);
    d = table_domain(p, remote_domain);
    if (!d || d->remotes == 0 || d->is_unreachable) {
        return;
    }
    d->p = p;
    if (d->cut_ms == 0 || now_ms - d->cut_ms >= PRESENCE_CUT_REST_MS) {
        tell_cut(d);
    } else if (!wheel_timer_is_armed(&d->cut_timer)) {
        wheel_arm(p->wheel, &d->cut_timer, d->cut_ms + PRESENCE_CUT_REST_MS, cut_due, d);
    }
}

static struct hop_news *news_of(struct presence *p, struct slice hop)
{
    struct hop_news *news;

    for (struct list *link = p->hop_news.next; link != &p->hop_news; link = link->next) {
        news = LIST_ENTRY(link, struct hop_news, link);
        if (slice_eq(slice_make(news->name, news->name_len), hop)) {
            return news;
        }
    }
    news = pool_heap_zalloc(sizeof(*news) + hop.len); /* as many as hops are configured */
    memcpy(news->name, hop.ptr, hop.len);
    news->name_len = hop.len;
    list_push_back(&p->hop_news, &news->link);
    return news;
}

void presence_hop_seen(struct presence *p, struct slice hop, enum presence_hop_news what)
{
    struct hop_news *news;

    presence_check(p);
    if (hop.len == 0) {
        return;
    }
    pace_hop_seen(p, hop);
    if (what == PRESENCE_HOP_FIRST) { /* no subscription was there to be lost */
        return;
    }
    news = news_of(p, hop);
    news->at = 0;
    news->is_last = false;
    news->is_reachable = what == PRESENCE_HOP_BACK;
    arm_seen(p);
}

void review_forget(struct presence_domain *d)
{
    list_remove(&d->seen);
    d->seen_left = 0;
    d->is_unreachable = false;
    if (wheel_timer_is_armed(&d->cut_timer)) {
        wheel_disarm(d->p->wheel, &d->cut_timer);
    }
}

void review_init(struct presence *p)
{
    list_init(&p->seen);
    list_init(&p->hop_news);
}

void review_deinit(struct presence *p)
{
    struct list *link;

    wheel_disarm(p->wheel, &p->seen_timer);
    while ((link = list_pop_front(&p->hop_news)) != NULL) {
        pool_heap_free(LIST_ENTRY(link, struct hop_news, link));
    }
}
