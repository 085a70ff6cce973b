/* SPDX-License-Identifier: GPL-2.0-or-later */
/* book: the configuration for commands that only read it: its text, the node table with the places,
 * and what it compiles to. One thread. */
#ifndef FG_CTL_BOOK_H
#define FG_CTL_BOOK_H

#include <stdint.h>

#include "base/attr.h"
#include "ctl/ctl.h"
#include "ctl/save.h"
#include "policy/config.h"
#include "policy/json.h"

struct book {
    struct save save; /* the text */
    struct json_doc doc;
    struct snapshot *snapshot;   /* owned */
    struct config_report report; /* warnings */
    uint32_t counted_at;         /* of book_line: offset whose line is known */
    uint32_t counted_line;
};

/* EX_OK, or an exit status after all that is wrong was printed; book_close in either case. */
NODISCARD int book_open(struct book *b, const struct ctl *ctl);
void book_close(struct book *b);
/* Line of a node; 0 for JSON_NONE. Asked for in the order of the file, all lines together cost one
 * walk over it. */
uint32_t book_line(struct book *b, uint32_t node);
/* Values with the lines they stand on: key of an object; JSON_NONE. */
uint32_t book_member(const struct book *b, uint32_t object, const char *key);

#endif
