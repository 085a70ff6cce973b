/* SPDX-License-Identifier: GPL-2.0-or-later */
/* component: the accepting side of XEP-0114: states, stanzas, time. Its beginning and its end:
 * component_open.c. */
#include "base/err.h"
#include "base/log.h"
#include "base/pool.h"
#include "xml/writer.h"
#include "xmpp/component_int.h"
#include "xmpp/ns.h"
#include "xmpp/xml_fault.h"

static const struct {
    const char *name;
    enum component_wait wait;
    const char *waits_for;
    uint32_t next;
} states[] = {
#define X(name, wait, text, next)                                                                  \
    [COMPONENT_STATE_##                                                                            \
        name] = {#name, COMPONENT_WAIT_##wait, text, (uint32_t)COMPONENT_NEXT_##name},
    COMPONENT_STATES(X)
#undef X
};

static void touch(struct component *c)
{
    bool is_kept = c->state == COMPONENT_STATE_OPEN && c->params.keepalive_ms > 0;

    c->keepalive_by_ms = is_kept ? c->now_ms + c->params.keepalive_ms : STREAM_NEVER;
}

void component_set_state(struct component *c, enum component_state next)
{
    ASSERT((states[c->state].next & (1u << next)) != 0);
    c->state = next;
    switch (states[next].wait) {
    case COMPONENT_WAIT_ESTABLISH:
        c->state_by_ms = c->establish_by_ms;
        break;
    case COMPONENT_WAIT_CLOSE:
        c->state_by_ms = c->now_ms + c->params.close_ms;
        break;
    case COMPONENT_WAIT_NONE:
        c->state_by_ms = STREAM_NEVER;
        break;
    }
    touch(c);
}

int component_new(struct component **out, uint64_t now_ms, const struct component_params *params)
{
    struct component *c = pool_zalloc(sizeof(*c));
    int err;

    *out = NULL;
    if (!c) {
        return ERR_NOMEM;
    }
    c->magic = COMPONENT_MAGIC;
    c->params = *params;
    c->now_ms = now_ms;
    c->establish_by_ms = now_ms + params->establish_ms;
    c->state_by_ms = c->establish_by_ms; /* zeroed memory is state OPENING */
    c->keepalive_by_ms = STREAM_NEVER;
    err = xml_parser_new(&c->parser, &xml_limits_unauthenticated);
    if (err) {
        component_free(c);
        return err;
    }
    *out = c;
    return 0;
}

void component_free(struct component *c)
{
    if (!c) {
        return;
    }
    COMPONENT_CHECK(c);
    xml_parser_free(c->parser);
    c->magic = 0;
    pool_free(c);
}

void component_set_out(struct component *c, struct buf *out)
{
    COMPONENT_CHECK(c);
    c->params.out = out;
}

void component_set_host(struct component *c, const struct component_host *host, void *ctx)
{
    COMPONENT_CHECK(c);
    c->params.host = host;
    c->params.ctx = ctx;
}

/* --- stanzas --- */

static enum component_event_kind on_stanza(struct component *c, const struct xml_tree *t,
                                           struct component_event *ev)
{
    struct stanza *st = &ev->stanza;
    enum stanza_fault fault = stanza_view(st, t, SLICE_LIT(NS_COMPONENT), SLICE_NONE);

    if (fault == STANZA_FAULT_NOMEM) {
        return component_fail(c, ev, COMPONENT_ENDING(RESOURCES, RESOURCE_CONSTRAINT),
                              "out of memory");
    }
    if (fault == STANZA_FAULT_KIND) {
        return component_fail(c, ev, COMPONENT_ENDING(STANZA, UNSUPPORTED_STANZA_TYPE),
                              "%s: element %s", stanza_fault_text(fault),
                              log_quote(t->nodes[0].name).text);
    }
    if (fault != STANZA_OK && stanza_fault_condition(fault) == STANZA_CONDITION_NONE) {
        return component_fail(c, ev, COMPONENT_ENDING(STANZA, IMPROPER_ADDRESSING), "%s",
                              stanza_fault_text(fault));
    }
    if (!slice_eq(st->from.domain, c->domain)) {
        return component_fail(c, ev, COMPONENT_ENDING(STANZA, INVALID_FROM),
                              "a stanza from %s on the stream of %s",
                              log_quote(st->from.domain).text, log_quote(c->domain).text);
    }
    if (fault != STANZA_OK) {
        ev->condition = stanza_fault_condition(fault);
        ev->failure =
            (struct stream_failure){.step = STREAM_STEP_STANZA, .text = stanza_fault_text(fault)};
        return COMPONENT_STANZA_BAD;
    }
    return COMPONENT_STANZA;
}

static enum component_event_kind on_peer_error(struct component *c, const struct xml_tree *t,
                                               struct component_event *ev)
{
    uint32_t n = xml_child(t, 0, SLICE_NONE, SLICE_LIT(NS_STREAM_ERRORS));
    struct slice name = n == XML_NO_NODE ? SLICE_NONE : t->nodes[n].name;
    enum component_event_kind kind;

    kind = component_fail(c, ev, COMPONENT_ENDING(STREAM_ERROR, NONE),
                          "the component ended the stream with %s", log_quote(name).text);
    ev->failure.condition = stream_condition_find(name);
    return kind;
}

static enum component_event_kind on_element(struct component *c, const struct xml_tree *t,
                                            struct component_event *ev)
{
    if (xml_is(t, 0, SLICE_LIT("error"), SLICE_LIT(NS_STREAMS))) {
        return on_peer_error(c, t, ev);
    }
    switch (c->state) {
    case COMPONENT_STATE_HANDSHAKE:
        return component_on_handshake(c, t, ev);
    case COMPONENT_STATE_PROVED:
        return component_fail(c, ev, COMPONENT_ENDING(STANZA, NOT_AUTHORIZED),
                              "element %s before the handshake was answered",
                              log_quote(t->nodes[0].name).text);
    case COMPONENT_STATE_OPEN:
        return on_stanza(c, t, ev);
    case COMPONENT_STATE_CLOSING:
        /* What was on its way when we closed is still the component's word. */
        return c->is_accepted ? on_stanza(c, t, ev) : COMPONENT_MORE;
    case COMPONENT_STATE_OPENING:
    case COMPONENT_STATE_DEAD:
        break;
    }
    UNREACHABLE("component state");
}

static enum component_event_kind on_peer_close(struct component *c, struct component_event *ev)
{
    if (c->state == COMPONENT_STATE_CLOSING) {
        component_set_state(c, COMPONENT_STATE_DEAD);
        return COMPONENT_CLOSED;
    }
    if (c->state != COMPONENT_STATE_OPEN) {
        return component_fail(c, ev, COMPONENT_ENDING(HEADER, NONE),
                              "closed by the component while we waited for %s",
                              states[c->state].waits_for);
    }
    component_put_end(c, STREAM_CONDITION_NONE, "", NULL);
    component_set_state(c, COMPONENT_STATE_DEAD);
    return COMPONENT_PEER_CLOSED;
}

static enum component_event_kind on_xml(struct component *c, enum xml_event x,
                                        struct component_event *ev)
{
    struct component_ending bad = {.step = STREAM_STEP_XML};

    switch (x) {
    case XML_MORE:
        return COMPONENT_MORE;
    case XML_STREAM_OPEN:
        return c->state == COMPONENT_STATE_OPENING
                   ? component_on_header(c, xml_parser_tree(c->parser), ev)
                   : COMPONENT_MORE;
    case XML_ELEMENT:
        return on_element(c, xml_parser_tree(c->parser), ev);
    case XML_STREAM_CLOSE:
        return on_peer_close(c, ev);
    case XML_BAD:
        bad.condition = xml_fault_condition(xml_parser_why(c->parser), &bad.app);
        return component_fail(c, ev, &bad, "%s, while waiting for %s",
                              xml_parser_why_text(c->parser), states[c->state].waits_for);
    }
    UNREACHABLE("xml event");
}

enum component_event_kind component_feed(struct component *c, uint64_t now_ms, struct slice bytes,
                                         size_t *consumed, struct component_event *ev)
{
    enum component_event_kind kind = COMPONENT_MORE;

    COMPONENT_CHECK(c);
    c->now_ms = now_ms;
    *consumed = 0;
    while (kind == COMPONENT_MORE && *consumed < bytes.len) {
        enum xml_event x;
        size_t used = 0;

        if (c->state == COMPONENT_STATE_DEAD) {
            *consumed = bytes.len;
            break;
        }
        x = xml_parser_feed(c->parser, bytes.ptr + *consumed, bytes.len - *consumed, &used);
        *consumed += used;
        /* An empty-element stream header closes without further bytes. */
        ASSERT(used > 0 || x == XML_BAD || x == XML_STREAM_CLOSE);
        kind = on_xml(c, x, ev);
    }
    return kind;
}

/* --- time --- */

uint64_t component_deadline(const struct component *c)
{
    return c->state_by_ms < c->keepalive_by_ms ? c->state_by_ms : c->keepalive_by_ms;
}

enum component_event_kind component_timeout(struct component *c, uint64_t now_ms,
                                            struct component_event *ev)
{
    struct component_ending late = {.step = STREAM_STEP_HEADER,
                                    .condition = STREAM_CONDITION_CONNECTION_TIMEOUT,
                                    .is_timeout = true};

    COMPONENT_CHECK(c);
    c->now_ms = now_ms;
    if (c->state_by_ms <= now_ms && c->state == COMPONENT_STATE_CLOSING) {
        component_set_state(c, COMPONENT_STATE_DEAD);
        return COMPONENT_CLOSED;
    }
    if (c->state_by_ms <= now_ms) {
        return component_fail(c, ev, &late, "%u ms were not enough; still waiting for %s",
                              c->params.establish_ms, states[c->state].waits_for);
    }
    if (c->keepalive_by_ms <= now_ms) {
        buf_putc(c->params.out, ' ');
        touch(c);
    }
    return COMPONENT_MORE;
}

void component_sent(struct component *c, uint64_t now_ms)
{
    COMPONENT_CHECK(c);
    c->now_ms = now_ms;
    touch(c);
}

bool component_is_open(const struct component *c)
{
    return c->state == COMPONENT_STATE_OPEN;
}

struct slice component_domain(const struct component *c)
{
    return c->domain;
}

const char *component_state_name(const struct component *c)
{
    COMPONENT_CHECK(c);
    return states[c->state].name;
}
