/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dialog: a subscription's dialog as its SIP side keeps it (RFC 3261 12, RFC 6665 4.4.1): begun by
 * the other side's request, or by its response to ours; what the requests within it are addressed
 * with. Written anew, not over sip/dialog.h, so that tool and server do not agree on one mistake.
 * Routes are loose (lr); a strict router's address is a Route like any other. One thread. Memory:
 * pool, one block each. */
#ifndef FG_LOAD_DIALOG_H
#define FG_LOAD_DIALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "sip/msg.h"
#include "sip/write.h"

#define DIALOG_ROUTES_MAX     8u
#define DIALOG_TEXT_BYTES_MAX 4096u /* all that is kept of the other side; its Call-ID with it */

struct dialog {
    char *text; /* owned; NULL = there is none. Call-ID, tag, target, routes, without gaps */
    uint16_t call_id_bytes;
    uint16_t tag_bytes; /* the other side's */
    uint16_t target_bytes;
    uint16_t route_bytes[DIALOG_ROUTES_MAX];
    uint32_t route_count;
    uint32_t cseq;        /* of our last request */
    uint32_t remote_cseq; /* of theirs */
    bool has_remote_cseq;
};

/* Takes over what a SUBSCRIBE, a NOTIFY or a 2xx of theirs says; what was there before is freed,
 * but our cseq stays. NULL, or what it lacks: static text. */
NODISCARD const char *dialog_begin(struct dialog *d, const struct sip_msg *m);
void dialog_end(struct dialog *d);

/* Their tag and Call-ID are this dialog's. */
bool dialog_has(const struct dialog *d, const struct sip_msg *m);
/* A request of theirs within it: its number must rise (RFC 3261 12.2.2); its Contact is the target
 * from now on (RFC 6665 4.4.1). NULL, or what is wrong. */
NODISCARD const char *dialog_follow(struct dialog *d, const struct sip_msg *m);

/* Our next request within it: Request-URI, Route, To tag, Call-ID, CSeq are filled in; the rest of
 * params is the caller's, and so is what follows the start. */
void dialog_write(struct dialog *d, struct buf *out, struct sip_request_params params);

#endif
