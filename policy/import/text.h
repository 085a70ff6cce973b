/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text: an export file as UTF-8: what Windows writes (UTF-16 with or without its mark, UTF-8 with
 * or without) is read; what cannot be read without guessing is refused with the remedy. And what
 * kind of file it is, by its first bytes.
 * Threads: one. Memory: plain heap, wiped (the old product writes secrets into its exports). */
#ifndef FG_IMPORT_TEXT_H
#define FG_IMPORT_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"

/* Of a file's text in UTF-8; as UTF-16 a file has up to twice as many. */
#define IMPORT_BYTES_MAX     ((size_t)64 << 20)
#define IMPORT_RAW_BYTES_MAX (2 * IMPORT_BYTES_MAX)
#define IMPORT_WHY_BYTES     768u
#define IMPORT_NOWHERE       UINT32_MAX /* the file as a whole */

/* What makes a file unusable: the place in its text, what is wrong, what to do. */
struct import_fault {
    uint32_t offset;
    char text[IMPORT_WHY_BYTES];
};
/* Fills *fault; ERR_BAD_INPUT. */
PRINTF_LIKE(3, 4)
int import_refuse(struct import_fault *fault, uint32_t offset, const char *fmt, ...);

struct import_text {
    char *bytes; /* owned */
    size_t len;
};
void import_text_deinit(struct import_text *t);
/* From a file's bytes. 0; ERR_BAD_INPUT with *fault. t: empty before. */
NODISCARD int import_text_decode(struct import_text *t, struct slice raw,
                                 struct import_fault *fault);
/* Reads the file ("-": standard input) and decodes it; -errno of opening or reading, without a
 * fault. */
NODISCARD int import_text_read(struct import_text *t, const char *path, struct import_fault *fault);

static inline struct slice import_text_slice(const struct import_text *t)
{
    return slice_make(t->bytes, t->len);
}

enum import_format { IMPORT_FORMAT_CLIXML, IMPORT_FORMAT_JSON };
/* What is recognised but cannot be used (Export-Csv, Format-List, Format-Table, an archive) is
 * refused with what to write instead. */
NODISCARD int import_format_of(struct slice text, enum import_format *out,
                               struct import_fault *fault);

#endif
