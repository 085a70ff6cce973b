/* SPDX-License-Identifier: GPL-2.0-or-later */
/* txn_help: a transaction table with two connections, virtual time and a record of all events. */
#ifndef FG_TEST_TXN_HELP_H
#define FG_TEST_TXN_HELP_H

#include <stdio.h>

#include "base/err.h"
#include "base/pool.h"
#include "sip/transaction.h"
#include "sip/write.h"
#include "sip_help.h"

struct txn_world {
    struct wheel wheel;
    struct sip_ids ids;
    struct sip_txns *txns;
    struct sip_link link[2];
    struct buf out[2];
    bool out_blocked;
    unsigned flushed;
    uint64_t now_ms;
    struct sip_check_policy policy;
    unsigned done_count;
    struct sip_client_done done;
    void *done_owner;
    unsigned ended_count;
    enum sip_server_end ended_why;
    struct sip_txn_ref ended_ref;
    void *ended_owner;
};

static struct txn_world w;

static struct buf *w_out(struct sip_link *link)
{
    return w.out_blocked ? NULL : link->owner;
}

static void w_flush(struct sip_link *link)
{
    (void)link;
    w.flushed++;
}

static void w_client_done(void *owner, const struct sip_client_done *done)
{
    w.done_count++;
    w.done = *done;
    w.done_owner = owner;
}

static void w_server_ended(struct sip_txn_ref ref, void *owner, enum sip_server_end why)
{
    w.ended_count++;
    w.ended_ref = ref;
    w.ended_owner = owner;
    w.ended_why = why;
}

static const struct sip_txn_ops w_ops = {w_out, w_flush, w_client_done, w_server_ended};

static void w_open_limited(uint32_t client_max, uint32_t server_max, uint32_t merge_max)
{
    memset(&w, 0, sizeof(w));
    w.now_ms = 1000000;
    wheel_init(&w.wheel, w.now_ms);
    sip_ids_init_seeded(&w.ids, 11);
    w.policy = sip_help_policy();
    cr_assert_eq(sip_txns_new(&w.txns,
                              &(struct sip_txns_params){
                                  .ops = &w_ops,
                                  .wheel = &w.wheel,
                                  .ids = &w.ids,
                                  .client_max = client_max,
                                  .server_max = server_max,
                                  .merge_max = merge_max,
                              }),
                 0);
    for (int i = 0; i < 2; i++) {
        buf_init(&w.out[i], 1 << 20);
        sip_link_init(&w.link[i], w.txns, &w.out[i], SLICE_LIT("192.0.2.9"), 40000);
    }
}

static inline void w_open(void)
{
    w_open_limited(0, 0, 0);
}

/* Everything must be gone at the end of every test. */
static inline void w_close(void)
{
    sip_link_down(&w.link[0], ERR_SHUTDOWN);
    sip_link_down(&w.link[1], ERR_SHUTDOWN);
    sip_txns_free(w.txns);
    buf_deinit(&w.out[0]);
    buf_deinit(&w.out[1]);
    cr_expect_eq(w.wheel.timer_count, 0);
    cr_expect_eq(pool_used_bytes(), 0);
}

/* Lets time pass in small steps, so that timers fire in order. */
static inline void w_pass(uint64_t ms)
{
    uint64_t end = w.now_ms + ms;

    while (w.now_ms < end) {
        w.now_ms += end - w.now_ms < 8 ? end - w.now_ms : 8;
        (void)wheel_run(&w.wheel, w.now_ms, 1000);
    }
}

/* The status of the one response waiting on a link, which is taken; 0 = none. Parsed into *m if it
 * is given, whose view then lives in a static buffer until the next call.                        */
static inline unsigned w_take(int link, struct sip_msg *m)
{
    static char text[65536];
    struct sip_msg local;
    struct sip_bad bad;
    struct slice all = buf_slice(&w.out[link]);

    m = m ? m : &local;
    if (all.len == 0) {
        return 0;
    }
    cr_assert_lt(all.len, sizeof(text));
    memcpy(text, all.ptr, all.len);
    cr_assert_eq(sip_msg_parse(m, slice_make(text, all.len), &bad), 0);
    cr_assert_not(m->is_request);
    buf_consume(&w.out[link], m->bytes.len);
    return m->status;
}

static inline const struct sip_txn_stats *w_stats(void)
{
    return sip_txns_stats(w.txns);
}

#endif
