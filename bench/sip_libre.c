/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_libre: libre decodes the Request-URI, the first Via, From, To, CSeq and Content-Type itself;
 * the other Via values and Record-Route are decoded here with its own functions. */
#include <stdint.h>
#include <stdlib.h>

/* It includes nothing that it needs. */
#include <re.h>

#include "base/pool.h"
#include "race.h"
#include "sip_bench.h"

struct sip_bench_peer {
    struct mbuf *bytes;
};

struct sip_bench_peer *sip_bench_libre_new(const char *bytes, size_t len)
{
    struct sip_bench_peer *peer = pool_heap_zalloc(sizeof(*peer));

    peer->bytes = mbuf_alloc(len);
    RACE_MUST(peer->bytes && mbuf_write_mem(peer->bytes, (const uint8_t *)bytes, len) == 0);
    return peer;
}

void sip_bench_libre_free(struct sip_bench_peer *peer)
{
    (void)mem_deref(peer->bytes);
    pool_heap_free(peer);
}

/* True ends the walk: a value was wrong. */
static bool on_via(const struct sip_hdr *hdr, const struct sip_msg *m, void *arg)
{
    unsigned *count = arg;
    struct sip_via via;

    if (++*count == 1) {
        return !pl_isset(&m->via.branch); /* decoded already */
    }
    return sip_via_decode(&via, &hdr->val) != 0 || !pl_isset(&via.branch);
}

static bool is_whole(const struct sip_msg *m)
{
    const struct sip_hdr *route = sip_msg_hdr(m, SIP_HDR_RECORD_ROUTE);
    struct sip_addr addr;
    unsigned vias = 0;

    return !sip_msg_hdr_apply(m, true, SIP_HDR_VIA, on_via, &vias) && vias == SIP_BENCH_VIAS &&
           route && sip_addr_decode(&addr, &route->val) == 0 && pl_isset(&m->from.uri.user) &&
           pl_isset(&m->to.uri.host) && pl_isset(&m->callid) && pl_isset(&m->ctyp.type) &&
           pl_u32(&m->maxfwd) == SIP_BENCH_FORWARDS && pl_isset(&m->uri.host);
}

bool sip_bench_libre(struct sip_bench_peer *peer)
{
    struct sip_msg *m = NULL;
    bool ok;

    mbuf_set_pos(peer->bytes, 0);
    ok = sip_msg_decode(&m, peer->bytes) == 0 && is_whole(m);
    (void)mem_deref(m);
    return ok;
}
