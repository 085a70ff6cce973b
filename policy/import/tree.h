/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree: what an export says, whichever format it has: a flat table of values. CLIXML and JSON are
 * read into it, the kinds of objects (partners, policies, ...) are read from it.
 * References of CLIXML stay references, so that no file can grow by them; nothing recurses.
 * Threads: one. Memory: plain heap, wiped; at most IMPORT_NODES_MAX nodes of 40 bytes, texts at
 * most as long as the file. */
#ifndef FG_IMPORT_TREE_H
#define FG_IMPORT_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"
#include "import/text.h"

#define IMPORT_NODES_MAX (4u << 20)
#define IMPORT_REFS_MAX  (4u << 20) /* highest number of a reference */
#define IMPORT_TYPES_MAX 4096u
#define IMPORT_DEPTH_MAX 48u
#define IMPORT_NONE      UINT32_MAX

enum import_value {
    IMPORT_NIL,
    IMPORT_BOOL,
    IMPORT_NUMBER,
    IMPORT_TEXT,
    IMPORT_LIST,
    IMPORT_OBJECT, /* members; with text when it has a ToString */
    IMPORT_REF,    /* the value is that of node `target` */
};

struct import_node {
    uint32_t name_at; /* in texts */
    uint32_t name_len;
    uint32_t text_at; /* BOOL: "true" or "false"; NUMBER: as written */
    uint32_t text_len;
    uint32_t next;        /* sibling */
    uint32_t first;       /* child */
    uint32_t last;        /* child; REF: target */
    uint32_t offset;      /* where it stands in the file's text */
    uint16_t type;        /* into types; 0 = none */
    uint8_t value;        /* enum import_value */
    bool has_text : 1;    /* OBJECT: has a ToString */
    bool has_number : 1;  /* OBJECT: an enumeration's number stands beside the text */
    bool is_extended : 1; /* stands under MS: hides a property of the same name */
};

struct import_tree {
    struct import_node *nodes; /* owned */
    uint32_t count;
    uint32_t cap;
    char *texts; /* owned */
    size_t texts_len;
    size_t texts_cap;
    struct slice *types; /* owned; of texts kept for good: all names of a type, a line each */
    uint32_t type_count; /* [0] = no type */
    uint32_t first;      /* of the top level */
    uint32_t last;
};

void import_tree_init(struct import_tree *t);
void import_tree_deinit(struct import_tree *t);

/* Reads a file's text; 0, or ERR_BAD_INPUT with *fault. t: initialised. */
NODISCARD int import_read_clixml(struct import_tree *t, struct slice text,
                                 struct import_fault *fault);
NODISCARD int import_read_json(struct import_tree *t, struct slice text,
                               struct import_fault *fault);
/* Whichever it is. */
NODISCARD int import_read(struct import_tree *t, struct slice text, struct import_fault *fault);

/* --- reading it --- */

/* The node itself, or what it refers to. */
uint32_t import_resolve(const struct import_tree *t, uint32_t node);
struct slice import_name(const struct import_tree *t, uint32_t node);
struct slice import_text_of(const struct import_tree *t, uint32_t node);
/* All type names, a line each; empty = unknown (JSON). */
struct slice import_type(const struct import_tree *t, uint32_t node);
/* The list inside what 5.1 writes for a list that something was added to: {"value": [...],
 * "Count": n}; IMPORT_NONE. */
uint32_t import_wrapped_list(const struct import_tree *t, uint32_t node);
/* The exported objects, out of top-level lists, resolved: start with IMPORT_CURSOR. */
struct import_cursor {
    uint32_t top;
    uint32_t item;
    bool is_begun;
};
#define IMPORT_CURSOR ((struct import_cursor){IMPORT_NONE, IMPORT_NONE, false})
bool import_next_record(const struct import_tree *t, struct import_cursor *c, uint32_t *record);
/* Child after previous (IMPORT_NONE: the first), unresolved; IMPORT_NONE. */
uint32_t import_next_child(const struct import_tree *t, uint32_t parent, uint32_t previous);
uint32_t import_child_count(const struct import_tree *t, uint32_t parent);
/* Member without regard to case, resolved; extended members hide others. IMPORT_NONE. */
uint32_t import_member(const struct import_tree *t, uint32_t object, const char *name);

/* --- building it --- */

/* A new value, child of parent (IMPORT_NONE: top level); IMPORT_NONE: too many. */
uint32_t import_add(struct import_tree *t, uint32_t parent, enum import_value value,
                    uint32_t offset);
/* Appends to texts; where. */
uint32_t import_keep(struct import_tree *t, struct slice text);

#endif
