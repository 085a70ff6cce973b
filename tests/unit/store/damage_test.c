/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store with SQLite and everything that can be wrong with its file: at the start it is refused with
 * a text that names the path and what to do, or opened with what is good. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/err.h"
#include "help.h"
#include "store/lite_int.h"

#define PAGE 4096

/* A database with rows 1..count, closed cleanly. */
static void fill(struct help *h, uint32_t count)
{
    help_start(h);
    for (uint32_t n = 1; n <= count; n++) {
        struct store_item c = help_contact(n, STORE_STATE_GRANTED);

        c.contact.dialogs = SLICE_LIT("dialogs");
        c.contact.document = SLICE_LIT("document");
        (void)help_write(h, 0, c, n == count || n % 500 == 0);
        if (n % 500 == 0) {
            cr_assert_eq(help_await(h, 0, n), 0);
        }
    }
    cr_assert_eq(help_await(h, 0, count), 0);
    help_stop(h);
}

static void make(struct help *h, uint32_t count)
{
    help_init(h);
    fill(h, count);
}

static void overwrite(const char *path, off_t at, const void *bytes, size_t len)
{
    int fd = open(path, O_RDWR);

    cr_assert_geq(fd, 0);
    cr_assert_eq(pwrite(fd, bytes, len, at), (ssize_t)len);
    (void)close(fd);
}

static void sql(const char *path, const char *text)
{
    sqlite3 *db;
    char *err = NULL;

    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_expect_eq(sqlite3_exec(db, text, NULL, NULL, &err), SQLITE_OK, "%s", err);
    cr_assert_eq(sqlite3_close(db), SQLITE_OK);
}

static int64_t sql_number(const char *path, const char *text)
{
    sqlite3_stmt *stmt;
    sqlite3 *db;
    int64_t n;

    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(db, text, -1, &stmt, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_step(stmt), SQLITE_ROW);
    n = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
    return n;
}

/* Refused, and nothing about the file has changed. */
static void refused(struct help *h, int err, const char *what, const char *remedy)
{
    struct stat before = {0};
    struct stat after = {0};

    (void)stat(h->path, &before);
    cr_expect_eq(help_open(h), err);
    cr_expect(help_contains(h->why, h->path));
    cr_expect(help_contains(h->why, what));
    cr_expect(help_contains(h->why, remedy));
    (void)stat(h->path, &after);
    cr_expect_eq(before.st_size, after.st_size);
    cr_expect_eq(before.st_ino, after.st_ino);
}

Test(damage, no_folder)
{
    struct help h;

    help_init(&h);
    (void)snprintf(h.path, sizeof(h.path), "%s/none/store.db", h.folder);
    refused(&h, ERR_STORE_OPEN, "folder does not exist", "make it");
    help_deinit(&h);
}

/* --check: the same refusals, and nothing is made. */
Test(damage, looking_changes_nothing)
{
    struct stat st;
    struct help h;

    help_init(&h);
    cr_expect_eq(store_look(h.path, h.why, sizeof(h.why)), 0, "%s", h.why);
    cr_expect_neq(stat(h.path, &st), 0, "made");
    fill(&h, 1);
    cr_expect_eq(store_look(h.path, h.why, sizeof(h.why)), 0, "%s", h.why);
    overwrite(h.path, 0, "nonsense", 8);
    cr_expect_eq(store_look(h.path, h.why, sizeof(h.why)), ERR_STORE_DAMAGED);
    cr_expect(help_contains(h.why, "is no database"));
    cr_expect_eq(store_look(h.folder, h.why, sizeof(h.why)), ERR_STORE_OPEN);
    cr_expect(help_contains(h.why, "is a directory"));
    cr_expect_eq(store_look("/nowhere/at/all.db", h.why, sizeof(h.why)), ERR_STORE_OPEN);
    cr_expect(help_contains(h.why, "folder does not exist"));
    cr_expect_eq(store_look("postgresql://x", h.why, sizeof(h.why)), ERR_UNSUPPORTED);
    help_deinit(&h);
}

static bool was_lost(struct help *h)
{
    struct store_stats stats;

    store_stats_read(h->store, &stats);
    return stats.was_lost;
}

/* Somebody removed it: that must not look like the first start of all. */
Test(damage, gone_without_a_word)
{
    struct help h;
    char mark[200];

    help_init(&h);
    help_start(&h);
    cr_expect_not(was_lost(&h), "the first of all");
    help_stop(&h);
    help_start(&h);
    cr_expect_not(was_lost(&h), "it is there");
    help_stop(&h);
    cr_assert_eq(unlink(h.path), 0);
    help_start(&h);
    cr_expect(was_lost(&h));
    help_stop(&h);
    help_start(&h);
    cr_expect_not(was_lost(&h), "told once");
    help_stop(&h);
    (void)snprintf(mark, sizeof(mark), "%s.was-here", h.path);
    cr_assert_eq(unlink(mark), 0);
    cr_assert_eq(unlink(h.path), 0);
    help_start(&h);
    cr_expect_not(was_lost(&h), "on purpose");
    help_stop(&h);
    help_deinit(&h);
}

Test(damage, a_directory_instead_of_a_file)
{
    struct help h;

    help_init(&h);
    cr_assert_eq(mkdir(h.path, 0700), 0);
    refused(&h, ERR_STORE_OPEN, "is a directory", "correct \"store\"");
    help_deinit(&h);
}

Test(damage, a_device_or_a_pipe_instead_of_a_file)
{
    struct help h;

    help_init(&h);
    cr_assert_eq(mkfifo(h.path, 0600), 0);
    refused(&h, ERR_STORE_OPEN, "a device or the like", "correct \"store\"");
    (void)unlink(h.path);
    cr_assert_eq(symlink("/dev/full", h.path), 0);
    cr_expect_eq(help_open(&h), ERR_STORE_OPEN);
    cr_expect(help_contains(h.why, "/dev/full is a device or the like"));
    help_deinit(&h);
}

Test(damage, a_link_is_followed_but_not_into_nothing)
{
    char target[128];
    struct help h;

    make(&h, 3);
    (void)snprintf(target, sizeof(target), "%s/elsewhere.db", h.folder);
    cr_assert_eq(rename(h.path, target), 0);
    cr_assert_eq(symlink(target, h.path), 0);
    cr_expect(help_contains(help_dump(&h), "u3@corp.test"));
    cr_expect_eq(sql_number(target, "SELECT count(*) FROM contact"), 3);
    (void)unlink(target);
    cr_expect_eq(help_open(&h), ERR_STORE_OPEN);
    cr_expect(help_contains(h.why, "link to a file that does not exist"));
    cr_expect_eq(access(target, F_OK), -1); /* not made there */
    help_deinit(&h);
}

Test(damage, an_empty_file_was_once_a_database)
{
    struct help h;

    make(&h, 3);
    cr_assert_eq(truncate(h.path, 0), 0);
    refused(&h, ERR_STORE_DAMAGED, "is empty", "restore a copy");
    help_deinit(&h);
}

Test(damage, no_database)
{
    struct help h;

    make(&h, 3);
    overwrite(h.path, 0, "This is no database", 19);
    refused(&h, ERR_STORE_DAMAGED, "is no database, or its beginning is damaged", "mv ");
    help_deinit(&h);
}

Test(damage, another_programs_database)
{
    struct help h;

    help_init(&h);
    sql(h.path, "CREATE TABLE t(x); INSERT INTO t VALUES (1)");
    refused(&h, ERR_STORE_OPEN, "another program's database", "correct \"store\"");
    cr_expect_eq(sql_number(h.path, "SELECT count(*) FROM t"), 1);
    help_deinit(&h);
}

Test(damage, a_layout_that_somebody_changed)
{
    struct help h;

    make(&h, 3);
    sql(h.path, "DROP TABLE reach");
    cr_expect_eq(help_open(&h), ERR_STORE_DAMAGED);
    cr_expect(help_contains(h.why, "no such table: reach"));
    cr_expect(help_contains(h.why, "restore a copy"));
    help_deinit(&h);
    make(&h, 3);
    sql(h.path, "DROP TABLE fact");
    cr_expect_eq(help_open(&h), ERR_STORE_DAMAGED);
    cr_expect(help_contains(h.why, "no such table: fact"));
    help_deinit(&h);
}

/* The log ends where a crash of the machine left it: what is whole before counts. */
Test(damage, a_log_that_is_damaged_at_its_end)
{
    static char garbage[PAGE];
    char command[512];
    struct stat st;
    struct help h;

    help_init(&h);
    help_start(&h);
    for (uint32_t n = 1; n <= 20; n++) {
        cr_assert_eq(help_put(&h, help_contact(n, STORE_STATE_GRANTED)), 0);
    }
    (void)snprintf(command, sizeof(command), "cd %s && cp store.db s && cp store.db-wal s-wal",
                   h.folder);
    cr_assert_eq(system(command), 0);
    help_stop(&h);
    (void)snprintf(command, sizeof(command), "cd %s && mv s store.db && mv s-wal store.db-wal",
                   h.folder);
    cr_assert_eq(system(command), 0);
    cr_assert_eq(stat(h.wal, &st), 0);
    memset(garbage, 0xa5, sizeof(garbage));
    overwrite(h.wal, st.st_size - PAGE, garbage, sizeof(garbage));
    cr_expect(help_contains(help_dump(&h), "u19@corp.test"));
    cr_expect_eq(h.report.contacts, 19);
    cr_expect_eq(h.report.damaged, 0);
    help_deinit(&h);
}

Test(damage, a_truncated_file)
{
    struct stat st;
    struct help h;

    make(&h, 2000);
    cr_assert_eq(stat(h.path, &st), 0);
    cr_assert_gt(st.st_size, 20 * PAGE);
    cr_assert_eq(truncate(h.path, st.st_size / PAGE / 2 * PAGE), 0);
    cr_expect_eq(help_open(&h), ERR_STORE_DAMAGED);
    cr_expect(help_contains(h.why, h.path));
    cr_expect(help_contains(h.why, "restore a copy"));
    cr_assert_eq(truncate(h.path, PAGE + 1), 0);
    cr_expect_eq(help_open(&h), ERR_STORE_DAMAGED);
    cr_assert_eq(truncate(h.path, 50), 0);
    cr_expect_eq(help_open(&h), ERR_STORE_DAMAGED);
    help_deinit(&h);
}

static int load_all(struct help *h)
{
    const struct store_reader nobody = {0};
    int err = help_open(h);

    if (!err) {
        err = store_load(h->store, &nobody, &h->report, h->why, sizeof(h->why));
        store_free(h->store);
        h->store = NULL;
    }
    return err;
}

Test(damage, a_page_that_was_overwritten)
{
    static char garbage[PAGE];
    int64_t root;
    struct help h;

    make(&h, 2000);
    memset(garbage, 0xa5, sizeof(garbage));
    root = sql_number(h.path, "SELECT rootpage FROM sqlite_schema WHERE name = 'contact'");
    overwrite(h.path, (root - 1) * PAGE, garbage, sizeof(garbage));
    cr_expect_eq(load_all(&h), ERR_STORE_DAMAGED);
    cr_expect(help_contains(h.why, h.path));
    cr_expect(help_contains(h.why, "fedgate(8), STORE"));
    help_deinit(&h);

    make(&h, 2000);
    root = sql_number(h.path, "SELECT rootpage FROM sqlite_schema WHERE type = 'index' AND "
                              "tbl_name = 'contact'");
    overwrite(h.path, (root - 1) * PAGE, garbage, sizeof(garbage));
    cr_expect_eq(help_open(&h), ERR_STORE_DAMAGED); /* nobody read it yet */
    cr_expect(help_contains(h.why, "restore a copy"));
    help_deinit(&h);
}

/* The commands of fedgate(8), STORE. */
Test(damage, what_can_be_read_can_be_saved)
{
    static char garbage[PAGE];
    char command[1024];
    struct stat st;
    struct help h;

    make(&h, 2000);
    cr_assert_eq(stat(h.path, &st), 0);
    memset(garbage, 0xa5, sizeof(garbage));
    overwrite(h.path, st.st_size / PAGE / 2 * PAGE, garbage, sizeof(garbage));
    cr_expect_eq(help_open(&h), ERR_STORE_DAMAGED);
    (void)snprintf(command, sizeof(command),
                   "cd %s && { sqlite3 store.db .dump | sed 's/^ROLLBACK.*/COMMIT;/'; "
                   "echo 'PRAGMA application_id = %d; PRAGMA user_version = %d;'; } | "
                   "sqlite3 saved.db && mv store.db store.db.damaged && mv saved.db store.db",
                   h.folder, LITE_APPLICATION_ID, LITE_VERSION);
    cr_assert_eq(system(command), 0);
    cr_assert_eq(load_all(&h), 0, "%s", h.why);
    cr_expect_gt(h.report.contacts, 1000);
    help_deinit(&h);
}

Test(damage, rows_that_are_not_what_they_should_be_are_kept_aside)
{
    struct help h;

    make(&h, 8);
    sql(h.path, "UPDATE contact SET state = 1 WHERE id = 1;"      /* its sum says otherwise */
                "UPDATE contact SET state = 99 WHERE id = 2;"     /* no such state */
                "UPDATE contact SET dialogs = x'00' WHERE id = 3;" /* dialogs only */
                "UPDATE contact SET document = x'79' WHERE id = 4;"
                "UPDATE contact SET remote_domain = '' WHERE id = 5;"
                "UPDATE contact SET document_sum = NULL WHERE id = 6;"
                "INSERT INTO reach VALUES (1, 'a', 'b', 'c', 'd', 1, 2, 3);");
    cr_expect_eq(load_all(&h), 0);
    cr_expect_eq(h.report.damaged, 7);
    cr_expect_eq(h.report.contacts, 5); /* 3, 4, 6 without what is damaged, 7, 8 */
    cr_expect_eq(h.report.reach, 0);
    cr_expect(help_contains(help_dump(&h),
                            "u3@corp.test>r3@partner.test out granted local 5 6 [] [document]\n"
                            "u4@corp.test>r4@partner.test out granted local 5 6 [dialogs] []\n"
                            "u6@corp.test>r6@partner.test out granted local 5 6 [dialogs] []\n"
                            "u7@corp.test>r7@partner.test out granted local 5 6 [dialogs] "
                            "[document]\n"));
    cr_expect_eq(h.report.damaged, 0); /* not told twice */
    cr_expect_eq(sql_number(h.path, "SELECT count(*) FROM damaged"), 7);
    cr_expect_eq(sql_number(h.path, "SELECT state FROM damaged WHERE source_id = 2"), 99);
    cr_expect_eq(sql_number(h.path, "SELECT count(*) FROM damaged WHERE dialogs = x'00'"), 1);
    help_deinit(&h);
}

Test(damage, a_log_that_is_garbage_is_moved_away)
{
    char aside[160];
    char garbage[5000];
    struct help h;

    make(&h, 3);
    memset(garbage, 0x5a, sizeof(garbage));
    (void)close(open(h.wal, O_CREAT | O_WRONLY, 0600));
    overwrite(h.wal, 0, garbage, sizeof(garbage));
    cr_expect(help_contains(help_dump(&h), "u3@corp.test"));
    (void)snprintf(aside, sizeof(aside), "ls %s/store.db-wal.damaged.* >/dev/null", h.folder);
    cr_expect_eq(system(aside), 0);
    help_deinit(&h);
}

Test(damage, a_log_without_its_database_is_not_thrown_away)
{
    struct help h;

    make(&h, 3);
    cr_assert_eq(unlink(h.path), 0);
    (void)close(open(h.wal, O_CREAT | O_WRONLY, 0600));
    overwrite(h.wal, 0, "something", 9);
    refused(&h, ERR_STORE_DAMAGED, "is gone, but its log", "restore the database");
    cr_expect_eq(access(h.path, F_OK), -1);
    help_deinit(&h);
}

/* Root may do everything: these two cannot be shown to it, so they are run as nobody. */
static bool become_nobody(struct help *h)
{
    if (geteuid() != 0) {
        return true;
    }
    return chown(h->folder, 65534, 65534) == 0 &&
           (chown(h->path, 65534, 65534) == 0 || errno == ENOENT) && setgid(65534) == 0 &&
           setuid(65534) == 0;
}

Test(damage, a_folder_that_cannot_be_written)
{
    struct help h;

    help_init(&h);
    cr_assert(become_nobody(&h));
    cr_assert_eq(chmod(h.folder, 0500), 0);
    refused(&h, ERR_STORE_OPEN, "Permission denied", "let the user that runs fedgate write");
    cr_assert_eq(chmod(h.folder, 0700), 0);
    fill(&h, 1);
    cr_assert_eq(chmod(h.folder, 0500), 0); /* no log can be made beside it */
    cr_expect_eq(help_open(&h), ERR_STORE_IO);
    cr_expect(help_contains(h.why, h.path));
    cr_expect(help_contains(h.why, "its folder"));
    (void)chmod(h.folder, 0700);
    help_deinit(&h);
}

Test(damage, a_file_that_belongs_to_somebody_else)
{
    struct help h;

    if (geteuid() != 0) {
        return; /* nobody to give it to */
    }
    make(&h, 1);
    cr_assert_eq(chown(h.folder, 65534, 65534), 0);
    cr_assert_eq(setgid(65534), 0);
    cr_assert_eq(setuid(65534), 0);
    refused(&h, ERR_STORE_OPEN, "Permission denied", "chown");
    help_deinit(&h);
}

/* --- others at the same file ------------------------------------------------------------------ */

Test(damage, two_stores_cannot_have_one_file)
{
    struct help second;
    struct help h;

    help_init(&h);
    help_start(&h);
    second = h;
    cr_expect_eq(help_open(&second), ERR_STORE_LOCKED);
    cr_expect(help_contains(second.why, "in use by another process"));
    cr_expect(help_contains(second.why, "fuser"));
    cr_expect_eq(help_put(&h, help_contact(1, STORE_STATE_GRANTED)), 0); /* undisturbed */
    help_stop(&h);
    cr_expect(help_contains(help_dump(&h), "u1@corp.test"));
    help_deinit(&h);
}

Test(damage, another_process_has_it)
{
    int ready[2];
    pid_t child;
    char byte;
    struct help h;

    make(&h, 1);
    cr_assert_eq(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        help_start(&h);
        (void)!write(ready[1], "x", 1);
        (void)pause();
        _exit(0);
    }
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    refused(&h, ERR_STORE_LOCKED, "in use by another process", "fuser");
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    cr_expect(help_contains(help_dump(&h), "u1@corp.test"));
    help_deinit(&h);
}

/* Somebody looks with the sqlite3 program and holds a transaction. */
Test(damage, somebody_holds_sqlites_own_lock)
{
    struct help h;
    sqlite3 *db;

    make(&h, 1);
    cr_assert_eq(sqlite3_open(h.path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, "BEGIN; SELECT * FROM contact", NULL, NULL, NULL), SQLITE_OK);
    cr_expect_eq(help_open(&h), ERR_STORE_LOCKED);
    cr_expect(help_contains(h.why, "fuser"));
    (void)sqlite3_close(db);
    cr_expect(help_contains(help_dump(&h), "u1@corp.test"));
    /* And nobody gets in while a node has it. */
    help_start(&h);
    cr_assert_eq(sqlite3_open(h.path, &db), SQLITE_OK);
    cr_expect_neq(sqlite3_exec(db, "SELECT * FROM contact", NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
    cr_expect_eq(help_put(&h, help_contact(2, STORE_STATE_GRANTED)), 0);
    help_deinit(&h);
}

/* --- while it runs ---------------------------------------------------------------------------- */

Test(damage, a_file_that_goes_away_under_us)
{
    char away[128];
    struct store_health health;
    struct help h;

    make(&h, 1);
    (void)snprintf(away, sizeof(away), "%s/away.db", h.folder);
    help_start(&h);
    cr_expect_eq(help_put(&h, help_contact(2, STORE_STATE_GRANTED)), 0);
    cr_assert_eq(rename(h.path, away), 0);
    cr_expect_eq(help_put(&h, help_contact(3, STORE_STATE_GRANTED)), ERR_STORE_GONE);
    store_health_read(h.store, &health);
    cr_expect(help_contains(health.text, h.path));
    cr_expect(help_contains(health.text, "put"));
    cr_assert_eq(rename(away, h.path), 0);
    cr_expect_eq(help_put(&h, help_contact(4, STORE_STATE_GRANTED)), 0);
    /* The same for the log alone: after a crash nothing of it would be found. */
    cr_assert_eq(rename(h.wal, away), 0);
    cr_expect_eq(help_put(&h, help_contact(5, STORE_STATE_GRANTED)), ERR_STORE_GONE);
    cr_assert_eq(rename(away, h.wal), 0);
    cr_expect_eq(help_put(&h, help_contact(6, STORE_STATE_GRANTED)), 0);
    help_stop(&h);
    (void)help_dump(&h);
    cr_expect_eq(h.report.contacts, 4);
    cr_expect_null(strstr(help_dump(&h), "u3@"));
    cr_expect_null(strstr(help_dump(&h), "u5@"));
    help_deinit(&h);
}

static void set_file_limit(rlim_t bytes)
{
    struct rlimit limit;

    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A file that must not grow is a full disk to whoever writes it. */
Test(damage, a_disk_that_is_full_for_a_while)
{
    static char bytes[STORE_DOCUMENT_BYTES_MAX];
    struct store_health health;
    struct store_item c = help_contact(2, STORE_STATE_GRANTED);
    struct help h;
    struct stat st;

    (void)signal(SIGXFSZ, SIG_IGN);
    make(&h, 1);
    help_start(&h);
    cr_expect_eq(help_put(&h, help_contact(1, STORE_STATE_DENIED)), 0);
    cr_assert_eq(stat(h.wal, &st), 0);
    set_file_limit((rlim_t)st.st_size + 5000); /* one page of many */
    memset(bytes, 'x', sizeof(bytes));
    c.contact.document = slice_make(bytes, sizeof(bytes));
    cr_expect_eq(help_put(&h, c), ERR_STORE_SPACE);
    store_health_read(h.store, &health);
    cr_expect(help_contains(health.text, "make room on the disk of"));
    cr_expect_eq(help_put(&h, c), ERR_STORE_SPACE);
    set_file_limit(RLIM_INFINITY);
    cr_expect_eq(help_put(&h, help_contact(3, STORE_STATE_GRANTED)), 0);
    cr_expect_not(store_is_failing(h.store));
    help_stop(&h);
    cr_expect(help_contains(help_dump(&h), "u1@corp.test>r1@partner.test out denied"));
    cr_expect_null(strstr(help_dump(&h), "u2@"));
    cr_expect_eq(h.report.contacts, 2);
    help_deinit(&h);
}

Test(damage, a_full_disk_at_the_start)
{
    struct help h;

    (void)signal(SIGXFSZ, SIG_IGN);
    help_init(&h);
    set_file_limit(2000);
    cr_expect_eq(help_open(&h), ERR_STORE_SPACE);
    cr_expect(help_contains(h.why, h.path));
    cr_expect(help_contains(h.why, "make room"));
    cr_expect_eq(access(h.path, F_OK), -1); /* no half-made one */
    set_file_limit(RLIM_INFINITY);
    fill(&h, 1);
    set_file_limit(20);
    cr_expect_eq(help_open(&h), ERR_STORE_SPACE);
    cr_expect(help_contains(h.why, "make room"));
    set_file_limit(RLIM_INFINITY);
    cr_expect(help_contains(help_dump(&h), "u1@corp.test"));
    help_deinit(&h);
}

/* A row that the database itself will not have, among others. */
Test(damage, a_constraint_refuses_its_row_alone)
{
    struct help h;
    uint64_t ticket = 0;

    make(&h, 1);
    sql(h.path, "CREATE TRIGGER no BEFORE INSERT ON contact WHEN NEW.local_user = 'u50' "
                "BEGIN SELECT RAISE(ABORT, 'not this one'); END");
    help_start(&h);
    for (uint32_t n = 1; n <= 100; n++) {
        ticket = help_write(&h, 0, help_contact(n, STORE_STATE_GRANTED), n == 100);
    }
    cr_expect_eq(help_await(&h, 0, ticket), 0);
    cr_expect_eq(help_await(&h, 0, 50), ERR_STORE_ITEM);
    cr_expect_eq(help_await(&h, 0, 49), 0);
    cr_expect_eq(help_await(&h, 0, 51), 0);
    help_stop(&h);
    (void)help_dump(&h);
    cr_expect_eq(h.report.contacts, 99);
    help_deinit(&h);
}

Test(damage, a_page_that_is_damaged_while_it_runs)
{
    static char garbage[PAGE];
    struct store_health health;
    struct stat st;
    struct help h;
    int err = 0;

    make(&h, 20000);
    sql(h.path, "UPDATE contact SET document = randomblob(600), document_sum = 0");
    cr_assert_eq(stat(h.path, &st), 0);
    cr_assert_gt(st.st_size, 12 << 20); /* more than SQLite keeps in memory */
    help_start(&h);
    memset(garbage, 0xa5, sizeof(garbage));
    for (off_t at = 10 * PAGE; at < st.st_size; at += PAGE) {
        overwrite(h.path, at, garbage, sizeof(garbage));
    }
    for (uint32_t n = 1; n <= 20000 && err == 0; n += 50) {
        err = help_put(&h, help_contact(n, STORE_STATE_DENIED));
    }
    cr_expect_eq(err, ERR_STORE_DAMAGED);
    store_health_read(h.store, &health);
    cr_expect(help_contains(health.text, "stop fedgate and restore a copy"));
    help_deinit(&h);
}
