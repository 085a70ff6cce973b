/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes: the parser stays within them; what the checks accept gets a response that parses. */
#include "base/check.h"
#include "sip/checks.h"
#include "sip/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_via_full(const struct sip_msg *m)
{
    struct slice via = sip_msg_value(m, SIP_HDR_VIA);
    unsigned count = 0;
    for (size_t i = 0; i < via.len; i++) {
        count += via.ptr[i] == ';';
    }
    return count + 2 > SIP_PARAMS_MAX;
}

/* The response to a request that the checks accept, from what they decoded and without. */
static void answer(const struct sip_msg *m, const struct sip_check_policy *policy,
                   const struct sip_keys *keys)
{
    struct sip_response_params params = {
        .status = 200,
        .to_tag = SLICE_LIT("t"),
        .received = SLICE_LIT("192.0.2.1"),
        .rport = 5060,
        .keys = keys,
    };
    struct buf again;
    struct sip_verdict verdict;
    struct sip_cseq cseq[2];
    struct slice id[2];
    struct sip_msg r;
    struct sip_bad bad;
    struct buf out;

    buf_init(&out, 1 << 20);
    buf_init(&again, 1 << 20);
    sip_write_response(&out, m, &params);
    params.keys = NULL;
    sip_write_response(&again, m, &params);
    ASSERT(slice_eq(buf_slice(&out), buf_slice(&again)));
    buf_deinit(&again);
    sip_write_end(&out, SLICE_LIT("a/b"), m->body);
    ASSERT(!out.failed && sip_msg_parse(&r, buf_slice(&out), &bad) == 0 && !r.flaw.why);
    ASSERT(r.status == 200 && slice_eq(r.body, m->body));
    ASSERT(sip_msg_call_id(m, &id[0]) == 0 && sip_msg_call_id(&r, &id[1]) == 0);
    ASSERT(sip_msg_cseq(m, &cseq[0]) == 0 && sip_msg_cseq(&r, &cseq[1]) == 0);
    ASSERT(slice_eq(id[0], id[1]) && cseq[0].number == cseq[1].number);
    /* Via values are one per field now; only several of them make the response another's. A Via at
     * the limit of parameters goes over it by the two that a response adds: legal for the peer. */
    ASSERT(sip_check_response(&r, policy, &verdict) ||
           r.fields[r.first[SIP_HDR_VIA]].next != SIP_FIELD_NONE || is_via_full(m));
    buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct slice types[] = {SLICE_LIT("text/plain")};
    struct sip_check_policy policy = {UINT32_MAX, UINT32_MAX, .accept = types, .accept_count = 1};
    struct sip_verdict verdict;
    struct sip_keys keys;
    struct sip_msg m;
    struct sip_bad bad;

    policy.from_tag_optional = true;
    if (sip_msg_parse(&m, slice_make((const char *)data, size), &bad) == 0 &&
        sip_check_request_keys(&m, &policy, &keys, &verdict)) {
        answer(&m, &policy, &keys);
    }
    return 0;
}
