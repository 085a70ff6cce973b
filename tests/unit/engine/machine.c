/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine: an engine for tests. */
#include "machine.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"

struct echo_totals echo_totals;
void (*machine_accepted)(struct shard *sh, struct conn *c, uint32_t tag);
void (*machine_snapshot_changed)(struct shard *sh, const void *old, const void *now);
void (*machine_turn_end)(struct shard *sh);

struct run_mail {
    struct mail mail;
    machine_fn *fn;
    void *ctx;
    _Atomic bool *done; /* NULL = nobody waits */
};

void machine_nap(void)
{
    struct timespec ts = {.tv_nsec = 1000000};

    (void)nanosleep(&ts, NULL);
}

static size_t echo_data(struct conn *c, void *owner, char *bytes, size_t len)
{
    struct buf *out = conn_out(c);
    size_t take = len < buf_room(out) ? len : buf_room(out);

    (void)owner;
    buf_append(out, bytes, take);
    conn_flush(c);
    echo_totals.bytes += take;
    if (take < len || conn_out_is_crowded(c)) {
        echo_totals.pauses++;
        conn_pause(c);
    }
    return take;
}

static void echo_writable(struct conn *c, void *owner)
{
    (void)owner;
    conn_resume(c);
}

static bool echo_peer_ended(struct conn *c, void *owner)
{
    (void)c;
    (void)owner;
    echo_totals.peer_ends++;
    return false;
}

static void echo_secured(struct conn *c, void *owner)
{
    (void)c;
    (void)owner;
    echo_totals.secured++;
}

static void echo_closed(struct conn *c, void *owner, int err, const char *why, size_t unsent)
{
    (void)c;
    (void)owner;
    cr_assert_not_null(why);
    echo_totals.last_err = err;
    echo_totals.last_unsent = unsent;
    echo_totals.closed++;
}

const struct conn_ops echo_ops = {
    .data = echo_data,
    .secured = echo_secured,
    .writable = echo_writable,
    .peer_ended = echo_peer_ended,
    .closed = echo_closed,
};

/* FEDGATE_TEST_BUSY_POLL in the environment: the same tests with shards that spin. */
static int app_start(struct shard *sh, void *ctx, void **shard_app)
{
    const char *busy_poll_us = getenv("FEDGATE_TEST_BUSY_POLL");

    if (busy_poll_us) {
        shard_set_busy_poll(sh, (uint32_t)strtoul(busy_poll_us, NULL, 10));
    }
    *shard_app = ctx;
    return 0;
}

/* Blocks move between threads: only the sum over all of them says whether one was leaked. */
static _Atomic int64_t pool_left;

static void app_stop(struct shard *sh, void *shard_app)
{
    (void)sh;
    (void)shard_app;
    pool_left += pool_used_bytes();
}

static void app_accepted(struct shard *sh, struct conn *c, uint32_t tag)
{
    echo_totals.accepted++;
    if (machine_accepted) {
        machine_accepted(sh, c, tag);
    } else {
        conn_set_owner(c, &echo_ops, NULL);
    }
}

static void app_mail(struct shard *sh, struct mail *m)
{
    struct run_mail *run = CONTAINER_OF(m, struct run_mail, mail);

    run->fn(sh, run->ctx);
    if (run->done) {
        *run->done = true;
    }
    mail_free(m);
}

static void app_snapshot_changed(struct shard *sh, const void *old, const void *now)
{
    if (machine_snapshot_changed) {
        machine_snapshot_changed(sh, old, now);
    }
}

static void app_turn_end(struct shard *sh)
{
    if (machine_turn_end) {
        machine_turn_end(sh);
    }
}

static const struct engine_app app = {
    .shard_start = app_start,
    .shard_stop = app_stop,
    .accepted = app_accepted,
    .mail = app_mail,
    .snapshot_changed = app_snapshot_changed,
    .turn_end = app_turn_end,
};

void machine_start(struct machine *m, const struct engine_params *params)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct engine_params p = *params;
    char why[256] = "";

    p.app = &app;
    p.shard_count = p.shard_count ? p.shard_count : 1;
    p.recv_buf_count = p.recv_buf_count ? p.recv_buf_count : 64;
    cr_assert_eq(engine_new(&m->engine, &p, why, sizeof(why)), 0, "%s", why);
    cr_assert_eq(engine_listen(m->engine, (struct sockaddr *)&addr, sizeof(addr), 7, why,
                               sizeof(why)),
                 0, "%s", why);
    m->port = engine_listen_port(m->engine, 7);
    cr_assert_neq(m->port, 0);
}

void machine_stop(struct machine *m)
{
    engine_free(m->engine);
    m->engine = NULL;
    cr_assert_eq(pool_left + pool_used_bytes(), 0, "%ld bytes were leaked",
                 (long)(pool_left + pool_used_bytes()));
    cr_assert_eq(check_failed_count(), 0);
}

static struct run_mail *run_new(machine_fn *fn, void *ctx, _Atomic bool *done)
{
    struct run_mail *run = pool_zalloc(sizeof(*run));

    cr_assert_not_null(run);
    run->fn = fn;
    run->ctx = ctx;
    run->done = done;
    return run;
}

void machine_post(struct machine *m, uint32_t shard_idx, machine_fn *fn, void *ctx)
{
    struct run_mail *run = run_new(fn, ctx, NULL);

    WAIT_UNTIL(engine_post(m->engine, shard_idx, &run->mail) == 0);
}

void machine_run(struct machine *m, uint32_t shard_idx, machine_fn *fn, void *ctx)
{
    _Atomic bool done = false;
    struct run_mail *run = run_new(fn, ctx, &done);

    WAIT_UNTIL(engine_post(m->engine, shard_idx, &run->mail) == 0);
    WAIT_UNTIL(done);
}

int machine_send(struct shard *sh, uint32_t to_idx, machine_fn *fn, void *ctx)
{
    struct run_mail *run = run_new(fn, ctx, NULL);
    int err = shard_post(sh, to_idx, &run->mail);

    if (err) {
        mail_free(&run->mail);
    }
    return err;
}

struct engine_stats machine_stats(struct machine *m, uint32_t shard_idx)
{
    struct engine_stats stats;

    engine_stats_read(m->engine, shard_idx, &stats);
    return stats;
}

int client_open_from(uint16_t port, const char *local_ip)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct timeval limit = {.tv_sec = WAIT_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_geq(fd, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (local_ip) {
        cr_assert_eq(inet_pton(AF_INET, local_ip, &from.sin_addr), 1);
        cr_assert_eq(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
    }
    cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0, "connect: %d", errno);
    return fd;
}

int client_open(uint16_t port)
{
    return client_open_from(port, NULL);
}

bool client_send(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

        if (n <= 0) {
            return false;
        }
        at += n;
        len -= (size_t)n;
    }
    return true;
}

bool client_recv(int fd, void *bytes, size_t len)
{
    char *at = bytes;

    while (len) {
        ssize_t n = recv(fd, at, len, 0);

        if (n <= 0) {
            return false;
        }
        at += n;
        len -= (size_t)n;
    }
    return true;
}

int client_recv_end(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, 0);

    return n < 0 ? -errno : n == 0;
}

void client_close(int fd)
{
    (void)close(fd);
}

uint32_t dice(uint64_t *state, uint32_t below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33) % below;
}

unsigned char pattern_at(uint64_t seed, uint64_t offset)
{
    uint64_t x = (offset >> 3) * 0x9e3779b97f4a7c15u + seed;

    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9u;
    return (unsigned char)(x >> (8 * (offset & 7)));
}

void pattern_fill(uint64_t seed, uint64_t offset, void *bytes, size_t len)
{
    unsigned char *at = bytes;

    for (size_t i = 0; i < len; i++) {
        at[i] = pattern_at(seed, offset + i);
    }
}

bool pattern_is(uint64_t seed, uint64_t offset, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < len; i++) {
        if (at[i] != pattern_at(seed, offset + i)) {
            return false;
        }
    }
    return true;
}
