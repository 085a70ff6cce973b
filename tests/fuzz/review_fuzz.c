/* SPDX-License-Identifier: GPL-2.0-or-later */
/* review: an incoming stream of several pairs while the rules change, against a model. One
 * operation per byte. */
#include "review_model.h"

#define HEADER                                                                                     \
    "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' "                      \
    "xmlns:stream='http://etherx.jabber.org/streams' from='x.y' to='a.b' version='1.0'>"

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
