/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data and its end on sessions of both backends and across them. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/err.h"
#include "pair.h"

static const char *const backends[] = {"wolfssl", "mbedtls"};

/* Runs body with client and server of every combination of backends. */
#define FOR_ALL_PAIRS(params)                                             \
    for (unsigned combo_ = 0;                                             \
         combo_ < 4 && ((params).client_backend = backends[combo_ & 1u],  \
                        (params).server_backend = backends[combo_ >> 1], true); \
         combo_++)

/* Bytes that do not repeat with the size of a record. */
static void fill(struct buf *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        buf_putc(b, (char)(i * 31 + i / 251));
    }
}

Test(tls_data, any_size_in_any_split, .timeout = 100)
{
    static const size_t sizes[] = {1, 2, 5, 1000, 16383, 16384, 16385, 100000, 1000003};
    static const size_t steps[] = {0, 1, 7, SIZE_MAX};
    for (size_t t = 0; t < ARRAY_COUNT(steps); t++) {
        struct pair_params params = {.step_bytes = steps[t]};
        FOR_ALL_PAIRS(params) {
            struct pair p;
            pair_init(&p, &params);
            cr_assert(pair_handshake(&p), "step %zu", steps[t]);
            for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
                if (steps[t] == 1 && sizes[i] > 20000) {
                    continue;
                }
                struct buf data;
                buf_init(&data, PAIR_BYTES_MAX);
                fill(&data, sizes[i]);
                pair_say(&p, &p.client, buf_slice(&data));
                pair_say(&p, &p.server, buf_slice(&data));
                buf_deinit(&data);
            }
            pair_deinit(&p);
        }
    }
}

Test(tls_data, records_are_at_most_16_kib)
{
    struct pair_params params = {0};
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_init(&p, &params);
        cr_assert(pair_handshake(&p));
        (void)pair_carry(&p, &p.server, &p.client);
        struct buf data;
        buf_init(&data, PAIR_BYTES_MAX);
        fill(&data, 50000);
        cr_assert_eq(tls_session_seal(p.client.session, buf_slice(&data), &p.client.out), 0);
        struct slice wire = buf_slice(&p.client.out);
        while (wire.len > 0) {
            size_t body = (size_t)((unsigned char)wire.ptr[3] << 8 | (unsigned char)wire.ptr[4]);
            cr_assert_eq(wire.ptr[0], 23);
            cr_assert_leq(body, 16384 + 256);
            cr_assert_leq(body + 5, wire.len);
            wire = slice_from(wire, body + 5);
        }
        buf_deinit(&data);
        pair_deinit(&p);
    }
}

Test(tls_data, a_stream_begins_with_small_records)
{
    struct pair_params params = {0};
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_init(&p, &params);
        cr_assert(pair_handshake(&p));
        (void)pair_carry(&p, &p.server, &p.client);
        for (int round = 0; round < 2; round++) {
            struct buf data;
            buf_init(&data, PAIR_BYTES_MAX);
            fill(&data, 200000);
            cr_assert_eq(tls_session_seal(p.client.session, buf_slice(&data), &p.client.out), 0);
            size_t sealed = 0;
            size_t largest = 0;
            struct slice wire = buf_slice(&p.client.out);
            while (wire.len > 0) {
                size_t bytes = tls_session_record_bytes(p.server.session, wire);
                cr_assert(bytes > 5 && bytes <= wire.len);
                sealed += bytes;
                cr_expect(sealed > 65536 || bytes <= 4096 + 5 + 8 + 17, "%zu", bytes);
                largest = bytes > largest ? bytes : largest;
                wire = slice_from(wire, bytes);
            }
            cr_expect_gt(largest, 16384);
            buf_clear(&p.client.out);
            buf_deinit(&data);
            tls_session_rest(p.client.session);
        }
        pair_deinit(&p);
    }
}

Test(tls_data, close_notify_is_told_from_a_cut)
{
    struct pair_params params = {0};
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_init(&p, &params);
        cr_assert(pair_handshake(&p));
        pair_say(&p, &p.client, SLICE_LIT("x"));
        cr_expect_eq(p.server.err, 0, "nothing is closed yet");
        cr_assert_eq(tls_session_seal(p.client.session, SLICE_LIT("last"), &p.client.out), 0);
        tls_session_close(p.client.session, &p.client.out);
        cr_expect_eq(pair_carry(&p, &p.client, &p.server), ERR_CLOSED);
        cr_expect(slice_eq_cstr(buf_slice(&p.server.plain), "last"));
        size_t used;
        buf_put_lit(&p.server.in, "rest");
        cr_expect_eq(pair_open(&p.server, &used), ERR_CLOSED);
        cr_expect_eq(used, 4);
        cr_expect(slice_eq_cstr(buf_slice(&p.server.plain), "last"));
        /* The other direction is still open. */
        buf_clear(&p.client.plain);
        cr_expect_eq(tls_session_seal(p.server.session, SLICE_LIT("answer"), &p.server.out), 0);
        tls_session_close(p.server.session, &p.server.out);
        cr_expect_eq(pair_carry(&p, &p.server, &p.client), ERR_CLOSED);
        cr_expect(slice_eq_cstr(buf_slice(&p.client.plain), "answer"));
        pair_deinit(&p);
    }
}

Test(tls_data, calls_out_of_state_are_errors)
{
    struct pair_params params = {0};
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_init(&p, &params);
        size_t used;
        cr_expect_eq(tls_session_seal(p.client.session, SLICE_LIT("early"), &p.client.out),
                     ERR_STATE);
        cr_expect_eq(pair_open(&p.client, &used), ERR_STATE);
        tls_session_close(p.client.session, &p.client.out);
        cr_expect_eq(buf_len(&p.client.out), 0);
        cr_assert(pair_handshake(&p));
        cr_expect_eq(tls_session_handshake(p.client.session, SLICE_LIT("x"), &used, &p.client.out),
                     TLS_STEP_DONE);
        cr_expect_eq(used, 0);
        cr_expect_eq(tls_session_seal(p.client.session, SLICE_NONE, &p.client.out), 0);
        pair_deinit(&p);
    }
}

Test(tls_data, no_room_for_output_is_an_error_not_a_loss)
{
    struct pair_params params = {0};
    FOR_ALL_PAIRS(params) {
        struct pair p;
        pair_init(&p, &params);
        struct buf tiny;
        size_t used;
        buf_init(&tiny, 16);
        cr_expect_eq(tls_session_handshake(p.client.session, SLICE_NONE, &used, &tiny),
                     TLS_STEP_BAD);
        buf_deinit(&tiny);
        pair_deinit(&p);
        pair_init(&p, &params);
        cr_assert(pair_handshake(&p));
        buf_init(&tiny, 16);
        cr_expect_eq(tls_session_seal(p.client.session, SLICE_LIT("too much for it"), &tiny),
                     ERR_NOMEM);
        cr_expect_eq(tls_session_seal(p.client.session, SLICE_LIT("x"), &p.client.out), ERR_NOMEM,
                     "a hole in the stream cannot be mended");
        buf_deinit(&tiny);
        pair_deinit(&p);
    }
}

/* What an end says with its last handshake message comes in the same read as that. */
static enum tls_step shake_and_speak(struct pair_end *e, struct pair_end *to)
{
    static const char text[] = "right behind Finished";
    size_t used;
    struct slice in = buf_slice(&e->in);
    bool was_done = e->step == TLS_STEP_DONE;
    if (!was_done) {
        e->step = tls_session_handshake(e->session, in, &used, &e->out);
        cr_assert_neq(e->step, TLS_STEP_BAD, "%s", tls_session_error(e->session)->text);
        buf_consume(&e->in, used);
    }
    if (!was_done && e->step == TLS_STEP_DONE) {
        cr_assert_eq(tls_session_seal(e->session, slice_from_cstr(text), &e->out), 0);
    }
    if (e->step == TLS_STEP_DONE) {
        cr_assert_eq(pair_open(e, &used), 0, "%s", tls_session_error(e->session)->text);
    }
    buf_put(&to->in, buf_slice(&e->out));
    buf_clear(&e->out);
    return e->step;
}

Test(tls_data, nothing_is_lost_or_read_twice_at_the_hand_over)
{
    for (int has_tickets = 0; has_tickets < 2; has_tickets++) {
        struct pair_params params = {.has_tickets = has_tickets, .may_resume = has_tickets};
        FOR_ALL_PAIRS(params) {
            struct pair p;
            pair_init(&p, &params);
            for (int round = 0; round < 3; round++) { /* the second and third may be resumed */
                for (int i = 0; i < 5; i++) {
                    (void)shake_and_speak(&p.client, &p.server);
                    (void)shake_and_speak(&p.server, &p.client);
                }
                cr_expect(slice_eq_cstr(buf_slice(&p.client.plain), "right behind Finished"));
                cr_expect(slice_eq_cstr(buf_slice(&p.server.plain), "right behind Finished"));
                cr_expect_eq(buf_len(&p.client.in) + buf_len(&p.server.in), 0);
                cr_expect_eq(tls_session_path(p.client.session, TLS_IN), TLS_PATH_USER);
                pair_again(&p, &params);
            }
            pair_deinit(&p);
        }
    }
}
