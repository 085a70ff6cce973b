/* SPDX-License-Identifier: GPL-2.0-or-later */
/* route_id: ids of stanzas made by this node. They carry where the answer belongs, so no table is
 * needed, and a keyed hash, so that nobody can answer for a message that he was not sent. */
#include "base/ascii.h"
#include "base/hash.h"
#include "edge/route.h"

#define PING_PREFIX "fgp-"
#define SIP_PREFIX "fgs-"
#define HEX64_CHARS 16u

static bool parse_hex64(struct slice text, uint64_t *out)
{
    uint64_t value = 0;

    if (text.len != HEX64_CHARS) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        int digit = ascii_hex_value(text.ptr[i]);

        if (digit < 0) {
            return false;
        }
        value = value << 4 | (uint64_t)digit;
    }
    *out = value;
    return true;
}

/* HEX64_CHARS digits at at. */
static char *put_hex64(char *at, uint64_t value)
{
    for (int shift = 60; shift >= 0; shift -= 4) {
        *at++ = "0123456789abcdef"[(value >> shift) & 15];
    }
    return at;
}

struct slice ping_id(uint64_t number, char mem[64])
{
    char *end = put_hex64(mempcpy(mem, PING_PREFIX, sizeof(PING_PREFIX) - 1), number);

    return slice_make(mem, (size_t)(end - mem));
}

bool ping_id_parse(struct slice id, uint64_t *number)
{
    return slice_starts(id, SLICE_LIT(PING_PREFIX)) &&
           parse_hex64(slice_from(id, sizeof(PING_PREFIX) - 1), number);
}

static uint64_t seal(struct sip_origin origin)
{
    uint64_t what[2] = {origin.handle, origin.shard_idx};

    return hash_bytes(slice_make((const char *)what, sizeof(what)));
}

struct slice sip_stanza_id(struct sip_origin origin, char mem[96])
{
    char *at = put_hex64(mempcpy(mem, SIP_PREFIX, sizeof(SIP_PREFIX) - 1), origin.shard_idx);

    at = put_hex64(put_hex64(at, origin.handle), seal(origin));
    return slice_make(mem, (size_t)(at - mem));
}

bool sip_stanza_id_parse(struct slice id, struct sip_origin *origin)
{
    uint64_t shard_idx;
    uint64_t mark;

    if (!slice_starts(id, SLICE_LIT(SIP_PREFIX)) ||
        id.len != sizeof(SIP_PREFIX) - 1 + 3 * HEX64_CHARS) {
        return false;
    }
    id = slice_from(id, sizeof(SIP_PREFIX) - 1);
    if (!parse_hex64(slice_to(id, HEX64_CHARS), &shard_idx) || shard_idx >= ENGINE_SHARDS_MAX ||
        !parse_hex64(slice_to(slice_from(id, HEX64_CHARS), HEX64_CHARS), &origin->handle) ||
        !parse_hex64(slice_from(id, 2 * HEX64_CHARS), &mark)) {
        return false;
    }
    origin->shard_idx = (uint32_t)shard_idx;
    return origin->handle != 0 && mark == seal(*origin);
}
