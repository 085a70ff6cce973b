/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edit_items: where the elements of a list, the members of an object and their commas stand. */
#include "base/check.h"
#include "base/pool.h"
#include "policy/edit_int.h"

void edit_items_read(struct edit_items *items, const struct json_doc *doc, uint32_t node)
{
    struct slice s = doc->source;
    bool is_object = json_kind_of(doc, node) == JSON_OBJECT;
    uint32_t end = doc->nodes[node].next;
    size_t at;

    *items = (struct edit_items){.node = node, .open = doc->nodes[node].start};
    items->count = json_child_count(doc, node);
    items->items = pool_heap_zalloc((items->count + 1) * sizeof(*items->items));
    at = items->open + 1;
    items->count = 0;
    for (uint32_t child = node + 1; child < end; child = doc->nodes[child].next) {
        struct edit_item *item = &items->items[items->count++];

        item->node = child;
        item->start = doc->nodes[child].start;
        if (is_object) {
            child++;
        }
        item->value = child;
        item->end = edit_value_end(doc, child);
        at = edit_scan_gap(s, item->end);
        item->comma = at < s.len && s.ptr[at] == ',' ? at : SIZE_MAX;
    }
    items->close = edit_scan_gap(s, at);
    DASSERT(items->close < s.len);
}

void edit_items_deinit(struct edit_items *items)
{
    pool_heap_free(items->items);
    *items = (struct edit_items){0};
}
