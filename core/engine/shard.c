/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shard: one thread, one ring, one loop. The order of a turn is the order of this file's
 * shard_turn; DESIGN.md section 3 and the README of this folder give the reasons.                */
#include <poll.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "engine/conn_int.h"
#include "engine/shard_state.h"

#define CHECK_TURNS 64u /* between full walks over the buffers, in debug builds */

int shard_init(struct shard *sh, struct engine *e, uint32_t idx, char *why, size_t why_bytes)
{
    const struct engine_params *p = &e->params;
    struct io_params io_params = {
        .buf_count = p->recv_buf_count,
        .buf_bytes = p->recv_buf_bytes,
        .linger_us = p->linger_us,
        .is_plain = p->is_plain_io,
    };
    const struct io_backend *backend = p->io ? p->io : &io_uring_backend;
    int err;

    sh->magic = SHARD_MAGIC;
    sh->engine = e;
    sh->idx = idx;
    sh->alarm_fd = -1;
    sh->snapshot = p->snapshot;
    sh->snapshot_generation = 1;
    atomic_store_explicit(&sh->seen_generation, 1, memory_order_seq_cst);
    list_init(&sh->dirty);
    list_init(&sh->input);
    list_init(&sh->ended);
    admission_init(&sh->admission, p->handshakes_max, p->handshakes_per_address_max);
    shard_post_init(sh);
    log_ring_init(&sh->log, "shard");
    err = conn_slots_init(sh, p->conn_max);
    if (err) {
        return err;
    }
    sh->alarm_fd = io_alarm_open();
    if (sh->alarm_fd < 0) {
        return sh->alarm_fd;
    }
    err = backend->create(&sh->io, &io_params, why, why_bytes);
    if (err) {
        return err;
    }
    wheel_init(&sh->wheel, sh->io->vt->now_ms(sh->io));
    if (idx == 0) {
        acceptor_new(sh);
    }
    return 0;
}

void shard_deinit(struct shard *sh)
{
    if (!sh->magic) {
        return;
    }
    acceptor_free(sh);
    if (sh->io) {
        sh->io->vt->destroy(sh->io);
    }
    if (sh->alarm_fd >= 0) {
        io_fd_close(sh->alarm_fd);
    }
    conn_slots_deinit(sh);
    admission_deinit(&sh->admission);
    log_ring_deinit(&sh->log);
    sh->magic = 0;
}

static void alarm_ready(struct shard *sh, int fd, uint32_t revents, void *ctx)
{
    (void)sh;
    (void)revents;
    (void)ctx;
    io_alarm_clear(fd); /* what it is about, the turn finds out by itself */
}

static void accepted(struct shard *sh, struct ticket *t)
{
    struct conn *c;
    uint32_t tag;
    int err = ERR_SHUTDOWN;

    c = sh->stop_phase ? NULL : conn_new(sh, t->fd, CONN_ST_OPEN, &err);
    if (!c) {
        stat_add(&sh->stats.conn_refused_full, 1);
        LOG_W(conn_refused, "reason=%s", err_name(err));
        sh->io->vt->close(sh->io, t->fd, true);
        if (t->count) {
            ticket_return(sh, t);
        } else {
            mail_free(&t->mail);
        }
        return;
    }
    stat_add(&sh->stats.conn_accepted, 1);
    c->is_stranger = true;
    conn_set_peer(c, (const struct sockaddr *)&t->peer, t->peer_len);
    tag = t->listener_tag;
    if (t->count) {
        c->ticket = t;
    } else {
        mail_free(&t->mail);
    }
    sh->engine->params.app->accepted(sh, c, tag);
    ASSERT(c->ops || c->state != CONN_ST_OPEN);
}

void shard_mail_engine(struct shard *sh, struct mail *m)
{
    switch ((enum mail_engine_kind)m->kind) {
    case MAIL_KIND_ACCEPTED:
        accepted(sh, CONTAINER_OF(m, struct ticket, mail));
        break;
    case MAIL_KIND_TICKET:
        acceptor_ticket_back(sh, CONTAINER_OF(m, struct ticket, mail));
        break;
    case MAIL_KIND_CONN:
        conn_arrive(sh, m);
        break;
    case MAIL_KIND_LISTEN:
        acceptor_listen(sh, CONTAINER_OF(m, struct listen_mail, mail));
        mail_free(m);
        break;
    case MAIL_KIND_LISTEN_STOP:
        acceptor_stop(sh); /* m is part of the engine */
        (void)atomic_fetch_add_explicit(&sh->engine->listen_stops, 1, memory_order_release);
        break;
    }
}

static void event(struct shard *sh, const struct io_event *ev)
{
    switch (ev->tag.op) {
    case IO_OP_ACCEPT:
        acceptor_event(sh, ev);
        break;
    case IO_OP_CANCEL:
        if (ev->tag.generation == 0) {
            break; /* of a poll or a listener, which do not wait for it */
        }
        conn_event(sh, ev);
        break;
    case IO_OP_CONNECT:
    case IO_OP_RECV:
    case IO_OP_SEND:
        conn_event(sh, ev);
        break;
    case IO_OP_POLL:
        shard_poll_event(sh, ev);
        break;
    case IO_OP_BELL:
        if (ev->result < 0) {
            io_alarm_set(sh->engine->shards[ev->tag.slot].alarm_fd);
        }
        break;
    case IO_OP_WOKEN:
    case IO_OP_NONE:
    case IO_OP_COUNT:
        break;
    }
}

/* True when there may be more than this turn looked at. */
static bool reap_events(struct shard *sh)
{
    struct io_event events[SHARD_EVENTS_PER_TURN];
    uint32_t count = sh->io->vt->reap(sh->io, events, SHARD_EVENTS_PER_TURN);

    for (uint32_t i = 0; i < count; i++) {
        event(sh, &events[i]);
        /* Whatever became of it: a buffer that is not given back is lost for ever. */
        if (events[i].buf_idx != IO_NO_BUF) {
            sh->io->vt->buf_return(sh->io, events[i].buf_idx);
        }
    }
    stat_add(&sh->stats.events, count);
    return count == SHARD_EVENTS_PER_TURN;
}

static void take_snapshot(struct shard *sh)
{
    struct engine *e = sh->engine;
    uint64_t generation = atomic_load_explicit(&e->generation, memory_order_seq_cst);
    const void *old = sh->snapshot;

    if (generation == sh->snapshot_generation) {
        return;
    }
    ASSERT(generation > sh->snapshot_generation);
    /* The publisher waits for us before it publishes another: this is the one of generation. */
    sh->snapshot = atomic_load_explicit(&e->snapshot, memory_order_seq_cst);
    sh->snapshot_generation = generation;
    if (e->params.app->snapshot_changed) {
        e->params.app->snapshot_changed(sh, old, sh->snapshot);
    }
    atomic_store_explicit(&sh->seen_generation, generation, memory_order_seq_cst);
}

/* How many wait; no more than what has room in a turn. */
static uint32_t count_inputs(const struct shard *sh)
{
    uint32_t count = 0;

    for (const struct list *at = sh->input.next;
         at != &sh->input && count < sh->input_bytes_max / CONN_SHARE_BYTES_MIN; at = at->next) {
        count++;
    }
    return count;
}

/* Whether one of these had nothing in this turn. */
static bool is_one_unserved(const struct shard *sh, struct list *links)
{
    for (struct list *at = links->next; at != links; at = at->next) {
        if (LIST_ENTRY(at, struct conn, input_link)->share_turn != (uint32_t)sh->turn) {
            return true;
        }
    }
    return false;
}

/* Those who wait are served in their order until the turn is full, and by half a turn in any
 * case: events come before them. */
static void deliver_inputs(struct shard *sh)
{
    struct list batch;
    struct list *link;
    size_t enough = sh->input_bytes + sh->input_bytes_max / 2;
    uint32_t count = count_inputs(sh);

    if (enough < sh->input_bytes_max) {
        enough = sh->input_bytes_max;
    }
    if (sh->input_count_last < count) {
        sh->input_count_last = count;
    }
    list_init(&batch);
    list_splice(&batch, &sh->input);
    for (uint32_t i = 0; i < SHARD_INPUTS_PER_TURN && sh->input_bytes < enough &&
                         (link = list_pop_front(&batch)); i++) {
        conn_input(LIST_ENTRY(link, struct conn, input_link));
    }
    sh->has_line = is_one_unserved(sh, &batch);
    list_splice(&batch, &sh->input); /* those left go first the next time */
    list_splice(&sh->input, &batch);
}

static void drive_dirty(struct shard *sh)
{
    struct list batch;
    struct list *link;

    list_init(&batch);
    list_splice(&batch, &sh->dirty);
    while ((link = list_pop_front(&batch))) {
        conn_drive(LIST_ENTRY(link, struct conn, dirty_link));
    }
}

static void publish_gauges(struct shard *sh)
{
    stat_add(&sh->stats.turns, 1);
    __atomic_store_n(&sh->stats.handshakes_in_progress, admission_running_count(&sh->admission),
                     __ATOMIC_RELAXED);
    __atomic_store_n(&sh->stats.tls_key_updates_in, tls_key_update_count(TLS_IN),
                     __ATOMIC_RELAXED);
    __atomic_store_n(&sh->stats.tls_key_updates_out, tls_key_update_count(TLS_OUT),
                     __ATOMIC_RELAXED);
    __atomic_store_n(&sh->stats.handshakes_waiting, admission_waiting_count(&sh->admission),
                     __ATOMIC_RELAXED);
    __atomic_store_n(&sh->stats.cq_overflows, sh->io->overflow_count, __ATOMIC_RELAXED);
    __atomic_store_n(&sh->stats.spins_found, sh->io->spins_found, __ATOMIC_RELAXED);
    __atomic_store_n(&sh->stats.spins_missed, sh->io->spins_missed, __ATOMIC_RELAXED);
    __atomic_store_n(&sh->stats.pool_bytes, pool_held_bytes(), __ATOMIC_RELAXED);
    __atomic_store_n(&sh->stats.log_lost,
                     atomic_load_explicit(&sh->log.lost_count, memory_order_relaxed),
                     __ATOMIC_RELAXED);
}

static uint64_t sleep_ms(const struct shard *sh)
{
    uint64_t next = wheel_next_ms(&sh->wheel);

    if (next == WHEEL_NEVER) {
        return SHARD_SLEEP_MS_MAX;
    }
    next = next > sh->now_ms ? next - sh->now_ms : 0;
    return next < SHARD_SLEEP_MS_MAX ? next : SHARD_SLEEP_MS_MAX;
}

static bool has_news(void *ctx)
{
    return shard_has_news(ctx);
}

/* The end of a turn: (1) nothing to wait for: hand over and go on; (2) spin, awake to all others:
 * nobody rings, news is looked for, too; (3) say that we sleep, look once more; (4) wait, which
 * lingers behind a crowd and else sleeps. */
static void sleep_or_submit(struct shard *sh, bool may_sleep)
{
    uint64_t timeout_ms = may_sleep ? sleep_ms(sh) : 0;
    int err;

    if (timeout_ms && sh->io->vt->spin(sh->io, timeout_ms, has_news, sh)) {
        timeout_ms = 0;
    }
    if (timeout_ms) {
        (void)atomic_exchange_explicit(&sh->is_sleeping, 1, memory_order_acq_rel);
        if (shard_has_news(sh)) {
            timeout_ms = 0;
        }
    }
    err = sh->io->vt->wait(sh->io, timeout_ms);
    ASSERT(err == 0); /* the ring itself is broken: nothing can go on */
    atomic_store_explicit(&sh->is_sleeping, 0, memory_order_relaxed);
}

/* Stopping: what the beginning of a turn adds. */
static void stop_begin(struct shard *sh)
{
    uint32_t phase = atomic_load_explicit(&sh->engine->stop_phase, memory_order_acquire);

    if (phase == 0) {
        return;
    }
    if (sh->stop_phase == 0 && sh->acceptor) {
        acceptor_stop(sh);
    }
    sh->stop_phase = phase;
    /* Before mail is taken: see engine.c, is_drained. */
    atomic_store_explicit(&sh->is_drained, 0, memory_order_release);
    conns_abort_all(sh, ERR_SHUTDOWN, "the engine stops");
}

/* And its end. */
static void stop_check(struct shard *sh)
{
    if (sh->stop_phase && __atomic_load_n(&sh->stats.conn_open, __ATOMIC_RELAXED) == 0 &&
        list_is_empty(&sh->ended) && list_is_empty(&sh->dirty) && shard_mail_is_idle(sh)) {
        atomic_store_explicit(&sh->is_drained, 1, memory_order_release);
    }
}

void shard_turn(struct shard *sh, bool may_sleep)
{
    bool is_busy;

    sh->turn++;
    sh->input_bytes = 0;
    sh->input_count_last = sh->input_count;
    sh->input_count = 0;
    sh->now_ms = sh->io->vt->now_ms(sh->io);
    sh->now_unix_s = sh->io->vt->now_unix_s(sh->io);
    sh->input_bytes_max =
        sh->now_ms < sh->short_until_ms ? SHARD_INPUT_BYTES_SHORT : SHARD_INPUT_BYTES;
    take_snapshot(sh);
    stop_begin(sh);
    /* Before events: what comes in meanwhile is answered in this turn, none waits for two steps. */
    handshakes_run(sh);
    is_busy = reap_events(sh);
    is_busy = shard_mail_receive(sh) || is_busy;
    is_busy = wheel_run(&sh->wheel, sh->now_ms, SHARD_TIMERS_PER_TURN) == SHARD_TIMERS_PER_TURN ||
              is_busy;
    deliver_inputs(sh);
    shard_mail_push_on(sh);
    conns_reap(sh);
    if (sh->engine->params.app->turn_end) {
        sh->engine->params.app->turn_end(sh);
    }
    /* Ahead of this turn's sends in the ring: the other shard would sleep until all are done. */
    shard_mail_ring_bells(sh);
    drive_dirty(sh);
    pool_send_home();
    is_busy = pool_take_home() || is_busy;
    shard_mail_ring_bells(sh);
    publish_gauges(sh);
    DASSERT(sh->io->bufs_lent == 0); /* free + lent + in the kernel = all of them */
    DASSERT(sh->turn % CHECK_TURNS != 0 || io_uring_bufs_ok(sh->io));
    is_busy = is_busy || !list_is_empty(&sh->dirty) || !list_is_empty(&sh->input) ||
              !list_is_empty(&sh->ended) || admission_is_busy(&sh->admission);
    stop_check(sh);
    sleep_or_submit(sh, may_sleep && !is_busy && sh->stop_phase < 2);
}

int shard_begin(struct shard *sh)
{
    struct engine *e = sh->engine;
    int err = sh->io->vt->enable(sh->io);

    if (err) {
        return err;
    }
    sh->now_ms = sh->io->vt->now_ms(sh->io);
    sh->now_unix_s = sh->io->vt->now_unix_s(sh->io);
    pool_set_budget(e->params.memory_bytes_max);
    pool_gather(true); /* shard_turn sends it */
    err = shard_poll_add(sh, sh->alarm_fd, POLLIN, alarm_ready, NULL);
    if (err) {
        return err;
    }
    return e->params.app->shard_start(sh, e->params.app_ctx, &sh->app);
}

void shard_finish(struct shard *sh)
{
    sh->engine->params.app->shard_stop(sh, sh->app);
    for (uint32_t i = 0; i < SHARD_SLOT_COUNT; i++) {
        if (sh->objects[i].object && sh->objects[i].stop) {
            sh->objects[i].stop(sh, sh->objects[i].object);
        }
    }
}

void *shard_thread(void *arg)
{
    struct shard *sh = arg;

    log_ring_use(&sh->log);
    sh->start_err = shard_begin(sh);
    atomic_store_explicit(&sh->is_ready, 1, memory_order_release);
    if (sh->start_err == 0) {
        while (sh->stop_phase < 2) {
            shard_turn(sh, true);
        }
        shard_finish(sh);
    }
    shard_mail_leave(sh);
    pool_gather(false); /* no turn follows */
    pool_trim();
    log_ring_use(NULL);
    return NULL;
}
