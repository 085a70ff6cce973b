/* SPDX-License-Identifier: GPL-2.0-or-later */
/* route: verdict and way of each stanza. */
#include "edge/route.h"

#include "base/attr.h"
#include "base/check.h"
#include "base/pool.h"
#include "edge/body_log.h"
#include "edge/bounce.h"
#include "edge/judge.h"
#include "edge/leg_component.h"
#include "edge/link.h"
#include "edge/partner_run.h"
#include "edge/presence_side.h"
#include "edge/refuse.h"
#include "edge/sip_side.h"
#include "edge/trim.h"
#include "translate/message.h"
#include "xml/writer.h"

#define SERVER_NS SLICE_LIT("jabber:server")
#define COMPONENT_NS_SLICE SLICE_LIT(COMPONENT_NS)

/* A stanza's pair in A-labels. */
struct pair {
    struct jid_ascii local;
    struct jid_ascii remote;
};

static struct judge_pair names_of(const struct pair *pair)
{
    return (struct judge_pair){jid_ascii_slice(&pair->local), jid_ascii_slice(&pair->remote)};
}

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

/* To the buffer, without what the verdict takes out. */
static void write_stanza(struct edge *e, const struct stanza *st, struct xml_write_params *params,
                         const struct judgement *judgement)
{
    buf_clear(&e->scratch);
    if (judgement->without_text) {
        e->stats.errors_emptied++;
        trim_write_error(&e->scratch, st, params->from, params->to);
        return;
    }
    if (judgement->without_last_note) {
        e->stats.notes_removed++;
        trim_write_last_activity(&e->scratch, st, params->from, params->to);
        return;
    }
    if (judgement->decision.without_note) {
        e->stats.notes_removed += trim_has_note(st);
        params->without = SLICE_LIT("status");
    }
    xml_write_tree(&e->scratch, st->tree, 0, params);
}

/* Serialises the stanza for the other side and makes it a block; NULL without memory. */
static struct block *make_block(struct edge *e, const struct stanza *st, const struct pair *pair,
                                enum block_direction direction, const struct judgement *judgement)
{
    bool to_partner = direction == BLOCK_TO_PARTNER;
    char from_mem[JID_BYTES_MAX] UNINITIALIZED;
    char to_mem[JID_BYTES_MAX] UNINITIALIZED;
    struct xml_write_params params = {
        .ns_default = to_partner ? SERVER_NS : COMPONENT_NS_SLICE,
        .ns_from = to_partner ? COMPONENT_NS_SLICE : SERVER_NS,
        .ns_to = to_partner ? SERVER_NS : COMPONENT_NS_SLICE,
        .from = jid_text(&st->from, from_mem),
        .to = jid_text(&st->to, to_mem),
        .lang = st->lang,
    };

    write_stanza(e, st, &params, judgement);
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

static void answer_no_memory(struct edge *e, const struct stanza *st, const struct pair *pair,
                             bool to_partner)
{
    e->stats.bounced_memory++;
    bounce_stanza(e, st,
                  &(struct bounce_reply){
                      .to_partner = to_partner,
                      .local = jid_ascii_slice(&pair->local),
                      .remote = jid_ascii_slice(&pair->remote),
                      .error = {.condition = STANZA_CONDITION_RESOURCE_CONSTRAINT,
                                .text = SLICE_LIT("the gateway is out of memory")},
                  });
}

void route_block_home(struct edge *e, struct block *b, uint32_t home)
{
    if (home != e->idx) {
        b->mail.kind = MAIL_BLOCK;
        edge_post(e, home, &b->mail);
    } else if (b->direction == BLOCK_TO_PARTNER) {
        link_deliver(e, b);
    } else {
        component_deliver(e, b);
    }
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
    route_block_home(e, b, home);
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

bool route_answer_other(struct edge *e, const struct stanza *st, struct slice local,
                        struct slice remote)
{
    struct block *b;

    buf_clear(&e->scratch);
    if (message_answer_other(&e->scratch, st) == MESSAGE_OTHER_CONSUMED) {
        return false;
    }
    b = e->scratch.failed ? NULL
                          : block_new(&(struct block_params){
                                .direction = BLOCK_TO_PARTNER,
                                .kind = (uint8_t)st->kind,
                                .local = local,
                                .remote = remote,
                                .bytes = buf_slice(&e->scratch),
                                .now_ms = shard_now_ms(e->sh),
                            });
    if (!b) {
        e->stats.dropped_memory++;
        return true;
    }
    route_block(e, b);
    return true;
}

static void other_to_sip(struct edge *e, const struct stanza *st, const struct pair *pair)
{
    struct slice remote = jid_ascii_slice(&pair->remote);

    if (!route_answer_other(e, st, jid_ascii_slice(&pair->local), remote)) {
        e->stats.consumed++;
        return;
    }
    e->stats.bounced_translate++;
    partner_run_bounced(e, remote, BOUNCE_TRANSLATE);
}

/* Whoever does not take the answers is read no further: they are stanzas like others. */
static bool is_answer_gate_closed(struct edge *e, const struct policy_decision *d,
                                  const struct pair *pair, struct route_gate *gate)
{
    struct judge_pair names = names_of(pair);
    char mem[LINK_GATE_BYTES];

    return d->partner && is_gate_closed(e, gate, link_gate(names.local, names.remote, mem),
                                        edge_home_of_partner(e, d->partner));
}

/* Of the domains themselves nobody keeps presence. */
static bool is_for_presence(const struct stanza *st)
{
    return st->kind == STANZA_PRESENCE && st->from.local.len != 0 && st->to.local.len != 0;
}

/* Read no further while answers or the contact's home have no room. */
static bool presence_to_sip(struct edge *e, const struct stanza *st, const struct pair *pair,
                            const struct judgement *judgement, struct route_gate *gate)
{
    struct judge_pair names = names_of(pair);
    char mem[LINK_GATE_BYTES];

    presence_side_from_partner(e, st, &names, judgement->without_text);
    return is_gate_closed(e, gate, link_gate(names.local, names.remote, mem),
                          edge_home_of_domain(e, names.remote));
}

static bool to_sip(struct edge *e, const struct stanza *st, const struct pair *pair,
                   const struct judgement *judgement, struct route_gate *gate)
{
    const struct policy_decision *d = &judgement->decision;
    struct sip_origin origin;

    if (is_for_presence(st)) {
        return presence_to_sip(e, st, pair, judgement, gate);
    }
    if (st->kind == STANZA_MESSAGE && st->type == STANZA_TYPE_ERROR &&
        sip_stanza_id_parse(st->id, &origin)) {
        sip_error_send(e, origin, st);
    } else if (st->kind == STANZA_MESSAGE) {
        return sip_side_send(e->sip, st,
                             &(struct sip_side_target){
                                 .hop = d->domain->next_hop,
                                 .local = jid_ascii_slice(&pair->local),
                                 .remote = jid_ascii_slice(&pair->remote),
                             },
                             gate);
    } else if (!answer_ping(e, st, pair)) {
        other_to_sip(e, st, pair);
    }
    return is_answer_gate_closed(e, d, pair, gate);
}

bool route_from_partner(struct edge *e, const struct stanza *st, struct route_gate *gate)
{
    struct judgement judgement;
    struct judge_pair names;
    struct pair pair;
    struct block *b;
    uint32_t home;
    uint64_t number;
    char mem[COMPONENT_GATE_BYTES];

    if (jid_domain_to_ascii(st->to.domain, &pair.local) != 0 ||
        jid_domain_to_ascii(st->from.domain, &pair.remote) != 0) {
        e->stats.dropped_memory += !CHECK(false);
        return false;
    }
    names = names_of(&pair);
    if (st->kind == STANZA_IQ && ping_id_parse(st->id, &number) &&
        (st->type == STANZA_TYPE_RESULT || st->type == STANZA_TYPE_ERROR)) {
        link_confirm_send(e, names.local, names.remote, number);
        return false;
    }
    judge_stanza(e, st, POLICY_TO_LOCAL, &names, &judgement);
    if (!judgement.decision.allowed) {
        refuse_partner(e, st, &names, &judgement.decision);
        return is_answer_gate_closed(e, &judgement.decision, &pair, gate);
    }
    body_log_stanza(e, PARTNER_IN, st);
    if (judgement.decision.domain->next_hop->kind == NEXT_HOP_SIP) {
        return to_sip(e, st, &pair, &judgement, gate);
    }
    b = make_block(e, st, &pair, BLOCK_TO_COMPONENT, &judgement);
    if (!b) {
        answer_no_memory(e, st, &pair, true);
        return false;
    }
    home = edge_home_of_domain(e, names.local);
    route_block_home(e, b, home);
    return is_gate_closed(e, gate, component_gate(names.local, mem), home);
}

bool route_from_component(struct edge *e, struct slice domain, const struct stanza *st,
                          struct route_gate *gate)
{
    struct judgement judgement;
    struct judge_pair names;
    struct pair pair;
    struct block *b;
    uint32_t home;
    char mem[LINK_GATE_BYTES];

    if (jid_domain_to_ascii(domain, &pair.local) != 0) {
        return false;
    }
    if (jid_domain_to_ascii(st->to.domain, &pair.remote) != 0) {
        pair.remote.len = 0; /* an IP literal or the like: no partner */
    }
    names = names_of(&pair);
    judge_stanza(e, st, POLICY_TO_PARTNER, &names, &judgement);
    if (!judgement.decision.allowed) {
        refuse_component(e, st, &names, &judgement.decision);
        return false;
    }
    body_log_stanza(e, PARTNER_OUT, st);
    b = make_block(e, st, &pair, BLOCK_TO_PARTNER, &judgement);
    if (!b) {
        answer_no_memory(e, st, &pair, false);
        return false;
    }
    home = edge_home_of_partner(e, judgement.decision.partner);
    route_block_home(e, b, home);
    return is_gate_closed(e, gate, link_gate(names.local, names.remote, mem), home);
}
