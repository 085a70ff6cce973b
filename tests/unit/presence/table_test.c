/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table: contacts found, made, bounded, walked, released; domains once; gauges. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/err.h"
#include "presence/table.h"
#include "puppet.h"

static struct fixture f;

static void setup(void)
{
    puppet = (struct puppet){0};
    fixture_init(&f);
}

static void teardown(void)
{
    fixture_deinit(&f);
    cr_expect_eq(puppet.live, 0);
}

TestSuite(table, .init = setup, .fini = teardown);

/* Every event makes the contact work on. */
static void work(struct contact *c, enum puppet_event event, int64_t arg)
{
    (void)arg;
    if (event == PUPPET_STANZA) {
        puppet_set(c, 1);
        contact_set_state(c, CONTACT_ASKED, CONTACT_BY_PARTNER);
    }
}

static void rest(struct contact *c, enum puppet_event event, int64_t arg)
{
    (void)arg;
    if (event == PUPPET_STANZA) {
        puppet_set(c, 0);
        contact_set_state(c, CONTACT_NONE, CONTACT_BY_PARTNER);
    }
}

static void subscribe(const char *local, const char *remote)
{
    char xml[256];

    (void)snprintf(xml, sizeof(xml), "<presence type='subscribe' from='%s' to='%s'/>", remote,
                   local);
    cr_assert(fixture_from_partner(&f, xml));
}

Test(table, contact_that_rests_goes_at_once)
{
    fixture_start(&f);
    subscribe("bob@corp.example", "ann@chat.example");
    cr_expect_eq(puppet.count[PUPPET_STANZA], 1);
    cr_expect_eq(puppet.live, 0);
    cr_expect_eq(f.rows_taken, 0);
    cr_expect_eq(presence_stats(f.p)->contacts[CONTACT_IN][CONTACT_NONE], 0);
}

Test(table, row_of_a_contact_goes_before_it)
{
    fixture_start(&f);
    puppet.act = work;
    subscribe("bob@corp.example", "ann@chat.example");
    cr_expect_eq(puppet.live, 1);
    fixture_run(&f, PRESENCE_DIRTY_MS + 100);
    cr_expect_not_null(fixture_row(&f, CONTACT_IN, "bob@corp.example", "ann@chat.example"));
    puppet.act = rest;
    subscribe("bob@corp.example", "ann@chat.example");
    cr_expect_eq(puppet.live, 1, "waits for the deletion of its row");
    fixture_run(&f, PRESENCE_DIRTY_MS + 100);
    cr_expect_eq(puppet.live, 0);
    cr_expect_null(fixture_row(&f, CONTACT_IN, "bob@corp.example", "ann@chat.example"));
}
