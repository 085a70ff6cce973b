/* SPDX-License-Identifier: GPL-2.0-or-later */
/* again: blocks that waited while the rules changed: which are looked at, which may leave, what is
 * taken out of them, what becomes of the others. */
#include "edge/again.h"

#include <criterion/criterion.h>

#include "base/pool.h"
#include "edge/partner_run.h"
#include "engine/shard_state.h"
#include "help.h"
#include "xml/parser.h"

#define DOMAINS "[{\"name\":\"corp.example\",\"next_hop\":\"pool\"}]"
#define TYPE(type) "[{\"domain\":\"one.example\",\"type\":\"" type "\"}]"
#define FROM_TO "from=\"ann@corp.example/&amp;\" to=\"bob@one.example\""

enum { PLAIN, BLOCKED, GUARDED, PUBLIC, GONE, DENIED, DOC_COUNT };

static const struct help_doc docs[DOC_COUNT] = {
    [PLAIN] = {.domains = DOMAINS, .partners = TYPE("federated")},
    [BLOCKED] = {.domains = DOMAINS,
                 .partners = TYPE("federated"),
                 .blocked = "[\"bob@one.example\"]"},
    [GUARDED] = {.domains = DOMAINS,
                 .partners = TYPE("federated"),
                 .blocked = "[\"eve@one.example\"]"},
    [PUBLIC] = {.domains = DOMAINS, .partners = TYPE("public_verified")},
    [GONE] = {.domains = DOMAINS, .partners = "[{\"domain\":\"two.example\"}]"},
    [DENIED] = {.domains = DOMAINS,
                .partners = TYPE("federated"),
                .access = "{\"global\":{\"xmpp\":false}}"},
};

static struct shard sh;
static struct edge *e;
static struct setup setups[DOC_COUNT];

static void set_up(void)
{
    for (uint32_t i = 0; i < DOC_COUNT; i++) {
        setups[i].policy = help_load(&docs[i]);
        setups[i].generation = i + 1;
    }
    sh.snapshot = &setups[PLAIN];
    e = pool_heap_zalloc(sizeof(*e));
    e->sh = &sh;
    e->shard_count = 1;
    list_init(&e->runs_all);
    list_init(&e->runs_orphan);
    list_init(&e->runs_claimed);
    list_init(&e->refusals_held);
    refusal_log_init(&e->refusals, &e->refusals_held, SLICE_NONE);
    list_init(&e->links_all);
    flow_init(&e->flow);
    buf_init(&e->scratch, 1 << 20);
    cr_assert_eq(xml_parser_new(&e->bounce_parser, &xml_limits_authenticated), 0);
}

static void tear_down(void)
{
    xml_parser_free(e->bounce_parser);
    buf_deinit(&e->scratch);
    flow_deinit(&e->flow);
    ways_free(e);
    partner_runs_free(e);
    map_deinit(&e->components);
    pool_heap_free(e);
    for (uint32_t i = 0; i < DOC_COUNT; i++) {
        snapshot_free(setups[i].policy);
    }
}

TestSuite(again, .init = set_up, .fini = tear_down);

static void reload(size_t which)
{
    sh.snapshot = &setups[which];
    e->setup_version++;
}

static struct block *make(enum stanza_kind kind, uint32_t generation, const char *bytes)
{
    struct block *b = block_new(&(struct block_params){
        .direction = BLOCK_TO_PARTNER,
        .kind = (uint8_t)kind,
        .may_bounce = true,
        .generation = generation,
        .local = SLICE_LIT("corp.example"),
        .remote = SLICE_LIT("one.example"),
        .bytes = slice_from_cstr(bytes),
        .now_ms = 7,
    });

    cr_assert(b);
    return b;
}

static void expect_bytes(struct block *b, const char *expected)
{
    cr_assert(slice_eq_cstr(block_bytes(b), expected), "%.*s", SLICE_FMT(block_bytes(b)));
    cr_assert_eq(b->generation, edge_setup(e)->generation);
    cr_assert_eq(b->created_ms, 7);
    block_free(b);
}

Test(again, a_generation_tells_who_is_looked_at)
{
    cr_assert_not(again_is_due(e, 1));
    reload(GUARDED);
    cr_assert(again_is_due(e, 0));
    cr_assert(again_is_due(e, GUARDED));
    cr_assert_not(again_is_due(e, GUARDED + 1));
    cr_assert_not(again_is_due(e, GUARDED + 2)); /* another shard is further */
    cr_assert_not(again_is_due(e, BLOCK_UNRULED));
}

/* Whom no rule concerns is not even read; who is read and may leave is the same block. */
Test(again, the_allowed_leave_as_they_are)
{
    struct block *b = make(STANZA_MESSAGE, 1, "no XML at all");
    struct block *same = b;

    reload(PLAIN);
    cr_assert_not(again_is_refused(e, b));
    cr_assert(again_block(e, &b));
    cr_assert_eq(b, same);
    expect_bytes(b, "no XML at all");
    b = same = make(STANZA_MESSAGE, 1, "<message " FROM_TO "><body>hi</body></message>");
    reload(GUARDED);
    cr_assert_not(again_is_refused(e, b));
    cr_assert(again_block(e, &b));
    cr_assert_eq(b, same);
    expect_bytes(b, "<message " FROM_TO "><body>hi</body></message>");
    cr_assert_eq(e->stats.bounced_policy, 0);
}

static void expect_refused(size_t which, const uint64_t *counter)
{
    struct block *b = make(STANZA_MESSAGE, 1, "<message " FROM_TO "><body>hi</body></message>");
    uint64_t before = *counter;
    uint64_t answers = e->stats.dropped_error;

    reload(which);
    cr_assert(again_is_refused(e, b));
    cr_assert_eq(*counter, before, "a look counts nothing");
    cr_assert_not(again_block(e, &b));
    cr_assert_eq(*counter, before + 1);
    cr_assert_eq(e->stats.dropped_error, answers + 1, "its answer found no component");
}

Test(again, the_refused_are_counted_and_answered)
{
    expect_refused(BLOCKED, &e->stats.refused_blocked);
    expect_refused(GONE, &e->stats.refused_domain);
    expect_refused(DENIED, &e->stats.refused_access);
    cr_assert_eq(e->stats.bounced_policy, 3);
}

/* Errors and results are not answered, whatever becomes of them. */
Test(again, a_refused_error_ends_in_silence)
{
    struct block *b = make(STANZA_MESSAGE, 1, "<message type=\"error\" " FROM_TO "/>");

    b->may_bounce = false;
    reload(BLOCKED);
    cr_assert_not(again_block(e, &b));
    cr_assert_eq(e->stats.dropped_error, 1);
}

Test(again, servers_keep_talking)
{
    static const char ping[] = "<iq type=\"get\" id=\"1\" from=\"corp.example\" to=\"one.example\">"
                               "<ping xmlns=\"urn:xmpp:ping\"/></iq>";
    struct block *b = make(STANZA_IQ, 1, ping);

    reload(DENIED);
    cr_assert_not(again_is_refused(e, b));
    cr_assert(again_block(e, &b));
    expect_bytes(b, ping);
}

Test(again, a_note_is_taken_out)
{
    struct block *b = make(STANZA_PRESENCE, 1,
                           "<presence " FROM_TO "><show>away</show><status>x</status></presence>");

    reload(PUBLIC);
    cr_assert(again_block(e, &b));
    cr_assert_eq(e->stats.notes_removed, 1);
    expect_bytes(b, "<presence " FROM_TO "><show>away</show></presence>");
    b = make(STANZA_PRESENCE, 1, "<presence " FROM_TO "/>");
    cr_assert(again_block(e, &b));
    cr_assert_eq(e->stats.notes_removed, 1);
    expect_bytes(b, "<presence " FROM_TO "/>");
}

/* Never seen of our own writing: what cannot be judged does not leave. */
Test(again, what_cannot_be_read_stays)
{
    struct block *b = make(STANZA_MESSAGE, 1, "<message " FROM_TO "><body>hi</message>");

    reload(GUARDED);
    cr_assert(again_is_refused(e, b));
    cr_assert_not(again_block(e, &b));
    cr_assert_eq(e->stats.bounced_policy, 1);
}
