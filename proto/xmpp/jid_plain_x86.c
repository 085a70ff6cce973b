/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jid_plain_x86: 16 bytes at a time with SSE2, which every x86-64 has, and 32 with AVX2, where two
 * tables of half bytes tell what a byte is. No byte outside of the text is read: short texts are
 * put together from loads that overlap. */
#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#include "base/attr.h"
#include "xmpp/jid_plain_pass.h"

#define BLOCK_BYTES 16u
#define WIDE_BYTES  32u
#define AVX2        __attribute__((target("avx2,bmi,bmi2")))

/* --- loads --- */

/* Up to 8 bytes, zeros behind them. */
static inline uint64_t load_word(const char *text, size_t len)
{
    uint64_t word = 0;
    uint32_t half;

    if (len == sizeof(word)) {
        memcpy(&word, text, sizeof(word));
        return word;
    }
    if (len >= sizeof(half)) {
        memcpy(&half, text, sizeof(half));
        word = half;
        memcpy(&half, text + len - sizeof(half), sizeof(half));
        return word | (uint64_t)half << (8 * (len - sizeof(half)));
    }
    for (size_t i = 0; i < len; i++) {
        word |= (uint64_t)(unsigned char)text[i] << (8 * i);
    }
    return word;
}

/* Fewer than 16 bytes, zeros behind them. */
static inline __m128i load_short(const char *text, size_t len)
{
    const size_t word_bytes = sizeof(uint64_t);
    uint64_t behind;

    if (len <= word_bytes) {
        return _mm_set_epi64x(0, (int64_t)load_word(text, len));
    }
    behind = load_word(text + len - word_bytes, word_bytes) >> (8 * (2 * word_bytes - len));
    return _mm_set_epi64x((int64_t)behind, (int64_t)load_word(text, word_bytes));
}

static ALWAYS_INLINE __m128i load(const char *text)
{
    return _mm_loadu_si128((const void *)text);
}

/* The same text again, its bits from shift on. */
static ALWAYS_INLINE void add_marks(struct jid_marks *out, const struct jid_marks *more,
                                    size_t shift)
{
    out->at |= more->at << shift;
    out->slash |= more->slash << shift;
    out->dot |= more->dot << shift;
    out->dash |= more->dash << shift;
    out->not_local |= more->not_local << shift;
    out->not_domain |= more->not_domain << shift;
    out->not_resource |= more->not_resource << shift;
}

/* --- SSE2 --- */

static ALWAYS_INLINE __m128i is_in(__m128i v, char first, char last)
{
    /* Moved to the bottom of the signed range, one comparison is enough. */
    __m128i moved = _mm_add_epi8(v, _mm_set1_epi8((char)(-128 - first)));

    return _mm_cmplt_epi8(moved, _mm_set1_epi8((char)(-128 + (last - first) + 1)));
}

static ALWAYS_INLINE __m128i is_char(__m128i v, char c)
{
    return _mm_cmpeq_epi8(v, _mm_set1_epi8(c));
}

static ALWAYS_INLINE __m128i either(__m128i a, __m128i b)
{
    return _mm_or_si128(a, b);
}

static ALWAYS_INLINE uint64_t bits_of(__m128i v)
{
    return (uint64_t)(uint32_t)_mm_movemask_epi8(v);
}

static ALWAYS_INLINE uint64_t not_local(__m128i v)
{
    /* '&' and '\'' differ in one bit, so do '<' and '>'. */
    __m128i quotes = either(is_char(v, '"'), is_char(either(v, _mm_set1_epi8(1)), '\''));
    __m128i angles = either(is_char(v, ':'), is_char(either(v, _mm_set1_epi8(2)), '>'));
    __m128i separators = either(is_char(v, '/'), is_in(v, '@', 'Z'));
    /* Signed: what is not ASCII is below, as control characters and the space are. */
    __m128i others = either(_mm_cmplt_epi8(v, _mm_set1_epi8('!')), is_char(v, 0x7f));

    return bits_of(either(either(quotes, angles), either(separators, others)));
}

static ALWAYS_INLINE uint64_t not_domain(__m128i v)
{
    __m128i allowed = _mm_andnot_si128(is_char(v, '/'),
                                       either(is_in(v, 'a', 'z'), is_in(v, '-', '9')));

    return bits_of(allowed) ^ 0xffffu;
}

static ALWAYS_INLINE uint64_t not_resource(__m128i v)
{
    return bits_of(either(_mm_cmplt_epi8(v, _mm_set1_epi8(' ')), is_char(v, 0x7f)));
}

/* Two vectors at once, the second's bits from shift on: all stays in registers. */
static ALWAYS_INLINE void mark_pair(__m128i a, __m128i b, size_t shift, struct jid_marks *out)
{
    *out = (struct jid_marks){
        .at = bits_of(is_char(a, '@')) | bits_of(is_char(b, '@')) << shift,
        .slash = bits_of(is_char(a, '/')) | bits_of(is_char(b, '/')) << shift,
        .dot = bits_of(is_char(a, '.')) | bits_of(is_char(b, '.')) << shift,
        .dash = bits_of(is_char(a, '-')) | bits_of(is_char(b, '-')) << shift,
        .not_local = not_local(a) | not_local(b) << shift,
        .not_domain = not_domain(a) | not_domain(b) << shift,
        .not_resource = not_resource(a) | not_resource(b) << shift,
    };
}

static NOINLINE void add_second_half(const char *text, size_t len, struct jid_marks *out)
{
    size_t last = len - BLOCK_BYTES;
    size_t third = last > 2 * BLOCK_BYTES ? 2 * BLOCK_BYTES : last;
    struct jid_marks more;

    mark_pair(load(text + third), load(text + last), last - third, &more);
    add_marks(out, &more, third);
}

/* 1 to JID_PLAIN_BYTES_MAX bytes. A last block that overlaps the one before sees the same there. */
static ALWAYS_INLINE void mark_sse2(const char *text, size_t len, struct jid_marks *out)
{
    if (len < BLOCK_BYTES) {
        mark_pair(load_short(text, len), _mm_set1_epi8(0), BLOCK_BYTES, out);
        return;
    }
    size_t second = len > 2 * BLOCK_BYTES ? BLOCK_BYTES : len - BLOCK_BYTES;
    mark_pair(load(text), load(text + second), second, out);
    if (len > 2 * BLOCK_BYTES) {
        add_second_half(text, len, out);
    }
}

static bool split_sse2(struct slice text, struct jid *out)
{
    UNINITIALIZED struct jid_marks m;

    if (text.len == 0) {
        return false;
    }
    mark_sse2(text.ptr, text.len < JID_PLAIN_BYTES_MAX ? text.len : JID_PLAIN_BYTES_MAX, &m);
    return jid_pass_split(&m, text, out);
}

static bool domain_sse2(struct slice domain)
{
    UNINITIALIZED struct jid_marks m;

    if (domain.len == 0 || domain.len >= JID_PLAIN_BYTES_MAX) {
        return false;
    }
    mark_sse2(domain.ptr, domain.len, &m);
    return jid_pass_is_domain(&m, domain.ptr, 0, domain.len);
}

const struct jid_plain jid_plain_sse2 = {"sse2", split_sse2, domain_sse2};

/* --- AVX2 --- */

/* Both lanes of a register. */
#define TWICE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)

AVX2 static ALWAYS_INLINE uint64_t wide_bits(__m256i v)
{
    return (uint64_t)(uint32_t)_mm256_movemask_epi8(v);
}

AVX2 static ALWAYS_INLINE uint64_t wide_is(__m256i v, char c)
{
    return wide_bits(_mm256_cmpeq_epi8(v, _mm256_set1_epi8(c)));
}

/* A byte has a class when the tables of its low and of its high half share a bit.
 * Not in a local part: 1: @ A-O. 2: P-Z. 4: space " & ' /. 8: : < >.
 * Not in a domain alone: 16: ! # $ % ( ) * + ,. 32: ; = ? [ ] _. 64: [ \ ] ^ { | } ~. 128: `. */
AVX2 static ALWAYS_INLINE __m256i classes(__m256i v)
{
    const __m256i of_low =
        TWICE(1 + 2 + 4 - 128, 1 + 2 + 16, 1 + 2 + 4, 1 + 2 + 16, 1 + 2 + 16, 1 + 2 + 16,
              1 + 2 + 4, 1 + 2 + 4, 1 + 2 + 16, 1 + 2 + 16, 1 + 2 + 8 + 16, 1 + 16 + 32 + 64,
              1 + 8 + 16 + 64, 1 + 32 + 64, 1 + 8 + 64, 1 + 4 + 32);
    const __m256i of_high =
        TWICE(0, 0, 4 + 16, 8 + 32, 1, 2 + 32 + 64, -128, 64, 0, 0, 0, 0, 0, 0, 0, 0);
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(0x0f));
    __m256i low = _mm256_and_si256(v, _mm256_set1_epi8(0x0f));

    return _mm256_and_si256(_mm256_shuffle_epi8(of_low, low), _mm256_shuffle_epi8(of_high, high));
}

AVX2 static ALWAYS_INLINE void mark_wide(__m256i v, struct jid_marks *out)
{
    const __m256i zero = _mm256_setzero_si256();
    __m256i class = classes(v);
    __m256i local = _mm256_cmpeq_epi8(_mm256_and_si256(class, _mm256_set1_epi8(15)), zero);
    __m256i domain = _mm256_cmpeq_epi8(class, zero);
    /* Signed: what is not ASCII is below, as control characters are. */
    __m256i other = _mm256_or_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(' '), v),
                                    _mm256_cmpeq_epi8(v, _mm256_set1_epi8(0x7f)));

    out->at = wide_is(v, '@');
    out->slash = wide_is(v, '/');
    out->dot = wide_is(v, '.');
    out->dash = wide_is(v, '-');
    out->not_resource = wide_bits(other);
    out->not_local = wide_bits(_mm256_andnot_si256(other, local)) ^ UINT32_MAX;
    out->not_domain = wide_bits(_mm256_andnot_si256(other, domain)) ^ UINT32_MAX;
}

/* 16 to 32 bytes, zeros behind them. */
AVX2 static ALWAYS_INLINE __m256i load_wide(const char *text, size_t len)
{
    /* From n on: a shuffle that moves the last bytes of a block to its start, n bytes down. */
    static const char down[2 * BLOCK_BYTES] = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
        -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    __m128i last = _mm_shuffle_epi8(load(text + len - BLOCK_BYTES), load(down + WIDE_BYTES - len));

    return _mm256_set_m128i(last, load(text));
}

AVX2 static NOINLINE void add_second_wide(const char *text, size_t len, struct jid_marks *out)
{
    struct jid_marks more;

    mark_wide(_mm256_loadu_si256((const void *)(text + len - WIDE_BYTES)), &more);
    add_marks(out, &more, len - WIDE_BYTES);
}

AVX2 static ALWAYS_INLINE void mark_avx2(const char *text, size_t len, struct jid_marks *out)
{
    if (len < BLOCK_BYTES) {
        mark_wide(_mm256_set_m128i(_mm_setzero_si128(), load_short(text, len)), out);
    } else if (len <= WIDE_BYTES) {
        mark_wide(load_wide(text, len), out);
    } else {
        mark_wide(_mm256_loadu_si256((const void *)text), out);
        add_second_wide(text, len, out);
    }
}

AVX2 static bool split_avx2(struct slice text, struct jid *out)
{
    UNINITIALIZED struct jid_marks m;

    if (text.len == 0) {
        return false;
    }
    mark_avx2(text.ptr, text.len < JID_PLAIN_BYTES_MAX ? text.len : JID_PLAIN_BYTES_MAX, &m);
    return jid_pass_split(&m, text, out);
}

AVX2 static bool domain_avx2(struct slice domain)
{
    UNINITIALIZED struct jid_marks m;

    if (domain.len == 0 || domain.len >= JID_PLAIN_BYTES_MAX) {
        return false;
    }
    mark_avx2(domain.ptr, domain.len, &m);
    return jid_pass_is_domain(&m, domain.ptr, 0, domain.len);
}

const struct jid_plain jid_plain_avx2 = {"avx2", split_avx2, domain_avx2};

#endif
