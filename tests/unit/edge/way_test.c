/* SPDX-License-Identifier: GPL-2.0-or-later */
/* way: what is remembered of a pair is what a lookup says, whatever came between: other pairs, more
 * pairs than there are places, reloads, objects that went away. */
#include "edge/way.h"

#include <stdio.h>

#include <criterion/criterion.h>

#include "base/pool.h"
#include "edge/link_int.h"
#include "edge/partner_run.h"
#include "engine/shard_state.h"
#include "help.h"
#include "policy/decide.h"

#define LOCALS                                                                                     \
    "[{\"name\":\"corp.example\",\"next_hop\":\"pool\"},"                                          \
    "{\"name\":\"corq.example\",\"next_hop\":\"pool\"},"                                          \
    "{\"name\":\"lab.example\",\"next_hop\":\"pool\"}]"
#define FEW                                                                                        \
    "{\"domain\":\"one.example\",\"type\":\"federated\"}," \
    "{\"domain\":\"wide.example\",\"suffix_match\":true}"

static const struct help_doc docs[] = {
    {.domains = LOCALS, .partners = "[" FEW ",{\"domain\":\"two.example\"}]"},
    {.domains = LOCALS,
     .partners = "[" FEW ",{\"domain\":\"two.example\",\"maintenance\":\"later\"}]"},
    {.domains = LOCALS, .partners = "[" FEW "]", .blocked = "[\"7.wide.example\"]"},
    {.domains = "[{\"name\":\"corp.example\",\"next_hop\":\"pool\"}]",
     .partners = "[{\"domain\":\"two.example\"},{\"domain\":\"lab.example\"}]"},
};

static struct shard sh;
static struct edge *e;
static struct setup setups[ARRAY_COUNT(docs)];

static void set_up(void)
{
    for (size_t i = 0; i < ARRAY_COUNT(docs); i++) {
        setups[i].policy = help_load(&docs[i]);
    }
    sh.snapshot = &setups[0];
    e = pool_heap_zalloc(sizeof(*e));
    e->sh = &sh;
    e->shard_count = 3;
    list_init(&e->runs_all);
    list_init(&e->runs_orphan);
    list_init(&e->runs_claimed);
    list_init(&e->refusals_held);
    list_init(&e->links_all);
}

static void tear_down(void)
{
    ways_free(e);
    partner_runs_free(e);
    map_deinit(&e->links);
    pool_heap_free(e);
    for (size_t i = 0; i < ARRAY_COUNT(docs); i++) {
        snapshot_free(setups[i].policy);
    }
}

TestSuite(way, .init = set_up, .fini = tear_down);

/* As the engine and edge.c do it. */
static void reload(size_t which)
{
    sh.snapshot = &setups[which];
    e->setup_version++;
    while (partner_runs_review_next(e)) {
    }
    partner_runs_tick(e);
}

static void expect_truth(struct slice local, struct slice remote)
{
    struct way *w = way_of(e, local, remote);
    struct policy_verdict v = policy_pair(edge_policy(e), local, remote);
    struct partner_run *run;

    cr_assert_eq(w->verdict.allowed, v.allowed, "%.*s %.*s", SLICE_FMT(local), SLICE_FMT(remote));
    cr_assert_eq(w->verdict.reason, v.reason);
    cr_assert_eq(w->verdict.domain, v.domain);
    cr_assert_eq(w->verdict.partner, v.partner);
    cr_assert_eq(w->home_of_local, edge_home_of_domain(e, local));
    if (v.partner) {
        cr_assert_eq(w->home_of_remote, edge_home_of_partner(e, v.partner));
    }
    if (w != &e->ways.other) {
        cr_assert(slice_eq(slice_make(w->names, w->local_len), local));
        cr_assert(slice_eq(slice_make(w->names + w->local_len, w->remote_len), remote));
    }
    cr_assert_eq(w->is_plain, policy_pair_is_plain(edge_policy(e), &v));
    run = way_run(e, w, remote);
    cr_assert_eq(run, partner_run_of(e, remote));
    cr_assert_eq(run != NULL, v.partner != NULL);
    cr_assert(!run || slice_eq(slice_make(run->domain, run->domain_len), v.partner->domain));
}

static struct slice remote_of(uint32_t n, char mem[300])
{
    static const char *const names[] = {"one.example", "two.example", "lab.example", "corp.example",
                                        "stranger.example", ""};
    int len;

    if (n % 8 < ARRAY_COUNT(names)) {
        return slice_from_cstr(names[n % 8]);
    }
    /* Few pairs often, many seldom, some too long to be kept. */
    len = snprintf(mem, 300, "%s%u.wide.example",
                   n % 64 == 7 ? "a234567890123456789012345678901234567890."
                                 "b234567890123456789012345678901234567890."
                                 "c234567890123456789012345678901234567890."
                               : "",
                   n % 16 == 6 ? n / 16 % 5000 : n / 16 % 9);
    return slice_make(mem, (size_t)len);
}

Test(way, remembers_nothing_but_the_truth)
{
    /* The first two differ in one byte: two domains, under the last snapshot one and none. */
    static const char *const locals[] = {"corp.example", "corq.example", "lab.example",
                                         "other.example"};
    uint32_t x = 20261122;
    char mem[300];

    for (uint32_t i = 0; i < 200000; i++) {
        x = x * 1664525u + 1013904223u;
        if ((x >> 8) % 5000 == 0) {
            reload((x >> 24) % ARRAY_COUNT(docs));
        }
        expect_truth(slice_from_cstr(locals[(x >> 5) % 4]), remote_of(x >> 10, mem));
    }
}

/* Both names count, and where one ends. */
Test(way, names_are_told_apart)
{
    reload(0);
    expect_truth(SLICE_LIT("corp.example"), SLICE_LIT("one.example"));
    expect_truth(SLICE_LIT("lab.example"), SLICE_LIT("one.example"));
    expect_truth(SLICE_LIT("corp.exampleo"), SLICE_LIT("ne.example"));
    expect_truth(SLICE_LIT("corp.example"), SLICE_LIT("one.example"));
    cr_assert_eq(way_of(e, SLICE_LIT("corp.example"), SLICE_LIT("one.example")),
                 way_of(e, SLICE_LIT("corp.example"), SLICE_LIT("one.example")));
}

/* Of any length, at any byte. */
Test(way, names_are_compared_in_full)
{
    char name[80];

    for (size_t len = 1; len <= 60; len++) {
        for (size_t at = 0; at < len; at++) {
            memset(name, 'a', len);
            memcpy(name + len, ".wide.example", 13);
            expect_truth(SLICE_LIT("corp.example"), slice_make(name, len + 13));
            name[at] = 'b';
            expect_truth(SLICE_LIT("corp.example"), slice_make(name, len + 13));
        }
    }
}

Test(way, strangers_are_not_kept)
{
    struct way *known = way_of(e, SLICE_LIT("corp.example"), SLICE_LIT("one.example"));

    cr_assert_eq(way_of(e, SLICE_LIT("corp.example"), SLICE_LIT("stranger.example")),
                 &e->ways.other);
    cr_assert_eq(way_of(e, SLICE_LIT("other.example"), SLICE_LIT("one.example")), &e->ways.other);
    cr_assert_eq(e->ways.last, known);
}

/* What pointed to it must not be followed: whoever takes an object out counts the mark up. */
Test(way, what_is_gone_is_marked)
{
    struct way *w = way_of(e, SLICE_LIT("corp.example"), SLICE_LIT("two.example"));
    uint64_t runs_mark = e->runs_mark;
    uint64_t links_mark = e->links_mark;
    struct link *l;

    cr_assert(way_run(e, w, SLICE_LIT("two.example")));
    cr_assert_eq(w->runs_mark, runs_mark);
    reload(2); /* without it */
    cr_assert_neq(e->runs_mark, runs_mark);
    l = link_new(e, SLICE_LIT("corp.example"), SLICE_LIT("two.example"));
    cr_assert(l);
    link_free(l);
    cr_assert_neq(e->links_mark, links_mark);
}
