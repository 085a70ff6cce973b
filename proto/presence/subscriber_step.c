/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_step: the transition table and its one function. */
#include "presence/subscriber_int.h"

#include "base/check.h"
#include "base/log.h"

static const uint8_t cells[SUBSCRIBER_EVENT_COUNT][SUBSCRIBER_STATE_COUNT] = {
#define ROW(event, none, trying, pending, active, backoff, dormant, denied)                        \
    [SUBSCRIBER_ON_##event] = {                                                                    \
        [SUBSCRIBER_NONE] = SUBSCRIBER_DO_##none,                                                  \
        [SUBSCRIBER_TRYING] = SUBSCRIBER_DO_##trying,                                              \
        [SUBSCRIBER_PENDING] = SUBSCRIBER_DO_##pending,                                            \
        [SUBSCRIBER_ACTIVE] = SUBSCRIBER_DO_##active,                                              \
        [SUBSCRIBER_BACKOFF] = SUBSCRIBER_DO_##backoff,                                            \
        [SUBSCRIBER_DORMANT] = SUBSCRIBER_DO_##dormant,                                            \
        [SUBSCRIBER_DENIED] = SUBSCRIBER_DO_##denied,                                              \
    },
#include "presence/subscriber_cells.def"
#undef ROW
};

static const struct {
    subscriber_action_fn *fn;
    const char *name;
} actions[SUBSCRIBER_ACTION_COUNT] = {
#define ACTION(name, fn) [SUBSCRIBER_DO_##name] = {fn, #name},
#include "presence/subscriber_actions.def"
#undef ACTION
};

static const char *const event_names[SUBSCRIBER_EVENT_COUNT] = {
#define ROW(event, ...) [SUBSCRIBER_ON_##event] = #event,
#include "presence/subscriber_cells.def"
#undef ROW
};

static const char *const state_names[SUBSCRIBER_STATE_COUNT] = {
#define X(name, text) [SUBSCRIBER_##name] = text,
    SUBSCRIBER_STATES(X)
#undef X
};

#define BIT(state) (1u << SUBSCRIBER_##state)
#define ALL        ((1u << SUBSCRIBER_STATE_COUNT) - 1u)
/* What may follow. NONE: a stored contact is put into the state it had. A dialog is made by a
 * SUBSCRIBE, so PENDING and ACTIVE come from TRYING. */
static const uint32_t successors[SUBSCRIBER_STATE_COUNT] = {
    [SUBSCRIBER_NONE] = ALL,
    [SUBSCRIBER_TRYING] = ALL,
    [SUBSCRIBER_PENDING] = ALL,
    [SUBSCRIBER_ACTIVE] = ALL,
    [SUBSCRIBER_BACKOFF] = ALL & ~(BIT(PENDING) | BIT(ACTIVE)),
    [SUBSCRIBER_DORMANT] = ALL & ~(BIT(PENDING) | BIT(ACTIVE)),
    [SUBSCRIBER_DENIED] = ALL & ~(BIT(PENDING) | BIT(ACTIVE)),
};

const char *subscriber_event_name(enum subscriber_event event)
{
    return event_names[event];
}

const char *subscriber_action_name(enum subscriber_action action)
{
    return actions[action].name;
}

const char *subscriber_state_name(enum subscriber_state state)
{
    return state_names[state];
}

enum subscriber_action subscriber_cell(enum subscriber_event event, enum subscriber_state state)
{
    return cells[event][state];
}

void subscriber_set_state(struct contact *c, enum subscriber_state state)
{
    struct subscriber *sub = &c->in;

    ASSERT(state < SUBSCRIBER_STATE_COUNT);
    ASSERT(successors[sub->state] & (1u << state));
    if (sub->state == state) {
        return;
    }
    sub->state = (uint8_t)state;
    sub->retry_s = 0;
    sub->away_s = 0;
    sub->wants_new = false;
    contact_touch(c);
}

void subscriber_step(struct contact *c, enum subscriber_event event, struct subscriber_step *step)
{
    struct subscriber_step empty = {0};
    enum subscriber_state before = c->in.state;
    enum subscriber_action action = cells[event][before];

    step = step ? step : &empty;
    step->event = event;
    actions[action].fn(c, step);
    if (c->in.state != before || action == SUBSCRIBER_DO_NEVER) {
        struct presence_pair pair = contact_pair(c);

        LOG_D(presence_step, "local=%s@%.*s remote=%s@%.*s event=%s %s->%s",
              log_quote(pair.local_user).text, SLICE_FMT(pair.local_domain),
              log_quote(pair.remote_user).text, SLICE_FMT(pair.remote_domain), event_names[event],
              state_names[before], state_names[c->in.state]);
    }
}

static bool ends_dialog(enum subscriber_event event)
{
    switch ((int)event) {
    case SUBSCRIBER_ON_REFUSED:
    case SUBSCRIBER_ON_NOT_FOUND:
    case SUBSCRIBER_ON_GONE:
    case SUBSCRIBER_ON_ENDED:
    case SUBSCRIBER_ON_TERMINATED:
    case SUBSCRIBER_ON_TIMER_N:
    case SUBSCRIBER_ON_EXPIRED:
        return true;
    default:
        return false;
    }
}

void subscriber_event(struct contact *c, enum subscriber_event event, struct subscriber_step *step)
{
    if (ends_dialog(event) && step->dialog->phase == SUBSCRIBER_LIVE &&
        subscriber_count(c, SUBSCRIBER_LIVE) > 1) {
        step->event = event;
        subscriber_fork_lost(c, step);
        return;
    }
    subscriber_step(c, event, step);
}
