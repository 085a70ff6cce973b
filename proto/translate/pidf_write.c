/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pidf_write: a state as PIDF with RPID (RFC 3863, 4479, 4480, 8048 6.2). The prefix "rpid:" and
 * empty elements without a space are fixed: there are user agents that look for that text.      */
#include "base/ascii.h"
#include "base/check.h"
#include "base/hash.h"
#include "translate/address.h"
#include "translate/pidf_int.h"
#include "translate/rpid.h"
#include "translate/stamp.h"

#define RPID_DRAFT_NS "urn:ietf:params:xml:ns:pidf:status:rpid-status"
#define PRIORITY_MAX 127u
#define THOUSAND 1000u

/* Tuple ids have to be the same after a restart and on every node; they hide nothing, so the key is
 * no secret. */
static const struct hash_key tuple_id_key = {UINT64_C(0x7475706c652d6964),
                                             UINT64_C(0x6665646761746531)};

struct writer {
    struct xml_out out;
    struct buf *buf;
    const struct presence_state *state;
    const struct presence_item *best; /* NULL: nobody is available */
    const struct pidf_out *options;
};

unsigned pidf_priority_to_thousandths(int8_t priority)
{
    ASSERT(priority >= 0);
    return THOUSAND * (unsigned)priority / PRIORITY_MAX;
}

struct slice pidf_language(const struct presence_state *state)
{
    struct slice lang = SLICE_NONE;
    bool is_first = true;

    for (uint32_t i = 0; i < state->item_count; i++) {
        for (unsigned k = 0; k < state->items[i].note_count; k++) {
            struct slice other = state->items[i].notes[k].lang;
            if (!is_first && !slice_eq(lang, other)) {
                return SLICE_NONE;
            }
            lang = other;
            is_first = false;
        }
    }
    return lang;
}

/* ---- pieces ---- */

/* 13 characters of RFC 4648 base 32, lower case, for 64 bits. */
static void out_tuple_id(struct xml_out *o, struct slice resource)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint64_t hash = hash_bytes_keyed(tuple_id_key, resource);

    xml_out_lit(o, "ID-");
    for (unsigned i = 0; i < 13; i++) {
        xml_out_putc(o, digits[hash & 31]);
        hash >>= 5;
    }
}

static void out_priority(struct xml_out *o, int8_t priority)
{
    unsigned q = pidf_priority_to_thousandths(priority);

    if (q == 0 || q == THOUSAND) {
        xml_out_putc(o, q == 0 ? '0' : '1');
        return;
    }
    xml_out_lit(o, "0.");
    xml_out_putc(o, (char)('0' + q / 100));
    xml_out_putc(o, (char)('0' + q / 10 % 10));
    xml_out_putc(o, (char)('0' + q % 10));
}

static void out_gr(struct xml_out *o, struct slice resource)
{
    static const char hex[] = "0123456789ABCDEF";

    xml_out_lit(o, ";gr=");
    for (size_t i = 0; i < resource.len; i++) {
        char c = resource.ptr[i];

        if (address_is_gr_char(c)) {
            xml_out_text(o, slice_make(&c, 1));
        } else {
            xml_out_putc(o, '%');
            xml_out_putc(o, hex[((unsigned char)c) >> 4]);
            xml_out_putc(o, hex[c & 15]);
        }
    }
}

static void out_contact(struct writer *w, const struct presence_item *item, bool with_gruu)
{
    struct xml_out *o = &w->out;

    xml_out_lit(o, "<contact");
    if (item->has_priority && item->priority >= 0 && item->show != PRESENCE_SHOW_UNAVAILABLE) {
        xml_out_lit(o, " priority=\"");
        out_priority(o, item->priority);
        xml_out_putc(o, '"');
    }
    xml_out_putc(o, '>');
    xml_out_text(o, w->options->uri);
    if (with_gruu && item->resource.len > 0) {
        out_gr(o, item->resource);
    }
    xml_out_lit(o, "</contact>");
}

static void out_notes(struct writer *w, const struct presence_item *item, const char *name)
{
    struct xml_out *o = &w->out;

    for (unsigned i = 0; w->options->with_notes && i < item->note_count; i++) {
        xml_out_putc(o, '<');
        xml_out_put(o, slice_from_cstr(name));
        presence_out_lang(o, item->notes[i].lang);
        xml_out_putc(o, '>');
        presence_out_clean(o, item->notes[i].text);
        xml_out_lit(o, "</");
        xml_out_put(o, slice_from_cstr(name));
        xml_out_putc(o, '>');
    }
}

/* stamp_write appends to the buf itself. */
static void out_stamp(struct writer *w, int64_t unix_s)
{
    xml_out_end(&w->out);
    stamp_write(w->buf, unix_s);
    xml_out_begin(&w->out, w->buf);
}

static void out_show(struct writer *w, enum presence_show show)
{
    struct xml_out *o = &w->out;
    struct slice activity = rpid_activity_of(show);

    if (show != PRESENCE_SHOW_AVAILABLE) {
        xml_out_lit(o, "<show xmlns=\"jabber:client\">");
        xml_out_put(o, slice_from_cstr(presence_show_name(show)));
        xml_out_lit(o, "</show>");
    }
    if (w->options->profile == PIDF_PROFILE_LYNC && activity.len > 0) {
        xml_out_lit(o, "<es:activities xmlns:es=\"" RPID_DRAFT_NS "\"><es:activity>");
        xml_out_put(o, activity);
        xml_out_lit(o, "</es:activity></es:activities>");
    }
}

/* ---- tuples ---- */

/* resource: of the tuple's id. */
static void out_tuple(struct writer *w, const struct presence_item *item, struct slice resource)
{
    struct xml_out *o = &w->out;
    bool is_open = item->show != PRESENCE_SHOW_UNAVAILABLE;

    xml_out_lit(o, "<tuple id=\"");
    out_tuple_id(o, resource);
    xml_out_lit(o, "\"><status><basic>");
    if (is_open) {
        xml_out_lit(o, "open</basic>");
        out_show(w, item->show);
    } else {
        xml_out_lit(o, "closed</basic>");
    }
    xml_out_lit(o, "</status>");
    if (is_open && item->idle_since_unix_s > 0) {
        xml_out_lit(o, "<rpid:user-input last-input=\"");
        out_stamp(w, item->idle_since_unix_s);
        xml_out_lit(o, "\">idle</rpid:user-input>");
    }
    out_contact(w, item, resource.len > 0);
    out_notes(w, item, "note");
    if (item->stamp_unix_s > 0) {
        xml_out_lit(o, "<timestamp>");
        out_stamp(w, item->stamp_unix_s);
        xml_out_lit(o, "</timestamp>");
    }
    xml_out_lit(o, "</tuple>");
}

/* Of those who left last, when nobody is there any more. */
static const struct presence_item *last_left(const struct presence_state *state)
{
    const struct presence_item *last = NULL;

    for (uint32_t i = 0; i < state->item_count; i++) {
        if (!last || state->items[i].stamp_unix_s > last->stamp_unix_s) {
            last = &state->items[i];
        }
    }
    return last;
}

static void out_tuples(struct writer *w)
{
    static const struct presence_item nobody = {.show = PRESENCE_SHOW_UNAVAILABLE};
    const struct presence_item *left = last_left(w->state);

    if (w->best && w->options->profile == PIDF_PROFILE_LYNC) {
        out_tuple(w, w->best, SLICE_NONE);
        return;
    }
    if (!w->best) {
        bool is_named = left && w->options->profile == PIDF_PROFILE_SIMPLE;
        out_tuple(w, left ? left : &nobody, is_named ? left->resource : SLICE_NONE);
        return;
    }
    for (uint32_t i = 0; i < w->state->item_count; i++) {
        out_tuple(w, &w->state->items[i], w->state->items[i].resource);
    }
}

/* ---- person ---- */

/* One who is free on one device is not busy, whatever the others say (RFC 8048 6.2): activities
 * only while no resource is simply there. Who speaks for the user comes first. */
static void out_activities(struct writer *w)
{
    struct xml_out *o = &w->out;
    struct slice first = rpid_activity_of(w->best->show);
    struct slice second = SLICE_NONE;

    for (uint32_t i = 0; i < w->state->item_count && w->options->profile == PIDF_PROFILE_SIMPLE;
         i++) {
        struct slice other = rpid_activity_of(w->state->items[i].show);
        second = other.len > 0 && !slice_eq(other, first) ? other : second;
    }
    xml_out_lit(o, "<rpid:activities><rpid:");
    xml_out_put(o, first);
    if (second.len > 0) {
        xml_out_lit(o, "/><rpid:");
        xml_out_put(o, second);
    }
    xml_out_lit(o, "/></rpid:activities>");
}

static void out_person(struct writer *w)
{
    bool has_activity = w->best && rpid_activity_of(w->best->show).len > 0;
    const struct presence_item *speaker = w->best ? w->best : last_left(w->state);
    bool has_note = speaker && speaker->note_count > 0 && w->options->with_notes;

    if (!has_activity && !has_note) {
        return;
    }
    xml_out_lit(&w->out, "<dm:person id=\"person\">");
    if (has_activity) {
        out_activities(w);
    }
    if (has_note) {
        out_notes(w, speaker, "dm:note");
    }
    xml_out_lit(&w->out, "</dm:person>");
}

void pidf_write(struct buf *out, const struct presence_state *state,
                const struct pidf_out *options)
{
    struct writer w = {
        .buf = out, .state = state, .best = presence_best(state), .options = options};
    struct slice scheme;
    struct slice address = options->uri;

    /* pres: names the person, whatever he is reached by (RFC 8048 6.2). */
    if (!slice_cut(&address, ':', &scheme)) {
        address = options->uri;
    }
    xml_out_begin(&w.out, out);
    xml_out_lit(&w.out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                        "<presence xmlns=\"" PIDF_NS "\""
                        " xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\""
                        " xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"pres:");
    xml_out_value(&w.out, address);
    xml_out_lit(&w.out, "\">");
    out_tuples(&w);
    out_person(&w);
    xml_out_lit(&w.out, "</presence>");
    xml_out_end(&w.out);
}
