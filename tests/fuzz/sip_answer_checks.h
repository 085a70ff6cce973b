/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_answer_checks: the response to a request that the checks accept parses, belongs to it, and is
 * the same from the values that the checks decoded and without them.                             */
#ifndef FG_FUZZ_SIP_ANSWER_CHECKS_H
#define FG_FUZZ_SIP_ANSWER_CHECKS_H

#include "base/check.h"
#include "sip/checks.h"
#include "sip/write.h"

static inline bool is_via_full(const struct sip_msg *m)
{
    struct slice via = sip_msg_value(m, SIP_HDR_VIA);
    unsigned count = 0;

    for (size_t i = 0; i < via.len; i++) {
        count += via.ptr[i] == ';';
    }
    return count + 2 > SIP_PARAMS_MAX;
}

/* Writes it into out, which the caller frees. */
static inline void write_answer(struct buf *out, const struct sip_msg *m,
                                const struct sip_keys *keys)
{
    struct sip_response_params params = {
        .status = 200,
        .to_tag = SLICE_LIT("t"),
        .received = SLICE_LIT("192.0.2.1"),
        .rport = 5060,
        .keys = keys,
    };

    buf_init(out, 1 << 20);
    sip_write_response(out, m, &params);
}

static inline void check_answer(const struct sip_msg *m, const struct sip_msg *r,
                                const struct sip_check_policy *policy)
{
    struct sip_verdict verdict;
    struct sip_cseq cseq[2];
    struct slice id[2];

    ASSERT(r->status == 200 && slice_eq(r->body, m->body));
    ASSERT(sip_msg_call_id(m, &id[0]) == 0 && sip_msg_call_id(r, &id[1]) == 0);
    ASSERT(sip_msg_cseq(m, &cseq[0]) == 0 && sip_msg_cseq(r, &cseq[1]) == 0);
    ASSERT(slice_eq(id[0], id[1]) && cseq[0].number == cseq[1].number);
    /* Via values are one per field now; only several of them make the response another's. A Via at
     * the limit of parameters goes over it by the two that a response adds: legal for the peer. */
    ASSERT(sip_check_response(r, policy, &verdict) ||
           r->fields[r->first[SIP_HDR_VIA]].next != SIP_FIELD_NONE || is_via_full(m));
}

static inline void play_answer(const struct sip_msg *m, const struct sip_check_policy *policy,
                               const struct sip_keys *keys)
{
    struct sip_msg r;
    struct sip_bad bad;
    struct buf again;
    struct buf out;

    write_answer(&out, m, keys);
    write_answer(&again, m, NULL);
    ASSERT(slice_eq(buf_slice(&out), buf_slice(&again)));
    buf_deinit(&again);
    sip_write_end(&out, SLICE_LIT("a/b"), m->body);
    ASSERT(!out.failed && sip_msg_parse(&r, buf_slice(&out), &bad) == 0 && !r.flaw.why);
    check_answer(m, &r, policy);
    buf_deinit(&out);
}

#endif
