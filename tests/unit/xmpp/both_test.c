/* SPDX-License-Identifier: GPL-2.0-or-later */
/* both: our initiating side against our receiving side, in memory. Every row of the negotiation
 * table (policy) with valid, invalid and no certificates; then every row against every row. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "policy/partner.h"
#include "rig.h"

STATIC_ASSERT(PARTNER_AUTH_EXTERNAL == (unsigned)STREAM_METHOD_EXTERNAL, "one set of bits");
STATIC_ASSERT(PARTNER_AUTH_CERTIFICATE == (unsigned)STREAM_METHOD_CERTIFICATE, "one set of bits");
STATIC_ASSERT(PARTNER_AUTH_DIALBACK_TLS == (unsigned)STREAM_METHOD_DIALBACK_TLS, "one set of bits");
STATIC_ASSERT(PARTNER_AUTH_DIALBACK_TCP == (unsigned)STREAM_METHOD_DIALBACK_PLAIN,
              "one set of bits");

/* Does the certificate of the one prove its domain to the other? */
struct certificates {
    bool initiator;
    bool receiver;
};

/* Plays the authoritative server of the initiator: recomputes the key. */
static void answer_verifications(struct rig *out, struct rig *in)
{
    for (; in->log_read < in->log_count; in->log_read++) {
        const struct rig_event *e = &in->log[in->log_read];
        struct dialback_bond bond = {slice_from_cstr(e->local), slice_from_cstr(e->remote),
                                     slice_from_cstr(e->id)};

        if (e->kind == STREAM_VERIFY_WANTED) {
            bool ok =
                dialback_key_is_valid(rig_crypto(), &out->secret, &bond, slice_from_cstr(e->key));

            rig_verify_result(in, e->local, e->remote, e->id,
                              ok ? DIALBACK_VALID : DIALBACK_INVALID, 0);
        }
    }
}

static const struct rig_event *find(const struct rig *r, enum stream_event_kind kind)
{
    for (uint32_t i = 0; i < r->log_count; i++) {
        if (r->log[i].kind == kind) {
            return &r->log[i];
        }
    }
    return NULL;
}

/* Connects a.example (initiator) to b.example; says the method that resulted, or NONE. */
static enum stream_method negotiate(uint32_t out_methods, uint32_t in_methods,
                                    struct certificates c, bool is_bytewise)
{
    static struct rig out;
    static struct rig in;
    struct stream_params params = {
        .role = STREAM_OUT, .local = SLICE_LIT("a.example"), .remote = SLICE_LIT("b.example")};
    const struct rig_event *ready;
    const struct rig_event *proved;
    enum stream_method method = STREAM_METHOD_NONE;

    rig_init(&out, out_methods);
    rig_init(&in, in_methods);
    out.locals[0] = "a.example";
    in.locals[0] = "b.example";
    out.is_bytewise = in.is_bytewise = is_bytewise;
    out.certificates[0] = c.receiver ? "b.example" : NULL;
    in.certificates[0] = c.initiator ? "a.example" : NULL;
    rig_start(&out, &params);
    rig_start_in(&in, false);
    for (int round = 0; round < 3; round++) {
        rig_converse(&out, &in);
        answer_verifications(&out, &in);
    }
    rig_converse(&out, &in);
    ready = find(&out, STREAM_READY);
    proved = find(&in, STREAM_PAIR_AUTHENTICATED);
    cr_assert_eq(ready != NULL, proved != NULL, "one side thinks otherwise");
    if (ready) {
        method = ready->method;
        cr_assert(method & out_methods, "%s not allowed", stream_method_name(method));
        cr_assert(proved->method & in_methods);
        cr_assert(proved->method == method || (method == STREAM_METHOD_DIALBACK_TLS &&
                                               proved->method == STREAM_METHOD_CERTIFICATE));
        buf_put_lit(&out.out, "<message from='x@a.example' to='y@b.example'/>");
        stream_sent(out.s, out.now_ms, 1);
        rig_converse(&out, &in);
        cr_assert(find(&in, STREAM_STANZA), "the stanza did not arrive");
    } else {
        /* Both know why. */
        const struct rig_event *failed = find(&out, STREAM_FAILED);

        failed = failed ? failed : find(&out, STREAM_PAIR_REFUSED);
        cr_assert(failed && failed->text[0], "a silent failure");
    }
    rig_free(&out);
    rig_free(&in);
    return method;
}

#define EXT  STREAM_METHOD_EXTERNAL
#define DTLS STREAM_METHOD_DIALBACK_TLS
#define DTCP STREAM_METHOD_DIALBACK_PLAIN
#define NO   STREAM_METHOD_NONE

/* Both sides have the same row. Columns: both certificates valid; both invalid; the initiator shows
 * none (the receiver's is valid). NO = refused, on a row that may be configured. */
static const struct {
    uint8_t row;
    enum stream_method valid;
    enum stream_method invalid;
    enum stream_method none;
} expected[] = {
    {1, EXT, NO, NO},       /* R R T */
    {2, EXT, NO, NO},       /* R R F */
    {3, EXT, NO, NO},       /* O R T: required is literal (policy/README) */
    {4, EXT, NO, NO},       /* O R F */
    {7, EXT, DTLS, DTLS},   /* R O T */
    {8, EXT, NO, NO},       /* R O F */
    {9, EXT, DTLS, DTLS},   /* O O T */
    {10, EXT, NO, NO},      /* O O F */
    {13, DTLS, DTLS, DTLS}, /* R N T */
    {15, DTLS, DTLS, DTLS}, /* O N T */
    {17, DTCP, DTCP, DTCP}, /* N N T */
};

SCRIPT(both, all_18_rows_with_three_kinds_of_certificates)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < PARTNER_ROW_COUNT; i++) {
        const struct partner_row *row = partner_row_at(i);

        if (row->verdict == PARTNER_VERDICT_REJECT) {
            cr_assert_eq(row->auth, 0, "row %u", row->number);
            cr_assert(at == sizeof(expected) / sizeof(expected[0]) ||
                      expected[at].row != row->number);
            continue;
        }
        cr_assert_eq(expected[at].row, row->number);
        cr_assert_eq(
            negotiate(row->auth, row->auth, (struct certificates){true, true}, is_bytewise),
            expected[at].valid, "row %u, valid", row->number);
        cr_assert_eq(
            negotiate(row->auth, row->auth, (struct certificates){false, false}, is_bytewise),
            expected[at].invalid, "row %u, invalid", row->number);
        cr_assert_eq(
            negotiate(row->auth, row->auth, (struct certificates){false, true}, is_bytewise),
            expected[at].none, "row %u, none", row->number);
        at++;
    }
    cr_assert_eq(at, sizeof(expected) / sizeof(expected[0]));
}

/* What must come out when two sides differ, from the rules alone: TLS whenever both can; without it
 * only what both allow in plain; over it EXTERNAL where both want it and can, else dialback. */
static enum stream_method oracle(uint32_t out, uint32_t in, struct certificates c)
{
    uint32_t both = out & in;
    uint32_t tls = EXT | DTLS | STREAM_METHOD_CERTIFICATE;

    if ((out & tls) == 0 || (in & tls) == 0) {
        return (both & DTCP) ? DTCP : NO;
    }
    if ((both & EXT) && c.initiator && c.receiver) {
        return EXT;
    }
    /* The initiator sends no key in plain TLS unless its rules say so; the receiver may settle it
     * by the certificate. */
    if (out & DTLS) {
        bool by_certificate = (in & STREAM_METHOD_CERTIFICATE) && c.initiator;

        return (in & DTLS) || by_certificate ? DTLS : NO;
    }
    return NO;
}

Test(both, every_row_against_every_row)
{
    uint32_t established = 0;

    for (uint32_t i = 0; i < PARTNER_ROW_COUNT; i++) {
        for (uint32_t j = 0; j < PARTNER_ROW_COUNT; j++) {
            const struct partner_row *out = partner_row_at(i);
            const struct partner_row *in = partner_row_at(j);

            if (out->auth == 0 || in->auth == 0) {
                continue;
            }
            for (int k = 0; k < 4; k++) {
                struct certificates c = {(k & 1) != 0, (k & 2) != 0};
                enum stream_method got = negotiate(out->auth, in->auth, c, false);

                cr_assert_eq(got, oracle(out->auth, in->auth, c),
                             "row %u to row %u, certificates %d: %s", out->number, in->number, k,
                             stream_method_name(got));
                established += got != NO;
            }
        }
    }
    cr_assert_gt(established, 100);
}

/* The whole triangle of XEP-0220: initiator A, receiver B, and A's server again as the authority,
 * asked over a verify-only stream from B to A. */
SCRIPT(both, dialback_with_a_real_authoritative_server)
{
    static struct rig a_out, b_in, b_out, a_in;
    struct stream_params params = {.role = STREAM_OUT,
                                   .local = SLICE_LIT("b.example"),
                                   .remote = SLICE_LIT("a.example"),
                                   .is_verify_only = true};
    struct stream_verify v;
    const struct rig_event *wanted;
    const struct rig_event *e;

    rig_init(&a_out, STREAM_METHOD_DIALBACK_TLS);
    rig_init(&b_in, STREAM_METHOD_DIALBACK_TLS);
    rig_init(&b_out, STREAM_METHOD_DIALBACK_TLS);
    rig_init(&a_in, STREAM_METHOD_DIALBACK_TLS);
    a_out.locals[0] = a_in.locals[0] = "a.example";
    b_out.locals[0] = b_in.locals[0] = "b.example";
    a_out.is_bytewise = b_in.is_bytewise = b_out.is_bytewise = a_in.is_bytewise = is_bytewise;
    dialback_secret_init(&b_out.secret, rig_crypto(), SLICE_LIT("another"));
    rig_start_out(&a_out, "a.example", "b.example");
    rig_start_in(&b_in, false);
    rig_converse(&a_out, &b_in);
    EXPECT(&b_in, START_TLS);
    wanted = EXPECT(&b_in, VERIFY_WANTED);

    rig_start(&b_out, &params);
    rig_start_in(&a_in, false);
    v = (struct stream_verify){slice_from_cstr(wanted->local), slice_from_cstr(wanted->remote),
                               slice_from_cstr(wanted->id), slice_from_cstr(wanted->key)};
    cr_assert_eq(stream_send_verify(b_out.s, b_out.now_ms, &v), 0);
    rig_converse(&b_out, &a_in);
    EXPECT(&b_out, START_TLS);
    e = EXPECT(&b_out, VERIFY_ANSWER);
    cr_assert_eq(e->verdict, DIALBACK_VALID);

    rig_verify_result(&b_in, e->local, e->remote, e->id, e->verdict, e->condition);
    EXPECT(&b_in, PAIR_AUTHENTICATED);
    rig_converse(&a_out, &b_in);
    EXPECT(&a_out, START_TLS);
    EXPECT(&a_out, READY);
    rig_free(&a_out);
    rig_free(&b_in);
    rig_free(&b_out);
    rig_free(&a_in);
}

SCRIPT(both, acks_and_closing_between_our_two_sides)
{
    static struct rig out, in;

    rig_init(&out, STREAM_METHOD_EXTERNAL);
    rig_init(&in, STREAM_METHOD_EXTERNAL);
    out.locals[0] = "a.example";
    in.locals[0] = "b.example";
    out.certificates[0] = "b.example";
    in.certificates[0] = "a.example";
    out.rules.acks = in.rules.acks = true;
    out.is_bytewise = in.is_bytewise = is_bytewise;
    rig_start_out(&out, "a.example", "b.example");
    rig_start_in(&in, false);
    rig_converse(&out, &in);
    cr_assert(find(&out, STREAM_READY));
    cr_assert_eq(stream_acks(out.s)->state, ACKS_ON);
    for (int i = 0; i < 10; i++) {
        buf_put_lit(&out.out, "<message from='x@a.example' to='y@b.example'/>");
        stream_sent(out.s, out.now_ms, 1);
        stream_ask(out.s, out.now_ms);
    }
    rig_converse(&out, &in);
    cr_assert_eq(stream_acks(in.s)->received, 10);
    cr_assert_eq(acks_unacked(stream_acks(out.s)), 0);
    stream_close(out.s, out.now_ms, STREAM_CONDITION_NONE, "");
    rig_converse(&out, &in);
    cr_assert(find(&in, STREAM_PEER_CLOSED));
    cr_assert(find(&out, STREAM_CLOSED));
    rig_free(&out);
    rig_free(&in);
}
