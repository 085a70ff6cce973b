/* SPDX-License-Identifier: GPL-2.0-or-later */
/* out: what commands print. Results go to stdout (a document with --json, else sentences and
 * aligned tables), mistakes to stderr, with --json to stdout as well. A result that could not be
 * written (a full disk, a closed pipe) makes the exit status 74 (EX_IOERR), so that a script that
 * reads half of it knows. One thread. */
#ifndef FG_CTL_OUT_H
#define FG_CTL_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/jout.h"
#include "base/slice.h"
#include "ctl/ctl.h"

/* Prints "fedgatectl: TEXT\n" (with --json also {"error": TEXT}) and returns status. The text says
 * what to do; what it quotes goes through quote(). */
NODISCARD int out_fail(const struct ctl *ctl, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A mistake on the command line: the same and the command's usage; EX_USAGE. */
NODISCARD int out_usage(const struct ctl *ctl, const struct ctl_command *cmd, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* What a command says: zeroed and begun by out_begin, written by out_end; out_spill may be called
 * between, so that a list of a million partners needs no memory for its text. */
struct out {
    struct buf text;
    struct jout json; /* with --json; writes into text */
    int err; /* the first that made it incomplete; 0 = none */
};
void out_begin(struct out *o);
/* Writes to stdout what is there, once it is a lot. */
void out_spill(struct out *o);
/* Writes the rest; status, or EX_IOERR with a message. */
NODISCARD int out_end(struct out *o, int status);

/* Appends text without what would move a cursor or turn the writing direction: \u{XX} instead. */
void out_put_clean(struct buf *out, struct slice text);

/* "1 partner", "2 partners". */
void out_put_count(struct buf *out, int64_t count, const char *noun);

/* A table for people: columns as wide as their widest cell. Cells are cleaned as above. Held in
 * memory until written, for the widths: 100 bytes a row or so. */
struct out_table {
    const char *const *heads; /* borrowed; '>' in front: numbers, to the right */
    uint32_t column_count;
    char *cells;  /* owned: all texts, one after the other */
    size_t bytes; /* of cells */
    size_t bytes_cap;
    size_t *ends; /* owned: where each ends in cells */
    size_t cell_count;
    size_t cell_cap;
};
void out_table_init(struct out_table *t, const char *const *heads, uint32_t column_count);
void out_table_deinit(struct out_table *t);
/* The next cell, left to right, row by row. */
void out_cell(struct out_table *t, struct slice text);
void out_cell_printf(struct out_table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Head and rows; nothing but the head's line when there are no rows. */
void out_table_write(const struct out_table *t, struct out *o);

#endif
