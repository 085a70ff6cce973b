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

static void answer(struct wire *w, const struct sip_msg *m, unsigned status)
{
    struct buf *out = wire_out(w);

    sip_write_response(out, m, &(struct sip_response_params){.status = status, .to_tag = TAG});
    if (m->method == SIP_METHOD_OPTIONS || status == NOT_ALLOWED) {
        sip_write_header(out, SIP_HDR_ALLOW, SLICE_LIT("MESSAGE, OPTIONS"));
    }
    sip_write_end_empty(out);
    wire_flush(w);
}

static void take_message(struct wire *w, const struct sip_msg *m)
{
    struct stage *st = w->stage;
    uint32_t flow;
    uint64_t seq;
    const char *fault = sip_form_fault(&sip_of(w)->form, m, &flow, &seq);

    answer(w, m, OK);
    if (w->lines->side != SIDE_SINK) {
        stage_other(st);
    } else if (fault) {
        stage_damaged(st, fault, sip_lines_start_of(m));
    } else {
        stage_arrived(st, flow, seq);
    }
}

static void take_request(struct wire *w, const struct sip_msg *m)
{
    if (m->method == SIP_METHOD_MESSAGE) {
        take_message(w, m);
        return;
    }
    if (m->method != SIP_METHOD_ACK) {
        answer(w, m, m->method == SIP_METHOD_OPTIONS ? OK : NOT_ALLOWED);
    }
    stage_other(w->stage);
}

static void take_response(struct wire *w, const struct sip_msg *m)
{
    struct sip_party *p = sip_of(w);
    uint32_t flow;
    uint64_t seq;

    if (m->status < STATUS_FINAL) {
        return;
    }
    if (!sip_form_answered(&p->form, m, &flow, &seq) || p->waiting[flow] != seq + 1) {
        stage_damaged(w->stage, "a response to nothing that is under way", sip_lines_start_of(m));
        return;
    }
    p->waiting[flow] = 0;
    count(&w->stage->run->answered);
    if (m->status >= STATUS_FAILED) {
        stage_refused(w->stage, flow, seq, sip_lines_start_of(m));
    }
    if (w->stage->schedule) {
        schedule_ready(w->stage->schedule, flow);
    }
}

void sip_talk_take(struct wire *w, const struct sip_msg *m)
{
    if (m->flaw.why) {
        stage_damaged(w->stage, m->flaw.why, sip_lines_start_of(m));
    } else if (m->is_request) {
        take_request(w, m);
    } else {
        take_response(w, m);
    }
}

void sip_talk_writable(struct wire *w)
{
    if (w->lines->side == SIDE_SOURCE) {
        stage_writable(w->stage, w->line);
    }
}

bool sip_talk_write(void *party, const struct schedule_order *order)
{
    struct sip_party *p = party;
    struct wire *w = lines_of_flow(&p->base.lines, order->flow);
    uint64_t seq;
    char *to;

    if (!w || p->waiting[order->flow] != 0) {
        return false;
    }
    to = wire_room(w, p->form.len);
    if (!to) {
        return false;
    }
    seq = books_send(w->stage->books, order->flow, order->intended_ns);
    p->waiting[order->flow] = seq + 1;
    count(&w->stage->run->asked);
    sip_form_write(&p->form, to, order->flow, seq);
    buf_commit(wire_out(w), p->form.len);
    wire_flush(w);
    return true;
}
