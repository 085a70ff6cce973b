/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of proto/translate: presence states, their packed form, differences, stanzas. */
#include <stdio.h>

#include "base/err.h"
#include "presence_kit.h"

static struct presence_item with_note(struct presence_item item, const char *lang,
                                      const char *text)
{
    item.notes[item.note_count++] =
        (struct presence_note){slice_from_cstr(lang), slice_from_cstr(text)};
    return item;
}

static struct presence_item with_priority(struct presence_item item, int8_t priority)
{
    item.has_priority = true;
    item.priority = priority;
    return item;
}

static void apply(struct presence_state *state, const struct presence_item *item,
                  enum presence_applied want)
{
    cr_assert_eq(presence_apply(state, item), want, "%s", state_text(state));
}

static void put(struct presence_state *state, const char *resource, enum presence_show show)
{
    struct presence_item item = item_make(resource, show);

    apply(state, &item, PRESENCE_CHANGED);
}

/* ---- applying ---- */

Test(presence_state, items_are_in_order_and_replaced)
{
    struct presence_state state = {0};
    struct presence_item item;

    put(&state, "phone", PRESENCE_SHOW_AWAY);
    put(&state, "desk", PRESENCE_SHOW_AVAILABLE);
    put(&state, "", PRESENCE_SHOW_AVAILABLE);
    put(&state, "phone2", PRESENCE_SHOW_XA);
    expect_state(&state, ":available; desk:available; phone:away; phone2:xa", "in order");
    put(&state, "desk", PRESENCE_SHOW_DND);
    expect_state(&state, ":available; desk:dnd; phone:away; phone2:xa", "replaced");
    item = item_make("desk", PRESENCE_SHOW_DND);
    item.stamp_unix_s = NOW - 5;
    apply(&state, &item, PRESENCE_SAME);
    expect_state(&state, ":available; desk:dnd; phone:away; phone2:xa", "no news");
    cr_assert_null(presence_find(&state, SLICE_LIT("des")));
    cr_assert_eq(presence_find(&state, SLICE_LIT("phone"))->show, PRESENCE_SHOW_AWAY);
}

Test(presence_state, leaving)
{
    struct presence_state state = {0};
    struct presence_item item = item_make("desk", PRESENCE_SHOW_UNAVAILABLE);

    apply(&state, &item, PRESENCE_SAME);
    cr_assert_not(presence_is_available(&state));
    put(&state, "desk", PRESENCE_SHOW_AVAILABLE);
    put(&state, "phone", PRESENCE_SHOW_AVAILABLE);
    apply(&state, &item, PRESENCE_CHANGED);
    apply(&state, &item, PRESENCE_SAME);
    expect_state(&state, "desk:unavailable; phone:available", "P-10, told once");
    cr_assert(presence_is_available(&state));
    cr_assert(presence_settle(&state));
    expect_state(&state, "phone:available", "P-10, then gone");
    cr_assert_not(presence_settle(&state));
    /* From the bare address: all. */
    put(&state, "desk", PRESENCE_SHOW_CHAT);
    item = with_note(item_make("", PRESENCE_SHOW_UNAVAILABLE), "", "bye");
    apply(&state, &item, PRESENCE_CHANGED);
    expect_state(&state, "desk:unavailable,[]bye; phone:unavailable,[]bye", "all left");
    apply(&state, &item, PRESENCE_SAME);
}

Test(presence_state, full)
{
    struct presence_state state = {0};
    char names[PRESENCE_ITEMS_MAX + 1][8];
    struct presence_item item;

    for (unsigned i = 0; i <= PRESENCE_ITEMS_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "r%02u", i);
        item = item_make(names[i], PRESENCE_SHOW_AVAILABLE);
        apply(&state, &item, i < PRESENCE_ITEMS_MAX ? PRESENCE_CHANGED : PRESENCE_FULL);
    }
    cr_assert_eq(state.item_count, PRESENCE_ITEMS_MAX);
    /* One that leaves makes room. */
    struct presence_item gone = item_make("r03", PRESENCE_SHOW_UNAVAILABLE);
    apply(&state, &gone, PRESENCE_CHANGED);
    apply(&state, &item, PRESENCE_CHANGED);
    cr_assert_null(presence_find(&state, SLICE_LIT("r03")));
    cr_assert_not_null(presence_find(&state, slice_from_cstr(names[PRESENCE_ITEMS_MAX])));
}

Test(presence_state, bound_of_the_packed_form)
{
    static char note[PRESENCE_NOTE_BYTES_MAX + 1], name[PRESENCE_ITEMS_MAX][1024];
    struct presence_state state = {0};
    struct presence_item item;
    struct buf out;

    memset(note, 'n', sizeof(note) - 1);
    buf_init(&out, PRESENCE_PACKED_BYTES_MAX);
    /* Notes go first, further languages before first ones, those who speak last before others. */
    item = with_note(with_note(item_make("a", PRESENCE_SHOW_AVAILABLE), "", note), "en", note);
    apply(&state, &item, PRESENCE_CHANGED);
    item.resource = SLICE_LIT("b");
    item.show = PRESENCE_SHOW_XA;
    apply(&state, &item, PRESENCE_CHANGED);
    cr_assert_eq(state.items[0].note_count, 2);
    cr_assert_eq(state.items[1].note_count, 1);
    item.resource = SLICE_LIT("c");
    item.note_count = 1;
    item.show = PRESENCE_SHOW_AWAY;
    apply(&state, &item, PRESENCE_CHANGED);
    cr_assert_eq(state.items[0].note_count, 1);
    cr_assert_eq(presence_pack(&out, &state), 0);
    /* Then items. */
    for (unsigned i = 0; i < 6; i++) {
        memset(name[i], 'd' + (int)i, sizeof(name[i]) - 1);
        item = item_make(name[i], PRESENCE_SHOW_DND);
        (void)presence_apply(&state, &item);
        buf_clear(&out);
        cr_assert_eq(presence_pack(&out, &state), 0);
    }
    cr_assert_not_null(presence_find(&state, SLICE_LIT("a")));
    cr_assert_null(presence_find(&state, SLICE_LIT("b")));
    buf_deinit(&out);
}

Test(presence_state, p18_dialogs_merged)
{
    struct presence_state a = {0};
    struct presence_state b = {0};
    struct presence_item item;

    put(&a, "desk", PRESENCE_SHOW_AWAY);
    put(&a, "phone", PRESENCE_SHOW_AVAILABLE);
    put(&b, "desk", PRESENCE_SHOW_AVAILABLE);
    put(&b, "tablet", PRESENCE_SHOW_XA);
    presence_merge(&a, &b);
    expect_state(&a, "desk:available; phone:available; tablet:xa", "more available");
    item = item_make("phone", PRESENCE_SHOW_UNAVAILABLE);
    item.stamp_unix_s = NOW + 1;
    presence_clear(&b);
    b.items[b.item_count++] = item;
    presence_merge(&a, &b);
    expect_state(&a, "desk:available; phone:unavailable,s-1; tablet:xa", "newer");
}

Test(presence_state, p9_who_speaks)
{
    struct presence_state state = {0};
    struct presence_item item = with_priority(item_make("phone", PRESENCE_SHOW_AWAY), 5);

    cr_assert_null(presence_best(&state));
    apply(&state, &item, PRESENCE_CHANGED);
    item = with_priority(item_make("desk", PRESENCE_SHOW_DND), 1);
    apply(&state, &item, PRESENCE_CHANGED);
    cr_assert(slice_eq(presence_best(&state)->resource, SLICE_LIT("desk")));
    item = with_priority(item_make("web", PRESENCE_SHOW_DND), 2);
    apply(&state, &item, PRESENCE_CHANGED);
    cr_assert(slice_eq(presence_best(&state)->resource, SLICE_LIT("web")));
    item = with_priority(item_make("tv", PRESENCE_SHOW_DND), 2);
    apply(&state, &item, PRESENCE_CHANGED);
    cr_assert(slice_eq(presence_best(&state)->resource, SLICE_LIT("tv")), "order of the bytes");
    item.resource = SLICE_LIT("zoo");
    item.stamp_unix_s = NOW + 1;
    apply(&state, &item, PRESENCE_CHANGED);
    cr_assert(slice_eq(presence_best(&state)->resource, SLICE_LIT("zoo")), "newest");
    item = with_priority(item_make("", PRESENCE_SHOW_AVAILABLE), -5);
    apply(&state, &item, PRESENCE_CHANGED);
    cr_assert_eq(presence_best(&state)->show, PRESENCE_SHOW_AVAILABLE);
    item = item_make("", PRESENCE_SHOW_UNAVAILABLE);
    apply(&state, &item, PRESENCE_CHANGED);
    cr_assert_null(presence_best(&state));
}

/* ---- packed ---- */

Test(presence_pack, a_typical_state_is_short)
{
    struct presence_state state = {0};
    struct presence_state back;
    struct presence_item item = with_note(
        with_priority(item_make("a1b2c3d4e5f60708", PRESENCE_SHOW_AWAY), 5), "en", "At desk");
    struct buf out;

    apply(&state, &item, PRESENCE_CHANGED);
    buf_init(&out, PRESENCE_PACKED_BYTES_MAX);
    cr_assert_eq(presence_pack(&out, &state), 0);
    cr_assert_eq(buf_len(&out), 2 + 1 + 1 + 5 + 17 + 3 + 8);
    cr_assert_eq(presence_unpack(&back, buf_slice(&out)), 0);
    expect_state(&back, "a1b2c3d4e5f60708:away,5,[en]At desk", "back");
    buf_deinit(&out);
}

Test(presence_pack, nobody_is_one_byte_and_nothing_is_none)
{
    struct presence_state state = {0};
    struct buf out;

    buf_init(&out, 1);
    cr_assert_eq(presence_pack(&out, &state), 0);
    cr_assert_eq(buf_len(&out), 1);
    state.item_count = 7;
    cr_assert_eq(presence_unpack(&state, buf_slice(&out)), 0);
    cr_assert_eq(state.item_count, 0);
    state.item_count = 7;
    cr_assert_eq(presence_unpack(&state, SLICE_NONE), 0);
    cr_assert_eq(state.item_count, 0);
    put(&state, "a", PRESENCE_SHOW_AWAY);
    cr_assert_eq(presence_pack(&out, &state), ERR_LIMIT);
    cr_assert_eq(buf_len(&out), 1);
    buf_deinit(&out);
}

Test(presence_pack, damaged_bytes)
{
#define BAD(bytes) {(bytes), sizeof(bytes) - 1}
    static const struct slice bad[] = {
        BAD("\0"),                     /* version */
        BAD("\2\1\1\0\0"),
        BAD("\1\0"),                   /* no items, said twice */
        BAD("\1\21"),                  /* 17 items */
        BAD("\1\1"),
        BAD("\1\1\6\0\0"),             /* show */
        BAD("\1\1\1\0"),               /* resource missing */
        BAD("\1\1\1\0\0x"),            /* behind the end */
        BAD("\1\1\1\0\2a"),            /* longer than the rest */
        BAD("\1\1\1\x80\0\0"),         /* number not in its shortest form */
        BAD("\1\1\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\0"),
        BAD("\1\1\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0"),
        BAD("\1\1\x81\0\0\0"),         /* idle since 0 */
        BAD("\1\1\x51\0\0\0\1a\0\1b\0\1c\0\1d\0\1e"), /* five notes */
        BAD("\1\1\x11\0\0\0\0"),       /* empty note */
        BAD("\1\1\x11\0\0\1 \1a"),     /* no language */
        BAD("\1\1\x21\0\0\0\1a\0\1b"), /* one language twice */
        BAD("\1\1\x21\0\0\1b\1a\1a\1b"),
        BAD("\1\2\1\0\1b\1\0\1a"),     /* not in order */
        BAD("\1\2\1\0\1a\1\0\1a"),     /* twice */
        BAD("\1\1\1\0\1\1"),           /* a control character */
        BAD("\1\1\1\0\1\xff"),         /* no UTF-8 */
        BAD("\1\1\1\0\3\xef\xbf\xbe"), /* U+FFFE */
    };
    struct presence_state state;

    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        cr_assert_eq(presence_unpack(&state, bad[i]), ERR_BAD_INPUT, "%zu", i);
        cr_assert_eq(state.item_count, 0);
    }
    cr_assert_eq(presence_unpack(&state, SLICE_LIT("\1\1\1\0\1a")), 0);
    expect_state(&state, "a:available", "and a good one");
#undef BAD
}

/* ---- differences ---- */

static void changes(const char *want, const struct presence_state *before,
                    const struct presence_state *now)
{
    struct presence_stanza_options options = {.from_bare = SLICE_LIT("b@c"),
                                              .to = SLICE_LIT("a@d"),
                                              .now_unix_s = NOW,
                                              .with_notes = true};
    struct buf out;
    size_t count = 0;

    buf_init(&out, 65536);
    uint32_t told = presence_write_changes(&out, before, now, &options);
    cr_assert(slice_eq_cstr(buf_slice(&out), want), "%.*s", SLICE_FMT(buf_slice(&out)));
    for (const char *at = want; (at = strstr(at, "<presence ")) != NULL; at++) {
        count++;
    }
    cr_assert_eq(told, count);
    buf_deinit(&out);
}

#define P(from, more) "<presence from=\"" from "\" to=\"a@d\"" more
#define HERE(from, more) P("b@c/" from, ">" more "</presence>")
#define GONE(from) P("b@c/" from, " type=\"unavailable\"></presence>")

Test(presence_diff, new_changed_left)
{
    struct presence_state before = {0};
    struct presence_state now = {0};

    changes(P("b@c", " type=\"unavailable\"/>"), NULL, &now);
    put(&before, "a", PRESENCE_SHOW_AVAILABLE);
    changes(HERE("a", ""), NULL, &before);
    changes("", &before, &before);
    changes(GONE("a"), &before, &now);
    changes(HERE("a", ""), &now, &before);
    put(&now, "a", PRESENCE_SHOW_DND);
    put(&now, "b", PRESENCE_SHOW_AVAILABLE);
    changes(HERE("a", "<show>dnd</show>") HERE("b", ""), &before, &now);
    changes(GONE("b") HERE("a", ""), &now, &before);
    /* Another stamp is no news. */
    before = now;
    before.items[0].stamp_unix_s = NOW - 1000;
    changes("", &before, &now);
}

Test(presence_diff, p5_never_seen_and_closed)
{
    struct presence_state before = {0};
    struct presence_state now = {.item_count = 2};

    now.items[0] = item_make("a", PRESENCE_SHOW_AVAILABLE);
    now.items[1] = item_make("b", PRESENCE_SHOW_UNAVAILABLE);
    changes(HERE("a", ""), &before, &now);
    changes(HERE("a", ""), NULL, &now);
    now.items[0].show = PRESENCE_SHOW_UNAVAILABLE;
    changes("", &before, &now);
    changes(P("b@c", " type=\"unavailable\"/>"), NULL, &now);
}

Test(presence_diff, a_closed_one_takes_its_note_along)
{
    struct presence_state before = {0};
    struct presence_state now = {.item_count = 1};

    put(&before, "a", PRESENCE_SHOW_AVAILABLE);
    now.items[0] = with_note(item_make("a", PRESENCE_SHOW_UNAVAILABLE), "", "home");
    changes(P("b@c/a", " type=\"unavailable\"><status>home</status></presence>"), &before, &now);
}

/* ---- stanzas ---- */

static void expect_item(const char *inside, const char *want)
{
    struct presence_state state = {.item_count = 1};
    char xml[2000];

    (void)snprintf(xml, sizeof(xml), "<presence from='j@chat.example/desk' to='b@corp.example'%s",
                   inside);
    presence_read_stanza(&state.items[0], stanza_of(xml), NOW);
    expect_state(&state, want, xml);
}

Test(presence_stanza, read)
{
    expect_item("/>", "desk:available");
    expect_item("><show>away</show></presence>", "desk:away");
    expect_item("><show> xa\n</show></presence>", "desk:xa");
    expect_item("><show>chat</show></presence>", "desk:chat");
    expect_item("><show>dnd</show></presence>", "desk:dnd");
    expect_item("><show>online</show></presence>", "desk:available");
    expect_item("><show xmlns='x'>dnd</show></presence>", "desk:available");
    expect_item("><priority>5</priority></presence>", "desk:available,5");
    expect_item("><priority>-128</priority></presence>", "desk:available,-128");
    expect_item("><priority> +127 </priority></presence>", "desk:available,127");
    expect_item("><priority>128</priority></presence>", "desk:available");
    expect_item("><priority>-129</priority></presence>", "desk:available");
    expect_item("><priority>x</priority></presence>", "desk:available");
    expect_item("><priority></priority></presence>", "desk:available");
    expect_item(" xml:lang='de'><status>weg</status><status xml:lang='en'>gone</status>"
                "</presence>",
                "desk:available,[de]weg,[en]gone");
    expect_item("><status/><status xml:lang='en'/></presence>", "desk:available");
    expect_item("><idle xmlns='urn:xmpp:idle:1' since='2026-11-20T11:50:00Z'/></presence>",
                "desk:available,i600");
    expect_item("><idle xmlns='urn:xmpp:idle:1' since='2027-11-20T11:50:00Z'/></presence>",
                "desk:available,i0");
    expect_item("><delay xmlns='urn:xmpp:delay' stamp='2026-11-20T11:00:00Z'/></presence>",
                "desk:available,s3600");
    expect_item("><delay xmlns='urn:xmpp:delay' stamp='2027-11-20T11:00:00Z'/></presence>",
                "desk:available");
    expect_item("><delay xmlns='urn:xmpp:delay' stamp='now'/></presence>", "desk:available");
    expect_item(" type='unavailable'><show>dnd</show><priority>3</priority><status>bye</status>"
                "</presence>",
                "desk:unavailable,[]bye");
}

static void expect_stanza(const struct presence_item *item, bool with_notes, const char *want)
{
    struct presence_stanza_options options = {.from_bare = SLICE_LIT("bob&co@corp.example"),
                                              .to = SLICE_LIT("ann@chat.example/<x>"),
                                              .now_unix_s = NOW,
                                              .with_notes = with_notes};
    struct buf out;
    struct buf full;

    buf_init(&out, 8192);
    buf_init(&full, 8192);
    buf_put_lit(&full, "<presence from=\"bob&amp;co@corp.example");
    buf_put_cstr(&full, want);
    presence_write_stanza(&out, item, &options);
    cr_assert(slice_eq(buf_slice(&out), buf_slice(&full)), "%.*s", SLICE_FMT(buf_slice(&out)));
    buf_deinit(&out);
    buf_deinit(&full);
}

#define TO "\" to=\"ann@chat.example/&lt;x&gt;\""

Test(presence_stanza, write)
{
    struct presence_item item;

    expect_stanza(NULL, true, TO " type=\"unavailable\"/>");
    item = item_make("a'\"<&>", PRESENCE_SHOW_XA);
    expect_stanza(&item, true,
                  "/a&apos;&quot;&lt;&amp;&gt;" TO "><show>xa</show></presence>");
    item = with_priority(with_note(with_note(item_make("d", PRESENCE_SHOW_AVAILABLE), "", "<x/>"),
                                   "en", "At desk"),
                         102);
    expect_stanza(&item, true,
                  "/d" TO "><status>&lt;x/&gt;</status><status xml:lang=\"en\">At desk</status>"
                  "<priority>102</priority></presence>");
    expect_stanza(&item, false, "/d" TO "><priority>102</priority></presence>");
    item = with_priority(item_make("", PRESENCE_SHOW_CHAT), -128);
    expect_stanza(&item, true, TO "><show>chat</show><priority>-128</priority></presence>");
    item = with_priority(item_make("", PRESENCE_SHOW_DND), 10);
    expect_stanza(&item, true, TO "><show>dnd</show><priority>10</priority></presence>");
    /* Older than a minute: said. */
    item = item_make("d", PRESENCE_SHOW_AWAY);
    item.stamp_unix_s = NOW - 60;
    expect_stanza(&item, true, "/d" TO "><show>away</show></presence>");
    item.stamp_unix_s = NOW - 61;
    item.idle_since_unix_s = NOW - 600;
    expect_stanza(&item, true,
                  "/d" TO "><show>away</show><idle xmlns=\"urn:xmpp:idle:1\" "
                  "since=\"2026-11-20T11:50:00Z\"/><delay xmlns=\"urn:xmpp:delay\" "
                  "stamp=\"2026-11-20T11:58:59Z\"/></presence>");
    /* Of one who left: no show, no priority, no idle time. */
    item = with_priority(with_note(item_make("d", PRESENCE_SHOW_UNAVAILABLE), "", "bye"), 5);
    expect_stanza(&item, true, "/d" TO " type=\"unavailable\"><status>bye</status></presence>");
}

Test(presence_stanza, what_no_xml_may_hold_is_cleaned)
{
    struct presence_item item = with_note(item_make("d", PRESENCE_SHOW_AVAILABLE), "e\"n",
                                          "a\1b\xff" "c\r\nd\re\xef\xbf\xbf" "f\xc3\xa4\tg");

    expect_stanza(&item, true,
                  "/d" TO "><status>ab\xef\xbf\xbd" "c\nd\nef\xc3\xa4\tg</status></presence>");
}

Test(presence_stanza, names)
{
    cr_assert_str_eq(presence_show_name(PRESENCE_SHOW_CHAT), "chat");
    cr_assert_str_eq(presence_show_name(PRESENCE_SHOW_UNAVAILABLE), "unavailable");
    cr_assert_str_eq(pidf_why_name(PIDF_WHY_ENTITY), "entity");
}
