/* SPDX-License-Identifier: GPL-2.0-or-later */
/* component: the component behind the measured server (XEP-0114), as source and as sink: one
 * connection, which carries all flows.                                                           */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/log.h"
#include "load/certs.h"
#include "load/lines.h"

#define NS_COMPONENT "jabber:component:accept"
#define NS_STREAM "http://etherx.jabber.org/streams"
#define PROOF_BYTES 2048u
#define CONFLICTS_MAX 200u

struct component_party {
    struct lines lines;
    uint32_t conflicts; /* refusals because the component of an earlier run is still known */
    bool is_again;      /* dialled anew as soon as this connection is gone */
};

static int check(const struct plan *plan, enum side side, char *why, size_t why_bytes)
{
    if (plan->component.sin_port == 0) {
        (void)snprintf(why, why_bytes, "a component as %s needs --component",
                       side == SIDE_SOURCE ? "source" : "sink");
        return ERR_CONFIG;
    }
    return 0;
}

static uint32_t line_count(const struct plan *plan, enum side side)
{
    (void)plan;
    (void)side;
    return 1;
}

static void *start(struct stage *st, enum side side)
{
    return lines_new(st, side, 1, sizeof(struct component_party));
}

static struct component_party *party_of(const struct wire *w)
{
    return CONTAINER_OF(w->lines, struct component_party, lines);
}

static void send_header(struct wire *w)
{
    wire_printf(w,
                "<?xml version='1.0'?><stream:stream xmlns='%s' xmlns:stream='%s' to='%s'>",
                NS_COMPONENT, NS_STREAM, w->stage->plan->inside);
    wire_set_state(w, WIRE_HEADER);
}

/* XEP-0114 3: SHA-1 of the stream's id and the secret, in hexadecimal. */
static void on_header(void *owner, const struct xml_tree *t)
{
    struct wire *w = owner;
    unsigned char hash[CRYPTO_SHA1_BYTES];
    char proof[PROOF_BYTES];
    int len = snprintf(proof, sizeof(proof), "%.*s%s",
                       SLICE_FMT(xml_attr_value(t, 0, SLICE_LIT("id"))), w->stage->plan->secret);

    if (len < 0 || (size_t)len >= sizeof(proof)) {
        stage_fail(w->stage, "the server's stream id is too long");
        return;
    }
    certs_crypto()->sha1(slice_make(proof, (size_t)len), hash);
    wire_put(w, SLICE_LIT("<handshake>"));
    hex_put(wire_out(w), slice_make((const char *)hash, sizeof(hash)));
    wire_put(w, SLICE_LIT("</handshake>"));
    wire_set_state(w, WIRE_PROOF);
}

/* The component of a run that has just ended may still be known to the server. */
static void on_refused(struct wire *w, const struct xml_tree *t)
{
    struct component_party *p = party_of(w);
    uint32_t child = xml_next_child(t, 0, XML_NO_NODE, SLICE_NONE, SLICE_NONE);
    struct slice why = t->nodes[child == XML_NO_NODE ? 0 : child].name;

    if (slice_eq_cstr(why, "conflict") && p->conflicts < CONFLICTS_MAX) {
        p->conflicts++;
        p->is_again = true;
        wire_set_state(w, WIRE_ENDED);
        wire_end(w);
        return;
    }
    stage_fail(w->stage, "the component is refused: <%s/>", log_quote(why).text);
}

static void on_element(void *owner, const struct xml_tree *t)
{
    struct wire *w = owner;

    if (w->state == WIRE_PROOF && slice_eq_cstr(t->nodes[0].name, "handshake")) {
        w->is_receiving = true;
        wire_become_ready(w);
    } else if (w->state == WIRE_READY && !slice_eq_cstr(t->nodes[0].ns, NS_STREAM)) {
        stage_other(w->stage);
    } else {
        on_refused(w, t);
    }
}

static void on_ended(void *owner)
{
    struct wire *w = owner;

    if (w->state != WIRE_CLOSING) {
        wire_put(w, SLICE_LIT("</stream:stream>"));
    }
    wire_set_state(w, WIRE_ENDED);
    wire_end(w);
}

static void on_writable(struct wire *w)
{
    stage_writable(w->stage, w->line);
}

static void open_line(void *party, uint32_t line);

static void on_gone(struct wire *w, const char *text)
{
    struct component_party *p = party_of(w);

    if (p->is_again) {
        p->is_again = false;
        open_line(p, w->line); /* in this one's place */
    } else {
        lines_gone(w, text);
    }
}

static const struct wire_ops ops = {
    .reader = {.header = on_header, .element = on_element, .ended = on_ended},
    .connected = send_header,
    .secured = send_header,
    .writable = on_writable,
    .gone = on_gone,
};

static void open_line(void *party, uint32_t line)
{
    struct lines *l = party;

    lines_dial(l, line,
               (struct wire_params){.ops = &ops, .to = &l->stage->plan->component});
}

const struct party_kind party_component = {
    .name = "component",
    .check = check,
    .start = start,
    .stop = lines_free,
    .line_count = line_count,
    .listen = lines_nowhere,
    .open = open_line,
    .close = lines_close_stream,
    .accepted = lines_refuse,
    .write = lines_write,
    .hold = lines_hold,
};
