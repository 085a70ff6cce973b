/* SPDX-License-Identifier: GPL-2.0-or-later */
/* logger: the reading end of the log rings (base/log.h): merges their lines by time and writes
 *   2026-11-21T12:00:00.123Z level ring event key=value ...
 * to a file or stderr. Lines that a full ring or a stuck output lost are counted and reported
 * (log_lost); an event that comes too often is cut to LOGGER_LINES_PER_S after a burst, its next
 * line ends in suppressed=n (debug lines are never cut: who asks for them wants them all).
 * Threads: control thread. A stuck stderr delays it by LOGGER_WRITE_MS_MAX per turn, not more.   */
#ifndef FG_EDGE_LOGGER_H
#define FG_EDGE_LOGGER_H

#include <stdint.h>

#include "base/attr.h"
#include "base/log.h"

#define LOGGER_RINGS_MAX    80u
#define LOGGER_LINES_PER_S  100u /* of one event, all rings together, in the long run */
#define LOGGER_BURST        400u
#define LOGGER_QUIET_S      10u /* after it a pending suppressed=n is written anyway */
#define LOGGER_WRITE_MS_MAX 200

struct logger;

/* path: appended to, made with mode 0640; NULL = stderr. -errno when it cannot be opened. */
NODISCARD int logger_new(struct logger **out, const char *path);
/* ring outlives the logger; at most LOGGER_RINGS_MAX. Its owner must have initialised it. */
void logger_add(struct logger *l, struct log_ring *ring);
/* Opens path anew (log rotation, changed configuration); on failure the old output stays. */
NODISCARD int logger_reopen(struct logger *l, const char *path);
/* Writes everything that is ready; returns how many lines were read. NULL is accepted. */
uint32_t logger_turn(struct logger *l);
/* The same by the caller's clocks (nanoseconds): for tests. */
uint32_t logger_turn_at(struct logger *l, uint64_t mono_ns, uint64_t unix_ns);
/* A last turn with all pending notes, then closes. NULL is accepted. Rings are not touched. */
void logger_free(struct logger *l);

#endif
