/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dialog: a subscription's dialog as its SIP side keeps it. */
#include "load/dialog.h"

#include <string.h>

#include "base/pool.h"

#define DEL 0x7f

/* What a message of theirs says of the dialog; borrowed. */
struct said {
    struct slice call_id;
    struct slice tag;
    struct slice target;
    struct slice routes[DIALOG_ROUTES_MAX]; /* in the order in which our requests have them */
    uint32_t route_count;
};

static struct slice tag_of(const struct sip_msg *m)
{
    struct sip_addr who;

    return sip_msg_addr(m, m->is_request ? SIP_HDR_FROM : SIP_HDR_TO, &who) == 0 ? who.tag
                                                                                 : SLICE_NONE;
}

/* Their request's route set is in the order of its fields, a response's the other way round
 * (RFC 3261 12.1.1, 12.1.2). */
static bool read_routes(const struct sip_msg *m, struct said *out)
{
    struct sip_list list;
    struct slice value;

    sip_list_init(&list, m, SIP_HDR_RECORD_ROUTE);
    while (sip_list_next(&list, &value)) {
        if (out->route_count == DIALOG_ROUTES_MAX) {
            return false;
        }
        out->routes[out->route_count++] = value;
    }
    for (uint32_t i = 0; !m->is_request && i < out->route_count / 2; i++) {
        struct slice other = out->routes[out->route_count - 1 - i];

        out->routes[out->route_count - 1 - i] = out->routes[i];
        out->routes[i] = other;
    }
    return true;
}

/* It can stand in a request of ours: without controls, spaces, < and > (the writer's rule; in a
 * Call-ID they are grammatical, but nobody writes them). */
static bool is_writable(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c <= ' ' || c == '<' || c == '>' || c == DEL) {
            return false;
        }
    }
    return true;
}

static const char *read_all(const struct sip_msg *m, struct said *out)
{
    struct sip_addr contact;

    *out = (struct said){.tag = tag_of(m)};
    if (sip_msg_call_id(m, &out->call_id) != 0 || !is_writable(out->call_id)) {
        return "Call-ID";
    }
    if (slice_is_empty(out->tag) || !is_writable(out->tag)) {
        return "tag";
    }
    if (sip_msg_addr(m, SIP_HDR_CONTACT, &contact) != 0 || contact.is_star) {
        return "Contact";
    }
    out->target = contact.uri.text;
    return read_routes(m, out) ? NULL : "Record-Route";
}

static char *put(char *to, struct slice s)
{
    if (s.len > 0) {
        memcpy(to, s.ptr, s.len);
    }
    return to + s.len;
}

/* What was there before may be what it is made of. */
static const char *keep(struct dialog *d, const struct said *s)
{
    size_t len = s->call_id.len + s->tag.len + s->target.len;
    char *text;
    char *at;

    for (uint32_t i = 0; i < s->route_count; i++) {
        len += s->routes[i].len;
    }
    if (len > DIALOG_TEXT_BYTES_MAX) {
        return "so much of a dialog is not kept";
    }
    text = pool_alloc(len);
    if (!text) {
        return "no memory for a dialog";
    }
    at = put(put(put(text, s->call_id), s->tag), s->target);
    d->call_id_bytes = (uint16_t)s->call_id.len;
    d->tag_bytes = (uint16_t)s->tag.len;
    d->target_bytes = (uint16_t)s->target.len;
    d->route_count = s->route_count;
    for (uint32_t i = 0; i < s->route_count; i++) {
        d->route_bytes[i] = (uint16_t)s->routes[i].len;
        at = put(at, s->routes[i]);
    }
    pool_free(d->text);
    d->text = text;
    return NULL;
}

static struct said kept(const struct dialog *d)
{
    struct said s = {.route_count = d->route_count};
    const char *at = d->text;

    s.call_id = slice_make(at, d->call_id_bytes);
    at += d->call_id_bytes;
    s.tag = slice_make(at, d->tag_bytes);
    at += d->tag_bytes;
    s.target = slice_make(at, d->target_bytes);
    at += d->target_bytes;
    for (uint32_t i = 0; i < d->route_count; i++) {
        s.routes[i] = slice_make(at, d->route_bytes[i]);
        at += d->route_bytes[i];
    }
    return s;
}

const char *dialog_begin(struct dialog *d, const struct sip_msg *m)
{
    struct sip_cseq cseq;
    struct said said;
    const char *fault = read_all(m, &said);

    if (!fault && m->is_request && sip_msg_cseq(m, &cseq) != 0) {
        fault = "CSeq";
    }
    fault = fault ? fault : keep(d, &said);
    if (!fault) {
        d->has_remote_cseq = m->is_request;
        d->remote_cseq = m->is_request ? cseq.number : 0;
    }
    return fault;
}

void dialog_end(struct dialog *d)
{
    pool_free(d->text);
    *d = (struct dialog){.cseq = d->cseq};
}

bool dialog_has(const struct dialog *d, const struct sip_msg *m)
{
    struct slice call_id;
    struct said s;

    if (!d->text || sip_msg_call_id(m, &call_id) != 0) {
        return false;
    }
    s = kept(d);
    return slice_eq(s.call_id, call_id) && slice_eq(s.tag, tag_of(m));
}

const char *dialog_follow(struct dialog *d, const struct sip_msg *m)
{
    struct said s = kept(d);
    struct sip_addr contact;
    struct sip_cseq cseq;

    if (sip_msg_cseq(m, &cseq) != 0 || (d->has_remote_cseq && cseq.number <= d->remote_cseq)) {
        return "CSeq did not rise";
    }
    if (sip_msg_addr(m, SIP_HDR_CONTACT, &contact) != 0 || contact.is_star) {
        return "Contact";
    }
    d->remote_cseq = cseq.number;
    d->has_remote_cseq = true;
    if (!slice_eq(s.target, contact.uri.text)) {
        s.target = contact.uri.text;
        return keep(d, &s);
    }
    return NULL;
}

void dialog_write(struct dialog *d, struct buf *out, struct sip_request_params params)
{
    struct said s = kept(d);

    params.uri = s.target;
    params.route = s.routes;
    params.route_count = s.route_count;
    params.to_tag = s.tag;
    params.call_id = s.call_id;
    params.cseq = ++d->cseq;
    sip_write_request(out, &params);
}
