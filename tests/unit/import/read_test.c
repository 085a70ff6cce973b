/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading: encodings, formats, escapes, references, what is damaged. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "import/tree.h"

#define HEAD "<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\">"

static struct import_fault fault;

static bool decodes(const char *raw, size_t len, const char *expected)
{
    struct import_text t = {0};
    int err = import_text_decode(&t, slice_make(raw, len), &fault);
    bool is_same = !err && slice_eq_cstr(import_text_slice(&t), expected);

    import_text_deinit(&t);
    return expected ? is_same : err != 0;
}
#define DECODES(raw, expected) cr_expect(decodes(raw, sizeof(raw) - 1, expected))

Test(import_text, encodings)
{
    DECODES("\xff\xfe<\0a\0\xe4\0", "<a\xc3\xa4");
    DECODES("\xfe\xff\0<\0a\0\xe4", "<a\xc3\xa4");
    DECODES("[\0]\0", "[]");
    DECODES("\xff\xfe\x3d\xd8\x00\xde", "\xf0\x9f\x98\x80");
    DECODES("\xef\xbb\xbf[]", "[]");
    DECODES("[]", "[]");
    DECODES("", "");
}

Test(import_text, damaged)
{
    DECODES("\xff\xfe<\0a", NULL);
    DECODES("\xff\xfe\x3d\xd8", NULL);
    DECODES("\xff\xfe\x3d\xd8<\0", NULL);
    DECODES("\xff\xfe\x00\xde", NULL);
    DECODES("\xff\xfe<\0\0\0", NULL);
    DECODES("[\"\xe4\"]", NULL);
    cr_expect(fault.offset == 2);
    DECODES("[\"\0\"]", NULL);
    DECODES("[\"\xed\xa0\x80\"]", NULL);
}

static int read_text(struct import_tree *t, const char *text)
{
    import_tree_init(t);
    fault = (struct import_fault){.text = ""};
    return import_read(t, slice_from_cstr(text), &fault);
}

/* Text of member name in the first record. */
static bool member_is(const char *text, const char *name, const char *expected)
{
    struct import_cursor cursor = IMPORT_CURSOR;
    struct import_tree t;
    uint32_t record;
    uint32_t member;
    bool is_same = false;

    if (read_text(&t, text) == 0 && import_next_record(&t, &cursor, &record)) {
        member = import_member(&t, record, name);
        is_same = member != IMPORT_NONE && slice_eq_cstr(import_text_of(&t, member), expected);
    }
    import_tree_deinit(&t);
    return is_same;
}

Test(import_clixml, escapes)
{
#define ONE(text) HEAD "<Obj RefId=\"0\"><Props><S N=\"a\">" text "</S></Props></Obj></Objs>"
    cr_expect(member_is(ONE("plain"), "A", "plain"));
    cr_expect(member_is(ONE("x_x000A_y"), "a", "x\ny"));
    cr_expect(member_is(ONE("_x005F_x000A_"), "a", "_x000A_"));
    cr_expect(member_is(ONE("_x00e4_"), "a", "\xc3\xa4"));
    cr_expect(member_is(ONE("_xD83D__xDE00_"), "a", "\xf0\x9f\x98\x80"));
    cr_expect(member_is(ONE("_x12_ _xZZZZ_ _x0041"), "a", "_x12_ _xZZZZ_ _x0041"));
    cr_expect(member_is(ONE("&lt;&#x41;&amp;"), "a", "<A&"));
    cr_expect_not(member_is(ONE("_xD83D_"), "a", ""));
    cr_expect_not(member_is(ONE("_xDE00__xD83D_"), "a", ""));
    cr_expect_not(member_is(ONE("_x0000_"), "a", ""));
}

Test(import_clixml, members)
{
    static const char choice[] =
        HEAD "<Obj RefId=\"0\"><Props><Obj N=\"Tls\" RefId=\"1\"><TN RefId=\"0\"><T>E</T></TN>"
             "<ToString>Required</ToString><I32>0</I32></Obj></Props></Obj></Objs>";
    static const char hidden[] = HEAD "<Obj RefId=\"0\"><Props><S N=\"a\">1</S></Props>"
                                      "<MS><S N=\"A\">2</S></MS></Obj></Objs>";
    static const char hidden_first[] = HEAD "<Obj RefId=\"0\"><MS><S N=\"A\">2</S></MS>"
                                            "<Props><S N=\"a\">1</S></Props></Obj></Objs>";
    static const char boxed[] = HEAD "<Obj RefId=\"0\"><Props><Obj N=\"a\" RefId=\"1\"><S>in</S>"
                                     "<MS><S N=\"note\">x</S></MS></Obj></Props></Obj></Objs>";

    cr_expect(member_is(choice, "Tls", "Required"));
    cr_expect(member_is(hidden, "a", "2"));
    cr_expect(member_is(hidden_first, "a", "2"));
    cr_expect(member_is(boxed, "a", "in"));
}

Test(import_clixml, references)
{
    static const char good[] = HEAD "<Obj RefId=\"5\"><TN RefId=\"0\"><T>x.One</T></TN>"
                                    "<LST><S>a</S></LST></Obj>"
                                    "<Obj RefId=\"6\"><TNRef RefId=\"0\"/>"
                                    "<Props><Ref N=\"l\" RefId=\"5\"/></Props></Obj></Objs>";
    struct import_cursor cursor = IMPORT_CURSOR;
    struct import_tree t;
    uint32_t first = 0;
    uint32_t second = 0;

    cr_assert(read_text(&t, good) == 0, "%s", fault.text);
    cr_assert(import_next_record(&t, &cursor, &first)); /* the text in the list at the top */
    cr_expect(slice_eq_cstr(import_text_of(&t, first), "a"));
    cr_assert(import_next_record(&t, &cursor, &second));
    cr_expect(slice_eq_cstr(import_type(&t, second), "x.One\n"));
    cr_expect(t.nodes[import_member(&t, second, "l")].value == IMPORT_LIST);
    cr_expect_not(import_next_record(&t, &cursor, &second));
    import_tree_deinit(&t);
    cr_expect(read_text(&t, HEAD "<Ref RefId=\"0\"/></Objs>") != 0);
    import_tree_deinit(&t);
    cr_expect(read_text(&t, HEAD "<Obj RefId=\"0\"><LST><Ref RefId=\"1\"/></LST></Obj>"
                                 "<Obj RefId=\"1\"/></Objs>") != 0);
    import_tree_deinit(&t);
    cr_expect(read_text(&t, HEAD "<Obj RefId=\"99999999999\"/></Objs>") != 0);
    import_tree_deinit(&t);
}

/* Every beginning of a file is refused, with a place inside it. */
Test(import_clixml, cut_anywhere)
{
    static const char *const files[] = {
        HEAD "<Obj RefId=\"0\"><TN RefId=\"0\"><T>a.B</T></TN><Props><S N=\"a\">b</S>"
             "<Obj N=\"l\" RefId=\"1\"><LST><S>c</S><Nil/></LST></Obj></Props></Obj></Objs>",
        "[ { \"a\": 1, \"l\": [ \"b\", null, true ] }, { } ]",
    };

    for (size_t i = 0; i < 2; i++) {
        for (size_t len = 0; len <= strlen(files[i]); len++) {
            struct import_tree t;
            int err;

            import_tree_init(&t);
            err = import_read(&t, slice_make(files[i], len), &fault);
            cr_expect((err == 0) == (len == strlen(files[i])), "%zu: %zu", i, len);
            cr_expect(!err ||
                      (fault.text[0] && (fault.offset == IMPORT_NOWHERE || fault.offset <= len)));
            import_tree_deinit(&t);
        }
    }
}

/* Refused at the second one's place. */
Test(import_json, no_member_twice)
{
    static const char *const twice[] = {
        "[{\"a\": 1}, {\"Domain\": \"a.example\", \"b\": [], ",
        "{\"x\": {\"Domain\": 1, \"c\": {\"Domain\": 2}, \"b\": 3, \"A\": 4, ",
        "{\"Domain\": {\"Domain\": 1}, ",
    };
    static const char *const again[] = {"\"Domain\"", "\"dOMAIN\"", "\"D\\u006fmain\""};
    static const char *const ends[] = {": 5}]", ": 5}}", ": {}}"};
    char text[256];
    struct import_tree t;

    for (size_t i = 0; i < 3; i++) {
        for (size_t n = 0; n < 3; n++) {
            (void)snprintf(text, sizeof(text), "%s%s%s", twice[i], again[n], ends[i]);
            cr_expect(read_text(&t, text) != 0, "%s", text);
            cr_expect(fault.offset == strlen(twice[i]), "%s: %u", text, fault.offset);
            cr_expect(strstr(fault.text, "twice"), "%s", fault.text);
            import_tree_deinit(&t);
        }
    }
    cr_expect(read_text(&t, "[{\"a\": {\"a\": 1, \"ab\": 2}, \"b\": 1}, {\"a\": 1}]") == 0, "%s",
              fault.text);
    import_tree_deinit(&t);
}

Test(import_tree, records_of_lists)
{
    static const char *const three[] = {
        "[1, 2, 3]",
        "{\"value\": [1, 2, 3], \"Count\": 3}",
        HEAD "<I32>1</I32><I32>2</I32><I32>3</I32></Objs>",
        HEAD "<Obj RefId=\"0\"><LST><I32>1</I32><I32>2</I32></LST></Obj><I32>3</I32></Objs>",
    };

    for (size_t i = 0; i < sizeof(three) / sizeof(three[0]); i++) {
        struct import_cursor cursor = IMPORT_CURSOR;
        struct import_tree t;
        char seen[8] = "";
        uint32_t record;

        cr_assert(read_text(&t, three[i]) == 0, "%s", fault.text);
        while (import_next_record(&t, &cursor, &record) && strlen(seen) < 7) {
            struct slice text = import_text_of(&t, record);

            (void)snprintf(seen + strlen(seen), 2, "%.*s", SLICE_FMT(text));
        }
        cr_expect(strcmp(seen, "123") == 0, "%zu: %s", i, seen);
        import_tree_deinit(&t);
    }
}
