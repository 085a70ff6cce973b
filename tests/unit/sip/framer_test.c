/* SPDX-License-Identifier: GPL-2.0-or-later */
/* framer: borders, keep-alives, limits, and the same events under every splitting. */
#include <stdio.h>

#include "base/pool.h"
#include "sip/framer.h"
#include "sip_help.h"

/* Events as letters: m message, p pong, P ping, b bad. */
struct events {
    char text[64];
    size_t count;
    size_t body_bytes;
    uint16_t status;
};

static void feed_all(struct events *e, struct slice bytes, size_t chunk)
{
    struct sip_framer f;
    size_t at = 0;

    memset(e, 0, sizeof(*e));
    sip_framer_init(&f);
    while (at < bytes.len) {
        size_t len = bytes.len - at < chunk ? bytes.len - at : chunk;
        char *piece = pool_alloc(len);
        size_t part = 0;

        memcpy(piece, bytes.ptr + at, len);
        while (part < len) {
            size_t used = 0;
            enum sip_frame frame = sip_framer_feed(&f, piece + part, len - part, &used);

            cr_assert(used > 0 && used <= len - part);
            cr_assert(frame != SIP_FRAME_MORE || used == len - part);
            part += used;
            if (frame == SIP_FRAME_MSG) {
                e->body_bytes += f.msg.body.len;
            }
            if (frame == SIP_FRAME_BAD) {
                e->status = f.bad.status;
                part = len;
                at = bytes.len;
            }
            if (frame != SIP_FRAME_MORE) {
                cr_assert(e->count + 1 < sizeof(e->text));
                e->text[e->count++] = "-mpPb"[frame];
            }
        }
        pool_free(piece);
        at += len;
    }
    sip_framer_deinit(&f);
    cr_expect_eq(pool_used_bytes(), 0);
}

static void expect_events(const char *bytes, const char *want, uint16_t status)
{
    for (size_t chunk = 1; chunk <= strlen(bytes) && chunk < 40; chunk++) {
        struct events e;

        feed_all(&e, slice_from_cstr(bytes), chunk);
        cr_expect_str_eq(e.text, want, "by %zu: %s", chunk, bytes);
        cr_expect_eq(e.status, status, "by %zu: %s", chunk, bytes);
    }
    struct events e;

    feed_all(&e, slice_from_cstr(bytes), strlen(bytes));
    cr_expect_str_eq(e.text, want, "whole: %s", bytes);
    cr_expect_eq(e.status, status, "whole: %s", bytes);
}

#define OPT "OPTIONS sip:a SIP/2.0\r\nVia: x\r\n"

Test(framer, messages_and_keepalives)
{
    expect_events(SIP_HELP_MESSAGE, "m", 0);
    expect_events(SIP_HELP_MESSAGE SIP_HELP_MESSAGE, "mm", 0);
    expect_events("\r\n", "p", 0);
    expect_events("\r\n\r\n", "pP", 0);
    expect_events("\r\n\r\n\r\n", "pPp", 0);
    expect_events("\r\n\r\n\r\n\r\n", "pPpP", 0);
    expect_events("\r\n" SIP_HELP_MESSAGE "\r\n\r\n" SIP_HELP_MESSAGE "\r\n", "pmpPmp", 0);
    expect_events(OPT "l: 0\r\n\r\n" OPT "l: 1\r\n\r\n\r" OPT "l: 0\r\n\r\n", "mmm", 0);
    expect_events("SIP/2.0 200 OK\r\nl: 4\r\n\r\n\r\n\r\n", "m", 0);
    expect_events(OPT "l: 5\r\n\r\nfour", "", 0);
    expect_events(OPT "l: 0\r\n", "", 0);
}

Test(framer, bad_borders)
{
    expect_events("\n", "b", 0);
    expect_events("\rx", "b", 0);
    expect_events("\r\n\rx", "pb", 0);
    expect_events(OPT "\r\n", "b", 400);
    expect_events(OPT "l: x\r\n\r\n", "b", 400);
    expect_events(OPT "l: -1\r\n\r\n" OPT "l: 0\r\n\r\n", "b", 400);
    expect_events(OPT "l: 1\r\nl: 2\r\n\r\nxx", "b", 400);
    expect_events(OPT "X: y\nl: 0\r\n\r\n", "b", 400);
    expect_events("OPTIONS sip:a SIP/2.0\nVia: x\r\nl: 0\r\n\r\n", "b", 0);
    expect_events(SIP_HELP_MESSAGE "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "mb", 0);
    expect_events("SIP/2.0 200 OK\r\nVia: x\r\n\r\n", "b", 0);
    expect_events("ACK sip:a SIP/2.0\r\nVia: x\r\n\r\n", "b", 0);
    expect_events(OPT "l: 8388609\r\n\r\n", "b", 413);
    expect_events("SIP/2.0 200 OK\r\nl: 8388609\r\n\r\n", "b", 0);
    expect_events("\x16\x03\x01\x02\r\n\r\n", "b", 0);
}

/* A flawed message with a known border is handed out, and the next one is found. */
Test(framer, flaws_do_not_lose_the_border)
{
    expect_events("OPTIONS  sip:a SIP/2.0\r\nVia: x\r\nl: 2\r\n\r\nxx" SIP_HELP_MESSAGE, "mm", 0);
    expect_events(OPT "broken line\r\nl: 2\r\n\r\nxx" SIP_HELP_MESSAGE, "mm", 0);
}

Test(framer, bad_is_sticky)
{
    struct sip_framer f;
    size_t used;

    sip_framer_init(&f);
    cr_expect_eq(sip_framer_feed(&f, "\n", 1, &used), SIP_FRAME_BAD);
    cr_expect_eq(sip_framer_feed(&f, "OPT", 3, &used), SIP_FRAME_BAD);
    cr_expect_eq(used, 3);
    cr_expect_not(sip_framer_is_inside(&f));
    sip_framer_deinit(&f);
}

Test(framer, is_inside)
{
    struct sip_framer f;
    size_t used;

    sip_framer_init(&f);
    cr_expect_not(sip_framer_is_inside(&f));
    cr_expect_eq(sip_framer_feed(&f, "\r", 1, &used), SIP_FRAME_MORE);
    cr_expect(sip_framer_is_inside(&f));
    cr_expect_eq(sip_framer_feed(&f, "\n", 1, &used), SIP_FRAME_PONG);
    cr_expect_not(sip_framer_is_inside(&f));
    cr_expect_eq(sip_framer_feed(&f, OPT "l: 2\r\n\r\nx", strlen(OPT) + 9, &used), SIP_FRAME_MORE);
    cr_expect(sip_framer_is_inside(&f));
    cr_expect_eq(sip_framer_feed(&f, "y", 1, &used), SIP_FRAME_MSG);
    EXPECT_SLICE(f.msg.body, "xy");
    EXPECT_SLICE(f.msg.uri, "sip:a");
    cr_expect_not(sip_framer_is_inside(&f));
    cr_expect_eq(sip_framer_feed(&f, "", 0, &used), SIP_FRAME_MORE);
    cr_expect_eq(pool_used_bytes(), 0, "the held message is given back");
    sip_framer_deinit(&f);
}

Test(framer, whole_message_is_viewed_in_place)
{
    char text[] = SIP_HELP_MESSAGE "rest";
    struct sip_framer f;
    size_t used;

    sip_framer_init(&f);
    cr_expect_eq(sip_framer_feed(&f, text, sizeof(text) - 1, &used), SIP_FRAME_MSG);
    cr_expect_eq(used, sizeof(text) - 5);
    cr_expect_eq(f.msg.bytes.ptr, text);
    cr_expect_eq(pool_used_bytes(), 0);
    sip_framer_deinit(&f);
}

/* A header block of exactly the limit passes; one byte more does not, whole or in pieces. */
Test(framer, head_limit)
{
    static const size_t chunks[] = {SIZE_MAX, 1, 1000, SIP_HEAD_BYTES_MAX - 1, SIP_HEAD_BYTES_MAX};
    char *text = pool_heap_zalloc(SIP_HEAD_BYTES_MAX + 10);

    for (size_t extra = 0; extra < 2; extra++) {
        size_t len = SIP_HEAD_BYTES_MAX + extra;
        size_t start = (size_t)snprintf(text, 100, OPT "l: 0\r\nX: ");

        memset(text + start, 'y', len - start - 4);
        memcpy(text + len - 4, "\r\n\r\n", 4);
        for (size_t i = 0; i < ARRAY_COUNT(chunks); i++) {
            struct events e;

            feed_all(&e, slice_make(text, len), chunks[i]);
            cr_expect_str_eq(e.text, extra ? "b" : "m", "by %zu", chunks[i]);
            cr_expect_eq(e.status, extra ? 513 : 0);
        }
    }
    pool_heap_free(text);
}

Test(framer, head_that_never_ends)
{
    char *text = pool_heap_zalloc(SIP_HEAD_BYTES_MAX * 2);
    struct events e;

    memset(text, 'y', SIP_HEAD_BYTES_MAX * 2);
    feed_all(&e, slice_make(text, SIP_HEAD_BYTES_MAX * 2), 4096);
    cr_expect_str_eq(e.text, "b");
    cr_expect_eq(e.status, 0);
    pool_heap_free(text);
}

Test(framer, body_limit)
{
    size_t head = (size_t)snprintf(NULL, 0, OPT "l: %u\r\n\r\n", SIP_BODY_BYTES_MAX);
    size_t len = head + SIP_BODY_BYTES_MAX;
    char *text = pool_heap_zalloc(len + 1);
    struct events e;

    (void)snprintf(text, head + 1, OPT "l: %u\r\n\r\n", SIP_BODY_BYTES_MAX);
    feed_all(&e, slice_make(text, len), 16384);
    cr_expect_str_eq(e.text, "m");
    cr_expect_eq(e.body_bytes, SIP_BODY_BYTES_MAX);
    pool_heap_free(text);
}

Test(framer, body_limit_can_be_lowered)
{
    struct sip_framer f;
    size_t used;

    sip_framer_init(&f);
    f.body_bytes_max = 4;
    cr_expect_eq(sip_framer_feed(&f, OPT "l: 5\r\n\r\n", strlen(OPT) + 8, &used), SIP_FRAME_MSG);
    cr_expect_eq(f.msg.flaw.status, 413);
    cr_expect_eq(f.msg.body.len, 0);
    cr_expect(sip_framer_is_inside(&f), "the body is still to come");
    cr_expect_eq(sip_framer_feed(&f, "abc", 3, &used), SIP_FRAME_MORE);
    cr_expect_eq(used, 3);
    cr_expect_eq(sip_framer_feed(&f, "de" OPT "l: 0\r\n\r\n", strlen(OPT) + 10, &used),
                 SIP_FRAME_MORE);
    cr_expect_eq(used, 2);
    cr_expect_not(sip_framer_is_inside(&f));
    cr_expect_eq(sip_framer_feed(&f, OPT "l: 0\r\n\r\n", strlen(OPT) + 8, &used), SIP_FRAME_MSG);
    cr_expect_null(f.msg.flaw.why);
    sip_framer_deinit(&f);
}

/* P-21: a document of 1 MB is refused; what follows it on the connection is not lost with it. */
Test(framer, huge_body_is_passed_over)
{
    static const char next[] = OPT "l: 1\r\n\r\nx";
    size_t body = 1u << 20;
    size_t head = (size_t)snprintf(NULL, 0, OPT "l: %zu\r\n\r\n", body);
    size_t len = head + body + sizeof(next) - 1;
    static const size_t pieces[] = {1, 7, 1000, 16384, 1u << 21};
    char *text = pool_heap_zalloc(len + 1);

    (void)snprintf(text, head + 1, OPT "l: %zu\r\n\r\n", body);
    memset(text + head, '\n', body);
    memcpy(text + head + body, next, sizeof(next) - 1);
    for (size_t i = 0; i < ARRAY_COUNT(pieces); i++) {
        struct sip_framer f;
        unsigned refused = 0;
        unsigned good = 0;

        sip_framer_init(&f);
        for (size_t at = 0; at < len;) {
            size_t piece = len - at < pieces[i] ? len - at : pieces[i];
            size_t used = 0;

            if (sip_framer_feed(&f, text + at, piece, &used) == SIP_FRAME_MSG) {
                refused += f.msg.flaw.status == 413;
                good += !f.msg.flaw.why && f.msg.body.len == 1;
            }
            cr_assert_gt(used, 0);
            at += used;
        }
        cr_expect_eq(refused, 1);
        cr_expect_eq(good, 1);
        cr_expect_not(sip_framer_is_inside(&f));
        sip_framer_deinit(&f);
    }
    pool_heap_free(text);
}

Test(framer, no_memory_for_an_incomplete_message)
{
    struct sip_framer f;
    size_t used;

    sip_framer_init(&f);
    pool_fail_nth(1);
    cr_expect_eq(sip_framer_feed(&f, "OPT", 3, &used), SIP_FRAME_BAD);
    cr_expect_eq(f.bad.status, 0);
    sip_framer_deinit(&f);
}
