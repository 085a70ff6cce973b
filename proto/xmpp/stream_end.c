/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_end: every way in which a stream ends, and what is said about it to the peer and to us. */
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/log.h"
#include "xmpp/stream_int.h"

#define STREAM_CHECK(s) ASSERT((s)->magic == STREAM_MAGIC)

void stream_put_close(struct stream *s)
{
    if (!s->is_header_written) {
        if (s->role == STREAM_IN) {
            stream_in_put_header(s, NULL);
        } else {
            stream_out_put_header(s);
        }
    }
    buf_put_lit(s->out, "</stream:stream>");
}

static void PRINTF_LIKE(3, 0)
    explain(struct stream_event *ev, enum stream_step step, const char *fmt, va_list args)
{
    int len = vsnprintf(ev->why, sizeof(ev->why), fmt, args);

    if (len < 0) {
        ev->why[0] = '\0';
    }
    ev->failure = (struct stream_failure){.step = step, .text = ev->why};
}

void stream_explain(struct stream_event *ev, enum stream_step step, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    explain(ev, step, fmt, args);
    va_end(args);
}

enum stream_event_kind stream_note(struct stream_event *ev, enum stream_step step, const char *fmt,
                                   ...)
{
    va_list args;

    va_start(args, fmt);
    explain(ev, step, fmt, args);
    va_end(args);
    return STREAM_NOTE;
}

/* ev->failure has step and text already. */
static enum stream_event_kind end(struct stream *s, struct stream_event *ev,
                                  const struct stream_end *how)
{
    /* Behind <proceed/> nothing may be said in plain. */
    bool is_silent = s->state == STREAM_STATE_CLOSING || stream_is_securing(s);

    ev->failure.condition = how->condition;
    ev->failure.is_timeout = how->is_timeout;
    if (!is_silent) {
        if (how->condition != STREAM_CONDITION_NONE) {
            if (!s->is_header_written && s->role == STREAM_IN) {
                stream_in_put_header(s, NULL);
            }
            stream_error_write(s->out, how->condition, slice_from_cstr(ev->failure.text), how->app);
        }
        stream_put_close(s);
    }
    stream_set_state(s, STREAM_STATE_DEAD);
    return STREAM_FAILED;
}

enum stream_event_kind stream_fail(struct stream *s, struct stream_event *ev, enum stream_step step,
                                   enum stream_condition condition, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    explain(ev, step, fmt, args);
    va_end(args);
    return end(s, ev, &(struct stream_end){.step = step, .condition = condition});
}

enum stream_event_kind stream_end(struct stream *s, struct stream_event *ev,
                                  const struct stream_end *how, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    explain(ev, how->step, fmt, args);
    va_end(args);
    return end(s, ev, how);
}

enum stream_event_kind stream_nomem(struct stream *s, struct stream_event *ev)
{
    return stream_fail(s, ev, STREAM_STEP_RESOURCES, STREAM_CONDITION_RESOURCE_CONSTRAINT,
                       "out of memory");
}

void stream_close(struct stream *s, uint64_t now_ms, enum stream_condition condition,
                  const char *text)
{
    STREAM_CHECK(s);
    s->now_ms = now_ms;
    if (s->state == STREAM_STATE_CLOSING || s->state == STREAM_STATE_DEAD) {
        return;
    }
    if (stream_is_securing(s)) {
        stream_set_state(s, STREAM_STATE_CLOSING);
        return;
    }
    if (condition != STREAM_CONDITION_NONE) {
        if (!s->is_header_written && s->role == STREAM_IN) {
            stream_in_put_header(s, NULL);
        }
        stream_error_write(s->out, condition, slice_from_cstr(text), NULL);
    }
    stream_put_close(s);
    stream_set_state(s, STREAM_STATE_CLOSING);
}

enum stream_event_kind stream_lost(struct stream *s, const char *why, struct stream_event *ev)
{
    enum stream_state was = s->state;

    STREAM_CHECK(s);
    if (was == STREAM_STATE_DEAD) {
        return STREAM_MORE;
    }
    stream_explain(ev, stream_step_of(s), "the connection ended while waiting for %s: %s",
                   stream_waits_for(s), why);
    stream_set_state(s, STREAM_STATE_DEAD);
    return was == STREAM_STATE_CLOSING || stream_is_served(s) ? STREAM_CLOSED : STREAM_FAILED;
}

enum stream_event_kind stream_peer_error(struct stream *s, struct stream_event *ev,
                                         const struct xml_tree *t)
{
    enum stream_condition condition = STREAM_CONDITION_NONE;
    struct slice name = SLICE_NONE;
    struct slice text = SLICE_NONE;

    for (uint32_t n = xml_child(t, 0, SLICE_NONE, SLICE_LIT(NS_STREAM_ERRORS)); n != XML_NO_NODE;
         n = xml_next_child(t, 0, n, SLICE_NONE, SLICE_LIT(NS_STREAM_ERRORS))) {
        if (slice_eq(t->nodes[n].name, SLICE_LIT("text"))) {
            text = xml_text(t, n);
        } else if (slice_is_empty(name)) {
            name = t->nodes[n].name;
            condition = stream_condition_find(name);
        }
    }
    if (stream_is_tls_forced(s)) {
        /* Servers without TLS know no <starttls/>: Prosody says unsupported-stanza-type. */
        stream_explain(ev, STREAM_STEP_STARTTLS,
                       "the peer does not offer TLS, which our rules demand, and answers a try "
                       "with %s",
                       log_quote(name).text);
        condition = STREAM_CONDITION_POLICY_VIOLATION;
        ev->failure.is_mismatch = true;
    } else if (s->state == STREAM_STATE_IN_FEATURES &&
               (s->is_dialback_refused || s->sasl_attempts > 0 ||
                condition == STREAM_CONDITION_UNSUPPORTED_FEATURE)) {
        /* An echo of our refusal, or RFC 6120 4.9.3.22: it has not what the features demand. */
        stream_explain(ev, stream_step_of(s),
                       "the peer cannot do what our rules demand: it left with %s, text %s, while "
                       "we waited for %s",
                       log_quote(name).text, log_quote(text).text, stream_waits_for(s));
    } else {
        stream_explain(ev, STREAM_STEP_STREAM_ERROR,
                       "the peer ended the stream with %s, text %s, while we waited for %s",
                       log_quote(name).text, log_quote(text).text, stream_waits_for(s));
    }
    ev->failure.condition = condition;
    if (s->state != STREAM_STATE_CLOSING) {
        stream_put_close(s);
    }
    stream_set_state(s, STREAM_STATE_DEAD);
    return STREAM_FAILED;
}
