/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loader: the configuration and what it names, read and compiled on a thread of its own: a million
 * partners take seconds, in which the control thread goes on answering, logging and stopping. One
 * load at a time, so none overtakes another.
 * Threads: all of this by the control thread. The load's own thread sees what loader_start is given
 * and nothing else. */
#ifndef FG_EDGE_LOADER_H
#define FG_EDGE_LOADER_H

#include <stdbool.h>

#include "base/attr.h"
#include "edge/setup.h"
#include "policy/partner_diff.h"

struct loader;

/* What became of a load. */
struct loaded {
    struct setup *setup;         /* owned by who takes it; NULL: refused, the report says why */
    struct config_report report; /* owned by who takes it */
    struct partner_diff partners; /* with setup: to what was in force */
};

/* Starts the thread, with the caller's signal mask. -errno. */
NODISCARD int loader_new(struct loader **out);
/* Begins a load; none may be under way. What params point to lives as long as the loader; before,
 * what is in force, at least until the load was taken. */
void loader_start(struct loader *l, const struct setup_params *params, const struct setup *before);
bool loader_is_busy(const struct loader *l);
/* Whether the load has ended; then *out is what became of it and another one may begin. */
bool loader_take(struct loader *l, struct loaded *out);
/* For poll: readable when loader_take has something. */
int loader_fd(const struct loader *l);
/* A load that is under way is waited for and thrown away. NULL is accepted. */
void loader_free(struct loader *l);

#endif
