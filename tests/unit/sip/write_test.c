/* SPDX-License-Identifier: GPL-2.0-or-later */
/* write: requests, responses, sanitising; every written message is parsed again. */
#include <stdio.h>

#include "sip/write.h"
#include "sip_help.h"

static struct buf out;

static void open_buf(void)
{
    buf_init(&out, 65536);
}

static void close_buf(void)
{
    buf_deinit(&out);
}

TestSuite(write, .init = open_buf, .fini = close_buf);

static struct sip_request_params params(void)
{
    return (struct sip_request_params){
        .method = SIP_METHOD_MESSAGE,
        .uri = SLICE_LIT("sip:bob@corp.example"),
        .transport = SLICE_LIT("TLS"),
        .sent_by = SLICE_LIT("edge1.corp.example:5061"),
        .branch = SLICE_LIT("z9hG4bKabc"),
        .alias = true,
        .max_forwards = 70,
        .from_uri = SLICE_LIT("sip:ann@chat.example"),
        .from_tag = SLICE_LIT("ft"),
        .to_uri = SLICE_LIT("sip:bob@corp.example"),
        .call_id = SLICE_LIT("cid"),
        .cseq = 7,
    };
}

Test(write, status_phrases)
{
    EXPECT_SLICE(sip_status_phrase(100), "Trying");
    EXPECT_SLICE(sip_status_phrase(202), "Accepted");
    EXPECT_SLICE(sip_status_phrase(481), "Call/Transaction Does Not Exist");
    EXPECT_SLICE(sip_status_phrase(608), "Rejected");
    EXPECT_SLICE(sip_status_phrase(299), "Unknown");
    EXPECT_SLICE(sip_status_phrase(0), "Unknown");
    EXPECT_SLICE(sip_status_phrase(9999), "Unknown");
}

Test(write, status_table_is_ascending)
{
    static const unsigned codes[] = {
#define STATUS(code, text) code,
#include "sip/statuses.def"
#undef STATUS
    };

    for (size_t i = 1; i < ARRAY_COUNT(codes); i++) {
        cr_expect_gt(codes[i], codes[i - 1]);
        cr_expect_neq(sip_status_phrase(codes[i]).len, 0);
    }
}

Test(write, request)
{
    struct sip_request_params p = params();

    sip_write_request(&out, &p);
    sip_write_header(&out, SIP_HDR_SUBJECT, SLICE_LIT("hi"));
    sip_write_end(&out, SLICE_LIT("text/plain"), SLICE_LIT("hello"));
    cr_expect_not(out.failed);
    EXPECT_SLICE(buf_slice(&out),
                 "MESSAGE sip:bob@corp.example SIP/2.0\r\n"
                 "Via: SIP/2.0/TLS edge1.corp.example:5061;branch=z9hG4bKabc;alias\r\n"
                 "Max-Forwards: 70\r\n"
                 "From: <sip:ann@chat.example>;tag=ft\r\n"
                 "To: <sip:bob@corp.example>\r\n"
                 "Call-ID: cid\r\n"
                 "CSeq: 7 MESSAGE\r\n"
                 "Subject: hi\r\n"
                 "Content-Type: text/plain\r\n"
                 "Content-Length: 5\r\n\r\nhello");
}

Test(write, request_with_route_display_and_to_tag)
{
    const struct slice route[] = {SLICE_LIT("<sip:p1.example;lr>"),
                                  SLICE_LIT("<sip:p2.example;lr>")};
    struct sip_request_params p = params();
    struct sip_check_policy policy = sip_help_policy();
    struct sip_verdict verdict;
    struct sip_msg m;
    struct sip_addr a;
    struct sip_bad bad;

    p.route = route;
    p.route_count = 2;
    p.from_display = SLICE_LIT("A \"B\"\\\r\nEvil: x");
    p.to_tag = SLICE_LIT("tt");
    p.alias = false;
    sip_write_request(&out, &p);
    sip_write_end_empty(&out);
    cr_assert_eq(sip_msg_parse(&m, buf_slice(&out), &bad), 0);
    cr_expect(sip_check_request(&m, &policy, &verdict), "%s", verdict.why);
    cr_expect_null(sip_msg_find_other(&m, SLICE_LIT("Evil")));
    cr_assert_eq(sip_msg_addr(&m, SIP_HDR_FROM, &a), 0);
    EXPECT_SLICE(a.display, "\"A \\\"B\\\"\\\\  Evil: x\"");
    cr_assert_eq(sip_msg_addr(&m, SIP_HDR_TO, &a), 0);
    EXPECT_SLICE(a.tag, "tt");
    EXPECT_SLICE(sip_msg_value(&m, SIP_HDR_ROUTE), "<sip:p1.example;lr>");
    cr_expect_eq(m.content_length, 0);
}

Test(write, values_cannot_add_lines)
{
    struct sip_msg m;
    struct sip_bad bad;

    sip_write_status_line(&out, 200, SLICE_LIT("OK\r\nEvil: 1"));
    sip_write_header(&out, SIP_HDR_SUBJECT, SLICE_LIT("a\r\nEvil: 1\r\n\r\nbody"));
    sip_write_header_named(&out, SLICE_LIT("X-Y"),
                           slice_make("a\0b\x7F"
                                      "c\td",
                                      7));
    sip_write_header_u32(&out, SIP_HDR_RETRY_AFTER, UINT32_MAX);
    sip_write_end(&out, SLICE_LIT("text/plain\r\nEvil: 1"), SLICE_LIT("b"));
    cr_assert_eq(sip_msg_parse(&m, buf_slice(&out), &bad), 0);
    cr_expect_null(sip_msg_find_other(&m, SLICE_LIT("Evil")));
    EXPECT_SLICE(m.reason, "OK  Evil: 1");
    EXPECT_SLICE(sip_msg_value(&m, SIP_HDR_SUBJECT), "a  Evil: 1    body");
    EXPECT_SLICE(sip_field_value(&m, sip_msg_find_other(&m, SLICE_LIT("x-y"))), "a b c\td");
    EXPECT_SLICE(sip_msg_value(&m, SIP_HDR_RETRY_AFTER), "4294967295");
    EXPECT_SLICE(m.body, "b");
}

Test(write, words_that_would_break_the_start_line_fail)
{
    static const struct slice evil[] = {SLICE_LIT("sip:a@b\r\nX: y"), SLICE_LIT("sip:a b"),
                                        SLICE_LIT("sip:a>b")};

    for (size_t i = 0; i < ARRAY_COUNT(evil); i++) {
        for (int field = 0; field < 6; field++) {
            struct sip_request_params p = params();
            struct slice *const fields[] = {&p.uri,      &p.sent_by, &p.branch,
                                            &p.from_uri, &p.to_tag,  &p.call_id};

            if (field == 5 && i == 2) {
                continue; /* a Call-ID may have it */
            }
            *fields[field] = evil[i];
            buf_clear(&out);
            sip_write_request(&out, &p);
            cr_expect(out.failed, "%zu %d", i, field);
        }
    }
    buf_clear(&out);
    sip_write_header_named(&out, SLICE_LIT("X Y"), SLICE_LIT("z"));
    cr_expect(out.failed);
    buf_clear(&out);
    sip_write_header_named(&out, SLICE_NONE, SLICE_LIT("z"));
    cr_expect(out.failed);
}

#define REQ(vias, to)                                                                              \
    "OPTIONS sip:a@b.example SIP/2.0\r\n" vias "From: <sip:f@b.example>;tag=1\r\nTo: " to          \
    "\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nTimestamp: 54\r\nl: 0\r\n\r\n"

Test(write, response_copies)
{
    struct sip_msg m;

    sip_help_parse(&m, REQ("Via: SIP/2.0/TCP a.example;branch=z9hG4bK1\r\n  ;x, SIP/2.0/TCP b\r\n"
                           "v: SIP/2.0/UDP c\r\n",
                           "<sip:t@b.example>"));
    sip_write_response(&out, &m,
                       &(struct sip_response_params){.status = 404, .to_tag = SLICE_LIT("tt")});
    sip_write_end_empty(&out);
    EXPECT_SLICE(buf_slice(&out), "SIP/2.0 404 Not Found\r\n"
                                  "Via: SIP/2.0/TCP a.example;branch=z9hG4bK1 ;x\r\n"
                                  "Via: SIP/2.0/TCP b\r\n"
                                  "Via: SIP/2.0/UDP c\r\n"
                                  "From: <sip:f@b.example>;tag=1\r\n"
                                  "To: <sip:t@b.example>;tag=tt\r\n"
                                  "Call-ID: c\r\n"
                                  "CSeq: 1 OPTIONS\r\n"
                                  "Content-Length: 0\r\n\r\n");
}

Test(write, response_keeps_a_to_tag_and_100_takes_the_timestamp)
{
    struct sip_msg m;
    struct sip_msg r;
    struct sip_addr a;
    struct sip_bad bad;

    sip_help_parse(&m, REQ("Via: SIP/2.0/TCP a;branch=z9hG4bK1\r\n", "<sip:t@b.example>;tag=own"));
    sip_write_response(&out, &m,
                       &(struct sip_response_params){.status = 100, .to_tag = SLICE_LIT("tt")});
    sip_write_end_empty(&out);
    cr_assert_eq(sip_msg_parse(&r, buf_slice(&out), &bad), 0);
    cr_assert_eq(sip_msg_addr(&r, SIP_HDR_TO, &a), 0);
    EXPECT_SLICE(a.tag, "own");
    EXPECT_SLICE(sip_msg_value(&r, SIP_HDR_TIMESTAMP), "54");
}

Test(write, response_marks_the_top_via)
{
    static const struct {
        const char *via;
        const char *received;
        uint16_t rport;
        const char *want;
    } rows[] = {
        {"SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1", "192.0.2.1", 1234,
         "SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1"},
        {"SIP/2.0/TCP h;branch=z9hG4bK1", "192.0.2.1", 1234,
         "SIP/2.0/TCP h;branch=z9hG4bK1;received=192.0.2.1"},
        {"SIP/2.0/TCP 192.0.2.1;rport;branch=z9hG4bK1", "192.0.2.1", 1234,
         "SIP/2.0/TCP 192.0.2.1;rport=1234;branch=z9hG4bK1;received=192.0.2.1"},
        {"SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1;RPORT", "192.0.2.1", 1234,
         "SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1;RPORT=1234;received=192.0.2.1"},
        {"SIP/2.0/TCP h;branch=z9hG4bK1;rport=9", "192.0.2.1", 1234,
         "SIP/2.0/TCP h;branch=z9hG4bK1;rport=9;received=192.0.2.1"},
        {"SIP/2.0/TCP h;xrport;branch=z9hG4bK1", "", 1234, "SIP/2.0/TCP h;xrport;branch=z9hG4bK1"},
        {"SIP/2.0/TCP h;received=192.0.2.7;branch=z9hG4bK1", "192.0.2.1", 0,
         "SIP/2.0/TCP h;received=192.0.2.7;branch=z9hG4bK1"},
        {"SIP/2.0/TCP [2001:db8::1];branch=z9hG4bK1", "2001:DB8:0::1", 0,
         "SIP/2.0/TCP [2001:db8::1];branch=z9hG4bK1"},
        {"SIP/2.0/TCP [2001:db8::1];branch=z9hG4bK1", "2001:db8::2", 0,
         "SIP/2.0/TCP [2001:db8::1];branch=z9hG4bK1;received=2001:db8::2"},
        {"nonsense", "192.0.2.1", 5, "nonsense"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct sip_msg m;
        struct sip_msg r;
        struct sip_bad bad;
        char text[512] = "OPTIONS sip:a@b.example SIP/2.0\r\nVia: ";

        memcpy(text + strlen(text), rows[i].via, strlen(rows[i].via) + 1);
        memcpy(text + strlen(text), "\r\nl: 0\r\n\r\n", 11);
        sip_help_parse(&m, text);
        buf_clear(&out);
        sip_write_response(&out, &m,
                           &(struct sip_response_params){
                               .status = 200,
                               .received = slice_from_cstr(rows[i].received),
                               .rport = rows[i].rport,
                           });
        sip_write_end_empty(&out);
        cr_assert_eq(sip_msg_parse(&r, buf_slice(&out), &bad), 0);
        EXPECT_SLICE(sip_msg_value(&r, SIP_HDR_VIA), rows[i].want);
        cr_expect_not(sip_msg_has(&r, SIP_HDR_TO), "what was missing stays missing");
    }
}

Test(write, over_the_bound_fails)
{
    struct sip_request_params p = params();
    struct buf small;

    buf_init(&small, 100);
    sip_write_request(&small, &p);
    sip_write_end_empty(&small);
    cr_expect(small.failed);
    buf_deinit(&small);
}

Test(write, parts_of_a_value)
{
    sip_write_header_begin(&out, SIP_HDR_WARNING);
    buf_put_lit(&out, "399 edge1 ");
    sip_put_quoted(&out, SLICE_LIT("say \"x\\y\"\n"));
    sip_write_header_end(&out);
    EXPECT_SLICE(buf_slice(&out), "Warning: 399 edge1 \"say \\\"x\\\\y\\\" \"\r\n");
}

/* Every word that a peer may choose goes back as it came (RFC 3261 25.1, callid). */
Test(write, call_ids_of_others)
{
    static const struct slice ids[] = {SLICE_LIT("a<b>c"), SLICE_LIT("<>:\\\"/[]?{}"),
                                       SLICE_LIT("-.!%*_+`'~()@<host>")};
    static const struct slice bad[] = {SLICE_LIT("a@b@c"), SLICE_LIT("a;b"), SLICE_LIT("a,b"),
                                       SLICE_LIT("@a"), SLICE_LIT("")};

    for (size_t i = 0; i < ARRAY_COUNT(ids); i++) {
        struct sip_request_params p = params();

        p.call_id = ids[i];
        buf_clear(&out);
        sip_write_request(&out, &p);
        cr_expect_not(out.failed, "%zu", i);
        cr_expect_not_null(memmem(buf_slice(&out).ptr, buf_len(&out), ids[i].ptr, ids[i].len));
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct sip_request_params p = params();

        p.call_id = bad[i];
        buf_clear(&out);
        sip_write_request(&out, &p);
        cr_expect(out.failed, "%zu", i);
    }
}

/* Eight characters are looked at together: every byte counts in every place. */
Test(write, no_place_hides_a_bad_character)
{
    char tag[21];

    for (unsigned len = 1; len < sizeof(tag); len++) {
        for (unsigned at = 0; at < len; at++) {
            for (unsigned c = 0; c < 256; c++) {
                struct sip_request_params p = params();
                bool is_bad = c <= ' ' || c == 0x7F || c == '<' || c == '>';

                memset(tag, 'x', sizeof(tag));
                tag[at] = (char)c;
                p.from_tag = slice_make(tag, len);
                buf_clear(&out);
                sip_write_request(&out, &p);
                cr_assert_eq(out.failed, is_bad, "%u at %u of %u", c, at, len);
            }
        }
    }
}

/* What the checks have decoded gives the same response as decoding it again. */
Test(write, response_from_decoded_values_is_the_same)
{
    static const char *const froms[] = {"<sip:a@b>;tag=1", "\"x\"\r\n <sip:a@b>\r\n\t;tag=1"};
    static const char *const tos[] = {"<sip:c@d>", "sip:c@d;tag=z", "<sip:c@d>\r\n ;tag=z"};
    static const char *const vias[] = {
        "SIP/2.0/TLS h.example;branch=z9hG4bKa",
        "SIP/2.0/TLS h.example;rport;branch=z9hG4bKa,\r\n SIP/2.0/TCP i.example",
        "SIP/2.0/TLS 192.0.2.9:7\r\n ;branch=z9hG4bKa",
        "SIP/2.0/TLS h.example;received=192.0.2.1;rport=9\r\nVia: SIP/2.0/TCP i.example",
    };
    const struct sip_check_policy policy = sip_help_policy();
    char text[1024];
    struct buf again;

    buf_init(&again, 65536);
    for (unsigned i = 0; i < ARRAY_COUNT(froms) * ARRAY_COUNT(tos) * ARRAY_COUNT(vias); i++) {
        struct sip_response_params p = {
            .status = 200,
            .to_tag = SLICE_LIT("new"),
            .received = SLICE_LIT("192.0.2.9"),
            .rport = 7,
        };
        struct sip_verdict verdict;
        struct sip_keys keys;
        struct sip_msg m;

        (void)snprintf(text, sizeof(text),
                       "MESSAGE sip:bob@corp.example SIP/2.0\r\nVia: %s\r\nFrom: %s\r\nTo: %s\r\n"
                       "Call-ID: c\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n",
                       vias[i % 4], froms[i / 4 % 2], tos[i / 8]);
        sip_help_parse(&m, text);
        cr_assert(sip_check_request_keys(&m, &policy, &keys, &verdict), "%s", verdict.why);
        buf_clear(&out);
        buf_clear(&again);
        sip_write_response(&again, &m, &p);
        p.keys = &keys;
        sip_write_response(&out, &m, &p);
        cr_assert_gt(buf_len(&out), 0);
        cr_assert(slice_eq(buf_slice(&out), buf_slice(&again)), "%s", text);
        cr_assert_null(memmem(out.data, buf_len(&out), "\r\n ", 3), "no fold is copied");
    }
    buf_deinit(&again);
}
