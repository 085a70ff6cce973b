/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence_side: life, and what presence asks of the configuration. */
#include "edge/presence_side.h"

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "edge/judge.h"
#include "edge/presence_side_int.h"
#include "edge/reach.h"
#include "edge/sip_side.h"
#include "xml/parser.h"

/* RFC 3856 6.4: what a presence server grants anyway. */
#define SIMPLE_EXPIRES_S 3600u
#define REVIEW_PAUSE_MS 1u

static uint64_t now_ms(void *ctx)
{
    return shard_now_ms(((struct presence_side *)ctx)->e->sh);
}

static int64_t now_unix_s(void *ctx)
{
    return shard_now_unix_s(((struct presence_side *)ctx)->e->sh);
}

/* To users of unverified partners the way is open by what reach.h knows, and by what is durable
 * here: ours watches the other, or an administrator let him in. */
static bool is_opened(const struct presence_side *ps, const struct presence_pair *pair)
{
    enum contact_state state;
    enum contact_asker asker;

    if (presence_look(ps->core, pair, CONTACT_OUT, &state, &asker) &&
        (state == CONTACT_ASKED || state == CONTACT_GRANTED)) {
        return true;
    }
    return presence_look(ps->core, pair, CONTACT_IN, &state, &asker) &&
           state == CONTACT_GRANTED && asker == CONTACT_BY_ADMIN;
}

/* The same for the shards where the other's stanzas arrive. It may be news to them: the partner was
 * of another type when it came about. */
static void note_reach(const struct presence_side *ps, const struct presence_pair *pair,
                       enum contact_direction direction)
{
    const struct reach_pair key = {pair->local_user, pair->local_domain, pair->remote_user,
                                   pair->remote_domain};
    enum contact_state state;
    enum contact_asker asker;

    if (!presence_look(ps->core, pair, direction, &state, &asker)) {
        return;
    }
    if (direction == CONTACT_OUT && (state == CONTACT_ASKED || state == CONTACT_GRANTED)) {
        reach_note(ps->e, REACH_ADDED, &key);
    } else if (direction == CONTACT_IN && state == CONTACT_GRANTED && asker == CONTACT_BY_ADMIN) {
        reach_note(ps->e, REACH_CONSENTED, &key);
    }
}

static void rule(void *ctx, const struct presence_pair *pair, enum contact_direction direction,
                 struct presence_rule *out)
{
    struct edge *e = ((struct presence_side *)ctx)->e;
    uint32_t longest_s = edge_policy(e)->gateway.subscription_refresh_interval_s;
    struct policy_decision d;
    const struct next_hop *hop;

    *out = (struct presence_rule){.expires_s = SIMPLE_EXPIRES_S};
    judge_watch(e, pair, direction == CONTACT_IN ? POLICY_TO_LOCAL : POLICY_TO_PARTNER, &d);
    if (d.reason == POLICY_NOT_REACHABLE && is_opened(ctx, pair)) {
        judge_watch_reachable(e, pair, &d);
    }
    if (d.partner && d.partner->type == PARTNER_TYPE_PUBLIC_UNVERIFIED) {
        note_reach(ctx, pair, direction);
    }
    hop = d.domain ? d.domain->next_hop : NULL;
    if (!hop || hop->kind != NEXT_HOP_SIP) {
        return;
    }
    /* Maintenance ends and changes no authorisation: meanwhile nothing comes or goes anyway. */
    out->is_allowed = d.allowed || d.reason == POLICY_MAINTENANCE;
    out->with_notes = d.partner && d.partner->type == PARTNER_TYPE_FEDERATED;
    out->is_lync = hop->profile == NEXT_HOP_PROFILE_LYNC;
    out->hop = hop->name;
    out->expires_s = out->is_lync || longest_s < SIMPLE_EXPIRES_S ? longest_s : SIMPLE_EXPIRES_S;
    out->subscribe_rate_max = hop->subscribe_rate_max;
    out->hop_way = sip_side_hop_way(e->sip, hop);
    out->undecided_user_max = edge_policy(e)->limits.undecided_per_user_max;
    out->undecided_domain_max = edge_policy(e)->limits.undecided_per_domain_max;
}

/* Where the inside of a domain is; NULL: it is not SIP, or it is ours no more. */
static const struct next_hop *hop_of(const struct edge *e, const struct presence_pair *pair)
{
    const struct local_domain *domain = snapshot_domain(edge_policy(e), pair->local_domain);

    return domain && domain->next_hop->kind == NEXT_HOP_SIP ? domain->next_hop : NULL;
}

static int request(void *ctx, const struct presence_request *r)
{
    struct edge *e = ((struct presence_side *)ctx)->e;
    const struct next_hop *hop = hop_of(e, r->pair);

    if (!hop) {
        return ERR_NOT_FOUND;
    }
    /* Else they gather, to leave all at once. NOTIFYs have a pace of their own: each contact's. */
    if (r->params->method == SIP_METHOD_SUBSCRIBE &&
        sip_side_hop_way(e->sip, hop) == PRESENCE_HOP_AWAY) {
        return ERR_CLOSED;
    }
    return sip_side_request(e->sip, hop, r);
}

static void need_hop(void *ctx, const struct presence_pair *pair)
{
    struct edge *e = ((struct presence_side *)ctx)->e;
    const struct next_hop *hop = hop_of(e, pair);

    if (hop) {
        sip_side_need(e->sip, hop);
    }
}

static void own_contact(void *ctx, const struct presence_pair *pair, struct buf *out)
{
    struct edge *e = ((struct presence_side *)ctx)->e;
    const struct next_hop *hop = hop_of(e, pair);

    sip_side_put_contact(e->sip, hop && hop->is_tls, out);
}

static const struct presence_ops ops = {
    .now_ms = now_ms,
    .now_unix_s = now_unix_s,
    .rule = rule,
    .stanza = presence_side_stanza,
    .request = request,
    .need_hop = need_hop,
    .answer = presence_side_answer,
    .own_contact = own_contact,
    .store = presence_side_store,
    .admin_done = presence_side_admin_done,
};

int presence_side_new(struct presence_side **out, struct edge *e)
{
    struct presence_side *ps = pool_heap_zalloc(sizeof(*ps));
    struct xml_limits limits = xml_limits_authenticated;
    struct presence_params params = {
        .ops = &ops,
        .ctx = ps,
        .wheel = shard_wheel(e->sh),
        .ids = sip_side_ids(e->sip),
        .paces = e->shared->paces,
    };
    int err;

    ps->e = e;
    list_init(&ps->orders);
    *out = ps; /* whatever comes of it: presence_side_free */
    edge_setup(e)->crypto->random(&params.seed, sizeof(params.seed));
    /* Our own serialisation of what was taken within the configured limit: it may have grown. */
    limits.stanza_bytes_max = XML_STANZA_BYTES_CEILING;
    err = xml_parser_new(&ps->parser, &limits);
    if (err == 0) {
        err = presence_new(&ps->core, &params);
    }
    return err ? err : presence_side_load(ps);
}

void presence_side_free(struct presence_side *ps)
{
    if (ps) {
        shard_timer_disarm(ps->e->sh, &ps->review_timer);
        presence_free(ps->core);
        presence_side_orders_free(ps);
        xml_parser_free(ps->parser);
        pool_heap_free(ps);
    }
}

struct presence *presence_side_core(struct presence_side *ps)
{
    return ps->core;
}

void presence_side_mail(struct edge *e, const struct mail *m)
{
    struct presence_side *ps = e->presence;

    switch ((unsigned)m->kind) {
    case MAIL_PRESENCE_STANZA:
        presence_side_take_stanza(ps, (const void *)m);
        break;
    case MAIL_PRESENCE_UNDELIVERED:
        presence_side_take_undelivered(ps, (const void *)m);
        break;
    case MAIL_PRESENCE_SEEN:
        presence_side_take_seen(ps, (const void *)m);
        break;
    case MAIL_SIP_REQUEST:
        presence_side_take_request(ps, (const void *)m);
        break;
    case MAIL_SIP_ANSWER:
        presence_side_take_answer(ps, (const void *)m);
        break;
    case MAIL_STORED:
        presence_side_take_stored(ps, (const void *)m);
        break;
    case MAIL_CONTACTS:
        presence_side_take_contacts(ps, (const void *)m);
        break;
    case MAIL_CONTACT_ORDER:
        presence_side_take_order(ps, (const void *)m);
        break;
    default:
        UNREACHABLE("no mail about presence");
    }
}

/* --- reload, stop --- */

static void on_review(struct wheel_timer *t, void *ctx)
{
    struct presence_side *ps = ctx;
    bool is_new = ps->is_review_new;

    ps->is_review_new = false;
    if (presence_review(ps->core, is_new)) {
        shard_timer_arm(ps->e->sh, t, REVIEW_PAUSE_MS, on_review, ps);
    }
}

void presence_side_review(struct edge *e)
{
    struct presence_side *ps = e->presence;

    ps->is_review_new = true;
    shard_timer_arm(e->sh, &ps->review_timer, 0, on_review, ps);
}

bool presence_side_flush(struct edge *e)
{
    return presence_flush(e->presence->core);
}
