/* SPDX-License-Identifier: GPL-2.0-or-later */
/* users_test: sets of addresses: kinds of entries, both forms of a domain, groups; random sets
 * against a list that is searched from end to end. */
#include "policy/users_int.h"

#include <stdio.h>

#include <criterion/criterion.h>

#include "policy/entry.h"
#include "translate/address.h"
#include "xmpp/jid.h"

static void add(struct users_build *b, const char *text, uint32_t number)
{
    struct entry e;
    const char *fault =
        entry_parse(slice_from_cstr(text), ENTRY_ADDRESS | ENTRY_DOMAIN | ENTRY_SUFFIX, &e);

    cr_assert_null(fault, "%s: %s", text, fault ? fault : "");
    cr_assert_eq(users_build_add(b, entry_text(&e), number), USERS_NONE, "%s", text);
}

struct lookup {
    const char *user;
    const char *domain;
    enum users_match match;
    const char *entry; /* NULL = empty */
};

static void expect_all(const struct user_set *set, const struct lookup *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct slice entry = SLICE_LIT("untouched");
        enum users_match match =
            users_find(set, slice_from_cstr(all[i].user), slice_from_cstr(all[i].domain), &entry);

        cr_expect_eq(match, all[i].match, "%s@%s: %d", all[i].user, all[i].domain, (int)match);
        cr_expect(slice_eq(entry, slice_from_cstr(all[i].entry)), "%s@%s: %.*s", all[i].user,
                  all[i].domain, SLICE_FMT(entry));
        cr_expect_eq(
            users_find(set, slice_from_cstr(all[i].user), slice_from_cstr(all[i].domain), NULL),
            all[i].match);
    }
}

#define BUECHER_U                                                                                  \
    "b\xc3\xbc"                                                                                    \
    "cher.example"
#define BUECHER_A "xn--bcher-kva.example"

Test(users, an_address_beats_its_domain_beats_a_suffix)
{
    static const struct lookup lookups[] = {
        {"ann", "corp.example", USERS_BY_ADDRESS, "ann@corp.example"},
        {"bob", "corp.example", USERS_BY_DOMAIN, "corp.example"},
        {"", "corp.example", USERS_BY_DOMAIN, "corp.example"},
        {"ann", "it.corp.example", USERS_BY_SUFFIX, "*.corp.example"},
        {"", "it.corp.example", USERS_BY_SUFFIX, "*.corp.example"},
        {"", "a.b.it.corp.example", USERS_BY_SUFFIX, "*.it.corp.example"},
        {"eve", "lab.example", USERS_BY_ADDRESS, "eve@lab.example"},
        {"eva", "lab.example", USERS_NO, NULL},
        {"", "lab.example", USERS_NO, NULL},
        {"x", "xcorp.example", USERS_NO, NULL},
        {"x", "example", USERS_NO, NULL},
        {"x", "", USERS_NO, NULL},
        {"", "", USERS_NO, NULL},
        {"*", "corp.example", USERS_BY_DOMAIN, "corp.example"},
        {"x", "*.corp.example.", USERS_NO, NULL},
        {"a", BUECHER_A, USERS_BY_ADDRESS, "a@" BUECHER_A},
        {"a", BUECHER_U, USERS_BY_ADDRESS, "a@" BUECHER_A},
        {"b", BUECHER_U, USERS_NO, NULL},
        {"b", "x." BUECHER_U, USERS_BY_SUFFIX, "*." BUECHER_A},
        {"b", "x.\xff", USERS_NO, NULL},
    };
    struct arena *arena = arena_new();
    struct users_build b = {0};
    const struct user_set *set;

    add(&b, "ann@Corp.Example", 0);
    add(&b, "corp.example.", 0);
    add(&b, "*.corp.example", 0);
    add(&b, "*.it.CORP.example", 0);
    add(&b, "EVE@lab.example", 0);
    add(&b, "a@" BUECHER_U, 0);
    add(&b, "*." BUECHER_A, 0);
    set = users_build_finish(&b, arena, NULL, 0);
    cr_expect_eq(users_count(set), 7);
    expect_all(set, lookups, ARRAY_COUNT(lookups));
    arena_free(arena);
}

/* A name as long as names can be, each label one byte: the walk ends. */
Test(users, a_deep_name_is_walked_to_its_end)
{
    struct arena *arena = arena_new();
    struct users_build b = {0};
    const struct user_set *set;
    char name[254];
    char user[1024];

    for (size_t i = 0; i < 253; i++) {
        name[i] = i % 2 ? '.' : 'a';
    }
    name[253] = 0;
    memset(user, 'u', sizeof(user));
    add(&b, "*.a.a", 0);
    set = users_build_finish(&b, arena, NULL, 0);
    cr_expect_eq(users_find(set, SLICE_NONE, slice_from_cstr(name), NULL), USERS_BY_SUFFIX);
    cr_expect_eq(users_find(set, slice_make(user, 1023), slice_from_cstr(name), NULL),
                 USERS_BY_SUFFIX);
    cr_expect_eq(users_find(set, slice_make(user, 1024), slice_from_cstr(name), NULL), USERS_NO);
    name[252] = 'b';
    cr_expect_eq(users_find(set, SLICE_NONE, slice_from_cstr(name), NULL), USERS_NO);
    arena_free(arena);
}

Test(users, none_and_empty)
{
    struct arena *arena = arena_new();
    struct users_build b = {0};
    const struct user_set *set = users_build_finish(&b, arena, NULL, 0);
    struct slice entry = SLICE_LIT("x");
    uint32_t at = 0;
    uint32_t number;

    cr_expect_eq(users_find(NULL, SLICE_LIT("a"), SLICE_LIT("b"), &entry), USERS_NO);
    cr_expect_eq(entry.len, 0);
    cr_expect_eq(users_find(set, SLICE_LIT("a"), SLICE_LIT("b"), NULL), USERS_NO);
    cr_expect_eq(users_count(NULL), 0);
    cr_expect_eq(users_count(set), 0);
    cr_expect_not(users_next(set, &at, &entry, &number));
    cr_expect_not(users_next(NULL, &at, &entry, &number));
    cr_expect(users_eq(NULL, NULL));
    cr_expect_not(users_eq(NULL, set));
    cr_expect(users_eq(set, set));
    users_build_deinit(&b);
    arena_free(arena);
}

static const struct user_set *make(struct arena *arena, const char *const *texts,
                                   const struct user_set *const *groups, uint16_t group_count)
{
    struct users_build b = {0};

    for (uint32_t i = 0; texts[i]; i++) {
        add(&b, texts[i], 0);
    }
    return users_build_finish(&b, arena, groups, group_count);
}

Test(users, the_best_match_of_a_set_and_its_groups)
{
    static const struct lookup lookups[] = {
        {"ann", "a.example", USERS_BY_ADDRESS, "ann@a.example"},
        {"bob", "a.example", USERS_BY_DOMAIN, "a.example"},
        {"eve", "b.example", USERS_BY_ADDRESS, "eve@b.example"},
        {"dan", "b.example", USERS_NO, NULL},
    };
    struct arena *arena = arena_new();
    const struct user_set *groups[2];
    const struct user_set *others[2];
    const struct user_set *set;
    const struct user_set *same;

    groups[0] = make(arena, (const char *const[]){"ann@a.example", NULL}, NULL, 0);
    groups[1] = make(arena, (const char *const[]){"eve@b.example", "a.example", NULL}, NULL, 0);
    others[0] = groups[0];
    others[1] = make(arena, (const char *const[]){"a.example", "eve@b.example", NULL}, NULL, 0);
    set = make(arena, (const char *const[]){"a.example", NULL}, groups, 2);
    same = make(arena, (const char *const[]){"a.example", NULL}, others, 2);
    expect_all(set, lookups, ARRAY_COUNT(lookups));
    cr_expect_eq(users_count(set), 4);
    cr_expect(users_eq(set, same));
    cr_expect_not(users_eq(set, groups[0]));
    cr_expect_not(
        users_eq(groups[0], make(arena, (const char *const[]){"bob@a.example", NULL}, NULL, 0)));
    arena_free(arena);
}

Test(users, a_second_entry_tells_the_first_ones_number)
{
    struct arena *arena = arena_new();
    struct users_build b = {0};
    const struct user_set *set;
    struct slice entry;
    uint32_t number;
    uint32_t at = 0;

    cr_expect_eq(users_build_add(&b, SLICE_LIT("ann@a.example"), 7), USERS_NONE);
    cr_expect_eq(users_build_add(&b, SLICE_LIT("ann@a.example"), 9), 7);
    cr_expect_eq(users_build_add(&b, SLICE_LIT("a.example"), 9), USERS_NONE);
    set = users_build_finish(&b, arena, NULL, 0);
    cr_expect_eq(users_find_number(set, SLICE_LIT("ann"), SLICE_LIT("a.example"), &entry, &number),
                 USERS_BY_ADDRESS);
    cr_expect_eq(number, 7);
    cr_expect_eq(users_find_number(set, SLICE_LIT("bob"), SLICE_LIT("a.example"), &entry, &number),
                 USERS_BY_DOMAIN);
    cr_expect_eq(number, 9);
    cr_expect(users_next(set, &at, &entry, &number));
    cr_expect(slice_eq_cstr(entry, "ann@a.example") && number == 7);
    cr_expect(users_next(set, &at, &entry, &number));
    cr_expect(slice_eq_cstr(entry, "a.example") && number == 9);
    cr_expect_not(users_next(set, &at, &entry, &number));
    arena_free(arena);
}

/* --- against a list --- */

#define ENTRIES_MAX 300u
#define ROUNDS      200u
#define LOOKUPS     400u

static uint64_t state;

static uint32_t rnd(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 33) % below);
}

/* Few labels, so that names meet. */
static void put_domain(char *out, size_t bytes)
{
    uint32_t labels = 1 + rnd(4);
    size_t at = 0;

    for (uint32_t i = 0; i < labels; i++) {
        at += (size_t)snprintf(out + at, bytes - at, "%s%c", i ? "." : "", (char)('a' + rnd(3)));
    }
}

struct model {
    char texts[ENTRIES_MAX][64];
    uint32_t count;
};

static bool model_has(const struct model *m, const char *text)
{
    for (uint32_t i = 0; i < m->count; i++) {
        if (strcmp(m->texts[i], text) == 0) {
            return true;
        }
    }
    return false;
}

static enum users_match model_find(const struct model *m, const char *user, const char *domain,
                                   char entry[64])
{
    (void)snprintf(entry, 64, "%s@%s", user, domain);
    if (user[0] && model_has(m, entry)) {
        return USERS_BY_ADDRESS;
    }
    (void)snprintf(entry, 64, "%s", domain);
    if (model_has(m, entry)) {
        return USERS_BY_DOMAIN;
    }
    for (const char *dot = strchr(domain, '.'); dot; dot = strchr(dot + 1, '.')) {
        (void)snprintf(entry, 64, "*%s", dot);
        if (model_has(m, entry)) {
            return USERS_BY_SUFFIX;
        }
    }
    entry[0] = 0;
    return USERS_NO;
}

static const struct user_set *make_both(struct arena *arena, struct model *m)
{
    uint32_t wanted = rnd(ENTRIES_MAX);
    struct users_build b = {0};

    m->count = 0;
    for (uint32_t i = 0; i < wanted; i++) {
        char domain[32];
        char *text = m->texts[m->count];
        struct entry e;

        put_domain(domain, sizeof(domain));
        switch (rnd(3)) {
        case 0:
            (void)snprintf(text, 64, "%c%u@%s", (char)('a' + rnd(3)), rnd(3), domain);
            break;
        case 1:
            (void)snprintf(text, 64, "%s", domain);
            break;
        default:
            (void)snprintf(text, 64, "*.%s", domain);
            break;
        }
        cr_assert_null(
            entry_parse(slice_from_cstr(text), ENTRY_ADDRESS | ENTRY_DOMAIN | ENTRY_SUFFIX, &e));
        /* Added exactly when the list did not have it. */
        cr_assert_eq(users_build_add(&b, entry_text(&e), 1) == USERS_NONE, !model_has(m, text));
        m->count += !model_has(m, text);
    }
    return users_build_finish(&b, arena, NULL, 0);
}

Test(users, random_sets_say_what_a_list_says)
{
    uint32_t matches[4] = {0};

    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct arena *arena = arena_new();
        static struct model m;
        const struct user_set *set;

        state = 0x9e3779b97f4a7c15u * (round + 1);
        set = make_both(arena, &m);
        cr_assert_eq(users_count(set), m.count);
        for (uint32_t i = 0; i < LOOKUPS; i++) {
            char user[8] = "";
            char domain[32];
            char wanted[64];
            struct slice entry;
            enum users_match match;

            put_domain(domain, sizeof(domain));
            if (rnd(3)) {
                (void)snprintf(user, sizeof(user), "%c%u", (char)('a' + rnd(3)), rnd(3));
            }
            match = users_find(set, slice_from_cstr(user), slice_from_cstr(domain), &entry);
            cr_assert_eq(match, model_find(&m, user, domain, wanted), "round %u: %s@%s", round,
                         user, domain);
            cr_assert(slice_eq_cstr(entry, wanted), "round %u: %s@%s", round, user, domain);
            matches[match]++;
        }
        arena_free(arena);
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(matches); i++) {
        cr_expect_gt(matches[i], 1000, "%u: %u", i, matches[i]); /* each kind was met */
    }
}

/* --- entries --- */

Test(users, entries_that_are_none)
{
    static const struct {
        const char *text;
        uint32_t kinds;
        const char *fault; /* how it begins */
    } cases[] = {
        {"", ENTRY_DOMAIN, "is "},
        {"@a.example", ENTRY_ADDRESS, "has nothing before the '@'"},
        {"ann@", ENTRY_ADDRESS, "is "},
        {"ann@a.example/phone", ENTRY_ADDRESS, "has a resource"},
        {"*@a.example", ENTRY_ADDRESS, "has '*' for the user"},
        {"a b@a.example", ENTRY_ADDRESS, "has a user part that no address can have"},
        {"a b'c@a.example", ENTRY_ADDRESS, "has a user part that no address can have"},
        {"sips:a@a.example", ENTRY_ADDRESS, "has a user part that no address can have"},
        {"A <a@a.example>", ENTRY_ADDRESS, "has a user part that no address can have"},
        {"a@a.example;transport=tls", ENTRY_ADDRESS, "holds a character"},
        {"sip:", ENTRY_DOMAIN, "is "},
        {"a@b@a.example", ENTRY_ADDRESS, ""},
        {"ann@192.0.2.1", ENTRY_ADDRESS, "is an IP address"},
        {"*.a.example", ENTRY_ADDRESS | ENTRY_DOMAIN, "names all domains below one"},
        {"*.*.example", ENTRY_SUFFIX, ""},
        {"*", ENTRY_SUFFIX | ENTRY_DOMAIN, ""},
        {"group:x", ENTRY_ADDRESS | ENTRY_DOMAIN, "names a group, which cannot stand inside"},
        {"group:x", ENTRY_ADDRESS | ENTRY_SUFFIX, "names a group, and groups are of our users"},
        {"group:", ENTRY_GROUP, "names no group"},
        {"-a.example", ENTRY_DOMAIN, ""},
        {"xn--a.example", ENTRY_DOMAIN, ""},
        {"a..example", ENTRY_DOMAIN, ""},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct entry e;
        const char *fault = entry_parse(slice_from_cstr(cases[i].text), cases[i].kinds, &e);

        cr_expect(fault && strncmp(fault, cases[i].fault, strlen(cases[i].fault)) == 0, "%s: %s",
                  cases[i].text, fault ? fault : "no fault");
    }
}

Test(users, entries_have_one_form)
{
    static const char *const cases[][2] = {
        {"Ann@Corp.Example", "ann@corp.example"},
        {"corp.example.", "corp.example"},
        {"*.B\xc3\x9c"
         "CHER.example",
         "*." BUECHER_A},
        {"J\xc3\x96RG@" BUECHER_U, "j\xc3\xb6rg@" BUECHER_A},
        {"group:Finance x", "group:Finance x"},
        {"O'Hara@corp.example", "o\\27hara@corp.example"},
        {"o\\27hara@corp.example", "o\\27hara@corp.example"},
        {"r&d/x@corp.example", "r\\26d\\2fx@corp.example"},
        {"J\xc3\x96's@corp.example", "j\xc3\xb6\\27s@corp.example"},
        {"sip:Ann@corp.example", "ann@corp.example"},
        {"SIP:corp.example", "corp.example"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct entry e;

        cr_assert_null(entry_parse(slice_from_cstr(cases[i][0]),
                                   ENTRY_ADDRESS | ENTRY_DOMAIN | ENTRY_SUFFIX | ENTRY_GROUP, &e),
                       "%s", cases[i][0]);
        cr_expect(slice_eq_cstr(entry_text(&e), cases[i][1]), "%.*s", SLICE_FMT(entry_text(&e)));
    }
}

/* A user of the SIP side is found by the name that the directory has. */
Test(users, names_of_a_directory_are_what_the_translator_makes_of_them)
{
    static const char *const names[] = {"ann", "o'hara",     "O'Hara", "r&d",
                                        "a/b", "j.o'hara-x", "a+b",    "n\xc3\xb6's"};

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        char uri[128] = "sip:";
        char text[128];
        struct jid_storage mem;
        struct entry e;
        struct jid jid;
        size_t at = 4;

        for (const char *c = names[i]; *c; c++) {
            bool is_escaped = *c == '&' || *c == '/' || (unsigned char)*c > 0x7f;

            at += (size_t)snprintf(uri + at, sizeof(uri) - at, is_escaped ? "%%%02x" : "%c",
                                   (unsigned char)*c);
        }
        (void)snprintf(uri + at, sizeof(uri) - at, "@corp.example");
        (void)snprintf(text, sizeof(text), "%s@corp.example", names[i]);
        cr_assert_eq(address_text_to_jid(slice_from_cstr(uri), false, &mem, &jid), 0, "%s", uri);
        cr_assert_null(entry_parse(slice_from_cstr(text), ENTRY_ADDRESS, &e), "%s", text);
        cr_expect(slice_eq(jid.local, slice_to(entry_text(&e), e.domain_at - 1)), "%s: %.*s %.*s",
                  uri, SLICE_FMT(jid.local), SLICE_FMT(entry_text(&e)));
    }
}
