/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of proto/translate: PIDF written, row by row of the table; there and back again. */
#include <stdio.h>

#include "presence_kit.h"

#define HEAD                                                                                       \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" " \
    "xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" "                                         \
    "xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"pres:bob@corp.example\">"
#define STAMP "<timestamp>2026-11-20T12:00:00Z</timestamp>"
#define STATUS(basic, more) "<status><basic>" basic "</basic>" more "</status>"
#define SHOW(show) "<show xmlns=\"jabber:client\">" show "</show>"
#define CONTACT(attr, gr) "<contact" attr ">sip:bob@corp.example" gr "</contact>"
#define PERSON(more) "<dm:person id=\"person\">" more "</dm:person>"
#define DOING(more) "<rpid:activities>" more "</rpid:activities>"
#define DRAFT(text)                                                                                \
    "<es:activities xmlns:es=\"urn:ietf:params:xml:ns:pidf:status:rpid-status\"><es:activity>"     \
    text "</es:activity></es:activities>"

/* Ids by resource: they may never change. */
#define ID_NONE "ID-3lhf3lzn6picg"
#define ID_DESK "ID-suuiesgsa2ltg"
#define ID_PHONE "ID-ntldmsyl22ssa"

static void expect_profile(const struct presence_state *state, enum pidf_profile profile,
                           const char *want)
{
    char full[8192];
    const char *is = written(state, profile, true);

    (void)snprintf(full, sizeof(full), HEAD "%s</presence>", want);
    cr_assert_str_eq(is, full, "\nis   %s\nwant %s", is, full);
}

static void expect(const struct presence_state *state, const char *want)
{
    expect_profile(state, PIDF_PROFILE_SIMPLE, want);
}

static struct presence_state one(const char *resource, enum presence_show show)
{
    struct presence_state state = {.item_count = 1};

    state.items[0] = item_make(resource, show);
    return state;
}

static void set_note(struct presence_item *item, const char *lang, const char *text)
{
    item->notes[item->note_count++] =
        (struct presence_note){slice_from_cstr(lang), slice_from_cstr(text)};
}

static struct presence_state desk_and_phone(enum presence_show desk, enum presence_show phone)
{
    struct presence_state state = {.item_count = 2};

    state.items[0] = item_make("desk", desk);
    state.items[1] = item_make("phone", phone);
    return state;
}

Test(pidf_write, nobody)
{
    struct presence_state state = {0};
    const char *want = "<tuple id=\"" ID_NONE "\">" STATUS("closed", "") CONTACT("", "") "</tuple>";

    expect(&state, want);
    expect_profile(&state, PIDF_PROFILE_LYNC, want);
}

Test(pidf_write, shows)
{
    struct presence_state state = one("desk", PRESENCE_SHOW_AVAILABLE);

    expect(&state, "<tuple id=\"" ID_DESK "\">" STATUS("open", "") CONTACT("", ";gr=desk")
                   STAMP "</tuple>");
    state.items[0].show = PRESENCE_SHOW_CHAT;
    expect(&state, "<tuple id=\"" ID_DESK "\">" STATUS("open", SHOW("chat"))
                   CONTACT("", ";gr=desk") STAMP "</tuple>");
    state.items[0].show = PRESENCE_SHOW_AWAY;
    expect(&state, "<tuple id=\"" ID_DESK "\">" STATUS("open", SHOW("away"))
                   CONTACT("", ";gr=desk") STAMP "</tuple>" PERSON(DOING("<rpid:away/>")));
    state.items[0].show = PRESENCE_SHOW_XA;
    expect(&state, "<tuple id=\"" ID_DESK "\">" STATUS("open", SHOW("xa"))
                   CONTACT("", ";gr=desk") STAMP "</tuple>" PERSON(DOING("<rpid:away/>")));
    state.items[0].show = PRESENCE_SHOW_DND;
    expect(&state, "<tuple id=\"" ID_DESK "\">" STATUS("open", SHOW("dnd"))
                   CONTACT("", ";gr=desk") STAMP "</tuple>" PERSON(DOING("<rpid:busy/>")));
    state.items[0].show = PRESENCE_SHOW_UNAVAILABLE;
    expect(&state, "<tuple id=\"" ID_DESK "\">" STATUS("closed", "") CONTACT("", ";gr=desk")
                   STAMP "</tuple>");
}

Test(pidf_write, p9_two_resources)
{
    struct presence_state state = desk_and_phone(PRESENCE_SHOW_DND, PRESENCE_SHOW_AWAY);

    state.items[0].has_priority = true;
    state.items[0].priority = 1;
    state.items[1].has_priority = true;
    state.items[1].priority = 5;
    expect(&state, "<tuple id=\"" ID_DESK "\">" STATUS("open", SHOW("dnd"))
                   CONTACT(" priority=\"0.007\"", ";gr=desk") STAMP "</tuple>"
                   "<tuple id=\"" ID_PHONE "\">" STATUS("open", SHOW("away"))
                   CONTACT(" priority=\"0.039\"", ";gr=phone") STAMP "</tuple>"
                   PERSON(DOING("<rpid:busy/><rpid:away/>")));
    expect_profile(&state, PIDF_PROFILE_LYNC,
                   "<tuple id=\"" ID_NONE "\">" STATUS("open", SHOW("dnd") DRAFT("busy"))
                   CONTACT(" priority=\"0.007\"", "") STAMP "</tuple>"
                   PERSON(DOING("<rpid:busy/>")));
}

Test(pidf_write, one_who_is_free_somewhere_is_not_busy)
{
    struct presence_state state = desk_and_phone(PRESENCE_SHOW_DND, PRESENCE_SHOW_AVAILABLE);

    expect(&state, "<tuple id=\"" ID_DESK "\">" STATUS("open", SHOW("dnd"))
                   CONTACT("", ";gr=desk") STAMP "</tuple>"
                   "<tuple id=\"" ID_PHONE "\">" STATUS("open", "")
                   CONTACT("", ";gr=phone") STAMP "</tuple>");
    expect_profile(&state, PIDF_PROFILE_LYNC,
                   "<tuple id=\"" ID_NONE "\">" STATUS("open", "") CONTACT("", "") STAMP
                   "</tuple>");
}

Test(pidf_write, p10_one_leaves)
{
    struct presence_state state =
        desk_and_phone(PRESENCE_SHOW_UNAVAILABLE, PRESENCE_SHOW_AVAILABLE);

    expect(&state, "<tuple id=\"" ID_DESK "\">" STATUS("closed", "") CONTACT("", ";gr=desk")
                   STAMP "</tuple><tuple id=\"" ID_PHONE "\">" STATUS("open", "")
                   CONTACT("", ";gr=phone") STAMP "</tuple>");
    cr_assert(presence_settle(&state));
    expect(&state, "<tuple id=\"" ID_PHONE "\">" STATUS("open", "") CONTACT("", ";gr=phone")
                   STAMP "</tuple>");
    /* The last ones: one tuple, that of him who left last. */
    state = desk_and_phone(PRESENCE_SHOW_UNAVAILABLE, PRESENCE_SHOW_UNAVAILABLE);
    state.items[1].stamp_unix_s++;
    expect(&state, "<tuple id=\"" ID_PHONE "\">" STATUS("closed", "") CONTACT("", ";gr=phone")
                   "<timestamp>2026-11-20T12:00:01Z</timestamp></tuple>");
}

Test(pidf_write, notes_and_idle)
{
    struct presence_state state = one("desk", PRESENCE_SHOW_AVAILABLE);
    struct presence_item *item = &state.items[0];

    set_note(item, "", "<b>&");
    set_note(item, "en", "At desk");
    item->idle_since_unix_s = NOW - 600;
    item->stamp_unix_s = 0;
    item->has_priority = true;
    item->priority = -1;
#define NOTES(name)                                                                                \
    "<" name ">&lt;b&gt;&amp;</" name "><" name " xml:lang=\"en\">At desk</" name ">"
    expect(&state, "<tuple id=\"" ID_DESK "\">" STATUS("open", "")
                   "<rpid:user-input last-input=\"2026-11-20T11:50:00Z\">idle</rpid:user-input>"
                   CONTACT("", ";gr=desk") NOTES("note") "</tuple>" PERSON(NOTES("dm:note")));
    cr_assert_null(strstr(written(&state, PIDF_PROFILE_SIMPLE, false), "note"));
    cr_assert_null(strstr(written(&state, PIDF_PROFILE_LYNC, false), "desk"));
    cr_assert(slice_eq(pidf_language(&state), SLICE_NONE));
    item->note_count = 0;
    cr_assert(slice_eq(pidf_language(&state), SLICE_NONE));
    set_note(item, "en", "x");
    cr_assert(slice_eq(pidf_language(&state), SLICE_LIT("en")));
}

Test(pidf_write, nothing_can_inject_markup)
{
    struct presence_state state = one("a'\"<&>;gr=x@%\xc3\xa4", PRESENCE_SHOW_AVAILABLE);
    struct presence_state back;
    const char *xml;

    set_note(&state.items[0], "\"><x", "]]></note>\1\xff<!--");
    xml = written(&state, PIDF_PROFILE_SIMPLE, true);
    cr_assert_not_null(strstr(xml, ";gr=a&apos;%22%3C&amp;%3E%3Bgr%3Dx%40%25%C3%A4</contact>"),
                       "%s", xml);
    cr_assert_not_null(strstr(xml, "<note>]]&gt;&lt;/note&gt;\xef\xbf\xbd&lt;!--</note>"), "%s",
                       xml);
    cr_assert_eq(read_as(&back, NULL, slice_from_cstr(xml), NULL), PIDF_WHY_OK);
    cr_assert(slice_eq(back.items[0].resource, state.items[0].resource));
}

Test(pidf_write, address_in_its_escapes)
{
    struct presence_state state = {0};
    struct pidf_out options = {.uri = SLICE_LIT("sip:a&b'%22@corp.example")};
    struct buf out;

    buf_init(&out, 4096);
    pidf_write(&out, &state, &options);
    buf_putc(&out, '\0');
    cr_assert_not_null(strstr(out.data, "entity=\"pres:a&amp;b&apos;%22@corp.example\""));
    cr_assert_not_null(strstr(out.data, ">sip:a&amp;b&apos;%22@corp.example</contact>"));
    buf_deinit(&out);
}

Test(pidf_write, a_full_buffer_fails)
{
    struct presence_state state = one("desk", PRESENCE_SHOW_DND);
    struct pidf_out options = {.uri = SLICE_LIT("sip:bob@corp.example"), .with_notes = true};
    size_t len = strlen(written(&state, PIDF_PROFILE_SIMPLE, true));

    for (size_t max = 0; max <= len; max++) {
        struct buf out;
        buf_init(&out, max);
        pidf_write(&out, &state, &options);
        cr_assert_eq(out.failed, max < len, "%zu", max);
        buf_deinit(&out);
    }
}

Test(pidf_write, note_6_priorities)
{
    unsigned last = 0;

    for (int p = 0; p <= 127; p++) {
        unsigned q = pidf_priority_to_thousandths((int8_t)p);
        cr_assert(p == 0 || q > last, "unique");
        cr_assert_eq(pidf_priority_from_thousandths(q), p);
        last = q;
    }
    cr_assert_eq(pidf_priority_to_thousandths(0), 0);
    cr_assert_eq(pidf_priority_to_thousandths(1), 7);
    cr_assert_eq(pidf_priority_to_thousandths(2), 15);
    cr_assert_eq(pidf_priority_to_thousandths(126), 992);
    cr_assert_eq(pidf_priority_to_thousandths(127), 1000);
    cr_assert_eq(pidf_priority_from_thousandths(800), 102);
    cr_assert_eq(pidf_priority_from_thousandths(5000), 127);
}

/* ---- there and back again ---- */

static uint64_t seed;

static unsigned dice(unsigned sides)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % sides;
}

static struct slice pick(const char *const *list, unsigned count)
{
    return slice_from_cstr(list[dice(count)]);
}

static struct presence_item random_item(bool with_notes)
{
    static const char *const names[] = {"desk", "phone", "a b", "\u00e4", "&<>\"'", "%41", "x;y=z",
                                        "0123456789abcdef", "]]>", "tab/let", "@", "ID-7"};
    static const char *const texts[] = {"At desk", "<b>&amp;</b>", "]]>", "caf\u00e9 \u2615",
                                        "two\nlines", "'\"", "\U0001f600", "a\tb"};
    static const char *const langs[] = {"de", "en", "en-GB", "fr"};
    struct presence_item item = {.resource = pick(names, ARRAY_COUNT(names)),
                                 .show = (enum presence_show)dice(PRESENCE_SHOW_UNAVAILABLE),
                                 .stamp_unix_s = NOW - (int64_t)dice(1000),
                                 .idle_since_unix_s = dice(2) ? NOW - 1 - (int64_t)dice(9000) : 0};

    item.has_priority = dice(2) != 0;
    item.priority = item.has_priority ? (int8_t)dice(128) : 0;
    for (unsigned i = 0; with_notes && i < 1 + dice(3); i++) {
        item.notes[i] = (struct presence_note){slice_from_cstr(langs[i]),
                                               pick(texts, ARRAY_COUNT(texts))};
        item.note_count++;
    }
    return item;
}

static void check_packed(const struct presence_state *state)
{
    struct presence_state back;
    struct buf one_way, other;

    buf_init(&one_way, PRESENCE_PACKED_BYTES_MAX);
    buf_init(&other, PRESENCE_PACKED_BYTES_MAX);
    cr_assert_eq(presence_pack(&one_way, state), 0);
    cr_assert_eq(presence_unpack(&back, buf_slice(&one_way)), 0);
    cr_assert(presence_eq(&back, state));
    cr_assert_eq(presence_pack(&other, &back), 0);
    cr_assert(slice_eq(buf_slice(&one_way), buf_slice(&other)));
    buf_deinit(&one_way);
    buf_deinit(&other);
}

/* Notes: all resources have some or none has, else the person's stand in for missing ones. */
Test(pidf_round, random_states_come_back, .timeout = 60)
{
    for (seed = 1; seed < 4000; seed++) {
        uint64_t number = seed;
        struct presence_state state = {0};
        struct presence_state back;
        bool with_notes = dice(2);
        char text[8192];

        for (unsigned i = 1 + dice(6); i > 0; i--) {
            struct presence_item item = random_item(with_notes);
            (void)presence_apply(&state, &item);
        }
        check_packed(&state);
        const char *xml = written(&state, PIDF_PROFILE_SIMPLE, true);
        cr_assert_eq(read_as(&back, NULL, slice_from_cstr(xml), NULL), PIDF_WHY_OK, "%s", xml);
        (void)snprintf(text, sizeof(text), "%s", state_text(&state));
        expect_state(&back, text, xml);
        /* One tuple: he who speaks, without his resource's name. */
        xml = written(&state, PIDF_PROFILE_LYNC, true);
        cr_assert_eq(read_as(&back, NULL, slice_from_cstr(xml), NULL), PIDF_WHY_OK, "%s", xml);
        cr_assert_eq(back.item_count, 1);
        cr_assert_eq(back.items[0].show, presence_best(&state)->show);
        seed = number;
    }
}

Test(pidf_round, ids_are_names_where_there_is_no_gruu)
{
    struct presence_state state = one("", PRESENCE_SHOW_AWAY);
    struct presence_state back;

    cr_assert_eq(read_as(&back, NULL, slice_from_cstr(written(&state, PIDF_PROFILE_SIMPLE, true)),
                         NULL),
                 PIDF_WHY_OK);
    expect_state(&back, &(ID_NONE ":away")[3], "the id of no resource");
}
