/* SPDX-License-Identifier: GPL-2.0-or-later */
/* payload: a text is its numbers and nothing else. */
#include <criterion/criterion.h>

#include "load/payload.h"

#define BYTES_MAX 5000u

Test(payload, reads_what_it_writes_at_every_length)
{
    static char text[BYTES_MAX];

    for (size_t len = PAYLOAD_HEAD_BYTES; len < BYTES_MAX; len += 13) {
        uint32_t flow;
        uint64_t seq;

        payload_write(text, len, 19999, 1234567890);
        cr_assert(payload_read(slice_make(text, len), &flow, &seq));
        cr_assert_eq(flow, 19999);
        cr_assert_eq(seq, 1234567890);
    }
}

Test(payload, any_other_byte_anywhere_is_seen)
{
    static char text[BYTES_MAX];
    static const size_t len = 2100;

    payload_write(text, len, 7, 42);
    for (size_t i = 0; i < len; i++) {
        uint32_t flow = 0;
        uint64_t seq = 0;
        bool is_digit = i < PAYLOAD_HEAD_BYTES && i != PAYLOAD_FLOW_DIGITS &&
                        i != PAYLOAD_HEAD_BYTES - 1;

        text[i] ^= 1;
        if (payload_read(slice_make(text, len), &flow, &seq)) {
            cr_assert(is_digit && (flow != 7 || seq != 42), "byte %zu", i);
        }
        text[i] ^= 1;
    }
}

Test(payload, cut_or_longer_is_seen)
{
    static char text[BYTES_MAX];
    uint32_t flow;
    uint64_t seq;

    payload_write(text, 300, 7, 42);
    for (size_t len = 0; len < 300; len++) {
        if (len != PAYLOAD_HEAD_BYTES) { /* the shortest payload there is: of another length */
            cr_assert_not(payload_read(slice_make(text, len), &flow, &seq), "%zu bytes", len);
        }
    }
    text[300] = '.';
    cr_assert_not(payload_read(slice_make(text, 301), &flow, &seq));
}

Test(payload, digits)
{
    char text[11] = "";
    uint64_t value;

    payload_put_digits(text, 5, 7);
    cr_assert_str_eq(text, "00007");
    payload_put_digits(text, 10, 9876543210);
    cr_assert_str_eq(text, "9876543210");
    cr_assert(payload_take_digits(text, 10, &value));
    cr_assert_eq(value, 9876543210);
    cr_assert_not(payload_take_digits("12a45", 5, &value));
    cr_assert_not(payload_take_digits("12/45", 5, &value));
}
