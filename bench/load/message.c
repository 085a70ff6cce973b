/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message: the stanza of a flow and a number. */
#include "load/message.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/pool.h"
#include "load/payload.h"

#define TEXT_BYTES 512u
#define WORD 8u
#define CHATSTATES "http://jabber.org/protocol/chatstates"
#define MASKED ((char)0xff)
#define STATE_BYTES 251u /* shorter stanzas have no chat state */

/* The texts of one stanza that bear numbers. */
struct texts {
    char from[TEXT_BYTES];
    char to[TEXT_BYTES];
    char id[TEXT_BYTES];
};

static void make_texts(const struct message *m, uint32_t flow, uint64_t seq, struct texts *out)
{
    char domain[PLAN_NAME_BYTES];
    char *partner = m->is_inside_out ? out->to : out->from;
    char *inside = m->is_inside_out ? out->from : out->to;

    plan_partner(m->plan, plan_domain_of(m->plan, flow), domain);
    (void)snprintf(partner, TEXT_BYTES, "u%05u@%s/home", (unsigned)flow, domain);
    (void)snprintf(inside, TEXT_BYTES, "u%05u@%s/desk", (unsigned)flow, m->plan->inside);
    (void)snprintf(out->id, TEXT_BYTES, "s%05u-%010llu", (unsigned)flow, (unsigned long long)seq);
}

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

/* Keeps order: texts are looked for in the order of the stanza's fields, not of its bytes. */
static void add_hole(struct message_form *f, uint32_t at, enum message_hole kind)
{
    uint32_t i = f->hole_count++;

    ASSERT(f->hole_count <= MESSAGE_HOLES_MAX);
    while (i > 0 && f->holes[i - 1].at > at) {
        f->holes[i] = f->holes[i - 1];
        i--;
    }
    f->holes[i].at = at;
    f->holes[i].kind = kind;
}

/* The one place where text stands, in quotes or between tags. False: none, or more than one. */
static bool find_once(struct slice in, const char *text, uint32_t *at)
{
    size_t len = strlen(text);
    const char *found = memmem(in.ptr, in.len, text, len);
    size_t rest;

    if (!found) {
        return false;
    }
    rest = in.len - (size_t)(found + len - in.ptr);
    *at = (uint32_t)(found - in.ptr);
    return memmem(found + len, rest, text, len) == NULL;
}

static bool add_address(struct message_form *f, struct slice bytes, const char *text,
                        bool has_domain)
{
    static const uint32_t user = 1;                           /* u00007 */
    static const uint32_t domain = PAYLOAD_FLOW_DIGITS + 3;   /* u00007@p00007 */
    uint32_t at;

    if (!find_once(bytes, text, &at)) {
        return false;
    }
    add_hole(f, at + user, MESSAGE_HOLE_FLOW);
    if (has_domain) {
        add_hole(f, at + domain, MESSAGE_HOLE_DOMAIN);
    }
    return true;
}

static bool add_id_and_body(struct message_form *f, struct slice bytes, const char *id,
                            uint32_t flow, uint64_t seq)
{
    char head[TEXT_BYTES];
    uint32_t at;

    if (!find_once(bytes, id, &at)) {
        return false;
    }
    add_hole(f, at + 1, MESSAGE_HOLE_FLOW);
    add_hole(f, at + 2 + PAYLOAD_FLOW_DIGITS, MESSAGE_HOLE_SEQ);
    (void)snprintf(head, sizeof(head), ">%05u:%010llu:", (unsigned)flow, (unsigned long long)seq);
    if (!find_once(bytes, head, &at)) {
        return false;
    }
    add_hole(f, at + 1, MESSAGE_HOLE_FLOW);
    add_hole(f, at + 2 + PAYLOAD_FLOW_DIGITS, MESSAGE_HOLE_SEQ);
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
    struct texts texts;

    memset(out, 0, sizeof(*out));
    out->len = (uint32_t)bytes.len;
    make_texts(m, flow, seq, &texts);
    if (!add_address(out, bytes, texts.from, !m->is_inside_out) ||
        !add_address(out, bytes, texts.to, m->is_inside_out) ||
        !add_id_and_body(out, bytes, texts.id, flow, seq)) {
        return false;
    }
    out->bytes = pool_heap_zalloc(room);
    out->mask = pool_heap_zalloc(room);
    memcpy(out->bytes, bytes.ptr, bytes.len);
    make_mask(out);
    return true;
}

const char *message_init(struct message *m, const struct plan *plan, bool is_inside_out)
{
    static const char format[] = "<message from='%s' to='%s' type='chat' id='%s'><body>%s</body>"
                                 "%s</message>";
    const char *state = plan->stanza_bytes < STATE_BYTES ? "" : "<active xmlns='" CHATSTATES "'/>";
    size_t room = plan->stanza_bytes + 1;
    char *text = pool_heap_zalloc(room);
    char *body = pool_heap_zalloc(room);
    struct texts texts;
    int bare;

    memset(m, 0, sizeof(*m));
    m->plan = plan;
    m->is_inside_out = is_inside_out;
    m->is_translated = strcmp(plan->kind_name[SIDE_SOURCE], "sip") == 0;
    make_texts(m, 0, 0, &texts);
    bare = snprintf(NULL, 0, format, texts.from, texts.to, texts.id, "", state);
    if ((size_t)bare + PAYLOAD_HEAD_BYTES > plan->stanza_bytes) {
        pool_heap_free(text);
        pool_heap_free(body);
        return "stanzas of this size have no room for these domains and a text";
    }
    m->body_bytes = (uint32_t)(plan->stanza_bytes - (size_t)bare);
    payload_write(body, m->body_bytes, 0, 0);
    (void)snprintf(text, room, format, texts.from, texts.to, texts.id, body, state);
    if (!message_learn(m, slice_make(text, plan->stanza_bytes), 0, 0, &m->form)) {
        UNREACHABLE("a stanza of ours has its texts where they belong");
    }
    pool_heap_free(text);
    pool_heap_free(body);
    return NULL;
}

void message_deinit(struct message *m)
{
    message_form_free(&m->form);
}

void message_write(const struct message *m, char *to, uint32_t flow, uint64_t seq)
{
    char flow_digits[PAYLOAD_FLOW_DIGITS];
    char domain_digits[PAYLOAD_FLOW_DIGITS];
    char seq_digits[PAYLOAD_SEQ_DIGITS];

    payload_put_digits(flow_digits, PAYLOAD_FLOW_DIGITS, flow);
    payload_put_digits(domain_digits, PAYLOAD_FLOW_DIGITS, plan_domain_of(m->plan, flow));
    payload_put_digits(seq_digits, PAYLOAD_SEQ_DIGITS, seq);
    memcpy(to, m->form.bytes, m->form.len);
    for (uint32_t i = 0; i < m->form.hole_count; i++) {
        char *at = to + m->form.holes[i].at;

        switch (m->form.holes[i].kind) {
        case MESSAGE_HOLE_FLOW:
            memcpy(at, flow_digits, sizeof(flow_digits));
            break;
        case MESSAGE_HOLE_DOMAIN:
            memcpy(at, domain_digits, sizeof(domain_digits));
            break;
        case MESSAGE_HOLE_SEQ:
            memcpy(at, seq_digits, sizeof(seq_digits));
            break;
        }
    }
}

/* --- what arrives, parsed --- */

static struct slice attr_of(const struct xml_tree *t, const char *name)
{
    return xml_attr_value(t, 0, slice_from_cstr(name));
}

/* An error may come back without its text: the id tells what it was. */
static enum message_finding check_error(struct slice id, uint32_t *flow, uint64_t *seq)
{
    uint64_t number;

    *flow = UINT32_MAX;
    if (id.len == 2 + PAYLOAD_FLOW_DIGITS + PAYLOAD_SEQ_DIGITS && id.ptr[0] == 's' &&
        payload_take_digits(id.ptr + 1, PAYLOAD_FLOW_DIGITS, &number) &&
        payload_take_digits(id.ptr + 2 + PAYLOAD_FLOW_DIGITS, PAYLOAD_SEQ_DIGITS, seq)) {
        *flow = (uint32_t)number;
    }
    return MESSAGE_ERROR;
}

/* What a gateway made of a SIP user's message: an id of its own, some resource of the sender's, the
 * recipient's bare address, no chat state. */
static const char *fault_of_translated(const struct message *m, const struct xml_tree *t,
                                       struct slice body, const struct texts *texts)
{
    size_t from = strcspn(texts->from, "/");
    size_t to = strcspn(texts->to, "/");

    return !slice_eq_cstr(attr_of(t, "type"), "chat")                          ? "type"
           : !slice_eq(slice_to(attr_of(t, "from"), from), slice_make(texts->from, from)) ? "from"
           : !slice_eq(attr_of(t, "to"), slice_make(texts->to, to))            ? "to"
           : body.len != m->body_bytes                           ? "length of its text"
                                                                 : NULL;
}

/* The first part that is not what was sent; NULL = none. */
static const char *fault_of(const struct message *m, const struct xml_tree *t, struct slice body,
                            const struct texts *texts)
{
    const struct {
        const char *name;
        const char *value;
    } wanted[] = {{"from", texts->from}, {"to", texts->to}, {"id", texts->id}, {"type", "chat"}};

    for (size_t i = 0; i < ARRAY_COUNT(wanted); i++) {
        if (!slice_eq_cstr(attr_of(t, wanted[i].name), wanted[i].value)) {
            return wanted[i].name;
        }
    }
    if (body.len != m->body_bytes) {
        return "length of its text";
    }
    if (m->plan->stanza_bytes >= STATE_BYTES &&
        xml_child(t, 0, SLICE_LIT("active"), SLICE_LIT(CHATSTATES)) == XML_NO_NODE) {
        return "chat state";
    }
    return NULL;
}

enum message_finding message_check(const struct message *m, const struct xml_tree *t,
                                   uint32_t *flow, uint64_t *seq, const char **what)
{
    uint32_t node = xml_child(t, 0, SLICE_LIT("body"), t->nodes[0].ns);
    struct slice body = node == XML_NO_NODE ? SLICE_NONE : xml_text(t, node);
    struct texts texts;

    *what = "text";
    if (!slice_eq_cstr(t->nodes[0].name, "message")) {
        return MESSAGE_OTHER;
    }
    if (slice_eq_cstr(attr_of(t, "type"), "error")) {
        return check_error(attr_of(t, "id"), flow, seq);
    }
    if (!payload_read(body, flow, seq) || *flow >= m->plan->streams) {
        return MESSAGE_DAMAGED;
    }
    make_texts(m, *flow, *seq, &texts);
    *what = (m->is_translated ? fault_of_translated : fault_of)(m, t, body, &texts);
    return *what ? MESSAGE_DAMAGED : MESSAGE_INTACT;
}

/* --- what arrives, compared --- */

static uint64_t word_at(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return word;
}

static bool same_but_holes(const struct message_form *f, const char *bytes, size_t len)
{
    size_t whole = len / WORD * WORD;
    uint64_t differs = 0;

    for (size_t i = 0; i < whole; i += WORD) {
        differs |= (word_at(f->bytes + i) ^ word_at(bytes + i)) & word_at(f->mask + i);
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
    const char *first[3] = {NULL, NULL, NULL};
    uint64_t value[3] = {0};

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
    return !first[MESSAGE_HOLE_DOMAIN] ||
           value[MESSAGE_HOLE_DOMAIN] == plan_domain_of(m->plan, *flow);
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
