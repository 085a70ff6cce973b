/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report_fill: copies one shard's figures. */
#include "edge/report_fill.h"

#include "base/pool.h"
#include "edge/leg_component.h"
#include "edge/leg_in.h"
#include "edge/link.h"
#include "edge/partner_run.h"
#include "edge/report.h"
#include "edge/sip_side.h"

void report_fill(struct edge *e, const struct mail_report *m)
{
    struct edge_report *out = m->report;
    size_t cursor = 0;
    struct partner_run *run;

    *out = (struct edge_report){.shard_idx = e->idx, .stats = e->stats};
    out->streams_in_open = e->inbound_count;
    out->streams_out_open = links_open_count(e);
    out->partners = pool_heap_zalloc((e->partner_runs.count + 1) * sizeof(*out->partners));
    while ((run = map_next(&e->partner_runs, &cursor))) {
        struct report_partner *p = &out->partners[out->partner_count++];

        slice_to_cstr_cut(slice_make(run->domain, run->domain_len), p->domain,
                            sizeof(p->domain));
        p->stats = run->stats;
        if (run->trouble) {
            p->trouble = *run->trouble;
        }
        p->streams_in = run->streams_in;
        p->streams_out = run->streams_out;
        links_report(e, slice_make(run->domain, run->domain_len), p);
    }
    legs_in_report(e, &out->streams);
    links_report_streams(e, &out->streams);
    legs_component_report(e, out);
    sip_side_report(e->sip, out);
    (void)sem_post(m->done);
}
