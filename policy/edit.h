/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edit: changes of a configuration text that leave everything else as a person wrote it:
 * comments, order, spacing. Text in, text out; whether the result loads is asked with config_load.
 * Threads: one; no state. Memory: plain heap.                                                    */
#ifndef FG_POLICY_EDIT_H
#define FG_POLICY_EDIT_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"

struct json_doc;

/* Where an edit went wrong: EDIT_* and config errors alike have a text with the remedy. */
#define EDIT_WHY_BYTES 256u

/* Node of the partner whose primary or additional domain this is (any spelling); JSON_NONE. */
uint32_t edit_find_partner(const struct json_doc *doc, struct slice domain);

/* All append the whole new text to *out. 0; ERR_NOMEM; ERR_CONFIG with why: the place does not
 * exist or is of another kind.
 * object: node of an object of doc. value: JSON text, checked to be one value. */
NODISCARD int edit_set(struct buf *out, const struct json_doc *doc, uint32_t object,
                       struct slice key, struct slice value, char why[EDIT_WHY_BYTES]);
/* Also takes the comment that stands on the member's own line. Absent key: unchanged, 0. */
NODISCARD int edit_unset(struct buf *out, const struct json_doc *doc, uint32_t object,
                         struct slice key, char why[EDIT_WHY_BYTES]);
/* Appends an element to the list (made at the root object's end when absent). */
NODISCARD int edit_append(struct buf *out, const struct json_doc *doc, struct slice list_key,
                          struct slice value, char why[EDIT_WHY_BYTES]);
/* Removes an element with its comma and the comments that belong to it (directly above or behind
 * it on its line). */
NODISCARD int edit_remove(struct buf *out, const struct json_doc *doc, uint32_t element,
                          char why[EDIT_WHY_BYTES]);

#endif
