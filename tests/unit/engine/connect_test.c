/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shard: outgoing connections. */
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

struct caller {
    struct sockaddr_in to;
    uint32_t timeout_ms;
    bool cancels;
    struct conn_ref attempt;
    _Atomic uint32_t dones, closeds;
    _Atomic int err, closed_err;
    char got[16];
    _Atomic uint32_t got_bytes;
};

static size_t caller_data(struct conn *c, void *owner, char *bytes, size_t len)
{
    struct caller *k = owner;

    for (size_t i = 0; i < len && k->got_bytes < sizeof(k->got); i++) {
        k->got[k->got_bytes++] = bytes[i];
    }
    if (k->got_bytes == 5) {
        conn_close(c, 1000);
    }
    return len;
}

static void caller_closed(struct conn *c, void *owner, int err, const char *why, size_t unsent)
{
    struct caller *k = owner;

    (void)c;
    (void)why;
    (void)unsent;
    k->closed_err = err;
    k->closeds++;
}

static const struct conn_ops caller_ops = {.data = caller_data, .closed = caller_closed};

static void caller_done(struct shard *sh, void *ctx, struct conn *c, int err)
{
    struct caller *k = ctx;

    (void)sh;
    k->err = err;
    if (c) {
        conn_set_owner(c, &caller_ops, k);
        buf_put_cstr(conn_out(c), "hello");
        conn_flush(c);
    }
    k->dones++;
}

static void do_call(struct shard *sh, void *ctx)
{
    struct caller *k = ctx;
    struct shard_connect_params p = {.addr = (struct sockaddr *)&k->to,
                                     .addr_len = sizeof(k->to),
                                     .timeout_ms = k->timeout_ms,
                                     .done = caller_done,
                                     .ctx = k};

    cr_expect_eq(shard_connect(sh, &p, &k->attempt), 0);
    cr_expect_eq(k->dones, 0);
    if (k->cancels) {
        shard_connect_cancel(sh, k->attempt);
        shard_connect_cancel(sh, k->attempt);
    }
}

Test(connect, connects_and_talks_to_itself)
{
    static struct caller k;

    start(&(struct engine_params){0});
    k = (struct caller){.to = client_loopback(m.port), .timeout_ms = 5000};
    machine_run(&m, 0, do_call, &k);
    WAIT_UNTIL(k.closeds == 1);
    cr_assert_eq(k.err, 0);
    cr_assert_eq(k.closed_err, 0);
    cr_assert_arr_eq(k.got, "hello", 5);
    cr_assert_eq(k.dones, 1);
    WAIT_UNTIL(machine_stats(&m, 0).conn_open == 0);
    machine_stop(&m);
}

Test(connect, a_refused_connect_says_so)
{
    static struct caller k;

    start(&(struct engine_params){0});
    k = (struct caller){.to = client_loopback(1), .timeout_ms = 5000}; /* tcpmux: nobody is there */
    machine_run(&m, 0, do_call, &k);
    WAIT_UNTIL(k.dones == 1);
    cr_assert_eq(k.err, -ECONNREFUSED);
    cr_assert_eq(k.closeds, 0);
    machine_stop(&m);
}

/* A listener whose queue is full: the kernel drops further SYNs. */
static uint16_t deaf_listener(int *fd, int *filler)
{
    struct sockaddr_in addr = client_loopback(0);
    socklen_t len = sizeof(addr);

    *fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(*fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    cr_assert_eq(listen(*fd, 0), 0);
    cr_assert_eq(getsockname(*fd, (struct sockaddr *)&addr, &len), 0);
    *filler = client_open(ntohs(addr.sin_port));
    return ntohs(addr.sin_port);
}

Test(connect, a_connect_can_time_out)
{
    static struct caller k;
    int fd;
    int filler;

    start(&(struct engine_params){0});
    k = (struct caller){.to = client_loopback(deaf_listener(&fd, &filler)), .timeout_ms = 50};
    machine_run(&m, 0, do_call, &k);
    WAIT_UNTIL(k.dones == 1);
    cr_assert_eq(k.err, ERR_TIMEOUT);
    WAIT_UNTIL(machine_stats(&m, 0).conn_open == 0);
    close(fd);
    client_close(filler);
    machine_stop(&m);
}

Test(connect, a_cancelled_connect_is_silent)
{
    static struct caller k;
    static struct caller quick;
    int fd;
    int filler;

    start(&(struct engine_params){0});
    k = (struct caller){.to = client_loopback(deaf_listener(&fd, &filler)), .cancels = true};
    quick = (struct caller){.to = client_loopback(m.port), .cancels = true};
    machine_run(&m, 0, do_call, &k);
    machine_run(&m, 0, do_call, &quick);
    WAIT_UNTIL(machine_stats(&m, 0).conn_open == 0);
    cr_assert_eq(k.dones + quick.dones, 0);
    close(fd);
    client_close(filler);
    machine_stop(&m);
}

static void do_call_unknown(struct shard *sh, void *ctx)
{
    struct sockaddr_un {
        sa_family_t family;
        char path[108];
    } addr = {.family = AF_UNIX, .path = "/nowhere"};
    struct shard_connect_params p = {
        .addr = (struct sockaddr *)&addr, .addr_len = sizeof(addr), .done = caller_done};

    (void)ctx;
    cr_expect_eq(shard_connect(sh, &p, NULL), ERR_UNSUPPORTED);
    p.addr_len = sizeof(sa_family_t);
    addr.family = 250;
    cr_expect_eq(shard_connect(sh, &p, NULL), -EAFNOSUPPORT);
}

Test(connect, connect_refuses_what_is_no_internet_address)
{
    start(&(struct engine_params){0});
    machine_run(&m, 0, do_call_unknown, NULL);
    machine_stop(&m);
}
