/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes from a next hop, on their way to presence, here or on another shard: each request is
 * answered once, and reaches presence unchanged. The first byte is the way. */
#include "base/check.h"
#include "base/pool.h"
#include "sip_events_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct events_result result;
    int64_t used = pool_used_bytes();
    struct events_way way;

    if (size == 0) {
        return 0;
    }
    way = (struct events_way){.is_draining = data[0] & 1,
                              .is_overdue = data[0] & 2,
                              .is_foreign = data[0] & 4,
                              .is_forbidden = data[0] & 8,
                              .is_elsewhere = data[0] & 16,
                              .is_full = data[0] & 32};
    events_play(&way, slice_make((const char *)data + 1, size - 1), &result);
    ASSERT(pool_used_bytes() == used);
    return 0;
}
