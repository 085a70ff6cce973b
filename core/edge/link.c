/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link: queue, life and retries of the traffic towards one domain of a partner. */
#include "edge/link.h"

#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "edge/link_int.h"
#include "edge/report.h"
#include "edge/route.h"

#define BACKOFF_FIRST_MS 1000u
#define BACKOFF_MAX_MS 300000u
#define GATE_HOLD_MS 5000u
#define BACKOFF_SHIFT_MAX 9u
#define VERIFIES_MAX 64u
#define REDIAL_MS_MIN 1000u

static void on_backoff_over(struct wheel_timer *t, void *ctx);

struct slice link_gate(struct slice local, struct slice remote, char mem[LINK_GATE_BYTES])
{
    int len = snprintf(mem, LINK_GATE_BYTES, "%.*s %.*s", SLICE_FMT(local), SLICE_FMT(remote));

    return slice_make(mem, len > 0 && (size_t)len < LINK_GATE_BYTES ? (size_t)len : 0);
}

void link_set_state(struct link *l, enum link_state state)
{
    static const uint32_t next_of[] = {
#define X(name, next) next,
        LINK_STATES(X)
#undef X
    };

    ASSERT(l->magic == LINK_MAGIC);
    ASSERT((next_of[l->state] & (1u << state)) != 0);
    l->state = state;
}

void link_mark_dirty(struct link *l)
{
    if (!list_is_linked(&l->dirty)) {
        list_push_back(&l->host.e->links_dirty, &l->dirty);
    }
}

/* Gate and key are the same text. */
static struct link *find(struct edge *e, struct slice local, struct slice remote)
{
    char mem[LINK_GATE_BYTES];

    return map_get(&e->links, link_gate(local, remote, mem));
}

struct link *link_new(struct edge *e, struct slice local, struct slice remote)
{
    struct link *l = pool_zalloc(sizeof(*l) + local.len + 1 + remote.len + 1);

    if (!l) {
        return NULL;
    }
    l->magic = LINK_MAGIC;
    l->host = (struct host_ctx){.e = e};
    block_queue_init(&l->waiting);
    block_queue_init(&l->written);
    list_init(&l->verifies);
    list_init(&l->dirty);
    list_init(&l->aside);
    l->local_len = (uint16_t)local.len;
    l->remote_len = (uint16_t)remote.len;
    memcpy(l->key, local.ptr, local.len);
    l->key[local.len] = ' ';
    memcpy(l->key + local.len + 1, remote.ptr, remote.len);
    return l;
}

static struct link *find_or_make(struct edge *e, struct slice local, struct slice remote)
{
    struct link *l = find(e, local, remote);

    if (l) {
        return l;
    }
    l = link_new(e, local, remote);
    if (l) {
        (void)map_add(&e->links, slice_make(l->key, local.len + 1 + remote.len), l);
    }
    return l;
}

void link_free(struct link *l)
{
    struct edge *e = l->host.e;
    struct block *b;
    struct list *link;

    if (l->part == LINK_PART_MAIN) {
        (void)map_remove(&e->links, slice_make(l->key, (size_t)l->local_len + 1 + l->remote_len));
    }
    list_remove(&l->aside);
    shard_timer_disarm(e->sh, &l->timer);
    list_remove(&l->dirty);
    dial_free(l->dial);
    stream_free(l->s);
    while ((b = block_queue_pop(&l->waiting)) || (b = block_queue_pop(&l->written))) {
        block_free(b);
    }
    while ((link = list_pop_front(&l->verifies))) {
        pool_free(LIST_ENTRY(link, struct mail_verify, mail.link));
    }
    l->magic = 0;
    pool_free(l);
}

/* Half full: readers are told to stop; a quarter: to go on. Who reads at the inside reads for all
 * partners, so one that hangs may hold it for GATE_HOLD_MS only: then its queue fills up, and what
 * does not fit is answered with errors.                                                          */
static void update_gate(struct link *l)
{
    struct edge *e = l->host.e;
    const struct limit_settings *limits = &edge_policy(e)->limits;
    bool is_high = l->waiting.bytes > limits->queue_bytes_max / 2 ||
                   l->waiting.count > limits->queue_count_max / 2;
    bool is_low = l->waiting.bytes <= limits->queue_bytes_max / 4 &&
                  l->waiting.count <= limits->queue_count_max / 4;
    uint64_t now = shard_now_ms(e->sh);
    struct slice key = slice_make(l->key, (size_t)l->local_len + 1 + l->remote_len);

    if (is_low || l->state != LINK_ST_READY) {
        l->is_slow = false;
    } else if (l->is_gate_closed && now - l->gate_closed_ms > GATE_HOLD_MS) {
        l->is_slow = true;
    }
    /* Only a stream that is up drains by itself: without one, waiting would not help the reader. */
    if (is_high && l->state == LINK_ST_READY && !l->is_slow) {
        if (!l->is_gate_closed || now - l->gate_renewed_ms > FLOW_RENEW_MS) {
            l->gate_closed_ms = l->is_gate_closed ? l->gate_closed_ms : now;
            l->is_gate_closed = true;
            l->gate_renewed_ms = now;
            edge_gate(e, key, true);
        }
    } else if (l->is_gate_closed && (is_low || l->is_slow || l->state != LINK_ST_READY)) {
        l->is_gate_closed = false;
        edge_gate(e, key, false);
    }
}

void link_deliver(struct edge *e, struct block *b)
{
    const struct limit_settings *limits = &edge_policy(e)->limits;
    struct link *l = find_or_make(e, block_local(b), block_remote(b));

    if (!l) {
        bounce_block(e, b, BOUNCE_QUEUE_FULL, NULL);
        return;
    }
    /* While stopping only answers still go out: new work would never end. */
    if (e->is_draining && (l->state != LINK_ST_READY || b->may_bounce)) {
        bounce_block(e, b, BOUNCE_DRAIN, NULL);
        return;
    }
    if (l->state == LINK_ST_BACKOFF && l->is_down_for_good) {
        bounce_block(e, b, l->fail_step == FAIL_STEP_DNS ? BOUNCE_NOT_FOUND : BOUNCE_NO_STREAM,
                     NULL);
        return;
    }
    if (l->waiting.bytes + b->bytes_len > limits->queue_bytes_max ||
        l->waiting.count + 1 > limits->queue_count_max) {
        LOG_W(queue_full, "local=%s remote=%s count=%u bytes=%lu", log_quote(link_local(l)).text,
              log_quote(link_remote(l)).text, l->waiting.count, l->waiting.bytes);
        bounce_block(e, b, BOUNCE_QUEUE_FULL, NULL);
        return;
    }
    block_queue_push(&l->waiting, b);
    link_mark_dirty(l);
    if (l->state == LINK_ST_IDLE) {
        link_connect(l);
    }
    update_gate(l);
}

void link_verify(struct edge *e, struct mail_verify *v)
{
    struct stream_verify view = mail_verify_view(v);
    struct jid_ascii local;
    struct jid_ascii remote;
    struct link *l = NULL;
    uint32_t count = 0;

    if (jid_domain_to_ascii(view.local, &local) == 0 &&
        jid_domain_to_ascii(view.remote, &remote) == 0) {
        l = find_or_make(e, jid_ascii_slice(&local), jid_ascii_slice(&remote));
    }
    if (!l) {
        pool_free(v); /* the asker's own deadline answers */
        return;
    }
    for (struct list *at = l->verifies.next; at != &l->verifies; at = at->next) {
        count++;
    }
    if (count >= VERIFIES_MAX) {
        pool_free(v);
        return;
    }
    list_push_back(&l->verifies, &v->mail.link);
    if (l->state == LINK_ST_BACKOFF) {
        /* Somebody has just dialled in for it: it may be up. But anybody can claim that, so no
         * more than one attempt a second comes of it. */
        uint64_t since_ms = shard_now_ms(e->sh) - l->dialled_ms;

        l->attempts = 0;
        shard_timer_arm(e->sh, &l->timer, since_ms < REDIAL_MS_MIN ? REDIAL_MS_MIN - since_ms : 0,
                        on_backoff_over, l);
    } else if (l->state == LINK_ST_IDLE) {
        link_connect(l);
    } else {
        link_send_verifies(l);
    }
}

void link_verify_send(struct edge *e, struct mail_verify *v)
{
    struct stream_verify view = mail_verify_view(v);
    const struct partner *p = snapshot_partner(edge_policy(e), view.remote);
    uint32_t home;

    if (!p) {
        pool_free(v);
        return;
    }
    home = edge_home_of_partner(e, p);
    if (home == e->idx) {
        link_verify(e, v);
    } else {
        edge_post(e, home, &v->mail);
    }
}

static void seen(struct edge *e, struct slice local, struct slice remote)
{
    struct link *l = find(e, local, remote);

    if (l && l->state == LINK_ST_BACKOFF) {
        l->attempts = 0;
        l->is_down_for_good = false;
        shard_timer_disarm(e->sh, &l->timer);
        if (l->waiting.count != 0 || !list_is_empty(&l->verifies)) {
            link_connect(l);
        } else {
            link_set_state(l, LINK_ST_IDLE);
        }
    }
}

void link_seen(struct edge *e, struct slice local, struct slice remote)
{
    const struct partner *p = snapshot_partner(edge_policy(e), remote);
    struct jid_ascii ascii_local;
    struct jid_ascii ascii_remote;
    struct mail_pair *m;
    uint32_t home;

    if (!p || jid_domain_to_ascii(local, &ascii_local) != 0 ||
        jid_domain_to_ascii(remote, &ascii_remote) != 0) {
        return;
    }
    home = edge_home_of_partner(e, p);
    if (home == e->idx) {
        seen(e, jid_ascii_slice(&ascii_local), jid_ascii_slice(&ascii_remote));
        return;
    }
    m = mail_pair_new(MAIL_PARTNER_SEEN, jid_ascii_slice(&ascii_local),
                      jid_ascii_slice(&ascii_remote));
    if (m) {
        edge_post(e, home, &m->mail);
    }
}

void link_partner_seen(struct edge *e, const struct mail_pair *m)
{
    seen(e, slice_make(m->data, m->local_len), slice_make(m->data + m->local_len, m->remote_len));
}

void link_confirm_send(struct edge *e, struct slice local, struct slice remote, uint64_t number)
{
    const struct partner *p = snapshot_partner(edge_policy(e), remote);
    struct mail_confirm *m;
    uint32_t home;

    if (!p) {
        return;
    }
    m = edge_mail_new(MAIL_CONFIRM, sizeof(*m) + local.len + remote.len);
    if (!m) {
        return; /* the ping counts as unanswered */
    }
    m->number = number;
    m->local_len = (uint16_t)local.len;
    m->remote_len = (uint16_t)remote.len;
    memcpy(mempcpy(m->data, local.ptr, local.len), remote.ptr, remote.len);
    home = edge_home_of_partner(e, p);
    if (home == e->idx) {
        link_confirm(e, m);
        pool_free(m);
    } else {
        edge_post(e, home, &m->mail);
    }
}

static void on_backoff_over(struct wheel_timer *t, void *ctx)
{
    struct link *l = ctx;

    (void)t;
    ASSERT(l->magic == LINK_MAGIC);
    if (l->waiting.count != 0 || !list_is_empty(&l->verifies)) {
        link_connect(l);
    } else {
        l->is_down_for_good = false;
        link_set_state(l, LINK_ST_IDLE);
    }
}

static uint64_t backoff_ms(struct link *l)
{
    uint32_t shift = l->attempts < BACKOFF_SHIFT_MAX ? l->attempts : BACKOFF_SHIFT_MAX;
    uint64_t ms = (uint64_t)BACKOFF_FIRST_MS << shift;
    uint32_t random;

    if (ms > BACKOFF_MAX_MS) {
        ms = BACKOFF_MAX_MS;
    }
    edge_setup(l->host.e)->crypto->random(&random, sizeof(random));
    return ms - ms / 4 + random % (ms / 2 + 1); /* +-25 % */
}

static enum stanza_condition verify_condition(enum fail_step step)
{
    if (step == FAIL_STEP_DNS) {
        return STANZA_CONDITION_REMOTE_SERVER_NOT_FOUND;
    }
    return step == FAIL_STEP_TIMEOUT ? STANZA_CONDITION_REMOTE_SERVER_TIMEOUT
                                     : STANZA_CONDITION_REMOTE_CONNECTION_FAILED;
}

void link_down(struct link *l, enum fail_step step, bool is_for_good, const char *text)
{
    struct edge *e = l->host.e;

    e->stats.streams_out_failed++;
    partner_run_failed(e, partner_run_of(e, link_remote(l)), PARTNER_OUT, step, text);
    LOG_W(dial_failed, "local=%s remote=%s step=%s attempt=%u text=%s",
          log_quote(link_local(l)).text, log_quote(link_remote(l)).text, fail_step_name(step),
          l->attempts + 1, log_quote(slice_from_cstr(text)).text);
    dial_free(l->dial);
    l->dial = NULL;
    l->avoid_tls = false;
    l->fail_step = step;
    if (l->part != LINK_PART_MAIN) {
        link_aside_over(l);
        return;
    }
    l->is_down_for_good = is_for_good;
    if (l->state != LINK_ST_BACKOFF) {
        link_set_state(l, LINK_ST_BACKOFF);
    }
    shard_timer_arm(e->sh, &l->timer, backoff_ms(l), on_backoff_over, l);
    l->attempts++;
    link_fail_verifies(l, verify_condition(step));
    if (is_for_good || e->is_draining) {
        bounce_queue(e, &l->waiting,
                     step == FAIL_STEP_DNS ? BOUNCE_NOT_FOUND : BOUNCE_NO_STREAM, NULL);
    }
    update_gate(l);
}

void link_after_stream(struct link *l)
{
    struct edge *e = l->host.e;

    dial_free(l->dial);
    l->dial = NULL;
    l->avoid_tls = false;
    l->is_held = false;
    l->renew_failures = 0;
    if (l->part != LINK_PART_MAIN) {
        link_aside_over(l);
        return;
    }
    if (link_succeed(l)) {
        return;
    }
    for (struct list *at = l->verifies.next; at != &l->verifies; at = at->next) {
        LIST_ENTRY(at, struct mail_verify, mail.link)->is_sent = false;
    }
    update_gate(l);
    if (e->is_draining) {
        link_set_state(l, LINK_ST_IDLE);
        bounce_queue(e, &l->waiting, BOUNCE_DRAIN, NULL);
    } else if (l->waiting.count == 0 && list_is_empty(&l->verifies)) {
        link_set_state(l, LINK_ST_IDLE);
    } else if (l->is_failed) {
        /* It was there a moment ago: try again soon, keep what waits. */
        l->is_down_for_good = false;
        link_set_state(l, LINK_ST_BACKOFF);
        shard_timer_arm(e->sh, &l->timer, backoff_ms(l), on_backoff_over, l);
    } else {
        link_connect(l);
    }
}

void links_turn_end(struct edge *e)
{
    struct list *link;

    while ((link = list_pop_front(&e->links_dirty))) {
        struct link *l = LIST_ENTRY(link, struct link, dirty);

        if (l->state == LINK_ST_READY) {
            link_write_waiting(l);
            link_settle(l);
            link_renew(l);
            update_gate(l);
        }
    }
    links_aside_turn_end(e);
}

/* Calls visit for each link; a link may be freed by its own visit. */
static void for_each(struct edge *e, void (*visit)(struct link *l))
{
    size_t cursor = 0;
    size_t count = 0;
    struct link **all;
    struct link *l;

    if (e->links.count == 0) {
        return;
    }
    all = pool_heap_zalloc(e->links.count * sizeof(struct link *));
    while ((l = map_next(&e->links, &cursor))) {
        all[count++] = l;
    }
    for (size_t i = 0; i < count; i++) {
        visit(all[i]);
    }
    pool_heap_free(all);
}

static void tick(struct link *l)
{
    struct edge *e = l->host.e;
    uint64_t age_max_ms = (uint64_t)edge_policy(e)->limits.queue_age_s_max * 1000;
    uint64_t now = shard_now_ms(e->sh);
    struct block *b;

    while ((b = block_queue_peek(&l->waiting)) && now - b->created_ms > age_max_ms) {
        (void)block_queue_pop(&l->waiting);
        bounce_block(e, b, BOUNCE_QUEUE_AGE, NULL);
    }
    if (l->state == LINK_ST_READY) {
        link_ping_tick(l);
        link_mark_dirty(l);
    }
    update_gate(l);
    if (l->state == LINK_ST_IDLE && l->waiting.count == 0 && list_is_empty(&l->verifies)) {
        link_free(l);
    }
}

void links_tick(struct edge *e)
{
    for_each(e, tick);
}

static const struct stream_refusal *refusal_of(const struct link *l)
{
    return host_review(&l->host, link_remote(l),
                       l->state == LINK_ST_READY && l->rests_on_certificate);
}

/* What waits is kept for a stream that may be. */
static void review_streams(struct link *l)
{
    const struct stream_refusal *refusal = refusal_of(l);

    if (refusal || (l->successor && refusal_of(l->successor))) {
        link_drop_successor(l);
    }
    if (refusal) {
        link_close(l, refusal->condition, refusal->text);
    }
}

static void review(struct link *l)
{
    struct edge *e = l->host.e;

    if (policy_pair(edge_policy(e), link_local(l), link_remote(l)).allowed) {
        review_streams(l);
        return;
    }
    bounce_queue(e, &l->waiting, BOUNCE_POLICY, NULL);
    link_drop_successor(l);
    link_close(l, STREAM_CONDITION_NONE, "");
}

void links_review(struct edge *e)
{
    for_each(e, review);
}

/* What has no stream now will not get one: answered. What has one goes out and is confirmed. */
static void drain_flush(struct link *l)
{
    link_drop_successor(l);
    if (l->state != LINK_ST_READY && l->state != LINK_ST_CLOSING) {
        bounce_queue(l->host.e, &l->waiting, BOUNCE_DRAIN, NULL);
    }
    if (l->state == LINK_ST_DIALLING) {
        dial_free(l->dial);
        l->dial = NULL;
        link_fail_verifies(l, STANZA_CONDITION_REMOTE_CONNECTION_FAILED);
        link_set_state(l, LINK_ST_IDLE);
    }
}

static void drain_close(struct link *l)
{
    struct edge *e = l->host.e;

    bounce_queue(e, &l->waiting, BOUNCE_DRAIN, NULL);
    bounce_queue(e, &l->written, BOUNCE_UNACKED, NULL);
    link_drop_successor(l);
    link_close(l, STREAM_CONDITION_NONE, "");
}

uint32_t links_drain_flush(struct edge *e)
{
    size_t cursor = 0;
    uint32_t busy = 0;
    struct link *l;

    for_each(e, drain_flush);
    while ((l = map_next(&e->links, &cursor))) {
        busy += l->waiting.count != 0 || l->written.count != 0;
    }
    return busy;
}

uint32_t links_drain_close(struct edge *e)
{
    size_t cursor = 0;
    uint32_t open = 0;
    struct link *l;

    for_each(e, drain_close);
    while ((l = map_next(&e->links, &cursor))) {
        open += l->c != NULL;
    }
    return open + links_aside_close(e);
}

void links_free(struct edge *e)
{
    links_aside_free(e);
    for_each(e, link_free);
    map_deinit(&e->links);
}

void links_report(struct edge *e, struct slice primary, struct report_partner *out)
{
    size_t cursor = 0;
    struct link *l;

    while ((l = map_next(&e->links, &cursor))) {
        const struct partner *p = snapshot_partner(edge_policy(e), link_remote(l));

        if (p && slice_eq(p->domain, primary)) {
            out->queue_count += l->waiting.count;
            out->queue_bytes += l->waiting.bytes;
            out->unacked_count += l->written.count;
        }
    }
}

void links_report_streams(const struct edge *e, struct report_streams *out)
{
    size_t cursor = 0;
    struct link *l;

    while ((l = map_next(&e->links, &cursor))) {
        if (l->state == LINK_ST_READY) {
            report_stream_add(out, l->c, PARTNER_OUT, link_local(l), link_remote(l));
        }
    }
}

uint32_t links_open_count(const struct edge *e)
{
    size_t cursor = 0;
    uint32_t count = 0;
    struct link *l;

    while ((l = map_next(&e->links, &cursor))) {
        count += l->state == LINK_ST_READY;
    }
    return count;
}
