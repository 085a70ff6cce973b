/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notifier_int: the table of the notifier and what its files need of each other.
 *   notifier.c           what comes in, as events
 *   notifier_step.c      the table, states, what changes the authorisation
 *   notifier_dialog.c    SUBSCRIBE: dialogs begin, last, end
 *   notifier_notify.c    what a NOTIFY says and when it may go; what became of it; time
 *   notifier_document.c  the presentity's documents; probes
 *   notifier_row.c       rows, views, measures
 * Every event ends with notifier_run. One thread. */
#ifndef FG_PRESENCE_NOTIFIER_INT_H
#define FG_PRESENCE_NOTIFIER_INT_H

#include "presence/contact.h"
#include "sip/dialog.h"
#include "sip/event.h"

#define NOTIFIER_TICK_MS         100u
#define NOTIFIER_DIALOGS_MAX     8u       /* devices of one pair; the next one ends another */
#define NOTIFIER_ENDING_MAX      8u       /* final NOTIFYs of a pair on their way */
#define NOTIFIER_DIALOGS_ALL_MAX 1000000u /* of one presence object */
#define NOTIFIER_EXPIRES_MIN_S   60u
#define NOTIFIER_EXPIRES_MAX_S   86400u /* whatever the configuration says */

#define NOTIFIER_GAP_MS        5000u  /* between documents in one dialog (RFC 3856 6.10) */
#define NOTIFIER_RETRY_MS      30000u /* after a NOTIFY that failed; doubles */
#define NOTIFIER_RETRY_STEPS   4u     /* so often */
#define NOTIFIER_HELD_MS       10000u /* a loaded dialog waits so long for its row */
#define NOTIFIER_FAREWELLS_MAX 3u     /* tries of a final NOTIFY */
#define NOTIFIER_RETRY_AFTER_S 60u    /* told to whom we refuse for want of room */
#define NOTIFIER_PROBATION_S   600u

#define NOTIFIER_ASK_AGAIN_S     60u    /* `subscribe` again for a new watcher, not more often */
#define NOTIFIER_DOUBT_S         30u   /* a probe is answered by then, stream set-up counted */
#define NOTIFIER_PROBE_ANSWER_MS 60000u /* a probe is answered by then, or by nobody */
#define NOTIFIER_PROBE_REST_MS   5000u  /* and by the other resources so soon after the first */
#define NOTIFIER_FETCH_PROBE_S   60u    /* polling causes no more probes than one in that time */
#define NOTIFIER_STALE_S         900u
#define NOTIFIER_LOST_MS         300000u /* a domain unreachable for so long: said to watchers */
#define NOTIFIER_LOST_SPREAD_MS  30000u
#define NOTIFIER_REFUSED_S       86400u   /* a refusal is remembered */
#define NOTIFIER_ASKED_S         2592000u /* a request nobody answers and nobody repeats */
#define NOTIFIER_GRANT_RETRY_MS  5000u    /* doubles */
#define NOTIFIER_GRANT_WAIT_MS   300000u  /* at most */
#define NOTIFIER_GRANT_TRIES     32u

/* What may happen, and what is done about it in each state. Cells are acts.
 * X(event,            none,      asking,    granted,   refused) */
#define NOTIFIER_TABLE(X)                                                                          \
    /* SUBSCRIBE (RFC 6665 4.2.1; 4.4.3 for FETCH: Expires 0 without a dialog) */                  \
    X(SUBSCRIBE,           OPEN,      OPEN,      OPEN,      FORBID)                                \
    X(FETCH,               FETCH,     FETCH,     FETCH,     FORBID)                                \
    X(REFRESH,             MISSING,   REFRESH,   REFRESH,   MISSING)                               \
    X(UNSUBSCRIBE,         MISSING,   END,       END,       MISSING)                               \
    /* Presence stanzas. PRESENCE: available, or a resource that leaves. */                        \
    X(X_SUBSCRIBED,        IGNORE,    GRANT,     CONFIRM,   GRANT)                                 \
    X(X_PRESENCE,          DISCOVER,  SHOW,      KEEP,      IGNORE)                                \
    /* From the bare address: no resource is available, or (RFC 6121 3.1.3, rule 3) a server that  \
     * acknowledges `subscribe`. The latter is no grant. */                                        \
    X(X_UNAVAILABLE_BARE,  IGNORE,    IGNORE,    KEEP,      IGNORE)                                \
    /* In asking perhaps only a server's answer to our probe (RFC 6121 4.3.2, rule 1). */          \
    X(X_UNSUBSCRIBED,      RETRACT,   DOUBT,     DENY,      RETRACT)                               \
    X(X_ERROR,             IGNORE,    FAIL,      FAIL,      IGNORE)                                \
    /* The store about a grant. */                                                                 \
    X(STORED,              ACTIVATE,  ACTIVATE,  CONFIRM,   ACTIVATE)                              \
    X(STORE_FAILED,        GRANT_LATER, GRANT_LATER, IGNORE, GRANT_LATER)                          \
    /* Time. EXPIRED: of a dialog. PROBE_LOST: undelivered. LAPSED: of a refusal, or a request     \
     * nobody cares for. */                                                                        \
    X(EXPIRED,             IMPOSSIBLE, GIVE_UP,  TIME_OUT,  IMPOSSIBLE)                            \
    X(PROBE_DUE,           IGNORE,    ASK,       PROBE,     IGNORE)                                \
    X(PROBE_OVER,          IGNORE,    IGNORE,    COMPARE,   IGNORE)                                \
    X(PROBE_LOST,          IGNORE,    IGNORE,    MISS,      IGNORE)                                \
    X(LAPSED,              IMPOSSIBLE, LAPSE,    IMPOSSIBLE, LAPSE)                                \
    /* The stream to the domain. UNREACHABLE: down for NOTIFIER_LOST_MS. */                        \
    X(PARTNER_LOST,        IGNORE,    IGNORE,    SUSPECT,   IGNORE)                                \
    X(PARTNER_BACK,        IGNORE,    RESUME,    RESUME,    IGNORE)                                \
    X(UNREACHABLE,         IMPOSSIBLE, IMPOSSIBLE, LOSE,    IMPOSSIBLE)                            \
    /* NOTIFY: GONE ends the dialog (RFC 6665 4.2.2), FAILED does not. */                          \
    X(NOTIFY_GONE,         DROP,      DROP,      DROP,      DROP)                                  \
    X(NOTIFY_FAILED,       RETRY,     RETRY,     RETRY,     RETRY)                                 \
    /* Administrators and configuration. */                                                        \
    X(ALLOWED,             IGNORE,    IGNORE,    IGNORE,    CLEAR)                                 \
    X(BLOCKED,             SHUT,      SHUT,      SHUT,      IGNORE)                                \
    X(FORGOTTEN,           IGNORE,    WITHDRAW,  WITHDRAW,  WITHDRAW)                              \
    X(RULED_OUT,           IGNORE,    EXPEL,     EXPEL,     IGNORE)

enum notifier_event {
#define X(event, none, asking, granted, refused) NOTIFIER_EV_##event,
    NOTIFIER_TABLE(X)
#undef X
        NOTIFIER_EV_COUNT
};

/* X(act, function) */
#define NOTIFIER_ACTS(X)                                                                           \
    X(IGNORE, ignore)                                                                              \
    X(IMPOSSIBLE, impossible)                                                                      \
    X(OPEN, open)               /* 200, dialog, NOTIFY; the first one asks the presentity */       \
    X(FETCH, fetch)             /* 200, NOTIFY terminated with what is known */                    \
    X(REFRESH, refresh)         /* 200, NOTIFY */                                                  \
    X(END, end)                 /* 200, NOTIFY terminated;timeout, closed */                       \
    X(FORBID, forbid)           /* 403 */                                                          \
    X(MISSING, missing)         /* 481 */                                                          \
    X(GRANT, grant)             /* to the store first */                                           \
    X(CONFIRM, confirm)         /* as it is already */                                             \
    X(DISCOVER, discover)       /* SHOW if we asked by a probe */                                  \
    X(SHOW, show)               /* presence tells of a grant: GRANT, and KEEP for later */         \
    X(KEEP, keep)               /* the document changes: NOTIFY */                                 \
    X(RETRACT, retract)         /* a grant on its way to the store is off */                       \
    X(DOUBT, doubt)             /* DENY, or ask once more */                                       \
    X(DENY, deny)               /* refused; NOTIFY terminated;rejected */                          \
    X(FAIL, fail)               /* NOTIFY terminated;probation or ;noresource */                   \
    X(ACTIVATE, activate)       /* granted; NOTIFY active */                                       \
    X(GRANT_LATER, grant_later) /* the store again, with a bound */                                \
    X(GIVE_UP, give_up)         /* NOTIFY terminated;giveup */                                     \
    X(TIME_OUT, time_out)       /* NOTIFY terminated;timeout, closed */                            \
    X(ASK, ask)                 /* `subscribe` and `probe` */                                      \
    X(PROBE, probe)             /* `probe` */                                                      \
    X(COMPARE, compare)         /* resources that did not answer have left */                      \
    X(MISS, miss)               /* again after a while; LOSE at the second time */                 \
    X(LAPSE, lapse)             /* none */                                                         \
    X(SUSPECT, suspect)         /* a probe now and then, which also brings the stream back */      \
    X(RESUME, resume)           /* a probe soon, paced */                                          \
    X(LOSE, lose)               /* NOTIFY closed with a note */                                    \
    X(DROP, drop)               /* the dialog goes */                                              \
    X(RETRY, retry)             /* NOTIFY at the next change, or after a while */                  \
    X(CLEAR, clear)             /* none: may be asked again */                                     \
    X(SHUT, shut)               /* refused; NOTIFY terminated;rejected */                          \
    X(WITHDRAW, withdraw)       /* none; `unsubscribe`; NOTIFY terminated;rejected */              \
    X(EXPEL, expel)             /* NOTIFY terminated;probation; the authorisation stays */

enum notifier_act {
#define X(act, function) NOTIFIER_DO_##act,
    NOTIFIER_ACTS(X)
#undef X
        NOTIFIER_DO_COUNT
};
const char *notifier_event_name(enum notifier_event event);
const char *notifier_act_name(enum notifier_act act);
/* A cell of the table. */
enum notifier_act notifier_act_of(enum notifier_event event, enum notifier_state state);

/* What a NOTIFY carries while its dialog ends. */
enum notifier_farewell {
    NOTIFIER_FAREWELL_NONE,
    NOTIFIER_FAREWELL_CLOSED, /* RFC 8048 5.3.3 */
    NOTIFIER_FAREWELL_STATE,  /* what a fetch asked for */
};

/* Times as in struct notifier. The magic is sip's. */
struct notifier_dialog {
    struct notifier_dialog *next;
    struct sip_dialog *sip; /* owned */
    uint32_t packed_cseq;   /* in the row on its way to the store */
    uint32_t expires_at;
    uint32_t sent_at;      /* the last document; 0 = none */
    uint32_t retry_at;     /* not before this; 0 = at once */
    uint8_t reason;        /* enum sip_sub_reason; NONE = it lasts */
    uint8_t farewell;      /* enum notifier_farewell */
    uint8_t fails;         /* NOTIFYs in a row */
    bool is_in_flight : 1; /* a NOTIFY is: presence_call.dialog */
    bool is_owed : 1;      /* a NOTIFY is to be sent */
    bool is_urgent : 1;    /* without regard to NOTIFIER_GAP_MS */
    bool is_held : 1;      /* loaded: until its next numbers are reserved, or retry_at */
};

/* A SUBSCRIBE that was read. All borrowed for the event. */
struct notifier_request {
    const struct sip_msg *m;
    const struct presence_txn *txn;
    const struct sip_subscribe_view *view;
};

struct notifier_input {
    const struct notifier_request *request; /* SUBSCRIBE, FETCH, REFRESH, UNSUBSCRIBE */
    struct notifier_dialog *dialog;         /* REFRESH, UNSUBSCRIBE, EXPIRED, NOTIFY_* */
    const struct stanza *stanza;            /* X_PRESENCE, X_UNAVAILABLE_BARE */
    enum stanza_condition condition;        /* X_ERROR */
};

#define X(act, function)                                                                           \
    void notifier_act_##function(struct contact *c, const struct notifier_input *in);
NOTIFIER_ACTS(X)
#undef X

/* --- notifier_step.c --- */
void notifier_step(struct contact *c, enum notifier_event event, const struct notifier_input *in);
/* The machine's state alone; contact.state is for the caller. */
void notifier_set_state(struct contact *c, enum notifier_state next);
/* As the contact's row has it. */
void notifier_stored_set_state(struct contact *c);

/* --- notifier_dialog.c --- */
bool notifier_dialog_lasts(const struct notifier_dialog *d);
uint32_t notifier_lasting(const struct notifier *n);
void notifier_end_dialog(struct contact *c, struct notifier_dialog *d, enum sip_sub_reason reason,
                         enum notifier_farewell farewell);
void notifier_end_all(struct contact *c, enum sip_sub_reason reason);
/* 200 with what a SUBSCRIBE's answer holds; is_new: it makes a dialog. */
void notifier_answer_ok(struct contact *c, const struct notifier_request *request, bool is_new,
                        uint32_t expires_s);
/* Out of the list and freed, with what is in flight left behind. */
void notifier_drop_dialog(struct contact *c, struct notifier_dialog *d);
/* One that is in no list. */
void notifier_free_dialog(struct contact *c, struct notifier_dialog *d);
/* After a watcher's going: tells the presentity if he was the last one (RFC 8048 5.3.3). */
void notifier_watcher_left(struct contact *c);

/* --- notifier_notify.c --- */
/* A NOTIFY is due in this dialog: at once, whatever the gap (RFC 6665 4.2.1.2, 4.2.2). */
void notifier_owe(struct notifier_dialog *d);
/* The same in all that last: the state of the subscription has changed. */
void notifier_owe_all(struct contact *c);
/* The document has changed: in all that last, as soon as the gap allows. */
void notifier_tell_all(struct contact *c);
/* End of every event: does what is due, sends what may go, sets the next deadline. */
void notifier_run(struct contact *c);

/* --- notifier_document.c --- */
/* Takes available or unavailable presence. True: it is news for watchers. */
bool notifier_hear(struct contact *c, const struct stanza *st);
/* Sends `probe`; what follows are its answers. */
void notifier_probe_now(struct contact *c);
/* Plans a probe within so long, if none is planned or out. */
void notifier_plan_probe(struct contact *c, uint64_t within_ms);
void notifier_forget_probe(struct contact *c);
void notifier_forget_document(struct contact *c);
/* Resources that have left were told of: they go. */
void notifier_settle_document(struct contact *c);
/* A time within which so many contacts can send a stanza each. */
uint64_t notifier_spread_ms(uint64_t contact_count);
void notifier_read_document(const struct notifier *n, struct presence_state *out);
size_t notifier_fresh_bytes(const struct notifier *n);
uint32_t notifier_now_s(const struct contact *c);
/* A time so far ahead, never earlier. */
uint32_t notifier_ahead(const struct contact *c, uint64_t delay_ms);
static inline uint64_t notifier_ms(uint32_t at)
{
    return (uint64_t)at * NOTIFIER_TICK_MS;
}
/* What is left of a dialog; 0 also for one that ends. */
uint32_t notifier_left_s(const struct contact *c, const struct notifier_dialog *d);

#endif
