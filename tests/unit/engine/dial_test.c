/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of core/engine: resolver and dialler against a DNS server and listeners of our own. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/err.h"
#include "dial_scene.h"

TestSuite(dial, .init = scene_setup, .fini = scene_teardown, .timeout = 60);

Test(dial, srv_target)
{
    srv("_xmpp-server._tcp.a.example", 10, s.m.port, "h.a.example");
    row("h.a.example", 1, ZONE_ANSWER, "127.0.0.1");
    dial();
    expect_done("h.a.example");
    cr_assert_not(s.is_direct_tls);
    WAIT_UNTIL(echo_totals.accepted == 1);
}

Test(dial, first_target_dead)
{
    srv("_xmpp-server._tcp.a.example", 20, s.m.port, "good.example");
    srv("_xmpp-server._tcp.a.example", 10, s.dead_port, "bad.example");
    row("good.example", 1, ZONE_ANSWER, "127.0.0.1");
    row("bad.example", 1, ZONE_ANSWER, "127.0.0.1");
    dial();
    expect_done("good.example");
    /* The next one: none is left, and the story tells all. */
    dial_on();
    cr_assert_eq(s.failed, 1);
    cr_assert(strstr(s.text, "bad.example:"), "%s", s.text);
    cr_assert(strstr(s.text, "(127.0.0.1): Connection refused; good.example:"), "%s", s.text);
    cr_assert(strstr(s.text, "stream refused"), "%s", s.text);
}

Test(dial, next_walks_the_targets)
{
    srv("_xmpp-server._tcp.a.example", 10, s.m.port, "one.example");
    srv("_xmpp-server._tcp.a.example", 20, s.m.port, "two.example");
    row("one.example", 1, ZONE_ANSWER, "127.0.0.1");
    row("two.example", 1, ZONE_ANSWER, "127.0.0.1");
    dial();
    expect_done("one.example");
    dial_on();
    cr_assert_eq(s.done, 2);
    cr_assert_str_eq(s.target, "two.example");
}

Test(dial, target_without_address_is_skipped)
{
    srv("_xmpp-server._tcp.a.example", 10, s.m.port, "gone.example");
    srv("_xmpp-server._tcp.a.example", 20, s.m.port, "good.example");
    row("good.example", 1, ZONE_ANSWER, "127.0.0.1");
    dial();
    expect_done("good.example");
}

Test(dial, first_address_dead)
{
    /* 127.0.0.2 refuses: the listener is bound to 127.0.0.1 only. */
    srv("_xmpp-server._tcp.a.example", 10, s.m.port, "h.example");
    row("h.example", 1, ZONE_ANSWER, "127.0.0.2");
    row("h.example", 1, ZONE_ANSWER, "127.0.0.1");
    dial();
    expect_done("h.example");
    cr_assert(strncmp(s.peer, "127.0.0.1:", 10) == 0, "%s", s.peer);
}

Test(dial, dead_ipv6_first_then_ipv4)
{
    srv("_xmpp-server._tcp.a.example", 10, s.m.port, "h.example");
    row("h.example", 28, ZONE_ANSWER, "::1");
    row("h.example", 1, ZONE_ANSWER, "127.0.0.1");
    dial();
    expect_done("h.example");
    cr_assert(strncmp(s.peer, "127.0.0.1:", 10) == 0, "%s", s.peer);
}

/* AAAA never answers: A wins after the resolution delay, long before the lookup times out. */
Test(dial, silent_aaaa_does_not_hold_up)
{
    srv("_xmpp-server._tcp.a.example", 10, s.m.port, "h.example");
    row("h.example", 28, ZONE_SILENT, NULL);
    row("h.example", 1, ZONE_ANSWER, "127.0.0.1");
    int64_t from = clock_ms();
    dial();
    expect_done("h.example");
    cr_assert(clock_ms() - from < 1000, "%ld ms", (long)(clock_ms() - from));
}

Test(dial, root_target_is_a_no)
{
    srv("_xmpp-server._tcp.a.example", 0, 0, "");
    row("a.example", 1, ZONE_ANSWER, "127.0.0.1");
    dial();
    expect_failed(DIAL_STEP_DNS, ERR_DNS_REFUSED_SRV);
}

Test(dial, root_target_of_the_other_service_only)
{
    srv("_xmpps-server._tcp.a.example", 0, 0, "");
    srv("_xmpp-server._tcp.a.example", 10, s.m.port, "h.example");
    row("h.example", 1, ZONE_ANSWER, "127.0.0.1");
    dial();
    expect_done("h.example");
}

Test(dial, falls_back_to_the_name)
{
    row("a.example", 1, ZONE_ANSWER, "127.0.0.1");
    dial();
    expect_done("a.example");
}

Test(dial, no_fall_back_if_told_so)
{
    s.params.srv_only = true;
    row("a.example", 1, ZONE_ANSWER, "127.0.0.1");
    dial();
    expect_failed(DIAL_STEP_DNS, ERR_DNS_NXDOMAIN);
}

Test(dial, nxdomain)
{
    dial();
    expect_failed(DIAL_STEP_DNS, ERR_DNS_NXDOMAIN);
    cr_assert(strstr(s.text, "a.example"), "%s", s.text);
}

Test(dial, servfail)
{
    row("_xmpps-server._tcp.a.example", 33, ZONE_SERVFAIL, NULL);
    row("_xmpp-server._tcp.a.example", 33, ZONE_SERVFAIL, NULL);
    row("a.example", 1, ZONE_ANSWER, "127.0.0.1");
    dial();
    expect_failed(DIAL_STEP_DNS, ERR_DNS_SERVFAIL);
}

Test(dial, servfail_of_the_unknown_service_does_no_harm)
{
    row("_xmpps-server._tcp.a.example", 33, ZONE_SERVFAIL, NULL);
    row("a.example", 1, ZONE_ANSWER, "127.0.0.1");
    dial();
    expect_done("a.example");
}

Test(dial, malformed_answer)
{
    row("_xmpp-server._tcp.a.example", 33, ZONE_GARBAGE, NULL);
    dial();
    expect_failed(DIAL_STEP_DNS, ERR_DNS_BAD);
}

Test(dial, no_answer_in_time)
{
    row("a.example", 1, ZONE_SILENT, NULL);
    row("a.example", 28, ZONE_SILENT, NULL);
    s.params.total_timeout_ms = 700;
    dial();
    expect_failed(DIAL_STEP_DNS, ERR_TIMEOUT);
}

Test(dial, dns_time_out_is_tried_again_and_told)
{
    s.params.services[0].srv_prefix = s.params.services[1].srv_prefix = NULL;
    row("a.example", 1, ZONE_SILENT, NULL);
    s.params.total_timeout_ms = 30000;
    dial();
    expect_failed(DIAL_STEP_DNS, ERR_DNS_TIMEOUT);
    cr_assert_eq(s.ns.asked_row[0], 3);
}

Test(dial, everything_refused)
{
    s.params.port = s.dead_port;
    row("a.example", 1, ZONE_ANSWER, "127.0.0.1");
    dial();
    expect_failed(DIAL_STEP_TCP, -ECONNREFUSED);
}

Test(dial, through_an_alias)
{
    srv("_xmpp-server._tcp.a.example", 10, s.m.port, "alias.example");
    row("alias.example", 5, ZONE_ANSWER, "real.example");
    row("real.example", 1, ZONE_ANSWER, "127.0.0.1");
    dial();
    expect_done("alias.example");
}

Test(dial, ip_literals_ask_nobody)
{
    s.params.name = SLICE_LIT("127.0.0.1");
    dial();
    expect_done("127.0.0.1");
    hang_up();
    s.params.name = SLICE_LIT("[::1]");
    dial();
    expect_failed(DIAL_STEP_TCP, -ECONNREFUSED); /* the listener is IPv4 */
    cr_assert_eq(s.ns.asked, 0);
}

Test(dial, hosts_file_counts)
{
    s.params.services[0].srv_prefix = s.params.services[1].srv_prefix = NULL;
    s.params.name = SLICE_LIT("localhost");
    dial();
    expect_done("localhost");
}

Test(dial, answers_are_cached)
{
    struct engine_stats before, after;

    srv("_xmpp-server._tcp.a.example", 10, s.m.port, "h.example");
    row("h.example", 1, ZONE_ANSWER, "127.0.0.1");
    dial();
    uint32_t asked = s.ns.asked;
    cr_assert_eq(asked, 4); /* two SRV sets, AAAA, A */
    before = machine_stats(&s.m, 0);
    hang_up();
    dial();
    expect_done("h.example");
    after = machine_stats(&s.m, 0);
    cr_assert_eq(s.ns.asked, asked, "positive and negative answers come from the cache");
    cr_assert_eq(after.dns_cache_hits - before.dns_cache_hits, 4);
    cr_assert_eq(after.dns_queries, before.dns_queries);
}

Test(dial, ttl_is_honoured)
{
    s.params.services[0].srv_prefix = s.params.services[1].srv_prefix = NULL;
    row("a.example", 1, ZONE_ANSWER, "127.0.0.1");
    s.rows[0].ttl_s = 1;
    dial();
    hang_up();
    dial();
    cr_assert_eq(s.ns.asked_row[0], 1);
    hang_up();
    for (int i = 0; i < 1100; i++) {
        machine_nap();
    }
    dial();
    expect_done("a.example");
    cr_assert_eq(s.ns.asked_row[0], 2);
}

static struct dial *many[50];
static _Atomic unsigned many_failed;

static void many_on_failed(struct dial *d, void *ctx, enum dial_step step, int err,
                           const char *text)
{
    (void)step;
    (void)err;
    (void)text;
    /* Freeing from inside its callback, by the callee. */
    *(struct dial **)ctx = NULL;
    dial_free(d);
    many_failed++;
}

static const struct dial_ops many_ops = {.done = NULL, .failed = many_on_failed};

static void start_many(struct shard *sh, void *ctx)
{
    (void)ctx;
    for (unsigned i = 0; i < 50; i++) {
        cr_assert_eq(dial_start(&many[i], sh, &s.params, &many_ops, &many[i]), 0);
    }
}

Test(dial, same_questions_are_asked_once)
{
    row("a.example", 1, ZONE_NODATA, NULL);
    s.rows[0].delay_ms = 50;
    machine_run(&s.m, 0, start_many, NULL);
    WAIT_UNTIL(many_failed == 50);
    cr_assert_eq(s.ns.asked, 4);
}

static void free_half(struct shard *sh, void *ctx)
{
    (void)sh;
    (void)ctx;
    for (unsigned i = 0; i < 50; i += 2) {
        dial_free(many[i]);
        many[i] = NULL;
    }
}

/* Freed at every step of their way: no callback comes, nothing leaks (teardown checks). */
Test(dial, free_while_asking)
{
    row("_xmpp-server._tcp.a.example", 33, ZONE_NODATA, NULL);
    s.rows[0].delay_ms = 100;
    machine_run(&s.m, 0, start_many, NULL);
    machine_run(&s.m, 0, free_half, NULL);
    WAIT_UNTIL(many_failed == 25);
    for (unsigned i = 0; i < 50; i++) {
        cr_assert_null(many[i]);
    }
}

static void start_and_free(struct shard *sh, void *ctx)
{
    struct dial *d;

    (void)ctx;
    cr_assert_eq(dial_start(&d, sh, &s.params, &scene_ops, NULL), 0);
    dial_free(d);
}

Test(dial, free_at_once)
{
    machine_run(&s.m, 0, start_and_free, NULL);
    for (int i = 0; i < 50; i++) {
        machine_nap();
    }
    cr_assert_eq(s.done + s.failed, 0);
}

static void bad_params(struct shard *sh, void *ctx)
{
    static char longname[300];
    struct dial_params p = s.params;
    struct dial *d;

    (void)ctx;
    p.name = SLICE_NONE;
    cr_assert_eq(dial_start(&d, sh, &p, &scene_ops, NULL), ERR_BAD_INPUT);
    memset(longname, 'a', sizeof(longname));
    p.name = slice_make(longname, sizeof(longname));
    cr_assert_eq(dial_start(&d, sh, &p, &scene_ops, NULL), ERR_BAD_INPUT);
    p.name = SLICE_LIT("a\0b");
    cr_assert_eq(dial_start(&d, sh, &p, &scene_ops, NULL), ERR_BAD_INPUT);
    cr_assert_null(d);
}

Test(dial, bad_parameters)
{
    machine_run(&s.m, 0, bad_params, NULL);
}

/* A prefix that makes the name too long cannot have records: straight to the name. */
Test(dial, name_too_long_for_srv)
{
    static char name[237]; /* longer ones do not fit an answer of the test's server */

    for (size_t i = 0; i < 236; i++) {
        name[i] = i % 50 == 49 ? '.' : 'a';
    }
    s.params.name = slice_make(name, 236);
    row(name, 1, ZONE_ANSWER, "127.0.0.1");
    dial();
    expect_done(name);
}

/* An address where connecting hangs: a listener whose queue is full drops what comes. */
static int black_hole(const char *ip, int fds[4])
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(s.m.port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(inet_pton(AF_INET, ip, &addr.sin_addr), 1);
    cr_assert_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    cr_assert_eq(listen(fd, 0), 0);
    for (int i = 0; i < 4; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fds[i], (struct sockaddr *)&addr, sizeof(addr));
    }
    return fd;
}

static void close_all(int fd, const int fds[4])
{
    (void)close(fd);
    for (int i = 0; i < 4; i++) {
        (void)close(fds[i]);
    }
}

/* RFC 8305: the second address is tried 250 ms later, and wins while the first still hangs. */
Test(dial, hanging_address_is_overtaken)
{
    int fds[4];
    int hole = black_hole("127.0.0.3", fds);

    srv("_xmpp-server._tcp.a.example", 10, s.m.port, "h.example");
    row("h.example", 1, ZONE_ANSWER, "127.0.0.3");
    row("h.example", 1, ZONE_ANSWER, "127.0.0.1");
    int64_t from = clock_ms();
    dial();
    int64_t ms = clock_ms() - from;
    expect_done("h.example");
    cr_assert(strncmp(s.peer, "127.0.0.1:", 10) == 0, "%s", s.peer);
    cr_assert(ms >= 240 && ms < 1500, "%ld ms", (long)ms);
    close_all(hole, fds);
}

Test(dial, hanging_connect_times_out)
{
    int fds[4];
    int hole = black_hole("127.0.0.3", fds);

    s.params.connect_timeout_ms = 400;
    srv("_xmpp-server._tcp.a.example", 10, s.m.port, "h.example");
    row("h.example", 1, ZONE_ANSWER, "127.0.0.3");
    dial();
    expect_failed(DIAL_STEP_TCP, ERR_TIMEOUT);
    close_all(hole, fds);
}

Test(dial, total_time_bounds_all_targets)
{
    int fds[4];
    int hole = black_hole("127.0.0.3", fds);

    s.params.total_timeout_ms = 600;
    srv("_xmpp-server._tcp.a.example", 10, s.m.port, "h.example");
    row("h.example", 1, ZONE_ANSWER, "127.0.0.3");
    int64_t from = clock_ms();
    dial();
    expect_failed(DIAL_STEP_TCP, ERR_TIMEOUT);
    cr_assert(clock_ms() - from < 2000);
    close_all(hole, fds);
}

/* Freed while an attempt hangs: no callback, nothing leaks. */
Test(dial, free_while_connecting)
{
    int fds[4];
    int hole = black_hole("127.0.0.3", fds);

    s.params.name = SLICE_LIT("127.0.0.3");
    machine_run(&s.m, 0, start_many, NULL);
    for (int i = 0; i < 50; i++) {
        machine_nap();
    }
    machine_run(&s.m, 0, free_half, NULL);
    for (unsigned i = 0; i < 50; i += 2) {
        cr_assert_null(many[i]);
    }
    WAIT_UNTIL(many_failed == 25); /* by connect_timeout_ms */
    close_all(hole, fds);
}
