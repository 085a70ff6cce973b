/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notifier_step: the table of the notifier, its states, and the acts that change or ask for the
 * authorisation. */
#include "base/check.h"
#include "base/log.h"
#include "presence/notifier_int.h"

static const char *const event_names[] = {
#define X(event, none, asking, granted, refused) #event,
    NOTIFIER_TABLE(X)
#undef X
};

static const char *const act_names[] = {
#define X(act, function) #act,
    NOTIFIER_ACTS(X)
#undef X
};

static const char *const state_names[] = {
#define X(name, text) text,
    NOTIFIER_STATES(X)
#undef X
};

static const uint8_t table[NOTIFIER_EV_COUNT][NOTIFIER_STATE_COUNT] = {
#define X(event, none, asking, granted, refused)                                                   \
    [NOTIFIER_EV_##event] = {                                                                      \
        [NOTIFIER_NONE] = NOTIFIER_DO_##none,                                                      \
        [NOTIFIER_ASKING] = NOTIFIER_DO_##asking,                                                  \
        [NOTIFIER_GRANTED] = NOTIFIER_DO_##granted,                                                \
        [NOTIFIER_REFUSED] = NOTIFIER_DO_##refused,                                                \
    },
    NOTIFIER_TABLE(X)
#undef X
};

typedef void act_fn(struct contact *c, const struct notifier_input *in);
static act_fn *const acts[NOTIFIER_DO_COUNT] = {
#define X(act, function) [NOTIFIER_DO_##act] = notifier_act_##function,
    NOTIFIER_ACTS(X)
#undef X
};

#define BIT(state) (1u << NOTIFIER_##state)
static const uint8_t successors[NOTIFIER_STATE_COUNT] = {
    [NOTIFIER_NONE] = BIT(ASKING) | BIT(GRANTED) | BIT(REFUSED),
    [NOTIFIER_ASKING] = BIT(NONE) | BIT(GRANTED) | BIT(REFUSED),
    [NOTIFIER_GRANTED] = BIT(NONE) | BIT(REFUSED),
    [NOTIFIER_REFUSED] = BIT(NONE) | BIT(GRANTED),
};

const char *notifier_event_name(enum notifier_event event)
{
    ASSERT(event < NOTIFIER_EV_COUNT);
    return event_names[event];
}

const char *notifier_act_name(enum notifier_act act)
{
    ASSERT(act < NOTIFIER_DO_COUNT);
    return act_names[act];
}

enum notifier_act notifier_act_of(enum notifier_event event, enum notifier_state state)
{
    ASSERT(event < NOTIFIER_EV_COUNT);
    ASSERT(state < NOTIFIER_STATE_COUNT);
    return (enum notifier_act)table[event][state];
}

void notifier_step(struct contact *c, enum notifier_event event, const struct notifier_input *in)
{
    acts[notifier_act_of(event, (enum notifier_state)c->out.state)](c, in);
}

void notifier_set_state(struct contact *c, enum notifier_state next)
{
    struct notifier *n = &c->out;
    struct presence_pair pair = contact_pair(c);

    ASSERT(next < NOTIFIER_STATE_COUNT);
    ASSERT((successors[n->state] >> next) & 1u);
    LOG_D(notifier_state, "from=%s to=%s watcher=%s domain=%s presentity=%s of=%s",
          state_names[n->state], state_names[next], log_quote(pair.local_user).text,
          log_quote(pair.local_domain).text, log_quote(pair.remote_user).text,
          log_quote(pair.remote_domain).text);
    n->state = (uint8_t)next;
    if (next != NOTIFIER_GRANTED) {
        n->grant_at = 0;
        n->grant_tries = 0;
    }
}

static enum notifier_state state_for(enum contact_state state)
{
    switch (state) {
    case CONTACT_NONE:
        return NOTIFIER_NONE;
    case CONTACT_ASKED:
        return NOTIFIER_ASKING;
    case CONTACT_GRANTED:
        return NOTIFIER_GRANTED;
    case CONTACT_DENIED:
    case CONTACT_BLOCKED:
        return NOTIFIER_REFUSED;
    case CONTACT_STATE_COUNT:
        break;
    }
    UNREACHABLE("contact state");
}

void notifier_stored_set_state(struct contact *c)
{
    c->out.state = (uint8_t)state_for((enum contact_state)c->state);
}

/* --- nothing ---------------------------------------------------------------------------------- */

void notifier_act_ignore(struct contact *c, const struct notifier_input *in)
{
    (void)c;
    (void)in;
}

void notifier_act_impossible(struct contact *c, const struct notifier_input *in)
{
    bool is_possible = false; /* an event that this state cannot have */

    (void)in;
    if (!CHECK(is_possible)) {
        c->out.fault = NOTIFIER_FAULT_EVENT;
    }
}

/* --- asking ----------------------------------------------------------------------------------- */

/* The presentity's server answers `subscribe` by itself if it was granted before (RFC 6121 3.1.3);
 * the probe is for servers that do not, and for the documents. */
void notifier_act_ask(struct contact *c, const struct notifier_input *in)
{
    (void)in;
    c->out.asked_s = notifier_now_s(c);
    contact_send_type(c, STANZA_TYPE_SUBSCRIBE);
    notifier_probe_now(c);
}

void notifier_act_probe(struct contact *c, const struct notifier_input *in)
{
    (void)in;
    notifier_probe_now(c);
}

/* --- granted ---------------------------------------------------------------------------------- */

void notifier_act_grant(struct contact *c, const struct notifier_input *in)
{
    (void)in;
    c->out.grant_at = 0;
    c->out.grant_tries = 0;
    c->out.doubts = 0;
    contact_grant(c, CONTACT_BY_PARTNER);
}

void notifier_act_confirm(struct contact *c, const struct notifier_input *in)
{
    (void)in;
    (void)c;
}

void notifier_act_activate(struct contact *c, const struct notifier_input *in)
{
    (void)in;
    notifier_set_state(c, NOTIFIER_GRANTED);
    c->out.grant_at = 0;
    c->out.grant_tries = 0;
    c->out.fault = NOTIFIER_FAULT_NONE;
    notifier_owe_all(c);
    /* The presentity's server shows who is there after a grant (RFC 6121 3.1.5), most of them. */
    if (!c->out.document && c->out.probe_at == 0 && notifier_lasting(&c->out) > 0) {
        notifier_plan_probe(c, NOTIFIER_PROBE_REST_MS);
    }
}

/* The presentity has said yes and will not say it again: the store is asked again, more and more
 * rarely. When that has no end the next `subscribe` brings the answer once more. */
void notifier_act_grant_later(struct contact *c, const struct notifier_input *in)
{
    struct notifier *n = &c->out;
    uint64_t delay_ms = NOTIFIER_GRANT_RETRY_MS;

    (void)in;
    n->fault = NOTIFIER_FAULT_NOT_STORED;
    if (c->state == CONTACT_BLOCKED || n->grant_tries >= NOTIFIER_GRANT_TRIES) {
        return;
    }
    for (uint8_t i = 0; i < n->grant_tries && delay_ms < NOTIFIER_GRANT_WAIT_MS; i++) {
        delay_ms *= 2;
    }
    n->grant_tries++;
    delay_ms = delay_ms < NOTIFIER_GRANT_WAIT_MS ? delay_ms : NOTIFIER_GRANT_WAIT_MS;
    n->grant_at = notifier_ahead(c, contact_jitter(c, delay_ms) - contact_now_ms(c));
}

/* --- refused ---------------------------------------------------------------------------------- */

/* Also where nothing is on its way: then contact_set_state changes nothing. */
void notifier_act_retract(struct contact *c, const struct notifier_input *in)
{
    (void)in;
    c->out.grant_at = 0;
    c->out.doubts = 0;
    contact_set_state(c, c->out.state == NOTIFIER_NONE ? CONTACT_NONE : CONTACT_DENIED,
                      CONTACT_BY_PARTNER);
    if (c->out.state == NOTIFIER_NONE) {
        notifier_forget_probe(c);
        notifier_forget_document(c);
    }
}

void notifier_act_deny(struct contact *c, const struct notifier_input *in)
{
    (void)in;
    c->out.fault = NOTIFIER_FAULT_REFUSED;
    contact_set_state(c, CONTACT_DENIED, CONTACT_BY_PARTNER);
    notifier_set_state(c, NOTIFIER_REFUSED);
    notifier_forget_probe(c);
    notifier_forget_document(c);
    notifier_end_all(c, SIP_REASON_REJECTED);
}

/* Servers answer the probe of a stranger by `unsubscribed` (RFC 6121 4.3.2, rule 1), and one whose
 * request is undecided is a stranger. `subscribe` once more settles it: an undecided request it
 * leaves as it is, and who did refuse says so again, with no probe to blame. */
void notifier_act_doubt(struct contact *c, const struct notifier_input *in)
{
    struct notifier *n = &c->out;

    if (n->doubts == 0 || notifier_now_s(c) - n->probed_s >= NOTIFIER_DOUBT_S) {
        notifier_act_deny(c, in);
        return;
    }
    n->doubts--;
    n->asked_s = notifier_now_s(c);
    contact_send_type(c, STANZA_TYPE_SUBSCRIBE);
}

/* An error stanza may also be about what the subscriber of the other direction sent. Ours are
 * `subscribe` and `probe`, and a last `unavailable`, whose errors do not matter. */
void notifier_act_fail(struct contact *c, const struct notifier_input *in)
{
    struct notifier *n = &c->out;
    bool is_gone = in->condition == STANZA_CONDITION_ITEM_NOT_FOUND ||
                   in->condition == STANZA_CONDITION_GONE;

    if (n->state == NOTIFIER_GRANTED && !n->is_probing) {
        return;
    }
    n->fault = is_gone ? NOTIFIER_FAULT_NOBODY : NOTIFIER_FAULT_DOMAIN;
    notifier_forget_probe(c);
    notifier_end_all(c, is_gone ? SIP_REASON_NORESOURCE : SIP_REASON_PROBATION);
    n->asked_s = 0;
    if (is_gone) {
        notifier_forget_document(c);
        contact_set_state(c, CONTACT_NONE, CONTACT_BY_PARTNER);
        notifier_set_state(c, NOTIFIER_NONE);
    }
}

void notifier_act_lapse(struct contact *c, const struct notifier_input *in)
{
    (void)in;
    notifier_forget_probe(c);
    contact_set_state(c, CONTACT_NONE, CONTACT_BY_LOCAL);
    notifier_set_state(c, NOTIFIER_NONE);
}

/* --- administrators, configuration ------------------------------------------------------------ */

void notifier_act_clear(struct contact *c, const struct notifier_input *in)
{
    (void)in;
    notifier_set_state(c, NOTIFIER_NONE);
}

void notifier_act_shut(struct contact *c, const struct notifier_input *in)
{
    (void)in;
    c->out.fault = NOTIFIER_FAULT_BLOCKED;
    notifier_set_state(c, NOTIFIER_REFUSED);
    notifier_forget_probe(c);
    notifier_forget_document(c);
    notifier_end_all(c, SIP_REASON_REJECTED);
}

/* The one way in which an authorisation of ours ends at the presentity's server, too: SIP has no
 * word for it (RFC 8048 5.3.3). */
void notifier_act_withdraw(struct contact *c, const struct notifier_input *in)
{
    (void)in;
    notifier_set_state(c, NOTIFIER_NONE);
    notifier_forget_probe(c);
    notifier_forget_document(c);
    notifier_end_all(c, SIP_REASON_REJECTED);
    contact_send_type(c, STANZA_TYPE_UNSUBSCRIBE);
}

/* What the presentity granted stays granted: when the rule allows it again nobody has to ask. */
/* "rejected" would have phones stay away for good (RFC 6665 4.1.3) after a mistake in the
 * configuration is undone; while it stands, their next SUBSCRIBE is answered 403. */
void notifier_act_expel(struct contact *c, const struct notifier_input *in)
{
    (void)in;
    c->out.fault = NOTIFIER_FAULT_RULED_OUT;
    notifier_forget_probe(c);
    notifier_end_all(c, SIP_REASON_PROBATION);
}
