/* SPDX-License-Identifier: GPL-2.0-or-later */
/* props_int: what props.c, props_names.c and props_read.c share. Private to them. */
#ifndef FG_POLICY_PROPS_INT_H
#define FG_POLICY_PROPS_INT_H

#include "policy/props.h"

/* Writes why; ERR_CONFIG. */
PRINTF_LIKE(2, 3)
int props_refuse(char *why, const char *fmt, ...);

/* No object, map or list of objects. */
bool props_is_plain(enum schema_key_idx key);
/* The plain key at or behind key; false at the section's end. */
bool props_next_plain(enum schema_section section, enum schema_key_idx *key);
/* As the file spells it: asked for each member of a million partners. */
bool props_find_exact(enum schema_section section, struct slice name, enum schema_key_idx *key);

#endif
