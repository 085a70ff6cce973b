/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options: OPTIONS pings. */
#include "sip/options.h"

#include "base/check.h"
#include "sip/event.h"

/* Bodies of all methods (RFC 3261 11.2). */
static void put_accept(struct buf *out, const struct sip_check_policy *policy)
{
    if (policy->accept_count + policy->notify_accept_count == 0) {
        return;
    }
    sip_write_header_begin(out, SIP_HDR_ACCEPT);
    sip_put_list(out, policy->accept, policy->accept_count);
    if (policy->accept_count > 0 && policy->notify_accept_count > 0) {
        buf_put_lit(out, ", ");
    }
    sip_put_list(out, policy->notify_accept, policy->notify_accept_count);
    sip_write_header_end(out);
}

static void put_abilities(struct buf *out, const struct sip_check_policy *policy)
{
    /* An empty list would mean "nothing at all" to the peer, not "not told". */
    if (policy->methods) {
        sip_write_header_begin(out, SIP_HDR_ALLOW);
        sip_put_methods(out, policy->methods);
        sip_write_header_end(out);
    }
    put_accept(out, policy);
    sip_write_allow_events(out, policy->packages, policy->package_count);
    if (policy->supported_count > 0) {
        sip_write_header_begin(out, SIP_HDR_SUPPORTED);
        sip_put_list(out, policy->supported, policy->supported_count);
        sip_write_header_end(out);
    }
}

void sip_options_write(struct buf *out, const struct sip_request_params *p,
                       const struct sip_check_policy *policy, struct slice user_agent)
{
    struct sip_request_params params = *p;

    params.method = SIP_METHOD_OPTIONS;
    sip_write_request(out, &params);
    put_abilities(out, policy);
    if (user_agent.len > 0) {
        sip_write_header(out, SIP_HDR_USER_AGENT, user_agent);
    }
    sip_write_end_empty(out);
}

void sip_options_answer_put(struct buf *fields, const struct sip_check_policy *policy,
                            bool is_draining, unsigned *status)
{
    put_abilities(fields, policy);
    sip_write_header(fields, SIP_HDR_ACCEPT_ENCODING, SLICE_LIT("identity"));
    if (is_draining) {
        sip_write_header_u32(fields, SIP_HDR_RETRY_AFTER, SIP_DRAIN_RETRY_S);
    }
    *status = is_draining ? 503 : 200;
}

uint64_t sip_probe_next_ms(const struct sip_probe *p)
{
    return p->in_flight ? UINT64_MAX : p->next_ms;
}

void sip_probe_sent(struct sip_probe *p, uint64_t now_ms)
{
    ASSERT(!p->in_flight);
    p->in_flight = true;
    p->next_ms = now_ms;
}

/* +-10 % of the interval, so that the nodes of a pool do not ping in step. */
static uint64_t spread(uint32_t interval_ms, uint32_t random)
{
    return interval_ms - interval_ms / 10 + random % (interval_ms / 5 + 1);
}

bool sip_probe_alive(struct sip_probe *p, uint64_t now_ms, uint32_t random)
{
    bool was_down = p->is_down;

    p->in_flight = false;
    p->misses = 0;
    p->is_down = false;
    p->next_ms = now_ms + spread(SIP_PROBE_UP_MS, random);
    return was_down;
}

bool sip_probe_missed(struct sip_probe *p, uint64_t now_ms, uint32_t random)
{
    bool was_down = p->is_down;

    p->in_flight = false;
    if (p->misses < SIP_PROBE_MISS_MAX) {
        p->misses++;
    }
    p->is_down = p->misses >= SIP_PROBE_MISS_MAX;
    /* A first miss is looked into soon: three slow intervals would hide a dead peer for minutes. */
    p->next_ms = now_ms + spread(SIP_PROBE_DOWN_MS, random);
    return p->is_down && !was_down;
}
