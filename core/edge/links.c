/* SPDX-License-Identifier: GPL-2.0-or-later */
/* links: what is done with all links of a shard: turns, ticks, new rules, orderly stop, figures. */
#include "base/pool.h"
#include "edge/link.h"
#include "edge/link_int.h"
#include "edge/report.h"

void links_turn_end(struct edge *e)
{
    struct list *link;

    while ((link = list_pop_front(&e->links_dirty))) {
        struct link *l = LIST_ENTRY(link, struct link, dirty);

        if (l->waiting.count != 0) {
            (void)link_review(l); /* nothing is written by rules that are gone */
        }
        if (l->state == LINK_ST_READY) {
            link_write_waiting(l);
            link_settle(l);
            link_renew(l);
            link_update_gate(l);
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

    /* Another shard made it, perhaps after this turn began: its time may be ahead of ours. */
    while ((b = block_queue_peek(&l->waiting)) && b->created_ms + age_max_ms < now) {
        (void)block_queue_pop(&l->waiting);
        bounce_block(e, b, BOUNCE_QUEUE_AGE, NULL);
    }
    if (l->state == LINK_ST_READY) {
        link_ping_tick(l);
        link_give_up_unsent(l);
        link_mark_dirty(l);
    }
    link_update_gate(l);
    if (l->state == LINK_ST_IDLE && l->waiting.count == 0 && list_is_empty(&l->verifies)) {
        link_free(l);
    }
}

void links_tick(struct edge *e)
{
    for_each(e, tick);
    links_make_room(e);
}

uint32_t links_review_next(struct edge *e)
{
    struct list *first = list_first(&e->links_all);
    struct link *l = first ? LIST_ENTRY(first, struct link, all) : NULL;

    return l ? link_review(l) : 0;
}

/* What has no stream now will not get one: answered. What has one goes out and is confirmed. */
static void drain_flush(struct link *l)
{
    link_drop_successor(l);
    if (l->state == LINK_ST_READY) {
        link_mark_dirty(l); /* what is unasked is asked for now */
    }
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
