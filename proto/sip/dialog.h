/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dialog: one dialog of a subscription as a value (RFC 3261 12; RFC 6665 4.1.4, 4.4.1): what is
 * needed to know a request as its own and to write the next one. No state machine, no timers, no
 * table: whoever keeps dialogs finds them by Call-ID and local tag, which all forks of one
 * subscription share, and asks sip_dialog_match which of them it is.
 *
 * Subscriber (UAC): sip_dialog_new_uac before the first SUBSCRIBE; the first NOTIFY makes the
 * dialog (sip_dialog_establish), as its route set is the NOTIFY's (6665 4.4.1). A 2xx that comes
 * before is held as tentative: good enough to unsubscribe with, replaced by the NOTIFY's data.
 * Notifier (UAS): sip_dialog_new_uas from the SUBSCRIBE; established at once.
 *
 * Memory: one block of struct sip_dialogs, strings packed behind it. Functions that may need a
 * larger block take struct sip_dialog ** and change nothing when they fail. Slices handed
 * out are valid until the next such call. One thread per struct sip_dialogs.
 * Errors: ERR_NOMEM; ERR_LIMIT = a value beyond SIP_DIALOG_*; ERR_SIP_SYNTAX, ERR_SIP_URI = a
 * value that no dialog can have (sip_dialog_status says what to answer).                        */
#ifndef FG_SIP_DIALOG_H
#define FG_SIP_DIALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "sip/limits.h"
#include "sip/msg.h"
#include "sip/write.h"

struct sip_dialog; /* begins with a magic; opaque */

/* Where dialogs are: blocks of their sizes, and route sets and targets that many have in common
 * (with an outbound proxy and one presence server all do) once. NULL: no memory.               */
struct sip_dialogs;
NODISCARD struct sip_dialogs *sip_dialogs_new(void);
/* All its dialogs have been freed. NULL is accepted. */
void sip_dialogs_free(struct sip_dialogs *in);
/* Of what is shared, not counted by sip_dialog_bytes. */
size_t sip_dialogs_bytes(const struct sip_dialogs *in);

/* The three values that name a dialog, as they stand in a message that we received. */
struct sip_dialog_key {
    struct slice call_id;
    struct slice local_tag;  /* To of a request, From of a response; empty = none: out of dialog */
    struct slice remote_tag; /* From of a request, To of a response; empty = none (RFC 2543) */
};
/* 0, ERR_NOT_FOUND, ERR_SIP_SYNTAX or ERR_SIP_URI; points into m. */
NODISCARD int sip_dialog_key_read(const struct sip_msg *m, struct sip_dialog_key *out);

enum sip_dialog_match {
    SIP_DIALOG_OTHER,   /* Call-ID or local tag differ, or no local tag */
    SIP_DIALOG_OURS,    /* all three are equal, byte for byte (12.2.2) */
    SIP_DIALOG_NASCENT, /* UAC not yet established: a NOTIFY with this key makes it so, a 2xx is its
                           answer */
    SIP_DIALOG_FORK,    /* UAC, established, another remote tag: see sip_dialog_fork */
};
enum sip_dialog_match sip_dialog_match(const struct sip_dialog *d,
                                       const struct sip_dialog_key *key);

/* UAC before any answer. cseq: of the first request, 1..2^31-2 (sip_dialog_next uses it first).
 * Call-ID and tag are ours (ids.h), asserted to be within bounds. NULL: no memory.              */
NODISCARD struct sip_dialog *sip_dialog_new_uac(struct sip_dialogs *in, struct slice call_id,
                                                struct slice local_tag, uint32_t cseq);
/* UAS from a SUBSCRIBE without To tag. cseq: of our first NOTIFY, 1..2^31-2. plain_local and
 * plain_remote: the URIs that the caller would write into From and To anyway; the request's own
 * are kept only where they differ from these.                                                   */
struct sip_dialog_uas {
    struct slice local_tag;
    struct slice event_id; /* of the request's Event, to be repeated in each NOTIFY; mostly empty */
    uint32_t cseq;
    struct slice plain_local;  /* of the request's To */
    struct slice plain_remote; /* of the request's From */
};
NODISCARD int sip_dialog_new_uas(struct sip_dialogs *in, const struct sip_msg *subscribe,
                                 const struct sip_dialog_uas *uas, struct sip_dialog **out);
/* NULL is accepted. */
void sip_dialog_free(struct sip_dialog *d);

/* UAC, match said NASCENT: a NOTIFY (remote tag, target, route set in order, remote CSeq) makes it
 * established; a 2xx (remote tag, target, route set reversed) only tentative, and one whose values
 * no dialog can have is passed over. An established dialog is left as it is by a 2xx; a NOTIFY to
 * it is a mistake (ERR_STATE): for those see sip_dialog_take_cseq and sip_dialog_retarget.      */
NODISCARD int sip_dialog_establish(struct sip_dialog **d, const struct sip_msg *m);
/* Another dialog of the same subscription (6665 4.1.4), established by this NOTIFY, match said
 * FORK. The caller owns both.                                                                   */
NODISCARD int sip_dialog_fork(const struct sip_dialog *d, const struct sip_msg *notify,
                              struct sip_dialog **out);

/* CSeq of a request that match said OURS to (12.2.2). NEW is remembered. */
enum sip_dialog_order {
    SIP_ORDER_NEW,
    SIP_ORDER_REPEATED, /* the number of the last one: already handled, or over another path */
    SIP_ORDER_LOWER,    /* answer 500 */
};
enum sip_dialog_order sip_dialog_take_cseq(struct sip_dialog *d, uint32_t number);
/* Target refresh (12.2.1.2, 12.2.2): the Contact of a SUBSCRIBE, NOTIFY or 2xx in the dialog is the
 * remote target from now on; without Contact nothing changes. The route set never changes again.
 * *changed (may be NULL): it is another one than before, so the stored form is out of date.     */
NODISCARD int sip_dialog_retarget(struct sip_dialog **d, const struct sip_msg *m, bool *changed);

/* Space for the Route values of one request. */
struct sip_dialog_routes {
    struct slice values[SIP_DIALOG_ROUTES_MAX + 1];
};
/* The next request in the dialog (12.2.1.1): sets uri, route (pointing to *routes), route_count,
 * from_tag, to_tag, call_id, cseq; from_uri and to_uri only where the dialog holds others than the
 * plain ones that the caller has put there. Before any answer uri stays the caller's and there is
 * no Route. Counts the CSeq. ERR_LIMIT: CSeq is used up (2^31-1): make a new dialog.            */
NODISCARD int sip_dialog_next(struct sip_dialog *d, struct sip_dialog_routes *routes,
                              struct sip_request_params *p);

/* Header fields of the 2xx that makes a UAS dialog: the request's Record-Route, unchanged (12.1.1).
 * Contact is the caller's.                                                                      */
void sip_dialog_answer_put(struct buf *out, const struct sip_msg *subscribe);

bool sip_dialog_is_established(const struct sip_dialog *d);
bool sip_dialog_is_uac(const struct sip_dialog *d);
struct slice sip_dialog_call_id(const struct sip_dialog *d);
struct slice sip_dialog_local_tag(const struct sip_dialog *d);
struct slice sip_dialog_remote_tag(const struct sip_dialog *d); /* empty = not known yet */
struct slice sip_dialog_target(const struct sip_dialog *d);     /* URI; empty = not known yet */
struct slice sip_dialog_event_id(const struct sip_dialog *d);   /* empty = none */
uint32_t sip_dialog_cseq(const struct sip_dialog *d);           /* of the last request sent */
/* What the dialog's own block takes. */
size_t sip_dialog_bytes(const struct sip_dialog *d);
/* 4xx or 500 to answer a request with whose values made a function above fail. */
uint16_t sip_dialog_status(int err);

/* Stored form: versioned bytes, at most SIP_DIALOG_PACKED_BYTES_MAX. It holds, instead of the last
 * CSeq, one SIP_DIALOG_CSEQ_RESERVE ahead, from which an unpacked dialog goes on: so no number is
 * used twice although dialogs are written late (RFC 3261 12.2.1.1: strictly increasing). Returns
 * that number, to be given to sip_dialog_stored when the bytes are durable.                     */
uint32_t sip_dialog_pack(const struct sip_dialog *d, struct buf *out);
void sip_dialog_stored(struct sip_dialog *d, uint32_t cseq_packed);
/* Half of the reserve is used up, or nothing was stored since the dialog was made or unpacked:
 * write it. An unpacked dialog is best written before its first request, else a second crash makes
 * it go on from the same number again. Changes of target and establishment are for the caller to
 * notice: it made them.                                                                         */
bool sip_dialog_needs_store(const struct sip_dialog *d);
/* bytes may be anything. 0, ERR_BAD_INPUT (also: another version), ERR_NOMEM. */
NODISCARD int sip_dialog_unpack(struct sip_dialogs *in, struct slice bytes,
                                struct sip_dialog **out);

#endif
