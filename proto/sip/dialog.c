/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dialog: the block, matching, the order of requests, the next request (RFC 3261 12.2). */
#include "sip/dialog_int.h"

#include "base/err.h"
#include "base/pool.h"

static const uint16_t part_max[DIALOG_PARTS] = {
    [DIALOG_CALL_ID] = SIP_DIALOG_CALL_ID_BYTES_MAX,
    [DIALOG_LOCAL_TAG] = SIP_DIALOG_TAG_BYTES_MAX,
    [DIALOG_REMOTE_TAG] = SIP_DIALOG_TAG_BYTES_MAX,
    [DIALOG_EVENT_ID] = SIP_DIALOG_EVENT_ID_BYTES_MAX,
    [DIALOG_TARGET] = SIP_DIALOG_URI_BYTES_MAX,
    [DIALOG_LOCAL_URI] = SIP_DIALOG_URI_BYTES_MAX,
    [DIALOG_REMOTE_URI] = SIP_DIALOG_URI_BYTES_MAX,
    [DIALOG_ROUTES] = SIP_DIALOG_ROUTE_BYTES_MAX,
};

_Static_assert(SIP_DIALOG_CALL_ID_BYTES_MAX <= UINT8_MAX && SIP_DIALOG_TAG_BYTES_MAX <= UINT8_MAX &&
                   SIP_DIALOG_EVENT_ID_BYTES_MAX <= UINT8_MAX,
               "short parts have one byte of length");

size_t dialog_part_max(enum dialog_part part)
{
    return part_max[part];
}

static size_t part_len(const struct sip_dialog *d, unsigned part)
{
    return part < DIALOG_SHORT_PARTS ? d->short_len[part] : d->long_len[part - DIALOG_SHORT_PARTS];
}

struct slice dialog_part(const struct sip_dialog *d, enum dialog_part part)
{
    size_t at = 0;

    for (unsigned i = 0; i < (unsigned)part; i++) {
        at += part_len(d, i);
    }
    return slice_make(d->text + at, part_len(d, part));
}

void dialog_parts_get(const struct sip_dialog *d, struct dialog_parts *parts)
{
    size_t at = 0;

    for (unsigned i = 0; i < DIALOG_PARTS; i++) {
        parts->of[i] = slice_make(d->text + at, part_len(d, i));
        at += parts->of[i].len;
    }
}

struct sip_dialog *dialog_build(const struct dialog_parts *parts, const struct sip_dialog *from)
{
    size_t bytes = offsetof(struct sip_dialog, text);
    struct sip_dialog *d;
    char *at;

    for (unsigned i = 0; i < DIALOG_PARTS; i++) {
        ASSERT(parts->of[i].len <= part_max[i]);
        bytes += parts->of[i].len;
    }
    /* The struct itself ends behind text's offset. */
    d = pool_alloc(bytes < sizeof(*d) ? sizeof(*d) : bytes);
    if (!d) {
        return NULL;
    }
    *d = (struct sip_dialog){.magic = DIALOG_MAGIC};
    if (from) {
        d->cseq = from->cseq;
        d->cseq_stored = from->cseq_stored;
        d->remote_cseq = from->remote_cseq;
        d->flags = from->flags;
    }
    at = d->text;
    for (unsigned i = 0; i < DIALOG_PARTS; i++) {
        struct slice part = parts->of[i];

        if (i < DIALOG_SHORT_PARTS) {
            d->short_len[i] = (uint8_t)part.len;
        } else {
            d->long_len[i - DIALOG_SHORT_PARTS] = (uint16_t)part.len;
        }
        if (part.len > 0) {
            memcpy(at, part.ptr, part.len);
            at += part.len;
        }
    }
    return d;
}

void sip_dialog_free(struct sip_dialog *d)
{
    if (d) {
        DIALOG_CHECK(d);
        d->magic = 0;
        pool_free(d);
    }
}

int sip_dialog_key_read(const struct sip_msg *m, struct sip_dialog_key *out)
{
    struct sip_addr from;
    struct sip_addr to;
    int err;

    *out = (struct sip_dialog_key){.call_id = SLICE_NONE};
    err = sip_msg_call_id(m, &out->call_id);
    err = err ? err : sip_msg_addr(m, SIP_HDR_FROM, &from);
    err = err ? err : sip_msg_addr(m, SIP_HDR_TO, &to);
    if (err) {
        return err;
    }
    out->local_tag = m->is_request ? to.tag : from.tag;
    out->remote_tag = m->is_request ? from.tag : to.tag;
    return 0;
}

enum sip_dialog_match sip_dialog_match(const struct sip_dialog *d, const struct sip_dialog_key *key)
{
    DIALOG_CHECK(d);
    if (key->local_tag.len == 0 || !slice_eq(key->local_tag, sip_dialog_local_tag(d)) ||
        !slice_eq(key->call_id, sip_dialog_call_id(d))) {
        return SIP_DIALOG_OTHER;
    }
    if (!(d->flags & DIALOG_ESTABLISHED)) {
        return SIP_DIALOG_NASCENT;
    }
    if (slice_eq(key->remote_tag, sip_dialog_remote_tag(d))) {
        return SIP_DIALOG_OURS;
    }
    return d->flags & DIALOG_UAC ? SIP_DIALOG_FORK : SIP_DIALOG_OTHER;
}

enum sip_dialog_order sip_dialog_take_cseq(struct sip_dialog *d, uint32_t number)
{
    DIALOG_CHECK(d);
    if ((d->flags & DIALOG_HAS_REMOTE) && number <= d->remote_cseq) {
        return number == d->remote_cseq ? SIP_ORDER_REPEATED : SIP_ORDER_LOWER;
    }
    d->remote_cseq = number;
    d->flags |= DIALOG_HAS_REMOTE;
    return SIP_ORDER_NEW;
}

/* 12.2.1.1. A strict router at the top takes the Request-URI's place and the target goes last. */
static void put_routes(const struct sip_dialog *d, struct sip_dialog_routes *routes,
                       struct sip_request_params *p)
{
    struct slice rest = dialog_part(d, DIALOG_ROUTES);
    struct slice target = dialog_part(d, DIALOG_TARGET);
    struct sip_addr top;
    uint32_t count = 0;

    while (rest.len > 0 && count < SIP_DIALOG_ROUTES_MAX) {
        (void)slice_cut(&rest, '\n', &routes->values[count++]);
    }
    p->uri = sip_dialog_target(d);
    p->route = routes->values;
    p->route_count = count;
    if (count > 0 && sip_addr_parse(routes->values[0], &top) == 0 &&
        !sip_uri_param(&top.uri, SLICE_LIT("lr"), NULL)) {
        p->uri = top.uri.text;
        p->route = routes->values + 1;
        routes->values[count] = target;
    }
}

int sip_dialog_next(struct sip_dialog *d, struct sip_dialog_routes *routes,
                    struct sip_request_params *p)
{
    struct slice local_uri = dialog_part(d, DIALOG_LOCAL_URI);
    struct slice remote_uri = dialog_part(d, DIALOG_REMOTE_URI);

    DIALOG_CHECK(d);
    if (d->cseq >= DIALOG_CSEQ_MAX) {
        return ERR_LIMIT;
    }
    p->route = NULL;
    p->route_count = 0;
    if (dialog_part(d, DIALOG_TARGET).len > 0) {
        put_routes(d, routes, p);
    }
    if (local_uri.len > 0) {
        p->from_uri = local_uri;
    }
    if (remote_uri.len > 0) {
        p->to_uri = remote_uri;
    }
    p->from_tag = sip_dialog_local_tag(d);
    p->to_tag = sip_dialog_remote_tag(d);
    p->call_id = sip_dialog_call_id(d);
    p->cseq = ++d->cseq;
    return 0;
}

bool sip_dialog_is_established(const struct sip_dialog *d)
{
    DIALOG_CHECK(d);
    return (d->flags & DIALOG_ESTABLISHED) != 0;
}

bool sip_dialog_is_uac(const struct sip_dialog *d)
{
    DIALOG_CHECK(d);
    return (d->flags & DIALOG_UAC) != 0;
}

struct slice sip_dialog_call_id(const struct sip_dialog *d)
{
    DIALOG_CHECK(d);
    return dialog_part(d, DIALOG_CALL_ID);
}

struct slice sip_dialog_local_tag(const struct sip_dialog *d)
{
    DIALOG_CHECK(d);
    return dialog_part(d, DIALOG_LOCAL_TAG);
}

struct slice sip_dialog_remote_tag(const struct sip_dialog *d)
{
    DIALOG_CHECK(d);
    return dialog_part(d, DIALOG_REMOTE_TAG);
}

struct slice sip_dialog_target(const struct sip_dialog *d)
{
    struct slice target = dialog_part(d, DIALOG_TARGET);

    DIALOG_CHECK(d);
    return target.len > 2 ? slice_make(target.ptr + 1, target.len - 2) : SLICE_NONE;
}

struct slice sip_dialog_event_id(const struct sip_dialog *d)
{
    DIALOG_CHECK(d);
    return dialog_part(d, DIALOG_EVENT_ID);
}

uint32_t sip_dialog_cseq(const struct sip_dialog *d)
{
    DIALOG_CHECK(d);
    return d->cseq;
}

size_t sip_dialog_bytes(const struct sip_dialog *d)
{
    DIALOG_CHECK(d);
    return pool_block_bytes(d);
}

uint16_t sip_dialog_status(int err)
{
    return err == ERR_NOMEM || err == ERR_STATE ? 500 : 400;
}
