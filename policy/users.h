/* SPDX-License-Identifier: GPL-2.0-or-later */
/* users: sets of addresses as the configuration writes them: exact addresses, whole domains, all
 * below a domain, lines of a list file. Compiled into a snapshot, immutable.
 *   "ann@corp.example"  that user          "corp.example"  every user of that domain, and itself
 *   "*.corp.example"    every domain below it (block lists only)
 *   "group:finance"     everyone in groups.finance (not inside a group)
 * A list file has one of the first two per line; '#' begins a comment; UTF-8, at most 64 MiB.
 * Threads: read-only; any. Lookups do not allocate, but for the conversion of U-labels. */
#ifndef FG_POLICY_USERS_H
#define FG_POLICY_USERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct user_set; /* owned by the snapshot */

/* How an address is in a set: the exact entry wins over its domain's. */
enum users_match { USERS_NO, USERS_BY_SUFFIX, USERS_BY_DOMAIN, USERS_BY_ADDRESS };

/* user: normalised localpart, empty = the domain itself. domain: A- or U-label, lower case.
 * *entry (may be NULL): the text of the entry that matched, normalised; borrowed from the set. */
enum users_match users_find(const struct user_set *set, struct slice user, struct slice domain,
                            struct slice *entry);
/* Entries, those of its groups included. */
uint32_t users_count(const struct user_set *set);
/* The same entries, and groups with the same entries in the same order. NULL equals NULL only: a
 * list that is not written is not an empty one. */
bool users_eq(const struct user_set *a, const struct user_set *b);

#endif
