/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_dialog: the dialogs of one subscription: made, refreshed, finished off, dropped. */
#include "presence/subscriber_int.h"

#include "base/check.h"

/* Refresh at 0.75 to 0.9 of the interval. */
#define REFRESH_FROM_PERCENT 75u
#define REFRESH_SPAN_PERCENT 15u

uint32_t subscriber_count(const struct contact *c, enum subscriber_phase phase)
{
    uint32_t count = 0;

    for (const struct subscriber_dialog *d = c->in.dialogs; d; d = d->next) {
        count += d->phase == phase;
    }
    return count;
}

struct subscriber_dialog *subscriber_dialog_new(struct contact *c, struct sip_dialog *sip)
{
    struct subscriber_dialog *d = contact_alloc(c, sizeof(*d));
    struct subscriber_dialog **at = &c->in.dialogs;

    if (!d) {
        return NULL;
    }
    d->sip = sip;
    d->phase = SUBSCRIBER_NASCENT;
    while (*at) {
        at = &(*at)->next;
    }
    *at = d;
    return d;
}

static void forget(struct contact *c, struct subscriber_dialog *d)
{
    struct subscriber_dialog **at = &c->in.dialogs;

    while (*at != d) {
        ASSERT(*at);
        at = &(*at)->next;
    }
    *at = d->next;
    if (d->call) {
        contact_forget_dialog(c, d);
    }
    subscriber_document_drop(c, d);
    sip_dialog_free(d->sip);
    contact_free_bytes(c, d, sizeof(*d));
}

void subscriber_dialog_drop(struct contact *c, struct subscriber_dialog *d)
{
    forget(c, d);
    contact_touch(c);
}

void subscriber_dialogs_free(struct contact *c)
{
    while (c->in.dialogs) {
        forget(c, c->in.dialogs);
    }
}

void subscriber_dialog_end(struct contact *c, struct subscriber_dialog *d)
{
    bool is_out = d->call != NULL;

    subscriber_document_drop(c, d);
    if (!is_out && (d->is_over || sip_dialog_remote_tag(d->sip).len == 0)) {
        subscriber_dialog_drop(c, d); /* ended there, never sent, or answered by nobody */
        return;
    }
    d->phase = SUBSCRIBER_ENDING;
    d->expires_s = 0;
    d->refresh_s = 0;
    d->timer_n_s = 0;
    d->tries = 0;
    d->wants = !is_out && !d->is_loaded; /* else when it is known what became of that one */
    if (d->is_loaded) {
        subscriber_dialog_wait(c, d);
    }
    contact_touch(c);
}

void subscriber_dialog_wait(struct contact *c, struct subscriber_dialog *d)
{
    d->wants = false;
    d->refresh_s =
        subscriber_now_s(c) + SUBSCRIBER_LOAD_S + subscriber_random_s(c, SUBSCRIBER_LOAD_SPREAD_S);
    contact_touch(c);
}

void subscriber_end_all(struct contact *c)
{
    struct subscriber_dialog *d = c->in.dialogs;

    while (d) {
        struct subscriber_dialog *next = d->next;

        if (d->phase != SUBSCRIBER_ENDING) {
            subscriber_dialog_end(c, d);
        }
        d = next;
    }
}

/* At 0.75 to 0.9 of the time; 0: too short a time to be refreshed. */
static uint32_t refresh_after_s(const struct contact *c, uint32_t interval_s)
{
    uint32_t percent = REFRESH_FROM_PERCENT + subscriber_random_s(c, REFRESH_SPAN_PERCENT);
    uint32_t delay_s = (uint32_t)((uint64_t)interval_s * percent / 100);

    delay_s = delay_s > SUBSCRIBER_REFRESH_MIN_S ? delay_s : SUBSCRIBER_REFRESH_MIN_S;
    return delay_s < interval_s ? delay_s : 0;
}

void subscriber_dialog_doubt(struct contact *c, struct subscriber_dialog *d)
{
    d->doubt_s = subscriber_now_s(c) + SUBSCRIBER_DOUBT_S;
}

/* The refresh of a dialog in doubt is not enough: there is one more when doubt is over. */
static uint32_t sooner_in_doubt(const struct contact *c, const struct subscriber_dialog *d,
                                uint32_t refresh_s)
{
    uint32_t soon_s = d->doubt_s + subscriber_random_s(c, SUBSCRIBER_TELL_S);

    return d->doubt_s != 0 && soon_s < refresh_s ? soon_s : refresh_s;
}

void subscriber_dialog_lasts(struct contact *c, struct subscriber_dialog *d, uint32_t interval_s)
{
    uint32_t now_s = subscriber_now_s(c);
    uint32_t refresh_s;

    d->tries = 0;
    /* The notifier may shorten what we asked for, never lengthen it (RFC 6665 4.2.1.1). */
    interval_s = interval_s < d->asked_s ? interval_s : d->asked_s;
    if (interval_s == 0) { /* ended, and its last NOTIFY is on the way */
        d->expires_s = now_s + SIP_TIMER_N_S;
        d->refresh_s = 0;
        return;
    }
    refresh_s = refresh_after_s(c, interval_s);
    d->expires_s = now_s + interval_s;
    d->refresh_s = refresh_s == 0 ? 0 : sooner_in_doubt(c, d, now_s + refresh_s);
    contact_touch(c);
}

void subscriber_dialog_left(struct contact *c, struct subscriber_dialog *d, uint32_t left_s)
{
    uint32_t now_s = subscriber_now_s(c);
    uint32_t refresh_s = now_s + refresh_after_s(c, left_s);

    if (left_s >= d->expires_s || now_s + left_s + SUBSCRIBER_SLACK_S >= d->expires_s) {
        return;
    }
    d->expires_s = now_s + left_s;
    if (d->refresh_s == 0 || refresh_s < d->refresh_s) {
        d->refresh_s = refresh_s == now_s ? 0 : refresh_s;
    }
    contact_touch(c);
}

/* --- the end ---------------------------------------------------------------------------------- */

void subscriber_end_answered(struct contact *c, struct subscriber_dialog *d, unsigned status)
{
    bool is_done = status >= 200 && status < 300;
    bool is_lasting = status == 408 || (status >= 500 && status < 600);

    if (is_done && !d->is_over) {
        d->timer_n_s = subscriber_now_s(c) + SIP_TIMER_N_S; /* for the last NOTIFY */
    } else if (!is_done && is_lasting && !sip_status_ends_subscription(status) && !d->is_over &&
               ++d->tries < SUBSCRIBER_END_TRIES_MAX) {
        d->refresh_s = subscriber_now_s(c) + SUBSCRIBER_END_RETRY_S;
    } else {
        subscriber_dialog_drop(c, d);
    }
}
