/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link: queue, life and retries of the traffic towards one domain of a partner. links.c: of all. */
#include "edge/link.h"

#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "edge/link_int.h"
#include "edge/presence_side.h"
#include "edge/report.h"
#include "edge/route.h"

#define BACKOFF_FIRST_MS 1000u
#define BACKOFF_MAX_MS 300000u
#define BACKOFF_SHIFT_MAX 9u

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
    if (state == LINK_ST_IDLE || state == LINK_ST_BACKOFF) {
        place_give(l->host.e, &l->place);
    }
    l->is_limited = l->is_limited && state != LINK_ST_NEGOTIATING;
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
    UNINITIALIZED char mem[LINK_GATE_BYTES];

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
    l->reviewed_version = e->setup_version;
    list_push_back(&e->links_all, &l->all);
    l->local_len = (uint16_t)local.len;
    l->remote_len = (uint16_t)remote.len;
    memcpy(l->key, local.ptr, local.len);
    l->key[local.len] = ' ';
    memcpy(l->key + local.len + 1, remote.ptr, remote.len);
    return l;
}

struct link *link_find_or_make(struct edge *e, struct slice local, struct slice remote)
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

/* The same, remembered with the pair. */
static struct link *link_of(struct edge *e, struct way *w, struct slice local, struct slice remote)
{
    if (!w->link || w->links_mark != e->links_mark) {
        w->link = link_find_or_make(e, local, remote);
        w->links_mark = e->links_mark;
    }
    return w->link;
}

void link_free(struct link *l)
{
    struct edge *e = l->host.e;
    struct block *b;
    struct list *link;

    if (l->part == LINK_PART_MAIN) {
        (void)map_remove(&e->links, slice_make(l->key, (size_t)l->local_len + 1 + l->remote_len));
    }
    e->links_mark++;
    list_remove(&l->aside);
    list_remove(&l->all);
    place_give(e, &l->place);
    shard_timer_disarm(e->sh, &l->timer);
    shard_timer_disarm(e->sh, &l->ask_timer);
    list_remove(&l->dirty);
    dial_free(l->dial);
    stream_free(l->s);
    pool_free(l->fail_text);
    while ((b = block_queue_pop(&l->waiting)) || (b = block_queue_pop(&l->written))) {
        block_free(b);
    }
    while ((link = list_pop_front(&l->verifies))) {
        pool_free(LIST_ENTRY(link, struct mail_verify, mail.link));
    }
    l->magic = 0;
    pool_free(l);
}

void link_deliver(struct edge *e, struct way *w, struct block *b)
{
    const struct limit_settings *limits = &edge_policy(e)->limits;
    struct link *l = link_of(e, w, block_local(b), block_remote(b));
    uint32_t bytes_max;

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
    bytes_max = link_stanza_bytes_max(l);
    if (b->bytes_len > bytes_max) {
        bounce_block(e, b, BOUNCE_SIZE, "larger than is agreed with this domain");
        return;
    }
    block_queue_push(&l->waiting, b);
    link_mark_dirty(l);
    if (l->state == LINK_ST_IDLE) {
        link_connect(l);
    }
    link_update_gate(l);
}

static void seen(struct edge *e, struct slice local, struct slice remote)
{
    struct link *l = find(e, local, remote);

    presence_side_partner_seen(e, remote, true);
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

void link_on_backoff_over(struct wheel_timer *t, void *ctx)
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
    shard_timer_arm(e->sh, &l->timer, backoff_ms(l), link_on_backoff_over, l);
    l->attempts++;
    if (l->attempts == 1 && !e->is_draining) {
        presence_side_partner_seen(e, link_remote(l), false);
    }
    link_fail_verifies(l, verify_condition(step));
    if (is_for_good || e->is_draining) {
        bounce_queue(e, &l->waiting,
                     step == FAIL_STEP_DNS ? BOUNCE_NOT_FOUND : BOUNCE_NO_STREAM, NULL);
    }
    link_update_gate(l);
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
    link_update_gate(l);
    if (e->is_draining) {
        link_set_state(l, LINK_ST_IDLE);
        bounce_queue(e, &l->waiting, BOUNCE_DRAIN, NULL);
    } else if (l->waiting.count == 0 && list_is_empty(&l->verifies)) {
        link_set_state(l, LINK_ST_IDLE);
    } else if (l->is_failed) {
        /* It was there a moment ago: try again soon, keep what waits. */
        l->is_down_for_good = false;
        link_set_state(l, LINK_ST_BACKOFF);
        shard_timer_arm(e->sh, &l->timer, backoff_ms(l), link_on_backoff_over, l);
    } else {
        link_connect(l);
    }
}
