/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fault_vfs: faults between SQLite and the system. */
#include "fault_vfs.h"

#include <stdbool.h>
#include <string.h>

#include <sqlite3.h>

struct faults faults;

struct fault_vfs_file {
    sqlite3_file base;
    enum fault_file kind;
    sqlite3_file *real; /* behind this struct */
};

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
    if (fails(file, FAULT_WRITE)) {
        (void)real_of(file)->pMethods->xWrite(real_of(file), from, len / 2, at);
        return SQLITE_FULL;
    }
    return real_of(file)->pMethods->xWrite(real_of(file), from, len, at);
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 size)
{
    if (fails(file, FAULT_TRUNCATE)) {
        return SQLITE_IOERR_TRUNCATE;
    }
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int sync_file(sqlite3_file *file, int flags)
{
    if (fails(file, FAULT_SYNC)) {
        return SQLITE_IOERR_FSYNC;
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
