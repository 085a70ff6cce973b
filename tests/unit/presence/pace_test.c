/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pace: never more SUBSCRIBEs in a second than the hop's rate; domains take turns. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "presence/paces.h"
#include "presence/table.h"
#include "puppet.h"

#define SENT_MAX 8192u

static struct fixture f;
static struct {
    uint64_t at_ms;
    char remote[32];
} sent[SENT_MAX];
static uint32_t sent_count;
static const char *hop_of_corp;
static bool is_by_number;

/* All the same: who asked first goes first. Or the user's number. */
static uint32_t due_of(const struct contact *c)
{
    return is_by_number ? (uint32_t)strtoul(contact_pair(c).remote_user.ptr + 1, NULL, 10) : 7;
}

static void note(const struct contact *c)
{
    struct slice user = contact_pair(c).remote_user;

    cr_assert_lt(sent_count, SENT_MAX);
    sent[sent_count].at_ms = f.now_ms;
    (void)snprintf(sent[sent_count].remote, sizeof(sent[0].remote), "%.*s", SLICE_FMT(user));
    sent_count++;
}

static void pace(struct contact *c, enum puppet_event event, int64_t arg)
{
    (void)arg;
    if (event == PUPPET_STANZA) {
        puppet_set(c, 1);
    }
    if (event == PUPPET_PACED || (event == PUPPET_STANZA && contact_pace(c, due_of(c)))) {
        note(c);
    }
}

static void hop(struct fixture *fixture, const struct presence_pair *pair,
                enum contact_direction direction, struct presence_rule *out)
{
    (void)fixture;
    (void)direction;
    out->hop = slice_eq_cstr(pair->local_domain, "corp.example") ? slice_from_cstr(hop_of_corp)
                                                                 : SLICE_LIT("other");
}

static void setup(void)
{
    puppet = (struct puppet){.act = pace};
    sent_count = 0;
    hop_of_corp = "pool";
    is_by_number = false;
    fixture_init(&f);
    f.rule_fn = hop;
    fixture_start(&f);
}

static void teardown(void)
{
    fixture_deinit(&f);
}

TestSuite(pace, .init = setup, .fini = teardown);

static void ask(const char *local, const char *domain, uint32_t from, uint32_t to)
{
    char xml[200];

    for (uint32_t i = from; i < to; i++) {
        (void)snprintf(xml, sizeof(xml), "<presence type='probe' from='u%u@%s' to='%s'/>", i,
                       domain, local);
        cr_assert(fixture_from_partner(&f, xml));
    }
}

/* The most in any second of the next hop's: with both ends, and 20 ms more, since what is sent in a
 * turn leaves after the time that the turn was given. */
static uint32_t peak(void)
{
    uint32_t most = 0;
    uint32_t first = 0;

    for (uint32_t i = 0; i < sent_count; i++) {
        while (sent[i].at_ms - sent[first].at_ms > 1020) {
            first++;
        }
        most = i - first + 1 > most ? i - first + 1 : most;
    }
    return most;
}

Test(pace, no_rate_no_waiting)
{
    ask("bob@corp.example", "chat.example", 0, 1000);
    cr_expect_eq(sent_count, 1000);
    cr_expect_eq(presence_stats(f.p)->waiting, 0);
    cr_expect_eq(presence_stats(f.p)->subscribe_paced, 0);
}

static void check_rate(uint32_t rate, uint32_t count, uint64_t longest_ms)
{
    f.rules[CONTACT_IN].subscribe_rate_max = rate;
    ask("bob@corp.example", "chat.example", 0, count);
    cr_expect_eq(presence_stats(f.p)->waiting, count - sent_count);
    fixture_run(&f, longest_ms);
    cr_expect_eq(sent_count, count, "%u of %u", sent_count, count);
    cr_expect_leq(peak(), rate);
    cr_expect_eq(presence_stats(f.p)->waiting, 0);
}

Test(pace, one_a_second)
{
    check_rate(1, 10, 9500);
}

Test(pace, twenty_a_second)
{
    check_rate(20, 200, 13000);
}

Test(pace, a_thousand_a_second)
{
    check_rate(1000, 5000, 5400);
}

Test(pace, as_many_as_the_configuration_can_say)
{
    check_rate(100000, 8000, 100);
}

/* A full bucket at the end of a storm, and the next storm. */
Test(pace, a_storm_right_behind_another)
{
    f.rules[CONTACT_IN].subscribe_rate_max = 64;
    for (uint32_t i = 0; i < 20; i++) {
        ask("bob@corp.example", "chat.example", i * 100, i * 100 + 40);
        fixture_run(&f, 617);
    }
    cr_expect_leq(peak(), 64);
}

/* In the long run the rate is used up, but for what bursts and ticks cost. */
Test(pace, after_a_rest_no_more_than_a_small_burst)
{
    f.rules[CONTACT_IN].subscribe_rate_max = 100;
    ask("bob@corp.example", "chat.example", 0, 1);
    fixture_run(&f, 60000);
    ask("bob@corp.example", "chat.example", 1, 500);
    cr_expect_leq(sent_count, 1 + 1 + 100 / 32);
    fixture_run(&f, 6000);
    cr_expect_eq(sent_count, 500);
    cr_expect_leq(peak(), 100);
}

Test(pace, domains_take_turns)
{
    f.rules[CONTACT_IN].subscribe_rate_max = 10;
    ask("bob@corp.example", "chat.example", 0, 200);
    ask("bob@corp.example", "small.example", 1000, 1001);
    ask("bob@corp.example", "talk.example", 2000, 2002);
    fixture_run(&f, 1000);
    for (uint32_t i = 0; i < sent_count; i++) {
        if (strcmp(sent[i].remote, "u1000") == 0) {
            return; /* among the first, though asked last */
        }
    }
    cr_assert_fail("one waits for 200");
}

Test(pace, order_within_a_domain)
{
    f.rules[CONTACT_IN].subscribe_rate_max = 100;
    ask("bob@corp.example", "chat.example", 0, 50);
    fixture_run(&f, 1000);
    cr_assert_eq(sent_count, 50);
    for (uint32_t i = 0; i < 50; i++) {
        char want[16];

        (void)snprintf(want, sizeof(want), "u%u", i);
        cr_expect_str_eq(sent[i].remote, want);
    }
}

/* Of one domain; those of another take turns with it all the same. */
Test(pace, who_must_go_soonest_goes_first)
{
    is_by_number = true;
    f.rules[CONTACT_IN].subscribe_rate_max = 10;
    for (uint32_t i = 0; i < 40; i++) {
        uint32_t n = 100 + i * 17 % 40;

        ask("bob@corp.example", "chat.example", n, n + 1);
    }
    sent_count = 0; /* the one that found a full bucket */
    ask("bob@corp.example", "chat.example", 5, 6);
    fixture_run(&f, 6000);
    cr_assert_eq(sent_count, 40);
    cr_expect_str_eq(sent[0].remote, "u5");
    for (uint32_t i = 2; i < sent_count; i++) {
        cr_expect_lt(strtoul(sent[i - 1].remote + 1, NULL, 10),
                     strtoul(sent[i].remote + 1, NULL, 10));
    }
}

/* --- a connection that is not there --- */

static void way(enum presence_hop_way how, enum presence_hop_news news)
{
    f.rules[CONTACT_IN].hop_way = how;
    presence_hop_seen(f.p, SLICE_LIT("pool"), news);
    fixture_run(&f, 10);
}

Test(pace, nobody_goes_before_the_connection_is_there_and_then_at_once)
{
    f.rules[CONTACT_IN].subscribe_rate_max = 200;
    f.rules[CONTACT_IN].hop_way = PRESENCE_HOP_COMING;
    ask("bob@corp.example", "chat.example", 0, 100);
    fixture_run(&f, 5500);
    cr_expect_eq(sent_count, 0);
    cr_expect_eq(f.hops_needed, 100 + 5, "each at first, then one a second");
    way(PRESENCE_HOP_UP, PRESENCE_HOP_FIRST);
    cr_expect_geq(sent_count, 2, "the first ones do not wait: %u", sent_count);
    fixture_run(&f, 600);
    cr_expect_eq(sent_count, 100);
    cr_expect_leq(peak(), 200);
}

/* No news came of it. */
Test(pace, a_connection_is_noticed_without_news)
{
    f.rules[CONTACT_IN].subscribe_rate_max = 200;
    f.rules[CONTACT_IN].hop_way = PRESENCE_HOP_COMING;
    ask("bob@corp.example", "chat.example", 0, 100);
    f.rules[CONTACT_IN].hop_way = PRESENCE_HOP_UP;
    fixture_run(&f, 1700);
    cr_expect_eq(sent_count, 100);
}

/* Who waits hears that it was tried in vain; nothing of that counts as sent. */
Test(pace, all_hear_that_there_is_no_connection)
{
    f.rules[CONTACT_IN].subscribe_rate_max = 2;
    f.rules[CONTACT_IN].hop_way = PRESENCE_HOP_COMING;
    ask("bob@corp.example", "chat.example", 0, 500);
    way(PRESENCE_HOP_AWAY, PRESENCE_HOP_LOST);
    fixture_run(&f, 20);
    cr_expect_eq(sent_count, 500);
    ask("bob@corp.example", "chat.example", 500, 510);
    cr_expect_eq(sent_count, 510);
    way(PRESENCE_HOP_UP, PRESENCE_HOP_BACK);
    sent_count = 0;
    ask("bob@corp.example", "chat.example", 600, 610);
    cr_expect_eq(sent_count, 1, "no turn was used up");
    fixture_run(&f, 6000);
    cr_expect_eq(sent_count, 10);
    cr_expect_leq(peak(), 2);
}

/* --- two shards --- */

static struct fixture g;

Test(pace, shards_have_one_rate)
{
    struct presence_paces *paces = presence_paces_new();
    uint32_t first = 0;
    char xml[200];

    fixture_deinit(&f);
    fixture_init(&f);
    fixture_init(&g);
    f.params.paces = paces;
    g.params.paces = paces;
    f.rules[CONTACT_IN].subscribe_rate_max = 3;
    g.rules[CONTACT_IN].subscribe_rate_max = 3;
    fixture_start(&f);
    fixture_start(&g);
    ask("bob@corp.example", "chat.example", 0, 60);
    for (uint32_t i = 0; i < 60; i++) {
        (void)snprintf(xml, sizeof(xml), "<presence type='probe' from='v%u@b.example' to='%s'/>", i,
                       "bob@corp.example");
        cr_assert(fixture_from_partner(&g, xml));
    }
    for (uint32_t i = 0; i < 10000; i++) {
        fixture_run(&f, 1);
        fixture_run(&g, 1);
    }
    cr_expect_leq(peak(), 3);
    cr_expect_geq(sent_count, 27);
    for (uint32_t i = 0; i < sent_count; i++) {
        first += sent[i].remote[0] == 'u';
    }
    cr_expect_leq(first, sent_count / 2 + 1, "%u of %u", first, sent_count);
    cr_expect_geq(first, sent_count / 2, "%u of %u", first, sent_count);
    fixture_deinit(&g);
    fixture_deinit(&f);
    presence_paces_free(paces);
    setup(); /* what teardown wants */
}

Test(pace, hops_do_not_wait_for_each_other)
{
    f.rules[CONTACT_IN].subscribe_rate_max = 5;
    ask("bob@corp.example", "chat.example", 0, 50);
    sent_count = 0;
    ask("bob@corp.test", "chat.example", 100, 101);
    cr_expect_eq(sent_count, 1);
}

Test(pace, asking_twice_waits_once)
{
    f.rules[CONTACT_IN].subscribe_rate_max = 1;
    ask("bob@corp.example", "chat.example", 0, 2);
    ask("bob@corp.example", "chat.example", 1, 2);
    ask("bob@corp.example", "chat.example", 1, 2);
    cr_expect_eq(presence_stats(f.p)->waiting, 1);
    cr_expect_eq(presence_stats(f.p)->subscribe_paced, 1);
    fixture_run(&f, 5000);
    cr_expect_eq(sent_count, 2);
}

static void cancel(struct contact *c, enum puppet_event event, int64_t arg)
{
    (void)arg;
    if (event == PUPPET_STANZA) {
        contact_pace_cancel(c);
        contact_pace_cancel(c);
    }
}

Test(pace, who_cancels_is_not_called)
{
    f.rules[CONTACT_IN].subscribe_rate_max = 1;
    ask("bob@corp.example", "chat.example", 0, 4);
    puppet.act = cancel;
    ask("bob@corp.example", "chat.example", 2, 4);
    puppet.act = pace;
    cr_expect_eq(presence_stats(f.p)->waiting, 1);
    fixture_run(&f, 10000);
    cr_expect_eq(sent_count, 2);
}

static void leave(struct contact *c, enum puppet_event event, int64_t arg)
{
    (void)arg;
    if (event == PUPPET_STANZA || event == PUPPET_PACED) {
        puppet_set(c, 0);
    }
}

Test(pace, who_goes_does_not_wait)
{
    f.rules[CONTACT_IN].subscribe_rate_max = 1;
    ask("bob@corp.example", "chat.example", 0, 4);
    puppet.act = leave;
    ask("bob@corp.example", "chat.example", 3, 4);
    cr_expect_eq(puppet.live, 3);
    cr_expect_eq(presence_stats(f.p)->waiting, 2);
    fixture_run(&f, 10000); /* the others go within their turn */
    cr_expect_eq(puppet.live, 1);
    cr_expect_eq(presence_stats(f.p)->waiting, 0);
}

Test(pace, reload_changes_the_rate)
{
    f.rules[CONTACT_IN].subscribe_rate_max = 1;
    ask("bob@corp.example", "chat.example", 0, 400);
    fixture_run(&f, 2000);
    cr_expect_leq(sent_count, 3);
    f.rules[CONTACT_IN].subscribe_rate_max = 200;
    (void)presence_review(f.p, true);
    fixture_run(&f, 2600);
    cr_expect_eq(sent_count, 400);
    cr_expect_leq(peak(), 200);
}

Test(pace, reload_takes_the_bound_away)
{
    f.rules[CONTACT_IN].subscribe_rate_max = 1;
    ask("bob@corp.example", "chat.example", 0, 400);
    f.rules[CONTACT_IN].subscribe_rate_max = 0;
    (void)presence_review(f.p, true);
    fixture_run(&f, 2000);
    cr_expect_eq(sent_count, 400);
}

Test(pace, reload_moves_the_domain_to_another_hop)
{
    f.rules[CONTACT_IN].subscribe_rate_max = 10;
    ask("bob@corp.example", "chat.example", 0, 30);
    hop_of_corp = "new";
    (void)presence_review(f.p, true);
    fixture_run(&f, 4000);
    cr_expect_eq(sent_count, 30);
    cr_expect_eq(f.p->hops.count, 2);
    (void)presence_review(f.p, true);
    cr_expect_eq(f.p->hops.count, 0, "nobody waits, nothing is owed");
}

Test(pace, ends_with_contacts_waiting)
{
    f.rules[CONTACT_IN].subscribe_rate_max = 1;
    ask("bob@corp.example", "chat.example", 0, 100);
    cr_expect_eq(presence_stats(f.p)->waiting, 99);
}
