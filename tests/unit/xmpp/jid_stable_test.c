/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jid_stable: what is remembered as normal is what libidn calls normal, and nobody takes more than
 * a share of the memory from the others. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/hash.h"
#include "jid_oracle.h"
#include "xmpp/jid_stable.h"

#define EVIL   SLICE_LIT("evil.example")
#define HONEST 3u
#define NAMES  100u

static void seed(void)
{
    hash_seed((struct hash_key){0x0123456789abcdef, 0xfedcba9876543211});
}

TestSuite(jid_stable, .init = seed);

static struct slice name_of(char mem[40], uint32_t domain, uint32_t i)
{
    return slice_make(mem, (size_t)snprintf(mem, 40, "b\u00fcro%u-%u", domain, i));
}

Test(jid_stable, found_as_it_was_kept)
{
    char longest[JID_STABLE_BYTES_MAX + 1];

    memset(longest, 'a', sizeof(longest));
    memcpy(longest, "\u00fc", 2);
    cr_assert_not(jid_stable_find(JID_STABLE_LOCAL, SLICE_LIT("b\u00fc")));
    jid_stable_keep(JID_STABLE_LOCAL, SLICE_LIT("b\u00fc"), EVIL);
    cr_assert(jid_stable_find(JID_STABLE_LOCAL, SLICE_LIT("b\u00fc")));
    cr_assert_not(jid_stable_find(JID_STABLE_RESOURCE, SLICE_LIT("b\u00fc")));
    cr_assert_not(jid_stable_find(JID_STABLE_LOCAL, SLICE_LIT("B\u00fc")));
    cr_assert_not(jid_stable_find(JID_STABLE_LOCAL, SLICE_LIT("b\u00fca")));
    cr_assert_not(jid_stable_find(JID_STABLE_LOCAL, SLICE_LIT("b")));
    jid_stable_keep(JID_STABLE_LOCAL, SLICE_NONE, EVIL);
    cr_assert_not(jid_stable_find(JID_STABLE_LOCAL, SLICE_NONE));
    jid_stable_keep(JID_STABLE_RESOURCE, slice_make(longest, JID_STABLE_BYTES_MAX), EVIL);
    cr_assert(jid_stable_find(JID_STABLE_RESOURCE, slice_make(longest, JID_STABLE_BYTES_MAX)));
    jid_stable_keep(JID_STABLE_RESOURCE, slice_make(longest, sizeof(longest)), EVIL);
    cr_assert_not(jid_stable_find(JID_STABLE_RESOURCE, slice_make(longest, sizeof(longest))));
}

/* Both kinds of a name may share a set: it is the kind that tells them apart there. */
Test(jid_stable, resources_are_found_as_resources_only)
{
    uint32_t kept = 0;
    char mem[40];
    char owner[40];

    for (uint32_t i = 0; i < 4 * JID_STABLE_COUNT; i++) {
        struct slice name = name_of(mem, 7, i);

        jid_stable_keep(JID_STABLE_RESOURCE, name,
                        slice_make(owner, (size_t)snprintf(owner, sizeof(owner), "d%u", i)));
        kept += jid_stable_find(JID_STABLE_RESOURCE, name);
        cr_assert_not(jid_stable_find(JID_STABLE_LOCAL, name), "%u", i);
    }
    cr_assert_gt(kept, 2 * JID_STABLE_COUNT, "hardly any was kept: test too weak");
}

/* Parts that are normal in one place and not in the other, and parts that are never: each time what
 * libidn says without a memory. */
Test(jid_stable, remembered_parts_stay_what_they_are)
{
    static const char *const parts[] = {
        "j\u00fcrgen", "J\u00fcrgen", "J\u00dcRGEN", "stra\u00dfe", "\u03c2", "\u5f20\u4e09",
        "\u0438\u0432\u0430\u043d", "\u0418\u0432\u0430\u043d", "\u0639\u0644\u064a",
        "a\u0639", "\ufb01", "e\u0301", "\u00e9", "\u2160", "b\u00fc b", "\u00a0", "\u200b",
        "\u212b", "x\u0340", "\uff21", "\U0001f600", "\u0130", "\u00ad\u00e9", "\xc3",
    };
    char text[200];

    for (uint32_t turn = 0; turn < 3; turn++) {
        for (size_t i = 0; i < ARRAY_COUNT(parts) * ARRAY_COUNT(parts); i++) {
            (void)snprintf(text, sizeof(text), "%s@their.example/%s",
                           parts[i % ARRAY_COUNT(parts)], parts[i / ARRAY_COUNT(parts)]);
            (void)jid_oracle_check(slice_from_cstr(text)); /* aborts on a difference */
        }
    }
}

static uint32_t honest_found(void)
{
    uint32_t found = 0;
    char mem[40];

    for (uint32_t i = 0; i < HONEST * NAMES; i++) {
        found += jid_stable_find(JID_STABLE_LOCAL, name_of(mem, i / NAMES, i % NAMES));
    }
    return found;
}

/* Those of other domains, by way of stanzas; then one names addresses without end, of its own and
 * of anybody's domain, some of them often. */
Test(jid_stable, who_names_many_displaces_a_share)
{
    static struct jid_storage mem[2];
    const struct jid evil = {.domain = EVIL};
    char text[80];
    struct jid jid;
    uint32_t before;
    uint32_t after;

    for (uint32_t i = 0; i < HONEST * NAMES; i++) {
        (void)snprintf(text, sizeof(text), "b\u00fcro%u-%u@honest%u.example", i / NAMES, i % NAMES,
                       i / NAMES);
        cr_assert_eq(jid_view(&mem[0], slice_from_cstr(text), &jid), 0);
    }
    before = honest_found();
    cr_assert_gt(before, HONEST * NAMES * 8 / 10, "%u", before);
    for (uint32_t i = 0; i < 100000; i++) {
        (void)snprintf(text, sizeof(text), "\u00fc%u@x%u.example/\u00fc%u", i, i % 1000, i / 2);
        cr_assert_eq(jid_view_named(&mem[1], slice_from_cstr(text), &evil, &jid), 0);
        cr_assert_eq(jid_view_named(&mem[1], slice_from_cstr(text), &evil, &jid), 0);
    }
    after = honest_found();
    cr_assert_geq(after + JID_STABLE_COUNT / 4, before, "%u of %u", after, before);
    cr_assert_lt(after, before, "it has a share");
}

/* At its bound a domain still remembers what it named lately. */
Test(jid_stable, a_share_is_used)
{
    uint32_t found = 0;
    char mem[40];

    for (uint32_t i = 0; i < 1000; i++) {
        jid_stable_keep(JID_STABLE_RESOURCE, name_of(mem, 0, i), EVIL);
    }
    for (uint32_t i = 0; i < 1000; i++) {
        found += jid_stable_find(JID_STABLE_RESOURCE, name_of(mem, 0, i));
    }
    cr_assert_eq(found, JID_STABLE_SHARE_MAX);
}
