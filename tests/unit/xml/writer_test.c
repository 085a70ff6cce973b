/* SPDX-License-Identifier: GPL-2.0-or-later */
/* writer_test: escaping, moving between streams, parse(write(tree)) == tree for both parsers. */
#include "kit.h"

#include "base/pool.h"
#include "base/utf8.h"
#include "canon.h"
#include "xml/writer.h"

#define TARGET "<stream xmlns='jabber:component:accept'>"

static const struct xml_write_params same_stream = {
    .ns_default = {"jabber:server", 13},
};
static const struct xml_write_params to_component = {
    .ns_default = {"jabber:component:accept", 23},
    .ns_from = {"jabber:server", 13},
    .ns_to = {"jabber:component:accept", 23},
};

/* Parses HEADER and stanza, keeps the parser for the tree. */
static struct xml_parser *parse(const char *stanza)
{
    struct xml_parser *p;
    size_t used;

    cr_assert_eq(xml_parser_new(&p, &xml_limits_authenticated), 0);
    cr_assert_eq(xml_parser_feed(p, HEADER, strlen(HEADER), &used), XML_STREAM_OPEN);
    cr_assert_eq(xml_parser_feed(p, stanza, strlen(stanza), &used), XML_ELEMENT, "%s: %s", stanza,
                 xml_parser_why_text(p));
    return p;
}

/* From the nodes; whether copied content is the same is canon's. */
static void expect_write(const char *stanza, const struct xml_write_params *params,
                         const char *expected)
{
    struct xml_parser *p = parse(stanza);
    struct xml_tree t = *xml_parser_tree(p);
    struct buf out;

    cr_assert_null(canon_fault(&t, params), "%s: %s", stanza, canon_fault(&t, params));
    t.content_is_canonical = false;
    buf_init(&out, 65536);
    xml_write_tree(&out, &t, 0, params);
    cr_assert_not(out.failed);
    cr_assert(slice_eq_cstr(buf_slice(&out), expected), "got %.*s\nnot %s",
              SLICE_FMT(buf_slice(&out)), expected);
    buf_deinit(&out);
    xml_parser_free(p);
}

Test(writer, text_and_attributes_escaped)
{
    struct buf out;

    buf_init(&out, 1000);
    xml_write_text(&out, SLICE_LIT("a<b>&c\"d'e]]>\t\r\n\xc3\xa9"));
    cr_assert(
        slice_eq_cstr(buf_slice(&out), "a&lt;b&gt;&amp;c&quot;d&apos;e]]&gt;\t&#13;\n\xc3\xa9"));
    buf_clear(&out);
    xml_write_attr(&out, "a", SLICE_LIT("<>&\"'\t\r\n \xc3\xa9"));
    cr_assert(
        slice_eq_cstr(buf_slice(&out), " a=\"&lt;&gt;&amp;&quot;&apos;&#9;&#13;&#10; \xc3\xa9\""));
    buf_clear(&out);
    xml_write_text(&out, SLICE_NONE);
    xml_write_text_clean(&out, SLICE_NONE);
    cr_assert_eq(buf_len(&out), 0);
    buf_deinit(&out);
}

Test(writer, foreign_text_cleaned)
{
    struct buf out;

    buf_init(&out, 1000);
    xml_write_text_clean(&out, SLICE_LIT("a\0b\x01\x1f\tc\r\nd\re\n\x7f"));
    cr_assert(slice_eq_cstr(buf_slice(&out), "ab\tc\nd\ne\n\x7f"));
    buf_clear(&out);
    xml_write_text_clean(&out, SLICE_LIT("<\xc3\xff\xe2\x82>\xef\xbf\xbe\xed\xa0\x80\xc3\xa9"));
    cr_assert(slice_eq_cstr(buf_slice(&out),
                            "&lt;\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd&gt;"
                            "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9"));
    cr_assert(utf8_is_valid(buf_slice(&out)));
    buf_deinit(&out);
}

Test(writer, stays_as_it_is_on_a_like_stream)
{
    expect_write("<message to='a'><body>x</body><y xmlns='u'><z/></y></message>", &same_stream,
                 "<message to=\"a\"><body>x</body><y xmlns=\"u\"><z/></y></message>");
    expect_write("<a/>", &same_stream, "<a/>");
    expect_write("<a></a>", &same_stream, "<a/>");
    /* In its place, where prefixes are declared in front; nowhere where it is not needed. */
    expect_write("<a b='&#9;' xmlns='u' c='1'><d e='1' xmlns='v'/><f g='1' xmlns='u'/></a>",
                 &same_stream, "<a b=\"&#9;\" xmlns=\"u\" c=\"1\"><d e=\"1\" xmlns=\"v\"/>"
                 "<f g=\"1\"/></a>");
    expect_write("<a b='&#9;' p:c='1' xmlns='u' xmlns:p='v'/>", &same_stream,
                 "<a xmlns:p=\"v\" b=\"&#9;\" p:c=\"1\" xmlns=\"u\"/>");
    expect_write("<a xmlns='u'><b xmlns='jabber:server'/><c xmlns=''/></a>", &same_stream,
                 "<a xmlns=\"u\"><b xmlns=\"jabber:server\"/><c xmlns=\"\"/></a>");
    expect_write("<a><![CDATA[<&]]>>\r</a>", &same_stream, "<a>&lt;&amp;&gt;\n</a>");
}

Test(writer, prefixes_of_the_source_stream_redeclared)
{
    expect_write("<stream:error/>", &same_stream,
                 "<stream:error xmlns:stream=\"http://etherx.jabber.org/streams\"/>");
    expect_write("<a db:x='1'><db:b/><db:c/></a>", &same_stream,
                 "<a xmlns:db=\"jabber:server:dialback\" db:x=\"1\"><db:b/><db:c/></a>");
    expect_write("<a><db:b/><db:c/></a>", &same_stream,
                 "<a><db:b xmlns:db=\"jabber:server:dialback\"/>"
                 "<db:c xmlns:db=\"jabber:server:dialback\"/></a>");
    /* One prefix, two meanings, and back. */
    expect_write("<p:a xmlns:p='1'><p:b xmlns:p='2'><p:c xmlns:p='1'/></p:b><p:d/></p:a>",
                 &same_stream,
                 "<p:a xmlns:p=\"1\"><p:b xmlns:p=\"2\"><p:c xmlns:p=\"1\"/></p:b><p:d/></p:a>");
    expect_write("<a xml:lang='de'><xml:b/></a>", &same_stream, "<a xml:lang=\"de\"><xml:b/></a>");
}

Test(writer, content_namespace_moves)
{
    expect_write("<message><body>x</body><thread/></message>", &to_component,
                 "<message><body>x</body><thread/></message>");
    /* Prefixed in the source, the default in the target. */
    expect_write("<s:message xmlns:s='jabber:server'><s:body/></s:message>", &to_component,
                 "<message><body/></message>");
    /* What descends from another namespace keeps its own (xmpp.md 2.2). */
    expect_write(
        "<message><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'>"
        "<body/></message><message xmlns='jabber:server'/></forwarded><body/></message>",
        &to_component,
        "<message><forwarded xmlns=\"urn:xmpp:forward:0\"><message xmlns=\"jabber:client\">"
        "<body/></message><message xmlns=\"jabber:server\"/></forwarded><body/></message>");
    /* A root of another namespace: nothing moves. */
    expect_write("<a xmlns='u'><b xmlns='jabber:server'/></a>", &to_component,
                 "<a xmlns=\"u\"><b xmlns=\"jabber:server\"/></a>");
    /* The source's default is none of ours: declared where it is used. */
    expect_write("<s:message xmlns:s='jabber:server' xmlns='u'><b/><s:c><d/></s:c></s:message>",
                 &to_component, "<message><b xmlns=\"u\"/><c><d xmlns=\"u\"/></c></message>");
}

Test(writer, root_attributes_replaced_or_added)
{
    struct xml_write_params params = same_stream;

    params.from = SLICE_LIT("f&f");
    params.to = SLICE_LIT("t");
    params.lang = SLICE_LIT("en");
    expect_write("<a id='1'><b from='x'/></a>", &params,
                 "<a id=\"1\" from=\"f&amp;f\" to=\"t\" xml:lang=\"en\"><b from=\"x\"/></a>");
    expect_write("<a to='x' xml:lang='de' from='y' db:to='z'/>", &params,
                 "<a xmlns:db=\"jabber:server:dialback\" to=\"t\" xml:lang=\"de\" from=\"f&amp;f\" "
                 "db:to=\"z\"/>");
    params.from = SLICE_LIT("");
    params.to = SLICE_NONE;
    expect_write("<a to='x' from='y'/>", &params, "<a to=\"x\" from=\"\" xml:lang=\"en\"/>");
}

Test(writer, children_left_out_by_name)
{
    struct xml_write_params params = to_component;

    params.without = SLICE_LIT("status");
    expect_write("<presence><status>one</status><show>away</show>"
                 "<status xml:lang='de'><b xmlns='x'>zwei</b></status><status/></presence>",
                 &params, "<presence><show>away</show></presence>");
    expect_write("<presence><status/></presence>", &params, "<presence></presence>");
    expect_write("<presence/>", &params, "<presence/>");
    /* Only of the root; in whatever namespace, as the next server may change that again. */
    expect_write("<presence><show><status/></show><status xmlns='jabber:client'>note</status>"
                 "<status xmlns='jabber:component:accept'>note</status></presence>",
                 &params, "<presence><show><status/></show></presence>");
    expect_write("<status><status/><x/></status>", &params, "<status><x/></status>");
}

/* A body that no rule has seen must not become one on the way. */
Test(writer, what_is_in_the_target_namespace_already_is_left_out)
{
    expect_write("<message><body xmlns='jabber:component:accept'>x<b/></body><body>y</body>"
                 "<c:subject xmlns:c='jabber:component:accept'/></message>",
                 &to_component, "<message><body>y</body></message>");
    expect_write("<message><error><text xmlns='jabber:component:accept'/></error></message>",
                 &to_component, "<message><error></error></message>");
    /* What belongs to something foreign stays itself. */
    expect_write("<message><f xmlns='u'><body xmlns='jabber:component:accept'>x</body></f>"
                 "</message>", &to_component,
                 "<message><f xmlns=\"u\"><body xmlns=\"jabber:component:accept\">x</body></f>"
                 "</message>");
    expect_write("<f xmlns='u'><body xmlns='jabber:component:accept'>x</body></f>", &to_component,
                 "<f xmlns=\"u\"><body xmlns=\"jabber:component:accept\">x</body></f>");
    expect_write("<message><body>y</body></message>", &same_stream,
                 "<message><body>y</body></message>");
}

Test(writer, a_part_of_a_tree)
{
    struct xml_parser *p = parse("<a><b x='1'><c>t</c></b><d/></a>");
    struct xml_write_params params = same_stream;
    struct buf out;

    params.to = SLICE_LIT("z");
    buf_init(&out, 1000);
    xml_write_tree(&out, xml_parser_tree(p), 1, &params);
    cr_assert(slice_eq_cstr(buf_slice(&out), "<b x=\"1\" to=\"z\"><c>t</c></b>"));
    buf_clear(&out);
    xml_write_tree(&out, xml_parser_tree(p), 99, &params);
    cr_assert(out.failed, "no such node");
    buf_deinit(&out);
    xml_parser_free(p);
}

Test(writer, a_full_buffer_fails_and_writes_no_more)
{
    struct xml_parser *p = parse("<a><b>text</b></a>");
    struct buf out;

    for (size_t max = 0; max < 18; max++) {
        buf_init(&out, max);
        xml_write_tree(&out, xml_parser_tree(p), 0, &same_stream);
        cr_assert(out.failed);
        cr_assert_leq(buf_len(&out), max);
        buf_deinit(&out);
    }
    buf_init(&out, 18);
    xml_write_tree(&out, xml_parser_tree(p), 0, &same_stream);
    cr_assert_not(out.failed);
    buf_deinit(&out);
    xml_parser_free(p);
}

/* What no parsed tree has cannot be written, and says so. */
Test(writer, impossible_trees_fail)
{
    struct xml_attr attrs[] = {
        {.name = SLICE_LIT("x"), .ns = SLICE_LIT("u"), .value = SLICE_LIT("1")},
        {.name = SLICE_LIT("y"), .ns = SLICE_LIT("v"), .prefix = SLICE_LIT("p")},
    };
    struct xml_node node = {.name = SLICE_LIT("a"),
                            .parent = XML_NO_NODE,
                            .first_child = XML_NO_NODE,
                            .next_sibling = XML_NO_NODE,
                            .attr_count = 1};
    struct xml_tree t = {.nodes = &node, .attrs = attrs, .node_count = 1, .attr_count = 2};
    struct buf out;

    buf_init(&out, 1000);
    xml_write_tree(&out, &t, 0, &same_stream);
    cr_assert(out.failed, "attribute in a namespace without a prefix");
    buf_clear(&out);
    node.attr_first = 1;
    node.prefix = SLICE_LIT("p");
    node.ns = SLICE_LIT("w");
    xml_write_tree(&out, &t, 0, &same_stream);
    cr_assert(out.failed, "one prefix with two meanings on one element");
    buf_deinit(&out);
}

/* Every stanza of doc written into a stream of the same default namespace, and the result parsed
 * by both parsers: the lines must be those of the tree.                                         */
static unsigned round_trip(struct slice doc)
{
    struct xml_parser *p;
    struct buf lines;
    struct buf out;
    unsigned count = 0;
    enum xml_event event = XML_MORE;

    buf_init(&lines, POOL_BLOCK_BYTES_MAX);
    buf_init(&out, POOL_BLOCK_BYTES_MAX);
    buf_put_lit(&lines, "(jabber:server||s\n");
    buf_put_lit(&out, "<s xmlns='jabber:server'>");
    cr_assert_eq(xml_parser_new(&p, &xml_limits_authenticated), 0);
    do {
        size_t used;

        event = xml_parser_feed(p, doc.ptr, doc.len, &used);
        doc = slice_from(doc, used);
        if (event == XML_ELEMENT) {
            dump_tree(&lines, xml_parser_tree(p), 0, false);
            xml_write_tree(&out, xml_parser_tree(p), 0, &same_stream);
            count++;
        }
    } while (event != XML_MORE && event != XML_BAD);
    buf_put_lit(&lines, ")\n");
    buf_put_lit(&out, "</s>");
    if (count) {
        struct dump_result ours;
        struct oracle_result expat;

        dump_ours(&ours, buf_slice(&out), &xml_limits_authenticated, DUMP_WHOLE, 0);
        cr_assert_eq(ours.why, XML_WHY_NONE, "%s: %.*s", ours.why_text, SLICE_FMT(buf_slice(&out)));
        cr_assert(slice_eq(buf_slice(&ours.events), buf_slice(&lines)), "%.*s",
                  SLICE_FMT(buf_slice(&out)));
        oracle_run(&expat, buf_slice(&out), &xml_limits_authenticated);
        cr_assert(expat.is_accepted && expat.extra == 0, "%s", expat.error);
        cr_assert(slice_eq(buf_slice(&expat.events), buf_slice(&lines)));
        dump_result_deinit(&ours);
        oracle_result_deinit(&expat);
    }
    buf_deinit(&lines);
    buf_deinit(&out);
    xml_parser_free(p);
    return count;
}

Test(writer, parse_of_write_is_the_tree, .timeout = 100)
{
    unsigned count = 0;

    for (uint64_t seed = 0; seed < 4000; seed++) {
        struct buf doc;

        buf_init(&doc, (size_t)1 << 20);
        if (seed % 4 == 3) {
            gen_wild(&doc, seed);
        } else {
            gen_valid(&doc, seed);
        }
        count += round_trip(buf_slice(&doc));
        buf_deinit(&doc);
    }
    cr_assert_gt(count, 4000);
}
