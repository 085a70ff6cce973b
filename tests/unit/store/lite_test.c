/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store with SQLite: what was acknowledged is there after a restart, as it was written. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "help.h"

static struct store_item drop(struct store_item item)
{
    item.what = item.what == STORE_PUT_CONTACT ? STORE_DROP_CONTACT : STORE_DROP_REACH;
    return item;
}

Test(lite, rows_come_back_as_they_were_written)
{
    struct store_item fact = {.what = STORE_PUT_FACT, .fact = {SLICE_LIT("a"), SLICE_LIT("b")}};
    struct store_item in = help_contact(2, STORE_STATE_BLOCKED);
    struct store_item out = help_contact(1, STORE_STATE_GRANTED);
    struct help h;

    help_init(&h);
    help_start(&h);
    out.contact.dialogs = SLICE_LIT("some dialogs");
    out.contact.document = SLICE_LIT("a document");
    in.contact.direction = STORE_IN;
    in.contact.asked_by = STORE_BY_ADMIN;
    in.contact.pair.local_user = SLICE_NONE;
    cr_expect_eq(help_put(&h, out), 0);
    cr_expect_eq(help_put(&h, in), 0);
    cr_expect_eq(help_put(&h, help_reach(3, STORE_REACH_ADDED | STORE_REACH_CONSENTED, 77)), 0);
    cr_expect_eq(help_put(&h, fact), 0);
    help_stop(&h);
    cr_expect_str_eq(help_dump(&h),
                     "fact a=b\nfact store.boots=2\nfact store.clean=0\n"
                     "u1@corp.test>r1@partner.test out granted local 5 6 [some dialogs] "
                     "[a document]\n"
                     "@corp.test>r2@partner.test in blocked administrator 5 6 [] []\n"
                     "reach u3>r3 3 77\n");
    cr_expect_eq(h.report.contacts, 2);
    cr_expect_eq(h.report.reach, 1);
    cr_expect_eq(h.report.damaged, 0);
    help_deinit(&h);
}

Test(lite, an_update_replaces_and_keeps_what_it_says)
{
    struct store_item c = help_contact(1, STORE_STATE_ASKED);
    struct help h;

    help_init(&h);
    help_start(&h);
    c.contact.dialogs = SLICE_LIT("d1");
    c.contact.document = SLICE_LIT("p1");
    cr_expect_eq(help_put(&h, c), 0);
    c = help_contact(1, STORE_STATE_GRANTED);
    c.contact.changed_unix_s = 9;
    c.contact.keep_dialogs = true;
    c.contact.document = SLICE_LIT("p2");
    cr_expect_eq(help_put(&h, c), 0);
    c = help_contact(2, STORE_STATE_ASKED);
    c.contact.keep_dialogs = c.contact.keep_document = true; /* of a row that is new */
    cr_expect_eq(help_put(&h, c), 0);
    c = help_contact(3, STORE_STATE_ASKED);
    c.contact.document = SLICE_LIT("p3");
    cr_expect_eq(help_put(&h, c), 0);
    c.contact.document = SLICE_NONE;
    cr_expect_eq(help_put(&h, c), 0);
    cr_expect_eq(help_put(&h, help_reach(1, STORE_REACH_ADDED, 0)), 0);
    cr_expect_eq(help_put(&h, help_reach(1, 0, 44)), 0);
    help_stop(&h);
    cr_expect(help_contains(help_dump(&h),
                            "u1@corp.test>r1@partner.test out granted local 5 9 [d1] [p2]\n"
                            "u2@corp.test>r2@partner.test out asked local 5 6 [] []\n"
                            "u3@corp.test>r3@partner.test out asked local 5 6 [] []\n"
                            "reach u1>r1 0 44\n"));
    help_deinit(&h);
}

Test(lite, what_is_dropped_is_gone)
{
    struct store_item in = help_contact(1, STORE_STATE_GRANTED);
    struct help h;

    help_init(&h);
    help_start(&h);
    in.contact.direction = STORE_IN;
    cr_expect_eq(help_put(&h, in), 0);
    cr_expect_eq(help_put(&h, help_contact(1, STORE_STATE_GRANTED)), 0);
    cr_expect_eq(help_put(&h, drop(help_contact(1, STORE_STATE_NONE))), 0);
    cr_expect_eq(help_put(&h, drop(help_contact(99, STORE_STATE_NONE))), 0);
    cr_expect_eq(help_put(&h, help_reach(1, 0, 1)), 0);
    cr_expect_eq(help_put(&h, drop(help_reach(1, 0, 0))), 0);
    help_stop(&h);
    cr_expect(help_contains(help_dump(&h),
                            "clean=0\nu1@corp.test>r1@partner.test in granted local 5 6 [] []\n"));
    cr_expect_eq(h.report.reach, 0);
    help_deinit(&h);
}

Test(lite, the_file_is_for_its_owner_alone_whatever_the_umask)
{
    struct stat st;
    struct help h;

    help_init(&h);
    (void)umask(0);
    help_start(&h);
    cr_expect_eq(help_put(&h, help_contact(1, STORE_STATE_GRANTED)), 0);
    cr_assert_eq(stat(h.path, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0600);
    cr_assert_eq(stat(h.wal, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0600);
    help_stop(&h);
    (void)chmod(h.path, 0666);
    (void)umask(0777);
    help_start(&h);
    cr_assert_eq(stat(h.path, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0600);
    help_stop(&h);
    cr_expect_neq(stat(h.wal, &st), 0); /* a clean stop leaves one file */
    help_deinit(&h);
}

Test(lite, what_waits_lazily_is_committed_in_time_and_at_the_stop)
{
    struct help h;
    uint64_t ticket;

    help_init(&h);
    h.lazy_ms = 20;
    help_start(&h);
    ticket = help_write(&h, 1, help_contact(1, STORE_STATE_ASKED), false);
    cr_expect_eq(help_await(&h, 1, ticket), 0);
    help_stop(&h);
    h.lazy_ms = 0;
    help_start(&h);
    (void)help_write(&h, 2, help_contact(2, STORE_STATE_ASKED), false);
    cr_assert_eq(store_stop(h.store, HELP_WAIT_MS), 0);
    /* told within the stop */
    cr_expect_eq(atomic_load_explicit(&h.told[2].last, memory_order_acquire), 1);
    store_free(h.store);
    cr_expect(help_contains(help_dump(&h), "u2@corp.test"));
    cr_expect_eq(h.report.contacts, 2);
    help_deinit(&h);
}

Test(lite, reach_is_bounded_the_oldest_without_flags_go)
{
    struct help h;

    help_init(&h);
    h.reach_rows_max = 80;
    help_start(&h);
    (void)help_write(&h, 0, help_reach(1, STORE_REACH_ADDED, 0), false);
    for (uint32_t n = 2; n <= 80; n++) {
        (void)help_write(&h, 0, help_reach(n, 0, (int64_t)n * 100), false);
    }
    cr_expect_eq(help_put(&h, help_reach(80, 0, 1)), 0); /* an update: still 80 rows */
    cr_expect_eq(help_put(&h, help_reach(81, 0, 5)), 0);
    help_stop(&h);
    (void)help_dump(&h);
    cr_expect_eq(h.report.reach, 70);
    cr_expect(help_contains(help_dump(&h), "reach u1>r1 1 0\n"));
    cr_expect(help_contains(help_dump(&h), "reach u79>r79 0 7900\n"));
    cr_expect_null(strstr(help_dump(&h), "reach u10>"));
    cr_expect_null(strstr(help_dump(&h), "reach u81>"));
    help_deinit(&h);
}

static int count_row(void *ctx, const struct store_contact *c)
{
    uint64_t *bytes = ctx;

    *bytes += c->dialogs.len + c->document.len;
    return 0;
}

static bool has_room(void *ctx)
{
    struct help *h = ctx;
    struct store_stats stats;

    store_stats_read(h->store, &stats);
    return stats.queue_bytes < 900000;
}

static uint64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Prints times, decides by none: the bound of the issue (all of a start-up under 3 s) is
 * bench's. */
Test(lite, a_hundred_thousand_contacts)
{
#ifdef FEDGATE_SANITIZED
    enum { ROWS = 20000, DIALOGS = 300, DOCUMENT = 500 };
#else
    enum { ROWS = 100000, DIALOGS = 300, DOCUMENT = 500 };
#endif
    static char bytes[DOCUMENT];
    struct store_stats stats;
    uint64_t loaded = 0;
    struct store_reader reader = {.contact = count_row, .ctx = &loaded};
    uint64_t began = now_ms();
    uint64_t last = 0;
    struct help h;

    (void)setenv("TMPDIR", "/var/tmp", 0); /* on a disk: times are to be seen */
    help_init(&h);
    memset(bytes, 'x', sizeof(bytes));
    help_start(&h);
    for (uint32_t n = 0; n < ROWS;) {
        struct store_item c = help_contact(n, STORE_STATE_GRANTED);
        int err;

        c.contact.dialogs = slice_make(bytes, DIALOGS);
        c.contact.document = slice_make(bytes, DOCUMENT);
        err = store_write(h.store, 0, &c, &last);

        cr_assert(err == 0 || err == ERR_FULL);
        n += err == 0;
        cr_assert(err == 0 || help_until(has_room, &h));
    }
    cr_assert_eq(store_stop(h.store, HELP_WAIT_MS), 0);
    store_stats_read(h.store, &stats);
    store_free(h.store);
    printf("%d contacts: written in %llu ms (%llu commits, largest %llu rows, longest %llu us"
           ")",
           ROWS, (unsigned long long)(now_ms() - began), (unsigned long long)stats.commits,
           (unsigned long long)stats.batch_rows_max, (unsigned long long)stats.commit_us_max);
    began = now_ms();
    cr_assert_eq(help_open(&h), 0);
    printf(", opened in %llu ms", (unsigned long long)(now_ms() - began));
    began = now_ms();
    cr_assert_eq(store_load(h.store, &reader, &h.report, h.why, sizeof(h.why)), 0);
    printf(", loaded in %llu ms", (unsigned long long)(now_ms() - began));
    cr_expect_eq(h.report.contacts, ROWS);
    cr_expect_eq(loaded, (uint64_t)ROWS * (DIALOGS + DOCUMENT));
    cr_assert_eq(store_start(h.store, h.why, sizeof(h.why)), 0);
    for (uint32_t i = 0; i < 20; i++) {
        cr_assert_eq(help_put(&h, help_contact(i, STORE_STATE_DENIED)), 0);
    }
    store_stats_read(h.store, &stats);
    printf("; one urgent row durable in %llu us (mean), %llu us (longest)\n",
           (unsigned long long)(stats.commit_us_sum / stats.commits),
           (unsigned long long)stats.commit_us_max);
    help_deinit(&h);
}
