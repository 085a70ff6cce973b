/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message: the stanza of a flow and a number: what is sent. */
#include "load/message_int.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/pool.h"
#include "xml/parser.h"

#define HEADER                                                                                     \
    "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'>"
#define DOMAIN_MARK 'p' /* before a partner's number; before a flow's stands anything else */

unsigned message_digits_of(enum message_hole kind)
{
    return kind == MESSAGE_HOLE_SEQ ? PAYLOAD_SEQ_DIGITS : PAYLOAD_FLOW_DIGITS;
}

void message_form_free(struct message_form *f)
{
    pool_heap_free(f->bytes);
    pool_heap_free(f->mask);
    memset(f, 0, sizeof(*f));
}

void message_put_digits(const struct message *m, enum message_hole kind, uint32_t flow,
                        uint64_t seq, char out[PAYLOAD_SEQ_DIGITS])
{
    payload_put_digits(out, message_digits_of(kind),
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

bool message_find_holes(const struct message *m, struct slice bytes, uint32_t flow, uint64_t seq,
                        struct message_form *f)
{
    for (size_t at = 0; at < bytes.len; at++) {
        size_t len = digits_from(bytes, at);
        char expected[PAYLOAD_SEQ_DIGITS];
        enum message_hole kind = len == PAYLOAD_SEQ_DIGITS                    ? MESSAGE_HOLE_SEQ
                                 : at > 0 && bytes.ptr[at - 1] == DOMAIN_MARK ? MESSAGE_HOLE_DOMAIN
                                                                              : MESSAGE_HOLE_FLOW;

        if (len > 0 && len == message_digits_of(kind)) {
            message_put_digits(m, kind, flow, seq, expected);
            if (memcmp(bytes.ptr + at, expected, len) != 0 || f->hole_count == MESSAGE_HOLES_MAX) {
                return false;
            }
            f->holes[f->hole_count].at = (uint32_t)at;
            f->holes[f->hole_count++].kind = kind;
        }
        at += len;
    }
    return true;
}

void message_make_names(const struct message *m, uint32_t flow, uint64_t seq,
                        struct message_names *out)
{
    char *partner = m->is_inside_out ? out->to : out->from;
    char *inside = m->is_inside_out ? out->from : out->to;

    plan_partner(m->plan, plan_domain_of(m->plan, flow), out->domain);
    (void)snprintf(partner, MESSAGE_TEXT_BYTES, "u%05u@%s", (unsigned)flow, out->domain);
    (void)snprintf(inside, MESSAGE_TEXT_BYTES, "u%05u@%s", (unsigned)flow, m->plan->inside);
    (void)snprintf(out->number, MESSAGE_TEXT_BYTES, "%05u-%010llu", (unsigned)flow,
                   (unsigned long long)seq);
}

static const char *make_form(struct message *m, const struct mix *mix, uint32_t row, size_t spare,
                             const char *const names[MIX_NAMES])
{
    static const uint32_t flow = 0;
    size_t body = mix_body_bytes(mix, row, spare);
    size_t len = mix_write(&mix->rows[row], names, body, NULL);
    char *text = pool_heap_zalloc(len + 1);
    bool is_good;

    (void)mix_write(&mix->rows[row], names, body, text);
    m->bytes_max = len > m->bytes_max ? (uint32_t)len : m->bytes_max;
    m->body_bytes = row == 0 ? (uint32_t)body : m->body_bytes;
    is_good = message_find_holes(m, slice_make(text, len), flow, 0, &m->forms[row]);
    m->forms[row].row = row;
    m->forms[row].len = (uint32_t)len;
    m->forms[row].bytes = text;
    return is_good ? NULL : "names with five or ten digits in a row";
}

static const char *make_forms(struct message *m)
{
    const struct mix *mix = mix_find(m->plan->mix, m->plan->stanza_bytes < MIX_STATE_BYTES);
    const char *fault = NULL;
    struct message_names n;
    const char *names[MIX_NAMES] = {n.from, n.to, "home", "desk", n.domain, n.number, ""};
    size_t wanted = m->plan->stanza_bytes * mix->count;
    size_t bare = 0;

    if (m->is_inside_out) {
        names[2] = "desk";
        names[3] = "home";
        names[4] = m->plan->inside;
    }
    message_make_names(m, 0, 0, &n);
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

    limits.stanza_bytes_max =
        m->bytes_max > limits.stanza_bytes_max ? m->bytes_max : limits.stanza_bytes_max;
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
        message_put_digits(m, kind, flow, seq, digits[kind]);
    }
    memcpy(to, f->bytes, f->len);
    for (uint32_t i = 0; i < f->hole_count; i++) {
        memcpy(to + f->holes[i].at, digits[f->holes[i].kind], message_digits_of(f->holes[i].kind));
    }
    return f->len;
}
