/* SPDX-License-Identifier: GPL-2.0-or-later */
/* help: stores in folders of their own. */
#include "help.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

#define NAME_BYTES 32u
#define DUMP_BYTES (1u << 16)
#define HOUR_MS    3600000u
#define STOP_MS    20000u

void help_init(struct help *h)
{
    const char *base = getenv("TMPDIR");

    /* In memory: the disk's syncs take most of the time, and no test here waits for them to be
     * true. */
    if (!base) {
        base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    }
    *h = (struct help){.told = calloc(HELP_SHARDS, sizeof(*h->told))};
    (void)snprintf(h->folder, sizeof(h->folder), "%s/fg-store-XXXXXX", base);
    cr_assert_not_null(mkdtemp(h->folder));
    (void)snprintf(h->path, sizeof(h->path), "%s/store.db", h->folder);
    (void)snprintf(h->wal, sizeof(h->wal), "%s-wal", h->path);
}

void help_deinit(struct help *h)
{
    struct dirent *entry;
    char path[512];
    DIR *dir;

    if (h->store) {
        cr_expect_eq(store_stop(h->store, STOP_MS), 0);
        store_free(h->store);
    }
    dir = opendir(h->folder);
    while (dir && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            (void)snprintf(path, sizeof(path), "%s/%s", h->folder, entry->d_name);
            (void)remove(path);
        }
    }
    if (dir) {
        (void)closedir(dir);
    }
    (void)rmdir(h->folder);
    free(h->told);
}

static bool collect(uint32_t shard_idx, const struct store_done *done, void *ctx)
{
    struct help *h = ctx;
    struct help_told *t = &h->told[shard_idx];
    uint32_t count = atomic_load_explicit(&t->count, memory_order_relaxed);

    if (atomic_load_explicit(&t->refuse_next, memory_order_acquire) != 0) {
        (void)atomic_fetch_sub_explicit(&t->refuse_next, 1, memory_order_acq_rel);
        (void)atomic_fetch_add_explicit(&t->refused, 1, memory_order_acq_rel);
        return false;
    }
    if (count < HELP_DONES_MAX) {
        t->dones[count] = *done;
        atomic_store_explicit(&t->count, count + 1, memory_order_release);
    }
    atomic_store_explicit(&t->last, done->last, memory_order_release);
    return true;
}

int help_open(struct help *h)
{
    const struct store_params params = {
        .target = h->path,
        .shard_count = HELP_SHARDS,
        .lazy_ms = h->lazy_ms ? h->lazy_ms : HOUR_MS,
        .queue_bytes = 1,
        .reach_rows_max = h->reach_rows_max,
        .done = collect,
        .done_ctx = h,
        .backend = h->backend,
    };

    h->why[0] = 0;
    memset(h->told, 0, HELP_SHARDS * sizeof(*h->told));
    return store_open(&h->store, &params, h->why, sizeof(h->why));
}

void help_start(struct help *h)
{
    const struct store_reader nobody = {0};
    int err = help_open(h);

    if (err) {
        (void)fprintf(stderr, "%s\n", h->why);
    }
    cr_assert_eq(err, 0);
    cr_assert_eq(store_load(h->store, &nobody, &h->report, h->why, sizeof(h->why)), 0);
    cr_assert_eq(store_start(h->store, h->why, sizeof(h->why)), 0);
}

void help_stop(struct help *h)
{
    cr_assert_eq(store_stop(h->store, STOP_MS), 0);
    store_free(h->store);
    h->store = NULL;
}

/* Names live until the next call but three. */
static struct slice name(const char *prefix, uint32_t n)
{
    static char names[4][NAME_BYTES];
    static uint32_t next;
    char *at = names[next++ % 4];

    (void)snprintf(at, NAME_BYTES, "%s%u", prefix, (unsigned)n);
    return slice_from_cstr(at);
}

static struct store_pair pair(uint32_t n)
{
    return (struct store_pair){name("u", n), SLICE_LIT("corp.test"), name("r", n),
                               SLICE_LIT("partner.test")};
}

struct store_item help_contact(uint32_t n, enum store_state state)
{
    return (struct store_item){
        .what = STORE_PUT_CONTACT,
        .contact = {.pair = pair(n),
                    .direction = STORE_OUT,
                    .state = state,
                    .asked_by = STORE_BY_LOCAL,
                    .asked_unix_s = 5,
                    .changed_unix_s = 6},
    };
}

struct store_item help_reach(uint32_t n, uint32_t flags, int64_t wrote_unix_s)
{
    return (struct store_item){
        .what = STORE_PUT_REACH,
        .reach = {.pair = pair(n), .flags = flags, .wrote_unix_s = wrote_unix_s},
    };
}

uint64_t help_write(struct help *h, uint32_t shard_idx, struct store_item item, bool is_urgent)
{
    uint64_t ticket = 0;

    item.is_urgent = is_urgent;
    cr_assert_eq(store_write(h->store, shard_idx, &item, &ticket), 0);
    return ticket;
}

bool help_until(bool (*fn)(void *ctx), void *ctx)
{
    const struct timespec nap = {.tv_nsec = 1000000};

    for (uint32_t i = 0; i < HELP_WAIT_MS; i++) {
        if (fn(ctx)) {
            return true;
        }
        (void)nanosleep(&nap, NULL);
    }
    return false;
}

struct awaited {
    struct help_told *told;
    uint64_t ticket;
};

static bool is_told(void *ctx)
{
    struct awaited *a = ctx;

    return atomic_load_explicit(&a->told->last, memory_order_acquire) >= a->ticket;
}

int help_await(struct help *h, uint32_t shard_idx, uint64_t ticket)
{
    struct awaited a = {&h->told[shard_idx], ticket};
    uint32_t count;

    cr_assert(help_until(is_told, &a));
    count = atomic_load_explicit(&a.told->count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        if (a.told->dones[i].first <= ticket && ticket <= a.told->dones[i].last) {
            return a.told->dones[i].err;
        }
    }
    return ERR_NOT_FOUND;
}

int help_put(struct help *h, struct store_item item)
{
    return help_await(h, 0, help_write(h, 0, item, true));
}

static int dump_contact(void *ctx, const struct store_contact *c)
{
    static const char *const states[] = {"none", "asked", "granted", "denied", "blocked"};
    static const char *const askers[] = {"partner", "local", "administrator"};
    char *text = ctx;
    size_t len = strlen(text);

    (void)snprintf(text + len, DUMP_BYTES - len,
                   "%.*s@%.*s>%.*s@%.*s %s %s %s %lld %lld [%.*s] [%.*s]\n",
                   SLICE_FMT(c->pair.local_user), SLICE_FMT(c->pair.local_domain),
                   SLICE_FMT(c->pair.remote_user), SLICE_FMT(c->pair.remote_domain),
                   c->direction == STORE_IN ? "in" : "out", states[c->state], askers[c->asked_by],
                   (long long)c->asked_unix_s, (long long)c->changed_unix_s, SLICE_FMT(c->dialogs),
                   SLICE_FMT(c->document));
    return 0;
}

static int dump_reach(void *ctx, const struct store_reach *r)
{
    char *text = ctx;
    size_t len = strlen(text);

    (void)snprintf(text + len, DUMP_BYTES - len, "reach %.*s>%.*s %u %lld\n",
                   SLICE_FMT(r->pair.local_user), SLICE_FMT(r->pair.remote_user),
                   (unsigned)r->flags, (long long)r->wrote_unix_s);
    return 0;
}

static int dump_fact(void *ctx, const struct store_fact *f)
{
    char *text = ctx;
    size_t len = strlen(text);

    (void)snprintf(text + len, DUMP_BYTES - len, "fact %.*s=%.*s\n", SLICE_FMT(f->name),
                   SLICE_FMT(f->value));
    return 0;
}

const char *help_dump(struct help *h)
{
    static char text[DUMP_BYTES];
    const struct store_reader reader = {dump_contact, dump_reach, dump_fact, text};
    int err;

    text[0] = 0;
    err = help_open(h);
    if (err) {
        (void)fprintf(stderr, "%s\n", h->why);
    }
    cr_assert_eq(err, 0);
    cr_assert_eq(store_load(h->store, &reader, &h->report, h->why, sizeof(h->why)), 0);
    help_stop(h);
    return text;
}

bool help_contains(const char *text, const char *part)
{
    if (strstr(text, part)) {
        return true;
    }
    (void)fprintf(stderr, "\"%s\" is not in: %s\n", part, text);
    return false;
}
