/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_feed: bytes and time into a stream: the XML events and the timers of both roles. */
#include "base/ascii.h"
#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "xmpp/jid.h"
#include "xmpp/stream_int.h"
#include "xmpp/xml_fault.h"

void stream_enter(struct stream *s, uint64_t now_ms)
{
    ASSERT(s->magic == STREAM_MAGIC);
    s->now_ms = now_ms;
    pool_free(s->retired);
    s->retired = NULL;
}

int stream_read_domain(struct jid_storage *mem, const struct xml_tree *t, const char *attr,
                       struct slice *domain)
{
    const struct xml_attr *a = xml_attr(t, 0, slice_from_cstr(attr));
    struct jid jid;
    int err;

    *domain = SLICE_NONE;
    if (!a || slice_is_empty(a->value)) {
        return 0;
    }
    err = jid_parse(mem, a->value, &jid);
    if (err) {
        return err;
    }
    if (!jid_is_domain(&jid)) {
        return ERR_JID;
    }
    *domain = jid.domain;
    return 1;
}

/* RFC 6120 4.7.5: major.minor; absent = before 1.0. False when not a version we can speak. */
static bool read_version(const struct xml_tree *t, bool *is_version_1)
{
    const struct xml_attr *a = xml_attr(t, 0, SLICE_LIT("version"));
    struct slice rest;
    struct slice major;
    uint64_t value = 0;

    *is_version_1 = false;
    if (!a) {
        return true;
    }
    rest = a->value;
    if (!slice_cut(&rest, '.', &major) || !slice_parse_u64(major, &value) || rest.len == 0) {
        return false;
    }
    for (size_t i = 0; i < rest.len; i++) {
        if (!ascii_is_digit(rest.ptr[i])) {
            return false;
        }
    }
    *is_version_1 = value == 1;
    return value <= 1;
}

enum stream_condition stream_read_header(struct stream_header *h, const struct xml_tree *t,
                                         struct slice content_ns, const char **text)
{
    const struct xml_attr *lang = xml_lang(t, 0);
    int from;
    int to;

    if (!slice_eq(t->nodes[0].ns, SLICE_LIT(NS_STREAMS))) {
        *text = "the stream header is of another namespace than " NS_STREAMS;
        return STREAM_CONDITION_INVALID_NAMESPACE;
    }
    if (!slice_eq(t->nodes[0].name, SLICE_LIT("stream"))) {
        *text = "the first element is not <stream>";
        return STREAM_CONDITION_BAD_FORMAT;
    }
    if (!slice_eq(content_ns, SLICE_LIT(NS_SERVER))) {
        *text = "the content namespace of the stream header is not " NS_SERVER;
        return STREAM_CONDITION_INVALID_NAMESPACE;
    }
    if (!read_version(t, &h->is_version_1)) {
        *text = "only XMPP version 1.0 and streams without version are spoken here";
        return STREAM_CONDITION_UNSUPPORTED_VERSION;
    }
    h->id = xml_attr_value(t, 0, SLICE_LIT("id"));
    h->lang = lang && lang->value.len <= STREAM_LANG_BYTES_MAX ? lang->value : SLICE_NONE;
    from = stream_read_domain(&h->from_mem, t, "from", &h->from);
    to = stream_read_domain(&h->to_mem, t, "to", &h->to);
    if (from == ERR_NOMEM || to == ERR_NOMEM) {
        *text = "out of memory";
        return STREAM_CONDITION_RESOURCE_CONSTRAINT;
    }
    if (from < 0) {
        *text = "from in the stream header is not a domain";
        return STREAM_CONDITION_INVALID_FROM;
    }
    if (to < 0) {
        *text = "to in the stream header is not a domain";
        return STREAM_CONDITION_IMPROPER_ADDRESSING;
    }
    return STREAM_CONDITION_NONE;
}

static enum stream_event_kind bad_xml(struct stream *s, struct stream_event *ev)
{
    struct stream_end how = {.step = STREAM_STEP_XML};

    how.condition = xml_fault_condition(xml_parser_why(s->parser), &how.app);
    return stream_end(s, ev, &how, "%s, while waiting for %s", xml_parser_why_text(s->parser),
                      stream_waits_for(s));
}

static enum stream_event_kind peer_close(struct stream *s, struct stream_event *ev)
{
    if (s->state == STREAM_STATE_CLOSING) {
        stream_set_state(s, STREAM_STATE_DEAD);
        return STREAM_CLOSED;
    }
    if (stream_is_tls_forced(s)) {
        (void)stream_fail(s, ev, STREAM_STEP_STARTTLS, STREAM_CONDITION_POLICY_VIOLATION,
                          "the peer does not offer TLS, which our rules demand, and leaves when "
                          "we try");
        return stream_mismatch(ev);
    }
    if (!stream_is_open(s) && !stream_is_served(s)) {
        return stream_fail(s, ev, stream_step_of(s), STREAM_CONDITION_NONE,
                           "the peer closed the stream while we waited for %s",
                           stream_waits_for(s));
    }
    stream_put_close(s);
    stream_set_state(s, STREAM_STATE_DEAD);
    return STREAM_PEER_CLOSED;
}

/* Before authentication everything is counted (xmpp.md 2.9). */
static bool is_over_early_limits(struct stream *s, size_t used, enum xml_event x)
{
    if (stream_is_open(s) || s->state == STREAM_STATE_CLOSING) {
        return false;
    }
    s->early_bytes += (uint32_t)used;
    if (x == XML_ELEMENT) {
        s->early_elements++;
    }
    return s->early_bytes > s->limits.early_bytes_max ||
           s->early_elements > s->limits.early_elements_max;
}

/* Spaces are heard, but are no use of the stream. The deadlines stand for the times they are
 * counted from: within one millisecond there is nothing to move. */
static void stream_heard(struct stream *s, size_t bytes_len)
{
    if (s->heard_ms != s->now_ms && bytes_len > 0 && s->role == STREAM_IN &&
        s->state == STREAM_STATE_IN_OPEN) {
        s->heard_ms = s->now_ms;
        stream_arm_activity(s);
    }
}

/* In: an element was received. */
static void stream_used(struct stream *s)
{
    if (s->state == STREAM_STATE_IN_OPEN &&
        (s->active_ms != s->now_ms || s->heard_ms != s->now_ms)) {
        stream_touch(s);
    }
}

static enum stream_event_kind on_element(struct stream *s, bool is_last, struct stream_event *ev)
{
    const struct xml_tree *t = xml_parser_tree(s->parser);

    /* The name first: no stanza has it. */
    if (slice_eq(t->nodes[0].name, SLICE_LIT("error")) &&
        slice_eq(t->nodes[0].ns, SLICE_LIT(NS_STREAMS))) {
        return stream_peer_error(s, ev, t);
    }
    if (s->role == STREAM_IN) {
        stream_used(s);
        return stream_in_element(s, t, is_last, ev);
    }
    return stream_out_element(s, t, is_last, ev);
}

static enum stream_event_kind on_xml(struct stream *s, enum xml_event x, bool is_last,
                                     struct stream_event *ev)
{
    switch (x) {
    case XML_MORE:
        return STREAM_MORE;
    case XML_STREAM_OPEN:
        if (s->state == STREAM_STATE_CLOSING) {
            return STREAM_MORE;
        }
        return s->role == STREAM_IN ? stream_in_header(s, xml_parser_tree(s->parser), ev)
                                    : stream_out_header(s, xml_parser_tree(s->parser), ev);
    case XML_ELEMENT:
        return on_element(s, is_last, ev);
    case XML_STREAM_CLOSE:
        return peer_close(s, ev);
    case XML_BAD:
        return bad_xml(s, ev);
    }
    UNREACHABLE("xml event");
}

void stream_not_listening(struct stream *s, uint64_t now_ms)
{
    if (s->role == STREAM_IN && s->state == STREAM_STATE_IN_OPEN) {
        s->now_ms = now_ms;
        stream_touch(s);
    }
}

enum stream_event_kind stream_feed(struct stream *s, uint64_t now_ms, struct slice bytes,
                                   size_t *consumed, struct stream_event *ev)
{
    enum stream_event_kind kind = STREAM_MORE;

    *consumed = 0;
    stream_enter(s, now_ms);
    stream_heard(s, bytes.len);
    while (kind == STREAM_MORE && *consumed < bytes.len) {
        enum xml_event x;
        size_t used = 0;

        if (s->state == STREAM_STATE_DEAD) {
            *consumed = bytes.len;
            break;
        }
        if (stream_is_securing(s)) {
            /* The edge hands these bytes to TLS; whatever comes here was sent in plain. */
            return stream_fail(s, ev, STREAM_STEP_STARTTLS, STREAM_CONDITION_POLICY_VIOLATION,
                               "unencrypted bytes behind starttls");
        }
        x = xml_parser_feed(s->parser, bytes.ptr + *consumed, bytes.len - *consumed, &used);
        *consumed += used;
        /* An empty-element stream header closes without further bytes. */
        ASSERT(used > 0 || x == XML_BAD || x == XML_STREAM_CLOSE);
        if (is_over_early_limits(s, used, x)) {
            return stream_fail(s, ev, stream_step_of(s), STREAM_CONDITION_POLICY_VIOLATION,
                               "too much was sent before authentication, while we waited for %s",
                               stream_waits_for(s));
        }
        kind = on_xml(s, x, *consumed == bytes.len, ev);
    }
    if (kind == STREAM_MORE) {
        xml_parser_rest(s->parser); /* no event speaks of its tree any more */
    }
    return kind;
}

enum stream_event_kind stream_secured(struct stream *s, uint64_t now_ms, struct slice sni,
                                      struct stream_event *ev)
{
    stream_enter(s, now_ms);
    if (s->state == STREAM_STATE_CLOSING) {
        /* Closed meanwhile; no header stands inside TLS that a closing tag could answer. */
        stream_set_state(s, STREAM_STATE_DEAD);
        return STREAM_CLOSED;
    }
    if (s->state == STREAM_STATE_DEAD) {
        return STREAM_MORE;
    }
    if (!CHECK(stream_is_securing(s))) {
        return STREAM_MORE;
    }
    s->is_secured = true;
    stream_restart(s);
    if (s->role == STREAM_IN) {
        stream_set_state(s, STREAM_STATE_IN_OPENING);
        return stream_in_sni(s, sni, ev);
    }
    stream_set_state(s, STREAM_STATE_OUT_OPENING);
    return stream_out_secured(s, ev);
}

/* --- time --- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t stream_deadline(const struct stream *s)
{
    uint64_t by = earlier(s->state_by_ms, earlier(s->idle_by_ms, s->keepalive_by_ms));

    by = earlier(by, s->ack_by_ms);
    if (s->state == STREAM_STATE_DEAD) {
        return STREAM_NEVER;
    }
    for (struct list *l = s->pairs.next; s->asked_count > 0 && l != &s->pairs; l = l->next) {
        by = earlier(by, LIST_ENTRY(l, struct pair, link)->deadline_ms);
    }
    for (struct list *l = s->verifies.next; l != &s->verifies; l = l->next) {
        by = earlier(by, LIST_ENTRY(l, struct verify, link)->deadline_ms);
    }
    return by;
}

/* Nobody uses the stream. Whoever sends on it must know, who only receives need not. */
static enum stream_event_kind close_unused(struct stream *s, struct stream_event *ev)
{
    bool is_silent = s->keepalive_by_ms <= s->now_ms;

    stream_put_close(s);
    stream_set_state(s, STREAM_STATE_CLOSING);
    if (s->role == STREAM_OUT) {
        return STREAM_IDLE;
    }
    return stream_note(ev, STREAM_STEP_OPEN,
                       is_silent ? "nothing was received, not even a keep-alive: closing"
                                 : "unused, closing");
}

static enum stream_event_kind state_timeout(struct stream *s, struct stream_event *ev)
{
    struct stream_end how = {.step = stream_step_of(s),
                             .condition = STREAM_CONDITION_CONNECTION_TIMEOUT,
                             .is_timeout = true};

    if (s->state == STREAM_STATE_CLOSING) {
        stream_set_state(s, STREAM_STATE_DEAD);
        return STREAM_CLOSED;
    }
    if (stream_is_securing(s)) {
        /* Nothing in plain may follow <proceed/>. */
        return stream_lost(s, "time is up", ev);
    }
    if (stream_is_served(s)) {
        return close_unused(s, ev);
    }
    return stream_end(s, ev, &how, "%u ms were not enough; still waiting for %s",
                      s->limits.establish_ms, stream_waits_for(s));
}

static enum stream_event_kind request_timeout(struct stream *s, struct stream_event *ev)
{
    for (struct list *l = s->pairs.next; s->asked_count > 0 && l != &s->pairs; l = l->next) {
        struct pair *p = LIST_ENTRY(l, struct pair, link);

        if (!p->is_proved && p->deadline_ms <= s->now_ms) {
            return s->role == STREAM_IN ? stream_in_pair_timeout(s, p, ev)
                                        : stream_out_pair_timeout(s, p, ev);
        }
    }
    for (struct list *l = s->verifies.next; l != &s->verifies; l = l->next) {
        struct verify *v = LIST_ENTRY(l, struct verify, link);

        if (v->deadline_ms <= s->now_ms) {
            return stream_out_verify_timeout(s, v, ev);
        }
    }
    return STREAM_MORE;
}

enum stream_event_kind stream_timeout(struct stream *s, uint64_t now_ms, struct stream_event *ev)
{
    struct stream_end unacked = {.step = STREAM_STEP_ACKS,
                                 .condition = STREAM_CONDITION_CONNECTION_TIMEOUT,
                                 .is_timeout = true};
    enum stream_event_kind kind;

    stream_enter(s, now_ms);
    if (s->state == STREAM_STATE_DEAD) {
        return STREAM_MORE;
    }
    if (s->state_by_ms <= now_ms) {
        return state_timeout(s, ev);
    }
    kind = request_timeout(s, ev);
    if (kind != STREAM_MORE) {
        return kind;
    }
    if (s->ack_by_ms <= now_ms) {
        return stream_end(s, ev, &unacked, "%u stanzas not acknowledged within %u ms",
                          acks_unacked(&s->acks), s->limits.ack_ms);
    }
    if (s->idle_by_ms <= now_ms ||
        (s->role == STREAM_IN && s->keepalive_by_ms <= now_ms)) {
        return close_unused(s, ev);
    }
    if (s->keepalive_by_ms <= now_ms) {
        buf_putc(s->out, ' ');
        stream_arm_keepalive(s);
    }
    return STREAM_MORE;
}
