/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_lines: connections of a SIP side. */
#include "load/sip_lines.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/pool.h"

#define NS_SHIFT 10u

void sip_lines_sent_by(const struct plan *plan, char out[SIP_LINES_SENT_BY_BYTES])
{
    const struct sockaddr_in *at = plan->sip_listen.sin_port != 0 ? &plan->sip_listen : &plan->sip;
    char ip[INET_ADDRSTRLEN];

    (void)inet_ntop(AF_INET, &at->sin_addr, ip, sizeof(ip));
    (void)snprintf(out, SIP_LINES_SENT_BY_BYTES, "%s:%u", ip, (unsigned)ntohs(at->sin_port));
}

uint32_t sip_lines_run(struct stage *st)
{
    stage_clock(st);
    return (uint32_t)(stage_now_ns(st) >> NS_SHIFT);
}

struct slice sip_lines_start_of(const struct sip_msg *m)
{
    const char *end = memchr(m->bytes.ptr, '\r', m->bytes.len);

    return slice_make(m->bytes.ptr, end ? (size_t)(end - m->bytes.ptr) : m->bytes.len);
}

static struct sip_lines *sip_lines_of(const struct wire *w)
{
    return CONTAINER_OF(w->lines, struct sip_lines, lines);
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
        sip_lines_of(w)->take(w, &framer->msg);
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
        sip_lines_of(w)->writable(w);
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

void sip_lines_open(void *party, uint32_t line)
{
    struct lines *l = party;

    lines_dial(l, line,
               (struct wire_params){.ops = &ops,
                                    .to = &l->stage->plan->sip,
                                    .is_direct = l->stage->plan->is_sip_tls});
}

void sip_lines_accepted(void *party, struct conn *c)
{
    struct lines *l = party;

    lines_accept(l, c, (struct wire_params){.ops = &ops, .is_direct = l->stage->plan->is_sip_tls});
}
