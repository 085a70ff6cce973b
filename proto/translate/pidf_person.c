/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pidf_person: RPID as it is found: in persons and devices of the data model (RFC 4479, 4480), and
 * in statuses by writers of its drafts (Microsoft's among them). Namespaces changed with each
 * draft, so names count here and namespaces do not.                                             */
#include "translate/pidf_int.h"
#include "translate/rpid.h"
#include "translate/stamp.h"

static int64_t stamp_of(const struct pidf_reader *r, uint32_t node, struct slice attr)
{
    int64_t unix_s;

    return stamp_parse(slice_trim(xml_attr_value(r->tree, node, attr)), &unix_s) ? 0 : unix_s;
}

/* Whether what is said holds at this time (RFC 4480 3.1). */
static bool is_now(const struct pidf_reader *r, uint32_t node)
{
    int64_t now = r->in->now_unix_s;

    if (now == 0 || r->tree->nodes[node].attr_count == 0) {
        return true;
    }
    int64_t from = stamp_of(r, node, SLICE_LIT("from"));
    int64_t until = stamp_of(r, node, SLICE_LIT("until"));
    return (from == 0 || from <= now) && (until == 0 || until >= now);
}

static void take_token(struct pidf_doing *doing, struct slice token)
{
    enum presence_show show;

    if (token.len == 0) {
        return;
    }
    doing->is_said = true;
    if (!rpid_show_of(token, &show)) {
        doing->other = doing->other.len > 0 ? doing->other : token;
    } else if (show != PRESENCE_SHOW_AVAILABLE && !doing->has_show) {
        doing->has_show = true;
        doing->show = show;
    }
}

static void take_activities(const struct pidf_reader *r, uint32_t node, struct pidf_doing *doing,
                            struct presence_item *item)
{
    uint32_t child = XML_NO_NODE;

    if (!is_now(r, node)) {
        return;
    }
    while ((child = xml_next_child(r->tree, node, child, SLICE_NONE, SLICE_NONE)) != XML_NO_NODE) {
        const struct xml_node *n = &r->tree->nodes[child];

        if (PIDF_IS(n, "note")) {
            pidf_take_note(r, item, child);
        } else if (PIDF_IS(n, "activity")) {
            take_token(doing, pidf_text(r, child));
        } else if (PIDF_IS(n, "other")) {
            struct slice text = pidf_text(r, child);
            doing->is_said = true;
            doing->other = doing->other.len > 0 ? doing->other : text;
        } else {
            enum presence_show show;
            /* An element nobody knows is an extension, and not for people. */
            if (rpid_show_of(n->name, &show)) {
                take_token(doing, n->name);
            }
        }
    }
}

/* RFC 4480 3.14, and the draft's <idle since=""/>. */
static void take_idle(const struct pidf_reader *r, uint32_t node, struct slice attr,
                      struct presence_item *item)
{
    int64_t since = stamp_of(r, node, attr);
    int64_t now = r->in->now_unix_s;

    if (since > 0 && item->idle_since_unix_s == 0) {
        item->idle_since_unix_s = now > 0 && since > now ? now : since;
    }
}

bool pidf_take_rpid(const struct pidf_reader *r, uint32_t node, struct pidf_doing *doing,
                    struct presence_item *item)
{
    const struct xml_node *n = &r->tree->nodes[node];

    if (PIDF_IS(n, "activities")) {
        take_activities(r, node, doing, item);
        return true;
    }
    if (PIDF_IS(n, "user-input")) {
        if (slice_eq_nocase(pidf_text(r, node), SLICE_LIT("idle"))) {
            take_idle(r, node, SLICE_LIT("last-input"), item);
        }
        return true;
    }
    if (PIDF_IS(n, "idle")) {
        take_idle(r, node, SLICE_LIT("since"), item);
        return true;
    }
    return false;
}

void pidf_take_person(struct pidf_reader *r, uint32_t node)
{
    /* The person's own note before that of what he does. */
    UNINITIALIZED struct presence_item aside;
    uint32_t child = XML_NO_NODE;

    pidf_item_clear(&aside);
    while ((child = xml_next_child(r->tree, node, child, SLICE_NONE, SLICE_NONE)) != XML_NO_NODE) {
        if (PIDF_IS(&r->tree->nodes[child], "note")) {
            pidf_take_note(r, &r->person, child);
        } else {
            (void)pidf_take_rpid(r, child, &r->doing, &aside);
        }
    }
    for (unsigned i = 0; i < aside.note_count; i++) {
        presence_note_add(&r->person, aside.notes[i].lang, aside.notes[i].text);
    }
    if (r->person.idle_since_unix_s == 0) {
        r->person.idle_since_unix_s = aside.idle_since_unix_s;
    }
}

int64_t pidf_device_idle_since(const struct pidf_reader *r, struct slice device_id)
{
    const struct xml_tree *t = r->tree;
    uint32_t device = XML_NO_NODE;

    if (device_id.len == 0) {
        return 0;
    }
    while ((device = xml_next_child(t, 0, device, SLICE_LIT("device"), SLICE_NONE)) !=
           XML_NO_NODE) {
        UNINITIALIZED struct presence_item item;
        struct pidf_doing doing = {0};
        uint32_t child = XML_NO_NODE;
        bool is_it = false;

        pidf_item_clear(&item);
        while ((child = xml_next_child(t, device, child, SLICE_NONE, SLICE_NONE)) != XML_NO_NODE) {
            is_it |= PIDF_IS(&t->nodes[child], "deviceID") &&
                     slice_eq(pidf_text(r, child), device_id);
            (void)pidf_take_rpid(r, child, &doing, &item);
        }
        if (is_it) {
            return item.idle_since_unix_s;
        }
    }
    return 0;
}
