/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conn_api: the small calls of conn.h: owner, references, names, wishes. */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "engine/conn_int.h"

void conn_set_owner(struct conn *c, const struct conn_ops *ops, void *owner)
{
    conn_check(c);
    c->ops = ops;
    c->owner = owner;
    conn_want_input(c);
}

struct conn_ref conn_ref_of(const struct conn *c)
{
    conn_check(c);
    return (struct conn_ref){c->sh->idx, c->slot, c->generation};
}

struct conn *conn_find(struct shard *sh, struct conn_ref ref)
{
    struct conn *c;

    if (ref.generation == 0 || ref.shard_idx != sh->idx) {
        return NULL;
    }
    c = conn_slots_find(sh, ref.slot, ref.generation);
    return c && c->state != CONN_ST_MOVING ? c : NULL;
}

void *conn_owner(const struct conn *c)
{
    conn_check(c);
    return c->owner;
}

struct shard *conn_shard(const struct conn *c)
{
    conn_check(c);
    return c->sh;
}

void conn_pause(struct conn *c)
{
    conn_check(c);
    c->is_paused = true;
    if (c->state == CONN_ST_OPEN) {
        conn_mark_dirty(c);
    }
}

void conn_resume(struct conn *c)
{
    conn_check(c);
    if (!c->is_paused) {
        return;
    }
    c->is_paused = false;
    c->received_ms = c->sh->now_ms; /* the silence was ours */
    if (c->state == CONN_ST_OPEN) {
        conn_want_input(c);
        conn_mark_dirty(c);
    }
}

void conn_set_patient(struct conn *c, bool is_patient)
{
    conn_check(c);
    c->is_patient = is_patient;
}

bool conn_is_secured(const struct conn *c)
{
    conn_check(c);
    return c->is_secured;
}

bool conn_is_worn(const struct conn *c)
{
    conn_check(c);
    return c->is_secured && tls_session_is_worn(c->session);
}

bool conn_is_deaf(const struct conn *c)
{
    conn_check(c);
    return c->is_deaf;
}

bool conn_tls_rejudge(struct conn *c, const struct tls_context *now_in_force)
{
    conn_check(c);
    return !c->is_secured || tls_session_rejudge(c->session, now_in_force);
}

const struct tls_peer *conn_tls_peer(const struct conn *c)
{
    conn_check(c);
    return c->is_secured ? tls_session_peer(c->session) : NULL;
}

static void read_timer_fired(struct wheel_timer *timer, void *ctx)
{
    struct conn *c = ctx;
    uint64_t silent_ms = c->sh->now_ms - c->received_ms;
    bool is_ours = c->is_paused || handshake_is_waiting(c); /* we are not listening */

    if (!is_ours && silent_ms >= c->read_timeout_ms) {
        conn_abort(c, ERR_TIMEOUT, "nothing was received for too long");
        return;
    }
    shard_timer_arm(c->sh, timer, c->read_timeout_ms - (is_ours ? 0 : silent_ms),
                    read_timer_fired, c);
}

void conn_set_read_timeout(struct conn *c, uint32_t timeout_ms)
{
    conn_check(c);
    c->read_timeout_ms = timeout_ms;
    wheel_disarm(&c->sh->wheel, &c->read_timer);
    if (c->state != CONN_ST_OPEN && c->state != CONN_ST_HANDSHAKE) {
        return;
    }
    if (timeout_ms) {
        c->received_ms = c->sh->now_ms;
        shard_timer_arm(c->sh, &c->read_timer, timeout_ms, read_timer_fired, c);
    }
}

void conn_set_authenticated(struct conn *c)
{
    conn_check(c);
    c->is_stranger = false;
    conn_flush(c); /* the kernel may have its input now */
    if (c->ticket) {
        ticket_return(c->sh, c->ticket);
        c->ticket = NULL;
    }
}

const char *conn_peer_text(const struct conn *c)
{
    char host[INET6_ADDRSTRLEN] = "?";
    char *text = c->sh->peer_text;

    conn_check(c);
    if (c->peer.any.sa_family == AF_INET) {
        (void)inet_ntop(AF_INET, &c->peer.in.sin_addr, host, sizeof(host));
        (void)snprintf(text, SHARD_PEER_TEXT_BYTES, "%s:%u", host, ntohs(c->peer.in.sin_port));
    } else {
        (void)inet_ntop(AF_INET6, &c->peer.in6.sin6_addr, host, sizeof(host));
        (void)snprintf(text, SHARD_PEER_TEXT_BYTES, "[%s]:%u", host,
                       ntohs(c->peer.in6.sin6_port));
    }
    return text;
}

const struct sockaddr *conn_peer_addr(const struct conn *c, socklen_t *len)
{
    conn_check(c);
    *len = c->peer_len;
    return &c->peer.any;
}
