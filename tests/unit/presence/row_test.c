/* SPDX-License-Identifier: GPL-2.0-or-later */
/* row: what comes back from the store: authorisations always, dialogs only when undamaged. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <time.h>

#include "base/err.h"
#include "base/pool.h"
#include "presence/table.h"
#include "puppet.h"

#define BOB "bob@corp.example"
#define ANN "ann@chat.example"

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

TestSuite(row, .init = setup, .fini = teardown);

static void work(struct contact *c, enum puppet_event event, int64_t arg)
{
    (void)arg;
    if (event == PUPPET_STANZA) {
        puppet_set(c, 5);
        contact_set_state(c, CONTACT_ASKED, CONTACT_BY_PARTNER);
        contact_grant(c, CONTACT_BY_PARTNER);
    }
}

static struct kept_row *store_one(void)
{
    puppet.act = work;
    cr_assert(fixture_from_partner(&f, "<presence type='subscribe' from='" ANN "' to='" BOB "'/>"));
    puppet.act = NULL;
    return (struct kept_row *)(uintptr_t)fixture_row(&f, CONTACT_IN, BOB, ANN);
}

static const struct contact *only(void)
{
    const struct contact *c = table_next(f.p, 0);

    cr_assert_not_null(c);
    cr_assert(c->hash == UINT64_MAX || !table_next(f.p, c->hash + 1));
    return c;
}

Test(row, comes_back_as_it_was)
{
    const struct contact *c;
    int64_t asked;

    asked = store_one()->asked_unix_s;
    fixture_run(&f, 100000);
    fixture_crash(&f, false);
    c = only();
    cr_expect_eq(c->state, CONTACT_GRANTED);
    cr_expect_eq(c->asker, CONTACT_BY_PARTNER);
    cr_expect_eq(c->asked_unix_s, asked);
    cr_expect_eq(c->changed_unix_s, asked);
    cr_expect_eq(puppet_number(c), 5);
    cr_expect_eq(presence_stats(f.p)->dialogs[CONTACT_IN], 5);
    cr_expect_eq(presence_stats(f.p)->contacts[CONTACT_IN][CONTACT_GRANTED], 1);
    cr_expect_eq(presence_stats(f.p)->dirty, 0);
    cr_expect_eq(presence_stats(f.p)->granted, 0, "not granted now");
}

/* Every single damaged bit costs the dialog and nothing else. */
Test(row, damage_costs_the_dialog_never_the_authorisation)
{
    struct kept_row *r = store_one();

    cr_assert_geq(r->dialogs_len, 10);
    for (size_t bit = 0; bit < 8 * r->dialogs_len; bit++) {
        r->dialogs[bit / 8] ^= (char)(1u << (bit % 8));
        fixture_crash(&f, false);
        cr_expect_eq(only()->state, CONTACT_GRANTED);
        cr_expect_eq(puppet_number(only()), 0);
        r->dialogs[bit / 8] ^= (char)(1u << (bit % 8));
    }
    for (size_t len = 0; len < r->dialogs_len; len++) {
        size_t all = r->dialogs_len;

        r->dialogs_len = len;
        fixture_crash(&f, false);
        cr_expect_eq(only()->state, CONTACT_GRANTED);
        cr_expect_eq(puppet_number(only()), 0);
        r->dialogs_len = all;
    }
    fixture_crash(&f, false);
    cr_expect_eq(puppet_number(only()), 5);
}

static struct presence_row good_row(void)
{
    return (struct presence_row){.pair = fixture_pair(BOB, ANN),
                                 .direction = CONTACT_IN,
                                 .state = CONTACT_GRANTED,
                                 .asker = CONTACT_BY_PARTNER,
                                 .asked_unix_s = 5,
                                 .changed_unix_s = 6};
}

Test(row, nonsense_is_refused)
{
    struct presence_row row = good_row();

    row.pair.local_user = SLICE_LIT("Bob");
    cr_expect_eq(presence_load(f.p, &row), ERR_BAD_INPUT, "not normalised");
    row = good_row();
    row.pair.remote_user = SLICE_NONE;
    cr_expect_eq(presence_load(f.p, &row), ERR_BAD_INPUT);
    row = good_row();
    row.pair.remote_domain = SLICE_LIT("chat..example");
    cr_expect_eq(presence_load(f.p, &row), ERR_BAD_INPUT);
    row = good_row();
    row.pair.remote_domain = SLICE_LIT("b\xc3\xbc"
                                       "cher.example");
    cr_expect_eq(presence_load(f.p, &row), ERR_BAD_INPUT, "U-label");
    row = good_row();
    row.state = (enum contact_state)9;
    cr_expect_eq(presence_load(f.p, &row), ERR_BAD_INPUT);
    row = good_row();
    row.direction = (enum contact_direction)2;
    cr_expect_eq(presence_load(f.p, &row), ERR_BAD_INPUT);
    row = good_row();
    row.asker = (enum contact_asker)3;
    cr_expect_eq(presence_load(f.p, &row), ERR_BAD_INPUT);
    row = good_row();
    row.is_deleted = true;
    cr_expect_eq(presence_load(f.p, &row), ERR_BAD_INPUT);
    row = good_row();
    cr_expect_eq(presence_load(f.p, &row), 0);
    cr_expect_eq(presence_load(f.p, &row), ERR_BAD_INPUT, "twice");
    cr_expect_eq(puppet.live, 1);
}

Test(row, times_out_of_range_are_bounded)
{
    struct presence_row row = good_row();

    row.asked_unix_s = -1;
    row.changed_unix_s = INT64_MAX;
    cr_expect_eq(presence_load(f.p, &row), 0);
    cr_expect_eq(only()->asked_unix_s, 0);
    cr_expect_eq(only()->changed_unix_s, UINT32_MAX);
}

Test(row, bounds_hold_for_the_store_too)
{
    struct presence_row row = good_row();

    presence_free(f.p);
    f.params.contacts_max = 1;
    fixture_start(&f);
    cr_expect_eq(presence_load(f.p, &row), 0);
    row.pair = fixture_pair("eve@corp.example", ANN);
    cr_expect_eq(presence_load(f.p, &row), ERR_FULL);
}

/* Nothing is worth keeping of a row without authorisation and dialog: it goes after the start. */
Test(row, empty_row_is_swept)
{
    struct presence_row row = good_row();

    row.state = CONTACT_NONE;
    cr_expect_eq(presence_load(f.p, &row), 0);
    presence_loaded(f.p);
    fixture_run(&f, 2 * PRESENCE_DIRTY_MS);
    cr_expect_eq(puppet.live, 0);
    cr_expect_eq(f.rows_taken, 1, "the deletion");
}

static void touch(struct contact *c, enum puppet_event event, int64_t arg)
{
    (void)arg;
    if (event == PUPPET_LOADED) {
        contact_touch(c);
    }
}

/* CSeq reserves: see presence_loaded. */
Test(row, what_is_touched_at_the_start_is_written_at_once)
{
    (void)store_one();
    puppet.act = touch;
    fixture_crash(&f, false);
    f.rows_taken = 0;
    fixture_run(&f, 100);
    cr_expect_eq(f.rows_taken, 1);
}

#define MANY 100000u

/* Far above what it takes (0.1 s), for machines that do other things: catches what is quadratic. */
Test(row, a_hundred_thousand_rows_load_fast)
{
    struct presence_row row = good_row();
    char remote[64];
    clock_t begin = clock();
    double seconds;

    for (uint32_t i = 0; i < MANY; i++) {
        (void)snprintf(remote, sizeof(remote), "user%u", i);
        row.pair.remote_user = slice_from_cstr(remote);
        row.direction = i % 2 ? CONTACT_IN : CONTACT_OUT;
        cr_assert_eq(presence_load(f.p, &row), 0);
    }
    presence_loaded(f.p);
    seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    printf("loaded %u rows in %.3f s\n", MANY, seconds);
    cr_expect_lt(seconds, 5.0);
    cr_expect_eq(puppet.live, MANY);
}
