/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edit_fuzz: two bytes choose the change, the rest is a text. Whatever parses can be changed, and
 * the result parses to what was asked for. */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "policy/edit.h"
#include "policy/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEPTH_MAX 16u
static void change(const struct json_doc *doc, uint32_t node, uint8_t how)
{
    struct slice value = SLICE_LIT("{\n    \"new\": [1]\n}");
    bool is_list = json_kind_of(doc, node) == JSON_LIST;
    uint32_t count = json_child_count(doc, node);
    uint32_t removed[8];
    struct edit_elements elements = {removed, 0, &value, how & 1u};
    struct edit_member members[] = {{SLICE_LIT("a"), (how & 2) ? value : SLICE_NONE},
                                    {SLICE_LIT("b"), value}};
    struct edit_text text = {0};
    struct json_doc after = {0};
    struct json_fault fault;
    struct edit e;
    int err;

    edit_init(&e, doc);
    for (uint32_t at = node + 1, i = 0; is_list && at < doc->nodes[node].next && i < 7; i++) {
        if (how & (2u << i)) {
            removed[elements.removed_count++] = at;
        }
        at = doc->nodes[at].next;
    }
    err = is_list ? edit_list(&e, node, &elements) : edit_object(&e, node, members, 1 + (how & 1));
    if (err == 0) {
        ASSERT(edit_finish(&e, &text) == 0);
        ASSERT(json_parse(&after, slice_make(text.bytes, text.len), DEPTH_MAX + 4, &fault) == 0);
        ASSERT(json_kind_of(&after, node) == json_kind_of(doc, node));
        ASSERT(!is_list || json_child_count(&after, node) ==
                               count - elements.removed_count + elements.added_count);
    }
    json_deinit(&after);
    edit_text_deinit(&text);
    edit_deinit(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_doc doc = {0};
    struct json_fault fault;

    if (size > 2 &&
        json_parse(&doc, slice_make((const char *)data + 2, size - 2), DEPTH_MAX, &fault) == 0) {
        change(&doc, data[0] % doc.count, data[1]);
    }
    json_deinit(&doc);
    return 0;
}
