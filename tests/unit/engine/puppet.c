/* SPDX-License-Identifier: GPL-2.0-or-later */
/* puppet: see puppet.h. */
#include "puppet.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct puppet puppet;

static void puppet_resume(struct wheel_timer *t, void *ctx)
{
    (void)t;
    conn_resume(((struct puppet *)ctx)->c);
}

static size_t puppet_data(struct conn *c, void *owner, char *bytes, size_t len)
{
    struct puppet *p = owner;
    size_t take = len;

    if (len == 0 || p->closeds) {
        p->is_wrong = true;
    }
    if (p->is_picky && dice(&p->state, 3)) {
        take = dice(&p->state, (uint32_t)len + 1);
        conn_pause(c);
        p->pauses++;
        shard_timer_arm(conn_shard(c), &p->timer, dice(&p->state, 3), puppet_resume, p);
    }
    if (p->takes_nothing) {
        conn_pause(c);
        p->pauses++;
        return 0;
    }
    if (!pattern_is(p->seed, p->got, bytes, take)) {
        p->is_wrong = true;
    }
    memset(bytes, 0xee, len > take ? take : len); /* the owner may write into what he used */
    p->got += take;
    if (p->closes_in_data) {
        conn_close(c, 1000);
    }
    return take;
}

void puppet_produce(struct conn *c, struct puppet *p)
{
    char piece[1000];

    while (p->produced < p->to_produce && !conn_out_is_crowded(c)) {
        pattern_fill(p->seed, p->produced, piece, sizeof(piece));
        buf_append(conn_out(c), piece, sizeof(piece));
        p->produced += sizeof(piece);
    }
    conn_flush(c);
}

static void puppet_writable(struct conn *c, void *owner)
{
    struct puppet *p = owner;

    p->writables++;
    puppet_produce(c, p);
}

static bool puppet_peer_ended(struct conn *c, void *owner)
{
    struct puppet *p = owner;

    (void)c;
    p->peer_ends++;
    return p->keeps_open;
}

static void puppet_closed(struct conn *c, void *owner, int err, const char *why, size_t unsent)
{
    struct puppet *p = owner;

    shard_timer_disarm(conn_shard(c), &p->timer);
    if (conn_find(conn_shard(c), p->ref)) {
        p->is_wrong = true; /* stale by now */
    }
    (void)snprintf(p->why, sizeof(p->why), "%s", why);
    p->err = err;
    p->unsent = unsent;
    p->closeds++;
}

static const struct conn_ops puppet_ops = {
    .data = puppet_data,
    .writable = puppet_writable,
    .peer_ended = puppet_peer_ended,
    .closed = puppet_closed,
};

static void puppet_accepted(struct shard *sh, struct conn *c, uint32_t tag)
{
    (void)sh;
    (void)tag;
    puppet.c = c;
    puppet.ref = conn_ref_of(c);
    conn_set_owner(c, &puppet_ops, &puppet);
    puppet.is_there = true;
}

int puppet_open(struct machine *m, const struct engine_params *params)
{
    int fd;

    machine_accepted = puppet_accepted;
    machine_start(m, params);
    fd = client_open(m->port);
    WAIT_UNTIL(puppet.is_there);
    return fd;
}

void puppet_end(struct machine *m, int fd)
{
    client_close(fd);
    WAIT_UNTIL(puppet.closeds == 1);
    cr_assert_not(puppet.is_wrong);
    machine_stop(m);
    cr_assert_eq(puppet.closeds, 1);
}

void puppet_pause(struct shard *sh, void *ctx)
{
    (void)sh;
    (void)ctx;
    conn_pause(puppet.c);
}

void puppet_continue(struct shard *sh, void *ctx)
{
    (void)sh;
    (void)ctx;
    conn_resume(puppet.c);
}
