/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checks: every refusal with its status, the order among them, and the fields they add. */
#include "base/pool.h"
#include "sip/framer.h"
#include "sip_help.h"

/* A good request whose lines are replaced one at a time. */
struct parts {
    const char *start;
    const char *via;
    const char *from;
    const char *to;
    const char *call_id;
    const char *cseq;
    const char *max_forwards;
    const char *type;
    const char *extra;
    const char *body;
};

static struct parts good(void)
{
    return (struct parts){
        .start = "MESSAGE sip:bob@corp.example SIP/2.0",
        .via = "Via: SIP/2.0/TLS pool.corp.example:5061;branch=z9hG4bK1\r\n",
        .from = "From: <sip:ann@chat.example>;tag=1\r\n",
        .to = "To: <sip:bob@corp.example>\r\n",
        .call_id = "Call-ID: c\r\n",
        .cseq = "CSeq: 1 MESSAGE\r\n",
        .max_forwards = "Max-Forwards: 70\r\n",
        .type = "Content-Type: text/plain\r\n",
        .extra = "",
        .body = "hello",
    };
}

static uint16_t check(const struct parts *p, const struct sip_check_policy *policy,
                      struct buf *fields)
{
    struct sip_verdict verdict;
    struct sip_msg m;
    struct buf text;
    bool ok;

    buf_init(&text, 65536);
    buf_printf(&text, "%s\r\n%s%s%s%s%s%s%s%sContent-Length: %zu\r\n\r\n%s", p->start, p->via,
               p->from, p->to, p->call_id, p->cseq, p->max_forwards, p->type, p->extra,
               strlen(p->body), p->body);
    buf_putc(&text, '\0');
    sip_help_parse(&m, buf_slice(&text).ptr);
    ok = sip_check_request(&m, policy, &verdict);
    cr_expect_eq(ok, verdict.status == 0);
    cr_expect(ok || verdict.why[0]);
    if (fields) {
        sip_verdict_put(fields, &m, policy, &verdict);
    }
    buf_deinit(&text);
    return verdict.status;
}

static void expect(const struct parts *p, uint16_t status)
{
    struct sip_check_policy policy = sip_help_policy();
    uint16_t got = check(p, &policy, NULL);

    cr_expect_eq(got, status, "got %u, want %u: %s %s %s %s %s %s %s %s", got, status, p->start,
                 p->via, p->from, p->to, p->call_id, p->cseq, p->max_forwards, p->extra);
}

Test(checks, good_request_passes)
{
    struct parts p = good();

    expect(&p, 0);
    p.max_forwards = "";
    expect(&p, 0);
    p.body = "";
    p.type = "";
    expect(&p, 0);
}

Test(checks, mandatory_fields)
{
    for (int i = 0; i < 5; i++) {
        struct parts p = good();
        const char **fields[] = {&p.via, &p.from, &p.to, &p.call_id, &p.cseq};

        *fields[i] = "";
        expect(&p, 400);
    }
}

Test(checks, malformed_fields)
{
    static const struct {
        int field;
        const char *line;
    } rows[] = {
        {0, "Via: SIP/2.0/TLS\r\n"},
        {0, "Via: SIP/2.0/TLS a, nonsense\r\n"},
        {0, "Via: SIP/2.0/TLS a\r\nVia: \r\n"},
        {1, "From: sip:ann@chat.example\r\n"},
        {1, "From: <sip:ann@chat.example\r\n"},
        {1, "From: *\r\n"},
        {1, "From: <sip:a@b>;tag=1\r\nf: <sip:a@b>;tag=1\r\n"},
        {2, "To: \r\n"},
        {2, "To: *\r\n"},
        {2, "To: <sip:a@b>\r\nTo: <sip:a@b>\r\n"},
        {3, "Call-ID: a b\r\n"},
        {3, "Call-ID: a\r\ni: a\r\n"},
        {4, "CSeq: x MESSAGE\r\n"},
        {4, "CSeq: 2147483648 MESSAGE\r\n"},
        {4, "CSeq: 1 INVITE\r\n"},
        {4, "CSeq: 1 message\r\n"},
        {5, "Max-Forwards: 256\r\n"},
        {5, "Max-Forwards: x\r\n"},
        {5, "Max-Forwards: 70\r\nMax-Forwards: 70\r\n"},
        {6, "Contact: \"x\r\n"},
        {6, "Contact: <sip:a@b>;;\r\n"},
        {6, "Route: x y\r\n"},
        {6, "Record-Route: *\r\n"},
        {6, "Content-Type: text/plain\r\n"},
        {6, "Expires: 1\r\nExpires: 1\r\n"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct parts p = good();
        const char **fields[] = {&p.via,  &p.from,         &p.to,   &p.call_id,
                                 &p.cseq, &p.max_forwards, &p.extra};

        *fields[rows[i].field] = rows[i].line;
        expect(&p, 400);
    }
}

Test(checks, from_tag_by_option)
{
    struct sip_check_policy policy = sip_help_policy();
    struct parts p = good();

    p.from = "From: <sip:ann@chat.example>\r\n";
    policy.from_tag_optional = true;
    cr_expect_eq(check(&p, &policy, NULL), 0);
}

Test(checks, version_and_methods)
{
    struct parts p = good();

    p.start = "MESSAGE sip:bob@corp.example SIP/3.0";
    p.via = "Via: SIP/3.0/TLS x\r\n";
    expect(&p, 505);
    p = good();
    p.start = "MESSAGE sip:bob@corp.example sip/2.0";
    expect(&p, 0);
    p.start = "NEGOTIATE sip:bob@corp.example SIP/2.0";
    expect(&p, 501);
    p.cseq = "CSeq: 1 NEGOTIATE\r\n";
    expect(&p, 501);
    p.start = "BYE sip:bob@corp.example SIP/2.0";
    expect(&p, 400);
    p.cseq = "CSeq: 1 BYE\r\n";
    expect(&p, 405);
}

Test(checks, uri_schemes)
{
    struct sip_check_policy policy = sip_help_policy();
    struct parts p = good();

    p.start = "MESSAGE sips:bob@corp.example SIP/2.0";
    expect(&p, 416);
    p.start = "MESSAGE tel:+15551234567 SIP/2.0";
    expect(&p, 416);
    p.start = "MESSAGE http://corp.example SIP/2.0";
    expect(&p, 416);
    p.start = "MESSAGE sip:@corp.example SIP/2.0";
    expect(&p, 400);
    p.start = "MESSAGE sip:a@b@corp.example SIP/2.0";
    expect(&p, 400);
    p.start = "MESSAGE sip:bob@corp.example?Subject=x SIP/2.0";
    expect(&p, 400);
    p = good();
    p.to = "To: <sips:bob@corp.example>\r\n";
    expect(&p, 416);
    p.to = "To: <isbn:2983792873>\r\n";
    expect(&p, 0);
    p = good();
    p.start = "MESSAGE im:bob@corp.example SIP/2.0";
    expect(&p, 416);
    policy.schemes |= SIP_SCHEME_BIT(SIP_SCHEME_IM);
    cr_expect_eq(check(&p, &policy, NULL), 0);
}

Test(checks, hops_and_loops)
{
    static const struct sip_host own[] = {
        {.text = SLICE_LIT("edge1.corp.example"), .kind = SIP_HOST_NAME, .port = 5061},
        {.text = SLICE_LIT("2001:db8::1"), .kind = SIP_HOST_IPV6},
    };
    static const struct {
        const char *via;
        uint16_t status;
    } rows[] = {
        {"Via: SIP/2.0/TLS a\r\nVia: SIP/2.0/TLS EDGE1.corp.example:5061;branch=x\r\n", 482},
        {"Via: SIP/2.0/TLS edge1.corp.example\r\n", 482},
        {"Via: SIP/2.0/TCP edge1.corp.example\r\n", 0},
        {"Via: SIP/2.0/TLS edge1.corp.example:5062\r\n", 0},
        {"Via: SIP/2.0/TCP [2001:db8:0::1]:5060\r\n", 482},
        {"Via: SIP/2.0/TLS edge2.corp.example:5061\r\n", 0},
    };
    struct sip_check_policy policy = sip_help_policy();
    struct parts p = good();

    p.max_forwards = "Max-Forwards: 0\r\n";
    expect(&p, 483);
    p.start = "OPTIONS sip:corp.example SIP/2.0";
    p.cseq = "CSeq: 1 OPTIONS\r\n";
    expect(&p, 0);
    policy.own = own;
    policy.own_count = ARRAY_COUNT(own);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        p = good();
        p.via = rows[i].via;
        cr_expect_eq(check(&p, &policy, NULL), rows[i].status, "%s", rows[i].via);
    }
}

Test(checks, via_depth)
{
    static char vias[71 * 30 + 1];
    struct parts p = good();
    size_t len = 0;

    for (int i = 0; i < 70; i++) {
        memcpy(vias + len, "Via: SIP/2.0/TCP a\r\n", 21);
        len += 20;
    }
    p.via = vias;
    expect(&p, 0);
    memcpy(vias + len, "Via: SIP/2.0/TCP a\r\n", 21);
    expect(&p, 400);
}

Test(checks, require)
{
    static const struct slice supported[] = {SLICE_LIT("gruu"), SLICE_LIT("timer")};
    struct sip_check_policy policy = sip_help_policy();
    struct parts p = good();
    struct buf b;

    buf_init(&b, 1000);
    policy.supported = supported;
    policy.supported_count = 2;
    p.extra = "Require: Timer, gruu\r\n";
    cr_expect_eq(check(&p, &policy, NULL), 0);
    p.extra = "Require: timer, foo\r\nProxy-Require: bar\r\nRequire: baz\r\n";
    cr_expect_eq(check(&p, &policy, &b), 420);
    EXPECT_SLICE(buf_slice(&b), "Unsupported: foo, baz\r\n");
    p.extra = "Proxy-Require: bar\r\n";
    cr_expect_eq(check(&p, &policy, NULL), 0);
    buf_deinit(&b);
}

Test(checks, bodies)
{
    struct sip_check_policy policy = sip_help_policy();
    struct parts p = good();
    struct buf b;

    buf_init(&b, 1000);
    p.type = "Content-Type: text/html\r\n";
    cr_expect_eq(check(&p, &policy, &b), 415);
    EXPECT_SLICE(buf_slice(&b), "Accept: text/plain, application/sdp, multipart/mixed\r\n"
                                "Accept-Encoding: identity\r\n");
    p.type = "";
    expect(&p, 400);
    p.type = "Content-Type: text\r\n";
    expect(&p, 400);
    p.type = "c: TEXT/Plain;charset=utf-8\r\n";
    expect(&p, 0);
    p.extra = "Content-Encoding: gzip\r\n";
    expect(&p, 415);
    p.extra = "e: identity\r\n";
    expect(&p, 0);
    policy.body_bytes_max = 4;
    cr_expect_eq(check(&p, &policy, NULL), 413);
    policy.body_bytes_max = 5;
    cr_expect_eq(check(&p, &policy, NULL), 0);
    buf_deinit(&b);
}

/* RFC 6665: SUBSCRIBE and NOTIFY are methods like others; a notification's types are its own. */
Test(checks, notify)
{
    static const struct slice types[] = {SLICE_LIT("application/pidf+xml")};
    struct sip_check_policy policy = sip_help_policy();
    struct parts p = good();
    struct buf b;

    buf_init(&b, 1000);
    p.start = "NOTIFY sip:bob@corp.example SIP/2.0";
    p.cseq = "CSeq: 1 NOTIFY\r\n";
    p.type = "Content-Type: application/pidf+xml\r\n";
    cr_expect_eq(check(&p, &policy, &b), 405);
    EXPECT_SLICE(buf_slice(&b), "Allow: INVITE, OPTIONS, REGISTER, MESSAGE\r\n");
    policy.methods |= SIP_METHOD_BIT(SIP_METHOD_NOTIFY) | SIP_METHOD_BIT(SIP_METHOD_SUBSCRIBE);
    policy.notify_accept = types;
    policy.notify_accept_count = ARRAY_COUNT(types);
    cr_expect_eq(check(&p, &policy, NULL), 0);
    p.type = "Content-Type: text/plain\r\n";
    buf_clear(&b);
    cr_expect_eq(check(&p, &policy, &b), 415);
    EXPECT_SLICE(buf_slice(&b), "Accept: application/pidf+xml\r\nAccept-Encoding: identity\r\n");
    p.start = "SUBSCRIBE sip:bob@corp.example SIP/2.0";
    p.cseq = "CSeq: 1 SUBSCRIBE\r\n";
    p.type = "Content-Type: application/adrl+xml\r\n";
    cr_expect_eq(check(&p, &policy, NULL), 415);
    p.extra = "Require: adhoclist\r\nSupported: eventlist\r\n";
    buf_clear(&b);
    cr_expect_eq(check(&p, &policy, &b), 420);
    EXPECT_SLICE(buf_slice(&b), "Unsupported: adhoclist\r\n");
    p.extra = "Require: eventlist\r\n";
    buf_clear(&b);
    cr_expect_eq(check(&p, &policy, &b), 420);
    EXPECT_SLICE(buf_slice(&b), "Unsupported: eventlist\r\n");
    p = good();
    p.type = "Content-Type: application/pidf+xml\r\n";
    cr_expect_eq(check(&p, &policy, NULL), 415, "a MESSAGE with a document");
    buf_deinit(&b);
}

Test(checks, allow_field)
{
    struct sip_check_policy policy = sip_help_policy();
    struct parts p = good();
    struct buf b;

    buf_init(&b, 1000);
    p.start = "BYE sip:bob@corp.example SIP/2.0";
    p.cseq = "CSeq: 1 BYE\r\n";
    cr_expect_eq(check(&p, &policy, &b), 405);
    EXPECT_SLICE(buf_slice(&b), "Allow: INVITE, OPTIONS, REGISTER, MESSAGE\r\n");
    buf_deinit(&b);
}

/* What fails first when everything is wrong at once, peeled off from the front. */
Test(checks, order)
{
    struct parts p = {
        .start = "FOO sips:bob@corp.example SIP/2.1",
        .via = "",
        .from = "From: <sip:ann@chat.example>;tag=1\r\n",
        .to = "To: <sip:bob@corp.example>\r\n",
        .call_id = "Call-ID: c\r\n",
        .cseq = "CSeq: 1 BAR\r\n",
        .max_forwards = "Max-Forwards: 0\r\n",
        .type = "Content-Type: text/html\r\n",
        .extra = "Require: foo\r\n",
        .body = "hello",
    };

    expect(&p, 505);
    p.start = "FOO sips:bob@corp.example SIP/2.0";
    expect(&p, 400);
    p.via = "Via: SIP/2.0/TLS a\r\n";
    expect(&p, 501);
    p.start = "BYE sips:bob@corp.example SIP/2.0";
    expect(&p, 400);
    p.cseq = "CSeq: 1 BYE\r\n";
    expect(&p, 405);
    p.start = "MESSAGE sips:bob@corp.example SIP/2.0";
    p.cseq = "CSeq: 1 MESSAGE\r\n";
    expect(&p, 416);
    p.start = "MESSAGE sip:bob@corp.example SIP/2.0";
    expect(&p, 483);
    p.max_forwards = "";
    expect(&p, 420);
    p.extra = "";
    expect(&p, 415);
}

Test(checks, ack_and_cancel_are_always_taken)
{
    struct parts p = good();

    p.start = "ACK sip:bob@corp.example SIP/2.0";
    p.cseq = "CSeq: 1 ACK\r\n";
    p.type = "Content-Type: x/y\r\n";
    p.extra = "Require: foo\r\n";
    expect(&p, 0);
    p.start = "CANCEL sip:bob@corp.example SIP/2.0";
    p.cseq = "CSeq: 1 CANCEL\r\n";
    expect(&p, 0);
}

Test(checks, flawed_request_and_wrong_kind)
{
    struct sip_check_policy policy = sip_help_policy();
    struct sip_verdict verdict;
    struct sip_msg m;

    sip_help_parse(&m, "MESSAGE  sip:a SIP/2.0\r\nVia: x\r\nl: 0\r\n\r\n");
    cr_expect_not(sip_check_request(&m, &policy, &verdict));
    cr_expect_eq(verdict.status, 400);
    sip_help_parse(&m, "SIP/2.0 200 OK\r\nl: 0\r\n\r\n");
    cr_expect_not(sip_check_request(&m, &policy, &verdict));
    cr_expect_eq(verdict.status, 0);
    sip_help_parse(&m, SIP_HELP_MESSAGE);
    cr_expect_not(sip_check_response(&m, &policy, &verdict));
}

#define RESPONSE(version, vias, rest)                                                              \
    version " 200 OK\r\n" vias "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\n" rest             \
            "l: 0\r\n\r\n"
#define TAIL "Call-ID: c\r\nCSeq: 1 MESSAGE\r\n"
#define VIA  "Via: SIP/2.0/TLS edge1.corp.example:5061;branch=z9hG4bK1\r\n"

Test(checks, responses)
{
    static const struct sip_host own[] = {
        {.text = SLICE_LIT("edge1.corp.example"), .kind = SIP_HOST_NAME, .port = 5061}};
    static const struct {
        const char *text;
        bool ok;
    } rows[] = {
        {RESPONSE("SIP/2.0", VIA, TAIL), true},
        {RESPONSE("SIP/7.0", VIA, TAIL), false},
        {RESPONSE("SIP/2.0", "", TAIL), false},
        {RESPONSE("SIP/2.0", VIA "Via: SIP/2.0/TLS x\r\n", TAIL), false},
        {RESPONSE("SIP/2.0", "Via: SIP/2.0/TLS other.example:5061\r\n", TAIL), false},
        {RESPONSE("SIP/2.0", VIA, "CSeq: 1 MESSAGE\r\n"), false},
        {RESPONSE("SIP/2.0", VIA, "Call-ID: c\r\n"), false},
        {RESPONSE("SIP/2.0", VIA, "Call-ID: c\r\nCSeq: 9292394834772304023312 OPTIONS\r\n"), false},
        {"SIP/2.0 2000 OK\r\n" VIA "l: 0\r\n\r\n", false},
    };
    struct sip_check_policy policy = sip_help_policy();

    policy.own = own;
    policy.own_count = 1;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct sip_verdict verdict;
        struct sip_msg m;

        sip_help_parse(&m, rows[i].text);
        cr_expect_eq(sip_check_response(&m, &policy, &verdict), rows[i].ok, "%s: %s", verdict.why,
                     rows[i].text);
        cr_expect_eq(verdict.status, 0);
    }
}

/* The way of a message from the wire to the verdict takes no memory at all. */
Test(checks, parse_and_checks_allocate_nothing)
{
    struct sip_check_policy policy = sip_help_policy();
    struct slice bytes = slice_from_cstr(SIP_HELP_MESSAGE);
    struct sip_verdict verdict;
    struct sip_framer f;
    size_t used;

    sip_framer_init(&f);
    pool_fail_nth(1);
    cr_expect_eq(sip_framer_feed(&f, bytes.ptr, bytes.len, &used), SIP_FRAME_MSG);
    cr_expect(sip_check_request(&f.msg, &policy, &verdict));
    cr_expect_null(pool_alloc(1), "the failure is still waiting: nobody asked before");
    sip_framer_deinit(&f);
}
