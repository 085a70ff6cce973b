/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notifier_row: the notifier as bytes for the store, as a view for people, as figures. Dialogs that
 * end are not stored: all that is lost with them is a final NOTIFY. */
#include "base/check.h"
#include "base/slab.h"
#include "presence/notifier_int.h"

/* Version, then for each dialog: expiry (s since 1970), length, bytes of sip_dialog_pack. Numbers
 * are big endian. */
#define ROW_VERSION 1
#define ROW_DIALOG_BYTES 6u

void notifier_init(struct contact *c)
{
    c->out = (struct notifier){0};
}

void notifier_deinit(struct contact *c)
{
    struct notifier *n = &c->out;

    while (n->dialogs) {
        struct notifier_dialog *d = n->dialogs;

        n->dialogs = d->next;
        notifier_free_dialog(c, d);
    }
    notifier_forget_probe(c);
    notifier_forget_document(c);
}

bool notifier_is_at_rest(const struct contact *c)
{
    const struct notifier *n = &c->out;

    return n->state == NOTIFIER_NONE && !n->dialogs && n->probe_at == 0 && n->grant_at == 0;
}

/* --- pack ------------------------------------------------------------------------------------- */

static void put_number(char *out, uint32_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        out[i] = (char)(value >> (8 * (bytes - 1 - i)));
    }
}

static uint32_t get_number(const char *in, unsigned bytes)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < bytes; i++) {
        value = value << 8 | (unsigned char)in[i];
    }
    return value;
}

static void pack_dialog(const struct contact *c, struct notifier_dialog *d, struct buf *out)
{
    int64_t expires_unix_s = contact_now_unix_s(c) + notifier_left_s(c, d);
    size_t before = buf_len(out);
    char head[ROW_DIALOG_BYTES] = {0};
    size_t len;

    buf_append(out, head, sizeof(head));
    d->packed_cseq = sip_dialog_pack(d->sip, out);
    if (out->failed) {
        return;
    }
    len = buf_len(out) - before - sizeof(head);
    ASSERT(len <= SIP_DIALOG_PACKED_BYTES_MAX);
    put_number(head, (uint32_t)expires_unix_s, 4);
    put_number(head + 4, (uint32_t)len, 2);
    memcpy(out->data + out->head + before, head, sizeof(head));
}

void notifier_pack(struct contact *c, struct buf *dialogs, struct buf *document)
{
    struct notifier *n = &c->out;

    if (notifier_lasting(n) > 0) {
        buf_putc(dialogs, ROW_VERSION);
    }
    for (struct notifier_dialog *d = n->dialogs; d; d = d->next) {
        if (notifier_dialog_lasts(d)) {
            pack_dialog(c, d, dialogs);
        }
    }
    buf_append(document, n->document, n->document_len);
}

void notifier_stored(struct contact *c)
{
    bool was_held = false;

    for (struct notifier_dialog *d = c->out.dialogs; d; d = d->next) {
        if (d->packed_cseq != 0) {
            sip_dialog_stored(d->sip, d->packed_cseq);
            d->packed_cseq = 0;
            if (d->is_held) {
                was_held = true;
                d->is_held = false;
                d->retry_at = 0;
            }
        }
    }
    if (was_held) {
        notifier_run(c);
    }
}

/* --- unpack ----------------------------------------------------------------------------------- */

static void unpack_dialog(struct contact *c, uint32_t expires_unix_s, struct slice bytes)
{
    struct notifier_dialog *d = contact_alloc(c, sizeof(*d));
    struct notifier_dialog **last = &c->out.dialogs;
    int64_t left_s = (int64_t)expires_unix_s - contact_now_unix_s(c);

    if (!d || sip_dialog_unpack(presence_dialogs(c->p), bytes, &d->sip)) {
        contact_free_bytes(c, d, sizeof(*d));
        return;
    }
    if (sip_dialog_is_uac(d->sip) || left_s > (int64_t)NOTIFIER_EXPIRES_MAX_S) {
        sip_dialog_free(d->sip);
        contact_free_bytes(c, d, sizeof(*d));
        return;
    }
    d->expires_at = notifier_ahead(c, left_s > 0 ? (uint64_t)left_s * 1000 : 0);
    d->is_held = true; /* else two processes that live for a moment would use the same numbers */
    d->retry_at = notifier_ahead(c, NOTIFIER_HELD_MS);
    while (*last) {
        last = &(*last)->next;
    }
    *last = d;
}

static void unpack_dialogs(struct contact *c, struct slice bytes)
{
    if (bytes.len == 0 || bytes.ptr[0] != ROW_VERSION) {
        return;
    }
    bytes = slice_from(bytes, 1);
    for (uint32_t i = 0; i < NOTIFIER_DIALOGS_MAX && bytes.len > ROW_DIALOG_BYTES; i++) {
        uint32_t expires_unix_s = get_number(bytes.ptr, 4);
        size_t len = get_number(bytes.ptr + 4, 2);

        bytes = slice_from(bytes, ROW_DIALOG_BYTES);
        if (len > bytes.len) {
            return;
        }
        unpack_dialog(c, expires_unix_s, slice_to(bytes, len));
        bytes = slice_from(bytes, len);
    }
}

static void unpack_document(struct contact *c, struct slice bytes)
{
    struct notifier *n = &c->out;
    UNINITIALIZED struct presence_state state;

    if (bytes.len == 0 || bytes.len > PRESENCE_PACKED_BYTES_MAX ||
        presence_unpack(&state, bytes)) {
        return;
    }
    n->document = contact_alloc(c, bytes.len);
    if (!n->document) {
        return;
    }
    memcpy(n->document, bytes.ptr, bytes.len);
    n->document_len = (uint16_t)bytes.len;
    for (uint32_t i = 0; i < state.item_count; i++) {
        n->is_leaving = n->is_leaving || state.items[i].show == PRESENCE_SHOW_UNAVAILABLE;
    }
}

void notifier_unpack(struct contact *c, struct slice dialogs, struct slice document)
{
    notifier_stored_set_state(c);
    unpack_dialogs(c, dialogs);
    unpack_document(c, document);
}

/* Those that expired while nobody was here get their last NOTIFY, and the others are right again,
 * at a pace that the partners and the next hop can bear. What was stored may never have been told:
 * a NOTIFY follows in any case when the probe's answers are in. */
void notifier_loaded(struct contact *c)
{
    struct notifier *n = &c->out;
    const uint32_t *count = presence_counters(c->p)->contacts[CONTACT_OUT];
    uint64_t spread_ms = notifier_spread_ms(count[CONTACT_GRANTED] + count[CONTACT_ASKED]);
    bool has_watcher = false;

    for (struct notifier_dialog *d = n->dialogs; d; d = d->next) {
        if (notifier_left_s(c, d) == 0) {
            d->expires_at = notifier_ahead(c, 1 + presence_random(c->p) % (spread_ms + 1));
        } else {
            has_watcher = true;
        }
    }
    if (n->state == NOTIFIER_NONE || n->state == NOTIFIER_REFUSED) {
        notifier_forget_document(c);
        notifier_end_all(c, SIP_REASON_REJECTED);
    } else if (has_watcher) {
        n->is_untold = true;
        notifier_plan_probe(c, spread_ms);
    }
    if (n->dialogs) {
        contact_touch(c); /* numbers beyond what an earlier process used: reserved once more */
    }
    notifier_run(c);
}

/* --- figures ---------------------------------------------------------------------------------- */

void notifier_measure(const struct contact *c, struct contact_measure *out)
{
    const struct notifier *n = &c->out;

    for (const struct notifier_dialog *d = n->dialogs; d; d = d->next) {
        out->bytes += slab_block_bytes(sizeof(*d)) + sip_dialog_bytes(d->sip);
        out->dialogs += notifier_dialog_lasts(d);
    }
    if (n->document) {
        out->bytes += slab_block_bytes(n->document_len);
    }
    if (n->fresh) {
        out->bytes += slab_block_bytes(notifier_fresh_bytes(n));
    }
}

static const char *const state_names[] = {
#define X(name, text) text,
    NOTIFIER_STATES(X)
#undef X
};

static const char *const fault_texts[] = {
#define X(name, text) text,
    NOTIFIER_FAULTS(X)
#undef X
};

/* What the watchers are told, or were last. */
static const struct presence_item *best_of(const struct notifier *n, struct presence_state *state)
{
    if (!n->document || n->is_lost) {
        return NULL;
    }
    notifier_read_document(n, state);
    return presence_best(state);
}

void notifier_view(const struct contact *c, struct presence_contact_view *out)
{
    const struct notifier *n = &c->out;
    UNINITIALIZED struct presence_state state;
    const struct presence_item *best = best_of(n, &state);

    out->machine = state_names[n->state];
    out->dialog_count = notifier_lasting(n);
    out->expires_unix_s = 0;
    for (const struct notifier_dialog *d = n->dialogs; d; d = d->next) {
        if (notifier_left_s(c, d) > 0) {
            int64_t at = contact_now_unix_s(c) + notifier_left_s(c, d);

            out->expires_unix_s = at > out->expires_unix_s ? at : out->expires_unix_s;
        }
    }
    out->show = !n->document ? "unknown"
                             : presence_show_name(best ? best->show : PRESENCE_SHOW_UNAVAILABLE);
    out->note = best && best->note_count > 0 ? best->notes[0].text : SLICE_NONE;
    out->last_error = slice_from_cstr(fault_texts[n->fault]);
}

bool notifier_sees_available(const struct contact *c)
{
    UNINITIALIZED struct presence_state state;

    return c->direction == CONTACT_OUT && c->out.state == NOTIFIER_GRANTED &&
           best_of(&c->out, &state) != NULL;
}
