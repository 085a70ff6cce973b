/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table: contacts found, made, bounded, walked, released; domains once; gauges. */
#include "table_scene.h"

TestSuite(table, .init = setup, .fini = teardown);

static void rest(struct contact *c, enum puppet_event event, int64_t arg)
{
    (void)arg;
    if (event == PUPPET_STANZA) {
        puppet_set(c, 0);
        contact_set_state(c, CONTACT_NONE, CONTACT_BY_PARTNER);
    }
}

/* --- life ------------------------------------------------------------------------------------- */

Test(table, contact_that_rests_goes_at_once)
{
    fixture_start(&f);
    stanza("subscribe", BOB, ANN);
    cr_expect_eq(puppet.count[PUPPET_STANZA], 1);
    cr_expect_eq(puppet.live, 0);
    cr_expect_eq(f.rows_taken, 0);
    cr_expect_eq(presence_stats(f.p)->contacts[CONTACT_IN][CONTACT_NONE], 0);
}

Test(table, row_of_a_contact_goes_before_it)
{
    fixture_start(&f);
    puppet.act = work;
    stanza("subscribe", BOB, ANN);
    cr_expect_eq(puppet.live, 1);
    fixture_run(&f, PRESENCE_DIRTY_MS + 100);
    cr_expect_not_null(fixture_row(&f, CONTACT_IN, BOB, ANN));
    puppet.act = rest;
    stanza("subscribe", BOB, ANN);
    cr_expect_eq(puppet.live, 1, "waits for the deletion of its row");
    fixture_run(&f, PRESENCE_DIRTY_MS + 100);
    cr_expect_eq(puppet.live, 0);
    cr_expect_null(fixture_row(&f, CONTACT_IN, BOB, ANN));
}

Test(table, contact_that_comes_back_before_its_row_is_gone_stays)
{
    fixture_start(&f);
    puppet.act = work;
    stanza("subscribe", BOB, ANN);
    fixture_run(&f, PRESENCE_DIRTY_MS + 100);
    puppet.act = rest;
    stanza("subscribe", BOB, ANN);
    f.store = FIXTURE_STORE_HOLDS;
    fixture_run(&f, PRESENCE_DIRTY_MS + 100); /* the deletion is on its way */
    puppet.act = work;
    stanza("subscribe", BOB, ANN);
    fixture_store_done(&f, 0);
    cr_expect_eq(puppet.live, 1);
    f.store = FIXTURE_STORE_PROMPT;
    fixture_run(&f, PRESENCE_DIRTY_MS + 100);
    cr_assert_not_null(fixture_row(&f, CONTACT_IN, BOB, ANN));
    cr_expect_eq(fixture_row(&f, CONTACT_IN, BOB, ANN)->state, CONTACT_ASKED);
}

/* --- names ------------------------------------------------------------------------------------ */

Test(table, directions_and_all_four_names_tell_contacts_apart)
{
    static const char *const pairs[][2] = {
        {BOB, ANN},
        {"bo@corp.example", "bann@chat.example"},
        {BOB, "ann@chat.test"},
        {"bob@corp.test", ANN},
        {BOB, "an@chat.example"},
    };

    fixture_start(&f);
    puppet.act = work;
    for (size_t i = 0; i < ARRAY_COUNT(pairs); i++) {
        struct presence_pair pair;

        stanza("subscribe", pairs[i][0], pairs[i][1]);
        pair = fixture_pair(pairs[i][0], pairs[i][1]);
        cr_expect_null(contact_find(f.p, CONTACT_OUT, &pair));
        cr_expect_not_null(contact_find(f.p, CONTACT_IN, &pair));
    }
    cr_expect_eq(puppet.live, ARRAY_COUNT(pairs));
}

Test(table, domains_are_a_labels_in_names_and_u_labels_in_stanzas)
{
    struct presence_pair pair = fixture_pair("bob@corp.example", "ann@b\xc3\xbc"
                                                                 "cher.example");
    struct contact *c;
    struct buf out;

    fixture_start(&f);
    buf_init(&out, 1000);
    cr_assert_eq(contact_get(f.p, CONTACT_IN, &pair, &c), 0);
    contact_put_jid(c, false, &out);
    cr_expect(slice_eq_cstr(buf_slice(&out), "ann@b\xc3\xbc"
                                             "cher.example"));
    buf_clear(&out);
    cr_assert_eq(contact_put_uri(c, false, &out), 0);
    cr_expect(slice_eq_cstr(buf_slice(&out), "sip:ann@xn--bcher-kva.example"));
    buf_deinit(&out);
}

Test(table, nonsense_makes_no_contact)
{
    char longest[JID_PART_BYTES_MAX + 1];
    struct presence_pair good = fixture_pair(BOB, ANN);
    struct presence_pair pair = good;
    struct contact *c;

    fixture_start(&f);
    memset(longest, 'a', sizeof(longest));
    pair.local_user = SLICE_NONE;
    cr_expect_eq(contact_get(f.p, CONTACT_IN, &pair, &c), ERR_BAD_INPUT);
    pair = good;
    pair.remote_user = slice_make(longest, sizeof(longest));
    cr_expect_eq(contact_get(f.p, CONTACT_IN, &pair, &c), ERR_BAD_INPUT);
    pair = good;
    pair.remote_domain = SLICE_LIT("Chat.example");
    cr_expect_eq(contact_get(f.p, CONTACT_IN, &pair, &c), ERR_BAD_INPUT);
    pair.remote_domain = SLICE_LIT("192.0.2.1");
    cr_expect_eq(contact_get(f.p, CONTACT_IN, &pair, &c), ERR_BAD_INPUT);
    cr_expect_eq(f.p->domains.count, 0, "no domain stays behind");
}

/* --- bounds ----------------------------------------------------------------------------------- */

Test(table, bound_of_all_contacts)
{
    f.params.contacts_max = 2;
    fixture_start(&f);
    puppet.act = work;
    stanza("subscribe", BOB, "a@chat.example");
    stanza("subscribe", BOB, "b@chat.example");
    stanza("subscribe", BOB, "c@chat.example");
    expect_stanza("<presence from='bob@corp.example' to='c@chat.example' type='error'>"
                  "<error type='wait'><resource-constraint "
                  "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>");
    stanza("probe", BOB, "c@chat.example");
    expect_stanza("<presence from='bob@corp.example' to='c@chat.example' type='unavailable'/>");
    expect_answer(subscribe("eve@corp.example", ""), 500);
    cr_expect_eq(presence_stats(f.p)->refused_full, 3);
    cr_expect_eq(puppet.live, 2);
}

Test(table, bound_of_one_remote_domain)
{
    f.params.contacts_per_domain_max = 1;
    fixture_start(&f);
    puppet.act = work;
    stanza("subscribe", BOB, "a@chat.example");
    stanza("subscribe", BOB, "b@chat.example");
    stanza("subscribe", BOB, "b@talk.example");
    cr_expect_eq(puppet.live, 2);
    cr_expect_eq(fixture_state(&f, CONTACT_IN, BOB, "b@talk.example"), CONTACT_ASKED);
}

static void make_by(const char *remote, uint32_t from, uint32_t to)
{
    char local[64];

    for (uint32_t i = from; i < to; i++) {
        (void)snprintf(local, sizeof(local), "nobody%u@corp.example", i);
        stanza("subscribe", local, remote);
    }
}

static void decide(struct contact *c, enum puppet_event event, int64_t arg)
{
    if (event == PUPPET_STANZA) {
        work(c, event, arg);
        contact_grant(c, CONTACT_BY_PARTNER);
    }
}

/* Of people who do not exist, whom a presence server calls pending. */
Test(table, bound_of_undecided_requests_of_one_user)
{
    const struct presence_stats *s;

    fixture_start(&f);
    s = presence_stats(f.p);
    puppet.act = work;
    make_by(ANN, 0, PRESENCE_UNDECIDED_USER + 50);
    cr_expect_eq(s->contacts[CONTACT_IN][CONTACT_ASKED], PRESENCE_UNDECIDED_USER);
    cr_expect_eq(s->refused_full, 50);
    make_by("joe@chat.example", 0, 10);
    cr_expect_eq(s->contacts[CONTACT_IN][CONTACT_ASKED], PRESENCE_UNDECIDED_USER + 10,
                 "others may");
    puppet.act = decide;
    make_by(ANN, 0, 10); /* decided: there is room again */
    make_by(ANN, 5000, 5060);
    cr_expect_eq(s->contacts[CONTACT_IN][CONTACT_GRANTED], 10 + 60,
                 "what is decided is not bounded");
    fixture_run(&f, 2 * PRESENCE_DIRTY_MS);
    fixture_crash(&f, false);
    s = presence_stats(f.p);
    cr_expect_eq(s->contacts[CONTACT_IN][CONTACT_ASKED], PRESENCE_UNDECIDED_USER);
    puppet.act = work;
    make_by(ANN, 6000, 6020);
    cr_expect_eq(s->refused_full, 10, "counted again from the store");
}

/* As the configuration says, also when it says something else than a moment ago. */
Test(table, bounds_of_undecided_requests_follow_the_rule)
{
    const struct presence_stats *s;

    fixture_start(&f);
    s = presence_stats(f.p);
    puppet.act = work;
    f.rules[CONTACT_IN].undecided_user_max = 3;
    f.rules[CONTACT_IN].undecided_domain_max = 5;
    make_by(ANN, 0, 10);
    cr_expect_eq(s->contacts[CONTACT_IN][CONTACT_ASKED], 3);
    make_by("joe@chat.example", 0, 10);
    cr_expect_eq(s->contacts[CONTACT_IN][CONTACT_ASKED], 5);
    make_by("joe@talk.example", 0, 10);
    cr_expect_eq(s->contacts[CONTACT_IN][CONTACT_ASKED], 5 + 3, "a domain of its own");
    f.rules[CONTACT_IN].undecided_user_max = 4;
    f.rules[CONTACT_IN].undecided_domain_max = 6;
    make_by(ANN, 100, 110);
    cr_expect_eq(s->contacts[CONTACT_IN][CONTACT_ASKED], 6 + 3);
}

static void watch(struct contact *c, enum puppet_event event, int64_t arg)
{
    if (event == PUPPET_STANZA) {
        puppet_set(c, 1);
        if (arg == STANZA_TYPE_SUBSCRIBE) {
            contact_set_state(c, CONTACT_ASKED, CONTACT_BY_PARTNER);
        }
    }
}

/* Who probes invented names has a user's share of the domain's bound, not all of it; what the pool
 * refuses then is his, too. */
Test(table, probes_of_one_user_leave_room_for_others)
{
    struct presence_pair refused = fixture_pair("nobody1@corp.example", ANN);
    const struct presence_stats *s;
    char local[64];

    fixture_start(&f);
    s = presence_stats(f.p);
    puppet.act = watch;
    f.rules[CONTACT_IN].undecided_user_max = 3;
    f.rules[CONTACT_IN].undecided_domain_max = 5;
    for (uint32_t i = 0; i < 10; i++) {
        (void)snprintf(local, sizeof(local), "nobody%u@corp.example", i);
        stanza("probe", local, ANN);
    }
    cr_expect_eq(s->contacts[CONTACT_IN][CONTACT_NONE], 3);
    stanza("subscribe", "nobody0@corp.example", ANN);
    cr_expect_eq(fixture_state(&f, CONTACT_IN, "nobody0@corp.example", ANN), CONTACT_ASKED,
                 "its own contact is not in its way");
    contact_raw_set_state(contact_find(f.p, CONTACT_IN, &refused), CONTACT_DENIED);
    stanza("probe", "nobody20@corp.example", ANN);
    cr_expect_eq(s->contacts[CONTACT_IN][CONTACT_NONE], 1);
    stanza("subscribe", BOB, "joe@chat.example");
    cr_expect_eq(fixture_state(&f, CONTACT_IN, BOB, "joe@chat.example"), CONTACT_ASKED);
}

Test(table, no_memory_makes_no_contact_and_loses_none)
{
    struct presence_pair pair = fixture_pair(BOB, ANN);
    struct contact *c;
    uint64_t n = 1;

    fixture_start(&f);
    for (;; n++) {
        int err;

        pool_fail_nth(n);
        err = contact_get(f.p, CONTACT_IN, &pair, &c);
        pool_fail_nth(0);
        if (!err) {
            break;
        }
        cr_expect_eq(err, ERR_NOMEM);
        cr_expect_eq(f.p->domains.count, 0);
    }
    cr_expect_geq(n, 3, "a contact and two domains were missed");
    cr_expect_eq(puppet.live, 1);
}

/* --- growth and order ------------------------------------------------------------------------- */

static uint64_t last_hash;
static uint32_t walked;

static void check_order(void *ctx, const struct presence_contact_view *view)
{
    const struct contact *c = contact_find(f.p, view->direction, &view->pair);

    (void)ctx;
    cr_assert_not_null(c);
    cr_assert(walked == 0 || c->hash > last_hash);
    last_hash = c->hash;
    walked++;
}

static void make(uint32_t from, uint32_t to)
{
    char remote[64];

    for (uint32_t i = from; i < to; i++) {
        (void)snprintf(remote, sizeof(remote), "u%u@d%u.example", i, i % 7);
        stanza("subscribe", BOB, remote);
    }
}

Test(table, walk_keeps_its_order_while_the_table_grows)
{
    const struct presence_filter all = {0};
    uint64_t cursor = 0;

    fixture_start(&f);
    puppet.act = work;
    make(0, 100);
    cr_expect(presence_walk(f.p, &all, &cursor, 50, check_order, NULL));
    cr_expect_eq(walked, 50);
    make(100, 3000); /* several growths in between */
    while (presence_walk(f.p, &all, &cursor, 10, check_order, NULL)) {
    }
    cr_expect_gt(walked, 1000);
    walked = 0;
    cursor = 0;
    while (presence_walk(f.p, &all, &cursor, 999, check_order, NULL)) {
    }
    cr_expect_eq(walked, 3000);
    cr_expect_gt(f.p->bucket_bits, 10);
}

static void count_only(void *ctx, const struct presence_contact_view *view)
{
    (void)view;
    ++*(uint32_t *)ctx;
}

static uint32_t count_by(const struct presence_filter *filter)
{
    uint64_t cursor = 0;
    uint32_t count = 0;

    while (presence_walk(f.p, filter, &cursor, 3, count_only, &count)) {
    }
    return count;
}

Test(table, walk_filters)
{
    const struct presence_pair pair = fixture_pair(BOB, "u3@d3.example");

    fixture_start(&f);
    puppet.act = work;
    make(0, 70);
    cr_expect_eq(count_by(&(struct presence_filter){.remote_domain = pair.remote_domain}), 10);
    cr_expect_eq(count_by(&(struct presence_filter){.remote_user = pair.remote_user,
                                                    .remote_domain = pair.remote_domain}),
                 1);
    cr_expect_eq(count_by(&(struct presence_filter){.local_user = pair.local_user,
                                                    .local_domain = pair.local_domain}),
                 70);
    cr_expect_eq(count_by(&(struct presence_filter){.local_domain = pair.remote_domain}), 0);
    cr_expect_eq(count_by(&(struct presence_filter){.remote_domain = SLICE_LIT("no.example")}), 0);
    cr_expect_eq(count_by(&(struct presence_filter){.directions = 1u << CONTACT_OUT}), 0);
    cr_expect_eq(count_by(&(struct presence_filter){.directions = 1u << CONTACT_IN}), 70);
    cr_expect_eq(count_by(&(struct presence_filter){.states = 1u << CONTACT_GRANTED}), 0);
    cr_expect_eq(count_by(&(struct presence_filter){.states = 1u << CONTACT_ASKED}), 70);
}

/* --- gauges ----------------------------------------------------------------------------------- */

static void check_domain(void *ctx, const struct presence_domain_stats *s)
{
    (void)ctx;
    cr_expect_eq(s->contacts[CONTACT_IN][CONTACT_ASKED], 10);
    cr_expect_eq(s->contacts[CONTACT_IN][CONTACT_NONE], 0);
    cr_expect_eq(s->dialogs[CONTACT_IN], 10);
    walked++;
}

Test(table, gauges_of_domains_and_memory)
{
    uint64_t empty;

    fixture_start(&f);
    empty = presence_stats(f.p)->memory_bytes;
    puppet.act = work;
    make(0, 70);
    presence_walk_domains(f.p, check_domain, NULL);
    cr_expect_eq(walked, 7, "corp.example is no remote domain");
    cr_expect_eq(presence_stats(f.p)->dialogs[CONTACT_IN], 70);
    cr_expect_gt(presence_stats(f.p)->memory_bytes, empty + 70 * (sizeof(struct contact) + 100));
    puppet.act = rest;
    make(0, 70);
    fixture_run(&f, PRESENCE_DIRTY_MS + 1000);
    cr_expect_eq(presence_stats(f.p)->dialogs[CONTACT_IN], 0);
    cr_expect_eq(puppet.live, 0);
    cr_expect_eq(f.p->domains.count, 0);
    cr_expect_leq(presence_stats(f.p)->memory_bytes, empty + 4096, "buckets may have grown");
}
