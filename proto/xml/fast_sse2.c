/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fast_sse2: the pass with 16 bytes at a time, which every x86-64 has. Bytes are compared as signed
 * numbers: below 0x20 means control character or above 0x7f at once.                            */
#if defined(__x86_64__)

#include <emmintrin.h>
#include <stdint.h>

static inline __m128i load(const char *s)
{
    return _mm_loadu_si128((const __m128i *)(const void *)s);
}

static inline __m128i eq(__m128i bytes, char c)
{
    return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c));
}

static inline __m128i angles(__m128i bytes)
{
    return eq(_mm_or_si128(bytes, _mm_set1_epi8(2)), '>'); /* '<' differs in one bit */
}

static inline uint32_t fast_value_mask(const char *s)
{
    __m128i bytes = load(s);
    __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
    __m128i amp = eq(_mm_or_si128(bytes, _mm_set1_epi8(1)), '\''); /* '&', too */
    __m128i stops = _mm_or_si128(_mm_or_si128(low, angles(bytes)), amp);

    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(stops, eq(bytes, '"')));
}

static inline uint32_t fast_text_mask(const char *s)
{
    __m128i bytes = load(s);
    __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
    __m128i fine = _mm_or_si128(eq(bytes, '\t'), eq(bytes, '\n'));
    __m128i marks = _mm_or_si128(angles(bytes), eq(bytes, '&'));

    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(fine, low), marks));
}

/* Controls and space, then in pairs that differ in one bit: < >, \ ^, } DEL, { DEL. */
static inline uint32_t fast_no_uri_mask(const char *s)
{
    __m128i bytes = load(s);
    __m128i low = eq(_mm_sub_epi8(bytes, _mm_min_epu8(bytes, _mm_set1_epi8(0x20))), 0);
    __m128i with2 = _mm_or_si128(bytes, _mm_set1_epi8(2));
    __m128i with4 = _mm_or_si128(bytes, _mm_set1_epi8(4));
    __m128i marks = _mm_or_si128(_mm_or_si128(eq(with2, '>'), eq(with2, '^')),
                                 _mm_or_si128(eq(bytes, '"'), eq(bytes, '`')));
    __m128i high =
        _mm_or_si128(_mm_or_si128(eq(with2, 0x7f), eq(with4, 0x7f)), eq(bytes, '|'));

    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(low, marks), high));
}

/* At least first, at most last, both ASCII. */
static inline __m128i range(__m128i bytes, char first, char last)
{
    return _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8((char)(first - 1))),
                         _mm_cmplt_epi8(bytes, _mm_set1_epi8((char)(last + 1))));
}

static inline uint32_t fast_name_mask(const char *s)
{
    __m128i bytes = load(s);
    __m128i letters = range(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z');
    __m128i marks = _mm_or_si128(range(bytes, '-', '.'), eq(bytes, '_'));
    __m128i names = _mm_or_si128(_mm_or_si128(letters, range(bytes, '0', '9')), marks);

    return ~(uint32_t)_mm_movemask_epi8(names) & 0xffff;
}

#define FAST_TARGET
#define FAST_RUN   xml_fast_sse2
#define FAST_BYTES 16
#define FAST_NAME_BYTES 16
#include "xml/fast_pass.h"

#endif
