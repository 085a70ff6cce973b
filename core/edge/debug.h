/* SPDX-License-Identifier: GPL-2.0-or-later */
/* debug: what a test may change through the environment, in builds with all assertions only; an
 * empty function in what is shipped. */
#ifndef FG_EDGE_DEBUG_H
#define FG_EDGE_DEBUG_H

/* FEDGATE_TEST_RECORD_LIMITS="SOFT HARD": records per AES-GCM key (tls/record.h). Before there are
 * threads. */
void debug_from_environment(void);

#endif
