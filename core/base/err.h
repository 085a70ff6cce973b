/* SPDX-License-Identifier: GPL-2.0-or-later */
/* err: one error convention for the tree. Functions return 0 or a negative code of this list;
 * system call wrappers return -errno unchanged. Any thread.                                   */
#ifndef FG_BASE_ERR_H
#define FG_BASE_ERR_H

enum err {
#define ERR(name, value, class, text) name = value,
#include "base/err.def"
#undef ERR
};

/* What an error concerns, i.e. what the caller gives up. */
enum err_class {
    ERR_CLASS_STANZA,  /* bounce this stanza */
    ERR_CLASS_STREAM,  /* stream error, then close */
    ERR_CLASS_CONN,    /* close the connection */
    ERR_CLASS_PARTNER, /* back off from the partner */
    ERR_CLASS_CONFIG,  /* refuse the new configuration */
    ERR_CLASS_SHARD,   /* shed load */
    ERR_CLASS_FATAL,   /* start-up only */
};

/* Stable short name, "ERR_TIMEOUT" or "ECONNREFUSED"; never NULL. */
const char *err_name(int err);
/* One line for a person; never NULL. */
const char *err_text(int err);
/* -errno values are of class CONN. */
enum err_class err_class_of(int err);

#endif
