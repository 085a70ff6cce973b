/* SPDX-License-Identifier: GPL-2.0-or-later */
/* component: any bytes from a component; nothing is taken before the handshake, nor from a domain
 * that is not its own. The right handshake is forty zeros (xmpp_host.h). */
#include "xmpp_host.h"

static struct component_event ev;

static struct slice secret(void *ctx, struct slice domain)
{
    (void)ctx;
    return slice_eq_cstr(domain, "a.b") ? SLICE_LIT("s") : SLICE_NONE;
}
static const struct component_host host = {secret};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct component_params params = {.host = &host,
                                      .crypto = &fuzz_crypto,
                                      .establish_ms = 1000,
                                      .close_ms = 1000,
                                      .keepalive_ms = 1000,
                                      .stanza_bytes_max = 20000};
    uint32_t seed = size ? data[0] : 0;
    struct component *c;
    struct buf out;
    bool proved = false;
    size_t at = 1;

    if (size < 1) {
        return 0;
    }
    buf_init(&out, 1 << 22);
    params.out = &out;
    if (component_new(&c, 0, &params)) {
        return 0;
    }
    while (at < size) {
        size_t used = 0;
        enum component_event_kind kind = component_feed(
            c, 1, slice_make((const char *)data + at, fuzz_cut(&seed, size - at)), &used, &ev);

        at += used;
        if (kind == COMPONENT_PROVED) {
            ASSERT(!proved && slice_eq_cstr(ev.domain, "a.b"));
            proved = true;
            component_accept(c, 1);
        } else if (kind == COMPONENT_STANZA || kind == COMPONENT_STANZA_BAD) {
            ASSERT(proved && slice_eq_cstr(ev.stanza.from.domain, "a.b"));
        }
        if (kind == COMPONENT_FAILED || kind == COMPONENT_PEER_CLOSED) {
            break;
        }
    }
    (void)component_timeout(c, 100000, &ev);
    component_free(c);
    fuzz_check_out(&out);
    return 0;
}
