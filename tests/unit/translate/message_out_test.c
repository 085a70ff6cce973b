/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of proto/translate: XMPP message -> SIP, and the answers to iq and presence. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "translate/message.h"
#include "xml/parser.h"

struct fixture {
    struct xml_parser *parser;
    struct stanza st;
    struct message_to_sip out;
};

static void parse(struct fixture *f, const char *stanza)
{
    static const char header[] =
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
        "xmlns:db='jabber:server:dialback' version='1.0'>";
    size_t used;

    cr_assert_eq(xml_parser_new(&f->parser, &xml_limits_authenticated), 0);
    cr_assert_eq(xml_parser_feed(f->parser, header, sizeof(header) - 1, &used), XML_STREAM_OPEN);
    cr_assert_eq(xml_parser_feed(f->parser, stanza, strlen(stanza), &used), XML_ELEMENT, "%s",
                 stanza);
    cr_assert_eq(stanza_view(&f->st, xml_parser_tree(f->parser), SLICE_LIT("jabber:server"),
                             SLICE_LIT("en")),
                 STANZA_OK, "%s", stanza);
}

static void translate(struct fixture *f, const char *stanza,
                      const struct message_to_sip_options *options)
{
    struct message_to_sip_options none = {0};

    parse(f, stanza);
    message_to_sip(&f->out, &f->st, options ? options : &none);
}

static void done(struct fixture *f)
{
    message_to_sip_deinit(&f->out);
    xml_parser_free(f->parser);
}

#define FROM_TO "from='juliet@chat.example/balcony' to='o\\27hara@corp.example' id='m1'"

static void expect_slice(struct slice got, const char *want)
{
    cr_assert(slice_eq_cstr(got, want), "'%.*s', want '%s'", SLICE_FMT(got), want);
}

Test(message_to_sip, chat)
{
    struct fixture f;

    translate(&f,
              "<message " FROM_TO " type='chat' xml:lang='de'><subject>S</subject>"
              "<body>Gr\u00fc\u00dfe &amp; &lt;mehr&gt;</body><thread>abc@host</thread>"
              "<active xmlns='http://jabber.org/protocol/chatstates'/></message>",
              NULL);
    cr_assert_eq(f.out.verdict, MESSAGE_SEND);
    expect_slice(f.out.uri, "sip:o'hara@corp.example");
    expect_slice(f.out.from_uri, "sip:juliet@chat.example");
    expect_slice(f.out.body, "Gr\u00fc\u00dfe & <mehr>");
    expect_slice(f.out.subject, "S");
    expect_slice(f.out.call_id, "abc@host");
    expect_slice(f.out.language, "de");
    cr_assert_eq(f.out.date_unix_s, 0);
    done(&f);
}

Test(message_to_sip, gruu_if_asked)
{
    struct message_to_sip_options options = {.with_gruu = true};
    struct fixture f;

    translate(&f, "<message " FROM_TO "><body>x</body></message>", &options);
    expect_slice(f.out.from_uri, "sip:juliet@chat.example;gr=balcony");
    expect_slice(f.out.call_id, "");
    done(&f);
}

Test(message_to_sip, bodies_in_several_languages)
{
    struct fixture f;

    translate(&f,
              "<message " FROM_TO " xml:lang='fr'><body xml:lang='de'>D</body>"
              "<body xml:lang='fr'>F</body></message>",
              NULL);
    expect_slice(f.out.body, "F");
    expect_slice(f.out.language, "fr");
    done(&f);
    translate(&f,
              "<message " FROM_TO " xml:lang='it'><body xml:lang='de'>D</body>"
              "<body xml:lang='fr'>F</body></message>",
              NULL);
    expect_slice(f.out.body, "D");
    expect_slice(f.out.language, "de");
    done(&f);
    translate(&f, "<message " FROM_TO " xml:lang='a b&#xA;c'><body>D</body></message>", NULL);
    expect_slice(f.out.language, "");
    done(&f);
}

Test(message_to_sip, thread_that_is_no_call_id_is_hashed)
{
    static const char *const threads[] = {"a b", "a@b@c", "@a", "a@", "x\ny", "\u00fc", "a;b",
                                         "a&lt;b", "a>b", "a\"b", "a\\b", "(a)"};
    struct fixture f;
    char text[300];
    char first[40] = "";

    for (size_t i = 0; i < ARRAY_COUNT(threads); i++) {
        (void)snprintf(text, sizeof(text),
                       "<message " FROM_TO "><body>x</body><thread>%s</thread></message>",
                       threads[i]);
        translate(&f, text, NULL);
        cr_assert_eq(f.out.call_id.len, 32, "%s", threads[i]);
        if (i == 0) {
            memcpy(first, f.out.call_id.ptr, 32);
        } else {
            cr_assert(memcmp(first, f.out.call_id.ptr, 32) != 0);
        }
        done(&f);
    }
    /* The same text between others is another conversation; between the same it is the same. */
    translate(&f,
              "<message from='nurse@chat.example/x' to='o\\27hara@corp.example'><body>x</body>"
              "<thread>a b</thread></message>",
              NULL);
    cr_assert(memcmp(first, f.out.call_id.ptr, 32) != 0);
    done(&f);
    translate(&f,
              "<message from='juliet@chat.example/other' to='o\\27hara@corp.example'>"
              "<body>y</body><thread>a b</thread></message>",
              NULL);
    cr_assert(memcmp(first, f.out.call_id.ptr, 32) == 0);
    done(&f);
}

Test(message_to_sip, delay_becomes_date)
{
    struct fixture f;

    translate(&f,
              "<message " FROM_TO "><body>x</body><delay xmlns='urn:xmpp:delay' "
              "stamp='2002-09-10T23:08:25Z'/></message>",
              NULL);
    cr_assert_eq(f.out.date_unix_s, 1031699305);
    done(&f);
    translate(&f,
              "<message " FROM_TO "><body>x</body><delay xmlns='urn:xmpp:delay' "
              "stamp='yesterday'/></message>",
              NULL);
    cr_assert_eq(f.out.date_unix_s, 0);
    done(&f);
}

struct judged {
    const char *stanza;
    enum message_verdict verdict;
    enum message_why why;
    enum stanza_condition condition;
};

#define NONE STANZA_CONDITION_NONE
static const struct judged judgements[] = {
    {"<message " FROM_TO " type='groupchat'><body>x</body></message>", MESSAGE_REFUSED,
     MESSAGE_WHY_GROUPCHAT, STANZA_CONDITION_SERVICE_UNAVAILABLE},
    {"<message " FROM_TO " type='headline'><body>x</body></message>", MESSAGE_CONSUMED,
     MESSAGE_WHY_HEADLINE, NONE},
    {"<message " FROM_TO " type='error'><body>x</body><error type='cancel'/></message>",
     MESSAGE_ERROR, MESSAGE_WHY_STANZA_ERROR, NONE},
    {"<message " FROM_TO "/>", MESSAGE_CONSUMED, MESSAGE_WHY_EMPTY, NONE},
    {"<message " FROM_TO "><body/></message>", MESSAGE_CONSUMED, MESSAGE_WHY_EMPTY, NONE},
    {"<message " FROM_TO "><composing xmlns='http://jabber.org/protocol/chatstates'/>"
     "<thread>t</thread><no-store xmlns='urn:xmpp:hints'/></message>",
     MESSAGE_CONSUMED, MESSAGE_WHY_CHAT_STATE, NONE},
    {"<message " FROM_TO "><received xmlns='urn:xmpp:receipts' id='1'/></message>",
     MESSAGE_CONSUMED, MESSAGE_WHY_RECEIPT, NONE},
    {"<message " FROM_TO "><displayed xmlns='urn:xmpp:chat-markers:0' id='1'/></message>",
     MESSAGE_CONSUMED, MESSAGE_WHY_RECEIPT, NONE},
    {"<message " FROM_TO "><x xmlns='jabber:x:conference' jid='r@m.example'/></message>",
     MESSAGE_REFUSED, MESSAGE_WHY_PAYLOAD, STANZA_CONDITION_SERVICE_UNAVAILABLE},
    {"<message " FROM_TO "><propose xmlns='urn:xmpp:jingle-message:0' id='1'/>"
     "<active xmlns='http://jabber.org/protocol/chatstates'/></message>",
     MESSAGE_REFUSED, MESSAGE_WHY_PAYLOAD, STANZA_CONDITION_SERVICE_UNAVAILABLE},
    {"<message " FROM_TO "><body>fallback</body><encrypted "
     "xmlns='eu.siacs.conversations.axolotl'/></message>",
     MESSAGE_REFUSED, MESSAGE_WHY_ENCRYPTED, STANZA_CONDITION_NOT_ACCEPTABLE},
    {"<message " FROM_TO "><encrypted xmlns='urn:xmpp:omemo:2'/></message>", MESSAGE_REFUSED,
     MESSAGE_WHY_ENCRYPTED, STANZA_CONDITION_NOT_ACCEPTABLE},
    {"<message " FROM_TO "><body>x</body><x xmlns='jabber:x:encrypted'>y</x></message>",
     MESSAGE_REFUSED, MESSAGE_WHY_ENCRYPTED, STANZA_CONDITION_NOT_ACCEPTABLE},
    {"<message " FROM_TO "><body>?OTRv23?</body></message>", MESSAGE_REFUSED,
     MESSAGE_WHY_ENCRYPTED, STANZA_CONDITION_NOT_ACCEPTABLE},
    {"<message from='j@chat.example' to='corp.example'><body>x</body></message>", MESSAGE_REFUSED,
     MESSAGE_WHY_NOT_A_USER, STANZA_CONDITION_SERVICE_UNAVAILABLE},
    {"<message from='j@chat.example' to='x\\5cy@corp.example'><body>x</body></message>",
     MESSAGE_REFUSED, MESSAGE_WHY_ADDRESS, STANZA_CONDITION_JID_MALFORMED},
    {"<message from='\\20j@chat.example' to='y@corp.example'><body>x</body></message>",
     MESSAGE_REFUSED, MESSAGE_WHY_ADDRESS, STANZA_CONDITION_JID_MALFORMED},
    /* A body of another namespace is not the body. */
    {"<message " FROM_TO "><body xmlns='urn:other'>x</body></message>", MESSAGE_REFUSED,
     MESSAGE_WHY_PAYLOAD, STANZA_CONDITION_SERVICE_UNAVAILABLE},
};

Test(message_to_sip, judgements)
{
    for (size_t i = 0; i < ARRAY_COUNT(judgements); i++) {
        struct fixture f;
        translate(&f, judgements[i].stanza, NULL);
        cr_assert_eq(f.out.verdict, judgements[i].verdict, "%s", judgements[i].stanza);
        cr_assert_eq(f.out.why, judgements[i].why, "%s: %s", judgements[i].stanza,
                     message_why_name(f.out.why));
        cr_assert_eq(f.out.error.condition, judgements[i].condition, "%s", judgements[i].stanza);
        done(&f);
    }
}

Test(message_to_sip, options)
{
    struct message_to_sip_options options = {.pass_headlines = true, .body_bytes_max = 10};
    struct fixture f;

    translate(&f, "<message " FROM_TO " type='headline'><body>1234567890</body></message>",
              &options);
    cr_assert_eq(f.out.verdict, MESSAGE_SEND);
    done(&f);
    translate(&f, "<message " FROM_TO "><body>12345678901</body></message>", &options);
    cr_assert_eq(f.out.verdict, MESSAGE_REFUSED);
    cr_assert_eq(f.out.error.condition, STANZA_CONDITION_POLICY_VIOLATION);
    done(&f);
}

Test(message_to_sip, subject_alone_is_a_message)
{
    struct fixture f;

    translate(&f, "<message " FROM_TO "><subject>Lunch?</subject></message>", NULL);
    cr_assert_eq(f.out.verdict, MESSAGE_SEND);
    expect_slice(f.out.body, "Lunch?");
    expect_slice(f.out.subject, "Lunch?");
    done(&f);
}

static enum message_other other(const char *stanza, const char *want)
{
    struct fixture f = {0};
    struct buf out;

    parse(&f, stanza);
    buf_init(&out, 10000);
    enum message_other verdict = message_answer_other(&out, &f.st);
    if (want) {
        cr_assert(slice_eq_cstr(buf_slice(&out), want), "%.*s", SLICE_FMT(buf_slice(&out)));
    }
    cr_assert_eq(verdict == MESSAGE_OTHER_ANSWERED, buf_len(&out) > 0, "%s", stanza);
    buf_deinit(&out);
    xml_parser_free(f.parser);
    return verdict;
}

Test(message_other, presence)
{
    cr_assert_eq(other("<presence from='j@chat.example' to='u@corp.example' type='subscribe' "
                       "id='s1'/>",
                       "<presence from=\"u@corp.example\" to=\"j@chat.example\" "
                       "type=\"unsubscribed\" id=\"s1\"/>"),
                 MESSAGE_OTHER_ANSWERED);
    (void)other("<presence from='j@chat.example' to='u@corp.example/x' type='subscribe'/>",
                "<presence from=\"u@corp.example\" to=\"j@chat.example\" type=\"unsubscribed\"/>");
    (void)other("<presence from='j@chat.example/b' to='u@corp.example' type='probe'/>",
                "<presence from=\"u@corp.example\" to=\"j@chat.example/b\" "
                "type=\"unavailable\"/>");
    static const char *const silent[] = {"",
                                         "type='unavailable'",
                                         "type='subscribed'",
                                         "type='unsubscribe'",
                                         "type='unsubscribed'",
                                         "type='error'"};
    for (size_t i = 0; i < ARRAY_COUNT(silent); i++) {
        char text[200];
        (void)snprintf(text, sizeof(text), "<presence from='j@chat.example' to='u@c.example' %s/>",
                       silent[i]);
        cr_assert_eq(other(text, ""), MESSAGE_OTHER_CONSUMED);
    }
}

Test(message_other, iq)
{
    cr_assert_eq(other("<iq from='j@chat.example' to='u@corp.example' type='get' id='1'>"
                       "<ping xmlns='urn:xmpp:ping'/></iq>",
                       NULL),
                 MESSAGE_OTHER_ANSWERED);
    cr_assert_eq(other("<iq from='j@chat.example' to='u@corp.example' type='set' id='1'>"
                       "<x xmlns='urn:x'/></iq>",
                       NULL),
                 MESSAGE_OTHER_ANSWERED);
    cr_assert_eq(other("<iq from='j@chat.example' to='u@corp.example' type='result' id='1'/>", ""),
                 MESSAGE_OTHER_CONSUMED);
}
