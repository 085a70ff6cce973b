/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admin: orders are done when durable; who is blocked is answered as a stranger. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/err.h"
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

TestSuite(admin, .init = setup, .fini = teardown);

static uint64_t order(enum contact_direction direction, enum presence_order what)
{
    static uint64_t cookie = 100;
    struct presence_pair pair = fixture_pair(BOB, ANN);

    presence_order(f.p, &pair, direction, what, ++cookie);
    fixture_settle(&f);
    return cookie;
}

static void expect_done(uint64_t cookie, int err)
{
    const struct said *s = fixture_take_order(&f);

    cr_assert_not_null(s);
    cr_expect_eq(s->handle, cookie);
    cr_expect_eq(s->err, err);
}

static enum contact_state state(enum contact_direction direction)
{
    return fixture_state(&f, direction, BOB, ANN);
}

static void from_partner(const char *type)
{
    char xml[200];

    (void)snprintf(xml, sizeof(xml), "<presence type='%s' from='" ANN "/pc' to='" BOB "' id='7'/>",
                   type);
    cr_assert(fixture_from_partner(&f, xml));
}

static void expect_stanza(const char *type, const char *to)
{
    const struct said *s = fixture_take_stanza(&f);
    char want[200];

    (void)snprintf(want, sizeof(want),
                   "<presence from=\"" BOB "\" to=\"%s\" type=\"%s\" id=\"7\"/>", to, type);
    cr_assert_not_null(s);
    cr_expect_str_eq(s->text, want);
}

static uint64_t subscribe(void)
{
    return fixture_subscribe(&f, "SUBSCRIBE sip:ann@chat.example SIP/2.0\n"
                                 "Via: SIP/2.0/TLS a.example;branch=z9hG4bK1\n"
                                 "From: <sip:bob@corp.example>;tag=1\n"
                                 "To: <sip:ann@chat.example>\n"
                                 "Call-ID: c1\nCSeq: 1 SUBSCRIBE\n\n");
}

static unsigned status(void)
{
    const struct said *s = fixture_take_answer(&f);

    cr_assert_not_null(s);
    return s->status;
}

Test(admin, allow_in_grants_who_never_asked)
{
    uint64_t cookie;

    f.store = FIXTURE_STORE_HOLDS;
    cookie = order(CONTACT_IN, PRESENCE_ALLOW);
    cr_expect_eq(state(CONTACT_IN), CONTACT_NONE);
    cr_expect_eq(fixture_count(&f.orders), 0, "not before it is durable");
    fixture_store_done(&f, 0);
    expect_done(cookie, 0);
    cr_expect_eq(state(CONTACT_IN), CONTACT_GRANTED);
    cr_expect_eq(puppet.count[PUPPET_ORDER], 1);
    cr_expect_eq(puppet.count[PUPPET_GRANTED], 0);
    cr_expect_eq(fixture_row(&f, CONTACT_IN, BOB, ANN)->state, CONTACT_GRANTED);
    cr_expect_eq(fixture_row(&f, CONTACT_IN, BOB, ANN)->asker, CONTACT_BY_ADMIN);
    cr_expect_eq(fixture_row(&f, CONTACT_IN, BOB, ANN)->asked_unix_s, 0, "nobody asked");
    cookie = order(CONTACT_IN, PRESENCE_ALLOW);
    expect_done(cookie, 0);
    cr_expect_eq(f.rows_taken, 1, "it was so already");
}

Test(admin, refused_allow_is_not_done)
{
    uint64_t cookie;

    f.store_err = ERR_STATE;
    cookie = order(CONTACT_IN, PRESENCE_ALLOW);
    expect_done(cookie, ERR_STATE);
    cr_expect_eq(state(CONTACT_IN), CONTACT_NONE);
    cr_expect_eq(puppet.count[PUPPET_ORDER], 0);
    cr_expect_eq(puppet.live, 0, "nothing of it remains");
    f.store_err = 0;
    fixture_run(&f, 100000);
    cr_expect_null(fixture_row(&f, CONTACT_IN, BOB, ANN));
}

Test(admin, allow_out_sets_free_and_grants_nothing)
{
    uint64_t cookie = order(CONTACT_OUT, PRESENCE_BLOCK);

    expect_done(cookie, 0);
    cr_expect_eq(state(CONTACT_OUT), CONTACT_BLOCKED);
    f.store = FIXTURE_STORE_HOLDS;
    cookie = order(CONTACT_OUT, PRESENCE_ALLOW);
    cr_expect_eq(state(CONTACT_OUT), CONTACT_BLOCKED);
    fixture_store_done(&f, 0);
    expect_done(cookie, 0);
    cr_expect_eq(state(CONTACT_OUT), CONTACT_NONE);
    f.store = FIXTURE_STORE_PROMPT;
    fixture_run(&f, 2 * PRESENCE_DIRTY_MS);
    cr_expect_eq(puppet.live, 0);
    cr_expect_eq(f.disk.count, 0);
}

Test(admin, block_counts_at_once_and_is_done_when_durable)
{
    uint64_t cookie;

    f.store = FIXTURE_STORE_HOLDS;
    cookie = order(CONTACT_IN, PRESENCE_BLOCK);
    cr_expect_eq(state(CONTACT_IN), CONTACT_BLOCKED);
    cr_expect_eq(puppet.arg[PUPPET_ORDER], PRESENCE_BLOCK);
    cr_expect_eq(fixture_count(&f.orders), 0);
    fixture_store_done(&f, 0);
    expect_done(cookie, 0);
    f.store = FIXTURE_STORE_PROMPT;
    fixture_crash(&f, false);
    cr_expect_eq(state(CONTACT_IN), CONTACT_BLOCKED);
}

Test(admin, refused_block_counts_and_is_written_again)
{
    uint64_t cookie;

    f.store_err = ERR_STATE;
    cookie = order(CONTACT_IN, PRESENCE_BLOCK);
    expect_done(cookie, ERR_STATE);
    cr_expect_eq(state(CONTACT_IN), CONTACT_BLOCKED);
    f.store_err = 0;
    fixture_run(&f, 3 * PRESENCE_DIRTY_MS);
    cr_expect_eq(fixture_row(&f, CONTACT_IN, BOB, ANN)->state, CONTACT_BLOCKED);
    cr_expect_eq(fixture_count(&f.orders), 0, "told once");
}

Test(admin, order_gives_up_when_the_store_stays_full)
{
    uint64_t cookie;

    f.store = FIXTURE_STORE_FULL;
    cookie = order(CONTACT_IN, PRESENCE_ALLOW);
    fixture_run(&f, PRESENCE_GIVE_UP_MS + 1000);
    expect_done(cookie, ERR_FULL);
    cr_expect_eq(puppet.live, 0);
}

Test(admin, blocked_watcher_of_theirs_is_a_stranger)
{
    (void)order(CONTACT_IN, PRESENCE_BLOCK);
    from_partner("subscribe");
    expect_stanza("unsubscribed", ANN);
    from_partner("unsubscribe"); /* ends nothing */
    from_partner("probe");
    expect_stanza("unavailable", ANN "/pc");
    from_partner("unavailable");
    cr_expect_eq(fixture_count(&f.stanzas), 0);
    cr_expect_eq(puppet.count[PUPPET_STANZA], 0);
}

Test(admin, blocked_watcher_of_ours_gets_403)
{
    (void)order(CONTACT_OUT, PRESENCE_BLOCK);
    cr_expect_gt(subscribe(), 0);
    cr_expect_eq(status(), 403);
    from_partner("subscribed");
    from_partner("unavailable");
    cr_expect_eq(puppet.count[PUPPET_STANZA], 0, "nobody listens");
    cr_expect_eq(puppet.count[PUPPET_MESSAGE], 0);
}

static void unblock(struct contact *c, enum puppet_event event, int64_t arg)
{
    if (event == PUPPET_ORDER && arg == PRESENCE_BLOCK) {
        contact_set_state(c, CONTACT_DENIED, CONTACT_BY_PARTNER);
        contact_grant(c, CONTACT_BY_PARTNER);
    }
}

Test(admin, no_machine_ends_a_block)
{
    puppet.act = unblock;
    (void)order(CONTACT_IN, PRESENCE_BLOCK);
    cr_expect_eq(state(CONTACT_IN), CONTACT_BLOCKED);
    cr_expect_eq(puppet.arg[PUPPET_GRANTED], ERR_STATE);
}

Test(admin, forget_is_as_if_it_had_never_been)
{
    uint64_t cookie;

    expect_done(order(CONTACT_IN, PRESENCE_FORGET), ERR_NOT_FOUND);
    (void)order(CONTACT_IN, PRESENCE_ALLOW);
    fixture_forget(&f);
    cookie = order(CONTACT_IN, PRESENCE_FORGET);
    expect_done(cookie, 0);
    cr_expect_eq(state(CONTACT_IN), CONTACT_NONE);
    cr_expect_eq(fixture_row(&f, CONTACT_IN, BOB, ANN)->state, CONTACT_NONE);
    fixture_run(&f, 2 * PRESENCE_DIRTY_MS);
    cr_expect_eq(puppet.live, 0);
    cr_expect_null(fixture_row(&f, CONTACT_IN, BOB, ANN));
}

Test(admin, who_takes_away_has_the_last_word)
{
    uint64_t allow;
    uint64_t block;

    f.store = FIXTURE_STORE_HOLDS;
    allow = order(CONTACT_IN, PRESENCE_ALLOW); /* on its way */
    block = order(CONTACT_IN, PRESENCE_BLOCK);
    expect_done(allow, ERR_STATE);
    fixture_store_done(&f, 0);
    cr_expect_eq(state(CONTACT_IN), CONTACT_BLOCKED);
    cr_expect_eq(fixture_count(&f.orders), 0);
    fixture_store_done(&f, 0);
    expect_done(block, 0);
    cr_expect_eq(fixture_row(&f, CONTACT_IN, BOB, ANN)->state, CONTACT_BLOCKED);
}

Test(admin, allow_after_block_waits_for_its_own_row)
{
    uint64_t block;
    uint64_t allow;

    f.store = FIXTURE_STORE_HOLDS;
    block = order(CONTACT_IN, PRESENCE_BLOCK);
    allow = order(CONTACT_IN, PRESENCE_ALLOW);
    fixture_store_done(&f, 0);
    expect_done(block, 0);
    cr_expect_eq(state(CONTACT_IN), CONTACT_BLOCKED);
    fixture_store_done(&f, 0);
    expect_done(allow, 0);
    cr_expect_eq(state(CONTACT_IN), CONTACT_GRANTED);
}

static void ask(struct contact *c, enum puppet_event event, int64_t arg)
{
    (void)arg;
    if (event == PUPPET_STANZA || event == PUPPET_MESSAGE) {
        puppet_set(c, 1);
        contact_grant(c, CONTACT_BY_PARTNER);
    }
}

static void withdraw(struct contact *c, enum puppet_event event, int64_t arg)
{
    (void)arg;
    if (event == PUPPET_STANZA) {
        contact_set_state(c, CONTACT_DENIED, CONTACT_BY_LOCAL);
    }
}

/* Both want the same; one of them changes its mind. */
Test(admin, machine_s_grant_and_allow_meet)
{
    uint64_t cookie;

    f.store = FIXTURE_STORE_HOLDS;
    puppet.act = ask;
    from_partner("subscribe");
    cookie = order(CONTACT_IN, PRESENCE_ALLOW);
    fixture_store_done(&f, 0);
    cr_expect_eq(state(CONTACT_IN), CONTACT_GRANTED);
    cr_expect_eq(puppet.count[PUPPET_GRANTED], 1);
    fixture_store_done(&f, 0);
    expect_done(cookie, 0);
    cr_expect_eq(state(CONTACT_IN), CONTACT_GRANTED);
}

Test(admin, withdrawn_grant_leaves_the_order)
{
    uint64_t cookie;

    f.store = FIXTURE_STORE_HOLDS;
    cookie = order(CONTACT_IN, PRESENCE_ALLOW);
    puppet.act = ask;
    from_partner("subscribe");
    puppet.act = withdraw;
    from_partner("subscribe");
    cr_expect_eq(state(CONTACT_IN), CONTACT_DENIED);
    fixture_store_done(&f, 0);
    expect_done(cookie, 0);
    cr_expect_eq(puppet.count[PUPPET_GRANTED], 0);
    cr_expect_eq(state(CONTACT_IN), CONTACT_GRANTED, "the administrator's word");
    fixture_store_done(&f, 0);
    fixture_run(&f, 2 * PRESENCE_DIRTY_MS);
    fixture_store_done(&f, 0);
    cr_expect_eq(fixture_row(&f, CONTACT_IN, BOB, ANN)->state, CONTACT_GRANTED);
}

/* The partner's user grants while the administrator lifts a denial: nothing of it is lost. */
Test(admin, allow_out_keeps_a_grant_that_was_first)
{
    uint64_t cookie;

    f.store = FIXTURE_STORE_HOLDS;
    puppet.act = ask;
    cr_expect_gt(subscribe(), 0);
    puppet.act = withdraw;
    from_partner("unsubscribed");
    cr_expect_eq(state(CONTACT_OUT), CONTACT_DENIED);
    fixture_store_done(&f, 0);
    fixture_store_done(&f, 0);
    puppet.act = ask;
    from_partner("subscribed"); /* its row is on its way */
    puppet.act = NULL;
    cookie = order(CONTACT_OUT, PRESENCE_ALLOW);
    fixture_store_done(&f, 0);
    cr_expect_eq(state(CONTACT_OUT), CONTACT_GRANTED);
    fixture_store_done(&f, 0);
    fixture_store_done(&f, 0);
    expect_done(cookie, 0);
    cr_expect_eq(state(CONTACT_OUT), CONTACT_GRANTED);
    cr_expect_eq(fixture_row(&f, CONTACT_OUT, BOB, ANN)->state, CONTACT_GRANTED);
}

Test(admin, orders_are_bounded)
{
    uint32_t refused = 0;

    f.store = FIXTURE_STORE_HOLDS;
    for (int i = 0; i < 100; i++) {
        (void)order(CONTACT_IN, PRESENCE_ALLOW);
    }
    for (struct said *s = fixture_take_order(&f); s; s = fixture_take_order(&f)) {
        cr_expect_eq(s->err, ERR_FULL);
        refused++;
    }
    cr_expect_eq(refused, 100 - 64);
    fixture_store_done(&f, 0);
    fixture_store_done(&f, 0);
    cr_expect_eq(fixture_count(&f.orders), 64);
}
