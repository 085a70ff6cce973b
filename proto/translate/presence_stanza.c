/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence_stanza: items from and to presence stanzas (RFC 6121 4.7, XEP-0203, XEP-0319). */
#include "base/ascii.h"
#include "base/check.h"
#include "base/utf8.h"
#include "translate/presence_int.h"
#include "translate/stamp.h"

#define NS_DELAY "urn:xmpp:delay"
#define NS_IDLE "urn:xmpp:idle:1"

bool presence_is_lang(struct slice lang)
{
    if (lang.len > PRESENCE_LANG_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < lang.len; i++) {
        if (!ascii_is_alnum(lang.ptr[i]) && lang.ptr[i] != '-') {
            return false;
        }
    }
    return true;
}

void presence_note_add(struct presence_item *item, struct slice lang, struct slice text)
{
    unsigned at = 0;

    if (!presence_is_lang(lang)) {
        lang = SLICE_NONE;
    }
    if (text.len > PRESENCE_NOTE_BYTES_MAX) {
        text = slice_to(text, utf8_cut(text, PRESENCE_NOTE_BYTES_MAX));
    }
    if (text.len == 0 || item->note_count == PRESENCE_NOTES_MAX) {
        return;
    }
    while (at < item->note_count && presence_bytes_order(item->notes[at].lang, lang) < 0) {
        at++;
    }
    if (at < item->note_count && slice_eq(item->notes[at].lang, lang)) {
        return;
    }
    memmove(&item->notes[at + 1], &item->notes[at],
            (item->note_count - at) * sizeof(item->notes[0]));
    item->notes[at] = (struct presence_note){lang, text};
    item->note_count++;
}

/* ---- reading ---- */

static enum presence_show read_show(struct slice text)
{
    static const struct {
        struct slice text;
        enum presence_show show;
    } shows[] = {
        {{"chat", 4}, PRESENCE_SHOW_CHAT},
        {{"dnd", 3}, PRESENCE_SHOW_DND},
        {{"away", 4}, PRESENCE_SHOW_AWAY},
        {{"xa", 2}, PRESENCE_SHOW_XA},
    };

    text = slice_trim(text);
    for (size_t i = 0; i < ARRAY_COUNT(shows); i++) {
        if (slice_eq(text, shows[i].text)) {
            return shows[i].show;
        }
    }
    return PRESENCE_SHOW_AVAILABLE;
}

/* -128..127; anything else counts as not said (RFC 6121 4.7.2.3). */
static void read_priority(struct presence_item *item, struct slice text)
{
    bool is_negative;
    uint64_t value;

    text = slice_trim(text);
    is_negative = text.len > 0 && text.ptr[0] == '-';
    if (text.len > 0 && (is_negative || text.ptr[0] == '+')) {
        text = slice_from(text, 1);
    }
    if (slice_parse_u64(text, &value) && value <= 127u + is_negative) {
        item->has_priority = true;
        item->priority = (int8_t)(is_negative ? -(int)value : (int)value);
    }
}

/* A time ahead of ours is a clock that is wrong. */
static bool read_stamp(const struct xml_tree *t, uint32_t node, const char *attr, int64_t now,
                       int64_t *out)
{
    int64_t unix_s;

    if (stamp_parse(slice_trim(xml_attr_value(t, node, slice_from_cstr(attr))), &unix_s) ||
        unix_s <= 0) {
        return false;
    }
    *out = unix_s < now ? unix_s : now;
    return true;
}

static void read_status(struct presence_item *item, const struct stanza *st, uint32_t node)
{
    const struct xml_attr *lang = xml_lang(st->tree, node);

    presence_note_add(item, lang ? lang->value : st->lang, xml_text(st->tree, node));
}

/* One child of the stanza. */
static void read_child(struct presence_item *item, const struct stanza *st, uint32_t node,
                       int64_t now)
{
    const struct xml_tree *t = st->tree;
    const struct xml_node *n = &t->nodes[node];
    bool is_ours = slice_eq(n->ns, t->nodes[0].ns);

    if (is_ours && slice_eq(n->name, SLICE_LIT("status"))) {
        read_status(item, st, node);
    } else if (slice_eq(n->name, SLICE_LIT("delay")) && slice_eq(n->ns, SLICE_LIT(NS_DELAY))) {
        (void)read_stamp(t, node, "stamp", now, &item->stamp_unix_s);
    } else if (item->show == PRESENCE_SHOW_UNAVAILABLE) {
        return; /* the rest speaks of somebody who is there */
    } else if (is_ours && slice_eq(n->name, SLICE_LIT("show"))) {
        item->show = read_show(xml_text(t, node));
    } else if (is_ours && slice_eq(n->name, SLICE_LIT("priority"))) {
        read_priority(item, xml_text(t, node));
    } else if (slice_eq(n->name, SLICE_LIT("idle")) && slice_eq(n->ns, SLICE_LIT(NS_IDLE))) {
        (void)read_stamp(t, node, "since", now, &item->idle_since_unix_s);
    }
}

void presence_read_stanza(struct presence_item *item, const struct stanza *st, int64_t now_unix_s)
{
    uint32_t node = XML_NO_NODE;

    ASSERT(st->kind == STANZA_PRESENCE);
    ASSERT(st->type == STANZA_TYPE_AVAILABLE || st->type == STANZA_TYPE_UNAVAILABLE);
    item->resource = st->from.resource;
    item->show = st->type == STANZA_TYPE_AVAILABLE ? PRESENCE_SHOW_AVAILABLE
                                                   : PRESENCE_SHOW_UNAVAILABLE;
    item->has_priority = false;
    item->priority = 0;
    item->note_count = 0;
    item->stamp_unix_s = now_unix_s;
    item->idle_since_unix_s = 0;
    while ((node = xml_next_child(st->tree, 0, node, SLICE_NONE, SLICE_NONE)) != XML_NO_NODE) {
        read_child(item, st, node, now_unix_s);
    }
}

/* ---- writing ---- */

/* Length of what may stand in XML as it is, from at on. */
static size_t clean_len(struct slice text, size_t at)
{
    size_t from = at;

    while (at < text.len) {
        unsigned char c = (unsigned char)text.ptr[at];
        size_t next = at;
        uint32_t point;

        if (LIKELY(c >= 0x20 && c < 0x80)) {
            at++;
            continue;
        }
        if (c == '\r' || !utf8_next(text, &next, &point) || !utf8_is_xml_char(point)) {
            break;
        }
        at = next;
    }
    return at - from;
}

void presence_out_clean(struct xml_out *o, struct slice text)
{
    size_t at = 0;

    while (at < text.len) {
        size_t len = clean_len(text, at);
        uint32_t point;

        xml_out_text(o, slice_make(text.ptr + at, len));
        at += len;
        if (at == text.len) {
            break;
        }
        if (text.ptr[at] == '\r') {
            at++;
            if (at == text.len || text.ptr[at] != '\n') {
                xml_out_putc(o, '\n');
            }
        } else if (!utf8_next(text, &at, &point)) {
            at++;
            xml_out_lit(o, "\xef\xbf\xbd");
        }
    }
}

void presence_out_lang(struct xml_out *o, struct slice lang)
{
    if (lang.len > 0 && presence_is_lang(lang)) {
        xml_out_lit(o, " xml:lang=\"");
        xml_out_put(o, lang);
        xml_out_putc(o, '"');
    }
}

static void out_show(struct xml_out *o, enum presence_show show)
{
    if (show != PRESENCE_SHOW_AVAILABLE && show != PRESENCE_SHOW_UNAVAILABLE) {
        xml_out_lit(o, "<show>");
        xml_out_put(o, slice_from_cstr(presence_show_name(show)));
        xml_out_lit(o, "</show>");
    }
}

static void out_notes(struct xml_out *o, const struct presence_item *item)
{
    for (unsigned i = 0; i < item->note_count; i++) {
        xml_out_lit(o, "<status");
        presence_out_lang(o, item->notes[i].lang);
        xml_out_putc(o, '>');
        presence_out_clean(o, item->notes[i].text);
        xml_out_lit(o, "</status>");
    }
}

static void out_priority(struct xml_out *o, const struct presence_item *item)
{
    unsigned size = (unsigned)(item->priority < 0 ? -item->priority : item->priority);

    if (!item->has_priority || item->show == PRESENCE_SHOW_UNAVAILABLE) {
        return;
    }
    xml_out_lit(o, "<priority>");
    if (item->priority < 0) {
        xml_out_putc(o, '-');
    }
    if (size >= 100) {
        xml_out_putc(o, (char)('0' + size / 100));
    }
    if (size >= 10) {
        xml_out_putc(o, (char)('0' + size / 10 % 10));
    }
    xml_out_putc(o, (char)('0' + size % 10));
    xml_out_lit(o, "</priority>");
}

static void write_stamps(struct buf *out, const struct presence_item *item, int64_t now_unix_s)
{
    if (item->idle_since_unix_s > 0 && item->show != PRESENCE_SHOW_UNAVAILABLE) {
        buf_put_lit(out, "<idle xmlns=\"" NS_IDLE "\" since=\"");
        stamp_write(out, item->idle_since_unix_s);
        buf_put_lit(out, "\"/>");
    }
    if (item->stamp_unix_s > 0 && now_unix_s - item->stamp_unix_s > PRESENCE_DELAY_MIN_S) {
        buf_put_lit(out, "<delay xmlns=\"" NS_DELAY "\" stamp=\"");
        stamp_write(out, item->stamp_unix_s);
        buf_put_lit(out, "\"/>");
    }
}

void presence_write_stanza(struct buf *out, const struct presence_item *item,
                           const struct presence_stanza_options *options)
{
    struct xml_out o;

    xml_out_begin(&o, out);
    xml_out_lit(&o, "<presence from=\"");
    xml_out_value(&o, options->from_bare);
    if (item && item->resource.len > 0) {
        xml_out_putc(&o, '/');
        xml_out_value(&o, item->resource);
    }
    xml_out_lit(&o, "\" to=\"");
    xml_out_value(&o, options->to);
    xml_out_putc(&o, '"');
    if (!item || item->show == PRESENCE_SHOW_UNAVAILABLE) {
        xml_out_lit(&o, " type=\"unavailable\"");
    }
    if (!item) {
        xml_out_lit(&o, "/>");
        xml_out_end(&o);
        return;
    }
    xml_out_putc(&o, '>');
    out_show(&o, item->show);
    if (options->with_notes) {
        out_notes(&o, item);
    }
    out_priority(&o, item);
    xml_out_end(&o);
    write_stamps(out, item, options->now_unix_s);
    buf_put_lit(out, "</presence>");
}
