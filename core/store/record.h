/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record: one item as bytes, the form in which it lies in a queue: a head and the texts behind it,
 * aligned to 8 bytes. No pointers, so nothing has to be freed anywhere. Any thread; pure. */
#ifndef FG_STORE_RECORD_H
#define FG_STORE_RECORD_H

#include <stdint.h>

#include "base/attr.h"
#include "store/store.h"

#define RECORD_ALIGN   8u
#define RECORD_FILLER  0xffu /* what: no item, only the way to the beginning of the ring */
#define RECORD_TEXTS   6u

struct record {
    uint32_t bytes; /* all of it, a multiple of RECORD_ALIGN */
    uint8_t what;   /* enum store_what or RECORD_FILLER */
    uint8_t is_urgent;
    uint8_t keep; /* bit 0: dialogs, bit 1: document */
    uint8_t direction;
    uint8_t state;
    uint8_t asked_by;
    uint16_t unused;
    uint32_t flags;
    uint64_t ticket;
    int64_t times[2];
    uint32_t text_bytes[RECORD_TEXTS];
    int32_t err; /* consumer: what became of it */
    uint32_t shard_idx;
    char texts[];
};
STATIC_ASSERT(sizeof(struct record) % RECORD_ALIGN == 0, "records lie one behind the other");

/* The largest item. */
#define RECORD_BYTES_MAX                                                                   \
    (sizeof(struct record) + 4 * (size_t)STORE_ADDRESS_BYTES_MAX + STORE_DIALOGS_BYTES_MAX + \
     STORE_DOCUMENT_BYTES_MAX + RECORD_ALIGN)

/* 0, ERR_LIMIT or ERR_BAD_INPUT. */
NODISCARD int record_check(const struct store_item *item);
/* How many bytes a checked item takes. */
uint32_t record_bytes(const struct store_item *item);
/* out has record_bytes(item) bytes. */
void record_write(struct record *out, const struct store_item *item);
/* The slices point into the record. */
void record_read(const struct record *r, struct store_item *out);

#endif
