/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checks_int: the values that the checks decode on their way, for the transaction layer; private
 * to the room.                                                                                  */
#ifndef FG_SIP_CHECKS_INT_H
#define FG_SIP_CHECKS_INT_H

#include "sip/checks.h"
#include "sip/write.h"

/* All slices point into the message. */
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

/* sip_check_request, handing out what it read; keys are complete when it returns true. */
bool sip_check_request_keys(const struct sip_msg *m, const struct sip_check_policy *p,
                            struct sip_keys *keys, struct sip_verdict *verdict);

#endif
