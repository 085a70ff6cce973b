/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ns_name_test: which namespace names the parser marks, whichever way it took them; and that what
 * is not marked can be forwarded to parsers that join namespace and local name with a character. */
#include "kit.h"

#include <expat.h>
#include <stdio.h>

#include "xml/scan.h"

static const struct xml_scan *const scans[] = {
    &xml_scan_general,
    &xml_scan_scalar,
#if defined(__x86_64__)
    &xml_scan_sse2,
#endif
    NULL, /* the best */
};

/* RFC 3986 section 2: unreserved, reserved and the percent sign. */
static bool is_of_uri(unsigned c)
{
    static const char others[] = "-._~:/?#[]@!$&'()*+,;=%";

    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr(others, (int)c)) || c >= 0x80;
}

/* The stanza, marked or not; anything else fails. */
static bool is_marked(const struct xml_scan *scan, const char *stanza)
{
    struct xml_parser *p;
    size_t used;
    bool is_bad;

    xml_scan_use(scan);
    cr_assert_eq(xml_parser_new(&p, &xml_limits_authenticated), 0);
    xml_scan_use(NULL);
    cr_assert_eq(xml_parser_feed(p, HEADER, sizeof(HEADER) - 1, &used), XML_STREAM_OPEN);
    cr_assert_eq(xml_parser_feed(p, stanza, strlen(stanza), &used), XML_ELEMENT, "%s: %s", stanza,
                 xml_parser_why_text(p));
    is_bad = xml_parser_tree(p)->has_bad_ns;
    cr_assert_eq(xml_parser_feed(p, "<a/>", 4, &used), XML_ELEMENT);
    cr_assert_not(xml_parser_tree(p)->has_bad_ns, "of the next one");
    xml_parser_free(p);
    return is_bad;
}

/* A name of len bytes with this in place at. */
static void put_name(struct buf *out, size_t len, size_t at, const char *text)
{
    for (size_t i = 0; i < len; i++) {
        if (i == at) {
            buf_put_cstr(out, text);
        } else {
            buf_putc(out, 'n');
        }
    }
}

static const char *written(unsigned c, char *mem)
{
    static const char *const escaped[256] = {['<'] = "&lt;", ['>'] = "&gt;", ['&'] = "&amp;",
                                             ['"'] = "&quot;", ['\''] = "&apos;"};

    if (escaped[c]) {
        return escaped[c];
    }
    if (c < 0x20) {
        (void)snprintf(mem, 8, "&#%u;", c);
    } else if (c < 0x80) {
        (void)snprintf(mem, 8, "%c", (int)c);
    } else {
        (void)snprintf(mem, 8, "\xc3%c", (int)(0x80 | (c & 0x3f)));
    }
    return mem;
}

static const char *const forms[][2] = {
    {"<a><b xmlns='", "'/></a>"},
    {"<a><b xmlns='", "'>text</b></a>"},
    {"<a><b c='d' xmlns=\"", "\"/></a>"},
    {"<a><p:b xmlns:p='", "'/></a>"},
    {"<a xmlns:p='", "'/>"}, /* never used */
};

/* Each character that XML has, at places on all sides of a vector's borders. */
Test(ns_name, every_character_at_every_place)
{
    static const size_t places[] = {0, 1, 14, 15, 16, 17, 30, 31, 32, 33, 47, 63, 64, 69};
    struct buf doc;
    char mem[8];

    buf_init(&doc, 4096);
    for (unsigned c = 1; c < 256; c++) {
        bool is_xml = c >= 0x20 || c == '\t' || c == '\n' || c == '\r';

        for (size_t i = 0; is_xml && i < ARRAY_COUNT(places) * ARRAY_COUNT(forms); i++) {
            const char *const *form = forms[i % ARRAY_COUNT(forms)];

            buf_clear(&doc);
            buf_put_cstr(&doc, form[0]);
            put_name(&doc, 70, places[i / ARRAY_COUNT(forms)], written(c, mem));
            buf_put_cstr(&doc, form[1]);
            buf_putc(&doc, 0);
            for (size_t s = 0; s < ARRAY_COUNT(scans); s++) {
                cr_assert_eq(is_marked(scans[s], buf_slice(&doc).ptr), !is_of_uri(c),
                             "0x%02x by %zu: %s", c, s, buf_slice(&doc).ptr);
            }
        }
    }
    buf_deinit(&doc);
}

/* What is not marked goes through namespace-aware parsers, whatever they join names with: '}' is
 * Python's, LF ejabberd's. */
Test(ns_name, forwarded_names_end_no_stream)
{
    static const char separators[] = "}\n |\t^\\{`\x01";
    struct buf doc;
    char mem[8];

    buf_init(&doc, 4096);
    for (unsigned c = 0x20; c < 256; c++) {
        buf_clear(&doc);
        buf_put_lit(&doc, "<a><b xmlns='");
        put_name(&doc, 3, 1, written(c, mem));
        buf_put_lit(&doc, "'/></a>");
        buf_putc(&doc, 0);
        if (is_marked(NULL, buf_slice(&doc).ptr)) {
            continue;
        }
        for (const char *s = separators; *s; s++) {
            XML_Parser expat = XML_ParserCreateNS(NULL, *s);

            cr_assert_not_null(expat);
            cr_assert_eq(XML_Parse(expat, buf_slice(&doc).ptr, (int)buf_len(&doc) - 1, 1),
                         XML_STATUS_OK, "separator 0x%02x: %s", *s, buf_slice(&doc).ptr);
            XML_ParserFree(expat);
        }
    }
    buf_deinit(&doc);
}

/* A stream header cannot be answered with a stanza error. */
Test(ns_name, stream_header)
{
    kit_expect_why(SLICE_LIT("<s:s xmlns:s='http://etherx.jabber.org/streams' xmlns='a}b'></s:s>"),
                   &xml_limits_authenticated, XML_WHY_NOT_WELL_FORMED);
    kit_expect_why(SLICE_LIT("<s:s xmlns:s='http://etherx.jabber.org/streams' xmlns:p='a b'>"
                             "</s:s>"),
                   &xml_limits_authenticated, XML_WHY_NOT_WELL_FORMED);
}
