/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message: the stanza of a flow and a number, as the source writes it, and what the sink demands of
 * what arrives: all of it. In the plain mix (mix.h)
 *   <message from='u00007@p00007.fan.test/home' to='u00007@app.corp.test/desk' type='chat'
 *   id='s00007-0000000042'><body>00007:0000000042:shall we ...</body>
 *   <active xmlns='http://jabber.org/protocol/chatstates'/></message>         (without line breaks)
 * (the chat state from 251 bytes on) and from the inside out with the addresses exchanged; in a mix
 * of several forms flow and number choose one, and together they are as long as asked for.
 *
 * One template for each form: texts that differ stand at fixed places in fixed widths (holes). The
 * same kind of form serves what a server made of it (message_match).
 * One thread: message_check uses a parser of its own. Memory: heap, and the thread's pool.       */
#ifndef FG_LOAD_MESSAGE_H
#define FG_LOAD_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"
#include "load/mix.h"
#include "load/plan.h"
#include "xml/xml.h"

struct xml_parser;

enum message_hole { MESSAGE_HOLE_FLOW, MESSAGE_HOLE_DOMAIN, MESSAGE_HOLE_SEQ, MESSAGE_HOLE_KINDS };
#define MESSAGE_HOLES_MAX 16u

struct message_form {
    uint32_t len; /* 0 = none */
    uint32_t row; /* of the mix: only numbers that choose it agree with this form */
    uint32_t hole_count;
    struct {
        uint32_t at;
        enum message_hole kind;
    } holes[MESSAGE_HOLES_MAX]; /* in order */
    char *bytes;                /* owned; padded with zeros to whole 8 bytes */
    char *mask;                 /* owned; 0xff where bytes count; as long */
};
void message_form_free(struct message_form *f);

struct message {
    struct message_form forms[MIX_ROWS_MAX]; /* as they are written */
    uint32_t form_count;
    uint32_t bytes_max;  /* of the longest */
    uint32_t body_bytes; /* of the first form's text */
    bool is_inside_out;  /* from the component's side to the partners' */
    bool is_translated;  /* a SIP source: the stanzas are a gateway's own */
    const struct plan *plan;   /* borrowed */
    struct xml_parser *parser; /* owned; of what was sent, to compare with */
    char *text;                /* owned; bytes_max: the same */
};
/* 0, or a text for people: the sizes or names do not fit. */
const char *message_init(struct message *m, const struct plan *plan, bool is_inside_out);
void message_deinit(struct message *m);
/* Writes at most bytes_max bytes; how many. */
size_t message_write(const struct message *m, char *to, uint32_t flow, uint64_t seq);
/* The form that flow and number choose. */
static inline uint32_t message_row(const struct message *m, uint32_t flow, uint64_t seq)
{
    return m->form_count == 1 ? 0 : (uint32_t)((flow + seq) % m->form_count);
}

enum message_finding {
    MESSAGE_INTACT,
    MESSAGE_ERROR, /* one of ours, come back with type error; flow UINT32_MAX = which is unknown */
    MESSAGE_OTHER, /* no message of ours */
    MESSAGE_DAMAGED,
};
/* *what: the part that is wrong, static, with DAMAGED. */
enum message_finding message_check(const struct message *m, const struct xml_tree *t,
                                   uint32_t *flow, uint64_t *seq, const char **what);
/* Makes a form of the bytes of an element that was found intact. False: it has digits that would be
 * taken for a flow or a number, and are not. */
bool message_learn(const struct message *m, struct slice bytes, uint32_t flow, uint64_t seq,
                   struct message_form *out);

enum message_match { MESSAGE_MATCH_NO, MESSAGE_MATCH_PART, MESSAGE_MATCH };
/* Whether bytes begin with a whole stanza of this form, every byte right; PART: as far as they
 * go. */
enum message_match message_match(const struct message *m, const struct message_form *f,
                                 const char *bytes, size_t len, uint32_t *flow, uint64_t *seq);

#endif
