/* SPDX-License-Identifier: GPL-2.0-or-later */
/* list_file: addresses and domains in a text file, one per line, as a directory's export writes
 * them. '#' at the beginning of a line or behind a blank begins a comment; blanks around an entry
 * and empty lines say nothing. UTF-8, with or without byte order mark, any line ends.
 * Threads: any; control plane. */
#ifndef FG_POLICY_LIST_FILE_H
#define FG_POLICY_LIST_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"
#include "policy/entry.h"

#define LIST_FILE_BYTES_MAX ((size_t)64 << 20)

struct list_reader {
    struct slice rest; /* borrowed until the end of reading */
    uint32_t line;     /* of what was read last, from 1 */
};

enum list_step {
    LIST_END,
    LIST_ENTRY,
    LIST_FAULT, /* of this line; reading goes on with the next */
};

void list_begin(struct list_reader *r, struct slice bytes);
/* ENTRY: *out, an address or a domain. FAULT: *fault says what is wrong (static), *text is the
 * line, empty when it is not fit for showing. */
enum list_step list_next(struct list_reader *r, struct entry *out, struct slice *text,
                         const char **fault);

/* A file as it was when it was read: what tells that it is another one now. */
struct list_file {
    const char *path; /* snapshot's arena */
    const struct list_file *next;
    uint64_t device;
    uint64_t inode;
    uint64_t size;
    int64_t modified_ns;
};

struct list_bytes {
    char *bytes; /* owned by the caller: pool_heap_free */
    size_t len;
};

/* The whole file at stamp->path, which must be set; fills the rest of stamp but next. NULL, or what
 * is wrong (static). Only regular files: a pipe would block. */
NODISCARD const char *list_file_read(struct list_file *stamp, struct list_bytes *out);
/* Whether the file at the path is still the one that was read. */
bool list_file_is_same(const struct list_file *stamp);

#endif
