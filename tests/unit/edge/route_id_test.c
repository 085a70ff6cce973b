/* SPDX-License-Identifier: GPL-2.0-or-later */
/* route_id: ids of our own stanzas come back as they went; nothing else is taken for one. */
#include <criterion/criterion.h>

#include "base/hash.h"
#include "edge/route.h"

Test(route_id, pings_round_trip)
{
    char mem[64];
    uint64_t number = 0;
    struct slice id = ping_id(0xfedcba9876543210u, mem);

    cr_assert(ping_id_parse(id, &number));
    cr_assert_eq(number, 0xfedcba9876543210u);
    cr_assert_not(ping_id_parse(slice_to(id, id.len - 1), &number));
    cr_assert_not(ping_id_parse(SLICE_LIT("fgp-xyz"), &number));
    cr_assert_not(ping_id_parse(SLICE_LIT("fgp-fedcba987654321g"), &number));
    cr_assert_not(ping_id_parse(SLICE_LIT(""), &number));
}

Test(route_id, sip_ids_cannot_be_made_up)
{
    struct sip_origin origin = {.handle = 0x1234567800000001u, .shard_idx = 3};
    struct sip_origin back = {0};
    char mem[96];
    struct slice id;

    hash_seed((struct hash_key){1, 2});
    id = sip_stanza_id(origin, mem);
    cr_assert(sip_stanza_id_parse(id, &back));
    cr_assert_eq(back.handle, origin.handle);
    cr_assert_eq(back.shard_idx, 3);
    for (size_t i = 4; i < id.len; i++) {
        char before = mem[i];

        mem[i] = before == '0' ? '1' : '0';
        cr_expect_not(sip_stanza_id_parse(id, &back), "changed at %zu", i);
        mem[i] = before;
    }
    hash_seed((struct hash_key){1, 3});
    cr_assert_not(sip_stanza_id_parse(id, &back), "another process's id");
    cr_assert_not(sip_stanza_id_parse(SLICE_LIT("abc"), &back));
}
