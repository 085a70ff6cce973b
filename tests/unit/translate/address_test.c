/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of proto/translate/address: the whole vector table, XEP-0106's examples, forgeries. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/err.h"
#include "translate/address.h"

/* jid NULL = refused with status. */
struct s2x {
    const char *id;
    const char *uri;
    const char *jid;
    unsigned status;
};

static const struct s2x s2x_vectors[] = {
    {"S01", "sip:alice@corp.example", "alice@corp.example", 0},
    {"S02", "SIP:Alice@CORP.Example", "alice@corp.example", 0},
    {"S03", "sip:o'hara@corp.example", "o\\27hara@corp.example", 0},
    {"S04", "sip:d%27angelo@corp.example", "d\\27angelo@corp.example", 0},
    {"S06", "sip:r/d@corp.example", "r\\2fd@corp.example", 0},
    {"S07", "sip:r%2Fd@corp.example", "r\\2fd@corp.example", 0},
    {"S08", "sip:gr%C3%BC%C3%9Fe@corp.example", "gr\u00fc\u00dfe@corp.example", 0},
    {"S09", "sip:joe%20smith@corp.example", "joe\\20smith@corp.example", 0},
    {"S11", "sip:a%3Ab@corp.example", "a\\3ab@corp.example", 0},
    {"S12", "sip:%3Cx%3E@corp.example", "\\3cx\\3e@corp.example", 0},
    {"S13", "sip:q%22t@corp.example", "q\\22t@corp.example", 0},
    {"S14", "sip:x%5C27y@corp.example", "x\\5c27y@corp.example", 0},
    {"S16", "sip:x%5C5cz@corp.example", "x\\5c5cz@corp.example", 0},
    {"S17", "sip:%23ops@corp.example", "#ops@corp.example", 0},
    {"S18", "sip:50%25off@corp.example", "50%off@corp.example", 0},
    {"S19", "sip:+15551234567@corp.example;user=phone", "+15551234567@corp.example", 0},
    {"S21", "sip:alice?x=1@corp.example", "alice?x=1@corp.example", 0},
    {"S22", "sip:alice:secret@corp.example", "alice@corp.example", 0},
    {"S23", "sip:alice@corp.example:5061;transport=tls", "alice@corp.example", 0},
    {"S24", "sip:alice@corp.example;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
     "alice@corp.example/urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", 0},
    {"S25", "sip:alice@corp.example;gr=caf%C3%A9", "alice@corp.example/caf\u00e9", 0},
    {"S26", "sip:alice@corp.example;gr", "alice@corp.example", 0},
    {"S27", "sip:alice@corp.example;opaque=user:epid:hQ0SP5rl;gruu", "alice@corp.example", 0},
    {"S29", "tel:+15551234567", NULL, 416},
    {"S30", "im:alice@corp.example", "alice@corp.example", 0},
    {"S31", "pres:alice@corp.example", "alice@corp.example", 0},
    {"S32", "sip:alice@xn--bcher-kva.example", "alice@b\u00fccher.example", 0},
    {"S34", "sip:alice@192.0.2.7:5060", NULL, 404},
    {"S35", "sip:null%00@corp.example", NULL, 404},
    {"S36", "sip:a%0Ab@corp.example", NULL, 404},
    {"S37", "sip:%FF%FE@corp.example", NULL, 400},
    {"S39", "sip:%20alice@corp.example", NULL, 404},
    {"S40", "sip:corp.example", "corp.example", 0},
    {"S41", "sip:@corp.example", NULL, 400},
    {"S42", "sip:a@b@corp.example", NULL, 400},
    {"S44", "http://corp.example", NULL, 416},
    {"S45", "sip:%E2%84%ABngstrom@corp.example", "\u00e5ngstrom@corp.example", 0},
    {"S46", "sip:user;par=u%40example.net@corp.example", "user;par=u\\40example.net@corp.example",
     0},
    /* Ours. */
    {"sips", "sips:alice@corp.example", NULL, 416},
    {"ipv6", "sip:alice@[2001:db8::7]", NULL, 404},
    {"edge space at the end", "sip:alice%20@corp.example", NULL, 404},
    {"del", "sip:a%7Fb@corp.example", NULL, 404},
    {"cut escape", "sip:a%4@corp.example", NULL, 400},
    {"overlong UTF-8", "sip:a%C0%AFb@corp.example", NULL, 400},
    {"surrogate", "sip:a%ED%A0%80b@corp.example", NULL, 400},
    {"bad resource", "sip:alice@corp.example;gr=%FF", NULL, 400},
    {"control in resource", "sip:alice@corp.example;gr=a%0Ab", NULL, 404},
    {"trailing dot", "sip:alice@corp.example.", "alice@corp.example", 0},
    {"escaped slash stays in the local part", "sip:a%2Fb@corp.example;gr=c%2Fd",
     "a\\2fb@corp.example/c/d", 0},
    {"escaped at", "sip:a%40evil.example@corp.example", "a\\40evil.example@corp.example", 0},
    {"bad label", "sip:alice@xn--a.example", NULL, 404},
    {"backslash and upper-case hex", "sip:x%5C5Cz@corp.example", "x\\5c5cz@corp.example", 0},
    /* Full-width backslash is folded to the plain one, and must not make an apostrophe. */
    {"folded backslash", "sip:x%EF%BC%BC27y@corp.example", "x\\5c27y@corp.example", 0},
    {"folded digits", "sip:x%5C%EF%BC%92%EF%BC%97y@corp.example", "x\\5c27y@corp.example", 0},
    {"folded at", "sip:a%EF%BC%A0b@corp.example", NULL, 404},
    {"mark behind an escape", "sip:a%3A%CC%81b@corp.example", NULL, 404},
    {"mark behind an escaped quote", "sip:a%27%CC%81b@corp.example", "a\\27\u0301b@corp.example",
     0},
};

static void write_jid(struct buf *out, const struct jid *jid)
{
    buf_init(out, JID_BYTES_MAX);
    jid_write(out, jid);
}

Test(address, sip_to_xmpp_vectors)
{
    for (size_t i = 0; i < ARRAY_COUNT(s2x_vectors); i++) {
        const struct s2x *v = &s2x_vectors[i];
        struct jid_storage mem;
        struct jid jid;
        struct buf text;
        unsigned status = address_text_to_jid(slice_from_cstr(v->uri), true, &mem, &jid);
        cr_assert_eq(status, v->status, "%s: %s: status %u", v->id, v->uri, status);
        if (v->jid == NULL) {
            continue;
        }
        write_jid(&text, &jid);
        cr_assert(slice_eq_cstr(buf_slice(&text), v->jid), "%s: '%.*s'", v->id,
                  SLICE_FMT(buf_slice(&text)));
        buf_deinit(&text);
    }
}

/* SIP -> XMPP -> SIP -> XMPP ends at the same address. */
Test(address, sip_to_xmpp_round_trips)
{
    size_t tried = 0;

    for (size_t i = 0; i < ARRAY_COUNT(s2x_vectors); i++) {
        struct jid_storage mem, mem2;
        struct jid jid, again;
        struct buf uri;
        if (address_text_to_jid(slice_from_cstr(s2x_vectors[i].uri), true, &mem, &jid)) {
            continue;
        }
        buf_init(&uri, 8000);
        cr_assert_eq(address_to_uri(&uri, &jid, true), 0, "%s", s2x_vectors[i].id);
        cr_assert_eq(address_text_to_jid(buf_slice(&uri), true, &mem2, &again), 0, "%s: %.*s",
                     s2x_vectors[i].id, SLICE_FMT(buf_slice(&uri)));
        cr_assert(jid_eq(&jid, &again), "%s: %.*s", s2x_vectors[i].id, SLICE_FMT(buf_slice(&uri)));
        buf_deinit(&uri);
        tried++;
    }
    cr_assert_gt(tried, 30);
}

struct x2s {
    const char *id;
    const char *jid;
    const char *uri; /* NULL = jid-malformed */
};

static const struct x2s x2s_vectors[] = {
    {"X01", "juliet@chat.example", "sip:juliet@chat.example"},
    {"X02", "juliet@chat.example/balcony", "sip:juliet@chat.example;gr=balcony"},
    {"X03", "o\\27hara@chat.example", "sip:o'hara@chat.example"},
    {"X04", "r\\2fd@chat.example", "sip:r/d@chat.example"},
    {"X06", "a\\40b@chat.example", "sip:a%40b@chat.example"},
    {"X07", "a\\3ab@chat.example", "sip:a%3Ab@chat.example"},
    {"X08", "joe\\20smith@chat.example", "sip:joe%20smith@chat.example"},
    {"X09", "\\3cx\\3e@chat.example", "sip:%3Cx%3E@chat.example"},
    {"X11", "x\\5c27y@chat.example", "sip:x%5C27y@chat.example"},
    {"X12", "x\\y@chat.example", "sip:x%5Cy@chat.example"},
    {"X13", "x\\5c5cz@chat.example", "sip:x%5C5cz@chat.example"},
    {"X14", "foo\\41bar@chat.example", "sip:foo%5C41bar@chat.example"},
    {"X15", "gr\u00fc\u00dfe@chat.example", "sip:gr%C3%BC%C3%9Fe@chat.example"},
    {"X16", "\u65e5\u672c@chat.example", "sip:%E6%97%A5%E6%9C%AC@chat.example"},
    {"X17", "#ops@chat.example", "sip:%23ops@chat.example"},
    {"X18", "50%off@chat.example", "sip:50%25off@chat.example"},
    {"X20", "a[b]@chat.example", "sip:a%5Bb%5D@chat.example"},
    {"X21", "a;b=c?d@chat.example", "sip:a;b=c?d@chat.example"},
    {"X22", "user@b\u00fccher.example", "sip:user@xn--bcher-kva.example"},
    {"X23", "juliet@chat.example/caf\u00e9 bar;1",
     "sip:juliet@chat.example;gr=caf%C3%A9%20bar%3B1"},
    {"X25", "chat.example", "sip:chat.example"},
    {"X26", "+15551234567@chat.example", "sip:+15551234567@chat.example"},
    {"X27", "juliet@chat.example/urn:uuid:f81d4fae",
     "sip:juliet@chat.example;gr=urn:uuid:f81d4fae"},
    /* Ours: what could not come back. */
    {"edge space", "\\20joe@chat.example", NULL},
    {"edge space at the end", "joe\\20@chat.example", NULL},
    {"needless escape", "x\\5cy@chat.example", NULL},
    {"ip", "joe@192.0.2.1", NULL},
    {"no SIP host", "joe@chat.2example", NULL},
    {"escape cut off", "joe\\2@chat.example", "sip:joe%5C2@chat.example"},
    {"crlf-like text", "a%0d%0ab@chat.example", "sip:a%250d%250ab@chat.example"},
    {"header-like text", "a?subject=x;y,z@chat.example", "sip:a?subject=x;y,z@chat.example"},
    {"bracket in resource", "j@chat.example/a>b<c\"", "sip:j@chat.example;gr=a%3Eb%3Cc%22"},
};

Test(address, xmpp_to_sip_vectors)
{
    for (size_t i = 0; i < ARRAY_COUNT(x2s_vectors); i++) {
        const struct x2s *v = &x2s_vectors[i];
        struct jid_storage mem, mem2;
        struct jid jid, again;
        struct buf uri;
        cr_assert_eq(jid_parse(&mem, slice_from_cstr(v->jid), &jid), 0, "%s", v->id);
        buf_init(&uri, 8000);
        buf_put_lit(&uri, "<");
        int err = address_to_uri(&uri, &jid, true);
        if (v->uri == NULL) {
            cr_assert_eq(err, ERR_JID, "%s accepted", v->id);
            cr_assert_eq(buf_len(&uri), 1, "%s: half an address stays", v->id);
            buf_deinit(&uri);
            continue;
        }
        struct slice text = slice_from(buf_slice(&uri), 1);
        cr_assert_eq(err, 0, "%s", v->id);
        cr_assert(slice_eq_cstr(text, v->uri), "%s: '%.*s'", v->id, SLICE_FMT(text));
        cr_assert_eq(address_text_to_jid(text, true, &mem2, &again), 0, "%s", v->id);
        cr_assert(jid_eq(&jid, &again), "%s does not come back", v->id);
        buf_deinit(&uri);
    }
}

Test(address, without_resource)
{
    struct jid_storage mem;
    struct jid jid;
    struct buf uri;

    cr_assert_eq(address_text_to_jid(SLICE_LIT("sip:a@b.example;gr=x"), false, &mem, &jid), 0);
    cr_assert_not(jid_is_full(&jid));
    cr_assert_eq(jid_parse(&mem, SLICE_LIT("a@b.example/x"), &jid), 0);
    buf_init(&uri, 100);
    cr_assert_eq(address_to_uri(&uri, &jid, false), 0);
    cr_assert(slice_eq_cstr(buf_slice(&uri), "sip:a@b.example"));
    buf_deinit(&uri);
}

/* A user without anything to unescape takes a shorter way, another one the general way: the same
 * name gives the same address on both. */
Test(address, plain_users_are_as_escaped_ones)
{
    static const char *const frames[][2] = {{"", ""}, {"a", ""}, {"", "B"}, {"x", "9"}};
    struct jid_storage mem[2];
    struct jid jid[2];
    struct sip_uri uri;
    char name[16];
    char text[64];

    for (int c = 0x21; c < 0x7f; c++) {
        for (size_t f = 0; f < ARRAY_COUNT(frames); f++) {
            unsigned status[2];

            (void)snprintf(name, sizeof(name), "%s%c%s", frames[f][0], c, frames[f][1]);
            (void)snprintf(text, sizeof(text), "sip:%s@chat.example", name);
            if (sip_uri_parse(slice_from_cstr(text), &uri) || uri.user.len != strlen(name)) {
                continue; /* this character cannot stand there as it is */
            }
            status[0] = address_to_jid(&uri, true, &mem[0], &jid[0]);
            /* All of it percent-encoded: nothing is plain. */
            (void)snprintf(text, sizeof(text), "sip:");
            for (size_t i = 0; name[i]; i++) {
                (void)snprintf(text + strlen(text), 4, "%%%02x", (unsigned char)name[i]);
            }
            (void)snprintf(text + strlen(text), 16, "@chat.example");
            status[1] = address_text_to_jid(slice_from_cstr(text), true, &mem[1], &jid[1]);
            cr_assert_eq(status[0], status[1], "%s", name);
            cr_assert(status[0] != 0 || jid_eq(&jid[0], &jid[1]), "%s", name);
        }
    }
}

Test(address, resource_of_the_callers_choice)
{
    static const char *const users[] = {"ann", "a%26n"};
    struct jid_storage mem;
    struct sip_uri uri;
    struct jid jid;
    char text[64];

    for (size_t i = 0; i < ARRAY_COUNT(users); i++) {
        (void)snprintf(text, sizeof(text), "sip:%s@corp.example;gr=theirs", users[i]);
        cr_assert_eq(sip_uri_parse(slice_from_cstr(text), &uri), 0);
        cr_assert_eq(address_to_jid_at(&uri, SLICE_LIT("ours"), &mem, &jid), 0);
        cr_expect(slice_eq_cstr(jid.resource, "ours"));
        cr_expect_eq(jid.local.len, i == 0 ? 3 : 5);
    }
    cr_assert_eq(sip_uri_parse(SLICE_LIT("sip:corp.example"), &uri), 0);
    cr_assert_eq(address_to_jid_at(&uri, SLICE_LIT("ours"), &mem, &jid), 0);
    cr_expect(jid_is_domain(&jid));
}

/* X28 and its SIP side. */
Test(address, length_limits)
{
    static char text[12000];
    struct jid_storage mem;
    struct jid jid;

    memset(text, 'a', 1024);
    memcpy(text + 1024, "@chat.example", 13);
    cr_assert_eq(jid_parse(&mem, slice_make(text, 1037), &jid), ERR_JID);

    memcpy(text, "sip:", 4);
    memset(text + 4, 'a', 1024);
    memcpy(text + 4 + 1023, "@corp.example", 13);
    cr_assert_eq(address_text_to_jid(slice_make(text, 1040), true, &mem, &jid), 0);
    memset(text + 4, 'a', 1024);
    memcpy(text + 4 + 1024, "@corp.example", 13);
    cr_assert_eq(address_text_to_jid(slice_make(text, 1041), true, &mem, &jid), 414);
    /* 342 apostrophes are 342 bytes here and 1026 there. */
    memset(text + 4, '\'', 342);
    memcpy(text + 4 + 342, "@corp.example", 13);
    cr_assert_eq(address_text_to_jid(slice_make(text, 359), true, &mem, &jid), 414);
    memcpy(text + 4 + 341, "@corp.example", 13);
    cr_assert_eq(address_text_to_jid(slice_make(text, 358), true, &mem, &jid), 0);
    memset(text + 4, 'a', 10000);
    memcpy(text + 10004, "@corp.example", 13);
    cr_assert_eq(address_text_to_jid(slice_make(text, 10017), true, &mem, &jid), 414);
}

Test(address, xep0106_examples)
{
    static const char *const pairs[][2] = {
        {"space cadet", "space\\20cadet"},
        {"call me \"ishmael\"", "call\\20me\\20\\22ishmael\\22"},
        {"at&t guy", "at\\26t\\20guy"},
        {"d'artagnan", "d\\27artagnan"},
        {"/.fanboy", "\\2f.fanboy"},
        {"::foo::", "\\3a\\3afoo\\3a\\3a"},
        {"<foo>", "\\3cfoo\\3e"},
        {"user@host", "user\\40host"},
        {"c:\\net", "c\\3a\\net"},
        {"c:\\\\net", "c\\3a\\\\net"},
        {"c:\\cool stuff", "c\\3a\\cool\\20stuff"},
        {"c:\\5commas", "c\\3a\\5c5commas"},
        {"here's_a_wild_&_/cr%zy/_address", "here\\27s_a_wild_\\26_\\2fcr%zy\\2f_address"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(pairs); i++) {
        struct buf out;
        buf_init(&out, 200);
        cr_assert(address_escape(&out, slice_from_cstr(pairs[i][0])));
        cr_assert(slice_eq_cstr(buf_slice(&out), pairs[i][1]), "%s", pairs[i][0]);
        buf_clear(&out);
        cr_assert(address_unescape(&out, slice_from_cstr(pairs[i][1])));
        cr_assert(slice_eq_cstr(buf_slice(&out), pairs[i][0]), "%s", pairs[i][1]);
        buf_deinit(&out);
    }
}

/* Every printable ASCII character, both ways, in the middle of a name. */
Test(address, every_ascii_character_round_trips)
{
    for (char c = '!'; c < 0x7f; c++) {
        char raw[] = "a?b";
        struct buf local, uri;
        struct jid_storage mem, mem2;
        struct jid jid, again;
        raw[1] = c;
        buf_init(&local, 100);
        buf_init(&uri, 100);
        cr_assert(address_escape(&local, slice_from_cstr(raw)));
        cr_assert_eq(jid_make(&mem, buf_slice(&local), SLICE_LIT("x.example"), SLICE_NONE, &jid),
                     0, "'%c'", c);
        cr_assert_eq(address_to_uri(&uri, &jid, false), 0, "'%c'", c);
        cr_assert_eq(address_text_to_jid(buf_slice(&uri), false, &mem2, &again), 0, "'%c'", c);
        cr_assert(jid_eq(&jid, &again), "'%c'", c);
        buf_deinit(&local);
        buf_deinit(&uri);
    }
}
