/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine: an engine for tests. Functions are run on shards by mail; an echo owner; blocking
 * client sockets of the test's own thread. Everything has a bound: a test fails, it does not
 * hang. */
#ifndef FG_TEST_ENGINE_MACHINE_H
#define FG_TEST_ENGINE_MACHINE_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/conn.h"
#include "engine/engine.h"
#include "engine/shard.h"
#include "engine/shard_int.h"

#define WAIT_MS 60000u

/* The echo owner: sends back what it gets, pausing while its output is crowded. Its counters are
 * process-wide and survive the connections. */
struct echo_totals {
    _Atomic uint64_t accepted, closed, bytes, pauses, peer_ends, secured;
    _Atomic int last_err;
    _Atomic uint64_t last_unsent;
};
extern struct echo_totals echo_totals;
extern const struct conn_ops echo_ops;

struct machine {
    struct engine *engine;
    uint16_t port;
};

/* What accepted() does; default: echo. Set before machine_start. */
extern void (*machine_accepted)(struct shard *sh, struct conn *c, uint32_t tag);
extern void (*machine_snapshot_changed)(struct shard *sh, const void *old, const void *now);
extern void (*machine_turn_end)(struct shard *sh);

/* Starts an engine of shard_count shards that listens on a free port of 127.0.0.1. */
void machine_start(struct machine *m, const struct engine_params *params);
void machine_stop(struct machine *m);

typedef void machine_fn(struct shard *sh, void *ctx);
/* Runs fn on a shard; machine_run waits until it has run. */
void machine_post(struct machine *m, uint32_t shard_idx, machine_fn *fn, void *ctx);
void machine_run(struct machine *m, uint32_t shard_idx, machine_fn *fn, void *ctx);
/* From a shard to another. ERR_FULL as shard_post. */
int machine_send(struct shard *sh, uint32_t to_idx, machine_fn *fn, void *ctx);

struct engine_stats machine_stats(struct machine *m, uint32_t shard_idx);

/* 127.0.0.1 and that port. */
static inline struct sockaddr_in client_loopback(uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
}
/* Blocking client with time-outs on every call. */
int client_open(uint16_t port);
int client_open_from(uint16_t port, const char *local_ip);
bool client_send(int fd, const void *bytes, size_t len);
/* All of len; false on end, error, time-out. */
bool client_recv(int fd, void *bytes, size_t len);
/* 1 = the end (FIN), 0 = data, -errno. */
int client_recv_end(int fd);
void client_close(int fd);

/* Evaluates expr until it holds, WAIT_MS at most, and not once more. */
#define WAIT_UNTIL(expr)                                             \
    do {                                                             \
        unsigned w_ms = 0;                                           \
        while (!(expr)) {                                            \
            cr_assert_lt(w_ms++, WAIT_MS, "did not happen: " #expr); \
            machine_nap();                                           \
        }                                                            \
    } while (0)
void machine_nap(void);

/* Deterministic pseudo-random numbers and a byte pattern that shows loss, doubling and
 * reordering. */
uint32_t dice(uint64_t *state, uint32_t below);
unsigned char pattern_at(uint64_t seed, uint64_t offset);
void pattern_fill(uint64_t seed, uint64_t offset, void *bytes, size_t len);
bool pattern_is(uint64_t seed, uint64_t offset, const void *bytes, size_t len);

#endif
