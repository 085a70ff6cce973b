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

/* --- what dialogs share ----------------------------------------------------------------------- */

#define PATH_HEAD 2u /* bytes of the target's length, which belongs to the key */

struct sip_dialogs *sip_dialogs_new(void)
{
    return pool_zalloc(sizeof(struct sip_dialogs));
}

void sip_dialogs_free(struct sip_dialogs *in)
{
    if (in) {
        ASSERT(in->paths.count == 0);
        slab_deinit(&in->slab);
        map_deinit(&in->paths);
        pool_free(in);
    }
}

size_t sip_dialogs_bytes(const struct sip_dialogs *in)
{
    return in->path_bytes + in->paths.slot_count * sizeof(struct map_slot);
}

static struct slice path_target(const struct dialog_path *path)
{
    return path ? slice_make(path->text + PATH_HEAD, path->target_len) : SLICE_NONE;
}

static struct slice path_routes(const struct dialog_path *path)
{
    return path ? slice_from(path->key, PATH_HEAD + path->target_len) : SLICE_NONE;
}

static struct dialog_path *path_new(struct sip_dialogs *in, struct slice target,
                                    struct slice routes)
{
    size_t len = PATH_HEAD + target.len + routes.len;
    struct dialog_path *path = pool_alloc(sizeof(*path) + len);

    if (!path) {
        return NULL;
    }
    *path = (struct dialog_path){
        .key = {path->text, len}, .refs = 1, .target_len = (uint16_t)target.len};
    path->text[0] = (char)(target.len >> 8);
    path->text[1] = (char)target.len;
    if (target.len > 0) {
        memcpy(path->text + PATH_HEAD, target.ptr, target.len);
    }
    if (routes.len > 0) {
        memcpy(path->text + PATH_HEAD + target.len, routes.ptr, routes.len);
    }
    in->path_bytes += pool_block_bytes(path);
    return path;
}

static void path_drop(struct sip_dialogs *in, struct dialog_path *path)
{
    if (path && --path->refs == 0) {
        in->path_bytes -= pool_block_bytes(path);
        (void)map_remove(&in->paths, path->key);
        pool_free(path);
    }
}

/* The shared one with this content; NULL: no memory. */
static struct dialog_path *path_take(struct sip_dialogs *in, struct slice target,
                                     struct slice routes)
{
    struct dialog_path *path = path_new(in, target, routes);
    struct dialog_path *other = path ? map_add(&in->paths, path->key, path) : NULL;

    if (other) {
        in->path_bytes -= pool_block_bytes(path);
        pool_free(path);
        other->refs++;
    }
    return other ? other : path;
}

/* --- the block -------------------------------------------------------------------------------- */

/* Of a part in the dialog's own block. */
static size_t part_len(const struct sip_dialog *d, unsigned part)
{
    return part < DIALOG_SHORT_PARTS ? d->short_len[part] : d->long_len[part - DIALOG_SHORT_PARTS];
}

void dialog_parts_get(const struct sip_dialog *d, struct dialog_parts *parts)
{
    size_t at = 0;

    for (unsigned i = 0; i < DIALOG_ROUTES; i++) {
        parts->of[i] = slice_make(d->text + at, part_len(d, i));
        at += parts->of[i].len;
    }
    if (d->flags & DIALOG_UAC) {
        parts->of[DIALOG_TARGET] = path_target(d->path);
    }
    parts->of[DIALOG_ROUTES] = path_routes(d->path);
}

struct slice dialog_part(const struct sip_dialog *d, enum dialog_part part)
{
    struct dialog_parts parts;

    dialog_parts_get(d, &parts);
    return parts.of[part];
}

static size_t block_bytes(const struct sip_dialog *d)
{
    size_t bytes = offsetof(struct sip_dialog, text);

    for (unsigned i = 0; i < DIALOG_ROUTES; i++) {
        bytes += part_len(d, i);
    }
    /* The struct itself may end behind text's offset. */
    return bytes < sizeof(*d) ? sizeof(*d) : bytes;
}

static void set_len(struct sip_dialog *d, unsigned part, size_t len)
{
    ASSERT(len <= part_max[part]);
    if (part < DIALOG_SHORT_PARTS) {
        d->short_len[part] = (uint8_t)len;
    } else {
        d->long_len[part - DIALOG_SHORT_PARTS] = (uint16_t)len;
    }
}

/* The path that goes with the head; false: no memory. */
static bool take_path(struct sip_dialog *head, struct slice target, struct slice routes)
{
    ASSERT(target.len <= part_max[DIALOG_TARGET] && routes.len <= part_max[DIALOG_ROUTES]);
    head->path = NULL;
    if (target.len + routes.len == 0) {
        return true;
    }
    head->path = path_take(head->in, target, routes);
    return head->path != NULL;
}

struct sip_dialog *dialog_build(const struct dialog_parts *parts, const struct sip_dialog *from)
{
    struct sip_dialog head = *from;
    struct dialog_parts own = *parts;
    struct slice shared = SLICE_NONE;
    struct sip_dialog *d;
    char *at;

    head.magic = DIALOG_MAGIC;
    if (head.flags & DIALOG_UAC) {
        shared = own.of[DIALOG_TARGET];
        own.of[DIALOG_TARGET] = SLICE_NONE;
    }
    for (unsigned i = 0; i < DIALOG_ROUTES; i++) {
        set_len(&head, i, own.of[i].len);
    }
    if (!take_path(&head, shared, own.of[DIALOG_ROUTES])) {
        return NULL;
    }
    d = slab_alloc(&head.in->slab, block_bytes(&head));
    if (!d) {
        path_drop(head.in, head.path);
        return NULL;
    }
    *d = head;
    at = d->text;
    for (unsigned i = 0; i < DIALOG_ROUTES; i++) {
        if (own.of[i].len > 0) {
            memcpy(at, own.of[i].ptr, own.of[i].len);
            at += own.of[i].len;
        }
    }
    return d;
}

void sip_dialog_free(struct sip_dialog *d)
{
    if (d) {
        DIALOG_CHECK(d);
        d->magic = 0;
        path_drop(d->in, d->path);
        slab_free(&d->in->slab, d, block_bytes(d));
    }
}

/* --- requests in ------------------------------------------------------------------------------ */

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

/* --- requests out ----------------------------------------------------------------------------- */

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
    return slab_block_bytes(block_bytes(d));
}

uint16_t sip_dialog_status(int err)
{
    return err == ERR_NOMEM || err == ERR_STATE ? 500 : 400;
}
