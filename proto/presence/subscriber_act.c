/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_act: what the cells of the table do on events of the watcher, of time, of the store
 * and of administrators. */
#include "presence/subscriber_act.h"

#include "base/check.h"

void subscriber_do_ignore(struct contact *c, struct subscriber_step *step)
{
    (void)c;
    (void)step;
}

void subscriber_do_never(struct contact *c, struct subscriber_step *step)
{
    (void)c;
    (void)CHECK(step->event == SUBSCRIBER_EVENT_COUNT); /* its state excludes this event */
}

/* --- helpers ---------------------------------------------------------------------------------- */

void subscriber_backoff(struct contact *c, uint32_t delay_s, uint32_t least_s)
{
    uint64_t jitter_ms = contact_jitter(c, (uint64_t)delay_s * 1000) - contact_now_ms(c);
    uint32_t wait_s = (uint32_t)(jitter_ms / 1000);

    least_s = least_s < SUBSCRIBER_RETRY_AFTER_S ? least_s : SUBSCRIBER_RETRY_AFTER_S;
    if (wait_s < least_s) {
        wait_s = least_s + subscriber_random_s(c, least_s / SUBSCRIBER_SPREAD_DIVISOR);
    }
    subscriber_set_state(c, SUBSCRIBER_BACKOFF);
    c->in.retry_s = subscriber_now_s(c) + wait_s;
}

void subscriber_begin(struct contact *c)
{
    /* A watcher who subscribes and unsubscribes in a loop waits until his last dialogs are gone. */
    if (subscriber_count(c, SUBSCRIBER_ENDING) >= SUBSCRIBER_ENDING_MAX) {
        subscriber_backoff(c, SUBSCRIBER_BACKOFF_S, 0);
        return;
    }
    subscriber_set_state(c, SUBSCRIBER_TRYING);
    c->in.wants_new = true;
    c->in.is_cut = false;
    c->in.tell_s = 0;
}

/* Policy; if it says no, the watcher hears what strangers hear (gate.c). */
static bool may_watch(struct contact *c, const struct subscriber_step *step)
{
    struct presence_rule rule = {0};

    contact_rule(c, &rule);
    if (rule.is_allowed) {
        return true;
    }
    contact_send_type(c, step->stanza->type == STANZA_TYPE_PROBE ? STANZA_TYPE_UNAVAILABLE
                                                                 : STANZA_TYPE_UNSUBSCRIBED);
    return false;
}

static void note(struct contact *c)
{
    c->in.seen_s = subscriber_now_s(c);
    c->in.owes_subscribed = true;
    c->in.owes_unsubscribed = false;
    if (c->state == CONTACT_NONE) {
        contact_set_state(c, CONTACT_ASKED, CONTACT_BY_PARTNER);
    }
}

/* Dialogs end and what they said is withdrawn. */
static void end_shown(struct contact *c)
{
    subscriber_withdraw(c);
    subscriber_kept_drop(c);
    subscriber_end_all(c);
}

static void unsubscribed(struct contact *c)
{
    contact_send_type(c, STANZA_TYPE_UNSUBSCRIBED);
    c->in.owes_subscribed = false;
    c->in.owes_unsubscribed = false;
    c->in.is_told = false;
}

/* Whether another contact, in which our user watches the watcher, shows him as available: then his
 * `unavailable` was that of one resource, and his silence is that of a long session. */
static bool is_watcher_there(const struct contact *c)
{
    struct presence_pair pair = contact_pair(c);
    const struct contact *other = contact_find(c->p, CONTACT_OUT, &pair);

    return other && notifier_sees_available(other);
}

/* --- the watcher ------------------------------------------------------------------------------ */

void subscriber_do_ask(struct contact *c, struct subscriber_step *step)
{
    if (may_watch(c, step)) {
        note(c);
        c->in.failures = 0;
        c->in.misses = 0;
        subscriber_begin(c);
    }
}

void subscriber_do_ask_denied(struct contact *c, struct subscriber_step *step)
{
    int64_t age_s = contact_now_unix_s(c) - (int64_t)c->changed_unix_s;

    if (c->state == CONTACT_BLOCKED || age_s < SUBSCRIBER_DENIED_S) {
        unsubscribed(c);
        return;
    }
    if (may_watch(c, step)) {
        contact_set_state(c, CONTACT_ASKED, CONTACT_BY_PARTNER);
        subscriber_do_ask(c, step);
    }
}

void subscriber_do_note(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    note(c);
}

void subscriber_do_greet(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    note(c);
    c->in.away_s = 0;
    if (subscriber_is_granted(c)) { /* else it is on its way to the store */
        c->in.owes_subscribed = false;
        contact_send_type(c, STANZA_TYPE_SUBSCRIBED);
        subscriber_tell_all(c, NULL);
    }
}

void subscriber_do_again(struct contact *c, struct subscriber_step *step)
{
    if (!may_watch(c, step)) {
        return;
    }
    note(c);
    if (subscriber_now_s(c) - c->in.tried_s > SUBSCRIBER_AGAIN_S) {
        subscriber_begin(c);
    }
}

void subscriber_do_nudge(struct contact *c, struct subscriber_step *step)
{
    if (may_watch(c, step)) {
        note(c);
        subscriber_begin(c);
    }
}

void subscriber_do_look(struct contact *c, struct subscriber_step *step)
{
    if (!may_watch(c, step)) {
        return;
    }
    c->in.seen_s = subscriber_now_s(c);
    subscriber_begin(c);
    subscriber_pump(c);
    /* Where many log in at once it may take a while until it is this one's turn. */
    if (c->in.wants_new && subscriber_is_granted(c)) {
        contact_send_type(c, STANZA_TYPE_UNAVAILABLE);
        presence_counters(c->p)->probe_cached++;
    }
}

void subscriber_do_seen(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    c->in.seen_s = subscriber_now_s(c);
}

void subscriber_do_answer(struct contact *c, struct subscriber_step *step)
{
    c->in.seen_s = subscriber_now_s(c);
    c->in.away_s = 0;
    if (subscriber_is_granted(c)) {
        subscriber_tell_all(c, step->stanza);
        presence_counters(c->p)->probe_cached++;
    } else if (c->in.state == SUBSCRIBER_BACKOFF) {
        contact_send_type(c, STANZA_TYPE_UNAVAILABLE);
    } /* else the grant is on its way to the store, and all is told with it */
}

void subscriber_do_owe(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    c->in.owes_unsubscribed = true;
}

void subscriber_do_quit(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    subscriber_kept_drop(c); /* his server knows that he no longer sees anything (RFC 6121 3.3.2) */
    subscriber_end_all(c);
    c->in.is_told = false;
    c->in.owes_subscribed = false;
    /* It follows the answer to Expires 0. Where there is nothing to end his server needs no word,
     * and one that crosses a new `subscribe` of his would undo that. */
    c->in.owes_unsubscribed = c->in.dialogs != NULL;
    c->in.pay_s = subscriber_now_s(c) + SUBSCRIBER_PAY_S;
    contact_set_state(c, CONTACT_NONE, CONTACT_BY_PARTNER);
    subscriber_set_state(c, SUBSCRIBER_NONE);
}

void subscriber_do_grace(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    c->in.away_s = subscriber_now_s(c) + SUBSCRIBER_GRACE_S;
}

void subscriber_do_stay(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    c->in.away_s = 0;
}

/* --- time ------------------------------------------------------------------------------------- */

void subscriber_do_rest(struct contact *c, struct subscriber_step *step)
{
    c->in.away_s = 0;
    if (is_watcher_there(c)) {
        c->in.seen_s = subscriber_now_s(c);
        return;
    }
    if (step->event == SUBSCRIBER_ON_IDLE) {
        subscriber_withdraw(c); /* he may sit there all the same */
    }
    subscriber_kept_drop(c);
    subscriber_end_all(c);
    c->in.is_told = false;
    subscriber_set_state(c, c->state == CONTACT_NONE ? SUBSCRIBER_NONE : SUBSCRIBER_DORMANT);
}

void subscriber_do_resume(struct contact *c, struct subscriber_step *step)
{
    struct presence_rule rule = {0};

    (void)step;
    contact_rule(c, &rule);
    /* Nobody probes for what was never granted. */
    if (rule.is_allowed && (c->state == CONTACT_ASKED || c->in.is_cut)) {
        c->in.seen_s = subscriber_now_s(c);
        c->in.keep_s = c->in.kept ? subscriber_now_s(c) + SUBSCRIBER_KEEP_S : 0;
        subscriber_begin(c);
    }
}

void subscriber_do_begin(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    subscriber_begin(c);
}

void subscriber_do_withdraw(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    subscriber_withdraw(c);
}

void subscriber_do_cut(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    subscriber_keep(c, 0); /* what the watcher may still show when his server is back */
    subscriber_end_all(c);
    c->in.is_told = false;
    subscriber_set_state(c, c->state == CONTACT_NONE ? SUBSCRIBER_NONE : SUBSCRIBER_DORMANT);
    c->in.is_cut = c->state != CONTACT_NONE;
}

/* To say `unsubscribed` would be a denial, which nobody has spoken. */
void subscriber_do_fade(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    presence_counters(c->p)->lapsed++;
    subscriber_kept_drop(c);
    subscriber_end_all(c);
    c->in.is_told = false;
    c->in.owes_subscribed = false;
    c->in.owes_unsubscribed = false;
    contact_set_state(c, CONTACT_NONE, CONTACT_BY_PARTNER);
    subscriber_set_state(c, SUBSCRIBER_NONE);
}

void subscriber_do_tell_soon(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    if (c->in.state == SUBSCRIBER_DORMANT && !c->in.is_cut && c->state != CONTACT_ASKED) {
        return;
    }
    c->in.tell_s = subscriber_now_s(c) + subscriber_random_s(c, SUBSCRIBER_TELL_S);
}

void subscriber_do_tell(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    if (!subscriber_is_granted(c) || (c->in.is_told && !c->in.owes_subscribed)) {
        return;
    }
    if (c->in.owes_subscribed) {
        c->in.owes_subscribed = false;
        contact_send_type(c, STANZA_TYPE_SUBSCRIBED);
        contact_touch(c);
    }
    subscriber_tell_all(c, NULL);
}

/* A notifier that was started anew has forgotten its dialogs: 481, and a new one. */
void subscriber_do_refresh(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    for (struct subscriber_dialog *d = c->in.dialogs; d; d = d->next) {
        subscriber_dialog_doubt(c, d);
        if (d->phase == SUBSCRIBER_LIVE && !d->wants && !d->call && !d->is_loaded) {
            d->refresh_s = subscriber_now_s(c) + subscriber_random_s(c, SUBSCRIBER_TELL_S);
        }
    }
}

void subscriber_do_hasten(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    if (c->in.retry_s == 0) {
        return;
    }
    /* What a notifier says while it starts is not what makes a user unknown for good. */
    c->in.misses = c->in.misses > 1 ? (uint8_t)(c->in.misses - 1) : c->in.misses;
    c->in.retry_s = subscriber_now_s(c) + subscriber_random_s(c, SUBSCRIBER_TELL_S);
}

/* --- store, configuration, administrators ----------------------------------------------------- */

void subscriber_do_start(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    contact_send_type(c, STANZA_TYPE_SUBSCRIBED);
    c->in.owes_subscribed = false;
    c->in.seen_s = subscriber_now_s(c);
    subscriber_begin(c);
}

void subscriber_do_welcome(struct contact *c, struct subscriber_step *step)
{
    bool is_new = c->in.owes_subscribed;

    (void)step;
    if (is_new) {
        c->in.owes_subscribed = false;
        contact_send_type(c, STANZA_TYPE_SUBSCRIBED);
        contact_touch(c); /* the grant's row still says that it is owed: right, until now */
    }
    if (c->in.state != SUBSCRIBER_ACTIVE || !(is_new || !c->in.is_told)) {
        return;
    }
    if (subscriber_has_heard(c)) {
        subscriber_tell_all(c, NULL);
    } else { /* profile lync: a NOTIFY will come or not */
        c->in.tell_s = subscriber_now_s(c) + SUBSCRIBER_TELL_S;
    }
}

void subscriber_do_give_up(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    c->in.last_error = SUBSCRIBER_ERROR_STORE;
    c->in.owes_subscribed = false;
    subscriber_tell_error(c, STANZA_CONDITION_RESOURCE_CONSTRAINT);
    subscriber_kept_drop(c);
    subscriber_end_all(c);
    c->in.is_told = false;
    contact_set_state(c, CONTACT_NONE, CONTACT_BY_PARTNER);
    subscriber_set_state(c, SUBSCRIBER_NONE);
}

void subscriber_do_suspend(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    end_shown(c);
    c->in.is_told = false;
    /* The authorisation stays: the rule may be back, and what it says is not the user's will. */
    subscriber_set_state(c, c->state == CONTACT_NONE ? SUBSCRIBER_NONE : SUBSCRIBER_DORMANT);
    c->in.is_cut = c->state != CONTACT_NONE;
}

void subscriber_do_rejudge(struct contact *c, struct subscriber_step *step)
{
    struct presence_rule rule = {0};

    (void)step;
    contact_rule(c, &rule);
    if (rule.with_notes == c->in.with_notes) {
        if (subscriber_is_granted(c) && !c->in.is_told) { /* it was not let out before, perhaps */
            c->in.tell_tries = 0;
            c->in.tell_s = subscriber_now_s(c) + subscriber_random_s(c, SUBSCRIBER_TELL_S);
        }
        return;
    }
    /* Notes that may no longer be seen are taken back by telling what remains. */
    c->in.with_notes = rule.with_notes;
    if (subscriber_is_granted(c) && c->in.is_told) {
        c->in.is_told = false;
        c->in.tell_s = subscriber_now_s(c) + subscriber_random_s(c, SUBSCRIBER_TELL_S);
    }
}

void subscriber_do_block(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    subscriber_set_state(c, SUBSCRIBER_DENIED);
}

static void expel(struct contact *c, enum subscriber_state next)
{
    end_shown(c);
    unsubscribed(c);
    if (c->remote->is_unreachable) { /* that was lost: he hears it when he is there */
        c->in.owes_unsubscribed = true;
        c->in.is_unheard = true;
    }
    subscriber_set_state(c, next);
}

void subscriber_do_expel(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    expel(c, SUBSCRIBER_DENIED);
}

void subscriber_do_forget(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    expel(c, SUBSCRIBER_NONE);
}

void subscriber_do_blank(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    subscriber_set_state(c, SUBSCRIBER_NONE);
}

void subscriber_do_carry_on(struct contact *c, struct subscriber_step *step)
{
    (void)step;
    if (subscriber_count(c, SUBSCRIBER_LIVE) == 0) {
        subscriber_begin(c);
        return;
    }
    for (struct subscriber_dialog *d = c->in.dialogs; d; d = d->next) {
        if (d->phase == SUBSCRIBER_LIVE) {
            subscriber_dialog_doubt(c, d);
            subscriber_dialog_wait(c, d);
        }
    }
}
