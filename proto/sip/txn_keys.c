/* SPDX-License-Identifier: GPL-2.0-or-later */
/* txn_keys: what tells transactions and merged requests apart, as keyed hashes of fixed size. */
#include "sip/txn_int.h"

#include "base/check.h"

/* Two keyed hashes over the hashes of the parts, so that the borders of the parts count. */
static void hash_parts(const struct sip_ids *ids, const struct slice *parts, unsigned count,
                       uint64_t out[2])
{
    uint64_t hashes[8];

    ASSERT(count <= ARRAY_COUNT(hashes));
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
