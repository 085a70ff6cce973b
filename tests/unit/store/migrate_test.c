/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store with SQLite: databases of older versions. What stands here is what those versions wrote: it
 * is never changed, only added to. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/err.h"
#include "help.h"
#include "store/lite_int.h"

#define HEAD "PRAGMA application_id = 1179075650;"

static const char *const version_1 =
    "CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "INSERT INTO fact VALUES('store.boots','1'), ('store.clean','1');"
    "CREATE TABLE contact (id INTEGER PRIMARY KEY, local_user TEXT NOT NULL, local_domain TEXT NOT "
    "NULL, remote_user TEXT NOT NULL, remote_domain TEXT NOT NULL, direction INTEGER NOT NULL, "
    "state INTEGER NOT NULL, asked_by INTEGER NOT NULL, asked_unix_s INTEGER NOT NULL, "
    "changed_unix_s INTEGER NOT NULL, sum INTEGER NOT NULL, dialogs BLOB, dialogs_sum INTEGER, "
    "document BLOB, document_sum INTEGER, UNIQUE (remote_domain, remote_user, local_domain, "
    "local_user, direction)) STRICT;"
    "INSERT INTO contact VALUES(1,'u1','corp.test','r1','partner.test',1,2,1,5,6,"
    "5832080525045691520,X'736f6d65206469616c6f6773',5114002662280433855,"
    "X'6120646f63756d656e74',-7221876829037043194);"
    "INSERT INTO contact VALUES(2,'u2','corp.test','r2','partner.test',0,4,2,5,6,"
    "9196160031076246827,NULL,NULL,NULL,NULL);";

static const char *const version_2 =
    "CREATE TABLE reach (id INTEGER PRIMARY KEY, local_user TEXT NOT NULL, local_domain TEXT NOT "
    "NULL, remote_user TEXT NOT NULL, remote_domain TEXT NOT NULL, flags INTEGER NOT NULL, "
    "wrote_unix_s INTEGER NOT NULL, sum INTEGER NOT NULL, UNIQUE (remote_domain, remote_user, "
    "local_domain, local_user)) STRICT;"
    "INSERT INTO reach VALUES(1,'u3','corp.test','r3','partner.test',3,77,-8161337397790969018);";

static const char *const version_3 =
    "CREATE TABLE damaged (id INTEGER PRIMARY KEY, found_unix_s, source, reason, source_id, "
    "local_user, local_domain, remote_user, remote_domain, direction, state, asked_by, "
    "asked_unix_s, changed_unix_s, dialogs, document, flags, wrote_unix_s);";

static void run(const char *path, const char *text)
{
    sqlite3 *db;
    char *err = NULL;

    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, text, NULL, NULL, &err), SQLITE_OK, "%s", err);
    cr_assert_eq(sqlite3_close(db), SQLITE_OK);
}

/* A database as that version left it. */
static void make(const char *path, int version)
{
    const char *const parts[] = {version_1, version_2, version_3};
    char number[64];

    run(path, HEAD);
    for (int i = 0; i < version; i++) {
        run(path, parts[i]);
    }
    (void)snprintf(number, sizeof(number), "PRAGMA user_version = %d; PRAGMA journal_mode = WAL",
                   version);
    run(path, number);
}

/* One text with the layout of everything, without regard to blanks. */
static void layout(const char *path, char *out, size_t out_bytes)
{
    sqlite3_stmt *stmt;
    sqlite3 *db;
    size_t len = 0;

    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(db,
                                    "SELECT replace(sql, ' ', '') FROM sqlite_schema WHERE sql NOT "
                                    "NULL ORDER BY name", -1, &stmt, NULL), SQLITE_OK);
    out[0] = 0;
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        len += (size_t)snprintf(out + len, out_bytes - len, "%s\n", sqlite3_column_text(stmt, 0));
        cr_assert_lt(len, out_bytes);
    }
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
}

static int64_t number(const char *path, const char *text)
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

Test(migrate, every_older_version_becomes_the_newest_with_all_it_holds)
{
    char expected[8192];
    char found[8192];
    struct help fresh;

    help_init(&fresh);
    (void)help_dump(&fresh);
    layout(fresh.path, expected, sizeof(expected));
    for (int version = 1; version <= LITE_VERSION; version++) {
        struct help h;

        help_init(&h);
        make(h.path, version);
        cr_expect(help_contains(help_dump(&h),
                                "u1@corp.test>r1@partner.test out granted local 5 6 [some dialogs] "
                                "[a document]\n"
                                "u2@corp.test>r2@partner.test in blocked administrator 5 6 [] []"
                                "\n"));
        cr_expect_eq(h.report.damaged, 0);
        cr_expect_eq(h.report.reach, version >= 2 ? 1 : 0);
        layout(h.path, found, sizeof(found));
        cr_expect_str_eq(found, expected);
        cr_expect_eq(number(h.path, "PRAGMA user_version"), LITE_VERSION);
        help_start(&h); /* and it works */
        cr_expect_eq(help_put(&h, help_reach(9, STORE_REACH_ADDED, 0)), 0);
        cr_expect_eq(help_put(&h, help_contact(1, STORE_STATE_DENIED)), 0);
        help_deinit(&h);
    }
    help_deinit(&fresh);
}

Test(migrate, a_newer_version_is_left_alone)
{
    struct help h;

    help_init(&h);
    make(h.path, LITE_VERSION);
    run(h.path, "PRAGMA user_version = 99");
    cr_expect_eq(help_open(&h), ERR_STORE_VERSION);
    cr_expect(help_contains(h.why, h.path));
    cr_expect(help_contains(h.why, "newer version of fedgate (layout 99"));
    cr_expect(help_contains(h.why, "install that version"));
    cr_expect_eq(number(h.path, "PRAGMA user_version"), 99);
    help_deinit(&h);
}

/* The number that says so is in the log yet, because that version crashed. */
Test(migrate, also_when_only_the_log_says_so)
{
    char copy[512];
    struct help h;
    sqlite3 *db;

    help_init(&h);
    make(h.path, LITE_VERSION);
    cr_assert_eq(sqlite3_open(h.path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, "PRAGMA wal_autocheckpoint = 0; PRAGMA user_version = 98", NULL,
                              NULL, NULL), SQLITE_OK);
    (void)snprintf(copy, sizeof(copy), "cd %s && cp store.db s && cp store.db-wal s-wal", h.folder);
    cr_assert_eq(system(copy), 0);
    (void)sqlite3_close(db);
    (void)snprintf(copy, sizeof(copy), "cd %s && mv s store.db && mv s-wal store.db-wal", h.folder);
    cr_assert_eq(system(copy), 0);
    cr_expect_eq(help_open(&h), ERR_STORE_VERSION);
    cr_expect(help_contains(h.why, "layout 98"));
    help_deinit(&h);
}

/* Half of a step is none: it can be tried again when the cause is gone. */
Test(migrate, a_step_that_fails_leaves_the_old_version)
{
    struct help h;

    help_init(&h);
    make(h.path, 2);
    run(h.path, "CREATE TABLE damaged (x)");
    cr_expect_neq(help_open(&h), 0);
    cr_expect(help_contains(h.why, h.path));
    cr_expect(help_contains(h.why, "already exists"));
    cr_expect_eq(number(h.path, "PRAGMA user_version"), 2);
    run(h.path, "DROP TABLE damaged");
    cr_expect(help_contains(help_dump(&h), "reach u3>r3 3 77\n"));
    cr_expect_eq(number(h.path, "PRAGMA user_version"), LITE_VERSION);
    help_deinit(&h);
}

Test(migrate, a_version_that_never_was)
{
    struct help h;

    help_init(&h);
    make(h.path, LITE_VERSION);
    run(h.path, "PRAGMA user_version = 0");
    cr_expect_eq(help_open(&h), ERR_STORE_VERSION);
    cr_expect(help_contains(h.why, "layout 0"));
    help_deinit(&h);
}
