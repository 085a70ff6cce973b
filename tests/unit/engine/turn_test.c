/* SPDX-License-Identifier: GPL-2.0-or-later */
/* turn: what a turn of a shard does at most. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

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
    conn_set_patient(c, true); /* else turns are short at first */
}

/* Everybody sends so much, all at once. */
static void send_all(struct machine *m, uint32_t count, size_t bytes)
{
    enum { COUNT_MAX = 96, AHEAD = 48 << 10 };
    struct loud w[COUNT_MAX];
    pthread_t threads[COUNT_MAX];
    uint64_t accepted = echo_totals.accepted;

    cr_assert_leq(count, COUNT_MAX);
    for (uint32_t i = 0; i < count; i++) {
        w[i] = (struct loud){.fd = client_open(m->port), .len = bytes};
    }
    WAIT_UNTIL(echo_totals.accepted == accepted + count);
    machine_post(m, 0, stand_still, (void *)((uintptr_t)count * AHEAD));
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, loud_main, &w[i]), 0);
    }
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
        cr_assert(w[i].ok);
    }
    WAIT_UNTIL(echo_totals.bytes >= count * bytes);
    for (uint32_t i = 0; i < count; i++) {
        client_close(w[i].fd);
    }
    WAIT_UNTIL(machine_stats(m, 0).conn_open == accepted);
}

/* However much has come: a turn is short, so that nobody waits long for the next. */
Test(turn, a_turn_takes_so_much_input_and_no_more)
{
    enum { LOUD = 8, BYTES = 1 << 20 };
    struct machine m;

    machine_accepted = swallow_accepted;
    machine_turn_end = note_turn;
    machine_start(&m, &(struct engine_params){0});
    send_all(&m, LOUD, BYTES);
    cr_assert_eq(echo_totals.bytes, (uint64_t)LOUD * BYTES);
    cr_assert_geq(turn_bytes_max, SHARD_INPUT_BYTES, "never was there more: test too weak");
    cr_assert_leq(turn_bytes_max, 2 * SHARD_INPUT_BYTES + LOUD * CONN_SHARE_BYTES_MIN);
    machine_stop(&m);
}

/* --- who waits -------------------------------------------------------------------------------- */

enum { SENDERS = 96, STEADY = 4 };

/* The first few never have more on the way than a piece, but that in every turn. */
static int steady_fds[STEADY];
static uint64_t steady_sent[STEADY];

static struct {
    struct conn *conn;
    uint64_t bytes;          /* delivered so far */
    uint64_t bytes_then;     /* at the end of the turn before */
    bool is_held;            /* and whether something was held */
    uint8_t passed[SENDERS]; /* turns that served that one, while this one waited */
} senders[SENDERS];
static struct { /* the turn before */
    uint64_t ms;
    uint64_t short_until_ms;
} then;
static _Atomic uint64_t passed_max, held_turns, crowded_turns, crowded_bytes_max, wishes;

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

/* All are loud by decree, for another CONN_WINDOW_MS: how fast they really are is the machine's
 * affair. */
static void make_loud(struct shard *sh)
{
    for (uint32_t i = 0; i < SENDERS; i++) {
        if (senders[i].conn) {
            senders[i].conn->window_bytes_last = UINT32_MAX;
            senders[i].conn->window_bytes = UINT32_MAX;
            senders[i].conn->window_ms = (uint32_t)sh->now_ms;
        }
    }
}

static bool is_steady;

static void be_steady(struct shard *sh, void *ctx)
{
    (void)sh;
    is_steady = ctx != NULL;
}

static void send_steadily(void)
{
    static const char piece[PIECE];

    for (uint32_t i = 0; i < STEADY; i++) {
        if (senders[i].bytes == steady_sent[i]) {
            cr_assert(client_send(steady_fds[i], piece, sizeof(piece)));
            steady_sent[i] += sizeof(piece);
        }
    }
}

static void note_passed(uint32_t idx, const bool was_served[SENDERS])
{
    for (uint32_t i = 0; i < SENDERS; i++) {
        senders[idx].passed[i] += was_served[i];
        if (senders[idx].passed[i] > passed_max) {
            passed_max = senders[idx].passed[i];
        }
    }
}

static void note_waiting(struct shard *sh)
{
    bool was_served[SENDERS];
    bool were_loud = sh->now_ms - then.ms < CONN_WINDOW_MS && echo_totals.accepted == SENDERS;

    for (uint32_t i = 0; i < SENDERS; i++) {
        was_served[i] = senders[i].bytes != senders[i].bytes_then;
        senders[i].bytes_then = senders[i].bytes;
    }
    for (uint32_t i = 0; i < SENDERS; i++) {
        if (was_served[i] || !senders[i].is_held) {
            memset(senders[i].passed, 0, sizeof(senders[i].passed));
        } else if (were_loud) {
            note_passed(i, was_served);
        }
        senders[i].is_held = senders[i].conn && buf_len(&senders[i].conn->in_raw) > 0;
        held_turns += senders[i].is_held;
    }
    if (were_loud) {
        crowded_turns++;
        crowded_bytes_max =
            sh->input_bytes > crowded_bytes_max ? sh->input_bytes : crowded_bytes_max;
        wishes += sh->short_until_ms != then.short_until_ms;
    }
    then.ms = sh->now_ms;
    then.short_until_ms = sh->short_until_ms;
    make_loud(sh);
    if (is_steady && echo_totals.accepted == SENDERS) {
        send_steadily();
    }
}

/* Many that send much make no turn longer, ask for no shorter ones, and nobody is served again and
 * again before another who waits: once more at most, in the turn in which the line begins. */
Test(turn, who_is_loud_waits_in_line)
{
    enum { BUF_BYTES = 16 << 10 }; /* what a receive brings at most: .is_plain_io */
    struct machine m;

    machine_accepted = sender_accepted;
    machine_turn_end = note_waiting;
    machine_start(&m, &(struct engine_params){.is_plain_io = true, .recv_buf_count = 512});
    for (uint32_t i = 0; i < STEADY; i++) {
        steady_fds[i] = client_open(m.port);
    }
    WAIT_UNTIL(echo_totals.accepted == STEADY);
    machine_run(&m, 0, be_steady, &m);
    send_all(&m, SENDERS - STEADY, 2 << 20);
    machine_run(&m, 0, be_steady, NULL);
    for (uint32_t i = 0; i < STEADY; i++) {
        client_close(steady_fds[i]);
    }
    WAIT_UNTIL(machine_stats(&m, 0).conn_open == 0);
    cr_assert_gt(held_turns, 0, "never was anything held: test too weak");
    cr_assert_gt(crowded_turns, 0);
    cr_assert_leq(passed_max, 2);
    /* Whoever begins within the bound may end a little beyond: in events, and in the line. */
    cr_assert_leq(crowded_bytes_max, 3 * SHARD_INPUT_BYTES / 2 + 2 * BUF_BYTES);
    cr_assert_eq(wishes, 0);
    machine_stop(&m);
}

static _Atomic uint64_t loud_turns;

static void note_loud(struct shard *sh)
{
    (void)sh;
    loud_turns += senders[0].conn && senders[0].conn->window_bytes > CONN_LOUD_BYTES;
}

Test(turn, who_sends_much_is_loud)
{
    struct machine m;

    machine_accepted = sender_accepted;
    machine_turn_end = note_loud;
    machine_start(&m, &(struct engine_params){0});
    send_all(&m, 1, CONN_LOUD_BYTES / 2);
    cr_assert_eq(loud_turns, 0);
    echo_totals.accepted = 0;
    echo_totals.bytes = 0;
    send_all(&m, 1, (size_t)16 * CONN_LOUD_BYTES);
    cr_assert_gt(loud_turns, 0);
    machine_stop(&m);
}

/* --- who sends little ------------------------------------------------------------------------- */

static bool is_little_patient;
static _Atomic bool is_loud_over;
static _Atomic uint64_t short_turns, long_turns;

/* The first one sends little. */
static void little_accepted(struct shard *sh, struct conn *c, uint32_t listener_tag)
{
    swallow_accepted(sh, c, listener_tag);
    conn_set_patient(c, echo_totals.accepted > 1 || is_little_patient);
}

/* A piece now and then, until the loud ones are done. */
static void *little_main(void *arg)
{
    static const char piece[64];
    struct loud *w = arg;

    w->ok = true;
    while (w->ok && !is_loud_over) {
        w->ok = client_send(w->fd, piece, sizeof(piece));
        w->len += sizeof(piece);
        sched_yield();
    }
    return NULL;
}

static void note_length(struct shard *sh)
{
    short_turns += sh->input_bytes_max == SHARD_INPUT_BYTES_SHORT;
    long_turns += sh->input_bytes_max == SHARD_INPUT_BYTES;
}

static void send_little_beside_much(void)
{
    enum { LOUD = 4, BYTES = 8 << 20 };
    struct machine m;
    struct loud little;
    pthread_t thread;

    machine_accepted = little_accepted;
    machine_turn_end = note_length;
    machine_start(&m, &(struct engine_params){0});
    little = (struct loud){.fd = client_open(m.port)};
    WAIT_UNTIL(echo_totals.accepted == 1);
    cr_assert_eq(short_turns, 0);
    cr_assert_eq(pthread_create(&thread, NULL, little_main, &little), 0);
    send_all(&m, LOUD, BYTES);
    is_loud_over = true;
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert(little.ok);
    client_close(little.fd);
    WAIT_UNTIL(machine_stats(&m, 0).conn_open == 0);
    cr_assert_eq(echo_totals.bytes, (uint64_t)LOUD * BYTES + little.len);
    machine_stop(&m);
}

Test(turn, turns_are_short_while_somebody_sends_little)
{
    send_little_beside_much();
    cr_assert_gt(short_turns, 0);
    cr_assert_gt(long_turns, 0, "before he began");
}

Test(turn, turns_are_long_beside_who_is_patient)
{
    is_little_patient = true;
    send_little_beside_much();
    cr_assert_eq(short_turns, 0);
}

static void note_short_turn(struct shard *sh)
{
    if (sh->input_bytes_max == SHARD_INPUT_BYTES_SHORT) {
        note_turn(sh);
    }
    sh->short_until_ms = sh->now_ms + WAIT_MS;
}

Test(turn, a_short_turn_is_short)
{
    enum { LOUD = 8, BYTES = 1 << 20 };
    struct machine m;

    machine_accepted = swallow_accepted;
    machine_turn_end = note_short_turn;
    machine_start(&m, &(struct engine_params){0});
    send_all(&m, LOUD, BYTES);
    cr_assert_geq(turn_bytes_max, SHARD_INPUT_BYTES_SHORT, "never was there more: test too weak");
    cr_assert_leq(turn_bytes_max, 2 * SHARD_INPUT_BYTES_SHORT + LOUD * CONN_SHARE_BYTES_MIN);
    machine_stop(&m);
}
