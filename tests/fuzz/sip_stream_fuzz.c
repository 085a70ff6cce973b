/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A stream cut in any way (the first byte chooses) gives the same events as the uncut one. */
#include "base/check.h"
#include "base/hash.h"
#include "sip/framer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t add(uint64_t record, uint64_t event)
{
    uint64_t pair[2] = {record, event};

    return hash_bytes(slice_make((const char *)pair, sizeof(pair)));
}

static uint64_t run(const uint8_t *data, size_t size, uint64_t cuts)
{
    struct sip_framer f;
    uint64_t record = 0;
    size_t at = 0;

    sip_framer_init(&f);
    while (at < size) {
        size_t len = cuts ? 1 + (size_t)(cuts >> 59) : size;
        enum sip_frame frame = SIP_FRAME_MORE;

        cuts = cuts * 6364136223846793005u + 1442695040888963407u * (cuts != 0);
        len = len < size - at ? len : size - at;
        for (size_t part = 0, used = 0; part < len; part += used) {
            frame = sip_framer_feed(&f, (const char *)data + at + part, len - part, &used);
            ASSERT(used > 0 && used <= len - part);
            if (frame == SIP_FRAME_BAD) {
                break;
            }
            if (frame != SIP_FRAME_MORE) {
                record = add(record, frame);
            }
            if (frame == SIP_FRAME_MSG) {
                record = add(record, hash_bytes(f.msg.bytes) + f.msg.field_count);
            }
        }
        if (frame == SIP_FRAME_BAD) {
            record = add(record, 1000u + f.bad.status);
            break;
        }
        at += len;
    }
    sip_framer_deinit(&f);
    return record;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1) {
        ASSERT(run(data + 1, size - 1, 0) == run(data + 1, size - 1, 2u * data[0] + 1u));
    }
    return 0;
}
