/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_out: any server into the initiating side. No stanza ever comes out of it, no pair is ready
 * by a method that the rules exclude, nothing secret leaves in plain. Byte 0: methods; 1: flags. */
#include "xmpp_host.h"

static struct stream_event ev;

static void act(struct stream *s, enum stream_event_kind kind, uint8_t flags)
{
    ASSERT(kind != STREAM_STANZA && kind != STREAM_STANZA_BAD);
    ASSERT(kind != STREAM_PAIR_AUTHENTICATED && kind != STREAM_VERIFY_WANTED);
    if (kind == STREAM_START_TLS) {
        (void)stream_secured(s, 1, SLICE_NONE, &ev);
    } else if (kind == STREAM_READY) {
        ASSERT((ev.method & fuzz_methods) != 0);
        ASSERT(ev.method == STREAM_METHOD_DIALBACK_PLAIN || stream_is_secured(s));
        ASSERT(stream_pair_is_ready(s, ev.local, ev.remote));
        stream_sent(s, 2, 3);
        if (flags & 16) {
            stream_ask(s, 2);
        }
        if (flags & 4) {
            (void)!stream_add_pair(s, 2, SLICE_LIT("c.d"), SLICE_LIT("x.y"));
        }
    } else if (kind == STREAM_ACKED) {
        ASSERT(ev.acked_count <= 3);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stream_verify v = {SLICE_LIT("a.b"), SLICE_LIT("x.y"), SLICE_LIT("i"), SLICE_LIT("k")};
    uint32_t seed = size ? data[0] : 0;
    struct buf out;
    struct stream *s;
    size_t at = 2;

    if (size < 2 || size > 20000) {
        return 0;
    }
    /* CERTIFICATE alone opens nothing. */
    fuzz_methods = 1u + data[0] % 15;
    fuzz_certificate = (data[1] & 2) != 0;
    s = fuzz_stream(STREAM_OUT, (data[1] & 1) != 0, &out);
    if (data[1] & 8) {
        (void)!stream_send_verify(s, 1, &v);
    }
    while (at < size && stream_deadline(s) != STREAM_NEVER) {
        size_t used = 0;
        enum stream_event_kind kind = stream_feed(
            s, 1, slice_make((const char *)data + at, fuzz_cut(&seed, size - at)), &used, &ev);

        at += used;
        act(s, kind, data[1]);
    }
    (void)stream_timeout(s, 1000000, &ev);
    stream_free(s);
    fuzz_check_out(&out);
    return 0;
}
