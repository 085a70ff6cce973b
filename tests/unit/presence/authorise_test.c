/* SPDX-License-Identifier: GPL-2.0-or-later */
/* authorise: a grant is one when it is durable, what takes away counts at once, rows are coalesced
 * and come again until the store has them. */
#include <criterion/criterion.h>

#include "base/err.h"
#include "base/pool.h"
#include "presence/table.h"
#include "puppet.h"

#define BOB       "bob@corp.example"
#define ANN       "ann@chat.example"
#define SUBSCRIBE "<presence type='subscribe' from='" ANN "' to='" BOB "'/>"
#define PROBE     "<presence type='probe' from='" ANN "' to='" BOB "'/>"

static struct fixture f;

static void setup(void)
{
    puppet = (struct puppet){0};
    fixture_init(&f);
    fixture_start(&f);
}

static void teardown(void)
{
    fixture_deinit(&f);
}

TestSuite(authorise, .init = setup, .fini = teardown);

static void grant(struct contact *c, enum puppet_event event, int64_t arg)
{
    (void)arg;
    if (event == PUPPET_STANZA) {
        puppet_set(c, 1);
        contact_set_state(c, CONTACT_ASKED, CONTACT_BY_PARTNER);
        contact_grant(c, CONTACT_BY_PARTNER);
    }
}

static void grant_again(struct contact *c, enum puppet_event event, int64_t arg)
{
    (void)arg;
    if (event == PUPPET_STANZA) {
        contact_grant(c, CONTACT_BY_PARTNER);
    }
}

static void deny(struct contact *c, enum puppet_event event, int64_t arg)
{
    (void)arg;
    if (event == PUPPET_STANZA) {
        contact_set_state(c, CONTACT_DENIED, CONTACT_BY_LOCAL);
    }
}

static void touch(struct contact *c, enum puppet_event event, int64_t arg)
{
    (void)arg;
    if (event == PUPPET_STANZA) {
        puppet_set(c, (uint8_t)(puppet_number(c) + 1));
        contact_touch(c);
    }
}

static void say(void (*act)(struct contact *, enum puppet_event, int64_t))
{
    puppet.act = act;
    cr_assert(fixture_from_partner(&f, SUBSCRIBE));
    puppet.act = NULL;
}

static enum contact_state state(void)
{
    return fixture_state(&f, CONTACT_IN, BOB, ANN);
}

static const struct kept_row *row(void)
{
    return fixture_row(&f, CONTACT_IN, BOB, ANN);
}

Test(authorise, grant_counts_when_it_is_durable)
{
    f.store = FIXTURE_STORE_HOLDS;
    say(grant);
    cr_expect_eq(f.rows_urgent, 1, "written at once");
    cr_expect_eq(state(), CONTACT_ASKED);
    cr_expect_eq(puppet.count[PUPPET_GRANTED], 0);
    fixture_store_done(&f, 0);
    cr_expect_eq(state(), CONTACT_GRANTED);
    cr_expect_eq(puppet.count[PUPPET_GRANTED], 1);
    cr_expect_eq(puppet.arg[PUPPET_GRANTED], 0);
    cr_expect_eq(row()->state, CONTACT_GRANTED);
    cr_expect_eq(row()->asker, CONTACT_BY_PARTNER);
    cr_expect_gt(row()->asked_unix_s, 1767225600);
    cr_expect_gt(row()->changed_unix_s, 1767225600);
    cr_expect_eq(presence_stats(f.p)->granted, 1);
    cr_expect_eq(presence_stats(f.p)->contacts[CONTACT_IN][CONTACT_GRANTED], 1);
}

Test(authorise, granted_is_said_at_once_to_who_is_granted)
{
    say(grant);
    say(grant_again);
    cr_expect_eq(puppet.count[PUPPET_GRANTED], 2);
    cr_expect_eq(f.rows_taken, 1);
    cr_expect_eq(presence_stats(f.p)->granted, 1);
}

Test(authorise, refused_grant_is_reported_and_not_retried)
{
    f.store_err = ERR_STATE;
    say(grant);
    cr_expect_eq(puppet.count[PUPPET_GRANTED], 1);
    cr_expect_eq(puppet.arg[PUPPET_GRANTED], ERR_STATE);
    cr_expect_eq(state(), CONTACT_ASKED);
    f.store_err = 0;
    fixture_run(&f, 10 * PRESENCE_DIRTY_MS);
    cr_expect_eq(puppet.count[PUPPET_GRANTED], 1);
    cr_expect_eq(state(), CONTACT_ASKED);
    cr_expect_eq(row()->state, CONTACT_ASKED, "the rest of the row was written later");
    cr_expect_eq(presence_stats(f.p)->store_refused, 1);
    cr_expect_eq(presence_stats(f.p)->granted, 0);
}

Test(authorise, grant_waits_for_a_full_store)
{
    f.store = FIXTURE_STORE_FULL;
    say(grant);
    fixture_run(&f, 500);
    cr_expect_eq(puppet.count[PUPPET_GRANTED], 0);
    f.store = FIXTURE_STORE_PROMPT;
    fixture_run(&f, 2 * PRESENCE_RETRY_MS);
    cr_expect_eq(puppet.arg[PUPPET_GRANTED], 0);
    cr_expect_eq(state(), CONTACT_GRANTED);
}

Test(authorise, grant_is_given_up_when_the_store_stays_full)
{
    f.store = FIXTURE_STORE_FULL;
    say(grant);
    fixture_run(&f, PRESENCE_GIVE_UP_MS + 500);
    cr_expect_eq(puppet.count[PUPPET_GRANTED], 1);
    cr_expect_eq(puppet.arg[PUPPET_GRANTED], ERR_FULL);
    cr_expect_eq(state(), CONTACT_ASKED);
    say(grant_again);
    fixture_run(&f, PRESENCE_RETRY_SLOW_MS + 100);
    cr_expect_eq(puppet.count[PUPPET_GRANTED], 2, "the next one learns it sooner");
    f.store = FIXTURE_STORE_PROMPT;
    fixture_run(&f, 2 * PRESENCE_DIRTY_MS);
    cr_expect_eq(row()->state, CONTACT_ASKED);
    cr_expect_eq(puppet.count[PUPPET_GRANTED], 2);
}

Test(authorise, grant_that_is_withdrawn_on_its_way_is_none)
{
    f.store = FIXTURE_STORE_HOLDS;
    say(grant);
    say(deny);
    cr_expect_eq(state(), CONTACT_DENIED);
    fixture_store_done(&f, 0);
    cr_expect_eq(state(), CONTACT_DENIED);
    cr_expect_eq(puppet.count[PUPPET_GRANTED], 0);
    fixture_store_done(&f, 0);
    cr_expect_eq(row()->state, CONTACT_DENIED, "written at once behind it");
    cr_expect_eq(presence_stats(f.p)->granted, 0);
    cr_expect_eq(presence_stats(f.p)->denied, 1);
}

Test(authorise, grant_after_a_withdrawn_one_waits_for_its_own_row)
{
    f.store = FIXTURE_STORE_HOLDS;
    say(grant);
    say(deny);
    say(grant_again);
    fixture_store_done(&f, 0);
    cr_expect_eq(puppet.count[PUPPET_GRANTED], 0, "that was the first one's row");
    fixture_store_done(&f, 0);
    cr_expect_eq(puppet.count[PUPPET_GRANTED], 1);
    cr_expect_eq(state(), CONTACT_GRANTED);
}

Test(authorise, revocation_counts_at_once_and_is_written_at_once)
{
    say(grant);
    f.store = FIXTURE_STORE_HOLDS;
    say(deny);
    cr_expect_eq(state(), CONTACT_DENIED);
    cr_expect_eq(f.rows_urgent, 2);
    fixture_store_done(&f, 0);
    cr_expect_eq(row()->state, CONTACT_DENIED);
}

Test(authorise, refused_revocation_is_written_again)
{
    say(grant);
    f.store_err = ERR_STATE;
    say(deny);
    cr_expect_eq(state(), CONTACT_DENIED);
    cr_expect_eq(row()->state, CONTACT_GRANTED);
    fixture_run(&f, PRESENCE_DIRTY_MS_MAX * 3);
    cr_expect_eq(row()->state, CONTACT_GRANTED);
    cr_expect_lt(f.rows_taken, 12, "not in a hurry while the store refuses");
    f.store_err = 0;
    fixture_run(&f, PRESENCE_DIRTY_MS_MAX + 100);
    cr_expect_eq(row()->state, CONTACT_DENIED);
    cr_expect_eq(presence_stats(f.p)->dirty, 0);
}

Test(authorise, touches_are_coalesced)
{
    for (int i = 0; i < 100; i++) {
        say(touch);
        fixture_run(&f, 10);
    }
    cr_expect_eq(f.rows_taken, 0);
    cr_expect_eq(presence_stats(f.p)->dirty, 1);
    fixture_run(&f, PRESENCE_DIRTY_MS);
    cr_expect_eq(f.rows_taken, 1);
    cr_expect_eq(f.rows_urgent, 0);
    cr_expect_eq(presence_stats(f.p)->dirty, 0);
    cr_expect_eq(puppet.count[PUPPET_STORED], 1);
}

Test(authorise, one_row_at_a_time)
{
    f.store = FIXTURE_STORE_HOLDS;
    say(touch);
    fixture_run(&f, PRESENCE_DIRTY_MS + 100);
    cr_expect_eq(f.rows_taken, 1);
    say(touch);
    fixture_run(&f, 3 * PRESENCE_DIRTY_MS);
    cr_expect_eq(f.rows_taken, 1, "the first is still on its way");
    fixture_store_done(&f, 0);
    fixture_run(&f, PRESENCE_DIRTY_MS + 100);
    cr_expect_eq(f.rows_taken, 2);
    fixture_store_done(&f, 0);
    cr_expect_eq((unsigned char)row()->dialogs[row()->dialogs_len - 1], 2);
}

/* Nothing is due to a contact that rests and has no row. */
Test(authorise, contact_that_came_and_went_is_not_written)
{
    say(touch);
    puppet.act = NULL;
    cr_assert(fixture_from_partner(&f, PROBE));
    puppet_set(table_next(f.p, 0), 0);
    cr_assert(fixture_from_partner(&f, PROBE));
    cr_expect_eq(puppet.live, 0);
    fixture_run(&f, 2 * PRESENCE_DIRTY_MS);
    cr_expect_eq(f.rows_taken, 0);
    cr_expect_eq(presence_stats(f.p)->dirty, 0);
}

static void grant_without_memory(struct contact *c, enum puppet_event event, int64_t arg)
{
    grant(c, event, arg);
    pool_fail_nth(1);
}

Test(authorise, no_memory_for_a_row_is_a_full_store)
{
    say(grant_without_memory);
    cr_expect_eq(f.rows_taken, 0);
    cr_expect_eq(state(), CONTACT_ASKED);
    fixture_run(&f, 2 * PRESENCE_RETRY_MS);
    cr_expect_eq(state(), CONTACT_GRANTED);
}

Test(authorise, flush_hands_over_all_and_is_done_when_durable)
{
    f.store = FIXTURE_STORE_HOLDS;
    for (char user = 'a'; user <= 'z'; user++) {
        char xml[] = "<presence type='subscribe' from='?@chat.example' to='" BOB "'/>";

        *strchr(xml, '?') = user;
        puppet.act = touch;
        cr_assert(fixture_from_partner(&f, xml));
    }
    puppet.act = NULL;
    cr_expect_not(presence_flush(f.p));
    cr_expect_eq(f.rows_taken, 26);
    fixture_store_done(&f, 0);
    cr_expect(presence_flush(f.p));
    f.store = FIXTURE_STORE_FULL;
    say(touch);
    cr_expect_not(presence_flush(f.p));
    cr_expect_eq(presence_stats(f.p)->dirty, 1);
}

/* What is answered before it is durable would be lost here. */
Test(authorise, crash_keeps_what_was_durable_and_nothing_else)
{
    say(grant);
    fixture_crash(&f, false);
    cr_expect_eq(state(), CONTACT_GRANTED);
    cr_expect_eq(puppet.count[PUPPET_LOADED], 1);
    f.store = FIXTURE_STORE_HOLDS;
    say(deny);
    fixture_crash(&f, false);
    cr_expect_eq(state(), CONTACT_GRANTED, "the denial was not durable");
    say(deny);
    fixture_crash(&f, true);
    cr_expect_eq(state(), CONTACT_DENIED);
}
