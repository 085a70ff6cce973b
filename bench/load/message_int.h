/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message_int: shared by message.c (what is sent), message_check.c (what arrives, parsed) and
 * message_match.c (what arrives, compared). */
#ifndef FG_LOAD_MESSAGE_INT_H
#define FG_LOAD_MESSAGE_INT_H

#include "load/message.h"
#include "load/payload.h"

#define MESSAGE_TEXT_BYTES 512u

/* Bare addresses of both sides. */
struct message_names {
    char from[MESSAGE_TEXT_BYTES];
    char to[MESSAGE_TEXT_BYTES];
    char number[MESSAGE_TEXT_BYTES];
    char domain[PLAN_NAME_BYTES];
};
void message_make_names(const struct message *m, uint32_t flow, uint64_t seq,
                        struct message_names *out);

unsigned message_digits_of(enum message_hole kind);
/* The digits that are a hole's, from the expected numbers. */
void message_put_digits(const struct message *m, enum message_hole kind, uint32_t flow,
                        uint64_t seq, char out[PAYLOAD_SEQ_DIGITS]);
/* Five digits are a flow's or a domain's number, ten a stanza's; other digits are text. False: some
 * would be taken for such a number, and are not. */
bool message_find_holes(const struct message *m, struct slice bytes, uint32_t flow, uint64_t seq,
                        struct message_form *f);

#endif
