/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clixml: any text as an Export-Clixml or ConvertTo-Json file. Either a fault with a place inside
 * the text, or a table whose links lead somewhere and end. */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/utf8.h"
#include "import/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_node(const struct import_tree *t, uint32_t node)
{
    const struct import_node *n = &t->nodes[node];
    uint32_t child = IMPORT_NONE;
    uint32_t count = 0;

    ASSERT(n->next == IMPORT_NONE || (n->next > node && n->next < t->count));
    ASSERT((size_t)n->text_at + n->text_len <= t->texts_len);
    ASSERT((size_t)n->name_at + n->name_len <= t->texts_len);
    ASSERT(utf8_is_valid(import_text_of(t, node)) && utf8_is_valid(import_name(t, node)));
    ASSERT(t->nodes[import_resolve(t, node)].value != IMPORT_REF);
    ASSERT(n->type == 0 || (n->type < t->type_count && import_type(t, node).ptr));
    while ((child = import_next_child(t, node, child)) != IMPORT_NONE) {
        ASSERT(child > node && ++count < t->count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    struct import_cursor cursor = IMPORT_CURSOR;
    struct import_fault fault = {.text = ""};
    struct import_tree t;
    uint32_t record;
    uint32_t count = 0;

    if (!utf8_is_valid(text)) {
        return 0; /* import_text_decode has seen to that */
    }
    import_tree_init(&t);
    if (import_read(&t, text, &fault) != 0) {
        ASSERT(fault.text[0] && (fault.offset == IMPORT_NOWHERE || fault.offset <= size));
    } else {
        for (uint32_t i = 0; i < t.count; i++) {
            check_node(&t, i);
        }
        while (import_next_record(&t, &cursor, &record)) {
            ASSERT(record < t.count && ++count <= t.count);
        }
    }
    import_tree_deinit(&t);
    return 0;
}
