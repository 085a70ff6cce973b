/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_response: what became of a SUBSCRIBE. */
#include "presence/subscriber_int.h"

#include "base/log.h"

static enum subscriber_event event_of(unsigned status)
{
    switch (status) {
    case 401:
    case 407:
        return SUBSCRIBER_ON_CHALLENGED;
    case 403:
    case 489:
    case 603:
        return SUBSCRIBER_ON_REFUSED;
    case 404:
    case 410:
    case 604:
        return SUBSCRIBER_ON_NOT_FOUND;
    case 423:
        return SUBSCRIBER_ON_TOO_BRIEF;
    case 481:
        return SUBSCRIBER_ON_GONE;
    default:
        break;
    }
    if (status >= 200 && status < 300) {
        return SUBSCRIBER_ON_OK;
    }
    return sip_status_ends_subscription(status) ? SUBSCRIBER_ON_ENDED : SUBSCRIBER_ON_FAILED;
}

static void log_challenge(const struct contact *c, unsigned status)
{
    struct presence_pair pair = contact_pair(c);

    LOG_E(presence_challenged, "local=%s@%.*s status=%u hint=\"the next hop must trust this node\"",
          log_quote(pair.local_user).text, SLICE_FMT(pair.local_domain), status);
}

/* The LIVE or NASCENT dialog that a response names; the one that asked if it names none of them.
 * fork: whom it names. */
static struct subscriber_dialog *named(const struct contact *c, struct subscriber_dialog *asked,
                                       const struct sip_msg *response, uint32_t *fork)
{
    struct sip_dialog_key key;

    *fork = 0;
    if (sip_dialog_key_read(response, &key)) {
        return asked;
    }
    *fork = subscriber_fork(key.remote_tag);
    for (struct subscriber_dialog *d = c->in.dialogs; d; d = d->next) {
        if (d->phase != SUBSCRIBER_ENDING && sip_dialog_match(d->sip, &key) == SIP_DIALOG_OURS) {
            return d;
        }
    }
    /* Of a fork whose NOTIFY is still to come, if the one that asked has its own already. */
    return sip_dialog_match(asked->sip, &key) == SIP_DIALOG_NASCENT ? asked : NULL;
}

/* Its first word may be here already. */
static void another_said_yes(struct contact *c, struct subscriber_dialog *d, uint32_t fork)
{
    if (!d->is_over) {
        return;
    }
    if (d->said_no != 0 && d->said_no == fork) {
        subscriber_held_out(c, d);
        return;
    }
    d->said_yes = fork;
    d->reason = SIP_REASON_NONE; /* should its NOTIFY be lost, none refused */
    d->expires_s = 0;
}

static void accepted(struct contact *c, struct subscriber_dialog *d, enum subscriber_call kind,
                     const struct sip_msg *response)
{
    struct subscriber_step step = {.dialog = d, .response = response, .status = response->status};
    bool changed = false;
    uint32_t fork = 0;
    int err;

    if (kind == SUBSCRIBER_CALL_NEW) {
        step.dialog = named(c, d, response, &fork);
        if (!step.dialog) {
            another_said_yes(c, d, fork);
            return;
        }
        if (step.dialog->is_over) {
            subscriber_held_out(c, step.dialog);
            return;
        }
        err = sip_dialog_establish(&step.dialog->sip, response);
        step.dialog->is_confirmed = true;
    } else {
        err = sip_dialog_retarget(&d->sip, response, &changed);
        if (changed) {
            contact_touch(c);
        }
    }
    (void)err; /* without memory, or for values that cannot be used, it is as it was */
    subscriber_step(c, SUBSCRIBER_ON_OK, &step);
}

/* An abandoned SUBSCRIBE, or one with Expires 0. */
static void ending_answered(struct contact *c, struct subscriber_dialog *d,
                            enum subscriber_call kind, unsigned status,
                            const struct sip_msg *response)
{
    if (kind == SUBSCRIBER_CALL_END) {
        subscriber_end_answered(c, d, status);
        return;
    }
    if (response && status >= 200 && status < 300 && kind == SUBSCRIBER_CALL_NEW &&
        sip_dialog_establish(&d->sip, response)) {
        subscriber_dialog_drop(c, d); /* what it names cannot be reached */
        return;
    }
    if (d->is_over || sip_dialog_remote_tag(d->sip).len == 0) {
        subscriber_dialog_drop(c, d);
        return;
    }
    d->wants = true;
}

void subscriber_response(struct contact *c, struct presence_call *call, enum sip_outcome outcome,
                         unsigned status, const struct sip_msg *response)
{
    struct subscriber_dialog *d = call->dialog;
    struct subscriber_step step = {.dialog = d, .status = status};
    enum subscriber_event event;

    if (!d) {
        subscriber_settle(c);
        return;
    }
    d->call = NULL;
    response = outcome == SIP_OUTCOME_FINAL ? response : NULL;
    step.response = response;
    event = response ? event_of(status) : SUBSCRIBER_ON_FAILED;
    if (event != SUBSCRIBER_ON_OK && d->phase != SUBSCRIBER_ENDING) {
        c->in.last_error = (uint16_t)status;
    }
    if (event == SUBSCRIBER_ON_CHALLENGED) {
        log_challenge(c, status);
    }
    if (d->phase == SUBSCRIBER_ENDING) {
        ending_answered(c, d, (enum subscriber_call)call->kind, status, response);
    } else if (event == SUBSCRIBER_ON_OK) {
        accepted(c, d, (enum subscriber_call)call->kind, response);
    } else if (d->is_over) {
        subscriber_held_out(c, d);
    } else if (call->kind == SUBSCRIBER_CALL_NEW && d->phase == SUBSCRIBER_LIVE) {
        /* A NOTIFY made the dialog; how the request fared on the other branches is no matter. */
    } else {
        subscriber_event(c, event, &step);
    }
    subscriber_settle(c);
}
