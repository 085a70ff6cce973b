/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report_fill: the shard's half of a report: copies its figures for the control thread. */
#ifndef FG_EDGE_REPORT_FILL_H
#define FG_EDGE_REPORT_FILL_H

#include "edge/edge.h"

/* Fills m->report and posts m->done. */
void report_fill(struct edge *e, const struct mail_report *m);

#endif
