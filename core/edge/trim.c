/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trim: stanzas with less in them. */
#include "edge/trim.h"

#include "xml/writer.h"

#define NS_LAST "jabber:iq:last"

bool trim_has_note(const struct stanza *st)
{
    return xml_child(st->tree, 0, SLICE_LIT("status"), SLICE_NONE) != XML_NO_NODE;
}

static void open_stanza(struct buf *out, const struct stanza *st, const char *type,
                        struct slice from, struct slice to)
{
    buf_putc(out, '<');
    buf_put_cstr(out, stanza_kind_name(st->kind));
    xml_write_attr(out, "from", from);
    xml_write_attr(out, "to", to);
    if (st->id.len != 0) {
        xml_write_attr(out, "id", st->id);
    }
    xml_write_attr(out, "type", slice_from_cstr(type));
    buf_putc(out, '>');
}

static void close_stanza(struct buf *out, const struct stanza *st)
{
    buf_put_lit(out, "</");
    buf_put_cstr(out, stanza_kind_name(st->kind));
    buf_putc(out, '>');
}

void trim_write_error(struct buf *out, const struct stanza *st, struct slice from, struct slice to)
{
    struct stanza_error error;

    if (!stanza_read_error(st, &error)) {
        error.condition = STANZA_CONDITION_UNDEFINED_CONDITION;
    }
    open_stanza(out, st, "error", from, to);
    stanza_error_write(out, &(struct stanza_error){.condition = error.condition,
                                                   .type = error.type});
    close_stanza(out, st);
}

bool trim_is_last_activity(const struct stanza *st)
{
    return st->kind == STANZA_IQ && st->type == STANZA_TYPE_RESULT &&
           st->payload != XML_NO_NODE &&
           xml_is(st->tree, st->payload, SLICE_LIT("query"), SLICE_LIT(NS_LAST));
}

void trim_write_last_activity(struct buf *out, const struct stanza *st, struct slice from,
                              struct slice to)
{
    const struct xml_attr *seconds = xml_attr(st->tree, st->payload, SLICE_LIT("seconds"));

    open_stanza(out, st, "result", from, to);
    buf_put_lit(out, "<query xmlns=\"" NS_LAST "\"");
    if (seconds) {
        xml_write_attr(out, "seconds", seconds->value);
    }
    buf_put_lit(out, "/>");
    close_stanza(out, st);
}
