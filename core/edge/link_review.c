/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link_review: an outgoing stream, or the wish for one, against rules and limits: after a reload,
 * and before dialling. */
#include "base/check.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/pool.h"
#include "edge/again.h"
#include "edge/link_int.h"

#define PLACE_RETRY_MS 500u
/* A stream that nobody has used for so long makes room for one that is wanted. */
#define PLACE_IDLE_MS 2000u
#define PLACE_LOOKS_MAX 256u
/* A stream that has not taken in this time what was written before a reload hangs. */
#define UNSENT_MS 250u

uint64_t link_rules_mark(const struct partner *p)
{
    return hash_bytes(p->proxy_host) ^ ((uint64_t)p->proxy_port << 16) ^
           ((uint64_t)p->row->number << 8) ^ p->tls_min;
}

uint32_t link_stanza_bytes_max(struct link *l)
{
    struct edge *e = l->host.e;

    if (l->bytes_max_version != e->setup_version + 1) { /* asked for with every stanza */
        const struct partner *p = snapshot_partner(edge_policy(e), link_remote(l));
        uint32_t own = p && p->extra ? p->extra->stanza_bytes_max : 0;

        l->bytes_max = edge_policy(e)->limits.stanza_bytes_max;
        l->bytes_max = own != 0 && own < l->bytes_max ? own : l->bytes_max;
        l->bytes_max_version = e->setup_version + 1;
    }
    return l->bytes_max;
}

/* What waits and was let pass by rules that are gone; how many these were. */
static uint32_t judge_waiting(struct link *l)
{
    struct edge *e = l->host.e;
    struct block_queue kept;
    struct block *b;
    uint32_t count = 0;

    block_queue_init(&kept);
    while ((b = block_queue_pop(&l->waiting))) {
        bool is_due = again_is_due(e, b->generation);

        count += is_due;
        if (!is_due || again_block(e, &b)) {
            block_queue_push(&kept, b);
        }
    }
    while ((b = block_queue_pop(&kept))) {
        block_queue_push(&l->waiting, b);
    }
    return count;
}

void link_refuse(struct link *l, const struct policy_verdict *verdict)
{
    struct edge *e = l->host.e;
    bool is_later = verdict->reason == POLICY_MAINTENANCE;
    const struct stream_refusal *refusal = host_refusal_of(e, verdict);

    LOG_D(stream_refused, "dir=out local=%s remote=%s why=%s rule=%s",
          log_quote(link_local(l)).text, log_quote(link_remote(l)).text,
          policy_reason_name(verdict->reason),
          host_rule_of(e, link_local(l), link_remote(l)).text);
    if (l->part != LINK_PART_MAIN) {
        link_down(l, FAIL_STEP_POLICY, true, policy_reason_name(verdict->reason));
        return;
    }
    link_drop_successor(l);
    dial_free(l->dial);
    l->dial = NULL;
    if (l->c) {
        link_close_refused(l, refusal);
    } else if (l->state != LINK_ST_IDLE) {
        shard_timer_disarm(e->sh, &l->timer);
        link_set_state(l, LINK_ST_IDLE);
    }
    l->attempts = 0;
    l->is_down_for_good = false;
    link_fail_verifies(l, refusal->dialback);
    (void)judge_waiting(l); /* as who comes now; answers of ours are left */
    bounce_queue(e, &l->waiting, is_later ? BOUNCE_MAINTENANCE : BOUNCE_POLICY,
                 is_later ? refusal->text : NULL);
    link_update_gate(l);
}

static void on_evict(struct place *p, const char *limit)
{
    struct link *l = CONTAINER_OF(p, struct link, place);
    struct edge *e = l->host.e;

    ASSERT(l->magic == LINK_MAGIC);
    e->stats.connection_limit_closed++;
    LOG_W(stream_refused, "dir=out local=%s remote=%s why=connection-limit of=%s note=lowered",
          log_quote(link_local(l)).text, log_quote(link_remote(l)).text, limit);
    if (l->state == LINK_ST_DIALLING) {
        dial_free(l->dial);
        l->dial = NULL;
        link_wait_for_place(l, limit);
        return;
    }
    link_drop_successor(l);
    link_close(l, STREAM_CONDITION_NONE, "");
}

const char *link_take_place(struct link *l, const struct partner *p)
{
    struct edge *e = l->host.e;
    struct partner_run *run = partner_run_of(e, link_remote(l));

    if (l->part != LINK_PART_MAIN || !run) {
        return NULL;
    }
    l->place.direction = PARTNER_OUT;
    l->place.evict = on_evict;
    return place_take(e, &l->place, run, p);
}

static bool is_idle(const struct link *l)
{
    return l->part == LINK_PART_MAIN && l->state == LINK_ST_READY && !l->successor &&
           l->waiting.count == 0 && l->written.count == 0 && list_is_empty(&l->verifies) &&
           shard_now_ms(l->host.e->sh) - l->used_ms >= PLACE_IDLE_MS;
}

static struct link *link_at(struct list *at, bool is_partners)
{
    struct place *p = is_partners ? LIST_ENTRY(at, struct place, of_partner)
                                  : LIST_ENTRY(at, struct place, all);

    return CONTAINER_OF(p, struct link, place);
}

static bool close_idle(struct list *places, bool is_partners)
{
    struct list *at = places->next;

    for (uint32_t i = 0; i < PLACE_LOOKS_MAX && at != places; i++, at = at->next) {
        struct link *l = link_at(at, is_partners);

        if (is_idle(l)) {
            LOG_D(stream_closed, "dir=out local=%s remote=%s note=\"makes room for another\"",
                  log_quote(link_local(l)).text, log_quote(link_remote(l)).text);
            link_close(l, STREAM_CONDITION_NONE, "");
            return true;
        }
    }
    return false;
}

/* Else those who share a limit would wait for each other's inactivity. */
static void make_room(struct link *l, bool is_partners)
{
    struct edge *e = l->host.e;
    struct partner_run *run = partner_run_of(e, link_remote(l));

    if (is_partners && run) {
        (void)close_idle(&run->places[PARTNER_OUT], true);
    } else if (!close_idle(&e->places[PARTNER_OUT], false)) {
        atomic_store_explicit(&e->shared->is_place_wanted, true, memory_order_relaxed);
    }
}

void links_make_room(struct edge *e)
{
    _Atomic bool *is_wanted = &e->shared->is_place_wanted;

    /* One of the shards takes the wish, and hands it on when it has none to give. A wish may be
     * left from one who waits no more: one idle stream is closed in vain then. */
    if (atomic_load_explicit(is_wanted, memory_order_relaxed) &&
        atomic_exchange_explicit(is_wanted, false, memory_order_relaxed) &&
        !close_idle(&e->places[PARTNER_OUT], false)) {
        atomic_store_explicit(is_wanted, true, memory_order_relaxed);
    }
}

void link_wait_for_place(struct link *l, const char *limit)
{
    struct edge *e = l->host.e;
    uint32_t random;

    if (!l->is_limited) {
        e->stats.connection_limit_waits++;
        partner_run_failed(e, partner_run_of(e, link_remote(l)), PARTNER_OUT, FAIL_STEP_POLICY,
                           limit[0] == 'p' ? "waits: the partner's connection limit is reached"
                                           : "waits: gateway.connection_limit is reached");
        LOG_W(stream_refused, "dir=out local=%s remote=%s why=connection-limit of=%s note=waits",
              log_quote(link_local(l)).text, log_quote(link_remote(l)).text, limit);
    }
    make_room(l, limit[0] == 'p');
    l->is_limited = true;
    l->is_down_for_good = false;
    if (l->state != LINK_ST_BACKOFF) {
        link_set_state(l, LINK_ST_BACKOFF);
    }
    edge_setup(e)->crypto->random(&random, sizeof(random));
    shard_timer_arm(e->sh, &l->timer, PLACE_RETRY_MS + random % PLACE_RETRY_MS,
                    link_on_backoff_over, l);
    link_fail_verifies(l, STANZA_CONDITION_RESOURCE_CONSTRAINT);
    if (e->is_draining) {
        bounce_queue(e, &l->waiting, BOUNCE_DRAIN, NULL);
    }
    link_update_gate(l);
}

/* What was written before this reload and has not left yet is watched (link_give_up_unsent); after
 * an earlier one, when that has left: reloads that come fast must not put it off. */
static void note_unsent(struct link *l)
{
    uint64_t sent = l->c ? conn_bytes_sent(l->c) : 0;
    uint64_t end = l->c ? conn_bytes_written(l->c) : 0;

    if (sent < l->old_end && l->old_end <= end) {
        return;
    }
    l->old_end = sent < end ? end : 0;
    l->old_since_ms = shard_now_ms(l->host.e->sh);
}

/* Whether any that has not left, or not all of it, would be refused now. */
static bool is_refused_unsent(struct link *l, uint64_t sent)
{
    struct edge *e = l->host.e;

    for (struct list *at = l->written.blocks.prev; at != &l->written.blocks; at = at->prev) {
        struct block *b = LIST_ENTRY(at, struct block, mail.link);

        if (b->start_offset + b->bytes_len <= sent) {
            break; /* as have those before it */
        }
        if (again_is_due(e, b->generation) && again_is_refused(e, b)) {
            return true;
        }
    }
    return false;
}

static bool has_written_old(const struct link *l)
{
    const struct block_queue *q = &l->written;

    return q->count != 0 &&
           again_is_due(l->host.e,
                        LIST_ENTRY(q->blocks.prev, struct block, mail.link)->generation);
}

void link_give_up_unsent(struct link *l)
{
    struct edge *e = l->host.e;
    uint64_t sent = conn_bytes_sent(l->c);

    if (l->old_end == 0 || shard_now_ms(e->sh) - l->old_since_ms < UNSENT_MS) {
        return;
    }
    if (sent >= l->old_end) {
        l->old_end = 0;
        if (has_written_old(l)) {
            note_unsent(l);
        }
        return;
    }
    l->old_end = 0; /* looked at once */
    if (is_refused_unsent(l, sent)) {
        static const char why[] = "does not take what a reload forbids now";

        LOG_W(stream_refused, "dir=out local=%s remote=%s why=reload text=%s",
              log_quote(link_local(l)).text, log_quote(link_remote(l)).text,
              log_quote(slice_from_cstr(why)).text);
        conn_abort(l->c, ERR_SHUTDOWN, why);
    }
}

static void review_stream(struct link *l, const struct partner *p)
{
    struct edge *e = l->host.e;
    const struct stream_refusal *refusal = host_review(&l->host, l->s);

    if (refusal) {
        /* What waits is kept for a stream that may be. */
        partner_run_failed(e, partner_run_of(e, link_remote(l)), PARTNER_OUT, FAIL_STEP_POLICY,
                           refusal->text);
        link_drop_successor(l);
        link_close_refused(l, refusal);
    } else if (l->place.run) {
        place_shed_partner(e, l->place.run, p);
    }
    if (l->s) {
        link_settle(l); /* its timers may be others now */
    }
}

/* The row is another now, or a limit: what failed may do better. */
static void review_wish(struct link *l, const struct partner *p)
{
    if (l->state == LINK_ST_BACKOFF && (l->is_limited || l->rules_mark != link_rules_mark(p))) {
        l->attempts = 0;
        shard_timer_disarm(l->host.e->sh, &l->timer);
        link_on_backoff_over(NULL, l);
    }
}

uint32_t link_review(struct link *l)
{
    struct edge *e = l->host.e;
    struct policy_verdict verdict;
    uint32_t count = 1;

    if (l->reviewed_version == e->setup_version) {
        return 0;
    }
    l->reviewed_version = e->setup_version;
    list_remove(&l->all);
    list_push_back(&e->links_all, &l->all);
    if (l->part == LINK_PART_SUCCESSOR && host_review(&l->host, l->s)) {
        link_drop_successor(l->main);
    }
    if (l->part != LINK_PART_MAIN) {
        return count;
    }
    verdict = policy_pair(edge_policy(e), link_local(l), link_remote(l));
    if (verdict.allowed) {
        count += policy_pair_is_plain(edge_policy(e), &verdict) ? 0 : judge_waiting(l);
        note_unsent(l);
        review_stream(l, verdict.partner);
        review_wish(l, verdict.partner);
        link_update_gate(l);
    } else {
        count += l->waiting.count;
        link_refuse(l, &verdict);
    }
    return count;
}
