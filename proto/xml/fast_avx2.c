/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fast_avx2: the pass with 32 bytes at a time, names with 16. A byte has a class when the tables of
 * its low and of its high half share a bit: two shuffles instead of a comparison for each range. */
#if defined(__x86_64__)

#include <immintrin.h>
#include <stdint.h>

#define AVX2 __attribute__((target("avx2")))

/* Both lanes of a register. */
#define TWICE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)

AVX2 static inline __m256i load(const char *s)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)s);
}

/* Bytes that have a class, or are above 0x7f (those have none: their low half looks up 0). */
AVX2 static inline uint32_t stops(__m256i bytes, __m256i of_low, __m256i of_high)
{
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0x0f));
    __m256i both = _mm256_and_si256(_mm256_shuffle_epi8(of_low, bytes),
                                    _mm256_shuffle_epi8(of_high, high));
    __m256i has = _mm256_cmpgt_epi8(both, _mm256_setzero_si256());

    return (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(has, bytes));
}

/* Bit 1: 0x00-0x1f. 2: " & '. 4: < >. */
AVX2 static inline uint32_t fast_value_mask(const char *s)
{
    const __m256i of_low = TWICE(1, 1, 3, 1, 1, 1, 3, 3, 1, 1, 1, 1, 5, 1, 5, 1);
    const __m256i of_high = TWICE(1, 1, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

    return stops(load(s), of_low, of_high);
}

/* Bit 1: 0x00-0x0f but tab and LF. 2: 0x10-0x1f. 4: &. 8: < >. */
AVX2 static inline uint32_t fast_text_mask(const char *s)
{
    const __m256i of_low = TWICE(3, 3, 3, 3, 3, 3, 7, 3, 3, 2, 2, 3, 11, 3, 11, 3);
    const __m256i of_high = TWICE(1, 2, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

    return stops(load(s), of_low, of_high);
}

/* Bit 1: - . 2: 0-9. 4: A-O a-o. 8: P-Z _ . 16: p-z. */
AVX2 static inline uint32_t fast_name_mask(const char *s)
{
    const __m128i of_low =
        _mm_setr_epi8(26, 30, 30, 30, 30, 30, 30, 30, 30, 30, 28, 4, 4, 5, 5, 12);
    const __m128i of_high = _mm_setr_epi8(0, 0, 1, 2, 4, 8, 4, 16, 0, 0, 0, 0, 0, 0, 0, 0);
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)s);
    __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), _mm_set1_epi8(0x0f));
    __m128i both = _mm_and_si128(_mm_shuffle_epi8(of_low, bytes), _mm_shuffle_epi8(of_high, high));

    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(both, _mm_setzero_si128()));
}

#define FAST_TARGET     AVX2
#define FAST_RUN        xml_fast_avx2
#define FAST_BYTES      32
#define FAST_NAME_BYTES 16
#include "xml/fast_pass.h"

#endif
