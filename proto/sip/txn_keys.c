/* SPDX-License-Identifier: GPL-2.0-or-later */
/* txn_keys: what tells transactions and merged requests apart, as keyed hashes of fixed size. */
#include "sip/txn_int.h"

#include "base/check.h"

#define PARTS_BYTES_MAX 480u

/* The parts in one piece, each with its length before it, so that their borders count. False: too
 * long for that.                                                                                 */
static bool join(const struct slice *parts, unsigned count, char *mem, size_t *len)
{
    size_t at = 0;

    for (unsigned i = 0; i < count; i++) {
        size_t part_len = parts[i].len;

        if (part_len > PARTS_BYTES_MAX || at + sizeof(part_len) + part_len > PARTS_BYTES_MAX) {
            return false;
        }
        memcpy(mem + at, &part_len, sizeof(part_len));
        at += sizeof(part_len);
        if (part_len > 0) {
            memcpy(mem + at, parts[i].ptr, part_len);
            at += part_len;
        }
    }
    *len = at;
    return true;
}

/* Two keyed hashes over the parts, or, of long ones, over their hashes. */
static void hash_parts(const struct sip_ids *ids, const struct slice *parts, unsigned count,
                       uint64_t out[2])
{
    char mem[PARTS_BYTES_MAX] UNINITIALIZED;
    uint64_t hashes[8] UNINITIALIZED;
    size_t len;

    ASSERT(count <= ARRAY_COUNT(hashes));
    if (join(parts, count, mem, &len)) {
        out[0] = hash_bytes_keyed(ids->key[0], slice_make(mem, len));
        out[1] = hash_bytes_keyed(ids->key[1], slice_make(mem, len));
        return;
    }
    for (unsigned half = 0; half < 2; half++) {
        for (unsigned i = 0; i < count; i++) {
            hashes[i] = hash_bytes_keyed(ids->key[half], parts[i]);
        }
        out[half] = hash_bytes_keyed(ids->key[half],
                                     slice_make((const char *)hashes, count * sizeof(hashes[0])));
    }
}

void sip_txn_key(const struct sip_ids *ids, const struct sip_msg *m, const struct sip_keys *keys,
                 uint64_t out[2])
{
    if (keys->via.has_cookie) {
        const struct slice parts[] = {
            keys->via.branch,
            keys->via.sent_by.text,
            slice_make((const char *)&keys->via.sent_by.port, sizeof(keys->via.sent_by.port)),
        };

        hash_parts(ids, parts, ARRAY_COUNT(parts), out);
    } else {
        const struct slice parts[] = {
            m->uri,         keys->from.tag,
            keys->call_id,  slice_make((const char *)&keys->cseq.number, sizeof(keys->cseq.number)),
            keys->via_text,
        };

        hash_parts(ids, parts, ARRAY_COUNT(parts), out);
    }
}

struct sip_merge_key sip_txn_merge_key(const struct sip_ids *ids, const struct sip_keys *keys)
{
    struct sip_merge_key key;
    const struct slice parts[] = {
        keys->call_id,
        slice_make((const char *)&keys->cseq.number, sizeof(keys->cseq.number)),
        keys->cseq.method_text,
        keys->from.tag,
    };

    hash_parts(ids, parts, ARRAY_COUNT(parts), key.half);
    return key;
}
