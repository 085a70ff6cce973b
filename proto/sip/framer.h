/* SPDX-License-Identifier: GPL-2.0-or-later */
/* framer: cuts the byte stream of one TCP or TLS connection into SIP messages and keep-alives
 * (RFC 3261 18.3, 7.5; RFC 5626 4.4.1). A message that lies whole in the bytes handed in is viewed
 * there; only an incomplete one is copied. Time is linear in the bytes under any splitting.
 *
 *   for (at = 0; at < len; at += used) {
 *       switch (sip_framer_feed(&f, bytes + at, len - at, &used)) { ... }
 *   }
 * One connection, one thread. Memory: pool, only while a message is incomplete.                  */
#ifndef FG_SIP_FRAMER_H
#define FG_SIP_FRAMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "sip/limits.h"
#include "sip/msg.h"

enum sip_frame {
    SIP_FRAME_MORE, /* all bytes used, no message yet */
    SIP_FRAME_MSG,  /* f->msg: valid until the next feed, and while the bytes handed in are. With a
                       body between body_bytes_max and SIP_SKIP_BYTES_MAX: without it, flaw 413 */
    SIP_FRAME_PONG, /* CRLF between messages: an answer to our ping, or noise */
    SIP_FRAME_PING, /* a second CRLF right behind it: answer SIP_PONG. So a ping is PONG, PING */
    SIP_FRAME_BAD,  /* border lost: if f->bad.status, answer f->msg with it; then close. Sticky. */
};

struct sip_framer {
    struct sip_msg msg;
    struct sip_bad bad;
    struct buf held;         /* owned: the beginning of an incomplete message */
    uint32_t line_at;        /* start of the line whose end is being searched, in the message */
    uint32_t total;          /* bytes of the whole message once its head is known, else 0 */
    uint32_t skip;           /* bytes of a body that is too large, still to be passed over */
    uint8_t crlf_seen;       /* bytes of CR LF CR LF seen between messages */
    uint32_t body_bytes_max; /* SIP_BODY_BYTES_MAX unless changed after init */
    bool release_held;       /* held carries the message of the last SIP_FRAME_MSG */
    bool is_bad;
};

void sip_framer_init(struct sip_framer *f);
void sip_framer_deinit(struct sip_framer *f);
/* *used is > 0 unless len is 0 or the framer is bad. */
enum sip_frame sip_framer_feed(struct sip_framer *f, const char *bytes, size_t len, size_t *used);
/* A message has begun and is not complete: the caller bounds how long that may last. */
bool sip_framer_is_inside(const struct sip_framer *f);

#define SIP_PING SLICE_LIT("\r\n\r\n")
#define SIP_PONG SLICE_LIT("\r\n")

#endif
