/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shard: timers, polls, objects, accepting and its caps, start and stop. Outgoing connections:
 * connect_test.c. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/pool.h"
#include "machine.h"

static struct machine m;

static void start(const struct engine_params *params)
{
    machine_start(&m, params);
}

/* timers */
static struct wheel_timer timers[3];
static _Atomic uint64_t fired_ms[3];
static uint64_t armed_ms;

static void fired(struct wheel_timer *t, void *ctx)
{
    fired_ms[t - timers] = shard_now_ms(ctx);
}

static void do_arm(struct shard *sh, void *ctx)
{
    (void)ctx;
    armed_ms = shard_now_ms(sh);
    shard_timer_arm(sh, &timers[0], 0, fired, sh);
    shard_timer_arm(sh, &timers[1], 60, fired, sh);
    shard_timer_arm(sh, &timers[2], 30, fired, sh);
    shard_timer_disarm(sh, &timers[2]);
}

Test(shard, timers_fire_on_a_sleeping_shard)
{
    start(&(struct engine_params){0});
    machine_run(&m, 0, do_arm, NULL);
    WAIT_UNTIL(fired_ms[0] && fired_ms[1]);
    cr_assert_geq(fired_ms[1] - armed_ms, 60);
    cr_assert_lt(fired_ms[1] - armed_ms, 5000);
    cr_assert_eq(fired_ms[2], 0);
    machine_stop(&m);
}

/* polls */
static int pipe_fds[2];
static _Atomic uint32_t polled;
static _Atomic uint32_t polled_mask;

static void poll_once(struct shard *sh, int fd, uint32_t revents, void *ctx)
{
    char byte;

    cr_expect_eq(ctx, &polled);
    polled_mask = revents;
    cr_expect_eq(read(fd, &byte, 1), 1);
    if (byte == '!') {
        shard_poll_remove(sh, fd);
    }
    polled++;
}

static void do_poll(struct shard *sh, void *ctx)
{
    (void)ctx;
    cr_expect_eq(shard_poll_add(sh, pipe_fds[0], POLLIN, poll_once, NULL), 0);
    cr_expect_eq(shard_poll_add(sh, pipe_fds[0], POLLIN, poll_once, &polled), 0); /* replaces */
}

static void do_unpoll(struct shard *sh, void *ctx)
{
    (void)ctx;
    shard_poll_remove(sh, pipe_fds[0]);
    shard_poll_remove(sh, pipe_fds[0]);
    shard_poll_remove(sh, -1);
}

Test(shard, polls_are_level_triggered_until_removed)
{
    start(&(struct engine_params){0});
    cr_assert_eq(pipe(pipe_fds), 0);
    machine_run(&m, 0, do_poll, NULL);
    cr_assert_eq(write(pipe_fds[1], "abc", 3), 3);
    WAIT_UNTIL(polled == 3);
    cr_assert_eq(polled_mask, POLLIN);
    cr_assert_eq(write(pipe_fds[1], "!x", 2), 2);
    WAIT_UNTIL(polled == 4);
    for (uint32_t i = 0; i < 30; i++) {
        machine_nap();
    }
    cr_assert_eq(polled, 4, "removed from inside");
    machine_run(&m, 0, do_poll, NULL);
    WAIT_UNTIL(polled == 5);
    machine_run(&m, 0, do_unpoll, NULL);
    cr_assert_eq(write(pipe_fds[1], "y", 1), 1);
    for (uint32_t i = 0; i < 30; i++) {
        machine_nap();
    }
    cr_assert_eq(polled, 5);
    machine_stop(&m);
}

static void do_poll_limit(struct shard *sh, void *ctx)
{
    int *fds = ctx;
    int err = 0;
    int i = 0;

    for (; i < 1000 && err == 0; i++) {
        fds[i] = dup(pipe_fds[0]);
        err = shard_poll_add(sh, fds[i], POLLIN, poll_once, &polled);
    }
    cr_expect_eq(err, ERR_LIMIT);
    cr_expect_eq(i, (int)SHARD_POLLS_MAX); /* one is the shard's own, one was refused */
    while (i-- > 0) {
        shard_poll_remove(sh, fds[i]);
        close(fds[i]);
    }
    cr_expect_eq(shard_poll_add(sh, pipe_fds[0], POLLIN, poll_once, &polled), 0);
}

Test(shard, polls_have_a_limit)
{
    static int fds[1000];

    start(&(struct engine_params){0});
    cr_assert_eq(pipe(pipe_fds), 0);
    machine_run(&m, 0, do_poll_limit, fds);
    cr_assert_eq(write(pipe_fds[1], "!", 1), 1);
    WAIT_UNTIL(polled == 1);
    machine_stop(&m);
}

/* objects and small things */
static _Atomic uint32_t object_stops;

static void object_stop(struct shard *sh, void *object)
{
    cr_expect_eq(object, &object_stops);
    cr_expect_eq(shard_idx(sh), 1);
    object_stops++;
}

static void do_small(struct shard *sh, void *ctx)
{
    uint64_t a = shard_random(sh);

    cr_expect_neq(a, shard_random(sh));
    cr_expect_eq(shard_idx(sh), 1);
    cr_expect_eq(shard_count(sh), 2);
    cr_expect_eq(shard_app(sh), ctx);
    cr_expect_gt(shard_now_unix_s(sh), 1700000000);
    cr_expect_str_eq(shard_dns_servers(sh)[0], "127.0.0.1:5353");
    cr_expect_null(shard_slot_get(sh, SHARD_SLOT_DIAL));
    shard_slot_set(sh, SHARD_SLOT_DIAL, &object_stops, object_stop);
    cr_expect_eq(shard_slot_get(sh, SHARD_SLOT_DIAL), &object_stops);
    LOG_E(started, "from=shard");
}

static void sink(const struct log_ring *ring, const struct log_line *line, void *ctx)
{
    (void)ring;
    cr_expect_str_eq(line->text, "from=shard");
    (*(uint32_t *)ctx)++;
}

Test(shard, objects_log_and_names)
{
    const char *const servers[] = {"127.0.0.1:5353", NULL};
    uint32_t lines = 0;

    start(&(struct engine_params){
        .shard_count = 2, .dns_servers = servers, .app_ctx = &lines, .pin = true});
    cr_assert_eq(engine_shard_count(m.engine), 2);
    machine_run(&m, 1, do_small, &lines);
    cr_assert_eq(log_ring_drain(engine_log(m.engine, 1), sink, &lines), 1);
    cr_assert_eq(lines, 1);
    machine_stop(&m);
    cr_assert_eq(object_stops, 1);
}

/* accepting */
Test(shard, connections_are_spread_over_the_shards)
{
    enum { CLIENTS = 40 };
    int fds[CLIENTS];

    start(&(struct engine_params){.shard_count = 4});
    for (uint32_t i = 0; i < CLIENTS; i++) {
        fds[i] = client_open(m.port);
    }
    WAIT_UNTIL(echo_totals.accepted == CLIENTS);
    for (uint32_t s = 0; s < 4; s++) {
        cr_assert_eq(machine_stats(&m, s).conn_open, CLIENTS / 4, "shard %u", s);
    }
    for (uint32_t i = 0; i < CLIENTS; i++) {
        client_close(fds[i]);
    }
    WAIT_UNTIL(echo_totals.closed == CLIENTS);
    machine_stop(&m);
}

static _Atomic bool authenticates;

static void accepted_maybe_authenticated(struct shard *sh, struct conn *c, uint32_t tag)
{
    (void)sh;
    cr_expect_eq(tag, 7);
    conn_set_owner(c, &echo_ops, NULL);
    if (authenticates) {
        conn_set_authenticated(c);
        conn_set_authenticated(c);
    }
}

static bool is_served(int fd)
{
    return client_send(fd, "x", 1) && client_recv(fd, &(char){0}, 1);
}

Test(shard, unauthenticated_connections_per_address_are_capped)
{
    int fds[10];

    machine_accepted = accepted_maybe_authenticated;
    start(&(struct engine_params){.shard_count = 2, .conn_per_address_max = 3});
    for (uint32_t i = 0; i < 3; i++) {
        fds[i] = client_open(m.port);
        cr_assert(is_served(fds[i]));
    }
    fds[3] = client_open(m.port);
    cr_assert_not(is_served(fds[3]), "the fourth of an address is refused");
    cr_assert_eq(machine_stats(&m, 0).conn_refused_address, 1);
    fds[4] = client_open_from(m.port, "127.0.0.2");
    cr_assert(is_served(fds[4]), "another address is not concerned");
    client_close(fds[0]);
    WAIT_UNTIL(echo_totals.closed == 1);
    authenticates = true; /* a place is free; whoever authenticates frees it again */
    WAIT_UNTIL((fds[0] = client_open(m.port)) >= 0 && is_served(fds[0]));
    for (uint32_t i = 5; i < 10; i++) {
        WAIT_UNTIL((fds[i] = client_open(m.port)) >= 0 && is_served(fds[i]));
    }
    for (uint32_t i = 0; i < 10; i++) {
        client_close(fds[i]);
    }
    machine_stop(&m);
}

Test(shard, out_of_descriptors_is_survived)
{
    struct rlimit old;
    struct rlimit tight;
    int fds[64];
    uint32_t count = 0;

    start(&(struct engine_params){0});
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    fds[count++] = client_open(m.port);
    cr_assert(is_served(fds[0]));
    tight = old;
    tight.rlim_cur = (rlim_t)dup(fds[0]) + 12; /* room for some clients, not for their peers */
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
    while (count < 60) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in to = client_loopback(m.port);

        if (fd < 0) {
            break;
        }
        cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
        fds[count++] = fd;
    }
    cr_assert_lt(count, 60, "descriptors never ran out: test too weak");
    for (uint32_t i = 0; i < 100; i++) {
        machine_nap();
    }
    cr_assert(is_served(fds[0]), "who is in is served");
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    WAIT_UNTIL(echo_totals.accepted == count);
    cr_assert(is_served(fds[count - 1]), "who waited is let in");
    for (uint32_t i = 0; i < count; i++) {
        client_close(fds[i]);
    }
    machine_stop(&m);
}

Test(shard, listening_errors_and_stop)
{
    struct sockaddr_in addr;
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
    char why[200] = "";
    int fd;

    start(&(struct engine_params){.shard_count = 2});
    addr = client_loopback(m.port);
    cr_assert_eq(engine_listen(m.engine, (struct sockaddr *)&addr, sizeof(addr), 8, why,
                               sizeof(why)),
                 -EADDRINUSE);
    cr_assert_neq(why[0], '\0');
    cr_assert_eq(engine_listen_port(m.engine, 8), 0);
    six.sin6_port = htons(m.port); /* v6only: the same port is free for [::] */
    cr_assert_eq(engine_listen(m.engine, (struct sockaddr *)&six, sizeof(six), 6, why,
                               sizeof(why)),
                 0, "%s", why);
    fd = client_open(m.port);
    cr_assert(is_served(fd));
    engine_listen_stop(m.engine);
    cr_assert(is_served(fd), "existing connections live on");
    int probe = socket(AF_INET, SOCK_STREAM, 0);

    cr_assert_eq(connect(probe, (struct sockaddr *)&addr, sizeof(addr)), -1);
    close(probe);
    cr_assert_eq(engine_listen(m.engine, (struct sockaddr *)&addr, sizeof(addr), 9, why,
                               sizeof(why)),
                 0, "the port is free again: %s", why);
    probe = client_open(engine_listen_port(m.engine, 9));
    WAIT_UNTIL(echo_totals.accepted == 2);
    machine_stop(&m);
    cr_assert_eq(echo_totals.closed, 2);
    cr_assert_eq(echo_totals.last_err, ERR_SHUTDOWN);
    close(probe);
    client_close(fd);
}

static int start_fails(struct shard *sh, void *ctx, void **shard_app)
{
    (void)ctx;
    (void)shard_app;
    return shard_idx(sh) == 1 ? ERR_CONFIG : 0;
}

static _Atomic uint32_t stops;

static void stop_counts(struct shard *sh, void *shard_app)
{
    (void)sh;
    (void)shard_app;
    stops++;
}

static void mail_drops(struct shard *sh, struct mail *mail)
{
    (void)sh;
    mail_free(mail);
}

Test(shard, an_application_that_fails_to_start_stops_the_engine)
{
    static const struct engine_app failing = {.shard_start = start_fails,
                                              .shard_stop = stop_counts,
                                              .accepted = accepted_maybe_authenticated,
                                              .mail = mail_drops};
    struct engine *e = NULL;
    char why[200];

    cr_assert_eq(engine_new(&e, &(struct engine_params){.app = &failing, .shard_count = 2}, why,
                            sizeof(why)),
                 ERR_CONFIG);
    cr_assert_neq(why[0], '\0');
    cr_assert_null(e);
    cr_assert_eq(stops, 1, "the shard that had started was stopped");
}

static _Atomic uint64_t turn_ends;

static void count_turn(struct shard *sh)
{
    (void)sh;
    turn_ends++;
}

Test(shard, an_idle_engine_sleeps)
{
    uint64_t turns;

    machine_turn_end = count_turn;
    start(&(struct engine_params){.shard_count = 2});
    for (uint32_t i = 0; i < 50; i++) {
        machine_nap();
    }
    turns = machine_stats(&m, 0).turns + machine_stats(&m, 1).turns;
    cr_assert_leq(turn_ends, turns + 1);
    cr_assert_geq(turn_ends, turns);
    for (uint32_t i = 0; i < 200; i++) {
        machine_nap();
    }
    cr_assert_leq(machine_stats(&m, 0).turns + machine_stats(&m, 1).turns - turns, 2);
    machine_stop(&m);
}
