/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_figures: the shards' figures for /stats, /metrics and fedgatectl. */
#include <semaphore.h>
#include <time.h>

#include "base/pool.h"
#include "edge/control_int.h"
#include "engine/engine.h"
#include "store/store.h"

void figures_collect(struct figures *f, struct control *ctl)
{
    uint32_t asked = 0;
    sem_t done;

    f->count = engine_shard_count(ctl->engine);
    f->reports = pool_heap_zalloc(f->count * sizeof(*f->reports));
    f->engine = pool_heap_zalloc(f->count * sizeof(*f->engine));
    (void)sem_init(&done, 0, 0);
    for (uint32_t i = 0; i < f->count; i++) {
        struct mail_report *m = edge_mail_new(MAIL_REPORT, sizeof(*m));

        engine_stats_read(ctl->engine, i, &f->engine[i]);
        f->engine[i].log_lost = atomic_load_explicit(&ctl->shared->rings[i].lost_count,
                                                     memory_order_relaxed);
        if (!m) {
            continue;
        }
        m->report = &f->reports[i];
        m->done = &done;
        if (engine_post(ctl->engine, i, &m->mail) == 0) {
            asked++;
        } else {
            pool_free(m);
        }
    }
    while (asked-- > 0) {
        while (sem_wait(&done) != 0) {
        }
    }
    (void)sem_destroy(&done);
}

void figures_deinit(struct figures *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        edge_report_deinit(&f->reports[i]);
    }
    pool_heap_free(f->reports);
    pool_heap_free(f->engine);
    *f = (struct figures){0};
}

void figures_write(struct control *ctl, struct buf *out, bool as_metrics)
{
    const struct snapshot *policy = ctl->current->policy;
    struct report_node node = {
        .node_name = policy->node_name,
        .version = FEDGATE_VERSION,
        .tls_backend = policy->tls_backend,
        .tls_version = tls_backend_version(tls_backend_find(policy->tls_backend)),
        .state = ctl->is_draining ? "draining" : "running",
        .uptime_s = (uint64_t)(time(NULL) - ctl->started),
        .config_generation = ctl->generation,
        .tls = ctl->tls,
    };
    struct figures f;

    if (ctl->store) {
        node.store.is_there = true;
        store_health_read(ctl->store, &node.store.health);
        store_stats_read(ctl->store, &node.store.stats);
    }
    figures_collect(&f, ctl);
    if (as_metrics) {
        report_write_metrics(out, &node, f.reports, f.engine, f.count);
    } else {
        report_write_json(out, &node, f.reports, f.engine, f.count);
    }
    figures_deinit(&f);
}
