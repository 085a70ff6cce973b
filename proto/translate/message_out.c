/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message_out: XMPP message -> what a pager-mode SIP MESSAGE needs. */
#include "base/ascii.h"
#include "base/err.h"
#include "base/hash.h"
#include "translate/address.h"
#include "translate/message.h"
#include "translate/stamp.h"

#define THREAD_BYTES_MAX 128u
#define LANGUAGE_BYTES_MAX 35u

#define NS_CHAT_STATES SLICE_LIT("http://jabber.org/protocol/chatstates")
#define NS_RECEIPTS SLICE_LIT("urn:xmpp:receipts")
#define NS_MARKERS SLICE_LIT("urn:xmpp:chat-markers:0")
#define NS_DELAY SLICE_LIT("urn:xmpp:delay")

const char *message_why_name(enum message_why why)
{
    static const char *const names[] = {
#define X(name, text) text,
        MESSAGE_WHYS(X)
#undef X
    };

    return (unsigned)why < ARRAY_COUNT(names) ? names[why] : "none";
}

static void refuse(struct message_to_sip *out, enum message_why why, enum stanza_condition c,
                   struct slice text)
{
    out->verdict = MESSAGE_REFUSED;
    out->why = why;
    out->error = (struct stanza_error){.condition = c, .text = text};
}

static void consume(struct message_to_sip *out, enum message_why why)
{
    out->verdict = MESSAGE_CONSUMED;
    out->why = why;
}

static struct slice content_ns(const struct stanza *st)
{
    return st->tree->nodes[0].ns;
}

/* Of several <name/> the one in the stanza's language, else the first. */
static uint32_t pick_child(const struct stanza *st, struct slice name)
{
    uint32_t first = xml_child(st->tree, 0, name, content_ns(st));

    for (uint32_t n = first; n != XML_NO_NODE;
         n = xml_next_child(st->tree, 0, n, name, content_ns(st))) {
        const struct xml_attr *lang = xml_lang(st->tree, n);
        if (lang == NULL || slice_eq_nocase(lang->value, st->lang)) {
            return n;
        }
    }
    return first;
}

static bool has_payload_of(const struct stanza *st, struct slice ns)
{
    return xml_child(st->tree, 0, SLICE_NONE, ns) != XML_NO_NODE;
}

/* Content that only its recipient's software could read: the fallback text must not go on as if it
 * were the message (RFC 7572 section 9). */
static bool is_encrypted(const struct stanza *st, struct slice body)
{
    static const struct slice namespaces[] = {
        SLICE_LIT("eu.siacs.conversations.axolotl"),
        SLICE_LIT("urn:xmpp:omemo:1"),
        SLICE_LIT("urn:xmpp:omemo:2"),
        SLICE_LIT("urn:xmpp:openpgp:0"),
        SLICE_LIT("jabber:x:encrypted"),
        SLICE_LIT("urn:xmpp:eme:0"),
        SLICE_LIT("http://www.xmpp.org/extensions/xep-0200.html#ns"),
    };

    for (uint32_t n = xml_child(st->tree, 0, SLICE_NONE, SLICE_NONE); n != XML_NO_NODE;
         n = xml_next_child(st->tree, 0, n, SLICE_NONE, SLICE_NONE)) {
        for (size_t i = 0; i < ARRAY_COUNT(namespaces); i++) {
            if (slice_eq(st->tree->nodes[n].ns, namespaces[i])) {
                return true;
            }
        }
    }
    return slice_starts(body, SLICE_LIT("?OTR"));
}

/* A message without body. */
static void judge_bodyless(struct message_to_sip *out, const struct stanza *st)
{
    bool is_other = false;

    for (uint32_t n = xml_child(st->tree, 0, SLICE_NONE, SLICE_NONE); n != XML_NO_NODE;
         n = xml_next_child(st->tree, 0, n, SLICE_NONE, SLICE_NONE)) {
        struct slice ns = st->tree->nodes[n].ns;
        /* Thread, hints, stanza ids, delay: attributes of a message, not a message. */
        is_other |= !slice_eq(ns, content_ns(st)) && !slice_eq(ns, NS_CHAT_STATES) &&
                    !slice_eq(ns, NS_RECEIPTS) && !slice_eq(ns, NS_MARKERS) &&
                    !slice_eq(ns, NS_DELAY) && !slice_eq(ns, SLICE_LIT("urn:xmpp:hints")) &&
                    !slice_eq(ns, SLICE_LIT("urn:xmpp:sid:0")) &&
                    !slice_eq(ns, SLICE_LIT("urn:xmpp:carbons:2"));
    }
    if (is_other) {
        refuse(out, MESSAGE_WHY_PAYLOAD, STANZA_CONDITION_SERVICE_UNAVAILABLE,
               SLICE_LIT("Only messages with text can be sent to this address"));
    } else if (has_payload_of(st, NS_CHAT_STATES)) {
        consume(out, MESSAGE_WHY_CHAT_STATE);
    } else if (has_payload_of(st, NS_RECEIPTS) || has_payload_of(st, NS_MARKERS)) {
        consume(out, MESSAGE_WHY_RECEIPT);
    } else {
        consume(out, MESSAGE_WHY_EMPTY);
    }
}

/* RFC 3261 25.1: callid = word [ "@" word ]. Without quotes, backslashes and brackets that other
 * headers give a meaning: few parsers are as generous as the grammar. */
static bool is_call_id(struct slice text)
{
    size_t ats = 0;

    if (text.len == 0 || text.len > THREAD_BYTES_MAX || text.ptr[0] == '@' ||
        text.ptr[text.len - 1] == '@') {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        ats += c == '@';
        if (!ascii_is_alnum(c) &&
            (c == '\0' || strchr("-.!%*_+`'~:/[]?{}@", c) == NULL)) {
            return false;
        }
    }
    return ats <= 1;
}

static void put_hash(struct buf *out, struct slice what)
{
    uint64_t hash = hash_bytes(what);

    for (int shift = 60; shift >= 0; shift -= 4) {
        buf_putc(out, "0123456789abcdef"[(hash >> shift) & 15]);
    }
}

/* A thread that cannot be a Call-ID is hashed, together with the two people: the same text between
 * others is another conversation. */
static void put_call_id(struct buf *out, const struct stanza *st, struct slice thread)
{
    struct buf what;

    if (thread.len == 0) {
        return;
    }
    if (is_call_id(thread)) {
        buf_put(out, thread);
        return;
    }
    buf_init(&what, 4 * JID_BYTES_MAX + thread.len + 8);
    jid_write_bare(&what, &st->from);
    buf_putc(&what, '\n');
    jid_write_bare(&what, &st->to);
    buf_putc(&what, '\n');
    buf_put(&what, thread);
    put_hash(out, buf_slice(&what));
    buf_putc(&what, '\n');
    put_hash(out, buf_slice(&what));
    out->failed |= what.failed;
    buf_deinit(&what);
}

static struct slice language_of(const struct stanza *st, uint32_t body)
{
    const struct xml_attr *own = xml_lang(st->tree, body);
    struct slice lang = own ? own->value : st->lang;

    for (size_t i = 0; i < lang.len; i++) {
        if (!ascii_is_alnum(lang.ptr[i]) && lang.ptr[i] != '-') {
            return SLICE_NONE;
        }
    }
    return lang.len <= LANGUAGE_BYTES_MAX ? lang : SLICE_NONE;
}

static int64_t date_of(const struct stanza *st)
{
    uint32_t delay = xml_child(st->tree, 0, SLICE_LIT("delay"), NS_DELAY);
    int64_t unix_s;

    if (delay == XML_NO_NODE ||
        stamp_parse(xml_attr_value(st->tree, delay, SLICE_LIT("stamp")), &unix_s)) {
        return 0;
    }
    return unix_s;
}

/* Addresses and Call-ID are composed in out->text; slices are taken when it no longer moves. */
static void compose(struct message_to_sip *out, const struct stanza *st, struct slice thread,
                    bool with_gruu)
{
    buf_init(&out->text, 8 * JID_BYTES_MAX);
    int err = address_to_uri(&out->text, &st->to, with_gruu);
    size_t to_len = buf_len(&out->text);
    err = err ? err : address_to_uri(&out->text, &st->from, with_gruu);
    size_t from_len = buf_len(&out->text) - to_len;

    if (err == ERR_JID) {
        refuse(out, MESSAGE_WHY_ADDRESS, STANZA_CONDITION_JID_MALFORMED,
               SLICE_LIT("The address has no equivalent in SIP"));
        return;
    }
    put_call_id(&out->text, st, thread);
    if (err || out->text.failed) {
        refuse(out, MESSAGE_WHY_NOMEM, STANZA_CONDITION_RESOURCE_CONSTRAINT, SLICE_NONE);
        return;
    }
    struct slice all = buf_slice(&out->text);
    out->uri = slice_to(all, to_len);
    out->from_uri = slice_to(slice_from(all, to_len), from_len);
    out->call_id = slice_from(all, to_len + from_len);
    out->verdict = MESSAGE_SEND;
}

/* By the type alone. True = decided. */
static bool judge_type(struct message_to_sip *out, const struct stanza *st, bool pass_headlines)
{
    if (st->type == STANZA_TYPE_ERROR) {
        out->verdict = MESSAGE_ERROR;
        out->why = MESSAGE_WHY_STANZA_ERROR;
        return true;
    }
    if (st->type == STANZA_TYPE_GROUPCHAT) {
        refuse(out, MESSAGE_WHY_GROUPCHAT, STANZA_CONDITION_SERVICE_UNAVAILABLE,
               SLICE_LIT("Group chat is not available here"));
        return true;
    }
    if (st->type == STANZA_TYPE_HEADLINE && !pass_headlines) {
        consume(out, MESSAGE_WHY_HEADLINE);
        return true;
    }
    if (st->to.local.len == 0) {
        refuse(out, MESSAGE_WHY_NOT_A_USER, STANZA_CONDITION_SERVICE_UNAVAILABLE, SLICE_NONE);
        return true;
    }
    return false;
}

void message_to_sip(struct message_to_sip *out, const struct stanza *st,
                    const struct message_to_sip_options *options)
{
    size_t max = options->body_bytes_max ? options->body_bytes_max : MESSAGE_BODY_BYTES_MAX;
    struct slice thread = SLICE_NONE;

    *out = (struct message_to_sip){.verdict = MESSAGE_SEND};
    if (judge_type(out, st, options->pass_headlines)) {
        return;
    }
    uint32_t body = pick_child(st, SLICE_LIT("body"));
    uint32_t subject = pick_child(st, SLICE_LIT("subject"));
    uint32_t thread_node = xml_child(st->tree, 0, SLICE_LIT("thread"), content_ns(st));
    if (body != XML_NO_NODE) {
        out->body = xml_text(st->tree, body);
    }
    if (subject != XML_NO_NODE) {
        out->subject = xml_text(st->tree, subject);
    }
    if (thread_node != XML_NO_NODE) {
        thread = xml_text(st->tree, thread_node);
    }
    if (is_encrypted(st, out->body)) {
        refuse(out, MESSAGE_WHY_ENCRYPTED, STANZA_CONDITION_NOT_ACCEPTABLE,
               SLICE_LIT("End-to-end encrypted messages cannot be read at this address"));
        return;
    }
    if (out->body.len == 0 && out->subject.len > 0 && !has_payload_of(st, NS_CHAT_STATES)) {
        body = subject; /* a message of one line, as mail-like clients write it */
        out->body = out->subject;
    }
    if (out->body.len == 0) {
        judge_bodyless(out, st);
        return;
    }
    if (out->body.len > max || out->subject.len > MESSAGE_SUBJECT_BYTES_MAX ||
        thread.len > max) {
        refuse(out, MESSAGE_WHY_TOO_BIG, STANZA_CONDITION_POLICY_VIOLATION,
               SLICE_LIT("The message is too long"));
        return;
    }
    out->language = language_of(st, body);
    out->date_unix_s = date_of(st);
    compose(out, st, thread, options->with_gruu);
}

void message_to_sip_deinit(struct message_to_sip *out)
{
    buf_deinit(&out->text);
}
