/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip: connections of the SIP side. */
#include "load/sip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"

#define SENT_BY_BYTES 64u
#define NS_SHIFT 10u

static int check(const struct plan *plan, enum side side, char *why, size_t why_bytes)
{
    bool is_source = side == SIDE_SOURCE;
    const char *fault =
        is_source && plan->sip.sin_port == 0           ? "sip as source needs --sip"
        : !is_source && plan->sip_listen.sin_port == 0 ? "sip as sink needs --sip-listen"
        : plan->is_sip_tls && !plan->certificate       ? "--sip-tls needs --cert and --key"
        : is_source && plan->schedule == SCHEDULE_BULK
            ? "a SIP source has one request of a flow under way: workload fan-in, one or open"
            : NULL;

    if (fault) {
        (void)snprintf(why, why_bytes, "%s", fault);
        return ERR_CONFIG;
    }
    return 0;
}

static uint32_t line_count(const struct plan *plan, enum side side)
{
    return side == SIDE_SOURCE ? (uint32_t)plan->sip_lines : 0;
}

static const struct sockaddr_in *listen_at(const struct plan *plan, enum side side)
{
    bool is_for_us = side == SIDE_SINK || plan->kind[SIDE_SINK] != &party_sip;

    return is_for_us && plan->sip_listen.sin_port != 0 ? &plan->sip_listen : NULL;
}

static void address_text(const struct sockaddr_in *at, char out[SENT_BY_BYTES])
{
    char ip[INET_ADDRSTRLEN];

    (void)inet_ntop(AF_INET, &at->sin_addr, ip, sizeof(ip));
    (void)snprintf(out, SENT_BY_BYTES, "%s:%u", ip, (unsigned)ntohs(at->sin_port));
}

static void *start(struct stage *st, enum side side)
{
    const struct plan *plan = st->plan;
    struct sip_party *p = lines_new(st, side, line_count(plan, side), sizeof(*p));
    char sent_by[SENT_BY_BYTES];
    const char *fault;

    address_text(plan->sip_listen.sin_port != 0 ? &plan->sip_listen : &plan->sip, sent_by);
    stage_clock(st);
    fault = sip_form_init(&p->form, plan, sent_by, (uint32_t)(stage_now_ns(st) >> NS_SHIFT));
    p->waiting = pool_heap_zalloc(plan->streams * sizeof(*p->waiting));
    if (fault) {
        stage_fail(st, "%s", fault);
    }
    return p;
}

static void stop(void *party)
{
    struct sip_party *p = party;

    sip_form_deinit(&p->form);
    pool_heap_free(p->waiting);
    lines_free(p);
}

/* --- one connection --- */

static bool take_frame(struct wire *w, enum sip_frame frame)
{
    const struct sip_framer *framer = w->own;

    switch (frame) {
    case SIP_FRAME_MORE:
    case SIP_FRAME_PONG:
        return true;
    case SIP_FRAME_MSG:
        sip_talk_take(w, &framer->msg);
        return true;
    case SIP_FRAME_PING:
        wire_put(w, SIP_PONG);
        return true;
    case SIP_FRAME_BAD:
        stage_fail(w->stage, "what came on SIP is no message: %s", framer->bad.why);
        return false;
    }
    UNREACHABLE("kind of frame");
}

static size_t on_data(struct wire *w, const char *bytes, size_t len)
{
    size_t at = 0;
    bool is_good = true;

    while (at < len && is_good && !conn_out_is_crowded(w->c)) {
        size_t used = 0;

        is_good = take_frame(w, sip_framer_feed(w->own, bytes + at, len - at, &used));
        at += used;
    }
    if (at < len) {
        conn_pause(w->c); /* answers wait to be read; or the run has failed */
    }
    return at;
}

static void begin(struct wire *w)
{
    w->own = pool_zalloc(sizeof(struct sip_framer));
    if (!w->own) {
        stage_fail(w->stage, "no memory for a SIP connection");
        return;
    }
    sip_framer_init(w->own);
    wire_become_ready(w);
}

static void on_writable(struct wire *w)
{
    conn_resume(w->c);
    if (w->is_dialled) {
        stage_writable(w->stage, w->line);
    }
}

static void on_gone(struct wire *w, const char *text)
{
    if (w->own) {
        sip_framer_deinit(w->own);
        pool_free(w->own);
    }
    lines_gone(w, w->state == WIRE_ENDED ? NULL : text);
}

static const struct wire_ops ops = {.data = on_data,
                                    .connected = begin,
                                    .secured = begin,
                                    .writable = on_writable,
                                    .gone = on_gone};

static void open_line(void *party, uint32_t line)
{
    struct lines *l = party;

    lines_dial(l, line, (struct wire_params){.ops = &ops,
                                             .to = &l->stage->plan->sip,
                                             .is_direct = l->stage->plan->is_sip_tls});
}

static void accepted(void *party, struct conn *c)
{
    struct lines *l = party;

    lines_accept(l, c,
                 (struct wire_params){.ops = &ops, .is_direct = l->stage->plan->is_sip_tls});
}

const struct party_kind party_sip = {
    .name = "sip",
    .check = check,
    .start = start,
    .stop = stop,
    .line_count = line_count,
    .listen = listen_at,
    .open = open_line,
    .close = lines_close,
    .accepted = accepted,
    .write = sip_talk_write,
    .hold = lines_hold,
};
