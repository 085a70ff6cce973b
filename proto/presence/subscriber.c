/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber: events in; each is one of the table's. */
#include "presence/subscriber_int.h"

#include "base/check.h"

void subscriber_init(struct contact *c)
{
    c->in = (struct subscriber){.state = SUBSCRIBER_NONE};
}

void subscriber_deinit(struct contact *c)
{
    subscriber_dialogs_free(c);
    subscriber_kept_drop(c);
}

bool subscriber_is_at_rest(const struct contact *c)
{
    bool is_idle = c->in.state == SUBSCRIBER_NONE || c->in.state == SUBSCRIBER_DENIED;

    return is_idle && !c->in.dialogs && !c->in.owes_unsubscribed;
}

/* Whether our user may see the watcher, so that `unavailable` is a word of presence. Else it is
 * what a server says to a request that is still undecided (RFC 6121 3.1.3). */
static bool is_seen(const struct contact *c)
{
    struct presence_pair pair = contact_pair(c);
    const struct contact *other = contact_find(c->p, CONTACT_OUT, &pair);

    return other && other->state == CONTACT_GRANTED;
}

void subscriber_from_partner(struct contact *c, const struct stanza *st)
{
    struct subscriber_step step = {.stanza = st};

    c->in.tell_tries = 0;
    if (c->in.is_unheard && st->type == STANZA_TYPE_UNSUBSCRIBE) {
        c->in.owes_unsubscribed = false; /* there is nothing left that it would end */
    }
    c->in.is_unheard = false; /* what is owed goes out behind the answer */
    switch ((int)st->type) {
    case STANZA_TYPE_SUBSCRIBE:
        subscriber_step(c, SUBSCRIBER_ON_SUBSCRIBE, &step);
        break;
    case STANZA_TYPE_UNSUBSCRIBE:
        subscriber_step(c, SUBSCRIBER_ON_UNSUBSCRIBE, &step);
        break;
    case STANZA_TYPE_PROBE:
        subscriber_step(c, SUBSCRIBER_ON_PROBE, &step);
        break;
    case STANZA_TYPE_AVAILABLE:
        subscriber_step(c, SUBSCRIBER_ON_AVAILABLE, &step);
        break;
    case STANZA_TYPE_UNAVAILABLE:
        if (is_seen(c)) {
            subscriber_step(c, SUBSCRIBER_ON_UNAVAILABLE, &step);
        }
        break;
    default: /* an error to something we said: it changes nothing here */
        return;
    }
    subscriber_settle(c);
}

void subscriber_undelivered(struct contact *c, enum stanza_type type,
                            enum stanza_condition condition)
{
    (void)condition;
    switch ((int)type) {
    case STANZA_TYPE_SUBSCRIBED:
        c->in.owes_subscribed = true;
        subscriber_tell_again(c);
        break;
    case STANZA_TYPE_AVAILABLE:
    case STANZA_TYPE_UNAVAILABLE:
        subscriber_tell_again(c);
        break;
    case STANZA_TYPE_UNSUBSCRIBED:
        if (c->in.state != SUBSCRIBER_NONE && c->in.state != SUBSCRIBER_DENIED) {
            return; /* he has asked again since */
        }
        c->in.owes_unsubscribed = true;
        c->in.is_unheard = true;
        break;
    default:
        return;
    }
    subscriber_settle(c);
}

void subscriber_partner_seen(struct contact *c, bool is_reachable)
{
    c->in.tell_tries = 0;
    if (is_reachable) {
        subscriber_hear(c);
        subscriber_step(c, SUBSCRIBER_ON_BACK, NULL);
    } else {
        c->in.is_told = false;
    }
    subscriber_settle(c);
}

void subscriber_hop_seen(struct contact *c, bool is_reachable)
{
    if (is_reachable) {
        subscriber_step(c, SUBSCRIBER_ON_HOP_BACK, NULL);
        subscriber_settle(c);
    }
}

void subscriber_granted(struct contact *c, int err)
{
    if (err) {
        subscriber_step(c, SUBSCRIBER_ON_GRANT_FAILED, NULL);
    } else {
        subscriber_step(c, SUBSCRIBER_ON_GRANTED, NULL);
    }
    subscriber_settle(c);
}

void subscriber_review(struct contact *c)
{
    struct presence_rule rule = {0};

    contact_rule(c, &rule);
    subscriber_step(c, rule.is_allowed ? SUBSCRIBER_ON_PERMITTED : SUBSCRIBER_ON_FORBIDDEN, NULL);
    subscriber_settle(c);
}

void subscriber_order(struct contact *c, enum presence_order what)
{
    switch (what) {
    case PRESENCE_ALLOW:
        subscriber_step(c, SUBSCRIBER_ON_GRANTED, NULL);
        break;
    case PRESENCE_BLOCK:
        subscriber_step(c, SUBSCRIBER_ON_BLOCKED, NULL);
        break;
    case PRESENCE_FORGET:
        subscriber_step(c, SUBSCRIBER_ON_FORGOTTEN, NULL);
        break;
    }
    subscriber_settle(c);
}

void subscriber_loaded(struct contact *c)
{
    struct presence_rule rule = {0};

    contact_rule(c, &rule);
    subscriber_step(c, rule.is_allowed ? SUBSCRIBER_ON_LOADED : SUBSCRIBER_ON_FORBIDDEN, NULL);
    subscriber_settle(c);
}
