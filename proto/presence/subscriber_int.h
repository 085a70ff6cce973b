/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_int: the inside of the subscription machine of direction in, shared by subscriber*.c.
 * subscriber.c events in, subscriber_step.c the table, subscriber_act.c what its cells do,
 * subscriber_dialog.c the dialogs, subscriber_send.c requests, _response.c what became of them,
 * _notify.c NOTIFY, _tell.c what the watcher is told, _time.c deadlines, _row.c the stored form.
 *
 * A dialog has a phase of its own. Only NASCENT and LIVE ones are the machine's business (at most
 * one NASCENT, and then no LIVE one); one that is ENDING is finished off by itself, whatever the
 * machine does meanwhile: so an abandoned SUBSCRIBE leaves nothing behind at the notifier. */
#ifndef FG_PRESENCE_SUBSCRIBER_INT_H
#define FG_PRESENCE_SUBSCRIBER_INT_H

#include "presence/contact.h"
#include "presence/subscriber.h"
#include "sip/dialog.h"
#include "sip/event.h"

#define SUBSCRIBER_LIVE_MAX    8u /* forks of one subscription */
#define SUBSCRIBER_ENDING_MAX  4u /* dialogs on their way out; further ones wait */
#define SUBSCRIBER_DIALOGS_MAX (SUBSCRIBER_LIVE_MAX + 2u * SUBSCRIBER_ENDING_MAX)

/* Seconds. */
#define SUBSCRIBER_EXPIRES_S      3600u
#define SUBSCRIBER_EXPIRES_LYNC_S 28800u
#define SUBSCRIBER_EXPIRES_MAX_S  86400u /* of a Min-Expires */
#define SUBSCRIBER_LONGER_MAX     3u     /* 423s in a row that are followed */
#define SUBSCRIBER_REFRESH_MIN_S  10u    /* between SUBSCRIBEs in a dialog */
#define SUBSCRIBER_PERSIST_MIN_S  30u    /* the same, after one that failed */
#define SUBSCRIBER_SLACK_S        2u     /* a NOTIFY was so long on its way */
#define SUBSCRIBER_BACKOFF_S      60u    /* doubling to ... */
#define SUBSCRIBER_BACKOFF_MAX_S  3600u
#define SUBSCRIBER_RETRY_AFTER_S  21600u /* a Retry-After counts up to this */
#define SUBSCRIBER_CHALLENGED_S   600u
#define SUBSCRIBER_PROBATION_S    600u
#define SUBSCRIBER_GIVEUP_S       3600u
#define SUBSCRIBER_MISS_S         21600u
#define SUBSCRIBER_MISSES_MAX     3u
#define SUBSCRIBER_DENIED_S       86400u
#define SUBSCRIBER_AGAIN_S        60u /* a watcher who asks again in BACKOFF is heard this often */
#define SUBSCRIBER_QUICK_MAX      3u  /* new dialogs at once within SUBSCRIBER_AGAIN_S */
#define SUBSCRIBER_MIGRATE_S      5u  /* "deactivated": new dialog within this */
#define SUBSCRIBER_KEEP_S         30u
#define SUBSCRIBER_KEEP_MIGRATE_S 60u /* SUBSCRIBER_MIGRATE_S, Timer N and some */
#define SUBSCRIBER_GRACE_S        120u
#define SUBSCRIBER_IDLE_S         93600u /* 26 h */
#define SUBSCRIBER_CUT_S          3600u
#define SUBSCRIBER_TELL_S         5u
#define SUBSCRIBER_TELL_TRIES_MAX 9u /* then every 5 s << 9 = 43 min */
#define SUBSCRIBER_PAY_S          2u /* a new `subscribe` may be right behind the `unsubscribe` */
/* By then a notifier has given up every NOTIFY that was under way (Timer F is as long as N), and
 * the subscription with it (RFC 6665 4.2.2). */
#define SUBSCRIBER_DOUBT_S        (SIP_TIMER_N_S + SUBSCRIBER_SLACK_S)
#define SUBSCRIBER_GHOST_S        600u /* that somebody left may still turn out not to be told */
#define SUBSCRIBER_WRITE_S        10u /* the end that is acknowledged is durable, or this is over */
#define SUBSCRIBER_END_TRIES_MAX  3u
/* After a start the loaded dialogs are written before they are used, so that a second crash does
 * not use their CSeq again (dialog.h). */
#define SUBSCRIBER_LOAD_S         6u
#define SUBSCRIBER_LOAD_SPREAD_S  4u
#define SUBSCRIBER_END_RETRY_S    60u
#define SUBSCRIBER_SPREAD_DIVISOR 10u /* a Retry-After is spread over a tenth more */

enum subscriber_phase {
    SUBSCRIBER_NASCENT, /* SUBSCRIBE is out or due; no NOTIFY yet */
    SUBSCRIBER_LIVE,    /* a NOTIFY made it; profile lync: or a 2xx */
    SUBSCRIBER_ENDING,  /* SUBSCRIBE with Expires 0 is due or out, or its NOTIFY awaited */
};

struct subscriber_dialog {
    struct subscriber_dialog *next; /* owned */
    struct sip_dialog *sip;         /* owned */
    struct presence_call *call;     /* borrowed until its response; NULL = nothing in flight */
    char *document;                 /* owned; packed state; NULL = none */
    uint32_t asked_s;               /* Expires that we ask for */
    uint32_t expires_s;             /* when it ends; 0 = not known yet. Held: Retry-After */
    uint32_t refresh_s;             /* next SUBSCRIBE in it; 0 = not planned */
    uint32_t timer_n_s;             /* NOTIFY must have come by then; 0 = has */
    uint32_t doubt_s; /* until then what a lost connection took with it may still end it */
    uint32_t cseq_packed;           /* in the row on its way to the store */
    uint32_t said_yes; /* held: whom the 2xx named (subscriber_fork); 0 = none came */
    uint32_t said_no;  /* held: another fork that ended for the same reason; 0 = none known */
    uint16_t document_len;
    uint8_t phase; /* enum subscriber_phase */
    uint8_t tries;
    uint8_t reason;        /* held: enum sip_sub_reason */
    bool wants : 1;        /* its next SUBSCRIBE is due */
    bool is_active : 1;    /* said its last NOTIFY */
    bool is_heard : 1;     /* a NOTIFY came in it since it is in this memory */
    bool is_confirmed : 1; /* a 2xx came to the SUBSCRIBE that made it */
    bool is_over : 1;      /* its last NOTIFY has come; see subscriber_notify.c */
    bool is_loaded : 1;    /* its row is not written again yet since the start */
};

/* subscriber.last_error below 100. */
enum subscriber_error {
    SUBSCRIBER_ERROR_NONE,
    SUBSCRIBER_ERROR_TIMER_N,
    SUBSCRIBER_ERROR_EXPIRED,
    SUBSCRIBER_ERROR_STORE,
    SUBSCRIBER_ERROR_TERMINATED, /* + enum sip_sub_reason */
};

enum subscriber_call { SUBSCRIBER_CALL_NEW, SUBSCRIBER_CALL_REFRESH, SUBSCRIBER_CALL_END };

/* --- the table ------------------------------------------------------------------------------- */

enum subscriber_event {
#define ROW(event, ...) SUBSCRIBER_ON_##event,
#include "presence/subscriber_cells.def"
#undef ROW
    SUBSCRIBER_EVENT_COUNT
};
const char *subscriber_event_name(enum subscriber_event event);

/* What an event brings along; the rest is empty. */
struct subscriber_step {
    enum subscriber_event event;
    const struct stanza *stanza;      /* from the watcher */
    struct subscriber_dialog *dialog; /* S events: NASCENT or LIVE */
    const struct sip_msg *response;   /* final response, NULL = none came */
    unsigned status;
    const struct sip_notify_view *notify;
    const struct sip_subscription_state *ended; /* TERMINATED: why */
    const struct sip_msg *message;              /* of notify */
};
/* The transition function: logs, asserts, acts. step may be NULL. */
void subscriber_step(struct contact *c, enum subscriber_event event, struct subscriber_step *step);
/* The same for an event of a dialog; where it ends one fork of several, the machine stays. */
void subscriber_event(struct contact *c, enum subscriber_event event, struct subscriber_step *step);
void subscriber_set_state(struct contact *c, enum subscriber_state state);

typedef void subscriber_action_fn(struct contact *c, struct subscriber_step *step);
enum subscriber_action {
#define ACTION(name, fn) SUBSCRIBER_DO_##name,
#include "presence/subscriber_actions.def"
#undef ACTION
    SUBSCRIBER_ACTION_COUNT
};
#define ACTION(name, fn) subscriber_action_fn fn;
#include "presence/subscriber_actions.def"
#undef ACTION
/* For the test that prints and counts the table. */
enum subscriber_action subscriber_cell(enum subscriber_event event, enum subscriber_state state);
const char *subscriber_state_name(enum subscriber_state state);
const char *subscriber_action_name(enum subscriber_action action);

/* --- pieces ---------------------------------------------------------------------------------- */

uint32_t subscriber_now_s(const struct contact *c);
uint32_t subscriber_random_s(const struct contact *c, uint32_t bound_s); /* 0..bound */
/* After every event: sends what is due, says what is owed, arms the timer. */
void subscriber_settle(struct contact *c);
/* The partner is there: an `unsubscribed` that was lost is said again, when settled. */
void subscriber_hear(struct contact *c);

/* dialogs */
uint32_t subscriber_count(const struct contact *c, enum subscriber_phase phase);
struct subscriber_dialog *subscriber_dialog_new(struct contact *c, struct sip_dialog *sip);
/* Out of the list and freed; a call in flight no longer knows it. */
void subscriber_dialog_drop(struct contact *c, struct subscriber_dialog *d);
/* All of them, when the contact goes: nothing is written any more. */
void subscriber_dialogs_free(struct contact *c);
/* Finishes it off: at once if the notifier cannot know it, else by SUBSCRIBE with Expires 0. */
void subscriber_dialog_end(struct contact *c, struct subscriber_dialog *d);
/* Until its row is written again: SUBSCRIBER_LOAD_S. */
void subscriber_dialog_wait(struct contact *c, struct subscriber_dialog *d);
/* The connection to the notifier was lost, or we were: its NOTIFY may have been lost with it. It
 * says yes to the refresh that follows, and ends the dialog all the same when that NOTIFY times
 * out; nobody would notice until the next refresh, the better part of an hour. */
void subscriber_dialog_doubt(struct contact *c, struct subscriber_dialog *d);
void subscriber_end_all(struct contact *c); /* those that are NASCENT or LIVE */
/* Interval as negotiated by a SUBSCRIBE: expiry and time of refresh. */
void subscriber_dialog_lasts(struct contact *c, struct subscriber_dialog *d, uint32_t interval_s);
/* What a NOTIFY says is left of it counts if that is less than is known. */
void subscriber_dialog_left(struct contact *c, struct subscriber_dialog *d, uint32_t left_s);

/* One of several forks ends; the others go on. */
void subscriber_fork_lost(struct contact *c, struct subscriber_step *step);

/* A fork by its tag; never 0. */
uint32_t subscriber_fork(struct slice tag);
/* What a NOTIFY said before it was certain that it speaks for all: now it does. */
void subscriber_held_out(struct contact *c, struct subscriber_dialog *d);

/* requests (pace) */
void subscriber_pump(struct contact *c);
/* An ENDING dialog's SUBSCRIBE was answered or not. */
void subscriber_end_answered(struct contact *c, struct subscriber_dialog *d, unsigned status);

/* what the watcher is told */
struct subscriber_change {
    struct presence_state before;
    char *block; /* owned; what before borrows from */
    uint16_t block_len;
};
bool subscriber_is_granted(const struct contact *c);
bool subscriber_has_heard(const struct contact *c); /* a NOTIFY, in a LIVE dialog */
void subscriber_known(const struct contact *c, struct presence_state *out);
/* What is known now; then change dialogs and documents; then one of the last three. */
void subscriber_change_begin(struct contact *c, struct subscriber_change *change);
/* Tells the difference, or everything if the watcher does not know yet; nothing without a grant.
 * now: what to tell; NULL = what is known. */
void subscriber_change_end(struct contact *c, struct subscriber_change *change,
                           const struct presence_state *now);
/* Tells what has left, as far as the watcher ever knew of it. */
void subscriber_change_hide(struct contact *c, struct subscriber_change *change);
void subscriber_change_drop(struct contact *c, struct subscriber_change *change);
/* Everything, to whom it asked (NULL: the bare address). */
void subscriber_tell_all(struct contact *c, const struct stanza *probe);
/* What was said did not arrive, or may not have: is said again, ever more rarely. */
void subscriber_tell_again(struct contact *c);
void subscriber_tell_error(struct contact *c, enum stanza_condition condition);
/* Documents. False: no memory, it is as before. */
bool subscriber_document_set(struct contact *c, struct subscriber_dialog *d,
                             const struct presence_state *state);
void subscriber_document_drop(struct contact *c, struct subscriber_dialog *d);
/* What is known is all that remains of dialogs about to go; withdrawn after keep_s seconds, 0 =
 * never. */
void subscriber_keep(struct contact *c, uint32_t keep_s);
void subscriber_kept_drop(struct contact *c);
/* All that is known goes, and the watcher is told so. */
void subscriber_withdraw(struct contact *c);

#endif
