/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refusal_log: a token bucket for each partner, direction and reason. */
#include "edge/refusal_log.h"

#include "base/log.h"

void refusal_log_init(struct refusal_log *l, struct list *held, struct slice domain)
{
    *l = (struct refusal_log){.held = held, .domain = domain};
    list_init(&l->held_by);
}

bool refusal_log_take(struct refusal_log *l, enum policy_direction direction,
                      enum policy_reason reason, uint64_t now_ms, uint64_t *withheld)
{
    static const struct rate_rule rule = {REFUSAL_LINES_PER_S, REFUSAL_LINES_BURST};
    struct refusal_bucket *b = &l->of[direction][reason];
    uint64_t wait_ms = rate_take(&b->rate, &rule, 0, now_ms);

    /* Asked before it is taken: what is withheld must not run into debt. */
    if (wait_ms == 0) {
        wait_ms = rate_take(&b->rate, &rule, 1, now_ms);
        (void)wait_ms; /* the next one's matter */
        *withheld = b->withheld;
        b->withheld = 0;
        return true;
    }
    if (b->withheld++ == 0) {
        b->since_ms = now_ms;
    }
    if (!list_is_linked(&l->held_by)) {
        list_push_back(l->held, &l->held_by);
    }
    return false;
}

/* Those withheld since then or before; true: others remain. */
static bool tell(struct refusal_log *l, uint64_t until_ms)
{
    bool remain = false;

    for (int d = 0; d < 2; d++) {
        for (int r = 0; r < POLICY_REASON_COUNT; r++) {
            struct refusal_bucket *b = &l->of[d][r];

            if (b->withheld == 0) {
                continue;
            }
            if (b->since_ms > until_ms) {
                remain = true;
                continue;
            }
            LOG_I(stanza_refused, "partner=%s reason=%s dir=%s withheld=%llu",
                  log_quote(l->domain).text, policy_reason_name((enum policy_reason)r),
                  d == POLICY_TO_LOCAL ? "in" : "out", (unsigned long long)b->withheld);
            b->withheld = 0;
        }
    }
    return remain;
}

void refusal_log_tick(struct list *held, uint64_t now_ms)
{
    struct list *at = held->next;

    while (at != held) {
        struct refusal_log *l = LIST_ENTRY(at, struct refusal_log, held_by);

        at = at->next;
        if (now_ms >= REFUSAL_QUIET_MS && !tell(l, now_ms - REFUSAL_QUIET_MS)) {
            list_remove(&l->held_by);
        }
    }
}

void refusal_log_flush(struct refusal_log *l)
{
    (void)tell(l, UINT64_MAX);
    list_remove(&l->held_by);
}
