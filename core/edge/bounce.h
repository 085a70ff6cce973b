/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bounce: the other end of custody: a stanza that cannot be delivered is answered with an error to
 * whoever sent it: a component, a partner's user, or a SIP request that waits for its response.
 * Errors and iq results are never answered (RFC 6120 8.3.1): they are counted and end here. */
#ifndef FG_EDGE_BOUNCE_H
#define FG_EDGE_BOUNCE_H

#include "edge/edge.h"
#include "xmpp/stanza.h"

/* Takes the block. why: one that has a row in bounce.c. detail: for the sender, may be NULL. */
void bounce_block(struct edge *e, struct block *b, enum bounce_why why, const char *detail);
/* All of a queue. */
void bounce_queue(struct edge *e, struct block_queue *q, enum bounce_why why, const char *detail);

/* Answers a stanza in view that came from a partner (to_partner) or from a component with an error;
 * local and remote are the A-labels of the pair. */
struct bounce_reply {
    bool to_partner;
    struct slice local;
    struct slice remote;
    struct stanza_error error;
};
void bounce_stanza(struct edge *e, const struct stanza *st, const struct bounce_reply *reply);

#endif
