/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show, pidf: what the tool writes of a flow it takes as the other side would send it; every part
 * that is demanded is missed. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "load/payload.h"
#include "load/pidf.h"
#include "load/show.h"
#include "xml/parser.h"

#define TEXT 60u
#define BYTES 4096u
#define HEADER                                                                                     \
    "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'>"

static const struct plan plan = {
    .streams = 20000, .domains = 7, .suffix = "fan.test", .inside = "corp.test"};

static char payload[TEXT + 1];

static void make_payload(uint32_t flow, uint64_t seq)
{
    payload_write(payload, TEXT, flow, seq);
    payload[TEXT] = '\0';
}

/* --- stanzas --- */

static enum show_finding check(const char *text, uint32_t *flow, uint64_t *number)
{
    struct xml_parser *parser;
    enum show_finding finding;
    const char *what;
    size_t used;

    cr_assert_eq(xml_parser_new(&parser, &xml_limits_authenticated), 0);
    cr_assert_eq(xml_parser_feed(parser, HEADER, sizeof(HEADER) - 1, &used), XML_STREAM_OPEN);
    cr_assert_eq(xml_parser_feed(parser, text, strlen(text), &used), XML_ELEMENT, "%s", text);
    finding = show_check(&plan, xml_parser_tree(parser), TEXT, flow, number, &what);
    cr_assert_eq(finding == SHOW_DAMAGED, what != NULL);
    xml_parser_free(parser);
    return finding;
}

static enum show_finding found(const char *attributes, const char *children)
{
    char text[BYTES];
    uint32_t flow;
    uint64_t number;

    (void)snprintf(text, sizeof(text), "<presence %s>%s</presence>", attributes, children);
    return check(text, &flow, &number);
}

#define ADDRESSES "from='u00008@corp.test/x' to='u00008@p00001.fan.test'"

Test(show, a_state_is_its_number_and_its_text)
{
    char text[BYTES];
    uint32_t flow = 0;
    uint64_t number = 0;

    make_payload(8, 41);
    (void)snprintf(text, sizeof(text),
                   "<presence " ADDRESSES "><priority>1</priority><show>dnd</show>"
                   "<status xml:lang='en'>%s</status></presence>",
                   payload);
    cr_assert_eq(check(text, &flow, &number), SHOW_NUMBER);
    cr_assert_eq(flow, 8);
    cr_assert_eq(number, 42);
    payload[30] ^= 1;
    (void)snprintf(text, sizeof(text), "<presence " ADDRESSES "><status>%s</status></presence>",
                   payload);
    cr_assert_eq(check(text, &flow, &number), SHOW_DAMAGED);
    make_payload(9, 41);
    (void)snprintf(text, sizeof(text), "<presence " ADDRESSES "><status>%s</status></presence>",
                   payload);
    cr_assert_eq(check(text, &flow, &number), SHOW_DAMAGED, "of another flow");
    payload[TEXT - 1] = '\0';
    (void)snprintf(text, sizeof(text), "<presence " ADDRESSES "><status>%s</status></presence>",
                   payload);
    cr_assert_eq(check(text, &flow, &number), SHOW_DAMAGED, "cut");
}

Test(show, types_are_told_apart)
{
    static const struct {
        const char *type;
        enum show_finding finding;
    } types[] = {{"subscribe", SHOW_SUBSCRIBE},     {"subscribed", SHOW_SUBSCRIBED},
                 {"unsubscribe", SHOW_UNSUBSCRIBE}, {"unsubscribed", SHOW_UNSUBSCRIBED},
                 {"unavailable", SHOW_UNAVAILABLE}, {"probe", SHOW_PROBE},
                 {"error", SHOW_ERROR},             {"", SHOW_DAMAGED},
                 {"available", SHOW_DAMAGED}};
    char attributes[BYTES];

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        (void)snprintf(attributes, sizeof(attributes), ADDRESSES " type='%s'", types[i].type);
        cr_assert_eq(found(attributes, ""), types[i].finding, "%s", types[i].type);
    }
    cr_assert_eq(found(ADDRESSES, ""), SHOW_INITIAL);
    cr_assert_eq(found(ADDRESSES, "<status/>"), SHOW_DAMAGED);
    cr_assert_eq(found(ADDRESSES, "<status><b/></status>"), SHOW_DAMAGED);
}

Test(show, addresses_are_those_of_one_flow)
{
    static const char *const wrong[] = {
        "", "from='u00008@corp.test'", "to='u00008@p00001.fan.test'",
        "from='u00008@corp.test' to='u00009@p00001.fan.test'",
        "from='u00008@corp.test' to='u00008@p00002.fan.test'",
        "from='u00008@corp.tes' to='u00008@p00001.fan.test'",
        "from='u00008@corp.test.org' to='u00008@p00001.fan.test'",
        "from='u00008@corp.test' to='u00008@p00001.fan.testy'",
        "from='u0000x@corp.test' to='u0000x@p00001.fan.test'",
        "from='u99999@corp.test' to='u99999@p00004.fan.test'",
        "from='corp.test' to='p00001.fan.test'", "from='u' to='u'"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_assert_eq(found(wrong[i], ""), SHOW_DAMAGED, "%s", wrong[i]);
    }
}

Test(show, what_came_back_is_known_by_its_id)
{
    uint32_t flow;
    uint64_t number;

    cr_assert_eq(check("<presence " ADDRESSES " type='error' id='s00008-0000000041'/>", &flow,
                       &number),
                 SHOW_ERROR);
    cr_assert_eq(number, 42);
    cr_assert_eq(check("<presence " ADDRESSES " type='error' id='s00009-0000000041'/>", &flow,
                       &number),
                 SHOW_ERROR);
    cr_assert_eq(number, 0);
}

Test(show, what_is_written_is_read_with_the_sides_exchanged)
{
    static const struct plan other = {
        .streams = 20000, .domains = 1, .suffix = "test", .inside = "p00000.test"};
    struct buf out;
    char text[BYTES];

    buf_init(&out, BYTES);
    show_write(&out, &other, 3, 8, TEXT);
    cr_assert(slice_to_cstr(buf_slice(&out), text, sizeof(text)));
    make_payload(3, 7);
    cr_assert(strstr(text, payload));
    cr_assert(strstr(text, "id='s00003-0000000007'"));
    cr_assert(strstr(text, "from='u00003@p00000.test/home' to='u00003@p00000.test'"));
    buf_deinit(&out);
}

/* --- documents --- */

static struct pidf pidf;

static void set_up(void)
{
    cr_assert_eq(pidf_init(&pidf, &plan, TEXT), 0);
}

static void tear_down(void)
{
    pidf_deinit(&pidf);
}

TestSuite(pidf, .init = set_up, .fini = tear_down);

static enum pidf_finding read_document(const char *text, uint64_t *number)
{
    const char *what;
    enum pidf_finding finding = pidf_check(&pidf, slice_from_cstr(text), 8, number, &what);

    cr_assert_eq(finding == PIDF_DAMAGED, what != NULL);
    return finding;
}

#define PIDF "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='pres:u00008@p00001.fan.test'>"
#define TUPLE(basic) "<tuple id='a'><status><basic>" basic "</basic></status>"

static enum pidf_finding with_notes(const char *basic, const char *first, const char *second)
{
    char text[BYTES];
    uint64_t number;

    (void)snprintf(text, sizeof(text),
                   "<?xml version='1.0'?>\n" PIDF
                   "<tuple id='a'><status><basic>%s</basic></status><note>%s</note></tuple>"
                   "<note xml:lang='en'>%s</note></presence>",
                   basic, first, second);
    return read_document(text, &number);
}

Test(pidf, the_notes_are_the_state)
{
    char other[TEXT + 1];

    make_payload(8, 3);
    cr_assert_eq(with_notes("open", payload, payload), PIDF_NUMBER);
    cr_assert_eq(with_notes("closed", payload, payload), PIDF_CLOSED);
    memcpy(other, payload, sizeof(other));
    make_payload(8, 4);
    cr_assert_eq(with_notes("open", payload, other), PIDF_DAMAGED, "two states at once");
    cr_assert_eq(with_notes("open", payload, ""), PIDF_DAMAGED);
    payload[40] ^= 1;
    cr_assert_eq(with_notes("open", payload, payload), PIDF_DAMAGED);
    make_payload(9, 4);
    cr_assert_eq(with_notes("open", payload, payload), PIDF_DAMAGED, "of another flow");
}

Test(pidf, hostile_documents_are_damaged_and_leave_the_parser_as_it_was)
{
    static const char *const documents[] = {
        "", " ", "<", "\xff\xfe", "<presence/>", "<!DOCTYPE p [<!ENTITY e 'x'>]><p>&e;</p>",
        PIDF, PIDF "</presence", "<presence xmlns='urn:ietf:params:xml:ns:pidf'/>",
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity=''/>",
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:'/>",
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:u00008@p00001.fan.testy'/>",
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:u00009@p00001.fan.test'/>",
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='mail:u00008@p00001.fan.test'/>",
        PIDF "<note><b/></note></presence>"};
    char deep[BYTES] = PIDF;
    uint64_t number;

    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        cr_assert_eq(read_document(documents[i], &number), PIDF_DAMAGED, "%s", documents[i]);
        cr_assert_eq(read_document(PIDF TUPLE("open") "</tuple></presence>", &number),
                     PIDF_INITIAL);
    }
    for (size_t at = strlen(deep); at + 4 < sizeof(deep); at += 3) {
        memcpy(deep + at, "<a>", 4);
    }
    cr_assert_eq(read_document(deep, &number), PIDF_DAMAGED);
    cr_assert_eq(read_document(PIDF "</presence>", &number), PIDF_CLOSED);
    cr_assert_eq(read_document(PIDF TUPLE("closed") "</tuple>" TUPLE("open") "</tuple></presence>",
                               &number),
                 PIDF_INITIAL);
}

Test(pidf, what_is_written_is_read_with_the_sides_exchanged)
{
    static const struct plan other = {
        .streams = 20000, .domains = 1, .suffix = "test", .inside = "p00000.test"};
    const char *what;
    uint64_t number = 0;
    struct pidf p;
    struct buf out;

    cr_assert_eq(pidf_init(&p, &other, TEXT), 0);
    buf_init(&out, BYTES);
    pidf_write(&out, &p, 12345, 9876543211);
    cr_assert_eq(pidf_check(&p, buf_slice(&out), 12345, &number, &what), PIDF_NUMBER);
    cr_assert_eq(number, 9876543211);
    buf_clear(&out);
    pidf_write(&out, &p, 12345, 0);
    cr_assert_eq(pidf_check(&p, buf_slice(&out), 12345, &number, &what), PIDF_INITIAL);
    buf_deinit(&out);
    pidf_deinit(&p);
}
