/* SPDX-License-Identifier: GPL-2.0-or-later */
/* der_seed: seeds of DER targets are base64 text (the corpus holds text files only); the mutator
 * turns them into DER before it changes them. For one target per program. */
#ifndef FG_FUZZ_DER_SEED_H
#define FG_FUZZ_DER_SEED_H

#include <stdint.h>

#include "base/base64.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as DER; der holds it when it was text. */
static inline struct slice der_seed_decode(struct buf *der, const uint8_t *data, size_t size)
{
    struct slice in = slice_make((const char *)data, size);
    struct slice text = slice_trim(in);
    return slice_starts(text, SLICE_LIT("MI")) && base64_decode(der, text) ? buf_slice(der) : in;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    (void)seed;
    struct buf der;
    buf_init(&der, 1u << 20);
    struct slice in = der_seed_decode(&der, data, size);
    if (in.len > 0 && in.len < size) {
        size = in.len;
        memcpy(data, in.ptr, size);
    }
    buf_deinit(&der);
    return LLVMFuzzerMutate(data, size, max_size);
}

#endif
