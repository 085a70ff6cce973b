/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bare: stanzas without a stream around them, in TLS (kind "tls") or in plain TCP ("tcp"), for
 * relays that do not look at what they carry. As source one connection per flow, as sink what the
 * relay dials.                                                                                   */
#include <stdio.h>

#include "base/err.h"
#include "load/lines.h"

/* What the reader believes to have seen. */
static const char header[] = "<stream:stream xmlns='jabber:server' "
                             "xmlns:stream='http://etherx.jabber.org/streams'>";

static bool is_secure(const struct plan *plan, enum side side)
{
    return plan->kind[side] == &party_tls;
}

static int check(const struct plan *plan, enum side side, char *why, size_t why_bytes)
{
    bool is_source = side == SIDE_SOURCE;

    if ((is_secure(plan, side) && !plan->certificate) ||
        (is_source ? plan->target.sin_port : plan->listen.sin_port) == 0) {
        (void)snprintf(why, why_bytes, "%s as %s needs %s%s", plan->kind_name[side],
                       is_source ? "source" : "sink",
                       is_secure(plan, side) ? "--cert, --key and " : "",
                       is_source ? "--target" : "--listen");
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
    return lines_new(st, side, line_count(st->plan, side), sizeof(struct lines));
}

static void begin(struct wire *w)
{
    reader_feed(w->reader, header, sizeof(header) - 1);
    wire_become_ready(w);
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

static void on_writable(struct wire *w)
{
    if (w->is_dialled) {
        stage_writable(w->stage, w->line);
    }
}

/* What a relay does to the sink's end of a connection is its affair: the books tell whether
 * anything was lost. */
static void on_gone(struct wire *w, const char *text)
{
    lines_gone(w, w->is_dialled && w->state != WIRE_ENDED ? text : NULL);
}

static const struct wire_ops ops = {
    .reader = {.header = on_header, .element = on_element, .ended = on_ended},
    .connected = begin,
    .secured = begin,
    .writable = on_writable,
    .gone = on_gone,
};

static void open_line(void *party, uint32_t line)
{
    struct lines *l = party;

    lines_dial(l, line, (struct wire_params){.ops = &ops,
                                             .to = &l->stage->plan->target,
                                             .is_direct = is_secure(l->stage->plan, l->side),
                                             .domain = plan_domain_of(l->stage->plan, line)});
}

static void accepted(void *party, struct conn *c)
{
    struct lines *l = party;

    lines_accept(l, c, (struct wire_params){.ops = &ops,
                                            .is_direct = is_secure(l->stage->plan, l->side)});
}

/* Both are the same but for TLS, which is_secure() tells by the kind. */
#define BARE(kind_name)                                                                            \
    {.name = (kind_name),                                                                          \
     .check = check,                                                                               \
     .start = start,                                                                               \
     .stop = lines_free,                                                                           \
     .line_count = line_count,                                                                     \
     .listen = listen_at,                                                                          \
     .open = open_line,                                                                            \
     .close = lines_close,                                                                         \
     .accepted = accepted,                                                                         \
     .write = lines_write,                                                                         \
     .hold = lines_hold}

const struct party_kind party_tls = BARE("tls");
const struct party_kind party_tcp = BARE("tcp");
