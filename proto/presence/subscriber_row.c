/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subscriber_row: the stored form of a subscription, and its view for people.
 * Dialogs: version, state, flags, misses, last sight of the watcher (unix), count, then of each one
 * phase, activity, expiry (unix), interval, length, packed dialog. What is NASCENT is left out: a
 * NOTIFY to it will be answered 481, and a start makes a new one. Document: what is known. */
#include "presence/subscriber_int.h"

#include "base/check.h"
#include "base/slab.h"
#include "sip/write.h"

#define ROW_VERSION 1u

enum row_flag {
    ROW_OWES_SUBSCRIBED = 1,
    ROW_OWES_UNSUBSCRIBED = 2,
    ROW_IS_CUT = 4,
    ROW_WAS_TOLD = 8,
    ROW_NO_RETRY = 16, /* BACKOFF until asked */
};

/* --- pack ------------------------------------------------------------------------------------- */

static void put_u8(struct buf *out, uint32_t value)
{
    buf_putc(out, (char)(unsigned char)value);
}

static void put_u16(struct buf *out, uint32_t value)
{
    put_u8(out, value >> 8);
    put_u8(out, value & 0xffu);
}

static void put_u32(struct buf *out, uint32_t value)
{
    put_u16(out, value >> 16);
    put_u16(out, value & 0xffffu);
}

/* Times of the wheel as times of the world and back; 0 stays 0. */
static uint32_t to_unix(const struct contact *c, uint32_t at_s)
{
    int64_t unix_s = contact_now_unix_s(c) + (int64_t)at_s - (int64_t)subscriber_now_s(c);

    return at_s == 0 || unix_s <= 0 ? 0 : unix_s > UINT32_MAX ? UINT32_MAX : (uint32_t)unix_s;
}

static uint32_t from_unix(const struct contact *c, uint32_t unix_s)
{
    int64_t at_s = (int64_t)subscriber_now_s(c) + (int64_t)unix_s - contact_now_unix_s(c);

    if (unix_s == 0) {
        return 0;
    }
    return at_s < 1 ? 1 : at_s > UINT32_MAX ? UINT32_MAX : (uint32_t)at_s;
}

static bool is_stored(const struct subscriber_dialog *d)
{
    return d->phase == SUBSCRIBER_LIVE ||
           (d->phase == SUBSCRIBER_ENDING && sip_dialog_remote_tag(d->sip).len > 0);
}

static uint32_t flags_of(const struct subscriber *sub)
{
    bool no_retry = sub->state == SUBSCRIBER_BACKOFF && sub->retry_s == 0;

    return (sub->owes_subscribed ? ROW_OWES_SUBSCRIBED : 0u) |
           (sub->owes_unsubscribed ? ROW_OWES_UNSUBSCRIBED : 0u) | (sub->is_cut ? ROW_IS_CUT : 0u) |
           (sub->was_told ? ROW_WAS_TOLD : 0u) | (no_retry ? ROW_NO_RETRY : 0u);
}

static void pack_dialog(const struct contact *c, struct subscriber_dialog *d, struct buf *out)
{
    struct buf *packed = &presence_scratch(c->p)->packed;

    buf_clear(packed);
    d->cseq_packed = sip_dialog_pack(d->sip, packed);
    out->failed |= packed->failed;
    put_u8(out, d->phase);
    put_u8(out, d->is_active);
    put_u32(out, to_unix(c, d->expires_s));
    put_u32(out, d->asked_s);
    put_u16(out, (uint32_t)buf_len(packed));
    buf_put(out, buf_slice(packed));
}

void subscriber_pack(struct contact *c, struct buf *dialogs, struct buf *document)
{
    UNINITIALIZED struct presence_state known;
    uint32_t count = 0;

    for (const struct subscriber_dialog *d = c->in.dialogs; d; d = d->next) {
        count += is_stored(d);
    }
    put_u8(dialogs, ROW_VERSION);
    put_u8(dialogs, c->in.state);
    put_u8(dialogs, flags_of(&c->in));
    put_u8(dialogs, c->in.misses);
    put_u32(dialogs, to_unix(c, c->in.seen_s));
    put_u8(dialogs, count);
    for (struct subscriber_dialog *d = c->in.dialogs; d; d = d->next) {
        if (is_stored(d)) {
            pack_dialog(c, d, dialogs);
        }
    }
    if (subscriber_has_heard(c)) {
        subscriber_known(c, &known);
        document->failed |= presence_pack(document, &known) != 0;
    }
}

/* It may be used now; who would expire before his time after the start is refreshed at once. */
static bool is_pressing(const struct subscriber_dialog *d)
{
    return d->is_loaded && d->phase == SUBSCRIBER_LIVE && d->refresh_s >= d->expires_s;
}

void subscriber_stored(struct contact *c)
{
    bool is_any_pressing = false;

    for (struct subscriber_dialog *d = c->in.dialogs; d; d = d->next) {
        if (d->cseq_packed != 0) {
            sip_dialog_stored(d->sip, d->cseq_packed);
            d->cseq_packed = 0;
            if (is_pressing(d)) {
                d->refresh_s = 0;
                d->wants = true;
                is_any_pressing = true;
            }
            d->is_loaded = false;
        }
    }
    if (c->in.owes_unsubscribed || is_any_pressing) {
        subscriber_settle(c);
    }
}

/* --- unpack ----------------------------------------------------------------------------------- */

/* Reads never go beyond the end; what is missing is 0 and sets is_short. */
struct reader {
    struct slice rest;
    bool is_short;
};

static uint32_t get(struct reader *r, uint32_t bytes)
{
    uint32_t value = 0;

    if (r->rest.len < bytes) {
        r->is_short = true;
        r->rest = SLICE_NONE;
        return 0;
    }
    for (uint32_t i = 0; i < bytes; i++) {
        value = value << 8 | (unsigned char)r->rest.ptr[i];
    }
    r->rest = slice_from(r->rest, bytes);
    return value;
}

static struct slice get_bytes(struct reader *r, uint32_t len)
{
    struct slice bytes = slice_to(r->rest, len);

    r->is_short = r->is_short || bytes.len < len;
    r->rest = slice_from(r->rest, len);
    return bytes;
}

/* False: nothing that could be a dialog of ours; those before stay. */
static bool unpack_dialog(struct contact *c, struct reader *r)
{
    uint32_t phase = get(r, 1);
    bool is_active = get(r, 1) != 0;
    uint32_t expires_s = from_unix(c, get(r, 4));
    uint32_t asked_s = get(r, 4);
    uint32_t len = get(r, 2);
    struct slice bytes = get_bytes(r, len);
    struct subscriber_dialog *d;
    struct sip_dialog *sip = NULL;

    if (r->is_short || (phase != SUBSCRIBER_LIVE && phase != SUBSCRIBER_ENDING) ||
        sip_dialog_unpack(presence_dialogs(c->p), bytes, &sip)) {
        return false;
    }
    d = sip_dialog_is_uac(sip) ? subscriber_dialog_new(c, sip) : NULL;
    if (!d) {
        sip_dialog_free(sip);
        return false;
    }
    d->phase = (uint8_t)phase;
    d->is_active = is_active;
    d->expires_s = phase == SUBSCRIBER_LIVE ? expires_s : 0;
    d->asked_s = asked_s;
    d->is_loaded = true;
    if (phase == SUBSCRIBER_ENDING) {
        subscriber_dialog_wait(c, d);
    }
    return true;
}

static void unpack_document(struct contact *c, struct slice document)
{
    UNINITIALIZED struct presence_state state;

    if (document.len == 0 || document.len > PRESENCE_PACKED_BYTES_MAX ||
        presence_unpack(&state, document)) {
        return;
    }
    c->in.kept = contact_alloc(c, document.len);
    if (c->in.kept) {
        memcpy(c->in.kept, document.ptr, document.len);
        c->in.kept_len = (uint16_t)document.len;
    }
}

/* A dialog whose time has passed while we were away is over. */
static void drop_expired(struct contact *c)
{
    struct subscriber_dialog *d = c->in.dialogs;

    while (d) {
        struct subscriber_dialog *next = d->next;

        if (d->phase == SUBSCRIBER_LIVE && d->expires_s <= subscriber_now_s(c)) {
            subscriber_dialog_drop(c, d);
        }
        d = next;
    }
}

/* The state that fits the authorisation and the dialogs that are there. */
static enum subscriber_state fitting(const struct contact *c, uint32_t stored)
{
    bool has_dialog = subscriber_count(c, SUBSCRIBER_LIVE) > 0;

    if (c->state == CONTACT_DENIED || c->state == CONTACT_BLOCKED) {
        return SUBSCRIBER_DENIED;
    }
    if (stored >= SUBSCRIBER_STATE_COUNT || stored == SUBSCRIBER_DENIED) {
        stored = SUBSCRIBER_NONE;
    }
    if (stored == SUBSCRIBER_NONE && c->state != CONTACT_NONE) {
        stored = c->state == CONTACT_ASKED ? SUBSCRIBER_TRYING : SUBSCRIBER_DORMANT;
    }
    if (stored == SUBSCRIBER_PENDING || stored == SUBSCRIBER_ACTIVE) {
        return has_dialog ? (enum subscriber_state)stored : SUBSCRIBER_TRYING;
    }
    return (enum subscriber_state)stored;
}

void subscriber_unpack(struct contact *c, struct slice dialogs, struct slice document)
{
    struct reader r = {.rest = dialogs};
    struct subscriber *sub = &c->in;
    bool is_known = dialogs.len > 0 && get(&r, 1) == ROW_VERSION;
    uint32_t state = is_known ? get(&r, 1) : SUBSCRIBER_NONE;
    uint32_t flags = is_known ? get(&r, 1) : 0;
    uint32_t misses = is_known ? get(&r, 1) : 0;
    uint32_t seen_s = is_known ? from_unix(c, get(&r, 4)) : 0;
    uint32_t count = is_known ? get(&r, 1) : 0;

    for (uint32_t i = 0; i < count && i < SUBSCRIBER_DIALOGS_MAX; i++) {
        if (!unpack_dialog(c, &r)) {
            break;
        }
    }
    drop_expired(c);
    sub->misses = (uint8_t)misses;
    sub->seen_s = seen_s != 0 ? seen_s : subscriber_now_s(c);
    sub->owes_subscribed = flags & ROW_OWES_SUBSCRIBED;
    sub->owes_unsubscribed = flags & ROW_OWES_UNSUBSCRIBED;
    sub->is_cut = flags & ROW_IS_CUT;
    sub->was_told = flags & ROW_WAS_TOLD;
    unpack_document(c, document);
    subscriber_set_state(c, fitting(c, state));
    if (sub->state == SUBSCRIBER_BACKOFF) {
        sub->is_cut = false;
        sub->retry_s = flags & ROW_NO_RETRY ? 0 : subscriber_now_s(c);
    }
    if (sub->state != SUBSCRIBER_PENDING && sub->state != SUBSCRIBER_ACTIVE) {
        subscriber_end_all(c);
    }
}

/* --- figures ---------------------------------------------------------------------------------- */

static size_t block_bytes(const char *block, uint16_t len)
{
    return block ? slab_block_bytes(len) : 0;
}

void subscriber_measure(const struct contact *c, struct contact_measure *out)
{
    *out = (struct contact_measure){.bytes = block_bytes(c->in.kept, c->in.kept_len)};
    for (const struct subscriber_dialog *d = c->in.dialogs; d; d = d->next) {
        out->bytes += slab_block_bytes(sizeof(*d)) + sip_dialog_bytes(d->sip) +
                      block_bytes(d->document, d->document_len);
        out->dialogs++;
    }
}

static struct slice error_text(const struct contact *c)
{
    struct buf *text = &presence_scratch(c->p)->text;
    unsigned code = c->in.last_error;

    buf_clear(text);
    if (code == SUBSCRIBER_ERROR_NONE) {
        return SLICE_NONE;
    }
    if (code >= 100) {
        buf_printf(text, "SUBSCRIBE was answered %u %.*s", code,
                   SLICE_FMT(sip_status_phrase(code)));
    } else if (code == SUBSCRIBER_ERROR_TIMER_N) {
        buf_put_lit(text, "no NOTIFY came after SUBSCRIBE");
    } else if (code == SUBSCRIBER_ERROR_EXPIRED) {
        buf_put_lit(text, "the dialog expired");
    } else if (code == SUBSCRIBER_ERROR_STORE) {
        buf_put_lit(text, "the store did not take the grant");
    } else {
        buf_printf(text, "the notifier ended it: %.*s",
                   SLICE_FMT(sip_sub_reason_name(
                       (enum sip_sub_reason)(code - SUBSCRIBER_ERROR_TERMINATED))));
    }
    return text->failed ? SLICE_NONE : buf_slice(text);
}

void subscriber_view(const struct contact *c, struct presence_contact_view *out)
{
    UNINITIALIZED struct presence_state known;
    const struct presence_item *best;
    uint32_t last_s = 0;

    out->machine = subscriber_state_name((enum subscriber_state)c->in.state);
    out->dialog_count = 0;
    for (const struct subscriber_dialog *d = c->in.dialogs; d; d = d->next) {
        out->dialog_count += d->phase != SUBSCRIBER_ENDING;
        last_s = d->phase == SUBSCRIBER_LIVE && d->expires_s > last_s ? d->expires_s : last_s;
    }
    out->expires_unix_s = to_unix(c, last_s);
    subscriber_known(c, &known);
    best = presence_best(&known);
    out->show = presence_show_name(best ? best->show : PRESENCE_SHOW_UNAVAILABLE);
    /* Borrows from the documents, not from known. */
    out->note = best && best->note_count > 0 ? best->notes[0].text : SLICE_NONE;
    out->last_error = error_text(c);
}
