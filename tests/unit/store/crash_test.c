/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store with SQLite and kill -9: a child writes and tells what it submits and what it is told; it
 * is killed at a random moment, also while it opens, checks or stops; then every row must be what
 * was acknowledged last, or what was still on its way: never what was refused, never anything else.
 * FEDGATE_TEST_LONG=1: 200 rounds instead of 30. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "help.h"

enum { ROWS = 40, ROUNDS = 30, ROUNDS_LONG = 200, OPS_MAX = 60000, KILL_MS_MAX = 150 };

struct news {
    uint32_t is_done; /* else: op first is about to be written */
    int32_t err;
    uint64_t first;
    uint64_t last;
};

/* What became of the ops of one round. */
enum fate { FATE_NONE, FATE_SUBMITTED, FATE_GOOD, FATE_REFUSED };

struct round {
    struct help *h;
    uint32_t seed;
    int news_fd;
    uint8_t fates[OPS_MAX + 1];
    uint64_t good;
    uint64_t refused;
    uint64_t open; /* without an answer */
};

static uint32_t mix(uint64_t n)
{
    n = (n ^ (n >> 31)) * 0x9e3779b97f4a7c15u;
    n = (n ^ (n >> 29)) * 0xbf58476d1ce4e5b9u;
    return (uint32_t)(n >> 32);
}

/* The op with this ticket; its value is unique: changed_unix_s, 0 = the row goes. */
struct op {
    uint32_t row;
    int64_t value;
    bool is_urgent;
    uint32_t document_bytes;
};

static struct op op_of(uint32_t seed, uint64_t ticket)
{
    uint32_t random = mix((uint64_t)seed << 32 | ticket);

    return (struct op){
        .row = random % ROWS,
        .value = (random >> 8) % 8 == 0 ? 0 : (int64_t)seed * (OPS_MAX + 1) + (int64_t)ticket,
        .is_urgent = (random >> 12) % 3 != 0,
        .document_bytes = (random >> 16) % 16 == 0 ? 30000 : (random >> 20) % 300,
    };
}

static void send_news(int fd, const struct news *news)
{
    if (write(fd, news, sizeof(*news)) != (ssize_t)sizeof(*news)) {
        _exit(3);
    }
}

static bool tell(uint32_t shard_idx, const struct store_done *done, void *ctx)
{
    const struct round *r = ctx;
    struct news news = {1, done->err, done->first, done->last};

    (void)shard_idx;
    send_news(r->news_fd, &news);
    return true;
}

/* The disk is full for whoever writes behind this size. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    (void)getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    (void)setrlimit(RLIMIT_FSIZE, &limit);
}

static void submit(struct round *r, struct store *s, uint64_t ticket)
{
    static char document[30000];
    const struct timespec nap = {.tv_nsec = 200000};
    struct op op = op_of(r->seed, ticket);
    struct store_item item = help_contact(op.row, STORE_STATE_GRANTED);
    struct news news = {0, 0, ticket, ticket};
    uint64_t given = 0;

    item.what = op.value ? STORE_PUT_CONTACT : STORE_DROP_CONTACT;
    item.is_urgent = op.is_urgent;
    item.contact.changed_unix_s = op.value;
    memset(document, 'a' + (char)(op.row % 26), op.document_bytes);
    item.contact.document = slice_make(document, op.document_bytes);
    send_news(r->news_fd, &news);
    while (store_write(s, 0, &item, &given) == ERR_FULL) {
        (void)nanosleep(&nap, NULL);
    }
    if (given != ticket) {
        _exit(4);
    }
    if (mix(ticket) % 16 == 0) {
        (void)nanosleep(&nap, NULL);
    }
    if (mix(ticket) % 128 == 1) {
        limit_files(mix(ticket + 1) % 2 ? RLIM_INFINITY : 100000);
    }
}

static void run_child(struct round *r)
{
    const struct store_params params = {
        .target = r->h->path,
        .shard_count = 1,
        .lazy_ms = 5,
        .queue_bytes = 1,
        .done = tell,
        .done_ctx = r,
    };
    const struct store_reader nobody = {0};
    struct store_load_report report;
    struct store *s;
    char why[512];

    (void)signal(SIGXFSZ, SIG_IGN);
    if (store_open(&s, &params, why, sizeof(why)) ||
        store_load(s, &nobody, &report, why, sizeof(why)) || store_start(s, why, sizeof(why))) {
        (void)fprintf(stderr, "%s\n", why);
        _exit(5);
    }
    for (uint64_t ticket = 1; ticket <= OPS_MAX; ticket++) {
        submit(r, s, ticket);
        if (mix(r->seed) % 5 == 0 && ticket == 300) {
            limit_files(RLIM_INFINITY);
            _exit(store_stop(s, 10000) == 0 ? 0 : 6); /* or killed within it */
        }
    }
    _exit(0);
}

static void note(struct round *r, const struct news *news)
{
    cr_assert_leq(news->last, OPS_MAX);
    for (uint64_t ticket = news->first; ticket <= news->last; ticket++) {
        cr_assert_eq(r->fates[ticket], news->is_done ? FATE_SUBMITTED : FATE_NONE);
        r->fates[ticket] = !news->is_done   ? FATE_SUBMITTED
                           : news->err == 0 ? FATE_GOOD
                                            : FATE_REFUSED;
    }
}

static uint64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Listens until the time is over, kills, hears what is left. */
static void watch(struct round *r, int fd, pid_t child, uint32_t kill_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    uint64_t end = now_ms() + kill_ms;
    bool is_killed = false;
    struct news news;
    ssize_t len = 1;
    int status;

    while (len > 0) {
        uint64_t now = now_ms();

        if (!is_killed && now >= end) {
            (void)kill(child, SIGKILL);
            is_killed = true;
        }
        if (poll(&poll_fd, 1, is_killed ? 10000 : (int)(end - now)) > 0) {
            len = read(fd, &news, sizeof(news));
            cr_assert(len == 0 || len == (ssize_t)sizeof(news));
            if (len > 0) {
                note(r, &news);
            }
        }
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
              (WIFEXITED(status) && WEXITSTATUS(status) == 0), "status %d", status);
}

struct found {
    int64_t rows[ROWS];
};

static int note_row(void *ctx, const struct store_contact *c)
{
    struct found *f = ctx;
    uint64_t n = 0;

    cr_assert(slice_parse_u64(slice_from(c->pair.local_user, 1), &n) && n < ROWS);
    for (size_t i = 0; i < c->document.len; i++) {
        cr_assert_eq(c->document.ptr[i], (char)('a' + (char)(n % 26)));
    }
    f->rows[n] = c->changed_unix_s;
    return 0;
}

/* before: what was there when the round began; becomes what is there now. */
static void check(struct round *r, struct found *before)
{
    struct found now = {{0}};
    const struct store_reader reader = {.contact = note_row, .ctx = &now};
    bool is_possible[ROWS] = {false};

    cr_assert_eq(help_open(r->h), 0, "%s", r->h->why);
    cr_assert_eq(store_load(r->h->store, &reader, &r->h->report, r->h->why, sizeof(r->h->why)), 0);
    cr_assert_eq(r->h->report.damaged, 0);
    store_free(r->h->store);
    r->h->store = NULL;
    for (uint64_t ticket = 1; ticket <= OPS_MAX && r->fates[ticket] != FATE_NONE; ticket++) {
        struct op op = op_of(r->seed, ticket);

        if (r->fates[ticket] == FATE_GOOD) {
            before->rows[op.row] = op.value;
            is_possible[op.row] = false;
            r->good++;
        } else if (r->fates[ticket] == FATE_REFUSED) {
            r->refused++;
        } else {
            is_possible[op.row] = is_possible[op.row] || now.rows[op.row] == op.value;
            r->open++;
        }
    }
    for (uint32_t i = 0; i < ROWS; i++) {
        cr_assert(now.rows[i] == before->rows[i] || is_possible[i],
                  "seed %u: row %u is %lld, acknowledged was %lld", r->seed, i,
                  (long long)now.rows[i], (long long)before->rows[i]);
    }
    *before = now;
}

Test(crash, what_was_answered_is_there_and_nothing_else)
{
    uint32_t rounds = getenv("FEDGATE_TEST_LONG") ? ROUNDS_LONG : ROUNDS;
    struct round *r = calloc(1, sizeof(*r));
    uint64_t good = 0;
    uint64_t refused = 0;
    uint64_t open = 0;
    struct found state = {{0}};
    struct help h;

    help_init(&h);
    for (uint32_t seed = 1; seed <= rounds; seed++) {
        int news[2];
        pid_t child;

        *r = (struct round){.h = &h, .seed = seed};
        cr_assert_eq(pipe2(news, O_CLOEXEC), 0);
        r->news_fd = news[1];
        child = fork();
        if (child == 0) {
            (void)close(news[0]);
            run_child(r);
        }
        (void)close(news[1]);
        watch(r, news[0], child, 1 + mix(seed) % KILL_MS_MAX);
        (void)close(news[0]);
        check(r, &state);
        good += r->good;
        refused += r->refused;
        open += r->open;
    }
    printf("%u kills: %llu rows acknowledged, %llu refused, %llu on their way\n", rounds,
           (unsigned long long)good, (unsigned long long)refused, (unsigned long long)open);
    cr_expect_gt(good, 0); /* or nothing was shown */
    cr_expect_gt(refused, 0);
    cr_expect_gt(open, 0);
    free(r);
    help_deinit(&h);
}
