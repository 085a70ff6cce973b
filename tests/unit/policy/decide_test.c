/* SPDX-License-Identifier: GPL-2.0-or-later */
/* decide_test: every answer of policy_decide: all acts in both directions to partners of all types,
 * and each rule alone and in its order. */
#include "policy/decide.h"

#include <stdio.h>

#include <criterion/criterion.h>

#include "help.h"

#define PARTNERS                                                                                   \
    "[{\"domain\":\"fed.example\",\"type\":\"federated\",\"blocked\":[\"bad@fed.example\"]},"      \
    "{\"domain\":\"ver.example\",\"type\":\"public_verified\",\"suffix_match\":true,"              \
    "\"blocked\":[\"old.ver.example\"]},"                                                          \
    "{\"domain\":\"unv.example\"},"                                                                \
    "{\"domain\":\"few.example\",\"type\":\"federated\","                                          \
    "\"allowed_users\":[\"ann@corp.example\",\"lab.example\",\"group:finance\"]},"                 \
    "{\"domain\":\"none.example\",\"allowed_users\":[]},"                                          \
    "{\"domain\":\"works.example\",\"maintenance\":\"back at noon\"},"                             \
    "{\"domain\":\"out.example\"}]"

static const struct help_doc doc = {
    .domains = "[{\"name\":\"corp.example\",\"next_hop\":\"pool\"},"
               "{\"name\":\"lab.example\",\"next_hop\":\"pool\"},"
               "{\"name\":\"b\xc3\xbc"
               "cher.example\",\"next_hop\":\"pool\"}]",
    .groups = "{\"finance\":{\"members\":[\"eve@corp.example\"]}}",
    .partners = PARTNERS,
    .access = "{\"global\":{\"xmpp\":false},"
              "\"sites\":{\"main\":{\"xmpp\":true,\"members\":[\"corp.example\"]},"
              "\"books\":{\"xmpp\":true,\"members\":[\"b\xc3\xbc"
              "cher.example\"]},"
              "\"one\":{\"xmpp\":false,\"members\":[\"dan@corp.example\"]}},"
              "\"users\":{\"interns\":{\"xmpp\":false,\"members\":[\"joe@corp.example\"]},"
              "\"chief\":{\"xmpp\":true,\"members\":[\"eve@lab.example\"]}}}",
    .blocked = "[\"spam@unv.example\",\"out.example\"]",
};

struct decide_case {
    const char *local; /* "user@domain" or a domain */
    const char *remote;
    enum policy_direction direction;
    enum policy_act act;
    bool is_reachable;
    enum policy_reason reason;
    enum policy_answer answer;
    const char *rule;
};

static struct slice user_of(const char *address)
{
    const char *at = strchr(address, '@');

    return at ? slice_make(address, (size_t)(at - address)) : SLICE_NONE;
}

static struct slice domain_of(const char *address)
{
    const char *at = strchr(address, '@');

    return slice_from_cstr(at ? at + 1 : address);
}

static struct policy_decision decide(const struct snapshot *s, const struct decide_case *c)
{
    struct policy_question q = {.local_user = user_of(c->local),
                                .local_domain = domain_of(c->local),
                                .remote_user = user_of(c->remote),
                                .remote_domain = domain_of(c->remote),
                                .direction = c->direction,
                                .act = c->act,
                                .is_reachable = c->is_reachable};

    return policy_decide(s, &q);
}

static void expect(const struct snapshot *s, const struct decide_case *c)
{
    struct policy_decision d = decide(s, c);
    char rule[POLICY_RULE_BYTES];

    policy_rule_text(d.rule, rule);
    cr_expect_eq(d.reason, c->reason, "%s %s: %s", c->local, c->remote,
                 policy_reason_name(d.reason));
    cr_expect_eq(d.answer, c->answer, "%s %s: %d", c->local, c->remote, (int)d.answer);
    cr_expect_str_eq(rule, c->rule, "%s %s: %s", c->local, c->remote, rule);
    cr_expect_eq(d.allowed, c->reason == POLICY_ALLOWED, "%s %s", c->local, c->remote);
    cr_expect_eq(d.domain != NULL, c->reason != POLICY_LOCAL_UNKNOWN, "%s %s", c->local, c->remote);
}

#define IN  POLICY_TO_LOCAL
#define OUT POLICY_TO_PARTNER
#define MSG POLICY_ACT_MESSAGE
#define YES POLICY_ALLOWED, POLICY_ANSWER_NONE

static const struct decide_case rules[] = {
    /* the pair */
    {"joe@else.example", "x@fed.example", IN, MSG, true, POLICY_LOCAL_UNKNOWN,
     POLICY_ANSWER_NOT_FEDERATED, "domains[\"else.example\"]"},
    {"joe@else.example", "x@fed.example", OUT, MSG, true, POLICY_LOCAL_UNKNOWN,
     POLICY_ANSWER_NOT_FEDERATED, "domains[\"else.example\"]"},
    {"ann@corp.example", "x@lab.example", IN, MSG, true, POLICY_LOCAL_AS_REMOTE,
     POLICY_ANSWER_NOT_FEDERATED, "domains[\"lab.example\"]"},
    {"ann@corp.example", "x@stranger.example", OUT, MSG, true, POLICY_PARTNER_UNKNOWN,
     POLICY_ANSWER_NOT_FEDERATED, "partners[\"stranger.example\"]"},
    {"ann@corp.example", "x@sub.fed.example", IN, MSG, true, POLICY_PARTNER_UNKNOWN,
     POLICY_ANSWER_NOT_FEDERATED, "partners[\"sub.fed.example\"]"},
    {"ann@corp.example", "x@out.example", IN, MSG, true, POLICY_DOMAIN_BLOCKED,
     POLICY_ANSWER_NOT_FEDERATED, "blocked[\"out.example\"]"},
    {"ann@corp.example", "out.example", OUT, MSG, true, POLICY_DOMAIN_BLOCKED,
     POLICY_ANSWER_FORBIDDEN, "blocked[\"out.example\"]"},
    {"ann@corp.example", "x@old.ver.example", OUT, MSG, true, POLICY_DOMAIN_BLOCKED,
     POLICY_ANSWER_FORBIDDEN, "partners.blocked[\"old.ver.example\"]"},
    {"ann@corp.example", "x@works.example", IN, MSG, true, POLICY_MAINTENANCE,
     POLICY_ANSWER_MAINTENANCE, "partners.maintenance[\"works.example\"]"},
    {"ann@corp.example", "x@works.example", OUT, POLICY_ACT_ANSWER, true, POLICY_MAINTENANCE,
     POLICY_ANSWER_MAINTENANCE, "partners.maintenance[\"works.example\"]"},
    /* addresses */
    {"ann@corp.example", "spam@unv.example", IN, MSG, true, POLICY_ADDRESS_BLOCKED,
     POLICY_ANSWER_UNKNOWN_USER, "blocked[\"spam@unv.example\"]"},
    {"ann@corp.example", "spam@unv.example", IN, POLICY_ACT_ANSWER, true, POLICY_ADDRESS_BLOCKED,
     POLICY_ANSWER_UNKNOWN_USER, "blocked[\"spam@unv.example\"]"},
    {"ann@corp.example", "bad@fed.example", OUT, MSG, true, POLICY_ADDRESS_BLOCKED,
     POLICY_ANSWER_FORBIDDEN, "partners.blocked[\"bad@fed.example\"]"},
    {"ann@corp.example", "good@fed.example", OUT, MSG, false, YES, "access.sites[\"main\"]"},
    /* a block counts before access */
    {"joe@corp.example", "bad@fed.example", OUT, MSG, true, POLICY_ADDRESS_BLOCKED,
     POLICY_ANSWER_FORBIDDEN, "partners.blocked[\"bad@fed.example\"]"},
    /* access: users over sites over global, address over domain */
    {"joe@corp.example", "x@fed.example", OUT, MSG, true, POLICY_ACCESS_DENIED,
     POLICY_ANSWER_FORBIDDEN, "access.users[\"interns\"]"},
    {"joe@corp.example", "x@fed.example", IN, MSG, true, POLICY_ACCESS_DENIED,
     POLICY_ANSWER_UNKNOWN_USER, "access.users[\"interns\"]"},
    {"joe@corp.example", "x@fed.example", IN, POLICY_ACT_ANSWER, true, POLICY_ACCESS_DENIED,
     POLICY_ANSWER_UNKNOWN_USER, "access.users[\"interns\"]"},
    {"dan@corp.example", "x@fed.example", IN, MSG, true, POLICY_ACCESS_DENIED,
     POLICY_ANSWER_UNKNOWN_USER, "access.sites[\"one\"]"},
    {"ann@lab.example", "x@fed.example", OUT, MSG, true, POLICY_ACCESS_DENIED,
     POLICY_ANSWER_FORBIDDEN, "access.global"},
    {"eve@lab.example", "x@fed.example", OUT, MSG, true, YES, "access.users[\"chief\"]"},
    {"lab.example", "x@fed.example", IN, POLICY_ACT_QUERY, true, POLICY_ACCESS_DENIED,
     POLICY_ANSWER_UNKNOWN_USER, "access.global"},
    {"corp.example", "fed.example", IN, POLICY_ACT_QUERY, true, YES, "access.sites[\"main\"]"},
    {"a@xn--bcher-kva.example", "x@fed.example", OUT, MSG, true, YES, "access.sites[\"books\"]"},
    {"a@b\xc3\xbc"
     "cher.example",
     "x@fed.example", OUT, MSG, true, YES, "access.sites[\"books\"]"},
    /* the partner's list: by address, domain, group; nobody */
    {"ann@corp.example", "x@few.example", OUT, MSG, true, YES, "access.sites[\"main\"]"},
    {"eve@corp.example", "x@few.example", IN, MSG, true, YES, "access.sites[\"main\"]"},
    {"eve@lab.example", "x@few.example", IN, MSG, true, YES, "access.users[\"chief\"]"},
    {"bob@corp.example", "x@few.example", OUT, MSG, true, POLICY_USER_NOT_ALLOWED,
     POLICY_ANSWER_FORBIDDEN, "partners.allowed_users[\"few.example\"]"},
    {"bob@corp.example", "x@few.example", IN, MSG, true, POLICY_USER_NOT_ALLOWED,
     POLICY_ANSWER_UNKNOWN_USER, "partners.allowed_users[\"few.example\"]"},
    {"ann@corp.example", "x@none.example", OUT, MSG, true, POLICY_USER_NOT_ALLOWED,
     POLICY_ANSWER_FORBIDDEN, "partners.allowed_users[\"none.example\"]"},
    /* access counts before the partner's list */
    {"joe@corp.example", "x@few.example", OUT, MSG, true, POLICY_ACCESS_DENIED,
     POLICY_ANSWER_FORBIDDEN, "access.users[\"interns\"]"},
    /* the type is the last */
    {"ann@corp.example", "x@unv.example", IN, MSG, false, POLICY_NOT_REACHABLE,
     POLICY_ANSWER_UNKNOWN_USER, "partners.type[\"unv.example\"]"},
    {"ann@corp.example", "x@sub.ver.example", IN, MSG, false, YES, "access.sites[\"main\"]"},
};

Test(decide, each_rule_and_its_answer)
{
    struct snapshot *s = help_load(&doc);

    for (size_t i = 0; i < ARRAY_COUNT(rules); i++) {
        expect(s, &rules[i]);
    }
    cr_expect(slice_eq_cstr(decide(s, &rules[8]).text, "back at noon"));
    cr_expect_eq(decide(s, &rules[0]).text.len, 0);
    snapshot_free(s);
}

/* Written out on purpose: acts x directions x types x reachability, 7 x 2 x 3 x 2. */
Test(decide, every_act_with_every_type)
{
    static const char *const remotes[] = {"x@fed.example", "x@ver.example", "x@unv.example"};
    /* To ours, from an unverified partner's user who was neither added nor written to. */
    static const bool passes_unreached[POLICY_ACT_COUNT] = {[POLICY_ACT_ANSWER] = true};
    struct snapshot *s = help_load(&doc);
    uint32_t refused = 0;
    uint32_t noteless = 0;

    for (uint32_t act = 0; act < POLICY_ACT_COUNT; act++) {
        for (uint32_t i = 0; i < 3 * 2 * 2; i++) {
            uint32_t type = i / 4;
            struct decide_case c = {.local = "ann@corp.example",
                                    .remote = remotes[type],
                                    .direction = i & 1 ? OUT : IN,
                                    .act = (enum policy_act)act,
                                    .is_reachable = (i & 2) != 0,
                                    .rule = "access.sites[\"main\"]"};
            struct policy_decision d = decide(s, &c);
            bool is_note = c.direction == OUT && act == POLICY_ACT_NOTIFY && type != 0;

            if (type == 2 && c.direction == IN && !c.is_reachable && !passes_unreached[act]) {
                c.reason = POLICY_NOT_REACHABLE;
                c.answer = POLICY_ANSWER_UNKNOWN_USER;
                c.rule = "partners.type[\"unv.example\"]";
                refused++;
            }
            expect(s, &c);
            cr_expect_eq(d.partner->type, type);
            cr_expect_eq(d.without_note, is_note, "%u %u", act, i);
            noteless += d.without_note;
        }
    }
    cr_expect_eq(refused, 6);
    cr_expect_eq(noteless, 4);
    snapshot_free(s);
}

/* Who may not be reached, may not talk, or is not on the list: one answer. */
Test(decide, refusals_towards_partners_cannot_be_told_apart)
{
    static const char *const pairs[][2] = {{"ann@corp.example", "x@unv.example"},
                                           {"joe@corp.example", "x@unv.example"},
                                           {"nobody@corp.example", "x@unv.example"},
                                           {"bob@corp.example", "x@few.example"},
                                           {"ann@corp.example", "spam@unv.example"}};
    struct snapshot *s = help_load(&doc);

    for (size_t i = 0; i < ARRAY_COUNT(pairs); i++) {
        struct decide_case c = {.local = pairs[i][0], .remote = pairs[i][1], .direction = IN};
        struct policy_decision d = decide(s, &c);

        cr_expect_eq(d.answer, POLICY_ANSWER_UNKNOWN_USER);
        cr_expect_eq(d.text.len, 0);
        cr_expect_not(d.without_note);
    }
    snapshot_free(s);
}

Test(decide, without_access_nobody_may)
{
    static const char text[] =
        "{\"node\":{\"name\":\"e.example\"},\"listen\":{\"xmpp_server\":[\"127.0.0.1:5269\"]},"
        "\"tls\":{\"certificate\":\"c\",\"key\":\"k\"},"
        "\"domains\":[{\"name\":\"corp.example\",\"next_hop\":\"pool\"}],"
        "\"next_hops\":{\"pool\":{\"kind\":\"sip\",\"uri\":\"sip:a.b;transport=tls\"}},"
        "\"partners\":[{\"domain\":\"fed.example\",\"type\":\"federated\"}]}";
    static const struct decide_case cases[] = {
        {"ann@corp.example", "x@fed.example", OUT, MSG, true, POLICY_ACCESS_DENIED,
         POLICY_ANSWER_FORBIDDEN, "access"},
        {"ann@corp.example", "x@fed.example", IN, MSG, true, POLICY_ACCESS_DENIED,
         POLICY_ANSWER_UNKNOWN_USER, "access"},
        {"corp.example", "fed.example", IN, POLICY_ACT_ANSWER, true, POLICY_ACCESS_DENIED,
         POLICY_ANSWER_UNKNOWN_USER, "access"},
    };
    struct snapshot *s = help_load_text(slice_from_cstr(text));

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        expect(s, &cases[i]);
    }
    snapshot_free(s);
}

Test(decide, a_rule_is_shown_clean)
{
    static const struct {
        struct policy_rule rule;
        const char *text;
    } cases[] = {
        {{"access", {NULL, 0}}, "access"},
        {{"access.users", SLICE_LIT("a\n\"b\xe2\x80\xae")},
         "access.users[\"a\\u{a}\\\"b\\u{202e}\"]"},
    };
    char out[POLICY_RULE_BYTES];
    char longest[1024];

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        policy_rule_text(cases[i].rule, out);
        cr_expect_str_eq(out, cases[i].text);
    }
    memset(longest, 1, sizeof(longest));
    policy_rule_text(
        (struct policy_rule){"partners.allowed_users", slice_make(longest, sizeof(longest))}, out);
    cr_expect_lt(strlen(out), sizeof(out));
    cr_expect_eq(out[strlen(out) - 1], ']');
}

static bool same_slice(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Every question about the pair has the answer that policy_decide_plain gives unasked. */
static void expect_plain(const struct snapshot *s, const char *local, const char *remote)
{
    static const char *const users[] = {"", "ann", "joe", "eve", "spam"};
    struct policy_verdict pair = policy_pair(s, slice_from_cstr(local), slice_from_cstr(remote));
    struct policy_decision plain;

    cr_assert(policy_pair_is_plain(s, &pair));
    policy_decide_plain(s, &pair, &plain);
    for (uint32_t i = 0; i < POLICY_ACT_COUNT * 2 * 2 * 5 * 5; i++) {
        struct policy_question q = {.act = i % POLICY_ACT_COUNT,
                                    .direction = i / POLICY_ACT_COUNT % 2 ? IN : OUT,
                                    .is_reachable = i / POLICY_ACT_COUNT / 2 % 2,
                                    .local_user = slice_from_cstr(users[i / 28 % 5]),
                                    .remote_user = slice_from_cstr(users[i / 140 % 5]),
                                    .local_domain = slice_from_cstr(local),
                                    .remote_domain = slice_from_cstr(remote)};
        struct policy_decision d = policy_decide(s, &q);

        cr_assert_eq(d.allowed, plain.allowed);
        cr_assert_eq(d.without_note, plain.without_note);
        cr_assert_eq(d.reason, plain.reason);
        cr_assert_eq(d.answer, plain.answer);
        cr_assert_str_eq(d.rule.kind, plain.rule.kind);
        cr_assert(same_slice(d.rule.name, plain.rule.name) && same_slice(d.text, plain.text));
        cr_assert_eq(d.domain, plain.domain);
        cr_assert_eq(d.partner, plain.partner);
    }
}

Test(decide, a_plain_pair_is_decided_without_asking)
{
    static const struct help_doc plain = {
        .domains = "[{\"name\":\"corp.example\",\"next_hop\":\"pool\"},"
                   "{\"name\":\"lab.example\",\"next_hop\":\"pool\"}]",
        .partners = PARTNERS,
        .groups = "{\"finance\":{\"members\":[\"eve@corp.example\"]}}",
        .access = "{\"global\":{\"xmpp\":true}}",
    };
    struct help_doc other = plain;
    const char *const not_plain[] = {"ver.example", "unv.example",   "few.example", "none.example",
                                     "bad@x.y",     "works.example", "corp.example"};
    struct snapshot *s = help_load(&plain);
    struct policy_verdict pair;

    /* fed.example has a list of its own that it blocks. */
    pair = policy_pair(s, SLICE_LIT("corp.example"), SLICE_LIT("fed.example"));
    cr_expect_not(policy_pair_is_plain(s, &pair));
    for (size_t i = 0; i < ARRAY_COUNT(not_plain); i++) {
        pair = policy_pair(s, SLICE_LIT("corp.example"), slice_from_cstr(not_plain[i]));
        cr_expect_not(policy_pair_is_plain(s, &pair), "%s", not_plain[i]);
    }
    snapshot_free(s);
    other.groups = NULL;
    other.partners =
        "[{\"domain\":\"a.example\",\"type\":\"federated\",\"suffix_match\":true}]";
    s = help_load(&other);
    expect_plain(s, "corp.example", "a.example");
    expect_plain(s, "corp.example", "x.a.example");
    snapshot_free(s);
    /* Each of these alone is a reason to ask. */
    for (int i = 0; i < 4; i++) {
        other.access = i == 0 ? "{\"global\":{\"xmpp\":false}}"
                       : i == 1
                           ? "{\"global\":{\"xmpp\":true},\"sites\":{\"m\":{\"xmpp\":false,"
                             "\"members\":[\"joe@corp.example\"]}}}"
                       : i == 2
                           ? "{\"global\":{\"xmpp\":true},\"users\":{\"m\":{\"xmpp\":false,"
                             "\"members\":[\"joe@corp.example\"]}}}"
                           : plain.access;
        other.blocked = i == 3 ? "[\"spam@a.example\"]" : NULL;
        s = help_load(&other);
        pair = policy_pair(s, SLICE_LIT("corp.example"), SLICE_LIT("a.example"));
        cr_expect(pair.allowed);
        cr_expect_not(policy_pair_is_plain(s, &pair), "%d", i);
        snapshot_free(s);
    }
}
