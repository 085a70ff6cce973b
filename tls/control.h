/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control: what comes in records other than application data once the handshake is over: alerts,
 * NewSessionTicket, KeyUpdate, attempts to renegotiate. Fed by our own record engine and with what
 * the kernel opened. Keeps no message: a few bytes of state. RFC 8446 4.6, 6; 5246 7.2, 7.4.1.1. */
#ifndef FG_TLS_CONTROL_H
#define FG_TLS_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "tls/alert.h"

/* Records, and handshake messages in them, in a row without application data: a peer that sends
 * more is only making us work. A record with one message counts once. */
#define CONTROL_QUIET_MAX 64u
/* Body of a NewSessionTicket or ClientHello. */
#define CONTROL_MESSAGE_BYTES_MAX 65536u

struct control {
    uint8_t header[4];   /* of a handshake message that is not complete */
    uint8_t header_have;
    bool is_client;      /* tickets are for clients */
    bool is_tls13;
    uint32_t body_left;
    uint32_t quiet_count;
};

enum control_event {
    CONTROL_NOTHING,     /* go on */
    CONTROL_CLOSED,      /* close_notify */
    CONTROL_UPDATE,      /* the peer's next record is under its next key */
    CONTROL_UPDATE_BOTH, /* and it wants us to change ours */
    CONTROL_REFUSE,      /* TLS 1.2 wish to renegotiate: answer warning no_renegotiation, go on */
    CONTROL_ALERT,       /* the peer ended it: *alert */
    CONTROL_BAD,         /* send *alert and end */
};

void control_init(struct control *c, bool is_client, bool is_tls13);
/* Application data came: the patience starts anew. An empty record is quiet: control_quiet. */
void control_data(struct control *c);
/* False when there were too many. */
bool control_quiet(struct control *c);
/* One record's content, whole. Counts as quiet. *alert: see above. A KeyUpdate must end its record
 * (RFC 8446 5.1), messages may be split over records but, in TLS 1.3, not be mixed with other
 * types. */
enum control_event control_feed(struct control *c, uint8_t type, struct slice content,
                                uint8_t *alert);
/* False: application data may not come here, a handshake message is not complete (TLS 1.3). */
bool control_is_at_border(const struct control *c);

#endif
