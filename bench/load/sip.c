/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip: the SIP side that sends and takes messages. */
#include "load/sip.h"

#include <stdio.h>

#include "base/err.h"
#include "base/pool.h"

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

static void *start(struct stage *st, enum side side)
{
    const struct plan *plan = st->plan;
    struct sip_party *p = lines_new(st, side, line_count(plan, side), sizeof(*p));
    char sent_by[SIP_LINES_SENT_BY_BYTES];
    const char *fault;

    p->base.take = sip_talk_take;
    p->base.writable = sip_talk_writable;
    sip_lines_sent_by(plan, sent_by);
    fault = sip_form_init(&p->form, plan, sent_by, sip_lines_run(st));
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

const struct party_kind party_sip = {
    .name = "sip",
    .check = check,
    .start = start,
    .stop = stop,
    .line_count = line_count,
    .listen = listen_at,
    .open = sip_lines_open,
    .close = lines_close,
    .accepted = sip_lines_accepted,
    .write = sip_talk_write,
    .hold = lines_hold,
};
