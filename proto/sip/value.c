/* SPDX-License-Identifier: GPL-2.0-or-later */
/* value: access to header fields by name, lists of values, and the values every message has. */
#include "sip/msg.h"

#include "base/ascii.h"
#include "base/err.h"
#include "sip/chars.h"
#include "sip/uri_int.h"

struct slice sip_field_name(const struct sip_msg *m, const struct sip_field *f)
{
    return slice_make(m->bytes.ptr + f->name_at, f->name_len);
}

struct slice sip_field_value(const struct sip_msg *m, const struct sip_field *f)
{
    return slice_make(m->bytes.ptr + f->value_at, f->value_len);
}

struct slice sip_msg_value(const struct sip_msg *m, enum sip_header id)
{
    return sip_msg_has(m, id) ? sip_field_value(m, &m->fields[m->first[id]]) : SLICE_NONE;
}

const struct sip_field *sip_msg_find_other(const struct sip_msg *m, struct slice name)
{
    for (unsigned i = 0; i < m->field_count; i++) {
        if (m->fields[i].id == SIP_HDR_OTHER &&
            slice_eq_nocase(sip_field_name(m, &m->fields[i]), name)) {
            return &m->fields[i];
        }
    }
    return NULL;
}

void sip_unfold(struct buf *out, struct slice value)
{
    size_t i = 0;

    if (value.len == 0 ||
        (!memchr(value.ptr, '\n', value.len) && !memchr(value.ptr, '\r', value.len))) {
        buf_put(out, value);
        return;
    }
    while (i < value.len) {
        size_t run = sip_span(value, i, SIP_CHAR_LWS);
        size_t len = run > 0 ? run : 1;

        /* A bare CR cannot be in a value that checks.h passed, but in one that is answered. */
        if (run > 0 && (memchr(value.ptr + i, '\n', run) || memchr(value.ptr + i, '\r', run))) {
            buf_putc(out, ' ');
        } else {
            buf_append(out, value.ptr + i, len);
        }
        i += len;
    }
}

void sip_field_unfold(struct buf *out, const struct sip_msg *m, const struct sip_field *f)
{
    if (f->has_line_ends) {
        sip_unfold(out, sip_field_value(m, f));
    } else {
        buf_put(out, sip_field_value(m, f));
    }
}

void sip_list_init(struct sip_list *l, const struct sip_msg *m, enum sip_header id)
{
    *l = (struct sip_list){.msg = m, .rest = SLICE_NONE, .field = m->first[id]};
    if (l->field != SIP_FIELD_NONE) {
        l->rest = sip_field_value(m, &m->fields[l->field]);
    }
}

/* Offset of the comma that ends the value s begins with, or s.len. */
static size_t find_comma(struct slice s)
{
    bool in_quotes = false;
    bool in_brackets = false;

    if (s.len == 0 || !memchr(s.ptr, ',', s.len)) {
        return s.len;
    }
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (in_quotes) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_quotes = false;
            }
        } else if (c == '"') {
            in_quotes = !in_brackets;
        } else if (c == '<') {
            in_brackets = true;
        } else if (c == '>') {
            in_brackets = false;
        } else if (c == ',' && !in_brackets) {
            return i;
        }
    }
    return s.len;
}

bool sip_list_next(struct sip_list *l, struct slice *value)
{
    size_t comma;

    if (l->field == SIP_FIELD_NONE) {
        return false;
    }
    comma = find_comma(l->rest);
    *value = slice_trim(slice_to(l->rest, comma));
    if (comma < l->rest.len) {
        l->rest = slice_from(l->rest, comma + 1);
        return true;
    }
    l->field = l->msg->fields[l->field].next;
    if (l->field != SIP_FIELD_NONE) {
        l->rest = sip_field_value(l->msg, &l->msg->fields[l->field]);
    }
    return true;
}

bool sip_msg_list_has(const struct sip_msg *m, enum sip_header id, struct slice token)
{
    struct sip_list list;
    struct slice value;

    sip_list_init(&list, m, id);
    while (sip_list_next(&list, &value)) {
        if (slice_eq_nocase(value, token)) {
            return true;
        }
    }
    return false;
}

/* Reads a token at *at and moves behind it and the white space that follows. */
static bool take_token(struct slice s, size_t *at, struct slice *token)
{
    size_t len = sip_span(s, *at, SIP_CHAR_TOKEN);

    *token = sip_sub(s, *at, *at + len);
    *at = sip_skip_lws(s, *at + len);
    return len > 0;
}

static bool take_char(struct slice s, size_t *at, char c)
{
    if (*at >= s.len || s.ptr[*at] != c) {
        return false;
    }
    *at = sip_skip_lws(s, *at + 1);
    return true;
}

static int read_via_param(const struct sip_param_walk *walk, struct slice name, struct slice value,
                          struct sip_via *out)
{
    uint64_t port;

    if (sip_is_name(name, "branch")) {
        if (out->branch.len > 0 || !(walk->classes & SIP_CHAR_TOKEN)) {
            return ERR_SIP_SYNTAX;
        }
        out->branch = value;
    } else if (sip_is_name(name, "received")) {
        out->received = value;
    } else if (sip_is_name(name, "rport")) {
        out->has_rport = true;
        if (value.len == 0) {
            return 0;
        }
        if (!slice_parse_u64(value, &port) || port == 0 || port > UINT16_MAX) {
            return ERR_SIP_SYNTAX;
        }
        out->rport = (uint16_t)port;
    } else if (sip_is_name(name, "alias")) {
        out->has_alias = true;
    }
    return 0;
}

static int read_via_params(struct sip_via *out)
{
    struct sip_param_walk walk = {.params = out->params};
    struct slice name;
    struct slice value;
    enum sip_walk step;

    while ((step = sip_param_walk(&walk, &name, &value)) == SIP_WALK_NEXT) {
        int err = read_via_param(&walk, name, value, out);

        if (err) {
            return err;
        }
    }
    /* The cookie alone identifies nothing (RFC 4475 3.2.1). */
    out->has_cookie = out->branch.len > 7 && sip_is_name(slice_to(out->branch, 7), "z9hg4bk");
    return step == SIP_WALK_END ? 0 : ERR_SIP_SYNTAX;
}

/* sent-by = host [COLON port]: unlike hostport it may have white space around the colon. */
static int parse_sent_by(struct slice text, struct sip_host *out)
{
    uint64_t port;
    size_t at;
    int err = sip_host_take(text, out, &at);

    at = sip_skip_lws(text, at);
    if (err || at == text.len) {
        return err;
    }
    if (!take_char(text, &at, ':') || !slice_parse_u64(slice_from(text, at), &port) || port == 0 ||
        port > UINT16_MAX) {
        return ERR_SIP_SYNTAX;
    }
    out->port = (uint16_t)port;
    return 0;
}

/* "SIP/2.0/TLS ", with white space around its parts. */
static bool take_protocol(struct slice value, size_t *at, struct sip_via *out)
{
    struct slice protocol;

    if (slice_starts(value, SLICE_LIT("SIP/2.0/"))) {
        out->version = sip_sub(value, 4, 7); /* as almost everybody writes it */
        *at = sip_skip_lws(value, 8);
    } else if (!take_token(value, at, &protocol) || !sip_is_name(protocol, "sip") ||
               !take_char(value, at, '/') || !take_token(value, at, &out->version) ||
               !take_char(value, at, '/')) {
        return false;
    }
    /* LWS between transport and sent-by is mandatory. */
    return take_token(value, at, &out->transport) &&
           sip_char_is(value.ptr[*at - 1], SIP_CHAR_LWS);
}

int sip_via_parse(struct slice value, struct sip_via *out)
{
    ptrdiff_t params_at;
    size_t at = 0;
    size_t end;

    /* Member by member: cleared as a whole it would cost more than a good part of the reading. */
    out->branch = SLICE_NONE;
    out->received = SLICE_NONE;
    out->rport = 0;
    out->has_rport = false;
    out->has_alias = false;
    out->has_cookie = false;
    out->params = SLICE_NONE;
    if (!take_protocol(value, &at, out)) {
        return ERR_SIP_SYNTAX;
    }
    params_at = slice_find(value, ';');
    end = params_at < 0 ? value.len : (size_t)params_at;
    if (parse_sent_by(slice_trim(sip_sub(value, at, end)), &out->sent_by)) {
        return ERR_SIP_SYNTAX;
    }
    if (end == value.len) {
        return 0;
    }
    out->params = slice_from(value, end + 1);
    return read_via_params(out);
}

int sip_msg_via_top(const struct sip_msg *m, struct sip_via *out)
{
    struct sip_list list;
    struct slice value;

    sip_list_init(&list, m, SIP_HDR_VIA);
    return sip_list_next(&list, &value) ? sip_via_parse(value, out) : ERR_NOT_FOUND;
}

/* 1*DIGIT up to 2^32-1; *at moves behind the digits. */
static int take_u32(struct slice s, size_t *at, uint32_t *out)
{
    uint64_t value = 0;
    size_t i = *at;

    while (i < s.len && ascii_is_digit(s.ptr[i])) {
        value = value * 10 + (uint64_t)(s.ptr[i] - '0');
        if (value > UINT32_MAX) {
            return ERR_LIMIT;
        }
        i++;
    }
    if (i == *at) {
        return ERR_SIP_SYNTAX;
    }
    *at = i;
    *out = (uint32_t)value;
    return 0;
}

int sip_msg_cseq(const struct sip_msg *m, struct sip_cseq *out)
{
    struct slice value = sip_msg_value(m, SIP_HDR_CSEQ);
    size_t at = 0;
    size_t gap;
    int err;

    *out = (struct sip_cseq){.number = 0};
    if (!sip_msg_has(m, SIP_HDR_CSEQ)) {
        return ERR_NOT_FOUND;
    }
    err = take_u32(value, &at, &out->number);
    if (err) {
        return err;
    }
    gap = sip_span(value, at, SIP_CHAR_LWS);
    out->method_text = slice_from(value, at + gap);
    if (gap == 0 || !sip_all_are(out->method_text, SIP_CHAR_TOKEN)) {
        return ERR_SIP_SYNTAX;
    }
    out->method = sip_method_from(out->method_text);
    return 0;
}

int sip_msg_addr(const struct sip_msg *m, enum sip_header id, struct sip_addr *out)
{
    struct sip_list list;
    struct slice value;

    if (!sip_msg_has(m, id)) {
        *out = (struct sip_addr){.in_brackets = false};
        return ERR_NOT_FOUND;
    }
    /* A comma in a field of one value is part of it, and then wrong. */
    if (sip_header_is_single(id)) {
        return sip_addr_parse(sip_msg_value(m, id), out);
    }
    sip_list_init(&list, m, id);
    return sip_list_next(&list, &value) ? sip_addr_parse(value, out) : ERR_NOT_FOUND;
}

int sip_msg_uri(const struct sip_msg *m, struct sip_uri *out)
{
    return m->uri.len > 0 ? sip_uri_parse(m->uri, out) : ERR_NOT_FOUND;
}

int sip_msg_u32(const struct sip_msg *m, enum sip_header id, uint32_t *out)
{
    struct slice value = sip_msg_value(m, id);
    size_t at = 0;
    int err;

    *out = 0;
    if (!sip_msg_has(m, id)) {
        return ERR_NOT_FOUND;
    }
    err = take_u32(value, &at, out);
    if (err) {
        return err;
    }
    at = sip_skip_lws(value, at);
    if (at < value.len) {
        bool may_go_on = id == SIP_HDR_RETRY_AFTER || id == SIP_HDR_MIN_SE;

        return may_go_on && (value.ptr[at] == ';' || value.ptr[at] == '(') ? 0 : ERR_SIP_SYNTAX;
    }
    return 0;
}

bool sip_call_id_is_valid(struct slice id)
{
    size_t word = sip_span(id, 0, SIP_CHAR_WORD);

    return word > 0 && (word == id.len || (id.ptr[word] == '@' &&
                                           sip_all_are(slice_from(id, word + 1), SIP_CHAR_WORD)));
}

int sip_msg_call_id(const struct sip_msg *m, struct slice *out)
{
    *out = sip_msg_value(m, SIP_HDR_CALL_ID);
    if (!sip_msg_has(m, SIP_HDR_CALL_ID)) {
        return ERR_NOT_FOUND;
    }
    return sip_call_id_is_valid(*out) ? 0 : ERR_SIP_SYNTAX;
}
