/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json: a JSON text (with comments) as a flat table of nodes that remember where they stood, so
 * that whoever reads them can name line and column. Document order, a subtree is contiguous:
 *   children of node n begin at n + 1 and end before nodes[n].next
 *   in an object each child is a KEY node followed by its value's subtree
 * 16 bytes per node; texts without escapes stay in the source. The only user of yajl.
 * Threads: one; no state. Memory: plain heap, wiped on free (the text may hold secrets).         */
#ifndef FG_POLICY_JSON_H
#define FG_POLICY_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"

enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_TEXT,
    JSON_LIST,
    JSON_OBJECT,
    JSON_KEY,
};

#define JSON_NONE      UINT32_MAX /* "no node" */
#define JSON_NODES_MAX (32u << 20)
#define JSON_BYTES_MAX ((size_t)64 << 20)
#define JSON_DEPTH_MAX 64u /* of any caller's depth_max */

struct json_node {
    uint32_t start;    /* byte offset of its first character in the source */
    uint32_t text_at;  /* TEXT, KEY, NUMBER: offset in source or in decoded */
    uint32_t text_len; /* bytes */
    uint32_t next : 28;
    uint32_t kind : 3; /* enum json_kind */
    uint32_t is_decoded : 1;
};

struct json_doc {
    struct slice source;     /* borrowed until json_deinit */
    struct json_node *nodes; /* owned */
    uint32_t count;
    uint32_t cap;
    char *decoded; /* owned: texts that had escapes */
    size_t decoded_len;
    size_t decoded_cap;
};

#define JSON_FAULT_BYTES 192u
struct json_fault {
    uint32_t offset; /* in the source */
    char path[JSON_FAULT_BYTES];
    char text[JSON_FAULT_BYTES];
};

/* 0, or ERR_CONFIG with *fault filled. doc: zeroed before, json_deinit in either case.
 * source: at most JSON_BYTES_MAX. Deeper nesting than depth_max is a fault.                      */
NODISCARD int json_parse(struct json_doc *doc, struct slice source, uint32_t depth_max,
                         struct json_fault *fault);
void json_deinit(struct json_doc *doc);

static inline enum json_kind json_kind_of(const struct json_doc *doc, uint32_t node)
{
    return (enum json_kind)doc->nodes[node].kind;
}
/* Decoded text of a TEXT or KEY, source text of a NUMBER; valid while doc and its source are. */
struct slice json_text(const struct json_doc *doc, uint32_t node);
/* "a text", "a list", "null": for messages. */
const char *json_kind_text(enum json_kind kind);
/* Children of a list, members of an object. */
uint32_t json_child_count(const struct json_doc *doc, uint32_t node);

#endif
