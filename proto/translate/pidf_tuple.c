/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pidf_tuple: one tuple of a PIDF document (RFC 3863 4.1). */
#include "base/ascii.h"
#include "sip/uri.h"
#include "translate/pidf_int.h"
#include "translate/stamp.h"

#define NS_CLIENT "jabber:client"

/* Thousandths of "0", "0.8", ".25", "1.00"; further digits are cut. False: not a qvalue. */
static bool read_qvalue(struct slice text, unsigned *thousandths)
{
    static const unsigned weights[] = {100, 10, 1};
    struct slice whole;
    unsigned value = 0;

    (void)slice_cut(&text, '.', &whole);
    if (whole.len > 1 || (whole.len == 0 && text.len == 0) ||
        (whole.len == 1 && whole.ptr[0] != '0' && whole.ptr[0] != '1')) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!ascii_is_digit(text.ptr[i])) {
            return false;
        }
        value += i < ARRAY_COUNT(weights) ? weights[i] * (unsigned)(text.ptr[i] - '0') : 0;
    }
    value += whole.len == 1 && whole.ptr[0] == '1' ? 1000 : 0;
    *thousandths = value;
    return value <= 1000;
}

/* A resource in normal form, or empty. */
static struct slice to_resource(struct pidf_reader *r, struct slice name)
{
    char normal[JID_PART_BYTES_MAX];
    bool is_plain = name.len <= JID_PART_BYTES_MAX;
    size_t len;

    for (size_t i = 0; i < name.len && is_plain; i++) {
        is_plain = name.ptr[i] >= 0x20 && name.ptr[i] < 0x7f;
    }
    if (is_plain) {
        return name;
    }
    if (jid_resource_normalise(name, normal, &len)) {
        return SLICE_NONE;
    }
    return pidf_compose(r, &(struct slice){normal, len}, 1);
}

/* The resource behind a GRUU of the presentity itself: another's is not his. */
static struct slice gruu_resource(struct pidf_reader *r, struct slice contact)
{
    size_t before = buf_len(&r->text);
    struct sip_uri uri;
    struct slice rest = contact;
    struct slice bare, gr;

    (void)slice_cut(&rest, ';', &bare);
    if (rest.len == 0 || sip_uri_parse(contact, &uri) ||
        !sip_uri_param(&uri, SLICE_LIT("gr"), &gr) || gr.len == 0 ||
        !pidf_is_presentity(r, bare)) {
        return SLICE_NONE;
    }
    /* Escapes only shorten, so this stays in the room that was tested. */
    if (gr.len > buf_room(&r->text) || !sip_unescape(&r->text, gr)) {
        return SLICE_NONE;
    }
    return to_resource(r, slice_from(buf_slice(&r->text), before));
}

static void take_contact(struct pidf_reader *r, struct pidf_tuple *tuple, uint32_t node)
{
    unsigned thousandths;

    if (read_qvalue(slice_trim(xml_attr_value(r->tree, node, SLICE_LIT("priority"))),
                    &thousandths)) {
        tuple->item.has_priority = true;
        tuple->item.priority = pidf_priority_from_thousandths(thousandths);
    }
    tuple->item.resource = gruu_resource(r, pidf_text(r, node));
}

static void take_show(struct pidf_tuple *tuple, struct slice text)
{
    static const enum presence_show shows[] = {PRESENCE_SHOW_CHAT, PRESENCE_SHOW_DND,
                                               PRESENCE_SHOW_AWAY, PRESENCE_SHOW_XA};

    for (size_t i = 0; i < ARRAY_COUNT(shows); i++) {
        if (slice_eq_cstr(text, presence_show_name(shows[i]))) {
            tuple->has_show = true;
            tuple->item.show = shows[i];
        }
    }
}

/* RFC 3863 4.2.3. */
static bool must_be_understood(const struct pidf_reader *r, const struct xml_node *n)
{
    for (uint32_t i = 0; i < n->attr_count; i++) {
        const struct xml_attr *a = &r->tree->attrs[n->attr_first + i];

        if (slice_eq(a->name, SLICE_LIT("mustUnderstand"))) {
            return slice_eq(a->value, SLICE_LIT("1")) || slice_eq(a->value, SLICE_LIT("true"));
        }
    }
    return false;
}

static void take_status(struct pidf_reader *r, struct pidf_tuple *tuple, uint32_t status,
                        bool *is_closed)
{
    uint32_t child = XML_NO_NODE;

    while ((child = xml_next_child(r->tree, status, child, SLICE_NONE, SLICE_NONE)) !=
           XML_NO_NODE) {
        const struct xml_node *n = &r->tree->nodes[child];

        if (PIDF_IS(n, "basic")) {
            struct slice text = pidf_text(r, child);
            *is_closed = slice_eq_nocase(text, SLICE_LIT("closed"));
            tuple->has_basic = *is_closed || slice_eq_nocase(text, SLICE_LIT("open"));
        } else if (PIDF_IS(n, "show") && slice_eq(n->ns, SLICE_LIT(NS_CLIENT))) {
            take_show(tuple, pidf_text(r, child));
        } else if (!pidf_take_rpid(r, child, &tuple->doing, &tuple->item)) {
            tuple->is_unreadable |= must_be_understood(r, n);
        }
    }
}

/* RFC 4480 3.9: a tuple may be that of somebody else, an assistant for example. */
static bool is_of_another(const struct pidf_reader *r, uint32_t node)
{
    uint32_t child = xml_child(r->tree, node, SLICE_NONE, SLICE_NONE);

    return child != XML_NO_NODE && !PIDF_IS(&r->tree->nodes[child], "self") &&
           !PIDF_IS(&r->tree->nodes[child], "unknown");
}

/* A child of a tuple that every PIDF reader knows. */
static bool take_pidf_child(struct pidf_reader *r, struct pidf_tuple *tuple, uint32_t node,
                            bool *is_closed)
{
    const struct xml_node *n = &r->tree->nodes[node];

    if (!slice_eq(n->ns, r->tree->nodes[0].ns)) {
        return false;
    }
    if (PIDF_IS(n, "status")) {
        take_status(r, tuple, node, is_closed);
    } else if (PIDF_IS(n, "contact")) {
        take_contact(r, tuple, node);
    } else if (PIDF_IS(n, "note")) {
        pidf_take_note(r, &tuple->item, node);
    } else if (PIDF_IS(n, "timestamp")) {
        if (stamp_parse(pidf_text(r, node), &tuple->item.stamp_unix_s)) {
            tuple->item.stamp_unix_s = 0;
        }
    } else {
        return false;
    }
    return true;
}

static void take_child(struct pidf_reader *r, struct pidf_tuple *tuple, uint32_t node,
                       bool *is_closed)
{
    const struct xml_node *n = &r->tree->nodes[node];

    if (take_pidf_child(r, tuple, node, is_closed)) {
        return;
    }
    if (PIDF_IS(n, "deviceID") || PIDF_IS(n, "device-id")) {
        tuple->device_id = tuple->device_id.len > 0 ? tuple->device_id : pidf_text(r, node);
    } else if (PIDF_IS(n, "relationship")) {
        tuple->is_unreadable |= is_of_another(r, node);
    } else if (!pidf_take_rpid(r, node, &tuple->doing, &tuple->item)) {
        tuple->is_unreadable |= must_be_understood(r, n);
    }
}

/* GRUU, else device, else the id. */
static void name_tuple(struct pidf_reader *r, struct pidf_tuple *tuple, uint32_t node)
{
    struct slice id;

    if (tuple->item.resource.len == 0) {
        tuple->item.resource = to_resource(r, tuple->device_id);
    }
    if (tuple->item.resource.len == 0) {
        id = slice_trim(xml_attr_value(r->tree, node, SLICE_LIT("id")));
        if (slice_starts(id, SLICE_LIT("ID-")) && id.len > 3) {
            id = slice_from(id, 3);
        }
        tuple->item.resource = to_resource(r, id);
        tuple->is_named_by_id = true;
    }
}

void pidf_take_tuple(struct pidf_reader *r, uint32_t node)
{
    struct pidf_tuple *tuple = &r->tuples[r->tuple_count];
    uint32_t child = XML_NO_NODE;
    bool is_closed = false;

    if (r->tuple_count == PIDF_TUPLES_MAX) {
        return;
    }
    pidf_item_clear(&tuple->item);
    tuple->is_named = false;
    tuple->is_named_by_id = false;
    tuple->has_basic = false;
    tuple->has_show = false;
    tuple->is_unreadable = false;
    tuple->doing = (struct pidf_doing){0};
    tuple->device_id = SLICE_NONE;
    while ((child = xml_next_child(r->tree, node, child, SLICE_NONE, SLICE_NONE)) != XML_NO_NODE) {
        take_child(r, tuple, child, &is_closed);
    }
    if (tuple->is_unreadable) {
        return;
    }
    if (is_closed) {
        tuple->item.show = PRESENCE_SHOW_UNAVAILABLE;
    }
    name_tuple(r, tuple, node);
    r->tuple_count++;
}
