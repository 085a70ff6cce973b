/* SPDX-License-Identifier: GPL-2.0-or-later */
/* save: lock, read, write beside, rename. */
#include "ctl/save.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/xattr.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/pool.h"
#include "policy/config.h"

#define LOCK_POLL_MS 50u
#define TEMP_MARK    ".new-"

PRINTF_LIKE(3, 4)
static int refuse(struct save *s, int err, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(s->why, sizeof(s->why), fmt, args);
    va_end(args);
    return err;
}

/* "FILE: cannot be WHAT: No space left on device" */
static int fail(struct save *s, const char *what, int err)
{
    return refuse(s, err, "%s: %s: %s", s->real[0] ? s->real : s->path, what, err_text(err));
}

static int probe(struct save *s, enum save_step step)
{
    return s->probe ? s->probe(step, s->probe_ctx) : 0;
}

/* --- reading --- */

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int64_t now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* Whoever replaces the file holds the lock of the one that was there: it must still be there once
 * we have it. -EAGAIN: it is not, open again. */
static int lock(struct save *s, int64_t begin_s)
{
    struct stat now;
    int err = probe(s, SAVE_LOCK);

    while (!err && flock(s->fd, LOCK_EX | LOCK_NB) < 0) {
        struct timespec pause = {.tv_nsec = LOCK_POLL_MS * 1000000L};

        if (errno != EWOULDBLOCK && errno != EINTR) {
            return fail(s, "cannot be locked", -errno);
        }
        if (now_s() - begin_s >= SAVE_LOCK_S) {
            return refuse(s, -EWOULDBLOCK,
                          "%s: somebody else has been changing it for %u seconds; try again",
                          s->real, SAVE_LOCK_S);
        }
        (void)nanosleep(&pause, NULL);
    }
    if (err) {
        return fail(s, "cannot be locked", err);
    }
    if (fstat(s->fd, &s->stat) < 0 || stat(s->real, &now) < 0) {
        return fail(s, "cannot be read", -errno);
    }
    return is_same_file(&s->stat, &now) ? 0 : -EAGAIN;
}

static int open_file(struct save *s, bool only_read)
{
    int64_t begin_s = now_s();
    int err;

    if (!realpath(s->path, s->real)) {
        s->real[0] = 0;
        return fail(s, "cannot be opened", -errno);
    }
    s->name_at = (size_t)(strrchr(s->real, '/') + 1 - s->real);
    do {
        if (s->fd >= 0) {
            (void)close(s->fd);
        }
        s->fd = open(s->real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (s->fd < 0 || fstat(s->fd, &s->stat) < 0) {
            return fail(s, "cannot be opened", -errno);
        }
        if (!S_ISREG(s->stat.st_mode)) {
            return refuse(s, ERR_BAD_INPUT, "%s: is no file that could be changed", s->real);
        }
        err = only_read ? 0 : lock(s, begin_s);
    } while (err == -EAGAIN);
    return err;
}

static int read_file(struct save *s)
{
    size_t size = (size_t)s->stat.st_size;
    int err = probe(s, SAVE_READ);

    if (err) {
        return fail(s, "cannot be read", err);
    }
    if (size > CONFIG_FILE_BYTES_MAX) {
        return refuse(s, ERR_LIMIT, "%s: has %zu bytes; at most %zu are read", s->real, size,
                      CONFIG_FILE_BYTES_MAX);
    }
    s->bytes = pool_heap_zalloc(size + 1);
    while (s->len < size) {
        ssize_t got = read(s->fd, s->bytes + s->len, size - s->len);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return fail(s, "cannot be read", -errno);
        }
        if (got == 0) {
            return refuse(s, -ESTALE, "%s: became shorter while it was read; try again", s->real);
        }
        s->len += (size_t)got;
    }
    return 0;
}

int save_begin(struct save *s, const char *path, bool only_read)
{
    int err;

    s->path = path;
    s->fd = -1;
    err = open_file(s, only_read);
    return err ? err : read_file(s);
}

void save_end(struct save *s)
{
    if (s->bytes) {
        explicit_bzero(s->bytes, s->len);
    }
    pool_heap_free(s->bytes);
    if (s->fd >= 0) {
        (void)close(s->fd);
    }
    s->bytes = NULL;
    s->len = 0;
    s->fd = -1;
}

/* --- writing --- */

struct writer {
    int folder_fd;           /* -1 */
    int fd;                  /* the new file; -1 */
    char name[NAME_MAX + 1]; /* its name in the folder; "" = none (any more) */
};

/* What others left behind: a writer holds a lock on its new file for as long as it lives. */
static void remove_left_behind(struct save *s, const struct writer *w)
{
    const char *name = s->real + s->name_at;
    size_t len = strlen(name);
    int copy = openat(w->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = copy >= 0 ? fdopendir(copy) : NULL;
    struct dirent *entry;

    if (!folder) {
        if (copy >= 0) {
            (void)close(copy);
        }
        return; /* may be forbidden: nothing depends on it */
    }
    while ((entry = readdir(folder)) != NULL) {
        const char *at = entry->d_name;
        int fd;

        if (at[0] != '.' || strncmp(at + 1, name, len) != 0 ||
            strncmp(at + 1 + len, TEMP_MARK, sizeof(TEMP_MARK) - 1) != 0) {
            continue;
        }
        fd = openat(w->folder_fd, at, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
            (void)unlinkat(w->folder_fd, at, 0);
        }
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    (void)closedir(folder);
}

/* A name that nobody has; mkostemp has no variant for a folder's descriptor. */
static int create(struct save *s, struct writer *w)
{
    char folder[PATH_MAX];
    int err = probe(s, SAVE_CREATE);

    if (err) {
        return fail(s, "no new file can be made in its folder", err);
    }
    slice_to_cstr_cut(slice_make(s->real, s->name_at), folder, sizeof(folder));
    w->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w->folder_fd < 0) {
        return fail(s, "its folder cannot be opened", -errno);
    }
    remove_left_behind(s, w);
    for (uint32_t i = 0; i < 100; i++) {
        int len = snprintf(w->name, sizeof(w->name), ".%s" TEMP_MARK "%x-%u", s->real + s->name_at,
                           (unsigned)getpid(), i);

        if (len < 0 || (size_t)len >= sizeof(w->name)) {
            w->name[0] = 0;
            return refuse(s, -ENAMETOOLONG, "%s: its name is too long", s->real);
        }
        w->fd = openat(w->folder_fd, w->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                       0600);
        if (w->fd >= 0) {
            (void)flock(w->fd, LOCK_EX | LOCK_NB);
            return 0;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    err = -errno;
    w->name[0] = 0;
    return fail(s, "no new file can be made in its folder", err);
}

static int write_all(struct save *s, struct writer *w, struct slice text)
{
    do {
        size_t len = text.len < SAVE_CHUNK_BYTES ? text.len : SAVE_CHUNK_BYTES;
        int err = probe(s, SAVE_WRITE);
        ssize_t done = err ? -1 : write(w->fd, text.ptr, len);

        if (done < 0 && !err && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return fail(s, "cannot be written; nothing was changed", err ? err : -errno);
        }
        text = slice_from(text, (size_t)done);
    } while (text.len);
    return 0;
}

/* One attribute; 0 also when the new file has it with the same value already. */
static int keep_attribute(struct save *s, struct writer *w, const char *name)
{
    char *value = pool_heap_zalloc(XATTR_SIZE_MAX);
    char *now = pool_heap_zalloc(XATTR_SIZE_MAX);
    ssize_t len = fgetxattr(s->fd, name, value, XATTR_SIZE_MAX);
    int err = len < 0 ? -errno : 0;

    if (!err &&
        (fgetxattr(w->fd, name, now, XATTR_SIZE_MAX) != len ||
         memcmp(value, now, (size_t)len) != 0) &&
        fsetxattr(w->fd, name, value, (size_t)len, 0) < 0) {
        err = -errno;
    }
    pool_heap_free(value);
    pool_heap_free(now);
    return err ? refuse(s, err, "%s: its attribute %.64s cannot be kept: %s", s->real, name,
                        err_text(err))
               : 0;
}

/* Before the mode: where there is an access list, the group's bits of the mode are its mask, and
 * alone they would let in the whole group. */
static int keep_attributes(struct save *s, struct writer *w)
{
    char *names = pool_heap_zalloc(XATTR_LIST_MAX);
    int err = probe(s, SAVE_ATTRIBUTES);
    ssize_t len = err ? -1 : flistxattr(s->fd, names, XATTR_LIST_MAX);

    if (!err && len < 0 && errno != ENOTSUP) {
        err = -errno;
    }
    if (err) {
        err = fail(s, "its attributes cannot be kept", err);
    }
    for (ssize_t at = 0; at < len && !err; at += (ssize_t)strlen(names + at) + 1) {
        err = keep_attribute(s, w, names + at);
    }
    pool_heap_free(names);
    return err;
}

/* Before the content could be read by somebody new: it is 0600 until here. */
static int keep_owner(struct save *s, struct writer *w)
{
    struct stat st;
    int err = probe(s, SAVE_OWNER);

    if (!err && fstat(w->fd, &st) < 0) {
        err = -errno;
    }
    if (!err && (st.st_uid != s->stat.st_uid || st.st_gid != s->stat.st_gid) &&
        fchown(w->fd, s->stat.st_uid, s->stat.st_gid) < 0) {
        err = -errno;
    }
    if (err) {
        return refuse(s, err,
                      "%s: its owner (user %u, group %u) cannot be kept: %s; do this as that user "
                      "or as root",
                      s->real, (unsigned)s->stat.st_uid, (unsigned)s->stat.st_gid, err_text(err));
    }
    err = keep_attributes(s, w);
    if (err) {
        return err;
    }
    err = probe(s, SAVE_MODE);
    if (!err && fchmod(w->fd, s->stat.st_mode & 07777) < 0) {
        err = -errno;
    }
    return err ? fail(s, "its mode cannot be kept", err) : 0;
}

static int sync_file(struct save *s, struct writer *w)
{
    int err = probe(s, SAVE_SYNC);

    if (!err && fsync(w->fd) < 0) {
        err = -errno;
    }
    return err ? fail(s, "cannot be written; nothing was changed", err) : 0;
}

/* An editor of a person takes no lock. */
static int check_unchanged(struct save *s)
{
    struct stat now;
    int err = probe(s, SAVE_CHECK);

    if (!err && stat(s->real, &now) < 0) {
        err = -errno;
    }
    if (err) {
        return fail(s, "is not there any more", err);
    }
    if (!is_same_file(&now, &s->stat) || now.st_size != s->stat.st_size ||
        now.st_mtim.tv_sec != s->stat.st_mtim.tv_sec ||
        now.st_mtim.tv_nsec != s->stat.st_mtim.tv_nsec) {
        return refuse(s, -ESTALE,
                      "%s: was changed by somebody else meanwhile; nothing was saved, try again",
                      s->real);
    }
    return 0;
}

static int replace(struct save *s, struct writer *w, bool *is_new)
{
    int err = probe(s, SAVE_RENAME);

    if (!err && renameat(w->folder_fd, w->name, w->folder_fd, s->real + s->name_at) < 0) {
        err = -errno;
    }
    if (err) {
        return fail(s, "cannot be replaced", err);
    }
    w->name[0] = 0;
    *is_new = true;
    err = probe(s, SAVE_SYNC_FOLDER);
    if (!err && fsync(w->folder_fd) < 0) {
        err = -errno;
    }
    return err ? fail(s, "is the new one, but its folder cannot be written to the disk", err) : 0;
}

int save_commit(struct save *s, struct slice text, bool *is_new)
{
    struct writer w = {.folder_fd = -1, .fd = -1};
    int err = create(s, &w);

    *is_new = false;
    err = err ? err : write_all(s, &w, text);
    err = err ? err : keep_owner(s, &w);
    err = err ? err : sync_file(s, &w);
    err = err ? err : check_unchanged(s);
    err = err ? err : replace(s, &w, is_new);
    if (w.name[0]) {
        (void)unlinkat(w.folder_fd, w.name, 0);
    }
    if (w.fd >= 0) {
        (void)close(w.fd);
    }
    if (w.folder_fd >= 0) {
        (void)close(w.folder_fd);
    }
    return err;
}

int save_exit_status(int err)
{
    switch (err) {
    case -ENOENT:
    case -ENOTDIR:
        return EX_NOINPUT;
    case -EACCES:
    case -EPERM:
        return EX_NOPERM;
    case -EROFS:
    case -ENAMETOOLONG:
        return EX_CANTCREAT;
    case -EWOULDBLOCK:
    case -ESTALE:
        return EX_TEMPFAIL;
    case ERR_BAD_INPUT:
    case ERR_LIMIT:
        return EX_DATAERR;
    default:
        return EX_IOERR;
    }
}
