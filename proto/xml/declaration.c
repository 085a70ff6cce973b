/* SPDX-License-Identifier: GPL-2.0-or-later */
/* declaration: <?xml version='1.0' encoding='UTF-8'?> (XML 1.0 section 2.8, RFC 6120 11.5, 11.6).
 * standalone='yes' says nothing here and is ignored; 'no' is refused as restricted.             */
#include "xml/chars.h"
#include "xml/parser_int.h"

static void skip_space(struct slice *s)
{
    while (s->len && xml_is_space(s->ptr[0])) {
        *s = slice_from(*s, 1);
    }
}

/* S name Eq quoted: false (and *s untouched) when name does not come; malformed sets *bad. */
static bool take_pseudo_attr(struct slice *s, struct slice name, struct slice *value, bool *bad)
{
    struct slice rest = *s;
    char quote;
    ptrdiff_t close;

    skip_space(&rest);
    if (rest.len == s->len || !slice_starts(rest, name)) {
        return false;
    }
    *bad = true;
    rest = slice_from(rest, name.len);
    skip_space(&rest);
    if (rest.len == 0 || rest.ptr[0] != '=') {
        return false;
    }
    rest = slice_from(rest, 1);
    skip_space(&rest);
    if (rest.len == 0 || (rest.ptr[0] != '"' && rest.ptr[0] != '\'')) {
        return false;
    }
    quote = rest.ptr[0];
    rest = slice_from(rest, 1);
    close = slice_find(rest, quote);
    if (close < 0) {
        return false;
    }
    *bad = false;
    *value = slice_to(rest, (size_t)close);
    *s = slice_from(rest, (size_t)close + 1);
    return true;
}

static enum xml_step judge(struct xml_parser *p, struct slice s)
{
    struct slice version;
    struct slice encoding;
    struct slice standalone;
    bool bad = false;

    if (!take_pseudo_attr(&s, SLICE_LIT("version"), &version, &bad)) {
        return XML_MALFORMED(p, "XML declaration without version");
    }
    if (!slice_eq(version, SLICE_LIT("1.0"))) {
        return xml_refuse(p, XML_WHY_UNSUPPORTED_ENCODING, "XML version is not 1.0");
    }
    if (take_pseudo_attr(&s, SLICE_LIT("encoding"), &encoding, &bad) &&
        !slice_eq_nocase(encoding, SLICE_LIT("utf-8"))) {
        return xml_refuse(p, XML_WHY_UNSUPPORTED_ENCODING, "encoding is not UTF-8");
    }
    if (!bad && take_pseudo_attr(&s, SLICE_LIT("standalone"), &standalone, &bad)) {
        if (slice_eq(standalone, SLICE_LIT("no"))) {
            return xml_refuse(p, XML_WHY_RESTRICTED, "standalone='no'");
        }
        bad = !slice_eq(standalone, SLICE_LIT("yes"));
    }
    skip_space(&s);
    if (bad || s.len) {
        return XML_MALFORMED(p, "malformed XML declaration");
    }
    return XML_STEP_OK;
}

enum xml_step xml_take_declaration(struct xml_parser *p, const char *cur, const char *end,
                                   const char **next)
{
    static const char opening[] = "<?xml";
    size_t opening_len = sizeof(opening) - 1;
    size_t len = (size_t)(end - cur);
    const char *close;

    if (memcmp(cur, opening, len < opening_len ? len : opening_len) != 0 ||
        (len > opening_len && !xml_is_space(cur[opening_len]))) {
        return xml_refuse(p, XML_WHY_RESTRICTED, "processing instruction");
    }
    close = len > opening_len ? memchr(cur, '>', len) : NULL;
    if (!close) {
        return XML_STEP_MORE;
    }
    if (close[-1] != '?' || close - cur <= (ptrdiff_t)opening_len) {
        return XML_MALFORMED(p, "malformed XML declaration");
    }
    *next = close + 1;
    return judge(p, slice_make(cur + opening_len, (size_t)(close - 1 - cur) - opening_len));
}
