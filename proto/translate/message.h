/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message: one instant message from one world to the other (RFC 7572, RFC 3428; pager mode). What
 * cannot be carried is either consumed (its sender expects no answer: typing, receipts, errors) or
 * refused with the error or status due; nothing disappears without one of these verdicts.
 * Pure functions; any thread. Ownership: see each result.                                        */
#ifndef FG_TRANSLATE_MESSAGE_H
#define FG_TRANSLATE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "sip/msg.h"
#include "xmpp/stanza.h"

enum message_verdict {
    MESSAGE_SEND,     /* put it on the other side */
    MESSAGE_CONSUMED, /* end of its way; no answer on XMPP, a 2xx on SIP; count why */
    MESSAGE_REFUSED,  /* answer with the error / status */
    MESSAGE_ERROR,    /* XMPP only, type error: for a waiting SIP transaction, else count it */
};

/* Why a message went no further: counters and logs. */
#define MESSAGE_WHYS(X)                                                                            \
    X(NONE, "none")                                                                                \
    X(EMPTY, "empty")                                                                              \
    X(CHAT_STATE, "chat_state")                                                                    \
    X(RECEIPT, "receipt")                                                                          \
    X(HEADLINE, "headline")                                                                        \
    X(GROUPCHAT, "groupchat")                                                                      \
    X(STANZA_ERROR, "stanza_error")                                                                \
    X(ENCRYPTED, "encrypted")                                                                      \
    X(PAYLOAD, "unknown_payload")                                                                  \
    X(TOO_BIG, "too_big")                                                                          \
    X(ADDRESS, "address")                                                                          \
    X(NOT_A_USER, "not_a_user")                                                                    \
    X(EXPIRED, "expired")                                                                          \
    X(MEDIA_TYPE, "media_type")                                                                    \
    X(ENCODING, "encoding")                                                                        \
    X(MALFORMED, "malformed")                                                                      \
    X(IDENTITY, "identity")                                                                        \
    X(NOMEM, "nomem")
enum message_why {
#define X(name, text) MESSAGE_WHY_##name,
    MESSAGE_WHYS(X)
#undef X
    MESSAGE_WHY_COUNT
};
const char *message_why_name(enum message_why why);

/* Text in one message, both ways, after conversion; default of the options. */
#define MESSAGE_BODY_BYTES_MAX 65536u
#define MESSAGE_SUBJECT_BYTES_MAX 1024u

/* ---- XMPP -> SIP ---- */

struct message_to_sip_options {
    uint32_t body_bytes_max; /* 0 = MESSAGE_BODY_BYTES_MAX */
    bool pass_headlines;     /* else consumed */
    bool with_gruu;          /* resources as gr in From and To (else AORs only) */
};

/* Slices borrow from the stanza's tree or from `text`. */
struct message_to_sip {
    enum message_verdict verdict;
    enum message_why why;
    struct stanza_error error; /* for MESSAGE_REFUSED */
    struct slice uri;          /* Request-URI and To */
    struct slice from_uri;     /* without tag */
    struct slice call_id;      /* from the thread; empty = the caller makes one */
    struct slice subject;      /* empty = none; may hold line ends (the SIP writer makes spaces) */
    struct slice language;     /* Content-Language, empty = none */
    struct slice body;         /* UTF-8, for MESSAGE_CONTENT_TYPE */
    int64_t date_unix_s;       /* Date: when it was really sent (XEP-0203); 0 = none */
    struct buf text;           /* owned: message_to_sip_deinit */
};
#define MESSAGE_CONTENT_TYPE SLICE_LIT("text/plain;charset=UTF-8")

/* st: a message to a SIP user. *out is filled whatever the verdict; deinit it always. */
void message_to_sip(struct message_to_sip *out, const struct stanza *st,
                    const struct message_to_sip_options *options);
void message_to_sip_deinit(struct message_to_sip *out);

/* ---- SIP -> XMPP ---- */

struct sip_keys;
struct message_from_sip_options {
    const struct sip_keys *keys; /* borrowed: what the checks decoded of m; NULL = decoded again */
    uint32_t body_bytes_max; /* 0 = MESSAGE_BODY_BYTES_MAX */
    bool type_normal;        /* else type='chat' */
    struct slice resource;   /* of SIP users without one of their own; empty = "sip" */
    struct slice id;         /* of the stanza; plain text */
    int64_t now_unix_s;      /* for Expires and the delay stamp */
};

struct message_from_sip {
    enum message_verdict verdict; /* never MESSAGE_ERROR */
    enum message_why why;
    unsigned status;     /* REFUSED: 4xx-6xx; SEND and CONSUMED: 202 */
    struct slice reason; /* static phrase for it, empty = the standard one */
    struct slice accept; /* value of an Accept header to add (415), else empty */
    bool accept_identity; /* add Accept-Encoding: identity (415) */
    struct jid from;     /* over from_mem */
    struct jid to;       /* over to_mem */
    struct jid_storage from_mem;
    struct jid_storage to_mem;
};

/* m: a MESSAGE that passed sip_check_request. For SEND the stanza is appended to *out as
 * <message from to type id>..., without xmlns (the stream's default). out->failed is reported as
 * REFUSED 500 or 413; then nothing stays appended. */
void message_from_sip(struct message_from_sip *result, struct buf *out, const struct sip_msg *m,
                      const struct message_from_sip_options *options);

/* ---- everything else that comes for a SIP user ---- */

enum message_other {
    MESSAGE_OTHER_ANSWERED, /* the answer was appended */
    MESSAGE_OTHER_CONSUMED, /* needs none */
};
/* What strangers are told of a SIP user, who may not exist; iq are answered so for everybody, since
 * only messages and presence are carried:
 *   iq get/set      error service-unavailable, also ping and service discovery
 *   subscribe       `unsubscribed`: a clear no now instead of a request pending for ever
 *   unsubscribe     `unsubscribed`, the confirmation that is due
 *   probe           `unavailable`: nothing is known; an existing authorisation is left alone
 *   other presence, iq result and error: consumed                                                */
enum message_other message_answer_other(struct buf *out, const struct stanza *st);

#endif
