/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tally: the books. A stanza is looked up by the numbers in its body and compared with what was
 * sent under these numbers: addresses, id and body.                                             */
#include <string.h>

#include "base/pool.h"
#include "load.h"

void tally_init(struct tally *t, unsigned streams, uint64_t per_stream_max)
{
    for (unsigned i = 0; i < streams; i++) {
        t->of[i].seen = pool_heap_zalloc((size_t)per_stream_max / 8 + 1);
    }
}

static bool number_at(const char *at, const char *end, unsigned digits, uint64_t *value)
{
    if ((size_t)(end - at) < digits) {
        return false;
    }
    *value = 0;
    for (unsigned i = 0; i < digits; i++) {
        if (at[i] < '0' || at[i] > '9') {
            return false;
        }
        *value = *value * 10 + (uint64_t)(at[i] - '0');
    }
    return true;
}

/* What stands between name=' and the next quote of either kind is what we sent. */
static bool same_attribute(const char *tag, size_t tag_len, const char *sent, const char *name)
{
    const char *want = memmem(sent, STANZA_BYTES, name, strlen(name));
    const char *got = memmem(tag, tag_len, name, strlen(name));
    if (!want || !got) {
        return false;
    }
    want += strlen(name) + 1;
    got += strlen(name) + 1;
    size_t len = strcspn(want, "'");
    return (size_t)(tag + tag_len - got) > len && memcmp(want, got, len) == 0 &&
           (got[len] == '\'' || got[len] == '"');
}

static bool intact(const char *stanza, size_t len, const char *body, unsigned stream, uint64_t seq)
{
    const char *sent = pump_stanza(stream, seq);
    const char *sent_body = memmem(sent, STANZA_BYTES, "<body>", 6);
    const char *sent_end = memmem(sent, STANZA_BYTES, "</body>", 7);
    size_t body_len = (size_t)(sent_end - sent_body) - 6;
    const char *gt = memchr(stanza, '>', len);
    return gt && (size_t)(stanza + len - body) > body_len &&
           memcmp(body, sent_body + 6, body_len) == 0 && body[body_len] == '<' &&
           same_attribute(stanza, (size_t)(gt - stanza), sent, " from=") &&
           same_attribute(stanza, (size_t)(gt - stanza), sent, " to=") &&
           same_attribute(stanza, (size_t)(gt - stanza), sent, " id=");
}

static void book(struct tally *t, struct stream_books *b, uint64_t seq)
{
    uint8_t bit = (uint8_t)(1u << (seq & 7));
    if (b->seen[seq >> 3] & bit) {
        t->duplicated++;
        return;
    }
    b->seen[seq >> 3] |= bit;
    b->unique++;
    t->unique++;
    if (seq != b->due) {
        t->out_of_order++;
    }
    b->due = seq + 1;
}

void tally_message(struct load *l, const char *stanza, size_t len)
{
    struct tally *t = &l->tally;
    const char *end = stanza + len;
    const char *gt = memchr(stanza, '>', len);
    if (memmem(stanza, (size_t)(gt - stanza), "='error'", 8) ||
        memmem(stanza, (size_t)(gt - stanza), "=\"error\"", 8)) {
        t->errors++;
        return;
    }
    uint64_t stream;
    uint64_t seq;
    const char *body = memmem(stanza, len, "<body", 5);
    body = body ? memchr(body, '>', (size_t)(end - body)) : NULL;
    if (!body || !number_at(body + 1, end, STREAM_DIGITS, &stream) ||
        !number_at(body + 2 + STREAM_DIGITS, end, SEQ_DIGITS, &seq) || stream >= l->streams ||
        seq >= t->of[stream].sent || !intact(stanza, len, body + 1, (unsigned)stream, seq)) {
        t->damaged++;
        return;
    }
    book(t, &t->of[stream], seq);
}
