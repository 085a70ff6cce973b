/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pump: makes stanzas and sends them as the workload says. A stanza is a template per stream in
 * which the digits of the sequence number are put twice: id and body. */
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "load.h"

static char templates[STREAMS_MAX][STANZA_BYTES + 1];
static size_t id_at[STREAMS_MAX];
static size_t body_at[STREAMS_MAX];

static void make_template(const struct load *l, unsigned i)
{
    char partner[128];
    char inside[128];
    (void)snprintf(partner, sizeof partner, "u%04u@p%04u.%s/home", i, i, l->suffix);
    (void)snprintf(inside, sizeof inside, "u%04u@%s/", i, l->inside);
    const char *from = l->mode == MODE_OUT ? inside : partner;
    const char *to = l->mode == MODE_OUT ? partner : inside;
    const char *tail = l->mode == MODE_OUT ? "" : "desk";
    const char *mid = l->mode == MODE_OUT ? "desk" : "";
    char text[512];
    static const char format[] =
        "<message from='%s%s' to='%s%s' type='chat' id='%.*ss%04u-000000000'>"
        "<body>%04u:000000000:%.45s</body>"
        "<active xmlns='http://jabber.org/protocol/chatstates'/></message>";
    static const char words[] = "shall we meet at noon at the usual place today";
    static const char fill[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    int len = snprintf(text, sizeof text, format, from, mid, to, tail, 0, fill, i, i, words);
    int pad = (int)STANZA_BYTES - len;
    if (pad < 0 || pad > (int)sizeof fill - 1) {
        die("domains of this length do not make a stanza of %u bytes", STANZA_BYTES);
    }
    (void)snprintf(text, sizeof text, format, from, mid, to, tail, pad, fill, i, i, words);
    memcpy(templates[i], text, STANZA_BYTES);
    id_at[i] = (size_t)(strstr(text, "-000000000'") - text) + 1;
    body_at[i] = (size_t)(strstr(text, ":000000000:") - text) + 1;
}

void pump_init(const struct load *l)
{
    for (unsigned i = 0; i < l->streams; i++) {
        make_template(l, i);
    }
}

const char *pump_stanza(unsigned stream, uint64_t seq)
{
    char digits[SEQ_DIGITS];
    for (unsigned i = SEQ_DIGITS; i-- > 0;) {
        digits[i] = (char)('0' + seq % 10);
        seq /= 10;
    }
    memcpy(templates[stream] + id_at[stream], digits, SEQ_DIGITS);
    memcpy(templates[stream] + body_at[stream], digits, SEQ_DIGITS);
    return templates[stream];
}

/* How many stanzas the next write of that stream holds; 0 = not now. */
static uint64_t allowance(const struct load *l, unsigned stream)
{
    const struct tally *t = &l->tally;
    const struct conn *c = l->sources[stream];
    uint64_t left = l->target_sum - t->sent;
    uint64_t batch = l->fan ? 1 : WRITE_BYTES / STANZA_BYTES;
    batch = batch < left ? batch : left;
    uint64_t flying = t->of[stream].sent - t->of[stream].unique;
    if (c->out_len > 0 || flying + batch > l->window / l->streams) {
        return 0;
    }
    return batch;
}

void pump(struct load *l)
{
    struct tally *t = &l->tally;
    unsigned idle = 0;
    while (idle < l->streams && t->sent < l->target_sum) {
        unsigned i = l->next;
        l->next = (l->next + 1) % l->streams;
        uint64_t batch = allowance(l, i);
        if (batch == 0) {
            idle++;
            continue;
        }
        idle = 0;
        struct conn *c = l->sources[i];
        for (uint64_t k = 0; k < batch; k++) {
            memcpy(c->out + c->out_len, pump_stanza(i, t->of[i].sent), STANZA_BYTES);
            c->out_len += STANZA_BYTES;
            t->of[i].sent++;
        }
        t->sent += batch;
        wire_flush(l, c);
    }
}
