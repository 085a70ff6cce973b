/* SPDX-License-Identifier: GPL-2.0-or-later */
/* error: SIP final responses -> stanza errors, and stanza errors -> SIP statuses for MESSAGE,
 * SUBSCRIBE and NOTIFY. RFC 7247 section 7 where it can be obeyed; where not (408 to a non-INVITE,
 * challenges without a challenge, 503 for one user's trouble) the nearest thing that can.
 * Pure functions; any thread. */
#ifndef FG_TRANSLATE_ERROR_H
#define FG_TRANSLATE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "sip/msg.h"
#include "xmpp/error.h"

/* Application condition for diagnosis: <sip-status xmlns="urn:fedgate:sip" code="403"
 * ms-id="1002"/> (ms-id: of ms-diagnostics); the reason phrase is in the text, "403 Forbidden". */
#define ERROR_SIP_NAME SLICE_LIT("sip-status")
#define ERROR_SIP_NS SLICE_LIT("urn:fedgate:sip")
#define ERROR_TEXT_BYTES_MAX 256u
#define ERROR_ATTRS_BYTES_MAX 48u

/* What a SIP response says about why. */
struct error_sip {
    unsigned status;        /* 300..699 */
    struct slice reason;    /* reason phrase; untrusted bytes */
    bool has_retry_after;
    bool has_warning_309;   /* 606 with it: contents refused by policy */
    uint32_t ms_diagnostics; /* id, 0 = none */
};
/* Reads those of a response (Retry-After, Warning, ms-diagnostics); reason borrows from it. */
void error_sip_read(struct error_sip *out, const struct sip_msg *response);

/* status -> error. text is written into mem (cleaned, cut at ERROR_TEXT_BYTES_MAX) and borrowed by
 * *out. mask_404: an unknown user looks like one that does not take messages (anti-harvesting). */
struct error_text {
    char bytes[ERROR_TEXT_BYTES_MAX];
    char attrs[ERROR_ATTRS_BYTES_MAX];
};
void error_from_sip(struct stanza_error *out, struct error_text *mem, const struct error_sip *sip,
                    bool mask_404);

/* When there is no response at all. */
enum error_local {
    ERROR_LOCAL_NO_ROUTE,   /* no address for the next hop, or no next hop */
    ERROR_LOCAL_NO_ANSWER,  /* connection, TLS or transaction timed out or failed; SERVFAIL */
    ERROR_LOCAL_QUEUE_FULL,
    ERROR_LOCAL_POLICY,     /* refused by our own rules */
};
void error_from_local(struct stanza_error *out, enum error_local what);

/* A stanza error, or a failure of the XMPP side itself, as a SIP response. */
enum error_stream {
    ERROR_STREAM_NONE,           /* it is a stanza error: see error */
    ERROR_STREAM_HOST_UNKNOWN,   /* the domain does not exist */
    ERROR_STREAM_UNREACHABLE,    /* not resolvable now, connection failed, timed out */
    ERROR_STREAM_NO_TRUST,       /* could not authenticate each other */
    ERROR_STREAM_TLS_REFUSED,    /* TLS demanded and not to be had */
    ERROR_STREAM_QUEUE_FULL,
};
struct error_xmpp {
    enum error_stream stream;
    struct stanza_error error;  /* of the stanza */
    bool is_to_full;            /* the stanza went to a full JID */
    bool is_about_size;         /* policy-violation: the message was too big */
    bool is_unresolvable;       /* remote-server-not-found: DNS failed rather than said no */
    struct slice alternate;     /* gone, redirect: "xmpp:user@host", may be empty */
};
struct error_response {
    unsigned status;
    struct slice reason;        /* static phrase, empty = the standard one */
    uint32_t retry_after_s;     /* Retry-After, 0 = none */
    bool has_contact;           /* 301, 302: the new SIP URI is in *contact */
};
#define ERROR_RETRY_AFTER_S 60u
/* contact gets "sip:..." for 301 and 302 and is else left alone. */
void error_to_sip(struct error_response *out, struct buf *contact, const struct error_xmpp *in);

#endif
