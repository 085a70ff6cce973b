/* SPDX-License-Identifier: GPL-2.0-or-later */
/* users: an open-addressing table over entries that lie behind each other. An entry's own form
 * tells its kind: with '@' an address, with "*." in front all below a domain, else a domain. */
#include "policy/users_int.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/pool.h"
#include "base/utf8.h"
#include "xmpp/jid.h"

#define HEAD_BYTES   6u /* number and length before an entry */
#define SLOTS_MIN    8u
#define TEXTS_MIN    256u
#define NUMBER_BYTES 4u

static struct slice entry_at(const struct user_set *set, uint32_t at, uint32_t *number)
{
    uint16_t len;

    memcpy(number, set->texts + at, NUMBER_BYTES);
    memcpy(&len, set->texts + at + NUMBER_BYTES, sizeof(len));
    return slice_make(set->texts + at + HEAD_BYTES, len);
}

/* The slot that holds the entry, or the free one where it would be. There is a free one. */
static uint32_t find_slot(const struct user_set *set, struct slice entry, uint64_t hash)
{
    uint32_t tag = (uint32_t)(hash >> 32);
    uint32_t idx = (uint32_t)hash & set->slot_mask;
    uint32_t number;

    for (;; idx = (idx + 1) & set->slot_mask) {
        const struct users_slot *slot = &set->slots[idx];

        if (slot->at == 0 ||
            (slot->tag == tag && slice_eq(entry_at(set, slot->at - 1, &number), entry))) {
            return idx;
        }
    }
}

static bool has_entry(const struct user_set *set, struct slice wanted, struct slice *entry,
                      uint32_t *number)
{
    uint32_t at;

    if (set->count == 0) {
        return false;
    }
    at = set->slots[find_slot(set, wanted, hash_bytes(wanted))].at;
    if (at == 0) {
        return false;
    }
    *entry = entry_at(set, at - 1, number);
    return true;
}

/* --- lookup --- */

/* What is looked for: "user@domain", and the domain inside it, as A-labels. */
struct wanted {
    char text[USERS_ENTRY_BYTES_MAX + 1];
    size_t len;
    size_t domain_at;
    bool has_user;
};

static bool make_wanted(struct slice user, struct slice domain, struct wanted *out)
{
    if (domain.len == 0 || domain.len > JID_ASCII_BYTES_MAX || user.len > JID_PART_BYTES_MAX) {
        return false;
    }
    out->has_user = user.len > 0;
    out->domain_at = out->has_user ? user.len + 1 : 0;
    if (out->has_user) {
        memcpy(out->text, user.ptr, user.len);
        out->text[user.len] = '@';
    }
    memcpy(out->text + out->domain_at, domain.ptr, domain.len);
    out->len = out->domain_at + domain.len;
    return true;
}

/* "*." and each of the domain's parents, the longest first. At most one step per byte. */
static bool has_suffix_entry(const struct user_set *set, const struct wanted *w,
                             struct slice *entry, uint32_t *number)
{
    UNINITIALIZED char text[JID_ASCII_BYTES_MAX];
    size_t len = w->len - w->domain_at;

    memcpy(text, w->text + w->domain_at, len);
    for (size_t i = 1; i < len; i++) {
        if (text[i] != '.') {
            continue;
        }
        text[i - 1] = '*'; /* of a label that is done with */
        if (has_entry(set, slice_make(text + i - 1, len - i + 1), entry, number)) {
            return true;
        }
    }
    return false;
}

static enum users_match find_own(const struct user_set *set, const struct wanted *w,
                                 struct slice *entry, uint32_t *number)
{
    struct slice all = slice_make(w->text, w->len);

    if (w->has_user && has_entry(set, all, entry, number)) {
        return USERS_BY_ADDRESS;
    }
    if (has_entry(set, slice_from(all, w->domain_at), entry, number)) {
        return USERS_BY_DOMAIN;
    }
    return set->has_suffix && has_suffix_entry(set, w, entry, number) ? USERS_BY_SUFFIX : USERS_NO;
}

/* domain: A-labels. Apart from users_find_number, so that an empty set costs no stack. */
NOINLINE static enum users_match find_ascii(const struct user_set *set, struct slice user,
                                            struct slice domain, struct slice *entry,
                                            uint32_t *number)
{
    UNINITIALIZED struct wanted w; /* make_wanted writes what is read */
    enum users_match best;

    if (!make_wanted(user, domain, &w)) {
        return USERS_NO;
    }
    best = find_own(set, &w, entry, number);
    /* Groups have no groups of their own. */
    for (uint32_t i = 0; i < set->group_count && best != USERS_BY_ADDRESS; i++) {
        struct slice group_entry = SLICE_NONE;
        uint32_t group_number = USERS_NONE;
        enum users_match match = find_own(set->groups[i], &w, &group_entry, &group_number);

        if (match > best) {
            best = match;
            *entry = group_entry;
            *number = group_number;
        }
    }
    return best;
}

NOINLINE static enum users_match find_unicode(const struct user_set *set, struct slice user,
                                              struct slice domain, struct slice *entry,
                                              uint32_t *number)
{
    struct jid_ascii ascii;

    return jid_domain_to_ascii(domain, &ascii) == 0
               ? find_ascii(set, user, jid_ascii_slice(&ascii), entry, number)
               : USERS_NO;
}

enum users_match users_find_number(const struct user_set *set, struct slice user,
                                   struct slice domain, struct slice *entry, uint32_t *number)
{
    *entry = SLICE_NONE;
    *number = USERS_NONE;
    if (!set || (set->count == 0 && set->group_count == 0)) {
        return USERS_NO;
    }
    return utf8_is_ascii(domain) ? find_ascii(set, user, domain, entry, number)
                                 : find_unicode(set, user, domain, entry, number);
}

enum users_match users_find(const struct user_set *set, struct slice user, struct slice domain,
                            struct slice *entry)
{
    struct slice found;
    uint32_t number;
    enum users_match match = users_find_number(set, user, domain, &found, &number);

    if (entry) {
        *entry = found;
    }
    return match;
}

uint32_t users_count(const struct user_set *set)
{
    uint32_t count = set ? set->count : 0;

    for (uint32_t i = 0; set && i < set->group_count; i++) {
        count += set->groups[i]->count;
    }
    return count;
}

static bool has_all(const struct user_set *a, const struct user_set *b)
{
    struct slice entry;
    struct slice same;
    uint32_t number;
    uint32_t other;
    uint32_t at = 0;

    while (users_next(a, &at, &entry, &number)) {
        if (!has_entry(b, entry, &same, &other) || number != other) {
            return false;
        }
    }
    return true;
}

bool users_eq(const struct user_set *a, const struct user_set *b)
{
    if (!a || !b) {
        return a == b;
    }
    if (a->count != b->count || a->group_count != b->group_count || !has_all(a, b)) {
        return false;
    }
    for (uint32_t i = 0; i < a->group_count; i++) {
        if (a->groups[i]->count != b->groups[i]->count || !has_all(a->groups[i], b->groups[i])) {
            return false;
        }
    }
    return true;
}

bool users_next(const struct user_set *set, uint32_t *at, struct slice *entry, uint32_t *number)
{
    if (!set || *at >= set->texts_bytes) {
        return false;
    }
    *entry = entry_at(set, *at, number);
    *at += HEAD_BYTES + (uint32_t)entry->len;
    return true;
}

/* --- making --- */

void users_build_deinit(struct users_build *b)
{
    pool_heap_free(b->slots);
    pool_heap_free(b->texts);
    *b = (struct users_build){0};
}

/* Room for one more with a slot in four free. */
static void make_slots(struct users_build *b)
{
    uint32_t old_count = b->slots ? b->set.slot_mask + 1 : 0;
    uint32_t number;
    uint32_t at = 0;

    if (old_count && (b->set.count + 1) * 4 <= old_count * 3) {
        return;
    }
    pool_heap_free(b->slots);
    old_count = old_count ? old_count * 2 : SLOTS_MIN;
    b->slots = pool_heap_zalloc(old_count * sizeof(*b->slots));
    b->set.slots = b->slots;
    b->set.slot_mask = old_count - 1;
    while (at < b->set.texts_bytes) {
        struct slice entry = entry_at(&b->set, at, &number);
        uint64_t hash = hash_bytes(entry);

        b->slots[find_slot(&b->set, entry, hash)] =
            (struct users_slot){.at = at + 1, .tag = (uint32_t)(hash >> 32)};
        at += HEAD_BYTES + (uint32_t)entry.len;
    }
}

uint32_t users_build_add(struct users_build *b, struct slice entry, uint32_t number)
{
    uint64_t hash = hash_bytes(entry);
    uint16_t len = (uint16_t)entry.len;
    size_t end = (size_t)b->set.texts_bytes + HEAD_BYTES + entry.len;
    struct users_slot *slot;
    uint32_t before;
    char *at;

    ASSERT(number != USERS_NONE);
    ASSERT(entry.len >= 1 && entry.len <= USERS_ENTRY_BYTES_MAX);
    ASSERT(b->set.count < USERS_ENTRIES_MAX);
    ASSERT(end < UINT32_MAX);
    make_slots(b);
    slot = &b->slots[find_slot(&b->set, entry, hash)];
    if (slot->at) {
        (void)entry_at(&b->set, slot->at - 1, &before);
        return before;
    }
    if (end > b->texts_cap) {
        b->texts_cap = end > TEXTS_MIN ? end * 2 : TEXTS_MIN;
        b->texts = pool_heap_grow(b->texts, b->texts_cap);
        b->set.texts = b->texts;
    }
    at = b->texts + b->set.texts_bytes;
    memcpy(at, &number, NUMBER_BYTES);
    memcpy(at + NUMBER_BYTES, &len, sizeof(len));
    memcpy(at + HEAD_BYTES, entry.ptr, entry.len);
    *slot = (struct users_slot){.at = b->set.texts_bytes + 1, .tag = (uint32_t)(hash >> 32)};
    b->set.texts_bytes = (uint32_t)end;
    b->set.count++;
    b->set.has_suffix = b->set.has_suffix || slice_starts(entry, SLICE_LIT("*."));
    return USERS_NONE;
}

const struct user_set *users_build_finish(struct users_build *b, struct arena *arena,
                                          const struct user_set *const *groups,
                                          uint16_t group_count)
{
    struct user_set *set = arena_zalloc(arena, sizeof(*set));
    size_t slots_bytes = b->slots ? (b->set.slot_mask + (size_t)1) * sizeof(*b->slots) : 0;

    *set = b->set;
    set->groups = groups;
    set->group_count = group_count;
    if (set->count) {
        struct users_slot *slots = arena_zalloc(arena, slots_bytes);

        memcpy(slots, b->slots, slots_bytes);
        set->slots = slots;
        set->texts = arena_slice(arena, slice_make(b->texts, b->set.texts_bytes)).ptr;
    }
    users_build_deinit(b);
    return set;
}
