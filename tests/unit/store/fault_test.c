/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store with SQLite on a disk that fails at any call: what a crash at any moment leaves behind
 * holds exactly what was acknowledged. The test is the store's thread, so that it knows the
 * moments; a crash is a copy of the files, opened by another store. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "fault_vfs.h"
#include "help.h"
#include "store/lite_int.h"
#include "store/store_int.h"

enum { ROWS = 12, DOCUMENT = 60000 };

struct model {
    struct help h;     /* the one that fails */
    struct help crash; /* where copies go */
    int64_t rows[ROWS]; /* changed_unix_s as acknowledged; 0 = no such row */
    bool has_power;     /* power cuts, too */
    uint32_t random;
    char cut[80]; /* files of a cut within a call */
    char cut_log[96];
};

static uint32_t draw(struct model *m, uint32_t bound)
{
    m->random = m->random * 1664525u + 1013904223u;
    return (m->random >> 16) % bound;
}

static void copy(const char *from, const char *to)
{
    static char bytes[1 << 16];
    int in = open(from, O_RDONLY);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ssize_t len;

    cr_assert_geq(out, 0);
    while (in >= 0 && (len = read(in, bytes, sizeof(bytes))) > 0) {
        cr_assert_eq(write(out, bytes, (size_t)len), len);
    }
    if (in >= 0) {
        (void)close(in);
    }
    (void)close(out);
}

static int note_row(void *ctx, const struct store_contact *c)
{
    int64_t *rows = ctx;
    uint64_t n = 0;

    cr_assert(slice_parse_u64(slice_from(c->pair.local_user, 1), &n) && n < ROWS);
    cr_assert_eq(c->document.len, DOCUMENT);
    rows[n] = c->changed_unix_s;
    return 0;
}

/* What a start finds in the files at crash: rows as in this model or in the other one. */
static void check_found(struct model *m, const int64_t rows[ROWS], const int64_t other[ROWS])
{
    int64_t found[ROWS] = {0};
    const struct store_reader reader = {.contact = note_row, .ctx = found};
    struct faults before = faults;
    int err;

    faults_off();
    err = help_open(&m->crash);
    cr_assert_eq(err, 0, "%s", m->crash.why);
    cr_assert_eq(store_load(m->crash.store, &reader, &m->crash.report, m->crash.why,
                            sizeof(m->crash.why)), 0);
    cr_assert_eq(m->crash.report.damaged, 0);
    store_free(m->crash.store);
    m->crash.store = NULL;
    (void)unlink(m->crash.path);
    (void)unlink(m->crash.wal);
    for (uint32_t i = 0; i < ROWS && memcmp(found, other, sizeof(found)) != 0; i++) {
        cr_assert_eq(found[i], rows[i], "row %u: found %lld, acknowledged %lld", i,
                     (long long)found[i], (long long)rows[i]);
    }
    faults = before;
}

/* What the next start would find. Copies are made of a store at rest: between two calls. */
static void check_crash(struct model *m)
{
    copy(m->h.path, m->crash.path);
    copy(m->h.wal, m->crash.wal);
    check_found(m, m->rows, m->rows);
    if (m->has_power) {
        power_cut(m->crash.path, draw(m, 65536));
        check_found(m, m->rows, m->rows);
    }
}

/* One commit of up to three rows, and what the model makes of its outcome. */
static void commit_some(struct model *m, int64_t now)
{
    static char document[DOCUMENT];
    struct store *s = m->h.store;
    uint32_t rows[3];
    uint32_t count = 1 + draw(m, 3);
    uint64_t ticket = 0;
    bool did = false;
    int err;

    memset(document, 'a' + (char)(now % 26), sizeof(document));
    for (uint32_t i = 0; i < count; i++) {
        struct store_item c = help_contact(rows[i] = draw(m, ROWS), STORE_STATE_GRANTED);

        c.contact.changed_unix_s = now;
        c.contact.document = slice_make(document, sizeof(document));
        cr_assert_eq(store_write(s, 0, &c, &ticket), 0);
    }
    cr_assert(batch_gather(s));
    batch_commit(s);
    cr_assert(tell_all(s));
    err = help_await(&m->h, 0, ticket);
    for (uint32_t i = 0; i < count && err == 0; i++) {
        m->rows[rows[i]] = now;
    }
    check_crash(m);
    if (s->backend->tidy(s->self, draw(m, 2) == 0, &did) != 0) {
        check_crash(m);
    }
}

static void begin(struct model *m, uint32_t seed)
{
    fault_vfs_install();
    memset(m, 0, sizeof(*m));
    m->random = seed;
    help_init(&m->h);
    help_init(&m->crash);
    cr_assert_eq(help_open(&m->h), 0);
}

static void end(struct model *m)
{
    faults_off();
    cr_assert_gt(faults.happened, 0); /* or nothing was shown */
    commit_some(m, 999999);           /* works again */
    cr_assert_eq(m->h.report.damaged, 0);
    cr_expect_not(store_is_failing(m->h.store));
    help_deinit(&m->crash);
    help_deinit(&m->h);
}

/* The worst: all of it is written, only the last word of the disk is no. */
Test(fault, a_commit_whose_sync_fails_does_not_come_back_after_a_crash)
{
    struct model m;

    begin(&m, 1);
    commit_some(&m, 1);
    for (int64_t now = 2; now < 10; now++) {
        faults.at[FAULT_LOG][FAULT_SYNC] = 1;
        commit_some(&m, now);
        cr_expect(store_is_failing(m.h.store));
        faults_off();
    }
    end(&m);
}

/* Nor when the log cannot be cut: then the refused frames are made void. */
Test(fault, nor_when_the_log_cannot_be_cut)
{
    struct model m;

    begin(&m, 2);
    commit_some(&m, 1);
    for (int64_t now = 2; now < 10; now++) {
        faults.at[FAULT_LOG][FAULT_SYNC] = 1;
        faults.at[FAULT_LOG][FAULT_TRUNCATE] = 1;
        commit_some(&m, now);
        faults_off();
    }
    end(&m);
}

/* The first commit into a log that begins anew: its end is not where the last one was. */
Test(fault, nor_right_after_the_log_was_folded)
{
    struct model m;
    struct lite *l;

    begin(&m, 3);
    for (int64_t now = 1; now < 30; now += 2) {
        commit_some(&m, now);
        l = m.h.store->self;
        cr_assert_eq(lite_checkpoint(l), 0);
        faults.at[FAULT_LOG][FAULT_SYNC] = 2; /* the first is that of the log's header */
        commit_some(&m, now + 1);
        faults_off();
    }
    end(&m);
}

Test(fault, nor_after_folding_failed)
{
    struct model m;
    struct lite *l;

    begin(&m, 4);
    for (int64_t now = 1; now < 30; now += 2) {
        commit_some(&m, now);
        l = m.h.store->self;
        faults.at[now % 4 == 1 ? FAULT_LOG : FAULT_DB][FAULT_TRUNCATE] = 1;
        faults.at[FAULT_DB][FAULT_SYNC] = now % 3 == 0;
        (void)lite_checkpoint(l);
        check_crash(&m);
        faults_off();
        faults.at[FAULT_LOG][FAULT_SYNC] = 1 + (uint32_t)now % 2;
        commit_some(&m, now + 1);
        faults_off();
    }
    end(&m);
}

Test(fault, any_call_may_fail_at_any_time)
{
    enum { SEEDS = 3, STEPS = 50 };
    struct model m;

    for (uint32_t seed = 100; seed < 100 + SEEDS; seed++) {
        faults.happened = 0;
        begin(&m, seed);
        for (int64_t now = 1; now <= STEPS; now++) {
            if (draw(&m, 3) == 0) {
                enum fault_file file = draw(&m, 3) == 0 ? FAULT_DB : FAULT_LOG;

                faults.at[file][FAULT_WRITE + draw(&m, 2)] = 1 + draw(&m, 12);
            }
            commit_some(&m, now);
            if (draw(&m, 2) == 0) {
                faults_off();
            }
        }
        end(&m);
    }
}

/* Not the process ends but the machine: what was not synced is lost in part, between commits ... */
Test(fault, what_was_acknowledged_outlives_a_power_cut)
{
    struct model m;

    fault_vfs_install();
    memset(&m, 0, sizeof(m));
    m.random = 77;
    help_init(&m.h);
    help_init(&m.crash);
    power_watch(m.h.path);
    cr_assert_eq(help_open(&m.h), 0);
    m.has_power = true;
    for (int64_t now = 1; now <= 40; now++) {
        if (draw(&m, 4) == 0) { /* syncs tell the truth here */
            faults.at[FAULT_LOG][FAULT_WRITE] = 1 + draw(&m, 20);
        }
        commit_some(&m, now);
        faults_off();
    }
    end(&m);
}

/* ... and in the middle of one, or of folding the log: then it is there wholly or not at all. */
Test(fault, a_power_cut_within_a_commit_leaves_all_or_nothing)
{
    uint32_t cuts = 0;
    struct model m;

    fault_vfs_install();
    memset(&m, 0, sizeof(m));
    m.random = 78;
    help_init(&m.h);
    help_init(&m.crash);
    (void)snprintf(m.cut, sizeof(m.cut), "%s/cut", m.crash.folder);
    (void)snprintf(m.cut_log, sizeof(m.cut_log), "%s-wal", m.cut);
    power_watch(m.h.path);
    cr_assert_eq(help_open(&m.h), 0);
    for (int64_t now = 1; now <= 56; now++) {
        int64_t before[ROWS];

        memcpy(before, m.rows, sizeof(before));
        power_cut_at(1 + draw(&m, now % 8 == 0 ? 400 : 60), m.cut, draw(&m, 65536));
        commit_some(&m, now);
        if (now % 8 == 0) {
            cr_assert_eq(lite_checkpoint(m.h.store->self), 0);
        }
        if (power_was_cut()) {
            cuts++;
            cr_assert_eq(rename(m.cut, m.crash.path), 0);
            cr_assert_eq(rename(m.cut_log, m.crash.wal), 0);
            check_found(&m, before, m.rows);
        }
        power_cut_at(0, NULL, 0);
    }
    cr_assert_gt(cuts, 20);
    faults.happened = cuts;
    end(&m);
}
