/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lite_int: the SQLite backend: lite_file.c (the file, before SQLite sees it), lite.c (open, check,
 * close), lite_schema.c (layout, migrations), lite_load.c, lite_apply.c (rows), lite_commit.c
 * (durable or not at all). No other room sees this.
 * One connection, locking_mode EXCLUSIVE: the lock on the file is held until close, and the index
 * of the write-ahead log is in memory instead of a third file. */
#ifndef FG_STORE_LITE_INT_H
#define FG_STORE_LITE_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "store/backend.h"

struct sqlite3;
struct sqlite3_stmt;

#define LITE_MAGIC          0x4c495445u
#define LITE_APPLICATION_ID 0x46474442 /* "FGDB", in the file's header */
#define LITE_VERSION        3          /* of the layout */
#define LITE_LOCK_MS        1000u      /* a node that is just ending is waited for */
#define LITE_SALT_BYTES     8u

enum lite_sql {
    LITE_BEGIN,
    LITE_COMMIT,
    LITE_ROLLBACK,
    LITE_PUT_CONTACT,
    LITE_DROP_CONTACT,
    LITE_PUT_REACH,
    LITE_DROP_REACH,
    LITE_TRIM_REACH,
    LITE_PUT_FACT,
    LITE_DROP_FACT,
    LITE_SQL_COUNT
};

struct lite_inode {
    dev_t dev;
    ino_t ino;
};

struct lite {
    uint32_t magic;
    struct sqlite3 *db; /* owned */
    char *path;         /* owned, heap; absolute, no symbolic links */
    char *wal_path;     /* owned, heap */
    int lock_fd;        /* owned */
    struct lite_inode inode;
    struct lite_inode wal_inode;
    struct sqlite3_stmt *stmts[LITE_SQL_COUNT]; /* owned */
    uint32_t page_bytes;
    /* The write-ahead log as of the last commit: its frames, and the salt that tells one filling of
     * it from the next. */
    uint32_t wal_frames;
    uint8_t wal_salt[LITE_SALT_BYTES];
    bool is_salt_unknown;    /* it could not be read */
    bool is_cut_due;         /* refused rows may still stand behind its end */
    int last_err;            /* of commit */
    uint64_t reach_rows;     /* counted at times; an upper bound in between */
    uint64_t reach_rows_max;
    bool was_clean; /* the last stop */
    bool was_lost;  /* there was a database, which is gone: this one was made at this start */
};

/* lite_file.c. All: why gets the line for people. */
/* Makes an empty database (layout of today, mode 0600) when there is no file; locks it; refuses
 * what is no database of ours. Fills l->path, l->was_lost and l->lock_fd, which must be closed
 * after SQLite's connection, or SQLite's locks on the file would go with it. */
NODISCARD int lite_file_open(const char *target, struct lite *l, char *why, size_t why_bytes);
/* Would that be refused? Nothing is made, changed or locked. Not in a process that has a database
 * open: SQLite's locks on it would go. */
NODISCARD int lite_file_look(const char *target, char *why, size_t why_bytes);
int lite_refuse_locked(const char *path, char *why, size_t why_bytes);
/* A log beside it that is none is moved away, so that it is not lost; says so in the log. */
NODISCARD int lite_file_check_wal(const char *wal_path, char *why, size_t why_bytes);
NODISCARD int lite_inode_of(const char *path, struct lite_inode *out);

/* lite.c */
/* A result code of SQLite as one of ours. */
int lite_err(struct sqlite3 *db, int code);
void lite_explain(const char *target, int err, char *text, size_t text_bytes);
/* explain() with SQLite's own words behind it; returns err. */
int lite_why(struct sqlite3 *db, const char *path, int err, char *why, size_t why_bytes);
/* Runs sql (perhaps several statements); a result code of SQLite. */
int lite_exec(struct sqlite3 *db, const char *sql);
/* The first column of the first row; a result code of SQLite, NOTFOUND without a row. */
int lite_get_int(struct sqlite3 *db, const char *sql, int64_t *out);

/* lite_schema.c */
/* An empty database becomes one of LITE_VERSION. A result code of SQLite. */
int lite_schema_make(struct sqlite3 *db);
/* Brings it from an older version; one transaction per version. */
NODISCARD int lite_schema_migrate(struct lite *l, char *why, size_t why_bytes);

/* lite_load.c */
int lite_load(void *self, const struct store_reader *reader, struct store_load_report *report,
              char *why, size_t why_bytes);

/* lite_apply.c */
NODISCARD int lite_prepare(struct lite *l);
int lite_apply(void *self, const struct store_item *item);

/* Sums stored with the rows: a bit that turned on the disk must not grant anything. */
int64_t lite_sum_contact(const struct store_contact *c);
int64_t lite_sum_reach(const struct store_reach *r);
int64_t lite_sum_bytes(struct slice s);

/* lite_commit.c */
int lite_begin(void *self);
int lite_commit(void *self);
void lite_rollback(void *self);
int lite_tidy(void *self, bool is_idle, bool *did);
/* Folds the log into the database and empties it. A result code of SQLite. */
int lite_checkpoint(struct lite *l);
/* After every commit that wrote: remembers where the log ends. */
void lite_watch_log(struct lite *l, uint32_t frames);

#endif
