/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lite_commit: durable or not at all. With synchronous = FULL SQLite writes the transaction behind
 * the others in the write-ahead log and waits for the disk (fsync) before it says yes. When it says
 * no, the frames may be in the file all the same, whole and valid, if only the last step failed:
 * the process goes on without them, but the next start would take them for committed. So the log
 * is cut where the last good commit ended. */
#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
#include "store/lite_int.h"

#define WAL_HEADER_BYTES  32
#define WAL_SALT_AT       16
#define FRAME_HEADER_BYTES 24
/* Folded into the database when nobody waits, or before it gets really long. */
#define FRAMES_IDLE_MAX 1000u
#define FRAMES_MAX      16384u

static struct sqlite3_file *log_file(struct lite *l)
{
    struct sqlite3_file *file = NULL;

    if (sqlite3_file_control(l->db, NULL, SQLITE_FCNTL_JOURNAL_POINTER, &file) || !file ||
        !file->pMethods) {
        return NULL;
    }
    return file;
}

/* Zeros where there is no header. */
static int read_salt(struct sqlite3_file *file, uint8_t salt[LITE_SALT_BYTES])
{
    int code = file->pMethods->xRead(file, salt, LITE_SALT_BYTES, WAL_SALT_AT);

    if (code == SQLITE_IOERR_SHORT_READ) {
        memset(salt, 0, LITE_SALT_BYTES);
        return SQLITE_OK;
    }
    return code;
}

void lite_watch_log(struct lite *l, uint32_t frames)
{
    struct sqlite3_file *file = log_file(l);

    /* Without the salt a later cut takes the whole log for a new one, and this must not be: begin
     * refuses until it is known. */
    l->is_salt_unknown = !file || read_salt(file, l->wal_salt);
    l->wal_frames = frames;
    l->is_cut_due = false; /* written over */
}

/* Another salt: the log was begun anew after everything in it had gone into the database, and
 * nothing was committed since. */
static int64_t good_end(const struct lite *l, const uint8_t salt[LITE_SALT_BYTES])
{
    if (l->wal_frames == 0 || memcmp(salt, l->wal_salt, LITE_SALT_BYTES) != 0) {
        return 0;
    }
    return WAL_HEADER_BYTES +
           (int64_t)l->wal_frames * (FRAME_HEADER_BYTES + (int64_t)l->page_bytes);
}

static int cut_log(struct lite *l)
{
    static const uint8_t nothing[FRAME_HEADER_BYTES];
    struct sqlite3_file *file = log_file(l);
    uint8_t salt[LITE_SALT_BYTES];
    sqlite3_int64 size = 0;
    int64_t end;
    int code;

    if (!file) {
        return SQLITE_OK; /* no log, nothing in it */
    }
    code = file->pMethods->xFileSize(file, &size);
    code = code ? code : read_salt(file, salt);
    if (code) {
        return code;
    }
    end = good_end(l, salt);
    if (size <= end) {
        return SQLITE_OK;
    }
    code = file->pMethods->xTruncate(file, end);
    if (code) {
        /* A frame without its header ends the log as well. */
        code = file->pMethods->xWrite(file, nothing, sizeof(nothing), end);
    }
    return code ? code : file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
}

/* Whether what is written goes where it will be looked for after a restart. */
static bool is_gone(const struct lite *l)
{
    struct lite_inode now;
    struct lite_inode log;

    return lite_inode_of(l->path, &now) || now.dev != l->inode.dev || now.ino != l->inode.ino ||
           lite_inode_of(l->wal_path, &log) || log.dev != l->wal_inode.dev ||
           log.ino != l->wal_inode.ino;
}

static int step(struct lite *l, enum lite_sql sql)
{
    int code = sqlite3_step(l->stmts[sql]);

    (void)sqlite3_reset(l->stmts[sql]);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

int lite_begin(void *self)
{
    struct lite *l = self;

    ASSERT(l->magic == LITE_MAGIC);
    if (is_gone(l)) {
        return ERR_STORE_GONE;
    }
    if (l->is_salt_unknown) {
        lite_watch_log(l, l->wal_frames);
    }
    if (l->is_salt_unknown || (l->is_cut_due && cut_log(l))) {
        return ERR_STORE_IO;
    }
    l->is_cut_due = false;
    return lite_err(l->db, step(l, LITE_BEGIN));
}

int lite_commit(void *self)
{
    struct lite *l = self;
    int err = lite_err(l->db, step(l, LITE_COMMIT));

    if (err && err != l->last_err) {
        /* In SQLite's words, once; health.c says what it means. */
        LOG_E(store_failing, "commit=%s errno=%d",
              log_quote(slice_from_cstr(sqlite3_errmsg(l->db))).text,
              sqlite3_system_errno(l->db));
    }
    l->last_err = err;
    if (!err && is_gone(l)) {
        return ERR_STORE_GONE;
    }
    return err;
}

void lite_rollback(void *self)
{
    struct lite *l = self;

    if (!sqlite3_get_autocommit(l->db)) {
        (void)step(l, LITE_ROLLBACK);
    }
    l->is_cut_due = cut_log(l) != SQLITE_OK;
    if (l->is_cut_due) {
        LOG_E(store_untidy, "file=%s: refused rows stand behind its end and cannot be cut off: "
                            "they may count after a crash",
              log_quote(slice_from_cstr(l->wal_path)).text);
    }
}

int lite_checkpoint(struct lite *l)
{
    int code = sqlite3_wal_checkpoint_v2(l->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

    if (code == SQLITE_OK) {
        l->wal_frames = 0;
        memset(l->wal_salt, 0, sizeof(l->wal_salt));
    }
    return code;
}

static int trim_reach(struct lite *l)
{
    int64_t rows = 0;
    int code = lite_get_int(l->db, "SELECT count(*) FROM reach", &rows);

    if (code == SQLITE_OK && (uint64_t)rows > l->reach_rows_max) {
        int64_t keep = (int64_t)(l->reach_rows_max / 8 * 7);

        code = sqlite3_bind_int64(l->stmts[LITE_TRIM_REACH], 1, rows - keep);
        code = code ? code : step(l, LITE_TRIM_REACH);
        rows = code ? rows : keep;
    }
    l->reach_rows = (uint64_t)rows;
    return code;
}

int lite_tidy(void *self, bool is_idle, bool *did)
{
    struct lite *l = self;
    int code = SQLITE_OK;

    if (l->reach_rows > l->reach_rows_max) {
        code = trim_reach(l);
        if (code) {
            lite_rollback(l);
            return lite_err(l->db, code);
        }
    }
    if (l->wal_frames > FRAMES_MAX || (is_idle && l->wal_frames > FRAMES_IDLE_MAX)) {
        code = lite_checkpoint(l);
        *did = code == SQLITE_OK;
    }
    return lite_err(l->db, code);
}
