/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options: the OPTIONS ping of server-to-server SIP (RFC 3261 11): the request, the answer to one,
 * and when to send the next. One thread; no memory.                                             */
#ifndef FG_SIP_OPTIONS_H
#define FG_SIP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "sip/checks.h"
#include "sip/write.h"

#define SIP_PROBE_UP_MS    30000u /* between pings while the peer answers */
#define SIP_PROBE_DOWN_MS  5000u  /* while it does not */
#define SIP_PROBE_MISS_MAX 3u     /* unanswered pings until it counts as down */
#define SIP_DRAIN_RETRY_S  30u

/* A whole OPTIONS request; method in p is ignored. User-Agent if not empty. */
void sip_options_write(struct buf *out, const struct sip_request_params *p,
                       const struct sip_check_policy *policy, struct slice user_agent);
/* Header fields for the answer: Allow, Accept, Allow-Events, Supported, Accept-Encoding;
 * Retry-After when draining. *status: 200, or 503 when draining.                                */
void sip_options_answer_put(struct buf *fields, const struct sip_check_policy *policy,
                            bool is_draining, unsigned *status);

/* When to ping one peer. A zeroed struct is a peer that is up and due at once. */
struct sip_probe {
    uint64_t next_ms;
    uint32_t misses;
    bool is_down;
    bool in_flight;
};
/* Time of the next ping, UINT64_MAX while one is in flight. */
uint64_t sip_probe_next_ms(const struct sip_probe *p);
void sip_probe_sent(struct sip_probe *p, uint64_t now_ms);
/* Any final response from the peer except 503: alive. random spreads the next ping by +-10 %.
 * Returns true if it was down before.                                                            */
bool sip_probe_alive(struct sip_probe *p, uint64_t now_ms, uint32_t random);
/* Timeout, 503 or transport failure. Returns true if it now changed to down. */
bool sip_probe_missed(struct sip_probe *p, uint64_t now_ms, uint32_t random);

#endif
