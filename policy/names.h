/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names: from a domain name to a number, for the table of partners: a million names that every new
 * stream and every stanza looks up. Two cache misses per lookup and 45 bytes per name: slots of 8
 * bytes (half of the hash, place of the record), then the record, which holds the name itself.
 * Filled by the loader, then read-only. The hash is keyed (base/hash.h): nobody outside can aim for
 * long probes.
 * Threads: one until it is filled, then any. Memory: its own mappings, in huge pages where the
 * kernel gives them; aborts without memory (control plane). A zeroed struct is a valid empty table. */
#ifndef FG_POLICY_NAMES_H
#define FG_POLICY_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define NAMES_NONE      UINT32_MAX
#define NAME_BYTES_MAX  1023u
#define NAMES_COUNT_MAX (1u << 28)

struct names_slot;

struct names {
    struct names_slot *slots; /* owned */
    char *records;            /* owned */
    size_t records_bytes;     /* in use */
    size_t records_cap;
    uint32_t slot_count; /* power of two, or 0 */
    uint32_t count;
};

void names_deinit(struct names *n);
/* Copies name (1..NAME_BYTES_MAX bytes); value is not NAMES_NONE. NAMES_NONE, or the value that the
 * name had before: then nothing changes. */
uint32_t names_add(struct names *n, struct slice name, uint32_t value);
/* NAMES_NONE when absent. */
uint32_t names_find(const struct names *n, struct slice name);
/* What it occupies. */
size_t names_bytes(const struct names *n);

#endif
