/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pace: whose SUBSCRIBE goes next to a next hop; when, the row of turns of all shards says
 * (paces.h). Who finds that it is not yet time waits in a lane of its remote domain, and lanes take
 * turns, so that a partner whose whole staff logs in does not hold up another one's single user.
 * Within a lane goes first who must go soonest. A lane exists while somebody waits in it.
 *
 * Nobody goes while the hop's connection is on its way: what is let go would gather behind it and
 * leave at once. When it was tried in vain all go, without a turn: nothing leaves. */
#include "base/check.h"
#include "base/pool.h"
#include "presence/paces.h"
#include "presence/table.h"

#define TURNS_MAX 64u /* at a time; the rest a tick later */
#define NEED_MS   1000u

struct lane {
    struct list link;               /* in hop.lanes while somebody waits */
    struct heap contacts;           /* struct contact.waiting */
    struct lane *next_of_domain;    /* owned by the domain */
    struct hop *hop;                /* borrowed */
    struct presence_domain *remote; /* borrowed; NULL: hop.common */
};

struct hop {
    struct presence *p; /* borrowed */
    struct list lanes;
    struct lane common; /* of those for whose own lane there was no memory */
    struct wheel_timer timer;
    struct pace_row *row; /* borrowed from presence.paces */
    struct pace_turn turn; /* has_turn: ours, and not used yet */
    bool has_turn;
    uint8_t way;   /* enum presence_hop_way, as the last rule said */
    uint32_t rate; /* likewise; 0 = no bound */
    size_t name_len;
    char name[];
};

static uint64_t now_ms(const struct hop *hop)
{
    return hop->p->ops->now_ms(hop->p->ctx);
}

/* --- turns ------------------------------------------------------------------------------------ */

static void give_back(struct hop *hop)
{
    if (hop->has_turn) {
        pace_row_give_back(hop->row, &hop->turn);
        hop->has_turn = false;
    }
}

static bool has_turn_now(struct hop *hop)
{
    uint64_t now = now_ms(hop);

    if (hop->has_turn && pace_turn_is_late(&hop->turn, now)) {
        give_back(hop);
    }
    if (!hop->has_turn) {
        hop->turn = pace_row_take(hop->row, hop->rate, now);
        hop->has_turn = true;
    }
    return hop->turn.at_ms <= now;
}

/* Whether somebody goes now; a turn that he needs is used. */
static bool go(struct hop *hop)
{
    switch ((enum presence_hop_way)hop->way) {
    case PRESENCE_HOP_AWAY:
        return true;
    case PRESENCE_HOP_COMING:
        return false;
    case PRESENCE_HOP_UP:
        break;
    }
    if (hop->rate == 0) {
        return true;
    }
    if (!has_turn_now(hop)) {
        return false;
    }
    hop->has_turn = false;
    return true;
}

static void due(struct wheel_timer *timer, void *ctx);

static uint64_t next_ms(const struct hop *hop)
{
    uint64_t now = now_ms(hop);

    if (hop->way == PRESENCE_HOP_COMING) {
        return now + NEED_MS;
    }
    return hop->way == PRESENCE_HOP_UP && hop->has_turn && hop->turn.at_ms > now ? hop->turn.at_ms
                                                                                 : now;
}

static void arm(struct hop *hop)
{
    if (list_is_empty(&hop->lanes)) {
        give_back(hop); /* others may use it */
    } else if (!wheel_timer_is_armed(&hop->timer)) {
        wheel_arm(hop->p->wheel, &hop->timer, next_ms(hop), due, hop);
    }
}

/* --- hops and lanes --------------------------------------------------------------------------- */

static struct hop *hop_new(struct presence *p, struct slice name)
{
    /* As many as the configuration has: of the control plane's memory. */
    struct hop *hop = pool_heap_zalloc(sizeof(*hop) + name.len + 1);

    hop->p = p;
    hop->row = pace_row_of(p->paces, name);
    hop->name_len = name.len;
    if (name.len > 0) {
        memcpy(hop->name, name.ptr, name.len);
    }
    list_init(&hop->lanes);
    hop->common.hop = hop;
    map_add(&p->hops, slice_make(hop->name, hop->name_len), hop);
    return hop;
}

static struct hop *hop_get(struct presence *p, const struct presence_rule *rule)
{
    struct hop *hop = map_get(&p->hops, rule->hop);

    if (!hop) {
        hop = hop_new(p, rule->hop);
    }
    if (hop->rate != rule->subscribe_rate_max) {
        give_back(hop); /* it is as long as the old rate says */
        hop->rate = rule->subscribe_rate_max;
    }
    hop->way = (uint8_t)rule->hop_way;
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
        lane->hop = hop;
        lane->remote = remote;
        lane->next_of_domain = remote->lanes;
        remote->lanes = lane;
    }
    return lane;
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

static void enqueue(struct hop *hop, struct contact *c, uint64_t key)
{
    struct lane *lane = lane_get(hop, c->remote);

    if (heap_is_empty(&lane->contacts)) {
        list_push_back(&hop->lanes, &lane->link);
    }
    heap_push(&lane->contacts, &c->waiting, key);
    c->lane = lane;
    c->p->stats.waiting++;
}

static void dequeue(struct contact *c)
{
    struct lane *lane = c->lane;

    heap_remove(&lane->contacts, &c->waiting);
    c->lane = NULL;
    c->p->stats.waiting--;
    if (heap_is_empty(&lane->contacts)) {
        lane_drop(lane);
    }
}

/* --- contacts --------------------------------------------------------------------------------- */

static void need(const struct contact *c)
{
    struct presence_pair pair = contact_pair(c);

    c->p->ops->need_hop(c->p->ctx, &pair);
}

bool contact_pace(struct contact *c, uint32_t due_s)
{
    struct presence_rule rule;
    struct hop *hop;

    ASSERT(c->direction == CONTACT_IN);
    if (c->lane) {
        return false;
    }
    contact_rule(c, &rule);
    hop = hop_get(c->p, &rule);
    if ((list_is_empty(&hop->lanes) || hop->way == PRESENCE_HOP_AWAY) && go(hop)) {
        return true;
    }
    c->p->stats.subscribe_paced++;
    if (hop->way == PRESENCE_HOP_COMING) {
        need(c);
    }
    enqueue(hop, c, (uint64_t)due_s << 32 | c->p->wait_number++);
    arm(hop);
    return false;
}

void contact_pace_cancel(struct contact *c)
{
    struct hop *hop;

    if (c->lane) {
        hop = c->lane->hop;
        dequeue(c);
        arm(hop);
    }
}

static struct contact *first_of(struct hop *hop)
{
    struct lane *lane = LIST_ENTRY(hop->lanes.next, struct lane, link);

    return HEAP_ENTRY(lane->contacts.first, struct contact, waiting);
}

static void move(struct hop *to, struct contact *c)
{
    uint64_t key = c->waiting.key;

    dequeue(c);
    enqueue(to, c, key);
    arm(to);
}

/* The next one in turn, if he still belongs to this hop: a reload may have moved his domain. False:
 * nobody goes now. */
static bool next_turn(struct hop *hop)
{
    struct contact *c = first_of(hop);
    struct lane *lane = c->lane;
    struct presence_rule rule;
    struct hop *now;

    contact_rule(c, &rule);
    now = hop_get(hop->p, &rule);
    if (now == hop && !go(hop)) {
        if (hop->way == PRESENCE_HOP_COMING) {
            need(c);
        }
        return false;
    }
    list_remove(&lane->link);
    list_push_back(&hop->lanes, &lane->link);
    if (now != hop) {
        move(now, c);
        return true;
    }
    dequeue(c);
    subscriber_paced(c);
    contact_settle(c);
    return true;
}

static void due(struct wheel_timer *timer, void *ctx)
{
    struct hop *hop = ctx;

    (void)timer;
    for (uint32_t i = 0; i < TURNS_MAX && !list_is_empty(&hop->lanes); i++) {
        if (!next_turn(hop)) {
            break;
        }
    }
    arm(hop);
}

/* --- news ------------------------------------------------------------------------------------- */

/* At once whoever is next says what is true now. */
static void look_again(struct hop *hop)
{
    wheel_disarm(hop->p->wheel, &hop->timer);
    if (!list_is_empty(&hop->lanes)) {
        wheel_arm(hop->p->wheel, &hop->timer, now_ms(hop), due, hop);
    }
}

void pace_hop_seen(struct presence *p, struct slice name)
{
    struct hop *hop = map_get(&p->hops, name);

    if (hop) {
        look_again(hop);
    }
}

static void hop_free(struct hop *hop)
{
    wheel_disarm(hop->p->wheel, &hop->timer);
    give_back(hop);
    pool_heap_free(hop);
}

/* Hops that nobody waits for are forgotten: a reload may have brought other names. What they owe
 * stands in their rows. */
void pace_review(struct presence *p)
{
    struct map kept = {0};
    struct hop *hop;
    size_t cursor = 0;

    while ((hop = map_next(&p->hops, &cursor)) != NULL) {
        if (list_is_empty(&hop->lanes)) {
            hop_free(hop);
        } else {
            look_again(hop);
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
        hop_free(hop);
    }
    map_deinit(&p->hops);
    if (p->owns_paces) {
        presence_paces_free(p->paces);
    }
}
