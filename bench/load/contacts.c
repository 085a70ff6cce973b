/* SPDX-License-Identifier: GPL-2.0-or-later */
/* contacts: the partner's server with presence as its stanzas (RFC 6121 3, 4). As source its users
 * are watched: it grants each subscription, answers probes, and sends what they show. As sink they
 * watch: they subscribe, and what comes is checked. Connections: s2s.h; stanzas: show.h. What is
 * said goes out on the flow's line; what is heard may come on any stream. */
#include <stdio.h>

#include "base/err.h"
#include "base/pool.h"
#include "load/run.h"
#include "load/s2s.h"
#include "load/show.h"

#define ROOM_BYTES 4096u /* of the longest stanza */

enum phase {
    PHASE_NONE,
    PHASE_ASKED,  /* sink: `subscribe` is out */
    PHASE_ACTIVE, /* it was granted, and what the user shows is known */
    PHASE_ENDING, /* `unsubscribe` is out */
    PHASE_ENDED,
};

struct contact {
    uint64_t number; /* 1 + that of the state shown (source), told last (sink); 0 = none */
    enum phase phase;
    bool is_granted;
    bool is_shown;
};

struct contacts {
    struct s2s base;
    struct contact *all; /* owned; by flow */
    uint32_t text_bytes;
};

static int check(const struct plan *plan, enum side side, char *why, size_t why_bytes)
{
    const char *missing = plan->target.sin_port == 0                ? "--target"
                          : plan->listen.sin_port == 0              ? "--listen"
                          : s2s_has_tls(plan) && !plan->certificate ? "--cert and --key"
                          : plan->kind[SIDE_SOURCE] == plan->kind[side] && side == SIDE_SINK
                              ? "another side than presence"
                              : NULL;

    if (missing) {
        (void)snprintf(why, why_bytes, "presence needs %s", missing);
        return ERR_CONFIG;
    }
    return 0;
}

static uint32_t line_count(const struct plan *plan, enum side side)
{
    (void)side;
    return (uint32_t)plan->lines;
}

static const struct sockaddr_in *listen_at(const struct plan *plan, enum side side)
{
    (void)side;
    return &plan->listen;
}

static struct contacts *contacts_of(const struct wire *w)
{
    return CONTAINER_OF(s2s_of(w), struct contacts, base);
}

/* An answer: the stream of the flow, which must take it. NULL: the run has failed. */
static struct wire *line_for(struct contacts *p, uint32_t flow)
{
    struct wire *w = lines_of_flow(&p->base.lines, flow);

    if (!w || w->state != WIRE_READY || buf_room(wire_out(w)) < ROOM_BYTES) {
        stage_fail(p->base.lines.stage, "no stream with room for an answer of flow %u",
                   (unsigned)flow);
        return NULL;
    }
    return w;
}

static void say(struct contacts *p, uint32_t flow, const char *type)
{
    struct wire *w = line_for(p, flow);

    if (w) {
        show_write_type(wire_out(w), w->stage->plan, flow, type);
        wire_flush(w);
    }
}

/* What the user shows, for somebody who asked. */
static void show_again(struct contacts *p, uint32_t flow)
{
    struct wire *w = line_for(p, flow);

    if (w) {
        if (p->all[flow].number > 0) {
            books_ask_again(w->stage->books, flow);
        }
        show_write(wire_out(w), w->stage->plan, flow, p->all[flow].number, p->text_bytes);
        wire_flush(w);
    }
}

/* --- as source --- */

static void take_as_source(struct wire *w, const struct xml_tree *t, enum show_finding finding,
                           uint32_t flow, uint64_t number)
{
    struct contacts *p = contacts_of(w);

    if (finding == SHOW_SUBSCRIBE) {
        say(p, flow, "subscribed");
        show_again(p, flow);
    } else if (finding == SHOW_PROBE) {
        show_again(p, flow);
    } else if (finding == SHOW_UNSUBSCRIBE) {
        say(p, flow, "unsubscribed");
    } else if (finding == SHOW_ERROR && number > 0) {
        stage_refused(w->stage, flow, number - 1, t->content);
    } else if (finding == SHOW_ERROR) {
        stage_damaged(w->stage, "a presence stanza came back as an error", t->content);
    } else {
        stage_other(w->stage);
    }
}

static bool write_state(void *party, const struct schedule_order *order)
{
    struct contacts *p = party;
    struct contact *c = &p->all[order->flow];
    struct wire *w = lines_of_flow(&p->base.lines, order->flow);

    if (!w || !wire_room(w, ROOM_BYTES)) {
        return false;
    }
    c->number = books_send(w->stage->books, order->flow, order->intended_ns) + 1;
    show_write(wire_out(w), w->stage->plan, order->flow, c->number, p->text_bytes);
    wire_flush(w);
    return true;
}

/* --- as sink --- */

static void end(struct stage *st, struct contact *c)
{
    c->phase = PHASE_ENDED;
    stage_unwatched(st);
}

/* Granted and known: he is watched. */
static void settle(struct stage *st, struct contact *c)
{
    if (c->phase == PHASE_ASKED && c->is_granted && c->is_shown) {
        c->phase = PHASE_ACTIVE;
        stage_watched(st);
    }
}

static void take_state(struct stage *st, struct contact *c, uint32_t flow, uint64_t number)
{
    if (number == 0 && c->number > 0) {
        stage_damaged(st, "no status", SLICE_NONE);
        return;
    }
    c->is_shown = true;
    settle(st, c);
    if (number > 0) {
        c->number = number > c->number ? number : c->number;
        stage_arrived(st, flow, number - 1);
    }
}

/* `unavailable`, `unsubscribed`, an error: right at the end, or before anything is known. */
static void take_end(struct stage *st, struct contact *c, uint32_t flow, enum show_finding finding)
{
    if (c->phase == PHASE_ENDING && finding != SHOW_ERROR) {
        end(st, c);
    } else if (c->phase == PHASE_ASKED && finding != SHOW_UNAVAILABLE) {
        stage_fail(st, "flow %u: the subscription is refused", (unsigned)flow);
    } else if (c->phase == PHASE_ACTIVE) {
        stage_damaged(st,
                      finding == SHOW_UNAVAILABLE    ? "unavailable"
                      : finding == SHOW_UNSUBSCRIBED ? "unsubscribed"
                                                     : "an error instead of presence",
                      SLICE_NONE);
    } else {
        stage_other(st);
    }
}

static void take_as_sink(struct wire *w, const struct xml_tree *t, enum show_finding finding,
                         uint32_t flow, uint64_t number)
{
    struct contacts *p = contacts_of(w);
    struct contact *c = &p->all[flow];

    (void)t;
    if (finding == SHOW_SUBSCRIBED) {
        c->is_granted = true;
        settle(w->stage, c);
    } else if (finding == SHOW_PROBE) {
        show_again(p, flow);
    } else if ((finding == SHOW_NUMBER || finding == SHOW_INITIAL) && c->phase <= PHASE_ACTIVE) {
        take_state(w->stage, c, flow, number);
    } else if (finding == SHOW_UNAVAILABLE || finding == SHOW_UNSUBSCRIBED ||
               finding == SHOW_ERROR) {
        take_end(w->stage, c, flow, finding);
    } else {
        stage_other(w->stage);
    }
}

static bool ask(struct contacts *p, uint32_t flow, const char *type)
{
    struct wire *w = lines_of_flow(&p->base.lines, flow);

    if (!w || !wire_room(w, ROOM_BYTES)) {
        return false;
    }
    show_write_type(wire_out(w), w->stage->plan, flow, type);
    wire_flush(w);
    return true;
}

static bool watch(void *party, uint32_t flow)
{
    struct contacts *p = party;

    if (!ask(p, flow, "subscribe")) {
        return false;
    }
    p->all[flow].phase = PHASE_ASKED;
    return true;
}

static bool unwatch(void *party, uint32_t flow)
{
    struct contacts *p = party;

    if (!ask(p, flow, "unsubscribe")) {
        return false;
    }
    p->all[flow].phase = PHASE_ENDING;
    return true;
}

/* --- begin and end --- */

static void take(struct wire *w, const struct xml_tree *t)
{
    const struct contacts *p = contacts_of(w);
    uint32_t flow = 0;
    uint64_t number;
    const char *what;
    enum show_finding finding = show_check(w->stage->plan, t, p->text_bytes, &flow, &number, &what);

    if (finding == SHOW_DAMAGED) {
        stage_damaged(w->stage, what, t->content);
    } else if (w->lines->side == SIDE_SOURCE) {
        take_as_source(w, t, finding, flow, number);
    } else {
        take_as_sink(w, t, finding, flow, number);
    }
}

static void *start(struct stage *st, enum side side)
{
    struct contacts *p = s2s_new(st, side, line_count(st->plan, side), sizeof(*p));

    p->base.presence = take;
    p->all = pool_heap_zalloc(st->plan->streams * sizeof(*p->all));
    p->text_bytes = p->base.lines.forms.message.body_bytes;
    return p;
}

static void stop(void *party)
{
    struct contacts *p = party;

    pool_heap_free(p->all);
    lines_free(p);
}

const struct party_kind party_presence = {
    .name = "presence",
    .check = check,
    .start = start,
    .stop = stop,
    .line_count = line_count,
    .listen = listen_at,
    .open = s2s_open,
    .close = lines_close_stream,
    .accepted = s2s_accept,
    .write = write_state,
    .watch = watch,
    .unwatch = unwatch,
    .hold = lines_hold,
};
