/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stanza, error, acks: reading stanzas, the error answer, error names, counters of XEP-0198. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/pool.h"
#include "xml/parser.h"
#include "xmpp/acks.h"
#include "xmpp/stanza.h"

/* A parser whose tree stays for the test. */
struct fixture {
    struct xml_parser *parser;
    char *bytes;
};

static const struct xml_tree *parse(struct fixture *f, const char *element)
{
    static const char header[] =
        "<s:s xmlns='jabber:server' xmlns:s='http://etherx.jabber.org/streams'>";
    size_t used = 0;
    size_t len = strlen(element);

    cr_assert_eq(xml_parser_new(&f->parser, &xml_limits_authenticated), 0);
    cr_assert_eq(xml_parser_feed(f->parser, header, strlen(header), &used), XML_STREAM_OPEN);
    f->bytes = pool_alloc(len);
    memcpy(f->bytes, element, len);
    cr_assert_eq(xml_parser_feed(f->parser, f->bytes, len, &used), XML_ELEMENT, "%s", element);
    return xml_parser_tree(f->parser);
}

static void done(struct fixture *f)
{
    xml_parser_free(f->parser);
    pool_free(f->bytes);
}

static enum stanza_fault fault_of(const char *element)
{
    struct fixture f;
    struct stanza st;
    enum stanza_fault fault =
        stanza_view(&st, parse(&f, element), SLICE_LIT("jabber:server"), SLICE_NONE);

    done(&f);
    return fault;
}

Test(stanza, view_reads_all_of_it)
{
    struct fixture f;
    struct stanza st;

    cr_assert_eq(stanza_view(&st,
                             parse(&f, "<iq from='Romeo@Montague.example/Orchard' "
                                       "to='juliet@capulet.example' id='a1' type='set' "
                                       "xml:lang='it'><query xmlns='jabber:iq:roster'/></iq>"),
                             SLICE_LIT("jabber:server"), SLICE_LIT("en")),
                 STANZA_OK);
    cr_assert_eq(st.kind, STANZA_IQ);
    cr_assert_eq(st.type, STANZA_TYPE_SET);
    cr_assert(slice_eq_cstr(st.from.local, "romeo"));
    cr_assert(slice_eq_cstr(st.from.domain, "montague.example"));
    cr_assert(slice_eq_cstr(st.from.resource, "Orchard"));
    cr_assert(slice_eq_cstr(st.id, "a1"));
    cr_assert(slice_eq_cstr(st.lang, "it"));
    cr_assert(slice_eq_cstr(st.tree->nodes[st.payload].name, "query"));
    done(&f);
}

Test(stanza, types_of_each_kind)
{
    const struct {
        const char *element;
        enum stanza_type type;
    } cases[] = {
        {"<message from='a' to='b'/>", STANZA_TYPE_NORMAL},
        {"<message from='a' to='b' type='normal'/>", STANZA_TYPE_NORMAL},
        {"<message from='a' to='b' type='chat'/>", STANZA_TYPE_CHAT},
        {"<message from='a' to='b' type='groupchat'/>", STANZA_TYPE_GROUPCHAT},
        {"<message from='a' to='b' type='headline'/>", STANZA_TYPE_HEADLINE},
        {"<message from='a' to='b' type='error'/>", STANZA_TYPE_ERROR},
        {"<message from='a' to='b' type='subscribe'/>", STANZA_TYPE_NORMAL},
        {"<message from='a' to='b' type=''/>", STANZA_TYPE_NORMAL},
        {"<presence from='a' to='b'/>", STANZA_TYPE_AVAILABLE},
        {"<presence from='a' to='b' type='unavailable'/>", STANZA_TYPE_UNAVAILABLE},
        {"<presence from='a' to='b' type='subscribe'/>", STANZA_TYPE_SUBSCRIBE},
        {"<presence from='a' to='b' type='subscribed'/>", STANZA_TYPE_SUBSCRIBED},
        {"<presence from='a' to='b' type='unsubscribe'/>", STANZA_TYPE_UNSUBSCRIBE},
        {"<presence from='a' to='b' type='unsubscribed'/>", STANZA_TYPE_UNSUBSCRIBED},
        {"<presence from='a' to='b' type='probe'/>", STANZA_TYPE_PROBE},
        {"<presence from='a' to='b' type='error'/>", STANZA_TYPE_ERROR},
        {"<presence from='a' to='b' type='get'/>", STANZA_TYPE_BAD},
        {"<presence from='a' to='b' type=''/>", STANZA_TYPE_BAD},
        {"<iq from='a' to='b' id='1' type='get'><x/></iq>", STANZA_TYPE_GET},
        {"<iq from='a' to='b' id='1' type='set'><x/></iq>", STANZA_TYPE_SET},
        {"<iq from='a' to='b' id='1' type='result'/>", STANZA_TYPE_RESULT},
        {"<iq from='a' to='b' id='1' type='error'><x/><error/></iq>", STANZA_TYPE_ERROR},
        {"<iq from='a' to='b' id='1' type='chat'/>", STANZA_TYPE_BAD},
        {"<iq from='a' to='b' id='1'/>", STANZA_TYPE_BAD},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        struct stanza st;
        enum stanza_fault fault =
            stanza_view(&st, parse(&f, cases[i].element), SLICE_LIT("jabber:server"), SLICE_NONE);

        cr_assert_eq(st.type, cases[i].type, "%s", cases[i].element);
        cr_assert_eq(fault, cases[i].type == STANZA_TYPE_BAD ? STANZA_FAULT_TYPE : STANZA_OK);
        done(&f);
    }
}

Test(stanza, faults_are_found_in_order)
{
    cr_assert_eq(fault_of("<thing from='a' to='b'/>"), STANZA_FAULT_KIND);
    cr_assert_eq(fault_of("<message xmlns='jabber:client' from='a' to='b'/>"), STANZA_FAULT_KIND);
    cr_assert_eq(fault_of("<message/>"), STANZA_FAULT_FROM_MISSING);
    cr_assert_eq(fault_of("<message to='b'/>"), STANZA_FAULT_FROM_MISSING);
    cr_assert_eq(fault_of("<message from='' to='b'/>"), STANZA_FAULT_FROM_MISSING);
    cr_assert_eq(fault_of("<message from='@' to='b'/>"), STANZA_FAULT_FROM);
    cr_assert_eq(fault_of("<message from='a'/>"), STANZA_FAULT_TO_MISSING);
    cr_assert_eq(fault_of("<message from='a' to='b@'/>"), STANZA_FAULT_TO);
    cr_assert_eq(fault_of("<iq from='a' to='b' type='get'><x/></iq>"), STANZA_FAULT_IQ_ID);
    cr_assert_eq(fault_of("<iq from='a' to='b' type='error'/>"), STANZA_FAULT_IQ_ID);
    cr_assert_eq(fault_of("<iq from='a' to='b' type='get' id='1'>x</iq>"),
                 STANZA_FAULT_IQ_CHILDREN);
    cr_assert_eq(fault_of("<iq from='a' to='b' type='set' id='1'><x/><y/></iq>"),
                 STANZA_FAULT_IQ_CHILDREN);
    cr_assert_eq(fault_of("<iq from='a' to='b' type='get' id='1'> <x/> </iq>"), STANZA_OK);
    cr_assert_eq(fault_of("<message from='a' to='b'><x xmlns='a}b'/></message>"),
                 STANZA_FAULT_NAMESPACE);
    cr_assert_eq(stanza_fault_condition(STANZA_FAULT_NAMESPACE), STANZA_CONDITION_BAD_REQUEST);
    for (int i = STANZA_OK; i <= STANZA_FAULT_NOMEM; i++) {
        cr_assert_not_null(stanza_fault_text((enum stanza_fault)i));
        (void)stanza_fault_condition((enum stanza_fault)i);
    }
}

static void expect_answer(const char *element, const char *answer)
{
    struct stanza_error e = {.condition = STANZA_CONDITION_SERVICE_UNAVAILABLE};
    struct fixture f;
    struct stanza st;
    struct buf out;

    buf_init(&out, 4096);
    (void)!stanza_view(&st, parse(&f, element), SLICE_LIT("jabber:server"), SLICE_NONE);
    stanza_write_error(&out, &st, &e);
    cr_assert(slice_eq_cstr(buf_slice(&out), answer), "%.*s", SLICE_FMT(buf_slice(&out)));
    cr_assert_eq(stanza_may_bounce(&st), answer[0] != 0);
    buf_deinit(&out);
    done(&f);
}

Test(stanza, error_answers)
{
#define ERROR_BODY                                                                                 \
    "type=\"error\"><error type=\"cancel\"><service-unavailable "                                  \
    "xmlns=\"urn:ietf:params:xml:ns:xmpp-stanzas\"/></error>"
    expect_answer("<message from='a@x/R&amp;1' to='b@y' id='&lt;'/>",
                  "<message from=\"b@y\" to=\"a@x/R&amp;1\" id=\"&lt;\" " ERROR_BODY "</message>");
    expect_answer("<iq from='a@x' to='b@y' id='1' type='get'><q/></iq>",
                  "<iq from=\"b@y\" to=\"a@x\" id=\"1\" " ERROR_BODY "</iq>");
    expect_answer("<iq from='a@x' to='b@y' id='1' type='odd'><q/></iq>",
                  "<iq from=\"b@y\" to=\"a@x\" id=\"1\" " ERROR_BODY "</iq>");
    expect_answer("<presence from='a@x' to='b@y'/>",
                  "<presence from=\"b@y\" to=\"a@x\" " ERROR_BODY "</presence>");
    expect_answer("<presence from='a@x' to='b@y' type='subscribe'/>",
                  "<presence from=\"b@y\" to=\"a@x\" " ERROR_BODY "</presence>");
    expect_answer("<presence from='a@x' to='b@y' type='unavailable'/>", "");
    expect_answer("<presence from='a@x' to='b@y' type='probe'/>", "");
    expect_answer("<message from='a@x' to='b@y' type='error'/>", "");
    expect_answer("<presence from='a@x' to='b@y' type='error'/>", "");
    expect_answer("<iq from='a@x' to='b@y' id='1' type='error'/>", "");
    expect_answer("<iq from='a@x' to='b@y' id='1' type='result'/>", "");
}

Test(stanza, errors_with_text_and_application_condition)
{
    struct stanza_error e = {.condition = STANZA_CONDITION_POLICY_VIOLATION,
                             .type = STANZA_ERROR_TYPE_WAIT,
                             .text = SLICE_LIT("too <big>\x01"),
                             .app_name = SLICE_LIT("stanza-too-big"),
                             .app_ns = SLICE_LIT("urn:xmpp:errors")};
    struct stanza_error read;
    struct fixture f;
    struct stanza st;
    struct buf out;

    buf_init(&out, 4096);
    buf_put_lit(&out, "<message from='a@x' to='b@y' type='error'>");
    stanza_error_write(&out, &e);
    buf_put_lit(&out, "</message>");
    buf_putc(&out, '\0');
    cr_assert_eq(
        stanza_view(&st, parse(&f, buf_slice(&out).ptr), SLICE_LIT("jabber:server"), SLICE_NONE),
        STANZA_OK);
    cr_assert(stanza_read_error(&st, &read));
    cr_assert_eq(read.condition, STANZA_CONDITION_POLICY_VIOLATION);
    cr_assert_eq(read.type, STANZA_ERROR_TYPE_WAIT);
    cr_assert(slice_eq_cstr(read.text, "too <big>"));
    cr_assert(slice_eq_cstr(read.app_name, "stanza-too-big"));
    cr_assert(slice_eq_cstr(read.app_ns, "urn:xmpp:errors"));
    done(&f);
    buf_deinit(&out);
}

Test(stanza, reading_an_error_that_is_none)
{
    struct stanza_error read;
    struct fixture f;
    struct stanza st;

    cr_assert_eq(stanza_view(&st, parse(&f, "<message from='a@x' to='b@y' type='error'/>"),
                             SLICE_LIT("jabber:server"), SLICE_NONE),
                 STANZA_OK);
    cr_assert_not(stanza_read_error(&st, &read));
    cr_assert_eq(read.condition, STANZA_CONDITION_UNDEFINED_CONDITION);
    done(&f);
    cr_assert_eq(stanza_view(&st,
                             parse(&f, "<message from='a@x' to='b@y'><error type='auth'>"
                                       "<forbidden/></error></message>"),
                             SLICE_LIT("jabber:server"), SLICE_NONE),
                 STANZA_OK);
    cr_assert_not(stanza_read_error(&st, &read), "not of type error");
    done(&f);
    cr_assert_eq(stanza_view(&st,
                             parse(&f, "<message from='a@x' to='b@y' type='error'><error type='?'>"
                                       "<odd xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
                                       "</message>"),
                             SLICE_LIT("jabber:server"), SLICE_NONE),
                 STANZA_OK);
    cr_assert(stanza_read_error(&st, &read));
    cr_assert_eq(read.condition, STANZA_CONDITION_UNDEFINED_CONDITION);
    cr_assert_eq(read.type, STANZA_ERROR_TYPE_DEFAULT);
    done(&f);
}

Test(stanza, ping)
{
    struct buf out;

    buf_init(&out, 4096);
    stanza_write_ping(&out, SLICE_LIT("a.example"), SLICE_LIT("b.example"), SLICE_LIT("p1"));
    cr_assert(slice_eq_cstr(buf_slice(&out),
                            "<iq from=\"a.example\" to=\"b.example\" id=\"p1\" type=\"get\">"
                            "<ping xmlns=\"urn:xmpp:ping\"/></iq>"));
    buf_deinit(&out);
}

Test(error, names_are_found_again)
{
    for (int i = 1; i < STREAM_CONDITION_COUNT; i++) {
        const char *name = stream_condition_name((enum stream_condition)i);

        cr_assert_eq((int)stream_condition_find(slice_from_cstr(name)), i);
    }
    for (int i = 1; i < STANZA_CONDITION_COUNT; i++) {
        const char *name = stanza_condition_name((enum stanza_condition)i);

        cr_assert_eq((int)stanza_condition_find(slice_from_cstr(name)), i);
        cr_assert_neq(stanza_condition_type((enum stanza_condition)i), STANZA_ERROR_TYPE_DEFAULT);
    }
    for (int i = 1; i < SASL_CONDITION_COUNT; i++) {
        const char *name = sasl_condition_name((enum sasl_condition)i);

        cr_assert_eq((int)sasl_condition_find(slice_from_cstr(name)), i);
    }
    cr_assert_eq(stream_condition_find(SLICE_LIT("none")), STREAM_CONDITION_NONE);
    cr_assert_eq(stanza_condition_find(SLICE_LIT("odd")), STANZA_CONDITION_NONE);
    cr_assert_eq(sasl_condition_find(SLICE_NONE), SASL_CONDITION_NONE);
    cr_assert_eq(STREAM_CONDITION_COUNT, 26, "RFC 6120 4.9.3 lists 25");
    cr_assert_eq(STANZA_CONDITION_COUNT, 24, "RFC 6120 8.3.3 lists 22, XEP-0220 one");
}

Test(acks, count_and_wrap)
{
    struct acks a;
    uint32_t newly = 0;

    acks_start(&a, 3, ACKS_ON);
    cr_assert(acks_take(&a, 0, &newly));
    cr_assert_not(acks_take(&a, 1, &newly));
    a.sent = a.acked = UINT32_MAX - 1;
    a.sent += 5; /* over the top */
    cr_assert_eq(acks_unacked(&a), 5);
    cr_assert(acks_take(&a, 1, &newly));
    cr_assert_eq(newly, 3);
    cr_assert_not(acks_take(&a, UINT32_MAX, &newly), "backwards");
    cr_assert_eq(newly, 0);
    cr_assert_not(acks_take(&a, 4, &newly));
    cr_assert(acks_take(&a, 3, &newly));
    cr_assert_eq(newly, 2);
    cr_assert_eq(acks_unacked(&a), 0);
    cr_assert_str_eq(acks_ns(&a), "urn:xmpp:sm:3");
    acks_start(&a, 2, ACKS_ASKED);
    cr_assert_str_eq(acks_ns(&a), "urn:xmpp:sm:2");
}
