/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence: states and what may be done with them. Items stand in the order of their resources, so
 * that equal states are equal however they came about.                                          */
#include "translate/presence.h"

#include "base/check.h"
#include "translate/presence_int.h"

const char *presence_show_name(enum presence_show show)
{
    static const char *const names[] = {
#define X(name, text) text,
        PRESENCE_SHOWS(X)
#undef X
    };

    ASSERT(show < PRESENCE_SHOW_COUNT);
    return names[show];
}

void presence_clear(struct presence_state *state)
{
    state->item_count = 0;
}

int presence_bytes_order(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Where the resource stands, or would have to stand. */
static uint32_t place_of(const struct presence_state *state, struct slice resource, bool *is_there)
{
    uint32_t i = 0;
    int order = 1;

    while (i < state->item_count) {
        order = presence_bytes_order(state->items[i].resource, resource);
        if (order >= 0) {
            break;
        }
        i++;
    }
    *is_there = i < state->item_count && order == 0;
    return i;
}

const struct presence_item *presence_find(const struct presence_state *state,
                                          struct slice resource)
{
    bool is_there;
    uint32_t i = place_of(state, resource, &is_there);

    return is_there ? &state->items[i] : NULL;
}

bool presence_is_available(const struct presence_state *state)
{
    for (uint32_t i = 0; i < state->item_count; i++) {
        if (state->items[i].show != PRESENCE_SHOW_UNAVAILABLE) {
            return true;
        }
    }
    return false;
}

bool presence_item_eq(const struct presence_item *a, const struct presence_item *b)
{
    if (a->show != b->show || a->has_priority != b->has_priority ||
        (a->has_priority && a->priority != b->priority) || a->note_count != b->note_count ||
        a->idle_since_unix_s != b->idle_since_unix_s || !slice_eq(a->resource, b->resource)) {
        return false;
    }
    for (unsigned i = 0; i < a->note_count; i++) {
        if (!slice_eq(a->notes[i].lang, b->notes[i].lang) ||
            !slice_eq(a->notes[i].text, b->notes[i].text)) {
            return false;
        }
    }
    return true;
}

bool presence_eq(const struct presence_state *a, const struct presence_state *b)
{
    if (a->item_count != b->item_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->item_count; i++) {
        if (!presence_item_eq(&a->items[i], &b->items[i])) {
            return false;
        }
    }
    return true;
}

/* ---- changing ---- */

static void item_remove(struct presence_state *state, uint32_t i)
{
    state->item_count--;
    memmove(&state->items[i], &state->items[i + 1],
            (state->item_count - i) * sizeof(state->items[0]));
}

bool presence_put(struct presence_state *state, const struct presence_item *item)
{
    bool is_there;
    uint32_t i = place_of(state, item->resource, &is_there);

    if (!is_there) {
        if (state->item_count == PRESENCE_ITEMS_MAX) {
            return false;
        }
        memmove(&state->items[i + 1], &state->items[i],
                (state->item_count - i) * sizeof(state->items[0]));
        state->item_count++;
    }
    state->items[i] = *item;
    return true;
}

bool presence_settle(struct presence_state *state)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < state->item_count; i++) {
        if (state->items[i].show == PRESENCE_SHOW_UNAVAILABLE) {
            continue;
        }
        if (kept != i) {
            state->items[kept] = state->items[i];
        }
        kept++;
    }
    bool has_left = kept != state->item_count;
    state->item_count = kept;
    return has_left;
}

static enum presence_applied all_leave(struct presence_state *state,
                                       const struct presence_item *item)
{
    enum presence_applied applied = PRESENCE_SAME;

    for (uint32_t i = 0; i < state->item_count; i++) {
        struct presence_item left = *item;

        if (state->items[i].show != PRESENCE_SHOW_UNAVAILABLE) {
            left.resource = state->items[i].resource;
            state->items[i] = left;
            applied = PRESENCE_CHANGED;
        }
    }
    presence_bound(state);
    return applied;
}

enum presence_applied presence_apply(struct presence_state *state,
                                     const struct presence_item *item)
{
    const struct presence_item *before = presence_find(state, item->resource);
    bool leaves = item->show == PRESENCE_SHOW_UNAVAILABLE;

    if (leaves && item->resource.len == 0) {
        return all_leave(state, item);
    }
    if (leaves && (!before || before->show == PRESENCE_SHOW_UNAVAILABLE)) {
        return PRESENCE_SAME;
    }
    if (before && presence_item_eq(before, item)) {
        return PRESENCE_SAME;
    }
    if (!presence_put(state, item) && (!presence_settle(state) || !presence_put(state, item))) {
        return PRESENCE_FULL;
    }
    presence_bound(state);
    return presence_find(state, item->resource) ? PRESENCE_CHANGED : PRESENCE_FULL;
}

void presence_merge(struct presence_state *state, const struct presence_state *other)
{
    for (uint32_t i = 0; i < other->item_count; i++) {
        const struct presence_item *item = &other->items[i];
        const struct presence_item *mine = presence_find(state, item->resource);
        bool is_stamped = mine && mine->stamp_unix_s != 0 && item->stamp_unix_s != 0 &&
                          mine->stamp_unix_s != item->stamp_unix_s;

        if (mine && (is_stamped ? mine->stamp_unix_s > item->stamp_unix_s
                                : mine->show <= item->show)) {
            continue;
        }
        if (!presence_put(state, item)) {
            break;
        }
    }
    presence_bound(state);
}

/* ---- rank ---- */

/* Whether a speaks before b, where a stands first in the state. */
static bool speaks_before(const struct presence_item *a, const struct presence_item *b)
{
    int a_priority = a->has_priority ? a->priority : 0;
    int b_priority = b->has_priority ? b->priority : 0;

    if (a->show != b->show) {
        return a->show < b->show;
    }
    if (a_priority != b_priority) {
        return a_priority > b_priority;
    }
    return a->stamp_unix_s >= b->stamp_unix_s;
}

const struct presence_item *presence_best(const struct presence_state *state)
{
    const struct presence_item *best = NULL;

    for (uint32_t i = 0; i < state->item_count; i++) {
        if (!best || !speaks_before(best, &state->items[i])) {
            best = &state->items[i];
        }
    }
    return best && best->show != PRESENCE_SHOW_UNAVAILABLE ? best : NULL;
}

/* ---- bound ---- */

/* Drops what weighs least of the item that speaks last; false when only its resource is left. */
static bool drop_note(struct presence_state *state, unsigned keep)
{
    struct presence_item *last = NULL;

    for (uint32_t i = 0; i < state->item_count; i++) {
        struct presence_item *item = &state->items[i];

        if (item->note_count > keep && (!last || speaks_before(last, item))) {
            last = item;
        }
    }
    if (last) {
        last->note_count--;
    }
    return last != NULL;
}

static void drop_item(struct presence_state *state)
{
    uint32_t last = 0;

    for (uint32_t i = 1; i < state->item_count; i++) {
        if (speaks_before(&state->items[last], &state->items[i])) {
            last = i;
        }
    }
    item_remove(state, last);
}

void presence_bound(struct presence_state *state)
{
    /* At most the number of notes and items steps; nearly always none. */
    while (presence_packed_bytes(state) > PRESENCE_PACKED_BYTES_MAX) {
        if (!drop_note(state, 1) && !drop_note(state, 0)) {
            drop_item(state);
        }
    }
}
