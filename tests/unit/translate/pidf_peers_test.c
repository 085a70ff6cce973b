/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of proto/translate: documents in the manner of those who write them: presence servers,
 * user agents, Microsoft's categories and its PIDF subset.                                       */
#include <stdio.h>

#include "base/pool.h"
#include "presence_kit.h"
#include "translate/rpid.h"

static void expect_document(const char *type, const char *xml, const char *want)
{
    struct presence_state state;
    enum pidf_why why = read_as(&state, type, slice_from_cstr(xml), NULL);

    cr_assert_eq(why, PIDF_WHY_OK, "%s: %s", xml, pidf_why_name(why));
    expect_state(&state, want, xml);
}

/* ---- PIDF as it is met ---- */

Test(pidf_peers, presence_server_with_several_publications)
{
    /* A server that puts the publications of two agents into one document. */
    expect_document(
        NULL,
        "<?xml version=\"1.0\"?>\n"
        "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:dm=\"urn:ietf:params:xml:ns:pidf:"
        "data-model\" xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" xmlns:c=\"urn:ietf:params:"
        "xml:ns:pidf:cipid\" entity=\"sip:bob@corp.example\">\n"
        "  <tuple xmlns=\"urn:ietf:params:xml:ns:pidf\" id=\"0x7f3a\">\n"
        "    <status>\n      <basic>open</basic>\n    </status>\n"
        "    <contact priority=\"0.5\">sip:bob@192.0.2.7:5060;transport=udp</contact>\n"
        "  </tuple>\n"
        "  <dm:person id=\"pdd748945\">\n    <rpid:activities>\n      <rpid:on-the-phone/>\n"
        "    </rpid:activities>\n    <dm:note>On the phone</dm:note>\n  </dm:person>\n"
        "  <tuple id=\"0x81c2\"><status><basic>closed</basic></status></tuple>\n"
        "  <c:display-name>Bob</c:display-name>\n"
        "</presence>\n",
        "0x7f3a:dnd,64,[]On the phone; 0x81c2:unavailable");
}

Test(pidf_peers, command_line_agent)
{
    expect_document(NULL,
                    "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\r\n"
                    "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\"\r\n"
                    "    xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\"\r\n"
                    "    xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\"\r\n"
                    "    entity=\"sip:bob@corp.example\">\r\n"
                    "  <dm:person id=\"p9\"><rpid:activities><rpid:away/></rpid:activities>"
                    "</dm:person>\r\n"
                    "  <tuple id=\"t9\">\r\n    <status>\r\n      <basic>open</basic>\r\n"
                    "    </status>\r\n    <contact>sip:bob@corp.example</contact>\r\n"
                    "  </tuple>\r\n</presence>\r\n",
                    "t9:away");
}

Test(pidf_peers, desktop_softphone)
{
    /* Default namespace for PIDF, prefixes of its own, a note in the language of the user. */
    expect_document(
        "application/pidf+xml;charset=utf-8",
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\" ?>"
        "<presence entity=\"sip:bob@corp.example\" xmlns=\"urn:ietf:params:xml:ns:pidf\" "
        "xmlns:pidfonline=\"http://www.example.org/ns/pidfonline\" "
        "xmlns:p1=\"urn:ietf:params:xml:ns:pidf:data-model\" "
        "xmlns:p2=\"urn:ietf:params:xml:ns:pidf:rpid\">"
        "<tuple id=\"qmzd3a\"><status><basic>open</basic></status>"
        "<contact priority=\"0.8\">sip:bob@corp.example;gr=urn:uuid:6a1c2f00-0000-4000-8000-"
        "000000000001</contact><timestamp>2026-11-20T11:40:00Z</timestamp></tuple>"
        "<p1:person id=\"b1b2b3\"><p2:activities><p2:vacation/></p2:activities>"
        "<p1:note xml:lang=\"fr\">En cong\u00e9</p1:note></p1:person></presence>",
        "urn:uuid:6a1c2f00-0000-4000-8000-000000000001:xa,102,s1200,[fr]En cong\u00e9");
}

Test(pidf_peers, microsoft_subset)
{
    /* One tuple, activities of the draft within the status, no person. */
    expect_document(NULL,
                    "<?xml version=\"1.0\"?><presence xmlns=\"urn:ietf:params:xml:ns:pidf\" "
                    "xmlns:ep=\"urn:ietf:params:xml:ns:pidf:status:rpid-status\" "
                    "xmlns:et=\"urn:ietf:params:xml:ns:pidf:rpid-tuple\" "
                    "xmlns:ci=\"urn:ietf:params:xml:ns:pidf:cipid\" "
                    "entity=\"sip:bob@corp.example\"><tuple id=\"0\"><status><basic>open</basic>"
                    "<ep:activities><ep:activity>busy</ep:activity></ep:activities></status>"
                    "</tuple><ci:display-name>Bob</ci:display-name></presence>",
                    "0:dnd");
}

Test(pidf_peers, draft_namespace)
{
    expect_document("application/cpim-pidf+xml",
                    "<presence xmlns=\"urn:ietf:params:xml:ns:cpim-pidf\" "
                    "entity=\"sip:bob@corp.example\"><tuple id=\"a\"><status><basic>open</basic>"
                    "</status></tuple></presence>",
                    "a:available");
}

/* ---- the same user in another spelling ---- */

static enum pidf_why about(const char *presentity, const char *entity)
{
    struct pidf_reader *reader;
    struct presence_state state;
    struct jid_storage mem;
    struct jid jid;
    char xml[400];
    struct pidf_in in = {.content_type = SLICE_LIT(PIDF_MEDIA_TYPE), .presentity = &jid};
    int n = snprintf(xml, sizeof(xml),
                     "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity=\"%s\"/>", entity);

    cr_assert_eq(jid_parse(&mem, slice_from_cstr(presentity), &jid), 0);
    cr_assert_eq(pidf_reader_new(&reader), 0);
    in.bytes = slice_make(xml, (size_t)n);
    enum pidf_why why = pidf_read(reader, &state, &in);
    pidf_reader_free(reader);
    return why;
}

Test(pidf_peers, entity_in_other_spellings)
{
    cr_assert_eq(about("bob@b\u00fccher.example", "pres:bob@xn--bcher-kva.example"), PIDF_WHY_OK);
    cr_assert_eq(about("bob@b\u00fccher.example", "pres:bob@bucher.example"), PIDF_WHY_ENTITY);
    cr_assert_eq(about("o\\27brien@corp.example", "sip:o'brien@corp.example"), PIDF_WHY_OK);
    cr_assert_eq(about("o\\27brien@corp.example", "sip:o%27brien@corp.example"), PIDF_WHY_OK);
    /* In a URI the escape sequence of an address is only characters. */
    cr_assert_eq(about("o\\27brien@corp.example", "sip:o%5C27brien@corp.example"),
                 PIDF_WHY_ENTITY);
    cr_assert_eq(about("\u00e4@corp.example", "sip:%C3%A4@corp.example"), PIDF_WHY_OK);
    cr_assert_eq(about("a.b-c_d@corp.example", "sip:A.B-C_D@corp.example"), PIDF_WHY_OK);
    cr_assert_eq(about("bob@corp.example", "sip:bob@corp.example;gr=x"), PIDF_WHY_OK);
    cr_assert_eq(about("bob@corp.example", "sip:bob%00@corp.example"), PIDF_WHY_ENTITY);
    cr_assert_eq(about("bob@corp.example", "tel:bob@corp.example"), PIDF_WHY_ENTITY);
}

/* ---- memory ---- */

static const char plain[] =
    "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:bob@corp.example'><tuple id='a'>"
    "<status><basic>open</basic></status><contact priority='0.1'>sip:bob@corp.example;gr=x%20"
    "</contact><note>a &amp; b</note></tuple></presence>";

Test(pidf_memory, a_warm_reader_allocates_nothing)
{
    struct presence_state state;
    struct pidf_reader *reader;
    struct pidf_in in = {.content_type = SLICE_LIT(PIDF_MEDIA_TYPE),
                         .bytes = slice_from_cstr(plain),
                         .presentity = bob()};

    cr_assert_eq(pidf_reader_new(&reader), 0);
    cr_assert_eq(pidf_read(reader, &state, &in), PIDF_WHY_OK);
    pool_fail_nth(1);
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(pidf_read(reader, &state, &in), PIDF_WHY_OK);
    }
    /* The trap is still armed: nothing has asked for memory. */
    cr_assert_null(pool_alloc(1));
    expect_state(&state, "x :available,13,[]a & b", plain);
    pidf_reader_free(reader);
}

Test(pidf_memory, running_out_is_a_verdict)
{
    struct presence_state state;
    struct pidf_in in = {.content_type = SLICE_LIT("application/pidf+xml;charset=iso-8859-1"),
                         .bytes = slice_from_cstr(plain),
                         .presentity = bob()};
    enum pidf_why why = PIDF_WHY_NOMEM;
    uint64_t n;

    for (n = 1; n < 50 && why != PIDF_WHY_OK; n++) {
        struct pidf_reader *reader;

        pool_fail_nth(n);
        if (pidf_reader_new(&reader)) {
            cr_assert_null(reader);
            continue;
        }
        why = pidf_read(reader, &state, &in);
        cr_assert(why == PIDF_WHY_OK || (why == PIDF_WHY_NOMEM && state.item_count == 0), "%s",
                  pidf_why_name(why));
        pidf_reader_free(reader);
    }
    pool_fail_nth(0);
    cr_assert_gt(n, 4);
    cr_assert_eq(why, PIDF_WHY_OK);
}

/* ---- Microsoft's categories ---- */

#define CATEGORIES "application/msrtc-event-categories+xml"
#define STATE(type, body)                                                                          \
    "<category name='state' instance='1' publishTime='2026-11-20T11:00:00Z'><state "               \
    "xmlns='http://schemas.microsoft.com/2006/09/sip/state' "                                      \
    "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='" type                        \
    "' lastActive='2026-11-20T11:50:00Z'>" body "</state></category>"
#define NOTE(body)                                                                                 \
    "<category name='note'><note xmlns='http://schemas.microsoft.com/2006/09/sip/note'>" body      \
    "</note></category>"

static enum pidf_why read_categories(struct presence_state *state, const char *inside,
                                     const struct presence_state *before)
{
    static char xml[4000];
    int n = snprintf(xml, sizeof(xml),
                     "<categories xmlns='http://schemas.microsoft.com/2006/09/sip/categories' "
                     "uri='sip:bob@corp.example'>%s</categories>",
                     inside);

    return read_as(state, CATEGORIES, slice_make(xml, (size_t)n), before);
}

static void expect_categories(const char *inside, const struct presence_state *before,
                              const char *want)
{
    struct presence_state state;

    cr_assert_eq(read_categories(&state, inside, before), PIDF_WHY_OK, "%s", inside);
    expect_state(&state, want, inside);
}

Test(categories, p22)
{
    expect_categories(STATE("aggregateState", "<availability>18500</availability>"), NULL,
                      "sip:unavailable");
    expect_categories(STATE("aggregateState", "<availability>15500</availability>"
                                              "<activity token='out-of-office'/>"),
                      NULL, "sip:xa,i600");
}

Test(categories, availability_ranges)
{
    static const struct {
        unsigned first;
        unsigned last;
        enum presence_show show;
    } rows[] = {
        {0, 2999, PRESENCE_SHOW_UNAVAILABLE},   {3000, 4499, PRESENCE_SHOW_AVAILABLE},
        {4500, 5999, PRESENCE_SHOW_AWAY},       {6000, 7499, PRESENCE_SHOW_DND},
        {7500, 8999, PRESENCE_SHOW_DND},        {9000, 11999, PRESENCE_SHOW_DND},
        {12000, 14999, PRESENCE_SHOW_AWAY},     {15000, 17999, PRESENCE_SHOW_AWAY},
        {18000, 4000000, PRESENCE_SHOW_UNAVAILABLE},
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        cr_assert_eq(rpid_show_of_availability(rows[i].first, SLICE_NONE), rows[i].show);
        cr_assert_eq(rpid_show_of_availability(rows[i].last, SLICE_NONE), rows[i].show);
    }
    cr_assert_eq(rpid_show_of_availability(6500, SLICE_LIT("on-the-phone")), PRESENCE_SHOW_DND);
    cr_assert_eq(rpid_show_of_availability(15500, SLICE_LIT("off-work")), PRESENCE_SHOW_XA);
    cr_assert_eq(rpid_show_of_availability(3500, SLICE_LIT("out-of-office")),
                 PRESENCE_SHOW_AVAILABLE);
    cr_assert_eq(rpid_show_of_availability(UINT64_MAX, SLICE_NONE), PRESENCE_SHOW_UNAVAILABLE);
}

Test(categories, the_aggregate_counts)
{
    expect_categories(STATE("machineState", "<availability>3500</availability>")
                          STATE("aggregateState", "<availability>6500</availability>")
                      NOTE("<body type='personal' uri=''>In a meeting</body>"),
                      NULL, "sip:dnd,i600,[]In a meeting");
    expect_categories(STATE("userState", "<availability>3500</availability>"), NULL,
                      "sip:available");
}

Test(categories, only_what_changed_is_in_it)
{
    struct presence_state before = {.item_count = 1};

    before.items[0] = item_make("sip", PRESENCE_SHOW_AWAY);
    before.items[0].stamp_unix_s = NOW - 99;
    expect_categories(NOTE("<body>new</body>"), &before, "sip:away,[]new");
    expect_categories("<category name='contactCard'/>", &before, "sip:away,s99");
    before.items[0].notes[0] = (struct presence_note){SLICE_NONE, SLICE_LIT("old")};
    before.items[0].note_count = 1;
    expect_categories(NOTE(""), &before, "sip:away");
    expect_categories(STATE("aggregateState", "<availability>3500</availability>"), &before,
                      "sip:available,[]old");
    expect_categories(STATE("aggregateState", "<availability>18500</availability>"), &before,
                      "sip:unavailable,[]old");
}

Test(categories, refused)
{
    struct presence_state state;

    cr_assert_eq(read_categories(&state, STATE("aggregateState", ""), NULL), PIDF_WHY_MALFORMED);
    cr_assert_eq(read_categories(&state, STATE("aggregateState", "<availability>-1"
                                                                 "</availability>"),
                                 NULL),
                 PIDF_WHY_MALFORMED);
    cr_assert_eq(read_as(&state, CATEGORIES, SLICE_LIT("<categories uri='bob@corp.example'/>"),
                         NULL),
                 PIDF_WHY_MALFORMED);
    cr_assert_eq(read_as(&state, CATEGORIES,
                         SLICE_LIT("<categories xmlns='http://schemas.microsoft.com/2006/09/sip/"
                                   "categories' uri='sip:eve@corp.example'/>"),
                         NULL),
                 PIDF_WHY_ENTITY);
    cr_assert_eq(state.item_count, 0);
}
