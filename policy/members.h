/* SPDX-License-Identifier: GPL-2.0-or-later */
/* members: the entries of a list in the file and of the list file beside it, one after the other,
 * each with its place (private to policy/). */
#ifndef FG_POLICY_MEMBERS_H
#define FG_POLICY_MEMBERS_H

#include "policy/entry.h"
#include "policy/load.h"
#include "policy/schema.h"

struct member_place {
    const struct schema_values *v;
    enum schema_key_idx key;
    uint32_t element; /* of the list */
    uint32_t node;
    struct slice file; /* of a list file as written; empty = the entry stands in the list */
    uint32_t line;
    uint32_t *fault_count; /* of that file */
};

typedef void member_fn(struct load *l, const struct member_place *place, const struct entry *e,
                       void *ctx);

/* Each well-formed entry of a TEXTS key to fn; the others are reported. kinds: ENTRY_* bits. */
void members_of_list(struct load *l, const struct schema_values *v, enum schema_key_idx key,
                     uint32_t kinds, member_fn *fn, void *ctx);
/* The same for the lines of the file that a TEXT key names, when it is written. */
void members_of_file(struct load *l, const struct schema_values *v, enum schema_key_idx key,
                     member_fn *fn, void *ctx);
/* At the entry: path, line and column in the configuration; for a list file FILE:LINE, too. */
PRINTF_LIKE(3, 4)
void member_error(struct load *l, const struct member_place *place, const char *fmt, ...);
PRINTF_LIKE(3, 4)
void member_warning(struct load *l, const struct member_place *place, const char *fmt, ...);

/* Whether an entry of our users is of a domain of ours; reported when not. */
bool member_is_local(struct load *l, const struct member_place *place, const struct entry *e);
/* Adds to a set. True: added, or there before with the same number. False: *before has it. */
bool member_add(struct load *l, const struct member_place *place, struct users_build *b,
                struct slice entry, uint32_t number, uint32_t *before);

#endif
