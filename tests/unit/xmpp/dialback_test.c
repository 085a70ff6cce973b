/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dialback: keys against the published vectors, the elements, and the receiving and authoritative
 * roles of an incoming stream (XEP-0220 2.2, XEP-0344). */
#include <criterion/criterion.h>
#include <stdio.h>

#include "rig.h"

#define RESULT(key) "<db:result from='their.example' to='ours.example'>" key "</db:result>"
#define MESSAGE     "<message from='a@their.example' to='b@ours.example'/>"

/* --- keys --- */

static void expect_key(const char *secret, struct dialback_bond bond, const char *key)
{
    struct dialback_secret s;
    struct dialback_key made;

    dialback_secret_init(&s, rig_crypto(), slice_from_cstr(secret));
    cr_assert(dialback_key_make(&made, rig_crypto(), &s, &bond));
    cr_assert(slice_eq_cstr(slice_make(made.hex, sizeof(made.hex)), key), "%.*s",
              (int)sizeof(made.hex), made.hex);
    cr_assert(dialback_key_is_valid(rig_crypto(), &s, &bond, slice_from_cstr(key)));
}

Test(dialback, keys_are_those_of_xep_0185_and_xep_0220)
{
    expect_key("s3cr3tf0rd14lb4ck",
               (struct dialback_bond){SLICE_LIT("xmpp.example.com"), SLICE_LIT("example.org"),
                                      SLICE_LIT("D60000229F")},
               "37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643");
    expect_key("s3cr3tf0rd14lb4ck",
               (struct dialback_bond){SLICE_LIT("montague.example"), SLICE_LIT("capulet.example"),
                                      SLICE_LIT("D60000229F")},
               "b4835385f37fe2895af6c196b59097b16862406db80559900d96bf6fa7d23df3");
    expect_key("d14lb4ck43v3r",
               (struct dialback_bond){SLICE_LIT("capulet.example"), SLICE_LIT("montague.example"),
                                      SLICE_LIT("417GAF25")},
               "225cc5aa6a071133249d25fef42ae516fc7a86c523aa1c6980a7f73e784c972d");
}

Test(dialback, only_the_whole_key_is_valid)
{
    struct dialback_secret s;
    struct dialback_key key;
    struct dialback_bond bond = {SLICE_LIT("a"), SLICE_LIT("b"), SLICE_LIT("c")};
    struct dialback_bond shifted = {SLICE_LIT("a"), SLICE_LIT("b "), SLICE_LIT("c")};
    char text[DIALBACK_KEY_CHARS + 4];

    dialback_secret_init(&s, rig_crypto(), SLICE_LIT("x"));
    cr_assert(dialback_key_make(&key, rig_crypto(), &s, &bond));
    for (size_t i = 0; i < sizeof(key.hex); i++) {
        memcpy(text, key.hex, sizeof(key.hex));
        text[i] = text[i] == '0' ? '1' : '0';
        cr_assert_not(
            dialback_key_is_valid(rig_crypto(), &s, &bond, slice_make(text, sizeof(key.hex))));
        cr_assert_not(dialback_key_is_valid(rig_crypto(), &s, &bond, slice_make(key.hex, i)));
    }
    (void)snprintf(text, sizeof(text), "\n%.*s ", (int)sizeof(key.hex), key.hex);
    cr_assert(dialback_key_is_valid(rig_crypto(), &s, &bond, slice_from_cstr(text)));
    cr_assert_not(
        dialback_key_is_valid(rig_crypto(), &s, &shifted, slice_make(key.hex, sizeof(key.hex))));
    cr_assert_not(dialback_key_is_valid(rig_crypto(), &s, &bond, SLICE_NONE));
}

Test(dialback, parts_over_their_limits_make_no_key)
{
    static char big[4096];
    struct dialback_secret s;
    struct dialback_key key;
    struct dialback_bond bond = {SLICE_LIT("a"), SLICE_LIT("b"), {big, 0}};
    bool made = true;

    memset(big, 'x', sizeof(big));
    dialback_secret_init(&s, rig_crypto(), SLICE_LIT("x"));
    for (size_t len = 2900; len < sizeof(big); len++) {
        bool was_made = made;

        bond.stream_id.len = len;
        made = dialback_key_make(&key, rig_crypto(), &s, &bond);
        cr_assert(was_made || !made, "shorter was refused, %zu is not", len);
    }
    cr_assert_not(dialback_key_make(&key, rig_crypto(), &s, &bond));
    cr_assert_not(dialback_key_is_valid(rig_crypto(), &s, &bond, SLICE_LIT("x")));
    bond = (struct dialback_bond){{big, 4000}, {big, 1}, {big, 1}};
    cr_assert_not(dialback_key_make(&key, rig_crypto(), &s, &bond));
    bond = (struct dialback_bond){{big, 1}, {big, 4000}, {big, 1}};
    cr_assert_not(dialback_key_make(&key, rig_crypto(), &s, &bond));
    bond = (struct dialback_bond){
        {big, JID_PART_BYTES_MAX}, {big, JID_PART_BYTES_MAX}, {big, DIALBACK_ID_BYTES_MAX}};
    cr_assert(dialback_key_make(&key, rig_crypto(), &s, &bond));
}

/* 1000 starts, no secret twice, each of 128 bits at least. */
Test(dialback, SEC_06_random_secrets_do_not_repeat)
{
    static struct dialback_secret all[1000];

    for (size_t i = 0; i < 1000; i++) {
        dialback_secret_random(&all[i], rig_crypto());
        for (size_t j = 0; j < i; j++) {
            cr_assert_neq(memcmp(all[i].hex, all[j].hex, sizeof(all[i].hex)), 0);
        }
    }
    STATIC_ASSERT(sizeof(all[0].hex) * 4 >= 128, "bits");
}

Test(dialback, elements_have_the_literal_prefix_and_escape)
{
    struct buf out;
    struct dialback_address a = {SLICE_LIT("a\"b"), SLICE_LIT("c"), SLICE_NONE, false};

    buf_init(&out, 4096);
    dialback_write_request(&out, &a, SLICE_LIT("k&"));
    cr_assert(
        slice_eq_cstr(buf_slice(&out), "<db:result from=\"a&quot;b\" to=\"c\">k&amp;</db:result>"));
    buf_clear(&out);
    a = (struct dialback_address){SLICE_LIT("a"), SLICE_LIT("c"), SLICE_LIT("i"), false};
    dialback_write_answer(&out, &a, DIALBACK_ERROR, STANZA_CONDITION_ITEM_NOT_FOUND);
    cr_assert(slice_eq_cstr(
        buf_slice(&out),
        "<db:verify from=\"a\" to=\"c\" id=\"i\" type=\"error\"><error type=\"cancel\">"
        "<item-not-found xmlns=\"urn:ietf:params:xml:ns:xmpp-stanzas\"/></error></db:verify>"));
    buf_deinit(&out);
}

/* --- receiving server --- */

static void start(struct rig *r, bool is_bytewise, uint32_t methods, bool is_secured)
{
    rig_init(r, methods);
    r->is_bytewise = is_bytewise;
    rig_start_in(r, is_secured);
}

/* Header, db:result, and the id that the verification is about. */
static void ask(struct rig *r, char id[80])
{
    const struct rig_event *e;

    rig_feed(r, THEIR_HEADER RESULT("the key"));
    e = EXPECT(r, VERIFY_WANTED);
    cr_assert_str_eq(e->local, "ours.example");
    cr_assert_str_eq(e->remote, "their.example");
    cr_assert_str_eq(e->key, "the key");
    (void)snprintf(id, 80, "%s", e->id);
    cr_assert(slice_eq_cstr(stream_id(r->s), id));
    (void)rig_out(r);
}

SCRIPT(receiving, a_valid_key_opens_the_pair)
{
    struct rig r;
    char id[80];
    const struct rig_event *e;

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    ask(&r, id);
    rig_verify_result(&r, "ours.example", "their.example", id, DIALBACK_VALID, 0);
    e = EXPECT(&r, PAIR_AUTHENTICATED);
    cr_assert_eq(e->method, STREAM_METHOD_DIALBACK_PLAIN);
    EXPECT_TEXT(&r, "<db:result from=\"ours.example\" to=\"their.example\" type=\"valid\"/>");
    rig_feed(&r, MESSAGE);
    EXPECT(&r, STANZA);
    /* Asked again: already proved. */
    rig_feed(&r, RESULT("whatever"));
    EXPECT_OUT(&r, "type=\"valid\"");
    EXPECT(&r, MORE);
    rig_free(&r);
}

SCRIPT(receiving, over_tls_the_method_says_so)
{
    struct rig r;
    char id[80];

    start(&r, is_bytewise, STREAM_METHOD_EXTERNAL | STREAM_METHOD_DIALBACK_TLS, true);
    ask(&r, id);
    rig_verify_result(&r, "ours.example", "their.example", id, DIALBACK_VALID, 0);
    cr_assert_eq(EXPECT(&r, PAIR_AUTHENTICATED)->method, STREAM_METHOD_DIALBACK_TLS);
    rig_free(&r);
}

SCRIPT(receiving, an_invalid_key_closes_a_stream_without_other_pairs)
{
    struct rig r;
    char id[80];

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    ask(&r, id);
    rig_verify_result(&r, "ours.example", "their.example", id, DIALBACK_INVALID, 0);
    EXPECT_FAILED(&r, DIALBACK, NONE);
    EXPECT_TEXT(&r, "<db:result from=\"ours.example\" to=\"their.example\" type=\"invalid\"/>"
                    "</stream:stream>");
    rig_free(&r);
}

SCRIPT(receiving, an_invalid_key_spares_other_pairs)
{
    struct rig r;
    char id[80];

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    ask(&r, id);
    rig_verify_result(&r, "ours.example", "their.example", id, DIALBACK_VALID, 0);
    EXPECT(&r, PAIR_AUTHENTICATED);
    rig_feed(&r, "<db:result from='second.their.example' to='ours.example'>k</db:result>");
    EXPECT(&r, VERIFY_WANTED);
    rig_verify_result(&r, "ours.example", "second.their.example", id, DIALBACK_INVALID, 0);
    EXPECT(&r, NOTE);
    EXPECT_OUT(&r, "to=\"second.their.example\" type=\"error\"><error type=\"auth\"><forbidden");
    rig_feed(&r, MESSAGE);
    EXPECT(&r, STANZA);
    rig_feed(&r, "<message from='a@second.their.example' to='b@ours.example'/>");
    EXPECT_FAILED(&r, STANZA, INVALID_FROM);
    rig_free(&r);
}

SCRIPT(receiving, trouble_with_the_authority_is_a_dialback_error)
{
    const enum stanza_condition conditions[] = {STANZA_CONDITION_REMOTE_SERVER_NOT_FOUND,
                                                STANZA_CONDITION_REMOTE_CONNECTION_FAILED,
                                                STANZA_CONDITION_REMOTE_SERVER_TIMEOUT};

    for (size_t i = 0; i < 3; i++) {
        struct rig r;
        char id[80];
        char text[100];

        start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
        ask(&r, id);
        rig_verify_result(&r, "ours.example", "their.example", id, DIALBACK_ERROR, conditions[i]);
        EXPECT(&r, NOTE);
        (void)snprintf(text, sizeof(text), "<%s ", stanza_condition_name(conditions[i]));
        EXPECT_OUT(&r, "type=\"error\">", text);
        /* The stream lives, and may ask again. */
        rig_feed(&r, RESULT("k"));
        EXPECT(&r, VERIFY_WANTED);
        rig_free(&r);
    }
}

SCRIPT(receiving, no_answer_of_the_authority_in_time)
{
    struct rig r;
    char id[80];

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    ask(&r, id);
    rig_wait(&r, r.limits.dialback_ms);
    cr_assert(EXPECT(&r, NOTE)->failure.is_timeout);
    EXPECT_OUT(&r, "<remote-server-timeout ");
    rig_verify_result(&r, "ours.example", "their.example", id, DIALBACK_VALID, 0);
    EXPECT(&r, MORE);
    cr_assert_eq(stream_pair_count(r.s), 0);
    rig_free(&r);
}

SCRIPT(receiving, a_certificate_that_proves_the_domain_settles_it)
{
    struct rig r;
    const struct rig_event *e;

    start(&r, is_bytewise, ALL_METHODS, true);
    r.certificates[0] = "their.example";
    rig_feed(&r, THEIR_HEADER RESULT("any"));
    e = EXPECT(&r, PAIR_AUTHENTICATED);
    cr_assert_eq(e->method, STREAM_METHOD_CERTIFICATE);
    EXPECT_OUT(&r, "type=\"valid\"");
    rig_feed(&r, MESSAGE);
    EXPECT(&r, STANZA);
    rig_free(&r);

    /* Not where the rules leave the certificate out. */
    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_TLS, true);
    r.certificates[0] = "their.example";
    rig_feed(&r, THEIR_HEADER RESULT("any"));
    EXPECT(&r, VERIFY_WANTED);
    rig_free(&r);
}

SCRIPT(receiving, an_old_header_without_addresses)
{
    struct rig r;
    const struct rig_event *e;
    const char *out;

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    rig_feed(&r, HEADER_START ">");
    out = rig_out(&r);
    cr_assert(strstr(out, " id=\""));
    cr_assert_null(strstr(out, "version=\"1.0\" "), "%s", out);
    cr_assert_null(strstr(out, "features"));
    cr_assert_null(strstr(out, "from="));
    rig_feed(&r, RESULT("k"));
    e = EXPECT(&r, VERIFY_WANTED);
    rig_verify_result(&r, "ours.example", "their.example", e->id, DIALBACK_VALID, 0);
    EXPECT(&r, PAIR_AUTHENTICATED);
    cr_assert(slice_eq_cstr(stream_remote(r.s), "their.example"));
    rig_feed(&r, MESSAGE);
    EXPECT(&r, STANZA);
    rig_free(&r);
}

SCRIPT(receiving, refusals_are_dialback_errors_and_the_stream_stays)
{
    const struct {
        const char *result;
        const char *condition;
    } cases[] = {
        {"<db:result from='their.example' to='nowhere.example'>k</db:result>", "<item-not-found "},
        {"<db:result from='stranger.example' to='ours.example'>k</db:result>", "<not-authorized "},
        {"<db:result from='their.example' to='ours.example'/>", "<not-acceptable "},
    };
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    r.unknown = "stranger.example";
    rig_feed(&r, THEIR_HEADER);
    (void)rig_out(&r);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rig_feed(&r, cases[i].result);
        EXPECT(&r, NOTE);
        EXPECT_OUT(&r, "<db:result from=\"", "type=\"error\"><error ", cases[i].condition);
    }
    rig_feed(&r, "<db:other from='their.example' to='ours.example'/>");
    EXPECT(&r, NOTE);
    rig_feed(&r, RESULT("k"));
    EXPECT(&r, VERIFY_WANTED);
    rig_feed(&r, "<db:result to='ours.example'>k</db:result>");
    EXPECT_FAILED(&r, DIALBACK, IMPROPER_ADDRESSING);
    rig_free(&r);
}

SCRIPT(receiving, starttls_forgets_dialback_of_the_plain_stream)
{
    struct rig r;
    char id[80];

    start(&r, is_bytewise, ALL_METHODS, false);
    ask(&r, id);
    rig_feed(&r, "<starttls " NS_TLS_X "/>");
    EXPECT(&r, START_TLS);
    rig_verify_result(&r, "ours.example", "their.example", id, DIALBACK_VALID, 0);
    EXPECT(&r, MORE);
    rig_secured(&r, "");
    rig_verify_result(&r, "ours.example", "their.example", id, DIALBACK_VALID, 0);
    EXPECT(&r, MORE);
    cr_assert_eq(stream_pair_count(r.s), 0);
    rig_free(&r);
}

SCRIPT(receiving, rules_that_changed_during_verification_count)
{
    struct rig r;
    char id[80];

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    ask(&r, id);
    r.rules.methods = STREAM_METHOD_EXTERNAL;
    rig_verify_result(&r, "ours.example", "their.example", id, DIALBACK_VALID, 0);
    EXPECT(&r, NOTE);
    EXPECT_OUT(&r, "<policy-violation ");
    cr_assert_eq(stream_pair_count(r.s), 0);
    rig_free(&r);
}

/* --- authoritative server --- */

static void verify(struct rig *r, const char *to, const char *id, struct slice key)
{
    char text[400];

    (void)snprintf(text, sizeof(text),
                   "<db:verify from='their.example' to='%s' id='%s'>%.*s</db:verify>", to, id,
                   SLICE_FMT(key));
    rig_feed(r, text);
}

SCRIPT(authoritative, answers_for_its_own_keys)
{
    struct rig r;
    struct dialback_key key;
    struct dialback_bond bond = {SLICE_LIT("their.example"), SLICE_LIT("ours.example"),
                                 SLICE_LIT("x&1")};

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    rig_feed(&r, THEIR_HEADER);
    (void)rig_out(&r);
    cr_assert(dialback_key_make(&key, rig_crypto(), &r.secret, &bond));
    verify(&r, "ours.example", "x&amp;1", slice_make(key.hex, sizeof(key.hex)));
    EXPECT_TEXT(&r, "<db:verify from=\"ours.example\" to=\"their.example\" id=\"x&amp;1\" "
                    "type=\"valid\"/>");
    EXPECT(&r, MORE);
    verify(&r, "ours.example", "x2", slice_make(key.hex, sizeof(key.hex)));
    EXPECT_TEXT(&r, "<db:verify from=\"ours.example\" to=\"their.example\" id=\"x2\" "
                    "type=\"invalid\"/>");
    EXPECT(&r, NOTE);
    verify(&r, "nowhere.example", "x3", slice_make(key.hex, sizeof(key.hex)));
    EXPECT_OUT(&r, "id=\"x3\" type=\"error\"><error type=\"cancel\"><item-not-found ");
    EXPECT(&r, NOTE);
    /* Done: its close is an orderly end although nothing was authenticated. */
    rig_feed(&r, "</stream:stream>");
    EXPECT(&r, PEER_CLOSED);
    rig_free(&r);
}

SCRIPT(authoritative, a_served_stream_that_stays_is_closed_without_a_failure)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    rig_feed(&r, THEIR_HEADER);
    verify(&r, "ours.example", "x2", SLICE_LIT("k"));
    EXPECT(&r, NOTE);
    rig_wait(&r, r.limits.establish_ms);
    EXPECT(&r, NOTE);
    rig_wait(&r, r.limits.close_ms);
    EXPECT(&r, CLOSED);
    rig_free(&r);
}

SCRIPT(authoritative, rules_hold_for_verification_too)
{
    struct rig r;

    start(&r, is_bytewise, STREAM_METHOD_DIALBACK_TLS, false);
    rig_feed(&r, THEIR_HEADER);
    verify(&r, "ours.example", "x", SLICE_LIT("k"));
    EXPECT_OUT(&r, "type=\"error\">", "<policy-violation ");
    rig_free(&r);

    start(&r, is_bytewise, ALL_METHODS, false);
    rig_feed(&r, THEIR_HEADER);
    r.unknown = "their.example";
    verify(&r, "ours.example", "x", SLICE_LIT("k"));
    EXPECT_OUT(&r, "type=\"error\">", "<not-authorized ");
    rig_free(&r);

    start(&r, is_bytewise, ALL_METHODS, false);
    rig_feed(&r, THEIR_HEADER "<db:verify from='their.example' to='ours.example'>k</db:verify>");
    EXPECT_FAILED(&r, DIALBACK, BAD_FORMAT);
    rig_free(&r);
}
