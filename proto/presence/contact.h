/* SPDX-License-Identifier: GPL-2.0-or-later */
/* contact: the inside of the room: one entry of the table, and what the two machines use of it.
 * A contact is an authorisation and, while somebody watches, a subscription. It is named by
 * (direction, local user, local domain, remote user, remote domain); addresses are unique.
 * Size counts: there are 100,000s (presence_stats.memory_bytes / contacts < 600 bytes). */
#ifndef FG_PRESENCE_CONTACT_H
#define FG_PRESENCE_CONTACT_H

#include "base/list.h"
#include "presence/notifier.h"
#include "presence/presence.h"
#include "presence/subscriber.h"

/* A domain that occurs in contacts, ours or a partner's: its names once. */
struct presence_domain {
    struct list contacts; /* struct contact.of_remote */
    uint32_t number;      /* unique while it lives: part of the contacts' keys */
    uint32_t users;       /* contacts that name it, either side; freed at 0 */
    bool is_unreachable;  /* presence_partner_seen */
    uint64_t unreachable_ms; /* since */
    struct presence_domain_stats stats;
    uint16_t ascii_len;
    uint16_t unicode_len;
    char names[]; /* A-label, U-label */
};
struct slice presence_domain_ascii(const struct presence_domain *d);
struct slice presence_domain_unicode(const struct presence_domain *d);

struct contact {
    struct presence *p;             /* borrowed */
    struct list of_remote;          /* in presence_domain.contacts */
    struct list dirty;              /* in presence.dirty: its row is older than it */
    struct presence_domain *local;  /* borrowed; counted */
    struct presence_domain *remote; /* borrowed; counted */
    struct wheel_timer timer;       /* contact_arm */
    uint32_t asked_unix_s;          /* 0 = never */
    uint32_t changed_unix_s;
    uint8_t direction;   /* enum contact_direction */
    uint8_t state;       /* enum contact_state; contact_set_state only */
    uint8_t asker;       /* enum contact_asker */
    bool is_granting;    /* a grant waits for the store: contact_grant */
    uint16_t local_user_len;
    uint16_t remote_user_len;
    union {
        struct subscriber in;
        struct notifier out;
    };
    char key[]; /* direction, number of local, of remote, local user, NUL, remote user */
};

/* --- table (table.c) -------------------------------------------------------------------------- */

struct contact *contact_find(struct presence *p, enum contact_direction direction,
                             const struct presence_pair *pair);
/* Found or made (state none, machine initialised); NULL: no memory or a bound. */
struct contact *contact_get(struct presence *p, enum contact_direction direction,
                            const struct presence_pair *pair);
/* When nothing remains worth keeping (state none, machine at rest, nothing in flight): gone, and
 * its row too. Returns true if it went. Machines call it last. */
bool contact_release(struct contact *c);
struct presence_pair contact_pair(const struct contact *c);
/* "local@domain" with U-labels, bare, for stanzas; "sip:..." for requests (translate/address.h). */
void contact_put_jid(const struct contact *c, bool is_local, struct buf *out);
NODISCARD int contact_put_uri(const struct contact *c, bool is_local, struct buf *out);
void contact_rule(const struct contact *c, struct presence_rule *out);

/* --- authorisation (authorise.c) -------------------------------------------------------------- */

/* Anything but granted: counts at once, its row becomes dirty and is written soon. */
void contact_set_state(struct contact *c, enum contact_state state, enum contact_asker asker);
/* Asks the store for "granted"; then subscriber_granted / notifier_granted(c, err) is called,
 * later or (already granted) within the call. err != 0: it is not granted, state is as before. */
void contact_grant(struct contact *c, enum contact_asker asker);
/* The row is older than dialogs or document: written within DIRTY_MS, coalesced. */
void contact_touch(struct contact *c);

/* --- time, requests, stanzas (send.c, pace.c) ------------------------------------------------ */

/* The one deadline of a contact: subscriber_due / notifier_due. 0 = none. */
void contact_arm(struct contact *c, uint64_t deadline_ms);
/* now + delay, +-20 % */
uint64_t contact_jitter(const struct contact *c, uint64_t delay_ms);

/* A request in flight. Outlives its contact: then contact is NULL when the response comes. */
struct presence_call {
    struct list link;        /* in presence.calls */
    struct contact *contact; /* borrowed; NULL = gone */
    void *dialog;            /* the machine's; it sets it NULL when the dialog goes */
    uint32_t kind;           /* the machine's */
};
/* Sends within the dialog or without; owns nothing. params and body: borrowed. NULL: not sent. The
 * outcome comes as subscriber_response / notifier_response, with the call, which is freed after. */
struct presence_call *contact_request(struct contact *c, const struct sip_request_params *params,
                                      struct slice fields, struct slice content_type,
                                      struct slice body, void *dialog, uint32_t kind);
/* A place in the pace of the contact's next hop: true = send now; false = subscriber_paced(c) will
 * be called when it is its turn (once; contact_pace_cancel ends the waiting). */
bool contact_pace(struct contact *c);
void contact_pace_cancel(struct contact *c);

/* <presence type from to/>; resource of ours may be empty. For available and unavailable with a
 * document use presence_write_stanza (translate/presence.h) and contact_send. */
void contact_send_type(struct contact *c, enum stanza_type type);
void contact_send(struct contact *c, enum stanza_type type, struct slice bytes);

/* Of the presence object: scratch bufs, readers (document reader, writer), stats; table.h. */
#endif
