/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conn: bytes through plain connections, bounds, time-outs, references. Ends: conn_end_test.c. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/err.h"
#include "base/pool.h"
#include "puppet.h"

/* Sends len pattern bytes in random pieces while another thread reads the echo. */
struct writer {
    int fd;
    uint64_t seed;
    size_t len;
    uint32_t piece_max;
    bool ok;
};

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    uint64_t state = w->seed;
    unsigned char piece[65536];
    size_t at = 0;

    w->ok = true;
    while (at < w->len && w->ok) {
        size_t n = 1 + dice(&state, w->piece_max);

        n = n < w->len - at ? n : w->len - at;
        pattern_fill(w->seed, at, piece, n);
        w->ok = client_send(w->fd, piece, n);
        at += n;
    }
    return NULL;
}

static void echo_roundtrip(int fd, uint64_t seed, size_t len, uint32_t piece_max)
{
    struct writer w = {.fd = fd, .seed = seed, .len = len, .piece_max = piece_max};
    unsigned char got[4096];
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, writer_main, &w), 0);
    for (size_t at = 0; at < len;) {
        size_t n = len - at < sizeof(got) ? len - at : sizeof(got);

        cr_assert(client_recv(fd, got, n), "echo ended at %zu of %zu", at, len);
        cr_assert(pattern_is(seed, at, got, n), "echo differs near %zu", at);
        at += n;
    }
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert(w.ok);
}

Test(conn, echoes_megabytes_in_random_pieces)
{
    struct machine m;

    machine_start(&m, &(struct engine_params){0});
    for (uint32_t i = 0; i < 3; i++) {
        static const uint32_t pieces[] = {1, 700, 60000};
        static const size_t sizes[] = {20000, 2000000, 8000000};
        int fd = client_open(m.port);

        echo_roundtrip(fd, 11 + i, sizes[i], pieces[i]);
        client_close(fd);
    }
    WAIT_UNTIL(echo_totals.closed == 3);
    cr_assert_eq(echo_totals.last_err, ERR_CLOSED);
    cr_assert_eq(echo_totals.last_unsent, 0);
    cr_assert_eq(machine_stats(&m, 0).bytes_in, 20000 + 2000000 + 8000000);
    cr_assert_eq(machine_stats(&m, 0).bytes_in, machine_stats(&m, 0).bytes_out);
    machine_stop(&m);
    cr_assert_eq(echo_totals.accepted, 3);
}

Test(conn, many_clients_share_a_tiny_buffer_ring)
{
    enum { CLIENTS = 24, BYTES = 60000 };
    struct machine m;
    struct writer w[CLIENTS];
    pthread_t threads[CLIENTS];
    unsigned char got[BYTES];

    machine_start(&m, &(struct engine_params){.recv_buf_count = 2, .recv_buf_bytes = 128});
    for (uint32_t i = 0; i < CLIENTS; i++) {
        w[i] = (struct writer){
            .fd = client_open(m.port), .seed = i, .len = BYTES, .piece_max = 3000};
        cr_assert_eq(pthread_create(&threads[i], NULL, writer_main, &w[i]), 0);
    }
    for (uint32_t i = 0; i < CLIENTS; i++) {
        cr_assert(client_recv(w[i].fd, got, sizeof(got)), "client %u", i);
        cr_assert(pattern_is(i, 0, got, sizeof(got)), "client %u", i);
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
        client_close(w[i].fd);
    }
    cr_assert_gt(machine_stats(&m, 0).recv_no_buffer, 0, "the ring was never dry: test too weak");
    cr_assert_eq(machine_stats(&m, 0).cq_overflows, 0);
    machine_stop(&m);
}

Test(conn, slots_are_used_again_and_a_full_shard_refuses)
{
    enum { SLOTS = 8, ROUNDS = 400 };
    struct machine m;
    int fds[SLOTS];

    machine_start(&m, &(struct engine_params){.conn_max = SLOTS});
    for (uint64_t i = 0; i < ROUNDS; i++) {
        int fd = client_open(m.port);

        cr_assert(client_send(fd, "x", 1));
        cr_assert(client_recv(fd, &(char){0}, 1), "round %lu", (unsigned long)i);
        client_close(fd);
        WAIT_UNTIL(echo_totals.closed == i + 1);
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        fds[i] = client_open(m.port);
        cr_assert(client_send(fds[i], "x", 1) && client_recv(fds[i], &(char){0}, 1));
    }
    int late = client_open(m.port);

    cr_assert_neq(client_recv_end(late), 0);
    cr_assert_eq(machine_stats(&m, 0).conn_refused_full, 1);
    cr_assert_eq(machine_stats(&m, 0).conn_open, SLOTS);
    cr_assert(client_send(fds[0], "y", 1) && client_recv(fds[0], &(char){0}, 1));
    client_close(late);
    for (uint32_t i = 0; i < SLOTS; i++) {
        client_close(fds[i]);
    }
    WAIT_UNTIL(machine_stats(&m, 0).conn_open == 0);
    machine_stop(&m);
}

Test(conn, pausing_and_partial_use_lose_nothing)
{
    struct machine m;
    struct writer w = {.seed = 5, .len = 3000000, .piece_max = 20000};

    puppet = (struct puppet){.seed = 5, .state = 99, .is_picky = true};
    w.fd = puppet_open(&m, &(struct engine_params){.recv_buf_bytes = 1024});
    (void)writer_main(&w);
    cr_assert(w.ok);
    cr_assert_eq(shutdown(w.fd, SHUT_WR), 0);
    WAIT_UNTIL(puppet.peer_ends == 1);
    cr_assert_eq(puppet.got, w.len, "the end came before the data");
    cr_assert_gt(puppet.pauses, 10);
    cr_assert_eq(client_recv_end(w.fd), 1);
    puppet_end(&m, w.fd);
    cr_assert_eq(puppet.err, ERR_CLOSED);
}

Test(conn, a_pause_pushes_back_on_the_peer)
{
    struct machine m;
    char block[4096];
    size_t sent = 0;
    int fd;

    puppet = (struct puppet){.seed = 3};
    fd = puppet_open(&m, &(struct engine_params){0});
    machine_run(&m, 0, puppet_pause, NULL);
    for (;;) { /* until TCP takes no more */
        pattern_fill(3, sent, block, sizeof(block));
        ssize_t n = send(fd, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0) {
            for (uint32_t i = 0; i < 50; i++) {
                machine_nap();
            }
            n = send(fd, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT);
        }
        if (n < 0) {
            break;
        }
        sent += (size_t)n;
        cr_assert_lt(sent, (size_t)64 << 20, "nobody pushes back");
    }
    cr_assert_eq(puppet.got, 0);
    cr_assert_lt(machine_stats(&m, 0).bytes_in, sent, "all was read in spite of the pause");
    machine_run(&m, 0, puppet_continue, NULL);
    WAIT_UNTIL(puppet.got == sent);
    puppet_end(&m, fd);
}

static void do_produce(struct shard *sh, void *ctx)
{
    (void)sh;
    (void)ctx;
    puppet_produce(puppet.c, &puppet);
}

Test(conn, output_stays_in_its_bound_and_is_asked_for_again)
{
    struct machine m;
    unsigned char got[10000];
    uint64_t at = 0;
    int fd;

    puppet = (struct puppet){.seed = 8, .to_produce = 12000000};
    fd = puppet_open(&m, &(struct engine_params){0});
    machine_run(&m, 0, do_produce, NULL);
    cr_assert_lt(puppet.produced, puppet.to_produce, "never crowded: test too weak");
    while (at < puppet.to_produce) {
        cr_assert(client_recv(fd, got, sizeof(got)));
        cr_assert(pattern_is(8, at, got, sizeof(got)));
        at += sizeof(got);
    }
    cr_assert_gt(puppet.writables, 1);
    puppet_end(&m, fd);
    cr_assert_eq(puppet.unsent, 0);
}

static void do_overflow(struct shard *sh, void *ctx)
{
    char block[1024] = {0};

    (void)sh;
    (void)ctx;
    conn_set_out_max(puppet.c, 100000);
    for (uint32_t i = 0; i < 200; i++) {
        buf_append(conn_out(puppet.c), block, sizeof(block));
    }
    conn_flush(puppet.c);
}

Test(conn, output_over_its_bound_ends_the_connection)
{
    struct machine m;
    int fd;

    puppet = (struct puppet){0};
    fd = puppet_open(&m, &(struct engine_params){0});
    machine_run(&m, 0, do_overflow, NULL);
    WAIT_UNTIL(puppet.closeds == 1);
    cr_assert_eq(puppet.err, ERR_LIMIT);
    cr_assert_gt(puppet.unsent, 90000);
    puppet_end(&m, fd);
}

static void do_timeout(struct shard *sh, void *ctx)
{
    (void)sh;
    conn_set_read_timeout(puppet.c, *(const uint32_t *)ctx);
}

/* By the clock: naps take longer than asked for on a busy machine. */
static void pass_ms(uint32_t ms)
{
    struct timespec now;
    struct timespec end;

    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (end.tv_nsec + ms * 1000000L) / 1000000000L;
    end.tv_nsec = (end.tv_nsec + ms * 1000000L) % 1000000000L;
    do {
        machine_nap();
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec < end.tv_sec ||
             (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
}

Test(conn, read_timeout_counts_silence_only)
{
    struct machine m;
    uint32_t timeout_ms = 3000; /* a busy machine may stand still for two seconds */
    unsigned char byte;
    int fd;

    puppet = (struct puppet){.seed = 6};
    fd = puppet_open(&m, &(struct engine_params){0});
    machine_run(&m, 0, do_timeout, &timeout_ms);
    for (uint32_t i = 0; i < 10; i++) { /* longer in all than the time-out, each far shorter */
        byte = pattern_at(6, i);
        cr_assert(client_send(fd, &byte, 1));
        pass_ms(400);
        cr_assert_eq(puppet.closeds, 0);
    }
    machine_run(&m, 0, puppet_pause, NULL);
    pass_ms(timeout_ms + 500);
    cr_assert_eq(puppet.closeds, 0, "a pause is no silence of the peer");
    machine_run(&m, 0, puppet_continue, NULL);
    WAIT_UNTIL(puppet.closeds == 1);
    cr_assert_eq(puppet.err, ERR_TIMEOUT);
    puppet_end(&m, fd);
}

static void do_check_refs(struct shard *sh, void *ctx)
{
    struct conn_ref ref = puppet.ref;
    socklen_t len = 0;

    (void)ctx;
    cr_expect_eq(conn_find(sh, ref), puppet.c);
    cr_expect_eq(conn_owner(puppet.c), &puppet);
    cr_expect_eq(conn_shard(puppet.c), sh);
    cr_expect_eq(strncmp(conn_peer_text(puppet.c), "127.0.0.1:", 10), 0);
    cr_expect_eq(conn_peer_addr(puppet.c, &len)->sa_family, AF_INET);
    cr_expect_not(conn_is_secured(puppet.c));
    cr_expect_null(conn_tls_peer(puppet.c));
    ref.generation++;
    cr_expect_null(conn_find(sh, ref));
    ref = puppet.ref;
    ref.slot += 100000;
    cr_expect_null(conn_find(sh, ref));
    ref = puppet.ref;
    ref.shard_idx++;
    cr_expect_null(conn_find(sh, ref));
    cr_expect_null(conn_find(sh, (struct conn_ref){0}));
}

static void do_check_stale(struct shard *sh, void *ctx)
{
    (void)ctx;
    cr_expect_null(conn_find(sh, puppet.ref));
}

Test(conn, references_go_stale)
{
    struct machine m;
    int fd;

    puppet = (struct puppet){0};
    fd = puppet_open(&m, &(struct engine_params){0});
    machine_run(&m, 0, do_check_refs, NULL);
    client_close(fd);
    WAIT_UNTIL(puppet.closeds == 1);
    machine_run(&m, 0, do_check_stale, NULL);
    machine_stop(&m);
}

static void do_fail_nth(struct shard *sh, void *ctx)
{
    (void)sh;
    pool_fail_nth(*(const uint64_t *)ctx);
}

Test(conn, running_out_of_memory_anywhere_ends_one_connection_only)
{
    struct machine m;
    char block[3000];
    uint64_t closed = 0;

    machine_start(&m, &(struct engine_params){0});
    memset(block, 'm', sizeof(block));
    for (uint64_t nth = 1; nth < 12; nth++) {
        int victim = client_open(m.port);

        machine_run(&m, 0, do_fail_nth, &nth);
        (void)client_send(victim, block, sizeof(block));
        (void)client_recv(victim, block, sizeof(block));
        client_close(victim);
        machine_run(&m, 0, do_fail_nth, &(uint64_t){0});
        int other = client_open(m.port);

        cr_assert(client_send(other, "x", 1) && client_recv(other, block, 1));
        client_close(other);
        closed++;
    }
    WAIT_UNTIL(machine_stats(&m, 0).conn_open == 0);
    cr_assert_eq(echo_totals.closed, echo_totals.accepted);
    cr_assert_geq(echo_totals.accepted, closed);
    machine_stop(&m);
}
