/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notifier: what comes in, as events of the table. */
#include "presence/notifier.h"

#include "base/check.h"
#include "presence/notifier_int.h"

static const struct slice packages[] = {SLICE_LIT("presence")};
static const struct slice types[] = {SLICE_LIT(PIDF_MEDIA_TYPE)};

static void event(struct contact *c, enum notifier_event ev, const struct notifier_input *in)
{
    ASSERT(c->direction == CONTACT_OUT);
    notifier_step(c, ev, in);
    notifier_run(c);
}

static void plain_event(struct contact *c, enum notifier_event ev)
{
    struct notifier_input in = {0};

    event(c, ev, &in);
}

/* --- the presentity --------------------------------------------------------------------------- */

static enum stanza_condition error_of(const struct stanza *st)
{
    struct stanza_error error;

    return stanza_read_error(st, &error) ? error.condition
                                         : STANZA_CONDITION_UNDEFINED_CONDITION;
}

void notifier_from_partner(struct contact *c, const struct stanza *st)
{
    struct notifier_input in = {.stanza = st};

    switch (st->type) {
    case STANZA_TYPE_AVAILABLE:
        event(c, NOTIFIER_EV_X_PRESENCE, &in);
        break;
    case STANZA_TYPE_UNAVAILABLE:
        event(c,
              st->from.resource.len > 0 ? NOTIFIER_EV_X_PRESENCE : NOTIFIER_EV_X_UNAVAILABLE_BARE,
              &in);
        break;
    case STANZA_TYPE_SUBSCRIBED:
        event(c, NOTIFIER_EV_X_SUBSCRIBED, &in);
        break;
    case STANZA_TYPE_UNSUBSCRIBED:
        event(c, NOTIFIER_EV_X_UNSUBSCRIBED, &in);
        break;
    case STANZA_TYPE_ERROR:
        in.condition = error_of(st);
        event(c, NOTIFIER_EV_X_ERROR, &in);
        break;
    case STANZA_TYPE_SUBSCRIBE:
    case STANZA_TYPE_UNSUBSCRIBE:
    case STANZA_TYPE_PROBE: /* the other direction's */
    case STANZA_TYPE_NORMAL:
    case STANZA_TYPE_CHAT:
    case STANZA_TYPE_GROUPCHAT:
    case STANZA_TYPE_HEADLINE:
    case STANZA_TYPE_GET:
    case STANZA_TYPE_SET:
    case STANZA_TYPE_RESULT:
    case STANZA_TYPE_BAD:
        break;
    }
}

void notifier_undelivered(struct contact *c, enum stanza_type type,
                          enum stanza_condition condition)
{
    struct notifier_input in = {.condition = condition};
    bool is_answered = c->out.state == NOTIFIER_GRANTED || contact_is_granting(c);

    if (type == STANZA_TYPE_SUBSCRIBE) {
        if (!is_answered) { /* else it arrived: only the word that it did was lost */
            event(c, NOTIFIER_EV_X_ERROR, &in);
        }
    } else if (type == STANZA_TYPE_PROBE) {
        event(c, NOTIFIER_EV_PROBE_LOST, &in);
    }
}

void notifier_partner_seen(struct contact *c, bool is_reachable)
{
    if (!is_reachable) {
        c->out.was_down = true;
    }
    plain_event(c, is_reachable ? NOTIFIER_EV_PARTNER_BACK : NOTIFIER_EV_PARTNER_LOST);
}

/* --- the store -------------------------------------------------------------------------------- */

void notifier_granted(struct contact *c, int err)
{
    plain_event(c, err ? NOTIFIER_EV_STORE_FAILED : NOTIFIER_EV_STORED);
}

/* --- the watcher ------------------------------------------------------------------------------ */

static void answer(struct contact *c, struct presence_txn txn, unsigned status, struct slice fields)
{
    contact_answer(c, txn, &(struct sip_answer){.status = status, .fields = fields});
}

static void answer_verdict(struct contact *c, struct presence_txn txn,
                           const struct sip_event_policy *policy,
                           const struct sip_verdict *verdict)
{
    struct buf *fields = &presence_scratch(c->p)->fields;

    buf_clear(fields);
    sip_event_verdict_put(fields, policy, verdict);
    answer(c, txn, verdict->status, buf_slice(fields));
}

/* A subscription to many at once, which Microsoft's clients ask for (MS-SIP: adhoclist). */
static bool is_batch(const struct sip_msg *m)
{
    struct sip_media_type type;

    return m->body.len > 0 && sip_msg_content_type(m, &type) == 0 &&
           sip_media_type_is(&type, SLICE_LIT("application"), SLICE_LIT("adrl+xml"));
}

static struct notifier_dialog *find_dialog(const struct notifier *n,
                                           const struct sip_dialog_key *key)
{
    for (struct notifier_dialog *d = n->dialogs; d; d = d->next) {
        if (sip_dialog_match(d->sip, key) == SIP_DIALOG_OURS) {
            return d;
        }
    }
    return NULL;
}

/* The same number again, in a transaction of its own (over another path): done already, and the
 * first one's NOTIFY is on its way. */
static void answer_again(struct contact *c, const struct notifier_request *request,
                         const struct notifier_dialog *d)
{
    notifier_answer_ok(c, request, false, notifier_left_s(c, d));
}

/* A second subscription in the dialog of the first. What ends a subscription by its status (6665
 * 4.1.2.2) would be taken as about the first one. */
static bool is_another(const struct notifier_dialog *d, const struct sip_subscribe_view *view)
{
    struct sip_event ours = {.package = packages[0], .id = sip_dialog_event_id(d->sip)};

    return !sip_event_eq(&ours, &view->event);
}

static void in_dialog(struct contact *c, const struct notifier_request *request)
{
    struct notifier_input in = {.request = request};
    struct notifier_dialog *d = find_dialog(&c->out, &request->view->key);
    enum sip_dialog_order order =
        d ? sip_dialog_take_cseq(d->sip, request->view->cseq) : SIP_ORDER_NEW;
    int err;

    if (order == SIP_ORDER_LOWER) {
        answer(c, *request->txn, 500, SLICE_NONE);
        return;
    }
    if (d && is_another(d, request->view)) {
        notifier_act_forbid(c, &in);
        return;
    }
    if (order == SIP_ORDER_REPEATED) {
        answer_again(c, request, d);
        return;
    }
    if (!d || !notifier_dialog_lasts(d)) {
        notifier_act_missing(c, &in);
        return;
    }
    err = sip_dialog_retarget(&d->sip, request->m, NULL);
    if (err) {
        answer(c, *request->txn, sip_dialog_status(err), SLICE_NONE);
        return;
    }
    in.dialog = d;
    notifier_step(c, request->view->expires_s > 0 ? NOTIFIER_EV_REFRESH : NOTIFIER_EV_UNSUBSCRIBE,
                  &in);
}

void notifier_subscribe(struct contact *c, const struct sip_msg *m, struct presence_txn txn)
{
    struct sip_subscribe_view view;
    struct sip_verdict verdict = {0};
    struct presence_rule rule;
    struct notifier_request request = {.m = m, .txn = &txn, .view = &view};
    struct notifier_input in = {.request = &request};

    contact_rule(c, &rule);
    struct sip_event_policy policy = {
        .packages = packages,
        .package_count = ARRAY_COUNT(packages),
        .types = types,
        .type_count = ARRAY_COUNT(types),
        .expires_min_s = NOTIFIER_EXPIRES_MIN_S,
        .expires_max_s = rule.expires_s < NOTIFIER_EXPIRES_MIN_S   ? NOTIFIER_EXPIRES_MIN_S
                         : rule.expires_s > NOTIFIER_EXPIRES_MAX_S ? NOTIFIER_EXPIRES_MAX_S
                                                                   : rule.expires_s,
    };
    if (is_batch(m)) {
        answer(c, txn, 420, SLICE_LIT("Unsupported: adhoclist\r\n"));
    } else if (!sip_subscribe_read(m, &policy, &view, &verdict)) {
        answer_verdict(c, txn, &policy, &verdict);
    } else if (!rule.is_allowed) {
        notifier_act_forbid(c, &in);
    } else if (view.key.local_tag.len > 0) {
        in_dialog(c, &request);
    } else {
        notifier_step(c, view.expires_s > 0 ? NOTIFIER_EV_SUBSCRIBE : NOTIFIER_EV_FETCH, &in);
    }
    notifier_run(c);
}

/* NOTIFY refreshes the target as SUBSCRIBE does (RFC 3261 12.2.1.2): a Contact that no dialog can
 * have leaves it as it is. */
static void accepted(struct contact *c, struct notifier_dialog *d, const struct sip_msg *response)
{
    bool is_moved = false;

    d->fails = 0;
    if (!notifier_dialog_lasts(d)) {
        notifier_drop_dialog(c, d);
    } else if (!sip_dialog_retarget(&d->sip, response, &is_moved) && is_moved) {
        contact_touch(c);
    }
}

void notifier_response(struct contact *c, struct presence_call *call, enum sip_outcome outcome,
                       unsigned status, const struct sip_msg *response)
{
    struct notifier_dialog *d = call->dialog;
    struct notifier_input in = {.dialog = d};

    if (!d) {
        return; /* it went meanwhile */
    }
    d->is_in_flight = false;
    call->dialog = NULL;
    if (outcome == SIP_OUTCOME_TIMEOUT ||
        (outcome == SIP_OUTCOME_FINAL && sip_status_ends_subscription(status))) {
        event(c, NOTIFIER_EV_NOTIFY_GONE, &in);
    } else if (outcome != SIP_OUTCOME_FINAL || status >= 300) {
        event(c, NOTIFIER_EV_NOTIFY_FAILED, &in);
    } else {
        accepted(c, d, response);
        notifier_run(c);
    }
}

/* --- time, orders, rules ---------------------------------------------------------------------- */

void notifier_due(struct contact *c)
{
    notifier_run(c);
}

void notifier_review(struct contact *c)
{
    struct presence_rule rule;

    if (notifier_lasting(&c->out) == 0) {
        return;
    }
    contact_rule(c, &rule);
    if (!rule.is_allowed) {
        plain_event(c, NOTIFIER_EV_RULED_OUT);
    } else if (c->out.was_down || c->out.is_deaf || c->out.is_lost) {
        plain_event(c, NOTIFIER_EV_PARTNER_BACK); /* perhaps: the end of a maintenance */
    }
}

void notifier_order(struct contact *c, enum presence_order what)
{
    switch (what) {
    case PRESENCE_ALLOW:
        plain_event(c, NOTIFIER_EV_ALLOWED);
        break;
    case PRESENCE_BLOCK:
        plain_event(c, NOTIFIER_EV_BLOCKED);
        break;
    case PRESENCE_FORGET:
        plain_event(c, NOTIFIER_EV_FORGOTTEN);
        break;
    }
}
