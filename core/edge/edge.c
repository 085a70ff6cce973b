/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edge: the engine's callbacks on one shard, and mail between the shards' edges. */
#include "edge/edge.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "edge/bounce.h"
#include "edge/drain.h"
#include "edge/judge.h"
#include "edge/leg_component.h"
#include "edge/leg_in.h"
#include "edge/link.h"
#include "edge/partner_run.h"
#include "edge/presence_side.h"
#include "edge/reach_table.h"
#include "edge/report_fill.h"
#include "edge/review.h"
#include "edge/sip_side.h"

#define TICK_MS 1000u
#define SCRATCH_BYTES_MAX ((size_t)4 << 20)

static void on_tick(struct wheel_timer *t, void *ctx)
{
    struct edge *e = ctx;

    flow_expire(&e->flow, shard_now_ms(e->sh));
    links_tick(e);
    partner_runs_tick(e);
    refusal_log_tick(&e->refusals_held, shard_now_ms(e->sh));
    legs_component_tick(e);
    sip_side_tick(e->sip);
    drain_tick(e);
    shard_timer_arm(e->sh, t, TICK_MS, on_tick, e);
}

static int on_start(struct shard *sh, void *ctx, void **app)
{
    struct edge *e = pool_heap_zalloc(sizeof(*e));
    struct xml_limits limits = xml_limits_authenticated;
    unsigned char random[4];
    struct buf tag;
    int err;

    e->sh = sh;
    e->shared = ctx;
    e->idx = shard_idx(sh);
    e->shard_count = shard_count(sh);
    log_ring_use(&e->shared->rings[e->idx]);
    flow_init(&e->flow);
    list_init(&e->legs_in);
    list_init(&e->runs_all);
    list_init(&e->runs_orphan);
    list_init(&e->runs_claimed);
    list_init(&e->refusals_held);
    refusal_log_init(&e->refusals, &e->refusals_held, SLICE_NONE);
    list_init(&e->links_all);
    list_init(&e->places[0]);
    list_init(&e->places[1]);
    list_init(&e->legs_component);
    list_init(&e->legs_moving);
    list_init(&e->links_dirty);
    list_init(&e->links_aside);
    for (uint32_t i = 0; i < ENGINE_SHARDS_MAX; i++) {
        list_init(&e->overflow[i]);
    }
    buf_init(&e->scratch, SCRATCH_BYTES_MAX);
    edge_setup(e)->crypto->random(random, sizeof(random));
    buf_init(&tag, 64);
    hex_put(&tag, slice_make((const char *)random, sizeof(random)));
    slice_to_cstr_cut(buf_slice(&tag), e->boot_tag, sizeof(e->boot_tag));
    buf_deinit(&tag);
    dialback_secret_init(&e->dialback_secret, edge_setup(e)->crypto,
                         slice_from_cstr(edge_setup(e)->secret));
    /* Our own serialisation of what was taken within the configured limit: it may have grown. */
    limits.stanza_bytes_max = XML_STANZA_BYTES_CEILING;
    err = xml_parser_new(&e->bounce_parser, &limits);
    if (err == 0) {
        err = reach_table_new(&e->reach, REACH_ENTRIES_MAX);
    }
    if (err == 0) {
        err = sip_side_new(&e->sip, e);
    }
    if (err == 0) {
        err = presence_side_new(&e->presence, e);
    }
    if (err != 0) {
        return err;
    }
    shard_timer_arm(sh, &e->tick, TICK_MS, on_tick, e);
    shard_set_busy_poll(sh, edge_setup(e)->policy->busy_poll_us);
    *app = e;
    return 0;
}

static void on_stop(struct shard *sh, void *app)
{
    struct edge *e = app;

    shard_timer_disarm(sh, &e->tick);
    shard_timer_disarm(sh, &e->drain_timer);
    review_stop(e);
    presence_side_free(e->presence);
    sip_side_free(e->sip);
    links_free(e);
    reach_table_free(e->reach);
    partner_runs_free(e);
    refusal_log_flush(&e->refusals);
    for (uint32_t i = 0; i < ENGINE_SHARDS_MAX; i++) {
        struct list *link;

        while ((link = list_pop_front(&e->overflow[i]))) {
            pool_free(LIST_ENTRY(link, struct mail, link));
        }
    }
    flow_deinit(&e->flow);
    map_deinit(&e->components);
    ways_free(e);
    xml_parser_free(e->bounce_parser);
    buf_deinit(&e->scratch);
    log_ring_use(NULL);
    pool_heap_free(e);
}

static void on_accepted(struct shard *sh, struct conn *c, uint32_t listener_tag)
{
    struct edge *e = shard_app(sh);

    if (e->is_draining) {
        conn_abort(c, ERR_SHUTDOWN, "node is stopping");
        return;
    }
    switch ((enum listen_kind)listener_tag) {
    case LISTEN_XMPP_SERVER:
        leg_in_accept(e, c, false);
        break;
    case LISTEN_XMPPS_SERVER:
        leg_in_accept(e, c, true);
        break;
    case LISTEN_COMPONENT:
        leg_component_accept(e, c);
        break;
    case LISTEN_SIP_TCP:
        sip_side_accept(e->sip, c, false);
        break;
    case LISTEN_SIP_TLS:
        sip_side_accept(e->sip, c, true);
        break;
    case LISTEN_HTTP:
    case LISTEN_KIND_COUNT:
        UNREACHABLE("no shard listens for this");
    }
}

static void take_block(struct edge *e, struct block *b)
{
    if (b->direction == BLOCK_TO_PARTNER) {
        link_deliver(e, way_of(e, block_local(b), block_remote(b)), b);
    } else {
        component_deliver(e, way_of(e, block_local(b), block_remote(b)), b);
    }
}

static void on_mail(struct shard *sh, struct mail *m)
{
    struct edge *e = shard_app(sh);

    switch ((enum mail_kind)m->kind) {
    case MAIL_BLOCK:
        take_block(e, (struct block *)(void *)m);
        return; /* the block lives on */
    case MAIL_GATE: {
        const struct mail_gate *gate = (const struct mail_gate *)(const void *)m;

        flow_set(&e->flow, slice_make(gate->key, gate->key_len), gate->is_closed,
                 shard_now_ms(sh));
        break;
    }
    case MAIL_SIP_OUTCOME:
        sip_side_outcome(e->sip, (const struct mail_outcome *)(const void *)m);
        break;
    case MAIL_SIP_ERROR:
        sip_side_error(e->sip, (const struct mail_sip_error *)(const void *)m);
        break;
    case MAIL_CONFIRM:
        link_confirm(e, (const struct mail_confirm *)(const void *)m);
        break;
    case MAIL_VERIFY:
        link_verify(e, (struct mail_verify *)(void *)m);
        return; /* travels back */
    case MAIL_VERIFY_RESULT:
        leg_in_verify_result(e, (const struct mail_verify *)(const void *)m);
        break;
    case MAIL_PARTNER_SEEN:
        link_partner_seen(e, (const struct mail_pair *)(const void *)m);
        break;
    case MAIL_REPORT:
        report_fill(e, (const struct mail_report *)(const void *)m);
        break;
    case MAIL_DRAIN:
        drain_start(e);
        break;
    case MAIL_REACH:
        reach_receive(e, (const struct mail_reach *)(const void *)m);
        break;
    case MAIL_WHY:
        judge_why(e, (const struct mail_why *)(const void *)m);
        break;
    case MAIL_PRESENCE_STANZA:
    case MAIL_PRESENCE_UNDELIVERED:
    case MAIL_PRESENCE_SEEN:
    case MAIL_SIP_REQUEST:
    case MAIL_SIP_ANSWER:
    case MAIL_STORED:
    case MAIL_CONTACTS:
    case MAIL_CONTACT_ORDER:
        presence_side_mail(e, m);
        break;
    }
    pool_free(m);
}

static void on_snapshot_changed(struct shard *sh, const void *before, const void *after)
{
    struct edge *e = shard_app(sh);

    (void)before;
    (void)after;
    e->setup_version++;
    shard_set_busy_poll(sh, edge_setup(e)->policy->busy_poll_us);
    dialback_secret_init(&e->dialback_secret, edge_setup(e)->crypto,
                         slice_from_cstr(edge_setup(e)->secret));
    legs_component_review(e);
    sip_side_review(e->sip);
    review_start(e);
    presence_side_review(e);
}

static void on_turn_end(struct shard *sh)
{
    struct edge *e = shard_app(sh);

    legs_in_turn_end(e);
    links_turn_end(e);
}

const struct engine_app edge_app = {
    .shard_start = on_start,
    .shard_stop = on_stop,
    .accepted = on_accepted,
    .mail = on_mail,
    .snapshot_changed = on_snapshot_changed,
    .turn_end = on_turn_end,
};

struct edge_tls_text edge_tls_text(const struct conn *c)
{
    const struct tls_peer *peer = conn_tls_peer(c);
    struct edge_tls_text out;

    if (peer) {
        (void)snprintf(out.text, sizeof(out.text), "tls=%s cipher=%s records=%s resumed=%d",
                       peer->version, peer->cipher, conn_record_path(c), peer->is_resumed);
    } else {
        (void)snprintf(out.text, sizeof(out.text), "tls=none");
    }
    return out;
}

enum conn_ktls edge_ktls(const struct edge *e)
{
    switch (edge_policy(e)->ktls) {
    case TLS_KTLS_AUTO:
        return CONN_KTLS_AUTO;
    case TLS_KTLS_REQUIRE:
        return CONN_KTLS_REQUIRE;
    case TLS_KTLS_OFF:
        break;
    }
    return CONN_KTLS_OFF;
}

uint32_t edge_home_of_partner(const struct edge *e, const struct partner *p)
{
    return partner_home(p, e->shard_count);
}

uint32_t edge_home_of_domain(const struct edge *e, struct slice local)
{
    return partner_home_of_id(partner_id(local), e->shard_count);
}

void *edge_mail_new(enum mail_kind kind, size_t size)
{
    struct mail *m = pool_zalloc(size);

    if (m) {
        m->kind = (uint32_t)kind;
    }
    return m;
}

struct slice edge_post_gate(uint32_t to_idx, char mem[16])
{
    static const char tag[] = "mail ";
    size_t tag_len = sizeof(tag) - 1;

    /* By hand: asked for with every stanza. */
    STATIC_ASSERT(ENGINE_SHARDS_MAX <= 100, "two digits");
    memcpy(mem, tag, tag_len);
    mem[tag_len] = (char)('0' + to_idx / 10);
    mem[tag_len + 1] = (char)('0' + to_idx % 10);
    return slice_make(mem, tag_len + 2);
}

/* The ring towards to_idx has room again: what did not fit goes first. */
static void on_mail_room(struct shard_mail_wait *w, void *ctx)
{
    struct edge *e = ctx;
    uint32_t to_idx = w->to_idx;
    struct list *link;
    char key[16];

    while ((link = list_first(&e->overflow[to_idx]))) {
        list_remove(link);
        if (shard_post(e->sh, to_idx, LIST_ENTRY(link, struct mail, link)) != 0) {
            list_push_front(&e->overflow[to_idx], link);
            shard_wait_mail(e->sh, w, to_idx, on_mail_room, e);
            return;
        }
        e->overflow_count[to_idx]--;
    }
    flow_set(&e->flow, edge_post_gate(to_idx, key), false, shard_now_ms(e->sh));
}

void edge_post(struct edge *e, uint32_t to_idx, struct mail *m)
{
    char key[16];

    ASSERT(to_idx < e->shard_count);
    if (list_is_empty(&e->overflow[to_idx]) && shard_post(e->sh, to_idx, m) == 0) {
        return;
    }
    if (list_is_empty(&e->overflow[to_idx])) {
        shard_wait_mail(e->sh, &e->overflow_wait[to_idx], to_idx, on_mail_room, e);
    }
    list_push_back(&e->overflow[to_idx], &m->link);
    e->overflow_count[to_idx]++;
    flow_set(&e->flow, edge_post_gate(to_idx, key), true, shard_now_ms(e->sh));
}

void edge_gate(struct edge *e, struct slice key, bool is_closed)
{
    for (uint32_t i = 0; i < e->shard_count; i++) {
        struct mail_gate *gate;

        if (i == e->idx) {
            continue;
        }
        gate = edge_mail_new(MAIL_GATE, sizeof(*gate) + key.len);
        if (!gate) {
            /* Closing: a reader goes on and meets the bounds. Opening: the lease runs out. */
            continue;
        }
        gate->is_closed = is_closed;
        gate->key_len = (uint32_t)key.len;
        memcpy(gate->key, key.ptr, key.len);
        edge_post(e, i, &gate->mail);
    }
    flow_set(&e->flow, key, is_closed, shard_now_ms(e->sh));
}
