/* SPDX-License-Identifier: GPL-2.0-or-later */
/* der: reader of DER (X.690), one element at a time, never outside its slice, no recursion: the
 * caller opens a nested reader where it knows the structure. Strict: definite, minimal lengths,
 * no multi-byte tags. A broken element makes the reader `failed`, which sticks; test it at the end.
 * Any thread; borrows the bytes.                                                                */
#ifndef FG_TLS_DER_H
#define FG_TLS_DER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define DER_BOOLEAN          0x01u
#define DER_INTEGER          0x02u
#define DER_BIT_STRING       0x03u
#define DER_OCTET_STRING     0x04u
#define DER_OID              0x06u
#define DER_ENUMERATED       0x0au
#define DER_UTF8_STRING      0x0cu
#define DER_IA5_STRING       0x16u
#define DER_UTC_TIME         0x17u
#define DER_GENERALIZED_TIME 0x18u
#define DER_SEQUENCE         0x30u
#define DER_SET              0x31u
/* Context-specific, primitive and constructed. */
#define DER_CONTEXT(n)     (0x80u | (unsigned)(n))
#define DER_CONTEXT_SEQ(n) (0xa0u | (unsigned)(n))

struct der {
    struct slice rest; /* borrowed */
    bool failed;
};

struct der_item {
    unsigned tag;
    struct slice content;
    struct slice whole; /* tag, length and content */
};

struct der der_make(struct slice bytes);
static inline bool der_at_end(const struct der *d)
{
    return d->failed || d->rest.len == 0;
}
/* Tag of the next element, 0 at the end. */
unsigned der_peek(const struct der *d);
/* The next element; false at the end and when broken (then d->failed). */
bool der_next(struct der *d, struct der_item *out);
/* The next element, which must have this tag; else failed and an empty item. */
struct der_item der_need(struct der *d, unsigned tag);
/* A reader of the content of the next element, which must have this tag. Failure is inherited. */
struct der der_open(struct der *d, unsigned tag);
/* If the next element has this tag: takes it and returns true. */
bool der_take(struct der *d, unsigned tag, struct der_item *out);
/* Unsigned integer of at most four bytes. */
bool der_u32(struct slice integer_content, uint32_t *out);
/* UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 restricts them (seconds, Z). */
bool der_time(const struct der_item *item, int64_t *unix_s);

#endif
