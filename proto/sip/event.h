/* SPDX-License-Identifier: GPL-2.0-or-later */
/* event: the header fields of event notification (RFC 6665; RFC 3261 20.1, 20.19, 20.23) and a
 * reading of whole SUBSCRIBE and NOTIFY requests with the status that a wrong one deserves. To be
 * called for requests that sip_check_request let pass: what it refuses (405, 415, 420 for Require:
 * eventlist, ...) is not asked again. Whether a request belongs to a dialog, and 481 if not, is the
 * caller's decision (dialog.h).
 * Slices point into the message. Times are in seconds. Pure functions; any thread; no memory.    */
#ifndef FG_SIP_EVENT_H
#define FG_SIP_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "sip/checks.h"
#include "sip/dialog.h"
#include "sip/msg.h"

#define SIP_EXPIRES_PRESENCE_S  3600u /* RFC 3856 6.4: where nothing is said */
#define SIP_EXPIRES_TOO_BRIEF_S 3600u /* 6665 4.2.1.1: 423 is for less than an hour only */
#define SIP_TIMER_N_S           32u   /* 64*T1: no NOTIFY by then, no subscription (6665 4.1.2.4) */

/* Event (8.2.1). */
struct sip_event {
    struct slice package; /* event-type with its templates: "presence", "presence.winfo" */
    struct slice id;      /* empty = none */
};
/* 0 or ERR_SIP_SYNTAX. */
NODISCARD int sip_event_parse(struct slice value, struct sip_event *out);
/* The same, or ERR_NOT_FOUND. */
NODISCARD int sip_msg_event(const struct sip_msg *m, struct sip_event *out);
/* Package and id, byte for byte; no other parameter counts (8.2.1). */
bool sip_event_eq(const struct sip_event *a, const struct sip_event *b);
void sip_write_event(struct buf *out, const struct sip_event *event);

/* Subscription-State (4.1.3). */
enum sip_sub_state {
    SIP_SUB_UNKNOWN, /* extension-substate */
#define SUB_STATE(id, name) SIP_SUB_##id,
#include "sip/event.def"
#undef SUB_STATE
};
enum sip_sub_reason {
    SIP_REASON_NONE,    /* not written */
    SIP_REASON_UNKNOWN, /* another word: as none (4.1.3) */
#define SUB_REASON(id, name) SIP_REASON_##id,
#include "sip/event.def"
#undef SUB_REASON
    SIP_REASON_COUNT
};
struct slice sip_sub_state_name(enum sip_sub_state state);    /* "unknown" for that */
struct slice sip_sub_reason_name(enum sip_sub_reason reason); /* "none", "unknown" for those */

struct sip_subscription_state {
    enum sip_sub_state state;
    enum sip_sub_reason reason;
    bool has_expires;         /* never with TERMINATED, where it says nothing */
    bool has_retry_after;     /* only with those reasons for which it says something (4.1.3) */
    uint32_t expires_s;       /* what is beyond 2^32-1 is read as that */
    uint32_t retry_after_s;   /* as well */
    struct slice state_text;  /* as written, for logs; not used in writing */
    struct slice reason_text; /* as well */
};
/* 0 or ERR_SIP_SYNTAX. Words are compared without case. A parameter that occurs twice or an expires
 * or retry-after that is no number is an error.                                                 */
NODISCARD int sip_subscription_state_parse(struct slice value, struct sip_subscription_state *out);
NODISCARD int sip_msg_subscription_state(const struct sip_msg *m,
                                         struct sip_subscription_state *out);
/* The whole header field; state is not UNKNOWN. ACTIVE and PENDING are written with expires, as
 * 4.2.2 demands; reason unless NONE or UNKNOWN and retry-after only with TERMINATED.            */
void sip_write_subscription_state(struct buf *out, const struct sip_subscription_state *s);

/* Expires of a SUBSCRIBE. *expires_s: its value, 2^32-1 for more than that, or default_s if it is
 * missing. False: not a number.                                                                 */
bool sip_msg_expires(const struct sip_msg *m, uint32_t default_s, uint32_t *expires_s);
/* Expires of the 2xx to our SUBSCRIBE that asked for asked_s: never more than that (4.2.1.1), and
 * that if it is missing or broken. 0 although more was asked for: ended at once, a final NOTIFY is
 * to come.                                                              */
uint32_t sip_answer_expires(const struct sip_msg *m, uint32_t asked_s);
/* Min-Expires of a 423: a value greater than asked_s and at most limit_s, or 0: not of use (a peer
 * that names what we asked for, or less, would have us try for ever).                           */
uint32_t sip_answer_min_expires(const struct sip_msg *m, uint32_t asked_s, uint32_t limit_s);
/* Retry-After of a response, 0 = none or broken; bounded by limit_s. */
uint32_t sip_answer_retry_after(const struct sip_msg *m, uint32_t limit_s);
/* This final response to a SUBSCRIBE (4.1.2.2) or NOTIFY (4.2.2) in a dialog ends the subscription:
 * 404, 405, 410, 416, 480-485, 489, 501, 604.                                                   */
bool sip_status_ends_subscription(unsigned status);

/* Accept (RFC 3261 20.1): does the sender take this type? The most specific range decides, q=0
 * means no, order does not matter.                                                              */
enum sip_accept {
    SIP_ACCEPT_ABSENT, /* not said: the default of the package */
    SIP_ACCEPT_YES,
    SIP_ACCEPT_NO, /* also: Accept with nothing in it */
    SIP_ACCEPT_BAD,
};
enum sip_accept sip_msg_accepts(const struct sip_msg *m, struct slice type, struct slice subtype);

/* What is served. All borrowed. */
struct sip_event_policy {
    const struct slice *packages; /* event-types: "presence"; also the value of Allow-Events */
    uint32_t package_count;
    const struct slice *types; /* of notifications: "application/pidf+xml"; the first one is the
                                  package's default, meant where there is no Accept */
    uint32_t type_count;
    uint32_t expires_default_s; /* where SUBSCRIBE says nothing; 0 = SIP_EXPIRES_PRESENCE_S */
    uint32_t expires_min_s;     /* 423 below it; more than SIP_EXPIRES_TOO_BRIEF_S counts as that */
    uint32_t expires_max_s;     /* granted at most; 0 = no bound */
};

struct sip_subscribe_view {
    struct sip_dialog_key key; /* key.local_tag empty = initial SUBSCRIBE */
    struct sip_uri uri;        /* Request-URI */
    struct sip_addr from;
    struct sip_addr to;
    struct sip_addr contact; /* uri.text empty = none, which only a SUBSCRIBE in a dialog may */
    struct sip_event event;
    uint32_t cseq;
    uint32_t expires_s;      /* granted: shortened to the policy's bound; 0 = end or fetch */
    bool supports_eventlist; /* said; never needed */
    uint32_t type_idx;       /* of policy->types, the first one that the watcher takes */
};
/* False: verdict says why not. 400 (malformed, no Contact, more than one), 489, 406, 423. */
bool sip_subscribe_read(const struct sip_msg *m, const struct sip_event_policy *p,
                        struct sip_subscribe_view *out, struct sip_verdict *verdict);

struct sip_notify_view {
    struct sip_dialog_key key; /* key.local_tag empty: out of dialog, 481 */
    struct sip_addr from;
    struct sip_addr to;
    struct sip_addr contact; /* uri.text empty = none: the target stays */
    struct sip_event event;
    struct sip_subscription_state state;
    uint32_t cseq;
    struct sip_media_type type; /* of body; type.type empty when there is none */
    struct slice body;
};
/* False: verdict says why not. 400 (malformed, no Event or Subscription-State), 489. */
bool sip_notify_read(const struct sip_msg *m, const struct sip_event_policy *p,
                     struct sip_notify_view *out, struct sip_verdict *verdict);
/* Header fields that belong to a verdict of these two: Allow-Events (489), Accept (406),
 * Min-Expires (423). Nothing for others.                                                        */
void sip_event_verdict_put(struct buf *out, const struct sip_event_policy *p,
                           const struct sip_verdict *verdict);
/* Allow-Events: in SUBSCRIBE, its 2xx and the answer to OPTIONS (4.4.4); nothing if empty. */
void sip_write_allow_events(struct buf *out, const struct slice *packages, uint32_t count);

#endif
