/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence_side_int: what presence_side.c, presence_stanza.c, presence_sip.c, presence_store.c and
 * contact_side.c share. */
#ifndef FG_EDGE_PRESENCE_SIDE_INT_H
#define FG_EDGE_PRESENCE_SIDE_INT_H

#include "edge/presence_mails.h"
#include "edge/presence_side.h"

struct xml_parser;

struct presence_side {
    struct edge *e;        /* borrowed */
    struct presence *core; /* owned */
    struct xml_parser *parser; /* owned: reads stanzas that came by mail */
    struct wheel_timer review_timer;
    bool is_review_new;
    struct list orders; /* struct contact_order.link: one ref of each is ours */
};

/* presence_stanza.c: what came by mail. */
void presence_side_take_stanza(struct presence_side *ps, const struct mail_presence_stanza *m);
void presence_side_take_undelivered(struct presence_side *ps, const struct mail_presence_pair *m);
void presence_side_take_seen(struct presence_side *ps, const struct mail_presence_seen *m);

/* presence_sip.c: likewise. */
void presence_side_take_request(struct presence_side *ps, const struct mail_sip_request *m);
void presence_side_take_answer(struct presence_side *ps, const struct mail_sip_answer *m);

/* presence_store.c */
/* For presence_ops. */
int presence_side_store(void *ctx, const struct presence_row *row, bool is_urgent,
                        uint64_t *ticket);
void presence_side_take_stored(struct presence_side *ps, const struct mail_stored *m);
/* All rows of edge_shared.rows that are ours. */
NODISCARD int presence_side_load(struct presence_side *ps);

/* contact_side.c */
void presence_side_take_contacts(struct presence_side *ps, const struct mail_contacts *m);
void presence_side_take_order(struct presence_side *ps, const struct mail_contact_order *m);
void presence_side_orders_free(struct presence_side *ps);
void presence_side_admin_done(void *ctx, uint64_t cookie, int err);

#endif
