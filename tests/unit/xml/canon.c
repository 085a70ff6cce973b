/* SPDX-License-Identifier: GPL-2.0-or-later */
/* canon: the two ways of the writer side by side. */
#include "canon.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/pool.h"

#define BYTES_MAX ((size_t)8 << 20)

/* Double quotes around values, none unescaped in text, no space before "/>": what the writer makes
 * of its own accord. In a value a quote of the other kind stays, so that it is seen as a
 * difference, and so does a second space. */
static void normalise(struct buf *out, struct slice s)
{
    bool is_tag = false;
    char quote = 0;

    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (quote) {
            buf_putc(out, c == quote ? '"' : c);
            quote = c == quote ? (char)0 : quote;
        } else if (is_tag && c == ' ' && s.len - i > 2 && memcmp(s.ptr + i + 1, "/>", 2) == 0) {
            continue;
        } else if (is_tag && (c == '"' || c == '\'')) {
            buf_putc(out, '"');
            quote = c;
        } else if (c == '"') {
            buf_put_lit(out, "&quot;");
        } else if (c == '\'') {
            buf_put_lit(out, "&apos;");
        } else {
            buf_putc(out, c);
            is_tag = c == '<' || (is_tag && c != '>');
        }
    }
}

/* Into memory of the size that was foretold. */
static bool fits(const struct xml_tree *t, const struct xml_write_params *params,
                 struct slice expected)
{
    struct xml_write_plan plan;
    struct buf exact = {0};
    bool is_good;
    size_t max;

    xml_write_plan(&plan, t, 0, params);
    max = xml_write_plan_bytes_max(&plan);
    if (max == 0) {
        return !t->content_is_canonical || params->without.len != 0 || params->ns_from.len != 0;
    }
    exact.cap = (uint32_t)max;
    exact.bytes_max = (uint32_t)max;
    exact.data = malloc(max);
    if (!exact.data) {
        abort();
    }
    xml_write_planned(&exact, &plan);
    is_good = !exact.failed && slice_eq(buf_slice(&exact), expected);
    free(exact.data);
    return is_good;
}

const char *canon_fault(const struct xml_tree *t, const struct xml_write_params *params)
{
    struct xml_tree nodes_only = *t;
    const char *fault = NULL;
    struct buf copied;
    struct buf made;
    struct buf normal;

    buf_init(&copied, BYTES_MAX);
    buf_init(&made, BYTES_MAX);
    buf_init(&normal, BYTES_MAX);
    nodes_only.content_is_canonical = false;
    xml_write_tree(&copied, t, 0, params);
    xml_write_tree(&made, &nodes_only, 0, params);
    normalise(&normal, buf_slice(&copied));
    if (copied.failed != made.failed) {
        fault = "only one of them failed";
    } else if (t->content_is_canonical ? !slice_eq(buf_slice(&normal), buf_slice(&made))
                                       : !slice_eq(buf_slice(&copied), buf_slice(&made))) {
        fault = "copied content is not what would be written";
    } else if (!fits(t, params, buf_slice(&copied)) ||
               !fits(&nodes_only, params, buf_slice(&made))) {
        fault = "more bytes than foretold";
    }
    buf_deinit(&copied);
    buf_deinit(&made);
    buf_deinit(&normal);
    return fault;
}

const char *canon_fault_any(const struct xml_tree *t)
{
    const struct slice server = SLICE_LIT("jabber:server");
    const struct slice component = SLICE_LIT("jabber:component:accept");
    const struct slice other = SLICE_LIT("urn:x");
    const struct xml_write_params any[] = {
        {.ns_default = server},
        {.ns_default = component},
        {.ns_default = component, .ns_from = server, .ns_to = component},
        {.ns_default = component, .ns_from = server, .ns_to = component, .without = {"body", 4}},
        {.ns_default = server, .ns_from = server, .ns_to = server, .from = {"f&'\"", 4}},
        {.ns_default = server, .ns_from = component, .ns_to = server, .to = {"t", 1}},
        {.ns_default = other, .ns_from = server, .ns_to = other, .lang = {"e>", 2}},
        {.ns_default = other, .ns_from = server, .ns_to = component, .without = {"x", 1}},
    };

    for (size_t i = 0; i < ARRAY_COUNT(any); i++) {
        const char *fault = canon_fault(t, &any[i]);

        if (fault) {
            return fault;
        }
    }
    return NULL;
}

static uint32_t roll(uint64_t *state, uint32_t below)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)((*state * 2685821657736338717u) >> 33) % below;
}

#define PICK(state, list) ((list)[roll((state), ARRAY_COUNT(list))])

/* The first ones are plain. */
static void put_attrs(struct buf *out, uint64_t *state, bool is_root)
{
    static const char *const xmlns[] = {"",
                                        "",
                                        " xmlns='urn:xmpp:receipts'",
                                        " xmlns=\"http://jabber.org/protocol/chatstates\"",
                                        " xmlns='urn:x'",
                                        " xmlns=''",
                                        " xmlns='jabber:component:accept'",
                                        " xmlns='jabber:server'",
                                        " xmlns='jabber:client'"};
    static const char *const names[] = {"id", "from", "to", "type", "xml:lang", "_a", "p:x"};
    static const char *const values[] = {"a", "", "juliet@fabrikam.test/balcony with a long name",
                                         "\xc3\xa9", "x y", "1&amp;2", "it\xe2\x82\xac\x20s"};
    static const char *const odd[] = {" a = 'b'", "  a='b'", " a='b\"c'", " a='>'", " a='\t'",
                                      "\na='b'", " xmlns='urn:x'", " xmlns:p='urn:p'", " a='&#9;'"};
    const char *ns = !is_root || roll(state, 4) == 0 ? PICK(state, xmlns) : "";
    uint32_t from = roll(state, ARRAY_COUNT(names));
    uint32_t count = roll(state, 4);
    uint32_t ns_at = roll(state, count + 1); /* where serialisers happen to put it */

    for (uint32_t i = 0; i < count; i++) {
        const char *quote = roll(state, 2) ? "'" : "\"";
        size_t which = (from + i) % (ARRAY_COUNT(names) - (roll(state, 8) != 0));

        buf_put_cstr(out, i == ns_at ? ns : "");
        buf_printf(out, " %s=%s%s%s", names[which], quote, PICK(state, values), quote);
    }
    buf_put_cstr(out, ns_at == count ? ns : "");
    if (roll(state, 24) == 0) {
        buf_put_cstr(out, PICK(state, odd));
    }
}

static void put_text(struct buf *out, uint64_t *state)
{
    static const char *const texts[] = {
        "shall we meet at the usual place at noon? or when you like it better, or never",
        "ok",
        "\n",
        "it&apos;s &lt;b&gt;late&lt;/b&gt; &amp; &quot;dark&quot;",
        "it's \"late\"",
        "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 \xd0\xbc\xd0\xb8\xd1\x80",
        "\xe4\xbd\xa0&amp;\xe5\xa5\xbd\xe4\xb8\x96\xe7\x95\x8c\xef\xbc\x8c & not"};
    static const char *const odd[] = {">",     "\r",         "&#65;",          "]]&gt;", "a]]b",
                                      "&#13;", "<![CDATA[]]>", "<![CDATA[x]]>", "\xf4\x8f\xbf\xbf"};

    for (uint32_t count = roll(state, 3); count > 0; count--) {
        const char *text = texts[roll(state, ARRAY_COUNT(texts) - 1)];

        buf_put_cstr(out, roll(state, 24) ? text : PICK(state, odd));
    }
}

void canon_gen(struct buf *out, uint64_t seed)
{
    static const char *const names[] = {"message", "body", "x", "active", "status", "show",
                                        "a-name-of-more-than-sixteen-bytes", "a", "p:y", "_"};
    const char *open[6];
    uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15u;
    uint32_t depth = 0;

    buf_put_lit(out, "<stream:stream xmlns='jabber:server' xmlns:p='urn:x' "
                     "xmlns:stream='http://etherx.jabber.org/streams'>");
    for (uint32_t i = 0; i < 40; i++) {
        bool is_plain = roll(&state, 40) != 0;

        if (depth > 0) {
            put_text(out, &state);
        }
        if (depth > 0 && (depth == ARRAY_COUNT(open) || roll(&state, 2))) {
            buf_printf(out, is_plain ? "</%s>" : "</%s >", open[--depth]);
            continue;
        }
        open[depth] = names[roll(&state, ARRAY_COUNT(names) - (is_plain ? 2 : 0))];
        buf_printf(out, "<%s", open[depth]);
        put_attrs(out, &state, depth == 0);
        if (roll(&state, 3) == 0) {
            buf_put_cstr(out, roll(&state, 3) ? "/>" : is_plain ? " />" : "  />");
        } else {
            buf_putc(out, '>');
            depth++;
        }
    }
    while (depth > 0) {
        buf_printf(out, "</%s>", open[--depth]);
    }
    buf_put_lit(out, "</stream:stream>");
}
