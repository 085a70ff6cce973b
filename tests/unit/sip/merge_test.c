/* SPDX-License-Identifier: GPL-2.0-or-later */
/* merge: the filter against a plain model, its expiry and its bound. */
#include "sip/merge.h"
#include "sip/transaction.h"
#include "sip_help.h"

static struct sip_merge_key key(uint64_t n)
{
    return (struct sip_merge_key){{n, n * 3}};
}

Test(merge, seen_once_until_expiry)
{
    struct sip_merge m;

    sip_merge_init(&m, 8);
    cr_expect(sip_merge_add(&m, key(1), 1000));
    cr_expect_not(sip_merge_add(&m, key(1), 1000 + SIP_MERGE_MS - 1));
    cr_expect(sip_merge_add(&m, key(1), 1000 + SIP_MERGE_MS));
    cr_expect(sip_merge_add(&m, (struct sip_merge_key){{1, 4}}, 1000 + SIP_MERGE_MS));
    cr_expect_eq(m.count, 2);
    sip_merge_deinit(&m);
}

Test(merge, forget_allows_again)
{
    struct sip_merge m;

    sip_merge_init(&m, 8);
    cr_expect(sip_merge_add(&m, key(1), 0));
    sip_merge_forget(&m, key(1));
    sip_merge_forget(&m, key(2));
    cr_expect(sip_merge_add(&m, key(1), 1));
    cr_expect_not(sip_merge_add(&m, key(1), 2));
    sip_merge_deinit(&m);
}

Test(merge, full_forgets_the_oldest)
{
    struct sip_merge m;

    sip_merge_init(&m, 5);
    for (uint64_t i = 0; i < 6; i++) {
        cr_expect(sip_merge_add(&m, key(i), i));
    }
    cr_expect_eq(m.count, 5);
    cr_expect(sip_merge_add(&m, key(0), 6), "the oldest was forgotten");
    cr_expect_not(sip_merge_add(&m, key(2), 6));
    cr_expect_not(sip_merge_add(&m, key(5), 6));
    sip_merge_deinit(&m);
}

/* Full all the time, keys that share places: the same answers as a list of what came last. */
Test(merge, small_table_agrees_with_a_list)
{
    for (uint32_t max = 1; max <= 40; max++) {
        struct {
            uint64_t n;
            uint64_t expire;
            bool is_live;
        } list[64];
        uint32_t count = 0;
        uint64_t random = max;
        uint64_t now = 1;
        struct sip_merge m;

        sip_merge_init(&m, max);
        for (int step = 0; step < 4000; step++) {
            uint64_t n;
            bool is_there = false;

            random = random * 6364136223846793005u + 1442695040888963407u;
            n = (random >> 33) % (2 * max + 3);
            now += (random >> 20) % 1000;
            for (uint32_t i = 0; i < count; i++) {
                bool is_it = list[i].n == n && list[i].is_live;

                is_there = is_there || (is_it && list[i].expire > now);
                list[i].is_live = list[i].is_live && !(is_it && (random >> 60) == 0);
            }
            if ((random >> 60) == 0) {
                sip_merge_forget(&m, key(n));
                continue;
            }
            cr_assert_eq(sip_merge_add(&m, key(n), now), !is_there, "max %u step %d", max, step);
            while (count > 0 && (list[0].expire <= now || (!is_there && count == max))) {
                memmove(&list[0], &list[1], --count * sizeof(list[0]));
            }
            if (!is_there) {
                list[count].n = n;
                list[count].expire = now + SIP_MERGE_MS;
                list[count++].is_live = true;
            }
            cr_assert_eq(m.count, count);
        }
        sip_merge_deinit(&m);
    }
}

/* Many steps: the same answers as an array of deadlines. */
Test(merge, agrees_with_a_model)
{
    enum { KEYS = 40 };
    uint64_t expire[KEYS] = {0};
    uint64_t random = 42;
    uint64_t now = 1;
    struct sip_merge m;

    sip_merge_init(&m, 100000);
    for (int step = 0; step < 50000; step++) {
        uint64_t n;

        random = random * 6364136223846793005u + 1442695040888963407u;
        n = (random >> 33) % KEYS;
        now += (random >> 20) % 3000;
        if ((random >> 60) == 0) {
            sip_merge_forget(&m, key(n));
            expire[n] = 0;
        } else {
            bool is_new = expire[n] <= now;

            cr_assert_eq(sip_merge_add(&m, key(n), now), is_new, "step %d", step);
            if (is_new) {
                expire[n] = now + SIP_MERGE_MS;
            }
        }
    }
    sip_merge_deinit(&m);
}
