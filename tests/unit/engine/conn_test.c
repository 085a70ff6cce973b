/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conn: bytes through plain connections, bounds, closing, time-outs, references. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/pool.h"
#include "machine.h"

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
