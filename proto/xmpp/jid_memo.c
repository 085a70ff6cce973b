/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jid_memo: a small table by hash; the later name takes the place of the earlier. */
#include "xmpp/jid_memo.h"

#include "base/hash.h"

#define MEMO_COUNT 32u
#define MEMO_BYTES 127u

struct memo {
    uint8_t in_len; /* 0 = free */
    uint8_t unicode_len;
    uint8_t ascii_len;
    bool is_ip;
    char in[MEMO_BYTES];
    char unicode[MEMO_BYTES];
    char ascii[MEMO_BYTES];
};

static struct memo *place_of(struct slice in)
{
    static _Thread_local struct memo memos[MEMO_COUNT];

    return &memos[hash_bytes(in) % MEMO_COUNT];
}

bool jid_memo_find(struct slice in, struct jid_prep_domain *out)
{
    const struct memo *m;

    if (in.len == 0 || in.len > MEMO_BYTES) {
        return false;
    }
    m = place_of(in);
    if (!slice_eq(slice_make(m->in, m->in_len), in)) {
        return false;
    }
    out->is_ip = m->is_ip;
    out->len = m->unicode_len;
    memcpy(out->unicode, m->unicode, m->unicode_len);
    out->ascii.len = m->ascii_len;
    memcpy(out->ascii.text, m->ascii, m->ascii_len);
    out->ascii.text[m->ascii_len] = '\0';
    return true;
}

void jid_memo_keep(struct slice in, const struct jid_prep_domain *done)
{
    struct memo *m;

    if (in.len == 0 || in.len > MEMO_BYTES || done->len > MEMO_BYTES ||
        done->ascii.len > MEMO_BYTES) {
        return;
    }
    m = place_of(in);
    m->in_len = (uint8_t)in.len;
    m->unicode_len = (uint8_t)done->len;
    m->ascii_len = (uint8_t)done->ascii.len;
    m->is_ip = done->is_ip;
    memcpy(m->in, in.ptr, in.len);
    memcpy(m->unicode, done->unicode, done->len);
    memcpy(m->ascii, done->ascii.text, done->ascii.len);
}
