/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pidf_int: the inside of a document reader, shared by the files that read documents. */
#ifndef FG_TRANSLATE_PIDF_INT_H
#define FG_TRANSLATE_PIDF_INT_H

#include "translate/pidf.h"
#include "translate/presence_int.h"
#include "xml/parser.h"

#define PIDF_NS "urn:ietf:params:xml:ns:pidf"

/* Names and notes that are not in the document as they stand; one reservation, so that slices of it
 * stay where they are during a document. What has no room is left out. */
#define PIDF_TEXT_BYTES_MAX 32768u

/* What activities say, of a person or within a tuple. */
struct pidf_doing {
    bool is_said; /* there was a token at all */
    bool has_show;
    enum presence_show show;
    struct slice other; /* free text; empty = none */
};

struct pidf_tuple {
    struct presence_item item; /* resource: the name so far, empty = none */
    bool is_named;             /* for good */
    bool is_named_by_id;       /* by the tuple's id, which some servers make anew each time */
    bool has_basic;
    bool has_show;             /* jabber:client's */
    bool is_unreadable;        /* something in it must be understood, or it is about others */
    struct pidf_doing doing;
    struct slice device_id;
};

struct pidf_reader {
    struct xml_parser *parser; /* owned */
    struct buf utf8;           /* owned; a document that came in another charset */
    struct buf text;           /* owned; see PIDF_TEXT_BYTES_MAX */

    /* Of the document in hand. */
    const struct pidf_in *in;    /* borrowed until pidf_read returns */
    const struct xml_tree *tree; /* borrowed until the parser's next document */
    struct slice lang;           /* of notes that say none */
    struct presence_item person; /* its notes and idle time; the rest is not used */
    struct presence_item all;    /* the document's notes */
    struct pidf_doing doing;     /* the person's */
    uint32_t tuple_count;
    struct pidf_tuple tuples[PIDF_TUPLES_MAX];
};

#define PIDF_IS(node, text) slice_eq((node)->name, SLICE_LIT(text))

void pidf_item_clear(struct presence_item *item);
/* Character data without white space around it. */
struct slice pidf_text(const struct pidf_reader *r, uint32_t node);
/* The note at node in the language that its place implies. */
void pidf_take_note(const struct pidf_reader *r, struct presence_item *item, uint32_t node);
/* Whether a URI, with or without scheme, names the presentity. */
bool pidf_is_presentity(struct pidf_reader *r, struct slice uri);
/* Copies text into r->text: parts one after the other. Empty when there is no room. */
struct slice pidf_compose(struct pidf_reader *r, const struct slice *parts, size_t count);

/* pidf_person.c: takes what stands directly in a person, device, tuple or status: activities, idle
 * times. False: node is something else. */
bool pidf_take_rpid(const struct pidf_reader *r, uint32_t node, struct pidf_doing *doing,
                    struct presence_item *item);
void pidf_take_person(struct pidf_reader *r, uint32_t node);
/* Last use of the device of that id; 0 = not said. */
int64_t pidf_device_idle_since(const struct pidf_reader *r, struct slice device_id);

/* pidf_tuple.c: takes one tuple. */
void pidf_take_tuple(struct pidf_reader *r, uint32_t node);
/* pidf_names.c: gives every tuple its resource. */
void pidf_name_tuples(struct pidf_reader *r);

/* The documents, root at node 0, each into *state. */
enum pidf_why pidf_read_pidf(struct pidf_reader *r, struct presence_state *state);
enum pidf_why pidf_read_categories(struct pidf_reader *r, struct presence_state *state);

#endif
