/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block_read: parsing what was serialised here. */
#include "edge/block_read.h"

#include <stdio.h>

static const char *const kind_names[] = {"message", "presence", "iq"};

static bool feed(struct edge *e, struct slice bytes, enum xml_event wanted)
{
    size_t consumed = 0;

    return xml_parser_feed(e->bounce_parser, bytes.ptr, bytes.len, &consumed) == wanted;
}

static bool begin(struct edge *e, const struct block *b)
{
    static const char server_head[] =
        "<stream:stream xmlns=\"jabber:server\""
        " xmlns:stream=\"http://etherx.jabber.org/streams\">";
    static const char component_head[] =
        "<stream:stream xmlns=\"jabber:component:accept\""
        " xmlns:stream=\"http://etherx.jabber.org/streams\">";
    bool to_partner = b->direction == BLOCK_TO_PARTNER;

    xml_parser_reset(e->bounce_parser);
    return b->kind <= STANZA_IQ &&
           feed(e, slice_from_cstr(to_partner ? server_head : component_head), XML_STREAM_OPEN);
}

/* As an element without content. */
static bool read_start(struct edge *e, const struct block *b)
{
    struct slice bytes = block_bytes(b);
    ptrdiff_t end = slice_find(bytes, '>'); /* none inside: values are written escaped */
    char close_tag[16];
    int len;

    if (end < 1 || !begin(e, b)) {
        return false;
    }
    bytes = slice_to(bytes, (size_t)end + 1);
    if (bytes.ptr[end - 1] == '/') {
        return feed(e, bytes, XML_ELEMENT);
    }
    len = snprintf(close_tag, sizeof(close_tag), "</%s>", kind_names[b->kind]);
    return feed(e, bytes, XML_MORE) && feed(e, slice_make(close_tag, (size_t)len), XML_ELEMENT);
}

static const struct stanza *view(struct edge *e, const struct block *b)
{
    static _Thread_local struct stanza st; /* 6 KB of addresses; one block at a time per shard */
    enum stanza_fault fault = stanza_view(
        &st, xml_parser_tree(e->bounce_parser),
        b->direction == BLOCK_TO_PARTNER ? SLICE_LIT("jabber:server") : SLICE_LIT(COMPONENT_NS),
        SLICE_NONE);

    return fault == STANZA_OK || fault == STANZA_FAULT_IQ_CHILDREN ? &st : NULL;
}

const struct stanza *block_read_start(struct edge *e, const struct block *b)
{
    return read_start(e, b) ? view(e, b) : NULL;
}

const struct stanza *block_read_whole(struct edge *e, const struct block *b)
{
    return begin(e, b) && feed(e, block_bytes(b), XML_ELEMENT) ? view(e, b) : NULL;
}
