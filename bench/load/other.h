/* SPDX-License-Identifier: GPL-2.0-or-later */
/* other: the processes of the measured server, seen from outside: whether their threads sleep, the
 * CPU time they have used, stopping them and letting them go on.
 * Whoever stops somebody else's processes may die meanwhile: a guard, a process of its own that
 * waits for our end in whatever way it comes, lets them go on then.
 * One thread. Needs the right to signal them. A process that has ended counts as asleep and as
 * stopped: that it is gone shows on its connections.                                             */
#ifndef FG_LOAD_OTHER_H
#define FG_LOAD_OTHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

#define OTHER_PROCESSES_MAX 16u

struct other {
    pid_t pids[OTHER_PROCESSES_MAX];
    uint32_t count;
    pid_t guard;
    int guard_fd; /* owned; the guard waits for its end; -1 = no guard */
};

/* list: "PID[,PID...]", decimal. Starts the guard: before the process has threads. 0, or an error
 * and why (a line for people). *o is to be closed only after success. */
NODISCARD int other_open(struct other *o, const char *list, char *why, size_t why_bytes);
/* They go on if they were stopped; waits for the guard's end. */
void other_close(struct other *o);

/* Returns once each of their threads has stopped. */
void other_stop(const struct other *o);
void other_go(const struct other *o);

/* User and system time of all of them, ns, exact to the moment. */
uint64_t other_cpu_ns(const struct other *o);
/* No thread of them runs or would like to. */
bool other_is_asleep(const struct other *o);
/* The same of our own threads, but for the caller. */
bool other_is_rest_of_us_asleep(void);

#endif
