/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record_rest: which sides of this thread have their key expanded. A clock instead of a strict
 * order of use: a record costs one store to its own side, not a move within a list.            */
#include "tls/record_rest.h"

#include "base/check.h"
#include "base/err.h"

struct rest_list {
    struct list sides; /* struct record_side.link; zeroed until the first use */
    uint32_t count;
};

static _Thread_local struct rest_list expanded;

#ifdef FEDGATE_DASSERT
static bool is_of_this_thread(const struct record_side *side)
{
    const struct list *link = expanded.sides.next;
    while (link && link != &expanded.sides && link != &side->link) {
        link = link->next;
    }
    return link == &side->link;
}
#endif

void record_rest(struct record_side *side)
{
    if (!side->aead) {
        return;
    }
    DASSERT(is_of_this_thread(side));
    list_remove(&side->link);
    expanded.count--;
    side->ops->destroy(side->aead);
    side->aead = NULL;
}

/* The first one that was not used since its last turn. Ends: a turn takes the mark away. */
static void rest_one(void)
{
    struct list *link = list_pop_front(&expanded.sides);
    struct record_side *side = LIST_ENTRY(link, struct record_side, link);
    while (side->is_recent) {
        side->is_recent = false;
        list_push_back(&expanded.sides, link);
        link = list_pop_front(&expanded.sides);
        side = LIST_ENTRY(link, struct record_side, link);
    }
    list_push_front(&expanded.sides, link);
    record_rest(side);
}

int record_expand(struct record_side *side)
{
    ASSERT(!side->aead);
    if (!expanded.sides.next) {
        list_init(&expanded.sides);
    }
    if (expanded.count >= RECORD_EXPANDED_MAX) {
        rest_one();
    }
    side->aead = side->ops->create((enum tls_cipher)side->keys.cipher, side->keys.key);
    if (!side->aead) {
        return ERR_NOMEM;
    }
    list_push_back(&expanded.sides, &side->link);
    expanded.count++;
    return 0;
}

uint32_t record_expanded_count(void)
{
    return expanded.count;
}
