/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dns_answer_fuzz: any bytes give an answer within its bounds. First byte: type asked for. */
#include <stdint.h>

#include "base/check.h"
#include "dns/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = {DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_SRV};
    struct dns_answer a;

    if (size == 0) {
        return 0;
    }
    enum dns_type type = types[data[0] % 3];
    int err = dns_answer_parse(&a, slice_make((const char *)data + 1, size - 1),
                               SLICE_LIT("a.example"), type);
    ASSERT(err == a.err && a.type == type && (err == 0) == (a.count > 0));
    ASSERT(a.count <= (type == DNS_TYPE_SRV ? DNS_SRV_MAX : DNS_ADDR_MAX));
    for (uint32_t i = 0; type == DNS_TYPE_SRV && i < a.count; i++) {
        ASSERT(a.srv[i].target.len <= DNS_NAME_BYTES_MAX);
        ASSERT(strlen(a.srv[i].target.text) == a.srv[i].target.len);
    }
    ASSERT(dns_answer_bytes(&a) <= sizeof(a));
    return 0;
}
