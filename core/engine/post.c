/* SPDX-License-Identifier: GPL-2.0-or-later */
/* post: mail between shards and the door-bell. Mail travels in mailboxes; when one is full it waits
 * in a bounded queue on the producer's side. It is published at the end of the turn, or when there
 * is as much as the receiver takes in one. Bells are rung behind that, and only for who sleeps. */
#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "engine/conn_int.h"
#include "engine/shard_state.h"

#define MAILS_PER_POP 64u
/* A mail lies in another core's cache: so many are asked for ahead, so much of each: a stanza of
 * the common size with its names. */
#define MAILS_AHEAD      4u
#define MAIL_AHEAD_BYTES 448u
#define LINE_BYTES       64u

void mail_free(struct mail *m)
{
    pool_free(m);
}

void shard_post_init(struct shard *sh)
{
    list_init(&sh->local_mail);
    for (uint32_t i = 0; i < ENGINE_SHARDS_MAX; i++) {
        list_init(&sh->ways[i].fifo);
        list_init(&sh->ways[i].waits);
    }
}

static uint32_t way_used(const struct shard *sh, uint32_t to_idx)
{
    if (to_idx == sh->idx) {
        return sh->local_count;
    }
    return mailbox_held(engine_box(sh->engine, to_idx, sh->idx)) + sh->ways[to_idx].fifo_count;
}

static bool put(struct mailbox *box, struct mail *m)
{
    bool is_taken = mailbox_put(box, m);

    if (mailbox_unpublished(box) >= SHARD_MAILS_PER_BATCH) {
        mailbox_publish(box);
    }
    return is_taken;
}

static int post(struct shard *sh, uint32_t to_idx, struct mail *m, bool is_reply)
{
    struct mail_way *way = &sh->ways[to_idx];

    ASSERT(to_idx < sh->engine->shard_count);
    m->from_idx = sh->idx;
    m->link = (struct list){NULL, NULL};
    if (to_idx == sh->idx) {
        if (!is_reply && sh->local_count >= SHARD_MAIL_ROOM) {
            stat_add(&sh->stats.mail_full, 1);
            return ERR_FULL;
        }
        list_push_back(&sh->local_mail, &m->link);
        sh->local_count++;
        return 0;
    }
    way->is_touched = true;
    /* Nothing may overtake what waits. */
    if (way->fifo_count == 0 && put(engine_box(sh->engine, to_idx, sh->idx), m)) {
        return 0;
    }
    if (!is_reply && way->fifo_count >= SHARD_MAIL_RESERVE) {
        stat_add(&sh->stats.mail_full, 1);
        return ERR_FULL;
    }
    list_push_back(&way->fifo, &m->link);
    way->fifo_count++;
    return 0;
}

int shard_post(struct shard *sh, uint32_t to_idx, struct mail *m)
{
    return post(sh, to_idx, m, false);
}

void shard_post_reply(struct shard *sh, uint32_t to_idx, struct mail *m)
{
    int err = post(sh, to_idx, m, true);

    ASSERT(err == 0);
}

bool shard_mail_is_crowded(const struct shard *sh, uint32_t to_idx)
{
    return way_used(sh, to_idx) >= SHARD_MAIL_ROOM / 2;
}

void shard_wait_mail(struct shard *sh, struct shard_mail_wait *w, uint32_t to_idx,
                     void (*room)(struct shard_mail_wait *w, void *ctx), void *ctx)
{
    shard_wait_mail_cancel(w);
    w->to_idx = to_idx;
    w->room = room;
    w->ctx = ctx;
    list_push_back(&sh->ways[to_idx].waits, &w->link);
}

void shard_wait_mail_cancel(struct shard_mail_wait *w)
{
    list_remove(&w->link);
}

static bool has_room(const struct shard *sh, uint32_t to_idx)
{
    return way_used(sh, to_idx) <= MAILBOX_ENTRIES / 2;
}

static void push_fifo(struct shard *sh, uint32_t to_idx)
{
    struct mailbox *box = engine_box(sh->engine, to_idx, sh->idx);
    struct mail_way *way = &sh->ways[to_idx];
    struct list *link;

    /* Off the list first: once published it is the other thread's. */
    while ((link = list_pop_front(&way->fifo))) {
        if (!put(box, LIST_ENTRY(link, struct mail, link))) {
            list_push_front(&way->fifo, link);
            return;
        }
        way->fifo_count--;
        way->is_touched = true;
    }
}

static void call_waits(struct shard *sh, struct mail_way *way)
{
    struct list batch;
    struct list *link;

    (void)sh;
    list_init(&batch);
    list_splice(&batch, &way->waits);
    while ((link = list_pop_front(&batch))) {
        struct shard_mail_wait *w = LIST_ENTRY(link, struct shard_mail_wait, link);

        w->room(w, w->ctx);
    }
}

void shard_mail_push_on(struct shard *sh)
{
    for (uint32_t to = 0; to < sh->engine->shard_count; to++) {
        struct mail_way *way = &sh->ways[to];

        if (way->fifo_count == 0 && list_is_empty(&way->waits)) {
            continue;
        }
        if (to != sh->idx) {
            push_fifo(sh, to);
        }
        if (!list_is_empty(&way->waits) && has_room(sh, to)) {
            call_waits(sh, way);
        }
    }
}

void shard_notify(struct shard *to, struct shard *from)
{
    if (atomic_exchange_explicit(&to->is_sleeping, 0, memory_order_acq_rel) == 0) {
        return;
    }
    if (!from) {
        io_alarm_set(to->alarm_fd);
        return;
    }
    stat_add(&from->stats.doorbells, 1);
    if (from->io->vt->bell(from->io, to->io, (struct io_tag){IO_OP_BELL, to->idx, 0})) {
        io_alarm_set(to->alarm_fd); /* no room in our ring: the other way */
    }
}

void shard_mail_ring_bells(struct shard *sh)
{
    for (uint32_t to = 0; to < sh->engine->shard_count; to++) {
        if (sh->ways[to].is_touched) {
            sh->ways[to].is_touched = false;
            mailbox_publish(engine_box(sh->engine, to, sh->idx));
            shard_notify(&sh->engine->shards[to], sh);
        }
    }
}

static void deliver(struct shard *sh, struct mail *m)
{
    if (m->kind >= MAIL_KIND_ENGINE) {
        shard_mail_engine(sh, m);
        return;
    }
    stat_add(&sh->stats.mail_in, 1);
    sh->engine->params.app->mail(sh, m);
}

static void receive_local(struct shard *sh)
{
    uint32_t count =
        sh->local_count < SHARD_MAILS_PER_TURN ? sh->local_count : SHARD_MAILS_PER_TURN;
    struct list *link;

    while (count-- && (link = list_pop_front(&sh->local_mail))) {
        sh->local_count--;
        deliver(sh, LIST_ENTRY(link, struct mail, link));
    }
}

static void fetch_ahead(const struct mail *m)
{
    for (size_t at = 0; at < MAIL_AHEAD_BYTES; at += LINE_BYTES) {
        PREFETCH((const char *)m + at); /* perhaps beyond its end: a hint cannot fail */
    }
}

static void deliver_all(struct shard *sh, struct mail *const *mails, uint32_t count)
{
    for (uint32_t i = 0; i < count && i < MAILS_AHEAD; i++) {
        fetch_ahead(mails[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (i + MAILS_AHEAD < count) {
            fetch_ahead(mails[i + MAILS_AHEAD]);
        }
        deliver(sh, mails[i]);
    }
}

bool shard_mail_receive(struct shard *sh)
{
    struct engine *e = sh->engine;
    struct mail *mails[MAILS_PER_POP];
    bool is_more;

    receive_local(sh);
    is_more = sh->local_count > 0;
    for (uint32_t from = 0; from <= e->shard_count; from++) {
        struct mailbox *box = engine_box(e, sh->idx, from);
        uint32_t total = 0;
        uint32_t count = 0;

        do {
            count = mailbox_pop(box, mails, MAILS_PER_POP);
            deliver_all(sh, mails, count);
            total += count;
        } while (count == MAILS_PER_POP && total < SHARD_MAILS_PER_TURN);
        is_more = is_more || count == MAILS_PER_POP;
        if (total && from < e->shard_count && mailbox_take_room_wanted(box)) {
            sh->ways[from].is_touched = true; /* the producer waits for room */
        }
    }
    return is_more;
}

bool shard_has_news(struct shard *sh)
{
    struct engine *e = sh->engine;

    for (uint32_t to = 0; to < e->shard_count; to++) {
        DASSERT(mailbox_unpublished(engine_box(e, to, sh->idx)) == 0);
    }

    for (uint32_t from = 0; from <= e->shard_count; from++) {
        if (!mailbox_is_empty(engine_box(e, sh->idx, from))) {
            return true;
        }
    }
    for (uint32_t to = 0; to < e->shard_count; to++) {
        const struct mail_way *way = &sh->ways[to];

        if (to != sh->idx && (way->fifo_count || !list_is_empty(&way->waits))) {
            /* Asked for at the last moment, before looking: a wish from earlier in the turn may
             * have been granted and used up since. */
            mailbox_want_room(engine_box(e, to, sh->idx));
        }
        if (to != sh->idx && way->fifo_count &&
            mailbox_used(engine_box(e, to, sh->idx)) < MAILBOX_ENTRIES) {
            return true;
        }
        if (!list_is_empty(&way->waits) && has_room(sh, to)) {
            return true;
        }
    }
    return sh->local_count > 0 ||
           atomic_load_explicit(&e->generation, memory_order_seq_cst) != sh->snapshot_generation ||
           atomic_load_explicit(&e->stop_phase, memory_order_acquire) != sh->stop_phase;
}

bool shard_mail_is_idle(const struct shard *sh)
{
    for (uint32_t to = 0; to < sh->engine->shard_count; to++) {
        if (sh->ways[to].fifo_count) {
            return false;
        }
    }
    return sh->local_count == 0;
}

void mail_discard(struct mail *m)
{
    if (m->kind == MAIL_KIND_CONN) {
        conn_discard(m);
        return;
    }
    if (m->kind == MAIL_KIND_LISTEN_STOP) {
        return; /* part of the engine */
    }
    if (m->kind == MAIL_KIND_ACCEPTED) {
        io_fd_close(CONTAINER_OF(m, struct ticket, mail)->fd);
    } else if (m->kind == MAIL_KIND_LISTEN) {
        io_fd_close(CONTAINER_OF(m, struct listen_mail, mail)->fd);
    }
    pool_free(m);
}

void shard_mail_leave(struct shard *sh)
{
    struct list *link;

    for (uint32_t to = 0; to < sh->engine->shard_count; to++) {
        mailbox_publish(engine_box(sh->engine, to, sh->idx)); /* what the end of no turn did */
    }
    for (uint32_t to = 0; to < ENGINE_SHARDS_MAX; to++) {
        list_splice(&sh->local_mail, &sh->ways[to].fifo);
    }
    while ((link = list_pop_front(&sh->local_mail))) {
        mail_discard(LIST_ENTRY(link, struct mail, link));
    }
}
