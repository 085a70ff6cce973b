/* SPDX-License-Identifier: GPL-2.0-or-later */
/* review_model: what an incoming stream of several pairs must do while the rules change: a stanza
 * is taken of a pair that is proved and allowed only; one pair's end is not the others'; the stream
 * is to be closed when nothing is left. Each step is done and compared; false = it is over. */
#ifndef FG_FUZZ_REVIEW_MODEL_H
#define FG_FUZZ_REVIEW_MODEL_H

#include "xmpp_host.h"

static const char *const locals[] = {"a.b", "c.d"};
static const char *const remotes[] = {"x.y", "x.y.z"};
static struct stream_event ev;
static uint32_t proved;  /* bits of pairs */
static uint32_t barred;  /* of these: refused once, and not reviewed as allowed since */
static uint32_t strikes; /* in a row */

static inline uint32_t bit_of(uint8_t op)
{
    return fuzz_pair_bit(slice_from_cstr(locals[op & 1]), slice_from_cstr(remotes[op >> 1 & 1]));
}

static inline bool ask(struct stream *s, uint8_t op)
{
    struct stream_verify v = {slice_from_cstr(locals[op & 1]),
                              slice_from_cstr(remotes[op >> 1 & 1]), stream_id(s), SLICE_NONE};
    uint32_t bit = bit_of(op);
    enum stream_event_kind kind;
    char text[300];

    (void)snprintf(text, sizeof(text), "<db:result from='%s' to='%s'>k</db:result>",
                   remotes[op >> 1 & 1], locals[op & 1]);
    kind = fuzz_feed(s, text, &ev);
    proved &= ~(proved & barred & bit); /* that proof is forgotten */
    barred &= proved;
    ASSERT(kind != STREAM_VERIFY_WANTED || !(fuzz_refused & bit));
    if (kind == STREAM_VERIFY_WANTED) {
        kind = stream_verify_result(s, 1, &v, DIALBACK_VALID, 0, &ev);
        ASSERT(kind == STREAM_PAIR_AUTHENTICATED);
        proved |= bit;
    }
    return kind != STREAM_FAILED;
}

static inline bool say(struct stream *s, uint8_t op)
{
    uint32_t bit = bit_of(op);
    bool is_free = (proved & bit) != 0 && ((fuzz_refused | barred) & bit) == 0;
    enum stream_event_kind kind;
    char text[300];

    (void)snprintf(text, sizeof(text), "<message from='u@%s' to='v@%s'/>", remotes[op >> 1 & 1],
                   locals[op & 1]);
    kind = fuzz_feed(s, text, &ev);
    ASSERT(is_free == (kind == STREAM_STANZA));
    barred |= proved & fuzz_refused & bit;
    strikes = is_free ? 0 : strikes + 1;
    if (kind == STREAM_FAILED) { /* others carry: only for too many, or for a domain not proved */
        ASSERT((proved & ~barred) == 0 || strikes > 16 ||
               (proved & (bit_of(op & 2) | bit_of(op | 1))) == 0);
    }
    return kind != STREAM_FAILED;
}

static inline bool review(struct stream *s)
{
    static const struct stream_review how = {0, NULL};
    const struct stream_refusal *why = stream_review(s, 1, &how);

    barred = proved & fuzz_refused;
    ASSERT(proved == 0 || (why == NULL) == ((proved & ~barred) != 0));
    if (why) {
        stream_close(s, 1, why->condition, why->text);
    }
    return !why;
}

#endif
