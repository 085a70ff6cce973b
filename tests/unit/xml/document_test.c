/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of proto/xml: whole documents. expat judges, too. */
#include "kit.h"

#include "base/pool.h"

static const struct xml_limits limits = {.stanza_bytes_max = 4096,
                                         .depth_max = 4,
                                         .elements_max = 12,
                                         .attrs_max = 4,
                                         .name_bytes_max = 32,
                                         .ns_decls_max = 4,
                                         .ns_bytes_max = 64};

static struct xml_parser *parser(void)
{
    static struct xml_parser *p;

    if (!p) {
        cr_assert_eq(xml_parser_new(&p, &limits), 0);
    }
    return p;
}

/* Whether it was taken; both parsers must have seen the same then. */
static bool takes(struct slice doc)
{
    const struct xml_tree *t = xml_parser_document(parser(), doc);
    struct oracle_result expat;
    struct buf lines;

    oracle_run_document(&expat, doc, &limits);
    if (t) {
        buf_init(&lines, 1u << 20);
        dump_tree(&lines, t, 0, false);
        cr_assert(expat.is_accepted && !expat.extra, "expat: %s: %.*s", expat.error,
                  SLICE_FMT(doc));
        cr_assert(slice_eq(buf_slice(&lines), buf_slice(&expat.events)), "%.*s\n%.*s",
                  SLICE_FMT(buf_slice(&lines)), SLICE_FMT(buf_slice(&expat.events)));
        cr_assert_eq(t->wire_bytes, doc.len);
        buf_deinit(&lines);
    } else {
        cr_assert(!expat.is_accepted || expat.extra, "expat takes %.*s", SLICE_FMT(doc));
        cr_assert_eq(xml_parser_tree(parser())->node_count, 0);
    }
    oracle_result_deinit(&expat);
    return t != NULL;
}

static void good(const char *doc)
{
    cr_assert(takes(slice_from_cstr(doc)), "%s: %s", doc, xml_parser_why_text(parser()));
}

static void bad(const char *doc, enum xml_why why)
{
    cr_assert_not(takes(slice_from_cstr(doc)), "%s", doc);
    cr_assert_eq(xml_parser_why(parser()), why, "%s: %s", doc, xml_parser_why_text(parser()));
}

Test(document, what_streams_may_not_have)
{
    good("<a/>");
    good("\n <a>x</a> \r\n");
    good("\xef\xbb\xbf<?xml version='1.0' encoding=\"UTF-8\" standalone='no'?><a/>");
    good("<?xml version=\"1.0\"?>\n<!-- x -->\n<?style a='b'?><a/><!----><?b?>\n");
    good("<a>one<!-- < & -->two<?x < & ?>three<![CDATA[<]]></a>");
    good("<a xmlns='u' xmlns:p='v'><p:b c='&lt;&#65;' p:c=''/><!-- \xc3\xa4 --></a>");
    good("<a><?\xc3\xa4rger \xc3\xa4?></a>");
}

Test(document, text_around_a_comment_is_one)
{
    const struct xml_tree *t =
        xml_parser_document(parser(), SLICE_LIT("<a>o<!-- x -->p&amp;<?y?>en</a>"));

    cr_assert_not_null(t);
    cr_assert(slice_eq(xml_text(t, 0), SLICE_LIT("op&en")));
}

Test(document, malformed)
{
    static const char *const docs[] = {
        "", " ", "x", "<", "<a", "<a>", "<a></b>", "<a/><b/>", "<a/>x", "x<a/>", "</a>", "<a/></a>",
        "<!-- x --><a/", "<!-- x <a/>", "<a><!-- x -- y --></a>", "<a><!-- x ---></a>",
        "<a><!--></a>", "<a/><!--", "<a><?x</a>", "<a><?\?></a>", "<a><? x?></a>", "<a><?1?></a>",
        "<a><?xml version='1.0'?></a>", "<?xml?><a/>", "<?XML version='1.0'?><a/>",
        " <?xml version='1.0'?><a/>", "<?xml version='1.0'?><?xml version='1.0'?><a/>",
        "<?xml encoding='UTF-8'?><a/>", "<?xml version='1.0' standalone='maybe'?><a/>",
        "<?xml version='1.0' x='y'?><a/>", "<a><!-- \xff --></a>", "<a><!-- \x01 --></a>",
        "<a><?x \xc3?></a>", "<a b='1' b='2'/>", "<p:a/>", "<a>]]></a>", "<!x><a/>",
        "<![CDATA[x]]>", "<a/><![CDATA[x]]>", "<a>&</a>",
    };

    for (size_t i = 0; i < ARRAY_COUNT(docs); i++) {
        bad(docs[i], XML_WHY_NOT_WELL_FORMED);
    }
}

Test(document, refused)
{
    bad("<!DOCTYPE a><a/>", XML_WHY_RESTRICTED);
    bad("<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", XML_WHY_RESTRICTED);
    bad("<a>&b;</a>", XML_WHY_RESTRICTED);
    bad("<a><!ELEMENT b></a>", XML_WHY_RESTRICTED);
    bad("<?xml version='1.1'?><a/>", XML_WHY_UNSUPPORTED_ENCODING);
}

Test(document, limits)
{
    static char doc[5000];

    good("<a><b><c><d/></c></b></a>");
    bad("<a><b><c><d><e/></d></c></b></a>", XML_WHY_TOO_BIG);
    good("<a><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/></a>");
    bad("<a><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/><b/></a>", XML_WHY_TOO_BIG);
    bad("<a b='' c='' d='' e='' f=''/>", XML_WHY_TOO_BIG);
    memset(doc, ' ', 4097);
    memcpy(doc, "<a/>", 4);
    bad(doc, XML_WHY_TOO_BIG);
    doc[4096] = '\0';
    good(doc);
    /* A refusal leaves nothing behind. */
    bad("<a xmlns:p='u'><b", XML_WHY_NOT_WELL_FORMED);
    bad("<p:a/>", XML_WHY_NOT_WELL_FORMED);
    good("<a/>");
}

Test(document, declared_encoding)
{
    cr_assert(slice_eq(xml_document_encoding(SLICE_LIT("<?xml version='1.0' "
                                                       "encoding='ISO-8859-1'?><a/>")),
                       SLICE_LIT("ISO-8859-1")));
    cr_assert(slice_eq(xml_document_encoding(SLICE_LIT("<?xml version='1.0'?><a/>")), SLICE_NONE));
    cr_assert(slice_eq(xml_document_encoding(SLICE_LIT("<?xml ")), SLICE_NONE));
    cr_assert(slice_eq(xml_document_encoding(SLICE_LIT("<a/>")), SLICE_NONE));
    cr_assert(slice_eq(xml_document_encoding(SLICE_NONE), SLICE_NONE));
    /* The caller has converted: what it says is not what it is. */
    cr_assert_not_null(xml_parser_document(
        parser(), SLICE_LIT("<?xml version='1.0' encoding='UTF-16'?><a/>")));
}

/* Documents that are streams, cut off and mutated: expat and we agree on each. */
Test(document, mutated, .timeout = 100)
{
    static const char base[] = "<?xml version='1.0'?><!-- c --><a xmlns='u' x='1'><?p i?><b>t&lt;"
                               "<![CDATA[c]]><!-- d --></b><p:c xmlns:p='v'/></a><?q?>";
    struct buf doc;
    unsigned taken = 0;

    buf_init(&doc, 1u << 16);
    for (uint64_t seed = 1; seed < 30000; seed++) {
        buf_clear(&doc);
        gen_mutate(&doc, slice_from_cstr(base), seed);
        taken += takes(buf_slice(&doc));
    }
    cr_assert_gt(taken, 1000);
    for (size_t len = 0; len < sizeof(base) - 1; len++) {
        (void)takes(slice_make(base, len));
    }
    buf_deinit(&doc);
}
