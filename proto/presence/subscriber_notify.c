/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_notify: NOTIFY (RFC 6665 4.1.3, 4.1.4, 4.4.1): whose it is, what it is answered, and
 * what it means. Each is answered at once, also one whose document is of no use: an error would
 * end the dialog. */
#include "presence/subscriber_int.h"

#include "base/hash.h"
#include "base/log.h"
#include "translate/pidf.h"

static const struct slice packages[] = {SLICE_LIT("presence")};
static const struct slice types[] = {SLICE_LIT(PIDF_MEDIA_TYPE)};
static const struct sip_event_policy policy = {
    .packages = packages,
    .package_count = ARRAY_COUNT(packages),
    .types = types,
    .type_count = ARRAY_COUNT(types),
};

static void answer(struct contact *c, struct presence_txn txn, unsigned status)
{
    const struct sip_answer a = {.status = status};

    contact_answer(c, txn, &a);
}

static void answer_verdict(struct contact *c, struct presence_txn txn,
                           const struct sip_verdict *verdict)
{
    struct buf *fields = &presence_scratch(c->p)->fields;
    struct sip_answer a = {.status = verdict->status};

    buf_clear(fields);
    sip_event_verdict_put(fields, &policy, verdict);
    a.fields = fields->failed ? SLICE_NONE : buf_slice(fields);
    contact_answer(c, txn, &a);
}

/* The dialog that a NOTIFY belongs to, best match first. */
static struct subscriber_dialog *find(const struct contact *c, const struct sip_dialog_key *key,
                                      enum sip_dialog_match *match)
{
    struct subscriber_dialog *found = NULL;

    *match = SIP_DIALOG_OTHER;
    for (struct subscriber_dialog *d = c->in.dialogs; d; d = d->next) {
        enum sip_dialog_match m = sip_dialog_match(d->sip, key);

        if (m == SIP_DIALOG_OURS) {
            *match = m;
            return d;
        }
        if (m != SIP_DIALOG_OTHER && !found) {
            *match = m;
            found = d;
        }
    }
    return found;
}

static bool is_terminated(const struct sip_notify_view *n)
{
    return n->state.state == SIP_SUB_TERMINATED;
}

uint32_t subscriber_fork(struct slice tag)
{
    return (uint32_t)hash_bytes(tag) | 1u;
}

/* Another place that the SUBSCRIBE was forked to. Returns the status; *made: its dialog, NULL if it
 * ended with its first word, unless that decides. */
static unsigned forked(struct contact *c, struct subscriber_dialog *d, const struct sip_msg *m,
                       const struct sip_notify_view *n, struct subscriber_dialog **made)
{
    bool is_held = d->phase == SUBSCRIBER_NASCENT && d->is_over;
    struct sip_dialog *sip;
    int err;

    *made = NULL;
    /* As long as Timer N of the SUBSCRIBE runs (4.1.2.4). */
    if ((d->phase != SUBSCRIBER_LIVE && !is_held) ||
        subscriber_now_s(c) > c->in.tried_s + SIP_TIMER_N_S ||
        subscriber_count(c, SUBSCRIBER_LIVE) >= SUBSCRIBER_LIVE_MAX) {
        return 481;
    }
    if (is_terminated(n)) {
        if (is_held && d->said_yes == subscriber_fork(n->key.remote_tag)) {
            *made = d; /* it is decided */
        } else if (is_held && d->call && d->reason == n->state.reason) {
            d->said_no = subscriber_fork(n->key.remote_tag); /* should the 2xx name it */
        }
        return 200;
    }
    err = sip_dialog_fork(d->sip, m, &sip);
    if (err) {
        return sip_dialog_status(err);
    }
    *made = subscriber_dialog_new(c, sip);
    if (!*made) {
        sip_dialog_free(sip);
        return 500;
    }
    (*made)->asked_s = d->asked_s;
    (*made)->phase = SUBSCRIBER_LIVE;
    if (is_held) { /* it did not speak for all */
        subscriber_dialog_drop(c, d);
    }
    contact_touch(c);
    return 200;
}

/* A NOTIFY in a dialog that exists: 200, or why not; *is_news: to be looked at. */
static unsigned in_dialog(struct contact *c, struct subscriber_dialog *d, const struct sip_msg *m,
                          const struct sip_notify_view *n, bool *is_news)
{
    bool changed = false;
    int err;

    *is_news = false;
    switch (sip_dialog_take_cseq(d->sip, n->cseq)) {
    case SIP_ORDER_LOWER:
        return 500;
    case SIP_ORDER_REPEATED:
        return 200;
    case SIP_ORDER_NEW:
        break;
    }
    err = sip_dialog_retarget(&d->sip, m, &changed);
    if (err) {
        return sip_dialog_status(err);
    }
    if (changed) {
        contact_touch(c);
    }
    *is_news = true;
    return 200;
}

/* The first NOTIFY for a SUBSCRIBE, before its 2xx or after. */
static unsigned first(struct contact *c, struct subscriber_dialog *d, const struct sip_msg *m,
                      const struct sip_notify_view *n)
{
    int err;

    if (is_terminated(n)) { /* makes no dialog (4.4.1) */
        return 200;
    }
    if (d->phase == SUBSCRIBER_ENDING) {
        return 481; /* abandoned: so it ends there at once */
    }
    err = sip_dialog_establish(&d->sip, m);
    if (err) {
        return sip_dialog_status(err);
    }
    d->phase = SUBSCRIBER_LIVE;
    contact_touch(c);
    return 200;
}

static unsigned receive(struct contact *c, const struct sip_msg *m, const struct sip_notify_view *n,
                        struct subscriber_dialog **d, bool *is_news)
{
    static const struct sip_event plain = {.package = {"presence", 8}};
    enum sip_dialog_match match;
    unsigned status = 481;

    *is_news = true;
    *d = find(c, &n->key, &match);
    if (!*d || !sip_event_eq(&n->event, &plain)) {
        return 481;
    }
    switch (match) {
    case SIP_DIALOG_OURS:
        status = in_dialog(c, *d, m, n, is_news);
        break;
    case SIP_DIALOG_NASCENT: /* profile lync: LIVE already, by its 2xx */
        status = first(c, *d, m, n);
        break;
    case SIP_DIALOG_FORK:
        status = forked(c, *d, m, n, d);
        break;
    case SIP_DIALOG_OTHER:
        break;
    }
    return status;
}

static void ending_heard(struct contact *c, struct subscriber_dialog *d,
                         const struct sip_notify_view *n)
{
    if (!is_terminated(n)) {
        return; /* crossed our Expires 0 */
    }
    if (d->call) {
        d->is_over = true;
    } else {
        subscriber_dialog_drop(c, d);
    }
}

static void hold(struct subscriber_dialog *d, const struct sip_notify_view *n)
{
    d->is_over = true;
    d->reason = (uint8_t)n->state.reason;
    d->expires_s = n->state.has_retry_after ? n->state.retry_after_s : 0;
}

/* The first word of a SUBSCRIBE that may have been forked is `terminated`. If it comes from where
 * the 2xx came from, it counts. Before the 2xx it is held until that comes, as another fork may say
 * yes; if the 2xx is another fork's, until that one has its say, or Timer N. From elsewhere it says
 * nothing. */
static void ended_at_once(struct contact *c, struct subscriber_dialog *d, const struct sip_msg *m,
                          const struct sip_notify_view *n)
{
    struct slice tag = sip_dialog_remote_tag(d->sip);

    if (tag.len > 0 && !slice_eq(tag, n->key.remote_tag)) {
        return;
    }
    hold(d, n);
    if (tag.len > 0 || !d->call || sip_dialog_establish(&d->sip, m)) {
        subscriber_held_out(c, d);
    }
}

void subscriber_held_out(struct contact *c, struct subscriber_dialog *d)
{
    const struct sip_subscription_state ended = {
        .state = SIP_SUB_TERMINATED,
        .reason = (enum sip_sub_reason)d->reason,
        .has_retry_after = d->expires_s > 0,
        .retry_after_s = d->expires_s,
    };
    struct subscriber_step step = {.dialog = d, .ended = &ended};

    subscriber_event(c, SUBSCRIBER_ON_TERMINATED, &step);
}

static void heard(struct contact *c, struct subscriber_dialog *d, const struct sip_msg *m,
                  const struct sip_notify_view *n)
{
    struct subscriber_step step = {.dialog = d, .notify = n, .ended = &n->state, .message = m};
    enum subscriber_event event = SUBSCRIBER_ON_PENDING;
    bool is_fresh = d->expires_s == 0 || d->call || d->timer_n_s != 0;

    if (d->phase == SUBSCRIBER_ENDING) {
        ending_heard(c, d, n);
        return;
    }
    if (d->phase == SUBSCRIBER_NASCENT) {
        if (!d->is_over) {
            ended_at_once(c, d, m, n);
        } else if (is_terminated(n) && d->said_yes == subscriber_fork(n->key.remote_tag)) {
            hold(d, n); /* the one that said yes ends, too: no other has anything to say */
            subscriber_held_out(c, d);
        }
        return;
    }
    if (is_terminated(n)) {
        subscriber_event(c, SUBSCRIBER_ON_TERMINATED, &step);
        return;
    }
    d->timer_n_s = 0;
    if (is_fresh) { /* the NOTIFY that belongs to a SUBSCRIBE */
        subscriber_dialog_lasts(c, d, n->state.has_expires ? n->state.expires_s : d->asked_s);
    } else if (n->state.has_expires) {
        subscriber_dialog_left(c, d, n->state.expires_s);
    }
    if (n->state.state == SIP_SUB_ACTIVE) {
        event = SUBSCRIBER_ON_ACTIVE;
    }
    subscriber_step(c, event, &step); /* a state that is none of the RFC's grants nothing */
}

void subscriber_notify(struct contact *c, const struct sip_msg *m, struct presence_txn txn)
{
    struct sip_verdict verdict;
    struct sip_notify_view n;
    struct subscriber_dialog *d = NULL;
    bool is_news = false;
    unsigned status;

    if (!sip_notify_read(m, &policy, &n, &verdict)) {
        answer_verdict(c, txn, &verdict);
        return;
    }
    status = receive(c, m, &n, &d, &is_news);
    if (status == 481) {
        presence_counters(c->p)->notify_stray++;
    }
    answer(c, txn, status);
    if (status == 200 && d && is_news) {
        heard(c, d, m, &n);
    }
    subscriber_settle(c);
}
