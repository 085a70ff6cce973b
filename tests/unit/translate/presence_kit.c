/* SPDX-License-Identifier: GPL-2.0-or-later */
/* presence_kit: see presence_kit.h. */
#include "presence_kit.h"

#include <stdio.h>

static char line[65536];

static void add(size_t *len, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void add(size_t *len, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(line + *len, sizeof(line) - *len, fmt, args);
    va_end(args);
    cr_assert(n >= 0 && (size_t)n < sizeof(line) - *len);
    *len += (size_t)n;
}

static void add_item(size_t *len, const struct presence_item *item)
{
    add(len, "%s%.*s:%s", *len > 0 ? "; " : "", SLICE_FMT(item->resource),
        presence_show_name(item->show));
    if (item->has_priority) {
        add(len, ",%d", item->priority);
    }
    if (item->idle_since_unix_s != 0) {
        add(len, ",i%ld", (long)(NOW - item->idle_since_unix_s));
    }
    if (item->stamp_unix_s != 0 && item->stamp_unix_s != NOW) {
        add(len, ",s%ld", (long)(NOW - item->stamp_unix_s));
    }
    for (unsigned i = 0; i < item->note_count; i++) {
        add(len, ",[%.*s]%.*s", SLICE_FMT(item->notes[i].lang), SLICE_FMT(item->notes[i].text));
    }
}

const char *state_text(const struct presence_state *state)
{
    size_t len = 0;

    line[0] = '\0';
    for (uint32_t i = 0; i < state->item_count; i++) {
        add_item(&len, &state->items[i]);
    }
    return line;
}

void expect_state(const struct presence_state *state, const char *want, const char *what)
{
    cr_assert_str_eq(state_text(state), want, "%s\nis   %s\nwant %s", what, line, want);
}

struct presence_item item_make(const char *resource, enum presence_show show)
{
    return (struct presence_item){
        .resource = slice_from_cstr(resource), .show = show, .stamp_unix_s = NOW};
}

const struct jid *bob(void)
{
    static struct jid_storage mem;
    static struct jid jid;

    cr_assert_eq(jid_parse(&mem, SLICE_LIT("bob@corp.example"), &jid), 0);
    return &jid;
}

enum pidf_why read_as(struct presence_state *state, const char *type, struct slice bytes,
                      const struct presence_state *before)
{
    static struct pidf_reader *reader;
    struct pidf_in in = {.content_type = slice_from_cstr(type ? type : PIDF_MEDIA_TYPE),
                         .bytes = bytes,
                         .presentity = bob(),
                         .before = before,
                         .now_unix_s = NOW};

    pidf_reader_free(reader);
    cr_assert_eq(pidf_reader_new(&reader), 0);
    return pidf_read(reader, state, &in);
}

enum pidf_why read_inside(struct presence_state *state, const char *inside,
                          const struct presence_state *before)
{
    static char text[200000];
    int n = snprintf(text, sizeof(text),
                     "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                     "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" "
                     "xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" "
                     "xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" "
                     "entity=\"pres:bob@corp.example\">%s</presence>\n",
                     inside);

    cr_assert(n > 0 && (size_t)n < sizeof(text));
    return read_as(state, NULL, slice_make(text, (size_t)n), before);
}

void expect_inside(const char *inside, const char *want)
{
    struct presence_state state;
    enum pidf_why why = read_inside(&state, inside, NULL);

    cr_assert_eq(why, PIDF_WHY_OK, "%s: %s", inside, pidf_why_name(why));
    expect_state(&state, want, inside);
}

const struct stanza *stanza_of(const char *xml)
{
    static const char header[] = "<stream:stream xmlns='jabber:client' version='1.0' "
                                 "xmlns:stream='http://etherx.jabber.org/streams'>";
    static struct xml_parser *p;
    static struct stanza st;
    size_t used;

    xml_parser_free(p);
    cr_assert_eq(xml_parser_new(&p, &xml_limits_authenticated), 0);
    cr_assert_eq(xml_parser_feed(p, header, sizeof(header) - 1, &used), XML_STREAM_OPEN);
    cr_assert_eq(xml_parser_feed(p, xml, strlen(xml), &used), XML_ELEMENT, "%s", xml);
    cr_assert_eq(stanza_view(&st, xml_parser_tree(p), SLICE_LIT("jabber:client"), SLICE_NONE),
                 STANZA_OK, "%s", xml);
    return &st;
}

const char *written(const struct presence_state *state, enum pidf_profile profile,
                    bool with_notes)
{
    static char text[PIDF_BYTES_MAX];
    struct pidf_out options = {
        .profile = profile, .with_notes = with_notes, .uri = SLICE_LIT("sip:bob@corp.example")};
    struct buf out;

    buf_init(&out, sizeof(text));
    pidf_write(&out, state, &options);
    cr_assert(!out.failed);
    cr_assert(slice_to_cstr(buf_slice(&out), text, sizeof(text)));
    buf_deinit(&out);
    return text;
}
