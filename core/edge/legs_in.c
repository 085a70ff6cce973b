/* SPDX-License-Identifier: GPL-2.0-or-later */
/* legs_in: what is done with all incoming streams of a shard: journeys, answers from other shards,
 * new rules, the orderly stop, figures. */
#include "base/err.h"
#include "base/pool.h"
#include "edge/leg_in_int.h"
#include "edge/report_tls.h"

/* What is borrowed from this shard stays here. */
static bool begin_journey(struct leg_in *leg)
{
    leg->journey = pool_alloc(leg->run->domain_len + 1);
    if (!leg->journey) {
        return false;
    }
    memcpy(leg->journey, leg->run->domain, leg->run->domain_len);
    leg->journey[leg->run->domain_len] = '\0';
    leg_in_set_run(leg, NULL);
    return true;
}

void legs_in_turn_end(struct edge *e)
{
    struct list *at = e->legs_moving.next;

    while (at != &e->legs_moving) {
        struct leg_in *leg = LIST_ENTRY(at, struct leg_in, moving);

        at = at->next;
        if (!leg->is_ended && stream_asked_count(leg->s) != 0) {
            continue; /* answers about its other pairs are sent here: they are awaited first */
        }
        list_remove(&leg->moving);
        if (leg->is_ended) {
            continue;
        }
        if (!begin_journey(leg)) {
            leg->is_ended = true;
            conn_abort(leg->c, ERR_NOMEM, "out of memory");
            continue;
        }
        shard_timer_disarm(e->sh, &leg->timer);
        leg_in_delist(leg, e);
        LOG_D(conn_moved, "peer=%s to=shard%u", conn_peer_text(leg->c), leg->home);
        conn_move(leg->c, leg->home, leg_in_arrived);
    }
}

void leg_in_verify_result(struct edge *e, const struct mail_verify *v)
{
    struct conn *c = conn_find(e->sh, v->asker);
    struct leg_in *leg = c ? conn_owner(c) : NULL;
    struct stream_verify answer = mail_verify_view(v);

    if (v->verdict == DIALBACK_VALID) {
        e->stats.dialback_verified++;
    } else {
        e->stats.dialback_refused++;
    }
    /* Gone, or moved after another pair was proved: then its own deadline answers. */
    if (!leg || leg->magic != LEG_IN_MAGIC || leg->is_ended || !leg->s) {
        return;
    }
    leg_in_handle(leg, stream_verify_result(leg->s, shard_now_ms(e->sh), &answer,
                                            (enum dialback_verdict)v->verdict,
                                            (enum stanza_condition)v->condition, &e->in_event));
}

bool legs_in_review_next(struct edge *e)
{
    struct list *first = list_first(&e->legs_in);
    struct leg_in *leg = first ? LIST_ENTRY(first, struct leg_in, all) : NULL;

    if (!leg || leg->reviewed_version == e->setup_version) {
        return false;
    }
    leg->reviewed_version = e->setup_version;
    list_remove(&leg->all);
    list_push_back(&e->legs_in, &leg->all);
    leg_in_review(leg);
    return true;
}

void legs_in_report(const struct edge *e, struct report_streams *out)
{
    for (struct list *at = e->legs_in.next; at != &e->legs_in; at = at->next) {
        const struct leg_in *leg = LIST_ENTRY(at, struct leg_in, all);

        if (leg->run && leg->s && !leg->is_ended) {
            report_stream_add(out, leg->c, PARTNER_IN, stream_local(leg->s),
                              stream_remote(leg->s));
        }
    }
}

uint32_t legs_in_drain(struct edge *e)
{
    uint32_t open = 0;

    for (struct list *at = e->legs_in.next; at != &e->legs_in; at = at->next) {
        struct leg_in *leg = LIST_ENTRY(at, struct leg_in, all);

        open++;
        if (leg->is_ended) {
            continue;
        }
        if (leg->s) {
            stream_close(leg->s, shard_now_ms(e->sh), STREAM_CONDITION_SYSTEM_SHUTDOWN,
                         "gateway is stopping");
            leg_in_settle(leg);
        } else {
            leg_in_end(leg);
        }
    }
    return open;
}
