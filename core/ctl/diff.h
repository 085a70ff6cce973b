/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff: a finished edit as a unified diff with three lines around each change. Values of keys that
 * hold secrets are shown as "...". Pure. */
#ifndef FG_CTL_DIFF_H
#define FG_CTL_DIFF_H

#include "base/buf.h"
#include "base/slice.h"
#include "ctl/out.h"
#include "policy/edit.h"

/* e: edit_finish gave now. Appends to out; with o (out is its text) it is spilled now and then. */
void diff_write(const struct edit *e, struct slice now, const char *file, struct buf *out,
                struct out *o);

#endif
