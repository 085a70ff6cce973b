/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notifier: a user of ours watches a partner's user: the gateway asks the XMPP side (RFC 6121 3,
 * 4.3) and notifies the SIP side (RFC 6665 4.2, RFC 3856, RFC 8048 5.3). One per contact of
 * direction out; a dialog per device. Events from outside come as the functions below; the machine
 * speaks through contact.h. Its table stands in notifier_int.h. */
#ifndef FG_PRESENCE_NOTIFIER_H
#define FG_PRESENCE_NOTIFIER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "presence/presence.h"

struct contact;
struct contact_measure;

#define NOTIFIER_STATES(X)                                                                         \
    X(NONE, "none")                                                                                \
    X(ASKING, "asking")                                                                            \
    X(GRANTED, "granted")                                                                          \
    X(REFUSED, "refused")
enum notifier_state {
#define X(name, text) NOTIFIER_##name,
    NOTIFIER_STATES(X)
#undef X
        NOTIFIER_STATE_COUNT
};

struct notifier_dialog; /* notifier_int.h */

struct notifier_fresh; /* notifier_document.c */

/* What went wrong last, for people. */
#define NOTIFIER_FAULTS(X)                                                                         \
    X(NONE, "")                                                                                    \
    X(NOT_STORED, "the grant could not be stored")                                                 \
    X(REFUSED, "the presentity refused")                                                           \
    X(NO_ANSWER, "the presentity did not answer")                                                  \
    X(NOBODY, "the presentity does not exist")                                                     \
    X(DOMAIN, "the presentity's domain answered with an error")                                    \
    X(UNREACHABLE, "the presentity's domain is unreachable")                                       \
    X(BLOCKED, "blocked by an administrator")                                                      \
    X(RULED_OUT, "the configuration does not allow it")                                            \
    X(NO_HOP, "the next hop takes no NOTIFY")                                                      \
    X(NOTIFY, "a NOTIFY failed")                                                                   \
    X(WATCHER, "the watcher does not answer")                                                      \
    X(EVENT, "an event that the state cannot have")
enum notifier_fault {
#define X(name, text) NOTIFIER_FAULT_##name,
    NOTIFIER_FAULTS(X)
#undef X
        NOTIFIER_FAULT_COUNT
};

/* Times are in NOTIFIER_TICK_MS, or s, of the contact's clock, 0 = none: there are 100,000s. */
struct notifier {
    struct notifier_dialog *dialogs; /* owned; newest first, those that end among them */
    char *document; /* owned; packed state of the presentity (translate/presence.h); NULL = nothing
                       is known */
    struct notifier_fresh *fresh; /* owned; what the answers to a probe have said; NULL = nothing */
    uint32_t probe_at; /* is_probing: the answers are in by then; else: a probe is due */
    uint32_t grant_at; /* the store refused a grant: to be tried again */
    uint32_t probed_s; /* the last probe */
    uint32_t asked_s;  /* the last `subscribe` */
    uint16_t document_len;
    uint8_t state;       /* enum notifier_state; notifier_set_state only */
    uint8_t fault;       /* enum notifier_fault */
    uint8_t grant_tries; /* refused by the store so far */
    uint8_t doubts; /* probes that `unsubscribed` may be the answer to (notifier_step.c) */
    bool is_probing : 1; /* a probe is out: what is heard is collected in fresh */
    bool is_leaving : 1; /* document holds resources that leave */
    bool is_lost : 1;    /* the watchers are told that the domain is unreachable */
    bool was_down : 1;   /* the stream ended since the last probe */
    bool is_deaf : 1;    /* the last probe came to nothing: undelivered */
    bool is_untold : 1;  /* since the start: what the watchers were told last is not known */
};

void notifier_init(struct contact *c);
void notifier_deinit(struct contact *c);
bool notifier_is_at_rest(const struct contact *c); /* nothing worth keeping but the state */
/* Presence stanzas from the presentity. */
void notifier_from_partner(struct contact *c, const struct stanza *st);
void notifier_undelivered(struct contact *c, enum stanza_type type,
                          enum stanza_condition condition);
void notifier_partner_seen(struct contact *c, bool is_reachable);
void notifier_subscribe(struct contact *c, const struct sip_msg *m, struct presence_txn txn);
void notifier_response(struct contact *c, struct presence_call *call, enum sip_outcome outcome,
                       unsigned status, const struct sip_msg *response);
void notifier_granted(struct contact *c, int err);
void notifier_due(struct contact *c);
/* The rule changed, or an administrator's order (state is set already): end, begin, or nothing. */
void notifier_review(struct contact *c);
void notifier_order(struct contact *c, enum presence_order what);
/* Row <-> memory; after a load notifier_loaded begins the paced resumption. */
void notifier_pack(struct contact *c, struct buf *dialogs, struct buf *document);
void notifier_unpack(struct contact *c, struct slice dialogs, struct slice document);
/* The row packed last is durable (sip_dialog_stored). */
void notifier_stored(struct contact *c);
void notifier_loaded(struct contact *c);
/* For gauges and memory; asked after every event. */
void notifier_measure(const struct contact *c, struct contact_measure *out);
void notifier_view(const struct contact *c, struct presence_contact_view *out);
/* A resource of the partner's user is known to be available: the subscriber asks before it takes
 * him for somebody who has gone. */
bool notifier_sees_available(const struct contact *c);

#endif
