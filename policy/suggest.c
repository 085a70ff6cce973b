/* SPDX-License-Identifier: GPL-2.0-or-later */
/* suggest: optimal string alignment distance in three rows. */
#include "policy/suggest.h"

#include "base/ascii.h"

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

uint32_t suggest_distance(struct slice a, struct slice b)
{
    uint32_t rows[3][SUGGEST_BYTES_MAX + 1];
    uint32_t *before_last = rows[0];
    uint32_t *last = rows[1];
    uint32_t *row = rows[2];

    if (a.len > SUGGEST_BYTES_MAX || b.len > SUGGEST_BYTES_MAX) {
        return SUGGEST_BYTES_MAX;
    }
    for (uint32_t j = 0; j <= b.len; j++) {
        last[j] = j;
        before_last[j] = j;
    }
    for (uint32_t i = 1; i <= a.len; i++) {
        char ca = ascii_lower(a.ptr[i - 1]);
        uint32_t *oldest = before_last;

        row[0] = i;
        for (uint32_t j = 1; j <= b.len; j++) {
            char cb = ascii_lower(b.ptr[j - 1]);
            uint32_t cost = ca == cb ? 0 : 1;

            row[j] = least(least(last[j] + 1, row[j - 1] + 1), last[j - 1] + cost);
            if (i > 1 && j > 1 && ca == ascii_lower(b.ptr[j - 2]) &&
                ascii_lower(a.ptr[i - 2]) == cb) {
                row[j] = least(row[j], before_last[j - 2] + 1);
            }
        }
        before_last = last;
        last = row;
        row = oldest;
    }
    return last[b.len];
}

void suggest_consider(struct suggest *s, const char *candidate)
{
    struct slice name = slice_from_cstr(candidate);
    uint32_t distance = suggest_distance(s->word, name);
    /* A third of the word may be wrong, but never all of a short one. */
    uint32_t distance_max = (uint32_t)name.len / 3;

    if (distance > (distance_max ? distance_max : 1) || distance >= name.len) {
        return;
    }
    if (!s->best || distance < s->best_distance) {
        s->best = candidate;
        s->best_distance = distance;
    }
}
