/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conn_move: a connection changes its shard. Receiving and sending are cancelled; when nothing is
 * in flight the object itself travels by mail: all it holds is plain memory of its own. */
#include "base/check.h"
#include "base/err.h"
#include "engine/conn_int.h"

void conn_move(struct conn *c, uint32_t to_shard_idx, conn_arrived_fn *arrived)
{
    conn_check(c);
    ASSERT(to_shard_idx < shard_count(c->sh));
    ASSERT(arrived);
    if (c->state == CONN_ST_ENDING || c->state == CONN_ST_FLUSHING ||
        c->state == CONN_ST_LINGERING) {
        return; /* closed will be called here */
    }
    ASSERT(c->state == CONN_ST_OPEN);
    c->arrived = arrived;
    c->move_to = to_shard_idx;
    wheel_disarm(&c->sh->wheel, &c->read_timer);
    wheel_disarm(&c->sh->wheel, &c->state_timer);
    list_remove(&c->input_link);
    conn_set_state(c, CONN_ST_MOVING);
    conn_mark_dirty(c);
    if (c->sh->stop_phase) {
        conn_abort(c, ERR_SHUTDOWN, "the engine stops");
    }
}

void conn_depart(struct conn *c)
{
    struct shard *sh = c->sh;

    ASSERT(c->in_flight == 0);
    list_remove(&c->dirty_link);
    list_remove(&c->input_link);
    ASSERT(!list_is_linked(&c->ended_link));
    if (c->session) {
        tls_session_rest(c->session);
    }
    conn_slots_remove(sh, c);
    c->slot = UINT32_MAX;
    c->generation = 0;
    c->sh = NULL;
    c->mail.kind = MAIL_KIND_CONN;
    shard_post_reply(sh, c->move_to, &c->mail); /* one per connection: bounded by the slots */
}

void conn_arrive(struct shard *sh, struct mail *m)
{
    struct conn *c = CONTAINER_OF(m, struct conn, mail);
    conn_arrived_fn *arrived = c->arrived;

    ASSERT(c->magic == CONN_MAGIC && c->state == CONN_ST_MOVING && c->in_flight == 0);
    c->sh = sh;
    c->arrived = NULL;
    c->received_ms = sh->now_ms;
    c->share_turn = 0;
    if (conn_slots_add(sh, c)) {
        c->slot = UINT32_MAX;
        conn_abort(c, ERR_FULL, "no connection slot on the shard it moved to");
        return;
    }
    stat_add(&sh->stats.conn_moved_in, 1);
    if (sh->stop_phase) {
        conn_abort(c, ERR_SHUTDOWN, "the engine stops");
        return;
    }
    conn_set_state(c, CONN_ST_OPEN);
    conn_mark_dirty(c);
    if (c->read_timeout_ms) {
        conn_set_read_timeout(c, c->read_timeout_ms);
    }
    conn_want_input(c);
    arrived(sh, c, c->owner);
    conn_tell_writable(c);
}

void conn_discard(struct mail *m)
{
    struct conn *c = CONTAINER_OF(m, struct conn, mail);

    io_fd_close(c->fd);
    tls_session_free(c->session);
    conn_ktls_deinit(c);
    buf_deinit(&c->out);
    buf_deinit(&c->pending);
    buf_deinit(&c->flying);
    buf_deinit(&c->in_raw);
    buf_deinit(&c->in_plain);
    pool_free(c->ticket);
    pool_free(c);
}
