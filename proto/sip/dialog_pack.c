/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dialog_pack: a dialog as bytes for the store and back. Version 1, integers with the highest byte
 * first: version, flags, CSeq to go on behind (4), remote CSeq (4), lengths of the short parts (1
 * each) and of the long ones (2 each), the parts.
 * A file may be damaged or made up: everything read is held to what a message could have made.   */
#include "sip/dialog_int.h"

#include "base/err.h"
#include "sip/chars.h"

#define PACK_VERSION    1u
#define PACK_HEAD_BYTES (2u + 4u + 4u + DIALOG_SHORT_PARTS + 2u * DIALOG_LONG_PARTS)

_Static_assert(PACK_HEAD_BYTES + SIP_DIALOG_CALL_ID_BYTES_MAX + 2 * SIP_DIALOG_TAG_BYTES_MAX +
                       SIP_DIALOG_EVENT_ID_BYTES_MAX + 3 * SIP_DIALOG_URI_BYTES_MAX +
                       SIP_DIALOG_ROUTE_BYTES_MAX <=
                   SIP_DIALOG_PACKED_BYTES_MAX,
               "the largest dialog fits");

static void put_uint(struct buf *out, uint32_t value, unsigned bytes)
{
    while (bytes-- > 0) {
        buf_putc(out, (char)(value >> (8 * bytes)));
    }
}

/* Big-endian at *at, which moves on; the caller has checked the length. */
static uint32_t take_uint(struct slice s, size_t *at, unsigned bytes)
{
    uint32_t value = 0;

    while (bytes-- > 0) {
        value = value << 8 | (unsigned char)s.ptr[(*at)++];
    }
    return value;
}

uint32_t sip_dialog_pack(const struct sip_dialog *d, struct buf *out)
{
    struct dialog_parts parts;
    uint32_t cseq;

    DIALOG_CHECK(d);
    cseq = d->cseq < DIALOG_CSEQ_MAX - SIP_DIALOG_CSEQ_RESERVE ? d->cseq + SIP_DIALOG_CSEQ_RESERVE
                                                               : DIALOG_CSEQ_MAX;
    dialog_parts_get(d, &parts);
    put_uint(out, PACK_VERSION, 1);
    put_uint(out, d->flags, 1);
    put_uint(out, cseq, 4);
    put_uint(out, d->remote_cseq, 4);
    for (unsigned i = 0; i < DIALOG_PARTS; i++) {
        put_uint(out, (uint32_t)parts.of[i].len, i < DIALOG_SHORT_PARTS ? 1 : 2);
    }
    for (unsigned i = 0; i < DIALOG_PARTS; i++) {
        buf_put(out, parts.of[i]);
    }
    return cseq;
}

void sip_dialog_stored(struct sip_dialog *d, uint32_t cseq_packed)
{
    DIALOG_CHECK(d);
    /* Rows are written in order: the last one told is what the next start reads. */
    d->cseq_stored = cseq_packed;
}

bool sip_dialog_needs_store(const struct sip_dialog *d)
{
    DIALOG_CHECK(d);
    return d->cseq_stored < DIALOG_CSEQ_MAX &&
           d->cseq + SIP_DIALOG_CSEQ_RESERVE / 2 >= d->cseq_stored;
}

static bool is_token_or_empty(struct slice s)
{
    return s.len == 0 || sip_all_are(s, SIP_CHAR_TOKEN);
}

static bool is_uri_or_empty(struct slice s)
{
    struct sip_uri uri;

    return s.len == 0 || sip_uri_parse(s, &uri) == 0;
}

/* Read and written again, a target and a route set must be the same bytes. As with all that is
 * read here: 0, ERR_BAD_INPUT, or ERR_NOMEM, which is no damage of the row.                     */
static int same_again(struct buf *again, struct slice bytes, int err)
{
    bool same = slice_eq(buf_slice(again), bytes);

    buf_deinit(again);
    if (err == ERR_NOMEM) {
        return err;
    }
    return err || !same ? ERR_BAD_INPUT : 0;
}

static int check_target(struct slice target)
{
    struct buf again;
    struct sip_uri uri;

    if (target.len == 0) {
        return 0;
    }
    if (target.len < 2 || sip_uri_parse(sip_sub(target, 1, target.len - 1), &uri)) {
        return ERR_BAD_INPUT;
    }
    buf_init(&again, SIP_DIALOG_URI_BYTES_MAX);
    return same_again(&again, target, dialog_put_target(&again, &uri));
}

static int check_routes(struct slice routes)
{
    struct slice rest = routes;
    struct slice value;
    struct buf again;
    uint32_t count = 0;
    int err = 0;

    buf_init(&again, SIP_DIALOG_ROUTE_BYTES_MAX);
    while (!err && rest.len > 0) {
        if (++count > SIP_DIALOG_ROUTES_MAX || !slice_cut(&rest, '\n', &value)) {
            err = ERR_BAD_INPUT;
        } else {
            err = dialog_put_route(&again, value, count == 1);
        }
    }
    return same_again(&again, routes, err);
}

static int check_parts(const struct dialog_parts *parts)
{
    const struct slice *of = parts->of;
    int err;

    if (!sip_call_id_is_valid(of[DIALOG_CALL_ID]) || of[DIALOG_LOCAL_TAG].len == 0 ||
        !is_token_or_empty(of[DIALOG_LOCAL_TAG]) || !is_token_or_empty(of[DIALOG_REMOTE_TAG]) ||
        !is_token_or_empty(of[DIALOG_EVENT_ID]) || !is_uri_or_empty(of[DIALOG_LOCAL_URI]) ||
        !is_uri_or_empty(of[DIALOG_REMOTE_URI])) {
        return ERR_BAD_INPUT;
    }
    err = check_target(of[DIALOG_TARGET]);
    return err ? err : check_routes(of[DIALOG_ROUTES]);
}

static bool state_is_valid(const struct sip_dialog *d, const struct dialog_parts *parts)
{
    const struct slice *of = parts->of;
    bool is_established = (d->flags & DIALOG_ESTABLISHED) != 0;
    bool has_remote = (d->flags & DIALOG_HAS_REMOTE) != 0;

    if ((d->flags & ~DIALOG_FLAGS) != 0 || d->cseq > DIALOG_CSEQ_MAX ||
        d->remote_cseq > DIALOG_CSEQ_MAX || (!has_remote && d->remote_cseq != 0)) {
        return false;
    }
    if (is_established ? !has_remote : !(d->flags & DIALOG_UAC)) {
        return false;
    }
    /* Tag and route set come together with the target, which is all that an established dialog
     * cannot be without.                                                                        */
    return of[DIALOG_TARGET].len > 0 ||
           (!is_established && of[DIALOG_REMOTE_TAG].len == 0 && of[DIALOG_ROUTES].len == 0);
}

int sip_dialog_unpack(struct sip_dialogs *in, struct slice bytes, struct sip_dialog **out)
{
    struct sip_dialog from = {.magic = DIALOG_MAGIC, .in = in};
    struct dialog_parts parts;
    size_t len[DIALOG_PARTS];
    size_t at = 0;
    int err;

    *out = NULL;
    if (bytes.len < PACK_HEAD_BYTES || bytes.len > SIP_DIALOG_PACKED_BYTES_MAX ||
        take_uint(bytes, &at, 1) != PACK_VERSION) {
        return ERR_BAD_INPUT;
    }
    from.flags = (uint8_t)take_uint(bytes, &at, 1);
    from.cseq = take_uint(bytes, &at, 4);
    from.remote_cseq = take_uint(bytes, &at, 4);
    for (unsigned i = 0; i < DIALOG_PARTS; i++) {
        len[i] = take_uint(bytes, &at, i < DIALOG_SHORT_PARTS ? 1 : 2);
    }
    for (unsigned i = 0; i < DIALOG_PARTS; i++) {
        if (len[i] > dialog_part_max(i) || len[i] > bytes.len - at) {
            return ERR_BAD_INPUT;
        }
        parts.of[i] = sip_sub(bytes, at, at + len[i]);
        at += len[i];
    }
    if (at != bytes.len || !state_is_valid(&from, &parts)) {
        return ERR_BAD_INPUT;
    }
    err = check_parts(&parts);
    if (err) {
        return err;
    }
    *out = dialog_build(&parts, &from);
    return *out ? 0 : ERR_NOMEM;
}
