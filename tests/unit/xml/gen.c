/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gen: grammar-based generator. Namespaces: the header binds the prefixes p0..p2, so that every
 * element may use them; elements may bind p0..p4 and the default anew, and use what they bind.  */
#include "gen.h"

#include <stdio.h>

#define DEPTH_MAX 6u

struct gen {
    struct buf *out;
    uint64_t state;
    bool wild; /* take wrong turns now and then */
};

static uint32_t roll(struct gen *g, uint32_t below)
{
    g->state ^= g->state << 13;
    g->state ^= g->state >> 7;
    g->state ^= g->state << 17;
    return (uint32_t)((g->state * 2685821657736338717u) >> 33) % below;
}

/* One of a list of string literals. */
#define PICK(g, list) ((list)[roll((g), ARRAY_COUNT(list))])

static bool wrong_turn(struct gen *g)
{
    return g->wild && roll(g, 60) == 0;
}

static const char *const names[] = {
    "message",
    "presence",
    "iq",
    "body",
    "x",
    "a",
    "b",
    "c",
    "query",
    "thread",
    "_",
    "A-1.b",
    "xmlfoo",
    "\xc3\xa9t\xc3\xa9",
    "\xd0\xbf\xd1\x80\xd0\xb8",
    "\xe4\xb8\xad",
    "n\xcc\x81",
};
static const char *const bad_names[] = {
    "1a",
    "-a",
    ".",
    "a:b:c",
    ":a",
    "a:",
    "\xc2\xb7",
    "a\xf0\x90\x80\x80",
    "a\xc3",
    "a!",
    "p9:a",
    "xmlns:a",
    "a\xe2\x82\xac",
    "p0:1",
    "xml:a",
    "p0:-",
    "",
};
static const char *const uris[] = {
    "jabber:server",
    "jabber:client",
    "urn:x",
    "http://a/?b=c&amp;d",
    "u&#x20;v",
    " ",
    "urn:\xc3\xa9",
    "a}b",
    "&#10;",
    "\t",
    "urn:xmpp:forward:0",
};
static const char *const bad_uris[] = {
    "", "http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2000/xmlns/", "a<b", "&#0;",
};
static const char *const values[] = {
    "",
    "juliet@fabrikam.test/balcony",
    "&lt;",
    "&amp;amp;",
    "&#65;",
    "&#x1F600;",
    "a  b",
    "\t\r\n",
    "\r",
    "\n\n",
    "&#9;&#10;&#13;",
    "\xf0\x9f\x98\x80",
    "\xe2\x82\xac",
    ">",
    "]]>",
    "&apos;&quot;",
    "\xef\xbf\xbd",
    "\xed\x9f\xbf",
    "\xee\x80\x80",
    "\x7f\xc2\x80",
    "&#0000000000000000038;",
    "\xf4\x8f\xbf\xbf",
    "\xef\xbb\xbf",
};
static const char *const texts[] = {
    "hello",
    " ",
    "\r\n",
    "\r",
    "]",
    "]]",
    "] ]>",
    "]]&gt;",
    "a>",
    "&lt;b&gt;",
    "&#13;",
    "&#x10FFFF;",
    "Wherefore art thou, Romeo? Deny thy father and refuse thy name;",
    "\xc3\xa9\xc3\xa8\xc3\xa0",
    "\xe4\xb8\xad\xe6\x96\x87",
    "'\"",
    "<![CDATA[]]>",
    "<![CDATA[<a>&amp;]]>",
    "<![CDATA[]]]]>",
    "<![CDATA[\r\n]]>",
    "<![CDATA[]]]>",
    "\t",
    "&amp;",
    "\xf0\x9f\x98\x80",
    "<![CDATA[>]]]]><![CDATA[>]]>",
};
static const char *const bad_pieces[] = {
    "<!-- c -->",
    "<?pi d?>",
    "<?xml version='1.0'?>",
    "<!DOCTYPE a>",
    "&nbsp;",
    "&",
    "&;",
    "&#;",
    "&#x;",
    "&#xD800;",
    "&#xFFFE;",
    "&#1;",
    "&#x110000;",
    "&#-1;",
    "]]>",
    "\x01",
    "\x1f",
    "\xc0\x80",
    "\xed\xa0\x80",
    "\xef\xbf\xbe",
    "\xf4\x90\x80\x80",
    "\x80",
    "\xc3",
    "\xe2\x82",
    "<",
    "</",
    "<a",
    "</a>",
    "<a b=c>",
    "<a b>",
    "<a b='1'c='2'/>",
    "<a/ >",
    "< a/>",
    "<a b='&lt'/>",
    "<![CDATA[",
    "<!",
    "<![cdata[x]]>",
    "\xef\xbf\xbf",
    "&#X41;",
    "&lt",
    "& lt;",
    "<a b='<'/>",
    "<a b=\"'/>",
    "=",
    "&#4294967361;",
    "\xf0\x8f\xbf\xbf",
    "\xe0\x9f\xbf",
    "\xff",
    "&#99999999999999999999;",
    "\0x",
    "<xml:a/>",
    "<a xml:lang='x'/>",
    "<a xmlns:xml='urn:x'/>",
    "<a xmlns:p0=''/>",
    "<a xmlns:xmlns='urn:y'/>",
    "<p1:a p1:b='' p2:b=''/>",
    "<a xmlns:q='urn:p1' q:b='' p1:b=''/>",
    "<a b='' b=''/>",
    "<a xmlns='' xmlns='u'/>",
    "<a p9:b=''/>",
    "<a\nb\t=\r'1'  />",
    "<a></a >",
    "<a></ a>",
    "<a></b>",
    "<a></aa>",
    "<aa></a>",
    "<p0:a></p1:a>",
    "<p0:a></a>",
};

static void put_bad(struct gen *g)
{
    uint32_t at = roll(g, ARRAY_COUNT(bad_pieces));

    if (bad_pieces[at][0] == 0) {
        buf_putc(g->out, 0);
    } else {
        buf_put_cstr(g->out, bad_pieces[at]);
    }
}

static void put_space(struct gen *g)
{
    static const char *const spaces[] = {" ", "  ", "\n", "\t", "\r\n"};

    buf_put_cstr(g->out, roll(g, 6) ? " " : PICK(g, spaces));
}

static void put_value(struct gen *g, bool is_uri)
{
    char quote = roll(g, 2) ? '"' : '\'';
    uint32_t count = is_uri ? 1 : roll(g, 4);

    if (roll(g, 8) == 0) {
        put_space(g);
    }
    buf_putc(g->out, '=');
    if (roll(g, 8) == 0) {
        put_space(g);
    }
    buf_putc(g->out, quote);
    for (uint32_t i = 0; i < count; i++) {
        if (is_uri) {
            buf_put_cstr(g->out, wrong_turn(g) ? PICK(g, bad_uris) : PICK(g, uris));
        } else if (wrong_turn(g)) {
            put_bad(g);
        } else {
            buf_put_cstr(g->out, PICK(g, values));
        }
    }
    buf_putc(g->out, wrong_turn(g) ? '"' : quote);
}

/* Attributes get distinct names by their number, whatever their prefixes mean. */
static void put_attrs(struct gen *g, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = wrong_turn(g) ? roll(g, 2) : i;
        uint32_t prefix = roll(g, 8);

        if (!wrong_turn(g)) {
            put_space(g);
        }
        if (prefix < 3) {
            buf_printf(g->out, "p%u:", prefix);
        }
        if (prefix == 3 && i == 0) {
            buf_put_lit(g->out, "xml:lang");
        } else {
            buf_put_cstr(g->out, wrong_turn(g) ? PICK(g, bad_names) : PICK(g, names));
            buf_printf(g->out, "%u", number);
        }
        put_value(g, false);
    }
}

static void put_declarations(struct gen *g)
{
    uint32_t bits = roll(g, 4) ? 0 : roll(g, 64);

    for (uint32_t i = 0; i < 5; i++) {
        if (bits & (1u << i)) {
            put_space(g);
            buf_printf(g->out, "xmlns:p%u", wrong_turn(g) ? 0 : i);
            put_value(g, true);
        }
    }
    if (bits & 32) {
        buf_put_lit(g->out, " xmlns");
        if (roll(g, 3)) {
            put_value(g, true);
        } else {
            buf_put_lit(g->out, "=''");
        }
    }
}

static void put_space_maybe(struct gen *g)
{
    if (roll(g, 6) == 0) {
        put_space(g);
    }
}

static void put_element(struct gen *g, uint32_t depth);

static void put_content(struct gen *g, uint32_t depth)
{
    uint32_t count = roll(g, 5);

    for (uint32_t i = 0; i < count; i++) {
        if (wrong_turn(g)) {
            put_bad(g);
        } else if (depth < DEPTH_MAX && roll(g, 3) == 0) {
            put_element(g, depth + 1);
        } else {
            buf_put_cstr(g->out, PICK(g, texts));
        }
    }
}

/* Bounded by DEPTH_MAX; a generator for tests, not a parser of input. */
static void put_element(struct gen *g, uint32_t depth)
{
    const char *name = wrong_turn(g) ? PICK(g, bad_names) : PICK(g, names);
    uint32_t prefix = roll(g, 6);
    char full[64];

    if (prefix < 3) {
        (void)snprintf(full, sizeof(full), "p%u:%s", prefix, name);
    } else {
        (void)snprintf(full, sizeof(full), "%s", name);
    }
    buf_putc(g->out, '<');
    buf_put_cstr(g->out, full);
    put_declarations(g);
    put_attrs(g, roll(g, 4));
    put_space_maybe(g);
    if (roll(g, 5) == 0) {
        buf_put_lit(g->out, "/>");
        return;
    }
    buf_putc(g->out, '>');
    put_content(g, depth);
    buf_put_lit(g->out, "</");
    buf_put_cstr(g->out, wrong_turn(g) ? PICK(g, names) : full);
    put_space_maybe(g);
    buf_putc(g->out, '>');
}

static void put_prolog(struct gen *g)
{
    static const char *const fine[] = {
        "",
        "",
        "<?xml version='1.0'?>",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
        "<?xml version='1.0' encoding='utf-8' standalone='yes' ?>",
        "\r\n ",
        "<?xml\tversion = '1.0'\nencoding\r=\t'Utf-8'?>",
    };
    static const char *const bad[] = {
        "\xef\xbb\xbf",
        "<?xml version='1.1'?>",
        "<?xml version='1.0' encoding='utf-7'?>",
        "<?xml version='1.0' encoding='iso-8859-1'?>",
        "<?xml version='1.0' standalone='no'?>",
        "<?xml encoding='UTF-8'?>",
        "<?xml version='1.0' standalone='yes' encoding='UTF-8'?>",
        " <?xml version='1.0'?>",
        "<?xml version='1.0'?><?xml version='1.0'?>",
        "<?xml?>",
        "<?xml ?>",
        "<?xml version='1.0' encoding='UTF-8' encoding='UTF-8'?>",
        "<?xml version='1.0'>",
        "x",
        "<?xmlversion='1.0'?>",
        "<!DOCTYPE stream>",
        "<!-- c -->",
        "&#32;",
        "<?xml version=1.0?>",
        "<?xml version='1.0'encoding='UTF-8'?>",
        "<?xml-style a?>",
        "<?XML version='1.0'?>",
        "<?xml version='1.0' foo='bar'?>",
        "<?xml version='1.0' standalone='maybe'?>",
    };

    buf_put_cstr(g->out, g->wild && roll(g, 6) == 0 ? PICK(g, bad) : PICK(g, fine));
}

static void put_document(struct gen *g)
{
    uint32_t count = roll(g, 5);

    put_prolog(g);
    buf_put_lit(g->out,
                "<stream:stream xmlns='jabber:server' xmlns:p0=\"urn:p0\" xmlns:p1='urn:p1' "
                "xmlns:p2='urn:p2' xmlns:stream='http://etherx.jabber.org/streams'");
    put_attrs(g, roll(g, 5));
    if (g->wild && roll(g, 16) == 0) {
        buf_put_lit(g->out, " xmlns:odd");
        put_value(g, true);
    }
    buf_putc(g->out, '>');
    for (uint32_t i = 0; i < count; i++) {
        if (wrong_turn(g)) {
            put_bad(g);
        }
        put_element(g, 1);
        if (roll(g, 3) == 0) {
            put_space(g);
        }
    }
    if (!wrong_turn(g)) {
        buf_put_lit(g->out, "</stream:stream>");
    }
    put_space_maybe(g);
    if (wrong_turn(g)) {
        put_bad(g);
    }
}

static struct gen gen_init(struct buf *out, uint64_t seed, bool wild)
{
    struct gen g = {.out = out, .state = (seed + 1) * 0x9e3779b97f4a7c15u, .wild = wild};

    (void)roll(&g, 2);
    return g;
}

void gen_valid(struct buf *out, uint64_t seed)
{
    struct gen g = gen_init(out, seed, false);

    put_document(&g);
}

void gen_wild(struct buf *out, uint64_t seed)
{
    struct gen g = gen_init(out, seed, true);

    put_document(&g);
}

void gen_mutate(struct buf *out, struct slice doc, uint64_t seed)
{
    struct gen g = gen_init(out, seed ^ 0x5bd1e995u, true);
    uint32_t count = 1 + roll(&g, 3);

    for (uint32_t i = 0; i < count && doc.len; i++) {
        size_t at = roll(&g, (uint32_t)doc.len);
        size_t skip = 0;

        buf_append(out, doc.ptr, at);
        switch (roll(&g, 6)) {
        case 0:
            buf_putc(out, (char)(doc.ptr[at] ^ (1 << roll(&g, 8))));
            skip = 1;
            break;
        case 1:
            skip = 1 + roll(&g, 8);
            break;
        case 2:
            put_bad(&g);
            break;
        case 3:
            buf_putc(out, "<>&'\"/=:]![; \r"[roll(&g, 14)]);
            break;
        case 4:
            buf_put(out, slice_to(slice_from(doc, roll(&g, (uint32_t)doc.len)), roll(&g, 30)));
            break;
        default:
            buf_putc(out, (char)roll(&g, 256));
            skip = roll(&g, 2);
            break;
        }
        doc = slice_from(doc, at + skip);
    }
    buf_put(out, doc);
}
