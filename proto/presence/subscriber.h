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
    X(TRYING, "trying") /* SUBSCRIBE is out, no NOTIFY yet */                                      \
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

struct subscriber_dialog; /* one per fork, or on its way out; subscriber_int.h */

/* Times are seconds of the wheel's clock, as subscriber_now_s counts them; 0 = none. */
struct subscriber {
    struct subscriber_dialog *dialogs; /* owned list */
    char *kept;       /* owned; packed state that the watcher knows from dialogs that are gone */
    uint32_t seen_s;  /* the watcher's last probe or subscribe */
    uint32_t tried_s; /* the last SUBSCRIBE that was to make a dialog */
    uint32_t retry_s; /* BACKOFF: begin again; 0 = only when asked */
    uint32_t keep_s;  /* what is kept is withdrawn */
    uint32_t away_s;  /* the watcher has left; his grace ends */
    uint32_t tell_s;  /* tell everything again, or begin again after the partner was gone */
    uint32_t pay_s;   /* `unsubscribed` is not said before */
    uint16_t kept_len;
    uint16_t last_error;        /* SIP status, or enum subscriber_error */
    uint8_t state;              /* enum subscriber_state; subscriber_set_state only */
    uint8_t failures;           /* in a row: length of the next back-off */
    uint8_t misses;             /* 404s in a row */
    uint8_t quick;              /* new dialogs in a row without a pause */
    uint8_t tell_tries;         /* tellings in a row that were not delivered */
    bool wants_new : 1;         /* a SUBSCRIBE that makes a dialog is due */
    bool is_paced : 1;          /* contact_pace said: later */
    bool is_told : 1;           /* the watcher knows what we know */
    bool was_told : 1;          /* he may know something, new or old */
    bool owes_subscribed : 1;   /* to be said when the presentity shows himself */
    bool owes_unsubscribed : 1; /* to be said when the dialogs' ends are answered */
    bool is_unheard : 1;        /* it was said, and lost: to be said when the partner is there */
    bool is_cut : 1;            /* DORMANT because the partner was gone */
    bool with_notes : 1;        /* what is told has its notes */
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
