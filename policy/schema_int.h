/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schema_int: what schema.c (objects), schema_value.c (values), schema_problem.c (what is wrong)
 * and schema_table.c (config.def) share. Private to them. */
#ifndef FG_POLICY_SCHEMA_INT_H
#define FG_POLICY_SCHEMA_INT_H

#include "policy/quote.h"
#include "policy/schema.h"

#define SCHEMA_PROBLEM_BYTES 1024u

/* Open to these files, since they are walked for every member of a million partners. */
extern const struct schema_key schema_keys[KEY_COUNT];
/* The first key of each section, and behind the last section the end of all. */
extern const uint32_t schema_firsts[SECTION_COUNT + 1];

/* Whether people call this key name: the old product's name for it, another section's. */
bool schema_is_called(enum schema_key_idx key, struct slice name);

/* Reads value->node against its key; what is wrong is reported and leaves is_good false. */
void schema_read_value(struct load *l, const struct schema_values *v, enum schema_key_idx idx,
                       struct schema_value *value);
bool schema_has_control(struct slice text);

/* What stands there, for "..., not X": quoted text, the number itself, or the kind. */
struct quoted schema_describe(const struct load *l, const struct schema_key *key, uint32_t node);

#endif
