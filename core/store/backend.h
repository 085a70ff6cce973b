/* SPDX-License-Identifier: GPL-2.0-or-later */
/* backend: the seam between the store's machinery (queues, batches, acknowledgements) and a
 * database. One object, used by one thread at a time: the control thread for open, load and (when
 * nothing was started) close, the store's thread for the rest. All calls may block.
 * Errors: codes of store.h. The machinery acts on two kinds: ERR_STORE_ITEM concerns a row, all
 * else the database. */
#ifndef FG_STORE_BACKEND_H
#define FG_STORE_BACKEND_H

#include "store/store.h"

struct store_backend {
    const char *name; /* for logs */

    /* As store_look says. */
    int (*look)(const char *target, char *why, size_t why_bytes);
    /* As store_open says. *self is owned by the caller and ends with close. */
    int (*open)(void **self, const struct store_params *params, char *why, size_t why_bytes);
    /* open made an empty database where there had been one. NULL: this kind cannot tell. */
    bool (*was_lost)(const void *self);
    int (*load)(void *self, const struct store_reader *reader, struct store_load_report *report,
                char *why, size_t why_bytes);

    /* begin, apply ..., commit or rollback. After any error, of commit too, comes rollback. */
    int (*begin)(void *self);
    /* ERR_STORE_ITEM: this item left no trace, the others of the transaction are not touched. */
    int (*apply)(void *self, const struct store_item *item);
    /* 0: durable, whatever happens now. Else nothing of it is, nor will it be after rollback: not
     * even after a crash. ERR_STORE_ITEM: some item of it is to blame, it cannot say which. */
    int (*commit)(void *self);
    void (*rollback)(void *self);

    /* Between transactions; is_idle: nobody waits. Folds logs and the like; says whether it did
     * something. An error is one of the database. */
    int (*tidy)(void *self, bool is_idle, bool *did);
    /* Of everything on the disk. */
    uint64_t (*bytes)(void *self);
    /* For people: what err means for the database at target and what to do. Any thread. */
    void (*explain)(const char *target, int err, char *text, size_t text_bytes);
    /* is_clean: everything is acknowledged; marks it so, unless that fails. Frees self. */
    void (*close)(void *self, bool is_clean);
};

extern const struct store_backend store_lite; /* SQLite, lite.c */

#endif
