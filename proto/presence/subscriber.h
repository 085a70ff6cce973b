/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber: a partner's user watches one of ours: the gateway subscribes at the SIP side
 * (RFC 6665 4.1, RFC 3856, RFC 8048 5.2) and tells the XMPP side. One per contact of direction in.
 * Events from outside come as the functions below; the machine speaks through contact.h. */
#ifndef FG_PRESENCE_SUBSCRIBER_H
#define FG_PRESENCE_SUBSCRIBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "presence/presence.h"

struct contact;
struct contact_measure;

#define SUBSCRIBER_STATES(X)                                                                       \
    X(NONE, "none")                                                                                \
    X(TRYING, "trying")   /* SUBSCRIBE is out, no NOTIFY yet */                                    \
    X(PENDING, "pending")                                                                          \
    X(ACTIVE, "active")                                                                            \
    X(BACKOFF, "backoff") /* no dialog; a timer will try again */                                  \
    X(DORMANT, "dormant") /* authorised, no dialog, until somebody probes */                       \
    X(DENIED, "denied")
enum subscriber_state {
#define X(name, text) SUBSCRIBER_##name,
    SUBSCRIBER_STATES(X)
#undef X
        SUBSCRIBER_STATE_COUNT
};

struct subscriber_dialog; /* one per fork; owned */

/* The owner of subscriber*.c fills this in; small (see contact.h). */
struct subscriber {
    struct subscriber_dialog *dialogs; /* owned list */
    uint8_t state;                     /* enum subscriber_state */
};

void subscriber_init(struct contact *c);
void subscriber_deinit(struct contact *c);
bool subscriber_is_at_rest(const struct contact *c); /* nothing worth keeping but the state */
/* Presence stanzas from the watcher. */
void subscriber_from_partner(struct contact *c, const struct stanza *st);
void subscriber_undelivered(struct contact *c, enum stanza_type type,
                            enum stanza_condition condition);
void subscriber_partner_seen(struct contact *c, bool is_reachable);
/* The connection to the next hop of this contact: presence_hop_seen. */
void subscriber_hop_seen(struct contact *c, bool is_reachable);
void subscriber_notify(struct contact *c, const struct sip_msg *m, struct presence_txn txn);
void subscriber_response(struct contact *c, struct presence_call *call, enum sip_outcome outcome,
                         unsigned status, const struct sip_msg *response);
void subscriber_granted(struct contact *c, int err);
void subscriber_due(struct contact *c);
void subscriber_paced(struct contact *c);
/* The rule changed, or an administrator's order (state is set already): end, begin, or nothing. */
void subscriber_review(struct contact *c);
void subscriber_order(struct contact *c, enum presence_order what);
/* Row <-> memory; after a load subscriber_loaded begins the paced resumption. */
void subscriber_pack(struct contact *c, struct buf *dialogs, struct buf *document);
void subscriber_unpack(struct contact *c, struct slice dialogs, struct slice document);
/* The row packed last is durable (sip_dialog_stored). */
void subscriber_stored(struct contact *c);
void subscriber_loaded(struct contact *c);
/* For gauges and memory; asked after every event. */
void subscriber_measure(const struct contact *c, struct contact_measure *out);
void subscriber_view(const struct contact *c, struct presence_contact_view *out);

#endif
