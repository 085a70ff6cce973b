/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pidf: presence documents (RFC 3863, RPID of RFC 4480) of a flow, as a presence server hands them
 * on, and what is demanded of those that the measured server makes. The note of the state is the
 * payload (payload.h): the number and every byte of the text are checked; ids of tuples,
 * activities, priorities and where else the note is repeated are the translation's affair. One
 * thread for each struct pidf. Memory: a parser's. */
#ifndef FG_LOAD_PIDF_H
#define FG_LOAD_PIDF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "load/plan.h"

struct xml_parser;

struct pidf {
    const struct plan *plan;   /* borrowed */
    struct xml_parser *parser; /* owned */
    uint32_t text_bytes;       /* of a payload; at most SHOW_TEXT_BYTES_MAX */
};
/* 0 or ERR_NOMEM. */
NODISCARD int pidf_init(struct pidf *p, const struct plan *plan, uint32_t text_bytes);
void pidf_deinit(struct pidf *p);

/* What an inside user shows. number: 1 + that of the state, 0 = none yet: open, without note. */
void pidf_write(struct buf *out, const struct pidf *p, uint32_t flow, uint64_t number);

enum pidf_finding {
    PIDF_NUMBER,  /* open, with a number */
    PIDF_INITIAL, /* open, without */
    PIDF_CLOSED,  /* no tuple is open */
    PIDF_DAMAGED, /* what: the part that is wrong, static */
};
/* A document about the partner's user of this flow. */
enum pidf_finding pidf_check(struct pidf *p, struct slice document, uint32_t flow, uint64_t *number,
                             const char **what);

#endif
