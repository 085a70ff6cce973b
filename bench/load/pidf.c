/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pidf: presence documents of a flow. */
#include "load/pidf.h"

#include <string.h>

#include "load/payload.h"
#include "load/show.h"
#include "xml/parser.h"

#define NS_PIDF  SLICE_LIT("urn:ietf:params:xml:ns:pidf")
#define NS_MODEL SLICE_LIT("urn:ietf:params:xml:ns:pidf:data-model")

static const char *const activities[] = {"away", "busy", "meeting", "on-the-phone"};
#define ACTIVITIES 4u

int pidf_init(struct pidf *p, const struct plan *plan, uint32_t text_bytes)
{
    p->plan = plan;
    p->text_bytes = text_bytes;
    return xml_parser_new(&p->parser, &xml_limits_authenticated);
}

void pidf_deinit(struct pidf *p)
{
    xml_parser_free(p->parser);
    p->parser = NULL;
}

void pidf_write(struct buf *out, const struct pidf *p, uint32_t flow, uint64_t number)
{
    char text[SHOW_TEXT_BYTES_MAX];

    buf_printf(out,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
               "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" "
               "xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" "
               "xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"sip:u%05u@%s\">"
               "<tuple id=\"t%05u\"><status><basic>open</basic></status>"
               "<contact>sip:u%05u@%s</contact>",
               (unsigned)flow, p->plan->inside, (unsigned)flow, (unsigned)flow, p->plan->inside);
    if (number > 0) {
        payload_write(text, p->text_bytes, flow, number - 1);
        buf_printf(out,
                   "<note>%.*s</note></tuple><dm:person id=\"p1\"><rpid:activities><rpid:%s/>"
                   "</rpid:activities></dm:person></presence>",
                   (int)p->text_bytes, text, activities[(number - 1) % ACTIVITIES]);
    } else {
        buf_put_lit(out, "</tuple></presence>");
    }
}

/* sip:u00007@host or pres:..., with parameters or without. */
static bool is_entity(struct slice entity, uint32_t flow, const char *host)
{
    struct slice scheme;
    char user[2 + PAYLOAD_FLOW_DIGITS] = "u";
    size_t host_bytes = strlen(host);

    if (!slice_cut(&entity, ':', &scheme) ||
        !(slice_eq_cstr(scheme, "sip") || slice_eq_cstr(scheme, "pres"))) {
        return false;
    }
    payload_put_digits(user + 1, PAYLOAD_FLOW_DIGITS, flow);
    user[1 + PAYLOAD_FLOW_DIGITS] = '@';
    return slice_starts(entity, slice_make(user, sizeof(user))) &&
           slice_starts(slice_from(entity, sizeof(user)), slice_make(host, host_bytes)) &&
           (entity.len == sizeof(user) + host_bytes ||
            entity.ptr[sizeof(user) + host_bytes] == ';');
}

static bool has_open_tuple(const struct xml_tree *t)
{
    uint32_t tuple = XML_NO_NODE;

    while ((tuple = xml_next_child(t, 0, tuple, SLICE_LIT("tuple"), NS_PIDF)) != XML_NO_NODE) {
        uint32_t status = xml_child(t, tuple, SLICE_LIT("status"), NS_PIDF);
        uint32_t basic =
            status == XML_NO_NODE ? XML_NO_NODE : xml_child(t, status, SLICE_LIT("basic"), NS_PIDF);

        if (basic != XML_NO_NODE && slice_eq_cstr(slice_trim(xml_text(t, basic)), "open")) {
            return true;
        }
    }
    return false;
}

static bool is_note(const struct xml_tree *t, uint32_t node)
{
    return xml_is(t, node, SLICE_LIT("note"), NS_PIDF) ||
           xml_is(t, node, SLICE_LIT("note"), NS_MODEL);
}

/* All notes say the same. *number stays 0: there is none. False: a note is not what was said. */
static bool read_notes(const struct pidf *p, const struct xml_tree *t, uint32_t flow,
                       uint64_t *number)
{
    for (uint32_t i = 0; i < t->node_count; i++) {
        uint32_t other = 0;
        uint64_t seq = 0;
        struct slice text;

        if (!is_note(t, i)) {
            continue;
        }
        text = xml_text(t, i);
        if (text.len != p->text_bytes || !payload_read(text, &other, &seq) || other != flow ||
            (*number != 0 && *number != seq + 1)) {
            return false;
        }
        *number = seq + 1;
    }
    return true;
}

enum pidf_finding pidf_check(struct pidf *p, struct slice document, uint32_t flow, uint64_t *number,
                             const char **what)
{
    const struct xml_tree *t = xml_parser_document(p->parser, document);
    char partner[PLAN_NAME_BYTES];

    *number = 0;
    *what = NULL;
    if (!t) {
        *what = "a document that is no XML";
        return PIDF_DAMAGED;
    }
    plan_partner(p->plan, plan_domain_of(p->plan, flow), partner);
    if (!xml_is(t, 0, SLICE_LIT("presence"), NS_PIDF)) {
        *what = "a document that is no PIDF";
    } else if (!is_entity(xml_attr_value(t, 0, SLICE_LIT("entity")), flow, partner)) {
        *what = "entity";
    } else if (!read_notes(p, t, flow, number)) {
        *what = "note";
    }
    if (*what) {
        return PIDF_DAMAGED;
    }
    return !has_open_tuple(t) ? PIDF_CLOSED : *number > 0 ? PIDF_NUMBER : PIDF_INITIAL;
}
