/* SPDX-License-Identifier: GPL-2.0-or-later */
/* component_open: XEP-0114 up to the accepted handshake, and how a stream ends at any time. */
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "xml/writer.h"
#include "xmpp/component_int.h"
#include "xmpp/ns.h"

#define COMPONENT_SECRET_BYTES_MAX 1024u
#define COMPONENT_HASH_CHARS       (2u * CRYPTO_SHA1_BYTES)

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

void component_put_end(struct component *c, enum stream_condition condition, const char *text,
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

static void PRINTF_LIKE(4, 0)
    explain(struct component *c, struct component_event *ev, const struct component_ending *how,
            const char *fmt, va_list args)
{
    if (vsnprintf(c->why, sizeof(c->why), fmt, args) < 0) {
        c->why[0] = '\0';
    }
    ev->failure = (struct stream_failure){.step = how->step,
                                          .condition = how->condition,
                                          .is_timeout = how->is_timeout,
                                          .text = c->why};
}

enum component_event_kind PRINTF_LIKE(4, 5)
    component_fail(struct component *c, struct component_event *ev,
                   const struct component_ending *how, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    explain(c, ev, how, fmt, args);
    va_end(args);
    if (c->state != COMPONENT_STATE_CLOSING) {
        component_put_end(c, how->condition, c->why, how->app);
    }
    component_set_state(c, COMPONENT_STATE_DEAD);
    return COMPONENT_FAILED;
}

void component_close(struct component *c, uint64_t now_ms, enum stream_condition condition,
                     const char *text)
{
    COMPONENT_CHECK(c);
    c->now_ms = now_ms;
    if (c->state == COMPONENT_STATE_CLOSING || c->state == COMPONENT_STATE_DEAD) {
        return;
    }
    component_put_end(c, condition, text, NULL);
    component_set_state(c, COMPONENT_STATE_CLOSING);
}

enum component_event_kind component_on_header(struct component *c, const struct xml_tree *t,
                                              struct component_event *ev)
{
    const struct xml_attr *to = xml_attr(t, 0, SLICE_LIT("to"));
    struct jid jid;

    if (!xml_is(t, 0, SLICE_LIT("stream"), SLICE_LIT(NS_STREAMS)) ||
        !slice_eq(xml_parser_default_ns(c->parser), SLICE_LIT(NS_COMPONENT))) {
        return component_fail(c, ev, COMPONENT_ENDING(HEADER, INVALID_NAMESPACE),
                              "not a stream header with content namespace " NS_COMPONENT);
    }
    if (!to || jid_parse(&c->domain_mem, to->value, &jid) || !jid_is_domain(&jid)) {
        return component_fail(c, ev, COMPONENT_ENDING(HEADER, IMPROPER_ADDRESSING),
                              "to in the stream header is missing or not a domain");
    }
    if (slice_is_empty(c->params.host->secret(c->params.ctx, jid.domain))) {
        return component_fail(c, ev, COMPONENT_ENDING(POLICY, HOST_UNKNOWN),
                              "no component is configured for %s", log_quote(jid.domain).text);
    }
    c->domain = jid.domain;
    put_header(c);
    component_set_state(c, COMPONENT_STATE_HANDSHAKE);
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

enum component_event_kind component_on_handshake(struct component *c, const struct xml_tree *t,
                                                 struct component_event *ev)
{
    if (!xml_is(t, 0, SLICE_LIT("handshake"), SLICE_LIT(NS_COMPONENT))) {
        return component_fail(c, ev, COMPONENT_ENDING(STANZA, NOT_AUTHORIZED),
                              "element %s before the handshake", log_quote(t->nodes[0].name).text);
    }
    if (!is_handshake_right(c, xml_text(t, 0))) {
        return component_fail(
            c, ev, COMPONENT_ENDING(POLICY, NOT_AUTHORIZED),
            "the handshake does not fit the secret of %s; compare both configurations",
            log_quote(c->domain).text);
    }
    component_set_state(c, COMPONENT_STATE_PROVED);
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
    component_set_state(c, COMPONENT_STATE_OPEN);
}
