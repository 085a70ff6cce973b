/* SPDX-License-Identifier: GPL-2.0-or-later */
/* document: one whole XML document at once, by the rules of streams but for what documents of other
 * protocols have: an XML declaration of any encoding, comments, processing instructions.       */
#include "base/check.h"
#include "xml/chars.h"
#include "xml/parser_int.h"

static const struct slice utf8_mark = {"\xef\xbb\xbf", 3};

/* Of "<?xml", with the space behind it, up to "?>"; empty when there is none. */
static struct slice declaration_of(struct slice bytes)
{
    struct slice s = slice_starts(bytes, utf8_mark) ? slice_from(bytes, utf8_mark.len) : bytes;
    const char *close;

    if (!slice_starts(s, SLICE_LIT("<?xml")) || s.len == 5 || !xml_is_space(s.ptr[5])) {
        return SLICE_NONE;
    }
    s = slice_to(s, XML_DECLARATION_BYTES_MAX);
    close = memmem(s.ptr, s.len, "?>", 2);
    return close ? slice_make(s.ptr, (size_t)(close - s.ptr) + 2) : SLICE_NONE;
}

struct slice xml_document_encoding(struct slice bytes)
{
    struct slice declaration = declaration_of(bytes);
    struct xml_declaration said;
    const char *text;

    if (declaration.len == 0 || xml_read_declaration(declaration, &said, &text) != XML_WHY_NONE) {
        return SLICE_NONE;
    }
    return said.encoding;
}

/* The fold sees every character. What it makes of them is not kept. */
static enum xml_step check_chars(struct xml_parser *p, struct slice raw)
{
    char *room = xml_arena_room(&p->arena, raw.len + 1);
    size_t len;

    if (!room) {
        return xml_refuse(p, XML_WHY_NOMEM, "out of memory");
    }
    return xml_fold(p, XML_FOLD_CDATA, raw, room, &len);
}

static enum xml_step take_comment(struct xml_parser *p, const char *cur, const char *end,
                                  const char **next)
{
    const char *content = cur + sizeof("<!--") - 1;
    const char *dashes =
        end > content ? memmem(content, (size_t)(end - content), "--", 2) : NULL;

    if (!dashes || end - dashes < 3) {
        return XML_STEP_MORE;
    }
    if (dashes[2] != '>') {
        return XML_MALFORMED(p, "'--' inside a comment");
    }
    *next = dashes + 3;
    return check_chars(p, slice_make(content, (size_t)(dashes - content)));
}

/* Bytes of the name that s starts with. */
static size_t name_len(struct slice s)
{
    const char *end = s.ptr + s.len;
    const char *at = s.ptr;

    while (at < end) {
        bool is_first = at == s.ptr;
        uint8_t want = is_first ? XML_CLASS_NAME_START : XML_CLASS_NAME;
        uint32_t point = 0;
        size_t len = 1;

        if ((unsigned char)*at >= 0x80) {
            len = xml_wide_decode(at, end, &point);
            if (len == 0 ||
                !(is_first ? xml_is_wide_name_start(point) : xml_is_wide_name(point))) {
                break;
            }
        } else if (!(xml_class[(unsigned char)*at] & want)) {
            break;
        }
        at += len;
    }
    return (size_t)(at - s.ptr);
}

static enum xml_step take_instruction(struct xml_parser *p, const char *cur, const char *end,
                                      const char **next)
{
    const char *close = memmem(cur + 2, (size_t)(end - cur) - 2, "?>", 2);
    struct slice inside;
    size_t len;

    if (!close) {
        return XML_STEP_MORE;
    }
    inside = slice_make(cur + 2, (size_t)(close - cur) - 2);
    len = name_len(inside);
    if (len == 0 || (len < inside.len && !xml_is_space(inside.ptr[len])) ||
        slice_eq_nocase(slice_to(inside, len), SLICE_LIT("xml"))) {
        return XML_MALFORMED(p, "malformed processing instruction");
    }
    *next = close + 2;
    return check_chars(p, inside);
}

bool xml_is_misc(const char *cur, const char *end)
{
    return end - cur >= 2 && (cur[1] == '?' || (end - cur >= 4 && memcmp(cur, "<!--", 4) == 0));
}

enum xml_step xml_take_misc(struct xml_parser *p, const char *cur, const char *end,
                            const char **next)
{
    return cur[1] == '?' ? take_instruction(p, cur, end, next)
                         : take_comment(p, cur, end, next);
}

/* Before and behind the root: comments, instructions and space, up to anything else. */
static enum xml_step skip_misc(struct xml_parser *p, const char **cur, const char *end)
{
    while (*cur < end) {
        enum xml_step step;

        if (xml_is_space(**cur)) {
            (*cur)++;
            continue;
        }
        if (**cur != '<' || !xml_is_misc(*cur, end)) {
            break;
        }
        step = xml_take_misc(p, *cur, end, cur);
        if (step != XML_STEP_OK) {
            return step;
        }
    }
    return XML_STEP_OK;
}

static enum xml_step take_root(struct xml_parser *p, const char *base, const char *cur,
                               const char *end)
{
    if (end - cur < 2 || cur[0] != '<' || cur[1] == '/') {
        return XML_MALFORMED(p, "no root element");
    }
    if (cur[1] == '!') {
        return slice_starts(slice_make(cur, (size_t)(end - cur)), SLICE_LIT("<!DOCTYPE"))
                   ? xml_refuse(p, XML_WHY_RESTRICTED, "DTD")
                   : XML_MALFORMED(p, "markup before the root element");
    }
    xml_token_begin(p, XML_TOKEN_NONE, (size_t)(cur - base));
    return xml_run_tokens(p, base, end);
}

static enum xml_step run(struct xml_parser *p, struct slice bytes)
{
    struct slice declaration = declaration_of(bytes);
    const char *end = bytes.ptr + bytes.len;
    const char *cur = bytes.ptr;
    struct xml_declaration said;
    enum xml_step step;

    if (slice_starts(bytes, utf8_mark)) {
        cur += utf8_mark.len;
    }
    if (declaration.len > 0) {
        p->why = xml_read_declaration(declaration, &said, &p->why_text);
        if (p->why != XML_WHY_NONE) {
            return XML_STEP_BAD;
        }
        cur += declaration.len;
    }
    step = skip_misc(p, &cur, end);
    if (step == XML_STEP_OK) {
        step = take_root(p, bytes.ptr, cur, end);
    }
    if (step != XML_STEP_DONE) {
        return step;
    }
    cur = bytes.ptr + p->token_at;
    step = skip_misc(p, &cur, end);
    if (step == XML_STEP_OK && cur < end) {
        return XML_MALFORMED(p, "data behind the root element");
    }
    return step;
}

const struct xml_tree *xml_parser_document(struct xml_parser *p, struct slice bytes)
{
    enum xml_step step;

    ASSERT(!p->in_unit && !p->scope);
    xml_tree_clear(p);
    p->place = XML_PLACE_STREAM;
    p->is_document = true;
    p->limits = p->limits_next;
    p->decl_count = 0;
    p->default_ns = SLICE_NONE;
    p->why = XML_WHY_NONE;
    p->why_text = "";
    if (bytes.len > p->limits.stanza_bytes_max) {
        step = xml_refuse(p, XML_WHY_TOO_BIG, "document too long");
    } else if (bytes.len == 0) {
        step = XML_STEP_MORE;
    } else {
        step = run(p, bytes);
    }
    if (step == XML_STEP_OK) {
        p->tree.wire_bytes = bytes.len;
        return &p->tree;
    }
    if (step == XML_STEP_MORE) {
        (void)XML_MALFORMED(p, "the document is cut off");
    }
    xml_tree_clear(p);
    return NULL;
}
