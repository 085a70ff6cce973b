/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dialog_pack: the stored form: identity, the CSeq reserved ahead, and bytes that nobody packed. */
#include <stdlib.h>

#include "dialog_help.h"
#include "dialog_play.h"

#include "base/err.h"
#include "base/pool.h"

static uint32_t pack(const struct sip_dialog *d, struct buf *out)
{
    uint32_t cseq;

    buf_init(out, SIP_DIALOG_PACKED_BYTES_MAX);
    cseq = sip_dialog_pack(d, out);
    cr_assert_not(out->failed);
    return cseq;
}

/* What goes on after a crash is the same dialog: the same tags, target, routes, URIs, order. */
Test(dialog_pack, round_trip)
{
    struct sip_dialog *d;
    struct sip_dialog *again;
    struct next_help n = {.p = {.from_uri = SLICE_LIT("sip:ann@chat.example"),
                                .to_uri = SLICE_LIT("sip:bob@corp.example")}};
    struct buf b;
    uint32_t cseq;

    cr_assert_eq(sip_dialog_new_uas(
                     dialogs_in(),
                     dialog_msg((struct dialog_text){
                         .start = "SUBSCRIBE sip:ann@chat.example SIP/2.0",
                         .from = "<sip:Bob@corp.example;x=y>;tag=b1",
                         .to = "<pres:ann@chat.example>",
                         .cseq = "17 SUBSCRIBE",
                         .more = CONTACT_LINE "Record-Route: <sip:p1>, <sip:p2;lr>;a=\"b\"\r\n"}),
                     &(struct sip_dialog_uas){
                         .local_tag = SLICE_LIT(OUR_TAG), .event_id = SLICE_LIT("7"), .cseq = 41},
                     &d),
                 0);
    cr_assert_eq(sip_dialog_next(d, &n.routes, &n.p), 0);
    cseq = pack(d, &b);
    cr_expect_eq(cseq, 41 + SIP_DIALOG_CSEQ_RESERVE);
    cr_assert_eq(sip_dialog_unpack(dialogs_in(), buf_slice(&b), &again), 0);
    sip_dialog_free(d);
    cr_expect(sip_dialog_is_established(again));
    cr_expect_not(sip_dialog_is_uac(again));
    cr_expect_eq(sip_dialog_take_cseq(again, 17), SIP_ORDER_REPEATED);
    cr_expect_eq(match_of(again, dialog_msg((struct dialog_text){0})), SIP_DIALOG_OURS);
    EXPECT_SLICE(sip_dialog_event_id(again), "7");
    cr_assert_eq(sip_dialog_next(again, &n.routes, &n.p), 0);
    cr_expect_eq(n.p.cseq, cseq + 1);
    EXPECT_SLICE(n.p.uri, "sip:p1");
    EXPECT_SLICE(n.p.from_uri, "pres:ann@chat.example");
    EXPECT_SLICE(n.p.to_uri, "sip:Bob@corp.example;x=y");
    EXPECT_SLICE(n.p.to_tag, "b1");
    cr_assert_eq(n.p.route_count, 2);
    EXPECT_SLICE(n.p.route[0], "<sip:p2;lr>;a=\"b\"");
    EXPECT_SLICE(n.p.route[1], "<sip:bob@10.1.1.7:5061;transport=tls>");
    sip_dialog_free(again);
    buf_deinit(&b);
}

Test(dialog_pack, before_any_answer)
{
    struct sip_dialog *d = new_uac();
    struct sip_dialog *again;
    struct next_help n;
    struct buf b;

    (void)pack(d, &b);
    cr_assert_eq(sip_dialog_unpack(dialogs_in(), buf_slice(&b), &again), 0);
    cr_expect_eq(match_of(again, dialog_msg((struct dialog_text){0})), SIP_DIALOG_NASCENT);
    cr_assert_eq(next_of(again, &n), 0);
    cr_expect_eq(n.p.to_tag.len, 0);
    cr_expect_eq(n.p.cseq, SIP_DIALOG_CSEQ_RESERVE + 1);
    sip_dialog_free(d);
    sip_dialog_free(again);
    buf_deinit(&b);
}

/* The row is asked for in time, so that the numbers in it are never reached before the next. */
Test(dialog_pack, reserve)
{
    struct sip_dialog *d = new_established(NULL);
    struct sip_dialog *again;
    struct next_help n;
    struct buf b;
    uint32_t cseq;

    cr_expect(sip_dialog_needs_store(d), "never stored");
    cseq = pack(d, &b);
    cr_expect(sip_dialog_needs_store(d), "packed is not stored");
    sip_dialog_stored(d, cseq);
    for (unsigned i = 1; i <= SIP_DIALOG_CSEQ_RESERVE; i++) {
        cr_expect_eq(sip_dialog_needs_store(d), i > SIP_DIALOG_CSEQ_RESERVE / 2, "%u", i);
        cr_assert_eq(next_of(d, &n), 0);
        cr_expect_leq(n.p.cseq, cseq);
    }
    cr_assert_eq(sip_dialog_unpack(dialogs_in(), buf_slice(&b), &again), 0);
    cr_expect(sip_dialog_needs_store(again), "a second crash would go on from the same number");
    cr_assert_eq(next_of(again, &n), 0);
    cr_expect_gt(n.p.cseq, sip_dialog_cseq(d));
    sip_dialog_free(d);
    sip_dialog_free(again);
    buf_deinit(&b);
}

/* 8.1.1.5: near 2^31 the reserve ends there; nothing wraps and nothing is asked for again. */
Test(dialog_pack, reserve_at_the_end)
{
    struct sip_dialog *d =
        sip_dialog_new_uac(dialogs_in(), SLICE_LIT(OUR_CALL_ID), SLICE_LIT(OUR_TAG), 0x7FFFFFF0);
    struct sip_dialog *again;
    struct next_help n;
    struct buf b;

    cr_expect_eq(pack(d, &b), 0x7FFFFFFF);
    sip_dialog_stored(d, 0x7FFFFFFF);
    cr_expect_not(sip_dialog_needs_store(d));
    cr_assert_eq(sip_dialog_unpack(dialogs_in(), buf_slice(&b), &again), 0);
    cr_expect_eq(next_of(again, &n), ERR_LIMIT);
    cr_expect_eq(next_of(d, &n), 0);
    sip_dialog_free(d);
    sip_dialog_free(again);
    buf_deinit(&b);
}

/* Cut anywhere, lengthened, any byte another one: refused, or a dialog that packs to the same. */
Test(dialog_pack, damaged)
{
    struct sip_dialog *d = new_established(CONTACT_LINE "Record-Route: <sip:p1;lr>,<sip:p2>\r\n");
    struct sip_dialog *again;
    struct buf packed;
    struct buf other;
    char bytes[SIP_DIALOG_PACKED_BYTES_MAX + 1];
    size_t len;
    unsigned refused = 0;

    (void)pack(d, &packed);
    len = buf_len(&packed);
    memcpy(bytes, buf_slice(&packed).ptr, len);
    for (size_t cut = 0; cut < len; cut++) {
        cr_expect_eq(sip_dialog_unpack(dialogs_in(), slice_make(bytes, cut), &again), ERR_BAD_INPUT,
                     "%zu", cut);
        cr_expect_null(again);
    }
    bytes[len] = 'x';
    cr_expect_eq(sip_dialog_unpack(dialogs_in(), slice_make(bytes, len + 1), &again),
                 ERR_BAD_INPUT);
    cr_expect_eq(sip_dialog_unpack(dialogs_in(), slice_make(bytes, sizeof(bytes)), &again),
                 ERR_BAD_INPUT);
    cr_expect_eq(sip_dialog_unpack(dialogs_in(), SLICE_NONE, &again), ERR_BAD_INPUT);
    for (size_t i = 0; i < len; i++) {
        for (unsigned value = 0; value < 256; value++) {
            char was = bytes[i];

            bytes[i] = (char)value;
            if (sip_dialog_unpack(dialogs_in(), slice_make(bytes, len), &again) == 0) {
                (void)pack(again, &other);
                cr_expect_eq(buf_len(&other), len);
                cr_expect_eq(memcmp(buf_slice(&other).ptr, bytes, 2), 0);
                cr_expect_eq(memcmp(buf_slice(&other).ptr + 6, bytes + 6, len - 6), 0, "%zu", i);
                sip_dialog_free(again);
                buf_deinit(&other);
            } else {
                refused++;
            }
            bytes[i] = was;
        }
    }
    cr_expect_gt(refused, 20 * 256, "the 22 bytes of the head and most of the rest hold it");
    sip_dialog_free(d);
    buf_deinit(&packed);
}

Test(dialog_pack, another_version)
{
    struct sip_dialog *d = new_established(CONTACT_LINE "Record-Route: <sip:p1;lr>\r\n");
    struct sip_dialog *again;
    struct buf b;
    char bytes[SIP_DIALOG_PACKED_BYTES_MAX];
    size_t len;

    (void)pack(d, &b);
    len = buf_len(&b);
    memcpy(bytes, buf_slice(&b).ptr, len);
    cr_assert_eq(bytes[0], 1);
    bytes[0] = 2;
    cr_expect_eq(sip_dialog_unpack(dialogs_in(), slice_make(bytes, len), &again), ERR_BAD_INPUT);
    bytes[0] = 1;
    for (uint64_t nth = 1; nth <= 3; nth++) {
        pool_fail_nth(nth);
        cr_expect_eq(sip_dialog_unpack(dialogs_in(), slice_make(bytes, len), &again), ERR_NOMEM,
                     "memory that is short is no damage");
    }
    sip_dialog_free(d);
    buf_deinit(&b);
}

/* Random scripts; each kind of event must have happened, else the play proves nothing. */
Test(dialog_pack, play)
{
    struct dialog_play_sums sums = {0};
    uint8_t script[2000];
    struct sip_dialog *d;
    struct buf b;
    int64_t used = pool_used_bytes();

    srandom(5);
    for (unsigned round = 0; round < 1000; round++) {
        for (size_t i = 0; i < sizeof(script); i++) {
            script[i] = (uint8_t)random();
        }
        dialog_play(script, sizeof(script), &sums);
    }
    cr_expect_eq(pool_used_bytes(), used);
    d = new_established(CONTACT_LINE "Record-Route: <sip:p1;lr>\r\n");
    (void)pack(d, &b);
    script[0] = 8;
    script[1] = (uint8_t)buf_len(&b);
    memcpy(script + 2, buf_slice(&b).ptr, buf_len(&b));
    dialog_play(script, 2 + buf_len(&b), &sums);
    cr_expect_eq(sums.unpacked, 1);
    sip_dialog_free(d);
    buf_deinit(&b);
    cr_expect_gt(sums.uac, 100);
    cr_expect_gt(sums.uas, 100);
    cr_expect_gt(sums.established, 100);
    cr_expect_gt(sums.tentative, 100);
    cr_expect_gt(sums.forks, 100);
    cr_expect_gt(sums.ours, 100);
    cr_expect_gt(sums.repeated, 10);
    cr_expect_gt(sums.lower, 100);
    cr_expect_gt(sums.refused, 100);
    cr_expect_gt(sums.retargeted, 10);
    cr_expect_gt(sums.sent, 100);
    cr_expect_gt(sums.strict, 10);
    cr_expect_gt(sums.crashes, 100);
    cr_expect_gt(sums.foreign, 100);
}
