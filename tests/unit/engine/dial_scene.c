/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dial_scene: see dial_scene.h. */
#include "dial_scene.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"

#define SERVICES \
    .services = {{"_xmpps-server._tcp", true}, {"_xmpp-server._tcp", false}}

struct scene s;

void row(const char *name, uint16_t type, enum zone_how how, const char *data)
{
    s.rows[s.row_count++] = (struct zone_row){.name = name, .type = type, .how = how, .data = data};
}

void srv(const char *name, uint16_t priority, uint16_t port, const char *target)
{
    row(name, 33, ZONE_ANSWER, target);
    s.rows[s.row_count - 1].priority = priority;
    s.rows[s.row_count - 1].port = port;
}

/* A port that nobody listens on, and nobody will. */
static uint16_t make_dead_port(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    return ntohs(addr.sin_port); /* stays bound: fd is left open on purpose */
}

static void on_done(struct dial *d, void *ctx, struct conn *c, bool is_direct_tls)
{
    struct slice target = dial_target(d);

    (void)ctx;
    conn_set_owner(c, &echo_ops, NULL);
    s.conn = conn_ref_of(c);
    s.is_direct_tls = is_direct_tls;
    s.was_secured = conn_is_secured(c);
    (void)snprintf(s.target, sizeof(s.target), "%.*s", SLICE_FMT(target));
    (void)snprintf(s.peer, sizeof(s.peer), "%s", conn_peer_text(c));
    s.done++;
}

static void on_failed(struct dial *d, void *ctx, enum dial_step step, int err, const char *text)
{
    (void)ctx;
    cr_assert_eq(d, s.d);
    s.step = step;
    s.err = err;
    (void)snprintf(s.text, sizeof(s.text), "%s", text);
    s.failed++;
}

const struct dial_ops scene_ops = {.done = on_done, .failed = on_failed};

static void start_machine(void)
{
    static struct engine_params params;
    static const char *servers[2];

    name_server_start(&s.ns, s.rows);
    servers[0] = s.ns.address;
    params = (struct engine_params){.conn_max = 64, .dns_servers = servers};
    machine_start(&s.m, &params);
}

/* The shard's pool after the resolver has gone: slots stop in their order. */
static _Atomic int64_t pool_left;

static void measure_pool(struct shard *sh, void *object)
{
    (void)sh;
    (void)object;
    pool_left += pool_used_bytes();
}

static void arm_measure(struct shard *sh, void *ctx)
{
    shard_slot_set(sh, SHARD_SLOT_DIAL, ctx, measure_pool);
}

/* The listener's port is known only when the machine runs: rows are filled in between. */
void scene_setup(void)
{
    memset(&s, 0, sizeof(s));
    s.dead_port = make_dead_port();
    start_machine();
    machine_run(&s.m, 0, arm_measure, &s);
    s.params = (struct dial_params){.name = SLICE_LIT("a.example"), SERVICES, .port = s.m.port,
                                    .connect_timeout_ms = 3000, .total_timeout_ms = 15000};
}

static void start_on_shard(struct shard *sh, void *ctx)
{
    (void)ctx;
    cr_assert_eq(dial_start(&s.d, sh, &s.params, &scene_ops, NULL), 0);
    cr_assert_eq(s.done + s.failed, 0, "a callback from inside dial_start");
}

static void free_on_shard(struct shard *sh, void *ctx)
{
    struct conn *c = conn_find(sh, s.conn);

    (void)ctx;
    dial_free(s.d);
    s.d = NULL;
    if (c) {
        conn_abort(c, 0, "test over");
    }
    s.conn = (struct conn_ref){0};
}

static void next_on_shard(struct shard *sh, void *ctx)
{
    struct conn *c = conn_find(sh, s.conn);

    (void)ctx;
    if (c) {
        conn_abort(c, 0, "useless");
    }
    dial_next(s.d, "stream refused");
}

void dial(void)
{
    s.done = s.failed = 0;
    machine_run(&s.m, 0, start_on_shard, NULL);
    WAIT_UNTIL(s.done + s.failed > 0);
}

void hang_up(void)
{
    machine_run(&s.m, 0, free_on_shard, NULL);
}

void scene_teardown(void)
{
    if (s.d) {
        hang_up();
    }
    engine_free(s.m.engine);
    name_server_stop(&s.ns);
    /* Criterion does not count what fails here: abort. */
    ASSERT(pool_left + pool_used_bytes() == 0);
    ASSERT(check_failed_count() == 0);
}

void expect_done(const char *target)
{
    cr_assert_eq(s.done, 1, "failed: %s", s.text);
    cr_assert_eq(s.failed, 0);
    cr_assert_str_eq(s.target, target);
}

void expect_failed(enum dial_step step, int err)
{
    cr_assert_eq(s.failed, 1);
    cr_assert_eq(s.done, 0);
    cr_assert_eq(s.step, step, "%s: %s", dial_step_name(s.step), s.text);
    cr_assert_eq(s.err, err, "%s: %s", err_name(s.err), s.text);
}

void dial_on(void)
{
    unsigned before = s.done + s.failed;

    machine_run(&s.m, 0, next_on_shard, NULL);
    WAIT_UNTIL(s.done + s.failed > before);
}

int64_t clock_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
