/* SPDX-License-Identifier: GPL-2.0-or-later */
/* turn: what a turn of a shard does at most. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>

#include "engine/conn_int.h"
#include "engine/shard_state.h"
#include "machine.h"

enum { PIECE = 4096 };

struct loud {
    int fd;
    size_t len;
    bool ok;
};

static _Atomic uint64_t turn_bytes_max, written_bytes;

static void note_turn(struct shard *sh)
{
    if (sh->input_bytes > turn_bytes_max) {
        turn_bytes_max = sh->input_bytes;
    }
}

static void stand_still(struct shard *sh, void *ctx)
{
    (void)sh;
    while (written_bytes < (uintptr_t)ctx) {
        sched_yield();
    }
}

static void *loud_main(void *arg)
{
    struct loud *w = arg;

    w->ok = true;
    for (size_t at = 0; at < w->len && w->ok; at += PIECE) {
        static const char piece[PIECE];

        w->ok = client_send(w->fd, piece, PIECE);
        written_bytes += PIECE;
    }
    return NULL;
}

static size_t swallow(struct conn *c, void *owner, char *bytes, size_t len)
{
    (void)c;
    (void)owner;
    (void)bytes;
    echo_totals.bytes += len;
    return len;
}

static void swallow_accepted(struct shard *sh, struct conn *c, uint32_t listener_tag)
{
    static const struct conn_ops ops = {.data = swallow};

    (void)sh;
    (void)listener_tag;
    conn_set_owner(c, &ops, NULL);
}

/* However much has come: a turn is short, so that nobody waits long for the next. */
Test(turn, a_turn_takes_so_much_input_and_no_more)
{
    enum { LOUD = 8, BYTES = 1 << 20, AHEAD = 48 << 10 };
    struct machine m;
    struct loud w[LOUD];
    pthread_t threads[LOUD];

    machine_accepted = swallow_accepted;
    machine_turn_end = note_turn;
    machine_start(&m, &(struct engine_params){0});
    for (uint32_t i = 0; i < LOUD; i++) {
        w[i] = (struct loud){.fd = client_open(m.port), .len = BYTES};
    }
    WAIT_UNTIL(echo_totals.accepted == LOUD);
    machine_post(&m, 0, stand_still, (void *)(uintptr_t)(LOUD * AHEAD));
    for (uint32_t i = 0; i < LOUD; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, loud_main, &w[i]), 0);
    }
    for (uint32_t i = 0; i < LOUD; i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
        cr_assert(w[i].ok);
    }
    WAIT_UNTIL(echo_totals.bytes == (uint64_t)LOUD * BYTES);
    for (uint32_t i = 0; i < LOUD; i++) {
        client_close(w[i].fd);
    }
    WAIT_UNTIL(machine_stats(&m, 0).conn_open == 0);
    cr_assert_geq(turn_bytes_max, SHARD_INPUT_BYTES, "never was there more: test too weak");
    cr_assert_leq(turn_bytes_max, 2 * SHARD_INPUT_BYTES + LOUD * CONN_SHARE_BYTES_MIN);
    machine_stop(&m);
}

/* --- who waits -------------------------------------------------------------------------------- */

enum { SENDERS = 10 };

static struct {
    struct conn *conn;
    uint64_t bytes;      /* delivered so far */
    uint64_t bytes_then; /* at the end of the turn before */
    bool held_then;      /* and whether something was held */
} senders[SENDERS];
static _Atomic uint64_t starved, held_turns;

static size_t swallow_of(struct conn *c, void *owner, char *bytes, size_t len)
{
    senders[(uintptr_t)owner].bytes += len;
    return swallow(c, NULL, bytes, len);
}

static void sender_closed(struct conn *c, void *owner, int err, const char *why,
                          size_t unsent_bytes)
{
    (void)c;
    (void)err;
    (void)why;
    (void)unsent_bytes;
    senders[(uintptr_t)owner].conn = NULL;
}

static void sender_accepted(struct shard *sh, struct conn *c, uint32_t listener_tag)
{
    static const struct conn_ops ops = {.data = swallow_of, .closed = sender_closed};

    uintptr_t idx = echo_totals.accepted - 1;

    (void)sh;
    (void)listener_tag;
    senders[idx].conn = c;
    conn_set_owner(c, &ops, (void *)idx);
}

/* Whose input was held at the end of the last turn was served in this one. */
static void note_waiting(struct shard *sh)
{
    (void)sh;
    for (uint32_t i = 0; i < SENDERS; i++) {
        starved += senders[i].held_then && senders[i].bytes == senders[i].bytes_then;
        senders[i].bytes_then = senders[i].bytes;
        senders[i].held_then = senders[i].conn && buf_len(&senders[i].conn->in_raw) > 0;
        held_turns += senders[i].held_then;
    }
}

Test(turn, held_input_is_served_in_the_next_turn_whoever_else_sends)
{
    enum { BYTES = 4 << 20, AHEAD = 48 << 10 };
    struct machine m;
    struct loud w[SENDERS];
    pthread_t threads[SENDERS];

    machine_accepted = sender_accepted;
    machine_turn_end = note_waiting;
    machine_start(&m, &(struct engine_params){0});
    for (uint32_t i = 0; i < SENDERS; i++) {
        w[i] = (struct loud){.fd = client_open(m.port), .len = BYTES};
    }
    WAIT_UNTIL(echo_totals.accepted == SENDERS);
    machine_post(&m, 0, stand_still, (void *)(uintptr_t)(SENDERS * AHEAD));
    for (uint32_t i = 0; i < SENDERS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, loud_main, &w[i]), 0);
    }
    for (uint32_t i = 0; i < SENDERS; i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
        cr_assert(w[i].ok);
    }
    WAIT_UNTIL(echo_totals.bytes == (uint64_t)SENDERS * BYTES);
    for (uint32_t i = 0; i < SENDERS; i++) {
        client_close(w[i].fd);
    }
    WAIT_UNTIL(machine_stats(&m, 0).conn_open == 0);
    cr_assert_gt(held_turns, 0, "never was anything held: test too weak");
    cr_assert_eq(starved, 0);
    machine_stop(&m);
}
