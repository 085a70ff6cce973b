/* SPDX-License-Identifier: GPL-2.0-or-later */
/* body_log: instant messages into the log. */
#include "edge/body_log.h"

#include <stdio.h>

#include "base/log.h"
#include "base/utf8.h"

#define ADDRESS_BYTES_MAX 64u
#define ESCAPE_BYTES 5u /* \xNN and its end */

size_t body_log_clean(struct slice text, char out[BODY_LOG_PART_BYTES])
{
    size_t at = 0;
    size_t used = 0;

    while (at < text.len) {
        size_t start = at;
        uint32_t c = 0;
        bool is_ok = utf8_next(text, &at, &c) && utf8_is_harmless(c);

        if (!is_ok || c == '"' || c == '\\') {
            at = start + 1; /* byte by byte */
            if (used + ESCAPE_BYTES > BODY_LOG_PART_BYTES) {
                at = start;
                break;
            }
            used += (size_t)snprintf(out + used, BODY_LOG_PART_BYTES - used,
                                     is_ok ? "\\%c" : "\\x%02x", (unsigned char)text.ptr[start]);
            continue;
        }
        if (used + (at - start) + 1 > BODY_LOG_PART_BYTES) {
            at = start;
            break;
        }
        memcpy(out + used, text.ptr + start, at - start);
        used += at - start;
    }
    out[used] = '\0';
    return at;
}

/* Without a resource, which tells nothing of who it is. */
static struct slice address_text(const struct jid *j, char mem[JID_BYTES_MAX])
{
    char *at = mem;

    if (j->local.len != 0) {
        at = mempcpy(at, j->local.ptr, j->local.len);
        *at++ = '@';
    }
    at = mempcpy(at, j->domain.ptr, j->domain.len);
    return slice_make(mem, (size_t)(at - mem));
}

/* Every one of them, whatever its language and namespace: which one will be shown is decided
 * elsewhere, and namespaces change on the way. */
static void log_bodies(const struct edge *e, enum partner_direction direction, struct slice from,
                       struct slice to, const struct xml_tree *t)
{
    uint32_t count = 0;

    for (uint32_t n = xml_child(t, 0, SLICE_LIT("body"), SLICE_NONE); n != XML_NO_NODE;
         n = xml_next_child(t, 0, n, SLICE_LIT("body"), SLICE_NONE)) {
        if (++count <= BODY_LOG_BODIES_MAX) {
            body_log_text(e, direction, from, to, xml_text(t, n));
        }
    }
    if (count > BODY_LOG_BODIES_MAX) {
        from = slice_to(from, utf8_cut(from, ADDRESS_BYTES_MAX));
        to = slice_to(to, utf8_cut(to, ADDRESS_BYTES_MAX));
        LOG_I(message_body, "dir=%s from=%s to=%s bodies=%u note=cut",
              direction == PARTNER_IN ? "in" : "out", log_quote(from).text, log_quote(to).text,
              count);
    }
}

/* Apart, so that whoever logs nothing does not pay for the addresses' memory. */
NOINLINE static void log_stanza(const struct edge *e, enum partner_direction direction,
                                const struct stanza *st)
{
    UNINITIALIZED char from[JID_BYTES_MAX];
    UNINITIALIZED char to[JID_BYTES_MAX];

    log_bodies(e, direction, address_text(&st->from, from), address_text(&st->to, to), st->tree);
}

void body_log_stanza(const struct edge *e, enum partner_direction direction,
                     const struct stanza *st)
{
    if (UNLIKELY(edge_policy(e)->gateway.log_message_bodies) && st->kind == STANZA_MESSAGE &&
        st->type != STANZA_TYPE_ERROR) {
        log_stanza(e, direction, st);
    }
}

static bool feed(struct edge *e, struct slice bytes, enum xml_event wanted)
{
    size_t consumed = 0;

    return xml_parser_feed(e->bounce_parser, bytes.ptr, bytes.len, &consumed) == wanted;
}

void body_log_message(struct edge *e, const struct jid *from, const struct jid *to,
                      struct slice stanza)
{
    static const char head[] = "<stream:stream xmlns=\"jabber:server\""
                               " xmlns:stream=\"http://etherx.jabber.org/streams\">";
    char from_mem[JID_BYTES_MAX];
    char to_mem[JID_BYTES_MAX];

    if (!edge_policy(e)->gateway.log_message_bodies) {
        return;
    }
    xml_parser_reset(e->bounce_parser);
    if (!feed(e, slice_from_cstr(head), XML_STREAM_OPEN) || !feed(e, stanza, XML_ELEMENT)) {
        return; /* no memory, or larger than any stanza may be: its answer says so */
    }
    log_bodies(e, PARTNER_OUT, address_text(from, from_mem), address_text(to, to_mem),
               xml_parser_tree(e->bounce_parser));
}

void body_log_text(const struct edge *e, enum partner_direction direction, struct slice from,
                   struct slice to, struct slice text)
{
    struct slice rest = slice_to(text, utf8_cut(text, BODY_LOG_BYTES_MAX));
    uint32_t part = 1;
    char cleaned[BODY_LOG_PART_BYTES];

    if (!edge_policy(e)->gateway.log_message_bodies) {
        return;
    }
    from = slice_to(from, utf8_cut(from, ADDRESS_BYTES_MAX));
    to = slice_to(to, utf8_cut(to, ADDRESS_BYTES_MAX));
    do {
        rest = slice_from(rest, body_log_clean(rest, cleaned));
        LOG_I(message_body, "dir=%s from=%s to=%s bytes=%zu part=%u%s text=\"%s\"",
              direction == PARTNER_IN ? "in" : "out", log_quote(from).text, log_quote(to).text,
              text.len, part,
              rest.len == 0 && text.len > BODY_LOG_BYTES_MAX ? " note=cut" : "", cleaned);
        part++;
    } while (rest.len != 0);
}
