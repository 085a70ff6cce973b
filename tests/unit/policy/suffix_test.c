/* SPDX-License-Identifier: GPL-2.0-or-later */
/* suffix_test: names below those of partners with suffix_match; random tables against a list that
 * is searched from end to end. */
#include <stdio.h>

#include <criterion/criterion.h>

#include "help.h"

static const char *owner(const struct snapshot *s, const char *name)
{
    static char domain[256];
    const struct partner *p = snapshot_partner(s, slice_from_cstr(name));

    if (!p) {
        return "nobody";
    }
    cr_assert(slice_to_cstr(p->domain, domain, sizeof(domain)));
    return domain;
}

#define BUECHER_U                                                                                  \
    "b\xc3\xbc"                                                                                    \
    "cher.org"
#define BUECHER_A "xn--bcher-kva.org"

static const struct help_doc doc = {
    .domains = "[{\"name\":\"chat.big.org\",\"next_hop\":\"pool\"}]",
    .partners = "[{\"domain\":\"big.org\",\"suffix_match\":true},"
                "{\"domain\":\"two.big.org\",\"additional_domains\":[\"other.net\"],"
                "\"suffix_match\":true},"
                "{\"domain\":\"three.two.big.org\"},"
                "{\"domain\":\"plain.org\"},"
                "{\"domain\":\"" BUECHER_U "\",\"suffix_match\":true}]",
};

Test(suffix, exact_beats_longest_beats_shorter)
{
    static const char *const cases[][2] = {
        {"big.org", "big.org"},
        {"a.big.org", "big.org"},
        {"a.b.c.d.big.org", "big.org"},
        {"two.big.org", "two.big.org"},
        {"a.two.big.org", "two.big.org"},
        {"three.two.big.org", "three.two.big.org"},
        /* a partner without suffix_match has its own names only */
        {"a.three.two.big.org", "two.big.org"},
        {"a.plain.org", "nobody"},
        {"other.net", "two.big.org"},
        {"a.other.net", "two.big.org"},
        {"xbig.org", "nobody"},
        {"org", "nobody"},
        {"a.org", "nobody"},
        {"", "nobody"},
        {".", "nobody"},
        {"..big.org", "big.org"}, /* no such name passes jid.h; it does no harm */
        {"x." BUECHER_U, BUECHER_A},
        {"x." BUECHER_A, BUECHER_A},
        {"B\xc3\x9c"
         "CHER.org",
         BUECHER_A},
        {"y.x.B\xc3\x9c"
         "CHER.org",
         BUECHER_A},
        /* ours, and below ours */
        {"chat.big.org", "nobody"},
        {"a.chat.big.org", "nobody"},
        {"a.b.chat.big.org", "nobody"},
    };
    struct snapshot *s = help_load(&doc);

    cr_expect(s->any_suffix_match);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        cr_expect_str_eq(owner(s, cases[i][0]), cases[i][1], "%s: %s", cases[i][0],
                         owner(s, cases[i][0]));
    }
    /* A domain of ours is nobody else's, whatever the table says. */
    cr_expect_eq(policy_pair(s, SLICE_LIT("chat.big.org"), SLICE_LIT("chat.big.org")).reason,
                 POLICY_LOCAL_AS_REMOTE);
    cr_expect_eq(policy_pair(s, SLICE_LIT("chat.big.org"), SLICE_LIT("x.chat.big.org")).reason,
                 POLICY_PARTNER_UNKNOWN);
    cr_expect(policy_pair(s, SLICE_LIT("chat.big.org"), SLICE_LIT("x.big.org")).allowed);
    snapshot_free(s);
}

Test(suffix, without_it_only_names_count)
{
    struct snapshot *s = help_load(&(struct help_doc){
        .partners = "[{\"domain\":\"big.org\"},{\"domain\":\"b.net\",\"suffix_match\":false}]"});

    cr_expect_not(s->any_suffix_match);
    cr_expect_str_eq(owner(s, "big.org"), "big.org");
    cr_expect_str_eq(owner(s, "a.big.org"), "nobody");
    cr_expect_str_eq(owner(s, "a.b.net"), "nobody");
    cr_expect_null(snapshot_suffix_partner(s, SLICE_LIT("a.b.net")));
    snapshot_free(s);
}

/* --- against a list --- */

#define ROUNDS     150u
#define NAMES_MAX  40u
#define LOOKUPS    300u
#define NAME_BYTES 32u

static uint64_t state;

static uint32_t rnd(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 33) % below);
}

static void put_name(char out[NAME_BYTES])
{
    uint32_t labels = 1 + rnd(4);
    size_t at = 0;

    for (uint32_t i = 0; i < labels; i++) {
        at +=
            (size_t)snprintf(out + at, NAME_BYTES - at, "%s%c", i ? "." : "", (char)('a' + rnd(3)));
    }
}

struct model {
    char names[NAMES_MAX][NAME_BYTES];
    bool is_suffix[NAMES_MAX];
    uint32_t count;
    char ours[NAME_BYTES];
};

static int32_t model_exact(const struct model *m, const char *name)
{
    for (uint32_t i = 0; i < m->count; i++) {
        if (strcmp(m->names[i], name) == 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

static int32_t model_find(const struct model *m, const char *name)
{
    int32_t found = model_exact(m, name);

    if (strcmp(name, m->ours) == 0) {
        return -1;
    }
    for (const char *dot = strchr(name, '.'); found < 0 && dot; dot = strchr(dot + 1, '.')) {
        int32_t parent = model_exact(m, dot + 1);

        if (strcmp(dot + 1, m->ours) == 0) {
            break;
        }
        found = parent >= 0 && m->is_suffix[parent] ? parent : -1;
    }
    return found;
}

static struct snapshot *make_both(struct model *m)
{
    uint32_t wanted = 1 + rnd(NAMES_MAX);
    char domains[96];
    struct snapshot *s;
    struct buf b;

    m->count = 0;
    put_name(m->ours);
    (void)snprintf(domains, sizeof(domains), "[{\"name\":\"%s\",\"next_hop\":\"pool\"}]", m->ours);
    buf_init(&b, 1 << 20);
    for (uint32_t i = 0; i < wanted; i++) {
        char *name = m->names[m->count];

        put_name(name);
        if (model_exact(m, name) >= 0 || strcmp(name, m->ours) == 0) {
            continue;
        }
        m->is_suffix[m->count] = rnd(3) == 0;
        buf_printf(&b, "%s{\"domain\":\"%s\",\"suffix_match\":%s}", m->count ? "," : "[", name,
                   m->is_suffix[m->count] ? "true" : "false");
        m->count++;
    }
    buf_put_cstr(&b, m->count ? "]" : "[]");
    buf_putc(&b, 0);
    s = help_load(&(struct help_doc){.domains = domains, .partners = buf_slice(&b).ptr});
    buf_deinit(&b);
    return s;
}

Test(suffix, random_tables_say_what_a_list_says)
{
    uint32_t exact = 0;
    uint32_t below = 0;
    uint32_t none = 0;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        static struct model m;
        struct snapshot *s;

        state = 0xd1b54a32d192ed03u * (round + 1);
        s = make_both(&m);
        for (uint32_t i = 0; i < LOOKUPS; i++) {
            char name[NAME_BYTES];
            const struct partner *p;
            int32_t wanted;

            put_name(name);
            p = snapshot_partner(s, slice_from_cstr(name));
            wanted = model_find(&m, name);
            cr_assert_eq(p ? (int32_t)p->idx : -1, wanted, "round %u: %s", round, name);
            none += wanted < 0;
            exact += wanted >= 0 && model_exact(&m, name) == wanted;
            below += wanted >= 0 && model_exact(&m, name) < 0;
        }
        snapshot_free(s);
    }
    cr_expect(none > 1000 && exact > 1000 && below > 1000, "%u %u %u", none, exact, below);
}
