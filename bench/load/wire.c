/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire: one connection of a party. */
#include "load/wire.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "engine/dial.h"
#include "load/certs.h"
#include "load/lines.h"
#include "tls/tls.h"

#define WIRE_MAGIC 0x77697265u
#define HANDSHAKE_MS 60000u /* time is not what is measured: a busy machine may take long */
#define LINGER_MS 10000u
#define OUT_BYTES_MIN ((size_t)1 << 20)
#define WRITES_MAX 8u /* so many batches may wait */

static const char *const state_names[] = {
#define X(name) [WIRE_##name] = #name,
    WIRE_STATES(X)
#undef X
};

const char *wire_state_name(enum wire_state state)
{
    return state_names[state];
}

void wire_set_state(struct wire *w, enum wire_state next)
{
    w->state = next;
}

static size_t on_data(struct conn *c, void *owner, char *bytes, size_t len)
{
    struct wire *w = owner;

    (void)c;
    ASSERT(w->magic == WIRE_MAGIC);
    stage_clock(w->stage);
    if (!w->reader) {
        return w->ops->data(w, bytes, len);
    }
    reader_feed(w->reader, bytes, len);
    return len;
}

static void on_secured(struct conn *c, void *owner)
{
    struct wire *w = owner;

    w->is_secured = true;
    stage_tls(w->stage, c);
    w->ops->secured(w);
}

static void on_writable(struct conn *c, void *owner)
{
    struct wire *w = owner;

    (void)c;
    if (w->ops->writable) {
        w->ops->writable(w);
    }
}

static void free_wire(struct wire *w)
{
    if (list_is_linked(&w->all)) {
        list_remove(&w->all);
    }
    dial_free(w->dial);
    if (w->reader) {
        reader_deinit(w->reader);
        pool_free(w->reader);
    }
    w->magic = 0;
    pool_free(w);
}

static void on_closed(struct conn *c, void *owner, int err, const char *why, size_t unsent_bytes)
{
    struct wire *w = owner;
    bool in_order = w->state == WIRE_ENDED && (err == 0 || err == ERR_CLOSED);
    char text[256];

    ASSERT(w->magic == WIRE_MAGIC && w->c == c);
    (void)snprintf(text, sizeof(text), "connection with %s ended in state %s: %s (%s), %zu bytes "
                   "unsent", conn_peer_text(c), wire_state_name(w->state), err_text(err), why,
                   unsent_bytes);
    w->c = NULL;
    w->ops->gone(w, in_order ? NULL : text);
    free_wire(w);
}

static const struct conn_ops conn_ops = {
    .data = on_data, .secured = on_secured, .writable = on_writable, .closed = on_closed};

static bool make_reader(struct wire *w)
{
    if (!w->ops->reader.element) {
        return true;
    }
    w->reader = pool_zalloc(sizeof(*w->reader));
    return w->reader && reader_init(w->reader, w->stage, &w->lines->forms, &w->ops->reader, w) == 0;
}

static struct wire *make(const struct wire_params *params)
{
    struct stage *st = params->lines->stage;
    struct wire *w = pool_zalloc(sizeof(*w));

    if (!w) {
        stage_fail(st, "no memory for a connection");
        return NULL;
    }
    w->magic = WIRE_MAGIC;
    w->stage = st;
    w->lines = params->lines;
    w->ops = params->ops;
    w->is_direct = params->is_direct;
    w->line = params->line;
    w->domain = params->domain;
    w->role = params->role;
    if (!make_reader(w)) {
        stage_fail(st, "no memory for a parser");
        pool_free(w->reader);
        pool_free(w);
        return NULL;
    }
    return w;
}

static void take_conn(struct wire *w, struct conn *c)
{
    const struct plan *plan = w->stage->plan;
    size_t batch = plan->stanza_bytes > PLAN_WRITE_BYTES ? plan->stanza_bytes : PLAN_WRITE_BYTES;

    w->c = c;
    conn_set_owner(c, &conn_ops, w);
    conn_set_out_max(c, WRITES_MAX * batch > OUT_BYTES_MIN ? WRITES_MAX * batch : OUT_BYTES_MIN);
    conn_set_authenticated(c); /* no cap per address: who comes was asked for */
    if (w->is_direct) {
        wire_start_tls(w);
    } else {
        wire_set_state(w, WIRE_HEADER);
        w->ops->connected(w);
    }
}

static void on_dialled(struct dial *d, void *ctx, struct conn *c, bool is_direct_tls)
{
    struct wire *w = ctx;

    (void)d;
    (void)is_direct_tls;
    take_conn(w, c);
}

static void on_dial_failed(struct dial *d, void *ctx, enum dial_step step, int err,
                           const char *text)
{
    struct wire *w = ctx;

    (void)d;
    (void)step;
    (void)err;
    stage_fail(w->stage, "%s", text);
    w->ops->gone(w, text);
    free_wire(w);
}

static const struct dial_ops dial_ops = {.done = on_dialled, .failed = on_dial_failed};

struct wire *wire_dial(const struct wire_params *params)
{
    struct wire *w = make(params);
    char address[INET_ADDRSTRLEN];
    struct dial_params dial = {.port = ntohs(params->to->sin_port)};
    int err;

    if (!w) {
        return NULL;
    }
    (void)inet_ntop(AF_INET, &params->to->sin_addr, address, sizeof(address));
    dial.name = slice_from_cstr(address);
    w->is_dialled = true;
    err = dial_start(&w->dial, w->stage->sh, &dial, &dial_ops, w);
    if (err != 0) {
        stage_fail(w->stage, "%s cannot be dialled: %s", address, err_text(err));
        w->dial = NULL;
        free_wire(w);
        return NULL;
    }
    return w;
}

void wire_accept(const struct wire_params *params, struct conn *c)
{
    struct wire *w = make(params);

    if (!w) {
        conn_abort(c, ERR_NOMEM, "no memory");
        return;
    }
    list_push_back(&params->lines->accepted, &w->all);
    take_conn(w, c);
}

void wire_start_tls(struct wire *w)
{
    const struct plan *plan = w->stage->plan;
    struct conn_tls_params params = {
        .session = {.role = w->is_dialled ? TLS_ROLE_CLIENT : TLS_ROLE_SERVER,
                    .sni = w->is_dialled ? slice_from_cstr(plan->inside) : SLICE_NONE,
                    .credential_idx = w->is_dialled ? 0 : UINT32_MAX},
        .handshake_timeout_ms = HANDSHAKE_MS,
    };

    wire_set_state(w, WIRE_TLS);
    params.ctx = w->is_dialled ? certs_client(w->domain) : certs_server();
    if (!params.ctx || conn_start_tls(w->c, &params) != 0) {
        stage_fail(w->stage, "TLS cannot be begun: certificate of domain %u",
                   (unsigned)w->domain);
        conn_abort(w->c, ERR_TLS_CONFIG, "no certificate");
    }
    tls_context_unref(params.ctx);
}

void wire_printf(struct wire *w, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    buf_vprintf(conn_out(w->c), fmt, args);
    va_end(args);
    conn_flush(w->c);
}

struct buf *wire_out(struct wire *w)
{
    return conn_out(w->c);
}

void wire_put(struct wire *w, struct slice bytes)
{
    buf_put(conn_out(w->c), bytes);
    conn_flush(w->c);
}

void wire_flush(struct wire *w)
{
    conn_flush(w->c);
}

void wire_end(struct wire *w)
{
    if (w->reader) {
        w->reader->is_over = true;
    }
    conn_close(w->c, LINGER_MS);
}

void wire_become_ready(struct wire *w)
{
    wire_set_state(w, WIRE_READY);
    if (w->reader) {
        w->reader->carries = true;
    }
    if (w->is_dialled) {
        stage_opened(w->stage, w->lines->side, w->line);
    } else if (!w->is_receiving) {
        w->is_receiving = true;
        stage_accepted(w->stage, w->lines->side);
    }
}

char *wire_room(struct wire *w, size_t bytes)
{
    if (w->state != WIRE_READY || conn_out_is_crowded(w->c) ||
        buf_room(conn_out(w->c)) < bytes) {
        return NULL;
    }
    return buf_reserve(conn_out(w->c), bytes);
}

bool wire_write(struct wire *w, const struct schedule_order *order)
{
    const struct message *m = &w->lines->forms.message;
    char *begin = wire_room(w, (size_t)order->count * m->bytes_max);
    char *to = begin;

    if (!to) {
        return false;
    }
    for (uint32_t i = 0; i < order->count; i++) {
        to += message_write(m, to, order->flow,
                            books_send(w->stage->books, order->flow, order->intended_ns));
    }
    buf_commit(conn_out(w->c), (size_t)(to - begin));
    conn_flush(w->c);
    return true;
}

void wire_hold(struct wire *w, bool is_held)
{
    if (is_held) {
        conn_pause(w->c);
    } else {
        conn_resume(w->c);
    }
}
