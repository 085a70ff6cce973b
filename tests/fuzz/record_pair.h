/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record_pair: the steps and the model of record_pair_fuzz.c. */
#ifndef FG_FUZZ_RECORD_PAIR_H
#define FG_FUZZ_RECORD_PAIR_H

#include "record_ends.h"

#define PAIR_RECORDS_MAX 256u
#define PAIR_WIRE_MAX ((size_t)4 << 20)

struct pair_record {
    size_t wire_end; /* in sent */
    size_t said_end;
    uint8_t type;
    bool is_updated; /* the keys change before it */
};

struct pair {
    struct record_ends ends;
    struct buf sent; /* as it was sealed */
    struct buf wire; /* as it arrives: made of sent at the first tampering */
    struct buf said;
    struct pair_record records[PAIR_RECORDS_MAX];
    uint32_t count;
    bool is_tampered; /* no sealing any more */
    bool is_updated;
};

static inline void pair_init(struct pair *p, uint8_t choice)
{
    *p = (struct pair){0};
    ends_init(&p->ends, choice);
    buf_init(&p->sent, PAIR_WIRE_MAX);
    buf_init(&p->wire, PAIR_WIRE_MAX);
    buf_init(&p->said, PAIR_WIRE_MAX);
}

static inline void pair_deinit(struct pair *p)
{
    ends_deinit(&p->ends);
    buf_deinit(&p->sent);
    buf_deinit(&p->wire);
    buf_deinit(&p->said);
}

static inline void pair_update(struct pair *p)
{
    bool can = p->ends.from.keys.version == TLS_VERSION_1_3;
    if (!p->is_tampered && !p->is_updated) {
        ASSERT(record_update(&p->ends.from) == (can ? 0 : ERR_UNSUPPORTED));
        p->is_updated = can;
    }
}

static inline void pair_seal(struct pair *p, size_t len, uint8_t how)
{
    static char text[RECORD_PLAIN_MAX];
    static const uint8_t types[4] = {RECORD_APPLICATION_DATA, RECORD_APPLICATION_DATA,
                                     RECORD_HANDSHAKE, RECORD_ALERT};
    uint8_t type = types[how % 4];
    size_t plain_max = how < 64 ? 1 + how : RECORD_PLAIN_MAX;
    len = len < sizeof(text) ? len : sizeof(text);
    len = len == 0 && type != RECORD_APPLICATION_DATA ? 1 : len;
    size_t records = len == 0 ? 1 : (len + plain_max - 1) / plain_max;
    if (p->is_tampered || p->count + records > PAIR_RECORDS_MAX) {
        return;
    }
    for (size_t i = 0; i < len; i++) {
        text[i] = (char)(i * how + len + i % 3 * 40 * (how % 5)); /* now and then ends in zeros */
    }
    size_t before = buf_len(&p->sent);
    size_t bytes = record_sealed_bytes(&p->ends.from, len, plain_max);
    if (bytes > buf_room(&p->sent)) {
        return;
    }
    ASSERT(record_seal(&p->ends.from, type, slice_make(text, len), plain_max, &p->sent) == 0);
    ASSERT(buf_len(&p->sent) == before + bytes);
    for (size_t done = 0; records > 0; records--) {
        size_t part = len - done < plain_max ? len - done : plain_max;
        struct pair_record *r = &p->records[p->count++];
        buf_append(&p->said, text + done, part);
        before += record_sealed_bytes(&p->ends.from, part, plain_max);
        *r = (struct pair_record){before, buf_len(&p->said), type, p->is_updated};
        p->is_updated = false;
        done += part;
    }
}

static inline void pair_tamper(struct pair *p)
{
    if (!p->is_tampered) {
        buf_put(&p->wire, buf_slice(&p->sent));
    }
    p->is_tampered = true;
}

static inline char *pair_at(struct pair *p, size_t at)
{
    return p->wire.data + p->wire.head + at;
}

static inline void pair_flip(struct pair *p, uint16_t x, uint8_t y)
{
    pair_tamper(p);
    if (buf_len(&p->wire) > 0) {
        *pair_at(p, x * (size_t)131 % buf_len(&p->wire)) ^= (char)(1 << y % 8);
    }
}

/* Takes y bytes (0: all the rest) out at x. */
static inline void pair_cut(struct pair *p, uint16_t x, uint8_t y)
{
    pair_tamper(p);
    if (buf_len(&p->wire) > 0) {
        size_t at = x * (size_t)131 % buf_len(&p->wire);
        size_t left = buf_len(&p->wire) - at;
        size_t gone = y > 0 && y < left ? y : left;
        memmove(pair_at(p, at), pair_at(p, at + gone), left - gone);
        buf_truncate(&p->wire, buf_len(&p->wire) - gone);
    }
}

static inline struct slice pair_record_bytes(const struct pair *p, uint32_t idx)
{
    size_t start = idx > 0 ? p->records[idx - 1].wire_end : 0;
    return slice_make(buf_slice(&p->sent).ptr + start, p->records[idx].wire_end - start);
}

/* A record once more, at the end. */
static inline void pair_repeat(struct pair *p, uint16_t x)
{
    pair_tamper(p);
    if (p->count > 0 && buf_room(&p->wire) > RECORD_HEADER_BYTES + RECORD_BODY_MAX) {
        buf_put(&p->wire, pair_record_bytes(p, x % p->count));
    }
}

/* A record and the next change places; only on an untouched wire, where borders are known. */
static inline void pair_swap(struct pair *p, uint16_t x)
{
    if (p->is_tampered || p->count < 2) {
        return;
    }
    uint32_t idx = x % (p->count - 1);
    size_t start = idx > 0 ? p->records[idx - 1].wire_end : 0;
    pair_tamper(p);
    buf_truncate(&p->wire, start);
    buf_put(&p->wire, pair_record_bytes(p, idx + 1));
    buf_put(&p->wire, pair_record_bytes(p, idx));
    buf_put(&p->wire, slice_from(buf_slice(&p->sent), p->records[idx + 1].wire_end));
}

/* How many records arrive as they were sent. */
static inline uint32_t pair_good_count(const struct pair *p, struct slice wire)
{
    struct slice sent = buf_slice(&p->sent);
    size_t same = 0;
    uint32_t count = 0;
    while (same < wire.len && same < sent.len && wire.ptr[same] == sent.ptr[same]) {
        same++;
    }
    while (count < p->count && p->records[count].wire_end <= same) {
        count++;
    }
    return count;
}

static inline void pair_check(struct pair *p)
{
    struct slice wire = buf_slice(p->is_tampered ? &p->wire : &p->sent);
    uint32_t good = pair_good_count(p, wire);
    size_t said = 0;
    size_t need = 0;
    for (uint32_t i = 0; i < good; i++) {
        const struct pair_record *r = &p->records[i];
        for (size_t end = 0; r->is_updated && end < 2; end++) {
            ASSERT(record_update(&p->ends.to[end]) == 0);
        }
        struct ends_result got = ends_open(&p->ends, wire, &need);
        ASSERT(got.err == 0 && got.type == r->type);
        ASSERT(slice_eq(got.plain, slice_to(slice_from(buf_slice(&p->said), said),
                                            r->said_end - said)));
        said = r->said_end;
        wire = slice_from(wire, need);
    }
    if (good < p->count && p->records[good].is_updated) {
        ASSERT(record_update(&p->ends.to[0]) == 0 && record_update(&p->ends.to[1]) == 0);
    }
    struct ends_result next = ends_open(&p->ends, wire, &need);
    ASSERT(next.err != 0 || need == 0);
}

#endif
