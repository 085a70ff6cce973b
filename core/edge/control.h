/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control: everything slow or rare: load, check, publish, signals, figures, orderly stop. Runs on
 * the main thread; shards hear from it by snapshot and by mail only. */
#ifndef FG_EDGE_CONTROL_H
#define FG_EDGE_CONTROL_H

#include "base/attr.h"

/* Loads and reports; exit status of `fedgate --check`: EX_OK or EX_CONFIG (78). */
int control_check(const char *config_path);
/* Runs the node until SIGTERM or SIGINT; returns the exit status (sysexits). */
int control_run(const char *config_path);

#endif
