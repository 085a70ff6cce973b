/* SPDX-License-Identifier: GPL-2.0-or-later */
/* out, out_table, why: what people read. */
#include <criterion/criterion.h>

#include "ctl/out.h"
#include "ctl/why.h"

static void expect(struct buf *out, const char *text)
{
    static char got[8192];

    slice_to_cstr_cut(buf_slice(out), got, sizeof(got));
    cr_expect_str_eq(got, text);
    buf_deinit(out);
}

Test(out, tables_are_aligned)
{
    static const char *const heads[] = {"Domain", ">Streams", "Note"};
    struct out_table t;
    struct out o;

    out_begin(&o);
    out_table_init(&t, heads, 3);
    out_cell(&t, SLICE_LIT("m\xc3\xbcnchen.example"));
    out_cell_printf(&t, "%u", 12345678u);
    out_cell(&t, SLICE_LIT("a\tb"));
    out_cell(&t, SLICE_LIT("x.example"));
    out_cell_printf(&t, "%u", 2u);
    out_cell(&t, SLICE_NONE);
    out_table_write(&t, &o);
    out_table_deinit(&t);
    expect(&o.text, "Domain            Streams  Note\n"
                    "m\xc3\xbcnchen.example  12345678  a\\u{9}b\n"
                    "x.example               2  \n");
}

Test(out, an_empty_table_is_its_head)
{
    static const char *const heads[] = {"A", ">B"};
    struct out_table t;
    struct out o;

    out_begin(&o);
    out_table_init(&t, heads, 2);
    out_table_write(&t, &o);
    out_table_deinit(&t);
    expect(&o.text, "A  B\n");
}

Test(out, foreign_text_is_cleaned)
{
    struct buf out;

    buf_init(&out, 1024);
    out_put_clean(&out, SLICE_LIT("a\x1b[31m\xe2\x80\xae" "b\xff\n"));
    expect(&out, "a\\u{1b}[31m\\u{202e}b\\xff\\u{a}");
    buf_init(&out, 1024);
    out_put_count(&out, 1, "day");
    out_put_count(&out, 0, "day");
    expect(&out, "1 day0 days");
}

static struct why refused(const char *direction, const char *answer, const char *act)
{
    struct why w = {.from = "a@one.example", .to = "b@two.example", .rule = "rule", .reason = "r"};

    slice_to_cstr_cut(slice_from_cstr(direction), w.direction, sizeof(w.direction));
    slice_to_cstr_cut(slice_from_cstr(answer), w.answer, sizeof(w.answer));
    slice_to_cstr_cut(slice_from_cstr(act), w.act, sizeof(w.act));
    return w;
}

Test(why, what_the_sender_is_told)
{
    static const struct {
        const char *direction, *answer, *act, *told;
    } cases[] = {
        {"to_partner", "forbidden", "message", "the administrator does not allow it"},
        {"to_partner", "not-federated", "message", "this domain is not federated with"},
        {"to_local", "not-federated", "message", "server is told that this is not served here"},
        {"to_local", "unknown-user", "message", "the error that a user who does not exist"},
        {"to_local", "unknown-user", "query", "the error that a user who does not exist"},
        {"to_local", "unknown-user", "subscribe", "\"unsubscribed\", as for a user who does not"},
        {"to_local", "unknown-user", "presence", "\"unavailable\", as for a user who does not"},
        {"to_local", "unknown-user", "notify", "gets no answer, as for a user"},
        {"to_local", "maintenance", "message", "to try again later"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct why w = refused(cases[i].direction, cases[i].answer, cases[i].act);
        char text[4096];
        struct buf out;

        buf_init(&out, sizeof(text));
        why_put_text(&out, &w);
        slice_to_cstr_cut(buf_slice(&out), text, sizeof(text));
        cr_expect(strstr(text, ": refused by rule (r)\n    the sender"), "%s", text);
        cr_expect(strstr(text, cases[i].told), "%s", text);
        buf_deinit(&out);
    }
}

Test(why, every_answer_has_a_name)
{
    for (int i = POLICY_ANSWER_NONE; i <= POLICY_ANSWER_MAINTENANCE; i++) {
        cr_expect_gt(strlen(policy_answer_name((enum policy_answer)i)), 0);
    }
    for (int i = 0; i < POLICY_ACT_COUNT; i++) {
        const char *name = policy_act_name((enum policy_act)i);
        enum policy_act act;

        cr_assert(policy_act_find(slice_from_cstr(name), &act));
        cr_expect_eq(act, (enum policy_act)i);
    }
}
