/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence_bench: what the translation of one presence change costs: a PIDF document of an ordinary
 * size read, compared and written as stanzas; a stanza taken into a packed state and written as
 * PIDF. race.h: options. */
#include <stdio.h>
#include <stdlib.h>

#include "race.h"
#include "translate/pidf.h"
#include "translate/presence.h"
#include "xml/parser.h"

#define LOOPS       20000u
#define CHECK_LOOPS 20u
#define NOW INT64_C(1795176000)

struct world {
    struct pidf_reader *reader;
    struct xml_parser *parser;
    struct jid_storage mem;
    struct jid bob;
    struct buf packed;
    struct buf out;
    struct presence_state state;
    struct presence_state before;
    struct stanza st;
    uint64_t bytes_seen;
};

static const char document[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" "
    "xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" "
    "xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"sip:bob@corp.example\">\n"
    "  <tuple id=\"qmzd3a\">\n    <status>\n      <basic>open</basic>\n    </status>\n"
    "    <contact priority=\"0.8\">sip:bob@corp.example;gr=urn:uuid:6a1c2f00-0000-4000-8000"
    "</contact>\n    <timestamp>2026-11-20T11:40:00Z</timestamp>\n  </tuple>\n"
    "  <dm:person id=\"p1\">\n    <rpid:activities><rpid:busy/></rpid:activities>\n"
    "    <dm:note xml:lang=\"en\">In a meeting until noon</dm:note>\n  </dm:person>\n"
    "</presence>\n";
static const char stanza[] =
    "<presence from='juliet@chat.example/balcony' to='bob@corp.example'><show>dnd</show>"
    "<status>In a meeting until noon</status><priority>5</priority>"
    "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://client.example' "
    "ver='QgayPKawpkPSDYmwT/WM94uAlu0='/></presence>";

static const struct presence_stanza_options stanza_options = {.from_bare =
                                                                  SLICE_LIT("bob@corp.example"),
                                                              .to = SLICE_LIT("ann@chat.example"),
                                                              .now_unix_s = NOW,
                                                              .with_notes = true};
static const struct pidf_out pidf_options = {.uri = SLICE_LIT("sip:juliet@chat.example"),
                                             .with_notes = true};

static void read_document(struct world *w)
{
    struct pidf_in in = {.content_type = SLICE_LIT(PIDF_MEDIA_TYPE),
                         .bytes = slice_make(document, sizeof(document) - 1),
                         .presentity = &w->bob,
                         .before = &w->before,
                         .now_unix_s = NOW};

    RACE_MUST(pidf_read(w->reader, &w->state, &in) == PIDF_WHY_OK);
}

static void run_read(struct world *w)
{
    presence_clear(&w->before);
    read_document(w);
}

/* SIP to XMPP: the last state from its bytes, the document, the stanza, the new bytes. */
static void run_sip_to_xmpp(struct world *w)
{
    RACE_MUST(presence_unpack(&w->before, buf_slice(&w->packed)) == 0);
    read_document(w);
    buf_clear(&w->out);
    RACE_MUST(presence_write_changes(&w->out, &w->before, &w->state, &stanza_options) == 2);
    w->bytes_seen += buf_len(&w->out);
    buf_clear(&w->out);
    RACE_MUST(presence_pack(&w->out, &w->state) == 0);
}

static void run_write(struct world *w)
{
    buf_clear(&w->out);
    pidf_write(&w->out, &w->before, &pidf_options);
    w->bytes_seen += buf_len(&w->out);
}

/* XMPP to SIP: the last state, a stanza that changes it, the document, the new bytes. */
static void run_xmpp_to_sip(struct world *w)
{
    struct presence_item item;

    RACE_MUST(presence_unpack(&w->state, buf_slice(&w->packed)) == 0);
    presence_read_stanza(&item, &w->st, NOW);
    RACE_MUST(presence_apply(&w->state, &item) == PRESENCE_CHANGED);
    buf_clear(&w->out);
    pidf_write(&w->out, &w->state, &pidf_options);
    w->bytes_seen += buf_len(&w->out);
    buf_clear(&w->out);
    RACE_MUST(presence_pack(&w->out, &w->state) == 0);
}

static void race_read(void *world, uint32_t loops)
{
    for (uint32_t i = 0; i < loops; i++) {
        run_read(world);
    }
}

static void race_to_xmpp(void *world, uint32_t loops)
{
    for (uint32_t i = 0; i < loops; i++) {
        run_sip_to_xmpp(world);
    }
}

static void race_write(void *world, uint32_t loops)
{
    struct world *w = world;

    RACE_MUST(presence_unpack(&w->before, buf_slice(&w->packed)) == 0);
    for (uint32_t i = 0; i < loops; i++) {
        run_write(w);
    }
}

static void race_to_sip(void *world, uint32_t loops)
{
    for (uint32_t i = 0; i < loops; i++) {
        run_xmpp_to_sip(world);
    }
}

static void set_up(struct world *w)
{
    static const char header[] = "<stream:stream xmlns='jabber:server' version='1.0' "
                                 "xmlns:stream='http://etherx.jabber.org/streams'>";
    static const char other[] = "\1\1\x1a\5\xe0\xb6\x80\xd8\6\5phone\0\4late";
    size_t used;

    RACE_MUST(pidf_reader_new(&w->reader) == 0);
    RACE_MUST(jid_parse(&w->mem, SLICE_LIT("bob@corp.example"), &w->bob) == 0);
    buf_init(&w->packed, PRESENCE_PACKED_BYTES_MAX);
    buf_init(&w->out, PIDF_BYTES_MAX);
    buf_append(&w->packed, other, sizeof(other) - 1);
    RACE_MUST(presence_unpack(&w->before, buf_slice(&w->packed)) == 0);
    RACE_MUST(xml_parser_new(&w->parser, &xml_limits_authenticated) == 0);
    RACE_MUST(xml_parser_feed(w->parser, header, sizeof(header) - 1, &used) == XML_STREAM_OPEN);
    RACE_MUST(xml_parser_feed(w->parser, stanza, sizeof(stanza) - 1, &used) == XML_ELEMENT);
    RACE_MUST(stanza_view(&w->st, xml_parser_tree(w->parser), SLICE_LIT("jabber:server"),
                       SLICE_NONE) == STANZA_OK);
}

int main(int argc, char **argv)
{
    static struct racer all[] = {
        {.name = "PIDF of 603 bytes read", .run = race_read, .against = RACE_ALONE},
        {.name = "SIP to XMPP, all of it", .run = race_to_xmpp, .against = RACE_ALONE},
        {.name = "PIDF written, one tuple", .run = race_write, .against = RACE_ALONE},
        {.name = "XMPP to SIP, all of it", .run = race_to_sip, .against = RACE_ALONE},
    };
    static struct race race = {.bench = "presence_bench", .unit = "change of presence",
                               .loops = LOOPS};
    static struct world w;

    race_options(&race, argc, argv, CHECK_LOOPS);
    set_up(&w);
    race_run(&race, all, ARRAY_COUNT(all), &w);
    race_print(&race, all, ARRAY_COUNT(all));
    pidf_reader_free(w.reader);
    xml_parser_free(w.parser);
    buf_deinit(&w.packed);
    buf_deinit(&w.out);
    return 0;
}
