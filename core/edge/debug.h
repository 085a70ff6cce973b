/* SPDX-License-Identifier: GPL-2.0-or-later */
/* debug: what a test may change through the environment, in builds with all assertions only; no
 * effect in what is shipped. A change is told on standard error. Before there are threads. */
#ifndef FG_EDGE_DEBUG_H
#define FG_EDGE_DEBUG_H

#include <stdbool.h>

/* FEDGATE_TEST_RECORD_LIMITS="SOFT HARD": records per AES-GCM key (tls/record.h). */
void debug_from_environment(void);
/* FEDGATE_TEST_LOAD_MS: each load after the first takes so much longer. On its thread. */
void debug_pause_load(void);
/* FEDGATE_TEST_PLAIN_IO: receiving as before Linux 6.16, see struct io_params. */
bool debug_is_plain_io(void);

#endif
