/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stage_watch: the sink's subscriptions to what flows show, some at a time. */
#include "load/party.h"
#include "load/run.h"
#include "load/stage.h"

void stage_watch_more(struct stage *st)
{
    const struct party_kind *kind = st->plan->kind[SIDE_SINK];
    struct stage_watching *w = &st->watching;

    while (w->next < w->until && w->in_progress < st->plan->parallel) {
        bool is_begun = w->is_end ? kind->unwatch(st->party[SIDE_SINK], w->next)
                                  : kind->watch(st->party[SIDE_SINK], w->next);

        if (!is_begun) {
            return;
        }
        w->next++;
        w->in_progress++;
    }
}

void stage_watch_flows(struct stage *st, const struct stage_watching *which)
{
    st->watching = *which;
    stage_watch_more(st);
}

static void done(struct stage *st, _Atomic uint64_t *counter)
{
    (void)atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
    if (st->watching.in_progress > 0) {
        st->watching.in_progress--;
    }
}

void stage_watched(struct stage *st)
{
    done(st, &st->run->watched);
}

void stage_unwatched(struct stage *st)
{
    done(st, &st->run->unwatched);
}
