/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message: the stanza of a flow and a number, as the source writes it, and what the sink demands of
 * what arrives: kind, type, both addresses, id, text, chat state.
 *   <message from='u00007@p00007.fan.test/home' to='u00007@app.corp.test/desk' type='chat'
 *   id='s00007-0000000042'><body>00007:0000000042:shall we ...</body>
 *   <active xmlns='http://jabber.org/protocol/chatstates'/></message>         (without line breaks)
 * (the chat state from 251 bytes on) and from the inside out with the addresses exchanged.
 *
 * One template for all flows: texts that differ stand at fixed places in fixed widths (holes). The
 * same form serves what a server made of it (message_match).
 * Any thread after message_init; no state.                                                       */
#ifndef FG_LOAD_MESSAGE_H
#define FG_LOAD_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"
#include "load/plan.h"
#include "xml/xml.h"

enum message_hole { MESSAGE_HOLE_FLOW, MESSAGE_HOLE_DOMAIN, MESSAGE_HOLE_SEQ };
#define MESSAGE_HOLES_MAX 12u

struct message_form {
    uint32_t len;
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
    struct message_form form;
    uint32_t body_bytes;
    bool is_inside_out; /* from the component's side to the partners' */
    bool is_translated; /* a SIP source: the stanzas are a gateway's own */
    const struct plan *plan;
};
/* 0, or a text for people: the sizes do not fit. */
const char *message_init(struct message *m, const struct plan *plan, bool is_inside_out);
void message_deinit(struct message *m);
/* Writes form.len bytes. */
void message_write(const struct message *m, char *to, uint32_t flow, uint64_t seq);

enum message_finding {
    MESSAGE_INTACT,
    MESSAGE_ERROR, /* one of ours, come back with type error; flow UINT32_MAX = which is unknown */
    MESSAGE_OTHER, /* no message of ours */
    MESSAGE_DAMAGED,
};
/* *what: the part that is wrong, static, with DAMAGED. */
enum message_finding message_check(const struct message *m, const struct xml_tree *t,
                                   uint32_t *flow, uint64_t *seq, const char **what);
/* Makes a form of the bytes of an element that was found intact. False: texts do not stand where
 * they can be found again. */
bool message_learn(const struct message *m, struct slice bytes, uint32_t flow, uint64_t seq,
                   struct message_form *out);

enum message_match { MESSAGE_MATCH_NO, MESSAGE_MATCH_PART, MESSAGE_MATCH };
/* Whether bytes begin with a whole stanza of this form, every byte right; PART: as far as they
 * go. */
enum message_match message_match(const struct message *m, const struct message_form *f,
                                 const char *bytes, size_t len, uint32_t *flow, uint64_t *seq);

#endif
