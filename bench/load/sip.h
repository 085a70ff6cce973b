/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip: the SIP side behind the measured server, over TCP or TLS: a pool of phones as source of
 * MESSAGEs, a next hop as sink. sip.c: the kind; sip_talk.c: requests and responses; their
 * connections: sip_lines.h. Private to the two.
 *
 * A source dials --sip-lines connections; a flow has one request under way, as RFC 3428 section 8
 * demands of a recipient's messages: the next one goes when the final response has come. Over
 * TCP nothing is sent twice. A sink is dialled by the server, answers each MESSAGE 200 and OPTIONS
 * with what it takes; so does a source, which the server may dial as its next hop.              */
#ifndef FG_LOAD_SIP_H
#define FG_LOAD_SIP_H

#include "load/sip_form.h"
#include "load/sip_lines.h"

struct sip_party {
    struct sip_lines base;
    struct sip_form form;
    uint64_t *waiting; /* owned; per flow: 1 + number of the request under way, 0 = none */
};

static inline struct sip_party *sip_of(const struct wire *w)
{
    return CONTAINER_OF(w->lines, struct sip_party, base.lines);
}

/* A whole message has come. */
void sip_talk_take(struct wire *w, const struct sip_msg *m);
void sip_talk_writable(struct wire *w);
bool sip_talk_write(void *party, const struct schedule_order *order);

#endif
