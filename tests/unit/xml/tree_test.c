/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree_test: the accessors of xml.h, and the arena. */
#include "kit.h"

#include "xml/arena.h"
#include "xml/xml.h"

#define NS SLICE_LIT("jabber:server")
static const char stanza[] =
    "<message to='b' id='' xml:lang='de' db:key='k'>t1<body>b1</body>t2<body xmlns='u' "
    "xml:lang='en'>"
    "b2</body><x/><body>b<i/></body><body>&lt;<![CDATA[x]]></body></message>";

static struct xml_parser *parser;
static const struct xml_tree *tree;

static void open_tree(void)
{
    size_t used;

    cr_assert_eq(xml_parser_new(&parser, &xml_limits_authenticated), 0);
    cr_assert_eq(xml_parser_feed(parser, HEADER, strlen(HEADER), &used), XML_STREAM_OPEN);
    cr_assert_eq(xml_parser_feed(parser, stanza, strlen(stanza), &used), XML_ELEMENT);
    tree = xml_parser_tree(parser);
}

static void close_tree(void)
{
    xml_parser_free(parser);
}

TestSuite(tree, .init = open_tree, .fini = close_tree);

Test(tree, attributes)
{
    cr_assert(slice_eq_cstr(xml_attr_value(tree, 0, SLICE_LIT("to")), "b"));
    cr_assert_not_null(xml_attr(tree, 0, SLICE_LIT("id")), "empty is not absent");
    cr_assert_eq(xml_attr(tree, 0, SLICE_LIT("id"))->value.len, 0);
    cr_assert_null(xml_attr(tree, 0, SLICE_LIT("key")), "in a namespace: not ours");
    cr_assert_null(xml_attr(tree, 0, SLICE_LIT("lang")));
    cr_assert_null(xml_attr_value(tree, 0, SLICE_LIT("from")).ptr);
    cr_assert(slice_eq_cstr(xml_lang(tree, 0)->value, "de"));
    cr_assert_null(xml_attr(tree, XML_NO_NODE, SLICE_LIT("to")));
    cr_assert_null(xml_lang(tree, xml_child(tree, 0, SLICE_LIT("x"), SLICE_NONE)));
    cr_assert_null(xml_attr(tree, 1, SLICE_LIT("to")), "a text node has none");
}

Test(tree, children)
{
    uint32_t first = xml_child(tree, 0, SLICE_LIT("body"), NS);
    uint32_t second = xml_next_child(tree, 0, first, SLICE_LIT("body"), NS);
    uint32_t other = xml_child(tree, 0, SLICE_LIT("body"), SLICE_LIT("u"));
    unsigned count = 0;

    cr_assert(xml_is(tree, first, SLICE_LIT("body"), NS));
    cr_assert_not(xml_is(tree, first, SLICE_LIT("body"), SLICE_LIT("u")));
    cr_assert_not(xml_is(tree, first, SLICE_LIT("bod"), NS));
    cr_assert_not(xml_is(tree, XML_NO_NODE, SLICE_LIT("body"), NS));
    cr_assert_not(xml_is(tree, 1, SLICE_LIT("t1"), SLICE_NONE), "a text is no element");
    cr_assert(first < other && other < second);
    for (uint32_t at = xml_child(tree, 0, SLICE_NONE, SLICE_NONE); at != XML_NO_NODE;
         at = xml_next_child(tree, 0, at, SLICE_NONE, SLICE_NONE)) {
        count++;
    }
    cr_assert_eq(count, 5);
    cr_assert_eq(xml_child(tree, 0, SLICE_LIT("y"), SLICE_NONE), XML_NO_NODE);
    cr_assert_eq(xml_child(tree, XML_NO_NODE, SLICE_NONE, SLICE_NONE), XML_NO_NODE);
    cr_assert_eq(xml_child(tree, first, SLICE_NONE, SLICE_NONE), XML_NO_NODE);
}

Test(tree, text)
{
    uint32_t body = xml_child(tree, 0, SLICE_LIT("body"), NS);

    cr_assert(slice_eq_cstr(xml_text(tree, body), "b1"));
    body = xml_next_child(tree, 0, body, SLICE_LIT("body"), NS);
    cr_assert_eq(xml_text(tree, body).len, 0, "mixed content");
    body = xml_next_child(tree, 0, body, SLICE_LIT("body"), NS);
    cr_assert(slice_eq_cstr(xml_text(tree, body), "<x"));
    cr_assert_eq(xml_text(tree, 0).len, 0);
    cr_assert_eq(xml_text(tree, 1).len, 0, "not an element");
    cr_assert_eq(xml_text(tree, xml_child(tree, 0, SLICE_LIT("x"), SLICE_NONE)).len, 0);
    cr_assert_eq(xml_text(tree, XML_NO_NODE).len, 0);
}

Test(arena, bytes_stay_while_it_grows)
{
    struct xml_arena a = {0};
    char *kept[300];

    for (size_t i = 0; i < ARRAY_COUNT(kept); i++) {
        kept[i] = xml_arena_room(&a, i);
        cr_assert_not_null(kept[i]);
        memset(kept[i], (int)(i & 0x7f), i);
        xml_arena_take(&a, i);
    }
    for (size_t i = 0; i < ARRAY_COUNT(kept); i++) {
        for (size_t j = 0; j < i; j++) {
            cr_assert_eq(kept[i][j], (char)(i & 0x7f));
        }
    }
    xml_arena_clear(&a);
    xml_arena_clear(&a);
    xml_arena_deinit(&a);
    xml_arena_deinit(&a);
}

Test(arena, extends_in_place_or_moves)
{
    struct xml_arena a = {0};
    struct slice s = SLICE_LIT("ab");
    unsigned moves = 0;

    for (int i = 0; i < 20000; i++) {
        char *start = xml_arena_extend(&a, s, 1);

        cr_assert_not_null(start);
        moves += start != s.ptr;
        start[s.len] = (char)('a' + (s.len % 26));
        xml_arena_take(&a, start == s.ptr ? 1 : s.len + 1);
        s = slice_make(start, s.len + 1);
    }
    cr_assert_lt(moves, 20, "grows by doubling");
    for (size_t i = 0; i < s.len; i++) {
        cr_assert_eq(s.ptr[i], (char)('a' + i % 26));
    }
    xml_arena_deinit(&a);
}
