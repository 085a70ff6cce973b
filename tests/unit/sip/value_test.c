/* SPDX-License-Identifier: GPL-2.0-or-later */
/* value: lists and the decoded values of header fields. */
#include "base/err.h"
#include "sip_help.h"

#define HEAD "OPTIONS sip:bob@corp.example SIP/2.0\r\n"

/* A request with just these header lines. */
static void with(struct sip_msg *m, const char *lines)
{
    static char text[2048]; /* the view of the last call only */

    cr_assert(strlen(lines) + 60 < sizeof(text));
    memcpy(text, HEAD, sizeof(HEAD) - 1);
    memcpy(text + sizeof(HEAD) - 1, lines, strlen(lines));
    memcpy(text + sizeof(HEAD) - 1 + strlen(lines), "\r\n", 3);
    sip_help_parse(m, text);
}

Test(value, list_over_fields_quotes_and_brackets)
{
    static const char *const want[] = {
        "\"a, b\" <sip:x,y@c.example>", "<sip:d.example>", "", "e", "\"\\\", \"", "last",
    };
    struct sip_list list;
    struct slice value;
    struct sip_msg m;

    with(&m, "Contact: \"a, b\" <sip:x,y@c.example> ,<sip:d.example>,, e\r\nm: \"\\\", \"\r\n"
             "Contact: last\r\n");
    sip_list_init(&list, &m, SIP_HDR_CONTACT);
    for (size_t i = 0; i < ARRAY_COUNT(want); i++) {
        cr_assert(sip_list_next(&list, &value), "%zu", i);
        EXPECT_SLICE(value, want[i]);
    }
    cr_expect_not(sip_list_next(&list, &value));
    sip_list_init(&list, &m, SIP_HDR_ROUTE);
    cr_expect_not(sip_list_next(&list, &value));
}

Test(value, list_has)
{
    struct sip_msg m;

    with(&m, "Supported: 100rel, Timer\r\nk: gruu\r\n");
    cr_expect(sip_msg_list_has(&m, SIP_HDR_SUPPORTED, SLICE_LIT("timer")));
    cr_expect(sip_msg_list_has(&m, SIP_HDR_SUPPORTED, SLICE_LIT("gruu")));
    cr_expect_not(sip_msg_list_has(&m, SIP_HDR_SUPPORTED, SLICE_LIT("gru")));
}

Test(value, via_full)
{
    struct sip_via via;

    cr_assert_eq(sip_via_parse(SLICE_LIT("SIP / 2.0 / TLS\r\n first.example : 4000 ;ttl=16;alias;"
                                         "maddr=224.2.0.1;rport ;Branch = z9hG4bKa7c6"
                                         ";received=192.0.2.9"),
                               &via),
                 0);
    EXPECT_SLICE(via.version, "2.0");
    EXPECT_SLICE(via.transport, "TLS");
    EXPECT_SLICE(via.sent_by.text, "first.example");
    cr_expect_eq(via.sent_by.port, 4000);
    EXPECT_SLICE(via.branch, "z9hG4bKa7c6");
    EXPECT_SLICE(via.received, "192.0.2.9");
    cr_expect(via.has_rport);
    cr_expect_eq(via.rport, 0);
    cr_expect(via.has_alias);
    cr_expect(via.has_cookie);
    cr_assert_eq(sip_via_parse(SLICE_LIT("SIP/2.0/TCP [2001:db8::9]:5070;rport=1;branch=x"), &via),
                 0);
    EXPECT_SLICE(via.sent_by.text, "2001:db8::9");
    cr_expect_eq(via.sent_by.port, 5070);
    cr_expect_eq(via.rport, 1);
    cr_expect_not(via.has_cookie);
    cr_assert_eq(sip_via_parse(SLICE_LIT("SIP/2.0/TCP [2001:db8::9] : 5070"), &via), 0);
    cr_expect_eq(via.sent_by.port, 5070);
    cr_assert_eq(sip_via_parse(SLICE_LIT("SIP/2.0/TCP h;branch=z9hG4bK"), &via), 0);
    cr_expect_not(via.has_cookie, "the cookie alone identifies nothing");
}

Test(value, via_refused)
{
    static const char *const texts[] = {
        "",
        "SIP",
        "SIP/2.0",
        "SIP/2.0/TCP",
        "SIP/2.0/TCP ",
        "HTTP/2.0/TCP h",
        "SIP/2.0TCP h",
        "SIP/2.0/TCP;h",
        "SIP/2.0/TCP h:",
        "SIP/2.0/TCP h:0",
        "SIP/2.0/TCP h:65536",
        "SIP/2.0/TCP h:x",
        "SIP/2.0/TCP h i",
        "SIP/2.0/TCP h;",
        "SIP/2.0/TCP h;;branch=x",
        "SIP/2.0/TCP h;branch",
        "SIP/2.0/TCP h;branch=\"x\"",
        "SIP/2.0/TCP h;branch=a;branch=b",
        "SIP/2.0/TCP h;rport=0",
        "SIP/2.0/TCP h;rport=70000",
        "SIP/2.0/TCP h;rport=x",
        "SIP/2.0/TCP [::1",
        "SIP/2.0/TCP [::1]]",
        "SIP/2.0/TCP a_b",
        "SIP/2.0/TCP h]:1",
    };

    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct sip_via via;

        cr_expect_neq(sip_via_parse(slice_from_cstr(texts[i]), &via), 0, "%s", texts[i]);
    }
}

Test(value, via_top_is_the_first)
{
    struct sip_msg m;
    struct sip_via via;

    with(&m, "X: y\r\n");
    cr_expect_eq(sip_msg_via_top(&m, &via), ERR_NOT_FOUND);
    with(&m, "v: SIP/2.0/TCP a;branch=z9hG4bK1, SIP/2.0/TCP b\r\nVia: SIP/2.0/TCP c\r\n");
    cr_assert_eq(sip_msg_via_top(&m, &via), 0);
    EXPECT_SLICE(via.sent_by.text, "a");
}

Test(value, cseq)
{
    static const struct {
        const char *line;
        int err;
        uint32_t number;
        enum sip_method method;
    } rows[] = {
        {"CSeq: 1 MESSAGE\r\n", 0, 1, SIP_METHOD_MESSAGE},
        {"CSeq: 0009\r\n  INVITE\r\n", 0, 9, SIP_METHOD_INVITE},
        {"CSeq: 4294967295 FOO\r\n", 0, UINT32_MAX, SIP_METHOD_UNKNOWN},
        {"CSeq: 4294967296 FOO\r\n", ERR_LIMIT, 0, SIP_METHOD_UNKNOWN},
        {"CSeq: 36893488147419103232 FOO\r\n", ERR_LIMIT, 0, SIP_METHOD_UNKNOWN},
        {"CSeq: FOO\r\n", ERR_SIP_SYNTAX, 0, SIP_METHOD_UNKNOWN},
        {"CSeq: 1\r\n", ERR_SIP_SYNTAX, 1, SIP_METHOD_UNKNOWN},
        {"CSeq: 1FOO\r\n", ERR_SIP_SYNTAX, 1, SIP_METHOD_UNKNOWN},
        {"CSeq: 1 FOO BAR\r\n", ERR_SIP_SYNTAX, 1, SIP_METHOD_UNKNOWN},
        {"CSeq: -1 FOO\r\n", ERR_SIP_SYNTAX, 0, SIP_METHOD_UNKNOWN},
        {"CSeq:\r\n", ERR_SIP_SYNTAX, 0, SIP_METHOD_UNKNOWN},
        {"X: y\r\n", ERR_NOT_FOUND, 0, SIP_METHOD_UNKNOWN},
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct sip_msg m;
        struct sip_cseq cseq;

        with(&m, rows[i].line);
        cr_expect_eq(sip_msg_cseq(&m, &cseq), rows[i].err, "%s", rows[i].line);
        if (rows[i].err == 0) {
            cr_expect_eq(cseq.number, rows[i].number);
            cr_expect_eq(cseq.method, rows[i].method);
        }
    }
}

Test(value, numbers)
{
    static const struct {
        const char *line;
        enum sip_header id;
        int err;
        uint32_t want;
    } rows[] = {
        {"Max-Forwards: 0068\r\n", SIP_HDR_MAX_FORWARDS, 0, 68},
        {"Max-Forwards: 70x\r\n", SIP_HDR_MAX_FORWARDS, ERR_SIP_SYNTAX, 0},
        {"Max-Forwards: 70;x\r\n", SIP_HDR_MAX_FORWARDS, ERR_SIP_SYNTAX, 0},
        {"Max-Forwards:\r\n", SIP_HDR_MAX_FORWARDS, ERR_SIP_SYNTAX, 0},
        {"Expires: 3600\r\n", SIP_HDR_EXPIRES, 0, 3600},
        {"Expires: 4294967296\r\n", SIP_HDR_EXPIRES, ERR_LIMIT, 0},
        {"Retry-After: 18000;duration=3600\r\n", SIP_HDR_RETRY_AFTER, 0, 18000},
        {"Retry-After: 120 (I'm in a meeting)\r\n", SIP_HDR_RETRY_AFTER, 0, 120},
        {"Retry-After: 120 x\r\n", SIP_HDR_RETRY_AFTER, ERR_SIP_SYNTAX, 0},
        {"Min-Expires: 60\r\n", SIP_HDR_MIN_EXPIRES, 0, 60},
        {"X: y\r\n", SIP_HDR_EXPIRES, ERR_NOT_FOUND, 0},
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct sip_msg m;
        uint32_t got;

        with(&m, rows[i].line);
        cr_expect_eq(sip_msg_u32(&m, rows[i].id, &got), rows[i].err, "%s", rows[i].line);
        if (rows[i].err == 0) {
            cr_expect_eq(got, rows[i].want, "%s", rows[i].line);
        }
    }
}

Test(value, call_id)
{
    struct sip_msg m;
    struct slice id;

    with(&m, "i: a84b4c76e66710@pc33.example\r\n");
    cr_expect_eq(sip_msg_call_id(&m, &id), 0);
    EXPECT_SLICE(id, "a84b4c76e66710@pc33.example");
    with(&m, "i: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\r\n");
    cr_expect_eq(sip_msg_call_id(&m, &id), 0);
    with(&m, "i: a b\r\n");
    cr_expect_eq(sip_msg_call_id(&m, &id), ERR_SIP_SYNTAX);
    with(&m, "i: a@\r\n");
    cr_expect_eq(sip_msg_call_id(&m, &id), ERR_SIP_SYNTAX);
    with(&m, "i: @a\r\n");
    cr_expect_eq(sip_msg_call_id(&m, &id), ERR_SIP_SYNTAX);
    with(&m, "i: a@b@c\r\n");
    cr_expect_eq(sip_msg_call_id(&m, &id), ERR_SIP_SYNTAX);
    with(&m, "i:\r\n");
    cr_expect_eq(sip_msg_call_id(&m, &id), ERR_SIP_SYNTAX);
    with(&m, "X: y\r\n");
    cr_expect_eq(sip_msg_call_id(&m, &id), ERR_NOT_FOUND);
}

Test(value, addresses_of_a_message)
{
    struct sip_msg m;
    struct sip_addr a;
    struct sip_uri u;

    with(&m, "From: <sip:a@b.example>;tag=1\r\nContact: <sip:c@d.example>, <sip:e@f.example>\r\n"
             "To: <sip:a@b.example>, <sip:c@d.example>\r\n");
    cr_expect_eq(sip_msg_addr(&m, SIP_HDR_FROM, &a), 0);
    EXPECT_SLICE(a.tag, "1");
    cr_expect_eq(sip_msg_addr(&m, SIP_HDR_CONTACT, &a), 0);
    EXPECT_SLICE(a.uri.user, "c");
    cr_expect_eq(sip_msg_addr(&m, SIP_HDR_TO, &a), ERR_SIP_SYNTAX);
    cr_expect_eq(sip_msg_addr(&m, SIP_HDR_ROUTE, &a), ERR_NOT_FOUND);
    cr_expect_eq(sip_msg_uri(&m, &u), 0);
    EXPECT_SLICE(u.user, "bob");
    sip_help_parse(&m, "SIP/2.0 200 OK\r\nl: 0\r\n\r\n");
    cr_expect_eq(sip_msg_uri(&m, &u), ERR_NOT_FOUND);
}

Test(value, content_type)
{
    static const char *const bad[] = {
        "Content-Type: text\r\n",         "Content-Type: /plain\r\n",
        "Content-Type: text/\r\n",        "Content-Type: text/plain;\r\n",
        "Content-Type: text/plain x\r\n", "Content-Type:\r\n",
    };
    struct sip_media_type t;
    struct slice value;
    struct sip_msg m;

    with(&m, "c: Text / Plain ; Charset=\"UTF-8\"; x=y\r\n");
    cr_assert_eq(sip_msg_content_type(&m, &t), 0);
    cr_expect(sip_media_type_is(&t, SLICE_LIT("text"), SLICE_LIT("plain")));
    cr_expect_not(sip_media_type_is(&t, SLICE_LIT("text"), SLICE_LIT("html")));
    cr_expect(sip_media_type_param(&t, SLICE_LIT("charset"), &value));
    EXPECT_SLICE(value, "UTF-8");
    cr_expect(sip_media_type_param(&t, SLICE_LIT("X"), &value));
    EXPECT_SLICE(value, "y");
    cr_expect_not(sip_media_type_param(&t, SLICE_LIT("z"), &value));
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        with(&m, bad[i]);
        cr_expect_eq(sip_msg_content_type(&m, &t), ERR_SIP_SYNTAX, "%s", bad[i]);
    }
    with(&m, "X: y\r\n");
    cr_expect_eq(sip_msg_content_type(&m, &t), ERR_NOT_FOUND);
}

Test(value, date)
{
    static const struct {
        const char *line;
        int err;
        int64_t want;
    } rows[] = {
        {"Date: Sat, 13 Nov 2010 23:29:00 GMT\r\n", 0, 1289690940},
        {"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n", 0, 0},
        {"Date: Tue, 29 Feb 2000 12:00:00 GMT\r\n", 0, 951825600},
        {"Date: Fri, 31 Dec 2038 23:59:60 GMT\r\n", 0, 2177452800},
        {"Date: Fri, 01 Jan 2010 16:00:00 EST\r\n", ERR_SIP_SYNTAX, 0},
        {"Date: Fri, 1 Jan 2010 16:00:00 GMT\r\n", ERR_SIP_SYNTAX, 0},
        {"Date: Fri, 32 Jan 2010 16:00:00 GMT\r\n", ERR_SIP_SYNTAX, 0},
        {"Date: Fri, 00 Jan 2010 16:00:00 GMT\r\n", ERR_SIP_SYNTAX, 0},
        {"Date: Fri, 01 Jam 2010 16:00:00 GMT\r\n", ERR_SIP_SYNTAX, 0},
        {"Date: Fre, 01 Jan 2010 16:00:00 GMT\r\n", ERR_SIP_SYNTAX, 0},
        {"Date: Fri, 01 Jan 2010 24:00:00 GMT\r\n", ERR_SIP_SYNTAX, 0},
        {"Date: Fri, 01 Jan 2010 1x:00:00 GMT\r\n", ERR_SIP_SYNTAX, 0},
        {"Date:\r\n", ERR_SIP_SYNTAX, 0},
        {"X: y\r\n", ERR_NOT_FOUND, 0},
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct sip_msg m;
        int64_t got;

        with(&m, rows[i].line);
        cr_expect_eq(sip_msg_date(&m, &got), rows[i].err, "%s", rows[i].line);
        cr_expect_eq(got, rows[i].want, "%s: %ld", rows[i].line, (long)got);
    }
}

Test(value, warning)
{
    static const char *const bad[] = {
        "",          "307",       "1812 overture \"x\"", "30 a \"x\"",  "307 a x",
        "307 \"x\"", "307 a \"x", "307 a \"x\" y",       "099 a \"x\"",
    };
    struct sip_warning w;

    cr_assert_eq(sip_warning_parse(SLICE_LIT("307 isi.edu \"Session \\\"x\\\" bad\""), &w), 0);
    cr_expect_eq(w.code, 307);
    EXPECT_SLICE(w.agent, "isi.edu");
    EXPECT_SLICE(w.text, "Session \\\"x\\\" bad");
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        cr_expect_eq(sip_warning_parse(slice_from_cstr(bad[i]), &w), ERR_SIP_SYNTAX, "%s", bad[i]);
    }
}

Test(value, reason_and_diagnostics)
{
    struct sip_reason r;

    cr_assert_eq(sip_reason_parse(SLICE_LIT("SIP ;cause=600 ;text=\"Busy Everywhere\""), &r), 0);
    EXPECT_SLICE(r.protocol, "SIP");
    cr_expect_eq(r.cause, 600);
    EXPECT_SLICE(r.text, "Busy Everywhere");
    cr_assert_eq(sip_reason_parse(SLICE_LIT("Q.850"), &r), 0);
    cr_expect_eq(r.cause, 0);
    cr_expect_neq(sip_reason_parse(SLICE_LIT("SIP;cause=x"), &r), 0);
    cr_expect_neq(sip_reason_parse(SLICE_LIT("SIP;"), &r), 0);
    cr_expect_neq(sip_reason_parse(SLICE_LIT(";cause=1"), &r), 0);
    cr_assert_eq(
        sip_ms_diagnostics_parse(
            SLICE_LIT("1003;reason=\"User does not exist\";source=\"fe.corp.example\""), &r),
        0);
    cr_expect_eq(r.cause, 1003);
    EXPECT_SLICE(r.text, "User does not exist");
    cr_expect_neq(sip_ms_diagnostics_parse(SLICE_LIT("x;reason=\"y\""), &r), 0);
    cr_expect_neq(sip_ms_diagnostics_parse(SLICE_LIT("99999999999;reason=\"y\""), &r), 0);
    cr_expect_neq(sip_ms_diagnostics_parse(SLICE_LIT(""), &r), 0);
}
