/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text: runs of character data and CDATA sections inside an element. */
#include "xml/chars.h"
#include "xml/parser_int.h"

static enum xml_step add_folded(struct xml_parser *p, enum xml_fold how, struct slice raw)
{
    char *out = xml_arena_room(&p->arena, raw.len);
    enum xml_step step;
    size_t len;

    if (!out) {
        return xml_refuse(p, XML_WHY_NOMEM, "out of memory");
    }
    step = xml_fold(p, how, raw, out, &len);
    if (step == XML_STEP_BAD) {
        return step;
    }
    xml_arena_take(&p->arena, len);
    return xml_tree_text(p, slice_make(out, len));
}

enum xml_step xml_take_text(struct xml_parser *p, const char *cur, const char *end,
                            const char **next)
{
    const char *s = p->scan->text(cur, end);

    while (s < end && *s != '<') {
        size_t wide = (unsigned char)*s >= 0x80 ? xml_wide_len(s, end) : 0;

        if (wide == 0) {
            break;
        }
        s += wide;
        if (s < end && (unsigned char)*s < 0x80) {
            s = p->scan->text(s, end);
        }
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
