/* SPDX-License-Identifier: GPL-2.0-or-later */
/* move: connections change shards under traffic. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/pool.h"
#include "machine.h"

/* Echoes, and goes to another shard every now and then, with input left or not. */
struct nomad {
    uint64_t state;
    uint64_t moves;
    uint32_t on; /* shard; 99 = on the way, nobody may call */
};

static _Atomic bool is_wrong;
static _Atomic uint64_t moves, closes, nomad_bytes;
static _Atomic int last_err;

static void nomad_arrived(struct shard *sh, struct conn *c, void *owner)
{
    struct nomad *n = owner;

    if (n->on != 99 || conn_shard(c) != sh || conn_owner(c) != owner ||
        conn_find(sh, conn_ref_of(c)) != c) {
        is_wrong = true;
    }
    n->on = shard_idx(sh);
    moves++;
}

static void nomad_go(struct conn *c, struct nomad *n)
{
    struct shard *sh = conn_shard(c);
    struct conn_ref ref = conn_ref_of(c);

    n->on = 99;
    conn_move(c, dice(&n->state, shard_count(sh)), nomad_arrived); /* to itself too */
    if (conn_find(sh, ref)) {
        is_wrong = true;
    }
}

static size_t nomad_data(struct conn *c, void *owner, char *bytes, size_t len)
{
    struct nomad *n = owner;
    size_t take = len;

    if (n->on != shard_idx(conn_shard(c))) {
        is_wrong = true;
    }
    if (dice(&n->state, 4) == 0) {
        take = dice(&n->state, (uint32_t)len + 1);
    }
    if (take > buf_room(conn_out(c))) {
        take = buf_room(conn_out(c));
    }
    buf_append(conn_out(c), bytes, take);
    conn_flush(c);
    nomad_bytes += take;
    if (conn_out_is_crowded(c)) {
        conn_pause(c); /* goes along on the journey */
    }
    if (take < len || dice(&n->state, 8) == 0) {
        nomad_go(c, n);
    }
    return take;
}

static void nomad_writable(struct conn *c, void *owner)
{
    (void)owner;
    conn_resume(c);
}

static void nomad_closed(struct conn *c, void *owner, int err, const char *why, size_t unsent)
{
    (void)c;
    (void)why;
    (void)unsent;
    last_err = err;
    closes++;
    pool_free(owner);
}

static const struct conn_ops nomad_ops = {
    .data = nomad_data, .writable = nomad_writable, .closed = nomad_closed};

static void nomad_accepted(struct shard *sh, struct conn *c, uint32_t tag)
{
    struct nomad *n = pool_zalloc(sizeof(*n));

    (void)tag;
    n->state = 77;
    n->on = shard_idx(sh);
    conn_set_owner(c, &nomad_ops, n);
    conn_set_read_timeout(c, 60000);
}

struct talker {
    int fd;
    uint64_t seed;
    size_t len;
    bool ok;
};

static void *talker_write(void *arg)
{
    struct talker *t = arg;
    uint64_t state = t->seed;
    char piece[3000];

    t->ok = true;
    for (size_t at = 0; at < t->len && t->ok;) {
        size_t n = 1 + dice(&state, sizeof(piece));

        n = n < t->len - at ? n : t->len - at;
        pattern_fill(t->seed, at, piece, n);
        t->ok = client_send(t->fd, piece, n);
        at += n;
    }
    return NULL;
}

static void talk(struct machine *m, uint32_t talkers, size_t len)
{
    struct talker t[8];
    pthread_t threads[8];
    char got[2048];

    for (uint32_t i = 0; i < talkers; i++) {
        t[i] = (struct talker){.fd = client_open(m->port), .seed = i + 1, .len = len};
        cr_assert_eq(pthread_create(&threads[i], NULL, talker_write, &t[i]), 0);
    }
    for (uint32_t i = 0; i < talkers; i++) {
        for (size_t at = 0; at < len;) {
            size_t n = len - at < sizeof(got) ? len - at : sizeof(got);

            cr_assert(client_recv(t[i].fd, got, n), "talker %u: ended at %zu", i, at);
            cr_assert(pattern_is(i + 1, at, got, n), "talker %u: differs near %zu", i, at);
            at += n;
        }
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
        cr_assert(t[i].ok);
        cr_assert_eq(shutdown(t[i].fd, SHUT_WR), 0);
        cr_assert_eq(client_recv_end(t[i].fd), 1);
        client_close(t[i].fd);
    }
}

Test(move, nothing_is_lost_and_the_order_is_kept)
{
    struct machine m;

    machine_accepted = nomad_accepted;
    machine_start(&m, &(struct engine_params){
                          .shard_count = 3, .conn_max = 64, .recv_buf_bytes = 512});
    talk(&m, 6, 400000);
    WAIT_UNTIL(closes == 6);
    cr_assert_not(is_wrong);
    cr_assert_gt(moves, 50, "hardly moved: test too weak");
    cr_assert_eq(nomad_bytes, 6 * 400000);
    cr_assert_eq(last_err, ERR_CLOSED);
    for (uint32_t i = 0; i < 3; i++) {
        cr_assert_eq(machine_stats(&m, i).conn_open, 0);
        cr_assert_eq(machine_stats(&m, i).stale_events, 0);
    }
    machine_stop(&m);
}

/* The other shard has no slot left. */
static struct nomad *settled;
static struct conn *settled_conn;
static _Atomic bool is_settled;

static void settler_accepted(struct shard *sh, struct conn *c, uint32_t tag)
{
    nomad_accepted(sh, c, tag);
    if (shard_idx(sh) == 0) {
        settled = conn_owner(c);
        settled_conn = c;
        is_settled = true;
    }
}

static void do_move_to_1(struct shard *sh, void *ctx)
{
    (void)sh;
    (void)ctx;
    settled->on = 99;
    conn_move(settled_conn, 1, nomad_arrived);
}

Test(move, to_a_full_shard_ends_in_closed)
{
    struct machine m;
    int fds[2];

    machine_accepted = settler_accepted;
    machine_start(&m, &(struct engine_params){.shard_count = 2, .conn_max = 1});
    fds[0] = client_open(m.port);
    fds[1] = client_open(m.port);
    WAIT_UNTIL(machine_stats(&m, 0).conn_open == 1 && machine_stats(&m, 1).conn_open == 1);
    WAIT_UNTIL(is_settled);
    machine_run(&m, 0, do_move_to_1, NULL);
    WAIT_UNTIL(closes == 1);
    cr_assert_eq(last_err, ERR_FULL);
    cr_assert_eq(moves, 0);
    WAIT_UNTIL(machine_stats(&m, 0).conn_open == 0);
    cr_assert_eq(machine_stats(&m, 1).conn_open, 1);
    client_close(fds[0]);
    client_close(fds[1]);
    WAIT_UNTIL(closes == 2);
    machine_stop(&m);
}

Test(move, stopping_the_engine_while_connections_wander)
{
    struct machine m;
    struct talker t[4];
    pthread_t threads[4];

    machine_accepted = nomad_accepted;
    machine_start(&m, &(struct engine_params){.shard_count = 2, .recv_buf_bytes = 256});
    for (uint32_t i = 0; i < 4; i++) {
        t[i] = (struct talker){.fd = client_open(m.port), .seed = i, .len = 100000};
        cr_assert_eq(pthread_create(&threads[i], NULL, talker_write, &t[i]), 0);
    }
    WAIT_UNTIL(moves > 20);
    machine_stop(&m);
    cr_assert_gt(echo_totals.accepted, 0);
    cr_assert_eq(closes, echo_totals.accepted, "once for each, wherever it was");
    for (uint32_t i = 0; i < 4; i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
        client_close(t[i].fd);
    }
}
