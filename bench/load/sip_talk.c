/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_talk: requests and responses of the SIP side. */
#include <stdatomic.h>

#include "load/run.h"
#include "load/sip.h"
#include "sip/write.h"

#define STATUS_FINAL 200u
#define STATUS_FAILED 300u
#define OK 200u
#define NOT_ALLOWED 405u
#define TAG SLICE_LIT("load")

static void count(_Atomic uint64_t *counter)
{
    (void)atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* The start line: what is shown of a message. */
static struct slice start_of(const struct sip_msg *m)
{
    const char *end = memchr(m->bytes.ptr, '\r', m->bytes.len);

    return slice_make(m->bytes.ptr, end ? (size_t)(end - m->bytes.ptr) : m->bytes.len);
}

static void answer(struct sip_line *l, const struct sip_msg *m, unsigned status)
{
    struct buf *out = conn_out(l->c);

    sip_write_response(out, m, &(struct sip_response_params){.status = status, .to_tag = TAG});
    if (m->method == SIP_METHOD_OPTIONS || status == NOT_ALLOWED) {
        sip_write_header(out, SIP_HDR_ALLOW, SLICE_LIT("MESSAGE, OPTIONS"));
    }
    sip_write_end_empty(out);
    conn_flush(l->c);
}

static void take_message(struct sip_line *l, const struct sip_msg *m)
{
    struct stage *st = l->party->stage;
    uint32_t flow;
    uint64_t seq;
    const char *fault = sip_form_fault(&l->party->form, m, &flow, &seq);

    answer(l, m, OK);
    if (l->party->side != SIDE_SINK) {
        stage_other(st);
    } else if (fault) {
        stage_damaged(st, fault, start_of(m));
    } else {
        stage_arrived(st, flow, seq);
    }
}

static void take_request(struct sip_line *l, const struct sip_msg *m)
{
    if (m->method == SIP_METHOD_MESSAGE) {
        take_message(l, m);
        return;
    }
    if (m->method != SIP_METHOD_ACK) {
        answer(l, m, m->method == SIP_METHOD_OPTIONS ? OK : NOT_ALLOWED);
    }
    stage_other(l->party->stage);
}

static void take_response(struct sip_line *l, const struct sip_msg *m)
{
    struct sip_party *p = l->party;
    uint32_t flow;
    uint64_t seq;

    if (m->status < STATUS_FINAL) {
        return;
    }
    if (!sip_form_answered(&p->form, m, &flow, &seq) || p->waiting[flow] != seq + 1) {
        stage_damaged(p->stage, "a response to nothing that is under way", start_of(m));
        return;
    }
    p->waiting[flow] = 0;
    count(&p->stage->run->answered);
    if (m->status >= STATUS_FAILED) {
        stage_refused(p->stage, flow, seq, start_of(m));
    }
    if (p->stage->schedule) {
        schedule_ready(p->stage->schedule, flow);
    }
}

void sip_talk_take(struct sip_line *l, const struct sip_msg *m)
{
    if (m->flaw.why) {
        stage_damaged(l->party->stage, m->flaw.why, start_of(m));
    } else if (m->is_request) {
        take_request(l, m);
    } else {
        take_response(l, m);
    }
}

bool sip_talk_write(struct sip_line *l, const struct schedule_order *order)
{
    struct sip_party *p = l->party;
    struct buf *out;
    uint64_t seq;
    char *to;

    if (!l->is_ready || p->waiting[order->flow] != 0 || conn_out_is_crowded(l->c)) {
        return false;
    }
    out = conn_out(l->c);
    to = buf_room(out) >= p->form.len ? buf_reserve(out, p->form.len) : NULL;
    if (!to) {
        return false;
    }
    seq = books_send(p->stage->books, order->flow, order->intended_ns);
    p->waiting[order->flow] = seq + 1;
    count(&p->stage->run->asked);
    sip_form_write(&p->form, to, order->flow, seq);
    buf_commit(out, p->form.len);
    conn_flush(l->c);
    return true;
}
