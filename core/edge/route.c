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

/* Where A-labels of a stanza's pair are that are not its own bytes: seldom used, never cleared. */
struct label_mem {
    struct jid_ascii local;
    struct jid_ascii remote;
};

/* The normalised address as one text. Its parts mostly lie in what was received, as they belong
 * together; else it is put together in mem, which holds JID_BYTES_MAX. */
static struct slice jid_text(const struct jid *j, char *mem)
{
    struct slice first = j->local.len != 0 ? j->local : j->domain;
    const char *next = first.ptr + first.len;
    bool is_whole = true;
    char *at = mem;

    if (j->local.len != 0) {
        is_whole = j->domain.ptr == next + 1 && *next == '@';
        next = j->domain.ptr + j->domain.len;
    }
    if (j->resource.len != 0) {
        is_whole = is_whole && j->resource.ptr == next + 1 && *next == '/';
    }
    if (is_whole) {
        return slice_make(first.ptr, jid_len(j));
    }
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

void route_write(struct edge *e, const struct stanza *st, struct xml_write_params *params,
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

/* As it came but for the start tag, written where it stays; NULL = to be written elsewhere. */
static struct block *write_in_place(const struct stanza *st, const struct xml_write_params *params,
                                    const struct block_params *about)
{
    struct xml_write_plan plan UNINITIALIZED; /* filled by the next line */
    struct block *b;
    struct buf out;
    size_t bytes_max;

    xml_write_plan(&plan, st->tree, 0, params);
    bytes_max = xml_write_plan_bytes_max(&plan);
    b = bytes_max != 0 ? block_new_room(about, bytes_max) : NULL;
    if (!b) {
        return NULL;
    }
    out = (struct buf){
        .data = block_room(b), .cap = (uint32_t)bytes_max, .bytes_max = (uint32_t)bytes_max};
    xml_write_planned(&out, &plan);
    if (!CHECK(!out.failed)) {
        block_free(b);
        return NULL;
    }
    b->bytes_len = (uint32_t)buf_len(&out);
    return b;
}

/* Serialises the stanza for the other side and makes it a block; NULL without memory. */
static struct block *make_block(struct edge *e, const struct stanza *st,
                                const struct judge_pair *names, enum block_direction direction,
                                const struct judgement *judgement)
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
    struct block_params about = {
        .direction = direction,
        .kind = (uint8_t)st->kind,
        .may_bounce = stanza_may_bounce(st),
        .generation = edge_setup(e)->generation,
        .local = names->local,
        .remote = names->remote,
        .now_ms = shard_now_ms(e->sh),
    };
    bool is_trimmed = judgement->without_text || judgement->without_last_note ||
                      judgement->decision.without_note;
    struct block *b = is_trimmed ? NULL : write_in_place(st, &params, &about);

    if (b) {
        return b;
    }
    route_write(e, st, &params, judgement);
    about.bytes = buf_slice(&e->scratch);
    return e->scratch.failed ? NULL : block_new(&about);
}

static void answer_no_memory(struct edge *e, const struct stanza *st,
                             const struct judge_pair *names, bool to_partner)
{
    e->stats.bounced_memory++;
    bounce_stanza(e, st,
                  &(struct bounce_reply){
                      .to_partner = to_partner,
                      .local = names->local,
                      .remote = names->remote,
                      .error = {.condition = STANZA_CONDITION_RESOURCE_CONSTRAINT,
                                .text = SLICE_LIT("the gateway is out of memory")},
                  });
}

/* way: of the block's pair. */
static void send_home(struct edge *e, struct block *b, uint32_t home, struct way *way)
{
    if (home != e->idx) {
        b->mail.kind = MAIL_BLOCK;
        edge_post(e, home, &b->mail);
    } else if (b->direction == BLOCK_TO_PARTNER) {
        link_deliver(e, way, b);
    } else {
        component_deliver(e, way, b);
    }
}

void route_block_home(struct edge *e, struct block *b, uint32_t home)
{
    send_home(e, b, home, home == e->idx ? way_of(e, block_local(b), block_remote(b)) : NULL);
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

/* Names of gates are made only while some gate is closed. */
NOINLINE static bool ask_link_gate(struct edge *e, const struct judge_pair *names, uint32_t home,
                                   struct route_gate *gate)
{
    UNINITIALIZED char mem[LINK_GATE_BYTES];

    return is_gate_closed(e, gate, link_gate(names->local, names->remote, mem), home);
}

static bool is_link_gate_closed(struct edge *e, const struct judge_pair *names, uint32_t home,
                                struct route_gate *gate)
{
    return UNLIKELY(!flow_is_open(&e->flow)) && ask_link_gate(e, names, home, gate);
}

NOINLINE static bool ask_component_gate(struct edge *e, struct slice local, uint32_t home,
                                        struct route_gate *gate)
{
    UNINITIALIZED char mem[COMPONENT_GATE_BYTES];

    return is_gate_closed(e, gate, component_gate(local, mem), home);
}

static bool is_component_gate_closed(struct edge *e, struct slice local, uint32_t home,
                                     struct route_gate *gate)
{
    return UNLIKELY(!flow_is_open(&e->flow)) && ask_component_gate(e, local, home, gate);
}

/* A domain whose inside is SIP has no XMPP server but us: the ping of RFC 6120 peers is ours. */
NOINLINE static bool answer_ping(struct edge *e, const struct stanza *st,
                                 const struct judge_pair *names)
{
    struct block *b;
    UNINITIALIZED char from_mem[JID_BYTES_MAX];
    UNINITIALIZED char to_mem[JID_BYTES_MAX];

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
                                .generation = BLOCK_UNRULED,
                                .local = names->local,
                                .remote = names->remote,
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
                                .generation = BLOCK_UNRULED,
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

static void other_to_sip(struct edge *e, const struct stanza *st, const struct judge_pair *names)
{
    if (!route_answer_other(e, st, names->local, names->remote)) {
        e->stats.consumed++;
        return;
    }
    e->stats.bounced_translate++;
    partner_run_bounced(e, names->remote, BOUNCE_TRANSLATE);
}

NOINLINE static bool ask_answer_gate(struct edge *e, const struct judge_pair *names, uint32_t home,
                                     struct route_gate *gate)
{
    UNINITIALIZED char mem[LINK_GATE_BYTES];

    return is_gate_closed(e, gate, link_answer_gate(names->local, names->remote, mem), home);
}

/* Whoever does not take the answers, or cannot yet, is read no further: they are stanzas like
 * others. home: where his stanza went, too. */
static bool is_answer_room_gone(struct edge *e, const struct judge_pair *names, uint32_t home,
                                struct route_gate *gate)
{
    return UNLIKELY(!flow_is_open(&e->flow)) && ask_answer_gate(e, names, home, gate);
}

static bool is_answer_gate_closed(struct edge *e, const struct policy_decision *d,
                                  const struct judge_pair *names, struct route_gate *gate)
{
    return d->partner &&
           is_answer_room_gone(e, names, edge_home_of_partner(e, d->partner), gate);
}

/* Of the domains themselves nobody keeps presence. */
static bool is_for_presence(const struct stanza *st)
{
    return st->kind == STANZA_PRESENCE && st->from.local.len != 0 && st->to.local.len != 0;
}

/* Read no further while answers or the contact's home have no room. */
static bool presence_to_sip(struct edge *e, const struct stanza *st,
                            const struct judge_pair *names, const struct judgement *judgement,
                            struct route_gate *gate)
{
    presence_side_from_partner(e, st, names, judgement->without_text);
    return is_answer_room_gone(e, names, edge_home_of_domain(e, names->remote), gate);
}

static bool to_sip(struct edge *e, const struct stanza *st, const struct judge_pair *names,
                   const struct judgement *judgement, struct route_gate *gate)
{
    const struct policy_decision *d = &judgement->decision;
    struct sip_origin origin;

    if (is_for_presence(st)) {
        return presence_to_sip(e, st, names, judgement, gate);
    }
    if (st->kind == STANZA_MESSAGE && st->type == STANZA_TYPE_ERROR &&
        sip_stanza_id_parse(st->id, &origin)) {
        sip_error_send(e, origin, st);
    } else if (st->kind == STANZA_MESSAGE) {
        return sip_side_send(e->sip, st,
                             &(struct sip_side_target){
                                 .hop = d->domain->next_hop,
                                 .local = names->local,
                                 .remote = names->remote,
                             },
                             gate);
    } else if (!answer_ping(e, st, names)) {
        other_to_sip(e, st, names);
    }
    return is_answer_gate_closed(e, d, names, gate);
}

bool route_from_partner(struct edge *e, const struct stanza *st, struct route_gate *gate)
{
    struct judgement judgement UNINITIALIZED; /* judge_stanza fills it */
    struct label_mem mem UNINITIALIZED;
    struct judge_pair names = {jid_domain_ascii(&st->to, &mem.local),
                               jid_domain_ascii(&st->from, &mem.remote)};
    struct block *b;
    uint32_t home;
    uint64_t number;

    if (names.local.len == 0 || names.remote.len == 0) {
        e->stats.dropped_memory += !CHECK(false);
        return false;
    }
    if (st->kind == STANZA_IQ && ping_id_parse(st->id, &number) &&
        (st->type == STANZA_TYPE_RESULT || st->type == STANZA_TYPE_ERROR)) {
        link_confirm_send(e, names.local, names.remote, number);
        return false;
    }
    judge_stanza(e, st, POLICY_TO_LOCAL, &names, &judgement);
    if (!judgement.decision.allowed) {
        refuse_partner(e, st, &names, &judgement.decision);
        return is_answer_gate_closed(e, &judgement.decision, &names, gate);
    }
    body_log_stanza(e, PARTNER_IN, st);
    if (judgement.decision.domain->next_hop->kind == NEXT_HOP_SIP) {
        return to_sip(e, st, &names, &judgement, gate);
    }
    b = make_block(e, st, &names, BLOCK_TO_COMPONENT, &judgement);
    if (!b) {
        answer_no_memory(e, st, &names, true);
        return false;
    }
    DASSERT(judgement.way == way_of(e, names.local, names.remote));
    home = judgement.way->home_of_local;
    send_home(e, b, home, judgement.way);
    return is_component_gate_closed(e, names.local, home, gate);
}

bool route_from_component(struct edge *e, struct slice domain, const struct stanza *st,
                          struct route_gate *gate)
{
    struct judgement judgement UNINITIALIZED; /* judge_stanza fills it */
    struct jid_ascii mem UNINITIALIZED;
    /* Empty for an IP literal or the like: no partner. */
    struct judge_pair names = {domain, jid_domain_ascii(&st->to, &mem)};
    struct block *b;
    uint32_t home;

    judge_stanza(e, st, POLICY_TO_PARTNER, &names, &judgement);
    if (!judgement.decision.allowed) {
        refuse_component(e, st, &names, &judgement.decision);
        return false;
    }
    body_log_stanza(e, PARTNER_OUT, st);
    b = make_block(e, st, &names, BLOCK_TO_PARTNER, &judgement);
    if (!b) {
        answer_no_memory(e, st, &names, false);
        return false;
    }
    DASSERT(judgement.way == way_of(e, names.local, names.remote));
    home = judgement.way->home_of_remote;
    send_home(e, b, home, judgement.way);
    return is_link_gate_closed(e, &names, home, gate);
}
