/* SPDX-License-Identifier: GPL-2.0-or-later */
/* judge, refuse, trim without a shard: what a stanza does, what SIP users are told, what is left of
 * stanzas that pass in part. */
#include <criterion/criterion.h>
#include <string.h>

#include "edge/judge.h"
#include "edge/refuse.h"
#include "edge/trim.h"
#include "xml/parser.h"

#define ADDRESSES "from='bob@open.test/a&amp;b' to='ann@corp.test'"
#define ERROR_NS  "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'"

static struct xml_parser *parser;
static struct stanza st;

static void view(const char *element)
{
    static const char header[] =
        "<s:s xmlns='jabber:server' xmlns:s='http://etherx.jabber.org/streams'>";
    size_t used = 0;

    xml_parser_free(parser);
    cr_assert_eq(xml_parser_new(&parser, &xml_limits_authenticated), 0);
    cr_assert_eq(xml_parser_feed(parser, header, strlen(header), &used), XML_STREAM_OPEN);
    cr_assert_eq(xml_parser_feed(parser, element, strlen(element), &used), XML_ELEMENT, "%s",
                 element);
    cr_assert_eq(stanza_view(&st, xml_parser_tree(parser), SLICE_LIT("jabber:server"), SLICE_NONE),
                 STANZA_OK, "%s", element);
}

static void done(void)
{
    xml_parser_free(parser);
    parser = NULL;
}

TestSuite(judge, .fini = done);

static void expect_act(const char *element, enum policy_act act)
{
    view(element);
    cr_assert_eq(judge_act_of(&st), act, "%s", element);
}

Test(judge, every_type_is_an_act)
{
    expect_act("<message " ADDRESSES "/>", POLICY_ACT_MESSAGE);
    expect_act("<message type='groupchat' " ADDRESSES "/>", POLICY_ACT_MESSAGE);
    expect_act("<message type='headline' " ADDRESSES "/>", POLICY_ACT_MESSAGE);
    expect_act("<message type='unheard-of' " ADDRESSES "/>", POLICY_ACT_MESSAGE);
    expect_act("<message type='error' " ADDRESSES "/>", POLICY_ACT_ANSWER);
    expect_act("<presence " ADDRESSES "/>", POLICY_ACT_NOTIFY);
    expect_act("<presence type='unavailable' " ADDRESSES "/>", POLICY_ACT_NOTIFY);
    expect_act("<presence type='subscribe' " ADDRESSES "/>", POLICY_ACT_SUBSCRIBE);
    expect_act("<presence type='subscribed' " ADDRESSES "/>", POLICY_ACT_CONSENT);
    expect_act("<presence type='unsubscribe' " ADDRESSES "/>", POLICY_ACT_CONSENT);
    expect_act("<presence type='unsubscribed' " ADDRESSES "/>", POLICY_ACT_CONSENT);
    expect_act("<presence type='probe' " ADDRESSES "/>", POLICY_ACT_PRESENCE);
    expect_act("<presence type='error' " ADDRESSES "/>", POLICY_ACT_ANSWER);
    expect_act("<iq type='get' id='1' " ADDRESSES "><x/></iq>", POLICY_ACT_QUERY);
    expect_act("<iq type='set' id='1' " ADDRESSES "><x/></iq>", POLICY_ACT_QUERY);
    expect_act("<iq type='result' id='1' " ADDRESSES "/>", POLICY_ACT_ANSWER);
    expect_act("<iq type='error' id='1' " ADDRESSES "/>", POLICY_ACT_ANSWER);
}

static void expect_written(void (*write)(struct buf *out, const struct stanza *st,
                                         struct slice from, struct slice to),
                           const char *element, const char *expected)
{
    struct buf out;

    view(element);
    buf_init(&out, 4096);
    write(&out, &st, SLICE_LIT("bob@open.test/a&b"), SLICE_LIT("ann@corp.test"));
    cr_assert(!out.failed && slice_eq_cstr(buf_slice(&out), expected), "got %.*s\nnot %s",
              SLICE_FMT(buf_slice(&out)), expected);
    buf_deinit(&out);
}

#define OUT_ADDRESSES "from=\"bob@open.test/a&amp;b\" to=\"ann@corp.test\""
#define OUT_ERROR_NS  "xmlns=\"urn:ietf:params:xml:ns:xmpp-stanzas\""

Test(judge, an_error_keeps_its_condition_alone)
{
    expect_written(trim_write_error,
                   "<message type='error' id='a&lt;' " ADDRESSES "><body>buy</body><error by='buy' "
                   "type='wait'><gone " ERROR_NS ">xmpp:buy</gone><text " ERROR_NS
                   ">buy</text><buy xmlns='buy'/></error></message>",
                   "<message " OUT_ADDRESSES " id=\"a&lt;\" type=\"error\"><error type=\"wait\">"
                   "<gone " OUT_ERROR_NS "/></error></message>");
    /* Without any, or with one that is none. */
    expect_written(trim_write_error, "<presence type='error' " ADDRESSES "><status>buy</status>"
                                     "</presence>",
                   "<presence " OUT_ADDRESSES " type=\"error\"><error type=\"cancel\">"
                   "<undefined-condition " OUT_ERROR_NS "/></error></presence>");
    expect_written(trim_write_error, "<message type='error' " ADDRESSES "><error type='buy'><buy "
                                     ERROR_NS "/></error></message>",
                   "<message " OUT_ADDRESSES " type=\"error\"><error type=\"cancel\">"
                   "<undefined-condition " OUT_ERROR_NS "/></error></message>");
}

Test(judge, last_activity_keeps_its_seconds_alone)
{
    static const char query[] = "<iq type='result' id='1' " ADDRESSES ">"
                                "<query xmlns='jabber:iq:last' seconds='9&amp;' more='buy'>gone<x/>"
                                "</query></iq>";

    view(query);
    cr_assert(trim_is_last_activity(&st));
    expect_written(trim_write_last_activity, query,
                   "<iq " OUT_ADDRESSES " id=\"1\" type=\"result\"><query xmlns=\"jabber:iq:last\" "
                   "seconds=\"9&amp;\"/></iq>");
    view("<iq type='result' id='1' " ADDRESSES "/>");
    cr_assert_not(trim_is_last_activity(&st));
    view("<iq type='get' id='1' " ADDRESSES "><query xmlns='jabber:iq:last'/></iq>");
    cr_assert_not(trim_is_last_activity(&st));
    view("<iq type='result' id='1' " ADDRESSES "><query xmlns='jabber:iq:version'/></iq>");
    cr_assert_not(trim_is_last_activity(&st));
}

Test(judge, notes_are_seen_in_presence)
{
    view("<presence " ADDRESSES "><show>away</show><status/></presence>");
    cr_assert(trim_has_note(&st));
    view("<presence " ADDRESSES "><show>away</show><status xmlns='jabber:client'/></presence>");
    cr_assert(trim_has_note(&st));
    view("<presence " ADDRESSES "><show><status/></show></presence>");
    cr_assert_not(trim_has_note(&st));
}

static void expect_status(struct policy_decision d, unsigned status, bool waits, const char *reason)
{
    struct refuse_status out;

    refuse_status(&out, &d);
    cr_assert_eq(out.status, status);
    cr_assert_eq(out.retry_after_s != 0, waits);
    cr_assert(slice_eq_cstr(out.reason, reason), "%.*s", SLICE_FMT(out.reason));
}

Test(judge, what_sip_users_are_told)
{
    struct policy_decision d = {.answer = POLICY_ANSWER_NOT_FEDERATED,
                                .reason = POLICY_PARTNER_UNKNOWN,
                                .rule = {.kind = "partners"}};

    expect_status(d, 403, false, "");
    d.reason = POLICY_LOCAL_AS_REMOTE;
    expect_status(d, 482, false, "");
    d = (struct policy_decision){.answer = POLICY_ANSWER_MAINTENANCE, .reason = POLICY_MAINTENANCE};
    expect_status(d, 480, true, "");
    d = (struct policy_decision){.answer = POLICY_ANSWER_FORBIDDEN,
                                 .reason = POLICY_USER_NOT_ALLOWED,
                                 .rule = {.kind = "partners.allowed_users"}};
    expect_status(d, 403, false, "Forbidden by partners.allowed_users");
}
