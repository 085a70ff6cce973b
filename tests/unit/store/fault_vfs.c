/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fault_vfs: faults between SQLite and the system. */
#include "fault_vfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

struct faults faults;

struct fault_vfs_file {
    sqlite3_file base;
    enum fault_file kind;
    bool is_watched;
    sqlite3_file *real; /* behind this struct */
};

/* --- power ------------------------------------------------------------------------------------ */

enum { DISK_BYTES = 24 << 20, PENDING_MAX = 20000 };

struct change { /* bytes NULL: the file ends at at */
    char *bytes;
    size_t at;
    size_t len;
};

static struct disk {
    char *bytes; /* as synced */
    size_t size;
    struct change changes[PENDING_MAX]; /* since then */
    uint32_t count;
} disks[FAULT_FILES];

static const char *watched; /* path; the log's begins with it */
static const char *cut_path;
static uint32_t cut_in;
static uint32_t cut_random;

static void apply(struct disk *d, const struct change *c)
{
    if (!c->bytes) {
        if (c->at < d->size) {
            memset(d->bytes + c->at, 0, d->size - c->at);
        }
        d->size = c->at;
        return;
    }
    memcpy(d->bytes + c->at, c->bytes, c->len);
    d->size = c->at + c->len > d->size ? c->at + c->len : d->size;
}

static void forget(struct disk *d, bool is_synced)
{
    for (uint32_t i = 0; i < d->count; i++) {
        if (is_synced) {
            apply(d, &d->changes[i]);
        }
        free(d->changes[i].bytes);
    }
    d->count = 0;
}

static void note(sqlite3_file *file, const void *bytes, size_t len, size_t at)
{
    struct fault_vfs_file *f = (struct fault_vfs_file *)(void *)file;
    struct disk *d = &disks[f->kind];
    struct change *c = &d->changes[d->count];

    if (!f->is_watched || d->count == PENDING_MAX || at + len > DISK_BYTES) {
        return;
    }
    *c = (struct change){.at = at, .len = len};
    if (bytes) {
        c->bytes = malloc(len ? len : 1);
        memcpy(c->bytes, bytes, len);
    }
    d->count++;
}

void power_watch(const char *path)
{
    watched = path;
    for (uint32_t i = 0; i < FAULT_FILES; i++) {
        forget(&disks[i], false);
        free(disks[i].bytes);
        disks[i].bytes = calloc(1, DISK_BYTES);
        disks[i].size = 0;
    }
}

static void write_out(const struct disk *from, const char *path, uint32_t *random)
{
    struct disk *left = calloc(1, sizeof(*left));
    FILE *out = fopen(path, "w");

    left->bytes = calloc(1, DISK_BYTES); /* touched as far as needed */
    left->size = from->size;
    memcpy(left->bytes, from->bytes, from->size);
    for (uint32_t i = 0; i < from->count; i++) {
        *random = *random * 1664525u + 1013904223u;
        if ((*random >> 16) % 2) {
            apply(left, &from->changes[i]);
        }
    }
    (void)fwrite(left->bytes, 1, left->size, out);
    (void)fclose(out);
    free(left->bytes);
    free(left);
}

void power_cut(const char *path, uint32_t random)
{
    char log[512];

    (void)snprintf(log, sizeof(log), "%s-wal", path);
    write_out(&disks[FAULT_DB], path, &random);
    write_out(&disks[FAULT_LOG], log, &random);
}

void power_cut_at(uint32_t n, const char *path, uint32_t random)
{
    cut_in = n;
    cut_path = path;
    cut_random = random;
}

bool power_was_cut(void)
{
    return cut_path && cut_in == 0;
}

static void maybe_cut(sqlite3_file *file)
{
    if (((struct fault_vfs_file *)(void *)file)->is_watched && cut_in != 0 && --cut_in == 0) {
        power_cut(cut_path, cut_random);
    }
}

/* What is there when it is opened is taken as synced. */
static void begin_watch(struct fault_vfs_file *f)
{
    sqlite3_int64 size = 0;

    (void)f->real->pMethods->xFileSize(f->real, &size);
    disks[f->kind].size = (size_t)size;
    (void)f->real->pMethods->xRead(f->real, disks[f->kind].bytes, (int)size, 0);
}

/* --- faults ----------------------------------------------------------------------------------- */

static sqlite3_vfs *real_vfs;

void faults_off(void)
{
    memset(faults.at, 0, sizeof(faults.at));
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct fault_vfs_file *)(void *)file)->real;
}

static bool fails(sqlite3_file *file, enum fault_call call)
{
    uint32_t *at = &faults.at[((struct fault_vfs_file *)(void *)file)->kind][call];

    if (*at == 0) {
        return false;
    }
    if (*at > 1) {
        --*at;
        return false;
    }
    faults.happened++;
    return true;
}

static int close_file(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int read_file(sqlite3_file *file, void *to, int len, sqlite3_int64 at)
{
    return real_of(file)->pMethods->xRead(real_of(file), to, len, at);
}

static int write_file(sqlite3_file *file, const void *from, int len, sqlite3_int64 at)
{
    maybe_cut(file);
    if (fails(file, FAULT_WRITE)) {
        note(file, from, (size_t)len / 2, (size_t)at);
        (void)real_of(file)->pMethods->xWrite(real_of(file), from, len / 2, at);
        return SQLITE_FULL;
    }
    note(file, from, (size_t)len, (size_t)at);
    return real_of(file)->pMethods->xWrite(real_of(file), from, len, at);
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 size)
{
    maybe_cut(file);
    if (fails(file, FAULT_TRUNCATE)) {
        return SQLITE_IOERR_TRUNCATE;
    }
    note(file, NULL, 0, (size_t)size);
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int sync_file(sqlite3_file *file, int flags)
{
    const struct fault_vfs_file *f = (struct fault_vfs_file *)(void *)file;

    maybe_cut(file);
    if (fails(file, FAULT_SYNC)) {
        return SQLITE_IOERR_FSYNC;
    }
    if (f->is_watched) {
        forget(&disks[f->kind], true);
    }
    return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int size_of_file(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int lock_file(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int unlock_file(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int check_lock(sqlite3_file *file, int *out)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int control_file(sqlite3_file *file, int what, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), what, arg);
}

static int sector_bytes(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int traits(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

/* Version 1: without shared memory. A store that is exclusive needs none. */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = size_of_file,
    .xLock = lock_file,
    .xUnlock = unlock_file,
    .xCheckReservedLock = check_lock,
    .xFileControl = control_file,
    .xSectorSize = sector_bytes,
    .xDeviceCharacteristics = traits,
};

static int open_file(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out)
{
    struct fault_vfs_file *f = (struct fault_vfs_file *)(void *)file;
    int code;

    (void)vfs;
    f->kind = flags & SQLITE_OPEN_WAL ? FAULT_LOG : FAULT_DB;
    f->real = (sqlite3_file *)(void *)(f + 1);
    code = real_vfs->xOpen(real_vfs, path, f->real, flags, out);
    f->base.pMethods = f->real->pMethods ? &methods : NULL;
    f->is_watched = watched && path && f->base.pMethods &&
                    (strcmp(path, watched) == 0 ||
                     (f->kind == FAULT_LOG && strncmp(path, watched, strlen(watched)) == 0));
    if (f->is_watched) {
        begin_watch(f);
    }
    return code;
}

void fault_vfs_install(void)
{
    static sqlite3_vfs vfs;

    if (real_vfs) {
        return;
    }
    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.pNext = NULL;
    vfs.zName = "faults";
    vfs.szOsFile = (int)sizeof(struct fault_vfs_file) + real_vfs->szOsFile;
    vfs.xOpen = open_file;
    (void)sqlite3_vfs_register(&vfs, 1);
}
