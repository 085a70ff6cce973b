/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checks: what a UAS asks of a request before it acts on it, and a UAC of a response (RFC 3261 8.2,
 * 8.1.3.3, 16.3, 18.1.2, 20; RFC 5393), in this order, each with the status it causes:
 *   version 505; mandatory fields, single fields, their syntax 400; unknown method 501; CSeq method
 *   differs 400; method not served 405; Request-URI scheme 416; Max-Forwards 0 483 (not OPTIONS);
 *   our own Via in it 482; Require 420; body size 413; Content-Encoding, Content-Type 415.
 * Pure functions; any thread; no memory.                                                         */
#ifndef FG_SIP_CHECKS_H
#define FG_SIP_CHECKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "sip/msg.h"

#define SIP_METHOD_BIT(m) (1u << (m))
#define SIP_SCHEME_BIT(s) (1u << (s))

struct sip_check_policy {
    uint32_t methods;           /* SIP_METHOD_BIT()s served; ACK and CANCEL are always taken */
    uint32_t schemes;           /* SIP_SCHEME_BIT()s served in the Request-URI */
    const struct sip_host *own; /* borrowed: sent-by values that our own Via fields carry */
    uint32_t own_count;
    const struct slice *supported; /* borrowed: option tags */
    uint32_t supported_count;
    const struct slice *accept; /* borrowed: "text/plain", "multipart/..." served as bodies */
    uint32_t accept_count;
    const struct slice *notify_accept; /* borrowed: the same for NOTIFY, and for nothing else */
    uint32_t notify_accept_count;
    const struct slice *packages; /* borrowed: event packages, told in the answer to OPTIONS */
    uint32_t package_count;
    uint32_t body_bytes_max; /* 0 = SIP_BODY_BYTES_MAX */
    bool from_tag_optional;  /* RFC 2543 peers: no From tag is not an error */
};

struct sip_verdict {
    uint16_t status; /* 0 = go on */
    const char *why; /* static text for log and reason phrase use, never NULL */
};

/* What the checks decode on their way, so that nobody has to do so again. All slices point into
 * the message.                                                                                   */
struct sip_keys {
    struct sip_uri uri; /* requests that got as far as their Request-URI */
    struct sip_via via; /* top */
    struct slice via_text;
    struct sip_addr from;
    struct sip_addr to;
    struct sip_cseq cseq;
    struct slice call_id;
    uint32_t via_count;
    bool is_loop; /* one of the Via values is our own */
};

/* False: verdict says why not; nothing may be answered to an ACK or where sip_msg_can_answer is
 * false. The response's extra fields come from sip_verdict_put. *keys, which need not be
 * initialised, is complete when it returns true.                                                */
bool sip_check_request_keys(const struct sip_msg *m, const struct sip_check_policy *p,
                            struct sip_keys *keys, struct sip_verdict *verdict);
bool sip_check_request(const struct sip_msg *m, const struct sip_check_policy *p,
                       struct sip_verdict *verdict);
/* False: drop the response; status is 0, why says the reason. *keys as above, without uri. */
bool sip_check_response_keys(const struct sip_msg *m, const struct sip_check_policy *p,
                             struct sip_keys *keys, struct sip_verdict *verdict);
bool sip_check_response(const struct sip_msg *m, const struct sip_check_policy *p,
                        struct sip_verdict *verdict);
/* Header fields that belong to the verdict: Allow (405, 501), Unsupported (420), Accept as m's
 * method has it and Accept-Encoding (415). Nothing for others; event.h has some of its own.     */
void sip_verdict_put(struct buf *out, const struct sip_msg *m, const struct sip_check_policy *p,
                     const struct sip_verdict *verdict);

/* Values for Allow, Supported, Accept of a policy: "MESSAGE, OPTIONS". */
void sip_put_methods(struct buf *out, uint32_t methods);
void sip_put_list(struct buf *out, const struct slice *items, uint32_t count);

#endif
