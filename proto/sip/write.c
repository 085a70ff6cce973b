/* SPDX-License-Identifier: GPL-2.0-or-later */
/* write: requests, responses and header fields. */
#include "sip/write.h"

#include "base/check.h"
#include "sip/chars.h"

static const struct {
    uint16_t status;
    struct slice phrase;
} phrases[] = {
#define STATUS(code, text) {code, SLICE_LIT(text)},
#include "sip/statuses.def"
#undef STATUS
};

struct slice sip_status_phrase(unsigned status)
{
    size_t low = 0;
    size_t high = ARRAY_COUNT(phrases);

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (phrases[middle].status == status) {
            return phrases[middle].phrase;
        }
        if (phrases[middle].status < status) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return SLICE_LIT("Unknown");
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7F;
}

void sip_put_clean(struct buf *out, struct slice text)
{
    size_t start = 0;

    if (text.len == 0) {
        return;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (is_control(text.ptr[i]) && text.ptr[i] != '\t') {
            buf_append(out, text.ptr + start, i - start);
            buf_putc(out, ' ');
            start = i + 1;
        }
    }
    buf_append(out, text.ptr + start, text.len - start);
}

void sip_put_quoted(struct buf *out, struct slice text)
{
    buf_putc(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '"' || c == '\\') {
            buf_putc(out, '\\');
        }
        buf_putc(out, is_control(c) ? ' ' : c);
    }
    buf_putc(out, '"');
}

void sip_write_header_begin(struct buf *out, enum sip_header id)
{
    ASSERT(id != SIP_HDR_OTHER && id < SIP_HDR_COUNT);
    buf_put(out, sip_header_name(id));
    buf_put_lit(out, ": ");
}

void sip_write_header_end(struct buf *out)
{
    buf_put_lit(out, "\r\n");
}

void sip_write_header(struct buf *out, enum sip_header id, struct slice value)
{
    sip_write_header_begin(out, id);
    sip_put_clean(out, value);
    sip_write_header_end(out);
}

void sip_write_header_u32(struct buf *out, enum sip_header id, uint32_t value)
{
    sip_write_header_begin(out, id);
    buf_put_u64(out, value);
    sip_write_header_end(out);
}

void sip_write_header_named(struct buf *out, struct slice name, struct slice value)
{
    if (!sip_all_are(name, SIP_CHAR_TOKEN)) {
        out->failed = true;
        return;
    }
    buf_put(out, name);
    buf_put_lit(out, ": ");
    sip_put_clean(out, value);
    sip_write_header_end(out);
}

/* What stands in the start line or between < and >: no white space either. */
static void put_word(struct buf *out, struct slice word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (is_control(word.ptr[i]) || word.ptr[i] == ' ' || word.ptr[i] == '<' ||
            word.ptr[i] == '>') {
            out->failed = true;
            return;
        }
    }
    buf_put(out, word);
}

static void put_address(struct buf *out, struct slice display, struct slice uri, struct slice tag)
{
    if (display.len > 0) {
        sip_put_quoted(out, display);
        buf_putc(out, ' ');
    }
    buf_putc(out, '<');
    put_word(out, uri);
    buf_putc(out, '>');
    if (tag.len > 0) {
        buf_put_lit(out, ";tag=");
        put_word(out, tag);
    }
    buf_put_lit(out, "\r\n");
}

void sip_write_request(struct buf *out, const struct sip_request_params *p)
{
    struct slice method = sip_method_name(p->method);

    ASSERT(p->method != SIP_METHOD_UNKNOWN);
    buf_put(out, method);
    buf_putc(out, ' ');
    put_word(out, p->uri);
    buf_put_lit(out, " SIP/2.0\r\nVia: SIP/2.0/");
    put_word(out, p->transport);
    buf_putc(out, ' ');
    put_word(out, p->sent_by);
    buf_put_lit(out, ";branch=");
    put_word(out, p->branch);
    if (p->alias) {
        buf_put_lit(out, ";alias");
    }
    buf_put_lit(out, "\r\nMax-Forwards: ");
    buf_put_u64(out, p->max_forwards);
    buf_put_lit(out, "\r\n");
    for (uint32_t i = 0; i < p->route_count; i++) {
        sip_write_header(out, SIP_HDR_ROUTE, p->route[i]);
    }
    buf_put_lit(out, "From: ");
    put_address(out, p->from_display, p->from_uri, p->from_tag);
    buf_put_lit(out, "To: ");
    put_address(out, SLICE_NONE, p->to_uri, p->to_tag);
    buf_put_lit(out, "Call-ID: ");
    put_word(out, p->call_id);
    buf_put_lit(out, "\r\nCSeq: ");
    buf_put_u64(out, p->cseq);
    buf_putc(out, ' ');
    buf_put(out, method);
    buf_put_lit(out, "\r\n");
}

void sip_write_status_line(struct buf *out, unsigned status, struct slice reason)
{
    buf_put_lit(out, "SIP/2.0 ");
    buf_put_u64(out, status);
    buf_putc(out, ' ');
    sip_put_clean(out, reason.len > 0 ? reason : sip_status_phrase(status));
    buf_put_lit(out, "\r\n");
}

/* The top Via value with received and rport as RFC 3261 18.2.1 and RFC 3581 4 want them. */
static void put_top_via(struct buf *out, struct slice value, const struct sip_response_params *p)
{
    struct slice params;
    struct slice name;
    struct slice text;
    struct sip_via via;
    struct sip_host source = {.text = p->received, .kind = SIP_HOST_IPV4};
    size_t split = value.len;
    bool fill_rport;

    if (sip_via_parse(value, &via) || p->received.len == 0 || via.received.len > 0) {
        sip_unfold(out, value);
        return;
    }
    params = via.params;
    fill_rport = via.has_rport && via.rport == 0 && p->rport != 0;
    while (fill_rport && sip_params_next(&params, &name, &text)) {
        if (slice_eq_nocase(name, SLICE_LIT("rport"))) {
            split = (size_t)(name.ptr + name.len - value.ptr);
            break;
        }
    }
    sip_unfold(out, slice_to(value, split));
    if (fill_rport) {
        buf_putc(out, '=');
        buf_put_u64(out, p->rport);
        sip_unfold(out, slice_from(value, split));
    }
    if (memchr(p->received.ptr, ':', p->received.len)) {
        source.kind = SIP_HOST_IPV6;
    }
    if (via.has_rport || !sip_host_eq(&via.sent_by, &source)) {
        buf_put_lit(out, ";received=");
        put_word(out, p->received);
    }
}

/* The first Via value is ours to mark; the others, and the other fields, go back as they came. */
static void put_vias(struct buf *out, const struct sip_msg *req,
                     const struct sip_response_params *p)
{
    struct sip_list list;
    struct slice value;
    bool is_top = true;

    sip_list_init(&list, req, SIP_HDR_VIA);
    while (sip_list_next(&list, &value)) {
        sip_write_header_begin(out, SIP_HDR_VIA);
        if (is_top) {
            put_top_via(out, value, p);
        } else {
            sip_unfold(out, value);
        }
        sip_write_header_end(out);
        is_top = false;
    }
}

static void copy_fields(struct buf *out, const struct sip_msg *req, enum sip_header id)
{
    if (sip_msg_has(req, id)) {
        sip_write_header_begin(out, id);
        sip_unfold(out, sip_msg_value(req, id));
        sip_write_header_end(out);
    }
}

static void copy_to(struct buf *out, const struct sip_msg *req, struct slice to_tag)
{
    struct sip_addr to;

    if (!sip_msg_has(req, SIP_HDR_TO)) {
        return;
    }
    sip_write_header_begin(out, SIP_HDR_TO);
    sip_unfold(out, sip_msg_value(req, SIP_HDR_TO));
    if (to_tag.len > 0 && (sip_msg_addr(req, SIP_HDR_TO, &to) || to.tag.len == 0)) {
        buf_put_lit(out, ";tag=");
        put_word(out, to_tag);
    }
    sip_write_header_end(out);
}

void sip_write_response_stem(struct buf *out, const struct sip_msg *req,
                             const struct sip_response_params *p)
{
    put_vias(out, req, p);
    copy_fields(out, req, SIP_HDR_FROM);
    copy_to(out, req, p->to_tag);
    copy_fields(out, req, SIP_HDR_CALL_ID);
    copy_fields(out, req, SIP_HDR_CSEQ);
    if (p->status == 100) {
        copy_fields(out, req, SIP_HDR_TIMESTAMP);
    }
}

void sip_write_response(struct buf *out, const struct sip_msg *req,
                        const struct sip_response_params *p)
{
    sip_write_status_line(out, p->status, p->reason);
    sip_write_response_stem(out, req, p);
}

void sip_write_end(struct buf *out, struct slice content_type, struct slice body)
{
    if (body.len > 0 && content_type.len > 0) {
        sip_write_header(out, SIP_HDR_CONTENT_TYPE, content_type);
    }
    buf_put_lit(out, "Content-Length: ");
    buf_put_u64(out, body.len);
    buf_put_lit(out, "\r\n\r\n");
    buf_put(out, body);
}

void sip_write_end_empty(struct buf *out)
{
    sip_write_end(out, SLICE_NONE, SLICE_NONE);
}
