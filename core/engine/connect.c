/* SPDX-License-Identifier: GPL-2.0-or-later */
/* connect: outgoing connections, before they are connections. */
#include "base/check.h"
#include "base/err.h"
#include "engine/conn_int.h"

static void connect_late(struct wheel_timer *timer, void *ctx)
{
    (void)timer;
    conn_end(ctx, ERR_TIMEOUT, "connecting took too long");
}

int shard_connect(struct shard *sh, const struct shard_connect_params *params, struct conn_ref *out)
{
    struct conn *c;
    int err;
    int fd;

    if (sh->stop_phase) {
        return ERR_SHUTDOWN;
    }
    if (params->addr_len > sizeof(c->peer)) {
        return ERR_UNSUPPORTED;
    }
    fd = sh->io->vt->socket(sh->io, params->addr->sa_family);
    if (fd < 0) {
        return fd;
    }
    c = conn_new(sh, fd, CONN_ST_CONNECTING, &err);
    if (!c) {
        sh->io->vt->close(sh->io, fd, false);
        return err;
    }
    conn_set_peer(c, params->addr, params->addr_len);
    c->connect_done = params->done;
    c->connect_ctx = params->ctx;
    if (params->timeout_ms) {
        shard_timer_arm(sh, &c->state_timer, params->timeout_ms, connect_late, c);
    }
    if (out) {
        *out = conn_ref_of(c);
    }
    return 0;
}

void connect_start(struct conn *c)
{
    int err;

    if (c->is_connect_started) {
        return;
    }
    err = c->sh->io->vt->connect(c->sh->io, c->fd, &c->peer.any, c->peer_len,
                                 (struct io_tag){IO_OP_CONNECT, c->slot, c->generation});
    if (err) {
        conn_mark_dirty(c); /* no room in the ring: next turn */
        return;
    }
    c->is_connect_started = true;
    c->in_flight |= CONN_OP_CONNECT;
}

void shard_connect_cancel(struct shard *sh, struct conn_ref attempt)
{
    struct conn *c = conn_find(sh, attempt);

    if (c && c->connect_done) {
        c->connect_done = NULL;
        conn_end(c, ERR_SHUTDOWN, "given up");
    }
}

void connect_event(struct conn *c, const struct io_event *ev)
{
    shard_connect_fn *done = c->connect_done;

    if (c->state != CONN_ST_CONNECTING) {
        return; /* cancelled meanwhile */
    }
    if (ev->result < 0) {
        conn_end(c, ev->result, err_text(ev->result));
        return;
    }
    wheel_disarm(&c->sh->wheel, &c->state_timer);
    conn_set_state(c, CONN_ST_OPEN);
    c->received_ms = c->sh->now_ms;
    c->connect_done = NULL;
    done(c->sh, c->connect_ctx, c, 0);
    ASSERT(c->ops || c->state == CONN_ST_ENDING);
}

void connect_failed(struct conn *c)
{
    shard_connect_fn *done = c->connect_done;

    c->connect_done = NULL;
    done(c->sh, c->connect_ctx, NULL, c->err ? c->err : ERR_SHUTDOWN);
}
