/* SPDX-License-Identifier: GPL-2.0-or-later */
/* partner_run: per-partner figures of one shard. */
#include "edge/partner_run.h"

#include <stdio.h>
#include <string.h>

#include "base/pool.h"

struct partner_run *partner_run_of(struct edge *e, struct slice remote)
{
    const struct partner *p = snapshot_partner(edge_policy(e), remote);
    struct partner_run *run;

    if (!p) {
        return NULL;
    }
    run = map_get(&e->partner_runs, p->domain);
    if (!run) {
        run = pool_heap_zalloc(sizeof(*run) + p->domain.len);
        list_init(&run->places[0]);
        list_init(&run->places[1]);
        run->domain_len = p->domain.len;
        memcpy(run->domain, p->domain.ptr, p->domain.len);
        (void)map_add(&e->partner_runs, slice_make(run->domain, run->domain_len), run);
    }
    return run;
}

void partner_runs_free(struct edge *e)
{
    size_t cursor = 0;
    struct partner_run *run;

    while ((run = map_next(&e->partner_runs, &cursor))) {
        for (int d = 0; run->trouble && d < 2; d++) {
            for (int f = 0; f < FAIL_STEP_COUNT; f++) {
                pool_heap_free(run->trouble->last[d][f]);
            }
        }
        pool_heap_free(run->trouble);
        pool_heap_free(run);
    }
    map_deinit(&e->partner_runs);
}

static struct partner_trouble *trouble_of(struct partner_run *run)
{
    if (!run->trouble) {
        run->trouble = pool_heap_zalloc(sizeof(*run->trouble));
    }
    return run->trouble;
}

static void put_text(char to[FAIL_TEXT_BYTES], const char *text)
{
    (void)snprintf(to, FAIL_TEXT_BYTES, "%s", text);
    for (char *p = to; *p; p++) {
        if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f) {
            *p = '?';
        }
    }
}

void partner_run_failed(struct edge *e, struct partner_run *run, enum partner_direction direction,
                        enum fail_step step, const char *text)
{
    struct partner_trouble *trouble;
    struct partner_failure **last;
    char line[FAIL_TEXT_BYTES];

    if (!run) {
        return;
    }
    trouble = trouble_of(run);
    (void)snprintf(line, sizeof(line), "%s: %s", fail_step_name(step), text);
    put_text(trouble->last_failure[direction], line);
    last = &trouble->last[direction][step];
    if (!*last) {
        *last = pool_heap_zalloc(sizeof(**last));
    }
    put_text((*last)->text, text);
    (*last)->unix_s = shard_now_unix_s(e->sh);
    trouble->failures[direction][step]++;
    trouble->last_failure_unix_s[direction] = shard_now_unix_s(e->sh);
}

void partner_run_bounced(struct edge *e, struct slice remote, enum bounce_why why)
{
    struct partner_run *run = partner_run_of(e, remote);

    if (run) {
        trouble_of(run)->bounced[why]++;
    }
}
