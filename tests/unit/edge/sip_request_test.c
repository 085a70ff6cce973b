/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_request: SUBSCRIBE and NOTIFY on their way out: each is told of once, whatever becomes of it;
 * who waits keeps his turn; what may wait is bounded. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
#include "presence/presence.h"
#include "sip_ground.h"

#define BODY_BYTES 100000u

static char calls[GROUND_TOLD_MAX]; /* their addresses are the calls */
static int64_t used_bytes;

static void begin(void)
{
    used_bytes = pool_used_bytes();
    ground_init();
}

static void end(void)
{
    ground_deinit();
    cr_expect_eq(pool_used_bytes(), used_bytes, "leaked");
}

TestSuite(sip_request, .init = begin, .fini = end);

static int ask_with(uint32_t n, struct slice to_tag, struct slice body)
{
    static const struct slice routes[] = {SLICE_LIT("<sip:p1.corp.test;lr>"),
                                          SLICE_LIT("<sip:p2.corp.test;lr>")};
    struct sip_request_params params = {.method = SIP_METHOD_SUBSCRIBE,
                                        .uri = SLICE_LIT("sip:bob@corp.test"),
                                        .route = routes,
                                        .route_count = 2,
                                        .max_forwards = 70,
                                        .from_uri = SLICE_LIT("sip:ann@chat.test"),
                                        .from_tag = SLICE_LIT("f1"),
                                        .to_uri = SLICE_LIT("sip:bob@corp.test"),
                                        .to_tag = to_tag,
                                        .call_id = SLICE_LIT("call-1"),
                                        .cseq = n + 1};
    struct presence_request r = {.params = &params,
                                 .fields = SLICE_LIT("Event: presence\r\nExpires: 3600\r\n"),
                                 .content_type = SLICE_LIT("text/plain"),
                                 .body = body,
                                 .call = (struct presence_call *)(void *)&calls[n]};

    return sip_side_request(&ground.side, NULL, &r);
}

static int ask(uint32_t n)
{
    return ask_with(n, SLICE_NONE, SLICE_LIT("hello"));
}

/* What was written since the last time: one request; its CSeq, 0 = none. */
static uint32_t written(struct sip_msg *m)
{
    static char bytes[1u << 20];
    struct slice text = buf_slice(&ground.out);
    struct sip_bad bad;
    struct sip_cseq cseq;

    if (text.len == 0) {
        return 0;
    }
    memcpy(bytes, text.ptr, text.len);
    buf_clear(&ground.out);
    cr_assert_eq(sip_msg_parse(m, slice_make(bytes, text.len), &bad), 0);
    cr_assert_eq(sip_msg_cseq(m, &cseq), 0);
    return cseq.number;
}

static struct slice field(const struct sip_msg *m, const char *name)
{
    static char pattern[80];
    const char *at;
    int len = snprintf(pattern, sizeof(pattern), "\r\n%s: ", name);

    at = memmem(m->bytes.ptr, m->bytes.len, pattern, (size_t)len);
    cr_assert_not_null(at, "no %s", name);
    at += len;
    return slice_make(at, (size_t)((const char *)memchr(at, '\r', 1000) - at));
}

static void respond(const struct sip_msg *request, unsigned status)
{
    char text[2000];
    struct sip_msg m;
    struct sip_bad bad;
    int len = snprintf(text, sizeof(text),
                       "SIP/2.0 %u x\r\nVia: %.*s\r\nFrom: %.*s\r\nTo: %.*s;tag=t1\r\n"
                       "Call-ID: %.*s\r\nCSeq: %.*s\r\nContent-Length: 0\r\n\r\n",
                       status, SLICE_FMT(field(request, "Via")), SLICE_FMT(field(request, "From")),
                       SLICE_FMT(field(request, "To")), SLICE_FMT(field(request, "Call-ID")),
                       SLICE_FMT(field(request, "CSeq")));

    cr_assert_eq(sip_msg_parse(&m, slice_make(text, (size_t)len), &bad), 0);
    cr_assert_eq(sip_client_receive(ground.side.txns, &m), SIP_CLIENT_DONE);
}

static void expect_told(uint32_t idx, uint32_t n, enum sip_outcome outcome, unsigned status)
{
    const struct ground_told *told = &ground.told[idx];

    cr_assert_gt(ground.told_count, idx, "not told");
    cr_expect_eq(told->call, &calls[n]);
    cr_expect_eq(told->outcome, outcome);
    cr_expect_eq(told->status, status);
    cr_expect_eq(told->has_response, outcome == SIP_OUTCOME_FINAL);
}

static void expect_none_left(void)
{
    cr_expect_eq(ground.peer.req_count, 0);
    cr_expect_eq(ground.peer.req_bytes, 0);
    cr_expect(list_is_empty(&ground.peer.req_waiting) && list_is_empty(&ground.peer.req_sent));
}

Test(sip_request, goes_out_whole_and_is_answered)
{
    struct sip_msg m;

    cr_assert_eq(ask(0), 0);
    cr_assert_eq(written(&m), 1);
    cr_expect_eq(m.method, SIP_METHOD_SUBSCRIBE);
    cr_expect(slice_eq_cstr(m.uri, "sip:bob@corp.test"));
    cr_expect(slice_starts(field(&m, "Via"), SLICE_LIT("SIP/2.0/TCP edge.corp.test:5061;")));
    cr_expect(slice_eq_cstr(field(&m, "Event"), "presence"));
    cr_expect(slice_eq_cstr(m.body, "hello"));
    cr_expect_not_null(memmem(m.bytes.ptr, m.bytes.len, "<sip:p2.corp.test;lr>", 21));
    cr_expect_eq(ground.flushes, 1);
    respond(&m, 200);
    expect_told(0, 0, SIP_OUTCOME_FINAL, 200);
    expect_none_left();
    cr_expect_eq(ground.told_count, 1);
}

Test(sip_request, those_who_wait_keep_their_order)
{
    struct sip_msg m;

    ground.peer.state = SIP_PEER_DIALLING;
    for (uint32_t n = 0; n < 3; n++) {
        cr_assert_eq(ask(n), 0);
    }
    cr_expect_eq(ground.needs, 3);
    cr_expect_not(sip_req_write_next(&ground.peer), "it is not there");
    ground.peer.state = SIP_PEER_UP;
    cr_assert_eq(ask(3), 0); /* not before those who wait */
    ground.is_crowded = true;
    cr_expect_not(sip_req_write_next(&ground.peer), "there is no room");
    cr_expect_eq(written(&m), 0);
    ground.is_crowded = false;
    for (uint32_t n = 0; n < 4; n++) {
        cr_expect(sip_req_write_next(&ground.peer));
        cr_expect_eq(written(&m), n + 1);
    }
    cr_expect_not(sip_req_write_next(&ground.peer));
    cr_expect_eq(ground.told_count, 0);
}

/* A peer's words stand in a dialog's requests: one that cannot be written stops nobody else. */
Test(sip_request, what_cannot_be_written_stands_in_nobody_s_way)
{
    struct sip_msg m;

    cr_assert_eq(ask_with(0, SLICE_LIT("a tag"), SLICE_NONE), 0); /* nobody waits: at once */
    ground.peer.state = SIP_PEER_DIALLING;
    cr_assert_eq(ask(1), 0);
    cr_assert_eq(ask_with(2, SLICE_LIT("a<tag"), SLICE_NONE), 0);
    cr_assert_eq(ask(3), 0);
    ground.peer.state = SIP_PEER_UP;
    cr_expect(sip_req_write_next(&ground.peer));
    cr_expect_eq(written(&m), 2);
    cr_expect(sip_req_write_next(&ground.peer));
    cr_expect_eq(written(&m), 0);
    cr_expect(sip_req_write_next(&ground.peer));
    cr_expect_eq(written(&m), 4);
    ground_run(1);
    cr_expect_eq(ground.told_count, 2);
    expect_told(0, 0, SIP_OUTCOME_LINK, 503);
    expect_told(1, 2, SIP_OUTCOME_LINK, 503);
}

Test(sip_request, a_503_is_tried_at_the_next_target_once)
{
    struct sip_msg m;

    ground.may_failover = true;
    cr_assert_eq(ask(0), 0);
    (void)written(&m);
    respond(&m, 503);
    cr_expect_eq(ground.failovers, 1);
    cr_expect_eq(ground.told_count, 0);
    ground.peer.state = SIP_PEER_UP;
    cr_assert(sip_req_write_next(&ground.peer));
    cr_assert_eq(written(&m), 1);
    respond(&m, 503);
    cr_expect_eq(ground.failovers, 1);
    expect_told(0, 0, SIP_OUTCOME_FINAL, 503);
    expect_none_left();
}

Test(sip_request, a_503_in_a_dialog_is_its_machine_s)
{
    struct sip_msg m;

    ground.may_failover = true;
    cr_assert_eq(ask_with(0, SLICE_LIT("t1"), SLICE_NONE), 0);
    (void)written(&m);
    cr_expect(slice_ends(field(&m, "To"), SLICE_LIT(";tag=t1")));
    {
        char text[2000];
        struct sip_msg answer;
        struct sip_bad bad;
        int len = snprintf(text, sizeof(text),
                           "SIP/2.0 503 x\r\nVia: %.*s\r\nFrom: %.*s\r\nTo: %.*s\r\n"
                           "Call-ID: call-1\r\nCSeq: 1 SUBSCRIBE\r\nContent-Length: 0\r\n\r\n",
                           SLICE_FMT(field(&m, "Via")), SLICE_FMT(field(&m, "From")),
                           SLICE_FMT(field(&m, "To")));

        cr_assert_eq(sip_msg_parse(&answer, slice_make(text, (size_t)len), &bad), 0);
        cr_assert_eq(sip_client_receive(ground.side.txns, &answer), SIP_CLIENT_DONE);
    }
    expect_told(0, 0, SIP_OUTCOME_FINAL, 503);
    cr_expect_eq(ground.failovers, 0);
}

/* What is told may make and end next hops: not while one is walked. */
Test(sip_request, silence_and_loss_are_told_a_moment_later)
{
    cr_assert_eq(ask(0), 0);
    buf_clear(&ground.out);
    ground_run(SIP_TIMER_F_MS + 100);
    expect_told(0, 0, SIP_OUTCOME_TIMEOUT, 408);
    cr_assert_eq(ask(1), 0);
    sip_link_down(&ground.conn.link, ERR_CLOSED);
    cr_expect_eq(ground.told_count, 1, "within the walk");
    ground_run(10);
    expect_told(1, 1, SIP_OUTCOME_LINK, 503);
    expect_none_left();
}

Test(sip_request, waiting_has_an_end)
{
    ground.peer.state = SIP_PEER_BACKOFF;
    cr_assert_eq(ask(0), 0);
    ground_run(SIP_WAIT_MS_MAX - 1000);
    cr_assert_eq(ask(1), 0);
    sip_req_tick(&ground.peer);
    ground_run(1100);
    cr_expect_eq(ground.told_count, 0);
    sip_req_tick(&ground.peer);
    ground_run(10);
    cr_expect_eq(ground.told_count, 1, "the younger one waits on");
    expect_told(0, 0, SIP_OUTCOME_LINK, 503);
    sip_req_peer_down(&ground.peer);
    ground_run(10);
    expect_told(1, 1, SIP_OUTCOME_LINK, 503);
    expect_none_left();
}

Test(sip_request, an_orderly_stop_tells_everybody_once)
{
    for (uint32_t n = 0; n < 3; n++) {
        cr_assert_eq(ask(n), 0);
    }
    ground.is_crowded = true;
    for (uint32_t n = 3; n < 6; n++) {
        cr_assert_eq(ask(n), 0);
    }
    sip_req_refuse_all(&ground.peer);
    sip_link_down(&ground.conn.link, ERR_CLOSED);
    ground_run(SIP_TIMER_F_MS + 100);
    cr_assert_eq(ground.told_count, 6);
    for (uint32_t i = 0; i < 6; i++) {
        expect_told(i, i < 3 ? i + 3 : i - 3, SIP_OUTCOME_LINK, 503);
    }
    expect_none_left();
    ground.side.is_stopping = true;
    cr_expect_eq(ask(6), ERR_SHUTDOWN);
    ground.side.is_stopping = false;
    ground.e.is_draining = true;
    cr_expect_eq(ask(6), ERR_SHUTDOWN);
    ground.e.is_draining = false;
    ground.has_no_peer = true;
    cr_expect_eq(ask(6), ERR_NOMEM);
}

Test(sip_request, what_waits_is_bounded)
{
    static const char body[BODY_BYTES];
    uint32_t n = 0;

    ground.peer.state = SIP_PEER_DIALLING;
    while (ask(n) == 0) {
        n++;
        cr_assert_lt(n, GROUND_TOLD_MAX);
    }
    cr_expect_eq(ask(n), ERR_FULL);
    cr_expect_eq(ground.peer.req_count, n);
    sip_req_peer_down(&ground.peer);
    ground_run(10);
    cr_expect_eq(ground.told_count, n);
    ground.told_count = 0;
    for (n = 0; ask_with(n, SLICE_NONE, slice_make(body, sizeof(body))) == 0; n++) {
        cr_assert_lt(n, 1000);
    }
    cr_expect_gt(n, 50);
    cr_expect_eq(ask_with(n, SLICE_NONE, slice_make(body, sizeof(body))), ERR_FULL);
    sip_req_peer_down(&ground.peer);
    ground_run(10);
    cr_expect_eq(ground.told_count, n);
    expect_none_left();
}

Test(sip_request, no_memory_takes_nothing)
{
    pool_fail_nth(1);
    cr_expect_eq(ask(0), ERR_NOMEM);
    pool_fail_nth(0);
    expect_none_left();
    cr_expect_eq(buf_len(&ground.out), 0);
    cr_assert_eq(ask(1), 0);
}

/* The state that counts is the last one. */
Test(sip_request, news_of_the_next_hop)
{
    sip_req_peer_seen(&ground.peer, true);
    ground_run(10);
    cr_expect_str_eq(ground.news, " *pool", "it was never lost");
    sip_req_peer_seen(&ground.peer, false);
    cr_expect_str_eq(ground.news, " *pool", "within the walk");
    ground_run(10);
    cr_expect_str_eq(ground.news, " *pool -pool");
    sip_req_peer_seen(&ground.peer, true);
    sip_req_peer_seen(&ground.peer, false);
    sip_req_peer_seen(&ground.peer, true);
    ground_run(10);
    cr_expect_str_eq(ground.news, " *pool -pool +pool");
    sip_req_peer_seen(&ground.peer, false);
    ground_run(10);
    sip_req_peer_seen(&ground.peer, false); /* tried in vain: no news */
    ground_run(10);
    sip_req_peer_seen(&ground.peer, true);
    sip_req_peer_seen(&ground.peer, false); /* again, before that was told */
    ground_run(10);
    sip_req_peer_seen(&ground.peer, true);
    ground_run(10);
    sip_req_peer_seen(&ground.peer, true); /* another target: it was not lost between */
    ground_run(10);
    cr_expect_str_eq(ground.news, " *pool -pool +pool -pool -pool +pool *pool");
}

static uint32_t count(const struct list *list)
{
    uint32_t n = 0;

    for (const struct list *at = list->next; at != list; at = at->next) {
        n++;
    }
    return n;
}

/* Whatever happens in whatever order: each that was taken is told of once. */
Test(sip_request, random_lives)
{
    uint64_t random = 7;
    uint32_t taken = 0;

    ground.may_failover = true;
    for (uint32_t i = 0; i < 20000 && taken < GROUND_TOLD_MAX - 1; i++) {
        struct sip_msg m;

        random = random * 6364136223846793005u + 1442695040888963407u;
        switch (random >> 60) {
        case 0: ground.peer.state = SIP_PEER_UP; break;
        case 1: ground.peer.state = SIP_PEER_DIALLING; break;
        case 2: sip_req_tick(&ground.peer); break;
        case 3: ground_run((random >> 40) & 0xfff); break;
        case 4: ground.is_crowded = !ground.is_crowded; break;
        case 5: (void)sip_req_write_next(&ground.peer); break;
        case 6:
            if (((random >> 50) & 15) == 0) {
                sip_req_peer_down(&ground.peer);
            } else if (((random >> 50) & 15) == 1) {
                sip_req_refuse_all(&ground.peer);
            }
            break;
        default: taken += ask(taken) == 0; break;
        }
        if (buf_len(&ground.out) > 0 && written(&m) != 0 && (random >> 30) & 1) {
            respond(&m, (random >> 31) & 1 ? 200 : 503);
        }
        cr_assert_eq(ground.peer.req_count,
                     count(&ground.peer.req_waiting) + count(&ground.peer.req_sent));
    }
    sip_req_refuse_all(&ground.peer);
    ground_run(10);
    cr_assert_gt(taken, 4000);
    cr_assert_eq(ground.told_count, taken);
    for (uint32_t i = 0; i < taken; i++) {
        uint32_t n = (uint32_t)((const char *)ground.told[i].call - calls);

        cr_assert_lt(n, taken);
        cr_assert_eq(calls[n], 0, "%u was told of twice", n);
        calls[n] = 1;
    }
    expect_none_left();
}
