/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lite_file: the database's file before SQLite opens it: made if there is none, refused if it is
 * something else. SQLite would make a database of whatever is empty and take over whatever is
 * one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/err.h"
#include "base/log.h"
#include "base/pool.h"
#include "store/lite_int.h"

#define PATH_BYTES_MAX     4096u
#define FILE_MODE          0600
#define HEADER_BYTES       100u
#define HEADER_VERSION_AT  60u
#define HEADER_ID_AT       68u
#define WAL_HEADER_BYTES   32u
#define LOCK_NAP_MS        50u
#define MARK_SUFFIX        ".was-here"
#define WAL_MAGIC          0x377f0682u /* or 1 more: byte order of its sums */
static const char header_magic[16] = "SQLite format 3";

#define SAY(...) (void)snprintf(why, why_bytes, __VA_ARGS__)

static uint32_t big_endian(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

int lite_inode_of(const char *path, struct lite_inode *out)
{
    struct stat st;

    if (stat(path, &st)) {
        return -errno;
    }
    *out = (struct lite_inode){st.st_dev, st.st_ino};
    return 0;
}

static void folder_of(const char *path, char folder[PATH_BYTES_MAX])
{
    const char *slash = strrchr(path, '/');

    slice_to_cstr_cut(slash ? slice_make(path, (size_t)(slash - path) + 1) : SLICE_LIT("."), folder,
                      PATH_BYTES_MAX);
}

static int sync_folder_of(const char *path)
{
    char folder[PATH_BYTES_MAX];
    int err = 0;
    int fd;

    folder_of(path, folder);
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    if (fsync(fd)) {
        err = -errno;
    }
    (void)close(fd);
    return err;
}

/* An empty file of our own that SQLite fills; it gets its name when it is whole. */
static int fill(const char *fresh, const char *path, char *why, size_t why_bytes)
{
    sqlite3 *db = NULL;
    int code = sqlite3_open_v2(fresh, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    int err = 0;

    code = code ? code : lite_schema_make(db);
    if (code) {
        err = lite_why(db, path, lite_err(db, code), why, why_bytes);
    }
    (void)sqlite3_close(db);
    return err;
}

static int refuse_making(const char *path, int err, char *why, size_t why_bytes)
{
    switch (-err) {
    case ENOENT:
        SAY("store: %s cannot be made: its folder does not exist: make it (for the user that runs "
            "fedgate) or correct \"store\" or node.state_dir", path);
        break;
    case EACCES:
    case EPERM:
    case EROFS:
        SAY("store: %s cannot be made: %s: let the user that runs fedgate write to its folder, or "
            "correct \"store\" or node.state_dir", path, err_text(err));
        break;
    default:
        SAY("store: %s cannot be made: %s", path, err_text(err));
    }
    return err == -ENOSPC || err == -EDQUOT ? ERR_STORE_SPACE : ERR_STORE_OPEN;
}

/* Under another name first: a crash in between leaves no half-made database behind, so that an
 * empty file is never one of ours. */
static int make(const char *path, char *why, size_t why_bytes)
{
    char fresh[PATH_BYTES_MAX];
    int err = 0;
    int fd;

    if (snprintf(fresh, sizeof(fresh), "%s.new.%ld", path, (long)getpid()) >= (int)sizeof(fresh)) {
        return refuse_making(path, -ENAMETOOLONG, why, why_bytes);
    }
    (void)unlink(fresh);
    fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (fd < 0) {
        return refuse_making(path, -errno, why, why_bytes);
    }
    /* Whatever the umask says. */
    err = fchmod(fd, FILE_MODE) ? -errno : 0;
    (void)close(fd);
    if (err) {
        (void)unlink(fresh);
        return refuse_making(path, err, why, why_bytes);
    }
    err = fill(fresh, path, why, why_bytes);
    /* Not rename: one that came to be there meanwhile is another node's, and stays. */
    if (!err && link(fresh, path) && errno != EEXIST) {
        err = refuse_making(path, -errno, why, why_bytes);
    }
    (void)unlink(fresh);
    if (!err) {
        int sync_err = sync_folder_of(path);

        err = sync_err ? refuse_making(path, sync_err, why, why_bytes) : 0;
    }
    return err;
}

static int refuse_foreign(const char *path, const char *what, char *why, size_t why_bytes)
{
    SAY("store: %s %s: restore a copy of the database, or move it away (mv %s %s.damaged) to start "
        "with an empty one",
        path, what, path, path);
    return ERR_STORE_DAMAGED;
}

static int check_header(const char *path, const uint8_t *header, ssize_t len, char *why,
                        size_t why_bytes)
{
    if (len == 0) {
        return refuse_foreign(path, "is empty", why, why_bytes);
    }
    if (len < (ssize_t)HEADER_BYTES || memcmp(header, header_magic, sizeof(header_magic)) != 0) {
        return refuse_foreign(path, "is no database, or its beginning is damaged", why, why_bytes);
    }
    if (big_endian(header + HEADER_ID_AT) != LITE_APPLICATION_ID) {
        SAY("store: %s is another program's database: correct \"store\"", path);
        return ERR_STORE_OPEN;
    }
    if (big_endian(header + HEADER_VERSION_AT) > LITE_VERSION) {
        SAY("store: %s was written by a newer version of fedgate (layout %u, this one knows %u): "
            "install that version, or restore a copy made before it",
            path, (unsigned)big_endian(header + HEADER_VERSION_AT), (unsigned)LITE_VERSION);
        return ERR_STORE_VERSION;
    }
    return 0;
}

static int check_kind(const char *path, char *why, size_t why_bytes)
{
    struct stat st;

    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        SAY("store: %s is %s, no file: correct \"store\"", path,
            S_ISDIR(st.st_mode) ? "a directory" : "a device or the like");
        return ERR_STORE_OPEN;
    }
    return 0;
}

static int refuse_opening(const char *path, int err, char *why, size_t why_bytes)
{
    SAY("store: %s cannot be opened for writing: %s: it must belong to the user that runs "
        "fedgate (chown), and its disk must be writable",
        path, err_text(err));
    return ERR_STORE_OPEN;
}

static int open_file(const char *path, int *fd, char *why, size_t why_bytes)
{
    struct stat st;
    int err = check_kind(path, why, why_bytes);

    if (err) {
        return err;
    }
    *fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0) {
        return refuse_opening(path, -errno, why, why_bytes);
    }
    if (fstat(*fd, &st) || ((st.st_mode & 0777) != FILE_MODE && fchmod(*fd, FILE_MODE))) {
        SAY("store: %s is open to others and cannot be closed to them: %s: it must belong to the "
            "user that runs fedgate (chown)",
            path, err_text(-errno));
        return ERR_STORE_OPEN;
    }
    return 0;
}

int lite_refuse_locked(const char *path, char *why, size_t why_bytes)
{
    SAY("store: %s is in use by another process: stop that first (fuser %s names it), or give each "
        "node a store of its own",
        path, path);
    return ERR_STORE_LOCKED;
}

/* A lock besides SQLite's, which come with the first look into the log: nothing must be touched
 * before it is sure that nobody else is at it. */
static int lock(int fd, const char *path, char *why, size_t why_bytes)
{
    const struct timespec nap = {.tv_nsec = LOCK_NAP_MS * 1000000L};

    for (uint32_t waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB); waited_ms += LOCK_NAP_MS) {
        if (errno != EWOULDBLOCK) {
            SAY("store: %s cannot be locked: %s: it must lie on a local disk", path,
                err_text(-errno));
            return ERR_STORE_OPEN;
        }
        if (waited_ms >= LITE_LOCK_MS) {
            return lite_refuse_locked(path, why, why_bytes);
        }
        (void)nanosleep(&nap, NULL);
    }
    return 0;
}

static int check_content(int fd, const char *path, char *why, size_t why_bytes)
{
    uint8_t header[HEADER_BYTES] = {0};
    ssize_t len;

    len = pread(fd, header, sizeof(header), 0);
    if (len < 0) {
        SAY("store: %s cannot be read: %s: look after its disk", path, err_text(-errno));
        return ERR_STORE_OPEN;
    }
    return check_header(path, header, len, why, why_bytes);
}

/* A log without its database: to begin with an empty one would throw away what is in it. */
static int check_orphan(const char *path, char *why, size_t why_bytes)
{
    char wal[PATH_BYTES_MAX];
    struct stat st;

    (void)snprintf(wal, sizeof(wal), "%s-wal", path);
    if (stat(wal, &st) || st.st_size == 0) {
        return 0;
    }
    SAY("store: %s is gone, but its log %s is there: restore the database, or move the log away "
        "(mv %s %s.damaged) to start with an empty one",
        path, wal, wal, wal);
    return ERR_STORE_DAMAGED;
}

/* --- the mark --------------------------------------------------------------------------------- */

static int mark_of(const char *path, char mark[PATH_BYTES_MAX])
{
    int len = snprintf(mark, PATH_BYTES_MAX, "%s" MARK_SUFFIX, path);

    return len < (int)PATH_BYTES_MAX ? 0 : -ENAMETOOLONG;
}

/* A file beside the database says that there was one: without it a start after the database was
 * lost would look like the first of all. */
static bool is_marked(const char *path)
{
    char mark[PATH_BYTES_MAX];
    struct stat st;

    return mark_of(path, mark) == 0 && lstat(mark, &st) == 0;
}

static int make_mark(const char *path)
{
    static const char text[] =
        "Beside this file there was a database of fedgate. When it is gone at a start, fedgate\n"
        "begins with an empty one and says so. This file may be removed with the database.\n";
    char mark[PATH_BYTES_MAX];
    int err = mark_of(path, mark);
    int fd = err ? -1 : open(mark, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);

    if (err || fd < 0) {
        return err ? err : -errno;
    }
    (void)!write(fd, text, sizeof(text) - 1); /* for people: that it is there is enough */
    (void)close(fd);
    return sync_folder_of(path);
}

static void set_mark(const char *path)
{
    int err = is_marked(path) ? 0 : make_mark(path);

    if (err && err != -EEXIST) {
        LOG_W(store_untidy, "mark=%s%s cause=%s: if the database gets lost no start will notice",
              path, MARK_SUFFIX, err_text(err));
    }
}

/* --- open ------------------------------------------------------------------------------------- */

static int find(const char *target, char real[PATH_BYTES_MAX], char *why, size_t why_bytes)
{
    if (realpath(target, real)) {
        return 0;
    }
    SAY("store: %s cannot be opened: %s%s", target, err_text(-errno),
        errno == ENOENT ? ": it is a link to a file that does not exist" : "");
    return ERR_STORE_OPEN;
}

int lite_file_look(const char *target, char *why, size_t why_bytes)
{
    char real[PATH_BYTES_MAX];
    char folder[PATH_BYTES_MAX];
    struct stat st;
    int fd;
    int err;

    folder_of(target, folder);
    if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS)) {
        return refuse_making(target, -errno, why, why_bytes);
    }
    if (lstat(target, &st)) {
        return errno == ENOENT ? check_orphan(target, why, why_bytes)
                               : refuse_making(target, -errno, why, why_bytes);
    }
    err = find(target, real, why, why_bytes);
    err = err ? err : check_kind(real, why, why_bytes);
    if (err) {
        return err;
    }
    fd = faccessat(AT_FDCWD, real, W_OK, AT_EACCESS) ? -1 : open(real, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return refuse_opening(real, -errno, why, why_bytes);
    }
    err = check_content(fd, real, why, why_bytes);
    (void)close(fd);
    return err;
}

int lite_file_open(const char *target, struct lite *l, char *why, size_t why_bytes)
{
    char real[PATH_BYTES_MAX];
    struct stat st;
    int fd = -1;
    int err;

    if (lstat(target, &st)) {
        if (errno != ENOENT) {
            return refuse_making(target, -errno, why, why_bytes);
        }
        err = check_orphan(target, why, why_bytes);
        err = err ? err : make(target, why, why_bytes);
        if (err) {
            return err;
        }
        l->was_lost = is_marked(target);
    }
    err = find(target, real, why, why_bytes);
    err = err ? err : open_file(real, &fd, why, why_bytes);
    err = err ? err : lock(fd, real, why, why_bytes);
    err = err ? err : check_content(fd, real, why, why_bytes);
    if (err) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return err;
    }
    l->path = pool_heap_strdup(real, strlen(real));
    l->lock_fd = fd;
    set_mark(target);
    return 0;
}

int lite_file_check_wal(const char *wal_path, char *why, size_t why_bytes)
{
    uint8_t header[WAL_HEADER_BYTES];
    char aside[PATH_BYTES_MAX];
    ssize_t len;
    int fd = open(wal_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT) {
        return 0;
    }
    len = fd < 0 ? -1 : pread(fd, header, sizeof(header), 0);
    if (len < 0) {
        SAY("store: %s cannot be read: %s: it belongs to the database and must be readable with it",
            wal_path, err_text(-errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return ERR_STORE_OPEN;
    }
    (void)close(fd);
    if (len == 0 ||
        (len == (ssize_t)sizeof(header) && (big_endian(header) & ~1u) == WAL_MAGIC)) {
        return 0;
    }
    /* A crash of the machine may leave it so, with nothing in it that counted; or something wrote
     * over it. Who looks into it later shall find it. */
    if (snprintf(aside, sizeof(aside), "%s.damaged.%lld", wal_path, (long long)time(NULL)) >=
            (int)sizeof(aside) ||
        rename(wal_path, aside)) {
        SAY("store: %s is no log of the database and cannot be moved away: %s", wal_path,
            err_text(-errno));
        return ERR_STORE_DAMAGED;
    }
    LOG_E(store_damaged, "log=%s kept=%s: was not readable, nothing was taken from it",
          log_quote(slice_from_cstr(wal_path)).text, log_quote(slice_from_cstr(aside)).text);
    return 0;
}
