/* SPDX-License-Identifier: GPL-2.0-or-later */
/* payload: the text of a message. */
#include "load/payload.h"

#include <string.h>

#include "base/check.h"

#define TEN 10u
#define PAIR 100u
/* 64 bytes, 16 times. */
#define WORDS64 "shall we meet at noon at the usual place today, or at nine then "
#define WORDS256 WORDS64 WORDS64 WORDS64 WORDS64
#define WORDS1024 WORDS256 WORDS256 WORDS256 WORDS256
#define WORDS_BYTES 1024u
/* No space at the end: somebody might trim it. */
#define LAST '.'

static const char words[] = WORDS1024;
static const char pairs[] = "00010203040506070809" "10111213141516171819"
                            "20212223242526272829" "30313233343536373839"
                            "40414243444546474849" "50515253545556575859"
                            "60616263646566676869" "70717273747576777879"
                            "80818283848586878889" "90919293949596979899";

void payload_put_digits(char *to, unsigned digits, uint64_t value)
{
    while (digits >= 2) {
        digits -= 2;
        memcpy(to + digits, pairs + 2 * (value % PAIR), 2);
        value /= PAIR;
    }
    if (digits == 1) {
        to[0] = (char)('0' + value % TEN);
    }
}

bool payload_take_digits(const char *from, unsigned digits, uint64_t *value)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < digits; i++) {
        unsigned digit = (unsigned)(unsigned char)from[i] - '0';

        if (digit >= TEN) {
            return false;
        }
        sum = sum * TEN + digit;
    }
    *value = sum;
    return true;
}

void payload_write(char *to, size_t len, uint32_t flow, uint64_t seq)
{
    ASSERT(len >= PAYLOAD_HEAD_BYTES);
    payload_put_digits(to, PAYLOAD_FLOW_DIGITS, flow);
    to[PAYLOAD_FLOW_DIGITS] = ':';
    payload_put_digits(to + PAYLOAD_FLOW_DIGITS + 1, PAYLOAD_SEQ_DIGITS, seq);
    to[PAYLOAD_HEAD_BYTES - 1] = ':';
    for (size_t at = PAYLOAD_HEAD_BYTES; at < len; at += WORDS_BYTES) {
        memcpy(to + at, words, len - at < WORDS_BYTES ? len - at : WORDS_BYTES);
    }
    if (len > PAYLOAD_HEAD_BYTES) {
        to[len - 1] = LAST;
    }
}

static bool words_are_intact(const char *at, size_t len)
{
    while (len > WORDS_BYTES) {
        if (memcmp(at, words, WORDS_BYTES) != 0) {
            return false;
        }
        at += WORDS_BYTES;
        len -= WORDS_BYTES;
    }
    return len == 0 || (memcmp(at, words, len - 1) == 0 && at[len - 1] == LAST);
}

bool payload_read(struct slice text, uint32_t *flow, uint64_t *seq)
{
    uint64_t number;

    if (text.len < PAYLOAD_HEAD_BYTES || text.ptr[PAYLOAD_FLOW_DIGITS] != ':' ||
        text.ptr[PAYLOAD_HEAD_BYTES - 1] != ':' ||
        !payload_take_digits(text.ptr, PAYLOAD_FLOW_DIGITS, &number) ||
        !payload_take_digits(text.ptr + PAYLOAD_FLOW_DIGITS + 1, PAYLOAD_SEQ_DIGITS, seq)) {
        return false;
    }
    *flow = (uint32_t)number;
    return words_are_intact(text.ptr + PAYLOAD_HEAD_BYTES, text.len - PAYLOAD_HEAD_BYTES);
}
