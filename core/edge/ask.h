/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask: when a partner is asked whether what was written has arrived. Each question costs an
 * answer, which is received, decrypted and parsed like a stanza: 256 streams with one stanza at a
 * time would pay it for each of them. So after a pause the first stanza carries its question with
 * it, and in a steady flow one follows when ASK_MS have passed, or ASK_COUNT_MAX stanzas or
 * ASK_BYTES_MAX bytes are unasked, whichever is first; at once where somebody waits for the
 * answer. What is written and followed by nothing is asked about after ASK_LATE_MS: so much later
 * than the stanza itself a question may be, and so much later a dead partner is noticed.
 * The owner says what it writes and asks; no clock, no timer here. Any thread. */
#ifndef FG_EDGE_ASK_H
#define FG_EDGE_ASK_H

#include <stdbool.h>
#include <stdint.h>

#define ASK_MS        50u
#define ASK_LATE_MS   100u /* the owner's timer */
#define ASK_COUNT_MAX 64u
#define ASK_BYTES_MAX (64u << 10)

/* Zeroed: a new stream. */
struct ask {
    uint64_t bytes;    /* written, and behind no question */
    uint32_t count;    /* of such stanzas */
    bool is_urgent;    /* somebody waits for one of them */
    uint64_t asked_ms; /* when the last question went out; 0 = none yet */
};

static inline void ask_note(struct ask *a, uint32_t bytes, bool is_awaited)
{
    a->bytes += bytes;
    a->count++;
    a->is_urgent = a->is_urgent || is_awaited;
}

/* bytes_room: what may still be written before an answer is there. */
static inline bool ask_is_due(const struct ask *a, uint64_t bytes_room, uint64_t now_ms)
{
    return a->count != 0 && (a->is_urgent || a->count >= ASK_COUNT_MAX ||
                             a->bytes >= ASK_BYTES_MAX || a->bytes >= bytes_room ||
                             a->asked_ms == 0 || now_ms - a->asked_ms >= ASK_MS);
}

/* A question stands behind all that was written. */
static inline void ask_done(struct ask *a, uint64_t now_ms)
{
    *a = (struct ask){.asked_ms = now_ms};
}

#endif
