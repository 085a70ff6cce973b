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
                           .mix = "plain",
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
    cr_assert_eq(message_write(&m, text, 4711, 42), 251);
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

Test(message, names_that_look_like_numbers_are_refused)
{
    struct plan own = plan;
    struct message other;

    own.inside = "app12345.corp.test";
    cr_assert_not_null(message_init(&other, &own, false));
    own.inside = "app1234567890.corp.test";
    cr_assert_not_null(message_init(&other, &own, false));
    own.inside = "app1234.corp.test";
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

    memset(text, 0, sizeof(text));
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

Test(message, the_language_of_the_stream_may_be_said_on_a_stanza_and_nothing_else)
{
    char changed[BYTES_MAX + 32];

    message_write(&m, text, 3, 9);
    (void)snprintf(changed, sizeof(changed), "<message xml:lang='en'%s",
                   text + strlen("<message"));
    cr_assert_eq(check(slice_from_cstr(changed)), MESSAGE_INTACT, "%s", what);
    (void)snprintf(changed, sizeof(changed), "<message more='en'%s", text + strlen("<message"));
    cr_assert_eq(check(slice_from_cstr(changed)), MESSAGE_DAMAGED);
}

Test(message, children_may_change_places_but_none_may_come_or_go)
{
    static const char state[] = "<active xmlns='http://jabber.org/protocol/chatstates'/>";
    const char *end = "</message>";
    char changed[BYTES_MAX + 32];
    char *body;

    message_write(&m, text, 3, 9);
    body = strstr(text, "<body>");
    cr_assert_not_null(body);
    (void)snprintf(changed, sizeof(changed), "%.*s%s%.*s%s", (int)(body - text), text, state,
                   (int)(strlen(body) - strlen(state) - strlen(end)), body, end);
    cr_assert_eq(check(slice_from_cstr(changed)), MESSAGE_INTACT, "%s", changed);
    (void)snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(body - text), text, state, end);
    cr_assert_eq(check(slice_from_cstr(changed)), MESSAGE_DAMAGED, "%s", changed);
    (void)snprintf(changed, sizeof(changed), "%.*s%s%s%s", (int)(body - text), text, state, state,
                   end);
    cr_assert_eq(check(slice_from_cstr(changed)), MESSAGE_DAMAGED, "%s", changed);
    (void)snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(body - text), text, state, body);
    cr_assert_eq(check(slice_from_cstr(changed)), MESSAGE_DAMAGED, "%s", changed);
}

/* --- a mix of many forms --- */

static void set_up_mix(void)
{
    plan.mix = "real";
    set_up();
}

TestSuite(mix, .init = set_up_mix, .fini = tear_down);

Test(mix, sizes_are_as_asked_on_average_and_every_form_is_intact)
{
    static const size_t sizes[] = {251, 300, 1024, PLAN_MIX_BYTES_MAX};

    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        static char big[8 * PLAN_MIX_BYTES_MAX];
        size_t sum = 0;

        message_deinit(&m);
        plan.stanza_bytes = sizes[i];
        cr_assert_null(message_init(&m, &plan, i % 2 == 1));
        for (uint32_t row = 0; row < m.form_count; row++) {
            size_t len = message_write(&m, big, 4711, row);

            cr_assert_leq(len, m.bytes_max);
            cr_assert_eq(check(slice_make(big, len)), MESSAGE_INTACT, "%s: %.*s", what, (int)len,
                         big);
            cr_assert(flow == 4711 && seq == row);
            sum += len;
        }
        cr_assert_eq(sum, sizes[i] * m.form_count);
    }
}

Test(mix, no_two_forms_are_alike_and_most_have_a_text)
{
    uint32_t texts = 0;

    for (uint32_t i = 0; i < m.form_count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            cr_assert(m.forms[i].len != m.forms[k].len ||
                      memcmp(m.forms[i].bytes, m.forms[k].bytes, m.forms[i].len) != 0);
        }
        texts += memmem(m.forms[i].bytes, m.forms[i].len, "<body>", 6) != NULL;
    }
    cr_assert_geq(texts, m.form_count * 3 / 4);
}

/* As written, and as a server writes it anew: learned of one, all others of its form match; no bit
 * may differ, and the numbers must be such as choose this form. */
Test(mix, learned_forms_match_their_own_and_not_a_changed_bit)
{
    for (uint32_t row = 0; row < 2 * m.form_count; row++) {
        struct message_form form;
        char bytes[BYTES_MAX];
        struct slice first = rewritten(3, row);
        uint64_t same = 1234567890; /* the first from here on with the same form */
        size_t len;

        if (row >= m.form_count) {
            first = slice_make(text, message_write(&m, text, 3, row));
        }
        cr_assert(message_learn(&m, first, 3, row, &form), "%.*s", SLICE_FMT(first));
        while (message_row(&m, 12345, same) != form.row) {
            same++;
        }
        first = rewritten(12345, same);
        if (row >= m.form_count) {
            first = slice_make(text, message_write(&m, text, 12345, same));
        }
        len = first.len;
        memcpy(bytes, first.ptr, len);
        cr_assert_eq(message_match(&m, &form, bytes, len, &flow, &seq), MESSAGE_MATCH, "%.*s",
                     (int)len, bytes);
        cr_assert(flow == 12345 && seq == same);
        for (size_t i = 0; i < len * 8; i++) {
            bytes[i / 8] ^= (char)(1u << i % 8);
            cr_assert_eq(message_match(&m, &form, bytes, len, &flow, &seq), MESSAGE_MATCH_NO,
                         "row %u byte %zu", row, i / 8);
            bytes[i / 8] ^= (char)(1u << i % 8);
        }
        message_form_free(&form);
    }
}

/* One character of a text, as it was sent and as a server may not write it. */
Test(mix, every_text_is_demanded)
{
    static const struct {
        const char *sent;
        const char *instead;
    } changes[] = {{"\u00fc", "u"},       {"&#10;", " "},       {"&lt;b", "b"},
                   {"/B\u00fcro", "/Buro"}, {"\U0001f44d", "?"}, {"<em>", "<em x='1'>"},
                   {"?a&amp;b", "?a&amp;c"}, {"xK2v9", "xK2v8"}, {"<markable ", "<unmarked "},
                   {"04:51:08Z", "04:51:09Z"}};

    for (size_t i = 0; i < ARRAY_COUNT(changes); i++) {
        bool is_found = false;

        for (uint32_t row = 0; row < m.form_count && !is_found; row++) {
            char changed[BYTES_MAX];
            char *at;

            memset(text, 0, sizeof(text));
            message_write(&m, text, 3, row);
            at = strstr(text, changes[i].sent);
            if (at) {
                (void)snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text,
                               changes[i].instead, at + strlen(changes[i].sent));
                is_found = true;
                cr_assert_eq(check(slice_from_cstr(changed)), MESSAGE_DAMAGED, "%s", changed);
            }
        }
        cr_assert(is_found, "%s", changes[i].sent);
    }
}
