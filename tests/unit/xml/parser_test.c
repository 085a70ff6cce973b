/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parser_test: what good streams turn into. */
#include "kit.h"

#include "base/err.h"
#include "base/pool.h"

#define OPEN                                                                                       \
    "(http://etherx.jabber.org/streams|stream|stream\n"                                            \
    "A||from|a.example\nA||to|b.example\nA||version|1.0\n"

static void expect_stanza(const char *stanza, const char *lines)
{
    struct buf doc;
    struct buf expected;

    buf_init(&doc, 65536);
    buf_init(&expected, 65536);
    buf_put_lit(&doc, HEADER);
    buf_put_cstr(&doc, stanza);
    buf_put_lit(&doc, CLOSE);
    buf_put_lit(&expected, OPEN);
    buf_put_cstr(&expected, lines);
    buf_put_lit(&expected, ")\n\0");
    kit_expect_events(buf_slice(&doc), expected.data);
    buf_deinit(&doc);
    buf_deinit(&expected);
}

Test(parser, stream_header_and_end)
{
    kit_expect_events(SLICE_LIT(HEADER CLOSE), OPEN ")\n");
    kit_expect_events(SLICE_LIT(HEADER " \n\t\r </stream:stream \r\n>\n \t"), OPEN ")\n");
    kit_expect_events(SLICE_LIT("\n  <a/> "), "(||a\n)\n");
    kit_expect_events(SLICE_LIT("<a>"), "(||a\n");
    kit_expect_events(SLICE_LIT(""), "");
    kit_expect_events(SLICE_LIT("  "), "");
}

Test(parser, xml_declaration)
{
    kit_expect_events(SLICE_LIT("<?xml version='1.0'?><a></a>"), "(||a\n)\n");
    kit_expect_events(SLICE_LIT("<?xml version=\"1.0\" encoding='uTf-8'?>\n<a></a>"), "(||a\n)\n");
    kit_expect_events(
        SLICE_LIT("<?xml version = '1.0'\tencoding\r\n=\n\"UTF-8\" standalone='yes' ?><a/>"),
        "(||a\n)\n");
}

Test(parser, message_with_body)
{
    expect_stanza("<message to='x@b.example' from=\"y@a.example\"><body>hello</body></message>",
                  "(jabber:server||message\nA||to|x@b.example\nA||from|y@a.example\n"
                  "(jabber:server||body\nThello\n)\n)\n");
    expect_stanza("<a/><b /><c\n></c\t>", "(jabber:server||a\n)\n(jabber:server||b\n)\n"
                                          "(jabber:server||c\n)\n");
}

Test(parser, references_resolved)
{
    expect_stanza("<a b='&lt;&gt;&amp;&quot;&apos;&#65;&#x42;&#x1F600;'/>",
                  "(jabber:server||a\nA||b|<>&\"'AB\xf0\x9f\x98\x80\n)\n");
    expect_stanza("<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x42;&#x1f600;&#000000000000000000000067;</a>",
                  "(jabber:server||a\nT<>&\"'AB\xf0\x9f\x98\x80"
                  "C\n)\n");
    /* Resolved once only. */
    expect_stanza("<a b='&amp;lt;'>&amp;#65;&#38;lt;</a>",
                  "(jabber:server||a\nA||b|&lt;\nT&#65;&lt;\n)\n");
}

Test(parser, line_ends_and_attribute_space)
{
    expect_stanza("<a>1\r\n2\r3\n4\r\r\n5&#13;&#10;</a>",
                  "(jabber:server||a\nT1\\0a2\\0a3\\0a4\\0a\\0a5\\0d\\0a\n)\n");
    expect_stanza("<a b='1\r\n2\r3\n4\t5&#9;&#10;&#13;6'/>",
                  "(jabber:server||a\nA||b|1 2 3 4 5\\09\\0a\\0d6\n)\n");
    expect_stanza("<a><![CDATA[\r\n\r]]>\r<![CDATA[\n]]></a>",
                  "(jabber:server||a\nT\\0a\\0a\\0a\\0a\n)\n");
}

Test(parser, cdata_folded_into_one_text)
{
    expect_stanza("<a>1<![CDATA[<&>&lt;]]>2<![CDATA[]]><![CDATA[]]]]><![CDATA[>]]></a>",
                  "(jabber:server||a\nT1<&>&lt;2]]>\n)\n");
    expect_stanza("<a><![CDATA[]]></a>", "(jabber:server||a\n)\n");
    expect_stanza(
        "<a>x<b/>y<![CDATA[z]]><b/><![CDATA[q]]></a>",
        "(jabber:server||a\nTx\n(jabber:server||b\n)\nTyz\n(jabber:server||b\n)\nTq\n)\n");
    /* SEC-53: what looks like an end and another stanza is text. */
    expect_stanza("<message><body><![CDATA[</body></message><presence from='victim'/>]]></body>"
                  "</message>",
                  "(jabber:server||message\n(jabber:server||body\n"
                  "T</body></message><presence from='victim'/>\n)\n)\n");
}

Test(parser, quotes_and_greater_than_in_values)
{
    expect_stanza("<a b='\">/a>\"' c=\"'/>'\">></a>",
                  "(jabber:server||a\nA||b|\">/a>\"\nA||c|'/>'\nT>\n)\n");
}

Test(parser, namespaces_resolved)
{
    expect_stanza("<stream:features/>", "(http://etherx.jabber.org/streams|stream|features\n)\n");
    expect_stanza(
        "<a xmlns='u:1' xmlns:p='u:2' p:x='1' x='2'><p:b xmlns:p='u:3'/><p:c/><d xmlns=''>"
        "<e/></d><f/></a>",
        "(u:1||a\nAu:2|p|x|1\nA||x|2\n(u:3|p|b\n)\n(u:2|p|c\n)\n(||d\n(||e\n)\n)\n(u:1||f\n)\n"
        ")\n");
    /* Scope ends with the element; the next stanza sees the stream's. */
    expect_stanza("<a xmlns='u:1'/><b/>", "(u:1||a\n)\n(jabber:server||b\n)\n");
    /* The declaration may stand behind the name that needs it. */
    expect_stanza("<p:a p:b='' xmlns:p='u'/>", "(u|p|a\nAu|p|b|\n)\n");
    expect_stanza("<a xml:lang='de' xmlns:xml='http://www.w3.org/XML/1998/namespace'/>",
                  "(jabber:server||a\nAhttp://www.w3.org/XML/1998/namespace|xml|lang|de\n)\n");
    /* SEC-52: separators of other parsers' interfaces are data. */
    expect_stanza("<p:a xmlns:p='u}v&#10;w\tx'/>", "(u}v\\0aw x|p|a\n)\n");
}

Test(parser, nested_stream_is_an_element)
{
    expect_stanza("<stream:stream></stream:stream>",
                  "(http://etherx.jabber.org/streams|stream|stream\n)\n");
}

Test(parser, names_beyond_ascii)
{
    expect_stanza("<\xc3\xa9t\xc3\xa9 \xd0\xbf.\xd1\x80-1='v'/>",
                  "(jabber:server||\xc3\xa9t\xc3\xa9\nA||\xd0\xbf.\xd1\x80-1|v\n)\n");
}

Test(parser, wire_bytes_from_bracket_to_bracket)
{
    static const char doc[] = HEADER "  <message a='&amp;'>&#65;</message><x/>";
    struct xml_parser *p;
    const struct xml_tree *t;
    size_t at = 0;
    size_t used;

    cr_assert_eq(xml_parser_new(&p, &xml_limits_authenticated), 0);
    cr_assert_eq(xml_parser_feed(p, doc, sizeof(doc) - 1, &used), XML_STREAM_OPEN);
    t = xml_parser_tree(p);
    cr_assert_eq(t->wire_bytes, used - strlen("<?xml version='1.0'?>"));
    at += used;
    cr_assert_eq(xml_parser_feed(p, doc + at, sizeof(doc) - 1 - at, &used), XML_ELEMENT);
    cr_assert_eq(t->wire_bytes, strlen("<message a='&amp;'>&#65;</message>"));
    cr_assert_eq(used, t->wire_bytes + 2);
    at += used;
    cr_assert_eq(xml_parser_feed(p, doc + at, 2, &used), XML_MORE);
    cr_assert(xml_parser_is_inside(p));
    at += 2;
    cr_assert_eq(xml_parser_feed(p, doc + at, sizeof(doc) - 1 - at, &used), XML_ELEMENT);
    cr_assert_eq(t->wire_bytes, 4);
    cr_assert_eq(xml_parser_feed(p, "", 0, &used), XML_MORE);
    cr_assert_not(xml_parser_is_inside(p));
    xml_parser_free(p);
}

Test(parser, slices_point_into_the_callers_bytes)
{
    static const char doc[] = "<a><b c='plain \xc3\xa9'>text \xc3\xa9</b>";
    struct xml_parser *p;
    const struct xml_tree *t;
    size_t used;

    cr_assert_eq(xml_parser_new(&p, &xml_limits_authenticated), 0);
    cr_assert_eq(xml_parser_feed(p, doc, 3, &used), XML_STREAM_OPEN);
    cr_assert_eq(xml_parser_feed(p, doc + 3, sizeof(doc) - 4, &used), XML_ELEMENT);
    t = xml_parser_tree(p);
    cr_assert(t->attrs[0].value.ptr == strstr(doc, "plain"));
    cr_assert(t->nodes[1].name.ptr == strstr(doc, "text"));
    xml_parser_free(p);
}

Test(parser, reset_starts_a_new_stream)
{
    struct xml_parser *p;
    size_t used;

    cr_assert_eq(xml_parser_new(&p, &xml_limits_authenticated), 0);
    cr_assert_eq(xml_parser_feed(p, HEADER, strlen(HEADER), &used), XML_STREAM_OPEN);
    cr_assert_eq(xml_parser_feed(p, "<a><b>par", 9, &used), XML_MORE);
    xml_parser_reset(p);
    cr_assert_not(xml_parser_is_inside(p));
    cr_assert_eq(xml_parser_feed(p, "<?xml version='1.0'?><b>", 24, &used), XML_STREAM_OPEN);
    cr_assert_eq(xml_parser_tree(p)->nodes[0].ns.len, 0, "namespaces of the old stream are gone");
    cr_assert_eq(xml_parser_feed(p, "<stream:x/>", 11, &used), XML_BAD);
    cr_assert_eq(xml_parser_why(p), XML_WHY_NOT_WELL_FORMED);
    cr_assert_eq(xml_parser_feed(p, "<y/>", 4, &used), XML_BAD, "bad stays bad");
    cr_assert_eq(used, 0);
    xml_parser_reset(p);
    cr_assert_eq(xml_parser_why(p), XML_WHY_NONE);
    cr_assert_str_eq(xml_parser_why_text(p), "");
    cr_assert_eq(xml_parser_feed(p, "<y>", 3, &used), XML_STREAM_OPEN);
    xml_parser_free(p);
    xml_parser_free(NULL);
}

Test(parser, tells_the_content_namespace)
{
    static const char doc[] =
        "<s:s xmlns='c&amp;n' xmlns:s='u'><a xmlns='x'><b/></a><p:c xmlns:p='y'/>";
    struct xml_parser *p;
    size_t used;
    size_t at = 0;
    unsigned events = 0;

    cr_assert_eq(xml_parser_new(&p, &xml_limits_authenticated), 0);
    cr_assert_eq(xml_parser_default_ns(p).len, 0);
    while (xml_parser_feed(p, doc + at, sizeof(doc) - 1 - at, &used) != XML_MORE) {
        at += used;
        events++;
        cr_assert(slice_eq_cstr(xml_parser_default_ns(p), "c&n"));
        cr_assert(xml_parser_declares(p, SLICE_LIT("u")));
        cr_assert_not(xml_parser_declares(p, SLICE_LIT("c&n"))); /* bound to no prefix */
        cr_assert_not(xml_parser_declares(p, SLICE_LIT("y")));   /* of an element alone */
    }
    cr_assert_eq(events, 3);
    xml_parser_reset(p);
    cr_assert_not(xml_parser_declares(p, SLICE_LIT("u")));
    cr_assert_eq(xml_parser_default_ns(p).len, 0);
    cr_assert_eq(xml_parser_feed(p, "<s xmlns='n'/>", 14, &used), XML_STREAM_OPEN);
    cr_assert(slice_eq_cstr(xml_parser_default_ns(p), "n"));
    xml_parser_free(p);
}

Test(parser, empty_stream_opens_and_closes)
{
    struct xml_parser *p;
    size_t used;

    cr_assert_eq(xml_parser_new(&p, &xml_limits_authenticated), 0);
    cr_assert_eq(xml_parser_feed(p, "<a/>", 4, &used), XML_STREAM_OPEN);
    cr_assert_eq(used, 4);
    cr_assert_eq(xml_parser_feed(p, "", 0, &used), XML_STREAM_CLOSE);
    cr_assert_eq(xml_parser_feed(p, " ", 1, &used), XML_MORE);
    cr_assert_eq(xml_parser_feed(p, "<", 1, &used), XML_BAD);
    xml_parser_free(p);
}

/* Every allocation of a long session fails once: refused as NOMEM or not made, nothing leaks. */
Test(parser, out_of_memory_is_an_error)
{
    struct buf doc;
    struct dump_result r;
    bool was_enough = false;

    buf_init(&doc, 1 << 20);
    buf_put_lit(&doc, HEADER "<a xmlns:p='u'>&lt;<![CDATA[x]]>");
    for (int i = 0; i < 300; i++) {
        buf_put_lit(&doc, "<b c='&amp;' d='1'>t&#65;</b>");
    }
    buf_put_lit(&doc, "</a>" CLOSE);
    for (uint64_t n = 1; !was_enough && n < 100; n++) {
        struct xml_parser *p;
        size_t at = 0;
        enum xml_event event = XML_MORE;
        int64_t before = pool_used_bytes();

        pool_fail_nth(n);
        if (xml_parser_new(&p, &xml_limits_authenticated) == ERR_NOMEM) {
            cr_assert_null(p);
            continue;
        }
        while (event != XML_BAD && event != XML_STREAM_CLOSE && at < buf_len(&doc)) {
            size_t used;
            size_t len = buf_len(&doc) - at < 100 ? buf_len(&doc) - at : 100;

            event = xml_parser_feed(p, doc.data + at, len, &used);
            at += used;
        }
        was_enough = event == XML_STREAM_CLOSE;
        cr_assert(was_enough || xml_parser_why(p) == XML_WHY_NOMEM);
        xml_parser_free(p);
        cr_assert_eq(pool_used_bytes(), before);
    }
    pool_fail_nth(0);
    cr_assert(was_enough);
    dump_ours(&r, buf_slice(&doc), &xml_limits_authenticated, DUMP_WHOLE, 0);
    cr_assert_eq(r.why, XML_WHY_NONE);
    dump_result_deinit(&r);
    buf_deinit(&doc);
}

/* The same stanza a thousand times, in 4 KiB blocks: memory settles. */
Test(parser, memory_settles)
{
    static const char stanza[] = "<message to='a@b' id='1'><body>it&apos;s</body></message>";
    struct xml_parser *p;
    struct buf doc;
    int64_t settled = 0;
    size_t used;

    buf_init(&doc, 1 << 20);
    for (int i = 0; i < 1000; i++) {
        buf_put_cstr(&doc, stanza);
    }
    cr_assert_eq(xml_parser_new(&p, &xml_limits_authenticated), 0);
    cr_assert_eq(xml_parser_feed(p, HEADER, strlen(HEADER), &used), XML_STREAM_OPEN);
    for (size_t at = 0; at < buf_len(&doc);) {
        size_t len = buf_len(&doc) - at < 4096 ? buf_len(&doc) - at : 4096;

        for (size_t done = 0; done < len;) {
            enum xml_event event = xml_parser_feed(p, doc.data + at + done, len - done, &used);

            cr_assert(event == XML_ELEMENT || event == XML_MORE);
            done += used;
        }
        at += len;
        if (at >= 8192 && settled == 0) {
            settled = pool_used_bytes();
        }
        cr_assert(settled == 0 || pool_used_bytes() <= settled + 2048);
    }
    xml_parser_free(p);
    buf_deinit(&doc);
}

/* What a parser holds while nothing is in progress is paid by every idle stream. */
Test(parser, an_idle_stream_holds_its_header_only)
{
    static const char stanza[] =
        "<message to='a@b'><body>x &amp; y</body>"
        "<active xmlns='http://jabber.org/protocol/chatstates'/></message>";
    struct xml_parser *p;
    int64_t idle;
    size_t used;

    cr_assert_eq(xml_parser_new(&p, &xml_limits_authenticated), 0);
    cr_assert_eq(xml_parser_feed(p, HEADER, strlen(HEADER), &used), XML_STREAM_OPEN);
    cr_assert_eq(xml_parser_feed(p, NULL, 0, &used), XML_MORE);
    idle = pool_used_bytes();
    cr_assert_leq(idle, 640);
    for (size_t cut = 1; cut < strlen(stanza); cut++) {
        cr_assert_eq(xml_parser_feed(p, stanza, cut, &used), XML_MORE);
        xml_parser_rest(p); /* changes nothing inside a stanza */
        cr_assert_gt(pool_used_bytes(), idle);
        cr_assert_eq(xml_parser_feed(p, stanza + cut, strlen(stanza) - cut, &used), XML_ELEMENT);
        if (cut % 2) {
            cr_assert_eq(xml_parser_feed(p, " ", 1, &used), XML_MORE);
        } else {
            xml_parser_rest(p);
        }
        cr_assert_eq(pool_used_bytes(), idle);
    }
    xml_parser_free(p);
}
