/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dump: events of the parser under test as comparable text. */
#include "dump.h"

#include <stdlib.h>

#define DUMP_BYTES_MAX ((size_t)8 << 20)

static void put_escaped(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c < 0x20 || c == '\\' || c == '|') {
            buf_printf(out, "\\%02x", c);
        } else {
            buf_putc(out, (char)c);
        }
    }
}

static void put_name(struct buf *out, struct slice prefix, struct slice ns, struct slice name)
{
    put_escaped(out, ns);
    buf_putc(out, '|');
    put_escaped(out, prefix);
    buf_putc(out, '|');
    put_escaped(out, name);
}

void dump_start(struct buf *out, struct slice prefix, struct slice ns, struct slice name)
{
    buf_put_lit(out, "(");
    put_name(out, prefix, ns, name);
    buf_putc(out, '\n');
}

void dump_attr(struct buf *out, struct slice prefix, struct slice ns, struct slice name,
               struct slice value)
{
    buf_put_lit(out, "A");
    put_name(out, prefix, ns, name);
    buf_putc(out, '|');
    put_escaped(out, value);
    buf_putc(out, '\n');
}

void dump_text(struct buf *out, struct slice text)
{
    buf_put_lit(out, "T");
    put_escaped(out, text);
    buf_putc(out, '\n');
}

void dump_end(struct buf *out)
{
    buf_put_lit(out, ")\n");
}

static void dump_node(struct buf *out, const struct xml_tree *t, uint32_t node)
{
    const struct xml_node *n = &t->nodes[node];

    if (n->kind == XML_NODE_TEXT) {
        dump_text(out, n->name);
        return;
    }
    dump_start(out, n->prefix, n->ns, n->name);
    for (uint32_t i = 0; i < n->attr_count; i++) {
        const struct xml_attr *a = &t->attrs[n->attr_first + i];

        dump_attr(out, a->prefix, a->ns, a->name, a->value);
    }
}

void dump_tree(struct buf *out, const struct xml_tree *t, uint32_t root, bool is_open_only)
{
    uint32_t at = root;

    dump_node(out, t, at);
    if (is_open_only) {
        return;
    }
    for (;;) {
        if (t->nodes[at].first_child != XML_NO_NODE) {
            at = t->nodes[at].first_child;
            dump_node(out, t, at);
            continue;
        }
        for (;;) {
            if (t->nodes[at].kind == XML_NODE_ELEMENT) {
                dump_end(out);
            }
            if (at == root) {
                return;
            }
            if (t->nodes[at].next_sibling != XML_NO_NODE) {
                break;
            }
            at = t->nodes[at].parent;
        }
        at = t->nodes[at].next_sibling;
        dump_node(out, t, at);
    }
}

/* Children, siblings and parents must tell one story, and document order be index order. */
static void check_links(const struct xml_tree *t)
{
    uint32_t seen = 0;

    for (uint32_t i = 0; i < t->node_count; i++) {
        const struct xml_node *n = &t->nodes[i];

        if ((n->first_child != XML_NO_NODE &&
             (n->first_child != i + 1 || t->nodes[n->first_child].parent != i)) ||
            (n->next_sibling != XML_NO_NODE &&
             (n->next_sibling <= i || t->nodes[n->next_sibling].parent != n->parent)) ||
            n->attr_first + n->attr_count > t->attr_count ||
            (n->ns_at > n->attr_count && n->ns_at != XML_NO_NS_AT)) {
            abort();
        }
        seen += n->kind == XML_NODE_ELEMENT ? n->attr_count : 0;
    }
    if (seen != t->attr_count || t->nodes[0].parent != XML_NO_NODE) {
        abort();
    }
}

static uint64_t mix(uint64_t sum, uint64_t value)
{
    return (sum ^ value) * 0x100000001b3u + 1;
}

static void take_content(struct dump_result *r, const struct xml_tree *t)
{
    for (size_t i = 0; i < t->content.len; i++) {
        r->contents = mix(r->contents, (unsigned char)t->content.ptr[i]);
    }
    r->contents = mix(r->contents, t->content.len + 256);
    for (uint32_t i = 0; i < t->node_count; i++) {
        r->contents = mix(r->contents, t->nodes[i].ns_at);
    }
    r->contents = mix(r->contents, t->has_bad_ns);
    r->canonical = mix(r->canonical, t->content_is_canonical);
    if (t->content_is_canonical) {
        r->canonical = mix(r->canonical, t->content_ns_lens);
        r->canonical = mix(r->canonical, t->root_is_canonical);
    }
}

static void take_event(struct dump_result *r, const struct xml_tree *t, enum xml_event event)
{
    r->event_count++;
    take_content(r, t);
    if (event == XML_STREAM_CLOSE) {
        r->is_closed = true;
        dump_end(&r->events);
        return;
    }
    check_links(t);
    dump_tree(&r->events, t, 0, event == XML_STREAM_OPEN);
}

/* False when the parser has had enough. */
static bool feed_piece(struct dump_result *r, struct xml_parser *p, struct slice piece)
{
    for (;;) {
        size_t consumed = 0;
        enum xml_event event = xml_parser_feed(p, piece.ptr, piece.len, &consumed);

        if (consumed > piece.len) {
            abort();
        }
        piece = slice_from(piece, consumed);
        if (event == XML_BAD) {
            r->why = xml_parser_why(p);
            r->why_text = xml_parser_why_text(p);
            return false;
        }
        if (event == XML_MORE) {
            if (piece.len) {
                abort();
            }
            return true;
        }
        take_event(r, xml_parser_tree(p), event);
    }
}

static size_t piece_len(enum dump_cuts cuts, uint64_t *seed, size_t left)
{
    size_t len = left;

    if (cuts == DUMP_BYTES) {
        len = 1;
    } else if (cuts == DUMP_RANDOM) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        len = 1 + (size_t)(*seed >> 33) % 40;
    } else if (cuts == DUMP_HALVES && *seed) {
        len = (size_t)*seed;
        *seed = 0;
    }
    return len < left ? len : left;
}

void dump_ours(struct dump_result *r, struct slice input, const struct xml_limits *limits,
               enum dump_cuts cuts, uint64_t seed)
{
    struct xml_parser *p;
    char *previous = NULL;
    bool go_on = true;

    *r = (struct dump_result){.why_text = ""};
    buf_init(&r->events, DUMP_BYTES_MAX);
    if (xml_parser_new(&p, limits) < 0) {
        abort();
    }
    while (go_on && input.len) {
        size_t len = piece_len(cuts, &seed, input.len);
        char *copy = malloc(len);

        if (!copy) {
            abort();
        }
        memcpy(copy, input.ptr, len);
        go_on = feed_piece(r, p, slice_make(copy, len));
        input = slice_from(input, len);
        free(previous);
        previous = copy;
    }
    free(previous);
    xml_parser_free(p);
    if (r->events.failed) {
        abort();
    }
}

void dump_result_deinit(struct dump_result *r)
{
    buf_deinit(&r->events);
}

bool dump_is_same(const struct dump_result *a, const struct dump_result *b)
{
    return a->why == b->why && strcmp(a->why_text, b->why_text) == 0 &&
           a->is_closed == b->is_closed && a->contents == b->contents &&
           slice_eq(buf_slice(&a->events), buf_slice(&b->events));
}
