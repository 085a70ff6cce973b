/* SPDX-License-Identifier: GPL-2.0-or-later */
/* security_xml: XML that smuggles or is too much, acks and texts of a peer (security.h). */
#include <criterion/criterion.h>

#include "security.h"

SCRIPT(security, SEC_51_and_53_xml_that_smuggles)
{
    const char *const texts[] = {
        "<message from='a@their.example' to='b@ours.example'><body>\xc3</body></message>",
        "<message from='a@their.example' to='b@ours.example'><body>\xe0\x80</body></message>",
        "<message from='a@their.example' to='b@ours.example'><body>&#0;</body></message>",
        "<message from='a@their.example' to='b@ours.example'><body>\x01</body></message>",
        "<!-- x -->",
        "<?xml version='1.0'?>",
        "<message from='a@their.example' to='b@ours.example'><body>&e;</body></message>",
        "<a:message from='a@their.example' to='b@ours.example'/>",
        "<message from='a@their.example' to='b@ours.example'></presence>",
        "text",
    };
    struct rig r;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        start_in(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
        prove(&r);
        rig_feed(&r, texts[i]);
        cr_assert_eq(EXPECT(&r, FAILED)->failure.step, STREAM_STEP_XML, "%zu", i);
        EXPECT(&r, MORE);
        rig_free(&r);
    }
    start_in(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    prove(&r);
    rig_feed(&r, "<message from='a@their.example' to='b@ours.example'><body><![CDATA[</body>"
                 "</message><presence from='victim'/>]]></body></message>");
    cr_assert(strstr(EXPECT(&r, STANZA)->stanza, "</body></message><presence from='victim'/>"));
    EXPECT(&r, MORE);
    rig_free(&r);
}

SCRIPT(security, SEC_54_early_xml_is_small)
{
    struct buf text;
    struct rig r;

    buf_init(&text, 1 << 20);
    for (int kind = 0; kind < 3; kind++) {
        buf_clear(&text);
        buf_put_lit(&text, "<db:result ");
        for (int i = 0; i < 3000; i++) {
            if (kind == 0) {
                buf_printf(&text, "a%d='' ", i);
            } else if (kind == 1) {
                buf_printf(&text, "xmlns:a%d='x' ", i);
            }
        }
        buf_putc(&text, '>');
        for (int i = 0; i < 3000 && kind == 2; i++) {
            buf_put_lit(&text, "<a>");
        }
        start_in(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
        rig_feed(&r, THEIR_HEADER);
        rig_feed_slice(&r, buf_slice(&text));
        EXPECT_FAILED(&r, XML, POLICY_VIOLATION);
        rig_free(&r);
    }
    /* Many small elements of allowed kinds: bytes in total. */
    rig_init(&r, STREAM_METHOD_DIALBACK_PLAIN);
    r.is_bytewise = is_bytewise;
    r.limits.early_bytes_max = 2000;
    rig_start_in(&r, false);
    rig_feed(&r, THEIR_HEADER);
    for (int i = 0; i < 20 && stream_deadline(r.s) != STREAM_NEVER; i++) {
        rig_feed(&r, "<db:verify from='their.example' to='ours.example' id='1' type='valid'>"
                     "0123456789012345678901234567890123456789012345678901234567890123456789"
                     "</db:verify>");
    }
    cr_assert_eq(r.log[r.log_count - 1].failure.condition, STREAM_CONDITION_POLICY_VIOLATION);
    rig_free(&r);
    buf_deinit(&text);
}

SCRIPT(security, SEC_59_a_stanza_of_limit_and_limit_plus_one)
{
    const char *const open = "<message from='a@their.example' to='b@ours.example'><body>";
    const char *const close = "</body></message>";
    const size_t frame = strlen(open) + strlen(close);

    for (size_t extra = 0; extra < 3; extra++) {
        const size_t limit = 12000;
        struct buf text;
        struct rig r;

        rig_init(&r, STREAM_METHOD_DIALBACK_PLAIN);
        r.is_bytewise = is_bytewise;
        r.limits.stanza_bytes_max = (uint32_t)limit;
        rig_start_in(&r, false);
        prove(&r);
        buf_init(&text, limit + 10);
        buf_put_cstr(&text, open);
        for (size_t i = frame; i < limit - 1 + extra; i++) {
            buf_putc(&text, 'x');
        }
        buf_put_cstr(&text, close);
        cr_assert_eq(buf_len(&text), limit - 1 + extra);
        rig_feed_slice(&r, buf_slice(&text));
        if (extra < 2) {
            EXPECT(&r, STANZA);
        } else {
            EXPECT_FAILED(&r, XML, POLICY_VIOLATION);
        }
        EXPECT(&r, MORE);
        buf_deinit(&text);
        rig_free(&r);
    }
}

SCRIPT(security, SEC_61_elements_that_no_stream_carries)
{
    const struct {
        const char *element;
        const char *condition;
    } cases[] = {
        {"<message xmlns='jabber:client' from='a@their.example' to='b@ours.example'/>",
         "<invalid-namespace "},
        {"<message xmlns='' from='a@their.example' to='b@ours.example'/>",
         "<unsupported-stanza-type "},
        {"<thing from='a@their.example' to='b@ours.example'/>", "<unsupported-stanza-type "},
        {"<x xmlns='some:thing'/>", "<unsupported-stanza-type "},
        {"<stream:features/>", "<unsupported-stanza-type "},
        {"<bidi xmlns='urn:xmpp:bidi'/>", "<unsupported-stanza-type "},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig r;

        start_in(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
        prove(&r);
        rig_feed(&r, cases[i].element);
        EXPECT(&r, FAILED);
        EXPECT_OUT(&r, cases[i].condition);
        EXPECT(&r, MORE);
        rig_free(&r);
    }
}

SCRIPT(security, SEC_76_acks_that_do_not_add_up)
{
    const char *const bad[] = {"<a xmlns='urn:xmpp:sm:3' h='3'/>",
                               "<a xmlns='urn:xmpp:sm:3' h='4294967296'/>",
                               "<a xmlns='urn:xmpp:sm:3' h='-1'/>", "<a xmlns='urn:xmpp:sm:3'/>",
                               "<a xmlns='urn:xmpp:sm:3' h='2'/><a xmlns='urn:xmpp:sm:3' h='1'/>"};
    struct rig r;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        start_out(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN);
        r.rules.acks = true;
        rig_feed(&r, THEIR_ANSWER FEATURES(DIALBACK "<sm xmlns='urn:xmpp:sm:3'/>"));
        rig_feed(&r, "<db:result from='their.example' to='ours.example' type='valid'/>"
                     "<enabled xmlns='urn:xmpp:sm:3'/>");
        EXPECT(&r, READY);
        stream_sent(r.s, r.now_ms, 2);
        (void)rig_out(&r);
        rig_feed(&r, bad[i]);
        if (i == 4) {
            EXPECT(&r, ACKED);
        }
        EXPECT_FAILED(&r, ACKS, UNDEFINED_CONDITION);
        EXPECT_OUT(&r, "<undefined-condition ", "<handled-count-too-high xmlns=\"urn:xmpp:sm:3\"",
                   "send-count=\"2\"");
        rig_free(&r);
    }
    /* Incoming: enable twice, resume, an answer to nothing. */
    start_in(&r, is_bytewise, STREAM_METHOD_EXTERNAL, true);
    r.rules.acks = true;
    rig_feed(&r, THEIR_HEADER AUTH("="));
    EXPECT(&r, PAIR_AUTHENTICATED);
    rig_feed(&r, THEIR_HEADER "<enable xmlns='urn:xmpp:sm:3'/><enable xmlns='urn:xmpp:sm:3'/>");
    EXPECT(&r, NOTE);
    EXPECT_OUT(&r, "<enabled xmlns=\"urn:xmpp:sm:3\"/>", "<failed ", "<unexpected-request ");
    rig_feed(&r, "<resume xmlns='urn:xmpp:sm:3' h='1' previd='x'/>");
    EXPECT(&r, NOTE);
    EXPECT_OUT(&r, "<failed ", "<item-not-found ");
    rig_feed(&r, "<a xmlns='urn:xmpp:sm:3' h='1'/>");
    EXPECT_FAILED(&r, ACKS, UNDEFINED_CONDITION);
    rig_free(&r);
}

SCRIPT(security, SEC_77_stanzas_that_meet_our_close)
{
    struct rig r;

    start_in(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    prove(&r);
    stream_close(r.s, r.now_ms, STREAM_CONDITION_SYSTEM_SHUTDOWN, "");
    rig_feed(&r, MESSAGE RESULT MESSAGE "</stream:stream>");
    EXPECT(&r, STANZA);
    EXPECT(&r, STANZA);
    EXPECT(&r, CLOSED);
    rig_feed(&r, MESSAGE);
    EXPECT(&r, MORE);
    rig_free(&r);
}

SCRIPT(security, SEC_78_untrusted_text_is_escaped_and_cut)
{
    struct rig r;
    struct buf text;
    const struct rig_event *e;

    buf_init(&text, 20000);
    buf_put_lit(&text, THEIR_ANSWER "<stream:error><undefined-condition "
                                    "xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
                                    "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>\n&#9;");
    for (int i = 0; i < 5000; i++) {
        buf_putc(&text, 'x');
    }
    buf_put_lit(&text, "</text></stream:error>");
    start_out(&r, is_bytewise, ALL_METHODS);
    rig_feed_slice(&r, buf_slice(&text));
    e = EXPECT_FAILED(&r, STREAM_ERROR, UNDEFINED_CONDITION);
    cr_assert_null(strpbrk(e->text, "\n\t"));
    cr_assert_lt(strlen(e->text), 400);
    rig_free(&r);
    buf_deinit(&text);
}

SCRIPT(security, stanzas_to_foreign_domains_end_the_stream_at_last)
{
    struct rig r;

    start_in(&r, is_bytewise, STREAM_METHOD_DIALBACK_PLAIN, false);
    prove(&r);
    for (uint32_t i = 0; i < 16; i++) {
        rig_feed(&r, "<message from='a@their.example' to='b@nowhere.example'/>");
        EXPECT(&r, STANZA_BAD);
    }
    rig_feed(&r, MESSAGE); /* a good one in between: no abuse */
    EXPECT(&r, STANZA);
    for (uint32_t i = 0; i < 16; i++) {
        rig_feed(&r, "<message from='a@their.example' to='b@nowhere.example'/>");
        EXPECT(&r, STANZA_BAD);
    }
    rig_feed(&r, "<message from='a@their.example' to='b@nowhere.example'/>");
    EXPECT_FAILED(&r, STANZA, HOST_UNKNOWN);
    rig_free(&r);
}
