/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gate: what is answered without a machine. Nobody can tell from it whether an address is blocked,
 * forbidden or does not exist: core/edge/refuse.c answers strangers in the same words. */
#include "presence/table.h"
#include "sip/write.h"
#include "translate/message.h"

static void hand_out(struct presence *p, const struct presence_pair *pair, enum stanza_type type)
{
    const struct buf *out = &p->scratch.stanza;

    if (!out->failed && buf_len(out) > 0) {
        p->stats.stanza_out++;
        p->ops->stanza(p->ctx, pair, type, buf_slice(out));
    }
}

void gate_answer_stranger(struct presence *p, const struct presence_pair *pair,
                          const struct stanza *st)
{
    buf_clear(&p->scratch.stanza);
    if (message_answer_other(&p->scratch.stanza, st) == MESSAGE_OTHER_ANSWERED) {
        hand_out(p, pair,
                 st->type == STANZA_TYPE_PROBE ? STANZA_TYPE_UNAVAILABLE
                                               : STANZA_TYPE_UNSUBSCRIBED);
    }
}

void gate_answer_full(struct presence *p, const struct presence_pair *pair, const struct stanza *st)
{
    const struct stanza_error error = {.condition = STANZA_CONDITION_RESOURCE_CONSTRAINT,
                                       .type = STANZA_ERROR_TYPE_WAIT};

    buf_clear(&p->scratch.stanza);
    stanza_write_error(&p->scratch.stanza, st, &error);
    hand_out(p, pair, STANZA_TYPE_ERROR);
}

void gate_status(struct presence *p, struct presence_txn txn, unsigned status,
                 uint32_t retry_after_s)
{
    struct buf *fields = &p->scratch.fields;
    struct sip_answer answer = {.status = status};

    buf_clear(fields);
    if (retry_after_s > 0) {
        sip_write_header_u32(fields, SIP_HDR_RETRY_AFTER, retry_after_s);
    }
    answer.fields = fields->failed ? SLICE_NONE : buf_slice(fields);
    p->ops->answer(p->ctx, txn, &answer);
}
