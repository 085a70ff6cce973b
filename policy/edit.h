/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edit: changes of a configuration text that leave everything else as a person wrote it: comments,
 * order, spacing, line ends. An edit collects changes of one parsed text, then makes the new text
 * in one pass: a thousand changes cost what one costs. Whether the result loads is asked with
 * config_load (ctl/save.h does).
 * Within one edit each list or object is changed by one call, and nothing inside of what is
 * replaced or removed; edit_finish refuses the rest.
 * Threads: one; no state. Memory: plain heap, wiped (a configuration holds secrets). */
#ifndef FG_POLICY_EDIT_H
#define FG_POLICY_EDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"

struct json_doc;

#define EDIT_WHY_BYTES 256u

/* bytes of the old text that are replaced. */
struct edit_splice {
    size_t start;
    size_t end;     /* start = nothing is taken away */
    size_t text_at; /* in edit.added */
    size_t text_len;
    uint32_t seq;
};

struct edit {
    const struct json_doc *doc;  /* borrowed until edit_deinit */
    struct edit_splice *splices; /* owned */
    uint32_t splice_count;
    uint32_t splice_cap;
    char *added; /* owned */
    size_t added_len;
    size_t added_cap;
    char why[EDIT_WHY_BYTES]; /* of the last ERR_CONFIG: what is wrong and what is allowed */
};

/* The text that results. */
struct edit_text {
    char *bytes; /* owned */
    size_t len;
};
void edit_text_deinit(struct edit_text *t);

void edit_init(struct edit *e, const struct json_doc *doc);
void edit_deinit(struct edit *e);

/* A member of an object: set (replaced or added at the end), or taken away. */
struct edit_member {
    struct slice key;
    struct slice value; /* JSON, one value, may have several lines; ptr NULL = take it away */
};
/* 0; ERR_CONFIG with why: object is none, a value is no JSON, the key stands there twice.
 * Taking away what is not there is no change. */
NODISCARD int edit_object(struct edit *e, uint32_t object, const struct edit_member *members,
                          uint32_t count);
/* Elements of a list: taken away (nodes of doc, ascending), added at the end (JSON, one value
 * each). With a removed member or element go its comma and the comments that belong to it: directly
 * above, or behind it on its line. */
struct edit_elements {
    const uint32_t *removed;
    uint32_t removed_count;
    const struct slice *added;
    uint32_t added_count;
};
NODISCARD int edit_list(struct edit *e, uint32_t list, const struct edit_elements *elements);
/* As edit_list for the list that is a member of the root object; made there when absent. */
NODISCARD int edit_root_list(struct edit *e, struct slice key,
                             const struct edit_elements *elements);
/* 0 and the new text; ERR_CONFIG with why: changes overlap, or the text becomes too large. */
NODISCARD int edit_finish(struct edit *e, struct edit_text *out);

/* Value of a member of an object; JSON_NONE. */
uint32_t edit_member(const struct json_doc *doc, uint32_t object, struct slice key);
/* Node of the partner whose primary or additional domain this is (any spelling); JSON_NONE. */
uint32_t edit_find_partner(const struct json_doc *doc, struct slice domain);
/* Offset behind the last byte of the value at node. */
size_t edit_value_end(const struct json_doc *doc, uint32_t node);

#endif
