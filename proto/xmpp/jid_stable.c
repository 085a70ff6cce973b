/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jid_stable: sets of four places; within a set the one that was not found since it was last
 * passed over makes room. */
#include "xmpp/jid_stable.h"

#include <string.h>

#include "base/attr.h"
#include "base/check.h"
#include "base/hash.h"

#define WAYS       4u
#define SETS       (JID_STABLE_COUNT / WAYS)
#define OWNER_MASK 0xffu /* domains that share this share their bound, too */

struct place {
    uint8_t len; /* 0 = free */
    uint8_t kind;
    uint8_t owner;
    bool is_used; /* found since it was passed over */
    char bytes[JID_STABLE_BYTES_MAX];
};

struct stable {
    struct place places[SETS][WAYS];
    uint8_t next[SETS];             /* the place that is looked at first for room */
    uint16_t held[OWNER_MASK + 1u]; /* places by owner */
};

STATIC_ASSERT((SETS & (SETS - 1)) == 0, "a mask takes the set");
STATIC_ASSERT(sizeof(struct place) == 64, "a place is a cache line");
STATIC_ASSERT(JID_STABLE_BYTES_MAX <= UINT8_MAX, "len has 8 bits");

static _Thread_local struct stable stable;

static uint32_t set_of(enum jid_stable_kind kind, struct slice part)
{
    struct hash_key key = hash_process_key();

    key.k0 ^= (uint64_t)kind;
    return (uint32_t)hash_quick(key, part) & (SETS - 1);
}

static bool is_keepable(struct slice part)
{
    return part.len != 0 && part.len <= JID_STABLE_BYTES_MAX;
}

bool jid_stable_find(enum jid_stable_kind kind, struct slice part)
{
    struct place *set;

    if (!is_keepable(part)) {
        return false;
    }
    set = stable.places[set_of(kind, part)];
    for (uint32_t i = 0; i < WAYS; i++) {
        if (set[i].len == part.len && set[i].kind == kind &&
            memcmp(set[i].bytes, part.ptr, part.len) == 0) {
            set[i].is_used = true;
            return true;
        }
    }
    return false;
}

/* Where there is room in the set for owner; NULL = it may displace nobody there. */
static struct place *make_room(uint32_t set_idx, uint8_t owner)
{
    struct place *set = stable.places[set_idx];
    bool is_full = stable.held[owner] >= JID_STABLE_SHARE_MAX;

    /* The second round meets those that the first one passed over. */
    for (uint32_t i = 0; i < 2 * WAYS; i++) {
        struct place *p = &set[stable.next[set_idx]];
        bool is_his = p->len != 0 && p->owner == owner;

        stable.next[set_idx] = (uint8_t)((stable.next[set_idx] + 1) % WAYS);
        if (is_full && !is_his) {
            continue;
        }
        if (p->len == 0 || !p->is_used) {
            return p;
        }
        p->is_used = false;
    }
    return NULL;
}

void jid_stable_keep(enum jid_stable_kind kind, struct slice part, struct slice owner)
{
    uint8_t mark = (uint8_t)(hash_quick(hash_process_key(), owner) & OWNER_MASK);
    struct place *p;

    if (!is_keepable(part)) {
        return;
    }
    p = make_room(set_of(kind, part), mark);
    if (!p) {
        return;
    }
    if (p->len != 0) {
        DASSERT(stable.held[p->owner] > 0);
        stable.held[p->owner]--;
    }
    stable.held[mark]++;
    p->len = (uint8_t)part.len;
    p->kind = (uint8_t)kind;
    p->owner = mark;
    p->is_used = false;
    memcpy(p->bytes, part.ptr, part.len);
}
