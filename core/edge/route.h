/* SPDX-License-Identifier: GPL-2.0-or-later */
/* route: from a stanza in view to where it goes: verdict by the current snapshot, serialisation for
 * the target (or translation to SIP), and the block on its way to its home shard. Whatever
 * cannot go on is answered here. */
#ifndef FG_EDGE_ROUTE_H
#define FG_EDGE_ROUTE_H

#include "edge/edge.h"
#include "xmpp/stanza.h"

struct judgement;
struct xml_write_params;

/* The gate at which the reader should wait before it reads on. */
struct route_gate {
    char mem[FLOW_KEY_BYTES_MAX];
    struct slice key;
};

/* A checked stanza of an authenticated pair. True: read no more until gate opens. */
bool route_from_partner(struct edge *e, const struct stanza *st, struct route_gate *gate);
/* A stanza of the component that serves domain (A-labels). */
bool route_from_component(struct edge *e, struct slice domain, const struct stanza *st,
                          struct route_gate *gate);
/* Writes it to edge.scratch, without what the verdict takes out of it, which is counted;
 * params.without is set where that is needed. */
void route_write(struct edge *e, const struct stanza *st, struct xml_write_params *params,
                 const struct judgement *judgement);
/* Takes the block to its home shard, or answers it when nobody is responsible any more. */
void route_block(struct edge *e, struct block *b);

/* The same when the home is known already. */
void route_block_home(struct edge *e, struct block *b, uint32_t home);
/* Answers an iq or presence of a partner's user by itself, as translate/message.h says for whoever
 * takes only messages. False: it needs no answer. */
bool route_answer_other(struct edge *e, const struct stanza *st, struct slice local,
                        struct slice remote);

/* Ids of the stanzas this node makes itself, so that answers to them are recognised:
 * a ping that confirms deliveries, and a message that came from SIP. */
struct slice ping_id(uint64_t number, char mem[64]);
bool ping_id_parse(struct slice id, uint64_t *number);
struct slice sip_stanza_id(struct sip_origin origin, char mem[96]);
bool sip_stanza_id_parse(struct slice id, struct sip_origin *origin);

#endif
