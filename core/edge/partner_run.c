/* SPDX-License-Identifier: GPL-2.0-or-later */
/* partner_run: per-partner figures of one shard. */
#include "edge/partner_run.h"

#include <stdio.h>
#include <string.h>

#include "base/pool.h"

static struct slice name_of(const struct partner_run *run)
{
    return slice_make(run->domain, run->domain_len);
}

static struct partner_run *run_new(struct edge *e, const struct partner *p)
{
    struct partner_run *run = pool_heap_zalloc(sizeof(*run) + p->domain.len);

    run->reviewed_version = e->setup_version;
    list_push_back(&e->runs_all, &run->all);
    list_init(&run->orphan);
    list_init(&run->claimed);
    list_init(&run->places[0]);
    list_init(&run->places[1]);
    run->domain_len = p->domain.len;
    memcpy(run->domain, p->domain.ptr, p->domain.len);
    (void)map_add(&e->partner_runs, name_of(run), run);
    return run;
}

static void end_claim(struct edge *e, struct partner_run *run)
{
    if (list_is_linked(&run->claimed)) {
        list_remove(&run->claimed);
        e->runs_claimed_count--;
    }
}

struct partner_run *partner_run_of(struct edge *e, struct slice remote)
{
    const struct partner *p = snapshot_partner(edge_policy(e), remote);
    struct partner_run *run;

    if (!p) {
        return NULL;
    }
    run = map_get(&e->partner_runs, p->domain);
    if (!run) {
        return run_new(e, p);
    }
    end_claim(e, run);
    return run;
}

static void run_free(struct edge *e, struct partner_run *run)
{
    end_claim(e, run);
    e->runs_mark++;
    for (int d = 0; run->trouble && d < 2; d++) {
        for (int f = 0; f < FAIL_STEP_COUNT; f++) {
            pool_heap_free(run->trouble->last[d][f]);
        }
    }
    if (run->refusals) {
        refusal_log_flush(run->refusals);
        pool_heap_free(run->refusals);
    }
    list_remove(&run->all);
    list_remove(&run->orphan);
    pool_heap_free(run->trouble);
    pool_heap_free(run);
}

struct partner_run *partner_run_claimed(struct edge *e, struct slice remote)
{
    const struct partner *p = snapshot_partner(edge_policy(e), remote);
    struct partner_run *run = p ? map_get(&e->partner_runs, p->domain) : NULL;
    struct list *first;

    if (!p || run) {
        return run;
    }
    first = list_first(&e->runs_claimed);
    if (first && e->runs_claimed_count == PARTNER_RUNS_CLAIMED_MAX) {
        struct partner_run *oldest = LIST_ENTRY(first, struct partner_run, claimed);

        (void)map_remove(&e->partner_runs, name_of(oldest));
        run_free(e, oldest);
    }
    run = run_new(e, p);
    list_push_back(&e->runs_claimed, &run->claimed);
    e->runs_claimed_count++;
    return run;
}

void partner_runs_free(struct edge *e)
{
    struct list *first;

    while ((first = list_first(&e->runs_all))) {
        run_free(e, LIST_ENTRY(first, struct partner_run, all));
    }
    map_deinit(&e->partner_runs);
}

static bool is_orphan(const struct edge *e, const struct partner_run *run)
{
    const struct partner *p = snapshot_partner(edge_policy(e), name_of(run));

    return !p || !slice_eq(p->domain, name_of(run));
}

bool partner_runs_review_next(struct edge *e)
{
    struct list *first = list_first(&e->runs_all);
    struct partner_run *run = first ? LIST_ENTRY(first, struct partner_run, all) : NULL;

    if (!run || run->reviewed_version == e->setup_version) {
        return false;
    }
    run->reviewed_version = e->setup_version;
    list_remove(&run->all);
    list_push_back(&e->runs_all, &run->all);
    if (is_orphan(e, run) && !list_is_linked(&run->orphan)) {
        list_push_back(&e->runs_orphan, &run->orphan);
    }
    return true;
}

void partner_runs_tick(struct edge *e)
{
    struct list *at = e->runs_orphan.next;

    while (at != &e->runs_orphan) {
        struct partner_run *run = LIST_ENTRY(at, struct partner_run, orphan);

        at = at->next;
        if (!is_orphan(e, run)) {
            list_remove(&run->orphan); /* a later reload brought it back */
        } else if (run->leg_count + run->place_count[0] + run->place_count[1] == 0) {
            (void)map_remove(&e->partner_runs, name_of(run));
            run_free(e, run);
        }
    }
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

void partner_run_refused(struct edge *e, struct partner_run *run,
                         enum partner_direction direction, const char *rule, const char *text)
{
    char line[FAIL_TEXT_BYTES];

    if (rule[0]) {
        (void)snprintf(line, sizeof(line), "by %.100s: %.90s", rule, text);
        text = line;
    }
    partner_run_failed(e, run, direction, FAIL_STEP_POLICY, text);
}

struct refusal_log *partner_run_refusals(struct edge *e, const struct partner *p)
{
    struct partner_run *run = p ? partner_run_of(e, p->domain) : NULL;

    if (!run) {
        return &e->refusals;
    }
    if (!run->refusals) {
        run->refusals = pool_heap_zalloc(sizeof(*run->refusals));
        refusal_log_init(run->refusals, &e->refusals_held, name_of(run));
    }
    return run->refusals;
}

void partner_run_bounced(struct edge *e, struct slice remote, enum bounce_why why)
{
    struct partner_run *run = partner_run_of(e, remote);

    if (run) {
        trouble_of(run)->bounced[why]++;
    }
}
