/* SPDX-License-Identifier: GPL-2.0-or-later */
/* canonical_test: which content counts as canonical, that copying it is the same as writing it, and
 * that neither cuts nor the instruction set make a difference.                                   */
#include "kit.h"

#include <stdio.h>

#include "base/pool.h"
#include "canon.h"
#include "xml/scan.h"

#define LONG_NS "a:namespace:whose:name:is:longer:than:sixty:three:bytes:in:all:of:it"

static const struct xml_write_params to_component = {
    .ns_default = {"jabber:component:accept", 23},
    .ns_from = {"jabber:server", 13},
    .ns_to = {"jabber:component:accept", 23},
};

/* Parses HEADER and stanza, cut after at bytes; the caller frees the parser. */
static struct xml_parser *parse_cut(const char *stanza, size_t at)
{
    size_t len = strlen(stanza);
    struct xml_parser *p;
    size_t used;

    cr_assert_eq(xml_parser_new(&p, &xml_limits_authenticated), 0);
    cr_assert_eq(xml_parser_feed(p, HEADER, strlen(HEADER), &used), XML_STREAM_OPEN);
    if (at > 0 && at < len) {
        cr_assert_eq(xml_parser_feed(p, stanza, at, &used), XML_MORE, "%s", stanza);
    }
    cr_assert_eq(xml_parser_feed(p, stanza + at, len - at, &used), XML_ELEMENT, "%s: %s", stanza,
                 xml_parser_why_text(p));
    return p;
}

static void expect(const char *stanza, const char *content, bool is_canonical)
{
    for (size_t at = 0; at < strlen(stanza); at++) {
        struct xml_parser *p = parse_cut(stanza, at);
        const struct xml_tree *t = xml_parser_tree(p);
        const char *fault = canon_fault_any(t);

        cr_assert(slice_eq_cstr(t->content, content), "%s cut at %zu: %.*s", stanza, at,
                  SLICE_FMT(t->content));
        cr_assert_eq(t->content_is_canonical, is_canonical, "%s cut at %zu", stanza, at);
        cr_assert_null(fault, "%s cut at %zu: %s", stanza, at, fault);
        xml_parser_free(p);
    }
}

/* content as that of a message. */
static void expect_content(const char *content, bool is_canonical)
{
    char stanza[600];

    cr_assert_lt(snprintf(stanza, sizeof(stanza), "<message id='1'>%s</message>", content), 600);
    expect(stanza, content, is_canonical);
}

Test(canonical, what_peers_write)
{
    expect_content("<body>shall we meet at noon?</body>", true);
    expect_content("<body>it&apos;s &lt;late&gt; &amp; &quot;dark&quot;</body>", true);
    expect_content("<body>it's \"late\"\n\tnow</body>", true);
    expect_content("<body xml:lang='de'>\xc3\xa4</body><body xml:lang=\"en\">a</body>", true);
    expect_content("<body>a</body><active xmlns='http://jabber.org/protocol/chatstates'/>", true);
    expect_content("<x xmlns=\"jabber:x:oob\"><url>http://a/?b&amp;c</url></x>", true);
    expect_content("<f xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' to='a'><body>b"
                   "</body></message><message xmlns='jabber:component:accept'/>"
                   "<message xmlns='jabber:server'/></f><thread/>", true);
    expect_content("<a xmlns=''/><b xmlns='u'><c xmlns=''><d/></c></b>", true);
    expect_content("<a b='c' xmlns='u'/><a b='c' xmlns=\"v\" d=''><e f='' xmlns=''/></a>", true);
    expect_content("<a xml:lang='c' xmlns='u'/><a xmlns='u' xml:lang='c'/>", true);
    expect_content("<a /><a b='c' /><a b='c' xmlns='u' /><a xmlns='' />", true);
    expect_content("text", true);
    expect_content(" <a/> \n", true);
    expect_content("", true);
    expect("<message/>", "", true);
    expect("<message  id = '1'\n/>", "", true);
    expect("<message id='&#65;'><body>a</body></message >", "<body>a</body>", true);
    expect("<message xmlns='jabber:server' xmlns:q='u' q:a='b'><body/></message>", "<body/>", true);
    expect("<message xmlns='u'><body/></message>", "<body/>", true);
    expect("<message id='1' xmlns='u' to='a'><body/></message>", "<body/>", true);
    expect("<message id='1' xmlns='jabber:server' />", "", true);
}

Test(canonical, what_would_be_written_differently)
{
    static const char *const contents[] = {
        "<body ></body >",
        "<a></a>",
        "<a><b></b></a>",
        "<a  />",
        "<a\t/>",
        "<a\n/>",
        "<a b='c'  />",
        "<a b='c'\t/>",
        "<a >b</a>",
        "<a  b='c'/>",
        "<a b ='c'/>",
        "<a b= 'c'/>",
        "<a\tb='c'/>",
        "<a\nb='c'/>",
        "<a b='c\td'/>",
        "<a b='c\"d'/>",
        "<a b=\"c'd\"/>",
        "<a b='c>d'/>",
        "<a b='&#65;'/>",
        "<a b='&amp;'/>", /* it is, but not worth another way through the tag */
        "<a>b</a >",
        "<a>b>c</a>",
        "<a>b]]</a>c>",
        "<a>&#65;</a>",
        "<a>&#38;</a>",
        "<a>b\r\nc</a>",
        "<a>b&#13;</a>",
        "<a><![CDATA[b]]></a>",
        "<![CDATA[]]>",
        "<a>b<![CDATA[]]></a>",
        "<a xmlns='jabber:server'/>",
        "<a b='c' xmlns='jabber:server'/>",
        "<a b='c' xmlns='u&amp;v'/>",
        "<a b='c' xmlns:p='v' xmlns='u'/>",
        "<a xmlns='u'><b xmlns='u'/></a>",
        "<a xmlns:p='u'/>",
        "<p:a xmlns:p='u'/>",
        "<a xmlns:p='u' p:b='c'/>",
        "<db:a/>",
        "<a db:b='c'/>",
        "<xml:a/>",
        "<\xc3\xa9/>",
        "<a \xc3\xa9='b'/>",
    };

    for (size_t i = 0; i < ARRAY_COUNT(contents); i++) {
        expect_content(contents[i], false);
    }
    expect("<q:message xmlns:q='jabber:server'><a xmlns='u'/></q:message>", "<a xmlns='u'/>",
           false);
    expect("<q:message xmlns:q='jabber:server'/>", "", false);
}

static void expect_written(const char *stanza, const struct xml_write_params *params,
                           const char *expected)
{
    struct xml_parser *p = parse_cut(stanza, 0);
    struct buf out;

    cr_assert(xml_parser_tree(p)->content_is_canonical, "%s", stanza);
    buf_init(&out, 65536);
    xml_write_tree(&out, xml_parser_tree(p), 0, params);
    cr_assert(slice_eq_cstr(buf_slice(&out), expected), "%.*s", SLICE_FMT(buf_slice(&out)));
    buf_deinit(&out);
    xml_parser_free(p);
}

/* The root's tags are copied, too, but for what the caller wants changed. */
Test(canonical, root_attributes_replaced_or_added)
{
    struct xml_write_params params = to_component;

    params.from = SLICE_LIT("a@b");
    params.to = SLICE_LIT("c'@d");
    params.lang = SLICE_LIT("en");
    expect_written("<m from='a@b' to=\"x\" id='1' xml:lang='de'><b/></m>", &params,
                   "<m from='a@b' to=\"c&apos;@d\" id='1' xml:lang='de'><b/></m>");
    expect_written("<m to='' from='' lang='x'/>", &params,
                   "<m to='c&apos;@d' from='a@b' lang='x' xml:lang=\"en\"/>");
    expect_written("<m id='1'>t</m>", &params,
                   "<m id='1' from=\"a@b\" to=\"c&apos;@d\" xml:lang=\"en\">t</m>");
    expect_written("<m><b/></m>", &params,
                   "<m from=\"a@b\" to=\"c&apos;@d\" xml:lang=\"en\"><b/></m>");
    expect_written("<m xml:from='a' xml:to='b'><b/></m>", &to_component,
                   "<m xml:from='a' xml:to='b'><b/></m>");
    /* Written anew: not plain, or a namespace has to be declared. */
    expect_written("<m  id='1'><b c='d'/></m>", &to_component, "<m id=\"1\"><b c='d'/></m>");
    expect_written("<m id='1'><b c='d'/></m >", &to_component, "<m id=\"1\"><b c='d'/></m>");
    expect_written("<m id='1'></m>", &to_component, "<m id=\"1\"/>");
    params.ns_default = SLICE_LIT("u");
    expect_written("<m from='1'><b c='d'/></m>", &params,
                   "<m xmlns=\"jabber:component:accept\" from=\"a@b\" to=\"c&apos;@d\" "
                   "xml:lang=\"en\"><b c='d'/></m>");
}

/* A root that says the namespace of its stream is copied without saying it. */
Test(canonical, root_declaration_cut_out)
{
    struct xml_write_params params = to_component;

    expect_written("<m id='1' xmlns='jabber:server'/>", &to_component, "<m id='1'/>");
    expect_written("<m xmlns='jabber:server'>it's</m>", &to_component, "<m>it's</m>");
    expect_written("<m id='1' xmlns='jabber:server' to='b' />", &to_component,
                   "<m id='1' to='b' />");
    expect_written("<m xmlns='jabber:component:accept' id='1'/>", &to_component, "<m id='1'/>");
    params.from = SLICE_LIT("a@b");
    params.to = SLICE_LIT("c@d");
    params.lang = SLICE_LIT("en");
    expect_written("<m to='x' xmlns='jabber:server' from='y'>'</m>", &params,
                   "<m to='c@d' from='a@b' xml:lang=\"en\">'</m>");
    expect_written("<m xmlns='jabber:server' from='y' to='x'/>", &params,
                   "<m from='a@b' to='c@d' xml:lang=\"en\"/>");
    expect_written("<m from='' xmlns='jabber:server'>'</m>", &params,
                   "<m from='a@b' to=\"c@d\" xml:lang=\"en\">'</m>");
    expect_written("<m xmlns='jabber:server'/>", &params,
                   "<m from=\"a@b\" to=\"c@d\" xml:lang=\"en\"/>");
    expect_written("<m xmlns='jabber:server' />", &params,
                   "<m from=\"a@b\" to=\"c@d\" xml:lang=\"en\" />");
    /* It is needed where the root does not move: written anew. */
    expect_written("<m id='1' xmlns='u' to='x'>it's</m>", &to_component,
                   "<m id=\"1\" xmlns=\"u\" to=\"x\">it's</m>");
    params.ns_default = SLICE_NONE;
    params.ns_from = SLICE_NONE;
    params.from = SLICE_NONE;
    params.to = SLICE_NONE;
    params.lang = SLICE_NONE;
    expect_written("<m id='1' xmlns='' to='x'>it's</m>", &params, "<m id='1' to='x'>it's</m>");
}

/* Canonical content is not copied where something in it has to change. */
Test(canonical, what_is_left_out_stays_left_out)
{
    struct xml_write_params params = to_component;

    expect_written("<message><body xmlns='jabber:component:accept'>x</body><body>it's</body>"
                   "</message>", &params, "<message><body>it&apos;s</body></message>");
    expect_written("<message><a><body xmlns='jabber:component:accept'>x</body></a></message>",
                   &params, "<message><a></a></message>");
    expect_written("<message><a xmlns='twenty-three-bytes-long'/>it's</message>", &params,
                   "<message><a xmlns='twenty-three-bytes-long'/>it's</message>");
    expect_written("<message>it's</message>", &params, "<message>it's</message>");
    params.without = SLICE_LIT("status");
    expect_written("<presence><status>it's</status><show/></presence>", &params,
                   "<presence><show/></presence>");
    expect_written("<presence>it's<show><status/></show></presence>", &params,
                   "<presence>it's<show><status/></show></presence>");
    params = to_component;
    params.ns_to = SLICE_LIT(LONG_NS);
    expect_written("<m><a xmlns='" LONG_NS "'/>it's</m>", &params,
                   "<m xmlns=\"" LONG_NS "\">it&apos;s</m>");
}

/* Every stanza of doc under every parameter; how many were canonical and not empty. */
static unsigned compare(struct slice doc, uint64_t seed)
{
    struct xml_parser *p;
    unsigned count = 0;
    enum xml_event event = XML_MORE;

    cr_assert_eq(xml_parser_new(&p, &xml_limits_authenticated), 0);
    do {
        const struct xml_tree *t = xml_parser_tree(p);
        size_t used;

        event = xml_parser_feed(p, doc.ptr, doc.len, &used);
        doc = slice_from(doc, used);
        if (event == XML_ELEMENT) {
            const char *fault = canon_fault_any(t);

            cr_assert_null(fault, "seed %llu: %s: %.*s", (unsigned long long)seed, fault,
                           SLICE_FMT(t->content));
            count += t->content_is_canonical && t->content.len != 0;
        }
    } while (event == XML_STREAM_OPEN || event == XML_ELEMENT);
    xml_parser_free(p);
    return count;
}

static void make(struct buf *doc, uint64_t seed)
{
    struct buf plain;

    buf_init(doc, (size_t)1 << 20);
    if (seed % 4 == 3) {
        gen_wild(doc, seed);
        return;
    }
    if (seed % 4 < 2) {
        canon_gen(doc, seed);
        return;
    }
    buf_init(&plain, (size_t)1 << 20);
    canon_gen(&plain, seed);
    gen_mutate(doc, buf_slice(&plain), seed);
    buf_deinit(&plain);
}

Test(canonical, copied_is_written, .timeout = 200)
{
    unsigned count = 0;

    for (uint64_t seed = 0; seed < 12000; seed++) {
        struct buf doc;

        make(&doc, seed);
        count += compare(buf_slice(&doc), seed);
        buf_deinit(&doc);
    }
    cr_assert_gt(count, 10000, "%u", count);
}

static const struct xml_scan *const scans[] = {
    &xml_scan_general,
    &xml_scan_scalar,
#if defined(__x86_64__)
    &xml_scan_sse2,
#endif
};

/* Every scan sees the same as the best one; the first calls no content canonical. */
static void expect_same(struct slice doc, const struct dump_result *best)
{
    for (size_t i = 0; i < ARRAY_COUNT(scans); i++) {
        struct dump_result other;

        xml_scan_use(scans[i]);
        dump_ours(&other, doc, &xml_limits_authenticated, DUMP_WHOLE, 0);
        xml_scan_use(NULL);
        cr_assert(i == 0 ? dump_is_same(best, &other) : kit_same(best, &other), "%s: %.*s",
                  scans[i]->name, SLICE_FMT(doc));
        dump_result_deinit(&other);
    }
}

/* Cuts and scans; expat takes what we take (kit_run has no oracle). */
Test(canonical, plain_tokens_in_every_way, .timeout = 200)
{
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct dump_result best;
        struct oracle_result expat;
        struct buf doc;
        const char *wrong;

        make(&doc, seed);
        kit_run(&best, buf_slice(&doc), &xml_limits_authenticated);
        expect_same(buf_slice(&doc), &best);
        oracle_run(&expat, buf_slice(&doc), &xml_limits_authenticated);
        wrong = oracle_disagreement(&best, &expat);
        cr_assert_null(wrong, "seed %llu: %s", (unsigned long long)seed, wrong);
        oracle_result_deinit(&expat);
        dump_result_deinit(&best);
        buf_deinit(&doc);
    }
}

/* One byte in a text, a value and each kind of name, at every distance from a vector's end. */
Test(canonical, every_byte_everywhere, .timeout = 200)
{
    static const struct {
        const char *head; /* the filler comes */
        const char *body; /* the byte comes */
        const char *tail;
    } places[] = {
        {"<s><message from='a'><body>", "", ".</body></message></s>"},
        {"<s><message from='", "", "z' id='b'/></s>"},
        {"<s><message to='", "' a", "b='c'/></s>"},
        {"<s><m to='", "'><a", "b/></m></s>"},
        {"<s><m to='", "'></m", "></s>"},
        {"<s><m to='", "'", "b='c'/></s>"},
        {"<s><m to='", "' xml:a", "b=''/></s>"},
        {"<s><m to='", "'><a xmlns='u", "'/></m></s>"},
    };
    static const char filler[] = "it is a text without anything that would be of interest to us";

    for (unsigned i = 0; i < 255 * ARRAY_COUNT(places); i++) {
        for (int len = (int)(i % 3); len < (int)sizeof(filler); len += 3) {
            struct dump_result best;
            char doc[200];
            int bytes = snprintf(doc, sizeof(doc), "%s%.*s%s%c%s", places[i / 255].head, len,
                                 filler, places[i / 255].body, 1 + (int)(i % 255),
                                 places[i / 255].tail);

            dump_ours(&best, slice_make(doc, (size_t)bytes), &xml_limits_authenticated,
                      DUMP_WHOLE, 0);
            expect_same(slice_make(doc, (size_t)bytes), &best);
            dump_result_deinit(&best);
        }
    }
}

/* Every lead byte with bytes about the edges of UTF-8 behind it, at every place of a vector. */
Test(canonical, beyond_ascii_everywhere, .timeout = 200)
{
    static const unsigned char second[] = {0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0};
    static const unsigned char third[] = {0x80, 0xbd, 0xbe, 0xbf, ' ', 0xc3};
    static const unsigned char fourth[] = {0x80, 0xbf, 'a'};
    static const char filler[] = "\xd0\xbf\xd1\x80\xd0\xb8 \xe4\xbd\xa0\xe5\xa5\xbd"
                                 "\xe4\xb8\x96\xf0\x9f\x98\x80 and so on until the vector is "
                                 "full, and more";
    static const int ends[] = {0, 2, 4, 6, 7, 10, 13, 16, 20, 21, 22, 23, 24, 25, 26, 27, 28};
    unsigned accepted = 0;

    for (unsigned i = 0; i < 128 * 8 * 6 * 3; i++) {
        struct dump_result best;
        char doc[200];
        int bytes = snprintf(doc, sizeof(doc), "<s><m>%.*s%c%c%c%c%s</m></s>",
                             ends[i % ARRAY_COUNT(ends)], filler, 0x80 + (int)(i % 128),
                             second[i / 128 % 8], third[i / 1024 % 6], fourth[i / 6144 % 3],
                             i % 5 ? filler : "<x/>it&apos;s plain behind it");

        dump_ours(&best, slice_make(doc, (size_t)bytes), &xml_limits_authenticated, DUMP_WHOLE, 0);
        expect_same(slice_make(doc, (size_t)bytes), &best);
        accepted += best.why == XML_WHY_NONE;
        dump_result_deinit(&best);
    }
    cr_assert(accepted > 1000 && accepted < 9000, "%u", accepted);
}

/* The fast pass refuses nothing by itself: limits are those of the general lexer. */
Test(canonical, limits_hold_in_plain_tokens)
{
    struct xml_limits limits = xml_limits_authenticated;

    limits.attrs_max = 2;
    kit_expect_why(SLICE_LIT("<s><a xmlns='u' b='1'/><a b='1' c='2'/></s>"), &limits, XML_WHY_NONE);
    kit_expect_why(SLICE_LIT("<s><a xmlns='u' b='1' c='2'/></s>"), &limits, XML_WHY_TOO_BIG);
    kit_expect_why(SLICE_LIT("<s><a b='1' c='2' d='3'/></s>"), &limits, XML_WHY_TOO_BIG);
    kit_expect_why(SLICE_LIT("<s><a b='1' c='2' xmlns='u'/></s>"), &limits, XML_WHY_TOO_BIG);
    limits = xml_limits_authenticated;
    limits.elements_max = 2;
    limits.depth_max = 2;
    kit_expect_why(SLICE_LIT("<s><a><b/></a><a/></s>"), &limits, XML_WHY_NONE);
    kit_expect_why(SLICE_LIT("<s><a><b/><c/></a></s>"), &limits, XML_WHY_TOO_BIG);
    limits.elements_max = 9;
    kit_expect_why(SLICE_LIT("<s><a><b><c/></b></a></s>"), &limits, XML_WHY_TOO_BIG);
    limits.ns_decls_max = 1;
    limits.ns_bytes_max = 3;
    kit_expect_why(SLICE_LIT("<s xmlns='u'><a/></s>"), &limits, XML_WHY_NONE);
    kit_expect_why(SLICE_LIT("<s><a xmlns='v'/></s>"), &limits, XML_WHY_NONE);
    kit_expect_why(SLICE_LIT("<s xmlns='u'><a xmlns='v'/></s>"), &limits, XML_WHY_TOO_BIG);
    kit_expect_why(SLICE_LIT("<s><a xmlns='four'/></s>"), &limits, XML_WHY_TOO_BIG);
    limits.name_bytes_max = 4;
    kit_expect_why(SLICE_LIT("<s><abcd efgh='' xml:efgi=''/></s>"), &limits, XML_WHY_NONE);
    kit_expect_why(SLICE_LIT("<s><abcde/></s>"), &limits, XML_WHY_TOO_BIG);
    kit_expect_why(SLICE_LIT("<s><a abcde=''/></s>"), &limits, XML_WHY_TOO_BIG);
}

Test(canonical, attributes_twice)
{
    static const char *const faults[] = {
        "<a from='1' to='2' from='3'/>",         "<a b='1' b='2'/>",
        "<a xml:lang='1' lang='2' xml:lang=''/>", "<a xmlns='u' xmlns='u'/>",
        "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
    };

    for (size_t i = 0; i < ARRAY_COUNT(faults); i++) {
        kit_expect_stanza_why(slice_from_cstr(faults[i]), XML_WHY_NOT_WELL_FORMED);
    }
    expect_content("<a lang='1' xml:lang='2' to='3' bo='4' mlang='5'/>", true);
    expect_content("<a b='1' c='2' bb='3' cb='4'/>", true);
}
