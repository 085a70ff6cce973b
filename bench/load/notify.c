/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notify: the SIP side of presence: the kind, and what both roles have in common. */
#include "load/notify.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
#include "engine/shard.h"
#include "load/payload.h"
#include "load/run.h"

#define BRANCH       "z9hG4bK"
#define ROOM_BYTES   16384u /* of the longest request */
#define ID_BYTES     64u
#define MAX_FORWARDS 70u
#define OK           200u
#define FINAL        200u
#define NOT_ALLOWED  405u

static int check(const struct plan *plan, enum side side, char *why, size_t why_bytes)
{
    const char *fault = plan->sip.sin_port == 0 || plan->sip_listen.sin_port == 0
                            ? "notify needs --sip and --sip-listen"
                        : plan->is_sip_tls && !plan->certificate
                            ? "--sip-tls needs --cert and --key"
                            : NULL;

    (void)side;
    if (fault) {
        (void)snprintf(why, why_bytes, "%s", fault);
        return ERR_CONFIG;
    }
    return 0;
}

static uint32_t line_count(const struct plan *plan, enum side side)
{
    (void)side;
    return (uint32_t)plan->sip_lines;
}

/* Where both sides are SIP the source has the address: the server sends the sink its NOTIFYs on the
 * connections that it dialled. */
static const struct sockaddr_in *listen_at(const struct plan *plan, enum side side)
{
    return side == SIDE_SOURCE || plan->kind[SIDE_SOURCE] != &party_notify ? &plan->sip_listen
                                                                           : NULL;
}

/* --- one connection --- */

static void take_request(struct wire *w, const struct sip_msg *m)
{
    bool is_source = w->lines->side == SIDE_SOURCE;

    if (is_source && m->method == SIP_METHOD_SUBSCRIBE) {
        notify_source_take(w, m);
        return;
    }
    if (!is_source && m->method == SIP_METHOD_NOTIFY) {
        notify_sink_take(w, m);
        return;
    }
    if (m->method != SIP_METHOD_ACK) {
        notify_answer(w, m, m->method == SIP_METHOD_OPTIONS ? OK : NOT_ALLOWED);
    }
    stage_other(w->stage);
}

/* The request a response answers (RFC 3261 17.1.3: branch and method); NULL = none of ours that is
 * under way. */
static struct notify_flow *answered(struct notify_party *p, const struct sip_msg *m)
{
    static const size_t head = sizeof(BRANCH) - 1 + NOTIFY_RUN_DIGITS + 1;
    enum sip_method method =
        p->base.lines.side == SIDE_SOURCE ? SIP_METHOD_NOTIFY : SIP_METHOD_SUBSCRIBE;
    struct sip_via via;
    struct sip_cseq cseq;
    uint64_t flow;
    uint64_t number;

    if (sip_msg_via_top(m, &via) != 0 || sip_msg_cseq(m, &cseq) != 0 || cseq.method != method ||
        via.branch.len != head + PAYLOAD_FLOW_DIGITS + 1 + PAYLOAD_SEQ_DIGITS ||
        memcmp(via.branch.ptr + sizeof(BRANCH) - 1, p->run, NOTIFY_RUN_DIGITS) != 0 ||
        !payload_take_digits(via.branch.ptr + head, PAYLOAD_FLOW_DIGITS, &flow) ||
        !payload_take_digits(via.branch.ptr + head + PAYLOAD_FLOW_DIGITS + 1, PAYLOAD_SEQ_DIGITS,
                             &number) ||
        flow >= p->base.lines.stage->plan->streams) {
        return NULL;
    }
    return p->flows[flow].asked != 0 && p->flows[flow].asked == number && cseq.number == number
               ? &p->flows[flow]
               : NULL;
}

/* Of the NOTIFY of a fetch, which nobody waits for. */
static bool is_of_fetch(const struct notify_party *p, const struct sip_msg *m)
{
    struct sip_cseq cseq;

    return p->base.lines.side == SIDE_SOURCE && sip_msg_cseq(m, &cseq) == 0 &&
           cseq.method == SIP_METHOD_NOTIFY && cseq.number > NOTIFY_FETCH_CSEQ;
}

static void take_response(struct wire *w, const struct sip_msg *m)
{
    struct notify_party *p = notify_of(w);
    struct notify_flow *f;

    if (m->status < FINAL) {
        return;
    }
    if (is_of_fetch(p, m)) {
        (void)atomic_fetch_add_explicit(&w->stage->run->answered, 1, memory_order_relaxed);
        return;
    }
    f = answered(p, m);
    if (!f) {
        stage_damaged(w->stage, "a response to nothing that is under way", sip_lines_start_of(m));
        return;
    }
    f->asked = 0;
    (void)atomic_fetch_add_explicit(&w->stage->run->answered, 1, memory_order_relaxed);
    if (w->lines->side == SIDE_SOURCE) {
        notify_source_response(f, m);
    } else {
        notify_sink_response(f, m);
    }
}

static void take(struct wire *w, const struct sip_msg *m)
{
    if (m->flaw.why) {
        stage_damaged(w->stage, m->flaw.why, sip_lines_start_of(m));
    } else if (m->is_request) {
        take_request(w, m);
    } else {
        take_response(w, m);
    }
}

static void writable(struct wire *w)
{
    if (w->lines->side == SIDE_SOURCE) {
        notify_source_writable(w);
    }
}

/* --- for both roles --- */

struct wire *notify_line(const struct notify_party *p, uint32_t flow)
{
    struct wire *w = lines_of_flow(&p->base.lines, flow);

    return w && wire_room(w, ROOM_BYTES) ? w : NULL;
}

void notify_tag(const struct notify_party *p, uint32_t flow, char out[NOTIFY_TAG_BYTES])
{
    (void)snprintf(out, NOTIFY_TAG_BYTES, "%s.%05u", p->run, (unsigned)flow);
}

bool notify_user(const struct sip_uri *uri, struct slice host, uint32_t *flow)
{
    uint64_t number;

    if (uri->user.len != 1 + PAYLOAD_FLOW_DIGITS || uri->user.ptr[0] != 'u' ||
        !payload_take_digits(uri->user.ptr + 1, PAYLOAD_FLOW_DIGITS, &number) ||
        !slice_eq_nocase(uri->host.text, host)) {
        return false;
    }
    *flow = (uint32_t)number;
    return true;
}

static const char *transport(const struct plan *plan)
{
    return plan->is_sip_tls ? "tls" : "tcp";
}

static void put_contact(struct buf *out, const struct notify_party *p, uint32_t flow)
{
    buf_printf(out, "Contact: <sip:u%05u@%s;transport=%s>\r\n", (unsigned)flow, p->sent_by,
               transport(p->base.lines.stage->plan));
}

void notify_begin(struct notify_flow *f, struct wire *w, enum sip_method method)
{
    const struct notify_party *p = f->party;
    const struct plan *plan = w->stage->plan;
    char branch[ID_BYTES], tag[NOTIFY_TAG_BYTES], call_id[ID_BYTES];
    char own[2 * PLAN_NAME_BYTES], other[2 * PLAN_NAME_BYTES], partner[PLAN_NAME_BYTES];
    struct sip_request_params params = {.method = method, .max_forwards = MAX_FORWARDS};

    plan_partner(plan, plan_domain_of(plan, f->flow), partner);
    (void)snprintf(own, sizeof(own), "sip:u%05u@%s", (unsigned)f->flow, plan->inside);
    (void)snprintf(other, sizeof(other), "sip:u%05u@%s", (unsigned)f->flow, partner);
    (void)snprintf(branch, sizeof(branch), BRANCH "%sx%05u-%010u", p->run, (unsigned)f->flow,
                   (unsigned)f->dialog.cseq + 1);
    (void)snprintf(call_id, sizeof(call_id), "%s-%05u", p->run, (unsigned)f->flow);
    notify_tag(p, f->flow, tag);
    params.transport = plan->is_sip_tls ? SLICE_LIT("TLS") : SLICE_LIT("TCP");
    params.sent_by = slice_from_cstr(p->sent_by);
    params.branch = slice_from_cstr(branch);
    params.from_uri = slice_from_cstr(own);
    params.from_tag = slice_from_cstr(tag);
    params.to_uri = slice_from_cstr(other);
    if (f->dialog.text) {
        dialog_write(&f->dialog, wire_out(w), params);
    } else {
        params.uri = params.to_uri;
        params.call_id = slice_from_cstr(call_id);
        params.cseq = ++f->dialog.cseq;
        sip_write_request(wire_out(w), &params);
    }
    f->asked = f->dialog.cseq;
    (void)atomic_fetch_add_explicit(&w->stage->run->asked, 1, memory_order_relaxed);
    put_contact(wire_out(w), p, f->flow);
    buf_put_lit(wire_out(w), "Event: presence\r\n");
}

static void write_status(struct wire *w, const struct sip_msg *m, unsigned status, uint32_t flow)
{
    char tag[NOTIFY_TAG_BYTES];

    notify_tag(notify_of(w), flow, tag);
    sip_write_response(
        wire_out(w), m,
        &(struct sip_response_params){.status = status, .to_tag = slice_from_cstr(tag)});
}

void notify_answer(struct wire *w, const struct sip_msg *m, unsigned status)
{
    struct buf *out = wire_out(w);

    write_status(w, m, status, 0);
    if (m->method == SIP_METHOD_OPTIONS || status == NOT_ALLOWED) {
        sip_write_header(out, SIP_HDR_ALLOW, SLICE_LIT("SUBSCRIBE, NOTIFY, OPTIONS"));
        sip_write_header(out, SIP_HDR_ALLOW_EVENTS, SLICE_LIT("presence"));
        sip_write_header(out, SIP_HDR_ACCEPT, SLICE_LIT("application/pidf+xml"));
    }
    sip_write_end_empty(out);
    wire_flush(w);
}

void notify_answer_subscribe(struct wire *w, const struct sip_msg *m, uint32_t flow,
                             uint32_t expires_s)
{
    struct buf *out = wire_out(w);
    struct sip_list routes;
    struct slice route;

    write_status(w, m, OK, flow);
    sip_list_init(&routes, m, SIP_HDR_RECORD_ROUTE);
    while (sip_list_next(&routes, &route)) {
        sip_write_header(out, SIP_HDR_RECORD_ROUTE, route);
    }
    put_contact(out, notify_of(w), flow);
    sip_write_header_u32(out, SIP_HDR_EXPIRES, expires_s);
    sip_write_end_empty(out);
    wire_flush(w);
}

/* --- begin and end --- */

static void *start(struct stage *st, enum side side)
{
    struct notify_party *p = lines_new(st, side, line_count(st->plan, side), sizeof(*p));

    p->base.take = take;
    p->base.writable = writable;
    sip_lines_sent_by(st->plan, p->sent_by);
    (void)snprintf(p->run, sizeof(p->run), "%08x", (unsigned)sip_lines_run(st));
    /* Where both sides are SIP they must not share numbers. */
    p->run[0] = side == SIDE_SOURCE ? 's' : 'w';
    p->flows = pool_heap_zalloc(st->plan->streams * sizeof(*p->flows));
    for (uint32_t i = 0; i < st->plan->streams; i++) {
        p->flows[i].party = p;
        p->flows[i].flow = i;
    }
    if (pidf_init(&p->pidf, st->plan, p->base.lines.forms.message.body_bytes) != 0) {
        stage_fail(st, "no memory for a parser");
    }
    return p;
}

static void stop(void *party)
{
    struct notify_party *p = party;
    struct stage *st = p->base.lines.stage;

    for (uint32_t i = 0; i < st->plan->streams; i++) {
        shard_timer_disarm(st->sh, &p->flows[i].timer);
        dialog_end(&p->flows[i].dialog);
    }
    pool_heap_free(p->flows);
    pidf_deinit(&p->pidf);
    lines_free(p);
}

const struct party_kind party_notify = {
    .name = "notify",
    .check = check,
    .start = start,
    .stop = stop,
    .line_count = line_count,
    .listen = listen_at,
    .open = sip_lines_open,
    .close = lines_close,
    .accepted = sip_lines_accepted,
    .write = notify_source_write,
    .watch = notify_sink_watch,
    .unwatch = notify_sink_unwatch,
    .hold = lines_hold,
};
