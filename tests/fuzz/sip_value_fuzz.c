/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as the values of all known header fields: no reader leaves its slice. */
#include "base/check.h"
#include "sip/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    struct sip_media_type type;
    struct sip_warning warning;
    struct sip_reason reason;
    struct sip_addr addr;
    struct sip_msg m;
    struct sip_bad bad;
    struct sip_via via;
    int64_t date;
    uint32_t number;

    if (sip_via_parse(text, &via) == 0) {
        ASSERT(via.sent_by.kind != SIP_HOST_NONE && via.transport.len > 0);
    }
    (void)!sip_warning_parse(text, &warning);
    (void)!sip_reason_parse(text, &reason);
    (void)!sip_ms_diagnostics_parse(text, &reason);
    (void)!sip_media_type_parse(text, &type);
    if (sip_msg_parse(&m, text, &bad)) {
        return 0;
    }
    (void)!sip_msg_date(&m, &date);
    for (unsigned id = 1; id < SIP_HDR_COUNT; id++) {
        struct sip_list list;
        struct slice value;
        size_t sum = 0;

        (void)!sip_msg_addr(&m, (enum sip_header)id, &addr);
        (void)!sip_msg_u32(&m, (enum sip_header)id, &number);
        sip_list_init(&list, &m, (enum sip_header)id);
        while (sip_list_next(&list, &value)) {
            sum += value.len + 1;
        }
        ASSERT(sum <= size);
    }
    return 0;
}
