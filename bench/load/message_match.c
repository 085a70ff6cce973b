/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message_match: what arrives, compared with what has been found intact before. */
#include <string.h>

#include "base/pool.h"
#include "load/message_int.h"

#define WORD          8u
#define WORDS_AT_ONCE 4u
#define MASKED        ((char)0xff)

static void make_mask(struct message_form *f)
{
    memset(f->mask, MASKED, f->len);
    for (uint32_t i = 0; i < f->hole_count; i++) {
        memset(f->mask + f->holes[i].at, 0, message_digits_of(f->holes[i].kind));
    }
}

bool message_learn(const struct message *m, struct slice bytes, uint32_t flow, uint64_t seq,
                   struct message_form *out)
{
    size_t room = (bytes.len + WORD - 1) / WORD * WORD;

    memset(out, 0, sizeof(*out));
    if (m->is_translated || !message_find_holes(m, bytes, flow, seq, out)) {
        return false;
    }
    out->len = (uint32_t)bytes.len;
    out->row = message_row(m, flow, seq);
    out->bytes = pool_heap_zalloc(room);
    out->mask = pool_heap_zalloc(room);
    memcpy(out->bytes, bytes.ptr, bytes.len);
    make_mask(out);
    return true;
}

static uint64_t word_at(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return word;
}

/* A few words at a time: most forms that do not agree differ early. */
static bool same_but_holes(const struct message_form *f, const char *bytes, size_t len)
{
    size_t whole = len / WORD * WORD;
    uint64_t differs = 0;

    for (size_t i = 0; i < whole;) {
        size_t until = i + WORDS_AT_ONCE * WORD < whole ? i + WORDS_AT_ONCE * WORD : whole;

        for (; i < until; i += WORD) {
            differs |= (word_at(f->bytes + i) ^ word_at(bytes + i)) & word_at(f->mask + i);
        }
        if (differs != 0) {
            return false;
        }
    }
    for (size_t i = whole; i < len; i++) {
        differs |= (unsigned char)((f->bytes[i] ^ bytes[i]) & f->mask[i]);
    }
    return differs == 0;
}

/* Every hole holds the digits that its kind has in this stanza. */
static bool holes_agree(const struct message *m, const struct message_form *f, const char *bytes,
                        uint32_t *flow, uint64_t *seq)
{
    const char *first[MESSAGE_HOLE_KINDS] = {NULL, NULL, NULL};
    uint64_t value[MESSAGE_HOLE_KINDS] = {0};

    for (uint32_t i = 0; i < f->hole_count; i++) {
        enum message_hole kind = f->holes[i].kind;
        const char *at = bytes + f->holes[i].at;

        if (first[kind]) {
            if (memcmp(first[kind], at, message_digits_of(kind)) != 0) {
                return false;
            }
        } else if (payload_take_digits(at, message_digits_of(kind), &value[kind])) {
            first[kind] = at;
        } else {
            return false;
        }
    }
    *flow = (uint32_t)value[MESSAGE_HOLE_FLOW];
    *seq = value[MESSAGE_HOLE_SEQ];
    return message_row(m, *flow, *seq) == f->row &&
           (!first[MESSAGE_HOLE_DOMAIN] ||
            value[MESSAGE_HOLE_DOMAIN] == plan_domain_of(m->plan, *flow));
}

enum message_match message_match(const struct message *m, const struct message_form *f,
                                 const char *bytes, size_t len, uint32_t *flow, uint64_t *seq)
{
    if (f->len == 0) {
        return MESSAGE_MATCH_NO;
    }
    if (len < f->len) {
        return same_but_holes(f, bytes, len) ? MESSAGE_MATCH_PART : MESSAGE_MATCH_NO;
    }
    return same_but_holes(f, bytes, f->len) && holes_agree(m, f, bytes, flow, seq)
               ? MESSAGE_MATCH
               : MESSAGE_MATCH_NO;
}
