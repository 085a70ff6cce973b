/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip: connections of the SIP side. */
#include "load/sip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "engine/dial.h"
#include "load/certs.h"
#include "tls/tls.h"

#define SIP_LINE_MAGIC 0x7369706cu
#define HANDSHAKE_MS 60000u /* time is not what is measured: a busy machine may take long */
#define LINGER_MS 10000u
#define OUT_BYTES ((size_t)1 << 20)
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
    struct sip_party *p = pool_heap_zalloc(sizeof(*p));
    char sent_by[SENT_BY_BYTES];
    const char *fault;

    address_text(plan->sip_listen.sin_port != 0 ? &plan->sip_listen : &plan->sip, sent_by);
    stage_clock(st);
    fault = sip_form_init(&p->form, plan, sent_by, (uint32_t)(stage_now_ns(st) >> NS_SHIFT));
    p->stage = st;
    p->side = side;
    p->line_count = line_count(plan, side);
    p->lines = pool_heap_zalloc((p->line_count + 1) * sizeof(struct sip_line *));
    p->waiting = pool_heap_zalloc(plan->streams * sizeof(*p->waiting));
    list_init(&p->accepted);
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
    pool_heap_free(p->lines);
    pool_heap_free(p);
}

/* --- one connection --- */

static bool take_frame(struct sip_line *l, enum sip_frame frame)
{
    switch (frame) {
    case SIP_FRAME_MORE:
    case SIP_FRAME_PONG:
        return true;
    case SIP_FRAME_MSG:
        sip_talk_take(l, &l->framer.msg);
        return true;
    case SIP_FRAME_PING:
        buf_put(conn_out(l->c), SIP_PONG);
        conn_flush(l->c);
        return true;
    case SIP_FRAME_BAD:
        stage_fail(l->party->stage, "what came on SIP is no message: %s", l->framer.bad.why);
        return false;
    }
    UNREACHABLE("kind of frame");
}

static size_t on_data(struct conn *c, void *owner, char *bytes, size_t len)
{
    struct sip_line *l = owner;
    size_t at = 0;
    bool is_good = true;

    ASSERT(l->magic == SIP_LINE_MAGIC);
    stage_clock(l->party->stage);
    while (at < len && is_good && !conn_out_is_crowded(c)) {
        size_t used = 0;

        is_good = take_frame(l, sip_framer_feed(&l->framer, bytes + at, len - at, &used));
        at += used;
    }
    if (at < len) {
        conn_pause(c); /* answers wait to be read; or the run has failed */
    }
    return at;
}

static void become_ready(struct sip_line *l)
{
    l->is_ready = true;
    if (l->dial) {
        stage_opened(l->party->stage, l->party->side, l->line);
    } else {
        stage_accepted(l->party->stage, l->party->side);
    }
}

static void on_secured(struct conn *c, void *owner)
{
    struct sip_line *l = owner;

    (void)c;
    become_ready(l);
}

static void on_writable(struct conn *c, void *owner)
{
    struct sip_line *l = owner;

    conn_resume(c);
    if (l->dial) {
        stage_writable(l->party->stage, l->line);
    }
}

static void free_line(struct sip_line *l)
{
    if (l->dial) {
        l->party->lines[l->line] = NULL;
        dial_free(l->dial);
    } else {
        list_remove(&l->all);
    }
    sip_framer_deinit(&l->framer);
    l->magic = 0;
    pool_free(l);
}

static void on_closed(struct conn *c, void *owner, int err, const char *why, size_t unsent_bytes)
{
    struct sip_line *l = owner;
    struct stage *st = l->party->stage;

    ASSERT(l->magic == SIP_LINE_MAGIC && l->c == c);
    if (!l->is_closing) {
        stage_fail(st, "SIP connection with %s ended: %s (%s), %zu bytes unsent",
                   conn_peer_text(c), err_text(err), why, unsent_bytes);
    } else if (l->dial) {
        stage_closed(st, l->party->side, l->line);
    }
    free_line(l);
}

static const struct conn_ops conn_ops = {
    .data = on_data, .secured = on_secured, .writable = on_writable, .closed = on_closed};

static void start_tls(struct sip_line *l)
{
    bool is_client = l->dial != NULL;
    struct conn_tls_params params = {
        .ctx = is_client ? certs_client(0) : certs_server(),
        .session = {.role = is_client ? TLS_ROLE_CLIENT : TLS_ROLE_SERVER,
                    .sni = is_client ? slice_from_cstr(l->party->stage->plan->inside) : SLICE_NONE,
                    .credential_idx = is_client ? 0 : UINT32_MAX},
        .handshake_timeout_ms = HANDSHAKE_MS,
    };

    if (!params.ctx || conn_start_tls(l->c, &params) != 0) {
        stage_fail(l->party->stage, "TLS cannot be begun on SIP");
        conn_abort(l->c, ERR_TLS_CONFIG, "no certificate");
    }
    tls_context_unref(params.ctx);
}

static void take_conn(struct sip_line *l, struct conn *c)
{
    l->c = c;
    conn_set_owner(c, &conn_ops, l);
    conn_set_out_max(c, OUT_BYTES);
    conn_set_authenticated(c); /* no cap per address: who comes was asked for */
    if (l->party->stage->plan->is_sip_tls) {
        start_tls(l);
    } else {
        become_ready(l);
    }
}

static void on_dialled(struct dial *d, void *ctx, struct conn *c, bool is_direct_tls)
{
    (void)d;
    (void)is_direct_tls;
    take_conn(ctx, c);
}

static void on_dial_failed(struct dial *d, void *ctx, enum dial_step step, int err,
                           const char *text)
{
    struct sip_line *l = ctx;

    (void)d;
    (void)step;
    (void)err;
    stage_fail(l->party->stage, "%s", text);
    free_line(l);
}

static struct sip_line *make(struct sip_party *p)
{
    struct sip_line *l = pool_zalloc(sizeof(*l));

    if (!l) {
        stage_fail(p->stage, "no memory for a connection");
        return NULL;
    }
    l->magic = SIP_LINE_MAGIC;
    l->party = p;
    sip_framer_init(&l->framer);
    return l;
}

static void open_line(void *party, uint32_t line)
{
    static const struct dial_ops ops = {.done = on_dialled, .failed = on_dial_failed};
    struct sip_party *p = party;
    const struct sockaddr_in *to = &p->stage->plan->sip;
    struct sip_line *l = make(p);
    char ip[INET_ADDRSTRLEN];
    struct dial_params params = {.port = ntohs(to->sin_port)};
    int err;

    if (!l) {
        return;
    }
    l->line = line;
    (void)inet_ntop(AF_INET, &to->sin_addr, ip, sizeof(ip));
    params.name = slice_from_cstr(ip);
    err = dial_start(&l->dial, p->stage->sh, &params, &ops, l);
    if (err != 0) {
        stage_fail(p->stage, "%s cannot be dialled: %s", ip, err_text(err));
        sip_framer_deinit(&l->framer);
        pool_free(l);
        return;
    }
    p->lines[line] = l;
}

static void close_line(void *party, uint32_t line)
{
    struct sip_party *p = party;
    struct sip_line *l = p->lines[line];

    if (l && l->is_ready && !l->is_closing) {
        l->is_closing = true;
        l->is_ready = false;
        conn_close(l->c, LINGER_MS);
    }
}

static void accepted(void *party, struct conn *c)
{
    struct sip_party *p = party;
    struct sip_line *l = make(p);

    if (!l) {
        conn_abort(c, ERR_NOMEM, "no memory");
        return;
    }
    list_push_back(&p->accepted, &l->all);
    take_conn(l, c);
}

static bool write_order(void *party, const struct schedule_order *order)
{
    struct sip_party *p = party;
    struct sip_line *l = p->lines[order->flow % p->line_count];

    return l && sip_talk_write(l, order);
}

static void hold(void *party, bool is_held, bool first_only)
{
    struct sip_party *p = party;

    for (struct list *at = p->accepted.next; at != &p->accepted; at = at->next) {
        struct sip_line *l = LIST_ENTRY(at, struct sip_line, all);

        if (is_held) {
            conn_pause(l->c);
        } else {
            conn_resume(l->c);
        }
        if (first_only) {
            return;
        }
    }
}

const struct party_kind party_sip = {
    .name = "sip",
    .check = check,
    .start = start,
    .stop = stop,
    .line_count = line_count,
    .listen = listen_at,
    .open = open_line,
    .close = close_line,
    .accepted = accepted,
    .write = write_order,
    .hold = hold,
};
