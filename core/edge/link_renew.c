/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link_renew: a stream whose TLS keys are used up and cannot be renewed is replaced while it still
 * carries. A successor (a link of its own, beside the map) dials and negotiates; when it is ready
 * nothing more is written to the old stream; when everything written there is confirmed the
 * successor takes the old one's place and queue. So nothing is lost, sent twice or overtaken.
 * Where the partner confirms nothing, its closing of the old stream stands for that.           */
#include "base/check.h"
#include "base/pool.h"
#include "edge/link_int.h"

#define RENEW_RETRY_MS 5000u
/* Then the old stream is given nothing more and is closed; its successor is dialled after that. */
#define RENEW_FAILURES_MAX 3u

static void set_part(struct link *l, enum link_part part)
{
    ASSERT(l->part != LINK_PART_DEAD);
    l->part = part;
    if (part == LINK_PART_MAIN) {
        list_remove(&l->aside);
    } else if (!list_is_linked(&l->aside)) {
        list_push_back(&l->host.e->links_aside, &l->aside);
    }
}

static void begin(struct link *l)
{
    struct edge *e = l->host.e;
    struct link *s = link_new(e, link_local(l), link_remote(l));

    if (!s) {
        return; /* memory may come back: asked again soon */
    }
    e->stats.tls_worn++;
    LOG_I(stream_worn, "dir=out peer=%s local=%s remote=%s", conn_peer_text(l->c),
          log_quote(link_local(l)).text, log_quote(link_remote(l)).text);
    s->main = l;
    l->successor = s;
    set_part(s, LINK_PART_SUCCESSOR);
    link_connect(s);
}

/* The old link's place in the map, its queue and its questions are s's from now on. */
static void take_over(struct link *s, struct link *l)
{
    struct edge *e = l->host.e;
    struct slice key = slice_make(l->key, (size_t)l->local_len + 1 + l->remote_len);
    struct block *b;

    ASSERT(l->part == LINK_PART_MAIN && s->main == l && l->written.count == 0);
    (void)map_remove(&e->links, key);
    while ((b = block_queue_pop(&l->waiting))) {
        block_queue_push(&s->waiting, b);
    }
    for (struct list *at = l->verifies.next; at != &l->verifies; at = at->next) {
        LIST_ENTRY(at, struct mail_verify, mail.link)->is_sent = false; /* to be asked again */
    }
    list_splice(&s->verifies, &l->verifies);
    link_hand_over_gates(l, s);
    l->successor = NULL;
    s->main = NULL;
    place_move(&s->place, &l->place);
    set_part(s, LINK_PART_MAIN);
    set_part(l, LINK_PART_RETIRED);
    (void)map_add(&e->links, slice_make(s->key, key.len), s);
    e->links_mark++;
    link_send_verifies(s);
    link_mark_dirty(s);
}

/* Everything that was written is confirmed, or (without confirmation) sent. */
static void drained(struct link *l)
{
    if (l->successor && l->confirm != LINK_CONFIRM_NONE) {
        take_over(l->successor, l);
    }
    link_close(l, STREAM_CONDITION_NONE, "");
}

void link_renew(struct link *l)
{
    uint64_t now = shard_now_ms(l->host.e->sh);

    if (l->part != LINK_PART_MAIN || l->state != LINK_ST_READY) {
        return;
    }
    if (l->is_held) {
        if (l->written.count == 0) {
            drained(l);
        }
        return;
    }
    if (l->successor) {
        l->is_held = l->successor->state == LINK_ST_READY;
        if (l->is_held) {
            link_renew_held(l);
        }
        return;
    }
    if (!conn_is_worn(l->c) || l->host.e->is_draining || now < l->renew_ms) {
        return;
    }
    if (l->renew_failures >= RENEW_FAILURES_MAX) {
        l->is_held = true;
        link_renew_held(l);
        return;
    }
    begin(l);
}

void link_renew_held(struct link *l)
{
    link_write_waiting(l); /* the ping that confirms the last of it */
    link_settle(l);
    link_mark_dirty(l);
}

void link_aside_ready(struct link *s)
{
    if (s->part == LINK_PART_SUCCESSOR) {
        link_mark_dirty(s->main);
    }
}

void link_aside_over(struct link *l)
{
    struct link *main = l->main;

    if (l->part == LINK_PART_SUCCESSOR) {
        main->successor = NULL;
        main->is_held = false;
        main->renew_failures++;
        main->renew_ms = shard_now_ms(l->host.e->sh) + RENEW_RETRY_MS;
        link_mark_dirty(main);
    }
    shard_timer_disarm(l->host.e->sh, &l->timer);
    list_remove(&l->dirty);
    l->main = NULL;
    set_part(l, LINK_PART_DEAD); /* freed when nobody is inside it any more */
}

bool link_succeed(struct link *l)
{
    if (!l->successor || l->host.e->is_draining) {
        return false;
    }
    take_over(l->successor, l);
    link_aside_over(l);
    return true;
}

void link_drop_successor(struct link *l)
{
    struct link *s = l->successor;

    l->is_held = false;
    if (!s) {
        return;
    }
    l->successor = NULL;
    s->main = NULL;
    set_part(s, LINK_PART_RETIRED);
    if (s->state == LINK_ST_DIALLING) {
        dial_free(s->dial);
        s->dial = NULL;
        link_set_state(s, LINK_ST_IDLE);
    }
    if (s->c) {
        link_close(s, STREAM_CONDITION_NONE, "");
    } else {
        link_aside_over(s);
    }
}

void links_aside_turn_end(struct edge *e)
{
    struct list *at = e->links_aside.next;

    while (at != &e->links_aside) {
        struct link *l = LIST_ENTRY(at, struct link, aside);

        at = at->next;
        if (l->part == LINK_PART_DEAD) {
            link_free(l);
        }
    }
}

uint32_t links_aside_close(struct edge *e)
{
    uint32_t open = 0;

    for (struct list *at = e->links_aside.next; at != &e->links_aside; at = at->next) {
        struct link *l = LIST_ENTRY(at, struct link, aside);

        open += l->c != NULL;
        link_close(l, STREAM_CONDITION_NONE, "");
    }
    return open;
}

void links_aside_free(struct edge *e)
{
    struct list *link;

    while ((link = list_first(&e->links_aside))) {
        link_free(LIST_ENTRY(link, struct link, aside));
    }
}
