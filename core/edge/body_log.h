/* SPDX-License-Identifier: GPL-2.0-or-later */
/* body_log: the text of instant messages in the log, where gateway.log_message_bodies asks for it:
 * "message_body dir=in from= to= bytes= part= text=". bytes is the whole text's length; a long one
 * takes several lines and ends, cut, after BODY_LOG_BYTES_MAX bytes. Shown as it is but for what a
 * terminal or a reader of lines would act on. Without the setting nothing of a text is logged at
 * any level. The shard's thread. */
#ifndef FG_EDGE_BODY_LOG_H
#define FG_EDGE_BODY_LOG_H

#include "edge/partner_run.h"
#include "xmpp/stanza.h"

#define BODY_LOG_BYTES_MAX 2048u
#define BODY_LOG_BODIES_MAX 16u /* of one message; of more the number is told */
#define BODY_LOG_PART_BYTES 240u /* of cleaned text in one line */

/* Any stanza; only messages with a text, no errors, are logged. direction: as seen from us. */
void body_log_stanza(const struct edge *e, enum partner_direction direction,
                     const struct stanza *st);
/* A message of our own making, as it will be written: from a SIP request. */
void body_log_message(struct edge *e, const struct jid *from, const struct jid *to,
                      struct slice stanza);
/* from, to: addresses. */
void body_log_text(const struct edge *e, enum partner_direction direction, struct slice from,
                   struct slice to, struct slice text);

/* As much of text as fits, cleaned, into out (NUL-terminated); returns how many bytes of text that
 * is, at least 1 of a text that is not empty. For the log and its test. */
size_t body_log_clean(struct slice text, char out[BODY_LOG_PART_BYTES]);

#endif
