/* SPDX-License-Identifier: GPL-2.0-or-later */
/* help: a folder of its own for each test, a store in it, and a shard that collects what it is
 * told. Waits have a bound: a test fails, it does not hang. */
#ifndef FG_TEST_STORE_HELP_H
#define FG_TEST_STORE_HELP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

#define HELP_WAIT_MS   20000u
#define HELP_DONES_MAX 65536u
#define HELP_SHARDS    4u

/* What the shards were told, in order. Written on the store's thread; count published last. */
struct help_told {
    struct store_done dones[HELP_DONES_MAX];
    _Atomic uint32_t count;
    _Atomic uint64_t last; /* ticket */
    _Atomic uint32_t refuse_next; /* so many calls say "not now" */
    _Atomic uint32_t refused;
};

struct help {
    char folder[64];
    char path[96];
    char wal[104];
    char why[1024];
    struct store_load_report report;
    struct store *store;
    struct help_told *told; /* HELP_SHARDS */
    uint32_t lazy_ms;       /* 0 = an hour: only urgent ones and full queues are due */
    const struct store_backend *backend;
    uint32_t reach_rows_max;
};

/* The folder; nothing opened. */
void help_init(struct help *h);
/* Stops and closes what is open, removes the folder. */
void help_deinit(struct help *h);
/* store_open, or the error of it, with h->why. */
int help_open(struct help *h);
/* open, load (nothing kept), start; asserts. */
void help_start(struct help *h);
/* stop and free; asserts. */
void help_stop(struct help *h);

/* A row named by n: local user "u<n>" ... */
struct store_item help_contact(uint32_t n, enum store_state state);
struct store_item help_reach(uint32_t n, uint32_t flags, int64_t wrote_unix_s);
/* Writes; asserts that it is taken; returns the ticket. */
uint64_t help_write(struct help *h, uint32_t shard_idx, struct store_item item, bool is_urgent);
/* Waits until the shard was told of the ticket; returns its outcome. */
int help_await(struct help *h, uint32_t shard_idx, uint64_t ticket);
/* Both. */
int help_put(struct help *h, struct store_item item);
/* Waits until fn says yes. */
bool help_until(bool (*fn)(void *ctx), void *ctx);

/* What is loaded at a start: rows as text lines, sorted as they come, into a static buffer:
 * "u1@l>r1@r out granted partner 5 6 [dialogs] [document]\n". Opens, loads, closes. */
const char *help_dump(struct help *h);

bool help_contains(const char *text, const char *part);

#endif
