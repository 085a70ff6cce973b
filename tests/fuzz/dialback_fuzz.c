/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dialback: sequences of db elements, one per two input bytes, into both sides of a stream, against
 * a small model: an incoming pair is proved by our own verdict only, an outgoing one only by the
 * answer to a request that was sent. */
#include "xmpp_host.h"

#define HEADER                                                                                     \
    "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' "                      \
    "xmlns:stream='http://etherx.jabber.org/streams' id='1' version='1.0' "

static struct stream_event ev;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stream_verify v = {SLICE_LIT("a.b"), SLICE_LIT("x.y"), SLICE_LIT("1"), SLICE_LIT("k")};
    struct buf in_out, out_out;
    struct stream *in, *out;
    uint32_t given = 0, asked = 1, verifies = 1, ready = 0;

    fuzz_methods = STREAM_METHOD_DIALBACK_PLAIN;
    fuzz_certificate = false;
    in = fuzz_stream(STREAM_IN, false, &in_out);
    out = fuzz_stream(STREAM_OUT, false, &out_out);
    (void)!stream_send_verify(out, 1, &v);
    (void)fuzz_feed(in, HEADER "from='x.y' to='a.b'>", &ev);
    (void)fuzz_feed(out, HEADER "from='x.y'>", &ev);
    (void)fuzz_feed(out, "<stream:features/>", &ev);
    for (size_t i = 0; i + 1 < size && i < 400; i += 2) {
        struct stream_verify late = {SLICE_LIT("a.b"), SLICE_LIT("x.y"), stream_id(in), SLICE_NONE};
        bool say_valid = (data[i + 1] & 0xc0) == 0xc0;
        enum stream_event_kind kind;
        char text[300];

        fuzz_db_element(text, data[i], data[i + 1]);
        kind = fuzz_feed(in, text, &ev);
        ASSERT(kind != STREAM_PAIR_AUTHENTICATED && kind != STREAM_VERIFY_ANSWER);
        if (kind == STREAM_VERIFY_WANTED && say_valid) {
            late = (struct stream_verify){ev.local, ev.remote, ev.stream_id, SLICE_NONE};
        }
        if (say_valid || (data[i + 1] & 32)) {
            given += stream_verify_result(in, 1, &late, DIALBACK_VALID, 0, &ev) ==
                     STREAM_PAIR_AUTHENTICATED;
        }
        ASSERT(stream_pair_count(in) == given);
        kind = fuzz_feed(out, text, &ev);
        ready += kind == STREAM_READY;
        ASSERT(kind != STREAM_VERIFY_ANSWER || verifies-- > 0);
        asked += stream_add_pair(out, 1, SLICE_LIT("c.d"), SLICE_LIT("x.y")) == 0;
        ASSERT(ready <= asked && stream_pair_count(out) == ready && ready <= 2);
    }
    stream_free(in);
    stream_free(out);
    buf_deinit(&in_out);
    buf_deinit(&out_out);
    return 0;
}
