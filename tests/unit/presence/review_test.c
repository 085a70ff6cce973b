/* SPDX-License-Identifier: GPL-2.0-or-later */
/* review: works on many contacts reach each of them, in slices, whatever goes meanwhile. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "presence/table.h"
#include "puppet.h"

#define MANY 1000u

static struct fixture f;
static uint32_t heard[MANY];

static uint32_t number_of(const struct contact *c)
{
    struct slice user = contact_pair(c).remote_user;
    uint64_t number = MANY;

    cr_assert(slice_parse_u64(slice_from(user, 1), &number));
    cr_assert_lt(number, MANY);
    return (uint32_t)number;
}

static void note(struct contact *c, enum puppet_event event, int64_t arg)
{
    (void)arg;
    if (event == PUPPET_STANZA) {
        puppet_set(c, 1);
    } else {
        heard[number_of(c)]++;
    }
}

/* Every third one goes when it hears. */
static void note_and_go(struct contact *c, enum puppet_event event, int64_t arg)
{
    note(c, event, arg);
    if (number_of(c) % 3 == 0) {
        puppet_set(c, 0);
    }
}

static void setup(void)
{
    char xml[200];

    memset(heard, 0, sizeof(heard));
    puppet = (struct puppet){.act = note};
    fixture_init(&f);
    fixture_start(&f);
    for (uint32_t i = 0; i < MANY; i++) {
        (void)snprintf(xml, sizeof(xml),
                       "<presence type='probe' from='u%u@%s.example' to='bob@corp.%s'/>", i,
                       i % 10 ? "chat" : "talk", i % 2 ? "example" : "test");
        cr_assert(fixture_from_partner(&f, xml));
    }
}

static void teardown(void)
{
    fixture_deinit(&f);
}

TestSuite(review, .init = setup, .fini = teardown);

static bool is_talk(uint32_t i)
{
    return i % 10 == 0;
}

static bool is_chat(uint32_t i)
{
    return i % 10 != 0;
}

static bool is_test(uint32_t i)
{
    return i % 2 == 0;
}

static bool is_any(uint32_t i)
{
    (void)i;
    return true;
}

static void expect_heard(bool (*who)(uint32_t), uint32_t least, uint32_t most)
{
    for (uint32_t i = 0; i < MANY; i++) {
        cr_assert_geq(heard[i], who(i) ? least : 0, "%u", i);
        cr_assert_leq(heard[i], who(i) ? most : 0, "%u", i);
    }
}

Test(review, reload_reaches_all_in_slices)
{
    uint32_t slices = 1;

    while (presence_review(f.p, slices == 1)) {
        cr_expect_leq(puppet.count[PUPPET_REVIEW], slices * PRESENCE_SLICE);
        slices++;
    }
    cr_expect_geq(slices, MANY / PRESENCE_SLICE);
    expect_heard(is_any, 1, 1);
}

Test(review, those_who_go_meanwhile_are_no_harm)
{
    bool is_first = true;

    puppet.act = note_and_go;
    while (presence_review(f.p, is_first)) {
        is_first = false;
    }
    expect_heard(is_any, 1, 1);
    cr_expect_eq(puppet.live, MANY - (MANY + 2) / 3);
}

Test(review, start_reaches_all)
{
    puppet.act = note_and_go;
    presence_loaded(f.p);
    cr_expect_eq(puppet.count[PUPPET_LOADED], MANY);
    expect_heard(is_any, 1, 1);
}

Test(review, partner_that_goes_and_comes)
{
    presence_partner_seen(f.p, SLICE_LIT("talk.example"), true);
    fixture_run(&f, 1000);
    expect_heard(is_any, 0, 0);
    presence_partner_seen(f.p, SLICE_LIT("talk.example"), false);
    cr_expect_eq(puppet.count[PUPPET_SEEN], 0, "not within the call");
    fixture_run(&f, 1000);
    expect_heard(is_talk, 1, 1);
    cr_expect_eq(puppet.arg[PUPPET_SEEN], false);
    presence_partner_seen(f.p, SLICE_LIT("talk.example"), true);
    fixture_run(&f, 1000);
    expect_heard(is_talk, 2, 2);
    cr_expect_eq(puppet.arg[PUPPET_SEEN], true);
    presence_partner_seen(f.p, SLICE_LIT("unknown.example"), false);
    presence_partner_seen(f.p, SLICE_LIT("corp.example"), false);
    fixture_run(&f, 1000);
    expect_heard(is_talk, 2, 2);
}

Test(review, stream_that_breaks_off)
{
    presence_partner_cut(f.p, SLICE_LIT("talk.example"));
    cr_expect_eq(puppet.count[PUPPET_SEEN], 0, "not within the call");
    fixture_run(&f, 1000);
    expect_heard(is_talk, 2, 2); /* lost, and there again */
    cr_expect_eq(puppet.arg[PUPPET_SEEN], true);
    presence_partner_cut(f.p, SLICE_LIT("talk.example"));
    presence_partner_cut(f.p, SLICE_LIT("talk.example"));
    fixture_run(&f, 1000);
    expect_heard(is_talk, 2, 2); /* so soon it waits */
    fixture_run(&f, PRESENCE_CUT_REST_MS);
    expect_heard(is_talk, 4, 4);
    presence_partner_cut(f.p, SLICE_LIT("talk.example"));
    presence_partner_seen(f.p, SLICE_LIT("talk.example"), false);
    fixture_run(&f, 2 * PRESENCE_CUT_REST_MS);
    expect_heard(is_talk, 5, 5); /* what waited is said by that, too */
    presence_partner_cut(f.p, SLICE_LIT("talk.example"));
    presence_partner_cut(f.p, SLICE_LIT("unknown.example"));
    fixture_run(&f, 1000);
    expect_heard(is_talk, 5, 5); /* it is known to be away */
    cr_expect_eq(puppet.arg[PUPPET_SEEN], false);
    presence_partner_cut(f.p, SLICE_LIT("chat.example"));
    presence_partner_cut(f.p, SLICE_LIT("chat.example")); /* still waits at the end */
}

Test(review, big_partner_is_told_in_slices)
{
    presence_partner_seen(f.p, SLICE_LIT("chat.example"), false);
    fixture_run(&f, PRESENCE_SLICE_MS + WHEEL_TICK_MS);
    cr_expect_geq(puppet.count[PUPPET_SEEN], 1);
    cr_expect_lt(puppet.count[PUPPET_SEEN], 900);
    fixture_run(&f, 1000);
    expect_heard(is_chat, 1, 1);
}

Test(review, partner_whose_contacts_go_while_they_are_told)
{
    puppet.act = note_and_go;
    presence_partner_seen(f.p, SLICE_LIT("chat.example"), false);
    presence_partner_seen(f.p, SLICE_LIT("talk.example"), false);
    fixture_run(&f, 1000);
    for (uint32_t i = 0; i < MANY; i++) {
        cr_expect_geq(heard[i], 1);
    }
    puppet.act = note;
}

static void go(struct contact *c, enum puppet_event event, int64_t arg)
{
    (void)event;
    (void)arg;
    puppet_set(c, 0);
}

Test(review, domain_that_goes_with_its_last_contact)
{
    puppet.act = go;
    presence_partner_seen(f.p, SLICE_LIT("talk.example"), false);
    presence_partner_seen(f.p, SLICE_LIT("chat.example"), false);
    fixture_run(&f, 1000);
    cr_expect_eq(puppet.live, 0);
    cr_expect_eq(f.p->domains.count, 0);
}

/* corp.example is ours in many contacts and a partner's in one, which goes before it is told. */
Test(review, domain_of_both_sides)
{
    cr_assert(fixture_from_partner(
        &f, "<presence type='probe' from='u1@corp.example' to='eve@other.example'/>"));
    presence_partner_seen(f.p, SLICE_LIT("corp.example"), false);
    puppet.act = go;
    cr_assert(fixture_from_partner(
        &f, "<presence type='probe' from='u1@corp.example' to='eve@other.example'/>"));
    puppet.act = note;
    cr_expect_eq(puppet.live, MANY);
    fixture_run(&f, 1000);
    expect_heard(is_any, 0, 0);
    cr_assert(fixture_from_partner(
        &f, "<presence type='probe' from='u1@corp.example' to='eve@other.example'/>"));
    presence_partner_seen(f.p, SLICE_LIT("corp.example"), false);
    fixture_run(&f, 1000);
    cr_expect_eq(heard[1], 1, "it is a new partner");
}

static void hop(struct fixture *fixture, const struct presence_pair *pair,
                enum contact_direction direction, struct presence_rule *out)
{
    (void)fixture;
    (void)direction;
    out->hop =
        slice_ends(pair->local_domain, SLICE_LIT("test")) ? SLICE_LIT("lab") : SLICE_LIT("pool");
}

Test(review, next_hop_that_comes_back)
{
    f.rule_fn = hop;
    presence_hop_seen(f.p, SLICE_LIT("lab"), PRESENCE_HOP_LOST);
    presence_hop_seen(f.p, SLICE_LIT("lab"), PRESENCE_HOP_BACK); /* overtakes */
    presence_hop_seen(f.p, SLICE_LIT("nowhere"), PRESENCE_HOP_BACK);
    fixture_run(&f, 1000);
    expect_heard(is_test, 1, 1);
    cr_expect_eq(puppet.arg[PUPPET_HOP_SEEN], true);
    cr_expect(list_is_empty(&f.p->hop_news));
}

Test(review, ends_amid_its_works)
{
    presence_partner_seen(f.p, SLICE_LIT("chat.example"), false);
    presence_hop_seen(f.p, SLICE_LIT("pool"), PRESENCE_HOP_BACK);
    (void)presence_review(f.p, true);
}
