/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jid_plain: the bytes of an address become sets of bits, and its grammar a few operations on them:
 * no branch depends on single bytes. 16 bytes at a time with SSE2, which every x86-64 has. */
#include "xmpp/jid_plain.h"

#include "base/ascii.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#define ALWAYS_INLINE inline __attribute__((always_inline))
#endif

/* Bits below n; n < 64. */
static uint64_t below(size_t n)
{
    return (UINT64_C(1) << n) - 1;
}

/* Control characters, and what is not ASCII. */
static bool is_no_text(char c)
{
    return (unsigned char)c < ' ' || (unsigned char)c >= 0x7f;
}

void jid_mark_scalar(const char *text, size_t len, struct jid_marks *out)
{
    *out = (struct jid_marks){0};
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool is_other = is_no_text(c);
        bool is_no_local = c == ' ' || c == '"' || c == '&' || c == '\'' || c == '/' || c == ':' ||
                           c == '<' || c == '>' || c == '@' || ascii_is_upper(c);
        bool is_domain = (c >= 'a' && c <= 'z') || (c >= '-' && c <= '9');

        out->at |= (uint64_t)(c == '@') << i;
        out->slash |= (uint64_t)(c == '/') << i;
        out->dot |= (uint64_t)(c == '.') << i;
        out->dash |= (uint64_t)(c == '-') << i;
        out->not_local |= (uint64_t)(is_other || is_no_local) << i;
        out->domain |= (uint64_t)is_domain << i;
        out->not_resource |= (uint64_t)is_other << i;
    }
}

#if defined(__SSE2__)
static __m128i is_in(__m128i v, char first, char last)
{
    /* Moved to the bottom of the signed range, one comparison is enough. */
    __m128i moved = _mm_add_epi8(v, _mm_set1_epi8((char)(-128 - first)));

    return _mm_cmplt_epi8(moved, _mm_set1_epi8((char)(-128 + (last - first) + 1)));
}

static __m128i is_char(__m128i v, char c)
{
    return _mm_cmpeq_epi8(v, _mm_set1_epi8(c));
}

static __m128i either(__m128i a, __m128i b)
{
    return _mm_or_si128(a, b);
}

static uint64_t bits_of(__m128i v)
{
    return (uint64_t)(uint32_t)_mm_movemask_epi8(v);
}

/* Sets of the 16 bytes of a vector, all ones in a byte that belongs. */
static ALWAYS_INLINE __m128i not_local(__m128i v)
{
    /* '&' and '\'' differ in one bit, so do '<' and '>'. */
    __m128i quotes = either(is_char(v, '"'), is_char(either(v, _mm_set1_epi8(1)), '\''));
    __m128i angles = either(is_char(v, ':'), is_char(either(v, _mm_set1_epi8(2)), '>'));
    __m128i separators = either(is_char(v, '/'), is_in(v, '@', 'Z'));
    /* Signed: what is not ASCII is below, as control characters and the space are. */
    __m128i others = either(_mm_cmplt_epi8(v, _mm_set1_epi8('!')), is_char(v, 0x7f));

    return either(either(quotes, angles), either(separators, others));
}

static ALWAYS_INLINE __m128i domain(__m128i v)
{
    return either(is_in(v, 'a', 'z'), is_in(v, '-', '9'));
}

static ALWAYS_INLINE __m128i not_resource(__m128i v)
{
    return either(_mm_cmplt_epi8(v, _mm_set1_epi8(' ')), is_char(v, 0x7f));
}

/* Two vectors at once, the second's bits from shift on: all stays in registers. */
static ALWAYS_INLINE struct jid_marks mark_pair(__m128i a, __m128i b, size_t shift)
{
    return (struct jid_marks){
        .at = bits_of(is_char(a, '@')) | bits_of(is_char(b, '@')) << shift,
        .slash = bits_of(is_char(a, '/')) | bits_of(is_char(b, '/')) << shift,
        .dot = bits_of(is_char(a, '.')) | bits_of(is_char(b, '.')) << shift,
        .dash = bits_of(is_char(a, '-')) | bits_of(is_char(b, '-')) << shift,
        .not_local = bits_of(not_local(a)) | bits_of(not_local(b)) << shift,
        .domain = bits_of(domain(a)) | bits_of(domain(b)) << shift,
        .not_resource = bits_of(not_resource(a)) | bits_of(not_resource(b)) << shift,
    };
}

/* Up to 8 bytes, zeros behind them: loads that overlap instead of a loop. */
static uint64_t load_word(const char *text, size_t len)
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

/* 1 to 15 bytes, zeros behind them. */
static __m128i load_short(const char *text, size_t len)
{
    const size_t word_bytes = sizeof(uint64_t);
    uint64_t behind = 0;

    if (len <= word_bytes) {
        return _mm_set_epi64x(0, (int64_t)load_word(text, len));
    }
    behind = load_word(text + len - word_bytes, word_bytes) >> (8 * (2 * word_bytes - len));
    return _mm_set_epi64x((int64_t)behind, (int64_t)load_word(text, word_bytes));
}

static __m128i load(const char *text)
{
    return _mm_loadu_si128((const void *)text);
}

static NOINLINE void add_second_half(const char *text, size_t len, struct jid_marks *out)
{
    const size_t block = sizeof(__m128i);
    size_t third = len >= 3 * block ? 2 * block : len - block;
    size_t last = len - block;
    struct jid_marks more = mark_pair(load(text + third), load(text + last), last - third);

    out->at |= more.at << third;
    out->slash |= more.slash << third;
    out->dot |= more.dot << third;
    out->dash |= more.dash << third;
    out->not_local |= more.not_local << third;
    out->domain |= more.domain << third;
    out->not_resource |= more.not_resource << third;
}

/* The last block overlaps the one before: what both see is the same. */
static ALWAYS_INLINE void mark(const char *text, size_t len, struct jid_marks *out)
{
    const size_t block = sizeof(__m128i);

    if (len < block) {
        __m128i v = load_short(text, len);
        *out = mark_pair(v, v, 0);
        return;
    }
    size_t second = len >= 2 * block ? block : len - block;
    *out = mark_pair(load(text), load(text + second), second);
    if (len > 2 * block) {
        add_second_half(text, len, out);
    }
}
#else
static void mark(const char *text, size_t len, struct jid_marks *out)
{
    jid_mark_scalar(text, len, out);
}
#endif

void jid_mark(const char *text, size_t len, struct jid_marks *out)
{
    mark(text, len, out);
}

/* RFC 1123 2.1: that would be an IPv4 address or nothing. */
static bool is_last_label_numeric(const char *text, size_t first, size_t end)
{
    while (end > first && ascii_is_digit(text[end - 1])) {
        end--;
    }
    return end == first || text[end - 1] == '.';
}

/* Bytes first to end (not included, below 64): no label is too long there. */
static bool is_domain(const struct jid_marks *m, const char *text, size_t first, size_t end)
{
    if (first >= end) {
        return false;
    }
    uint64_t range = below(end) & ~below(first);
    uint64_t dots = m->dot & range;
    uint64_t dashes = m->dash & range;
    uint64_t firsts = (dots << 1) | (UINT64_C(1) << first);
    uint64_t lasts = (dots >> 1) | (UINT64_C(1) << (end - 1));

    if ((m->domain & ~m->slash & range) != range) {
        return false;
    }
    /* Empty labels, the final dot and '-' at either end of a label. */
    if (((firsts | lasts) & (dots | dashes)) != 0) {
        return false;
    }
    /* "xn--" and its like. */
    if (((firsts << 2) & dashes & (dashes >> 1)) != 0) {
        return false;
    }
    return !ascii_is_digit(text[end - 1]) || !is_last_label_numeric(text, first, end);
}

/* What of a resource lies behind the bits. */
static bool is_resource(struct slice s)
{
    unsigned bad = 0;

    for (size_t i = 0; i < s.len; i++) {
        bad |= (unsigned)is_no_text(s.ptr[i]);
    }
    return bad == 0;
}

bool jid_plain_split(struct slice text, struct jid *out)
{
    size_t seen = text.len < JID_PLAIN_BYTES_MAX ? text.len : JID_PLAIN_BYTES_MAX;
    struct jid_marks m;

    if (text.len == 0) {
        return false;
    }
    mark(text.ptr, seen, &m);
    size_t bare = m.slash ? (size_t)__builtin_ctzll(m.slash) : text.len;
    if (bare >= JID_PLAIN_BYTES_MAX) {
        return false;
    }
    uint64_t ats = m.at & below(bare);
    size_t local = ats ? (size_t)__builtin_ctzll(ats) : 0;
    size_t first = ats ? local + 1 : 0;
    if ((ats && local == 0) || (m.not_local & below(local)) != 0 ||
        !is_domain(&m, text.ptr, first, bare)) {
        return false;
    }
    struct slice resource = slice_from(text, bare + 1);
    uint64_t unseen = seen < JID_PLAIN_BYTES_MAX ? ~below(seen) : 0;
    if (bare < text.len &&
        (resource.len == 0 || resource.len > JID_PART_BYTES_MAX ||
         (m.not_resource & ~below(bare) & ~unseen) != 0 || !is_resource(slice_from(text, seen)))) {
        return false;
    }
    *out = (struct jid){
        .local = local > 0 ? slice_make(text.ptr, local) : SLICE_NONE,
        .domain = slice_make(text.ptr + first, bare - first),
        .resource = resource.len > 0 ? resource : SLICE_NONE,
    };
    return true;
}

bool jid_plain_domain(struct slice domain)
{
    struct jid_marks m;

    if (domain.len == 0 || domain.len >= JID_PLAIN_BYTES_MAX) {
        return false;
    }
    mark(domain.ptr, domain.len, &m);
    return is_domain(&m, domain.ptr, 0, domain.len);
}
