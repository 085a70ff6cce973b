/* SPDX-License-Identifier: GPL-2.0-or-later */
/* component: the accepting side of XEP-0114. */
#include "xmpp/component.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
#include "base/pool.h"
#include "xml/parser.h"
#include "xml/writer.h"
#include "xmpp/ns.h"
#include "xmpp/xml_fault.h"

#define COMPONENT_MAGIC            0x58635031u
#define COMPONENT_WHY_BYTES        256u
#define COMPONENT_ID_CHARS         32u /* 128 random bits */
#define COMPONENT_SECRET_BYTES_MAX 1024u
#define COMPONENT_HASH_CHARS       (2u * CRYPTO_SHA1_BYTES)

enum component_wait { COMPONENT_WAIT_ESTABLISH, COMPONENT_WAIT_NONE, COMPONENT_WAIT_CLOSE };

#define ENDS (S(CLOSING) | S(DEAD))
/* name, what bounds the stay, what it waits for, allowed successors */
#define COMPONENT_STATES(X)                                                                        \
    X(OPENING, ESTABLISH, "the stream header", S(HANDSHAKE) | ENDS)                                \
    X(HANDSHAKE, ESTABLISH, "the handshake", S(PROVED) | ENDS)                                     \
    X(PROVED, ESTABLISH, "being accepted", S(OPEN) | ENDS)                                         \
    X(OPEN, NONE, "stanzas", ENDS)                                                                 \
    X(CLOSING, CLOSE, "the component to close", S(DEAD))                                           \
    X(DEAD, NONE, "nothing", 0u)

enum component_state {
#define X(name, wait, text, next) COMPONENT_STATE_##name,
    COMPONENT_STATES(X)
#undef X
};

enum {
#define S(name)                   (1u << COMPONENT_STATE_##name)
#define X(name, wait, text, next) COMPONENT_NEXT_##name = (next),
    COMPONENT_STATES(X)
#undef X
#undef S
};

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

struct component {
    uint32_t magic;
    enum component_state state; /* set_state() only */
    struct component_params params;
    struct xml_parser *parser; /* owned */
    struct jid_storage domain_mem;
    struct slice domain; /* into domain_mem; empty before the header */
    char id[COMPONENT_ID_CHARS];
    bool is_header_written;
    bool is_accepted;
    uint64_t now_ms;
    uint64_t establish_by_ms;
    uint64_t state_by_ms;
    uint64_t keepalive_by_ms;
    char why[COMPONENT_WHY_BYTES];
};

#define COMPONENT_CHECK(c) ASSERT((c)->magic == COMPONENT_MAGIC)

static void touch(struct component *c)
{
    bool is_kept = c->state == COMPONENT_STATE_OPEN && c->params.keepalive_ms > 0;

    c->keepalive_by_ms = is_kept ? c->now_ms + c->params.keepalive_ms : STREAM_NEVER;
}

static void set_state(struct component *c, enum component_state next)
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

/* --- ends --- */

static void put_header(struct component *c)
{
    unsigned char bytes[COMPONENT_ID_CHARS / 2];
    static const char digits[] = "0123456789abcdef";

    c->params.crypto->random(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        c->id[2 * i] = digits[bytes[i] >> 4];
        c->id[2 * i + 1] = digits[bytes[i] & 15];
    }
    buf_put_lit(c->params.out, "<?xml version=\"1.0\"?><stream:stream xmlns=\"" NS_COMPONENT
                               "\" xmlns:stream=\"" NS_STREAMS "\"");
    if (!slice_is_empty(c->domain)) {
        xml_write_attr(c->params.out, "from", c->domain);
    }
    xml_write_attr(c->params.out, "id", slice_make(c->id, sizeof(c->id)));
    buf_putc(c->params.out, '>');
    c->is_header_written = true;
}

static void put_end(struct component *c, enum stream_condition condition, const char *text,
                    const char *app)
{
    if (!c->is_header_written) {
        put_header(c);
    }
    if (condition != STREAM_CONDITION_NONE) {
        stream_error_write(c->params.out, condition, slice_from_cstr(text), app);
    }
    buf_put_lit(c->params.out, "</stream:stream>");
}

struct ending {
    enum stream_step step;
    enum stream_condition condition;
    const char *app;
    bool is_timeout;
};

static void PRINTF_LIKE(4, 0) explain(struct component *c, struct component_event *ev,
                                      const struct ending *how, const char *fmt, va_list args)
{
    if (vsnprintf(c->why, sizeof(c->why), fmt, args) < 0) {
        c->why[0] = '\0';
    }
    ev->failure = (struct stream_failure){.step = how->step,
                                          .condition = how->condition,
                                          .is_timeout = how->is_timeout,
                                          .text = c->why};
}

static enum component_event_kind PRINTF_LIKE(4, 5)
    fail(struct component *c, struct component_event *ev, const struct ending *how, const char *fmt,
         ...)
{
    va_list args;

    va_start(args, fmt);
    explain(c, ev, how, fmt, args);
    va_end(args);
    if (c->state != COMPONENT_STATE_CLOSING) {
        put_end(c, how->condition, c->why, how->app);
    }
    set_state(c, COMPONENT_STATE_DEAD);
    return COMPONENT_FAILED;
}

#define ENDING(step_, condition_)                                                                  \
    (&(struct ending){.step = STREAM_STEP_##step_, .condition = STREAM_CONDITION_##condition_})

void component_close(struct component *c, uint64_t now_ms, enum stream_condition condition,
                     const char *text)
{
    COMPONENT_CHECK(c);
    c->now_ms = now_ms;
    if (c->state == COMPONENT_STATE_CLOSING || c->state == COMPONENT_STATE_DEAD) {
        return;
    }
    put_end(c, condition, text, NULL);
    set_state(c, COMPONENT_STATE_CLOSING);
}

/* --- header and handshake --- */

static enum component_event_kind on_header(struct component *c, const struct xml_tree *t,
                                           struct component_event *ev)
{
    const struct xml_attr *to = xml_attr(t, 0, SLICE_LIT("to"));
    struct jid jid;

    if (!xml_is(t, 0, SLICE_LIT("stream"), SLICE_LIT(NS_STREAMS)) ||
        !slice_eq(xml_parser_default_ns(c->parser), SLICE_LIT(NS_COMPONENT))) {
        return fail(c, ev, ENDING(HEADER, INVALID_NAMESPACE),
                    "not a stream header with content namespace " NS_COMPONENT);
    }
    if (!to || jid_parse(&c->domain_mem, to->value, &jid) || !jid_is_domain(&jid)) {
        return fail(c, ev, ENDING(HEADER, IMPROPER_ADDRESSING),
                    "to in the stream header is missing or not a domain");
    }
    if (slice_is_empty(c->params.host->secret(c->params.ctx, jid.domain))) {
        return fail(c, ev, ENDING(POLICY, HOST_UNKNOWN), "no component is configured for %s",
                    log_quote(jid.domain).text);
    }
    c->domain = jid.domain;
    put_header(c);
    set_state(c, COMPONENT_STATE_HANDSHAKE);
    return COMPONENT_MORE;
}

/* SHA1(id + secret) in lower-case hexadecimal. False when nothing can be right. */
static bool is_handshake_right(struct component *c, struct slice given)
{
    struct slice secret = c->params.host->secret(c->params.ctx, c->domain);
    unsigned char digest[CRYPTO_SHA1_BYTES];
    char text[COMPONENT_ID_CHARS + COMPONENT_SECRET_BYTES_MAX];
    char hex[COMPONENT_HASH_CHARS];
    static const char digits[] = "0123456789abcdef";

    if (slice_is_empty(secret) || secret.len > COMPONENT_SECRET_BYTES_MAX) {
        return false;
    }
    memcpy(text, c->id, sizeof(c->id));
    memcpy(text + sizeof(c->id), secret.ptr, secret.len);
    c->params.crypto->sha1(slice_make(text, sizeof(c->id) + secret.len), digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    return slice_eq_secret(slice_trim(given), slice_make(hex, sizeof(hex)));
}

static enum component_event_kind on_handshake(struct component *c, const struct xml_tree *t,
                                              struct component_event *ev)
{
    if (!xml_is(t, 0, SLICE_LIT("handshake"), SLICE_LIT(NS_COMPONENT))) {
        return fail(c, ev, ENDING(STANZA, NOT_AUTHORIZED), "element %s before the handshake",
                    log_quote(t->nodes[0].name).text);
    }
    if (!is_handshake_right(c, xml_text(t, 0))) {
        return fail(c, ev, ENDING(POLICY, NOT_AUTHORIZED),
                    "the handshake does not fit the secret of %s; compare both configurations",
                    log_quote(c->domain).text);
    }
    set_state(c, COMPONENT_STATE_PROVED);
    ev->domain = c->domain;
    return COMPONENT_PROVED;
}

void component_accept(struct component *c, uint64_t now_ms)
{
    struct xml_limits limits = xml_limits_authenticated;

    COMPONENT_CHECK(c);
    c->now_ms = now_ms;
    if (!CHECK(c->state == COMPONENT_STATE_PROVED)) {
        return;
    }
    limits.stanza_bytes_max = c->params.stanza_bytes_max;
    xml_parser_set_limits(c->parser, &limits);
    buf_put_lit(c->params.out, "<handshake/>");
    c->is_accepted = true;
    set_state(c, COMPONENT_STATE_OPEN);
}

/* --- stanzas --- */

static enum component_event_kind on_stanza(struct component *c, const struct xml_tree *t,
                                           struct component_event *ev)
{
    struct stanza *st = &ev->stanza;
    enum stanza_fault fault = stanza_view(st, t, SLICE_LIT(NS_COMPONENT), SLICE_NONE);

    if (fault == STANZA_FAULT_NOMEM) {
        return fail(c, ev, ENDING(RESOURCES, RESOURCE_CONSTRAINT), "out of memory");
    }
    if (fault == STANZA_FAULT_KIND) {
        return fail(c, ev, ENDING(STANZA, UNSUPPORTED_STANZA_TYPE), "%s: element %s",
                    stanza_fault_text(fault), log_quote(t->nodes[0].name).text);
    }
    if (fault != STANZA_OK && stanza_fault_condition(fault) == STANZA_CONDITION_NONE) {
        return fail(c, ev, ENDING(STANZA, IMPROPER_ADDRESSING), "%s", stanza_fault_text(fault));
    }
    if (!slice_eq(st->from.domain, c->domain)) {
        return fail(c, ev, ENDING(STANZA, INVALID_FROM), "a stanza from %s on the stream of %s",
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

    kind = fail(c, ev, ENDING(STREAM_ERROR, NONE), "the component ended the stream with %s",
                log_quote(name).text);
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
        return on_handshake(c, t, ev);
    case COMPONENT_STATE_PROVED:
        return fail(c, ev, ENDING(STANZA, NOT_AUTHORIZED),
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
        set_state(c, COMPONENT_STATE_DEAD);
        return COMPONENT_CLOSED;
    }
    if (c->state != COMPONENT_STATE_OPEN) {
        return fail(c, ev, ENDING(HEADER, NONE), "closed by the component while we waited for %s",
                    states[c->state].waits_for);
    }
    put_end(c, STREAM_CONDITION_NONE, "", NULL);
    set_state(c, COMPONENT_STATE_DEAD);
    return COMPONENT_PEER_CLOSED;
}

static enum component_event_kind on_xml(struct component *c, enum xml_event x,
                                        struct component_event *ev)
{
    struct ending bad = {.step = STREAM_STEP_XML};

    switch (x) {
    case XML_MORE:
        return COMPONENT_MORE;
    case XML_STREAM_OPEN:
        return c->state == COMPONENT_STATE_OPENING ? on_header(c, xml_parser_tree(c->parser), ev)
                                                   : COMPONENT_MORE;
    case XML_ELEMENT:
        return on_element(c, xml_parser_tree(c->parser), ev);
    case XML_STREAM_CLOSE:
        return on_peer_close(c, ev);
    case XML_BAD:
        bad.condition = xml_fault_condition(xml_parser_why(c->parser), &bad.app);
        return fail(c, ev, &bad, "%s, while waiting for %s", xml_parser_why_text(c->parser),
                    states[c->state].waits_for);
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
    struct ending late = {.step = STREAM_STEP_HEADER,
                          .condition = STREAM_CONDITION_CONNECTION_TIMEOUT,
                          .is_timeout = true};

    COMPONENT_CHECK(c);
    c->now_ms = now_ms;
    if (c->state_by_ms <= now_ms && c->state == COMPONENT_STATE_CLOSING) {
        set_state(c, COMPONENT_STATE_DEAD);
        return COMPONENT_CLOSED;
    }
    if (c->state_by_ms <= now_ms) {
        return fail(c, ev, &late, "%u ms were not enough; still waiting for %s",
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
