/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pace: how many SUBSCRIBEs a next hop gets in a second, and whose turn it is. Each hop has a token
 * bucket; who finds it empty waits in a lane of its remote domain, and lanes take turns, so that a
 * partner whose whole staff logs in does not hold up another one's single user. A waiting contact
 * costs its list link, a lane exists while somebody waits in it. */
#include "base/check.h"
#include "base/pool.h"
#include "presence/table.h"

#define TOKEN         1000000u
#define BURST_DIVISOR 32u
/* Our time is that of a turn's begin, what is sent then leaves until the turn's end: a second of
 * the next hop is this much more of ours. */
#define SECOND_MS     1000u
#define SLACK_MS      20u
#define TURNS_MAX     64u /* at a time; the rest a tick later */

struct lane {
    struct list link;               /* in hop.lanes while somebody waits */
    struct list contacts;           /* struct contact.waiting */
    struct lane *next_of_domain;    /* owned by the domain */
    struct hop *hop;                /* borrowed */
    struct presence_domain *remote; /* borrowed; NULL: hop.common */
};

struct hop {
    struct presence *p; /* borrowed */
    struct list lanes;
    struct lane common; /* of those for whose own lane there was no memory */
    struct wheel_timer timer;
    uint64_t filled_ms; /* when tokens was right */
    uint64_t tokens;
    uint32_t rate; /* 0 = no bound */
    size_t name_len;
    char name[];
};

/* In no second more than the rate: what a full bucket adds at once is taken off its filling. A
 * second with both its ends holds the burst and what SECOND_MS + SLACK_MS fill: less than the rate
 * and one more. */
static uint32_t burst_of(uint32_t rate)
{
    return 1 + rate / BURST_DIVISOR;
}

/* Parts of a token in a millisecond. */
static uint64_t fill_of(uint32_t rate)
{
    return (uint64_t)(rate - burst_of(rate) + 1) * TOKEN / (SECOND_MS + SLACK_MS + 1);
}

static void fill(struct hop *hop)
{
    uint64_t now = hop->p->ops->now_ms(hop->p->ctx);
    uint64_t most = (uint64_t)burst_of(hop->rate) * TOKEN;
    uint64_t passed = now - hop->filled_ms;

    hop->filled_ms = now;
    if (hop->rate == 0) {
        return;
    }
    if (passed < most) { /* longer ones would overflow and fill it anyway */
        hop->tokens += passed * fill_of(hop->rate);
    } else {
        hop->tokens = most;
    }
    if (hop->tokens > most) {
        hop->tokens = most;
    }
}

static bool take(struct hop *hop)
{
    if (hop->rate == 0) {
        return true;
    }
    if (hop->tokens < TOKEN) {
        return false;
    }
    hop->tokens -= TOKEN;
    return true;
}

static void due(struct wheel_timer *timer, void *ctx);

static void arm(struct hop *hop)
{
    uint64_t wait_ms = 0;

    if (list_is_empty(&hop->lanes) || wheel_timer_is_armed(&hop->timer)) {
        return;
    }
    if (hop->rate > 0 && hop->tokens < TOKEN) {
        wait_ms = (TOKEN - hop->tokens + fill_of(hop->rate) - 1) / fill_of(hop->rate);
    }
    wheel_arm(hop->p->wheel, &hop->timer, hop->filled_ms + wait_ms, due, hop);
}

static void lane_init(struct lane *lane, struct hop *hop)
{
    list_init(&lane->contacts);
    lane->hop = hop;
}

static struct hop *hop_get(struct presence *p, const struct presence_rule *rule)
{
    struct hop *hop = map_get(&p->hops, rule->hop);

    if (!hop) {
        /* As many as the configuration has: of the control plane's memory. */
        hop = pool_heap_zalloc(sizeof(*hop) + rule->hop.len + 1);
        hop->p = p;
        hop->filled_ms = p->ops->now_ms(p->ctx);
        hop->tokens = (uint64_t)burst_of(rule->subscribe_rate_max) * TOKEN;
        hop->name_len = rule->hop.len;
        if (rule->hop.len > 0) {
            memcpy(hop->name, rule->hop.ptr, rule->hop.len);
        }
        list_init(&hop->lanes);
        lane_init(&hop->common, hop);
        map_add(&p->hops, slice_make(hop->name, hop->name_len), hop);
    }
    hop->rate = rule->subscribe_rate_max;
    return hop;
}

static struct lane *lane_get(struct hop *hop, struct presence_domain *remote)
{
    struct lane *lane = remote->lanes;

    while (lane && lane->hop != hop) {
        lane = lane->next_of_domain;
    }
    if (!lane) {
        lane = pool_zalloc(sizeof(*lane));
        if (!lane) {
            return &hop->common;
        }
        lane_init(lane, hop);
        lane->remote = remote;
        lane->next_of_domain = remote->lanes;
        remote->lanes = lane;
    }
    return lane;
}

static void enqueue(struct hop *hop, struct contact *c)
{
    struct lane *lane = lane_get(hop, c->remote);

    if (list_is_empty(&lane->contacts)) {
        list_push_back(&hop->lanes, &lane->link);
    }
    list_push_back(&lane->contacts, &c->waiting);
    c->p->stats.waiting++;
    arm(hop);
}

static void lane_drop(struct lane *lane)
{
    struct lane **at;

    list_remove(&lane->link);
    if (!lane->remote) {
        return;
    }
    at = &lane->remote->lanes;
    while (*at != lane) {
        at = &(*at)->next_of_domain;
    }
    *at = lane->next_of_domain;
    pool_free(lane);
}

static void dequeue(struct lane *lane, struct contact *c)
{
    list_remove(&c->waiting);
    c->p->stats.waiting--;
    if (list_is_empty(&lane->contacts)) {
        lane_drop(lane);
    }
}

bool contact_pace(struct contact *c)
{
    struct presence_rule rule;
    struct hop *hop;

    ASSERT(c->direction == CONTACT_IN);
    if (list_is_linked(&c->waiting)) {
        return false;
    }
    contact_rule(c, &rule);
    hop = hop_get(c->p, &rule);
    fill(hop);
    if (list_is_empty(&hop->lanes) && take(hop)) {
        return true;
    }
    c->p->stats.subscribe_paced++;
    enqueue(hop, c);
    return false;
}

void contact_pace_cancel(struct contact *c)
{
    struct list *next = c->waiting.next;

    if (!list_is_linked(&c->waiting)) {
        return;
    }
    list_remove(&c->waiting);
    c->p->stats.waiting--;
    if (list_is_empty(next)) { /* it was the last one: next is its lane's sentinel */
        lane_drop(LIST_ENTRY(next, struct lane, contacts));
    }
}

/* The next one in turn, if it still belongs to this hop: a reload may have moved its domain. */
static void next_turn(struct hop *hop)
{
    struct lane *lane = LIST_ENTRY(hop->lanes.next, struct lane, link);
    struct contact *c = LIST_ENTRY(lane->contacts.next, struct contact, waiting);
    struct presence_rule rule;
    struct hop *now;

    list_remove(&lane->link);
    list_push_back(&hop->lanes, &lane->link);
    dequeue(lane, c);
    contact_rule(c, &rule);
    now = hop_get(hop->p, &rule);
    if (now != hop) {
        fill(now);
        enqueue(now, c);
        return;
    }
    /* The rate may be a new one, for which the bucket holds nothing yet. */
    hop->tokens -= hop->rate > 0 && hop->tokens >= TOKEN ? TOKEN : 0;
    subscriber_paced(c);
    contact_settle(c);
}

static void due(struct wheel_timer *timer, void *ctx)
{
    struct hop *hop = ctx;

    (void)timer;
    fill(hop);
    for (uint32_t i = 0; i < TURNS_MAX && !list_is_empty(&hop->lanes); i++) {
        if (hop->rate > 0 && hop->tokens < TOKEN) {
            break;
        }
        next_turn(hop);
    }
    arm(hop);
}

static bool is_idle(struct hop *hop)
{
    fill(hop);
    return list_is_empty(&hop->lanes) &&
           (hop->rate == 0 || hop->tokens == (uint64_t)burst_of(hop->rate) * TOKEN);
}

/* Whoever is next says what the hop's rate is now; if he belongs to another hop now, his turn will
 * show it. */
static void learn_rate(struct hop *hop)
{
    struct presence_rule rule;
    struct lane *lane;

    if (list_is_empty(&hop->lanes)) {
        return;
    }
    lane = LIST_ENTRY(hop->lanes.next, struct lane, link);
    contact_rule(LIST_ENTRY(lane->contacts.next, struct contact, waiting), &rule);
    if (slice_eq(rule.hop, slice_make(hop->name, hop->name_len))) {
        hop->rate = rule.subscribe_rate_max;
    }
}

/* Hops that nobody waits for and that owe nothing are forgotten: a reload may have brought other
 * names. */
void pace_review(struct presence *p)
{
    struct map kept = {0};
    struct hop *hop;
    size_t cursor = 0;

    while ((hop = map_next(&p->hops, &cursor)) != NULL) {
        wheel_disarm(p->wheel, &hop->timer);
        if (is_idle(hop)) {
            pool_heap_free(hop);
        } else {
            learn_rate(hop);
            wheel_arm(p->wheel, &hop->timer, p->ops->now_ms(p->ctx), due, hop);
            map_add(&kept, slice_make(hop->name, hop->name_len), hop);
        }
    }
    map_deinit(&p->hops);
    p->hops = kept;
}

void pace_deinit(struct presence *p)
{
    struct hop *hop;
    size_t cursor = 0;

    while ((hop = map_next(&p->hops, &cursor)) != NULL) {
        ASSERT(list_is_empty(&hop->lanes));
        wheel_disarm(p->wheel, &hop->timer);
        pool_heap_free(hop);
    }
    map_deinit(&p->hops);
}
