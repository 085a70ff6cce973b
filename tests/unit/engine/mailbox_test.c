/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mailbox: order and room of one ring; mail between shards under pressure. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/pool.h"
#include "engine/mailbox.h"
#include "engine/shard_state.h"
#include "machine.h"

static struct mailbox *box_new(void)
{
    static _Alignas(64) struct mailbox box;

    return &box;
}

Test(mailbox, holds_what_it_says_and_keeps_the_order)
{
    static struct mail mails[MAILBOX_ENTRIES + 1];
    struct mail *out[7];
    struct mailbox *box = box_new();
    uint32_t popped = 0;

    cr_assert(mailbox_is_empty(box));
    for (uint32_t round = 0; round < 3; round++) { /* over the wrap */
        for (uint32_t i = 0; i < MAILBOX_ENTRIES; i++) {
            cr_assert(mailbox_push(box, &mails[i]));
        }
        cr_assert_not(mailbox_push(box, &mails[MAILBOX_ENTRIES]));
        cr_assert_eq(mailbox_used(box), MAILBOX_ENTRIES);
        popped = 0;
        while (popped < MAILBOX_ENTRIES) {
            uint32_t n = mailbox_pop(box, out, 7);

            cr_assert_gt(n, 0);
            for (uint32_t i = 0; i < n; i++) {
                cr_assert_eq(out[i], &mails[popped + i]);
            }
            popped += n;
        }
        cr_assert_eq(mailbox_pop(box, out, 7), 0);
    }
    cr_assert_not(mailbox_take_room_wanted(box));
    mailbox_want_room(box);
    cr_assert(mailbox_take_room_wanted(box));
    cr_assert_not(mailbox_take_room_wanted(box));
}

Test(mailbox, what_is_put_is_seen_once_it_is_published)
{
    static struct mail mails[MAILBOX_ENTRIES + 1];
    struct mail *out[64];
    struct mailbox *box = box_new();
    uint32_t popped = 0;

    for (uint32_t i = 0; i < MAILBOX_ENTRIES; i++) {
        cr_assert(mailbox_put(box, &mails[i]));
        cr_assert(mailbox_is_empty(box));
        cr_assert_eq(mailbox_held(box), i + 1);
        cr_assert_eq(mailbox_unpublished(box), i + 1);
    }
    cr_assert_eq(mailbox_pop(box, out, 64), 0);
    cr_assert_not(mailbox_put(box, &mails[MAILBOX_ENTRIES])); /* it takes room all the same */
    mailbox_publish(box);
    cr_assert_eq(mailbox_unpublished(box), 0);
    cr_assert_eq(mailbox_used(box), MAILBOX_ENTRIES);
    while (popped < MAILBOX_ENTRIES) {
        uint32_t n = mailbox_pop(box, out, 64);

        cr_assert_gt(n, 0);
        for (uint32_t i = 0; i < n; i++) {
            cr_assert_eq(out[i], &mails[popped + i]);
        }
        popped += n;
    }
    cr_assert_eq(mailbox_held(box), 0);
    cr_assert(mailbox_put(box, &mails[0]));
    mailbox_publish(box);
    cr_assert_eq(mailbox_pop(box, out, 64), 1);
}

enum { THREAD_MAILS = 300000 };
static struct mail thread_mails[THREAD_MAILS];

static void *pusher(void *arg)
{
    for (uint32_t i = 0; i < THREAD_MAILS;) {
        thread_mails[i].kind = i * 7;
        bool is_taken = mailbox_put(arg, &thread_mails[i]);

        if (!is_taken || i % 7 == 0) {
            mailbox_publish(arg);
        }
        if (is_taken) {
            i++;
        } else {
            sched_yield();
        }
    }
    mailbox_publish(arg);
    return NULL;
}

Test(mailbox, two_threads)
{
    struct mailbox *box = box_new();
    struct mail *out[64];
    pthread_t thread;
    uint32_t seen = 0;

    cr_assert_eq(pthread_create(&thread, NULL, pusher, box), 0);
    while (seen < THREAD_MAILS) {
        uint32_t n = mailbox_pop(box, out, 64);

        for (uint32_t i = 0; i < n; i++) {
            cr_assert_eq(out[i], &thread_mails[seen]);
            cr_assert_eq(out[i]->kind, seen * 7);
            seen++;
        }
        if (n == 0) {
            sched_yield();
        }
    }
    cr_assert_eq(pthread_join(thread, NULL), 0);
}

/* Every shard floods every other; each mail is answered by a reply. */
enum { SHARDS = 3, FLOOD = 40000, BURST = 5000 };

struct flood_mail {
    struct mail mail;
    uint64_t number;
    bool is_reply;
};

struct flood {
    uint64_t sent[SHARDS];
    uint64_t got[SHARDS];     /* next number expected from each */
    uint64_t replies[SHARDS]; /* next reply expected from each */
    uint64_t full;
    struct shard_mail_wait waits[SHARDS];
    bool is_waiting[SHARDS];
    _Atomic bool is_wrong;
    _Atomic uint64_t received, answered;
};

static struct flood floods[SHARDS];
static _Atomic uint64_t flood_full, flood_waits;

static void flood_on(struct shard *sh, uint32_t to);

static void flood_room(struct shard_mail_wait *w, void *ctx)
{
    struct shard *sh = ctx;

    floods[shard_idx(sh)].is_waiting[w->to_idx] = false;
    if (shard_mail_is_crowded(sh, w->to_idx)) {
        floods[shard_idx(sh)].is_wrong = true;
    }
    flood_on(sh, w->to_idx);
}

static void flood_on(struct shard *sh, uint32_t to)
{
    struct flood *f = &floods[shard_idx(sh)];

    for (uint32_t i = 0; i < BURST && f->sent[to] < FLOOD; i++) {
        struct flood_mail *m = pool_zalloc(sizeof(*m));

        m->number = f->sent[to];
        m->mail.kind = 1;
        if (shard_post(sh, to, &m->mail)) {
            mail_free(&m->mail);
            flood_full++;
            break;
        }
        f->sent[to]++;
    }
    if (f->sent[to] < FLOOD && !f->is_waiting[to]) {
        flood_waits++;
        f->is_waiting[to] = true;
        shard_wait_mail(sh, &f->waits[to], to, flood_room, sh);
    }
}

static int flood_start(struct shard *sh, void *ctx, void **app)
{
    (void)sh;
    (void)ctx;
    (void)app;
    return 0;
}

static void flood_stop(struct shard *sh, void *app)
{
    (void)sh;
    (void)app;
}

static void flood_accepted(struct shard *sh, struct conn *c, uint32_t tag)
{
    (void)sh;
    (void)tag;
    conn_abort(c, ERR_STATE, "");
}

static void flood_mail(struct shard *sh, struct mail *mail)
{
    struct flood_mail *m = CONTAINER_OF(mail, struct flood_mail, mail);
    struct flood *f = &floods[shard_idx(sh)];
    uint32_t from = mail->from_idx;

    if (from == shard_count(sh)) { /* the test: begin */
        mail_free(mail);
        for (uint32_t to = 0; to < shard_count(sh); to++) {
            flood_on(sh, to);
        }
        return;
    }
    if (m->is_reply) {
        f->is_wrong = f->is_wrong || m->number != f->replies[from];
        f->replies[from]++;
        f->answered++;
        mail_free(mail);
        return;
    }
    f->is_wrong = f->is_wrong || m->number != f->got[from];
    f->got[from]++;
    f->received++;
    m->is_reply = true;
    shard_post_reply(sh, from, mail);
}

static const struct engine_app flood_app = {.shard_start = flood_start,
                                            .shard_stop = flood_stop,
                                            .accepted = flood_accepted,
                                            .mail = flood_mail};

static bool flood_is_over(void)
{
    for (uint32_t i = 0; i < SHARDS; i++) {
        if (floods[i].received != (uint64_t)SHARDS * FLOOD ||
            floods[i].answered != (uint64_t)SHARDS * FLOOD) {
            return false;
        }
    }
    return true;
}

Test(mailbox, flood_between_shards_loses_and_reorders_nothing)
{
    struct engine_params p = {.app = &flood_app, .shard_count = SHARDS, .recv_buf_count = 8};
    struct engine_stats stats;
    struct engine *e;
    uint64_t bells = 0;
    char why[200];

    cr_assert_eq(engine_new(&e, &p, why, sizeof(why)), 0, "%s", why);
    for (uint32_t i = 0; i < SHARDS; i++) {
        struct flood_mail *m = pool_zalloc(sizeof(*m));

        WAIT_UNTIL(engine_post(e, i, &m->mail) == 0);
    }
    WAIT_UNTIL(flood_is_over());
    for (uint32_t i = 0; i < SHARDS; i++) {
        cr_assert_not(floods[i].is_wrong, "order of shard %u", i);
        engine_stats_read(e, i, &stats);
        bells += stats.doorbells;
        cr_assert_eq(stats.mail_in, 1 + 2ull * SHARDS * FLOOD);
    }
    cr_assert_gt(flood_full, 0, "never full: test too weak");
    cr_assert_gt(flood_waits, 0);
    cr_assert_gt(bells, 0);
    engine_free(e);
}

/* --- batches ---------------------------------------------------------------------------------- */

enum { GROUP = SHARD_MAILS_PER_BATCH / 2, TURNS_MEANWHILE = 20 };
static struct {
    _Atomic bool is_posted;  /* by the sender, whose turn goes on */
    _Atomic uint32_t turns;  /* of the receiver, behind that */
    _Atomic uint32_t came;
    _Atomic uint32_t too_early;
    _Atomic uint64_t turn_of_first;
    _Atomic bool is_apart; /* one came in another turn than the first */
} group;

static void group_arrive(struct shard *sh, void *ctx)
{
    (void)ctx;
    group.too_early += group.turns < TURNS_MEANWHILE;
    if (group.came == 0) {
        group.turn_of_first = sh->turn;
    }
    group.is_apart = group.is_apart || sh->turn != group.turn_of_first;
    group.came++;
}

static void group_send(struct shard *sh, void *ctx)
{
    (void)ctx;
    for (uint32_t i = 0; i < GROUP; i++) {
        cr_assert_eq(machine_send(sh, 1, group_arrive, NULL), 0);
    }
    group.is_posted = true;
    while (group.turns < TURNS_MEANWHILE) { /* the receiver is awake, and looks */
        sched_yield();
    }
}

static void group_turn(struct shard *sh, void *ctx)
{
    group.turns += group.is_posted ? 1 : 0;
    if (group.turns < TURNS_MEANWHILE) {
        cr_assert_eq(machine_send(sh, 1, group_turn, ctx), 0);
    }
}

/* Who is awake takes what a turn of another posted at once, not in bites. */
Test(mailbox, a_turns_mail_arrives_together)
{
    struct machine m;

    machine_start(&m, &(struct engine_params){.shard_count = 2});
    machine_post(&m, 1, group_turn, NULL);
    machine_post(&m, 0, group_send, NULL);
    WAIT_UNTIL(group.came == GROUP);
    cr_assert_eq(group.too_early, 0);
    cr_assert_not(group.is_apart);
    machine_stop(&m);
}

/* --- bells ------------------------------------------------------------------------------------ */

static struct {
    struct io_vtable vt; /* the true one, with two entries that take notes */
    const struct io_vtable *true_vt;
    struct conn *_Atomic conn; /* of shard 0 */
    _Atomic uint32_t calls, bell_at, send_at;
} spy;

static int spy_bell(struct io *io, struct io *other, struct io_tag tag)
{
    spy.bell_at = ++spy.calls;
    return spy.true_vt->bell(io, other, tag);
}

static int spy_send(struct io *io, int fd, const char *bytes, size_t len, struct io_tag tag)
{
    spy.send_at = ++spy.calls;
    return spy.true_vt->send(io, fd, bytes, len, tag);
}

static void spy_accepted(struct shard *sh, struct conn *c, uint32_t tag)
{
    (void)tag;
    conn_set_owner(c, &echo_ops, NULL);
    if (shard_idx(sh) == 0) {
        spy.conn = c;
    }
}

static void nothing(struct shard *sh, void *ctx)
{
    (void)sh;
    (void)ctx;
}

static void send_and_post(struct shard *sh, void *ctx)
{
    (void)ctx;
    while (atomic_load_explicit(&sh->engine->shards[1].is_sleeping, memory_order_relaxed) == 0) {
        sched_yield();
    }
    spy.true_vt = sh->io->vt;
    spy.vt = *sh->io->vt;
    spy.vt.bell = spy_bell;
    spy.vt.send = spy_send;
    sh->io->vt = &spy.vt;
    buf_put(conn_out(spy.conn), SLICE_LIT("x"));
    conn_flush(spy.conn);
    cr_assert_eq(machine_send(sh, 1, nothing, NULL), 0);
}

/* What is sent in a turn is carried out on the way to the kernel: behind all that the other shard
 * would only then be woken. */
Test(mailbox, the_bell_goes_out_before_the_sends_of_its_turn)
{
    enum { CLIENTS_MAX = 8 };
    int fds[CLIENTS_MAX];
    uint32_t count = 0;
    struct machine m;
    char byte;

    machine_accepted = spy_accepted;
    machine_start(&m, &(struct engine_params){.shard_count = 2});
    while (!spy.conn) {
        cr_assert_lt(count, CLIENTS_MAX);
        fds[count++] = client_open(m.port);
        WAIT_UNTIL(machine_stats(&m, 0).conn_open + machine_stats(&m, 1).conn_open == count);
    }
    machine_post(&m, 0, send_and_post, NULL);
    cr_assert(client_recv(fds[count - 1], &byte, 1));
    WAIT_UNTIL(spy.bell_at > 0 && spy.send_at > 0);
    cr_assert_lt(spy.bell_at, spy.send_at);
    while (count > 0) {
        client_close(fds[--count]);
    }
    machine_stop(&m);
}

static _Atomic uint64_t pings;

static void ping(struct shard *sh, void *ctx)
{
    pings++;
    if (pings < 2000) {
        cr_expect_eq(machine_send(sh, 1 - shard_idx(sh), ping, ctx), 0);
    }
}

Test(mailbox, sleeping_shards_are_woken)
{
    struct machine m;

    machine_start(&m, &(struct engine_params){.shard_count = 2});
    machine_post(&m, 0, ping, NULL);
    WAIT_UNTIL(pings == 2000); /* a lost wake would take SHARD_SLEEP_MS_MAX */
    cr_assert_gt(machine_stats(&m, 0).doorbells + machine_stats(&m, 1).doorbells, 100);
    machine_stop(&m);
}
