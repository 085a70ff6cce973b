/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of proto/translate: reading PIDF, row by row of the table, vectors, hostile ones. */
#include <stdio.h>

#include "pidf_pieces.h"
#include "presence_kit.h"

Test(pidf_read, p1_active_with_body)
{
    expect_inside("<tuple id='ID-a1'><status><basic>open</basic></status>"
                  "<contact priority='0.8'>sip:bob@corp.example</contact>"
                  "<note xml:lang='en'>At desk</note></tuple>",
                  "a1:available,102,[en]At desk");
}

Test(pidf_read, p2_no_body)
{
    struct presence_state state;

    cr_assert_eq(read_as(&state, "", SLICE_NONE, NULL), PIDF_WHY_EMPTY);
    cr_assert_eq(state.item_count, 0);
    cr_assert_eq(read_as(&state, NULL, SLICE_LIT("\r\n"), NULL), PIDF_WHY_EMPTY);
}

Test(pidf_read, basic)
{
    expect_inside(OPEN("a", ""), "a:available");
    expect_inside(CLOSED("a"), "a:unavailable");
    expect_inside(STATUS("a", "<basic> open\n</basic>"), "a:available");
    expect_inside(STATUS("a", "<basic>Closed</basic>"), "a:unavailable");
    expect_inside("", "");
    /* Missing: available if anything is done, else as it was, which was nothing. */
    expect_inside(STATUS("a", ""), "");
    expect_inside(STATUS("a", "<basic>perhaps</basic>"), "");
    expect_inside(STATUS("a", "<rpid:activities><rpid:busy/></rpid:activities>"), "a:dnd");
    expect_inside(STATUS("a", "<show xmlns='jabber:client'>xa</show>"), "a:xa");
    expect_inside(STATUS("a", "") DOING("<rpid:tv/>"), "a:available");
}

Test(pidf_read, basic_missing_keeps_what_was)
{
    struct presence_state before = {.item_count = 1};
    struct presence_state state;

    before.items[0] = item_make("a", PRESENCE_SHOW_AWAY);
    cr_assert_eq(read_inside(&state, STATUS("a", ""), &before), PIDF_WHY_OK);
    expect_state(&state, "a:away", "kept");
}

Test(pidf_read, show_of_xmpp)
{
    expect_inside(STATUS("a", "<basic>open</basic><show xmlns='jabber:client'>away</show>"),
                  "a:away");
    expect_inside(STATUS("a", "<basic>open</basic><show xmlns='jabber:client'>chat</show>"),
                  "a:chat");
    expect_inside(STATUS("a", "<basic>open</basic><show xmlns='jabber:client'>dnd</show>"),
                  "a:dnd");
    expect_inside(STATUS("a", "<show xmlns='jabber:client'>xa</show><basic>open</basic>"),
                  "a:xa");
    expect_inside(STATUS("a", "<basic>open</basic><show xmlns='jabber:client'>gone</show>"),
                  "a:available");
    expect_inside(STATUS("a", "<basic>open</basic><show>away</show>"), "a:available");
    expect_inside(STATUS("a", "<show xmlns='jabber:client'>xa</show><basic>closed</basic>"),
                  "a:unavailable");
    /* It counts more than the person's activities: it is this resource's own. */
    expect_inside(STATUS("a", "<basic>open</basic><show xmlns='jabber:client'>xa</show>")
                      DOING("<rpid:busy/>"),
                  "a:xa");
}

Test(pidf_read, activities_of_the_table)
{
    static const struct {
        const char *tokens;
        const char *show;
    } rows[] = {
        {"busy on-the-phone meeting appointment presentation performance in-a-conference "
         "in-a-meeting urgent-interruptions-only do-not-disturb",
         "dnd"},
        {"away lunch meal breakfast dinner in-transit steering shopping spectator be-right-back "
         "Inactive",
         "away"},
        {"vacation holiday travel permanent-absence sleeping out-of-office off-work", "xa"},
        {"working looking-for-work playing tv worship other unknown Available", "available"},
    };
    char inside[400], want[40];

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct slice rest = slice_from_cstr(rows[i].tokens);
        struct slice token;
        bool more = true;

        while (more) {
            more = slice_cut(&rest, ' ', &token);
            (void)snprintf(inside, sizeof(inside), OPEN("a", "") DOING("<rpid:%.*s/>"),
                           SLICE_FMT(token));
            (void)snprintf(want, sizeof(want), "a:%s", rows[i].show);
            expect_inside(inside, want);
            /* Written as text in the status: the draft, Microsoft. */
            (void)snprintf(inside, sizeof(inside),
                           STATUS("a", "<basic>open</basic><e:activities xmlns:e='urn:ietf:params:"
                                       "xml:ns:pidf:status:rpid-status'><e:activity>%.*s"
                                       "</e:activity></e:activities>"),
                           SLICE_FMT(token));
            expect_inside(inside, want);
        }
    }
}

Test(pidf_read, activities_first_match_and_open_only)
{
    expect_inside(OPEN("a", "") DOING("<rpid:working/><rpid:vacation/><rpid:busy/>"), "a:xa");
    expect_inside(CLOSED("a") DOING("<rpid:busy/>"), "a:unavailable");
    expect_inside(OPEN("a", "") CLOSED("b") OPEN("c", "") DOING("<rpid:busy/>"),
                  "a:dnd; b:unavailable; c:dnd");
    /* Its own before the person's; other namespaces, no prefix. */
    expect_inside(OPEN("a", "<activities xmlns='urn:x'><away/></activities>")
                      DOING("<rpid:busy/>"),
                  "a:away");
    expect_inside(OPEN("a", "") "<person xmlns='urn:y'><activities><busy/></activities></person>",
                  "a:dnd");
    expect_inside(OPEN("a", "") DOING("") DOING("<rpid:lunch/>"), "a:away");
    expect_inside(OPEN("a", "") DOING("<x:teleporting xmlns:x='urn:x'/>"), "a:available");
}

Test(pidf_read, activities_within_their_times)
{
    expect_inside(OPEN("a", "") PERSON("<rpid:activities from='2026-11-20T11:00:00Z' "
                                       "until='2026-11-20T14:00:00+01:00'><rpid:busy/>"
                                       "</rpid:activities>"),
                  "a:dnd");
    expect_inside(OPEN("a", "") PERSON("<rpid:activities until='2026-11-20T11:59:59Z'>"
                                       "<rpid:busy/></rpid:activities>"),
                  "a:available");
    expect_inside(OPEN("a", "") PERSON("<rpid:activities from='2026-11-21T00:00:00Z'>"
                                       "<rpid:busy/></rpid:activities>"),
                  "a:available");
}

Test(pidf_read, free_text_goes_to_the_status)
{
    expect_inside(OPEN("a", "") DOING("<rpid:other>reading</rpid:other>"), "a:available,[]reading");
    expect_inside(OPEN("a", "<note xml:lang='en'>Home</note>")
                      DOING("<rpid:other>reading</rpid:other><rpid:away/>"),
                  "a:away,[en]Home (reading)");
    expect_inside(STATUS("a", "<basic>open</basic><activities xmlns='urn:x'><activity>Walking "
                              "the dog</activity></activities>"),
                  "a:available,[]Walking the dog");
}

Test(pidf_read, notes)
{
    expect_inside(OPEN("a", "<note xml:lang='fr'>Absent</note><note xml:lang='en'>Gone</note>"
                            "<note>x</note>"),
                  "a:available,[]x,[en]Gone,[fr]Absent");
    /* Tuple, then person, then document. */
    expect_inside(OPEN("a", "<note>t</note>") OPEN("b", "") PERSON("<dm:note>p</dm:note>")
                      "<note>d</note>",
                  "a:available,[]t; b:available,[]p");
    expect_inside(OPEN("a", "") "<note>d</note>", "a:available,[]d");
    expect_inside(OPEN("a", "") DOING("<rpid:note>Far away</rpid:note><rpid:away/>"),
                  "a:away,[]Far away");
    expect_inside(OPEN("a", "") PERSON("<dm:note>p</dm:note><rpid:activities><rpid:note>x"
                                       "</rpid:note></rpid:activities>"),
                  "a:available,[]p");
    /* Language of what is around it; the first of a language counts; what is no language. */
    expect_inside("<tuple id='a' xml:lang='de'><status><basic>open</basic></status><note>eins"
                  "</note><note>zwei</note></tuple>",
                  "a:available,[de]eins");
    expect_inside(OPEN("a", "<note xml:lang='e n'>x</note>"), "a:available,[]x");
    expect_inside(OPEN("a", "<note>  </note><note xml:lang='en'>\n A &lt; B \n</note>"),
                  "a:available,[en]A < B");
    expect_inside(OPEN("a", "<note><![CDATA[<b>]]><!-- no --> c</note>"),
                  "a:available,[]<b> c");
    /* A fifth language has no place. */
    expect_inside(OPEN("a", "<note xml:lang='e'>5</note><note xml:lang='d'>4</note>"
                            "<note xml:lang='c'>3</note><note xml:lang='b'>2</note>"
                            "<note xml:lang='a'>1</note>"),
                  "a:available,[b]2,[c]3,[d]4,[e]5");
}

Test(pidf_read, content_language)
{
    struct presence_state state;
    struct pidf_reader *reader;
    struct pidf_in in = {
        .content_type = SLICE_LIT("application/pidf+xml;charset=\"UTF-8\""),
        .content_language = SLICE_LIT(" de "),
        .bytes = SLICE_LIT("<presence xmlns='urn:ietf:params:xml:ns:pidf' "
                           "entity='bob@corp.example'><tuple id='a'><status><basic>open</basic>"
                           "</status><note>hier</note></tuple></presence>"),
        .presentity = bob()};

    cr_assert_eq(pidf_reader_new(&reader), 0);
    cr_assert_eq(pidf_read(reader, &state, &in), PIDF_WHY_OK);
    expect_state(&state, "a:available,[de]hier", "Content-Language");
    in.content_language = SLICE_LIT("de, en");
    cr_assert_eq(pidf_read(reader, &state, &in), PIDF_WHY_OK);
    expect_state(&state, "a:available,[]hier", "two languages");
    in.content_encoding = SLICE_LIT("gzip");
    cr_assert_eq(pidf_read(reader, &state, &in), PIDF_WHY_ENCODING);
    in.content_encoding = SLICE_LIT("Identity");
    cr_assert_eq(pidf_read(reader, &state, &in), PIDF_WHY_OK);
    pidf_reader_free(reader);
}

Test(pidf_read, long_notes_are_cut_at_a_character)
{
    static char inside[6000];
    struct presence_state state;
    size_t len = (size_t)snprintf(inside, sizeof(inside), OPEN("a", "<note>x"));

    len -= sizeof("</tuple>") - 1;
    for (int i = 0; i < 1000; i++) {
        len += (size_t)snprintf(inside + len, sizeof(inside) - len, "\u20ac");
    }
    (void)snprintf(inside + len, sizeof(inside) - len, "</note></tuple>");
    cr_assert_eq(read_inside(&state, inside, NULL), PIDF_WHY_OK);
    cr_assert_eq(state.items[0].notes[0].text.len, 1 + 340 * 3);
}

Test(pidf_read, priority)
{
    static const struct {
        const char *q;
        const char *want;
    } rows[] = {
        {"0", "a:available,0"},       {"1", "a:available,127"},   {"1.0", "a:available,127"},
        {"1.000", "a:available,127"}, {"0.5", "a:available,64"},  {"0.8", "a:available,102"},
        {"0.007", "a:available,1"},   {".25", "a:available,32"},  {"0.", "a:available,0"},
        {" 0.5 ", "a:available,64"},  {"0.5009", "a:available,64"}, {"1.001", "a:available"},
        {"2", "a:available"},         {"-0.5", "a:available"},    {"", "a:available"},
        {"0.5x", "a:available"},      {".", "a:available"},       {"0.5.5", "a:available"},
        {"00.5", "a:available"},
    };
    char inside[300];

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        (void)snprintf(inside, sizeof(inside), OPEN("a", "<contact priority='%s'>tel:+1</contact>"),
                       rows[i].q);
        expect_inside(inside, rows[i].want);
    }
    expect_inside(OPEN("a", "<contact>tel:+1</contact>"), "a:available");
}

Test(pidf_read, times)
{
    expect_inside(OPEN("a", "<timestamp>2026-11-20T11:58:00Z</timestamp>"), "a:available,s120");
    expect_inside(OPEN("a", "<timestamp>2026-11-20T12:58:00.5+01:00</timestamp>"),
                  "a:available,s120");
    /* Ahead of us: a wrong clock. None, or none that can be read: now. */
    expect_inside(OPEN("a", "<timestamp>2031-01-01T00:00:00Z</timestamp>"), "a:available");
    expect_inside(OPEN("a", "<timestamp>yesterday</timestamp>"), "a:available");
    expect_inside(OPEN("a", "<rpid:user-input idle-threshold='600' "
                            "last-input='2026-11-20T11:50:00.000Z'>idle</rpid:user-input>"),
                  "a:available,i600");
    expect_inside(OPEN("a", "<rpid:user-input last-input='2026-11-20T11:50:00Z'>active"
                            "</rpid:user-input>"),
                  "a:available");
    expect_inside(OPEN("a", "<rpid:user-input>idle</rpid:user-input>"), "a:available");
    expect_inside(OPEN("a", "") PERSON("<rpid:user-input last-input='2026-11-20T11:59:00Z'>idle"
                                       "</rpid:user-input>"),
                  "a:available,i60");
    expect_inside(STATUS("a", "<basic>open</basic><e:idle xmlns:e='urn:e' "
                              "since='2026-11-20T11:59:00Z'/>"),
                  "a:available,i60");
    /* Of its device. */
    expect_inside(OPEN("a", "<dm:deviceID>urn:uuid:1</dm:deviceID>")
                      OPEN("b", "<dm:deviceID>urn:uuid:2</dm:deviceID>")
                  "<dm:device id='d'><rpid:user-input last-input='2026-11-20T11:59:00Z'>idle"
                  "</rpid:user-input><dm:deviceID>urn:uuid:2</dm:deviceID></dm:device>",
                  "urn:uuid:1:available; urn:uuid:2:available,i60");
}

Test(pidf_read, an_older_stamp_stays_with_what_did_not_change)
{
    struct presence_state before = {.item_count = 1};
    struct presence_state state;

    before.items[0] = item_make("a", PRESENCE_SHOW_AVAILABLE);
    before.items[0].stamp_unix_s = NOW - 500;
    cr_assert_eq(read_inside(&state, OPEN("a", ""), &before), PIDF_WHY_OK);
    expect_state(&state, "a:available,s500", "same");
    cr_assert_eq(read_inside(&state, OPEN("a", "") DOING("<rpid:busy/>"), &before), PIDF_WHY_OK);
    expect_state(&state, "a:dnd", "changed");
}

Test(pidf_read, must_understand)
{
    expect_inside(STATUS("a", "<basic>open</basic><x:e xmlns:x='urn:x' xmlns:p='urn:ietf:params:"
                              "xml:ns:pidf' p:mustUnderstand='1'/>") OPEN("b", ""),
                  "b:available");
    expect_inside(STATUS("a", "<x:e xmlns:x='urn:x' mustUnderstand='true'/><basic>open</basic>"),
                  "");
    expect_inside(STATUS("a", "<basic>open</basic><x:e xmlns:x='urn:x' mustUnderstand='0'/>"),
                  "a:available");
    /* Inside of what is ignored it is ignored, too; what is known is understood. */
    expect_inside(STATUS("a", "<basic>open</basic><x:e xmlns:x='urn:x'><x:f mustUnderstand='1'/>"
                              "</x:e>"),
                  "a:available");
    expect_inside(STATUS("a", "<basic mustUnderstand='1'>open</basic>"), "a:available");
}

Test(pidf_read, tuples_of_somebody_else)
{
    expect_inside(OPEN("a", "<rpid:relationship><rpid:assistant/></rpid:relationship>")
                      OPEN("b", "<rpid:relationship><rpid:self/></rpid:relationship>"),
                  "b:available");
}

static enum pidf_why entity(const char *text)
{
    struct presence_state state;
    char xml[400];
    int n = snprintf(xml, sizeof(xml),
                     "<presence xmlns='urn:ietf:params:xml:ns:pidf' %s><tuple id='a'><status>"
                     "<basic>open</basic></status></tuple></presence>",
                     text);
    enum pidf_why why = read_as(&state, NULL, slice_make(xml, (size_t)n), NULL);

    cr_assert_eq(state.item_count, why == PIDF_WHY_OK ? 1 : 0);
    return why;
}

Test(pidf_read, p7_entity)
{
    cr_assert_eq(entity("entity='pres:bob@corp.example'"), PIDF_WHY_OK);
    cr_assert_eq(entity("entity='sip:bob@corp.example'"), PIDF_WHY_OK);
    cr_assert_eq(entity("entity='SIPS:Bob@CORP.example'"), PIDF_WHY_OK);
    cr_assert_eq(entity("entity='bob@corp.example'"), PIDF_WHY_OK);
    cr_assert_eq(entity("entity='sip:%62ob@corp.example:5061;transport=tls'"), PIDF_WHY_OK);
    cr_assert_eq(entity("entity='pres:mallory@corp.example'"), PIDF_WHY_ENTITY);
    cr_assert_eq(entity("entity='pres:bob@corp.example.evil.example'"), PIDF_WHY_ENTITY);
    cr_assert_eq(entity("entity='pres:bob@evil.example'"), PIDF_WHY_ENTITY);
    cr_assert_eq(entity("entity='pres:corp.example'"), PIDF_WHY_ENTITY);
    cr_assert_eq(entity("entity='http://bob@corp.example'"), PIDF_WHY_ENTITY);
    cr_assert_eq(entity("entity=''"), PIDF_WHY_ENTITY);
    cr_assert_eq(entity(""), PIDF_WHY_ENTITY);
}

Test(pidf_read, p21_hostile)
{
    struct presence_state state;
    static char big[1100000];
    size_t len;

    cr_assert_eq(read_as(&state, NULL, SLICE_LIT("<!DOCTYPE presence [<!ENTITY e 'x'>]><presence "
                                                 "xmlns='urn:ietf:params:xml:ns:pidf' "
                                                 "entity='bob@corp.example'/>"),
                         NULL),
                 PIDF_WHY_DOCTYPE);
    cr_assert_eq(read_inside(&state, OPEN("a", "<note>&e;</note>"), NULL), PIDF_WHY_DOCTYPE);
    cr_assert_eq(state.item_count, 0);
    memset(big, 'x', sizeof(big));
    cr_assert_eq(read_as(&state, NULL, slice_make(big, sizeof(big)), NULL), PIDF_WHY_TOO_BIG);
    len = 0;
    for (int i = 0; i < 200; i++) {
        len += (size_t)snprintf(big + len, sizeof(big) - len, "<n>");
    }
    cr_assert_eq(read_inside(&state, big, NULL), PIDF_WHY_TOO_BIG);
    len = 0;
    for (int i = 0; i < 2000; i++) {
        len += (size_t)snprintf(big + len, sizeof(big) - len, "<n/>");
    }
    cr_assert_eq(read_inside(&state, big, NULL), PIDF_WHY_TOO_BIG);
}

Test(pidf_read, many_tuples)
{
    static char inside[20000];
    struct presence_state state;
    size_t len = 0;

    for (int i = 0; i < 100; i++) {
        len += (size_t)snprintf(inside + len, sizeof(inside) - len,
                                "<tuple id='t%02d'><status><basic>%s</basic></status></tuple>", i,
                                i < 20 ? "closed" : "open");
    }
    /* Open ones among the first have a place before closed ones. */
    cr_assert_eq(read_inside(&state, inside, NULL), PIDF_WHY_OK);
    cr_assert_eq(state.item_count, PRESENCE_ITEMS_MAX);
    for (unsigned i = 20; i < PIDF_TUPLES_MAX; i++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "t%02u", i);
        cr_assert_not_null(presence_find(&state, slice_from_cstr(name)), "%s", name);
    }
}

Test(pidf_read, malformed)
{
    static const char *const bad[] = {
        "hello",
        "<presence",
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='bob@corp.example'>",
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='bob@corp.example'/>x",
        "<presence entity='bob@corp.example'/>",
        "<tuple xmlns='urn:ietf:params:xml:ns:pidf' entity='bob@corp.example'/>",
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='bob@corp.example'>\xff</presence>",
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='bob@corp.example'>\x01</presence>",
        "<?xml version='1.1'?><presence xmlns='urn:ietf:params:xml:ns:pidf' "
        "entity='bob@corp.example'/>",
    };
    struct presence_state state;

    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        enum pidf_why why = read_as(&state, NULL, slice_from_cstr(bad[i]), NULL);
        cr_assert_eq(why, PIDF_WHY_MALFORMED, "%s: %s", bad[i], pidf_why_name(why));
    }
}

Test(pidf_read, media_types)
{
    struct slice xml = SLICE_LIT("<presence xmlns='urn:ietf:params:xml:ns:pidf' "
                                 "entity='bob@corp.example'/>");
    struct presence_state state;

    cr_assert_eq(read_as(&state, "Application/PIDF+xml ; x=y", xml, NULL), PIDF_WHY_OK);
    cr_assert_eq(read_as(&state, "application/pidf-diff+xml", xml, NULL), PIDF_WHY_MEDIA_TYPE);
    cr_assert_eq(read_as(&state, "text/plain", xml, NULL), PIDF_WHY_MEDIA_TYPE);
    cr_assert_eq(read_as(&state, "", xml, NULL), PIDF_WHY_MEDIA_TYPE);
    cr_assert_eq(read_as(&state, "pidf", xml, NULL), PIDF_WHY_MEDIA_TYPE);
    cr_assert_eq(read_as(&state, "application/pidf+xml;charset=ebcdic", xml, NULL),
                 PIDF_WHY_ENCODING);
}

Test(pidf_read, charsets)
{
    static const char latin1[] = "<?xml version='1.0' encoding='ISO-8859-1' standalone=\"no\"?>"
                                 "<presence xmlns='urn:ietf:params:xml:ns:pidf' "
                                 "entity='bob@corp.example'><tuple id='a'><status><basic>open"
                                 "</basic></status><note>caf\xe9</note></tuple></presence>";
    struct presence_state state;
    char wide[2 * sizeof(latin1)] = "\xff\xfe";
    size_t len = 2;

    cr_assert_eq(read_as(&state, NULL, slice_from_cstr(latin1), NULL), PIDF_WHY_OK);
    expect_state(&state, "a:available,[]caf\u00e9", "declared");
    cr_assert_eq(read_as(&state, "application/pidf+xml;charset=iso-8859-1",
                         slice_from_cstr(latin1), NULL),
                 PIDF_WHY_OK);
    expect_state(&state, "a:available,[]caf\u00e9", "charset");
    cr_assert_eq(read_as(&state, "application/pidf+xml;charset=utf-8", slice_from_cstr(latin1),
                         NULL),
                 PIDF_WHY_MALFORMED);
    for (const char *at = latin1; *at; at++) {
        wide[len++] = *at;
        wide[len++] = '\0';
    }
    cr_assert_eq(read_as(&state, NULL, slice_make(wide, len), NULL), PIDF_WHY_OK);
    expect_state(&state, "a:available,[]caf\u00e9", "UTF-16 by its mark");
    cr_assert_eq(read_as(&state, NULL, slice_make(wide + 2, len - 2), NULL), PIDF_WHY_OK);
    expect_state(&state, "a:available,[]caf\u00e9", "UTF-16 by its look");
}

Test(pidf_read, what_documents_may_have)
{
    struct presence_state state;

    cr_assert_eq(read_as(&state, NULL,
                         SLICE_LIT("\xef\xbb\xbf<?xml version='1.0'?>\n<!-- a --><?style x?>"
                                   "<p:presence xmlns:p='urn:ietf:params:xml:ns:pidf' "
                                   "entity='pres:bob@corp.example'><!-- b --><p:tuple id='a'>"
                                   "<p:status><?x?><p:basic>op<!-- c -->en</p:basic></p:status>"
                                   "</p:tuple></p:presence><!-- d -->\r\n"),
                         NULL),
                 PIDF_WHY_OK);
    expect_state(&state, "a:available", "comments and instructions");
}
