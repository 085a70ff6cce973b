/* SPDX-License-Identifier: GPL-2.0-or-later */
/* row: contacts to and from their durable form. Dialogs and documents are opaque to the store and
 * wear an envelope here: version, checksum, bytes of the machine. A blob of another version or with
 * a wrong checksum is dropped, and the machine starts without a dialog or a document; who may watch
 * whom stands in columns of their own. */
#include "base/check.h"
#include "base/err.h"
#include "base/hash.h"
#include "presence/table.h"

#define ENVELOPE_VERSION 1u
#define CHECKSUM_BYTES   8u
#define ENVELOPE_BYTES   (1 + CHECKSUM_BYTES)

/* Against damage, not against malice: the key is no secret and the same in every process. */
static uint64_t checksum(struct slice bytes)
{
    return hash_bytes_keyed((struct hash_key){.k0 = 0x66656467617465u, .k1 = ENVELOPE_VERSION},
                            bytes);
}

static struct slice seal(struct buf *out, const struct buf *payload)
{
    uint64_t sum = checksum(buf_slice(payload));

    buf_clear(out);
    if (payload->failed || buf_len(payload) == 0) {
        return SLICE_NONE;
    }
    buf_putc(out, ENVELOPE_VERSION);
    for (uint32_t i = 0; i < CHECKSUM_BYTES; i++) {
        buf_putc(out, (char)(unsigned char)(sum >> (8 * i)));
    }
    buf_put(out, buf_slice(payload));
    return out->failed ? SLICE_NONE : buf_slice(out);
}

static struct slice unseal(struct slice bytes)
{
    struct slice payload = slice_from(bytes, ENVELOPE_BYTES);
    uint64_t sum = 0;

    if (bytes.len <= ENVELOPE_BYTES || (unsigned char)bytes.ptr[0] != ENVELOPE_VERSION) {
        return SLICE_NONE;
    }
    for (uint32_t i = 0; i < CHECKSUM_BYTES; i++) {
        sum |= (uint64_t)(unsigned char)bytes.ptr[1 + i] << (8 * i);
    }
    return sum == checksum(payload) ? payload : SLICE_NONE;
}

void row_pack(struct contact *c, struct slice *dialogs, struct slice *document)
{
    struct presence *p = c->p;

    buf_clear(&p->packed_dialogs);
    buf_clear(&p->packed_document);
    if (c->direction == CONTACT_IN) {
        subscriber_pack(c, &p->packed_dialogs, &p->packed_document);
    } else {
        notifier_pack(c, &p->packed_dialogs, &p->packed_document);
    }
    *dialogs = seal(&p->dialogs, &p->packed_dialogs);
    *document = seal(&p->document, &p->packed_document);
}

static bool is_normal(const struct presence_row *row)
{
    char normal[JID_PART_BYTES_MAX] UNINITIALIZED;
    const struct slice users[] = {row->pair.local_user, row->pair.remote_user};
    size_t len;

    for (size_t i = 0; i < ARRAY_COUNT(users); i++) {
        if (jid_local_normalise(users[i], normal, &len) ||
            !slice_eq(slice_make(normal, len), users[i])) {
            return false;
        }
    }
    return true; /* domains: table.c, once for each */
}

static bool makes_sense(const struct presence_row *row)
{
    return (unsigned)row->direction < CONTACT_DIRECTIONS &&
           (unsigned)row->state < CONTACT_STATE_COUNT && (unsigned)row->asker <= CONTACT_BY_ADMIN &&
           !row->is_deleted && is_normal(row);
}

static uint32_t clamp_time(int64_t unix_s)
{
    return unix_s < 0 ? 0 : unix_s > UINT32_MAX ? UINT32_MAX : (uint32_t)unix_s;
}

int presence_load(struct presence *p, const struct presence_row *row)
{
    struct contact *c;
    int err;

    presence_check(p);
    if (!makes_sense(row) || contact_find(p, row->direction, &row->pair)) {
        return ERR_BAD_INPUT;
    }
    err = contact_get(p, row->direction, &row->pair, &c);
    if (err) {
        return err;
    }
    contact_raw_set_state(c, row->state);
    c->asker = (uint8_t)row->asker;
    c->asked_unix_s = clamp_time(row->asked_unix_s);
    c->changed_unix_s = clamp_time(row->changed_unix_s);
    c->has_row = true;
    if (c->direction == CONTACT_IN) {
        subscriber_unpack(c, unseal(row->dialogs), unseal(row->document));
    } else {
        notifier_unpack(c, unseal(row->dialogs), unseal(row->document));
    }
    contact_measure_now(c);
    return 0;
}
