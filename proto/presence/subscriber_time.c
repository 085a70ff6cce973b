/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_time: the deadlines of one subscription, which share the contact's one timer. They are
 * counted in seconds; a fraction that differs from contact to contact spreads them. */
#include "presence/subscriber_int.h"

#define MS_PER_S 1000u
#define DUE_MAX  64u /* deadlines handled at a time; the rest at once after */
#define FOR_EVER INT64_MAX

/* Never 0, which is no time. */
uint32_t subscriber_now_s(const struct contact *c)
{
    return (uint32_t)(contact_now_ms(c) / MS_PER_S) + 1;
}

uint32_t subscriber_random_s(const struct contact *c, uint32_t bound_s)
{
    return (uint32_t)(presence_random(c->p) % ((uint64_t)bound_s + 1));
}

/* A second that has ended: what is due is never early. */
static bool is_reached(uint32_t due_s, uint32_t now_s)
{
    return due_s != 0 && now_s > due_s;
}

static bool is_watching(const struct contact *c)
{
    switch ((enum subscriber_state)c->in.state) {
    case SUBSCRIBER_TRYING:
    case SUBSCRIBER_PENDING:
    case SUBSCRIBER_ACTIVE:
    case SUBSCRIBER_BACKOFF:
        return true;
    case SUBSCRIBER_NONE:
    case SUBSCRIBER_DORMANT:
    case SUBSCRIBER_DENIED:
    case SUBSCRIBER_STATE_COUNT:
        break;
    }
    return false;
}

/* Nobody probes for what he was not granted yet, so only a granted one can be too quiet. */
static uint32_t idle_s(const struct contact *c)
{
    bool is_counted = is_watching(c) && c->state != CONTACT_ASKED && c->in.seen_s != 0;

    return is_counted ? c->in.seen_s + SUBSCRIBER_IDLE_S : 0;
}

static uint32_t cut_s(const struct contact *c)
{
    if (!c->remote->is_unreachable || !is_watching(c)) {
        return 0;
    }
    return (uint32_t)(c->remote->unreachable_ms / MS_PER_S) + 1 + SUBSCRIBER_CUT_S;
}

/* How long until a request that nobody decides, or a refusal (one that a partner who is away still
 * has to hear, too), has been kept for long enough; below 0: long since; FOR_EVER: neither. */
static int64_t life_s(const struct contact *c)
{
    bool is_owed = c->state == CONTACT_NONE && c->in.is_unheard;
    uint32_t life_s = c->state == CONTACT_ASKED               ? PRESENCE_ASKED_LIFE_S
                      : c->state == CONTACT_DENIED || is_owed ? PRESENCE_DENIED_LIFE_S
                                                              : 0;

    if (life_s == 0 || c->changed_unix_s == 0 || contact_is_granting(c)) {
        return FOR_EVER;
    }
    return (int64_t)c->changed_unix_s + life_s - contact_now_unix_s(c);
}

/* What is kept for a new dialog is not withdrawn while that one waits for its turn. */
static uint32_t keep_s(const struct contact *c)
{
    return c->in.wants_new ? 0 : c->in.keep_s;
}

/* Likewise the dialog whose refresh waits for its turn, or for its row after a start. Should the
 * notifier have ended it by then, it says so, and a new one takes its place. */
static uint32_t expires_s(const struct subscriber_dialog *d)
{
    return d->is_loaded || d->wants ? 0 : d->expires_s;
}

/* --- due -------------------------------------------------------------------------------------- */

static bool live_due(struct contact *c, struct subscriber_dialog *d, uint32_t now_s)
{
    struct subscriber_step step = {.dialog = d};

    if (!d->wants && is_reached(d->timer_n_s, now_s)) {
        c->in.last_error = SUBSCRIBER_ERROR_TIMER_N;
        subscriber_event(c, SUBSCRIBER_ON_TIMER_N, &step);
        return true;
    }
    if (is_reached(expires_s(d), now_s)) {
        c->in.last_error = SUBSCRIBER_ERROR_EXPIRED;
        subscriber_event(c, SUBSCRIBER_ON_EXPIRED, &step);
        return true;
    }
    if (is_reached(d->refresh_s, now_s)) {
        d->refresh_s = 0;
        d->wants = true;
        d->is_loaded = false; /* written, or the store refuses: service goes on from memory */
        return true;
    }
    return false;
}

static bool ending_due(struct contact *c, struct subscriber_dialog *d, uint32_t now_s)
{
    if (is_reached(d->timer_n_s, now_s)) {
        subscriber_dialog_drop(c, d);
        return true;
    }
    if (is_reached(d->refresh_s, now_s)) {
        d->refresh_s = 0;
        d->wants = true;
        d->is_loaded = false; /* written, or the store refuses: service goes on from memory */
        return true;
    }
    return false;
}

/* True: something was due; the list of dialogs may be another one now. */
static bool dialog_due(struct contact *c, struct subscriber_dialog *d, uint32_t now_s)
{
    struct subscriber_step step = {.dialog = d};

    if (d->call) { /* its end comes for certain, and decides */
        return false;
    }
    switch ((enum subscriber_phase)d->phase) {
    case SUBSCRIBER_NASCENT:
        if (d->wants || !is_reached(d->timer_n_s, now_s)) {
            return false;
        }
        if (d->is_over) {
            subscriber_held_out(c, d);
            return true;
        }
        c->in.last_error = SUBSCRIBER_ERROR_TIMER_N;
        subscriber_event(c, SUBSCRIBER_ON_TIMER_N, &step);
        return true;
    case SUBSCRIBER_LIVE:
        return live_due(c, d, now_s);
    case SUBSCRIBER_ENDING:
        return ending_due(c, d, now_s);
    }
    return false;
}

static bool dialogs_due(struct contact *c, uint32_t now_s)
{
    for (struct subscriber_dialog *d = c->in.dialogs; d; d = d->next) {
        if (dialog_due(c, d, now_s)) {
            return true;
        }
    }
    return false;
}

static bool take_if_reached(uint32_t *due_s, uint32_t now_s)
{
    bool is_due = is_reached(*due_s, now_s);

    if (is_due) {
        *due_s = 0;
    }
    return is_due;
}

static bool contact_due(struct contact *c, uint32_t now_s)
{
    struct subscriber *sub = &c->in;

    if (take_if_reached(&sub->retry_s, now_s)) {
        subscriber_step(c, SUBSCRIBER_ON_RETRY, NULL);
    } else if (is_reached(keep_s(c), now_s)) {
        sub->keep_s = 0;
        subscriber_step(c, SUBSCRIBER_ON_KEPT, NULL);
    } else if (take_if_reached(&sub->away_s, now_s)) {
        subscriber_step(c, SUBSCRIBER_ON_AWAY, NULL);
    } else if (take_if_reached(&sub->tell_s, now_s)) {
        subscriber_step(c, SUBSCRIBER_ON_TELL, NULL);
    } else if (is_reached(idle_s(c), now_s)) {
        subscriber_step(c, SUBSCRIBER_ON_IDLE, NULL);
    } else if (is_reached(cut_s(c), now_s)) {
        subscriber_step(c, SUBSCRIBER_ON_CUT, NULL);
    } else if (life_s(c) < 0) {
        subscriber_step(c, SUBSCRIBER_ON_LAPSED, NULL);
    } else {
        return false;
    }
    return true;
}

void subscriber_due(struct contact *c)
{
    uint32_t now_s = subscriber_now_s(c);

    for (uint32_t i = 0; i < DUE_MAX; i++) {
        if (!dialogs_due(c, now_s) && !contact_due(c, now_s)) {
            break;
        }
    }
    subscriber_settle(c);
}

/* --- next ------------------------------------------------------------------------------------- */

static uint32_t earlier(uint32_t a, uint32_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static uint32_t dialog_next_s(const struct subscriber_dialog *d)
{
    uint32_t next_s = 0;

    if (d->call) {
        return 0;
    }
    if (!d->wants || d->phase == SUBSCRIBER_ENDING) {
        next_s = earlier(next_s, d->timer_n_s);
    }
    if (d->phase != SUBSCRIBER_NASCENT) {
        next_s = earlier(next_s, d->refresh_s);
    }
    return d->phase == SUBSCRIBER_LIVE ? earlier(next_s, expires_s(d)) : next_s;
}

static uint32_t lapse_s(const struct contact *c)
{
    int64_t left_s = life_s(c);

    left_s = left_s < 0 ? 0 : left_s;
    return left_s >= UINT32_MAX / 2 ? 0 : subscriber_now_s(c) + (uint32_t)left_s;
}

static uint32_t pay_next_s(const struct contact *c)
{
    uint32_t now_s = subscriber_now_s(c);

    if (!c->in.owes_unsubscribed || c->in.is_unheard) {
        return 0;
    }
    return now_s < c->in.pay_s                        ? c->in.pay_s
           : now_s < c->in.pay_s + SUBSCRIBER_WRITE_S ? c->in.pay_s + SUBSCRIBER_WRITE_S
                                                      : 0;
}

static void arm(struct contact *c)
{
    const struct subscriber *sub = &c->in;
    uint32_t next_s = earlier(earlier(sub->retry_s, keep_s(c)), earlier(sub->away_s, sub->tell_s));

    next_s = earlier(next_s, earlier(lapse_s(c), earlier(idle_s(c), cut_s(c))));
    next_s = earlier(next_s, pay_next_s(c));
    for (const struct subscriber_dialog *d = sub->dialogs; d; d = d->next) {
        next_s = earlier(next_s, dialog_next_s(d));
    }
    contact_arm(c, next_s == 0 ? 0 : (uint64_t)next_s * MS_PER_S + c->hash % MS_PER_S);
}

/* Who was refused while he was away saw our user as he was then. */
void subscriber_hear(struct contact *c)
{
    if (c->in.is_unheard) {
        c->in.is_unheard = false;
        if (c->in.owes_unsubscribed) {
            contact_send_type(c, STANZA_TYPE_UNAVAILABLE);
        }
    }
}

/* `unsubscribed` follows the answer to Expires 0 (RFC 8048 5.2.3), and the end of the grant on the
 * disk: what the watcher's server heard must not be undone by a crash. */
static void pay(struct contact *c)
{
    uint32_t now_s = subscriber_now_s(c);

    if (!c->in.owes_unsubscribed || c->in.is_unheard || now_s < c->in.pay_s ||
        (now_s < c->in.pay_s + SUBSCRIBER_WRITE_S && contact_is_unwritten(c))) {
        return;
    }
    for (const struct subscriber_dialog *d = c->in.dialogs; d; d = d->next) {
        bool is_unsent = d->tries == 0 && d->refresh_s != 0;

        if (d->phase == SUBSCRIBER_ENDING && (d->call || d->wants || is_unsent)) {
            return;
        }
    }
    c->in.owes_unsubscribed = false;
    contact_send_type(c, STANZA_TYPE_UNSUBSCRIBED);
}

void subscriber_settle(struct contact *c)
{
    subscriber_pump(c);
    pay(c);
    arm(c);
}
