/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admission: queues of handshakes per address, served in turn. */
#include "engine/admission.h"

#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"

struct admission_address {
    char key[ADMISSION_ADDRESS_BYTES + 1]; /* address and side */
    struct list link;                      /* in its share's turnstile */
    struct list waiting;                   /* struct admission_entry.link */
    uint32_t running_count;
    uint32_t entry_count; /* waiting and running; the last one takes the address along */
};

void admission_init(struct admission *a, uint32_t share_max, uint32_t address_max)
{
    *a = (struct admission){.share_max = share_max, .address_max = address_max};
    list_init(&a->steps);
    for (uint32_t i = 0; i < ADMISSION_SIDE_COUNT; i++) {
        list_init(&a->shares[i].running);
        list_init(&a->shares[i].turnstile);
    }
}

void admission_deinit(struct admission *a)
{
    ASSERT(a->addresses.count == 0);
    map_deinit(&a->addresses);
}

static struct slice key_of(const struct admission_address *address)
{
    return slice_make(address->key, sizeof(address->key));
}

static struct admission_address *find_or_make(struct admission *a, enum admission_side side,
                                              const char bytes[ADMISSION_ADDRESS_BYTES])
{
    struct admission_address *address;
    char key[ADMISSION_ADDRESS_BYTES + 1];

    memcpy(key, bytes, ADMISSION_ADDRESS_BYTES);
    key[ADMISSION_ADDRESS_BYTES] = (char)side;
    address = map_get(&a->addresses, slice_make(key, sizeof(key)));
    if (!address) {
        address = pool_zalloc(sizeof(*address));
        if (address) {
            memcpy(address->key, key, sizeof(key));
            list_init(&address->waiting);
            (void)map_add(&a->addresses, key_of(address), address);
        }
    }
    return address;
}

static bool address_is_full(const struct admission *a, const struct admission_address *address)
{
    return a->address_max != 0 && address->running_count >= a->address_max;
}

static bool share_is_full(const struct admission *a, const struct admission_share *share)
{
    return a->share_max != 0 && share->running_count >= a->share_max;
}

/* In the turnstile exactly when somebody waits and the address is below its bound. */
static void place(struct admission *a, struct admission_share *share,
                  struct admission_address *address)
{
    if (list_is_empty(&address->waiting) || address_is_full(a, address)) {
        list_remove(&address->link);
    } else if (!list_is_linked(&address->link)) {
        list_push_back(&share->turnstile, &address->link);
    }
}

static void set_state(struct admission_entry *entry, enum admission_state state)
{
    ASSERT(state == ADMISSION_NONE || entry->state < state); /* NONE, WAITING, RUNNING, over */
    entry->state = state;
}

static void run(struct admission_share *share, struct admission_entry *entry, uint64_t now_ms)
{
    set_state(entry, ADMISSION_RUNNING);
    entry->running_since_ms = now_ms;
    entry->address->running_count++;
    share->running_count++;
    list_push_back(&share->running, &entry->link);
}

int admission_enter(struct admission *a, struct admission_entry *entry, enum admission_side side,
                    const char address[ADMISSION_ADDRESS_BYTES], uint64_t now_ms)
{
    struct admission_share *share = &a->shares[side];

    ASSERT(entry->state == ADMISSION_NONE);
    entry->address = find_or_make(a, side, address);
    if (!entry->address) {
        return ERR_NOMEM;
    }
    entry->side = side;
    entry->address->entry_count++;
    /* Not past those who came before: a free place that somebody may take is theirs. */
    if (!share_is_full(a, share) && !address_is_full(a, entry->address) &&
        list_is_empty(&share->turnstile)) {
        run(share, entry, now_ms);
        return 0;
    }
    set_state(entry, ADMISSION_WAITING);
    entry->has_waited = true;
    share->waiting_count++;
    list_push_back(&entry->address->waiting, &entry->link);
    place(a, share, entry->address);
    return 0;
}

struct admission_entry *admission_next(struct admission *a, uint64_t now_ms)
{
    for (uint32_t i = 0; i < ADMISSION_SIDE_COUNT; i++) {
        struct admission_share *share = &a->shares[i];
        struct list *link = share_is_full(a, share) ? NULL : list_pop_front(&share->turnstile);
        struct admission_address *address;
        struct admission_entry *entry;

        if (!link) {
            continue;
        }
        address = LIST_ENTRY(link, struct admission_address, link);
        link = list_pop_front(&address->waiting);
        ASSERT(link);
        entry = LIST_ENTRY(link, struct admission_entry, link);
        ASSERT(entry->state == ADMISSION_WAITING && entry->address == address);
        share->waiting_count--;
        run(share, entry, now_ms);
        place(a, share, address); /* behind the other addresses */
        return entry;
    }
    return NULL;
}

void admission_leave(struct admission *a, struct admission_entry *entry)
{
    struct admission_address *address = entry->address;
    struct admission_share *share = &a->shares[entry->side];

    if (entry->state == ADMISSION_NONE) {
        return;
    }
    list_remove(&entry->link);
    list_remove(&entry->step_link);
    if (entry->state == ADMISSION_RUNNING) {
        ASSERT(share->running_count > 0 && address->running_count > 0);
        share->running_count--;
        address->running_count--;
    } else {
        ASSERT(share->waiting_count > 0);
        share->waiting_count--;
    }
    set_state(entry, ADMISSION_NONE);
    entry->address = NULL;
    place(a, share, address);
    if (--address->entry_count == 0) {
        ASSERT(!list_is_linked(&address->link) && address->running_count == 0);
        (void)map_remove(&a->addresses, key_of(address));
        pool_free(address);
    }
}

void admission_want_step(struct admission *a, struct admission_entry *entry)
{
    if (entry->state == ADMISSION_RUNNING && !list_is_linked(&entry->step_link)) {
        list_push_back(&a->steps, &entry->step_link);
    }
}

struct admission_entry *admission_take_step(struct admission *a)
{
    struct list *link = list_pop_front(&a->steps);

    return link ? LIST_ENTRY(link, struct admission_entry, step_link) : NULL;
}

bool admission_is_busy(const struct admission *a)
{
    if (!list_is_empty(&a->steps)) {
        return true;
    }
    for (uint32_t i = 0; i < ADMISSION_SIDE_COUNT; i++) {
        if (!list_is_empty(&a->shares[i].turnstile) && !share_is_full(a, &a->shares[i])) {
            return true;
        }
    }
    return false;
}

/* Whether entry's end would let somebody in. */
static bool is_in_the_way(const struct admission *a, const struct admission_share *share,
                          const struct admission_entry *entry)
{
    return (share_is_full(a, share) && !list_is_empty(&share->turnstile)) ||
           (address_is_full(a, entry->address) && !list_is_empty(&entry->address->waiting));
}

struct admission_entry *admission_overdue(const struct admission *a, uint64_t now_ms)
{
    for (uint32_t i = 0; i < ADMISSION_SIDE_COUNT; i++) {
        const struct admission_share *share = &a->shares[i];

        if (share->waiting_count == 0) {
            continue;
        }
        for (struct list *at = share->running.next; at != &share->running; at = at->next) {
            struct admission_entry *entry = LIST_ENTRY(at, struct admission_entry, link);

            if (now_ms - entry->running_since_ms < ADMISSION_LEASE_MS) {
                break;
            }
            if (is_in_the_way(a, share, entry)) {
                return entry;
            }
        }
    }
    return NULL;
}

uint32_t admission_running_count(const struct admission *a)
{
    return a->shares[ADMISSION_IN].running_count + a->shares[ADMISSION_OUT].running_count;
}

uint32_t admission_waiting_count(const struct admission *a)
{
    return a->shares[ADMISSION_IN].waiting_count + a->shares[ADMISSION_OUT].waiting_count;
}
