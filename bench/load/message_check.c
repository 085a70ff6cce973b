/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message_check: what arrives, parsed: the tree of what was sent, or the part that is wrong. */
#include <string.h>

#include "base/check.h"
#include "load/message_int.h"
#include "xml/parser.h"

#define CHILDREN_MAX 64u

static struct slice attr_of(const struct xml_tree *t, const char *name)
{
    return xml_attr_value(t, 0, slice_from_cstr(name));
}

/* s00007-0000000042 */
static bool take_id(struct slice id, uint32_t *flow, uint64_t *seq)
{
    uint64_t number;

    if (id.len != 2 + PAYLOAD_FLOW_DIGITS + PAYLOAD_SEQ_DIGITS || id.ptr[0] != 's' ||
        !payload_take_digits(id.ptr + 1, PAYLOAD_FLOW_DIGITS, &number) ||
        !payload_take_digits(id.ptr + 2 + PAYLOAD_FLOW_DIGITS, PAYLOAD_SEQ_DIGITS, seq)) {
        return false;
    }
    *flow = (uint32_t)number;
    return true;
}

/* What a gateway made of a SIP user's message: an id of its own, some resource of the sender's, the
 * recipient's bare address, no chat state. */
static const char *fault_of_translated(const struct message *m, const struct xml_tree *t,
                                       uint32_t *flow, uint64_t *seq)
{
    uint32_t node = xml_child(t, 0, SLICE_LIT("body"), t->nodes[0].ns);
    struct slice body = node == XML_NO_NODE ? SLICE_NONE : xml_text(t, node);
    struct slice from = attr_of(t, "from");
    struct message_names names;
    size_t len;

    if (!payload_read(body, flow, seq) || *flow >= m->plan->streams) {
        return "text";
    }
    message_make_names(m, *flow, *seq, &names);
    len = strlen(names.from);
    return !slice_eq_cstr(attr_of(t, "type"), "chat") ? "type"
           : !slice_eq(slice_to(from, len), slice_make(names.from, len)) ||
                   (from.len > len && from.ptr[len] != '/')
               ? "from"
           : !slice_eq_cstr(attr_of(t, "to"), names.to) ? "to"
           : body.len != m->body_bytes                  ? "length of its text"
                                                        : NULL;
}

/* Namespaces of content differ between kinds of streams: what is the root's is compared so. */
static bool same_ns(const struct xml_tree *a, struct slice a_ns, const struct xml_tree *b,
                    struct slice b_ns)
{
    bool is_content = slice_eq(a_ns, a->nodes[0].ns);

    return is_content == slice_eq(b_ns, b->nodes[0].ns) && (is_content || slice_eq(a_ns, b_ns));
}

static bool has_attr(const struct xml_tree *t, uint32_t node, const struct xml_attr *wanted)
{
    const struct xml_node *n = &t->nodes[node];

    for (uint32_t i = n->attr_first; i < n->attr_first + n->attr_count; i++) {
        const struct xml_attr *a = &t->attrs[i];

        if (slice_eq(a->name, wanted->name) && slice_eq(a->ns, wanted->ns)) {
            return slice_eq(a->value, wanted->value);
        }
    }
    return false;
}

/* The part of a node that is not what was sent; NULL = none. more: so many attributes may have been
 * added. */
static const char *fault_of_node(const struct xml_tree *t, uint32_t node,
                                 const struct xml_tree *sent, uint32_t as, uint32_t more)
{
    const struct xml_node *a = &t->nodes[node];
    const struct xml_node *b = &sent->nodes[as];

    if (a->kind != b->kind) {
        return "elements";
    }
    if (!slice_eq(a->name, b->name)) {
        return a->kind == XML_NODE_TEXT ? "text" : "name of an element";
    }
    if (a->kind == XML_NODE_TEXT) {
        return NULL;
    }
    if (!same_ns(t, a->ns, sent, b->ns)) {
        return "namespace";
    }
    for (uint32_t k = b->attr_first; k < b->attr_first + b->attr_count; k++) {
        if (!has_attr(t, node, &sent->attrs[k])) {
            return "attribute";
        }
    }
    return a->attr_count == b->attr_count + more ? NULL : "more attributes than were sent";
}

/* Nodes of a child of the root, itself and what is in it: they follow each other. */
static uint32_t nodes_of(const struct xml_tree *t, uint32_t child)
{
    uint32_t next = t->nodes[child].next_sibling;

    return (next == XML_NO_NODE ? t->node_count : next) - child;
}

static const char *fault_of_child(const struct xml_tree *t, uint32_t child,
                                  const struct xml_tree *sent, uint32_t as)
{
    uint32_t count = nodes_of(sent, as);
    const char *fault = nodes_of(t, child) == count ? NULL : "elements";

    for (uint32_t i = 0; i < count && !fault; i++) {
        bool is_there =
            i == 0 || t->nodes[child + i].parent - child == sent->nodes[as + i].parent - as;

        fault = is_there ? fault_of_node(t, child + i, sent, as + i, 0) : "elements";
    }
    return fault;
}

/* Each child that was sent has one of those that came, in any order: some servers put what they
 * know in front. */
static const char *fault_of_children(const struct xml_tree *t, const struct xml_tree *sent)
{
    uint64_t taken = 0; /* bit n: the nth child that came */
    uint32_t count = 0;

    for (uint32_t b = sent->nodes[0].first_child; b != XML_NO_NODE;
         b = sent->nodes[b].next_sibling) {
        const char *fault = "elements";
        uint32_t n = 0;

        for (uint32_t a = t->nodes[0].first_child; a != XML_NO_NODE && fault;
             a = t->nodes[a].next_sibling) {
            if (n < CHILDREN_MAX && !(taken >> n & 1)) {
                fault = fault_of_child(t, a, sent, b);
                taken |= (uint64_t)!fault << n;
            }
            n++;
        }
        if (fault) {
            return fault;
        }
        count += nodes_of(sent, b);
    }
    return t->node_count == 1 + count ? NULL : "more elements than were sent";
}

/* The first part that is not what was sent, whatever quotes, order and prefixes it is written with;
 * NULL = none. A server may say the stream's language on the stanza. */
static const char *fault_of(const struct message *m, const struct xml_tree *t, uint32_t *flow,
                            uint64_t *seq)
{
    const struct xml_tree *sent;
    const char *fault;
    size_t used;
    size_t len;

    if (!take_id(attr_of(t, "id"), flow, seq) || *flow >= m->plan->streams) {
        return "id";
    }
    len = message_write(m, m->text, *flow, *seq);
    if (xml_parser_feed(m->parser, m->text, len, &used) != XML_ELEMENT) {
        UNREACHABLE("a stanza of ours is XML");
    }
    sent = xml_parser_tree(m->parser);
    fault = fault_of_node(t, 0, sent, 0, xml_lang(t, 0) && !xml_lang(sent, 0) ? 1 : 0);
    return fault ? fault : fault_of_children(t, sent);
}

enum message_finding message_check(const struct message *m, const struct xml_tree *t,
                                   uint32_t *flow, uint64_t *seq, const char **what)
{
    *what = NULL;
    if (!slice_eq_cstr(t->nodes[0].name, "message")) {
        return MESSAGE_OTHER;
    }
    if (slice_eq_cstr(attr_of(t, "type"), "error")) {
        /* It may come back without its text: the id tells what it was. */
        if (!take_id(attr_of(t, "id"), flow, seq)) {
            *flow = UINT32_MAX;
        }
        return MESSAGE_ERROR;
    }
    *what = (m->is_translated ? fault_of_translated : fault_of)(m, t, flow, seq);
    return *what ? MESSAGE_DAMAGED : MESSAGE_INTACT;
}
