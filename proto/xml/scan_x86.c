/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scan_x86: 16 bytes at a time with SSE2, which every x86-64 has, and 32 with AVX2. Bytes are
 * compared as signed numbers: below 0x20 means control character or above 0x7f at once.         */
#include "xml/scan.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <stdint.h>

#define AVX2 __attribute__((target("avx2")))

static inline __m128i eq16(__m128i bytes, char c)
{
    return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c));
}

static inline uint32_t text16(const char *s)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)s);
    __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
    __m128i fine = _mm_or_si128(eq16(bytes, '\t'), eq16(bytes, '\n'));
    __m128i marks =
        _mm_or_si128(eq16(bytes, '<'), _mm_or_si128(eq16(bytes, '&'), eq16(bytes, ']')));

    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(fine, low), marks));
}

static inline uint32_t value16(const char *s, char quote)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)s);
    __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
    __m128i marks =
        _mm_or_si128(eq16(bytes, '<'), _mm_or_si128(eq16(bytes, '&'), eq16(bytes, quote)));

    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(low, marks));
}

static const char *sse2_text(const char *s, const char *end)
{
    while (end - s >= 16) {
        uint32_t mask = text16(s);

        if (mask) {
            return s + __builtin_ctz(mask);
        }
        s += 16;
    }
    return xml_scan_scalar.text(s, end);
}

static const char *sse2_value(const char *s, const char *end, char quote)
{
    while (end - s >= 16) {
        uint32_t mask = value16(s, quote);

        if (mask) {
            return s + __builtin_ctz(mask);
        }
        s += 16;
    }
    return xml_scan_scalar.value(s, end, quote);
}

const struct xml_scan xml_scan_sse2 = {"sse2", xml_fast_sse2, sse2_text, sse2_value};

AVX2 static inline __m256i eq32(__m256i bytes, char c)
{
    return _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(c));
}

AVX2 static inline __m256i low32(__m256i bytes)
{
    return _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), bytes);
}

AVX2 static inline uint32_t text32(const char *s)
{
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)s);
    __m256i fine = _mm256_or_si256(eq32(bytes, '\t'), eq32(bytes, '\n'));
    __m256i marks =
        _mm256_or_si256(eq32(bytes, '<'), _mm256_or_si256(eq32(bytes, '&'), eq32(bytes, ']')));

    return (uint32_t)_mm256_movemask_epi8(
        _mm256_or_si256(_mm256_andnot_si256(fine, low32(bytes)), marks));
}

AVX2 static inline uint32_t value32(const char *s, char quote)
{
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)s);
    __m256i marks =
        _mm256_or_si256(eq32(bytes, '<'), _mm256_or_si256(eq32(bytes, '&'), eq32(bytes, quote)));

    return (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(low32(bytes), marks));
}

AVX2 static const char *avx2_text(const char *s, const char *end)
{
    while (end - s >= 32) {
        uint32_t mask = text32(s);

        if (mask) {
            return s + __builtin_ctz(mask);
        }
        s += 32;
    }
    return sse2_text(s, end);
}

AVX2 static const char *avx2_value(const char *s, const char *end, char quote)
{
    while (end - s >= 32) {
        uint32_t mask = value32(s, quote);

        if (mask) {
            return s + __builtin_ctz(mask);
        }
        s += 32;
    }
    return sse2_value(s, end, quote);
}

const struct xml_scan xml_scan_avx2 = {"avx2", xml_fast_avx2, avx2_text, avx2_value};

#endif
