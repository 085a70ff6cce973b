/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fast_avx2: the pass with 32 bytes at a time, names with 16. The marks of a set all differ in
 * their low half, so a table by low halves holds for every byte the one mark it may be.          */
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

/* Bytes that are what their low half looks up: above 0x7f it looks up 0. */
AVX2 static inline __m256i marks(__m256i bytes, __m256i by_low)
{
    return _mm256_cmpeq_epi8(_mm256_shuffle_epi8(by_low, bytes), bytes);
}

/* Compared as signed numbers: control characters and those above 0x7f. */
AVX2 static inline __m256i low(__m256i bytes)
{
    return _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), bytes);
}

/* 1 in the first place looks up nothing: 0x10 and so on are low anyway. */
AVX2 static inline uint32_t fast_value_mask(const char *s)
{
    const __m256i by_low = TWICE(1, 0, '"', 0, 0, 0, '&', '\'', 0, 0, 0, 0, '<', 0, '>', 0);
    __m256i bytes = load(s);

    return (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(marks(bytes, by_low), low(bytes)));
}

/* A byte is of no URI when the tables of its low and its high half share a bit. 1: space ". 2: < >.
 * 4: \ ^. 8: `. 16: { | } DEL. 32: 0x00-0x1f. Above 0x7f the first table has none.            */
AVX2 static inline uint32_t fast_no_uri_mask(const char *s)
{
    const __m256i of_low =
        TWICE(41, 32, 33, 32, 32, 32, 32, 32, 32, 32, 32, 48, 54, 48, 38, 48);
    const __m256i of_high = TWICE(32, 32, 1, 2, 0, 4, 8, 16, 0, 0, 0, 0, 0, 0, 0, 0);
    __m256i bytes = load(s);
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0x0f));
    __m256i both = _mm256_and_si256(_mm256_shuffle_epi8(of_low, bytes),
                                    _mm256_shuffle_epi8(of_high, high));

    return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(both, _mm256_setzero_si256()));
}

/* Tab and LF are marks and low, all others one of both. */
AVX2 static inline uint32_t fast_text_mask(const char *s)
{
    const __m256i by_low = TWICE(1, 0, 0, 0, 0, 0, '&', 0, 0, '\t', '\n', 0, '<', 0, '>', 0);
    __m256i bytes = load(s);

    return (uint32_t)_mm256_movemask_epi8(_mm256_xor_si256(marks(bytes, by_low), low(bytes)));
}

/* A byte is of names when the tables of its low and its high half share a bit. 1: - . 2: 0-9.
 * 4: A-O a-o. 8: P-Z _ . 16: p-z. Of the half that is shifted down the shuffle ignores bits 4-6;
 * they are not the same everywhere so that the compiler keeps the mask in memory, which costs three
 * instructions less than to make it. */
AVX2 static inline uint32_t fast_name_mask(const char *s)
{
    const __m128i of_low =
        _mm_setr_epi8(26, 30, 30, 30, 30, 30, 30, 30, 30, 30, 28, 4, 4, 5, 5, 12);
    const __m128i of_high = _mm_setr_epi8(0, 0, 1, 2, 4, 8, 4, 16, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m128i half = _mm_setr_epi8(0x0f, 0x1f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f,
                                       0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f);
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)s);
    __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), half);
    __m128i both = _mm_and_si128(_mm_shuffle_epi8(of_low, bytes), _mm_shuffle_epi8(of_high, high));

    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(both, _mm_setzero_si128()));
}

AVX2 static inline __m256i eq(__m256i bytes, uint8_t c)
{
    return _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8((char)c));
}

/* Not 0 where a byte is above c; compared as it is, not as a signed number. */
AVX2 static inline __m256i above(__m256i bytes, uint8_t c)
{
    return _mm256_subs_epu8(bytes, _mm256_set1_epi8((char)c));
}

AVX2 static inline __m256i both(__m256i a, __m256i b)
{
    return _mm256_and_si256(a, b);
}

AVX2 static inline __m256i either(__m256i a, __m256i b)
{
    return _mm256_or_si256(a, b);
}

/* A bit for each of the bytes at s that cannot stand there, as UTF-8 (RFC 3629 section 4) and as
 * XML character. The three bytes before s are looked at, too.                                    */
AVX2 static inline uint32_t wide_faults(const char *s)
{
    const __m256i none = _mm256_setzero_si256();
    __m256i byte = load(s);
    __m256i before = load(s - 1);
    __m256i before2 = load(s - 2);
    __m256i is_tail = _mm256_cmpgt_epi8(_mm256_set1_epi8(-64), byte); /* 0x80-0xbf */
    __m256i not_due = _mm256_cmpeq_epi8(
        either(either(above(before, 0xbf), above(before2, 0xdf)), above(load(s - 3), 0xef)), none);
    __m256i never = either(eq(both(byte, _mm256_set1_epi8((char)0xfe)), 0xc0),
                           _mm256_cmpgt_epi8(above(byte, 0xf4), none));
    /* Too long for what they say, surrogates, above U+10FFFF. The second byte is 0x80-0xbf. */
    __m256i low_second = either(both(eq(before, 0xe0), _mm256_cmpeq_epi8(above(byte, 0x9f), none)),
                                both(eq(before, 0xf0), _mm256_cmpeq_epi8(above(byte, 0x8f), none)));
    __m256i high_second =
        either(both(eq(before, 0xed), _mm256_xor_si256(_mm256_cmpeq_epi8(above(byte, 0x9f), none),
                                                       eq(none, 0))),
               both(eq(before, 0xf4), _mm256_xor_si256(_mm256_cmpeq_epi8(above(byte, 0x8f), none),
                                                       eq(none, 0))));
    /* U+FFFE and U+FFFF. */
    __m256i no_character = both(both(eq(before2, 0xef), eq(before, 0xbf)),
                                eq(either(byte, _mm256_set1_epi8(1)), 0xbf));
    __m256i out_of_place = _mm256_xor_si256(is_tail, _mm256_xor_si256(not_due, eq(none, 0)));

    return (uint32_t)_mm256_movemask_epi8(either(
        either(out_of_place, never), either(either(low_second, high_second), no_character)));
}

/* From s on, which is above 0x7f: what stops the text but is not above 0x7f, or end, when all up to
 * there is well-formed; NULL = look byte by byte.                                                */
AVX2 static const char *fast_wide_end(const char *s, const char *base, const char *end)
{
    if (s - base < 3) {
        return NULL;
    }
    for (; end - s >= 32; s += 32) {
        uint32_t stop = fast_text_mask(s) & ~(uint32_t)_mm256_movemask_epi8(load(s));
        uint32_t faults = wide_faults(s);

        /* Up to the stop and at it, where a character may be cut short. */
        if ((faults & (stop ^ (stop - 1))) != 0) {
            return NULL;
        }
        if (stop) {
            return s + __builtin_ctz(stop);
        }
    }
    return NULL;
}

#define FAST_WIDE_END   fast_wide_end
#define FAST_TARGET     AVX2
#define FAST_RUN        xml_fast_avx2
#define FAST_BYTES      32
#define FAST_NAME_BYTES 16
#include "xml/fast_pass.h"

#endif
