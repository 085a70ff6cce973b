/* SPDX-License-Identifier: GPL-2.0-or-later */
/* contact: the inside of the room: one entry of the table, and what the two machines use of it.
 * A contact is an authorisation and, while somebody watches, a subscription. It is named by
 * (direction, local user, local domain, remote user, remote domain); addresses are unique.
 * Size counts: there are 100,000s (all in, less than 600 bytes each).
 *
 * Who may touch what after what:
 *   - Every call of a machine comes from the room, as one event of one contact. During it the
 *     contact stays; nothing a machine calls frees it. After the event the room settles it
 *     (contact_settle): measures it, writes its row if somebody waits, and frees it if its state is
 *     none and the machine is at rest. So a machine frees its dialogs, never the contact, and the
 *     room does not touch a contact after its settling.
 *   - Within an event no other machine function of any contact is called, but for
 *     *_granted inside contact_grant when the contact is granted already.
 *   - A machine may read other contacts (contact_find), not change them.
 *   - A call in flight (struct presence_call) does not keep its contact; see there.
 *   - Scratch buffers of the presence object are the caller's until it calls into this header. */
#ifndef FG_PRESENCE_CONTACT_H
#define FG_PRESENCE_CONTACT_H

#include "base/heap.h"
#include "base/list.h"
#include "presence/notifier.h"
#include "presence/presence.h"
#include "presence/subscriber.h"
#include "translate/pidf.h"

struct contact_row;
struct sip_dialogs;
struct lane;

/* A domain that occurs in contacts, ours or a partner's: its names once. */
struct presence_domain {
    struct list contacts;    /* struct contact.of_remote */
    uint32_t users;          /* contacts that name it, either side; freed at 0 */
    uint32_t remotes;        /* contacts that name it as remote: bounded */
    uint32_t seen_left;      /* contacts still to be told of is_unreachable */
    struct list seen;        /* in presence.seen while some are */
    struct lane *lanes;      /* pace.c */
    bool is_unreachable;     /* presence_partner_seen */
    bool was_cut;            /* presence_partner_cut: whoever is told is told of both */
    uint64_t cut_ms;         /* when it was last told; 0 = never */
    struct wheel_timer cut_timer; /* a cut that came too soon after that */
    struct presence *p;           /* borrowed; once it was cut */
    uint64_t unreachable_ms; /* since */
    struct presence_domain_stats stats; /* remote_domain points to names */
    uint16_t ascii_len;
    uint16_t unicode_len;
    char names[]; /* A-label, U-label */
};
struct slice presence_domain_ascii(const struct presence_domain *d);
struct slice presence_domain_unicode(const struct presence_domain *d);

struct contact {
    struct presence *p;             /* borrowed */
    struct contact *next;           /* in its bucket, by hash */
    uint64_t hash;                  /* of its name; order of presence_walk */
    struct list of_remote;          /* in presence_domain.contacts */
    struct wheel_timer timer;       /* contact_arm */
    struct presence_domain *local;  /* borrowed; counted */
    struct presence_domain *remote; /* borrowed; counted */
    struct presence_call *calls;    /* borrowed: those in flight, chained */
    union {
        struct list dirty;       /* in presence.dirty or .urgent: its row is older than it */
        struct contact_row *row; /* is_on_way: owned; its row on the way to the store */
    };
    uint32_t asked_unix_s; /* 0 = never */
    uint32_t changed_unix_s;
    uint16_t measured_grains; /* counted in stats: bytes of the machine, in CONTACT_GRAIN_BYTES */
    uint16_t local_user_len;
    uint16_t remote_user_len;
    uint8_t measured_dialogs;
    uint8_t direction; /* enum contact_direction */
    uint8_t state;     /* enum contact_state; contact_set_state only */
    uint8_t asker;     /* enum contact_asker */
    uint8_t wants;     /* CONTACT_WANTS_*: what waits for the store */
    uint8_t wants_asker;
    uint8_t orders;     /* administrators' orders that wait */
    uint8_t dirt : 2;   /* authorise.c */
    bool is_on_way : 1; /* row, not dirty */
    bool has_row : 1;   /* the store may hold one */
    union {
        struct {
            struct subscriber in;
            struct heap_node waiting; /* in a lane of pace.c */
            struct lane *lane;        /* borrowed: the one it waits in */
        };
        struct notifier out;
    };
    char users[]; /* local, remote */
};
#define CONTACT_GRAIN_BYTES 8u
#define CONTACT_WANTS_GRANT 1u /* the machine's */
#define CONTACT_WANTS_ALLOW 2u /* an administrator's */

/* --- table (table.c) -------------------------------------------------------------------------- */

struct contact *contact_find(const struct presence *p, enum contact_direction direction,
                             const struct presence_pair *pair);
/* Borrowed from the contact. */
struct presence_pair contact_pair(const struct contact *c);
/* "local@domain" with U-labels, bare, for stanzas (not escaped) */
void contact_put_jid(const struct contact *c, bool is_local, struct buf *out);
/* "sip:user@host" (translate/address.h). ERR_JID: no SIP user can stand for it. */
NODISCARD int contact_put_uri(const struct contact *c, bool is_local, struct buf *out);
/* Bare address; slices borrow from the contact. */
void contact_jid(const struct contact *c, bool is_local, struct jid *out);
void contact_rule(const struct contact *c, struct presence_rule *out);
/* The value of our Contact field for dialogs of this contact is appended. */
void contact_put_own(const struct contact *c, struct buf *out);
uint64_t contact_now_ms(const struct contact *c);
int64_t contact_now_unix_s(const struct contact *c);

/* Blocks of a contact's own: its dialogs and documents. Cheaper than the pool's by their heads, but
 * the size is to be said at the free. contact_alloc zeroes. */
NODISCARD void *contact_alloc(struct contact *c, size_t size);
void contact_free_bytes(struct contact *c, void *block, size_t size);

/* What a machine says of itself when asked (subscriber_measure, notifier_measure). */
struct contact_measure {
    size_t bytes;     /* its blocks; sip_dialog_bytes */
    uint32_t dialogs; /* not yet ended */
};

/* --- authorisation (authorise.c) -------------------------------------------------------------- */

/* Anything but granted: counts at once, its row is written after this event if a grant ends, else
 * soon. A grant that waits for the store is off: its callback does not come. While the contact is
 * blocked nothing happens: only an administrator ends that. */
void contact_set_state(struct contact *c, enum contact_state state, enum contact_asker asker);
/* Asks the store for "granted" after this event; then subscriber_granted / notifier_granted(c, err)
 * is called, later, or within the call if it is granted already or blocked (ERR_STATE). err != 0:
 * it is not granted, state is as before, and nothing is tried again unless asked again. Asking
 * again while it waits changes nothing. */
void contact_grant(struct contact *c, enum contact_asker asker);
bool contact_is_granting(const struct contact *c);
/* What counts at once, the end of a grant say, may still be undone by a crash. */
bool contact_is_unwritten(const struct contact *c);
/* The row is older than dialogs or document: written within DIRTY_MS, coalesced. When it is durable
 * *_stored(c) follows: the row packed last is. Until then *_pack is not called again. */
void contact_touch(struct contact *c);

/* --- time, requests, stanzas (send.c, pace.c) ------------------------------------------------ */

/* The one deadline of a contact: subscriber_due / notifier_due. 0 = none. */
void contact_arm(struct contact *c, uint64_t deadline_ms);
/* now + delay, +-20 % */
uint64_t contact_jitter(const struct contact *c, uint64_t delay_ms);
/* Uniform, for spreading work; deterministic for a seed. */
uint64_t presence_random(struct presence *p);

/* A request in flight. Outlives its contact: then contact is NULL, and the response, when it comes,
 * goes nowhere. So a machine for which a late response matters is not at rest while one is out. */
struct presence_call {
    struct list link;           /* in presence.calls */
    struct presence_call *next; /* of the same contact */
    struct contact *contact;    /* borrowed; NULL = gone */
    void *dialog;  /* the machine's; contact_forget_dialog when it goes */
    uint32_t kind; /* the machine's */
    uint32_t method; /* enum sip_method; presence_response counts failures by it */
};
/* The dialog goes: no call of this contact names it any more, the one being answered included. */
void contact_forget_dialog(struct contact *c, const void *dialog);
/* Sends within the dialog or without; owns nothing. params and body: borrowed. NULL: not sent. The
 * outcome comes as subscriber_response / notifier_response, with the call, which is freed after. */
struct presence_call *contact_request(struct contact *c, const struct sip_request_params *params,
                                      struct slice fields, struct slice content_type,
                                      struct slice body, void *dialog, uint32_t kind);
/* Answers a server transaction. */
void contact_answer(struct contact *c, struct presence_txn txn, const struct sip_answer *answer);
/* A place in the pace of the contact's next hop: true = send now; false = subscriber_paced(c) will
 * be called when it is its turn (once; contact_pace_cancel ends the waiting). Of one remote domain
 * who must go sooner goes first: due_s, a second of contact_now_ms. */
bool contact_pace(struct contact *c, uint32_t due_s);
void contact_pace_cancel(struct contact *c);

/* <presence type from to/> between the bare addresses, from ours. For what has a document use
 * presence_write_stanza (translate/presence.h) and contact_send, one stanza at a time. */
void contact_send_type(struct contact *c, enum stanza_type type);
void contact_send(struct contact *c, enum stanza_type type, struct slice bytes);

/* --- of the presence object ------------------------------------------------------------------ */

struct presence_scratch {
    struct buf fields;          /* header fields */
    struct buf body;            /* documents */
    struct buf text;            /* addresses, ... */
    struct buf stanza;          /* contact_send */
    struct buf packed;          /* packed states */
    struct pidf_reader *reader; /* owned */
};
/* Cleared by who uses it. */
struct presence_scratch *presence_scratch(struct presence *p);
struct presence_stats *presence_counters(struct presence *p);
struct sip_ids *presence_ids(struct presence *p);
/* Where all dialogs are. */
struct sip_dialogs *presence_dialogs(struct presence *p);

#endif
