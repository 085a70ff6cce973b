/* SPDX-License-Identifier: GPL-2.0-or-later */
/* payload: the text of a message: which flow, which number, and words that fill it up; made by the
 * source, demanded by the sink, whatever protocols are in between. ASCII without anything that XML,
 * MIME or a URI escapes. "00007:0000000042:shall we meet ...": fixed widths, so that everything
 * that names a flow or a number stands at the same place in all of a run's messages.
 * Addresses: user u00007 at the partner's domain and at the inside one.
 * Any thread; no memory.                                                                         */
#ifndef FG_LOAD_PAYLOAD_H
#define FG_LOAD_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"

#define PAYLOAD_FLOW_DIGITS 5u
#define PAYLOAD_SEQ_DIGITS 10u
#define PAYLOAD_HEAD_BYTES (PAYLOAD_FLOW_DIGITS + PAYLOAD_SEQ_DIGITS + 2u)
#define PAYLOAD_WORDS_MAX 65536u
#define PAYLOAD_SEQ_MAX 9999999999u

/* Fixed-width decimals. */
void payload_put_digits(char *to, unsigned digits, uint64_t value);
/* False when one of these bytes is no digit. */
NODISCARD bool payload_take_digits(const char *from, unsigned digits, uint64_t *value);

/* Writes len bytes, at least PAYLOAD_HEAD_BYTES. */
void payload_write(char *to, size_t len, uint32_t flow, uint64_t seq);
/* The whole text is a payload: its numbers. False: damaged. */
NODISCARD bool payload_read(struct slice text, uint32_t *flow, uint64_t *seq);

#endif
