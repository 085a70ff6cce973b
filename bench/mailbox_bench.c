/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mailbox_bench: what a mail costs. The ring alone, by one thread (two cache lines stay at home)
 * and between two; then through the engine: 256 mails that two shards hand to each other, bells and
 * turns included, and a shard to itself. A mail on its way back counts as one. Stanzas: blocks that
 * shard 0 makes, another copies out of and frees some time later, as a component's leg does. Order
 * and number are checked. race.h: options. */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>

#include "base/pool.h"
#include "engine/engine.h"
#include "engine/mailbox.h"
#include "race.h"

#define LOOPS       200000u
#define CHECK_LOOPS 4096u
#define BATCH       64u
#define FLYING      256u
#define CONN_MAX    16u

#define STANZA_BYTES 360u /* with its names */
#define CUSTODY      512u
#define CREDIT       256u /* stanzas between two answers */
#define CREDITS      4u

enum { MAIL_BEGIN, MAIL_THERE, MAIL_BACK, MAIL_SEND, MAIL_STANZA, MAIL_CREDIT, MAIL_OVER };

struct world {
    struct mailbox *box;
    struct mail *mails; /* MAILBOX_ENTRIES */
    uint32_t loops;     /* of the producing thread */
    struct engine *engine;
    sem_t done;
    uint32_t to_idx; /* the shard that shard 0 hands its mails to */
    uint32_t left;   /* mails still to be handed over; shard 0's */
    uint32_t flying;
    struct list custody; /* struct mail.link, owned; the receiving shard's */
    uint32_t custody_count;
    uint32_t received;
    char out[STANZA_BYTES];
};

struct numbered {
    struct mail mail;
    uint32_t number;
    char bytes[]; /* of stanzas */
};

static struct mail *nth(const struct world *w, uint32_t i)
{
    return &w->mails[i % MAILBOX_ENTRIES];
}

static void run_singly(void *world, uint32_t loops)
{
    struct world *w = world;
    struct mail *out;

    for (uint32_t i = 0; i < loops; i++) {
        RACE_MUST(mailbox_push(w->box, nth(w, i)));
        RACE_MUST(mailbox_pop(w->box, &out, 1) == 1 && out == nth(w, i));
    }
}

static void run_batches(void *world, uint32_t loops)
{
    struct world *w = world;
    struct mail *out[BATCH];

    for (uint32_t at = 0; at < loops; at += BATCH) {
        for (uint32_t i = 0; i < BATCH; i++) {
            RACE_MUST(mailbox_push(w->box, nth(w, at + i)));
        }
        RACE_MUST(mailbox_pop(w->box, out, BATCH) == BATCH && out[BATCH - 1] == nth(w, at + 63));
    }
}

static void *produce(void *world)
{
    struct world *w = world;

    for (uint32_t i = 0; i < w->loops;) {
        if (mailbox_push(w->box, nth(w, i))) {
            i++;
        } else {
            (void)sched_yield();
        }
    }
    return NULL;
}

static void run_threads(void *world, uint32_t loops)
{
    struct world *w = world;
    struct mail *out[BATCH];
    pthread_t thread;
    uint32_t seen = 0;

    w->loops = loops;
    RACE_MUST(pthread_create(&thread, NULL, produce, w) == 0);
    while (seen < loops) {
        uint32_t n = mailbox_pop(w->box, out, BATCH);

        for (uint32_t i = 0; i < n; i++) {
            RACE_MUST(out[i] == nth(w, seen + i));
        }
        seen += n;
        if (n == 0) {
            (void)sched_yield();
        }
    }
    RACE_MUST(pthread_join(thread, NULL) == 0);
}

/* ---- the engine ---- */

static int on_start(struct shard *sh, void *ctx, void **shard_app)
{
    (void)sh;
    *shard_app = ctx;
    return 0;
}

static void on_stop(struct shard *sh, void *shard_app)
{
    (void)sh;
    (void)shard_app;
}

static void on_accepted(struct shard *sh, struct conn *c, uint32_t tag)
{
    (void)sh;
    (void)c;
    race_die("mailbox_bench: a connection with tag %u", tag);
}

static void on_snapshot(struct shard *sh, const void *old_snapshot, const void *new_snapshot)
{
    (void)sh;
    (void)old_snapshot;
    (void)new_snapshot;
}

static void hand_over(struct shard *sh, struct world *w, struct numbered *m)
{
    if (w->left == 0) {
        mail_free(&m->mail);
        if (--w->flying == 0) {
            RACE_MUST(sem_post(&w->done) == 0);
        }
        return;
    }
    m->number = w->left--;
    m->mail.kind = MAIL_THERE;
    RACE_MUST(shard_post(sh, w->to_idx, &m->mail) == 0);
}

static void begin(struct shard *sh, struct world *w)
{
    w->flying = FLYING;
    for (uint32_t i = 0; i < FLYING; i++) {
        struct numbered *m = pool_zalloc(sizeof(*m));

        RACE_MUST(m != NULL);
        hand_over(sh, w, m);
    }
}

static void send_stanzas(struct shard *sh, struct world *w, uint32_t count_max)
{
    for (uint32_t i = 0; i < count_max && w->left > 0; i++) {
        struct numbered *m = pool_alloc(sizeof(*m) + STANZA_BYTES);

        RACE_MUST(m != NULL);
        m->mail.kind = MAIL_STANZA;
        m->number = w->left--;
        memset(m->bytes, (int)m->number, STANZA_BYTES);
        RACE_MUST(shard_post(sh, w->to_idx, &m->mail) == 0);
    }
}

static void empty_custody(struct world *w, uint32_t count_max)
{
    struct list *link;

    while (w->custody_count > count_max && (link = list_pop_front(&w->custody))) {
        w->custody_count--;
        mail_free(LIST_ENTRY(link, struct mail, link));
    }
}

static void receive_stanza(struct shard *sh, struct world *w, struct numbered *m)
{
    bool is_last = m->number == 1;
    struct mail *credit;

    memcpy(w->out, m->bytes, STANZA_BYTES);
    RACE_MUST(w->out[STANZA_BYTES - 1] == (char)m->number);
    list_push_back(&w->custody, &m->mail.link);
    w->custody_count++;
    empty_custody(w, is_last ? 0 : CUSTODY);
    if (is_last || ++w->received % CREDIT == 0) {
        credit = pool_zalloc(sizeof(*credit));
        RACE_MUST(credit != NULL);
        credit->kind = is_last ? MAIL_OVER : MAIL_CREDIT;
        shard_post_reply(sh, 0, credit);
    }
}

static void on_mail(struct shard *sh, struct mail *mail)
{
    struct world *w = shard_app(sh);
    static _Thread_local uint32_t last; /* numbers fall */
    struct numbered *m = CONTAINER_OF(mail, struct numbered, mail);

    switch (mail->kind) {
    case MAIL_BEGIN:
        mail_free(mail);
        begin(sh, w);
        break;
    case MAIL_THERE:
        RACE_MUST(last <= 1 || m->number == last - 1);
        last = m->number;
        mail->kind = MAIL_BACK;
        shard_post_reply(sh, 0, mail);
        break;
    case MAIL_SEND:
        mail_free(mail);
        w->received = 0;
        send_stanzas(sh, w, CREDITS * CREDIT);
        break;
    case MAIL_CREDIT:
        mail_free(mail);
        send_stanzas(sh, w, CREDIT);
        break;
    case MAIL_OVER: /* behind all credits: none is left for the next pass */
        mail_free(mail);
        RACE_MUST(sem_post(&w->done) == 0);
        break;
    case MAIL_STANZA:
        receive_stanza(sh, w, m);
        break;
    default:
        hand_over(sh, w, m);
        break;
    }
}

static void pass(struct world *w, uint32_t first_kind, uint32_t to_idx, uint32_t count)
{
    struct numbered *m = pool_zalloc(sizeof(*m));

    RACE_MUST(m != NULL);
    w->to_idx = to_idx;
    w->left = count;
    m->mail.kind = first_kind;
    RACE_MUST(engine_post(w->engine, 0, &m->mail) == 0);
    while (sem_wait(&w->done) != 0) {
    }
}

static void run_shards(void *world, uint32_t loops)
{
    pass(world, MAIL_BEGIN, 1, loops / 2); /* there and back */
}

static void run_own_shard(void *world, uint32_t loops)
{
    pass(world, MAIL_BEGIN, 0, loops / 2);
}

static void run_stanzas(void *world, uint32_t loops)
{
    pass(world, MAIL_SEND, 1, loops);
}

static void run_own_stanzas(void *world, uint32_t loops)
{
    pass(world, MAIL_SEND, 0, loops);
}

static void set_up(struct world *w)
{
    static const struct engine_app app = {.shard_start = on_start,
                                          .shard_stop = on_stop,
                                          .accepted = on_accepted,
                                          .mail = on_mail,
                                          .snapshot_changed = on_snapshot};
    static alignas(64) struct mailbox box;
    char why[256];

    w->box = &box;
    w->mails = pool_heap_zalloc(MAILBOX_ENTRIES * sizeof(*w->mails));
    RACE_MUST(sem_init(&w->done, 0, 0) == 0);
    list_init(&w->custody);
    if (engine_new(&w->engine,
                   &(struct engine_params){.app = &app, .app_ctx = w, .shard_count = 2,
                                           .pin = true, .conn_max = CONN_MAX},
                   why, sizeof(why)) != 0) {
        race_die("mailbox_bench: %s", why);
    }
}

int main(int argc, char **argv)
{
    static struct racer all[] = {
        {.name = "ring, one thread, singly", .run = run_singly, .against = RACE_ALONE},
        {.name = "ring, one thread, 64 at a time", .run = run_batches, .against = RACE_ALONE},
        {.name = "ring, two threads (wall)", .run = run_threads, .clock = RACE_WALL,
         .against = RACE_ALONE},
        {.name = "shard to itself (CPU)", .run = run_own_shard, .clock = RACE_PROCESS,
         .against = RACE_ALONE},
        {.name = "shard to shard (CPU of both)", .run = run_shards, .clock = RACE_PROCESS,
         .against = RACE_ALONE},
        {.name = "shard to shard (wall)", .run = run_shards, .clock = RACE_WALL,
         .against = RACE_ALONE},
        {.name = "stanzas, to itself (CPU)", .run = run_own_stanzas, .clock = RACE_PROCESS,
         .against = RACE_ALONE},
        {.name = "stanzas, to another (CPU of both)", .run = run_stanzas,
         .clock = RACE_PROCESS, .against = RACE_ALONE},
    };
    static struct race race = {.bench = "mailbox_bench", .unit = "mail", .loops = LOOPS};
    static struct world w;

    race_options(&race, argc, argv, CHECK_LOOPS);
    race.loops -= race.loops % (2 * BATCH);
    set_up(&w);
    race_run(&race, all, ARRAY_COUNT(all), &w);
    race_print(&race, all, ARRAY_COUNT(all));
    engine_free(w.engine);
    pool_heap_free(w.mails);
    return 0;
}
