/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io_rig: an io for the tests of the io_uring backend, and connected pairs to receive from. */
#ifndef FG_TEST_IO_RIG_H
#define FG_TEST_IO_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "io/io.h"

enum { RIG_BUFS = 4, RIG_BUF_BYTES = 64, RIG_PAIRS_MAX = 64 };

/* Created and enabled on the calling thread. */
struct io *rig_start(void);
struct io *rig_start_as(bool is_plain);
struct io *rig_start_with(const struct io_params *params);
/* All buffers accounted for, nothing overflowed; destroys it. */
void rig_stop(struct io *io);
bool rig_is_shared(struct io *io);

/* Tags are unique by slot. */
struct io_tag rig_tag(enum io_op op, uint32_t slot);
/* The next event, waited for; asserts that it is of this operation. */
struct io_event rig_next(struct io *io, enum io_op op, uint32_t slot);
bool rig_is_quiet(struct io *io);

/* Pair i: fds[i][0] receives with slot i, fds[i][1] is the peer. */
struct rig_pairs {
    int fds[RIG_PAIRS_MAX][2];
    uint32_t count;
};
void rig_pairs_open(struct rig_pairs *p, struct io *io, uint32_t count);
/* "abc" to each of the first count. */
void rig_pairs_write(const struct rig_pairs *p, uint32_t count);
/* Checks such events and gives their buffers back. */
void rig_pairs_take(struct io *io, const struct io_event *events, uint32_t count);
/* Ends the io with the receives in flight, too. */
void rig_pairs_stop(struct rig_pairs *p, struct io *io);

#endif
