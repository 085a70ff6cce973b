/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dialog_make: dialogs from messages: creation, establishment, forks, target refresh (RFC 3261 12.1
 * and 12.2; RFC 6665 4.1.4, 4.4.1).                                                              */
#include "sip/dialog_int.h"

#include "base/err.h"
#include "sip/chars.h"

/* What a message says about the dialog that it makes. */
struct learned {
    struct sip_addr remote; /* From of a request, To of a response */
    struct buf target;      /* empty = the message has no Contact */
    struct buf routes;
};

/* RFC 3261 19.1.1: neither header fields nor a method parameter may stand in a Request-URI, and
 * both the target and a strict router become one (12.2.1.1).                                    */
static void put_request_uri(struct buf *out, const struct sip_uri *uri)
{
    struct slice params = uri->params;
    struct slice param;
    struct slice head = uri->text;

    if (uri->headers.ptr) {
        head = slice_make(head.ptr, (size_t)(uri->headers.ptr - head.ptr) - 1);
    }
    if (!sip_uri_param(uri, SLICE_LIT("method"), NULL)) {
        buf_put(out, head);
        return;
    }
    buf_put(out, slice_make(head.ptr, (size_t)(params.ptr - head.ptr) - 1));
    while (params.len > 0) {
        struct slice rest;
        struct slice name;

        (void)slice_cut(&params, ';', &param);
        rest = param;
        (void)slice_cut(&rest, '=', &name);
        if (!slice_eq_nocase(name, SLICE_LIT("method"))) {
            buf_putc(out, ';');
            buf_put(out, param);
        }
    }
}

static bool is_sip(const struct sip_uri *uri)
{
    return uri->scheme == SIP_SCHEME_SIP || uri->scheme == SIP_SCHEME_SIPS;
}

int dialog_put_target(struct buf *out, const struct sip_uri *uri)
{
    if (!is_sip(uri)) {
        return ERR_SIP_URI;
    }
    if (uri->text.len + 2 > buf_room(out)) {
        return ERR_LIMIT;
    }
    buf_putc(out, '<');
    put_request_uri(out, uri);
    buf_putc(out, '>');
    return out->failed ? ERR_NOMEM : 0;
}

/* The parameters behind the brackets belong to the value, too (12.2.1.1: "including all
 * parameters"); a display name does not: a route set is a list of URIs.                         */
int dialog_put_route(struct buf *out, struct slice value, bool is_first)
{
    struct sip_addr addr;
    int err = sip_addr_parse(value, &addr);

    if (err || !addr.in_brackets) {
        return err ? err : ERR_SIP_SYNTAX;
    }
    if (!is_sip(&addr.uri)) {
        return ERR_SIP_URI;
    }
    if (addr.uri.text.len + addr.params.len + sizeof("<>;\n") - 1 > buf_room(out)) {
        return ERR_LIMIT;
    }
    buf_putc(out, '<');
    if (is_first && !sip_uri_param(&addr.uri, SLICE_LIT("lr"), NULL)) {
        put_request_uri(out, &addr.uri);
    } else {
        buf_put(out, addr.uri.text);
    }
    buf_putc(out, '>');
    if (addr.params.len > 0) {
        buf_putc(out, ';');
        sip_unfold(out, addr.params);
    }
    buf_putc(out, '\n');
    return out->failed ? ERR_NOMEM : 0;
}

/* Record-Route values as a route set: in order where we are the UAS of the message, reversed where
 * we are its UAC (12.1.1, 12.1.2).                                                              */
static int learn_routes(const struct sip_msg *m, struct buf *out)
{
    struct slice values[SIP_DIALOG_ROUTES_MAX];
    struct sip_list list;
    struct slice value;
    uint32_t count = 0;

    sip_list_init(&list, m, SIP_HDR_RECORD_ROUTE);
    while (sip_list_next(&list, &value)) {
        if (count == SIP_DIALOG_ROUTES_MAX) {
            return ERR_LIMIT;
        }
        values[count++] = value;
    }
    for (uint32_t i = 0; i < count; i++) {
        int err = dialog_put_route(out, values[m->is_request ? i : count - 1 - i], i == 0);

        if (err) {
            return err;
        }
    }
    return 0;
}

static int learn_target(const struct sip_msg *m, struct buf *out)
{
    struct sip_addr contact;
    int err;

    if (!sip_msg_has(m, SIP_HDR_CONTACT)) {
        return 0;
    }
    err = sip_msg_addr(m, SIP_HDR_CONTACT, &contact);
    if (err || contact.is_star) {
        return err ? err : ERR_SIP_SYNTAX;
    }
    return dialog_put_target(out, &contact.uri);
}

static void learned_deinit(struct learned *l)
{
    buf_deinit(&l->target);
    buf_deinit(&l->routes);
}

/* Reads what a dialog takes from a message; a Contact is demanded. learned_deinit in any case. */
static int learn(const struct sip_msg *m, struct learned *l)
{
    int err;

    buf_init(&l->target, SIP_DIALOG_URI_BYTES_MAX);
    buf_init(&l->routes, SIP_DIALOG_ROUTE_BYTES_MAX);
    err = sip_msg_addr(m, m->is_request ? SIP_HDR_FROM : SIP_HDR_TO, &l->remote);
    err = err ? err : learn_target(m, &l->target);
    err = err ? err : learn_routes(m, &l->routes);
    if (err) {
        return err;
    }
    if (l->remote.is_star || buf_len(&l->target) == 0) {
        return ERR_SIP_SYNTAX;
    }
    return l->remote.tag.len > SIP_DIALOG_TAG_BYTES_MAX ? ERR_LIMIT : 0;
}

/* *d becomes a block with these parts. */
static int rebuild(struct sip_dialog **d, const struct dialog_parts *parts)
{
    struct sip_dialog *new = dialog_build(parts, *d);

    if (!new) {
        return ERR_NOMEM;
    }
    sip_dialog_free(*d);
    *d = new;
    return 0;
}

struct sip_dialog *sip_dialog_new_uac(struct sip_dialogs *in, struct slice call_id,
                                      struct slice local_tag, uint32_t cseq)
{
    const struct dialog_parts parts = {
        .of = {[DIALOG_CALL_ID] = call_id, [DIALOG_LOCAL_TAG] = local_tag}};
    const struct sip_dialog head = {.in = in, .cseq = cseq - 1, .flags = DIALOG_UAC};

    ASSERT(call_id.len > 0 && local_tag.len > 0);
    ASSERT(cseq > 0 && cseq < DIALOG_CSEQ_MAX);
    return dialog_build(&parts, &head);
}

/* uri where it is not what the caller writes anyway. */
static int own_uri(struct slice uri, struct slice plain, struct slice *out)
{
    *out = slice_eq(uri, plain) ? SLICE_NONE : uri;
    return out->len > SIP_DIALOG_URI_BYTES_MAX ? ERR_LIMIT : 0;
}

int sip_dialog_new_uas(struct sip_dialogs *in, const struct sip_msg *subscribe,
                       const struct sip_dialog_uas *uas, struct sip_dialog **out)
{
    struct sip_dialog head = {
        .in = in, .cseq = uas->cseq - 1, .flags = DIALOG_ESTABLISHED | DIALOG_HAS_REMOTE};
    struct dialog_parts parts = {
        .of = {[DIALOG_LOCAL_TAG] = uas->local_tag, [DIALOG_EVENT_ID] = uas->event_id}};
    struct sip_cseq cseq;
    struct learned l;
    struct sip_addr to;
    int err = learn(subscribe, &l);

    *out = NULL;
    ASSERT(uas->local_tag.len > 0 && uas->local_tag.len <= SIP_DIALOG_TAG_BYTES_MAX);
    ASSERT(uas->cseq > 0 && uas->cseq < DIALOG_CSEQ_MAX);
    err = err ? err : sip_msg_call_id(subscribe, &parts.of[DIALOG_CALL_ID]);
    err = err ? err : sip_msg_cseq(subscribe, &cseq);
    err = err ? err : sip_msg_addr(subscribe, SIP_HDR_TO, &to);
    err = err ? err : own_uri(to.uri.text, uas->plain_local, &parts.of[DIALOG_LOCAL_URI]);
    err = err ? err : own_uri(l.remote.uri.text, uas->plain_remote, &parts.of[DIALOG_REMOTE_URI]);
    if (!err && (parts.of[DIALOG_CALL_ID].len > SIP_DIALOG_CALL_ID_BYTES_MAX ||
                 uas->event_id.len > SIP_DIALOG_EVENT_ID_BYTES_MAX)) {
        err = ERR_LIMIT;
    }
    if (!err) {
        parts.of[DIALOG_REMOTE_TAG] = l.remote.tag;
        parts.of[DIALOG_TARGET] = buf_slice(&l.target);
        parts.of[DIALOG_ROUTES] = buf_slice(&l.routes);
        head.remote_cseq = cseq.number;
        *out = dialog_build(&parts, &head);
        err = *out ? 0 : ERR_NOMEM;
    }
    learned_deinit(&l);
    return err;
}

int sip_dialog_establish(struct sip_dialog **d, const struct sip_msg *m)
{
    struct dialog_parts parts;
    struct sip_cseq cseq = {.number = 0};
    struct learned l;
    int err;

    DIALOG_CHECK(*d);
    if ((*d)->flags & DIALOG_ESTABLISHED) {
        return m->is_request ? ERR_STATE : 0;
    }
    err = learn(m, &l);
    err = err ? err : sip_msg_cseq(m, &cseq);
    if (!err) {
        dialog_parts_get(*d, &parts);
        parts.of[DIALOG_REMOTE_TAG] = l.remote.tag;
        parts.of[DIALOG_TARGET] = buf_slice(&l.target);
        parts.of[DIALOG_ROUTES] = buf_slice(&l.routes);
        err = rebuild(d, &parts);
    }
    learned_deinit(&l);
    if (!m->is_request) {
        return err == ERR_NOMEM ? err : 0;
    }
    if (!err) {
        (*d)->flags |= DIALOG_ESTABLISHED | DIALOG_HAS_REMOTE;
        (*d)->remote_cseq = cseq.number;
    }
    return err;
}

int sip_dialog_fork(const struct sip_dialog *d, const struct sip_msg *notify,
                    struct sip_dialog **out)
{
    int err;

    *out = NULL;
    DIALOG_CHECK(d);
    ASSERT((d->flags & DIALOG_UAC) && notify->is_request);
    /* Each dialog counts its own CSeq from the SUBSCRIBE's on (12.1.2); the number that d has come
     * to since is not lower and as good.                                                        */
    if (d->cseq + 1 >= DIALOG_CSEQ_MAX) {
        return ERR_LIMIT;
    }
    *out = sip_dialog_new_uac(d->in, sip_dialog_call_id(d), sip_dialog_local_tag(d), d->cseq + 1);
    if (!*out) {
        return ERR_NOMEM;
    }
    err = sip_dialog_establish(out, notify);
    if (err) {
        sip_dialog_free(*out);
        *out = NULL;
    }
    return err;
}

int sip_dialog_retarget(struct sip_dialog **d, const struct sip_msg *m, bool *changed)
{
    struct dialog_parts parts;
    struct buf target;
    bool is_other;
    int err;

    DIALOG_CHECK(*d);
    buf_init(&target, SIP_DIALOG_URI_BYTES_MAX);
    err = learn_target(m, &target);
    is_other = !err && buf_len(&target) > 0 &&
               !slice_eq(buf_slice(&target), dialog_part(*d, DIALOG_TARGET));
    if (is_other) {
        dialog_parts_get(*d, &parts);
        parts.of[DIALOG_TARGET] = buf_slice(&target);
        err = rebuild(d, &parts);
    }
    buf_deinit(&target);
    if (changed) {
        *changed = is_other && !err;
    }
    return err;
}

void sip_dialog_answer_put(struct buf *out, const struct sip_msg *subscribe)
{
    struct sip_list list;
    struct slice value;

    sip_list_init(&list, subscribe, SIP_HDR_RECORD_ROUTE);
    while (sip_list_next(&list, &value)) {
        sip_write_header_begin(out, SIP_HDR_RECORD_ROUTE);
        sip_unfold(out, value);
        sip_write_header_end(out);
    }
}
