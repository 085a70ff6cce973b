/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bounce: error answers. */
#include "edge/bounce.h"

#include "base/check.h"
#include "edge/block_read.h"
#include "edge/partner_run.h"
#include "edge/presence_side.h"
#include "edge/route.h"
#include "edge/sip_side.h"

struct bounce_row {
    enum stanza_condition condition;
    enum stanza_error_type type;
    uint16_t sip_status; /* sip.md 2.7, XMPP -> SIP */
    uint32_t retry_after_s;
    size_t counter; /* offset in struct edge_stats */
    const char *text;
};

#define COUNTER(name) offsetof(struct edge_stats, name)

static const struct bounce_row rows[BOUNCE_WHY_COUNT] = {
    [BOUNCE_QUEUE_FULL] = {STANZA_CONDITION_RESOURCE_CONSTRAINT, STANZA_ERROR_TYPE_WAIT, 480, 30,
                           COUNTER(bounced_queue_full), "too much is waiting for this domain"},
    [BOUNCE_QUEUE_AGE] = {STANZA_CONDITION_REMOTE_SERVER_TIMEOUT, STANZA_ERROR_TYPE_WAIT, 504, 0,
                          COUNTER(bounced_queue_age), "waited too long for a stream"},
    [BOUNCE_NOT_FOUND] = {STANZA_CONDITION_REMOTE_SERVER_NOT_FOUND, STANZA_ERROR_TYPE_CANCEL, 404,
                          0, COUNTER(bounced_no_stream), "no XMPP server found for this domain"},
    [BOUNCE_NO_STREAM] = {STANZA_CONDITION_REMOTE_SERVER_TIMEOUT, STANZA_ERROR_TYPE_WAIT, 504, 0,
                          COUNTER(bounced_no_stream), "no stream to this domain"},
    [BOUNCE_UNACKED] = {STANZA_CONDITION_REMOTE_SERVER_TIMEOUT, STANZA_ERROR_TYPE_WAIT, 504, 0,
                        COUNTER(bounced_unacked),
                        "the stream ended before delivery was confirmed"},
    [BOUNCE_NO_COMPONENT] = {STANZA_CONDITION_REMOTE_SERVER_TIMEOUT, STANZA_ERROR_TYPE_WAIT, 504, 0,
                             COUNTER(bounced_no_component), "the service is not connected"},
    [BOUNCE_POLICY] = {STANZA_CONDITION_REMOTE_SERVER_NOT_FOUND, STANZA_ERROR_TYPE_CANCEL, 403, 0,
                       COUNTER(bounced_policy), "not a federated domain"},
    [BOUNCE_SIZE] = {STANZA_CONDITION_POLICY_VIOLATION, STANZA_ERROR_TYPE_MODIFY, 413, 0,
                     COUNTER(bounced_size), "larger than the receiving server takes"},
    [BOUNCE_DRAIN] = {STANZA_CONDITION_REMOTE_SERVER_TIMEOUT, STANZA_ERROR_TYPE_WAIT, 504, 30,
                      COUNTER(bounced_drain), "the gateway is stopping"},
    [BOUNCE_MAINTENANCE] = {STANZA_CONDITION_REMOTE_SERVER_TIMEOUT, STANZA_ERROR_TYPE_WAIT, 480,
                            300, COUNTER(bounced_maintenance),
                            "federation with this domain is suspended for maintenance"},
};

static void count(struct edge *e, const struct bounce_row *row)
{
    uint64_t value;

    memcpy(&value, (const char *)&e->stats + row->counter, sizeof(value));
    value++;
    memcpy((char *)&e->stats + row->counter, &value, sizeof(value));
}

static void answer_block(struct edge *e, const struct block *b, const struct bounce_row *row,
                         const char *detail)
{
    bool to_partner = b->direction == BLOCK_TO_PARTNER;
    const struct stanza *st = block_read_start(e, b);
    struct bounce_reply reply = {
        .to_partner = !to_partner,
        .local = block_local(b),
        .remote = block_remote(b),
        .error = {.condition = row->condition,
                  .type = row->type,
                  .text = slice_from_cstr(detail ? detail : row->text)},
    };

    if (!st) {
        e->stats.dropped_memory++;
        return;
    }
    if (b->is_of_presence) {
        presence_side_undeliverable(e, st, reply.local, reply.remote, row->condition);
    } else {
        bounce_stanza(e, st, &reply);
    }
}

void bounce_block(struct edge *e, struct block *b, enum bounce_why why, const char *detail)
{
    const struct bounce_row *row = &rows[why];

    ASSERT(row->text);
    if (b->sip.handle != 0) {
        count(e, row);
        sip_outcome_send(e, b->sip, row->sip_status, row->retry_after_s);
    } else if (!b->may_bounce && !b->is_of_presence) {
        e->stats.dropped_error++;
    } else {
        count(e, row);
        answer_block(e, b, row, detail);
    }
    partner_run_bounced(e, block_remote(b), why);
    LOG_D(stanza_bounced, "local=%s remote=%s why=%s", log_quote(block_local(b)).text,
          log_quote(block_remote(b)).text, row->text);
    block_free(b);
}

void bounce_queue(struct edge *e, struct block_queue *q, enum bounce_why why, const char *detail)
{
    struct block_queue doomed;
    struct block *b;

    /* Answers may come back to this very queue: only what is in it now is bounced. */
    block_queue_init(&doomed);
    while ((b = block_queue_pop(q))) {
        block_queue_push(&doomed, b);
    }
    while ((b = block_queue_pop(&doomed))) {
        bounce_block(e, b, why, detail);
    }
}

void bounce_stanza(struct edge *e, const struct stanza *st, const struct bounce_reply *reply)
{
    struct buf *out = &e->scratch;
    struct block_params params;
    struct block *b;

    if (!stanza_may_bounce(st)) {
        e->stats.dropped_error++;
        return;
    }
    buf_clear(out);
    stanza_write_error(out, st, &reply->error);
    params = (struct block_params){
        .direction = reply->to_partner ? BLOCK_TO_PARTNER : BLOCK_TO_COMPONENT,
        .kind = (uint8_t)st->kind,
        .may_bounce = false,
        .generation = BLOCK_UNRULED,
        .local = reply->local,
        .remote = reply->remote,
        .bytes = buf_slice(out),
        .now_ms = shard_now_ms(e->sh),
    };
    b = out->failed ? NULL : block_new(&params);
    if (!b) {
        e->stats.dropped_memory++;
        return;
    }
    route_block(e, b);
}
