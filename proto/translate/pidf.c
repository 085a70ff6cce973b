/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pidf: a PIDF document as a whole: its tuples, persons and notes, and the state they make. */
#include "translate/pidf_int.h"

/* Of drafts that are still written. */
#define PIDF_DRAFT_NS "urn:ietf:params:xml:ns:cpim-pidf"
#define PRIORITY_MAX 127u
#define THOUSAND 1000u

int8_t pidf_priority_from_thousandths(unsigned thousandths)
{
    unsigned q = thousandths < THOUSAND ? thousandths : THOUSAND;

    return (int8_t)((q * PRIORITY_MAX + THOUSAND - 1) / THOUSAND);
}

/* ---- from tuples to a state ---- */

static const struct presence_item *item_before(const struct pidf_reader *r, struct slice resource)
{
    return r->in->before ? presence_find(r->in->before, resource) : NULL;
}

static void copy_notes(struct presence_item *to, const struct presence_item *from)
{
    to->note_count = from->note_count;
    memcpy(to->notes, from->notes, from->note_count * sizeof(to->notes[0]));
}

/* "note (what he does)", where that is said in words of his own. */
static void append_other(struct pidf_reader *r, struct presence_item *item, struct slice other)
{
    if (other.len == 0) {
        return;
    }
    if (item->note_count == 0) {
        presence_note_add(item, r->lang, other);
        return;
    }
    struct presence_note *note = &item->notes[0];
    struct slice text = pidf_compose(
        r, (struct slice[]){note->text, SLICE_LIT(" ("), other, SLICE_LIT(")")}, 4);
    if (text.len > 0 && text.len <= PRESENCE_NOTE_BYTES_MAX && !slice_eq(note->text, other)) {
        note->text = text;
    }
}

/* What the person does goes for every open tuple that says nothing itself. */
static void complete_open(struct pidf_reader *r, struct pidf_tuple *tuple)
{
    const struct pidf_doing *doing = tuple->doing.is_said ? &tuple->doing : &r->doing;
    struct presence_item *item = &tuple->item;

    if (!tuple->has_show && doing->has_show) {
        item->show = doing->show;
    }
    if (item->note_count == 0) {
        copy_notes(item, r->person.note_count > 0 ? &r->person : &r->all);
    }
    append_other(r, item, doing->other);
    if (item->idle_since_unix_s == 0) {
        item->idle_since_unix_s = pidf_device_idle_since(r, tuple->device_id);
    }
    if (item->idle_since_unix_s == 0) {
        item->idle_since_unix_s = r->person.idle_since_unix_s;
    }
}

/* Neither open nor closed is said, nor anything that only one who is there does. */
static bool says_nothing(const struct pidf_reader *r, const struct pidf_tuple *tuple)
{
    return !tuple->has_basic && !tuple->has_show && !tuple->doing.is_said && !r->doing.is_said;
}

/* False: left as it was before, which was nothing. */
static bool keep_silent(const struct pidf_reader *r, struct pidf_tuple *tuple)
{
    const struct presence_item *was = item_before(r, tuple->item.resource);

    if (was) {
        tuple->item = *was;
    }
    return was != NULL;
}

/* A time ahead of ours is a clock that is wrong. What only repeats is as old as it was. */
static void settle_stamp(const struct pidf_reader *r, struct presence_item *item)
{
    const struct presence_item *was = item_before(r, item->resource);
    int64_t now = r->in->now_unix_s;

    if (was && presence_item_eq(was, item)) {
        item->stamp_unix_s = was->stamp_unix_s;
    } else if (item->stamp_unix_s <= 0 || (now > 0 && item->stamp_unix_s > now)) {
        item->stamp_unix_s = now;
    }
}

/* Of two tuples with one resource (two services of a device) the more available counts. */
static void put_item(const struct pidf_reader *r, struct presence_state *state,
                     struct presence_item *item)
{
    const struct presence_item *there = presence_find(state, item->resource);

    if (!there || there->show > item->show) {
        settle_stamp(r, item);
        (void)presence_put(state, item);
    }
}

static void put_tuples(struct pidf_reader *r, struct presence_state *state, bool open_ones)
{
    for (uint32_t i = 0; i < r->tuple_count; i++) {
        struct pidf_tuple *tuple = &r->tuples[i];

        if (tuple->is_named && (tuple->item.show != PRESENCE_SHOW_UNAVAILABLE) == open_ones) {
            put_item(r, state, &tuple->item);
        }
    }
}

/* Contents before names: tuples whose ids are new are known by what they say. */
static void make_state(struct pidf_reader *r, struct presence_state *state)
{
    for (uint32_t i = 0; i < r->tuple_count; i++) {
        struct pidf_tuple *tuple = &r->tuples[i];

        if (tuple->item.show != PRESENCE_SHOW_UNAVAILABLE && !says_nothing(r, tuple)) {
            complete_open(r, tuple);
        }
    }
    pidf_name_tuples(r);
    for (uint32_t i = 0; i < r->tuple_count; i++) {
        if (says_nothing(r, &r->tuples[i])) {
            r->tuples[i].is_named = keep_silent(r, &r->tuples[i]);
        }
    }
    put_tuples(r, state, true);
    put_tuples(r, state, false);
}

enum pidf_why pidf_read_pidf(struct pidf_reader *r, struct presence_state *state)
{
    const struct xml_tree *t = r->tree;
    const struct xml_node *root = &t->nodes[0];
    uint32_t node = XML_NO_NODE;

    if (!PIDF_IS(root, "presence") || !(slice_eq(root->ns, SLICE_LIT(PIDF_NS)) ||
                                        slice_eq(root->ns, SLICE_LIT(PIDF_DRAFT_NS)))) {
        return PIDF_WHY_MALFORMED;
    }
    if (!pidf_is_presentity(r, xml_attr_value(t, 0, SLICE_LIT("entity")))) {
        return PIDF_WHY_ENTITY;
    }
    while ((node = xml_next_child(t, 0, node, SLICE_NONE, SLICE_NONE)) != XML_NO_NODE) {
        const struct xml_node *n = &t->nodes[node];
        bool is_pidf = slice_eq(n->ns, root->ns);

        if (is_pidf && PIDF_IS(n, "tuple")) {
            pidf_take_tuple(r, node);
        } else if (is_pidf && PIDF_IS(n, "note")) {
            pidf_take_note(r, &r->all, node);
        } else if (PIDF_IS(n, "person")) {
            pidf_take_person(r, node);
        }
    }
    make_state(r, state);
    return PIDF_WHY_OK;
}
