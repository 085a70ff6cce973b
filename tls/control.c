/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control: alerts and handshake messages after the handshake, followed without keeping them. */
#include "tls/control.h"

#include "tls/record.h"

#define HEADER_BYTES 4u
/* lifetime, age_add, nonce, a ticket of one byte, no extensions: RFC 8446 4.6.1. */
#define TICKET_BYTES_MIN 14u
#define KEY_UPDATE_BYTES 1u

enum message {
    MESSAGE_HELLO_REQUEST = 0,
    MESSAGE_CLIENT_HELLO = 1,
    MESSAGE_NEW_SESSION_TICKET = 4,
    MESSAGE_KEY_UPDATE = 24,
};

void control_init(struct control *c, bool is_client, bool is_tls13)
{
    *c = (struct control){.is_client = is_client, .is_tls13 = is_tls13};
}

void control_data(struct control *c)
{
    c->quiet_count = 0;
}

bool control_quiet(struct control *c)
{
    if (c->quiet_count >= CONTROL_QUIET_MAX) {
        return false;
    }
    c->quiet_count++;
    return true;
}

static bool is_inside_message(const struct control *c)
{
    return c->header_have > 0;
}

bool control_is_at_border(const struct control *c)
{
    /* RFC 5246 6.2.1 lets types interleave, RFC 8446 5.1 does not. */
    return !c->is_tls13 || !is_inside_message(c);
}

static enum control_event bad(uint8_t *alert, enum tls_alert what)
{
    *alert = (uint8_t)what;
    return CONTROL_BAD;
}

static enum control_event feed_alert(struct slice content, uint8_t *alert)
{
    if (content.len != TLS_ALERT_BYTES) {
        return bad(alert, TLS_ALERT_DECODE_ERROR); /* whole, one at a time: RFC 8446 5.1 */
    }
    *alert = (uint8_t)content.ptr[1];
    switch (*alert) {
    case TLS_ALERT_CLOSE_NOTIFY:
        return CONTROL_CLOSED;
    case TLS_ALERT_USER_CANCELED:
        return CONTROL_NOTHING; /* close_notify follows: RFC 8446 6.1 */
    default:
        return CONTROL_ALERT;
    }
}

/* Whether this message may come here and be so long; 0 or the alert to answer with. */
static uint8_t judge_header(const struct control *c, uint32_t len)
{
    switch (c->header[0]) {
    case MESSAGE_KEY_UPDATE:
        if (!c->is_tls13) {
            return TLS_ALERT_UNEXPECTED_MESSAGE;
        }
        return len == KEY_UPDATE_BYTES ? 0 : TLS_ALERT_DECODE_ERROR;
    case MESSAGE_NEW_SESSION_TICKET:
        if (!c->is_tls13 || !c->is_client) {
            return TLS_ALERT_UNEXPECTED_MESSAGE;
        }
        return len >= TICKET_BYTES_MIN && len <= CONTROL_MESSAGE_BYTES_MAX ? 0
                                                                          : TLS_ALERT_DECODE_ERROR;
    case MESSAGE_HELLO_REQUEST:
        if (c->is_tls13 || !c->is_client) {
            return TLS_ALERT_UNEXPECTED_MESSAGE;
        }
        return len == 0 ? 0 : TLS_ALERT_DECODE_ERROR;
    case MESSAGE_CLIENT_HELLO:
        if (c->is_tls13 || c->is_client) {
            return TLS_ALERT_UNEXPECTED_MESSAGE;
        }
        return len <= CONTROL_MESSAGE_BYTES_MAX ? 0 : TLS_ALERT_DECODE_ERROR;
    default:
        return TLS_ALERT_UNEXPECTED_MESSAGE;
    }
}

/* The last byte of its body (if it has one) was last; left bytes of the record follow. */
static enum control_event end_message(struct control *c, uint8_t last, size_t left, uint8_t *alert)
{
    uint8_t message = c->header[0];
    c->header_have = 0;
    switch (message) {
    case MESSAGE_KEY_UPDATE:
        if (left > 0) {
            return bad(alert, TLS_ALERT_UNEXPECTED_MESSAGE);
        }
        if (last > 1) {
            return bad(alert, TLS_ALERT_ILLEGAL_PARAMETER);
        }
        return last == 1 ? CONTROL_UPDATE_BOTH : CONTROL_UPDATE;
    case MESSAGE_NEW_SESSION_TICKET:
        return CONTROL_NOTHING;
    default:
        return CONTROL_REFUSE;
    }
}

/* Takes bytes up to the end of the header; BAD or NOTHING. */
static enum control_event feed_header(struct control *c, struct slice *content, uint8_t *alert)
{
    while (c->header_have < HEADER_BYTES && content->len > 0) {
        c->header[c->header_have++] = (uint8_t)content->ptr[0];
        *content = slice_from(*content, 1);
    }
    if (c->header_have < HEADER_BYTES) {
        return CONTROL_NOTHING;
    }
    c->body_left = (uint32_t)c->header[1] << 16 | (uint32_t)c->header[2] << 8 | c->header[3];
    *alert = judge_header(c, c->body_left);
    return *alert == 0 ? CONTROL_NOTHING : CONTROL_BAD;
}

/* One message or what there is of it. */
static enum control_event feed_message(struct control *c, struct slice *content, uint8_t *alert)
{
    if (c->header_have < HEADER_BYTES) {
        enum control_event event = feed_header(c, content, alert);
        if (event != CONTROL_NOTHING || c->header_have < HEADER_BYTES) {
            return event;
        }
    }
    size_t take = content->len < c->body_left ? content->len : c->body_left;
    uint8_t last = take > 0 ? (uint8_t)content->ptr[take - 1] : 0;
    *content = slice_from(*content, take);
    c->body_left -= (uint32_t)take;
    return c->body_left > 0 ? CONTROL_NOTHING : end_message(c, last, content->len, alert);
}

/* A refusal among others is answered once a record. */
static enum control_event feed_handshake(struct control *c, struct slice content, uint8_t *alert)
{
    enum control_event result = CONTROL_NOTHING;
    bool is_first = true;
    if (content.len == 0) {
        return bad(alert, TLS_ALERT_UNEXPECTED_MESSAGE);
    }
    while (content.len > 0) {
        if (!is_first && !control_quiet(c)) {
            return bad(alert, TLS_ALERT_UNEXPECTED_MESSAGE);
        }
        is_first = false;
        enum control_event event = feed_message(c, &content, alert);
        if (event == CONTROL_BAD) {
            return event;
        }
        result = event == CONTROL_NOTHING ? result : event;
    }
    return result;
}

enum control_event control_feed(struct control *c, uint8_t type, struct slice content,
                                uint8_t *alert)
{
    *alert = 0;
    if (!control_quiet(c)) {
        return bad(alert, TLS_ALERT_UNEXPECTED_MESSAGE);
    }
    if (type == RECORD_HANDSHAKE) {
        return feed_handshake(c, content, alert);
    }
    if (type == RECORD_ALERT && control_is_at_border(c)) {
        return feed_alert(content, alert);
    }
    return bad(alert, TLS_ALERT_UNEXPECTED_MESSAGE);
}
