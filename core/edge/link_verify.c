/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link_verify: dialback questions of other streams, asked over this one (XEP-0220, receiving
 * server to authoritative server), and their answers. */
#include "base/pool.h"
#include "edge/leg_in.h"
#include "edge/link_int.h"

#define VERIFIES_MAX 64u
#define REDIAL_MS_MIN 1000u

static void answer_verify(struct link *l, struct mail_verify *v)
{
    struct edge *e = l->host.e;

    if (v->asker.shard_idx == e->idx) {
        leg_in_verify_result(e, v);
        pool_free(v);
    } else {
        v->mail.kind = MAIL_VERIFY_RESULT;
        edge_post(e, v->asker.shard_idx, &v->mail);
    }
}

void link_verify_answered(struct link *l, const struct stream_event *ev)
{
    struct list *at = l->verifies.next;

    while (at != &l->verifies) {
        struct mail_verify *v = LIST_ENTRY(at, struct mail_verify, mail.link);
        struct stream_verify view = mail_verify_view(v);

        at = at->next;
        if (slice_eq(view.stream_id, ev->stream_id) && slice_eq(view.local, ev->local) &&
            slice_eq(view.remote, ev->remote)) {
            list_remove(&v->mail.link);
            v->verdict = (uint8_t)ev->verdict;
            v->condition = (uint8_t)ev->condition;
            answer_verify(l, v);
        }
    }
}

void link_fail_verifies(struct link *l, enum stanza_condition condition)
{
    struct list *link;

    while ((link = list_pop_front(&l->verifies))) {
        struct mail_verify *v = LIST_ENTRY(link, struct mail_verify, mail.link);

        v->verdict = DIALBACK_ERROR;
        v->condition = (uint8_t)condition;
        answer_verify(l, v);
    }
}

void link_send_verifies(struct link *l)
{
    struct edge *e = l->host.e;
    struct list *at = l->verifies.next;

    if (!l->s || (l->state != LINK_ST_NEGOTIATING && l->state != LINK_ST_READY)) {
        return;
    }
    while (at != &l->verifies) {
        struct mail_verify *v = LIST_ENTRY(at, struct mail_verify, mail.link);
        struct stream_verify view = mail_verify_view(v);

        at = at->next;
        if (v->is_sent) {
            continue;
        }
        if (stream_send_verify(l->s, shard_now_ms(e->sh), &view) == 0) {
            v->is_sent = true;
        } else {
            list_remove(&v->mail.link);
            v->verdict = DIALBACK_ERROR;
            v->condition = STANZA_CONDITION_RESOURCE_CONSTRAINT;
            answer_verify(l, v);
        }
    }
    link_settle(l);
}

void link_verify(struct edge *e, struct mail_verify *v)
{
    struct stream_verify view = mail_verify_view(v);
    struct jid_ascii local;
    struct jid_ascii remote;
    struct link *l = NULL;
    uint32_t count = 0;

    if (jid_domain_to_ascii(view.local, &local) == 0 &&
        jid_domain_to_ascii(view.remote, &remote) == 0) {
        l = link_find_or_make(e, jid_ascii_slice(&local), jid_ascii_slice(&remote));
    }
    if (!l) {
        pool_free(v); /* the asker's own deadline answers */
        return;
    }
    for (struct list *at = l->verifies.next; at != &l->verifies; at = at->next) {
        count++;
    }
    if (count >= VERIFIES_MAX) {
        pool_free(v);
        return;
    }
    list_push_back(&l->verifies, &v->mail.link);
    if (l->state == LINK_ST_BACKOFF) {
        /* Somebody has just dialled in for it: it may be up. But anybody can claim that, so no
         * more than one attempt a second comes of it. */
        uint64_t since_ms = shard_now_ms(e->sh) - l->dialled_ms;

        l->attempts = 0;
        shard_timer_arm(e->sh, &l->timer, since_ms < REDIAL_MS_MIN ? REDIAL_MS_MIN - since_ms : 0,
                        link_on_backoff_over, l);
    } else if (l->state == LINK_ST_IDLE) {
        link_connect(l);
    } else {
        link_send_verifies(l);
    }
}

void link_verify_send(struct edge *e, struct mail_verify *v)
{
    struct stream_verify view = mail_verify_view(v);
    const struct partner *p = snapshot_partner(edge_policy(e), view.remote);
    uint32_t home;

    if (!p) {
        pool_free(v);
        return;
    }
    home = edge_home_of_partner(e, p);
    if (home == e->idx) {
        link_verify(e, v);
    } else {
        edge_post(e, home, &v->mail);
    }
}
