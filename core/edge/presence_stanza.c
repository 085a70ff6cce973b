/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence_stanza: stanzas between partners' streams and the shard where their contact lives. */
#include "base/check.h"
#include "base/pool.h"
#include "edge/bounce.h"
#include "edge/judge.h"
#include "edge/presence_side_int.h"
#include "edge/reach.h"
#include "edge/route.h"
#include "edge/trim.h"
#include "xml/parser.h"
#include "xml/writer.h"

#define SERVER_NS SLICE_LIT("jabber:server")
#define STREAM_HEAD                                            \
    SLICE_LIT("<stream:stream xmlns=\"jabber:server\""         \
              " xmlns:stream=\"http://etherx.jabber.org/streams\">")

/* --- in --- */

static void take(struct presence_side *ps, const struct stanza *st, const struct judge_pair *names)
{
    const struct presence_pair pair = {st->to.local, names->local, st->from.local, names->remote};

    presence_from_partner(ps->core, &pair, st);
}

static void send_home(struct edge *e, const struct stanza *st, uint32_t home, bool without_text)
{
    struct mail_presence_stanza *m;
    struct buf addresses;
    size_t from_len = jid_len(&st->from);
    struct slice from;
    struct slice to;

    buf_init(&addresses, (size_t)2 * JID_BYTES_MAX);
    jid_write(&addresses, &st->from);
    jid_write(&addresses, &st->to);
    from = slice_to(buf_slice(&addresses), from_len);
    to = slice_from(buf_slice(&addresses), from_len);
    buf_clear(&e->scratch);
    if (addresses.failed) {
        e->scratch.failed = true;
    } else if (without_text) {
        e->stats.errors_emptied++;
        trim_write_error(&e->scratch, st, from, to);
    } else {
        xml_write_tree(&e->scratch, st->tree, 0,
                       &(struct xml_write_params){
                           .ns_default = SERVER_NS, .from = from, .to = to, .lang = st->lang});
    }
    buf_deinit(&addresses);
    m = e->scratch.failed ? NULL : mail_presence_stanza_new(buf_slice(&e->scratch));
    if (m) {
        edge_post(e, home, &m->mail);
    } else {
        e->stats.dropped_memory++; /* asked again by the next probe */
    }
}

void presence_side_from_partner(struct edge *e, const struct stanza *st,
                                const struct judge_pair *names, bool without_text)
{
    uint32_t home = edge_home_of_domain(e, names->remote);

    if (home != e->idx || without_text) {
        send_home(e, st, home, without_text);
    } else {
        take(e->presence, st, names);
    }
}

static bool feed(struct presence_side *ps, struct slice bytes, enum xml_event wanted)
{
    size_t consumed = 0;

    return xml_parser_feed(ps->parser, bytes.ptr, bytes.len, &consumed) == wanted;
}

void presence_side_take_stanza(struct presence_side *ps, const struct mail_presence_stanza *m)
{
    static _Thread_local struct stanza st; /* 6 KB of addresses; one mail at a time */
    struct jid_ascii local;
    struct jid_ascii remote;

    xml_parser_reset(ps->parser);
    if (!feed(ps, STREAM_HEAD, XML_STREAM_OPEN) ||
        !feed(ps, slice_make(m->bytes, m->bytes_len), XML_ELEMENT) ||
        stanza_view(&st, xml_parser_tree(ps->parser), SERVER_NS, SLICE_NONE) != STANZA_OK ||
        jid_domain_to_ascii(st.to.domain, &local) != 0 ||
        jid_domain_to_ascii(st.from.domain, &remote) != 0) {
        ps->e->stats.dropped_memory++; /* it was read once already: nothing else can be wrong */
    } else {
        take(ps, &st, &(struct judge_pair){jid_ascii_slice(&local), jid_ascii_slice(&remote)});
    }
    xml_parser_rest(ps->parser);
}

/* --- out --- */

static void undelivered(struct edge *e, const struct presence_pair *pair, enum stanza_type type,
                        enum stanza_condition condition)
{
    struct mail_presence_pair *m;

    if (type == STANZA_TYPE_ERROR || e->is_draining) {
        return; /* what an end interrupts is told anew after the start */
    }
    /* By mail to the own shard, too: this may be from inside of what it tells. */
    m = mail_presence_pair_new(MAIL_PRESENCE_UNDELIVERED, pair);
    if (!m) {
        e->stats.dropped_memory++;
        return;
    }
    m->type = (uint8_t)type;
    m->condition = (uint8_t)condition;
    edge_post(e, edge_home_of_domain(e, pair->remote_domain), &m->mail);
}

void presence_side_undeliverable(struct edge *e, const struct stanza *st, struct slice local,
                                 struct slice remote, enum stanza_condition condition)
{
    const struct presence_pair pair = {st->from.local, local, st->to.local, remote};

    undelivered(e, &pair, st->type, condition);
}

void presence_side_take_undelivered(struct presence_side *ps, const struct mail_presence_pair *m)
{
    const struct presence_pair pair = mail_presence_pair_view(m);

    if (!ps->e->is_draining) { /* while stopping that says nothing about the partner */
        presence_undelivered(ps->core, &pair, (enum stanza_type)m->type,
                             (enum stanza_condition)m->condition);
    }
}

void presence_side_stanza(void *ctx, const struct presence_pair *pair, enum stanza_type type,
                          struct slice bytes)
{
    struct edge *e = ((struct presence_side *)ctx)->e;
    struct policy_verdict verdict =
        policy_pair(edge_policy(e), pair->local_domain, pair->remote_domain);
    struct block *b;

    if (!verdict.allowed) {
        bool is_for_now = verdict.reason == POLICY_MAINTENANCE;

        undelivered(e, pair, type,
                    is_for_now ? STANZA_CONDITION_REMOTE_SERVER_TIMEOUT
                               : STANZA_CONDITION_REMOTE_SERVER_NOT_FOUND);
        return;
    }
    judge_note_presence(e, verdict.partner, pair, type);
    b = block_new(&(struct block_params){
        .direction = BLOCK_TO_PARTNER,
        .kind = STANZA_PRESENCE,
        .may_bounce = type == STANZA_TYPE_SUBSCRIBE || type == STANZA_TYPE_PROBE,
        .is_of_presence = true,
        .generation = edge_setup(e)->generation,
        .local = pair->local_domain,
        .remote = pair->remote_domain,
        .bytes = bytes,
        .now_ms = shard_now_ms(e->sh),
    });
    if (!b) {
        e->stats.bounced_memory++;
        undelivered(e, pair, type, STANZA_CONDITION_RESOURCE_CONSTRAINT);
        return;
    }
    route_block_home(e, b, edge_home_of_partner(e, verdict.partner));
}

/* --- the way to a partner --- */

void presence_side_partner_seen(struct edge *e, struct slice remote, bool is_reachable)
{
    struct mail_presence_seen *m = mail_presence_seen_new(remote, is_reachable);

    if (m) {
        edge_post(e, edge_home_of_domain(e, remote), &m->mail);
    }
}

void presence_side_partner_cut(struct edge *e, struct slice remote)
{
    const struct partner *p = snapshot_partner(edge_policy(e), remote);
    struct mail_presence_seen *m = p ? mail_presence_seen_new(remote, false) : NULL;

    if (m) {
        m->was_cut = true;
        edge_post(e, edge_home_of_domain(e, remote), &m->mail);
    }
}

void presence_side_take_seen(struct presence_side *ps, const struct mail_presence_seen *m)
{
    struct slice domain = slice_make(m->domain, m->domain_len);

    if (ps->e->is_draining) {
        return;
    }
    if (m->was_cut) {
        presence_partner_cut(ps->core, domain);
    } else {
        presence_partner_seen(ps->core, domain, m->is_reachable);
    }
}
