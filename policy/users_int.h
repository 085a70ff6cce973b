/* SPDX-License-Identifier: GPL-2.0-or-later */
/* users_int: making sets of addresses (private to policy/): entries are added one by one on the
 * heap, then packed into the snapshot's arena. An entry is its normal form (entry.h) and a number,
 * with which a set can also say whose entry it is: the tiers of external access are such sets.
 * Threads: one. Memory: plain heap until users_build_finish, then the arena. */
#ifndef FG_POLICY_USERS_INT_H
#define FG_POLICY_USERS_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/arena.h"
#include "policy/users.h"

/* Bytes of an entry: local part, '@', domain as A-labels. */
#define USERS_ENTRY_BYTES_MAX (1023u + 1u + 253u)
#define USERS_ENTRIES_MAX     (16u << 20)
#define USERS_NONE            UINT32_MAX

struct users_slot {
    uint32_t at;  /* of the entry in texts, + 1; 0 = free */
    uint32_t tag; /* upper half of its hash */
};

/* Slots and texts are two blocks: 8 bytes per slot, at most three in four used; 6 bytes and the
 * text per entry. */
struct user_set {
    const struct users_slot *slots;
    const char *texts;                    /* per entry: number (4 bytes), length (2), the entry */
    const struct user_set *const *groups; /* whoever is in one of these is in the set */
    uint32_t texts_bytes;
    uint32_t slot_mask;
    uint32_t count; /* entries of its own */
    uint16_t group_count;
    bool has_suffix;
};

struct users_build {
    struct users_slot *slots; /* owned */
    char *texts;              /* owned */
    size_t texts_cap;
    struct user_set set; /* views of the two, and counts */
    bool is_full;        /* somebody wanted more than the caller's bound */
};

/* A zeroed struct is valid. */
void users_build_deinit(struct users_build *b);
/* USERS_NONE: added. Else the number that the entry had before; nothing changes. The caller bounds
 * the count: USERS_ENTRIES_MAX. number is not USERS_NONE. */
uint32_t users_build_add(struct users_build *b, struct slice entry, uint32_t number);
/* Packed into the arena, b is empty again. groups (may be NULL): in the arena, too. */
const struct user_set *users_build_finish(struct users_build *b, struct arena *arena,
                                          const struct user_set *const *groups,
                                          uint16_t group_count);

/* Walks the entries of the set itself, not of its groups, in the order of their adding: start with
 * *at = 0; false at the end. */
bool users_next(const struct user_set *set, uint32_t *at, struct slice *entry, uint32_t *number);
/* users_find that also tells the number of the entry. */
enum users_match users_find_number(const struct user_set *set, struct slice user,
                                   struct slice domain, struct slice *entry, uint32_t *number);

#endif
