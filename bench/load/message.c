/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message: the stanza of a flow and a number. */
#include "load/message.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/pool.h"
#include "load/payload.h"
#include "xml/parser.h"

#define TEXT_BYTES 512u
#define WORD 8u
#define WORDS_AT_ONCE 4u
#define MASKED ((char)0xff)
#define HEADER                                                                                     \
    "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'>"
#define CHILDREN_MAX 64u
#define DOMAIN_MARK 'p' /* before a partner's number; before a flow's stands anything else */

static unsigned digits_of(enum message_hole kind)
{
    return kind == MESSAGE_HOLE_SEQ ? PAYLOAD_SEQ_DIGITS : PAYLOAD_FLOW_DIGITS;
}

void message_form_free(struct message_form *f)
{
    pool_heap_free(f->bytes);
    pool_heap_free(f->mask);
    memset(f, 0, sizeof(*f));
}

/* The digits that are a hole's, from the expected numbers. */
static void put_digits(const struct message *m, enum message_hole kind, uint32_t flow, uint64_t seq,
                       char out[PAYLOAD_SEQ_DIGITS])
{
    payload_put_digits(out, digits_of(kind),
                       kind == MESSAGE_HOLE_SEQ    ? seq
                       : kind == MESSAGE_HOLE_FLOW ? flow
                                                   : plan_domain_of(m->plan, flow));
}

static size_t digits_from(struct slice bytes, size_t at)
{
    size_t end = at;

    while (end < bytes.len && bytes.ptr[end] >= '0' && bytes.ptr[end] <= '9') {
        end++;
    }
    return end - at;
}

/* Five digits are a flow's or a domain's number, ten a stanza's; other digits are text. */
static bool find_holes(const struct message *m, struct slice bytes, uint32_t flow, uint64_t seq,
                       struct message_form *f)
{
    for (size_t at = 0; at < bytes.len; at++) {
        size_t len = digits_from(bytes, at);
        char expected[PAYLOAD_SEQ_DIGITS];
        enum message_hole kind = len == PAYLOAD_SEQ_DIGITS                   ? MESSAGE_HOLE_SEQ
                                 : at > 0 && bytes.ptr[at - 1] == DOMAIN_MARK ? MESSAGE_HOLE_DOMAIN
                                                                             : MESSAGE_HOLE_FLOW;

        if (len > 0 && len == digits_of(kind)) {
            put_digits(m, kind, flow, seq, expected);
            if (memcmp(bytes.ptr + at, expected, len) != 0 ||
                f->hole_count == MESSAGE_HOLES_MAX) {
                return false;
            }
            f->holes[f->hole_count].at = (uint32_t)at;
            f->holes[f->hole_count++].kind = kind;
        }
        at += len;
    }
    return true;
}

static void make_mask(struct message_form *f)
{
    memset(f->mask, MASKED, f->len);
    for (uint32_t i = 0; i < f->hole_count; i++) {
        memset(f->mask + f->holes[i].at, 0, digits_of(f->holes[i].kind));
    }
}

bool message_learn(const struct message *m, struct slice bytes, uint32_t flow, uint64_t seq,
                   struct message_form *out)
{
    size_t room = (bytes.len + WORD - 1) / WORD * WORD;

    memset(out, 0, sizeof(*out));
    if (m->is_translated || !find_holes(m, bytes, flow, seq, out)) {
        return false;
    }
    out->len = (uint32_t)bytes.len;
    out->row = message_row(m, flow, seq);
    out->bytes = pool_heap_zalloc(room);
    out->mask = pool_heap_zalloc(room);
    memcpy(out->bytes, bytes.ptr, bytes.len);
    make_mask(out);
    return true;
}

/* --- what is sent --- */

struct names {
    char from[TEXT_BYTES];
    char to[TEXT_BYTES];
    char number[TEXT_BYTES];
    char domain[PLAN_NAME_BYTES];
};

/* Bare addresses of both sides. */
static void make_names(const struct message *m, uint32_t flow, uint64_t seq, struct names *out)
{
    char *partner = m->is_inside_out ? out->to : out->from;
    char *inside = m->is_inside_out ? out->from : out->to;

    plan_partner(m->plan, plan_domain_of(m->plan, flow), out->domain);
    (void)snprintf(partner, TEXT_BYTES, "u%05u@%s", (unsigned)flow, out->domain);
    (void)snprintf(inside, TEXT_BYTES, "u%05u@%s", (unsigned)flow, m->plan->inside);
    (void)snprintf(out->number, TEXT_BYTES, "%05u-%010llu", (unsigned)flow,
                   (unsigned long long)seq);
}

/* The bytes that forms lack to the size asked for, by their shares, and the least; the last one
 * with a text takes what does not divide. */
static size_t body_bytes(const struct mix *mix, uint32_t row, size_t spare)
{
    uint32_t shares = 0;
    uint32_t last = 0;
    size_t given = 0;

    for (uint32_t i = 0; i < mix->count; i++) {
        shares += mix->rows[i].share;
        last = mix_has_body(&mix->rows[i]) ? i : last;
    }
    for (uint32_t i = 0; i < mix->count; i++) {
        given += spare * mix->rows[i].share / shares;
    }
    return PAYLOAD_HEAD_BYTES + spare * mix->rows[row].share / shares +
           (row == last ? spare - given : 0);
}

static const char *make_form(struct message *m, const struct mix *mix, uint32_t row, size_t spare,
                             const char *const names[MIX_NAMES])
{
    static const uint32_t flow = 0;
    size_t body = body_bytes(mix, row, spare);
    size_t len = mix_write(&mix->rows[row], names, body, NULL);
    char *text = pool_heap_zalloc(len + 1);
    bool is_good;

    (void)mix_write(&mix->rows[row], names, body, text);
    m->bytes_max = len > m->bytes_max ? (uint32_t)len : m->bytes_max;
    m->body_bytes = row == 0 ? (uint32_t)body : m->body_bytes;
    is_good = find_holes(m, slice_make(text, len), flow, 0, &m->forms[row]);
    m->forms[row].row = row;
    m->forms[row].len = (uint32_t)len;
    m->forms[row].bytes = text;
    return is_good ? NULL : "names with five or ten digits in a row";
}

static const char *make_forms(struct message *m)
{
    const struct mix *mix = mix_find(m->plan->mix, m->plan->stanza_bytes < MIX_STATE_BYTES);
    const char *fault = NULL;
    struct names n;
    const char *names[MIX_NAMES] = {n.from, n.to, "home", "desk", n.domain, n.number, ""};
    size_t wanted = m->plan->stanza_bytes * mix->count;
    size_t bare = 0;

    if (m->is_inside_out) {
        names[2] = "desk";
        names[3] = "home";
        names[4] = m->plan->inside;
    }
    make_names(m, 0, 0, &n);
    for (uint32_t i = 0; i < mix->count; i++) {
        bare += mix_write(&mix->rows[i], names, PAYLOAD_HEAD_BYTES, NULL);
    }
    if (bare > wanted) {
        return "stanzas of this size have no room for these domains and a text";
    }
    m->form_count = mix->count;
    for (uint32_t i = 0; i < mix->count && !fault; i++) {
        fault = make_form(m, mix, i, wanted - bare, names);
    }
    return fault;
}

static bool make_parser(struct message *m)
{
    struct xml_limits limits = xml_limits_authenticated;
    size_t used;

    limits.stanza_bytes_max = m->bytes_max > limits.stanza_bytes_max ? m->bytes_max
                                                                     : limits.stanza_bytes_max;
    return xml_parser_new(&m->parser, &limits) == 0 &&
           xml_parser_feed(m->parser, HEADER, sizeof(HEADER) - 1, &used) == XML_STREAM_OPEN;
}

const char *message_init(struct message *m, const struct plan *plan, bool is_inside_out)
{
    const char *fault;

    memset(m, 0, sizeof(*m));
    m->plan = plan;
    m->is_inside_out = is_inside_out;
    m->is_translated = strcmp(plan->kind_name[SIDE_SOURCE], "sip") == 0;
    fault = make_forms(m);
    m->text = pool_heap_zalloc(m->bytes_max + 1);
    if (!fault && !make_parser(m)) {
        fault = "no memory for a parser";
    }
    if (fault) {
        message_deinit(m);
    }
    return fault;
}

void message_deinit(struct message *m)
{
    for (uint32_t i = 0; i < MIX_ROWS_MAX; i++) {
        message_form_free(&m->forms[i]);
    }
    xml_parser_free(m->parser);
    m->parser = NULL;
    pool_heap_free(m->text);
    m->text = NULL;
}

size_t message_write(const struct message *m, char *to, uint32_t flow, uint64_t seq)
{
    const struct message_form *f = &m->forms[message_row(m, flow, seq)];
    char digits[MESSAGE_HOLE_KINDS][PAYLOAD_SEQ_DIGITS];

    for (enum message_hole kind = 0; kind < MESSAGE_HOLE_KINDS; kind++) {
        put_digits(m, kind, flow, seq, digits[kind]);
    }
    memcpy(to, f->bytes, f->len);
    for (uint32_t i = 0; i < f->hole_count; i++) {
        memcpy(to + f->holes[i].at, digits[f->holes[i].kind], digits_of(f->holes[i].kind));
    }
    return f->len;
}

/* --- what arrives, parsed --- */

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
    struct names names;
    size_t len;

    if (!payload_read(body, flow, seq) || *flow >= m->plan->streams) {
        return "text";
    }
    make_names(m, *flow, *seq, &names);
    len = strlen(names.from);
    return !slice_eq_cstr(attr_of(t, "type"), "chat")                         ? "type"
           : !slice_eq(slice_to(from, len), slice_make(names.from, len)) ||
                   (from.len > len && from.ptr[len] != '/')                   ? "from"
           : !slice_eq_cstr(attr_of(t, "to"), names.to)                       ? "to"
           : body.len != m->body_bytes                        ? "length of its text"
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
        bool is_there = i == 0 || t->nodes[child + i].parent - child ==
                                      sent->nodes[as + i].parent - as;

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

/* --- what arrives, compared --- */

static uint64_t word_at(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return word;
}

/* A few words at a time: most forms that do not agree differ early. */
static bool same_but_holes(const struct message_form *f, const char *bytes, size_t len)
{
    size_t whole = len / WORD * WORD;
    uint64_t differs = 0;

    for (size_t i = 0; i < whole;) {
        size_t until = i + WORDS_AT_ONCE * WORD < whole ? i + WORDS_AT_ONCE * WORD : whole;

        for (; i < until; i += WORD) {
            differs |= (word_at(f->bytes + i) ^ word_at(bytes + i)) & word_at(f->mask + i);
        }
        if (differs != 0) {
            return false;
        }
    }
    for (size_t i = whole; i < len; i++) {
        differs |= (unsigned char)((f->bytes[i] ^ bytes[i]) & f->mask[i]);
    }
    return differs == 0;
}

/* Every hole holds the digits that its kind has in this stanza. */
static bool holes_agree(const struct message *m, const struct message_form *f, const char *bytes,
                        uint32_t *flow, uint64_t *seq)
{
    const char *first[MESSAGE_HOLE_KINDS] = {NULL, NULL, NULL};
    uint64_t value[MESSAGE_HOLE_KINDS] = {0};

    for (uint32_t i = 0; i < f->hole_count; i++) {
        enum message_hole kind = f->holes[i].kind;
        const char *at = bytes + f->holes[i].at;

        if (first[kind]) {
            if (memcmp(first[kind], at, digits_of(kind)) != 0) {
                return false;
            }
        } else if (payload_take_digits(at, digits_of(kind), &value[kind])) {
            first[kind] = at;
        } else {
            return false;
        }
    }
    *flow = (uint32_t)value[MESSAGE_HOLE_FLOW];
    *seq = value[MESSAGE_HOLE_SEQ];
    return message_row(m, *flow, *seq) == f->row &&
           (!first[MESSAGE_HOLE_DOMAIN] ||
            value[MESSAGE_HOLE_DOMAIN] == plan_domain_of(m->plan, *flow));
}

enum message_match message_match(const struct message *m, const struct message_form *f,
                                 const char *bytes, size_t len, uint32_t *flow, uint64_t *seq)
{
    if (f->len == 0) {
        return MESSAGE_MATCH_NO;
    }
    if (len < f->len) {
        return same_but_holes(f, bytes, len) ? MESSAGE_MATCH_PART : MESSAGE_MATCH_NO;
    }
    return same_but_holes(f, bytes, f->len) && holes_agree(m, f, bytes, flow, seq)
               ? MESSAGE_MATCH
               : MESSAGE_MATCH_NO;
}
