/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_in: any bytes into the receiving side, whole and cut: the same events come out, nothing is
 * taken from a domain that was not proved. Byte 0: methods; 1: TLS, certificate, verdicts. */
#include "xmpp_host.h"

static struct stream_event ev;
static bool upgraded; /* then bytes behind <starttls/> are found at once or with the next piece */

static void act(struct stream *s, enum stream_event_kind kind, uint8_t flags)
{
    struct stream_verify v = {ev.local, ev.remote, ev.stream_id, SLICE_NONE};

    if (kind == STREAM_START_TLS) {
        upgraded = true;
        kind = stream_secured(s, 1, SLICE_LIT("c.d"), &ev);
    } else if (kind == STREAM_VERIFY_WANTED) {
        kind = stream_verify_result(s, 1, &v, (enum dialback_verdict)((flags >> 2) % 3), 0, &ev);
    }
    if (kind == STREAM_PAIR_AUTHENTICATED) {
        ASSERT(fuzz_is_local(NULL, ev.local) && !fuzz_is_local(NULL, ev.remote));
        ASSERT((ev.method & fuzz_methods) != 0 && stream_pair_count(s) > 0);
        ASSERT(ev.method == STREAM_METHOD_DIALBACK_PLAIN || stream_is_secured(s));
    } else if (kind == STREAM_STANZA || kind == STREAM_STANZA_BAD) {
        ASSERT(stream_pair_count(s) > 0 && !fuzz_is_local(NULL, ev.stanza.from.domain));
    }
}

static uint32_t run(const uint8_t *data, size_t size, uint32_t seed)
{
    struct buf out;
    struct stream *s = fuzz_stream(STREAM_IN, (data[1] & 1) != 0, &out);
    uint32_t marks = 0;

    for (size_t at = 2; at < size && stream_deadline(s) != STREAM_NEVER;) {
        size_t piece = seed ? fuzz_cut(&seed, size - at) : size - at;
        struct slice bytes = slice_make((const char *)data + at, piece);
        size_t used = 0;
        enum stream_event_kind kind = stream_feed(s, 1, bytes, &used, &ev);

        at += used;
        ASSERT(used == piece || kind != STREAM_MORE);
        marks = kind == STREAM_MORE ? marks : marks * 31 + (uint32_t)kind;
        act(s, kind, data[1]);
    }
    (void)stream_timeout(s, 1000000, &ev);
    stream_free(s);
    fuzz_check_out(&out);
    return marks;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 2 && size < 20000) {
        fuzz_methods = 1u + data[0] % 15;
        fuzz_certificate = (data[1] & 2) != 0;
        upgraded = false;
        ASSERT(run(data, size, 0) == run(data, size, 1u + data[0]) || upgraded);
    }
    return 0;
}
