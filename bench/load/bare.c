/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bare: stanzas in TLS without a stream around them, for relays that do not look at what they
 * carry: kind "tls". As source one connection per flow, as sink what the relay dials.           */
#include <stdio.h>

#include "base/err.h"
#include "base/pool.h"
#include "load/party.h"
#include "load/wire.h"

/* What the reader believes to have seen. */
static const char header[] = "<stream:stream xmlns='jabber:server' "
                             "xmlns:stream='http://etherx.jabber.org/streams'>";

struct bare {
    struct stage *stage;
    enum side side;
    struct reader_forms forms;
    struct wire **lines; /* owned array */
    struct list accepted;
};

static int check(const struct plan *plan, enum side side, char *why, size_t why_bytes)
{
    bool is_source = side == SIDE_SOURCE;

    if (!plan->certificate || (is_source ? plan->target.sin_port : plan->listen.sin_port) == 0) {
        (void)snprintf(why, why_bytes, "tls as %s needs --cert, --key and %s",
                       is_source ? "source" : "sink", is_source ? "--target" : "--listen");
        return ERR_CONFIG;
    }
    return 0;
}

static uint32_t line_count(const struct plan *plan, enum side side)
{
    return side == SIDE_SOURCE ? (uint32_t)plan->streams : 0;
}

static const struct sockaddr_in *listen_at(const struct plan *plan, enum side side)
{
    return side == SIDE_SINK ? &plan->listen : NULL;
}

static void *start(struct stage *st, enum side side)
{
    struct bare *p = pool_heap_zalloc(sizeof(*p));
    const char *fault = reader_forms_init(&p->forms, st->plan);

    p->stage = st;
    p->side = side;
    p->lines = pool_heap_zalloc((line_count(st->plan, side) + 1) * sizeof(struct wire *));
    list_init(&p->accepted);
    if (fault) {
        stage_fail(st, "%s", fault);
    }
    return p;
}

static void stop(void *party)
{
    struct bare *p = party;

    reader_forms_deinit(&p->forms);
    pool_heap_free(p->lines);
    pool_heap_free(p);
}

static void on_secured(struct wire *w)
{
    const struct bare *p = w->party;

    reader_feed(&w->reader, header, sizeof(header) - 1);
    w->reader.carries = true;
    wire_set_state(w, WIRE_READY);
    if (w->is_dialled) {
        stage_opened(w->stage, p->side, w->line);
    } else {
        w->is_receiving = true;
        stage_accepted(w->stage, p->side);
    }
}

static void on_header(void *owner, const struct xml_tree *t)
{
    (void)owner;
    (void)t;
}

static void on_element(void *owner, const struct xml_tree *t)
{
    struct wire *w = owner;

    (void)t;
    stage_other(w->stage);
}

static void on_ended(void *owner)
{
    struct wire *w = owner;

    stage_fail(w->stage, "the end of a stream, where there is none");
}

/* is_direct: TLS begins by itself. */
static void on_connected(struct wire *w)
{
    wire_start_tls(w);
}

static void on_writable(struct wire *w)
{
    if (w->is_dialled) {
        stage_writable(w->stage, w->line);
    }
}

static void on_gone(struct wire *w, const char *text)
{
    struct bare *p = w->party;
    enum side side = p->side;

    if (!w->is_dialled) {
        list_remove(&w->all);
    } else if (p->lines[w->line] == w) {
        p->lines[w->line] = NULL;
    }
    /* What a relay does to the sink's end of a connection is its affair: the books tell whether
     * anything was lost. */
    if (w->is_dialled && w->state == WIRE_ENDED) {
        stage_closed(w->stage, side, w->line);
    } else if (w->is_dialled) {
        stage_fail(w->stage, "%s", text);
    }
}

static const struct wire_ops ops = {
    .reader = {.header = on_header, .element = on_element, .ended = on_ended},
    .connected = on_connected,
    .secured = on_secured,
    .writable = on_writable,
    .gone = on_gone,
};

static void open_line(void *party, uint32_t line)
{
    struct bare *p = party;

    p->lines[line] = wire_dial(&(struct wire_params){
        .stage = p->stage,
        .forms = &p->forms,
        .ops = &ops,
        .party = p,
        .to = &p->stage->plan->target,
        .is_direct = true,
        .line = line,
        .domain = plan_domain_of(p->stage->plan, line),
    });
}

static void close_line(void *party, uint32_t line)
{
    struct bare *p = party;
    struct wire *w = p->lines[line];

    if (w && w->state == WIRE_READY) {
        wire_set_state(w, WIRE_ENDED);
        wire_end(w);
    }
}

static void accepted(void *party, struct conn *c)
{
    struct bare *p = party;
    struct wire *w = wire_accept(&(struct wire_params){.stage = p->stage,
                                                       .forms = &p->forms,
                                                       .ops = &ops,
                                                       .party = p,
                                                       .is_direct = true},
                                 c);

    if (w) {
        list_push_back(&p->accepted, &w->all);
    }
}

static bool write_order(void *party, const struct schedule_order *order)
{
    struct bare *p = party;
    struct wire *w = p->lines[order->flow];

    return w && wire_write(w, order);
}

static void hold(void *party, bool is_held, bool first_only)
{
    struct bare *p = party;

    for (struct list *at = p->accepted.next; at != &p->accepted; at = at->next) {
        wire_hold(LIST_ENTRY(at, struct wire, all), is_held);
        if (first_only) {
            return;
        }
    }
}

const struct party_kind party_tls = {
    .name = "tls",
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
