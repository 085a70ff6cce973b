/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uri: URIs, hosts, escapes, equality. */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/err.h"
#include "sip/uri.h"
#include "sip_help.h"

static struct sip_uri parse(const char *text)
{
    struct sip_uri uri;

    cr_assert_eq(sip_uri_parse(slice_from_cstr(text), &uri), 0, "%s", text);
    return uri;
}

Test(uri, parts_of_a_full_uri)
{
    struct sip_uri u = parse("sip:alice:secret@corp.example:5061;transport=tls;lr?Subject=hi&a=");
    struct slice value;

    cr_expect_eq(u.scheme, SIP_SCHEME_SIP);
    EXPECT_SLICE(u.scheme_text, "sip");
    EXPECT_SLICE(u.user, "alice");
    cr_expect(u.has_user);
    cr_expect(u.has_password);
    EXPECT_SLICE(u.host.text, "corp.example");
    cr_expect_eq(u.host.kind, SIP_HOST_NAME);
    cr_expect_eq(u.host.port, 5061);
    EXPECT_SLICE(u.params, "transport=tls;lr");
    EXPECT_SLICE(u.headers, "Subject=hi&a=");
    cr_expect(sip_uri_param(&u, SLICE_LIT("TRANSPORT"), &value));
    EXPECT_SLICE(value, "tls");
    cr_expect(sip_uri_param(&u, SLICE_LIT("lr"), &value));
    EXPECT_SLICE(value, "");
    cr_expect_not(sip_uri_param(&u, SLICE_LIT("gr"), &value));
    cr_expect(sip_uri_param(&u, SLICE_LIT("lr"), NULL));
}

/* Shapes of the address vectors: every one must parse as its column says. */
Test(uri, accepted)
{
    static const struct {
        const char *text;
        enum sip_scheme scheme;
        const char *user;
        const char *host;
    } rows[] = {
        {"sip:alice@corp.example", SIP_SCHEME_SIP, "alice", "corp.example"},
        {"SIP:Alice@CORP.Example", SIP_SCHEME_SIP, "Alice", "CORP.Example"},
        {"sips:a@b.example", SIP_SCHEME_SIPS, "a", "b.example"},
        {"sip:o'hara@corp.example", SIP_SCHEME_SIP, "o'hara", "corp.example"},
        {"sip:r/d@corp.example", SIP_SCHEME_SIP, "r/d", "corp.example"},
        {"sip:gr%C3%BC%C3%9Fe@corp.example", SIP_SCHEME_SIP, "gr%C3%BC%C3%9Fe", "corp.example"},
        {"sip:alice?x=1@corp.example", SIP_SCHEME_SIP, "alice?x=1", "corp.example"},
        {"sip:user;par=u%40example.net@corp.example", SIP_SCHEME_SIP, "user;par=u%40example.net",
         "corp.example"},
        {"sip:corp.example", SIP_SCHEME_SIP, "", "corp.example"},
        {"sip:+15551234567@corp.example;user=phone", SIP_SCHEME_SIP, "+15551234567",
         "corp.example"},
        {"sip:alice@192.0.2.7:5060", SIP_SCHEME_SIP, "alice", "192.0.2.7"},
        {"sip:alice@[2001:db8::10]:5070", SIP_SCHEME_SIP, "alice", "2001:db8::10"},
        {"sip:[2001:db8::10];transport=tcp", SIP_SCHEME_SIP, "", "2001:db8::10"},
        {"sip:alice@corp.example.", SIP_SCHEME_SIP, "alice", "corp.example."},
        {"sip:null%00@corp.example", SIP_SCHEME_SIP, "null%00", "corp.example"},
        {"sip:alice@corp.example;opaque=user:epid:hQ0SP5rl;gruu", SIP_SCHEME_SIP, "alice",
         "corp.example"},
        {"im:alice@corp.example", SIP_SCHEME_IM, "alice", "corp.example"},
        {"pres:alice@corp.example", SIP_SCHEME_PRES, "alice", "corp.example"},
        {"sip:a@localhost", SIP_SCHEME_SIP, "a", "localhost"},
        {"sip:a@xn--bcher-kva.example", SIP_SCHEME_SIP, "a", "xn--bcher-kva.example"},
        {"tel:+15551234567", SIP_SCHEME_TEL, "", ""},
        {"http://corp.example", SIP_SCHEME_OTHER, "", ""},
        {"soap.beep://192.0.2.103:3002", SIP_SCHEME_OTHER, "", ""},
        {"urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", SIP_SCHEME_OTHER, "", ""},
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct sip_uri u = parse(rows[i].text);

        cr_expect_eq(u.scheme, rows[i].scheme, "%s", rows[i].text);
        EXPECT_SLICE(u.user, rows[i].user);
        EXPECT_SLICE(u.host.text, rows[i].host);
        cr_expect_eq(u.has_user, rows[i].user[0] != '\0', "%s", rows[i].text);
    }
}

Test(uri, refused)
{
    static const char *const texts[] = {
        "",
        "sip",
        "sip:",
        ":a@b",
        "1sip:a@b.example",
        "sip:@corp.example",
        "sip:a@b@corp.example",
        "sip::pw@corp.example",
        "sip:a@",
        " sip:a@b.example",
        "sip:a@b.example ",
        "sip:a b@c.example",
        "sip:a%4@c.example",
        "sip:a%zz@c.example",
        "sip:a%",
        "sip:a\"b@c.example",
        "sip:a<b@c.example",
        "sip:\xC3\xBC@c.example",
        "sip:a@-b.example",
        "sip:a@b-.example",
        "sip:a@b..example",
        "sip:a@.example",
        "sip:a@b.example:",
        "sip:a@b.example:0",
        "sip:a@b.example:65536",
        "sip:a@b.example:99999999999999999999",
        "sip:a@b.example:5060x",
        "sip:a@1.2.3",
        "sip:a@256.1.1.1",
        "sip:a@[::1",
        "sip:a@[::1]x",
        "sip:a@[:::1]",
        "sip:a@::1",
        "sip:a@b.example;",
        "sip:a@b.example;;lr",
        "sip:a@b.example;=x",
        "sip:a@b.example;x=",
        "sip:a@b.example;x=y=z",
        "sip:a@b.example;x=%4",
        "sip:a@b.example;x=1;y;X=2",
        "sip:a@b.example;lr;lr",
        "sip:a@b.example?",
        "sip:a@b.example?x",
        "sip:a@b.example?=x",
        "sip:a@b.example?x=y@z",
        "im:corp.example",
        "pres:corp.example",
        "tel:",
        "tel:1 2",
        "<sip:a@b.example>",
        "sip:a@b\r\n.example",
    };

    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct sip_uri u;

        cr_expect_eq(sip_uri_parse(slice_from_cstr(texts[i]), &u), ERR_SIP_URI, "%s", texts[i]);
    }
    struct sip_uri u;

    cr_expect_eq(sip_uri_parse(slice_make("sip:a\0b@c.example", 17), &u), ERR_SIP_URI);
}

Test(uri, too_many_params)
{
    char text[700];
    struct sip_uri u;

    for (int count = 64; count <= 65; count++) {
        size_t len = (size_t)snprintf(text, sizeof(text), "sip:a@b.example");

        for (int i = 0; i < count; i++) {
            len += (size_t)snprintf(text + len, sizeof(text) - len, ";p%d=b", i);
        }
        cr_expect_eq(sip_uri_parse(slice_make(text, len), &u), count == 64 ? 0 : ERR_SIP_URI);
    }
}

Test(uri, unescape_once)
{
    struct buf b;

    buf_init(&b, 1000);
    cr_expect(sip_unescape(&b, SLICE_LIT("50%25off%41%2541")));
    EXPECT_SLICE(buf_slice(&b), "50%offA%41");
    buf_clear(&b);
    buf_put_lit(&b, "x");
    cr_expect_not(sip_unescape(&b, SLICE_LIT("ab%4")));
    EXPECT_SLICE(buf_slice(&b), "x");
    cr_expect_not(sip_unescape(&b, SLICE_LIT("ab%g0")));
    buf_clear(&b);
    cr_expect(sip_unescape(&b, SLICE_LIT("%00")));
    cr_expect_eq(buf_len(&b), 1);
    buf_deinit(&b);
}

Test(uri, escape_user_makes_what_parses)
{
    char all[255];
    struct buf b;
    struct buf back;
    struct sip_uri u;

    for (int i = 0; i < 255; i++) {
        all[i] = (char)(i + 1);
    }
    buf_init(&b, 2000);
    buf_init(&back, 2000);
    buf_put_lit(&b, "sip:");
    sip_escape_user(&b, slice_make(all, sizeof(all)));
    buf_put_lit(&b, "@c.example");
    cr_assert_eq(sip_uri_parse(buf_slice(&b), &u), 0);
    cr_assert(sip_unescape(&back, u.user));
    cr_expect(slice_eq(buf_slice(&back), slice_make(all, sizeof(all))));
    buf_clear(&b);
    sip_escape_user(&b, SLICE_LIT("o'hara#50% [x]"));
    EXPECT_SLICE(buf_slice(&b), "o'hara%2350%25%20%5Bx%5D");
    buf_deinit(&b);
    buf_deinit(&back);
}

/* The examples of RFC 3261 19.1.4 and the rule about reserved characters. */
Test(uri, equality)
{
    static const char *const same[][2] = {
        {"sip:%61lice@atlanta.example;transport=TCP", "sip:alice@AtLanTa.Example;Transport=tcp"},
        {"sip:carol@chicago.example", "sip:carol@chicago.example;newparam=5"},
        {"sip:carol@chicago.example;newparam=5", "sip:carol@chicago.example;security=on"},
        {"sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::1]"},
        {"sip:a@b.example.", "sip:a@b.example"},
        {"urn:x:y", "urn:x:y"},
    };
    static const char *const differ[][2] = {
        {"sip:alice@atlanta.example", "sip:ALICE@atlanta.example"},
        {"sip:bob@biloxi.example", "sip:bob@biloxi.example:5060"},
        {"sip:bob@biloxi.example", "sip:bob@biloxi.example;transport=udp"},
        {"sip:a@b.example;x=1", "sip:a@b.example;x=2"},
        {"sip:a@b.example", "sips:a@b.example"},
        {"sip:r/d@b.example", "sip:r%2Fd@b.example"},
        {"sip:b.example", "sip:a@b.example"},
        {"sip:a@b.example", "sip:a:pw@b.example"},
        {"sip:a@b.example", "sip:a@b.example?x=y"},
        {"sip:null%00@b.example", "sip:null@b.example"},
        {"urn:x:y", "urn:x:Y"},
        {"sip:a@b.example;user=phone", "sip:a@b.example"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(same); i++) {
        struct sip_uri a = parse(same[i][0]);
        struct sip_uri b = parse(same[i][1]);

        cr_expect(sip_uri_eq(&a, &b), "%s = %s", same[i][0], same[i][1]);
        cr_expect(sip_uri_eq(&b, &a), "%s = %s", same[i][1], same[i][0]);
    }
    for (size_t i = 0; i < ARRAY_COUNT(differ); i++) {
        struct sip_uri a = parse(differ[i][0]);
        struct sip_uri b = parse(differ[i][1]);

        cr_expect_not(sip_uri_eq(&a, &b), "%s != %s", differ[i][0], differ[i][1]);
        cr_expect_not(sip_uri_eq(&b, &a), "%s != %s", differ[i][1], differ[i][0]);
    }
}

Test(uri, host_put_normalises)
{
    static const char *const rows[][2] = {
        {"Corp.EXAMPLE.", "corp.example"},
        {"192.0.2.1:5060", "192.0.2.1"},
        {"[2001:DB8::1]:5060", "[2001:db8::1]"},
    };
    struct buf b;

    buf_init(&b, 100);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct sip_host h;

        buf_clear(&b);
        cr_assert_eq(sip_host_parse(slice_from_cstr(rows[i][0]), &h), 0);
        sip_host_put(&b, &h);
        EXPECT_SLICE(buf_slice(&b), rows[i][1]);
    }
    buf_deinit(&b);
}

Test(uri, host_eq_needs_the_same_kind)
{
    struct sip_host name;
    struct sip_host v4;
    struct sip_host none = {.kind = SIP_HOST_NONE};

    cr_assert_eq(sip_host_parse(SLICE_LIT("a.example:1"), &name), 0);
    cr_assert_eq(sip_host_parse(SLICE_LIT("192.0.2.1"), &v4), 0);
    cr_expect_not(sip_host_eq(&name, &v4));
    cr_expect_not(sip_host_eq(&none, &none));
    cr_expect(sip_host_eq(&v4, &v4));
}

Test(uri, host_name_limits)
{
    char text[300];
    struct sip_host h;

    memset(text, 'a', sizeof(text));
    cr_expect_eq(sip_host_parse(slice_make(text, 63), &h), 0);
    cr_expect_eq(sip_host_parse(slice_make(text, 64), &h), ERR_SIP_URI);
    for (size_t i = 63; i < sizeof(text); i += 64) {
        text[i] = '.';
    }
    cr_expect_eq(sip_host_parse(slice_make(text, 255), &h), 0);
    cr_expect_eq(sip_host_parse(slice_make(text, 257), &h), ERR_SIP_URI);
}

/* An IPv4 address is what inet_pton takes, and nothing else. */
Test(uri, addresses_are_those_of_inet_pton)
{
    static const char alphabet[] = "01259.x";
    static const char *const frames[][2] = {{"1.1.1.", ""}, {"", ".1.1.1"}, {"1.", ".25.1"}};
    char text[32];

    for (unsigned i = 0; i < 7 * 7 * 7 * 7; i++) {
        for (unsigned f = 0; f < ARRAY_COUNT(frames); f++) {
            for (int len = 0; len <= 4; len++) {
                const char middle[] = {alphabet[i % 7], alphabet[i / 7 % 7], alphabet[i / 49 % 7],
                                       alphabet[i / 343]};
                struct in_addr addr;
                struct sip_host h;

                (void)snprintf(text, sizeof(text), "%s%.*s%s", frames[f][0], len, middle,
                               frames[f][1]);
                cr_assert_eq(sip_host_parse(slice_from_cstr(text), &h) == 0 &&
                                 h.kind == SIP_HOST_IPV4,
                             inet_pton(AF_INET, text, &addr) == 1, "%s", text);
            }
        }
    }
}
