/* SPDX-License-Identifier: GPL-2.0-or-later */
/* save: the configuration file replaced as a whole. A second editor waits (a lock on the file that
 * is there), a crash at any step leaves the old or the new text, a full disk the old one; owner,
 * group, mode, access list and other extended attributes stay, or nothing is done; a symbolic link
 * stays one, its target is replaced. What a program without our lock wrote meanwhile is not
 * overwritten. What a crash left behind (.NAME.new-... in the folder) is removed by the next save.
 * Blocking, SAVE_LOCK_S at most for the lock. One thread. Memory: plain heap, wiped. */
#ifndef FG_CTL_SAVE_H
#define FG_CTL_SAVE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/attr.h"
#include "base/slice.h"

#define SAVE_LOCK_S    10u
#define SAVE_WHY_BYTES 1280u

enum save_step {
    SAVE_LOCK,
    SAVE_READ,
    SAVE_CREATE,
    SAVE_WRITE, /* each SAVE_CHUNK_BYTES */
    SAVE_OWNER,
    SAVE_ATTRIBUTES,
    SAVE_MODE,
    SAVE_SYNC,
    SAVE_CHECK,
    SAVE_RENAME,
    SAVE_SYNC_FOLDER,
    SAVE_STEP_COUNT
};
#define SAVE_CHUNK_BYTES ((size_t)64 << 10)

/* For tests: asked before each step; a negative code takes the place of doing it. */
typedef int save_probe_fn(enum save_step step, void *ctx);

struct save {
    save_probe_fn *probe; /* NULL = none */
    void *probe_ctx;
    const char *path;    /* borrowed; as given */
    char real[PATH_MAX]; /* links followed */
    size_t name_at;      /* of the file's name in real */
    int fd;              /* the file, locked; -1 */
    struct stat stat;    /* as it was read */
    char *bytes;         /* owned: the text */
    size_t len;
    char why[SAVE_WHY_BYTES]; /* of the last failure: what and what to do */
};

/* Locks (unless only reading) and reads. 0 or a negative code with why; save_end in either case.
 * s: zeroed but for the probe. */
NODISCARD int save_begin(struct save *s, const char *path, bool only_read);
static inline struct slice save_text(const struct save *s)
{
    return slice_make(s->bytes, s->len);
}
/* Puts text in the file's place. 0: it is there and on the disk. Else why, and the file is the old
 * one (*is_new false), or the new one that may not outlive a power cut (*is_new). */
NODISCARD int save_commit(struct save *s, struct slice text, bool *is_new);
/* Unlocks, frees. */
void save_end(struct save *s);
/* The exit status (sysexits) for a negative code of these. */
int save_exit_status(int err);

#endif
