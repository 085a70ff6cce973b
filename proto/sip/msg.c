/* SPDX-License-Identifier: GPL-2.0-or-later */
/* msg: one pass over the head of a message makes the index of its header fields. */
#include "sip/msg.h"

#include "base/ascii.h"
#include "base/err.h"
#include "sip/chars.h"

STATIC_ASSERT(SIP_HEAD_BYTES_MAX <= UINT16_MAX, "struct sip_field keeps offsets in 16 bits");
STATIC_ASSERT(SIP_FIELDS_MAX < SIP_FIELD_NONE, "field indexes fit 8 bits");
STATIC_ASSERT(SIP_HDR_COUNT < UINT8_MAX, "header ids fit 8 bits");

static void set_flaw(struct sip_msg *m, uint16_t status, const char *why)
{
    if (!m->flaw.why) {
        m->flaw = (struct sip_bad){status, why};
    }
}

static int fail(struct sip_bad *bad, uint16_t status, const char *why, int err)
{
    *bad = (struct sip_bad){status, why};
    return err;
}

int32_t sip_head_end(struct slice head, uint32_t *line_at, uint32_t *at)
{
    while (*at < head.len) {
        const char *lf = memchr(head.ptr + *at, '\n', head.len - *at);
        uint32_t pos;

        if (!lf) {
            *at = (uint32_t)head.len;
            return 0;
        }
        pos = (uint32_t)(lf - head.ptr);
        if (pos == 0 || head.ptr[pos - 1] != '\r') {
            return ERR_SIP_SYNTAX;
        }
        *at = pos + 1;
        if (pos - 1 == *line_at) {
            return (int32_t)*at;
        }
        *line_at = *at;
    }
    return 0;
}

/* "SIP/2.0" or the like: what a start line must have at one of its ends. */
static bool version_is_valid(struct slice v)
{
    size_t at;

    if (v.len < 7 || !slice_eq_nocase(slice_to(v, 4), SLICE_LIT("SIP/"))) {
        return false;
    }
    at = 4;
    while (at < v.len && ascii_is_digit(v.ptr[at])) {
        at++;
    }
    if (at == 4 || at >= v.len - 1 || v.ptr[at] != '.') {
        return false;
    }
    for (at++; at < v.len; at++) {
        if (!ascii_is_digit(v.ptr[at])) {
            return false;
        }
    }
    return true;
}

/* Status-Line = SIP-Version SP 3DIGIT SP Reason-Phrase. */
static void parse_status_line(struct sip_msg *m, struct slice line)
{
    struct slice code;
    uint64_t status;

    m->is_request = false;
    (void)slice_cut(&line, ' ', &m->version);
    /* The space behind the code may be missing when there is no phrase. */
    (void)slice_cut(&line, ' ', &code);
    m->reason = line;
    if (!version_is_valid(m->version) || code.len != 3 || !slice_parse_u64(code, &status) ||
        status < 100 || status > 699) {
        set_flaw(m, 0, "malformed status line");
        return;
    }
    m->status = (uint16_t)status;
}

/* Request-Line = Method SP Request-URI SP SIP-Version. False: nothing like a SIP start line. */
static bool parse_start_line(struct sip_msg *m, struct slice line)
{
    struct slice rest = line;

    if (line.len >= 4 && slice_eq_nocase(slice_to(line, 4), SLICE_LIT("SIP/"))) {
        parse_status_line(m, line);
        return true;
    }
    m->is_request = true;
    if (!slice_cut(&rest, ' ', &m->method_text) || !sip_all_are(m->method_text, SIP_CHAR_TOKEN)) {
        return false;
    }
    m->method = sip_method_from(m->method_text);
    if (!slice_cut(&rest, ' ', &m->uri) || m->uri.len == 0 || !version_is_valid(rest)) {
        set_flaw(m, 400, "malformed request line");
        return true;
    }
    m->version = rest;
    return true;
}

/* Files the field at the end of the array under its name. */
static void file_field(struct sip_msg *m, enum sip_header id)
{
    uint8_t at = m->field_count++;

    if (id == SIP_HDR_OTHER) {
        return;
    }
    if (m->first[id] == SIP_FIELD_NONE) {
        m->first[id] = at;
    } else {
        m->fields[m->last[id]].next = at;
        m->has_double = m->has_double || sip_header_is_single(id);
    }
    m->last[id] = at;
}

/* One field without its line end, folds included: name, HCOLON, value. */
static void index_field(struct sip_msg *m, const char *base, size_t at, size_t end,
                        bool has_line_ends)
{
    struct slice line = slice_make(base + at, end - at);
    size_t name_len = sip_span(line, 0, SIP_CHAR_TOKEN);
    size_t i = name_len;
    struct sip_field *field = &m->fields[m->field_count];
    enum sip_header id;

    while (i < line.len && (line.ptr[i] == ' ' || line.ptr[i] == '\t')) {
        i++;
    }
    if (name_len == 0 || i >= line.len || line.ptr[i] != ':') {
        set_flaw(m, 400, "malformed header field");
        return;
    }
    i = sip_skip_lws(line, i + 1);
    while (end > at + i && sip_char_is(base[end - 1], SIP_CHAR_LWS)) {
        end--;
    }
    id = sip_header_from(slice_to(line, name_len));
    /* One member after the other: a struct written so and then copied waits for its stores. */
    field->id = (uint8_t)id;
    field->next = SIP_FIELD_NONE;
    field->has_line_ends = has_line_ends;
    field->name_at = (uint16_t)at;
    field->name_len = (uint16_t)name_len;
    field->value_at = (uint16_t)(at + i);
    field->value_len = (uint16_t)(end - at - i);
    file_field(m, id);
}

/* Position of the LF of the CRLF that ends the line at `at`; len when there is none. LF alone does
 * not occur: the search for the end of the head refused it, or the head was cut before it.      */
static size_t line_end(struct sip_msg *m, struct slice head, size_t at)
{
    for (;;) {
        const char *cr = memchr(head.ptr + at, '\r', head.len - at);

        if (!cr || cr + 1 == head.ptr + head.len) {
            return head.len;
        }
        if (cr[1] == '\n') {
            return (size_t)(cr + 1 - head.ptr);
        }
        set_flaw(m, 400, "CR without LF");
        at = (size_t)(cr + 1 - head.ptr);
    }
}

static void start_view(struct sip_msg *m, struct slice bytes)
{
    /* Not the whole struct: the field array is written as it is used. */
    memset(m, 0, offsetof(struct sip_msg, first));
    memset(m->first, SIP_FIELD_NONE, sizeof(m->first));
    m->bytes = bytes;
}

/* Indexes all complete lines up to the empty one. False: no SIP start line, or over the limit. */
static bool index_head(struct sip_msg *m, struct slice head, struct sip_bad *bad)
{
    size_t lf = line_end(m, head, 0);
    size_t at = lf + 1;

    if (lf >= head.len || !parse_start_line(m, slice_to(head, lf - 1))) {
        *bad = (struct sip_bad){0, "not a SIP start line"};
        return false;
    }
    if (at < head.len && (head.ptr[at] == ' ' || head.ptr[at] == '\t')) {
        set_flaw(m, 400, "folded start line");
    }
    while (at < head.len && head.ptr[at] != '\r') {
        size_t start = at;
        bool is_folded = false;

        /* A field goes on as long as the next line starts with white space. */
        do {
            lf = line_end(m, head, at);
            if (lf >= head.len) {
                return true;
            }
            is_folded = at != start;
            at = lf + 1;
        } while (at < head.len && (head.ptr[at] == ' ' || head.ptr[at] == '\t'));
        if (m->field_count >= SIP_FIELDS_MAX) {
            *bad = (struct sip_bad){513, "too many header fields"};
            return false;
        }
        /* A bare CR, which may stand in any line, is a flaw: from then on all are looked at. */
        index_field(m, head.ptr, start, lf - 1, is_folded || m->flaw.why);
    }
    if (at + 2 != head.len) {
        set_flaw(m, 400, "CR without LF"); /* the line behind the fields is not the empty one */
    }
    return true;
}

/* All Content-Length fields must be numbers and agree (RFC 3261 18.3, RFC 4475 3.3.9). */
static int read_content_length(struct sip_msg *m, struct sip_bad *bad)
{
    uint8_t at = m->first[SIP_HDR_CONTENT_LENGTH];

    while (at != SIP_FIELD_NONE) {
        struct slice value = sip_field_value(m, &m->fields[at]);
        uint64_t length;

        if (!slice_parse_u64(value, &length)) {
            return fail(bad, 400, "Content-Length is not a number", ERR_SIP_SYNTAX);
        }
        if (length > UINT32_MAX) {
            return fail(bad, 413, "Content-Length too large", ERR_LIMIT);
        }
        if (m->has_content_length && m->content_length != length) {
            return fail(bad, 400, "conflicting Content-Length fields", ERR_SIP_SYNTAX);
        }
        m->has_content_length = true;
        m->content_length = (uint32_t)length;
        at = m->fields[at].next;
    }
    return 0;
}

static void keep_status_if_answerable(const struct sip_msg *m, struct sip_bad *bad)
{
    if (bad->status && !sip_msg_can_answer(m)) {
        bad->status = 0;
    }
}

int sip_msg_parse_head(struct sip_msg *m, struct slice head, bool is_stream, struct sip_bad *bad)
{
    int err = 0;

    start_view(m, head);
    m->head_bytes = (uint32_t)head.len;
    *bad = (struct sip_bad){0, ""};
    if (head.len > SIP_HEAD_BYTES_MAX) {
        *bad = (struct sip_bad){0, "header block too large"};
        return ERR_LIMIT;
    }
    if (!index_head(m, head, bad)) {
        err = bad->status == 513 ? ERR_LIMIT : ERR_SIP_SYNTAX;
    } else {
        err = read_content_length(m, bad);
        if (!err && is_stream && !m->has_content_length) {
            err = fail(bad, 400, "no Content-Length on a stream", ERR_SIP_FRAMING);
        }
    }
    keep_status_if_answerable(m, bad);
    return err;
}

void sip_msg_parse_broken_head(struct sip_msg *m, struct slice head, struct sip_bad *bad)
{
    struct sip_bad ignored;

    start_view(m, head);
    (void)index_head(m, slice_to(head, SIP_HEAD_BYTES_MAX), &ignored);
    keep_status_if_answerable(m, bad);
}

int sip_msg_parse(struct sip_msg *m, struct slice bytes, struct sip_bad *bad)
{
    uint32_t line_at = 0;
    uint32_t at = 0;
    int32_t head_len;
    struct slice rest;
    int err;

    while (slice_starts(bytes, SLICE_LIT("\r\n"))) {
        bytes = slice_from(bytes, 2);
    }
    head_len = sip_head_end(slice_to(bytes, SIP_HEAD_BYTES_MAX), &line_at, &at);

    if (head_len <= 0) {
        *bad = (struct sip_bad){400, head_len < 0                     ? "line end other than CRLF"
                                     : bytes.len > SIP_HEAD_BYTES_MAX ? "header block too large"
                                                                      : "no end of the header"};
        if (bytes.len > SIP_HEAD_BYTES_MAX && head_len == 0) {
            bad->status = 513;
        }
        sip_msg_parse_broken_head(m, slice_to(bytes, line_at), bad);
        return head_len < 0 ? ERR_SIP_SYNTAX : ERR_LIMIT;
    }
    err = sip_msg_parse_head(m, slice_to(bytes, (size_t)head_len), false, bad);
    if (err) {
        return err;
    }
    rest = slice_from(bytes, (size_t)head_len);
    if (m->has_content_length && m->content_length > rest.len) {
        err = fail(bad, 400, "Content-Length larger than the message", ERR_SIP_SYNTAX);
        keep_status_if_answerable(m, bad);
        return err;
    }
    m->body = m->has_content_length ? slice_to(rest, m->content_length) : rest;
    if (m->body.len > SIP_BODY_BYTES_MAX) {
        err = fail(bad, 413, "body too large", ERR_LIMIT);
        keep_status_if_answerable(m, bad);
        return err;
    }
    m->bytes = slice_to(bytes, (size_t)head_len + m->body.len);
    return 0;
}

bool sip_msg_can_answer(const struct sip_msg *m)
{
    return m->is_request && m->method != SIP_METHOD_ACK && sip_msg_has(m, SIP_HDR_VIA);
}
