/* SPDX-License-Identifier: GPL-2.0-or-later */
/* write: requests, responses and header fields. */
#include "sip/write.h"

#include "base/check.h"
#include "sip/checks.h"
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

/* Room for a message of known bound, taken in one piece: what goes there needs no checks. */
struct pen {
    char *at;
    bool is_bad;
};

#define pen_lit(p, text) ((p)->at = mempcpy((p)->at, "" text, sizeof(text) - 1))

static inline void pen_put(struct pen *p, struct slice s)
{
    if (s.len > 0) {
        p->at = mempcpy(p->at, s.ptr, s.len);
    }
}

static void pen_put_u32(struct pen *p, uint32_t value)
{
    char digits[10];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    pen_put(p, slice_make(digits + at, sizeof(digits) - at));
}

/* In each byte its highest bit, if it is a control, a space, '<', '>' or DEL. */
static inline uint64_t marks_of(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101u;
    const uint64_t low = ones * 0x7Fu;
    uint64_t seven = word & low;
    uint64_t is_above_space = seven + ones * (0x7Fu - 0x20u); /* carries into the highest bit */
    uint64_t is_not_less = (seven ^ ones * (unsigned char)'<') + low;
    uint64_t is_not_greater = (seven ^ ones * (unsigned char)'>') + low;
    uint64_t is_not_delete = (seven ^ low) + low;

    return ~(is_above_space & is_not_less & is_not_greater & is_not_delete) & ~word & ~low;
}

/* What stands in the start line or between < and >: no white space either. */
static void pen_put_word(struct pen *p, struct slice word)
{
    uint64_t marks = 0;
    size_t i = 0;

    for (; i + sizeof(uint64_t) <= word.len; i += sizeof(uint64_t)) {
        uint64_t eight;

        memcpy(&eight, word.ptr + i, sizeof(eight));
        marks |= marks_of(eight);
    }
    for (; i < word.len; i++) {
        marks |= marks_of((unsigned char)word.ptr[i] | 0x8080808080808000u);
    }
    p->is_bad = p->is_bad || marks != 0;
    pen_put(p, word);
}

/* A word may have '<' and '>' there (RFC 3261 25.1): another's, which a dialog keeps. */
static void pen_put_call_id(struct pen *p, struct slice id)
{
    p->is_bad = p->is_bad || !sip_call_id_is_valid(id);
    pen_put(p, id);
}

static void put_word(struct buf *out, struct slice word)
{
    struct pen p = {.at = buf_reserve(out, word.len)};

    if (!p.at) {
        return;
    }
    pen_put_word(&p, word);
    if (p.is_bad) {
        out->failed = true;
    } else {
        buf_commit(out, word.len);
    }
}

static void pen_put_quoted(struct pen *p, struct slice text)
{
    *p->at++ = '"';
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '"' || c == '\\') {
            *p->at++ = '\\';
        }
        *p->at++ = is_control(c) ? ' ' : c;
    }
    *p->at++ = '"';
}

void sip_put_quoted(struct buf *out, struct slice text)
{
    size_t bytes_max = 2 * text.len + 2;
    char *start = buf_reserve(out, bytes_max);
    struct pen p = {.at = start};

    if (start) {
        pen_put_quoted(&p, text);
        buf_commit(out, (size_t)(p.at - start));
    }
}

static void pen_put_address(struct pen *p, struct slice display, struct slice uri,
                            struct slice tag)
{
    if (display.len > 0) {
        pen_put_quoted(p, display);
        *p->at++ = ' ';
    }
    *p->at++ = '<';
    pen_put_word(p, uri);
    *p->at++ = '>';
    if (tag.len > 0) {
        pen_lit(p, ";tag=");
        pen_put_word(p, tag);
    }
    pen_lit(p, "\r\n");
}

/* As sip_put_clean. */
static void pen_put_clean(struct pen *p, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        *p->at++ = is_control(text.ptr[i]) && text.ptr[i] != '\t' ? ' ' : text.ptr[i];
    }
}

/* What sip_write_request takes at most: names, separators and numbers are below 256. */
static size_t request_bytes_max(const struct sip_request_params *p, struct slice method)
{
    size_t bytes = 256 + 2 * method.len + p->uri.len + p->transport.len + p->sent_by.len +
                   p->branch.len + 2 * p->from_display.len + p->from_uri.len + p->from_tag.len +
                   p->to_uri.len + p->to_tag.len + p->call_id.len;

    for (uint32_t i = 0; i < p->route_count; i++) {
        bytes += sizeof("Route: \r\n") + p->route[i].len;
    }
    return bytes;
}

void sip_write_request(struct buf *out, const struct sip_request_params *p)
{
    struct slice method = sip_method_name(p->method);
    char *start = buf_reserve(out, request_bytes_max(p, method));
    struct pen pen = {.at = start};

    ASSERT(p->method != SIP_METHOD_UNKNOWN);
    if (!start) {
        return;
    }
    pen_put(&pen, method);
    *pen.at++ = ' ';
    pen_put_word(&pen, p->uri);
    pen_lit(&pen, " SIP/2.0\r\nVia: SIP/2.0/");
    pen_put_word(&pen, p->transport);
    *pen.at++ = ' ';
    pen_put_word(&pen, p->sent_by);
    pen_lit(&pen, ";branch=");
    pen_put_word(&pen, p->branch);
    if (p->alias) {
        pen_lit(&pen, ";alias");
    }
    pen_lit(&pen, "\r\nMax-Forwards: ");
    pen_put_u32(&pen, p->max_forwards);
    pen_lit(&pen, "\r\n");
    for (uint32_t i = 0; i < p->route_count; i++) {
        pen_lit(&pen, "Route: ");
        pen_put_clean(&pen, p->route[i]);
        pen_lit(&pen, "\r\n");
    }
    pen_lit(&pen, "From: ");
    pen_put_address(&pen, p->from_display, p->from_uri, p->from_tag);
    pen_lit(&pen, "To: ");
    pen_put_address(&pen, SLICE_NONE, p->to_uri, p->to_tag);
    pen_lit(&pen, "Call-ID: ");
    pen_put_call_id(&pen, p->call_id);
    pen_lit(&pen, "\r\nCSeq: ");
    pen_put_u32(&pen, p->cseq);
    *pen.at++ = ' ';
    pen_put(&pen, method);
    pen_lit(&pen, "\r\n");
    if (pen.is_bad) {
        out->failed = true;
    } else {
        buf_commit(out, (size_t)(pen.at - start));
    }
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
static void put_marked_via(struct buf *out, struct slice value, const struct sip_via *via,
                           const struct sip_response_params *p)
{
    struct slice params = via->params;
    struct slice name;
    struct slice text;
    struct sip_host source = {.text = p->received, .kind = SIP_HOST_IPV4};
    size_t split = value.len;
    bool fill_rport = via->has_rport && via->rport == 0 && p->rport != 0;

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
    if (via->has_rport || !sip_host_eq(&via->sent_by, &source)) {
        buf_put_lit(out, ";received=");
        put_word(out, p->received);
    }
}

static void put_top_via(struct buf *out, struct slice value, const struct sip_response_params *p)
{
    struct sip_via mem UNINITIALIZED;
    const struct sip_via *via = p->keys ? &p->keys->via : &mem;

    if ((!p->keys && sip_via_parse(value, &mem)) || p->received.len == 0 ||
        via->received.len > 0) {
        sip_unfold(out, value);
    } else {
        put_marked_via(out, value, via, p);
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

static void copy_field(struct buf *out, const struct sip_msg *req, enum sip_header id)
{
    if (sip_msg_has(req, id)) {
        sip_write_header_begin(out, id);
        sip_field_unfold(out, req, &req->fields[req->first[id]]);
        sip_write_header_end(out);
    }
}

static bool has_to_tag(const struct sip_msg *req, const struct sip_keys *keys)
{
    struct sip_addr to UNINITIALIZED;

    if (keys) {
        return keys->to.tag.len > 0;
    }
    return sip_msg_addr(req, SIP_HDR_TO, &to) == 0 && to.tag.len > 0;
}

static void copy_to(struct buf *out, const struct sip_msg *req,
                    const struct sip_response_params *p)
{
    if (!sip_msg_has(req, SIP_HDR_TO)) {
        return;
    }
    sip_write_header_begin(out, SIP_HDR_TO);
    sip_field_unfold(out, req, &req->fields[req->first[SIP_HDR_TO]]);
    if (p->to_tag.len > 0 && !has_to_tag(req, p->keys)) {
        buf_put_lit(out, ";tag=");
        put_word(out, p->to_tag);
    }
    sip_write_header_end(out);
}

void sip_write_response_stem(struct buf *out, const struct sip_msg *req,
                             const struct sip_response_params *p)
{
    put_vias(out, req, p);
    copy_field(out, req, SIP_HDR_FROM);
    copy_to(out, req, p);
    copy_field(out, req, SIP_HDR_CALL_ID);
    copy_field(out, req, SIP_HDR_CSEQ);
    if (p->status == 100) {
        copy_field(out, req, SIP_HDR_TIMESTAMP);
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
    char *start = buf_reserve(out, 64 + content_type.len + body.len);
    struct pen pen = {.at = start};

    ASSERT(body.len <= UINT32_MAX);
    if (!start) {
        return;
    }
    if (body.len > 0 && content_type.len > 0) {
        pen_lit(&pen, "Content-Type: ");
        pen_put_clean(&pen, content_type);
        pen_lit(&pen, "\r\n");
    }
    pen_lit(&pen, "Content-Length: ");
    pen_put_u32(&pen, (uint32_t)body.len);
    pen_lit(&pen, "\r\n\r\n");
    pen_put(&pen, body);
    buf_commit(out, (size_t)(pen.at - start));
}

void sip_write_end_empty(struct buf *out)
{
    sip_write_end(out, SLICE_NONE, SLICE_NONE);
}
