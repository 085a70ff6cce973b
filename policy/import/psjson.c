/* SPDX-License-Identifier: GPL-2.0-or-later */
/* psjson: what ConvertTo-Json writes. Documents of the configuration's reader turned into the
 * common table. */
#include "base/err.h"
#include "import/tree.h"
#include "policy/json.h"

#define DEPTH_MAX 16u /* -Depth 5 of an array of objects, and to spare */

static enum import_value value_of(enum json_kind kind)
{
    switch (kind) {
    case JSON_FALSE:
    case JSON_TRUE:
        return IMPORT_BOOL;
    case JSON_NUMBER:
        return IMPORT_NUMBER;
    case JSON_TEXT:
        return IMPORT_TEXT;
    case JSON_LIST:
        return IMPORT_LIST;
    case JSON_OBJECT:
        return IMPORT_OBJECT;
    case JSON_NULL:
    case JSON_KEY:
    default:
        return IMPORT_NIL;
    }
}

static struct slice text_of(const struct json_doc *doc, uint32_t node)
{
    switch (json_kind_of(doc, node)) {
    case JSON_FALSE:
        return SLICE_LIT("false");
    case JSON_TRUE:
        return SLICE_LIT("true");
    case JSON_NUMBER:
    case JSON_TEXT:
        return json_text(doc, node);
    case JSON_NULL:
    case JSON_LIST:
    case JSON_OBJECT:
    case JSON_KEY:
    default:
        return SLICE_NONE;
    }
}

/* Nodes stand in document order, so a stack of open containers is all that is needed. */
static int convert(struct import_tree *t, const struct json_doc *doc, struct import_fault *fault)
{
    struct {
        uint32_t node; /* of the tree */
        uint32_t end;  /* in the document */
    } open[DEPTH_MAX + 2];
    uint32_t depth = 0;
    struct slice key = SLICE_NONE;

    for (uint32_t i = 0; i < doc->count; i++) {
        struct slice text = text_of(doc, i);
        uint32_t node;

        while (depth && i >= open[depth - 1].end) {
            depth--;
        }
        if (json_kind_of(doc, i) == JSON_KEY) {
            key = json_text(doc, i);
            continue;
        }
        node = import_add(t, depth ? open[depth - 1].node : IMPORT_NONE,
                          value_of(json_kind_of(doc, i)), doc->nodes[i].start);
        if (node == IMPORT_NONE) {
            return import_refuse(fault, doc->nodes[i].start,
                                 "has more than %u values; export the lists one by one",
                                 IMPORT_NODES_MAX);
        }
        t->nodes[node].name_at = import_keep(t, key);
        t->nodes[node].name_len = (uint32_t)key.len;
        t->nodes[node].text_at = import_keep(t, text);
        t->nodes[node].text_len = (uint32_t)text.len;
        key = SLICE_NONE;
        if (t->nodes[node].value == IMPORT_LIST || t->nodes[node].value == IMPORT_OBJECT) {
            open[depth].node = node;
            open[depth].end = doc->nodes[i].next;
            depth++;
        }
    }
    return 0;
}

int import_read_json(struct import_tree *t, struct slice text, struct import_fault *fault)
{
    struct json_doc doc = {0};
    struct json_fault why;
    int err = json_parse(&doc, text, DEPTH_MAX, &why);

    if (err) {
        err = import_refuse(fault, why.offset,
                            "%s%s%s; a file that was cut off or edited: export it again", why.path,
                            why.path[0] ? ": " : "", why.text);
    } else {
        err = convert(t, &doc, fault);
    }
    json_deinit(&doc);
    return err;
}

int import_read(struct import_tree *t, struct slice text, struct import_fault *fault)
{
    enum import_format format;
    int err = import_format_of(text, &format, fault);

    if (err) {
        return err;
    }
    return format == IMPORT_FORMAT_CLIXML ? import_read_clixml(t, text, fault)
                                          : import_read_json(t, text, fault);
}
