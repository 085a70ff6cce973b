/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence_mails: what goes in comes out, at every length; no memory is an answer, not a crash. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/pool.h"
#include "edge/presence_mails.h"

static bool is(struct slice s, const char *text)
{
    return slice_eq_cstr(s, text);
}

Test(presence_mails, an_answer_keeps_its_parts)
{
    const struct sip_answer answer = {.status = 423,
                                      .reason = SLICE_LIT("Too Brief"),
                                      .fields = SLICE_LIT("Min-Expires: 60\r\n"),
                                      .content_type = SLICE_LIT("text/plain"),
                                      .body = SLICE_LIT("why")};
    struct mail_sip_answer *m = mail_sip_answer_new(77, &answer);
    struct sip_answer view;

    cr_assert_not_null(m);
    view = mail_sip_answer_view(m);
    cr_expect_eq(m->mail.kind, MAIL_SIP_ANSWER);
    cr_expect_eq(m->handle, 77);
    cr_expect_eq(view.status, 423);
    cr_expect(is(view.reason, "Too Brief") && is(view.fields, "Min-Expires: 60\r\n") &&
              is(view.content_type, "text/plain") && is(view.body, "why"));
    pool_free(m);
}

Test(presence_mails, an_answer_with_nothing_in_it)
{
    struct mail_sip_answer *m = mail_sip_answer_new(1, &(struct sip_answer){.status = 481});
    struct sip_answer view;

    cr_assert_not_null(m);
    view = mail_sip_answer_view(m);
    cr_expect(view.status == 481 && view.reason.len == 0 && view.fields.len == 0 &&
              view.content_type.len == 0 && view.body.len == 0);
    pool_free(m);
}

Test(presence_mails, an_answer_that_nobody_could_mean)
{
    static char long_text[UINT16_MAX + 1u];

    cr_expect_null(mail_sip_answer_new(
        1, &(struct sip_answer){.status = 500,
                                .reason = slice_make(long_text, sizeof(long_text))}));
}

Test(presence_mails, a_request_keeps_its_transaction)
{
    const struct presence_txn txn = {.handle = UINT64_C(5) << 32 | 9,
                                     .shard_idx = 3,
                                     .to_tag = SLICE_LIT("tag-1")};
    struct mail_sip_request *m = mail_sip_request_new(SLICE_LIT("SUBSCRIBE ..."), txn);
    struct presence_txn back;

    cr_assert_not_null(m);
    back = mail_sip_request_txn(m);
    cr_expect(back.handle == txn.handle && back.shard_idx == 3 && is(back.to_tag, "tag-1"));
    cr_expect(is(mail_sip_request_bytes(m), "SUBSCRIBE ..."));
    pool_free(m);
}

Test(presence_mails, a_pair_keeps_its_four_parts)
{
    const struct presence_pair pair = {SLICE_LIT("ann"), SLICE_LIT("corp.test"), SLICE_LIT("b"),
                                       SLICE_LIT("xn--mnchen-3ya.test")};
    struct mail_presence_pair *m = mail_presence_pair_new(MAIL_PRESENCE_UNDELIVERED, &pair);
    struct presence_pair view;

    cr_assert_not_null(m);
    view = mail_presence_pair_view(m);
    cr_expect(is(view.local_user, "ann") && is(view.local_domain, "corp.test") &&
              is(view.remote_user, "b") && is(view.remote_domain, "xn--mnchen-3ya.test"));
    pool_free(m);
}

Test(presence_mails, an_order_copies_its_names_and_is_freed_by_the_last)
{
    char name[] = "ann";
    const struct presence_pair pair = {slice_make(name, 3), SLICE_LIT("corp.test"),
                                       SLICE_LIT("bob"), SLICE_LIT("open.test")};
    struct contact_order *o = contact_order_new(&pair);

    memset(name, 'x', 3);
    cr_expect(is(o->pair.local_user, "ann") && is(o->pair.remote_domain, "open.test"));
    atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
    contact_order_unref(o);
    cr_expect(is(o->pair.remote_user, "bob"));
    contact_order_unref(o);
}

Test(presence_mails, without_memory)
{
    const struct presence_pair pair = {SLICE_LIT("a"), SLICE_LIT("b"), SLICE_LIT("c"),
                                       SLICE_LIT("d")};

    pool_fail_nth(1);
    cr_expect_null(mail_presence_stanza_new(SLICE_LIT("<presence/>")));
    pool_fail_nth(1);
    cr_expect_null(mail_sip_request_new(SLICE_LIT("x"), (struct presence_txn){0}));
    pool_fail_nth(1);
    cr_expect_null(mail_sip_answer_new(1, &(struct sip_answer){.status = 200}));
    pool_fail_nth(1);
    cr_expect_null(mail_presence_pair_new(MAIL_PRESENCE_UNDELIVERED, &pair));
    pool_fail_nth(1);
    cr_expect_null(mail_presence_seen_new(SLICE_LIT("d"), true));
}
