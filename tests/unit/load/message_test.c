/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message: what the sink takes, by way of the parser and by comparison, and what it does not. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "load/message.h"
#include "load/payload.h"
#include "xml/parser.h"
#include "xml/writer.h"

#define HEADER                                                                                     \
    "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'>"
#define BYTES_MAX 4096u

static struct plan plan = {.streams = 20000,
                           .domains = 300,
                           .stanza_bytes = 251,
                           .suffix = "fan.test",
                           .inside = "app.corp.test",
                           .kind_name = {"s2s", "component"}};
static struct message m;
static struct xml_parser *parser;
static char text[BYTES_MAX];
static uint32_t flow;
static uint64_t seq;
static const char *what;

static void set_up(void)
{
    size_t used;

    cr_assert_null(message_init(&m, &plan, false));
    cr_assert_eq(xml_parser_new(&parser, &xml_limits_authenticated), 0);
    cr_assert_eq(xml_parser_feed(parser, HEADER, strlen(HEADER), &used), XML_STREAM_OPEN);
}

static void tear_down(void)
{
    xml_parser_free(parser);
    message_deinit(&m);
}

TestSuite(message, .init = set_up, .fini = tear_down);

static enum message_finding check(struct slice bytes)
{
    size_t used;

    cr_assert_eq(xml_parser_feed(parser, bytes.ptr, bytes.len, &used), XML_ELEMENT, "%.*s",
                 SLICE_FMT(bytes));
    return message_check(&m, xml_parser_tree(parser), &flow, &seq, &what);
}

Test(message, as_written_it_is_intact_and_of_the_size_asked)
{
    message_write(&m, text, 4711, 42);
    cr_assert_eq(strlen(text), 251);
    cr_assert_eq(check(slice_from_cstr(text)), MESSAGE_INTACT, "%s", what);
    cr_assert_eq(flow, 4711);
    cr_assert_eq(seq, 42);
    cr_assert_not_null(strstr(text, "from='u04711@p00211.fan.test/home'"));
    cr_assert_not_null(strstr(text, "to='u04711@app.corp.test/desk'"));
}

Test(message, inside_out_the_addresses_are_exchanged)
{
    message_deinit(&m);
    cr_assert_null(message_init(&m, &plan, true));
    message_write(&m, text, 4711, 42);
    cr_assert_not_null(strstr(text, "to='u04711@p00211.fan.test/home'"));
    cr_assert_eq(check(slice_from_cstr(text)), MESSAGE_INTACT);
}

Test(message, sizes)
{
    struct plan own = plan;
    struct message other;

    own.stanza_bytes = PLAN_STANZA_BYTES_MIN;
    own.suffix = "a.very-long-name-that-leaves-no-room-for-any-text.in-any-stanza.example";
    cr_assert_not_null(message_init(&other, &own, false));
    own.suffix = "fan.test";
    cr_assert_null(message_init(&other, &own, false), "the least size has room in the lab");
    message_deinit(&other);
    own.stanza_bytes = PLAN_STANZA_BYTES_MAX;
    cr_assert_null(message_init(&other, &own, false));
    message_deinit(&other);
}

/* As a server writes it anew: other quotes, order and namespaces. */
static struct slice rewritten(uint32_t of, uint64_t number)
{
    static struct buf out;
    struct xml_write_params params = {.ns_default = SLICE_LIT("jabber:component:accept"),
                                      .ns_from = SLICE_LIT("jabber:server"),
                                      .ns_to = SLICE_LIT("jabber:component:accept")};
    size_t used;

    message_write(&m, text, of, number);
    cr_assert_eq(xml_parser_feed(parser, text, strlen(text), &used), XML_ELEMENT);
    buf_deinit(&out);
    buf_init(&out, BYTES_MAX);
    xml_write_tree(&out, xml_parser_tree(parser), 0, &params);
    return buf_slice(&out);
}

Test(message, a_form_learned_of_one_matches_all_others_and_their_numbers)
{
    struct message_form form;
    struct slice bytes = rewritten(3, 9);

    cr_assert(message_learn(&m, bytes, 3, 9, &form));
    for (uint32_t i = 0; i < 20000; i += 991) {
        bytes = rewritten(i, 123456789 + i);
        cr_assert_eq(message_match(&m, &form, bytes.ptr, bytes.len, &flow, &seq), MESSAGE_MATCH);
        cr_assert_eq(flow, i);
        cr_assert_eq(seq, 123456789 + i);
    }
    message_form_free(&form);
}

/* Whatever a changed byte makes of it, it is not taken for what was sent. */
Test(message, a_changed_byte_is_never_a_match_with_the_same_numbers)
{
    struct message_form form;
    char bytes[BYTES_MAX];
    struct slice first = rewritten(3, 9);
    size_t len;

    cr_assert(message_learn(&m, first, 3, 9, &form));
    first = rewritten(12345, 1234567890);
    len = first.len;
    memcpy(bytes, first.ptr, len);
    for (size_t i = 0; i < len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            enum message_match found;

            bytes[i] ^= (char)(1u << bit);
            found = message_match(&m, &form, bytes, len, &flow, &seq);
            cr_assert_eq(found, MESSAGE_MATCH_NO, "byte %zu bit %u", i, bit);
            bytes[i] ^= (char)(1u << bit);
        }
    }
    cr_assert_eq(message_match(&m, &form, bytes, len, &flow, &seq), MESSAGE_MATCH);
    message_form_free(&form);
}

Test(message, a_part_is_a_part_at_every_length)
{
    struct message_form form;
    struct slice bytes = rewritten(3, 9);

    cr_assert(message_learn(&m, bytes, 3, 9, &form));
    bytes = rewritten(12345, 77);
    for (size_t len = 0; len < bytes.len; len++) {
        cr_assert_eq(message_match(&m, &form, bytes.ptr, len, &flow, &seq), MESSAGE_MATCH_PART);
    }
    cr_assert_eq(message_match(&m, &form, "<presence ", 10, &flow, &seq), MESSAGE_MATCH_NO);
    message_form_free(&form);
}

/* The texts of the stanza, one after the other, replaced by something else of the same kind. */
Test(message, every_part_is_demanded)
{
    static const struct {
        const char *sent;
        const char *instead;
    } changes[] = {
        {"from='u00003@", "from='u00004@"},   {"@p00003.", "@p00004."},
        {".test/home'", ".test/work'"},       {"to='u00003@", "to='u00002@"},
        {"@app.corp.test", "@apq.corp.test"}, {"/desk'", "/dish'"},
        {"'chat'", "'normal'"},               {"id='s00003-0000000009'", "id='s00003-0000000008'"},
        {"shall we", "shall me"},             {"<active ", "<paused "},
        {"/chatstates", "/chatstate"},        {"<body>", "<body xmlns='else'>"},
    };

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        char changed[BYTES_MAX];
        char *at;

        message_write(&m, text, 3, 9);
        at = strstr(text, changes[i].sent);
        cr_assert_not_null(at, "%s", changes[i].sent);
        (void)snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text,
                       changes[i].instead, at + strlen(changes[i].sent));
        cr_assert_eq(check(slice_from_cstr(changed)), MESSAGE_DAMAGED, "%s", changed);
        cr_assert_not_null(what);
    }
}

Test(message, errors_are_known_by_their_id)
{
    cr_assert_eq(check(SLICE_LIT("<message type='error' id='s00123-0000004567'/>")),
                 MESSAGE_ERROR);
    cr_assert_eq(flow, 123);
    cr_assert_eq(seq, 4567);
    cr_assert_eq(check(SLICE_LIT("<message type='error' id='who?'/>")), MESSAGE_ERROR);
    cr_assert_eq(flow, UINT32_MAX);
    cr_assert_eq(check(SLICE_LIT("<iq type='get' id='1'/>")), MESSAGE_OTHER);
    cr_assert_eq(check(SLICE_LIT("<message/>")), MESSAGE_DAMAGED);
}
