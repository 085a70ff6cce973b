/* SPDX-License-Identifier: GPL-2.0-or-later */
/* review: an incoming stream of several pairs while the rules change, against a model: a stanza is
 * taken of a pair that is proved and allowed only; one pair's end is not the others'; the stream
 * is to be closed when nothing is left. One operation per byte. */
#include "xmpp_host.h"

#define HEADER                                                                                     \
    "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' "                      \
    "xmlns:stream='http://etherx.jabber.org/streams' from='x.y' to='a.b' version='1.0'>"

static const char *const locals[] = {"a.b", "c.d"};
static const char *const remotes[] = {"x.y", "x.y.z"};
static struct stream_event ev;
static uint32_t proved;  /* bits of pairs */
static uint32_t barred;  /* of these: refused once, and not reviewed as allowed since */
static uint32_t strikes; /* in a row */

static uint32_t bit_of(uint8_t op)
{
    return fuzz_pair_bit(slice_from_cstr(locals[op & 1]), slice_from_cstr(remotes[op >> 1 & 1]));
}

static bool ask(struct stream *s, uint8_t op)
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

static bool say(struct stream *s, uint8_t op)
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

static bool review(struct stream *s)
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out;
    struct stream *s;
    bool is_open = true;

    fuzz_methods = STREAM_METHOD_DIALBACK_PLAIN;
    fuzz_refused = proved = barred = strikes = 0;
    s = fuzz_stream(STREAM_IN, false, &out);
    (void)fuzz_feed(s, HEADER, &ev);
    for (size_t i = 0; is_open && i < size && i < 500; i++) {
        switch (data[i] >> 6) {
        case 0:
            is_open = ask(s, data[i]);
            break;
        case 1:
            is_open = proved == 0 || say(s, data[i]);
            break;
        case 2:
            fuzz_refused = data[i] & 15;
            fuzz_generation++;
            break;
        default:
            is_open = review(s);
            break;
        }
    }
    (void)stream_timeout(s, 1000000, &ev);
    stream_free(s);
    fuzz_check_out(&out);
    return 0;
}
