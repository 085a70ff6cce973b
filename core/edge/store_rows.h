/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_rows: what the store held at the start, between reading it (control thread) and taking it
 * in (each shard what is its own). Written by one thread, then read by many; freed when all shards
 * have started. Memory: heap of the control thread. */
#ifndef FG_EDGE_STORE_ROWS_H
#define FG_EDGE_STORE_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "store/store.h"

struct store_rows_text;

struct store_rows {
    struct store_contact *contacts; /* owned */
    size_t contact_count;
    size_t contact_cap;
    struct store_reach *reach; /* owned */
    size_t reach_count;
    size_t reach_cap;
    struct store_rows_text *texts; /* owned: what the slices point into */
};

/* A reader that puts all rows there; rows: zeroed before. */
struct store_reader store_rows_reader(struct store_rows *rows);
void store_rows_deinit(struct store_rows *rows);

#endif
