/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fedgate-load: load generator and sink in one process; see --help and bench/README.md. */
#include <signal.h>

#include "load/plan.h"
#include "load/run.h"

int main(int argc, char **argv)
{
    struct plan plan;

    (void)signal(SIGPIPE, SIG_IGN);
    plan_read(&plan, argc, argv);
    return run_play(&plan);
}
