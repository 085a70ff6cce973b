/* SPDX-License-Identifier: GPL-2.0-or-later */
/* limits_test: every limit just below, at and just above; floods; cost under hostile cuts. */
#include "kit.h"

#include "base/err.h"
#include "base/pool.h"

#define REPEAT_MAX 200000u

/* Wide limits, of which a test narrows one. */
static const struct xml_limits wide = {
    .stanza_bytes_max = 1u << 20,
    .depth_max = 1000,
    .elements_max = 32768,
    .attrs_max = 256,
    .name_bytes_max = 100000,
    .ns_decls_max = 128,
    .ns_bytes_max = 100000,
    .whitespace_bytes_max = 100000,
};

static void repeat(struct buf *out, const char *text, size_t count)
{
    cr_assert(count <= REPEAT_MAX);
    for (size_t i = 0; i < count; i++) {
        buf_put_cstr(out, text);
    }
}

/* before, then count times middle ('%' becomes the number), then after. */
static void expect_repeated(const struct xml_limits *limits, const char *before, const char *middle,
                            size_t count, const char *after, enum xml_why why)
{
    struct buf doc;

    buf_init(&doc, POOL_BLOCK_BYTES_MAX);
    buf_put_cstr(&doc, before);
    for (size_t i = 0; i < count; i++) {
        const char *number = strchr(middle, '%');

        if (number) {
            buf_append(&doc, middle, (size_t)(number - middle));
            buf_put_u64(&doc, i);
            buf_put_cstr(&doc, number + 1);
        } else {
            buf_put_cstr(&doc, middle);
        }
    }
    buf_put_cstr(&doc, after);
    cr_assert_not(doc.failed);
    kit_expect_why(buf_slice(&doc), limits, why);
    buf_deinit(&doc);
}

/* At max - 1 and max it passes, at max + 1 it does not; own is what the frame counts itself. */
static void expect_limit(const struct xml_limits *limits, size_t max, size_t own,
                         const char *before, const char *middle, const char *after)
{
    expect_repeated(limits, before, middle, max - own - 1, after, XML_WHY_NONE);
    expect_repeated(limits, before, middle, max - own, after, XML_WHY_NONE);
    expect_repeated(limits, before, middle, max - own + 1, after, XML_WHY_TOO_BIG);
}

Test(limits, sec59_stanza_bytes)
{
    struct xml_limits l = wide;

    l.stanza_bytes_max = 300;
    /* In text, in an attribute, in CDATA, in a name, with references, in many children. */
    expect_limit(&l, 300, 7, HEADER "<a>", "x", "</a>");
    expect_limit(&l, 300, 9, HEADER "<a b='", "x", "'/>");
    expect_limit(&l, 300, 19, HEADER "<a><![CDATA[", "]", "]]></a>");
    expect_limit(&l, 300, 3, HEADER "<", "n", "/>");
    expect_limit(&l, 300, 17, HEADER "<a>&#", "0", "65;&amp;</a>");
    expect_limit(&l, 300, 4, HEADER "<a", "\n", "/> ");
    expect_limit(&l, 300, 7, HEADER "<a></a", " ", "> ");
}

/* What cannot be complete any more is refused with its last allowed byte, not one later. */
Test(limits, sec59_refused_at_the_last_byte)
{
    struct xml_limits l = wide;

    l.stanza_bytes_max = 100;
    expect_repeated(&l, "<s><a>", "x", 96, "", XML_WHY_NONE);
    expect_repeated(&l, "<s><a>", "x", 97, "", XML_WHY_TOO_BIG);
    expect_repeated(&l, "<s><a b='", "x", 93, "", XML_WHY_NONE);
    expect_repeated(&l, "<s><a b='", "x", 94, "", XML_WHY_TOO_BIG);
}

Test(limits, stream_header_and_declaration_bytes)
{
    struct xml_limits l = wide;

    l.stanza_bytes_max = 100;
    expect_limit(&l, 100, 8, "<a b='", "x", "'>");
    expect_limit(&l, 100, 4, "<a></a", " ", ">");
    /* The declaration has a bound of its own. */
    expect_repeated(&l, "<?xml version='1.0'", " ", 256 - 21, "?><a>", XML_WHY_NONE);
    expect_repeated(&l, "<?xml version='1.0'", " ", 256 - 20, "?><a>", XML_WHY_TOO_BIG);
}

Test(limits, depth_and_elements)
{
    struct xml_limits l = wide;

    l.depth_max = 10;
    expect_repeated(&l, HEADER, "<a>", 9, "</a></a></a></a></a></a></a></a></a>", XML_WHY_NONE);
    expect_repeated(&l, HEADER, "<a>", 10, "</a></a></a></a></a></a></a></a></a></a>",
                    XML_WHY_NONE);
    expect_repeated(&l, HEADER, "<a>", 11, "", XML_WHY_TOO_BIG);
    expect_repeated(&l, HEADER, "<a>", 10, "<b/>", XML_WHY_TOO_BIG);
    l = wide;
    l.elements_max = 10;
    expect_limit(&l, 10, 1, HEADER "<a>", "<b/>", "</a>");
    /* Per first-level element. */
    expect_repeated(&l, HEADER, "<a><b/><b/></a>", 50, CLOSE, XML_WHY_NONE);
}

Test(limits, attributes_and_names)
{
    struct xml_limits l = wide;

    l.attrs_max = 10;
    expect_limit(&l, 10, 0, HEADER "<a", " b%=''", "/>");
    expect_limit(&l, 10, 0, HEADER "<a", " xmlns:b%='u'", "/>");
    expect_limit(&l, 10, 2, HEADER "<a c='' xmlns='u'", " b%=''", "/>");
    expect_limit(&l, 10, 0, "<a", " b%=''", ">");
    l = wide;
    l.name_bytes_max = 10;
    expect_limit(&l, 10, 0, "<", "n", ">");
    expect_limit(&l, 10, 0, "<a><b ", "n", "=''/>");
    expect_limit(&l, 10, 0, "<a><b xmlns:", "n", "='u'/>");
    /* Prefix and local name each. */
    expect_repeated(&l, "<pppppppppp:nnnnnnnnn", "n", 1, " xmlns:pppppppppp='u'>", XML_WHY_NONE);
    expect_repeated(&l, "<pppppppppp:nnnnnnnnn", "n", 2, " xmlns:pppppppppp='u'>", XML_WHY_TOO_BIG);
    expect_repeated(&l, "<a><pppppppppp", "p", 1, ":b/>", XML_WHY_TOO_BIG);
}

Test(limits, namespaces)
{
    struct xml_limits l = wide;

    l.ns_decls_max = 10;
    expect_limit(&l, 10, 0, "<a", " xmlns:b%='u'", ">");
    expect_limit(&l, 10, 4, HEADER "<a xmlns='v'", " xmlns:b%='u'", "/>");
    /* Nested scopes add up, ended ones do not. */
    expect_repeated(&l, HEADER, "<a xmlns:b='u'>", 7, "", XML_WHY_NONE);
    expect_repeated(&l, HEADER, "<a xmlns:b='u'>", 8, "", XML_WHY_TOO_BIG);
    expect_repeated(&l, HEADER "<x>", "<a xmlns:b='u'/>", 100, "</x>", XML_WHY_NONE);
    l = wide;
    l.ns_bytes_max = 10;
    expect_limit(&l, 10, 0, "<a><b xmlns='", "u", "'/>");
    expect_limit(&l, 10, 0, "<a><b xmlns:c='", "&#65;", "'/>");
}

Test(limits, white_space_between_elements)
{
    struct xml_limits l = wide;

    l.whitespace_bytes_max = 10;
    expect_limit(&l, 10, 0, HEADER, " ", "<a/>");
    expect_limit(&l, 10, 0, HEADER "<a/>", "\n", CLOSE);
    expect_limit(&l, 10, 0, "", "\t", "<a/>");
    expect_limit(&l, 10, 0, HEADER CLOSE, "\r", "");
    /* Starts anew behind each element. */
    expect_repeated(&l, HEADER, "<a/>        ", 20, CLOSE, XML_WHY_NONE);
}

Test(limits, sec54_floods_before_authentication)
{
    const struct xml_limits *l = &xml_limits_unauthenticated;
    int64_t before = pool_used_bytes();

    expect_repeated(l, HEADER, "<a>", 3000, "", XML_WHY_TOO_BIG);
    expect_repeated(l, HEADER "<x>", "<a/>", 2500, "</x>", XML_WHY_TOO_BIG);
    expect_repeated(l, "<x", " a%=''", 3000, ">", XML_WHY_TOO_BIG);
    expect_repeated(l, "<x", " xmlns:a%='u'", 3000, ">", XML_WHY_TOO_BIG);
    expect_repeated(l, HEADER, "<a xmlns:b='u'>", 2000, "", XML_WHY_TOO_BIG);
    expect_repeated(l, "<", "n", REPEAT_MAX, "", XML_WHY_TOO_BIG);
    expect_repeated(l, "<x ", "n", REPEAT_MAX, "", XML_WHY_TOO_BIG);
    expect_repeated(l, "<x a='", "n", REPEAT_MAX, "", XML_WHY_TOO_BIG);
    expect_repeated(l, HEADER "<x>", "n", REPEAT_MAX, "", XML_WHY_TOO_BIG);
    expect_repeated(l, HEADER "<x>&", "n", REPEAT_MAX, "", XML_WHY_TOO_BIG);
    expect_repeated(l, HEADER, " ", REPEAT_MAX, "", XML_WHY_TOO_BIG);
    cr_assert_eq(pool_used_bytes(), before);
}

/* The memory that a peer can make one parser hold before authentication. */
Test(limits, memory_before_authentication_is_bounded)
{
    struct xml_parser *p;
    struct buf doc;
    size_t used;
    int64_t before;

    buf_init(&doc, 65536);
    buf_put_lit(&doc, HEADER "<x>");
    for (int i = 0; i < 31; i++) {
        buf_put_lit(&doc,
                    "<y a='&lt;' b='&lt;' c='&lt;' d='&lt;' e='&lt;' f='' g='' h='' i='' j='' "
                    "k='' l='' m='' n='' o='' p=''>t<![CDATA[t]]></y>");
    }
    repeat(&doc, "z", 9990 - buf_len(&doc));
    before = pool_used_bytes();
    cr_assert_eq(xml_parser_new(&p, &xml_limits_unauthenticated), 0);
    for (size_t at = 0; at < buf_len(&doc);) {
        enum xml_event event = xml_parser_feed(p, doc.data + at, 1, &used);

        cr_assert(event == XML_MORE || event == XML_STREAM_OPEN);
        at += used;
    }
    cr_assert(xml_parser_is_inside(p));
    cr_assert_lt(pool_used_bytes() - before, 160 * 1024);
    xml_parser_free(p);
    buf_deinit(&doc);
}

Test(limits, sec57_depth_costs_no_stack)
{
    struct xml_limits l = wide;

    l.depth_max = 32768;
    expect_repeated(&l, HEADER, "<a>", 32768, "", XML_WHY_NONE);
}

Test(limits, sec56_attributes_compare_in_bounded_time)
{
    struct xml_limits l = wide;
    struct buf doc;

    /* Elements full of attributes of one length that differ at the end only. */
    buf_init(&doc, POOL_BLOCK_BYTES_MAX);
    buf_put_lit(&doc, HEADER "<x>");
    for (int i = 0; i < 100; i++) {
        buf_put_lit(&doc, "<y");
        for (int j = 0; j < 256; j++) {
            buf_printf(&doc, " aaaaaaaaaaaaaaaaaaaaaa%03d=''", j);
        }
        buf_put_lit(&doc, "/>");
    }
    buf_put_lit(&doc, "</x>");
    cr_assert_not(doc.failed);
    kit_expect_why(buf_slice(&doc), &l, XML_WHY_NONE);
    buf_deinit(&doc);
}

/* One big token in single bytes: a parser that starts over with each would need 10^12 steps. */
Test(limits, big_tokens_in_single_bytes_stay_linear, .timeout = 60)
{
    static const struct {
        const char *before;
        const char *middle;
        const char *after;
    } shapes[] = {
        {HEADER "<a b='", "x", "'/>"},
        {HEADER "<a b='", "&#65;", "'/>"},
        {HEADER "<a>", "x", "</a>"},
        {HEADER "<a>", "]", "</a>"},
        {HEADER "<a>", "\xc3\xa9", "</a>"},
        {HEADER "<a><![CDATA[", "]", "]]></a>"},
        {HEADER "<a><![CDATA[", ">", "]]></a>"},
        {HEADER "<a>", "<![CDATA[a]]>", "</a>"},
        {HEADER "<a>", "&lt;", "</a>"},
        {HEADER "<a", " ", "/>"},
        {HEADER "<a></a", " ", ">"},
        {HEADER "<a>", "<b/>", "</a>"},
        {HEADER "<a>", "x<b/>", "</a>"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(shapes); i++) {
        size_t count = 1000000 / strlen(shapes[i].middle);
        size_t count_max = strstr(shapes[i].middle, "<b/>") ? 32000 : REPEAT_MAX - 100;

        expect_repeated(&wide, shapes[i].before, shapes[i].middle,
                        count < count_max ? count : count_max, shapes[i].after, XML_WHY_NONE);
    }
}

Test(limits, new_ones_count_from_the_next_element)
{
    struct xml_limits narrow = wide;
    struct xml_parser *p;
    size_t used;

    narrow.stanza_bytes_max = 10;
    cr_assert_eq(xml_parser_new(&p, &wide), 0);
    cr_assert_eq(xml_parser_feed(p, "<a>", 3, &used), XML_STREAM_OPEN);
    cr_assert_eq(xml_parser_feed(p, "<bbbbbb>", 8, &used), XML_MORE);
    xml_parser_set_limits(p, &narrow);
    cr_assert_eq(xml_parser_feed(p, "</bbbbbb>", 9, &used), XML_ELEMENT);
    cr_assert_eq(xml_parser_feed(p, "<cccccccc/>", 11, &used), XML_BAD);
    cr_assert_eq(xml_parser_why(p), XML_WHY_TOO_BIG);
    xml_parser_reset(p);
    cr_assert_eq(xml_parser_feed(p, "<cccccccc/>", 11, &used), XML_BAD, "reset keeps limits");
    xml_parser_free(p);
}

Test(limits, absurd_ones_are_refused)
{
    struct xml_limits l = wide;
    struct xml_parser *p;

    l.stanza_bytes_max = (1u << 20) + 1;
    cr_assert_eq(xml_parser_new(&p, &l), ERR_LIMIT);
    cr_assert_null(p);
    l = wide;
    l.ns_decls_max = 129;
    cr_assert_eq(xml_parser_new(&p, &l), ERR_LIMIT);
    l = wide;
    l.attrs_max = 257;
    cr_assert_eq(xml_parser_new(&p, &l), ERR_LIMIT);
    l = wide;
    l.elements_max = 32769;
    cr_assert_eq(xml_parser_new(&p, &l), ERR_LIMIT);
    l = wide;
    l.depth_max = 0;
    cr_assert_eq(xml_parser_new(&p, &l), ERR_LIMIT);
}

Test(limits, shipped_ones_keep_the_promises)
{
    /* RFC 6120 13.12: no stanza limit below 10000. */
    cr_assert_geq(xml_limits_unauthenticated.stanza_bytes_max, 10000);
    cr_assert_eq(xml_limits_unauthenticated.depth_max, 8);
    cr_assert_eq(xml_limits_unauthenticated.elements_max, 32);
    cr_assert_eq(xml_limits_unauthenticated.attrs_max, 16);
    cr_assert_eq(xml_limits_authenticated.stanza_bytes_max, 262144);
}
