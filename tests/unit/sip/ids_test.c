/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ids: form, uniqueness, and that the secret decides. */
#include <stdio.h>

#include "base/map.h"
#include "base/pool.h"
#include "sip/ids.h"
#include "sip_help.h"

static unsigned random_calls;

static void fixed_random(void *out, size_t len)
{
    random_calls++;
    memset(out, 0x5A, len);
}

Test(ids, forms)
{
    struct sip_ids ids;
    struct sip_id id;

    sip_ids_init_seeded(&ids, 1);
    id = sip_ids_branch(&ids);
    cr_expect_eq(id.len, 7 + 32);
    cr_expect(slice_starts(sip_id_slice(&id), SLICE_LIT("z9hG4bK")));
    cr_expect_eq(strlen(id.text), id.len);
    cr_expect_eq(sip_ids_tag(&ids).len, 16);
    cr_expect_eq(sip_ids_call_id(&ids).len, 32);
}

Test(ids, do_not_repeat)
{
    static struct sip_id made[3000];
    struct map seen = {0};
    struct sip_ids ids;

    sip_ids_init_seeded(&ids, 7);
    for (size_t i = 0; i < ARRAY_COUNT(made); i++) {
        made[i] = i % 3 == 0   ? sip_ids_branch(&ids)
                  : i % 3 == 1 ? sip_ids_tag(&ids)
                               : sip_ids_call_id(&ids);
        cr_assert_null(map_add(&seen, sip_id_slice(&made[i]), &made[i]));
    }
    map_deinit(&seen);
}

Test(ids, secret_is_drawn_once_and_decides)
{
    const struct crypto crypto = {.random = fixed_random};
    struct sip_ids a;
    struct sip_ids b;
    struct sip_id x;
    struct sip_id y;

    sip_ids_init(&a, &crypto);
    cr_expect_eq(random_calls, 1);
    sip_ids_init_seeded(&b, 1);
    x = sip_ids_branch(&a);
    y = sip_ids_branch(&b);
    cr_expect_not(slice_eq(sip_id_slice(&x), sip_id_slice(&y)));
    (void)sip_ids_tag(&a);
    cr_expect_eq(random_calls, 1);
}

Test(ids, tag_of_is_stable)
{
    struct sip_ids ids;
    struct sip_id a;
    struct sip_id b;

    sip_ids_init_seeded(&ids, 3);
    a = sip_ids_tag_of(&ids, SLICE_LIT("x"));
    (void)sip_ids_branch(&ids);
    b = sip_ids_tag_of(&ids, SLICE_LIT("x"));
    cr_expect(slice_eq(sip_id_slice(&a), sip_id_slice(&b)));
    b = sip_ids_tag_of(&ids, SLICE_LIT("y"));
    cr_expect_not(slice_eq(sip_id_slice(&a), sip_id_slice(&b)));
}

Test(ids, digits_are_those_of_the_hash)
{
    struct sip_ids ids;
    char text[17];

    sip_ids_init_seeded(&ids, 3);
    for (unsigned i = 0; i < 1000; i++) {
        struct slice what = slice_make((const char *)&i, sizeof(i));
        struct sip_id id = sip_ids_tag_of(&ids, what);

        (void)snprintf(text, sizeof(text), "%016lx", hash_bytes_keyed(ids.key[0], what));
        cr_assert_str_eq(id.text, text);
    }
}
