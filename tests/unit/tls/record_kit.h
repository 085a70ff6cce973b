/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record_kit: two ends of one direction for every library, version and cipher, and hexadecimal. */
#ifndef FG_TEST_RECORD_KIT_H
#define FG_TEST_RECORD_KIT_H

#include "base/buf.h"
#include "tls/record.h"

#define KIT_CASES 12u

struct kit {
    const char *name; /* of the library */
    struct record_side from; /* seals */
    struct record_side to;   /* opens */
    struct buf wire;
};

/* Case idx of KIT_CASES: both ends on the same keys, which depend on the case, with a secret. */
void kit_init(struct kit *k, uint32_t idx);
/* The end that opens uses the other library. */
void kit_cross(struct kit *k);
void kit_deinit(struct kit *k);
/* Both ends go on with record number seq. */
void kit_set_seq(struct kit *k, uint64_t seq);
/* Seals plain as one record of this type, or aborts the test. */
void kit_seal(struct kit *k, uint8_t type, struct slice plain);
/* A TLS 1.3 record of this inner plaintext (content, type and padding as given). */
void kit_seal_inner(struct kit *k, struct slice inner);
/* Opens the record at the head of a copy of bytes; *plain is good until the next call. */
int kit_open(struct kit *k, struct slice bytes, uint8_t *type, struct slice *plain, uint8_t *alert);

/* Bytes of hexadecimal text (blanks are skipped); good until the 16th next call. */
struct slice kit_hex(const char *text);
/* Repeatable bytes. */
void kit_fill(void *out, size_t len, uint64_t seed);
/* Below n. */
uint64_t kit_random(uint64_t *state, uint64_t n);

#endif
