/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_act_sip: what the cells of the table do on events of a dialog: responses, NOTIFY,
 * Timer N, expiry (RFC 6665 4.1, RFC 8048 5.2). */
#include "presence/subscriber_act.h"

#include "base/log.h"

/* --- helpers ---------------------------------------------------------------------------------- */

/* The dialog of an event that ends it. What the notifier may still hold is ended there, too. */
static void lose(struct contact *c, struct subscriber_step *step)
{
    struct subscriber_dialog *d = step->dialog;

    step->dialog = NULL;
    if (!d) { /* there was no memory to make it */
        return;
    }
    switch ((int)step->event) {
    case SUBSCRIBER_ON_TIMER_N:
        subscriber_dialog_end(c, d);
        return;
    case SUBSCRIBER_ON_REFUSED: /* 403 and 603 to a refresh leave the dialog as it is */
        if (d->phase == SUBSCRIBER_LIVE && !sip_status_ends_subscription(step->status)) {
            subscriber_dialog_end(c, d);
            return;
        }
        break;
    default:
        break;
    }
    subscriber_dialog_drop(c, d);
}

static uint32_t doubled_s(struct contact *c)
{
    uint32_t delay_s = SUBSCRIBER_BACKOFF_S;

    for (uint8_t i = 0; i < c->in.failures && delay_s < SUBSCRIBER_BACKOFF_MAX_S; i++) {
        delay_s *= 2;
    }
    if (c->in.failures < UINT8_MAX) {
        c->in.failures++;
    }
    return delay_s < SUBSCRIBER_BACKOFF_MAX_S ? delay_s : SUBSCRIBER_BACKOFF_MAX_S;
}

static uint32_t retry_after_s(const struct subscriber_step *step)
{
    return step->response ? sip_answer_retry_after(step->response, SUBSCRIBER_RETRY_AFTER_S) : 0;
}

/* A new dialog at once, but not for ever: a notifier that ends each one is asked once a minute and
 * less. within_s: spread over so many seconds. */
static void renew(struct contact *c, uint32_t within_s)
{
    struct subscriber *sub = &c->in;
    uint32_t now_s = subscriber_now_s(c);

    if (now_s - sub->tried_s > SUBSCRIBER_AGAIN_S) {
        sub->quick = 0;
    }
    if (sub->quick >= SUBSCRIBER_QUICK_MAX) {
        subscriber_backoff(c, doubled_s(c), 0);
        return;
    }
    sub->quick++;
    if (within_s == 0) {
        subscriber_begin(c);
        return;
    }
    subscriber_set_state(c, SUBSCRIBER_BACKOFF);
    sub->retry_s = now_s + 1 + subscriber_random_s(c, within_s - 1);
}

static void deny(struct contact *c, struct subscriber_step *step)
{
    subscriber_withdraw(c);
    subscriber_kept_drop(c);
    lose(c, step);
    subscriber_end_all(c);
    contact_send_type(c, STANZA_TYPE_UNSUBSCRIBED);
    c->in.owes_subscribed = false;
    c->in.is_told = false;
    contact_set_state(c, CONTACT_DENIED, CONTACT_BY_LOCAL);
    subscriber_set_state(c, SUBSCRIBER_DENIED);
}

/* --- responses -------------------------------------------------------------------------------- */

void subscriber_do_confirm(struct contact *c, struct subscriber_step *step)
{
    struct subscriber_dialog *d = step->dialog;
    struct presence_rule rule = {0};

    subscriber_dialog_lasts(c, d, sip_answer_expires(step->response, d->asked_s));
    contact_rule(c, &rule);
    if (!rule.is_lync) {
        return;
    }
    /* Lync: there is no decision to wait for, and NOTIFYs come when there is something to say. */
    d->phase = SUBSCRIBER_LIVE;
    d->is_active = true;
    d->timer_n_s = 0;
    c->in.failures = 0;
    c->in.misses = 0;
    subscriber_set_state(c, SUBSCRIBER_ACTIVE);
    if (subscriber_is_granted(c)) {
        subscriber_do_welcome(c, step);
        return;
    }
    c->in.owes_subscribed = true;
    contact_grant(c, CONTACT_BY_PARTNER);
}

void subscriber_do_refreshed(struct contact *c, struct subscriber_step *step)
{
    struct presence_rule rule = {0};

    subscriber_dialog_lasts(c, step->dialog,
                            sip_answer_expires(step->response, step->dialog->asked_s));
    contact_rule(c, &rule);
    if (rule.is_lync || step->status == 204) { /* no NOTIFY will follow (RFC 5839) */
        step->dialog->timer_n_s = 0;
    }
}

void subscriber_do_deny(struct contact *c, struct subscriber_step *step)
{
    deny(c, step);
}

void subscriber_do_miss(struct contact *c, struct subscriber_step *step)
{
    if (++c->in.misses >= SUBSCRIBER_MISSES_MAX) {
        deny(c, step);
        return;
    }
    subscriber_withdraw(c);
    lose(c, step);
    if (c->in.misses == 1) {
        subscriber_tell_error(c, STANZA_CONDITION_ITEM_NOT_FOUND);
    }
    subscriber_backoff(c, SUBSCRIBER_MISS_S, 0);
}

void subscriber_do_longer(struct contact *c, struct subscriber_step *step)
{
    struct subscriber_dialog *d = step->dialog;
    uint32_t min_s = sip_answer_min_expires(step->response, d->asked_s, SUBSCRIBER_EXPIRES_MAX_S);

    if (min_s == 0 || d->tries >= SUBSCRIBER_LONGER_MAX) {
        step->event = SUBSCRIBER_ON_FAILED;
        if (c->in.state == SUBSCRIBER_TRYING) {
            subscriber_do_fail(c, step);
        } else {
            subscriber_do_persist(c, step);
        }
        return;
    }
    d->tries++;
    d->asked_s = min_s;
    d->wants = true;
}

void subscriber_do_alarm(struct contact *c, struct subscriber_step *step)
{
    lose(c, step);
    subscriber_backoff(c, SUBSCRIBER_CHALLENGED_S, 0);
}

void subscriber_do_renew(struct contact *c, struct subscriber_step *step)
{
    /* Somebody who waits for a decision has nothing to lose by waiting. */
    subscriber_keep(c, SUBSCRIBER_KEEP_S);
    lose(c, step);
    renew(c, 0);
}

void subscriber_do_fail(struct contact *c, struct subscriber_step *step)
{
    uint32_t least_s = retry_after_s(step);

    subscriber_keep(c, SUBSCRIBER_KEEP_S);
    lose(c, step);
    subscriber_backoff(c, doubled_s(c), least_s);
}

void subscriber_do_persist(struct contact *c, struct subscriber_step *step)
{
    struct subscriber_dialog *d = step->dialog;
    uint32_t now_s = subscriber_now_s(c);
    uint32_t left_s = d->expires_s > now_s ? d->expires_s - now_s : 0;
    uint32_t delay_s =
        left_s / 2 > SUBSCRIBER_PERSIST_MIN_S ? left_s / 2 : SUBSCRIBER_PERSIST_MIN_S;

    delay_s = delay_s > retry_after_s(step) ? delay_s : retry_after_s(step);
    /* RFC 6665 4.1.2.2 would also have Timer N end a dialog whose refresh nobody answered; it is as
     * good as known until it expires, and a pool that is away for a minute loses nobody. */
    d->timer_n_s = 0;
    d->refresh_s = delay_s < left_s ? now_s + delay_s : 0; /* 0: it ends by its expiry */
}

/* --- NOTIFY ----------------------------------------------------------------------------------- */

static void log_refused(const struct contact *c, enum pidf_why why)
{
    struct presence_pair pair = contact_pair(c);

    LOG_W(presence_document_refused, "local=%s@%.*s remote=%s@%.*s why=%s",
          log_quote(pair.local_user).text, SLICE_FMT(pair.local_domain),
          log_quote(pair.remote_user).text, SLICE_FMT(pair.remote_domain), pidf_why_name(why));
}

/* The document of a NOTIFY, if it can be taken, becomes that of its dialog. True: now is all that
 * is to be told; else it is what the dialogs know together. */
static bool take_document(struct contact *c, struct subscriber_step *step,
                          struct subscriber_change *change, struct presence_state *now)
{
    bool is_alone = subscriber_count(c, SUBSCRIBER_LIVE) == 1;
    struct subscriber_dialog *d = step->dialog;
    UNINITIALIZED struct presence_state own;
    struct jid presentity;
    enum pidf_why why;

    contact_jid(c, true, &presentity);
    presence_clear(&own);
    if (d->document && presence_unpack(&own, slice_make(d->document, d->document_len)) != 0) {
        presence_clear(&own);
    }
    why = pidf_read(presence_scratch(c->p)->reader, now,
                    &(struct pidf_in){
                        .content_type = sip_msg_value(step->message, SIP_HDR_CONTENT_TYPE),
                        .content_encoding = sip_msg_value(step->message, SIP_HDR_CONTENT_ENCODING),
                        .content_language = sip_msg_value(step->message, SIP_HDR_CONTENT_LANGUAGE),
                        .bytes = step->notify->body,
                        .presentity = &presentity,
                        .before = is_alone ? &change->before : &own,
                        .now_unix_s = contact_now_unix_s(c),
                    });
    if (why == PIDF_WHY_OK || why == PIDF_WHY_EMPTY) {
        return subscriber_document_set(c, d, now) && is_alone;
    }
    presence_counters(c->p)->document_refused++;
    log_refused(c, why);
    return false;
}

/* What was kept of earlier dialogs is out of date when all of the new ones have spoken. */
static void settle_kept(struct contact *c)
{
    for (const struct subscriber_dialog *d = c->in.dialogs; d; d = d->next) {
        if (d->phase == SUBSCRIBER_LIVE && !d->is_heard) {
            return;
        }
    }
    subscriber_kept_drop(c);
}

static bool is_any_active(const struct contact *c)
{
    for (const struct subscriber_dialog *d = c->in.dialogs; d; d = d->next) {
        if (d->phase == SUBSCRIBER_LIVE && d->is_active) {
            return true;
        }
    }
    return false;
}

void subscriber_do_undecided(struct contact *c, struct subscriber_step *step)
{
    struct subscriber_change change;

    subscriber_change_begin(c, &change);
    step->dialog->is_active = false;
    step->dialog->is_heard = true;
    subscriber_document_drop(c, step->dialog);
    settle_kept(c);
    c->in.failures = 0;
    if (is_any_active(c)) {
        subscriber_set_state(c, SUBSCRIBER_ACTIVE);
        subscriber_change_end(c, &change, NULL);
        return;
    }
    subscriber_set_state(c, SUBSCRIBER_PENDING);
    subscriber_change_hide(c, &change);
}

void subscriber_do_show(struct contact *c, struct subscriber_step *step)
{
    UNINITIALIZED struct presence_state now;
    struct subscriber_change change;
    bool is_whole;

    subscriber_change_begin(c, &change);
    presence_clear(&now);
    step->dialog->is_active = true;
    is_whole = take_document(c, step, &change, &now);
    step->dialog->is_heard = true;
    settle_kept(c);
    c->in.failures = 0;
    c->in.misses = 0;
    c->in.tell_s = 0;
    subscriber_set_state(c, SUBSCRIBER_ACTIVE);
    if (!subscriber_is_granted(c)) {
        subscriber_change_drop(c, &change);
        c->in.owes_subscribed = true;
        contact_grant(c, CONTACT_BY_PARTNER); /* last: it may come back at once, refused */
        return;
    }
    if (c->in.owes_subscribed) {
        c->in.owes_subscribed = false;
        contact_send_type(c, STANZA_TYPE_SUBSCRIBED);
        c->in.is_told = false;
    }
    subscriber_change_end(c, &change, is_whole ? &now : NULL);
}

/* 3.3: what a reason means. */
enum after { AFTER_DENY, AFTER_NEW, AFTER_MIGRATE, AFTER_LATER, AFTER_NEVER };
struct reason_rule {
    uint8_t after; /* enum after */
    bool counts_retry_after;
    uint16_t keep_s; /* 0 = for good */
    uint16_t delay_s;
};
static const struct reason_rule reason_rules[SIP_REASON_COUNT] = {
    [SIP_REASON_NONE] = {AFTER_LATER, true, SUBSCRIBER_KEEP_S, SUBSCRIBER_BACKOFF_S},
    [SIP_REASON_UNKNOWN] = {AFTER_LATER, true, SUBSCRIBER_KEEP_S, SUBSCRIBER_BACKOFF_S},
    [SIP_REASON_DEACTIVATED] = {AFTER_MIGRATE, false, SUBSCRIBER_KEEP_MIGRATE_S, 0},
    [SIP_REASON_PROBATION] = {AFTER_LATER, true, SUBSCRIBER_KEEP_S, SUBSCRIBER_PROBATION_S},
    [SIP_REASON_REJECTED] = {AFTER_DENY, false, 0, 0},
    [SIP_REASON_TIMEOUT] = {AFTER_NEW, false, SUBSCRIBER_KEEP_S, 0},
    [SIP_REASON_GIVEUP] = {AFTER_LATER, true, SUBSCRIBER_KEEP_S, SUBSCRIBER_GIVEUP_S},
    [SIP_REASON_NORESOURCE] = {AFTER_DENY, false, 0, 0},
    [SIP_REASON_INVARIANT] = {AFTER_NEVER, false, 0, 0},
};

void subscriber_do_over(struct contact *c, struct subscriber_step *step)
{
    const struct sip_subscription_state *s = step->ended;
    const struct reason_rule *rule = &reason_rules[s->reason];
    bool is_refreshing = step->dialog->call || step->dialog->wants;
    uint32_t delay_s = rule->delay_s;
    uint32_t least_s = 0;

    c->in.last_error = (uint16_t)(SUBSCRIBER_ERROR_TERMINATED + s->reason);
    if (rule->after == AFTER_DENY) {
        deny(c, step);
        return;
    }
    if (rule->after == AFTER_NEW && !is_refreshing) {
        subscriber_withdraw(c);
    }
    subscriber_keep(c, rule->keep_s);
    lose(c, step);
    if (rule->counts_retry_after && s->has_retry_after) {
        /* What the notifier says counts, also if it is less, but it is not less than a minute. */
        delay_s = SUBSCRIBER_BACKOFF_S;
        least_s = s->retry_after_s;
    }
    if (rule->after == AFTER_NEW || rule->after == AFTER_MIGRATE) {
        renew(c, rule->after == AFTER_MIGRATE ? SUBSCRIBER_MIGRATE_S : 0);
        return;
    }
    subscriber_backoff(c, delay_s, least_s);
    if (rule->after == AFTER_NEVER) {
        c->in.retry_s = 0;
    }
}

void subscriber_do_lapse(struct contact *c, struct subscriber_step *step)
{
    subscriber_withdraw(c);
    lose(c, step);
    subscriber_backoff(c, doubled_s(c), 0);
}

/* --- one fork of several ---------------------------------------------------------------------- */

void subscriber_fork_lost(struct contact *c, struct subscriber_step *step)
{
    struct subscriber_change change;

    subscriber_change_begin(c, &change);
    lose(c, step);
    settle_kept(c);
    if (is_any_active(c)) {
        subscriber_change_end(c, &change, NULL);
    } else {
        subscriber_set_state(c, SUBSCRIBER_PENDING);
        subscriber_change_hide(c, &change);
    }
}
