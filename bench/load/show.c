/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show: presence stanzas of a flow. */
#include "load/show.h"

#include <string.h>

#include "load/payload.h"

static const char *const shows[] = {"away", "dnd", "xa", "chat"};
#define SHOWS 4u

void show_write_type(struct buf *out, const struct plan *plan, uint32_t flow, const char *type)
{
    char partner[PLAN_NAME_BYTES];

    plan_partner(plan, plan_domain_of(plan, flow), partner);
    buf_printf(out, "<presence from='u%05u@%s' to='u%05u@%s' type='%s'/>", (unsigned)flow, partner,
               (unsigned)flow, plan->inside, type);
}

void show_write(struct buf *out, const struct plan *plan, uint32_t flow, uint64_t number,
                uint32_t text_bytes)
{
    char partner[PLAN_NAME_BYTES];
    char text[SHOW_TEXT_BYTES_MAX];

    plan_partner(plan, plan_domain_of(plan, flow), partner);
    buf_printf(out, "<presence from='u%05u@%s/home' to='u%05u@%s'", (unsigned)flow, partner,
               (unsigned)flow, plan->inside);
    if (number == 0) {
        buf_put_lit(out, "/>");
        return;
    }
    payload_write(text, text_bytes, flow, number - 1);
    buf_printf(out,
               " id='s%05u-%010llu'><show>%s</show><status>%.*s</status><priority>5</priority>"
               "</presence>",
               (unsigned)flow, (unsigned long long)(number - 1), shows[(number - 1) % SHOWS],
               (int)text_bytes, text);
}

/* u00007@host, with any resource or none. */
static bool take_address(struct slice address, const char *host, uint32_t *flow)
{
    size_t host_bytes = strlen(host);
    size_t len = 2 + PAYLOAD_FLOW_DIGITS + host_bytes;
    uint64_t number;

    if (address.len < len || address.ptr[0] != 'u' ||
        !payload_take_digits(address.ptr + 1, PAYLOAD_FLOW_DIGITS, &number) ||
        address.ptr[1 + PAYLOAD_FLOW_DIGITS] != '@' ||
        memcmp(address.ptr + 2 + PAYLOAD_FLOW_DIGITS, host, host_bytes) != 0 ||
        (address.len > len && address.ptr[len] != '/')) {
        return false;
    }
    *flow = (uint32_t)number;
    return true;
}

static struct slice attr_of(const struct xml_tree *t, const char *name)
{
    return xml_attr_value(t, 0, slice_from_cstr(name));
}

static bool is_between_users(const struct plan *plan, const struct xml_tree *t, uint32_t *flow)
{
    char partner[PLAN_NAME_BYTES];
    uint32_t to = 0;

    if (!take_address(attr_of(t, "from"), plan->inside, flow) || *flow >= plan->streams) {
        return false;
    }
    plan_partner(plan, plan_domain_of(plan, *flow), partner);
    return take_address(attr_of(t, "to"), partner, &to) && to == *flow;
}

/* Available. */
static enum show_finding check_state(const struct xml_tree *t, uint32_t text_bytes, uint32_t flow,
                                     uint64_t *number, const char **what)
{
    uint32_t node = xml_child(t, 0, SLICE_LIT("status"), t->nodes[0].ns);
    struct slice text;
    uint32_t other = 0;

    if (node == XML_NO_NODE) {
        return SHOW_INITIAL;
    }
    text = xml_text(t, node);
    if (text.len != text_bytes || !payload_read(text, &other, number) || other != flow) {
        *what = "status";
        return SHOW_DAMAGED;
    }
    (*number)++;
    return SHOW_NUMBER;
}

/* The id of what came back: s00007-0000000042. */
static void take_id(struct slice id, uint32_t flow, uint64_t *number)
{
    uint64_t other;

    if (id.len == 2 + PAYLOAD_FLOW_DIGITS + PAYLOAD_SEQ_DIGITS && id.ptr[0] == 's' &&
        payload_take_digits(id.ptr + 1, PAYLOAD_FLOW_DIGITS, &other) && other == flow &&
        payload_take_digits(id.ptr + 2 + PAYLOAD_FLOW_DIGITS, PAYLOAD_SEQ_DIGITS, number)) {
        (*number)++;
    }
}

enum show_finding show_check(const struct plan *plan, const struct xml_tree *t, uint32_t text_bytes,
                             uint32_t *flow, uint64_t *number, const char **what)
{
    static const struct {
        const char *type;
        enum show_finding finding;
    } types[] = {{"unavailable", SHOW_UNAVAILABLE},
                 {"subscribe", SHOW_SUBSCRIBE},
                 {"subscribed", SHOW_SUBSCRIBED},
                 {"unsubscribe", SHOW_UNSUBSCRIBE},
                 {"unsubscribed", SHOW_UNSUBSCRIBED},
                 {"probe", SHOW_PROBE},
                 {"error", SHOW_ERROR}};
    struct slice type = attr_of(t, "type");

    *what = NULL;
    *number = 0;
    if (!slice_eq_cstr(t->nodes[0].name, "presence")) {
        return SHOW_OTHER;
    }
    if (!is_between_users(plan, t, flow)) {
        *what = "addresses";
        return SHOW_DAMAGED;
    }
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (slice_eq_cstr(type, types[i].type)) {
            if (types[i].finding == SHOW_ERROR) {
                take_id(attr_of(t, "id"), *flow, number);
            }
            return types[i].finding;
        }
    }
    if (xml_attr(t, 0, SLICE_LIT("type"))) {
        *what = "type";
        return SHOW_DAMAGED;
    }
    return check_state(t, text_bytes, *flow, number, what);
}
