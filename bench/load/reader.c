/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reader: received bytes of one XMPP stream. */
#include "load/reader.h"

#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/pool.h"

#define SPARE_BYTES 4096u /* what a server may add to a stanza, escape in it, or send beside */

const char *reader_forms_init(struct reader_forms *f, const struct plan *plan)
{
    memset(f, 0, sizeof(*f));
    return message_init(&f->message, plan, plan->is_inside_out);
}

void reader_forms_deinit(struct reader_forms *f)
{
    for (uint32_t i = 0; i < READER_FORMS; i++) {
        message_form_free(&f->forms[i]);
    }
    message_deinit(&f->message);
}

int reader_init(struct reader *r, struct stage *stage, struct reader_forms *forms,
                const struct reader_ops *ops, void *owner)
{
    struct xml_limits limits = xml_limits_authenticated;
    uint32_t wanted = forms->message.bytes_max + SPARE_BYTES;

    if (limits.stanza_bytes_max < wanted) {
        limits.stanza_bytes_max = wanted;
    }
    memset(r, 0, sizeof(*r));
    r->stage = stage;
    r->forms = forms;
    r->ops = ops;
    r->owner = owner;
    return xml_parser_new(&r->parser, &limits);
}

void reader_deinit(struct reader *r)
{
    xml_parser_free(r->parser);
    r->parser = NULL;
    pool_free(r->held);
    r->held = NULL;
}

void reader_restart(struct reader *r)
{
    r->is_new = true;
    r->carries = false;
}

/* --- the way of what is known --- */

/* Numbers follow each other on a flow, and so do rows. */
static enum message_match match_any(struct reader_forms *f, const char *bytes, size_t len,
                                    const struct message_form **form, uint32_t *flow,
                                    uint64_t *seq)
{
    enum message_match best = MESSAGE_MATCH_NO;
    uint32_t forms = f->message.form_count * READER_WAYS;

    for (uint32_t i = 0; i < forms; i++) {
        uint32_t at = (f->row * READER_WAYS + i) % forms;
        enum message_match found =
            message_match(&f->message, &f->forms[at], bytes, len, flow, seq);

        if (found == MESSAGE_MATCH) {
            *form = &f->forms[at];
            f->row = at / READER_WAYS + 1;
            return found;
        }
        if (found == MESSAGE_MATCH_PART) {
            best = found;
        }
    }
    return best;
}

static bool hold(struct reader *r, const char *bytes, size_t len)
{
    r->held = pool_alloc(r->forms->longest);
    if (!r->held) {
        return false;
    }
    memcpy(r->held, bytes, len);
    r->held_bytes = (uint32_t)len;
    return true;
}

/* At a border between elements: takes known stanzas off bytes; how many bytes were used. */
static size_t take_known(struct reader *r, const char *bytes, size_t len)
{
    size_t used = 0;

    while (used < len) {
        const struct message_form *form = NULL;
        uint32_t flow;
        uint64_t seq;
        enum message_match found =
            match_any(r->forms, bytes + used, len - used, &form, &flow, &seq);

        if (found == MESSAGE_MATCH_PART && hold(r, bytes + used, len - used)) {
            return len;
        }
        if (found != MESSAGE_MATCH) {
            break;
        }
        used += form->len;
        r->count++;
        stage_arrived(r->stage, flow, seq);
    }
    return used;
}

static void learn(struct reader *r, struct slice bytes, uint32_t flow, uint64_t seq)
{
    struct reader_forms *f = r->forms;
    uint32_t row = message_row(&f->message, flow, seq);
    const struct message_form *known;
    struct message_form form;
    uint32_t same_flow;
    uint64_t same_seq;

    /* It may be known: what was held in vain is parsed. */
    if (f->learned[row] < READER_LEARN_MAX &&
        match_any(f, bytes.ptr, bytes.len, &known, &same_flow, &same_seq) != MESSAGE_MATCH &&
        message_learn(&f->message, bytes, flow, seq, &form)) {
        uint32_t at = row * READER_WAYS + f->learned[row]++ % READER_WAYS;

        message_form_free(&f->forms[at]);
        f->forms[at] = form;
        f->longest = form.len > f->longest ? form.len : f->longest;
    }
}

/* --- the way of everything else --- */

/* bytes: the element as received; empty = not at hand as a whole. */
static void on_element(struct reader *r, struct slice bytes)
{
    const struct xml_tree *t = xml_parser_tree(r->parser);
    const char *what = NULL;
    uint32_t flow = 0;
    uint64_t seq = 0;

    if (!r->carries) {
        r->ops->element(r->owner, t);
        return;
    }
    switch (message_check(&r->forms->message, t, &flow, &seq, &what)) {
    case MESSAGE_INTACT:
        r->count++;
        if (bytes.len > 0) {
            learn(r, bytes, flow, seq);
        }
        stage_arrived(r->stage, flow, seq);
        break;
    case MESSAGE_ERROR:
        r->count++;
        stage_refused(r->stage, flow, seq, bytes);
        break;
    case MESSAGE_DAMAGED:
        r->count++;
        stage_damaged(r->stage, what, bytes);
        break;
    case MESSAGE_OTHER:
        r->count += slice_eq_cstr(t->nodes[0].name, "iq") ||
                    slice_eq_cstr(t->nodes[0].name, "presence");
        r->ops->element(r->owner, t);
        break;
    }
}

static void renew(struct reader *r)
{
    if (r->is_new) {
        xml_parser_reset(r->parser);
        r->is_new = false;
    }
}

/* One event of the parser; how many bytes it used. */
static size_t parse(struct reader *r, const char *bytes, size_t len, bool at_border)
{
    size_t used = 0;
    size_t begin = 0;

    while (at_border && begin < len && bytes[begin] != '<') {
        begin++; /* a space that keeps alive */
    }
    switch (xml_parser_feed(r->parser, bytes, len, &used)) {
    case XML_MORE:
        break;
    case XML_STREAM_OPEN:
        r->ops->header(r->owner, xml_parser_tree(r->parser));
        break;
    case XML_ELEMENT:
        on_element(r, at_border ? slice_make(bytes + begin, used - begin) : SLICE_NONE);
        break;
    case XML_STREAM_CLOSE:
        r->is_over = true;
        r->ops->ended(r->owner);
        break;
    case XML_BAD:
        r->is_over = true;
        stage_fail(r->stage, "the stream is broken: %s: %.200s", xml_parser_why_text(r->parser),
                   len > 0 ? log_quote(slice_make(bytes, len)).text : "");
        return len;
    }
    renew(r);
    return used;
}

static size_t parse_some(struct reader *r, const char *bytes, size_t len)
{
    return parse(r, bytes, len, r->carries && !xml_parser_is_inside(r->parser));
}

/* What was held turns out to be something else: the parser's. */
static void give_up_held(struct reader *r)
{
    char *held = r->held;
    size_t used = 0;

    r->held = NULL;
    while (used < r->held_bytes && !r->is_over) {
        used += parse_some(r, held + used, r->held_bytes - used);
    }
    pool_free(held);
}

/* Goes on with what is held; how many bytes of the new ones were used. */
static size_t feed_held(struct reader *r, const char *bytes, size_t len)
{
    uint32_t before = r->held_bytes;
    size_t room = pool_block_bytes(r->held) - before;
    size_t take = room < len ? room : len;
    const struct message_form *form = NULL;
    enum message_match found;
    uint32_t flow;
    uint64_t seq;

    memcpy(r->held + before, bytes, take);
    r->held_bytes += (uint32_t)take;
    found = match_any(r->forms, r->held, r->held_bytes, &form, &flow, &seq);
    if (found == MESSAGE_MATCH_PART && take == len) {
        return len;
    }
    /* Forms change meanwhile: one may have become known that ends in what was held before. */
    if (found == MESSAGE_MATCH && form->len > before) {
        pool_free(r->held);
        r->held = NULL;
        r->count++;
        stage_arrived(r->stage, flow, seq);
        return form->len - before;
    }
    r->held_bytes = before;
    give_up_held(r);
    return 0;
}

void reader_feed(struct reader *r, const char *bytes, size_t len)
{
    size_t used = 0;

    if (r->held && !r->is_over) {
        used = feed_held(r, bytes, len);
    }
    while (used < len && !r->is_over) {
        if (r->carries && !r->held && !xml_parser_is_inside(r->parser)) {
            used += take_known(r, bytes + used, len - used);
        }
        if (used < len && !r->held) {
            used += parse_some(r, bytes + used, len - used);
        }
    }
    if (!r->is_over) {
        xml_parser_rest(r->parser);
    }
}
