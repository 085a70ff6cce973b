/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence_pack: a state as few bytes.
 *
 *   state    version, number of items, items in order
 *   item     head (show 3 bits, has priority 1, notes 3, has idle 1 from the lowest bit up),
 *            [priority], stamp, [idle], resource, notes
 *   note     language, text
 *   text     length, bytes;  length, stamp: LEB128, shortest form
 *
 * There is one form of everything, so that equal states are equal bytes.                       */
#include "base/ascii.h"
#include "base/err.h"
#include "base/utf8.h"
#include "translate/presence_int.h"

#define PACK_VERSION 1u
#define HEAD_SHOW 0x07u
#define HEAD_PRIORITY 0x08u
#define HEAD_NOTES_SHIFT 4u
#define HEAD_NOTES 0x07u
#define HEAD_IDLE 0x80u
#define VARINT_BYTES_MAX 10u
#define STAMP_END_S INT64_C(253402300799) /* year 9999, as stamp.h */

STATIC_ASSERT(PRESENCE_SHOW_COUNT <= HEAD_SHOW + 1, "show has three bits");
STATIC_ASSERT(PRESENCE_NOTES_MAX <= HEAD_NOTES, "so has the number of notes");

static int64_t bounded_stamp(int64_t unix_s)
{
    return unix_s < 0 ? 0 : unix_s > STAMP_END_S ? STAMP_END_S : unix_s;
}

/* ---- size ---- */

static size_t varint_bytes(uint64_t value)
{
    size_t len = 1;

    while (value >= 0x80) {
        value >>= 7;
        len++;
    }
    return len;
}

static size_t text_bytes(struct slice text)
{
    return varint_bytes(text.len) + text.len;
}

static size_t item_bytes(const struct presence_item *item)
{
    int64_t idle = bounded_stamp(item->idle_since_unix_s);
    size_t len = 1u + (item->has_priority ? 1u : 0u) +
                 varint_bytes((uint64_t)bounded_stamp(item->stamp_unix_s)) +
                 (idle ? varint_bytes((uint64_t)idle) : 0) + text_bytes(item->resource);

    for (unsigned i = 0; i < item->note_count; i++) {
        len += text_bytes(item->notes[i].lang) + text_bytes(item->notes[i].text);
    }
    return len;
}

size_t presence_packed_bytes(const struct presence_state *state)
{
    size_t len = 1;

    if (state->item_count > 0) {
        len++;
    }
    for (uint32_t i = 0; i < state->item_count; i++) {
        len += item_bytes(&state->items[i]);
    }
    return len;
}

/* ---- out ---- */

static char *put_varint(char *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (char)(value | 0x80);
        value >>= 7;
    }
    *at++ = (char)value;
    return at;
}

static char *put_text(char *at, struct slice text)
{
    at = put_varint(at, text.len);
    if (text.len > 0) {
        memcpy(at, text.ptr, text.len);
    }
    return at + text.len;
}

static char *put_item(char *at, const struct presence_item *item)
{
    int64_t idle = bounded_stamp(item->idle_since_unix_s);
    unsigned head = (unsigned)item->show | (unsigned)item->note_count << HEAD_NOTES_SHIFT;

    head |= item->has_priority ? HEAD_PRIORITY : 0;
    head |= idle ? HEAD_IDLE : 0;
    *at++ = (char)head;
    if (item->has_priority) {
        *at++ = (char)item->priority;
    }
    at = put_varint(at, (uint64_t)bounded_stamp(item->stamp_unix_s));
    if (idle) {
        at = put_varint(at, (uint64_t)idle);
    }
    at = put_text(at, item->resource);
    for (unsigned i = 0; i < item->note_count; i++) {
        at = put_text(at, item->notes[i].lang);
        at = put_text(at, item->notes[i].text);
    }
    return at;
}

int presence_pack(struct buf *out, const struct presence_state *state)
{
    size_t len = presence_packed_bytes(state);

    if (len > PRESENCE_PACKED_BYTES_MAX || len > buf_room(out)) {
        return ERR_LIMIT;
    }
    char *start = buf_reserve(out, len);
    if (!start) {
        return ERR_NOMEM;
    }
    char *at = start;
    *at++ = (char)PACK_VERSION;
    if (state->item_count > 0) {
        *at++ = (char)state->item_count;
    }
    for (uint32_t i = 0; i < state->item_count; i++) {
        at = put_item(at, &state->items[i]);
    }
    buf_commit(out, (size_t)(at - start));
    return 0;
}

/* ---- in ---- */

/* The first fault empties the rest and sticks. */
struct cursor {
    struct slice rest;
    bool failed;
};

static unsigned take_byte(struct cursor *c)
{
    if (c->rest.len == 0) {
        c->failed = true;
        return 0;
    }
    unsigned byte = (unsigned char)c->rest.ptr[0];
    c->rest = slice_from(c->rest, 1);
    return byte;
}

static uint64_t take_varint(struct cursor *c)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < VARINT_BYTES_MAX; i++) {
        unsigned byte = take_byte(c);

        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            /* Shortest form: the last byte says something, unless it is the only one. */
            c->failed |= i > 0 && byte == 0;
            return value;
        }
    }
    c->failed = true;
    return 0;
}

static int64_t take_stamp(struct cursor *c)
{
    uint64_t value = take_varint(c);

    if (value > (uint64_t)STAMP_END_S) {
        c->failed = true;
        return 0;
    }
    return (int64_t)value;
}

static bool is_xml_text(struct slice text)
{
    size_t at = 0;
    uint32_t point;

    while (at < text.len) {
        unsigned char c = (unsigned char)text.ptr[at];

        if (LIKELY(c >= 0x20 && c < 0x80)) {
            at++;
        } else if (!utf8_next(text, &at, &point) || !utf8_is_xml_char(point)) {
            return false;
        }
    }
    return true;
}

static struct slice take_text(struct cursor *c, size_t bytes_max)
{
    uint64_t len = take_varint(c);

    if (c->failed || len > bytes_max || len > c->rest.len) {
        c->failed = true;
        return SLICE_NONE;
    }
    struct slice text = slice_to(c->rest, (size_t)len);
    c->rest = slice_from(c->rest, (size_t)len);
    c->failed |= !is_xml_text(text);
    return text;
}

static void take_notes(struct cursor *c, struct presence_item *item, unsigned count)
{
    c->failed |= count > PRESENCE_NOTES_MAX;
    for (unsigned i = 0; i < count && !c->failed; i++) {
        struct presence_note *note = &item->notes[i];

        note->lang = take_text(c, PRESENCE_LANG_BYTES_MAX);
        note->text = take_text(c, PRESENCE_NOTE_BYTES_MAX);
        c->failed |= note->text.len == 0 || !presence_is_lang(note->lang);
        c->failed |= i > 0 && presence_bytes_order(note[-1].lang, note->lang) >= 0;
        item->note_count++;
    }
}

static void take_item(struct cursor *c, struct presence_item *item)
{
    unsigned head = take_byte(c);

    item->show = (enum presence_show)(head & HEAD_SHOW);
    c->failed |= item->show >= PRESENCE_SHOW_COUNT;
    item->has_priority = (head & HEAD_PRIORITY) != 0;
    item->priority = item->has_priority ? (int8_t)take_byte(c) : 0;
    item->note_count = 0;
    item->stamp_unix_s = take_stamp(c);
    item->idle_since_unix_s = head & HEAD_IDLE ? take_stamp(c) : 0;
    c->failed |= head & HEAD_IDLE && item->idle_since_unix_s == 0;
    item->resource = take_text(c, JID_PART_BYTES_MAX);
    take_notes(c, item, head >> HEAD_NOTES_SHIFT & HEAD_NOTES);
}

int presence_unpack(struct presence_state *state, struct slice packed)
{
    struct cursor c = {packed, packed.len > PRESENCE_PACKED_BYTES_MAX};

    presence_clear(state);
    if (packed.len == 0) {
        return 0;
    }
    c.failed |= take_byte(&c) != PACK_VERSION;
    unsigned count = c.rest.len > 0 ? take_byte(&c) : 0;
    c.failed |= count > PRESENCE_ITEMS_MAX || (packed.len > 1 && count == 0);
    for (unsigned i = 0; i < count && !c.failed; i++) {
        struct presence_item *item = &state->items[i];

        take_item(&c, item);
        c.failed |= i > 0 && presence_bytes_order(item[-1].resource, item->resource) >= 0;
        state->item_count++;
    }
    if (c.failed || c.rest.len > 0) {
        presence_clear(state);
        return ERR_BAD_INPUT;
    }
    return 0;
}
