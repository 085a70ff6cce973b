/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip: the SIP side behind the measured server, over TCP or TLS: a pool of phones as source of
 * MESSAGEs, a next hop as sink. sip.c: connections; sip_talk.c: requests and responses. Private to
 * the two.
 *
 * A source dials --sip-lines connections; a flow has one request under way, as RFC 3428 section 8
 * demands of a recipient's messages: the next one goes when the final response has come. Over
 * TCP nothing is sent twice. A sink is dialled by the server, answers each MESSAGE 200 and OPTIONS
 * with what it takes; so does a source, which the server may dial as its next hop.              */
#ifndef FG_LOAD_SIP_H
#define FG_LOAD_SIP_H

#include "base/list.h"
#include "engine/conn.h"
#include "load/party.h"
#include "load/sip_form.h"
#include "sip/framer.h"

struct dial;

struct sip_line {
    uint32_t magic;
    struct sip_party *party; /* borrowed */
    struct conn *c;          /* the engine's; NULL before the dial is done */
    struct dial *dial;       /* owned; NULL = accepted */
    struct list all;         /* accepted: in the party's list */
    struct sip_framer framer;
    uint32_t line; /* of dialled ones */
    bool is_ready;
    bool is_closing; /* by us */
};

struct sip_party {
    struct stage *stage;
    enum side side;
    struct sip_form form;
    uint32_t line_count;
    struct sip_line **lines; /* owned array; NULL = not dialled now */
    struct list accepted;
    uint64_t *waiting; /* owned; per flow: 1 + number of the request under way, 0 = none */
};

/* A whole message has come. */
void sip_talk_take(struct sip_line *l, const struct sip_msg *m);
bool sip_talk_write(struct sip_line *l, const struct schedule_order *order);

#endif
