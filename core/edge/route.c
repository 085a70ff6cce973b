/* SPDX-License-Identifier: GPL-2.0-or-later */
/* route: verdict and way of each stanza. */
#include "edge/route.h"

#include "base/check.h"
#include "base/pool.h"
#include "edge/bounce.h"
#include "edge/leg_component.h"
#include "edge/link.h"
#include "edge/partner_run.h"
#include "edge/sip_side.h"
#include "translate/message.h"
#include "xml/writer.h"

#define SERVER_NS SLICE_LIT("jabber:server")
#define COMPONENT_NS_SLICE SLICE_LIT(COMPONENT_NS)

/* A stanza's pair in A-labels. */
struct pair {
    struct jid_ascii local;
    struct jid_ascii remote;
};

/* The normalised address as one text; mem holds JID_BYTES_MAX. */
static struct slice jid_text(const struct jid *j, char *mem)
{
    char *at = mem;

    if (j->local.len != 0) {
        at = mempcpy(at, j->local.ptr, j->local.len);
        *at++ = '@';
    }
    at = mempcpy(at, j->domain.ptr, j->domain.len);
    if (j->resource.len != 0) {
        *at++ = '/';
        at = mempcpy(at, j->resource.ptr, j->resource.len);
    }
    return slice_make(mem, (size_t)(at - mem));
}

/* Serialises the stanza for the other side and makes it a block; NULL without memory. */
static struct block *make_block(struct edge *e, const struct stanza *st, const struct pair *pair,
                                enum block_direction direction)
{
    bool to_partner = direction == BLOCK_TO_PARTNER;
    char from_mem[JID_BYTES_MAX];
    char to_mem[JID_BYTES_MAX];
    struct xml_write_params params = {
        .ns_default = to_partner ? SERVER_NS : COMPONENT_NS_SLICE,
        .ns_from = to_partner ? COMPONENT_NS_SLICE : SERVER_NS,
        .ns_to = to_partner ? SERVER_NS : COMPONENT_NS_SLICE,
        .from = jid_text(&st->from, from_mem),
        .to = jid_text(&st->to, to_mem),
        .lang = st->lang,
    };

    buf_clear(&e->scratch);
    xml_write_tree(&e->scratch, st->tree, 0, &params);
    if (e->scratch.failed) {
        return NULL;
    }
    return block_new(&(struct block_params){
        .direction = direction,
        .kind = (uint8_t)st->kind,
        .may_bounce = stanza_may_bounce(st),
        .local = jid_ascii_slice(&pair->local),
        .remote = jid_ascii_slice(&pair->remote),
        .bytes = buf_slice(&e->scratch),
        .now_ms = shard_now_ms(e->sh),
    });
}

static void answer(struct edge *e, const struct stanza *st, const struct pair *pair,
                   bool to_partner, struct stanza_error error)
{
    bounce_stanza(e, st,
                  &(struct bounce_reply){.to_partner = to_partner,
                                         .local = jid_ascii_slice(&pair->local),
                                         .remote = jid_ascii_slice(&pair->remote),
                                         .error = error});
}

static void answer_no_memory(struct edge *e, const struct stanza *st, const struct pair *pair,
                             bool to_partner)
{
    e->stats.bounced_memory++;
    answer(e, st, pair, to_partner,
           (struct stanza_error){.condition = STANZA_CONDITION_RESOURCE_CONSTRAINT,
                                 .text = SLICE_LIT("the gateway is out of memory")});
}

void route_block(struct edge *e, struct block *b)
{
    uint32_t home;

    if (b->direction == BLOCK_TO_PARTNER) {
        const struct partner *p = snapshot_partner(edge_policy(e), block_remote(b));

        if (!p) {
            bounce_block(e, b, BOUNCE_POLICY, NULL);
            return;
        }
        home = edge_home_of_partner(e, p);
    } else {
        home = edge_home_of_domain(e, block_local(b));
    }
    if (home != e->idx) {
        b->mail.kind = MAIL_BLOCK;
        edge_post(e, home, &b->mail);
    } else if (b->direction == BLOCK_TO_PARTNER) {
        link_deliver(e, b);
    } else {
        component_deliver(e, b);
    }
}

/* Whether the reader should wait: at the target's gate, or at the mailbox towards its shard. */
static bool is_gate_closed(struct edge *e, struct route_gate *gate, struct slice target,
                           uint32_t home)
{
    char mem[16];
    struct slice mailbox = edge_post_gate(home, mem);

    if (flow_is_closed(&e->flow, target)) {
        gate->key = slice_make(gate->mem, target.len);
        memcpy(gate->mem, target.ptr, target.len);
        return true;
    }
    if (home != e->idx && flow_is_closed(&e->flow, mailbox)) {
        gate->key = slice_make(gate->mem, mailbox.len);
        memcpy(gate->mem, mailbox.ptr, mailbox.len);
        return true;
    }
    return false;
}

/* A domain whose inside is SIP has no XMPP server but us: the ping of RFC 6120 peers is ours. */
static bool answer_ping(struct edge *e, const struct stanza *st, const struct pair *pair)
{
    struct block *b;
    char from_mem[JID_BYTES_MAX];
    char to_mem[JID_BYTES_MAX];

    if (st->kind != STANZA_IQ || st->type != STANZA_TYPE_GET || !jid_is_domain(&st->to) ||
        st->payload == XML_NO_NODE ||
        !xml_is(st->tree, st->payload, SLICE_LIT("ping"), SLICE_LIT("urn:xmpp:ping"))) {
        return false;
    }
    buf_clear(&e->scratch);
    buf_put_lit(&e->scratch, "<iq type=\"result\"");
    xml_write_attr(&e->scratch, "from", jid_text(&st->to, from_mem));
    xml_write_attr(&e->scratch, "to", jid_text(&st->from, to_mem));
    xml_write_attr(&e->scratch, "id", st->id);
    buf_put_lit(&e->scratch, "/>");
    b = e->scratch.failed ? NULL
                          : block_new(&(struct block_params){
                                .direction = BLOCK_TO_PARTNER,
                                .kind = STANZA_IQ,
                                .local = jid_ascii_slice(&pair->local),
                                .remote = jid_ascii_slice(&pair->remote),
                                .bytes = buf_slice(&e->scratch),
                                .now_ms = shard_now_ms(e->sh),
                            });
    if (b) {
        route_block(e, b);
    }
    return true;
}

static void other_to_sip(struct edge *e, const struct stanza *st, const struct pair *pair)
{
    struct block *b;

    buf_clear(&e->scratch);
    if (message_answer_other(&e->scratch, st) == MESSAGE_OTHER_CONSUMED) {
        e->stats.consumed++;
        return;
    }
    e->stats.bounced_translate++;
    partner_run_bounced(e, jid_ascii_slice(&pair->remote), BOUNCE_TRANSLATE);
    b = e->scratch.failed ? NULL
                          : block_new(&(struct block_params){
                                .direction = BLOCK_TO_PARTNER,
                                .kind = (uint8_t)st->kind,
                                .local = jid_ascii_slice(&pair->local),
                                .remote = jid_ascii_slice(&pair->remote),
                                .bytes = buf_slice(&e->scratch),
                                .now_ms = shard_now_ms(e->sh),
                            });
    if (!b) {
        e->stats.dropped_memory++;
        return;
    }
    route_block(e, b);
}

static bool to_sip(struct edge *e, const struct stanza *st, const struct pair *pair,
                   const struct local_domain *domain, struct route_gate *gate)
{
    struct sip_origin origin;

    if (st->kind == STANZA_MESSAGE && st->type == STANZA_TYPE_ERROR &&
        sip_stanza_id_parse(st->id, &origin)) {
        sip_error_send(e, origin, st);
    } else if (st->kind == STANZA_MESSAGE) {
        return sip_side_send(e->sip, st,
                             &(struct sip_side_target){
                                 .hop = domain->next_hop,
                                 .local = jid_ascii_slice(&pair->local),
                                 .remote = jid_ascii_slice(&pair->remote),
                             },
                             gate);
    } else if (!answer_ping(e, st, pair)) {
        other_to_sip(e, st, pair);
    }
    return false;
}

bool route_from_partner(struct edge *e, const struct stanza *st, struct route_gate *gate)
{
    const struct local_domain *domain = snapshot_domain(edge_policy(e), st->to.domain);
    struct pair pair;
    struct block *b;
    uint64_t number;
    char mem[COMPONENT_GATE_BYTES];

    if (jid_domain_to_ascii(st->to.domain, &pair.local) != 0 ||
        jid_domain_to_ascii(st->from.domain, &pair.remote) != 0) {
        e->stats.dropped_memory += !CHECK(false);
        return false;
    }
    if (!domain) {
        e->stats.bounced_policy++;
        partner_run_bounced(e, jid_ascii_slice(&pair.remote), BOUNCE_POLICY);
        answer(e, st, &pair, true,
               (struct stanza_error){.condition = STANZA_CONDITION_ITEM_NOT_FOUND});
        return false;
    }
    if (st->kind == STANZA_IQ && ping_id_parse(st->id, &number) &&
        (st->type == STANZA_TYPE_RESULT || st->type == STANZA_TYPE_ERROR)) {
        link_confirm_send(e, jid_ascii_slice(&pair.local), jid_ascii_slice(&pair.remote), number);
        return false;
    }
    if (domain->next_hop->kind == NEXT_HOP_SIP) {
        return to_sip(e, st, &pair, domain, gate);
    }
    b = make_block(e, st, &pair, BLOCK_TO_COMPONENT);
    if (!b) {
        answer_no_memory(e, st, &pair, true);
        return false;
    }
    route_block(e, b);
    return is_gate_closed(e, gate, component_gate(jid_ascii_slice(&pair.local), mem),
                          edge_home_of_domain(e, jid_ascii_slice(&pair.local)));
}

bool route_from_component(struct edge *e, struct slice domain, const struct stanza *st,
                          struct route_gate *gate)
{
    struct policy_verdict verdict = policy_pair(edge_policy(e), domain, st->to.domain);
    struct pair pair;
    struct block *b;
    char mem[LINK_GATE_BYTES];

    if (jid_domain_to_ascii(domain, &pair.local) != 0) {
        return false;
    }
    if (jid_domain_to_ascii(st->to.domain, &pair.remote) != 0) {
        pair.remote.len = 0; /* an IP literal or the like: no partner */
        verdict.allowed = false;
    }
    if (!verdict.allowed) {
        e->stats.bounced_policy++;
        LOG_I(stanza_refused, "from=%s to=%s rule=%s", log_quote(st->from.domain).text,
              log_quote(st->to.domain).text, policy_reason_name(verdict.reason));
        answer(e, st, &pair, false,
               (struct stanza_error){.condition = STANZA_CONDITION_REMOTE_SERVER_NOT_FOUND,
                                     .text = SLICE_LIT("not a federated domain")});
        return false;
    }
    b = make_block(e, st, &pair, BLOCK_TO_PARTNER);
    if (!b) {
        answer_no_memory(e, st, &pair, false);
        return false;
    }
    route_block(e, b);
    return is_gate_closed(
        e, gate, link_gate(jid_ascii_slice(&pair.local), jid_ascii_slice(&pair.remote), mem),
        edge_home_of_partner(e, verdict.partner));
}
