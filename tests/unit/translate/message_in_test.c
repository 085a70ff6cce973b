/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of proto/translate: SIP MESSAGE -> XMPP, bodies of all kinds, hostile ones. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "sip/checks.h"
#include "translate/body.h"
#include "translate/html.h"
#include "translate/message.h"
#include "translate/stamp.h"
#include "xml/parser.h"

/* Fri, 20 Nov 2026 12:00:00 GMT */
#define NOW INT64_C(1795176000)

struct answer {
    struct message_from_sip r;
    struct buf out;
    struct buf wire;
};

/* What the checks decoded must do the same as decoding again. */
static void expect_same_by_keys(const struct answer *a, const struct sip_msg *m,
                                const struct message_from_sip_options *options)
{
    static const struct slice accept[] = {SLICE_LIT("text/plain"), SLICE_LIT("multipart/mixed")};
    const struct sip_check_policy policy = {
        .methods = SIP_METHOD_BIT(SIP_METHOD_MESSAGE),
        .schemes = UINT32_MAX,
        .accept = accept,
        .accept_count = ARRAY_COUNT(accept),
        .from_tag_optional = true,
    };
    struct message_from_sip_options with_keys = *options;
    static struct message_from_sip r;
    struct sip_verdict verdict;
    struct sip_keys keys;
    struct buf out;

    if (!sip_check_request_keys(m, &policy, &keys, &verdict)) {
        return; /* the test is of a message that never gets so far */
    }
    buf_init(&out, 400000);
    with_keys.keys = &keys;
    message_from_sip(&r, &out, m, &with_keys);
    cr_assert_eq(r.verdict, a->r.verdict);
    cr_assert_eq(r.status, a->r.status);
    cr_assert_eq(r.why, a->r.why);
    cr_assert(slice_eq(buf_slice(&out), buf_slice(&a->out)));
    buf_deinit(&out);
}

static void run(struct answer *a, const char *uri, const char *headers, struct slice body,
                const struct message_from_sip_options *options)
{
    struct message_from_sip_options plain = {.id = SLICE_LIT("i1"), .now_unix_s = NOW};
    struct sip_msg m;
    struct sip_bad bad;

    buf_init(&a->wire, 400000);
    buf_init(&a->out, 400000);
    buf_printf(&a->wire,
               "MESSAGE %s SIP/2.0\r\nVia: SIP/2.0/TLS p.example;branch=z9hG4bK1\r\n"
               "Max-Forwards: 70\r\nTo: <sip:x@y.example>\r\nCall-ID: c1@h\r\nCSeq: 1 MESSAGE\r\n"
               "%sContent-Length: %zu\r\n\r\n",
               uri, headers, body.len);
    buf_put(&a->wire, body);
    cr_assert_eq(sip_msg_parse(&m, buf_slice(&a->wire), &bad), 0, "%s", bad.why);
    message_from_sip(&a->r, &a->out, &m, options ? options : &plain);
    cr_assert_eq(a->r.verdict == MESSAGE_SEND, buf_len(&a->out) > 0);
    expect_same_by_keys(a, &m, options ? options : &plain);
}

static void done(struct answer *a)
{
    buf_deinit(&a->out);
    buf_deinit(&a->wire);
}

#define FROM "From: \"A\" <sip:alice@corp.example>;tag=1\r\n"
#define TO "sip:juliet@chat.example"

static void expect(const char *headers, struct slice body, const char *want)
{
    struct answer a;

    run(&a, TO, headers, body, NULL);
    cr_assert(slice_eq_cstr(buf_slice(&a.out), want), "%u %.*s", a.r.status,
              SLICE_FMT(buf_slice(&a.out)));
    cr_assert_eq(a.r.status, 202);
    done(&a);
}

/* Only the text of the body. */
static void expect_text(const char *type, struct slice body, const char *want)
{
    char headers[400], full[2000];

    (void)snprintf(headers, sizeof(headers), FROM "Content-Type: %s\r\n", type);
    (void)snprintf(full, sizeof(full),
                   "<message from=\"alice@corp.example/sip\" to=\"juliet@chat.example\" "
                   "type=\"chat\" id=\"i1\"><body>%s</body><thread>c1@h</thread></message>",
                   want);
    expect(headers, body, full);
}

static void expect_verdict(const char *uri, const char *headers, struct slice body,
                           enum message_why why, unsigned status)
{
    struct answer a;

    run(&a, uri, headers, body, NULL);
    cr_assert_eq(a.r.why, why, "%s: %s", headers, message_why_name(a.r.why));
    cr_assert_eq(a.r.status, status, "%s: %u", headers, a.r.status);
    cr_assert_eq(a.r.verdict, status < 300 ? MESSAGE_CONSUMED : MESSAGE_REFUSED);
    cr_assert_eq(a.r.accept.len > 0 || a.r.accept_identity, status == 415);
    done(&a);
}

Test(message_from_sip, plain)
{
    expect(FROM "Content-Type: text/plain\r\nSubject: A & B\r\nContent-Language: de, en\r\n",
           SLICE_LIT("Hall\u00f6 <du>\r\nzwei\rdrei"),
           "<message from=\"alice@corp.example/sip\" to=\"juliet@chat.example\" type=\"chat\" "
           "id=\"i1\" xml:lang=\"de\"><subject>A &amp; B</subject>"
           "<body>Hall\u00f6 &lt;du&gt;\nzwei\ndrei</body><thread>c1@h</thread></message>");
}

Test(message_from_sip, options_and_addresses)
{
    struct message_from_sip_options options = {.type_normal = true, .resource = SLICE_LIT("lync"),
                                               .now_unix_s = NOW};
    struct answer a;

    run(&a, "sip:o'hara@xn--bcher-kva.example;gr=b%20c", FROM "Content-Type: text/plain\r\n",
        SLICE_LIT("x"), &options);
    cr_assert(slice_eq_cstr(buf_slice(&a.out),
                            "<message from=\"alice@corp.example/lync\" "
                            "to=\"o\\27hara@b\u00fccher.example/b c\"><body>x</body>"
                            "<thread>c1@h</thread></message>"),
              "%.*s", SLICE_FMT(buf_slice(&a.out)));
    done(&a);
}

Test(message_from_sip, address_refusals)
{
    struct slice x = SLICE_LIT("x");
    const char *plain = FROM "Content-Type: text/plain\r\n";

    expect_verdict("sip:chat.example", plain, x, MESSAGE_WHY_NOT_A_USER, 404);
    expect_verdict("sips:a@chat.example", plain, x, MESSAGE_WHY_ADDRESS, 416);
    expect_verdict("tel:+1555", plain, x, MESSAGE_WHY_ADDRESS, 416);
    expect_verdict("sip:a%00@chat.example", plain, x, MESSAGE_WHY_ADDRESS, 404);
    expect_verdict("sip:a%FF@chat.example", plain, x, MESSAGE_WHY_ADDRESS, 400);
    expect_verdict(TO, "From: <tel:+1555>;tag=1\r\nContent-Type: text/plain\r\n", x,
                   MESSAGE_WHY_ADDRESS, 403);
    expect_verdict(TO, "From: <sip:a%00b@corp.example>;tag=1\r\nContent-Type: text/plain\r\n", x,
                   MESSAGE_WHY_ADDRESS, 403);
}

Test(message_from_sip, charsets)
{
    expect_text("text/plain;charset=utf-8", SLICE_LIT("\xEF\xBB\xBF\u00fc"), "\u00fc");
    expect_text("text/plain; charset=\"UTF-8\"", SLICE_LIT("\u00fc"), "\u00fc");
    expect_text("text/plain;charset=us-ascii", SLICE_LIT("abc"), "abc");
    expect_text("text/plain;charset=ISO-8859-1", SLICE_LIT("\xfc\xdf"), "\u00fc\u00df");
    expect_text("text/plain;charset=utf-16", SLICE_LIT("\xff\xfe" "a\0\xfc\0"), "a\u00fc");
    expect_text("text/plain;charset=utf-16", SLICE_LIT("\0a\0\xfc"), "a\u00fc");
    expect_text("text/plain;charset=utf-16le", SLICE_LIT("\x3d\xd8\x00\xde"), "\U0001F600");
    expect_text("text/plain;charset=utf-16be", SLICE_LIT("\xd8\x3d\xde\x00"), "\U0001F600");
    expect_text("text/plain;charset=utf-16be", SLICE_LIT("\xd8\x3d\0a\0"), "\uFFFDa\uFFFD");
    expect_verdict(TO, FROM "Content-Type: text/plain;charset=koi8-r\r\n", SLICE_LIT("x"),
                   MESSAGE_WHY_MEDIA_TYPE, 415);
}

Test(message_from_sip, hostile_characters)
{
    expect_text("text/plain", SLICE_LIT("a\0b\x01\x1f\x7f" "c\xff\xc0\xaf" "d\uFFFE" "e"),
                "ab\x7f" "c\uFFFD\uFFFD\uFFFD" "de");
    expect_text("text/plain", SLICE_LIT("</body></message><message to='x'>"),
                "&lt;/body&gt;&lt;/message&gt;&lt;message to=&apos;x&apos;&gt;");
    expect_text("text/plain", SLICE_LIT("]]>&amp;"), "]]&gt;&amp;amp;");
}

Test(message_from_sip, media_types)
{
    struct slice x = SLICE_LIT("x");

    expect_verdict(TO, FROM "Content-Type: image/png\r\n", x, MESSAGE_WHY_MEDIA_TYPE, 415);
    expect_verdict(TO, FROM "Content-Type: text/rtf\r\n", x, MESSAGE_WHY_MEDIA_TYPE, 415);
    expect_verdict(TO, FROM "Content-Type: application/im-iscomposing+xml\r\n", x,
                   MESSAGE_WHY_CHAT_STATE, 202);
    expect_verdict(TO, FROM "Content-Type: message/imdn+xml\r\n", x, MESSAGE_WHY_RECEIPT, 202);
    expect_verdict(TO, FROM "Content-Type: text/plain\r\n", SLICE_LIT(""), MESSAGE_WHY_EMPTY, 202);
    expect_verdict(TO, FROM, x, MESSAGE_WHY_MALFORMED, 400);
    expect_verdict(TO, FROM "Content-Type: text/plain\r\nContent-Encoding: gzip\r\n", x,
                   MESSAGE_WHY_ENCODING, 415);
    expect_verdict(TO, FROM "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n", x,
                   MESSAGE_WHY_ENCODING, 415);
}

Test(message_from_sip, html)
{
    expect_text("text/html",
                SLICE_LIT("<html><head><title>t</title><style>b{}</style></head><body>"
                          "<p>Hi <b>you</b>&nbsp;&amp; me</p><div>2&#x2d;3</div>a<br/>b"
                          "<script>alert('</p>')</script><!-- no > -->c</body></html>"),
                "Hi you\u00a0&amp; me\n2-3\na\nbc");
    expect_text("text/html", SLICE_LIT("a < b &unknown; &#0; &#xD800; &"),
                "a &lt; b &amp;unknown; &amp;#0; &amp;#xD800; &amp;");
    expect_text("text/html", SLICE_LIT("x<a href=\"q>r\">y</a><scr"), "xy");
    expect_verdict(TO, FROM "Content-Type: text/html\r\n", SLICE_LIT("<b></b>"),
                   MESSAGE_WHY_EMPTY, 202);
}

Test(message_from_sip, multipart)
{
    expect_text("multipart/alternative;boundary=\"b b\"",
                SLICE_LIT("preamble\r\n--b b\r\nContent-Type: text/html\r\n\r\n<b>h</b>\r\n"
                          "--b b\r\nContent-Type: text/plain\r\n\r\np1\r\np2\r\n--b b--\r\nend"),
                "p1\np2");
    expect_text("multipart/mixed;boundary=b",
                SLICE_LIT("--b\r\nContent-Type: image/png\r\n\r\nxx\r\n--b\r\n"
                          "Content-Type: multipart/alternative;boundary=c\r\n\r\n"
                          "--c\r\nContent-Type: text/html\r\n\r\n<i>h</i>\r\n--c--\r\n"
                          "--b\r\n\r\nplain by default\r\n--b--"),
                "plain by default");
    expect_text("multipart/mixed;boundary=b",
                SLICE_LIT("--b\r\nContent-Type: multipart/related;boundary=c\r\n\r\n--c\r\n"
                          "Content-Type: text/html\r\n\r\n<i>h</i>\r\n--c--\r\n--b--"),
                "h");
    /* Line ends of LF alone, and no closing delimiter. */
    expect_text("multipart/mixed;boundary=b", SLICE_LIT("--b\nContent-Type: text/plain\n\nx"), "x");
    /* A delimiter is a whole line. */
    expect_text("multipart/mixed;boundary=b", SLICE_LIT("--b\r\n\r\n--bx\r\n--b--"), "--bx");
    const char *h = FROM "Content-Type: multipart/mixed;boundary=b\r\n";
    expect_verdict(TO, h, SLICE_LIT("no boundary here"), MESSAGE_WHY_MALFORMED, 400);
    expect_verdict(TO, h, SLICE_LIT("--b--"), MESSAGE_WHY_MALFORMED, 400);
    expect_verdict(TO, FROM "Content-Type: multipart/mixed\r\n", SLICE_LIT("--b\r\n\r\nx"),
                   MESSAGE_WHY_MALFORMED, 400);
    expect_verdict(TO, h, SLICE_LIT("--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--"),
                   MESSAGE_WHY_MEDIA_TYPE, 415);
    expect_verdict(TO, h, SLICE_LIT("--b\r\nbroken header\r\n\r\nx\r\n--b--"),
                   MESSAGE_WHY_MALFORMED, 400);
}

/* parts empty parts, then one with text. */
static void put_parts(struct buf *b, unsigned parts)
{
    for (unsigned i = 0; i < parts; i++) {
        buf_put_lit(b, "--b\r\nContent-Type: image/png\r\n\r\n\r\n");
    }
    buf_put_lit(b, "--b\r\n\r\nx\r\n--b--");
}

Test(message_from_sip, multipart_limits)
{
    const char *h = FROM "Content-Type: multipart/mixed;boundary=b\r\n";
    struct buf b;

    buf_init(&b, 100000);
    put_parts(&b, BODY_PARTS_MAX - 1);
    expect_text("multipart/mixed;boundary=b", buf_slice(&b), "x");
    buf_clear(&b);
    put_parts(&b, BODY_PARTS_MAX);
    expect_verdict(TO, h, buf_slice(&b), MESSAGE_WHY_MEDIA_TYPE, 415);
    buf_clear(&b);
    /* Text at depth 3 is found, at depth 4 not. */
    buf_put_lit(&b, "--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n"
                    "--c\r\nContent-Type: multipart/mixed;boundary=d\r\n\r\n");
    size_t depth3 = buf_len(&b);
    buf_put_lit(&b, "--d\r\n\r\nx\r\n--d--");
    expect_text("multipart/mixed;boundary=b", buf_slice(&b), "x");
    buf_truncate(&b, depth3);
    buf_put_lit(&b, "--d\r\nContent-Type: multipart/mixed;boundary=e\r\n\r\n--e\r\n\r\nx\r\n--e--");
    expect_verdict(TO, h, buf_slice(&b), MESSAGE_WHY_MEDIA_TYPE, 415);
    buf_deinit(&b);
}

#define CPIM FROM "Content-Type: message/cpim\r\n"

Test(message_from_sip, cpim)
{
    expect(CPIM,
           SLICE_LIT("From: A <im:alice@corp.example>\r\nTo: <sip:juliet@chat.example>\r\n"
                     "DateTime: 2026-11-20T10:00:00+01:00\r\n\r\n"
                     "Content-Type: text/plain;charset=utf-8\r\nContent-Language: fr\r\n\r\n"
                     "salut"),
           "<message from=\"alice@corp.example/sip\" to=\"juliet@chat.example\" type=\"chat\" "
           "id=\"i1\" xml:lang=\"fr\"><body>salut</body><thread>c1@h</thread>"
           "<delay xmlns=\"urn:xmpp:delay\" from=\"corp.example\" "
           "stamp=\"2026-11-20T09:00:00Z\"/></message>");
    expect_text("message/cpim", SLICE_LIT("Subject: x\r\n\r\n\r\nplain by default"),
                "plain by default");
    expect_verdict(TO, CPIM,
                   SLICE_LIT("From: <im:boss@corp.example>\r\n\r\nContent-Type: text/plain\r\n"
                             "\r\nx"),
                   MESSAGE_WHY_IDENTITY, 403);
    expect_verdict(TO, CPIM,
                   SLICE_LIT("From: <im:alice@corp.example>\r\nTo: <im:other@chat.example>\r\n\r\n"
                             "Content-Type: text/plain\r\n\r\nx"),
                   MESSAGE_WHY_IDENTITY, 403);
    expect_verdict(TO, CPIM,
                   SLICE_LIT("From: <im:alice@corp.example>\r\nFrom: <im:boss@corp.example>\r\n"
                             "\r\nContent-Type: text/plain\r\n\r\nx"),
                   MESSAGE_WHY_MALFORMED, 400);
    expect_verdict(TO, CPIM, SLICE_LIT("no header"), MESSAGE_WHY_MALFORMED, 400);
    expect_verdict(TO, CPIM, SLICE_LIT("A: b\r\n"), MESSAGE_WHY_MALFORMED, 400);
    expect_verdict(TO, CPIM,
                   SLICE_LIT("A: b\r\n\r\nContent-Type: application/im-iscomposing+xml\r\n\r\nx"),
                   MESSAGE_WHY_CHAT_STATE, 202);
    expect_verdict(TO, CPIM, SLICE_LIT("A: b\r\n\r\nContent-Type: message/cpim\r\n\r\nA: b\r\n"),
                   MESSAGE_WHY_MEDIA_TYPE, 415);
}

Test(message_from_sip, expires_and_date)
{
    expect_verdict(TO,
                   FROM "Content-Type: text/plain\r\nExpires: 60\r\n"
                        "Date: Fri, 20 Nov 2026 11:58:00 GMT\r\n",
                   SLICE_LIT("x"), MESSAGE_WHY_EXPIRED, 202);
    expect(FROM "Content-Type: text/plain\r\nExpires: 600\r\n"
                "Date: Fri, 20 Nov 2026 11:58:00 GMT\r\n",
           SLICE_LIT("x"),
           "<message from=\"alice@corp.example/sip\" to=\"juliet@chat.example\" type=\"chat\" "
           "id=\"i1\"><body>x</body><thread>c1@h</thread><delay xmlns=\"urn:xmpp:delay\" "
           "from=\"corp.example\" stamp=\"2026-11-20T11:58:00Z\"/></message>");
    /* Younger than a minute, or in the future: not worth saying. */
    expect(FROM "Content-Type: text/plain\r\nDate: Fri, 20 Nov 2026 11:59:30 GMT\r\n",
           SLICE_LIT("x"),
           "<message from=\"alice@corp.example/sip\" to=\"juliet@chat.example\" type=\"chat\" "
           "id=\"i1\"><body>x</body><thread>c1@h</thread></message>");
}

Test(message_from_sip, size_limit)
{
    static char text[70000];
    struct message_from_sip_options options = {.now_unix_s = NOW, .body_bytes_max = 10};
    struct answer a;

    memset(text, 'a', sizeof(text));
    expect_verdict(TO, FROM "Content-Type: text/plain\r\n",
                   slice_make(text, MESSAGE_BODY_BYTES_MAX + 1), MESSAGE_WHY_TOO_BIG, 413);
    run(&a, TO, FROM "Content-Type: text/plain\r\n", slice_make(text, MESSAGE_BODY_BYTES_MAX),
        NULL);
    cr_assert_eq(a.r.verdict, MESSAGE_SEND);
    done(&a);
    /* 6 bytes of ISO-8859-1 are 12 of UTF-8. */
    run(&a, TO, FROM "Content-Type: text/plain;charset=iso-8859-1\r\n",
        SLICE_LIT("\xfc\xfc\xfc\xfc\xfc\xfc"), &options);
    cr_assert_eq(a.r.status, 413);
    done(&a);
}

Test(stamp, both_ways)
{
    static const struct {
        const char *text;
        int64_t unix_s;
    } good[] = {{"1970-01-01T00:00:00Z", 0},
                {"2000-02-29T23:59:59Z", 951868799},
                {"2026-11-20T12:00:00Z", NOW},
                {"9999-12-31T23:59:59Z", INT64_C(253402300799)}};
    int64_t unix_s;
    struct buf out;

    buf_init(&out, 100);
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        cr_assert_eq(stamp_parse(slice_from_cstr(good[i].text), &unix_s), 0);
        cr_assert_eq(unix_s, good[i].unix_s, "%s: %lld", good[i].text, (long long)unix_s);
        buf_clear(&out);
        stamp_write(&out, unix_s);
        cr_assert(slice_eq_cstr(buf_slice(&out), good[i].text));
    }
    cr_assert_eq(stamp_parse(SLICE_LIT("2026-11-20T12:00:00.123-02:30"), &unix_s), 0);
    cr_assert_eq(unix_s, NOW + 9000);
    static const char *const bad[] = {"", "2026", "2026-11-20 12:00:00Z", "2026-13-01T00:00:00Z",
                                      "2026-00-01T00:00:00Z", "1969-12-31T23:59:59Z",
                                      "2026-11-20T24:00:00Z", "2026-11-20T12:00:00Zx",
                                      "2026-11-20T12:00:00+1:00", "+026-11-20T12:00:00Z",
                                      "2026-11-20T12:00"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        cr_assert_neq(stamp_parse(slice_from_cstr(bad[i]), &unix_s), 0, "%s", bad[i]);
    }
    buf_clear(&out);
    stamp_write_sip_date(&out, NOW);
    cr_assert(slice_eq_cstr(buf_slice(&out), "Fri, 20 Nov 2026 12:00:00 GMT"), "%.*s",
              SLICE_FMT(buf_slice(&out)));
    buf_deinit(&out);
}
