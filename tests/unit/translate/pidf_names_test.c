/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of proto/translate: which resource a tuple is, from one document to the next. */
#include "pidf_pieces.h"
#include "presence_kit.h"

Test(pidf_names, resources)
{
    expect_inside(OPEN("ID-x1", ""), "x1:available");
    expect_inside(OPEN("ID-", ""), "ID-:available");
    expect_inside(OPEN("t9", "<contact>sip:bob@corp.example;gr=desk%20top</contact>"),
                  "desk top:available");
    expect_inside(OPEN("t9", "<contact>SIP:Bob@corp.example;transport=tcp;gr=a;x</contact>"),
                  "a:available");
    /* A temporary GRUU, that of another, broken ones. */
    expect_inside(OPEN("t9", "<contact>sip:bob@corp.example;gr</contact>"), "t9:available");
    expect_inside(OPEN("t9", "<contact>sip:eve@corp.example;gr=d</contact>"), "t9:available");
    expect_inside(OPEN("t9", "<contact>sip:bob@corp.example;gr=%zz</contact>"), "t9:available");
    expect_inside(OPEN("t9", "<contact>sip:bob@corp.example;gr=%00</contact>"), "t9:available");
    expect_inside(OPEN("t9", "<dm:deviceID>mac:01</dm:deviceID>"), "mac:01:available");
    expect_inside("<tuple id='t9'><dm:deviceID>mac:01</dm:deviceID><status><basic>open</basic>"
                  "</status><contact>sip:bob@corp.example;gr=g</contact></tuple>",
                  "g:available");
    expect_inside("<tuple><status><basic>open</basic></status></tuple>"
                  "<tuple id=''><status><basic>open</basic></status></tuple>",
                  "sip:available; sip2:available");
    /* Two services of one device are one resource. */
    expect_inside(CLOSED("x") OPEN("a", "<dm:deviceID>d</dm:deviceID>")
                      OPEN("b", "<activities xmlns=''><busy/></activities>"
                                "<dm:deviceID>d</dm:deviceID>"),
                  "d:available; x:unavailable");
    expect_inside(OPEN("b", "<activities xmlns=''><busy/></activities><dm:deviceID>d"
                            "</dm:deviceID>") OPEN("a", "<dm:deviceID>d</dm:deviceID>"),
                  "d:available");
    expect_inside(OPEN("\u00aax", ""), "ax:available"); /* resourceprep */
}

static void after(const char *inside, const char *before_text, const char *want)
{
    struct presence_state before = {0};
    struct presence_state state;
    struct slice rest = slice_from_cstr(before_text);
    struct slice name;
    bool more = rest.len > 0;

    while (more) {
        struct presence_item item = item_make("", PRESENCE_SHOW_AVAILABLE);
        more = slice_cut(&rest, ' ', &name);
        item.resource = name;
        cr_assert_eq(presence_apply(&before, &item), PRESENCE_CHANGED);
    }
    cr_assert_eq(read_inside(&state, inside, &before), PIDF_WHY_OK);
    expect_state(&state, want, inside);
}

Test(pidf_names, p6_ids_that_are_new_each_time)
{
    after(OPEN("b", ""), "a", "a:available");
    after(OPEN("b", "") DOING("<rpid:busy/>"), "a", "a:dnd");
    after(CLOSED("b"), "a", "a:unavailable");
    /* One of them is known: ids mean something. */
    after(OPEN("a", "") OPEN("b", ""), "a", "a:available; b:available");
    after(OPEN("b", "") OPEN("c", ""), "a b", "b:available; c:available");
    /* More than before, fewer than before. */
    after(OPEN("x", "") OPEN("y", "") OPEN("z", ""), "a", "a:available; sip:available; "
                                                          "sip2:available");
    after(OPEN("x", ""), "a b", "a:available");
    /* The open one is he whom we know; who says the same is the same. */
    after(CLOSED("x") OPEN("y", ""), "a", "a:available; sip:unavailable");
    after(OPEN("x", "<note>new</note>") OPEN("y", ""), "a b", "a:available; b:available,[]new");
    /* GRUUs and devices are what they are. */
    after(OPEN("x", "<contact>sip:bob@corp.example;gr=g</contact>"), "a", "g:available");
    after(OPEN("x", "<dm:deviceID>d</dm:deviceID>") OPEN("y", ""), "a",
          "a:available; d:available");
}
