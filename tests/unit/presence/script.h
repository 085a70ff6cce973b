/* SPDX-License-Identifier: GPL-2.0-or-later */
/* script: the bytes that a play makes its choices from: of a fuzzer, or random. */
#ifndef FG_TEST_PRESENCE_SCRIPT_H
#define FG_TEST_PRESENCE_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct script {
    const uint8_t *at; /* borrowed */
    size_t left;
};

/* 0 behind the end. */
static inline uint8_t script_next(struct script *s)
{
    if (s->left == 0) {
        return 0;
    }
    s->left--;
    return *s->at++;
}

/* p: a struct with a field script. */
#define NEXT(p)       script_next(&(p)->script)
#define PICK(p, list) ((list)[NEXT(p) % ARRAY_COUNT(list)])

#endif
