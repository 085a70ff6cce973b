/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lite: SQLite as the store's database: opening, checking, closing. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
#include "base/pool.h"
#include "store/lite_int.h"

#define REMEDY_BYTES 1024u

/* Why the system refused; 0 = not known. SQLite forgets it between a failed commit and its return,
 * but not what each of the two files met last. */
static int cause_of(struct sqlite3 *db)
{
    struct sqlite3_file *log = NULL;
    int cause = db ? sqlite3_system_errno(db) : 0;

    if (db && cause == 0) {
        (void)sqlite3_file_control(db, NULL, SQLITE_FCNTL_LAST_ERRNO, &cause);
    }
    if (db && cause == 0 &&
        !sqlite3_file_control(db, NULL, SQLITE_FCNTL_JOURNAL_POINTER, &log) && log &&
        log->pMethods) {
        (void)log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &cause);
    }
    return cause;
}

int lite_err(struct sqlite3 *db, int code)
{
    int cause;

    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_FULL:
        return ERR_STORE_SPACE;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        cause = cause_of(db);
        if (cause == ENOSPC || cause == EDQUOT || cause == EFBIG) {
            return ERR_STORE_SPACE;
        }
        return (code & 0xff) == SQLITE_IOERR ? ERR_STORE_IO : ERR_STORE_OPEN;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* our statements are right: the layout is not */
        return ERR_STORE_DAMAGED;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_STORE_LOCKED;
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
        return ERR_STORE_ITEM;
    case SQLITE_NOMEM:
        return ERR_NOMEM;
    default:
        return ERR_STORE_IO;
    }
}

/* What to do about it. */
static void put_remedy(int err, const char *path, char *text, size_t text_bytes)
{
    switch (err) {
    case ERR_STORE_SPACE:
        (void)snprintf(text, text_bytes, "make room on the disk of %s, or raise the quota", path);
        break;
    case ERR_STORE_DAMAGED:
        (void)snprintf(text, text_bytes,
                       "stop fedgate and restore a copy, or save what can be read (fedgate(8), "
                       "STORE), or move it away to start with an empty one (mv %s %s.damaged)",
                       path, path);
        break;
    case ERR_STORE_GONE:
        (void)snprintf(text, text_bytes,
                       "put %s back (with its -wal), or restart fedgate to begin with what is "
                       "there",
                       path);
        break;
    case ERR_STORE_LOCKED:
        (void)snprintf(text, text_bytes, "stop the other process (fuser %s names it)", path);
        break;
    case ERR_STORE_IO:
        (void)snprintf(text, text_bytes,
                       "look after %s, its folder and its disk (writable? dmesg, smartctl)",
                       path);
        break;
    case ERR_TIMEOUT:
        (void)snprintf(text, text_bytes, "the disk of %s does not answer (dmesg, smartctl)", path);
        break;
    case ERR_NOMEM:
        (void)snprintf(text, text_bytes, "give the machine memory");
        break;
    default:
        (void)snprintf(text, text_bytes, "look after %s and its folder", path);
    }
}

/* Of the error list, without the name of the room: the path stands before it. */
static const char *words(int err)
{
    static const char room[] = "store: ";
    const char *text = err_text(err);

    return strncmp(text, room, sizeof(room) - 1) == 0 ? text + sizeof(room) - 1 : text;
}

void lite_explain(const char *target, int err, char *text, size_t text_bytes)
{
    char remedy[REMEDY_BYTES];

    put_remedy(err, target, remedy, sizeof(remedy));
    (void)snprintf(text, text_bytes, "%s: %s: %s", target, words(err), remedy);
}

int lite_why(struct sqlite3 *db, const char *path, int err, char *why, size_t why_bytes)
{
    int cause = cause_of(db);
    char remedy[REMEDY_BYTES];

    put_remedy(err, path, remedy, sizeof(remedy));
    (void)snprintf(why, why_bytes, "store: %s: %s (%s%s%s): %s", path, words(err),
                   db ? sqlite3_errmsg(db) : "no memory", cause ? ": " : "",
                   cause ? err_text(-cause) : "", remedy);
    return err;
}

int lite_exec(struct sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int lite_get_int(struct sqlite3 *db, const char *sql, int64_t *out)
{
    struct sqlite3_stmt *stmt;
    int code = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

    if (code) {
        return code;
    }
    code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
        *out = sqlite3_column_int64(stmt, 0);
        code = SQLITE_OK;
    } else if (code == SQLITE_DONE) {
        code = SQLITE_NOTFOUND;
    }
    (void)sqlite3_finalize(stmt);
    return code;
}

static int on_commit(void *ctx, struct sqlite3 *db, const char *name, int frames)
{
    (void)db;
    (void)name;
    lite_watch_log(ctx, (uint32_t)frames);
    return SQLITE_OK;
}

/* In this order: the lock mode before the log is first looked at, or SQLite would share its index
 * with others in a file. */
static int configure(struct lite *l)
{
    static const char *const settings[] = {
        "PRAGMA locking_mode = EXCLUSIVE", "PRAGMA trusted_schema = OFF",
        "PRAGMA cell_size_check = ON",     "PRAGMA temp_store = MEMORY",
        "PRAGMA cache_size = -8192",       "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",       "PRAGMA wal_autocheckpoint = 0",
        "BEGIN EXCLUSIVE; COMMIT",
    };
    int64_t page_bytes = 0;
    int code = sqlite3_busy_timeout(l->db, (int)LITE_LOCK_MS);

    (void)sqlite3_db_config(l->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    /* Ours is done on purpose and looked at, or not at all. */
    (void)sqlite3_db_config(l->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    for (size_t i = 0; !code && i < ARRAY_COUNT(settings); i++) {
        code = lite_exec(l->db, settings[i]);
    }
    code = code ? code : lite_get_int(l->db, "PRAGMA page_size", &page_bytes);
    l->page_bytes = (uint32_t)page_bytes;
    (void)sqlite3_wal_hook(l->db, on_commit, l);
    return code;
}

/* quick_check: every page is where it belongs, those of indexes, too, which the load does not
 * read; the rows themselves have sums. 2 ms per MB. */
static int check_integrity(struct lite *l, char *why, size_t why_bytes)
{
    struct sqlite3_stmt *stmt;
    int code = sqlite3_prepare_v2(l->db, "PRAGMA quick_check(1)", -1, &stmt, NULL);
    int err;

    if (code) {
        return lite_why(l->db, l->path, lite_err(l->db, code), why, why_bytes);
    }
    code = sqlite3_step(stmt);
    err = lite_err(l->db, code);
    if (err) {
        err = lite_why(l->db, l->path, err, why, why_bytes);
    } else if (code != SQLITE_ROW ||
               !slice_eq_cstr(SLICE_LIT("ok"), (const char *)sqlite3_column_text(stmt, 0))) {
        const char *found = code == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
        char remedy[REMEDY_BYTES];

        err = ERR_STORE_DAMAGED;
        put_remedy(err, l->path, remedy, sizeof(remedy));
        (void)snprintf(why, why_bytes, "store: %s: %s (%.200s): %s", l->path, words(err),
                       found ? found : "no answer", remedy);
    }
    (void)sqlite3_finalize(stmt);
    return err;
}

/* From here on the stop is no clean one until close says so; and whether the database can be
 * written is known before anybody relies on it. */
static int boot(struct lite *l)
{
    int64_t clean = 0;
    int code = lite_get_int(l->db, "SELECT CAST(value AS INTEGER) FROM fact WHERE name = "
                                   "'store.clean'", &clean);

    l->was_clean = code == SQLITE_NOTFOUND || clean == 1; /* new, or ended in order */
    if (code != SQLITE_OK && code != SQLITE_NOTFOUND) {
        return code;
    }
    code = lite_exec(l->db,
                     "BEGIN IMMEDIATE;"
                     "INSERT OR REPLACE INTO fact VALUES ('store.clean', '0');"
                     "INSERT INTO fact VALUES ('store.boots', '1') ON CONFLICT DO UPDATE SET "
                     "value = CAST(CAST(value AS INTEGER) + 1 AS TEXT);"
                     "COMMIT");
    return code;
}

static int start(struct lite *l, char *why, size_t why_bytes)
{
    int code = boot(l);
    int err;

    if (code) {
        return lite_why(l->db, l->path, lite_err(l->db, code), why, why_bytes);
    }
    err = check_integrity(l, why, why_bytes);
    if (err) {
        return err;
    }
    code = lite_checkpoint(l);
    code = code ? code : lite_prepare(l);
    if (code) {
        return lite_why(l->db, l->path, lite_err(l->db, code), why, why_bytes);
    }
    err = lite_inode_of(l->path, &l->inode);
    err = err ? err : lite_inode_of(l->wal_path, &l->wal_inode);
    if (err) {
        return lite_why(l->db, l->path, ERR_STORE_GONE, why, why_bytes);
    }
    return 0;
}

static void discard(struct lite *l)
{
    for (uint32_t i = 0; i < LITE_SQL_COUNT; i++) {
        (void)sqlite3_finalize(l->stmts[i]);
    }
    (void)sqlite3_close(l->db);
    if (l->lock_fd >= 0) {
        (void)close(l->lock_fd);
    }
    pool_heap_free(l->path);
    pool_heap_free(l->wal_path);
    l->magic = 0;
    pool_heap_free(l);
}

static int open_database(struct lite *l, const char *target, char *why, size_t why_bytes)
{
    size_t path_len;
    int code;
    int err = lite_file_open(target, l, why, why_bytes);

    if (err) {
        return err;
    }
    path_len = strlen(l->path);
    l->wal_path = pool_heap_zalloc(path_len + sizeof("-wal"));
    (void)snprintf(l->wal_path, path_len + sizeof("-wal"), "%s-wal", l->path);
    err = lite_file_check_wal(l->wal_path, why, why_bytes);
    if (err) {
        return err;
    }
    code = sqlite3_open_v2(l->path, &l->db,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                           NULL);
    code = code ? code : configure(l);
    if ((code & 0xff) == SQLITE_BUSY) {
        return lite_refuse_locked(l->path, why, why_bytes);
    }
    if (code) {
        return lite_why(l->db, l->path, lite_err(l->db, code), why, why_bytes);
    }
    err = lite_schema_migrate(l, why, why_bytes);
    return err ? err : start(l, why, why_bytes);
}

static int lite_open(void **self, const struct store_params *params, char *why, size_t why_bytes)
{
    struct lite *l = pool_heap_zalloc(sizeof(*l));
    int err;

    l->magic = LITE_MAGIC;
    l->lock_fd = -1;
    l->reach_rows_max = params->reach_rows_max ? params->reach_rows_max : STORE_REACH_ROWS_MAX;
    err = open_database(l, params->target, why, why_bytes);
    if (err) {
        discard(l);
        return err;
    }
    LOG_I(store_opened, "file=%s clean=%d bytes=%llu",
          log_quote(slice_from_cstr(l->path)).text, l->was_clean,
          (unsigned long long)store_lite.bytes(l));
    if (l->was_lost) {
        LOG_E(store_lost,
              "file=%s: was gone, and with it all contacts: an empty one was made; if that was not "
              "meant stop fedgate and put it back",
              log_quote(slice_from_cstr(l->path)).text);
    }
    *self = l;
    return 0;
}

static bool lite_was_lost(const void *self)
{
    return ((const struct lite *)self)->was_lost;
}

static uint64_t lite_bytes(void *self)
{
    const struct lite *l = self;
    uint64_t bytes = 0;
    struct stat st;

    if (stat(l->path, &st) == 0) {
        bytes += (uint64_t)st.st_size;
    }
    if (stat(l->wal_path, &st) == 0) {
        bytes += (uint64_t)st.st_size;
    }
    return bytes;
}

static void lite_close(void *self, bool is_clean)
{
    struct lite *l = self;
    bool is_marked = false;

    ASSERT(l->magic == LITE_MAGIC);
    if (is_clean) {
        int code = lite_exec(l->db, "INSERT OR REPLACE INTO fact VALUES ('store.clean', '1')");

        is_marked = code == SQLITE_OK && lite_checkpoint(l) == SQLITE_OK;
    }
    if (is_marked) {
        /* The log is empty: SQLite may take the file away. */
        (void)sqlite3_db_config(l->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    }
    LOG_I(store_closed, "file=%s clean=%d", log_quote(slice_from_cstr(l->path)).text, is_marked);
    discard(l);
}

const struct store_backend store_lite = {
    .name = "sqlite",
    .look = lite_file_look,
    .open = lite_open,
    .was_lost = lite_was_lost,
    .load = lite_load,
    .begin = lite_begin,
    .apply = lite_apply,
    .commit = lite_commit,
    .rollback = lite_rollback,
    .tidy = lite_tidy,
    .bytes = lite_bytes,
    .explain = lite_explain,
    .close = lite_close,
};
