/* SPDX-License-Identifier: GPL-2.0-or-later */
/* msg: names, the head index, limits, what is kept as a flaw and what loses the border. */
#include <stdio.h>

#include "base/err.h"
#include "base/ascii.h"
#include "base/pool.h"
#include "sip_help.h"

Test(msg, every_header_name_is_found_in_any_case)
{
    for (unsigned id = SIP_HDR_OTHER + 1; id < SIP_HDR_COUNT; id++) {
        struct slice name = sip_header_name((enum sip_header)id);
        char other[64];

        cr_expect_eq(sip_header_from(name), id, "%.*s", SLICE_FMT(name));
        for (size_t i = 0; i < name.len; i++) {
            other[i] = name.ptr[i];
            if (ascii_is_alpha(other[i])) {
                other[i] = (char)(other[i] ^ 0x20);
            }
        }
        cr_expect_eq(sip_header_from(slice_make(other, name.len)), id, "%.*s", SLICE_FMT(name));
        other[name.len / 2] = '~';
        cr_expect_eq(sip_header_from(slice_make(other, name.len)), SIP_HDR_OTHER);
    }
}

Test(msg, compact_forms)
{
    static const struct {
        char letter;
        enum sip_header id;
    } rows[] = {
#define HEADER(id, name, compact, single) {compact, SIP_HDR_##id},
#include "sip/headers.def"
#undef HEADER
    };
    unsigned found = 0;

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (rows[i].letter) {
            char upper = (char)(rows[i].letter - 32);

            cr_expect_eq(sip_header_from(slice_make(&rows[i].letter, 1)), rows[i].id);
            cr_expect_eq(sip_header_from(slice_make(&upper, 1)), rows[i].id);
            found++;
        }
    }
    cr_expect_eq(found, 16);
    cr_expect_eq(sip_header_from(SLICE_LIT("q")), SIP_HDR_OTHER);
    cr_expect_eq(sip_header_from(SLICE_LIT("1")), SIP_HDR_OTHER);
    cr_expect_eq(sip_header_from(SLICE_LIT("[")), SIP_HDR_OTHER);
    cr_expect_eq(sip_header_from(SLICE_NONE), SIP_HDR_OTHER);
    cr_expect(sip_header_is_single(SIP_HDR_CSEQ));
    cr_expect_not(sip_header_is_single(SIP_HDR_VIA));
}

Test(msg, methods_are_case_sensitive)
{
    cr_expect_eq(sip_method_from(SLICE_LIT("MESSAGE")), SIP_METHOD_MESSAGE);
    cr_expect_eq(sip_method_from(SLICE_LIT("message")), SIP_METHOD_UNKNOWN);
    cr_expect_eq(sip_method_from(SLICE_LIT("NEGOTIATE")), SIP_METHOD_UNKNOWN);
    cr_expect_eq(sip_method_from(SLICE_LIT("UNKNOWN")), SIP_METHOD_UNKNOWN);
    EXPECT_SLICE(sip_method_name(SIP_METHOD_PRACK), "PRACK");
}

Test(msg, request)
{
    struct sip_msg m;

    sip_help_parse(&m, SIP_HELP_MESSAGE);
    cr_expect(m.is_request);
    cr_expect_eq(m.method, SIP_METHOD_MESSAGE);
    EXPECT_SLICE(m.method_text, "MESSAGE");
    EXPECT_SLICE(m.uri, "sip:bob@corp.example");
    EXPECT_SLICE(m.version, "SIP/2.0");
    EXPECT_SLICE(m.body, "hello");
    cr_expect_eq(m.field_count, 8);
    cr_expect_eq(m.content_length, 5);
    cr_expect_null(m.flaw.why);
    EXPECT_SLICE(sip_msg_value(&m, SIP_HDR_CALL_ID), "asd88asd77a@192.0.2.4");
    EXPECT_SLICE(sip_msg_value(&m, SIP_HDR_CONTACT), "");
    EXPECT_SLICE(sip_field_name(&m, &m.fields[0]), "Via");
    cr_expect(sip_msg_can_answer(&m));
    cr_expect_eq(m.bytes.len, strlen(SIP_HELP_MESSAGE));
}

Test(msg, response)
{
    struct sip_msg m;

    sip_help_parse(&m, "SIP/2.0 202 Accepted now\r\nl: 0\r\n\r\n");
    cr_expect_not(m.is_request);
    cr_expect_eq(m.status, 202);
    EXPECT_SLICE(m.reason, "Accepted now");
    cr_expect_not(sip_msg_can_answer(&m));
    sip_help_parse(&m, "SIP/2.0 200\r\nl: 0\r\n\r\n");
    cr_expect_eq(m.status, 200);
    cr_expect_null(m.flaw.why);
    EXPECT_SLICE(m.reason, "");
}

Test(msg, datagram_takes_the_rest_or_cuts_it)
{
    struct sip_msg m;

    sip_help_parse(&m, "\r\n\r\nOPTIONS sip:a SIP/2.0\r\nVia: x\r\n\r\nrest");
    EXPECT_SLICE(m.body, "rest");
    cr_expect_not(m.has_content_length);
    sip_help_parse(&m, "OPTIONS sip:a SIP/2.0\r\nl: 2\r\n\r\nrest");
    EXPECT_SLICE(m.body, "re");
    sip_help_parse(&m, "OPTIONS sip:a SIP/2.0\r\nl: 2\r\nContent-Length: 002\r\n\r\nrest");
    EXPECT_SLICE(m.body, "re");
}

Test(msg, folding_and_odd_spaces)
{
    struct sip_msg m;
    struct buf b;

    sip_help_parse(&m, "OPTIONS sip:a SIP/2.0\r\nSubject \t:\r\n  one\r\n\ttwo  \r\n three \t\r\n"
                       "X-Empty:\r\nX-Blank:  \r\n \r\nl:0\r\n\r\n");
    buf_init(&b, 100);
    sip_unfold(&b, sip_msg_value(&m, SIP_HDR_SUBJECT));
    EXPECT_SLICE(buf_slice(&b), "one two three");
    cr_expect_eq(m.field_count, 4);
    EXPECT_SLICE(sip_field_value(&m, sip_msg_find_other(&m, SLICE_LIT("x-empty"))), "");
    EXPECT_SLICE(sip_field_value(&m, sip_msg_find_other(&m, SLICE_LIT("X-BLANK"))), "");
    cr_expect_null(sip_msg_find_other(&m, SLICE_LIT("Subject")));
    buf_clear(&b);
    sip_unfold(&b, SLICE_LIT("a  b \r c\n\r\n d"));
    EXPECT_SLICE(buf_slice(&b), "a  b c d");
    buf_deinit(&b);
}

Test(msg, flaws_keep_the_border)
{
    static const struct {
        const char *text;
        uint16_t status;
    } rows[] = {
        {"OPTIONS  sip:a  SIP/2.0\r\nVia: x\r\nl: 0\r\n\r\n", 400},
        {"OPTIONS sip:a SIP/2.0 \r\nVia: x\r\nl: 0\r\n\r\n", 400},
        {"OPTIONS sip:a\r\nVia: x\r\nl: 0\r\n\r\n", 400},
        {"OPTIONS sip:a HTTP/1.1\r\nVia: x\r\nl: 0\r\n\r\n", 400},
        {"OPTIONS sip:a SIP/2\r\nVia: x\r\nl: 0\r\n\r\n", 400},
        {"OPTIONS sip:a SIP/.0\r\nVia: x\r\nl: 0\r\n\r\n", 400},
        {"OPTIONS sip:a SIP/2.\r\nVia: x\r\nl: 0\r\n\r\n", 400},
        {"OPTIONS sip:a SIP/2.0x\r\nVia: x\r\nl: 0\r\n\r\n", 400},
        {"OPTIONS sip:a SIP/2.0\r\n Via: x\r\nl: 0\r\n\r\n", 400},
        {"OPTIONS sip:a SIP/2.0\r\nVia\r\nl: 0\r\n\r\n", 400},
        {"OPTIONS sip:a SIP/2.0\r\n: x\r\nl: 0\r\n\r\n", 400},
        {"OPTIONS sip:a SIP/2.0\r\nVi a: x\r\nl: 0\r\n\r\n", 400},
        {"OPTIONS sip:a SIP/2.0\r\nVia: x\ry\r\nl: 0\r\n\r\n", 400},
        {"OPTIONS sip:a\r SIP/2.0\r\nVia: x\r\nl: 0\r\n\r\n", 400},
        {"OPTIONS sip:a SIP/2.0\r\nVia: x\r\n\rl: 0\r\n\r\n", 400},
        {"SIP/2.0 99 x\r\nl: 0\r\n\r\n", 0},
        {"SIP/2.0 700 x\r\nl: 0\r\n\r\n", 0},
        {"SIP/2.0 2000 x\r\nl: 0\r\n\r\n", 0},
        {"SIP/2.0 -20 x\r\nl: 0\r\n\r\n", 0},
        {"SIP/2.0\r\nl: 0\r\n\r\n", 0},
        {"SIP/2.0  200 OK\r\nl: 0\r\n\r\n", 0},
        {"SIP/x 200 OK\r\nl: 0\r\n\r\n", 0},
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct sip_msg m;

        sip_help_parse(&m, rows[i].text);
        cr_assert_not_null(m.flaw.why, "%s", rows[i].text);
        cr_expect_eq(m.flaw.status, rows[i].status, "%s", rows[i].text);
    }
}

Test(msg, lost_borders)
{
    static const struct {
        const char *text;
        int err;
        uint16_t status;
    } rows[] = {
        {"", ERR_LIMIT, 0},
        {"\r\n", ERR_LIMIT, 0},
        {"OPTIONS sip:a SIP/2.0\r\nVia: x\r\n", ERR_LIMIT, 400},
        {"OPTIONS sip:a SIP/2.0\nVia: x\n\n", ERR_SIP_SYNTAX, 0},
        {"OPTIONS sip:a SIP/2.0\r\nVia: x\nl: 0\r\n\r\n", ERR_SIP_SYNTAX, 0},
        {"OPTIONS sip:a SIP/2.0\r\nVia: x\r\nX: y\n\r\n", ERR_SIP_SYNTAX, 400},
        {"ACK sip:a SIP/2.0\r\nVia: x\r\nX: y\n\r\n", ERR_SIP_SYNTAX, 0},
        {"GET / HTTP/1.1\r\nl: five\r\n\r\n", ERR_SIP_SYNTAX, 0},
        {"@@@ sip:a SIP/2.0\r\nVia: x\r\nl: 0\r\n\r\n", ERR_SIP_SYNTAX, 0},
        {"nonsense\r\nVia: x\r\nl: 0\r\n\r\n", ERR_SIP_SYNTAX, 0},
        {"OPTIONS sip:a SIP/2.0\r\nVia: x\r\nl: five\r\n\r\n", ERR_SIP_SYNTAX, 400},
        {"OPTIONS sip:a SIP/2.0\r\nVia: x\r\nl:\r\n\r\n", ERR_SIP_SYNTAX, 400},
        {"OPTIONS sip:a SIP/2.0\r\nVia: x\r\nl: -1\r\n\r\n", ERR_SIP_SYNTAX, 400},
        {"OPTIONS sip:a SIP/2.0\r\nVia: x\r\nl: +1\r\n\r\n", ERR_SIP_SYNTAX, 400},
        {"OPTIONS sip:a SIP/2.0\r\nVia: x\r\nl: 0x1\r\n\r\n", ERR_SIP_SYNTAX, 400},
        {"OPTIONS sip:a SIP/2.0\r\nVia: x\r\nl: 1, 1\r\n\r\n", ERR_SIP_SYNTAX, 400},
        {"OPTIONS sip:a SIP/2.0\r\nVia: x\r\nl: 1\r\n 0\r\n\r\n", ERR_SIP_SYNTAX, 400},
        {"OPTIONS sip:a SIP/2.0\r\nVia: x\r\nl: 0\r\nl: 1\r\n\r\nx", ERR_SIP_SYNTAX, 400},
        {"OPTIONS sip:a SIP/2.0\r\nVia: x\r\nl: 9\r\n\r\nshort", ERR_SIP_SYNTAX, 400},
        {"OPTIONS sip:a SIP/2.0\r\nVia: x\r\nl: 4294967296\r\n\r\n", ERR_LIMIT, 413},
        {"OPTIONS sip:a SIP/2.0\r\nVia: x\r\nl: 99999999999999999999999\r\n\r\n", ERR_SIP_SYNTAX,
         400},
        {"OPTIONS sip:a SIP/2.0\r\nl: x\r\n\r\n", ERR_SIP_SYNTAX, 0},
        {"SIP/2.0 200 OK\r\nVia: x\r\nl: x\r\n\r\n", ERR_SIP_SYNTAX, 0},
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct sip_msg m;
        struct sip_bad bad;

        cr_expect_eq(sip_msg_parse(&m, slice_from_cstr(rows[i].text), &bad), rows[i].err, "%s",
                     rows[i].text);
        cr_expect_eq(bad.status, rows[i].status, "%s: %u", rows[i].text, bad.status);
        cr_expect(bad.why && bad.why[0]);
    }
}

Test(msg, stream_head_needs_a_length)
{
    struct slice head = SLICE_LIT("OPTIONS sip:a SIP/2.0\r\nVia: x\r\n\r\n");
    struct sip_msg m;
    struct sip_bad bad;

    cr_expect_eq(sip_msg_parse_head(&m, head, false, &bad), 0);
    cr_expect_eq(sip_msg_parse_head(&m, head, true, &bad), ERR_SIP_FRAMING);
    cr_expect_eq(bad.status, 400);
}

Test(msg, field_limit)
{
    static char text[SIP_FIELDS_MAX * 8 + 200];
    size_t start = (size_t)snprintf(text, sizeof(text), "OPTIONS sip:a SIP/2.0\r\nVia: x\r\n");

    for (unsigned fields = 127; fields <= 128; fields++) {
        struct sip_msg m;
        struct sip_bad bad;
        size_t len = start;
        int err;

        for (unsigned i = 0; i < fields; i++) {
            memcpy(text + len, "X: y\r\n", 6);
            len += 6;
        }
        memcpy(text + len, "\r\n", 2);
        err = sip_msg_parse(&m, slice_make(text, len + 2), &bad);
        cr_expect_eq(err, fields == 127 ? 0 : ERR_LIMIT);
        cr_expect_eq(bad.status, fields == 127 ? 0 : 513);
        cr_expect_eq(m.field_count, 128);
    }
}

Test(msg, head_limit)
{
    char *text = pool_alloc(SIP_HEAD_BYTES_MAX + 8);
    size_t start = (size_t)snprintf(text, SIP_HEAD_BYTES_MAX,
                                    "OPTIONS sip:a SIP/2.0\r\nVia: x\r\nl: 0\r\nX: ");
    struct sip_msg m;
    struct sip_bad bad;

    memset(text + start, 'y', SIP_HEAD_BYTES_MAX + 8 - start);
    memcpy(text + SIP_HEAD_BYTES_MAX - 4, "\r\n\r\n", 4);
    cr_expect_eq(sip_msg_parse(&m, slice_make(text, SIP_HEAD_BYTES_MAX), &bad), 0);
    cr_expect_eq(m.fields[2].value_len, SIP_HEAD_BYTES_MAX - 4 - start);
    memcpy(text + SIP_HEAD_BYTES_MAX - 4, "y\r\n\r\n", 5);
    cr_expect_eq(sip_msg_parse(&m, slice_make(text, SIP_HEAD_BYTES_MAX + 1), &bad), ERR_LIMIT);
    cr_expect_eq(bad.status, 513);
    pool_free(text);
}

Test(msg, body_limit)
{
    size_t head;
    char *text = pool_alloc(SIP_BODY_BYTES_MAX + 100);
    struct sip_msg m;
    struct sip_bad bad;

    head = (size_t)snprintf(text, 100, "OPTIONS sip:a SIP/2.0\r\nVia: x\r\nl: %u\r\n\r\n",
                            SIP_BODY_BYTES_MAX);
    memset(text + head, 'b', SIP_BODY_BYTES_MAX + 100 - head);
    cr_expect_eq(sip_msg_parse(&m, slice_make(text, head + SIP_BODY_BYTES_MAX), &bad), 0);
    cr_expect_eq(m.body.len, SIP_BODY_BYTES_MAX);
    head = (size_t)snprintf(text, 100, "OPTIONS sip:a SIP/2.0\r\nVia: x\r\nl: %u\r\n\r\n",
                            SIP_BODY_BYTES_MAX + 1);
    text[head] = 'b';
    cr_expect_eq(sip_msg_parse(&m, slice_make(text, head + SIP_BODY_BYTES_MAX + 1), &bad),
                 ERR_LIMIT);
    cr_expect_eq(bad.status, 413);
    pool_free(text);
}
