/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_review: a live stream against rules that changed: each of its pairs is asked about again,
 * so that one that is refused goes and the others stay. */
#include "base/check.h"
#include "xmpp/stream_int.h"

const struct stream_refusal stream_refusal_method = {
    STREAM_CONDITION_POLICY_VIOLATION, STANZA_CONDITION_POLICY_VIOLATION,
    "the rules for these domains no longer allow how they were authenticated"};

static const struct stream_refusal *refusal_of(struct stream *s, const struct pair *p,
                                               const struct stream_review *how)
{
    struct stream_rules rules = {0};
    const struct stream_refusal *refusal =
        s->host->rules(s->ctx, s->role, p->local, p->remote, &rules);

    if (refusal) {
        return refusal;
    }
    if ((rules.methods & p->method) == 0) {
        return rules.methods ? &stream_refusal_method : &stream_refusal_unknown_partner;
    }
    return (p->method & how->lost_methods) != 0 ? how->lost : NULL;
}

/* Nothing is proved yet: the machine asks again at each step; this only ends it sooner. */
static const struct stream_refusal *review_early(struct stream *s)
{
    if (slice_is_empty(s->remote) || slice_is_empty(s->local)) {
        return NULL;
    }
    return stream_ask_rules(s);
}

const struct stream_refusal *stream_review(struct stream *s, uint64_t now_ms,
                                           const struct stream_review *how)
{
    const struct stream_refusal *why = NULL;
    uint64_t version = s->host->rules_version(s->ctx);
    bool is_any_left = false;

    ASSERT(s->magic == STREAM_MAGIC);
    s->now_ms = now_ms;
    if (s->state == STREAM_STATE_CLOSING || s->state == STREAM_STATE_DEAD) {
        return NULL;
    }
    if (s->proved_count == 0) {
        return review_early(s);
    }
    for (struct list *l = s->pairs.next; l != &s->pairs; l = l->next) {
        struct pair *p = LIST_ENTRY(l, struct pair, link);
        const struct stream_refusal *refusal = p->is_proved ? refusal_of(s, p, how) : NULL;

        p->is_refused = refusal != NULL;
        p->rules_version = version;
        is_any_left = is_any_left || (p->is_proved && !refusal);
        why = refusal ? refusal : why;
    }
    if (!is_any_left) {
        return why;
    }
    (void)stream_ask_rules(s); /* refused: another pair carries on, by the rules as they were */
    if (stream_is_open(s)) {
        uint64_t due_ms = s->keepalive_by_ms;

        stream_arm_activity(s);
        /* Our next space is not put off, however often rules come. */
        if (s->role == STREAM_OUT && due_ms < s->keepalive_by_ms &&
            s->keepalive_by_ms != STREAM_NEVER) {
            s->keepalive_by_ms = due_ms;
        }
    }
    return NULL;
}

void stream_close_within(struct stream *s, uint64_t now_ms, uint32_t wait_ms)
{
    if (s->state == STREAM_STATE_CLOSING && s->state_by_ms > now_ms + wait_ms) {
        s->state_by_ms = now_ms + wait_ms;
    }
}
