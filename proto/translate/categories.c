/* SPDX-License-Identifier: GPL-2.0-or-later */
/* categories: Microsoft's event categories, as far as they say how somebody is: the aggregated
 * state and his note. A document brings only what changed, so the rest stays as it was.         */
#include "translate/pidf_int.h"
#include "translate/rpid.h"
#include "translate/stamp.h"

#define CATEGORIES_NS "http://schemas.microsoft.com/2006/09/sip/categories"

/* The one resource that categories speak of. */
#define RESOURCE SLICE_LIT("sip")

static bool is_aggregate(const struct xml_tree *t, uint32_t node)
{
    const struct xml_node *n = &t->nodes[node];

    for (uint32_t i = 0; i < n->attr_count; i++) {
        const struct xml_attr *a = &t->attrs[n->attr_first + i];
        /* xsi:type is a QName, whose prefix need not be that of the element. */
        if (slice_eq(a->name, SLICE_LIT("type")) && a->ns.len > 0) {
            return slice_ends(a->value, SLICE_LIT("aggregateState"));
        }
    }
    return false;
}

/* False: there is no number. */
static bool take_state(const struct pidf_reader *r, uint32_t state, struct presence_item *item)
{
    const struct xml_tree *t = r->tree;
    uint32_t number = xml_child(t, state, SLICE_LIT("availability"), SLICE_NONE);
    uint32_t activity = xml_child(t, state, SLICE_LIT("activity"), SLICE_NONE);
    struct slice token = SLICE_NONE;
    uint64_t availability;
    int64_t since;

    if (number == XML_NO_NODE || !slice_parse_u64(pidf_text(r, number), &availability)) {
        return false;
    }
    if (activity != XML_NO_NODE) {
        token = xml_attr_value(t, activity, SLICE_LIT("token"));
    }
    item->show = rpid_show_of_availability(availability, token);
    item->idle_since_unix_s = 0;
    if (item->show != PRESENCE_SHOW_UNAVAILABLE && item->show != PRESENCE_SHOW_AVAILABLE &&
        stamp_parse(xml_attr_value(t, state, SLICE_LIT("lastActive")), &since) == 0) {
        item->idle_since_unix_s = since;
    }
    return true;
}

static void take_note(const struct pidf_reader *r, uint32_t category, struct presence_item *item)
{
    uint32_t note = xml_child(r->tree, category, SLICE_LIT("note"), SLICE_NONE);
    uint32_t body = note == XML_NO_NODE
                        ? XML_NO_NODE
                        : xml_child(r->tree, note, SLICE_LIT("body"), SLICE_NONE);

    /* The category without a note takes it away. */
    item->note_count = 0;
    if (body != XML_NO_NODE) {
        pidf_take_note(r, item, body);
    }
}

/* The aggregate of all devices if it is there, else the first state. */
static uint32_t find_state(const struct xml_tree *t)
{
    uint32_t category = XML_NO_NODE;
    uint32_t first = XML_NO_NODE;

    while ((category = xml_next_child(t, 0, category, SLICE_LIT("category"), SLICE_NONE)) !=
           XML_NO_NODE) {
        uint32_t state = xml_child(t, category, SLICE_LIT("state"), SLICE_NONE);

        if (state != XML_NO_NODE && is_aggregate(t, state)) {
            return state;
        }
        first = first == XML_NO_NODE ? state : first;
    }
    return first;
}

static void finish(const struct pidf_reader *r, struct presence_item *item,
                   const struct presence_item *was)
{
    if (item->show == PRESENCE_SHOW_UNAVAILABLE) {
        item->has_priority = false;
        item->priority = 0;
    }
    if (was && presence_item_eq(was, item)) {
        item->stamp_unix_s = was->stamp_unix_s;
    } else {
        item->stamp_unix_s = r->in->now_unix_s;
    }
}

enum pidf_why pidf_read_categories(struct pidf_reader *r, struct presence_state *state)
{
    const struct xml_tree *t = r->tree;
    const struct presence_item *was =
        r->in->before ? presence_find(r->in->before, RESOURCE) : NULL;
    struct presence_item *item = &r->all;
    uint32_t category = XML_NO_NODE;
    uint32_t found;

    if (!xml_is(t, 0, SLICE_LIT("categories"), SLICE_LIT(CATEGORIES_NS))) {
        return PIDF_WHY_MALFORMED;
    }
    if (!pidf_is_presentity(r, xml_attr_value(t, 0, SLICE_LIT("uri")))) {
        return PIDF_WHY_ENTITY;
    }
    if (was) {
        *item = *was;
    } else {
        item->resource = RESOURCE;
        item->show = PRESENCE_SHOW_UNAVAILABLE;
    }
    found = find_state(t);
    if (found != XML_NO_NODE && !take_state(r, found, item)) {
        return PIDF_WHY_MALFORMED;
    }
    while ((category = xml_next_child(t, 0, category, SLICE_LIT("category"), SLICE_NONE)) !=
           XML_NO_NODE) {
        if (slice_eq(xml_attr_value(t, category, SLICE_LIT("name")), SLICE_LIT("note"))) {
            take_note(r, category, item);
        }
    }
    finish(r, item, was);
    (void)presence_put(state, item);
    return PIDF_WHY_OK;
}
