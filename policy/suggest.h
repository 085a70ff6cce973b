/* SPDX-License-Identifier: GPL-2.0-or-later */
/* suggest: which known name a person probably meant. Pure functions, any thread. */
#ifndef FG_POLICY_SUGGEST_H
#define FG_POLICY_SUGGEST_H

#include <stdint.h>

#include "base/slice.h"

/* Longer words are never compared. */
#define SUGGEST_BYTES_MAX 64u

/* Number of inserted, removed, changed or swapped-with-neighbour bytes between the two, without
 * regard to case; SUGGEST_BYTES_MAX when either is longer than that. */
uint32_t suggest_distance(struct slice a, struct slice b);

/* Keeps the closest of the candidates it is shown. Start zeroed, with word set. */
struct suggest {
    struct slice word;
    const char *best; /* borrowed from the candidates; NULL = nothing is close */
    uint32_t best_distance;
};
void suggest_consider(struct suggest *s, const char *candidate);

#endif
