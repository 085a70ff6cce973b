/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence_checks: what must be true of every presence state, whatever it was made of. */
#ifndef FG_FUZZ_PRESENCE_CHECKS_H
#define FG_FUZZ_PRESENCE_CHECKS_H

#include "base/check.h"
#include "translate/pidf.h"
#include "xml/parser.h"

#define FUZZ_NOW INT64_C(1795176000)

static inline const struct jid *fuzz_bob(void)
{
    static struct jid_storage mem;
    static struct jid jid;

    ASSERT(jid_parse(&mem, SLICE_LIT("bob@corp.example"), &jid) == 0);
    return &jid;
}

/* One form of packed bytes, and all of the state in it. */
static inline void fuzz_check_packed(const struct presence_state *state, struct buf *out)
{
    struct presence_state back;
    struct buf again;

    ASSERT(presence_pack(out, state) == 0);
    ASSERT(presence_unpack(&back, buf_slice(out)) == 0 && presence_eq(&back, state));
    buf_init(&again, PRESENCE_PACKED_BYTES_MAX);
    ASSERT(presence_pack(&again, &back) == 0 && slice_eq(buf_slice(&again), buf_slice(out)));
    buf_deinit(&again);
}

/* Stanzas are as many well-formed elements as was said. */
static inline void fuzz_check_stanzas(const struct presence_state *before,
                                      const struct presence_state *now)
{
    static const char header[] = "<s:stream xmlns='jabber:server' version='1.0' "
                                 "xmlns:s='http://etherx.jabber.org/streams'>";
    struct presence_stanza_options options = {.from_bare = SLICE_LIT("bob@corp.example"),
                                              .to = SLICE_LIT("ann@chat.example"),
                                              .now_unix_s = FUZZ_NOW,
                                              .with_notes = true};
    struct xml_parser *p;
    struct buf out;
    size_t used, at = 0;

    buf_init(&out, 1u << 18);
    uint32_t count = presence_write_changes(&out, before, now, &options);
    ASSERT(!out.failed);
    ASSERT(xml_parser_new(&p, &xml_limits_authenticated) == 0);
    ASSERT(xml_parser_feed(p, header, sizeof(header) - 1, &used) == XML_STREAM_OPEN);
    for (uint32_t i = 0; i < count; i++) {
        struct slice rest = slice_from(buf_slice(&out), at);
        ASSERT(xml_parser_feed(p, rest.ptr, rest.len, &used) == XML_ELEMENT);
        ASSERT(xml_is(xml_parser_tree(p), 0, SLICE_LIT("presence"), SLICE_LIT("jabber:server")));
        at += used;
    }
    ASSERT(at == buf_len(&out));
    xml_parser_free(p);
    buf_deinit(&out);
}

/* Written as PIDF and read again; *back borrows from out and reader. */
static inline void fuzz_there_and_back(struct pidf_reader *reader, struct buf *out,
                                       const struct presence_state *state,
                                       enum pidf_profile profile, struct presence_state *back)
{
    struct pidf_out options = {
        .profile = profile, .with_notes = true, .uri = SLICE_LIT("sip:bob@corp.example")};
    struct pidf_in in = {.content_type = SLICE_LIT(PIDF_MEDIA_TYPE),
                         .presentity = fuzz_bob(),
                         .now_unix_s = FUZZ_NOW};

    buf_clear(out);
    pidf_write(out, state, &options);
    ASSERT(!out->failed);
    in.bytes = buf_slice(out);
    ASSERT(pidf_read(reader, back, &in) == PIDF_WHY_OK);
    ASSERT(presence_is_available(back) == presence_is_available(state));
}

static inline bool fuzz_is_even(const struct presence_state *s)
{
    unsigned with_notes = 0;

    for (uint32_t i = 0; i < s->item_count; i++) {
        with_notes += s->items[i].note_count > 0;
    }
    return with_notes == 0 || with_notes == s->item_count;
}

/* All of it where nothing is shared by tuples: a note of one stands in for missing ones. */
static inline void fuzz_check_same(const struct presence_state *a, const struct presence_state *b)
{
    ASSERT(a->item_count == b->item_count);
    for (uint32_t i = 0; i < a->item_count; i++) {
        ASSERT(slice_eq(a->items[i].resource, b->items[i].resource));
        ASSERT(a->items[i].show == b->items[i].show);
        ASSERT(a->items[i].stamp_unix_s == b->items[i].stamp_unix_s);
    }
}

/* What another document says of the same user. */
static inline void fuzz_check_merged(const struct presence_state *a,
                                     const struct presence_state *b)
{
    struct presence_state merged = *a;
    struct buf packed;

    buf_init(&packed, PRESENCE_PACKED_BYTES_MAX);
    presence_merge(&merged, b);
    fuzz_check_packed(&merged, &packed);
    for (uint32_t i = 0; i < b->item_count; i++) {
        (void)presence_apply(&merged, &b->items[i]);
    }
    buf_clear(&packed);
    fuzz_check_packed(&merged, &packed);
    fuzz_check_stanzas(a, &merged);
    buf_deinit(&packed);
}

/* Whatever the state is, what is written of it is well-formed. */
static inline void fuzz_check_written(struct pidf_reader *reader,
                                      const struct presence_state *state)
{
    struct presence_state back = {0};
    struct buf out;

    buf_init(&out, PIDF_BYTES_MAX);
    fuzz_check_stanzas(NULL, state);
    fuzz_check_stanzas(&back, state);
    fuzz_there_and_back(reader, &out, state, PIDF_PROFILE_SIMPLE, &back);
    fuzz_check_merged(state, &back);
    buf_deinit(&out);
}

#endif
