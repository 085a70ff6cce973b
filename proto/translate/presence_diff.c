/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence_diff: what is told to one who knows how it was. */
#include "translate/presence_int.h"

static bool is_there(const struct presence_item *item)
{
    return item && item->show != PRESENCE_SHOW_UNAVAILABLE;
}

static void add(struct presence_changes *out, const struct presence_item *item, bool has_left)
{
    out->list[out->count++] = (struct presence_change){item, has_left};
}

void presence_diff(struct presence_changes *out, const struct presence_state *before,
                   const struct presence_state *now)
{
    out->count = 0;
    for (uint32_t i = 0; i < before->item_count; i++) {
        const struct presence_item *was = &before->items[i];
        const struct presence_item *is = presence_find(now, was->resource);

        if (is_there(was) && !is_there(is)) {
            add(out, is ? is : was, true);
        }
    }
    for (uint32_t i = 0; i < now->item_count; i++) {
        const struct presence_item *is = &now->items[i];
        const struct presence_item *was = presence_find(before, is->resource);

        if (is_there(is) && !(was && presence_item_eq(was, is))) {
            add(out, is, false);
        }
    }
}

uint32_t presence_write_changes(struct buf *out, const struct presence_state *before,
                                const struct presence_state *now,
                                const struct presence_stanza_options *options)
{
    static const struct presence_state nobody;
    UNINITIALIZED struct presence_changes changes;

    if (!before && !presence_is_available(now)) {
        presence_write_stanza(out, NULL, options);
        return 1;
    }
    presence_diff(&changes, before ? before : &nobody, now);
    for (uint32_t i = 0; i < changes.count; i++) {
        const struct presence_change *change = &changes.list[i];
        /* What was known of one who is not in the new document says nothing of his leaving. */
        struct presence_item gone = {.resource = change->item->resource,
                                     .show = PRESENCE_SHOW_UNAVAILABLE};
        bool is_bare = change->has_left && is_there(change->item);

        presence_write_stanza(out, is_bare ? &gone : change->item, options);
    }
    return changes.count;
}
