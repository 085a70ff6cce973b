/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mailbox: single-producer single-consumer ring of mail. */
#include "engine/mailbox.h"

#include "base/check.h"

bool mailbox_put(struct mailbox *box, struct mail *m)
{
    if (box->put - box->head_cached == MAILBOX_ENTRIES) {
        box->head_cached = atomic_load_explicit(&box->head, memory_order_acquire);
        if (box->put - box->head_cached == MAILBOX_ENTRIES) {
            return false;
        }
    }
    box->entries[box->put++ & (MAILBOX_ENTRIES - 1)] = m;
    return true;
}

void mailbox_publish(struct mailbox *box)
{
    atomic_store_explicit(&box->tail, box->put, memory_order_release);
}

bool mailbox_push(struct mailbox *box, struct mail *m)
{
    bool is_taken = mailbox_put(box, m);

    mailbox_publish(box);
    return is_taken;
}

uint32_t mailbox_held(const struct mailbox *box)
{
    return box->put - atomic_load_explicit(&box->head, memory_order_acquire);
}

uint32_t mailbox_unpublished(const struct mailbox *box)
{
    return box->put - atomic_load_explicit(&box->tail, memory_order_relaxed);
}

uint32_t mailbox_pop(struct mailbox *box, struct mail **mails, uint32_t mails_max)
{
    uint32_t head = atomic_load_explicit(&box->head, memory_order_relaxed);
    uint32_t count = atomic_load_explicit(&box->tail, memory_order_acquire) - head;

    DASSERT(count <= MAILBOX_ENTRIES);
    if (count > mails_max) {
        count = mails_max;
    }
    for (uint32_t i = 0; i < count; i++) {
        mails[i] = box->entries[(head + i) & (MAILBOX_ENTRIES - 1)];
    }
    if (count) {
        atomic_store_explicit(&box->head, head + count, memory_order_release);
    }
    return count;
}

uint32_t mailbox_used(const struct mailbox *box)
{
    /* head first: read the other way round, a pop in between could make the difference negative. */
    uint32_t head = atomic_load_explicit(&box->head, memory_order_acquire);
    uint32_t used = atomic_load_explicit(&box->tail, memory_order_acquire) - head;

    return used < MAILBOX_ENTRIES ? used : MAILBOX_ENTRIES;
}

void mailbox_want_room(struct mailbox *box)
{
    (void)atomic_exchange_explicit(&box->is_room_wanted, 1, memory_order_acq_rel);
}

bool mailbox_take_room_wanted(struct mailbox *box)
{
    return atomic_exchange_explicit(&box->is_room_wanted, 0, memory_order_acq_rel) != 0;
}
