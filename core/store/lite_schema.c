/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lite_schema: the layout, as the steps that led to it. A new database takes all of them, an old
 * one those it lacks; so a step is never changed once it was released, only followed by another. */
#include <stdio.h>

#include <sqlite3.h>

#include "base/attr.h"
#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
#include "store/lite_int.h"

#define SQL_BYTES_MAX 256u

/* steps[n] leads from version n to n + 1. The sums (lite_sum_*) are of what stands beside them. A
 * rowid table with an index rather than one table ordered by key: rows carry kilobytes. */
static const char *const steps[] = {
    "CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE contact (id INTEGER PRIMARY KEY,"
    " local_user TEXT NOT NULL, local_domain TEXT NOT NULL,"
    " remote_user TEXT NOT NULL, remote_domain TEXT NOT NULL, direction INTEGER NOT NULL,"
    " state INTEGER NOT NULL, asked_by INTEGER NOT NULL,"
    " asked_unix_s INTEGER NOT NULL, changed_unix_s INTEGER NOT NULL, sum INTEGER NOT NULL,"
    " dialogs BLOB, dialogs_sum INTEGER, document BLOB, document_sum INTEGER,"
    " UNIQUE (remote_domain, remote_user, local_domain, local_user, direction)) STRICT;",

    "CREATE TABLE reach (id INTEGER PRIMARY KEY,"
    " local_user TEXT NOT NULL, local_domain TEXT NOT NULL,"
    " remote_user TEXT NOT NULL, remote_domain TEXT NOT NULL,"
    " flags INTEGER NOT NULL, wrote_unix_s INTEGER NOT NULL, sum INTEGER NOT NULL,"
    " UNIQUE (remote_domain, remote_user, local_domain, local_user)) STRICT;",

    /* What could not be read as what it should be, as it was: any type, no rule. */
    "CREATE TABLE damaged (id INTEGER PRIMARY KEY, found_unix_s, source, reason, source_id,"
    " local_user, local_domain, remote_user, remote_domain, direction, state, asked_by,"
    " asked_unix_s, changed_unix_s, dialogs, document, flags, wrote_unix_s);",
};
STATIC_ASSERT(ARRAY_COUNT(steps) == LITE_VERSION, "one step per version");

/* From version to the next one, within a transaction. */
static int take_step(struct sqlite3 *db, int64_t version)
{
    char sql[SQL_BYTES_MAX];
    int code = lite_exec(db, steps[version]);

    (void)snprintf(sql, sizeof(sql), "PRAGMA user_version = %lld", (long long)version + 1);
    return code ? code : lite_exec(db, sql);
}

int lite_schema_make(struct sqlite3 *db)
{
    char sql[SQL_BYTES_MAX];
    int code = lite_exec(db, "PRAGMA synchronous = FULL; BEGIN EXCLUSIVE");

    (void)snprintf(sql, sizeof(sql), "PRAGMA application_id = %d", LITE_APPLICATION_ID);
    code = code ? code : lite_exec(db, sql);
    for (int64_t version = 0; !code && version < LITE_VERSION; version++) {
        code = take_step(db, version);
    }
    return code ? code : lite_exec(db, "COMMIT");
}

static int migrate_one(struct lite *l, int64_t version, char *why, size_t why_bytes)
{
    int err = 0;
    int code = lite_exec(l->db, "BEGIN EXCLUSIVE");

    code = code ? code : take_step(l->db, version);
    code = code ? code : lite_exec(l->db, "COMMIT");
    if (code) {
        /* Before rolling back: that forgets what was wrong. */
        err = lite_why(l->db, l->path, lite_err(l->db, code), why, why_bytes);
    }
    if (code && !sqlite3_get_autocommit(l->db)) {
        (void)lite_exec(l->db, "ROLLBACK");
    }
    return err;
}

int lite_schema_migrate(struct lite *l, char *why, size_t why_bytes)
{
    int64_t version = 0;
    int code = lite_get_int(l->db, "PRAGMA user_version", &version);

    if (!code && (version < 1 || version > LITE_VERSION)) {
        (void)snprintf(why, why_bytes,
                       "store: %s has layout %lld, this version of fedgate knows 1 to %d: install "
                       "the version that wrote it, or restore a copy made before it",
                       l->path, (long long)version, LITE_VERSION);
        return ERR_STORE_VERSION;
    }
    if (code) {
        return lite_why(l->db, l->path, lite_err(l->db, code), why, why_bytes);
    }
    for (; version < LITE_VERSION; version++) {
        int err = migrate_one(l, version, why, why_bytes);

        if (err) {
            return err;
        }
        LOG_W(store_migrated, "file=%s layout=%lld", log_quote(slice_from_cstr(l->path)).text,
              (long long)version + 1);
    }
    return 0;
}
