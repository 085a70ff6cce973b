/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run: from token to token within a window: which kind comes next, who takes it, and what it says
 * about the unit's content. */
#include <string.h>

#include "base/attr.h"
#include "xml/parser_int.h"

/* Before the stream header only a start tag or the XML declaration may come. */
static enum xml_step check_start(struct xml_parser *p, const char *cur)
{
    if (cur[1] == 0) {
        return xml_refuse(p, XML_WHY_UNSUPPORTED_ENCODING, "UTF-16");
    }
    if (cur[1] == '/') {
        return XML_MALFORMED(p, "end tag before the stream header");
    }
    return XML_STEP_OK;
}

/* '<' and what follows it decide the kind of a token. */
static enum xml_step take_markup(struct xml_parser *p, const char *base, const char *cur,
                                 const char *end, const char **next)
{
    static const char cdata[] = "<![CDATA[";
    size_t len = (size_t)(end - cur);
    size_t cdata_len = sizeof(cdata) - 1;
    size_t at = (size_t)(cur - base);
    enum xml_step step;

    if (len < 2) {
        xml_token_begin(p, XML_TOKEN_NONE, at);
        return XML_STEP_MORE;
    }
    if (p->place != XML_PLACE_STREAM && check_start(p, cur) != XML_STEP_OK) {
        return XML_STEP_BAD;
    }
    if (p->is_document && xml_is_misc(cur, end)) {
        return xml_take_misc(p, cur, end, next);
    }
    if (cur[1] == '?') {
        if (p->place != XML_PLACE_START || at != 0) {
            return xml_refuse(p, XML_WHY_RESTRICTED, "processing instruction");
        }
        step = xml_take_declaration(p, cur, end, next);
        if (step == XML_STEP_MORE) {
            xml_token_begin(p, len > 5 ? XML_TOKEN_DECLARATION : XML_TOKEN_NONE, at);
        }
        return step == XML_STEP_OK ? XML_STEP_DONE : step;
    }
    if (cur[1] == '!') {
        if (p->depth == 0 || memcmp(cur, cdata, len < cdata_len ? len : cdata_len) != 0) {
            return xml_refuse(p, XML_WHY_RESTRICTED, "comment, DTD or misplaced CDATA section");
        }
        step = xml_take_cdata(p, cur, end, next);
        if (step == XML_STEP_MORE) {
            bool is_known = len >= cdata_len;

            xml_token_begin(p, is_known ? XML_TOKEN_CDATA : XML_TOKEN_NONE, at);
            p->scan_at = at + (is_known ? cdata_len : 1);
        }
        return step;
    }
    step =
        cur[1] == '/' ? xml_take_end_tag(p, cur, end, next) : xml_take_start_tag(p, cur, end, next);
    if (LIKELY(step == XML_STEP_OK)) {
        return p->depth == 0 || p->place != XML_PLACE_STREAM ? XML_STEP_DONE : XML_STEP_OK;
    }
    if (step == XML_STEP_BAD && p->why == XML_WHY_NOMEM) {
        return step;
    }
    /* A fault counts once the tag is complete, so that verdicts do not depend on the cuts. */
    xml_token_begin(p, XML_TOKEN_TAG, at);
    if (!xml_token_is_complete(p, base, end)) {
        p->why = XML_WHY_NONE;
        p->why_text = "";
        return XML_STEP_MORE;
    }
    if (step == XML_STEP_MORE) {
        return XML_MALFORMED(p, cur[1] == '/' ? XML_TEXT_END_TAG : "'<' inside a tag");
    }
    return step;
}

/* One token, whatever it is, by the general lexer. */
static enum xml_step take_token(struct xml_parser *p, const char *base, const char *cur,
                                const char *end, const char **next)
{
    enum xml_step step;

    if (*cur == '<') {
        return take_markup(p, base, cur, end, next);
    }
    step = xml_take_text(p, cur, end, next);
    if (step == XML_STEP_MORE) {
        xml_token_begin(p, XML_TOKEN_TEXT, (size_t)(cur - base));
        p->scan_at = (size_t)(end - base);
    }
    return step;
}

/* What a token of the general lexer, from at to next, says about the content. is_root: it is the
 * root's start tag.                                                                             */
static void note_content(struct xml_parser *p, size_t at, size_t next, bool is_root)
{
    if (is_root) {
        p->content_at = next;
        p->content_end = next;
        p->content_ns_lens = 0;
        p->is_canonical = p->nodes[0].prefix.len == 0;
        p->is_root_canonical = false;
    } else if (p->depth == 0) {
        p->content_end = at;
        p->is_root_canonical = false;
    } else {
        p->is_canonical = false;
    }
}

enum xml_step xml_run_tokens(struct xml_parser *p, const char *base, const char *end)
{
    xml_fast_fn *fast = p->place == XML_PLACE_STREAM ? p->scan->fast : NULL;
    const char *cur = base + p->token_at;

    if (p->token != XML_TOKEN_NONE) {
        if (!xml_token_is_complete(p, base, end)) {
            return XML_STEP_MORE;
        }
        p->token = XML_TOKEN_NONE;
    }
    while (cur < end) {
        const char *start;
        enum xml_step step;
        bool is_root;

        if (fast && fast(p, base, &cur, end)) {
            p->token_at = (size_t)(cur - base);
            return XML_STEP_DONE;
        }
        if (cur == end) {
            break;
        }
        start = cur;
        is_root = p->depth == 0;
        step = take_token(p, base, cur, end, &cur);
        if (step == XML_STEP_DONE) {
            p->token_at = (size_t)(cur - base);
        }
        if ((step == XML_STEP_OK || step == XML_STEP_DONE) && p->tree.node_count != 0) {
            note_content(p, (size_t)(start - base), (size_t)(cur - base), is_root);
        }
        if (step != XML_STEP_OK) {
            return step;
        }
    }
    xml_token_begin(p, XML_TOKEN_NONE, (size_t)(cur - base));
    return XML_STEP_MORE;
}
