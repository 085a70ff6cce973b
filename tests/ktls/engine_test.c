/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine: connections against OpenSSL whose records the kernel protects (ON_KERNEL: in user-mode-
 * linux, see tests/ktls; its counters say that it was the kernel) or the user record engine (on the
 * host, with each library). Both roles, both versions, every cipher; the switch at every border;
 * what is no application data; records cut and spoilt; moves. */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "io/ktls.h"
#include "machine.h"
#include "peer.h"
#include "tls/tls.h"

enum { TLS13 = 0, TLS12 = 3, SUITE_COUNT = 6 }; /* in peer_suites */

/* BACKEND is a library without TLS 1.3 where HAS_TLS13 is 0. */
static const uint32_t first = HAS_TLS13 ? TLS13 : TLS12;
#define PATH (ON_KERNEL ? "kernel" : "user")

static struct machine m;
static struct ktls_caps caps;
static struct ktls_counters before;
static struct tls_context *ctx;

/* The engine's end: echoes. */
static struct {
    bool moves, keeps_open, is_off, is_wary;
    uint64_t state;
    struct conn *c;
    char path[20], why[200];
    _Atomic uint64_t secured, closed, moved, peer_ends, bytes;
    _Atomic int err;
} us;

static void start_tls(struct conn *c, enum tls_role role)
{
    struct conn_tls_params params = {.ctx = ctx,
                                     .session = {.role = role,
                                                 .sni = SLICE_LIT("fabrikam.test"),
                                                 .credential_idx = UINT32_MAX},
                                     .handshake_timeout_ms = 10000,
                                     .ktls = us.is_off || !ON_KERNEL ? CONN_KTLS_OFF
                                                                     : CONN_KTLS_REQUIRE};

    us.c = c;
    cr_assert_eq(conn_start_tls(c, &params), 0);
}

static void arrived(struct shard *sh, struct conn *c, void *owner)
{
    (void)sh;
    (void)owner;
    us.c = c;
    us.moved++;
    conn_resume(c);
}

static size_t data(struct conn *c, void *owner, char *bytes, size_t len)
{
    struct buf *out = conn_out(c);
    size_t take = len < buf_room(out) ? len : buf_room(out);

    (void)owner;
    if (us.moves && dice(&us.state, 3) == 0) {
        take = take < 100 ? take : take - 100;
    }
    buf_append(out, bytes, take);
    conn_flush(c);
    us.bytes += take;
    (void)snprintf(us.path, sizeof(us.path), "%s", conn_record_path(c));
    if (take < len || conn_out_is_crowded(c)) {
        conn_pause(c);
        if (us.moves) {
            conn_move(c, dice(&us.state, shard_count(conn_shard(c))), arrived);
        }
    }
    return take;
}

static void writable(struct conn *c, void *owner)
{
    (void)owner;
    conn_resume(c);
}

static void secured(struct conn *c, void *owner)
{
    (void)owner;
    if (!us.is_wary) {
        conn_set_authenticated(c);
    }
    us.secured++;
}

static bool peer_ended(struct conn *c, void *owner)
{
    (void)owner;
    us.peer_ends++;
    if (us.keeps_open) {
        buf_put_lit(conn_out(c), "last words");
        conn_close(c, 5000);
    }
    return us.keeps_open;
}

static void closed(struct conn *c, void *owner, int err, const char *why, size_t unsent)
{
    (void)c;
    (void)owner;
    (void)unsent;
    (void)snprintf(us.why, sizeof(us.why), "%s", why);
    us.err = err;
    us.closed++;
}

static const struct conn_ops ops = {.data = data,
                                    .secured = secured,
                                    .writable = writable,
                                    .peer_ended = peer_ended,
                                    .closed = closed};

static void accepted(struct shard *sh, struct conn *c, uint32_t tag)
{
    (void)sh;
    (void)tag;
    conn_set_owner(c, &ops, NULL);
    start_tls(c, TLS_ROLE_SERVER);
}

static void connected(struct shard *sh, void *app, struct conn *c, int err)
{
    (void)sh;
    (void)app;
    cr_assert_eq(err, 0);
    conn_set_owner(c, &ops, NULL);
    start_tls(c, TLS_ROLE_CLIENT);
}

static void do_connect(struct shard *sh, void *to)
{
    struct shard_connect_params p = {.addr = to,
                                     .addr_len = sizeof(struct sockaddr_in),
                                     .timeout_ms = 5000,
                                     .done = connected};

    cr_assert_eq(shard_connect(sh, &p, NULL), 0);
}

/* A connection of the engine to a socket of ours. */
static int be_dialled(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval limit = {.tv_sec = WAIT_MS / 1000};
    socklen_t len = sizeof(at);
    int listener = io_listen_open((struct sockaddr *)&at, len, 1);
    int fd;

    cr_assert_eq(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    machine_run(&m, 0, do_connect, &at);
    fd = accept(listener, NULL, NULL);
    cr_assert_geq(fd, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    close(listener);
    return fd;
}

static void begin(const struct engine_params *params)
{
    struct tls_credential credential = {.certificate_path = TLS_CERTS "/good.crt",
                                        .key_path = TLS_CERTS "/good.key"};
    struct tls_context_params tls = {
        .credentials = &credential, .credential_count = 1, .trust_path = TLS_CERTS "/trust.crt"};
    struct engine_params p = *params;
    struct tls_error why;

    ktls_probe(&caps);
    cr_assert(caps.is_there || !ON_KERNEL, "%s", caps.text);
    cr_assert_eq(tls_context_new(&ctx, tls_backend_find(BACKEND), &tls, &why), 0, "%s", why.text);
    machine_accepted = accepted;
    p.ktls = &caps;
    machine_start(&m, &p);
    cr_assert(ktls_counters(&before) || !ON_KERNEL);
}

static void end(void)
{
    struct ktls_counters after;

    WAIT_UNTIL(!ON_KERNEL ||
               (ktls_counters(&after) && after.current_in_sw == before.current_in_sw &&
                after.current_out_sw == before.current_out_sw));
    tls_context_unref(ctx);
    machine_stop(&m);
}

/* A peer whose connection is up, and in the kernel on our side. */
static void meet(struct peer *p, bool is_server, const struct peer_suite *suite)
{
    char hello[5] = "";

    us.secured = us.closed = us.peer_ends = 0;
    peer_init(p, is_server ? be_dialled() : client_open(m.port), is_server, suite);
    peer_handshake(p);
    peer_send(p);
    /* Twice: a client that keeps tickets gives its keys away after the first data. */
    for (uint32_t i = 0; i < 2; i++) {
        peer_seal(p, "hello", 5);
        peer_send(p);
        peer_read(p, hello, 5);
        cr_assert_arr_eq(hello, "hello", 5);
    }
    cr_assert_eq(us.secured, 1);
}

static uint64_t installed(bool is_out)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < engine_shard_count(m.engine); i++) {
        struct engine_stats stats = machine_stats(&m, i);

        cr_assert_eq(stats.tls_kernel_refused, 0);
        sum += is_out ? stats.tls_kernel_out : stats.tls_kernel_in;
    }
    return sum;
}

/* So many connections of this run are the kernel's, or none is. */
static bool are_installed(uint64_t count)
{
    return installed(false) == (ON_KERNEL ? count : 0) && installed(true) == installed(false);
}

static void kernel_saw(uint64_t count)
{
    struct ktls_counters after;

    if (ON_KERNEL) {
        cr_assert(ktls_counters(&after));
        cr_assert_eq(after.total_out_sw - before.total_out_sw, count);
        cr_assert_eq(after.total_in_sw - before.total_in_sw, count);
    }
}

/* len bytes there and back, in pieces. */
static void echo(struct peer *p, size_t len, size_t piece)
{
    char *sent = malloc(piece);
    char *got = malloc(piece);

    for (size_t at = 0; at < len; at += piece) {
        size_t n = len - at < piece ? len - at : piece;

        pattern_fill(len, at, sent, n);
        peer_seal(p, sent, n);
        peer_send(p);
        peer_read(p, got, n);
        cr_assert_arr_eq(sent, got, n);
    }
    free(sent);
    free(got);
}

static void part(struct peer *p)
{
    peer_close_notify(p);
    peer_send(p);
    cr_assert_eq(peer_read_end(p), 0, "no close_notify");
    peer_deinit(p);
    WAIT_UNTIL(us.closed == 1);
    cr_assert_eq(us.err, ERR_CLOSED, "%s: %s", err_name(us.err), us.why);
    cr_assert_eq(us.peer_ends, 1);
}

Test(ktls_engine, every_suite_in_both_roles)
{
    static const size_t pieces[] = {1, 16384, 16385, 100000};
    struct ktls_counters after;
    uint64_t count = 0;
    struct peer p;

    begin(&(struct engine_params){0});
    for (uint32_t i = first; i < SUITE_COUNT; i++) {
        for (uint32_t is_server = 0; is_server < 2; is_server++) {
            meet(&p, is_server, &peer_suites[i]);
            for (uint32_t k = 0; k < sizeof(pieces) / sizeof(pieces[0]); k++) {
                echo(&p, k ? 2 * pieces[k] : 20, pieces[k]);
            }
            cr_assert_str_eq(us.path, PATH, "%s", us.path);
            part(&p);
            count++;
            cr_assert(are_installed(count));
        }
    }
    kernel_saw(count);
    cr_assert(!ON_KERNEL || (ktls_counters(&after) &&
                             after.decrypt_errors == before.decrypt_errors));
    end();
}

/* The first records come right behind the handshake and are cut wherever it hurts: our side fetches
 * exactly the rest, and the kernel goes on. */
Test(ktls_engine, the_switch_at_every_border)
{
    static const size_t sizes[] = {500, 500, 9000}; /* of records */
    /* From the end: inside the last record, its header, the one before. */
    static const size_t cuts[] = {0,    1,    4,    500,  5000, 9016, 9017,
                                  9018, 9021, 9022, 9023, 9030, 9540};
    const uint32_t kinds[] = {TLS12, first};
    char bytes[10000], got[10000];

    begin(&(struct engine_params){.recv_buf_bytes = 512});
    for (uint32_t i = 0; i < 2 * sizeof(cuts) / sizeof(cuts[0]); i++) {
        const struct peer_suite *suite = &peer_suites[kinds[i & 1]];
        size_t cut = cuts[i / 2];
        struct peer p;
        char *wire;
        size_t len;

        us.secured = us.closed = us.peer_ends = 0;
        peer_init(&p, client_open(m.port), false, suite);
        peer_handshake(&p);
        if (!suite->is_tls13) {
            peer_send(&p);
        }
        pattern_fill(i, 0, bytes, sizeof(bytes));
        for (size_t k = 0, at = 0; k < sizeof(sizes) / sizeof(sizes[0]); at += sizes[k++]) {
            peer_seal(&p, bytes + at, sizes[k]);
        }
        wire = peer_wire(&p, &len);
        cr_assert(client_send(p.fd, wire, len - cut));
        WAIT_UNTIL(installed(true) == (ON_KERNEL ? i + 1 : 0));
        machine_nap();
        cr_assert(client_send(p.fd, wire + len - cut, cut));
        free(wire);
        peer_read(&p, got, sizeof(got));
        cr_assert_arr_eq(got, bytes, sizeof(got));
        echo(&p, 10000, 3000);
        cr_assert_str_eq(us.path, PATH);
        cr_assert(are_installed(i + 1));
        part(&p);
    }
    end();
}

#if HAS_TLS13
Test(ktls_engine, tickets_come_as_control_records)
{
    struct peer p;

    begin(&(struct engine_params){0});
    meet(&p, true, &peer_suites[TLS13]);
    echo(&p, 3000, 1000);
    cr_assert_str_eq(us.path, PATH);
    for (uint32_t i = 0; i < 3; i++) {
        peer_ticket(&p);
        echo(&p, 3000, 1000);
    }
    part(&p);
    end();
}
#endif

/* A handshake inside the stream gets the warning no_renegotiation; OpenSSL then gives up. */
Test(ktls_engine, renegotiation_is_refused)
{
    struct peer p;
    int end_reason;

    begin(&(struct engine_params){0});
    meet(&p, false, &peer_suites[TLS12]);
    echo(&p, 3000, 1000);
    peer_renegotiate(&p);
    peer_send(&p);
    end_reason = peer_read_end(&p);
    cr_assert_neq(end_reason, 0);
    cr_assert_neq(end_reason, 1, "no alert");
    peer_deinit(&p);
    WAIT_UNTIL(us.closed == 1);
    cr_assert_eq(us.err, ERR_TLS_TRUNCATED, "%s: %s", err_name(us.err), us.why);
    end();
}

#if HAS_TLS13
/* Before Linux 6.14 the kernel cannot take the next keys, and a library that keeps its secrets does
 * not let us make them: an end in order. */
static void key_update(bool is_requested, bool keeps_open)
{
    bool can_follow;
    char got[10];
    struct peer p;

    us.keeps_open = keeps_open;
    begin(&(struct engine_params){0});
    can_follow =
        ON_KERNEL ? caps.can_rekey : tls_backend_has_secrets(tls_backend_find(BACKEND));
    meet(&p, false, &peer_suites[TLS13]);
    echo(&p, 3000, 1000);
    peer_key_update(&p, is_requested);
    peer_seal(&p, "unreadable where keys stay", 26);
    peer_send(&p);
    if (can_follow) {
        peer_read(&p, got, 10);
        cr_assert_arr_eq(got, "unreadable", 10);
        peer_deinit(&p);
    } else {
        if (keeps_open) {
            peer_read(&p, got, 10);
            cr_assert_arr_eq(got, "last words", 10);
        }
        cr_assert_eq(peer_read_end(&p), 0, "no close_notify");
        peer_deinit(&p);
        WAIT_UNTIL(us.closed == 1);
        cr_assert_eq(us.err, ERR_TLS_REKEY, "%s: %s", err_name(us.err), us.why);
        cr_assert_eq(us.peer_ends, 1);
        cr_assert_eq(machine_stats(&m, 0).tls_rekey_ends, 1);
    }
    end();
}

Test(ktls_engine, key_update)
{
    key_update(false, false);
}

Test(ktls_engine, key_update_requested)
{
    key_update(true, false);
}

Test(ktls_engine, key_update_and_last_words)
{
    key_update(true, true);
}
#endif

/* What a record with that byte changed, or that many bytes left, does. */
static void spoilt(size_t at, bool is_cut, int expected, const struct peer_suite *suite)
{
    struct peer p;
    char *wire;
    size_t len;

    begin(&(struct engine_params){0});
    meet(&p, false, suite);
    peer_seal(&p, "0123456789", 10);
    wire = peer_wire(&p, &len);
    if (is_cut) {
        len = at;
    } else {
        wire[at] ^= 0x40;
    }
    cr_assert(client_send(p.fd, wire, len));
    free(wire);
    if (is_cut) {
        cr_assert_eq(shutdown(p.fd, SHUT_WR), 0);
    }
    WAIT_UNTIL(us.closed == 1 || peer_read_end(&p) != 1);
    if (!is_cut) {
        cr_assert_gt(peer_read_end(&p), 1, "no alert");
    }
    peer_deinit(&p);
    WAIT_UNTIL(us.closed == 1);
    cr_assert_eq(us.err, expected, "%s: %s", err_name(us.err), us.why);
    cr_assert_eq(us.bytes, 10, "nothing of it was told");
    cr_assert_eq(us.peer_ends, 0);
    kernel_saw(1);
    end();
}

Test(ktls_engine, a_wrong_byte)
{
    spoilt(12, false, ERR_TLS_RECORD, &peer_suites[first]);
}

Test(ktls_engine, a_wrong_byte_in_tls_1_2)
{
    spoilt(15, false, ERR_TLS_RECORD, &peer_suites[TLS12]);
}

Test(ktls_engine, a_wrong_length)
{
    spoilt(3, false, ERR_TLS_RECORD, &peer_suites[first]);
}

Test(ktls_engine, a_wrong_version)
{
    spoilt(1, false, ERR_TLS_RECORD, &peer_suites[first]);
}

Test(ktls_engine, cut_off_between_records)
{
    spoilt(0, true, ERR_TLS_TRUNCATED, &peer_suites[first]);
}

Test(ktls_engine, cut_off_inside_a_record)
{
    spoilt(9, true, ERR_TLS_TRUNCATED, &peer_suites[TLS12]);
}

Test(ktls_engine, moves_under_traffic)
{
    static char sent[200000], got[200000];
    struct peer p;

    us.moves = true;
    us.state = 7;
    begin(&(struct engine_params){.shard_count = 2, .recv_buf_bytes = 2000});
    for (uint32_t i = 0; i < 2; i++) {
        meet(&p, i, &peer_suites[first]);
        for (uint32_t k = 0; k < (ON_KERNEL ? 5 : 30); k++) { /* the guest is slow */
            pattern_fill(k, 0, sent, sizeof(sent));
            peer_seal(&p, sent, sizeof(sent));
            peer_send(&p);
            peer_read(&p, got, sizeof(got));
            cr_assert_arr_eq(sent, got, sizeof(got));
        }
        cr_assert_str_eq(us.path, PATH);
        part(&p);
    }
    cr_assert_gt(us.moved, 20, "hardly moved: test too weak");
    cr_assert(are_installed(2));
    end();
}

#if ON_KERNEL
static void do_trust(struct shard *sh, void *app)
{
    (void)sh;
    (void)app;
    conn_set_authenticated(us.c);
}

/* Who has not proved who he is, is read where floods of nothing are noticed. */
Test(ktls_engine, strangers_are_read_in_user_space)
{
    struct peer p;

    us.is_wary = true;
    begin(&(struct engine_params){0});
    meet(&p, false, &peer_suites[TLS13]);
    echo(&p, 20000, 3000);
    cr_assert_str_eq(us.path, "kernel-out", "%s", us.path);
    cr_assert_eq(installed(false), 0);
    machine_run(&m, 0, do_trust, NULL);
    echo(&p, 20000, 3000);
    cr_assert_str_eq(us.path, "kernel", "%s", us.path);
    part(&p);
    meet(&p, true, &peer_suites[TLS13]); /* whom we have called is no stranger */
    echo(&p, 20000, 3000);
    cr_assert_str_eq(us.path, "kernel", "%s", us.path);
    part(&p);
    end();
}

Test(ktls_engine, not_asked_for)
{
    struct ktls_counters after;
    struct peer p;

    us.is_off = true;
    begin(&(struct engine_params){0});
    meet(&p, false, &peer_suites[TLS13]);
    cr_assert_neq(strcmp(us.path, "kernel"), 0);
    part(&p);
    cr_assert(ktls_counters(&after));
    cr_assert_eq(after.total_out_sw, before.total_out_sw);
    end();
}

Test(ktls_engine, required_of_a_kernel_that_cannot)
{
    struct peer p;

    begin(&(struct engine_params){0});
    memset(caps.ciphers, 0, sizeof(caps.ciphers));
    us.secured = us.closed = 0;
    peer_init(&p, client_open(m.port), false, &peer_suites[TLS13]);
    peer_handshake(&p);
    peer_send(&p);
    cr_assert_eq(peer_read_end(&p), 0, "no close_notify");
    peer_deinit(&p);
    WAIT_UNTIL(us.closed == 1);
    cr_assert_eq(us.err, ERR_TLS_KERNEL, "%s", err_name(us.err));
    cr_assert_not_null(strstr(us.why, "cipher"));
    cr_assert_eq(machine_stats(&m, 0).tls_kernel_refused, 1);
    end();
}
#endif
