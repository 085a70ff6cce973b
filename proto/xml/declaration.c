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

enum xml_why xml_read_declaration(struct slice declaration, struct xml_declaration *out,
                                  const char **text)
{
    size_t opening_len = sizeof("<?xml") - 1;
    struct slice s =
        slice_to(slice_from(declaration, opening_len), declaration.len - opening_len - 2);
    struct slice version;
    bool bad = false;

    *out = (struct xml_declaration){SLICE_NONE, SLICE_NONE};
    *text = "malformed XML declaration";
    if (!take_pseudo_attr(&s, SLICE_LIT("version"), &version, &bad)) {
        *text = "XML declaration without version";
        return XML_WHY_NOT_WELL_FORMED;
    }
    if (!slice_eq(version, SLICE_LIT("1.0"))) {
        *text = "XML version is not 1.0";
        return XML_WHY_UNSUPPORTED_ENCODING;
    }
    (void)take_pseudo_attr(&s, SLICE_LIT("encoding"), &out->encoding, &bad);
    if (!bad && take_pseudo_attr(&s, SLICE_LIT("standalone"), &out->standalone, &bad)) {
        bad = !slice_eq(out->standalone, SLICE_LIT("yes")) &&
              !slice_eq(out->standalone, SLICE_LIT("no"));
    }
    skip_space(&s);
    return bad || s.len ? XML_WHY_NOT_WELL_FORMED : XML_WHY_NONE;
}

/* What a stream may say. */
static enum xml_step judge(struct xml_parser *p, struct slice declaration)
{
    struct xml_declaration said;
    const char *text;
    enum xml_why why = xml_read_declaration(declaration, &said, &text);

    if (said.encoding.ptr && !slice_eq_nocase(said.encoding, SLICE_LIT("utf-8"))) {
        return xml_refuse(p, XML_WHY_UNSUPPORTED_ENCODING, "encoding is not UTF-8");
    }
    if (why != XML_WHY_NONE) {
        return xml_refuse(p, why, text);
    }
    if (slice_eq(said.standalone, SLICE_LIT("no"))) {
        return xml_refuse(p, XML_WHY_RESTRICTED, "standalone='no'");
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
    return judge(p, slice_make(cur, (size_t)(*next - cur)));
}
