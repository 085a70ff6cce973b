/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes: the parser stays within them; what the checks accept gets a response that parses. */
#include "sip_answer_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
        play_answer(&m, &policy, &keys);
    }
    return 0;
}
