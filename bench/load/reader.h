/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reader: received bytes of one XMPP stream -> stanzas of the run, checked and told to the stage,
 * and everything else, told to the owner.
 *
 * The parser (xml/parser.h) reads whatever has not been seen before. A stanza that it, and
 * message_check(), found intact becomes a form; later ones that agree with the form byte by byte
 * but for their numbers need no parser: that is complete, and a tenth of the cost. Forms are the
 * stage's, per side, since a server writes all streams alike.
 *
 * One thread. Memory: pool; an idle stream keeps its parser only.                                */
#ifndef FG_LOAD_READER_H
#define FG_LOAD_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "load/message.h"
#include "load/stage.h"
#include "xml/parser.h"

#define READER_WAYS 2u /* in which a server writes the same stanza */
#define READER_FORMS (READER_WAYS * MIX_ROWS_MAX)
/* How often a stage may learn a form of a mix: a server that writes each stanza another way is read
 * slowly. */
#define READER_LEARN_MAX 64u

struct reader_forms {
    struct message message; /* what is demanded */
    struct message_form forms[READER_FORMS]; /* READER_WAYS of each row of the mix */
    uint32_t learned[MIX_ROWS_MAX];          /* so often; modulo READER_WAYS: to be replaced */
    uint32_t longest;                        /* of all, ever */
    uint32_t row;                            /* where the search begins */
};
/* 0 or a text for people. */
const char *reader_forms_init(struct reader_forms *f, const struct plan *plan);
void reader_forms_deinit(struct reader_forms *f);

struct reader_ops {
    void (*header)(void *owner, const struct xml_tree *t);
    /* An element that is no message, or any before the stream carries stanzas. */
    void (*element)(void *owner, const struct xml_tree *t);
    void (*ended)(void *owner); /* </stream:stream> */
};

struct reader {
    struct stage *stage;       /* borrowed */
    struct reader_forms *forms; /* borrowed */
    const struct reader_ops *ops;
    void *owner;
    struct xml_parser *parser; /* owned */
    bool carries;   /* stanzas are taken: messages go to the books */
    bool is_over;   /* nothing is read any more */
    bool is_new;    /* a new stream begins behind the element just read */
    uint32_t count; /* stanzas since it was set to 0: for acknowledgements */
    char *held;     /* owned; NULL = nothing: the begin of a stanza that agrees with some form */
    uint32_t held_bytes;
};

NODISCARD int reader_init(struct reader *r, struct stage *stage, struct reader_forms *forms,
                          const struct reader_ops *ops, void *owner);
void reader_deinit(struct reader *r);
/* All of bytes; they must stay until it returns. A stream that is not well-formed ends the run. */
void reader_feed(struct reader *r, const char *bytes, size_t len);
/* Within a callback, or outside: a new stream follows. */
void reader_restart(struct reader *r);

#endif
