/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text: runs of character data and CDATA sections inside an element. */
#include "xml/chars.h"
#include "xml/parser_int.h"

/* Straight behind what the text node holds already, so that many small sections stay linear. */
static enum xml_step add_folded(struct xml_parser *p, enum xml_fold how, struct slice raw)
{
    struct slice *last = xml_tree_last_text(p);
    struct slice before = last ? *last : SLICE_NONE;
    char *out = xml_arena_extend(&p->arena, before, raw.len);
    size_t len;

    if (!out) {
        return xml_refuse(p, XML_WHY_NOMEM, "out of memory");
    }
    if (xml_fold(p, how, raw, out + before.len, &len) == XML_STEP_BAD) {
        return XML_STEP_BAD;
    }
    xml_arena_take(&p->arena, out == before.ptr ? len : before.len + len);
    if (last) {
        last->ptr = out;
        last->len += len;
        return XML_STEP_OK;
    }
    return xml_tree_text(p, slice_make(out, len));
}

enum xml_step xml_take_text(struct xml_parser *p, const char *cur, const char *end,
                            const char **next)
{
    const char *s = p->scan->text(cur, end);

    while (s < end && (unsigned char)*s >= 0x80) {
        size_t wide = xml_wide_skip(s, end);

        if (wide == 0) {
            break;
        }
        s = p->scan->text(s + wide, end);
    }
    if (s < end && *s == '<') {
        *next = s;
        return xml_tree_text(p, slice_make(cur, (size_t)(s - cur)));
    }
    s = s < end ? memchr(s, '<', (size_t)(end - s)) : NULL;
    if (!s) {
        return XML_STEP_MORE;
    }
    *next = s;
    return add_folded(p, XML_FOLD_TEXT, slice_make(cur, (size_t)(s - cur)));
}

enum xml_step xml_take_cdata(struct xml_parser *p, const char *cur, const char *end,
                             const char **next)
{
    const char *content = cur + sizeof("<![CDATA[") - 1;
    const char *close = content < end ? memmem(content, (size_t)(end - content), "]]>", 3) : NULL;

    if (!close) {
        return XML_STEP_MORE;
    }
    *next = close + 3;
    if (close == content) {
        return XML_STEP_OK;
    }
    return add_folded(p, XML_FOLD_CDATA, slice_make(content, (size_t)(close - content)));
}
