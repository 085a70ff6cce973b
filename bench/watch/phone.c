/* SPDX-License-Identifier: GPL-2.0-or-later */
/* phone: the SIP side: a pool with a presence server, which says at once that
 * everybody may watch and what they show; and its users, who watch the partner's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "watch.h"

#define FIELD_BYTES 512u
#define EXPIRES_S   7200

struct sip_text {
    const char *at;
    size_t head; /* bytes with the empty line */
    size_t body;
};

/* The value of a header field as the server spells its name; "" when there is none. */
static void field(const struct sip_text *m, const char *name, char value[FIELD_BYTES])
{
    char line[64];
    int n = snprintf(line, sizeof line, "\r\n%s: ", name);
    const char *at = memmem(m->at, m->head, line, (size_t)n);
    value[0] = '\0';
    if (!at) {
        return;
    }
    at += n;
    const char *end = memmem(at, (size_t)(m->at + m->head - at), "\r\n", 2);
    if (end && (size_t)(end - at) < FIELD_BYTES) {
        memcpy(value, at, (size_t)(end - at));
        value[end - at] = '\0';
    }
}

static void copy_between(const char *text, const char *begin, const char *ends, char *out,
                         size_t out_bytes)
{
    const char *at = strstr(text, begin);
    size_t len = at ? strcspn(at + strlen(begin), ends) : 0;
    if (len >= out_bytes) {
        die("longer than the tool has room for: %s", text);
    }
    memcpy(out, at ? at + strlen(begin) : "", len);
    out[len] = '\0';
}

/* What a phone publishes, as a presence server hands it on. */
static int document(char *out, size_t bytes, unsigned pair, const char *inside)
{
    static const char *const shows[] = {"away", "busy", "meeting", "on-the-phone"};
    uint32_t number = watch_state.number;
    return snprintf(
        out, bytes,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" "
        "xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" "
        "xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"sip:u%06u@%s\">"
        "<tuple id=\"t%u\"><status><basic>open</basic></status>"
        "<contact>sip:u%06u@%s</contact><note>round %u.</note></tuple>"
        "<dm:person id=\"p1\"><rpid:activities><rpid:%s/></rpid:activities></dm:person>"
        "</presence>",
        pair, inside, pair, pair, inside, number, shows[number % 4]);
}

static void notify(struct load *l, unsigned pair, const char *state)
{
    struct watch *w = &watch_state;
    struct pair *p = &w->pairs[pair];
    char body[1024];
    bool is_active = strncmp(state, "active", 6) == 0;
    int len = is_active ? document(body, sizeof body, pair, l->inside) : 0;
    if (!w->pool || !p->call_id[0]) {
        watch_error("NOTIFY without a dialog");
        return;
    }
    p->cseq++;
    wire_printf(l, w->pool,
                "NOTIFY %s SIP/2.0\r\nVia: SIP/2.0/TLS " WATCH_POOL_NAME
                ":5061;branch=z9hG4bKn%u.%u.%u\r\nMax-Forwards: 70\r\n"
                "Record-Route: <sip:" WATCH_POOL_NAME ":5061;transport=tls;lr>\r\n"
                "From: <sip:u%06u@%s>;tag=pool%u\r\nTo: <sip:w%06u@p0000.%s>;tag=%s\r\n"
                "Call-ID: %s\r\nCSeq: %u NOTIFY\r\n"
                "Contact: <sip:" WATCH_POOL_NAME ":5061;transport=tls>\r\n"
                "Event: presence\r\nSubscription-State: %s\r\n%sContent-Length: %d\r\n\r\n%.*s",
                w->target, pair, p->cseq, w->number, pair, l->inside, pair, pair, l->suffix,
                p->tag, p->call_id, p->cseq, state,
                is_active ? "Content-Type: application/pidf+xml\r\n" : "", len, len, body);
}

void phone_notify(struct load *l, unsigned pair)
{
    notify(l, pair, "active;expires=7000");
}

static void answer(struct load *l, struct conn *c, const struct sip_text *m, const char *to_tag,
                   const char *more)
{
    char via[FIELD_BYTES];
    char from[FIELD_BYTES];
    char to[FIELD_BYTES];
    char call_id[FIELD_BYTES];
    char cseq[FIELD_BYTES];
    field(m, "Via", via);
    field(m, "From", from);
    field(m, "To", to);
    field(m, "Call-ID", call_id);
    field(m, "CSeq", cseq);
    wire_printf(l, c,
                "SIP/2.0 200 OK\r\nVia: %s\r\nFrom: %s\r\nTo: %s%s\r\nCall-ID: %s\r\nCSeq: %s\r\n"
                "%sContent-Length: 0\r\n\r\n",
                via, from, to, strstr(to, ";tag=") ? "" : to_tag, call_id, cseq, more);
}

/* The server watches a user of ours for the partner. */
static void take_subscribe(struct load *l, struct conn *c, const struct sip_text *m)
{
    struct watch *w = &watch_state;
    char to[FIELD_BYTES];
    char from[FIELD_BYTES];
    char text[FIELD_BYTES];
    char more[FIELD_BYTES];
    char to_tag[32];
    field(m, "To", to);
    field(m, "From", from);
    unsigned pair = watch_number(to, strlen(to), 'u');
    if (pair >= WATCH_PAIRS_MAX) {
        die("SUBSCRIBE to %s", to);
    }
    struct pair *p = &w->pairs[pair];
    field(m, "Call-ID", text);
    if (strcmp(p->call_id, text) != 0) {
        copy_between(text, "", "", p->call_id, sizeof p->call_id);
        copy_between(from, ";tag=", ";", p->tag, sizeof p->tag);
        p->cseq = 0;
    }
    field(m, "Contact", text);
    copy_between(text, "<", ">", w->target, sizeof w->target);
    field(m, "Expires", text);
    unsigned long expires = strtoul(text, NULL, 10);
    (void)snprintf(to_tag, sizeof to_tag, ";tag=pool%u", pair);
    (void)snprintf(more, sizeof more,
                   "Record-Route: <sip:" WATCH_POOL_NAME ":5061;transport=tls;lr>\r\n"
                   "Contact: <sip:" WATCH_POOL_NAME ":5061;transport=tls>\r\nExpires: %lu\r\n",
                   expires);
    w->stamps[w->stamp_count++ % WATCH_STAMPS_MAX] = now_s();
    w->pool = c;
    answer(l, c, m, to_tag, more);
    notify(l, pair, expires ? "active;expires=7000" : "terminated;reason=timeout");
}

/* A user of ours is told of the partner's. */
static void take_notify(struct load *l, struct conn *c, const struct sip_text *m)
{
    struct watch *w = &watch_state;
    char to[FIELD_BYTES];
    char state[FIELD_BYTES];
    char mark[32];
    field(m, "To", to);
    field(m, "Subscription-State", state);
    answer(l, c, m, "", "");
    unsigned pair = watch_number(to, strlen(to), 'u');
    if (pair >= WATCH_PAIRS_MAX) {
        die("NOTIFY to %s", to);
    }
    int n = snprintf(mark, sizeof mark, ">round %u.<", w->number);
    bool is_active = strncmp(state, "active", 6) == 0 && m->body > 0;
    if ((w->round == ROUND_ACTIVE && is_active) ||
        (w->round == ROUND_SHOWN && is_active &&
         memmem(m->at + m->head, m->body, mark, (size_t)n))) {
        watch_answered(pair);
    }
}

void phone_subscribe(struct load *l, unsigned pair)
{
    static unsigned dialogs;
    if (!watch_state.phone) {
        return;
    }
    dialogs++;
    wire_printf(l, watch_state.phone,
                "SUBSCRIBE sip:w%06u@p0000.%s SIP/2.0\r\nVia: SIP/2.0/TLS " WATCH_POOL_NAME
                ":5061;branch=z9hG4bKs%u.%u\r\nMax-Forwards: 70\r\n"
                "Record-Route: <sip:" WATCH_POOL_NAME ":5061;transport=tls;lr>\r\n"
                "From: <sip:u%06u@%s>;tag=phone%08u\r\nTo: <sip:w%06u@p0000.%s>\r\n"
                "Call-ID: %08u-3c2670b2@" WATCH_POOL_NAME "\r\nCSeq: 1 SUBSCRIBE\r\n"
                "Contact: <sip:u%06u@10.1.2.3:5060;transport=tls>\r\nEvent: presence\r\n"
                "Accept: application/pidf+xml\r\nExpires: %d\r\nContent-Length: 0\r\n\r\n",
                pair, l->suffix, pair, dialogs, pair, l->inside, dialogs, pair, l->suffix, dialogs,
                pair, EXPIRES_S);
}

/* Answered with the others of the same read: phone_received sends. */
static void take_message(struct load *l, struct conn *c, const struct sip_text *m)
{
    message_arrived(m->at + m->head, m->body);
    answer(l, c, m, ";tag=pool", "");
}

static void take(struct load *l, struct conn *c, const struct sip_text *m)
{
    if (strncmp(m->at, "SUBSCRIBE ", 10) == 0) {
        take_subscribe(l, c, m);
    } else if (strncmp(m->at, "NOTIFY ", 7) == 0) {
        take_notify(l, c, m);
    } else if (strncmp(m->at, "MESSAGE ", 8) == 0) {
        take_message(l, c, m);
    } else if (strncmp(m->at, "OPTIONS ", 8) == 0) {
        answer(l, c, m, ";tag=options", "");
    } else if (strncmp(m->at, "SIP/2.0 ", 8) == 0) {
        if (m->at[8] != '1' && m->at[8] != '2') {
            watch_error("%.60s", m->at);
        } else if (memmem(m->at, m->head, " MESSAGE\r\n", 10)) {
            message_answered();
        }
    } else {
        die("unexpected on SIP: %.*s", (int)m->head, m->at);
    }
}

void phone_received(struct load *l, struct conn *c)
{
    size_t at = 0;
    c->corked = true;
    for (;;) {
        struct sip_text m = {.at = c->in + at};
        char length[FIELD_BYTES];
        while (at < c->in_len && (c->in[at] == '\r' || c->in[at] == '\n')) {
            at++; /* keep-alive */
        }
        m.at = c->in + at;
        const char *end = memmem(m.at, c->in_len - at, "\r\n\r\n", 4);
        if (!end) {
            break;
        }
        m.head = (size_t)(end - m.at) + 4;
        field(&m, "Content-Length", length);
        m.body = strtoul(length, NULL, 10);
        if (c->in_len - at < m.head + m.body) {
            break;
        }
        at += m.head + m.body;
        take(l, c, &m);
    }
    memmove(c->in, c->in + at, c->in_len - at);
    c->in_len -= at;
    c->corked = false;
    wire_flush(l, c);
}
