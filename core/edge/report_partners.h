/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report_partners: the part of /stats and /metrics that has an entry per partner: written last, as
 * many as the buffer's bound leaves room for, the busiest and most troubled first; how many were
 * left out is said. One partner's entry by name: report_write_partner_json() (report.h).
 * Threads: control thread. The shards' reports are summed in place: one document per report. */
#ifndef FG_EDGE_REPORT_PARTNERS_H
#define FG_EDGE_REPORT_PARTNERS_H

#include "edge/report.h"

/* "partners": {...}, "partners_left_out": 0 */
void report_partners_write_json(struct buf *out, struct edge_report *shards, uint32_t shard_count);
void report_partners_write_metrics(struct buf *out, struct edge_report *shards,
                                   uint32_t shard_count);
/* # HELP and # TYPE of fedgate_<name>. */
void report_put_metric_head(struct buf *out, const char *name, const char *type, const char *help);

#endif
