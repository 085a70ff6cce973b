/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stanza: reading messages, presence and iq off a parsed element, and the error answer. */
#include "xmpp/stanza.h"

#include "base/attr.h"
#include "base/check.h"
#include "base/err.h"
#include "xml/writer.h"
#include "xmpp/ns.h"

static const char *const kind_names[] = {
    [STANZA_MESSAGE] = "message", [STANZA_PRESENCE] = "presence", [STANZA_IQ] = "iq"};

const char *stanza_kind_name(enum stanza_kind k)
{
    ASSERT(k < ARRAY_COUNT(kind_names));
    return kind_names[k];
}

/* Names are compared with literals: that takes no call. */
static bool find_kind(struct slice name, enum stanza_kind *out)
{
    if (slice_eq(name, SLICE_LIT("message"))) {
        *out = STANZA_MESSAGE;
    } else if (slice_eq(name, SLICE_LIT("presence"))) {
        *out = STANZA_PRESENCE;
    } else if (slice_eq(name, SLICE_LIT("iq"))) {
        *out = STANZA_IQ;
    } else {
        return false;
    }
    return true;
}

static enum stanza_type message_type(struct slice type)
{
    if (slice_eq(type, SLICE_LIT("chat"))) {
        return STANZA_TYPE_CHAT;
    }
    if (slice_eq(type, SLICE_LIT("groupchat"))) {
        return STANZA_TYPE_GROUPCHAT;
    }
    return slice_eq(type, SLICE_LIT("headline")) ? STANZA_TYPE_HEADLINE : STANZA_TYPE_NORMAL;
}

static enum stanza_type presence_type(struct slice type)
{
    if (slice_eq(type, SLICE_LIT("unavailable"))) {
        return STANZA_TYPE_UNAVAILABLE;
    }
    if (slice_eq(type, SLICE_LIT("subscribe"))) {
        return STANZA_TYPE_SUBSCRIBE;
    }
    if (slice_eq(type, SLICE_LIT("subscribed"))) {
        return STANZA_TYPE_SUBSCRIBED;
    }
    if (slice_eq(type, SLICE_LIT("unsubscribe"))) {
        return STANZA_TYPE_UNSUBSCRIBE;
    }
    if (slice_eq(type, SLICE_LIT("unsubscribed"))) {
        return STANZA_TYPE_UNSUBSCRIBED;
    }
    return slice_eq(type, SLICE_LIT("probe")) ? STANZA_TYPE_PROBE : STANZA_TYPE_BAD;
}

static enum stanza_type iq_type(struct slice type)
{
    if (slice_eq(type, SLICE_LIT("get"))) {
        return STANZA_TYPE_GET;
    }
    if (slice_eq(type, SLICE_LIT("set"))) {
        return STANZA_TYPE_SET;
    }
    return slice_eq(type, SLICE_LIT("result")) ? STANZA_TYPE_RESULT : STANZA_TYPE_BAD;
}

static enum stanza_type find_type(enum stanza_kind kind, const struct xml_attr *type)
{
    static const enum stanza_type when_absent[] = {[STANZA_MESSAGE] = STANZA_TYPE_NORMAL,
                                                   [STANZA_PRESENCE] = STANZA_TYPE_AVAILABLE,
                                                   [STANZA_IQ] = STANZA_TYPE_BAD};

    if (!type) {
        return when_absent[kind];
    }
    if (slice_eq(type->value, SLICE_LIT("error"))) {
        return STANZA_TYPE_ERROR;
    }
    switch (kind) {
    case STANZA_MESSAGE:
        return message_type(type->value);
    case STANZA_PRESENCE:
        return presence_type(type->value);
    case STANZA_IQ:
        return iq_type(type->value);
    }
    UNREACHABLE("stanza kind");
}

/* What a stanza's start tag says; NULL = absent. */
struct start_tag {
    const struct xml_attr *from;
    const struct xml_attr *to;
    const struct xml_attr *type;
    const struct xml_attr *id;
    const struct xml_attr *lang;
};

/* The parser has seen to it that no name is there twice. */
static void read_start_tag(const struct xml_tree *t, struct start_tag *out)
{
    const struct xml_node *n = &t->nodes[0];

    *out = (struct start_tag){0};
    for (uint32_t i = 0; i < n->attr_count; i++) {
        const struct xml_attr *attr = &t->attrs[n->attr_first + i];

        if (attr->ns.len > 0) {
            out->lang = slice_eq(attr->name, SLICE_LIT("lang")) ? xml_lang(t, 0) : out->lang;
        } else if (slice_eq(attr->name, SLICE_LIT("from"))) {
            out->from = attr;
        } else if (slice_eq(attr->name, SLICE_LIT("to"))) {
            out->to = attr;
        } else if (slice_eq(attr->name, SLICE_LIT("type"))) {
            out->type = attr;
        } else if (slice_eq(attr->name, SLICE_LIT("id"))) {
            out->id = attr;
        }
    }
}

static bool is_absent(const struct xml_attr *address)
{
    return !address || slice_is_empty(address->value);
}

static enum stanza_fault read_addresses(struct stanza *st, const struct start_tag *tag)
{
    int err;

    if (is_absent(tag->from)) {
        return STANZA_FAULT_FROM_MISSING;
    }
    err = jid_view(&st->from_mem, tag->from->value, &st->from);
    if (err) {
        return err == ERR_NOMEM ? STANZA_FAULT_NOMEM : STANZA_FAULT_FROM;
    }
    if (is_absent(tag->to)) {
        return STANZA_FAULT_TO_MISSING;
    }
    err = jid_view_named(&st->to_mem, tag->to->value, &st->from, &st->to);
    if (err) {
        st->to = (struct jid){0};
        return err == ERR_NOMEM ? STANZA_FAULT_NOMEM : STANZA_FAULT_TO;
    }
    return STANZA_OK;
}

/* RFC 6120 8.2.3 */
static enum stanza_fault read_iq(struct stanza *st)
{
    uint32_t second;

    if (st->type == STANZA_TYPE_ERROR) {
        return slice_is_empty(st->id) ? STANZA_FAULT_IQ_ID : STANZA_OK;
    }
    st->payload = xml_child(st->tree, 0, SLICE_NONE, SLICE_NONE);
    if (slice_is_empty(st->id)) {
        return STANZA_FAULT_IQ_ID;
    }
    if (st->payload == XML_NO_NODE) {
        return st->type == STANZA_TYPE_RESULT ? STANZA_OK : STANZA_FAULT_IQ_CHILDREN;
    }
    second = xml_next_child(st->tree, 0, st->payload, SLICE_NONE, SLICE_NONE);
    return second == XML_NO_NODE ? STANZA_OK : STANZA_FAULT_IQ_CHILDREN;
}

enum stanza_fault stanza_view(struct stanza *st, const struct xml_tree *t, struct slice ns,
                              struct slice lang)
{
    struct start_tag tag;
    enum stanza_fault fault;

    st->tree = t;
    st->payload = XML_NO_NODE;
    st->from = (struct jid){0};
    st->to = (struct jid){0};
    if (!slice_eq(t->nodes[0].ns, ns) || !find_kind(t->nodes[0].name, &st->kind)) {
        return STANZA_FAULT_KIND;
    }
    read_start_tag(t, &tag);
    st->type = find_type(st->kind, tag.type);
    st->id = tag.id ? tag.id->value : SLICE_NONE;
    st->lang = tag.lang ? tag.lang->value : lang;
    fault = read_addresses(st, &tag);
    if (fault != STANZA_OK) {
        return fault;
    }
    if (st->type == STANZA_TYPE_BAD) {
        return STANZA_FAULT_TYPE;
    }
    if (UNLIKELY(t->has_bad_ns)) {
        return STANZA_FAULT_NAMESPACE;
    }
    return st->kind == STANZA_IQ ? read_iq(st) : STANZA_OK;
}

enum stanza_condition stanza_fault_condition(enum stanza_fault f)
{
    switch (f) {
    case STANZA_FAULT_TO:
        return STANZA_CONDITION_JID_MALFORMED;
    case STANZA_FAULT_TYPE:
    case STANZA_FAULT_IQ_ID:
    case STANZA_FAULT_IQ_CHILDREN:
    case STANZA_FAULT_NAMESPACE:
        return STANZA_CONDITION_BAD_REQUEST;
    case STANZA_OK:
    case STANZA_FAULT_KIND:
    case STANZA_FAULT_FROM_MISSING:
    case STANZA_FAULT_FROM:
    case STANZA_FAULT_TO_MISSING:
    case STANZA_FAULT_NOMEM:
        return STANZA_CONDITION_NONE;
    }
    UNREACHABLE("stanza fault");
}

const char *stanza_fault_text(enum stanza_fault f)
{
    static const char *const texts[] = {
        [STANZA_OK] = "",
        [STANZA_FAULT_KIND] = "not a message, presence or iq of this stream's namespace",
        [STANZA_FAULT_FROM_MISSING] = "stanza without a from address",
        [STANZA_FAULT_FROM] = "the from address of a stanza is malformed",
        [STANZA_FAULT_TO_MISSING] = "stanza without a to address",
        [STANZA_FAULT_TO] = "the to address is malformed",
        [STANZA_FAULT_TYPE] = "unknown stanza type",
        [STANZA_FAULT_IQ_ID] = "iq without an id",
        [STANZA_FAULT_IQ_CHILDREN] = "iq with a wrong number of child elements",
        [STANZA_FAULT_NAMESPACE] = "a namespace name in the stanza is no URI",
        [STANZA_FAULT_NOMEM] = "out of memory",
    };

    ASSERT(f < ARRAY_COUNT(texts));
    return texts[f];
}

bool stanza_may_bounce(const struct stanza *st)
{
    if (st->type == STANZA_TYPE_ERROR || st->type == STANZA_TYPE_RESULT) {
        return false;
    }
    if (st->kind != STANZA_PRESENCE) {
        return true;
    }
    return st->type == STANZA_TYPE_AVAILABLE || st->type == STANZA_TYPE_SUBSCRIBE ||
           st->type == STANZA_TYPE_BAD;
}

void stanza_write_address(struct buf *out, const char *name, const struct jid *j)
{
    buf_putc(out, ' ');
    buf_put_cstr(out, name);
    buf_put_lit(out, "=\"");
    if (!slice_is_empty(j->local)) {
        xml_write_text(out, j->local);
        buf_putc(out, '@');
    }
    xml_write_text(out, j->domain);
    if (!slice_is_empty(j->resource)) {
        buf_putc(out, '/');
        xml_write_text(out, j->resource);
    }
    buf_putc(out, '"');
}

void stanza_write_error(struct buf *out, const struct stanza *st, const struct stanza_error *e)
{
    const char *name = stanza_kind_name(st->kind);

    if (!stanza_may_bounce(st)) {
        return;
    }
    buf_putc(out, '<');
    buf_put_cstr(out, name);
    if (!slice_is_empty(st->to.domain)) {
        stanza_write_address(out, "from", &st->to);
    }
    stanza_write_address(out, "to", &st->from);
    if (!slice_is_empty(st->id)) {
        xml_write_attr(out, "id", st->id);
    }
    buf_put_lit(out, " type=\"error\">");
    stanza_error_write(out, e);
    buf_put_lit(out, "</");
    buf_put_cstr(out, name);
    buf_putc(out, '>');
}

bool stanza_read_error(const struct stanza *st, struct stanza_error *out)
{
    const struct xml_tree *t = st->tree;
    uint32_t error;

    *out = (struct stanza_error){.condition = STANZA_CONDITION_UNDEFINED_CONDITION};
    error = xml_child(t, 0, SLICE_LIT("error"), t->nodes[0].ns);
    if (st->type != STANZA_TYPE_ERROR || error == XML_NO_NODE) {
        return false;
    }
    out->type = stanza_error_type_find(xml_attr_value(t, error, SLICE_LIT("type")));
    for (uint32_t n = xml_child(t, error, SLICE_NONE, SLICE_NONE); n != XML_NO_NODE;
         n = xml_next_child(t, error, n, SLICE_NONE, SLICE_NONE)) {
        const struct xml_node *node = &t->nodes[n];

        if (!slice_eq_cstr(node->ns, NS_STANZA_ERRORS)) {
            out->app_name = node->name;
            out->app_ns = node->ns;
        } else if (slice_eq(node->name, SLICE_LIT("text"))) {
            out->text = xml_text(t, n);
        } else if (stanza_condition_find(node->name) != STANZA_CONDITION_NONE) {
            out->condition = stanza_condition_find(node->name);
        }
    }
    return true;
}

void stanza_write_ping(struct buf *out, struct slice from, struct slice to, struct slice id)
{
    buf_put_lit(out, "<iq");
    xml_write_attr(out, "from", from);
    xml_write_attr(out, "to", to);
    xml_write_attr(out, "id", id);
    buf_put_lit(out, " type=\"get\"><ping xmlns=\"" NS_PING "\"/></iq>");
}
