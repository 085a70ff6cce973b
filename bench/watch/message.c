/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message: messages, one after the other as the window allows: from the partner to
 * the pool (stanza to MESSAGE) or from a phone to the partner. Every one carries pair and number;
 * each pair's must arrive once and in order. The window counts what is between source and sink;
 * the server's answers to a phone come when the partner's server has acknowledged, and are counted
 * on their own. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "watch.h"

#define PAIRS      4096u
#define TURN_MS    20
#define STALL_S    10.0
#define OUT_ROOM   (64u << 10)
#define FLYING_MAX 16384u /* requests without answer */
#define MARK       "No. "
#define BODY       MARK "%06u %09u: shall we meet at the usual place at noon?"

static struct {
    uint32_t sent[PAIRS];
    uint32_t due[PAIRS];
    uint64_t begun;
    uint64_t arrived;
    uint64_t answered;
    uint64_t wrong; /* twice, out of order, or not ours */
} books;

void message_arrived(const char *at, size_t len)
{
    const char *mark = memmem(at, len, MARK, strlen(MARK));
    if (!mark || (size_t)(at + len - mark) < strlen(MARK) + 17) {
        watch_error("%.*s", (int)len, at);
        return;
    }
    unsigned pair = (unsigned)strtoul(mark + strlen(MARK), NULL, 10);
    unsigned number = (unsigned)strtoul(mark + strlen(MARK) + 7, NULL, 10);
    if (pair >= PAIRS || number != books.due[pair]) {
        books.wrong++;
        return;
    }
    books.due[pair]++;
    books.arrived++;
}

void message_answered(void)
{
    books.answered++;
}

__attribute__((format(printf, 2, 3))) static void put(struct conn *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(c->out + c->out_len, OUT_BYTES - c->out_len, fmt, args);
    va_end(args);
    if (len < 0 || (size_t)len >= OUT_BYTES - c->out_len) {
        die("no room for a message: the server does not read");
    }
    c->out_len += (size_t)len;
}

static void put_stanza(const struct load *l, unsigned pair, uint32_t number)
{
    put(watch_state.stream,
        "<message from='w%06u@p0000.%s/home' to='u%06u%s%s@%s' type='chat' id='purple%u-%u'><body>"
        BODY "</body><active xmlns='http://jabber.org/protocol/chatstates'/></message>",
        pair, l->suffix, pair, l->gateway ? "*" : "", l->gateway ? l->inside : "",
        l->gateway ? l->gateway : l->inside, pair, number, pair, number);
}

static void put_request(const struct load *l, unsigned pair, uint32_t number)
{
    char body[128];
    char to[128];
    int len = snprintf(body, sizeof body, BODY, pair, number);
    (void)snprintf(to, sizeof to, "w%06u%cp0000.%s%s%s", pair, l->gateway ? '*' : '@', l->suffix,
                   l->gateway ? "@" : "", l->gateway ? l->gateway : "");
    put(watch_state.phone,
        "MESSAGE sip:%s SIP/2.0\r\nVia: SIP/2.0/TCP " WATCH_POOL_NAME
        ":5060;branch=z9hG4bKm%u.%u\r\nMax-Forwards: 70\r\n"
        "From: <sip:u%06u@%s>;tag=phone%u.%u\r\nTo: <sip:%s>\r\n"
        "Call-ID: %u-%u-3c2670b2@" WATCH_POOL_NAME "\r\nCSeq: 1 MESSAGE\r\n"
        "Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s",
        to, pair, number, pair, l->inside, pair, number, to, pair, number, len, body);
}

/* What may still go out now. */
static bool may_send(const struct conn *c, bool to_sip, uint64_t count, unsigned window)
{
    return c && books.begun < count && books.begun - books.arrived < window &&
           c->out_len < OUT_BYTES - OUT_ROOM &&
           (to_sip || books.begun - books.answered < FLYING_MAX);
}

void message_round(struct load *l, bool to_sip, uint64_t count, unsigned window)
{
    struct watch *w = &watch_state;
    double cpu = own_cpu_s();
    double start = now_s();
    double last = start;
    uint64_t seen = 0;
    books.begun = books.arrived = books.answered = books.wrong = 0;
    memcpy(books.due, books.sent, sizeof books.due); /* numbers go on: no request comes twice */
    w->errors = 0;
    w->error[0] = '\0';
    while ((books.arrived < count || (!to_sip && books.answered < count)) &&
           now_s() - last < STALL_S) {
        struct conn *c = to_sip ? w->stream : w->phone;
        while (may_send(c, to_sip, count, window)) {
            unsigned pair = (unsigned)(books.begun++ % PAIRS);
            (to_sip ? put_stanza : put_request)(l, pair, books.sent[pair]++);
        }
        if (c && c->out_at < c->out_len) {
            wire_flush(l, c);
        }
        wire_turn(l, TURN_MS);
        if (books.arrived + books.answered != seen) {
            seen = books.arrived + books.answered;
            last = now_s();
        }
    }
    (void)printf("{\"delivered\": %llu, \"lost\": %llu, \"wrong\": %llu, \"unanswered\": %llu, "
                 "\"seconds\": %.6f, \"errors\": %u, \"error\": \"%s\", \"own_cpu_s\": %.6f}\n",
                 (unsigned long long)books.arrived, (unsigned long long)(count - books.arrived),
                 (unsigned long long)books.wrong,
                 (unsigned long long)(to_sip ? 0 : count - books.answered), last - start, w->errors,
                 w->error, own_cpu_s() - cpu);
    (void)fflush(stdout);
}
