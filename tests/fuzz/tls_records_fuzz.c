/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls_records: two sessions after their handshake, user or kernel path, saying, closing, resting,
 * with forged control records and tampering between them. What is heard is always a beginning of
 * what was said, all of it when nothing was done to the wire. First two bytes: version, cipher,
 * libraries, paths; then steps of four bytes.                                                  */
#include "tls_ends.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice control_record(uint8_t which, const uint8_t *raw)
{
    static const struct slice known[8] = {
        {"\x18\0\0\1\0", 5},
        {"\x18\0\0\1\1", 5},
        {"\4\0\0\x0e\0\0\0\0\0\0\0\0\0\0\1x\0\0", 18},
        {"\0\0\0\0", 4},
        {"\1\0", 2},
        {"\2\x28", 2},
        {"\1\0\0\2ab", 6},
        {"\x18\0\0", 3},
    };
    return which < 8 ? known[which] : slice_make((const char *)raw, 1 + which % 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tls_ends all;
    ends_init(&all, size > 0 ? data[0] : 0, size > 1 ? data[1] : 0);
    for (size_t at = 2; at + 4 <= size && at < 2000; at += 4) {
        uint8_t who = data[at] >> 7;
        struct tls_end *e = &all.end[who];
        uint16_t x = (uint16_t)(data[at + 2] << 8 | data[at + 3]);
        switch (data[at] % 16) {
        case 0:
            ends_forge(e, data[at + 1] & 16 ? RECORD_ALERT : RECORD_HANDSHAKE,
                       control_record(data[at + 1] % 16, data + at + 1));
            break;
        case 1:
            ends_tamper(e, x);
            break;
        case 2:
            ends_close(e);
            break;
        case 3:
            ends_rest(e);
            break;
        default:
            if (data[at] & 1) {
                ends_say(e, x % (data[at + 1] & 1 ? 4096 : 32));
            } else {
                ends_deliver(&all, who, data[at + 1] & 1 ? SIZE_MAX : x % 512);
            }
            break;
        }
    }
    ends_check(&all);
    ends_deinit(&all);
    return 0;
}
