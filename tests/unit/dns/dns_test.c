/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of proto/dns: order and distribution of targets, hostile sets, addresses, the
 * cache. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/err.h"
#include "base/pool.h"
#include "dns/cache.h"
#include "dns/targets.h"

/* SplitMix64. */
static uint64_t next_random(void *ctx)
{
    uint64_t *state = ctx;
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static void add(struct dns_answer *a, const char *target, uint16_t port, uint16_t priority,
                uint16_t weight)
{
    struct dns_srv *srv = &a->srv[a->count++];

    *srv = (struct dns_srv){.priority = priority, .weight = weight, .port = port};
    srv->target.len = (uint8_t)strlen(target);
    memcpy(srv->target.text, target, strlen(target) + 1);
}

static struct dns_targets merge(const struct dns_answer *a, const struct dns_answer *b,
                                uint64_t seed)
{
    const struct dns_answer *sets[2] = {a, b};
    struct dns_targets t;

    dns_targets_merge(&t, sets, 2, next_random, &seed);
    return t;
}

Test(dns_targets, two_services_are_one_set)
{
    struct dns_answer a = {.type = DNS_TYPE_SRV}, b = {.type = DNS_TYPE_SRV};

    add(&a, "tls-late.example", 5270, 20, 0);
    add(&a, "tls-first.example", 5270, 5, 0);
    add(&b, "plain-last.example", 5269, 30, 0);
    add(&b, "plain-second.example", 5269, 10, 0);
    struct dns_targets t = merge(&a, &b, 1);
    static const char *const want[] = {"tls-first.example", "plain-second.example",
                                       "tls-late.example", "plain-last.example"};
    cr_assert_eq(t.count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        cr_assert_str_eq(t.at[i].name.text, want[i]);
        cr_assert_eq(t.at[i].service_idx, i % 2);
        cr_assert_eq(t.at[i].port, i % 2 ? 5269 : 5270);
    }
}

/* How often each is first must follow the weights. */
Test(dns_targets, weights_are_honoured)
{
    struct dns_answer a = {.type = DNS_TYPE_SRV}, b = {.type = DNS_TYPE_SRV};
    unsigned first[4] = {0};
    const unsigned draws = 20000;

    add(&a, "a", 1, 10, 10);
    add(&a, "b", 1, 10, 30);
    add(&b, "c", 1, 10, 60);
    add(&b, "d", 1, 10, 0);
    for (unsigned i = 0; i < draws; i++) {
        struct dns_targets t = merge(&a, &b, i);
        cr_assert_eq(t.count, 4);
        first[t.at[0].name.text[0] - 'a']++;
    }
    static const unsigned percent[] = {10, 30, 60, 0};
    for (unsigned i = 0; i < 4; i++) {
        unsigned want = draws * percent[i] / 100;
        cr_assert(first[i] + 400 > want && first[i] < want + 400, "%c first %u times", 'a' + (int)i,
                  first[i]);
    }
    cr_assert(first[3] < 20, "weight 0 beside others is rare: %u", first[3]);
}

Test(dns_targets, weights_of_zero_only_are_even)
{
    struct dns_answer a = {.type = DNS_TYPE_SRV};
    unsigned first[4] = {0};

    add(&a, "a", 1, 10, 0);
    add(&a, "b", 1, 10, 0);
    add(&a, "c", 1, 10, 0);
    add(&a, "d", 1, 10, 0);
    for (unsigned i = 0; i < 8000; i++) {
        first[merge(&a, NULL, i).at[0].name.text[0] - 'a']++;
    }
    for (unsigned i = 0; i < 4; i++) {
        cr_assert(first[i] > 1800 && first[i] < 2200, "%u", first[i]);
    }
}

Test(dns_targets, root_target_means_not_offered)
{
    struct dns_answer a = {.type = DNS_TYPE_SRV}, b = {.type = DNS_TYPE_SRV};

    add(&a, "", 0, 0, 0);
    struct dns_targets t = merge(&a, NULL, 1);
    cr_assert(t.count == 0 && t.is_refused[0] && !t.is_refused[1]);
    add(&b, "x.example", 5269, 0, 0);
    t = merge(&a, &b, 1);
    cr_assert(t.count == 1 && t.is_refused[0] && !t.is_refused[1]);
    cr_assert_eq(t.at[0].service_idx, 1);
    /* "." beside a real target is nonsense and ignored. */
    add(&b, "", 0, 0, 0);
    t = merge(NULL, &b, 1);
    cr_assert(t.count == 1 && !t.is_refused[1]);
}

Test(dns_targets, failed_sets_and_duplicates)
{
    struct dns_answer a = {.type = DNS_TYPE_SRV}, b, wrong = {.type = DNS_TYPE_A, .count = 3};

    add(&a, "x.example", 5269, 5, 1);
    add(&a, "x.example", 5269, 5, 1);
    add(&a, "x.example", 5270, 5, 1);
    add(&a, "y.example", 0, 5, 1);
    dns_answer_fail(&b, DNS_TYPE_SRV, ERR_DNS_SERVFAIL);
    cr_assert_eq(merge(&a, &b, 3).count, 2);
    cr_assert_eq(merge(&b, &wrong, 3).count, 0);
    cr_assert_eq(merge(NULL, NULL, 3).count, 0);
}

/* Two full sets: the best priorities of both survive. */
Test(dns_targets, cap_keeps_the_best)
{
    struct dns_answer a = {.type = DNS_TYPE_SRV}, b = {.type = DNS_TYPE_SRV};
    char name[20];

    for (uint16_t i = 0; i < DNS_SRV_MAX; i++) {
        (void)snprintf(name, sizeof(name), "h%u", i);
        add(&a, name, 1, (uint16_t)(2 * i), 1);
        add(&b, name, 2, (uint16_t)(2 * i + 1), 1);
    }
    struct dns_targets t = merge(&a, &b, 9);
    cr_assert_eq(t.count, DNS_TARGETS_MAX);
    for (uint32_t i = 0; i < t.count; i++) {
        cr_assert_eq(t.at[i].priority, i);
    }
}

static struct dns_addr addr_of(bool is_v6, uint8_t last)
{
    struct dns_addr a = {.is_v6 = is_v6};

    a.bytes[is_v6 ? 15 : 3] = last;
    return a;
}

Test(dns_addrs, interleaved_ipv6_first)
{
    struct dns_answer v6 = {.type = DNS_TYPE_AAAA}, v4 = {.type = DNS_TYPE_A}, bad;
    struct dns_addr out[DNS_RACE_ADDRS_MAX];

    for (uint8_t i = 1; i <= 3; i++) {
        v6.addr[v6.count++] = addr_of(true, i);
    }
    v4.addr[v4.count++] = addr_of(false, 1);
    v4.addr[v4.count++] = addr_of(false, 1);
    cr_assert_eq(dns_addrs_interleave(out, &v6, &v4), 4);
    cr_assert(out[0].is_v6 && !out[1].is_v6 && out[2].is_v6 && out[3].is_v6);
    cr_assert(out[0].bytes[15] == 1 && out[2].bytes[15] == 2 && out[3].bytes[15] == 3);
    dns_answer_fail(&bad, DNS_TYPE_AAAA, ERR_DNS_NODATA);
    cr_assert_eq(dns_addrs_interleave(out, &bad, &v4), 1);
    cr_assert_eq(dns_addrs_interleave(out, NULL, NULL), 0);
    v6.count = v4.count = 0;
    for (uint8_t i = 0; i < DNS_ADDR_MAX; i++) {
        v6.addr[v6.count++] = addr_of(true, i);
        v4.addr[v4.count++] = addr_of(false, i);
    }
    cr_assert_eq(dns_addrs_interleave(out, &v6, &v4), DNS_RACE_ADDRS_MAX);
}

/* ---- cache ---- */

static struct dns_answer a_record(uint32_t ttl_s)
{
    struct dns_answer a = {.type = DNS_TYPE_A, .ttl_s = ttl_s, .count = 1};

    a.addr[0] = addr_of(false, 7);
    return a;
}

Test(dns_cache, keeps_for_the_ttl)
{
    struct dns_cache c;
    struct dns_answer a = a_record(10);
    const struct dns_answer *got;

    dns_cache_init(&c, 0);
    dns_cache_put(&c, SLICE_LIT("Host.Example"), &a, 1000);
    got = dns_cache_get(&c, SLICE_LIT("hOST.example"), DNS_TYPE_A, 10999);
    cr_assert(got && got->count == 1 && got->addr[0].bytes[3] == 7);
    cr_assert_null(dns_cache_get(&c, SLICE_LIT("host.example"), DNS_TYPE_AAAA, 2000));
    cr_assert_null(dns_cache_get(&c, SLICE_LIT("other.example"), DNS_TYPE_A, 2000));
    cr_assert_null(dns_cache_get(&c, SLICE_LIT("host.example"), DNS_TYPE_A, 11000));
    cr_assert_eq(dns_cache_count(&c), 0);
    dns_cache_deinit(&c);
}

Test(dns_cache, ttl_floor_ceiling_and_failures)
{
    struct dns_answer a = a_record(0);

    cr_assert_eq(dns_cache_ttl_s(&a), DNS_TTL_FLOOR_S);
    a.ttl_s = INT32_MAX;
    cr_assert_eq(dns_cache_ttl_s(&a), DNS_TTL_CEILING_S);
    a.ttl_s = 77;
    cr_assert_eq(dns_cache_ttl_s(&a), 77);
    dns_answer_fail(&a, DNS_TYPE_A, ERR_DNS_TIMEOUT);
    cr_assert_eq(dns_cache_ttl_s(&a), DNS_NEGATIVE_TTL_S);
    a.ttl_s = 5;
    cr_assert_eq(dns_cache_ttl_s(&a), 5);
    a.ttl_s = 86400;
    cr_assert_eq(dns_cache_ttl_s(&a), DNS_NEGATIVE_TTL_S);
}

Test(dns_cache, replaces_and_evicts_the_least_used)
{
    int64_t before = pool_used_bytes();
    struct dns_cache c;
    struct dns_answer a = a_record(100);
    char name[20];

    dns_cache_init(&c, 8);
    for (int i = 0; i < 8; i++) {
        (void)snprintf(name, sizeof(name), "h%d", i);
        dns_cache_put(&c, slice_from_cstr(name), &a, 0);
    }
    cr_assert_not_null(dns_cache_get(&c, SLICE_LIT("h0"), DNS_TYPE_A, 1));
    a.addr[0].bytes[3] = 9;
    dns_cache_put(&c, SLICE_LIT("h1"), &a, 0);
    cr_assert_eq(dns_cache_count(&c), 8);
    cr_assert_eq(dns_cache_get(&c, SLICE_LIT("h1"), DNS_TYPE_A, 1)->addr[0].bytes[3], 9);
    dns_cache_put(&c, SLICE_LIT("new"), &a, 0);
    cr_assert_eq(dns_cache_count(&c), 8);
    cr_assert_null(dns_cache_get(&c, SLICE_LIT("h2"), DNS_TYPE_A, 1));
    cr_assert_not_null(dns_cache_get(&c, SLICE_LIT("h0"), DNS_TYPE_A, 1));
    /* Without memory nothing is kept and nothing breaks. */
    pool_fail_nth(2);
    dns_cache_put(&c, SLICE_LIT("h0"), &a, 0);
    pool_fail_nth(0);
    cr_assert_not_null(dns_cache_get(&c, SLICE_LIT("h0"), DNS_TYPE_A, 1));
    dns_cache_deinit(&c);
    cr_assert_eq(pool_used_bytes(), before);
}
