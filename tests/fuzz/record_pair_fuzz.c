/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record_pair: texts sealed, the wire tampered with, opened. The model: what is opened are the
 * records that lie wholly before the first byte that differs from what was sent, no more and no
 * less. First byte: keys; then steps of four bytes.                                            */
#include "record_pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pair p;
    pair_init(&p, size > 0 ? data[0] : 0);
    for (size_t at = 1; at + 4 <= size && at < 4 * PAIR_RECORDS_MAX; at += 4) {
        uint16_t x = (uint16_t)(data[at + 1] << 8 | data[at + 2]);
        uint8_t y = data[at + 3];
        switch (data[at] % 8) {
        case 0:
            pair_update(&p);
            break;
        case 1:
        case 2:
        case 3:
            pair_seal(&p, data[at] & 8 ? x : x % 64, y);
            break;
        case 4:
            pair_flip(&p, x, y);
            break;
        case 5:
            pair_cut(&p, x, y);
            break;
        case 6:
            pair_repeat(&p, x);
            break;
        default:
            pair_swap(&p, x);
            break;
        }
    }
    pair_check(&p);
    pair_deinit(&p);
    return 0;
}
