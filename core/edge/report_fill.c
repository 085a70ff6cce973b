/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report_fill: copies one shard's figures. */
#include "edge/report_fill.h"

#include <string.h>

#include "base/pool.h"
#include "edge/leg_component.h"
#include "edge/leg_in.h"
#include "edge/link.h"
#include "edge/partner_run.h"
#include "edge/report.h"
#include "edge/sip_side.h"

static void copy_failures(struct report_partner *p, const struct partner_trouble *trouble)
{
    for (int d = 0; d < 2; d++) {
        for (int f = 0; f < FAIL_STEP_COUNT; f++) {
            if (!trouble->last[d][f]) {
                continue;
            }
            p->failures = pool_heap_grow(p->failures,
                                         (p->failure_count + 1) * sizeof(*p->failures));
            p->failures[p->failure_count++] = (struct report_failure){
                .direction = (uint8_t)d, .step = (uint8_t)f, .last = *trouble->last[d][f]};
        }
    }
}

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
            memset(p->trouble.last, 0, sizeof(p->trouble.last));
            copy_failures(p, run->trouble);
        }
        p->streams_in = run->place_count[PARTNER_IN];
        p->streams_out = run->streams_out;
        links_report(e, slice_make(run->domain, run->domain_len), p);
    }
    legs_in_report(e, &out->streams);
    links_report_streams(e, &out->streams);
    legs_component_report(e, out);
    sip_side_report(e->sip, out);
    report_presence_fill(e, out);
    (void)sem_post(m->done);
}
