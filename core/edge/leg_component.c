/* SPDX-License-Identifier: GPL-2.0-or-later */
/* leg_component: XEP-0114 connections. */
#include "edge/leg_component.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "edge/again.h"
#include "edge/bounce.h"
#include "edge/report.h"
#include "edge/route.h"

#define LEG_COMPONENT_MAGIC 0x434f4d50u
#define LINGER_MS 5000u
#define OUT_BYTES_MAX ((size_t)4 << 20)
#define ESTABLISH_MS 20000u
#define CLOSE_MS 5000u
#define KEEPALIVE_MS 60000u

struct component_leg {
    uint32_t magic;
    struct edge *e;
    struct conn *c;      /* the engine's; valid until closed */
    struct component *m; /* owned */
    struct list all;     /* in edge.legs_component */
    struct wheel_timer timer;
    struct flow_waiter waiter;
    struct wheel_timer move_timer; /* hands the connection over outside of its callbacks */
    uint32_t home;
    bool is_bound;       /* in edge.components under domain */
    bool is_paused;
    bool is_ended;
    bool is_gate_closed;
    uint64_t gate_renewed_ms;
    uint64_t stanzas[2]; /* from it, to it */
    struct block_queue written; /* owned: until the kernel has taken them (XEP-0114 has no acks) */
    struct jid_ascii domain;
};

static void handle_events(struct component_leg *leg, enum component_event_kind kind);

struct slice component_gate(struct slice domain, char mem[COMPONENT_GATE_BYTES])
{
    static const char tag[] = "component ";
    size_t tag_len = sizeof(tag) - 1;

    /* By hand: asked for with every stanza. */
    if (domain.len >= COMPONENT_GATE_BYTES - tag_len) {
        return slice_make(mem, 0);
    }
    memcpy(mem, tag, tag_len);
    memcpy(mem + tag_len, domain.ptr, domain.len);
    return slice_make(mem, tag_len + domain.len);
}

/* Empty = no component serves this domain. */
static struct slice secret(void *ctx, struct slice name)
{
    const struct component_leg *leg = ctx;
    const struct local_domain *d = snapshot_domain(edge_policy(leg->e), name);

    if (!d || d->next_hop->kind != NEXT_HOP_COMPONENT || !d->next_hop->secret) {
        return SLICE_NONE;
    }
    return slice_from_cstr(d->next_hop->secret);
}

static const struct component_host host = {.secret = secret};

static void on_deadline(struct wheel_timer *t, void *ctx)
{
    struct component_leg *leg = ctx;

    (void)t;
    handle_events(leg, component_timeout(leg->m, shard_now_ms(leg->e->sh),
                                         &leg->e->component_event));
}

static void settle(struct component_leg *leg)
{
    uint64_t now = shard_now_ms(leg->e->sh);
    uint64_t deadline;

    conn_flush(leg->c);
    deadline = leg->is_ended ? STREAM_NEVER : component_deadline(leg->m);
    if (deadline == STREAM_NEVER) {
        shard_timer_disarm(leg->e->sh, &leg->timer);
    } else {
        shard_timer_arm(leg->e->sh, &leg->timer, deadline > now ? deadline - now : 0, on_deadline,
                        leg);
    }
}

static void end(struct component_leg *leg)
{
    leg->is_ended = true;
    conn_close(leg->c, LINGER_MS);
}

/* On the domain's home shard: at most one component per domain. */
static void bind_domain(struct component_leg *leg)
{
    struct edge *e = leg->e;
    struct slice name = jid_ascii_slice(&leg->domain);

    if (map_get(&e->components, name)) {
        e->stats.components_refused++;
        LOG_W(component_refused, "domain=%s peer=%s why=conflict", log_quote(name).text,
              conn_peer_text(leg->c));
        component_close(leg->m, shard_now_ms(e->sh), STREAM_CONDITION_CONFLICT,
                        "a component of this domain is connected");
        return;
    }
    (void)map_add(&e->components, name, leg);
    leg->is_bound = true;
    e->stats.components_accepted++;
    conn_set_out_max(leg->c, OUT_BYTES_MAX);
    conn_set_authenticated(leg->c);
    component_accept(leg->m, shard_now_ms(e->sh));
    LOG_I(component_up, "domain=%s peer=%s", log_quote(name).text, conn_peer_text(leg->c));
}

static void on_arrived(struct shard *sh, struct conn *c, void *owner)
{
    struct component_leg *leg = owner;

    ASSERT(leg->magic == LEG_COMPONENT_MAGIC);
    leg->e = shard_app(sh);
    leg->c = c;
    component_set_out(leg->m, conn_out(c));
    component_set_host(leg->m, &host, leg);
    list_push_back(&leg->e->legs_component, &leg->all);
    leg->is_paused = false;
    conn_resume(c);
    bind_domain(leg);
    settle(leg);
}

static void on_move_due(struct wheel_timer *t, void *ctx)
{
    struct component_leg *leg = ctx;

    (void)t;
    if (!leg->is_ended) {
        shard_timer_disarm(leg->e->sh, &leg->timer);
        list_remove(&leg->all);
        conn_move(leg->c, leg->home, on_arrived);
    }
}

static void on_proved(struct component_leg *leg, struct slice domain)
{
    struct edge *e = leg->e;

    if (jid_domain_to_ascii(domain, &leg->domain) != 0) {
        component_close(leg->m, shard_now_ms(e->sh), STREAM_CONDITION_HOST_UNKNOWN, "");
        return;
    }
    leg->home = edge_home_of_domain(e, jid_ascii_slice(&leg->domain));
    if (leg->home == e->idx) {
        bind_domain(leg);
        return;
    }
    leg->is_paused = true;
    conn_pause(leg->c);
    shard_timer_arm(e->sh, &leg->move_timer, 0, on_move_due, leg);
}

static void on_room(struct flow_waiter *w, void *ctx)
{
    struct component_leg *leg = ctx;

    (void)w;
    leg->is_paused = false;
    conn_resume(leg->c);
}

static void on_stanza(struct component_leg *leg, const struct stanza *st)
{
    struct edge *e = leg->e;
    struct route_gate gate UNINITIALIZED; /* filled where route says so */

    e->stats.stanzas_in_component++;
    leg->stanzas[0]++;
    if (route_from_component(e, jid_ascii_slice(&leg->domain), st, &gate) && !leg->is_paused) {
        leg->is_paused = true;
        conn_pause(leg->c);
        flow_wait(&e->flow, gate.key, &leg->waiter, on_room, leg);
    }
}

static void on_stanza_bad(struct component_leg *leg, const struct component_event *ev)
{
    leg->e->stats.bounced_policy++;
    if (ev->stanza.kind <= STANZA_IQ && stanza_may_bounce(&ev->stanza)) {
        stanza_write_error(conn_out(leg->c), &ev->stanza,
                           &(struct stanza_error){.condition = ev->condition,
                                                  .text = slice_from_cstr(ev->failure.text)});
    }
}

/* False = the stream is over. */
static bool handle_event(struct component_leg *leg, enum component_event_kind kind)
{
    const struct component_event *ev = &leg->e->component_event;

    switch (kind) {
    case COMPONENT_MORE:
        return true;
    case COMPONENT_PROVED:
        on_proved(leg, ev->domain);
        return true;
    case COMPONENT_STANZA:
        on_stanza(leg, &ev->stanza);
        return true;
    case COMPONENT_STANZA_BAD:
        on_stanza_bad(leg, ev);
        return true;
    case COMPONENT_FAILED:
        if (!leg->is_bound) {
            leg->e->stats.components_refused++;
        }
        LOG_W(component_refused, "peer=%s step=%s condition=%s text=%s", conn_peer_text(leg->c),
              stream_step_name(ev->failure.step), stream_condition_name(ev->failure.condition),
              log_quote(slice_from_cstr(ev->failure.text)).text);
        end(leg);
        return false;
    case COMPONENT_PEER_CLOSED:
    case COMPONENT_CLOSED:
        end(leg);
        return false;
    }
    UNREACHABLE("all events handled");
}

static void handle_events(struct component_leg *leg, enum component_event_kind kind)
{
    while (kind != COMPONENT_MORE && handle_event(leg, kind)) {
        kind = component_timeout(leg->m, shard_now_ms(leg->e->sh), &leg->e->component_event);
    }
    settle(leg);
}

static size_t on_data(struct conn *c, void *owner, char *bytes, size_t len)
{
    struct component_leg *leg = owner;
    struct edge *e = leg->e;
    size_t used = 0;

    (void)c;
    ASSERT(leg->magic == LEG_COMPONENT_MAGIC);
    while (!leg->is_ended && !leg->is_paused) {
        size_t consumed = 0;
        enum component_event_kind kind =
            component_feed(leg->m, shard_now_ms(e->sh), slice_make(bytes + used, len - used),
                           &consumed, &e->component_event);

        used += consumed;
        if (!handle_event(leg, kind) || kind == COMPONENT_MORE) {
            break;
        }
    }
    settle(leg);
    return leg->is_ended || !leg->is_paused ? len : used;
}

static void open_gate(struct component_leg *leg)
{
    char mem[COMPONENT_GATE_BYTES];

    if (leg->is_gate_closed) {
        leg->is_gate_closed = false;
        edge_gate(leg->e, component_gate(jid_ascii_slice(&leg->domain), mem), false);
    }
}

/* What the kernel has taken is delivered as far as this protocol can tell. */
static void release_taken(struct component_leg *leg)
{
    struct block *b;

    while ((b = block_queue_peek(&leg->written)) &&
           b->start_offset + b->bytes_len <= conn_bytes_sent(leg->c)) {
        block_free(block_queue_pop(&leg->written));
    }
}

static void settle_custody(struct component_leg *leg)
{
    struct block_queue lost;
    struct block *b;

    release_taken(leg);
    block_queue_init(&lost);
    while ((b = block_queue_pop(&leg->written))) {
        block_queue_push(&lost, b);
    }
    leg->is_ended = true; /* answers must not come back here */
    bounce_queue(leg->e, &lost, BOUNCE_NO_COMPONENT, NULL);
}

static void on_writable(struct conn *c, void *owner)
{
    (void)c;
    release_taken(owner);
    open_gate(owner);
}

static void on_closed(struct conn *c, void *owner, int err, const char *why, size_t unsent_bytes)
{
    struct component_leg *leg = owner;
    struct edge *e = shard_app(conn_shard(c)); /* a move may have failed there: no arrival */

    leg->e = e;
    settle_custody(leg);
    if (leg->is_bound) {
        (void)map_remove(&e->components, jid_ascii_slice(&leg->domain));
        e->components_mark++;
        LOG_W(component_down, "domain=%s err=%s why=%s unsent_bytes=%zu",
              log_quote(jid_ascii_slice(&leg->domain)).text, err_name(err), why, unsent_bytes);
        open_gate(leg);
    }
    list_remove(&leg->all);
    flow_wait_cancel(&leg->waiter);
    shard_timer_disarm(e->sh, &leg->timer);
    shard_timer_disarm(e->sh, &leg->move_timer);
    component_free(leg->m);
    leg->magic = 0;
    pool_free(leg);
}

static const struct conn_ops component_ops = {
    .data = on_data,
    .writable = on_writable,
    .closed = on_closed,
};

void leg_component_accept(struct edge *e, struct conn *c)
{
    struct component_leg *leg = pool_zalloc(sizeof(*leg));
    struct component_params params = {
        .host = &host,
        .ctx = leg,
        .crypto = edge_setup(e)->crypto,
        .establish_ms = ESTABLISH_MS,
        .close_ms = CLOSE_MS,
        .keepalive_ms = KEEPALIVE_MS,
        .stanza_bytes_max = edge_policy(e)->limits.stanza_bytes_max,
        .out = conn_out(c),
    };

    if (!leg || component_new(&leg->m, shard_now_ms(e->sh), &params) != 0) {
        pool_free(leg);
        conn_abort(c, ERR_NOMEM, "out of memory");
        return;
    }
    leg->magic = LEG_COMPONENT_MAGIC;
    block_queue_init(&leg->written);
    leg->e = e;
    leg->c = c;
    list_push_back(&e->legs_component, &leg->all);
    conn_set_owner(c, &component_ops, leg);
    settle(leg);
}

/* The component of local, remembered with the pair. */
static struct component_leg *leg_of(struct edge *e, struct way *w, struct slice local)
{
    if (!w->component || w->components_mark != e->components_mark) {
        w->component = map_get(&e->components, local);
        w->components_mark = e->components_mark;
    }
    return w->component;
}

/* Tells everybody who sends to it to wait, and says so again before the lease ends. */
NOINLINE static void close_gate(struct component_leg *leg)
{
    struct edge *e = leg->e;
    uint64_t now = shard_now_ms(e->sh);
    char mem[COMPONENT_GATE_BYTES];

    if (!leg->is_gate_closed || now - leg->gate_renewed_ms > FLOW_RENEW_MS) {
        leg->is_gate_closed = true;
        leg->gate_renewed_ms = now;
        edge_gate(e, component_gate(jid_ascii_slice(&leg->domain), mem), true);
    }
}

void component_deliver(struct edge *e, struct way *w, struct block *b)
{
    struct component_leg *leg = leg_of(e, w, block_local(b));

    if (again_is_due(e, b->generation) && !again_block(e, &b)) {
        return; /* it was on its way from another shard */
    }
    if (!leg || leg->is_ended || !component_is_open(leg->m)) {
        bounce_block(e, b, BOUNCE_NO_COMPONENT, NULL);
        return;
    }
    if (buf_room(conn_out(leg->c)) < b->bytes_len) {
        bounce_block(e, b, BOUNCE_QUEUE_FULL, NULL);
        return;
    }
    release_taken(leg);
    b->start_offset = conn_bytes_written(leg->c);
    buf_put(conn_out(leg->c), block_bytes(b));
    component_sent(leg->m, shard_now_ms(e->sh));
    conn_flush(leg->c);
    leg->stanzas[1]++;
    e->stats.stanzas_out_component++;
    block_queue_push(&leg->written, b);
    if (UNLIKELY(conn_out_is_crowded(leg->c))) {
        close_gate(leg);
    }
}

void legs_component_tick(struct edge *e)
{
    size_t cursor = 0;
    struct component_leg *leg;

    while ((leg = map_next(&e->components, &cursor))) {
        release_taken(leg);
    }
}

void legs_component_review(struct edge *e)
{
    struct list *at = e->legs_component.next;

    while (at != &e->legs_component) {
        struct component_leg *leg = LIST_ENTRY(at, struct component_leg, all);

        at = at->next;
        if (leg->is_bound && slice_is_empty(secret(leg, jid_ascii_slice(&leg->domain)))) {
            component_close(leg->m, shard_now_ms(e->sh), STREAM_CONDITION_HOST_GONE,
                            "no longer configured");
            settle(leg);
        }
    }
}

uint32_t legs_component_drain(struct edge *e)
{
    uint32_t open = 0;

    for (struct list *at = e->legs_component.next; at != &e->legs_component; at = at->next) {
        struct component_leg *leg = LIST_ENTRY(at, struct component_leg, all);

        open++;
        if (!leg->is_ended) {
            component_close(leg->m, shard_now_ms(e->sh), STREAM_CONDITION_SYSTEM_SHUTDOWN,
                            "gateway is stopping");
            settle(leg);
        }
    }
    return open;
}

void legs_component_report(struct edge *e, struct edge_report *out)
{
    size_t cursor = 0;
    struct component_leg *leg;

    out->components = pool_heap_zalloc((e->components.count + 1) * sizeof(*out->components));
    while ((leg = map_next(&e->components, &cursor))) {
        struct report_component *c = &out->components[out->component_count++];

        slice_to_cstr_cut(jid_ascii_slice(&leg->domain), c->domain, sizeof(c->domain));
        (void)snprintf(c->peer, sizeof(c->peer), "%s", conn_peer_text(leg->c));
        c->stanzas[0] = leg->stanzas[0];
        c->stanzas[1] = leg->stanzas[1];
    }
}
